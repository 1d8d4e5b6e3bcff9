-- What is kept for people: who changed a state, when; and the snapshots that were replaced.

CREATE TABLE IF NOT EXISTS plumb_history (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    line text NOT NULL
);
CREATE INDEX IF NOT EXISTS plumb_history_by_name ON plumb_history (name, id);

CREATE TABLE IF NOT EXISTS plumb_past (
    name text NOT NULL,
    serial bigint NOT NULL,
    data text NOT NULL,
    PRIMARY KEY (name, serial)
);

INSERT INTO plumb_migrations (version) VALUES (2) ON CONFLICT DO NOTHING;
