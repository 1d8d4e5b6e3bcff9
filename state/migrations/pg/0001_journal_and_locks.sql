-- What Plumb keeps beside Terraform's table `states`, in the same schema. Plumb runs this by itself, unless
-- `skip_table_creation` is set; by hand: PGOPTIONS='-c search_path=SCHEMA' psql -1 -f this_file DATABASE

-- Which of these files were run.
CREATE TABLE IF NOT EXISTS plumb_migrations (
    version integer PRIMARY KEY,
    applied timestamptz NOT NULL DEFAULT now()
);

-- What happened since the snapshot in `states` was written, a row for each batch: `text` is what stands in bytes
-- `at` to `until` of the journal.
CREATE TABLE IF NOT EXISTS plumb_journal (
    name text NOT NULL,
    at bigint NOT NULL,
    until bigint NOT NULL CHECK (until > at),
    text text NOT NULL,
    PRIMARY KEY (name, at)
);

-- Ends of journals that could not be read, kept for a person to look at. Nothing reads them.
CREATE TABLE IF NOT EXISTS plumb_torn (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    found timestamptz NOT NULL DEFAULT now(),
    at bigint NOT NULL,
    text text NOT NULL
);

-- Who holds a lock. It is the session's advisory lock that counts; a row of a session that is gone means nothing
-- but that it did not end well.
CREATE TABLE IF NOT EXISTS plumb_locks (
    name text PRIMARY KEY,
    info jsonb NOT NULL,
    pid integer NOT NULL,
    began timestamptz NOT NULL
);

INSERT INTO plumb_migrations (version) VALUES (1) ON CONFLICT DO NOTHING;
