//! What goes wrong leaves nothing half done, and is told apart.

use plumb_state::StoreError;
use plumb_state::backend::{Backend, Keep};

use crate::{Database, Sql, fold, info, is_taken, kept, said, some};

fn assert_fenced(result: Result<impl std::fmt::Debug, StoreError>) {
    assert!(matches!(&result, Err(StoreError::Fenced { .. })), "{result:?}");
}

/// Every write, on a connection that lost its lock with the journal at byte 5.
fn assert_all_fenced(backend: &mut dyn Backend) {
    assert_fenced(backend.append(5, "late\n"));
    assert_fenced(backend.fold(fold("{late}", None)));
    assert_fenced(backend.settle(Keep::Neither, 0));
    assert_fenced(backend.settle(Keep::Journal, 2));
    assert_fenced(backend.drop_journal());
    assert_fenced(backend.append(5, "late\n"));
}

#[test]
fn a_session_that_ended_is_fenced() {
    let database = Database::new("ended");
    database.with_snapshot("default", "{}");
    let mut backend = database.locked("default");
    backend.append(0, "line\n").unwrap();
    database.end_holder();
    let error = backend.append(5, "late\n").unwrap_err();
    assert!(error.advice().unwrap_or_default().contains("administrator"), "{:?}", error);
    assert_all_fenced(&mut *backend);
    // Not even a look, lest somebody take what it sees for what it wrote.
    assert_fenced(backend.read());
    assert_eq!(kept(&mut *database.backend("default")), some("{}", "line\n"));
    backend.unlock().unwrap();
    assert!(is_taken(&backend.lock(&info("again")).unwrap()));
    backend.append(5, "more\n").unwrap();
}

#[test]
fn a_lock_that_is_lost_while_the_session_lives_is_noticed() {
    let database = Database::new("unlocked");
    database.with_snapshot("default", "{}");
    let mut backend = database.locked("default");
    // As a pooler does between two transactions.
    let body = "PERFORM pg_advisory_unlock_all();";
    database.trigger("INSERT", "plumb_journal", body);
    backend.append(0, "line\n").unwrap();
    assert_all_fenced(&mut *backend);
    assert_eq!(kept(&mut *database.backend("default")), some("{}", "line\n"));
}

#[test]
fn each_write_looks_for_itself() {
    // Not only because an earlier one has noticed.
    let writes: [(&str, fn(&mut dyn Backend) -> Result<(), StoreError>); 4] = [
        ("fold", |it| it.fold(fold("{late}", None))),
        ("settle", |it| it.settle(Keep::Neither, 0).map(drop)),
        ("cut", |it| it.settle(Keep::Journal, 2).map(drop)),
        ("drop", |it| it.drop_journal()),
    ];
    for (name, write) in writes {
        let database = Database::new(&format!("looks_{name}"));
        database.with_snapshot("default", "{}");
        let mut backend = database.locked("default");
        database.trigger("INSERT", "plumb_journal", "PERFORM pg_advisory_unlock_all();");
        backend.append(0, "line\n").unwrap();
        assert_fenced(write(&mut *backend));
        assert_eq!(kept(&mut *database.backend("default")), some("{}", "line\n"), "{name}");
    }
}

#[test]
fn a_state_that_was_deleted_and_made_anew_is_another() {
    let database = Database::new("anew");
    database.with_snapshot("w", "{}");
    let mut backend = database.locked("w");
    backend.append(0, "line\n").unwrap();
    // As Terraform does, which knows no journal.
    database.sql.run("DELETE FROM terraform_remote_state.states WHERE name = 'w'");
    let anew = "INSERT INTO terraform_remote_state.states (name, data) VALUES ('w', '{tf}')";
    database.sql.run(anew);
    assert_all_fenced(&mut *backend);
    assert_eq!(kept(&mut *database.backend("w")), some("{tf}", "line\n"));
}

#[test]
fn who_is_behind_cannot_interleave() {
    let database = Database::new("behind");
    let mut backend = database.locked("default");
    backend.append(0, "line\n").unwrap();
    for at in [0, 4, 6] {
        let mut behind = database.backend("default");
        assert_fenced(behind.append(at, "x\n"));
    }
    assert_eq!(kept(&mut *backend), (None, Some("line\n".into())));
    backend.append(5, "more\n").unwrap();
}

#[test]
fn who_writes_without_the_lock_is_not_overwritten() {
    let database = Database::new("lockless");
    database.with_snapshot("default", "{}");
    let mut backend = database.locked("default");
    backend.append(0, "line\n").unwrap();
    kept(&mut *backend);
    database.sql.run("UPDATE terraform_remote_state.states SET data = '{tf}'");
    backend.append(5, "more\n").unwrap();
    assert_fenced(backend.fold(fold("{2}", None)));
    assert_eq!(kept(&mut *database.backend("default")), some("{tf}", "line\nmore\n"));
}

#[test]
fn an_append_that_fails_leaves_nothing() {
    let database = Database::new("fails");
    database.with_snapshot("default", "{}");
    let mut backend = database.locked("default");
    backend.append(0, "line\n").unwrap();
    let body = "RAISE EXCEPTION 'disk full' USING DETAIL = new.text, ERRCODE = '53100';";
    database.trigger("INSERT", "plumb_journal", body);
    let error = backend.append(5, "secret\n").unwrap_err();
    assert!(matches!(&error, StoreError::Remote { .. }), "{error:?}");
    let text = format!("{} {error:?}", said(&error));
    assert!(text.contains("disk full") && !text.contains("secret"), "{text}");
    assert_eq!(kept(&mut *backend), some("{}", "line\n"));
    // Nor does a fold that fails.
    let error = backend.fold(fold("{2}", Some("next\n"))).unwrap_err();
    assert!(matches!(&error, StoreError::Remote { .. }), "{error:?}");
    assert_eq!(kept(&mut *database.backend("default")), some("{}", "line\n"));
    database.sql.run(&format!("DROP TRIGGER meddle ON {}", database.table("plumb_journal")));
    backend.append(5, "more\n").unwrap();
    backend.fold(fold("{2}", Some("next\n"))).unwrap();
    assert_eq!(kept(&mut *backend), some("{2}", "next\n"));
}

#[test]
fn a_fold_happens_whole_or_not_at_all() {
    let database = Database::new("whole");
    database.with_snapshot("default", "{}");
    for (event, table) in
        [("UPDATE", "states"), ("DELETE", "plumb_journal"), ("INSERT", "plumb_journal")]
    {
        let mut backend = database.locked("default");
        let journal = kept(&mut *backend).1.unwrap_or_default();
        backend.append(journal.len() as u64, "line\n").unwrap();
        let before = kept(&mut *backend);
        // The session ends in the midst of the transaction.
        database.trigger(event, table, "PERFORM pg_terminate_backend(pg_backend_pid());");
        assert_fenced(backend.fold(fold("{2}", Some("next\n"))));
        database.sql.run(&format!("DROP TRIGGER meddle ON {}", database.table(table)));
        assert_eq!(kept(&mut *database.backend("default")), before, "{event} {table}");
    }
}

#[test]
fn a_first_snapshot_that_fails_makes_no_row() {
    let database = Database::new("first");
    let mut backend = database.locked("default");
    backend.append(0, "line\n").unwrap();
    database.trigger("INSERT", "states", "RAISE EXCEPTION 'no';");
    backend.fold(fold("{}", None)).unwrap_err();
    assert_eq!(kept(&mut *backend), (None, Some("line\n".into())));
    // It is still locked as it was, and goes on.
    let mut other = database.backend("default");
    assert!(!is_taken(&other.lock(&info("x")).unwrap()));
    backend.append(5, "more\n").unwrap();
    database.sql.run(&format!("DROP TRIGGER meddle ON {}", database.table("states")));
    backend.fold(fold("{}", None)).unwrap();
    assert!(!is_taken(&other.lock(&info("x")).unwrap()));
    backend.unlock().unwrap();
    assert!(is_taken(&other.lock(&info("x")).unwrap()));
}

#[test]
fn rows_that_somebody_took_away_are_missed() {
    let database = Database::new("gap");
    let mut backend = database.locked("default");
    for (at, text) in [(0, "one\n"), (4, "two\n"), (8, "six\n")] {
        backend.append(at, text).unwrap();
    }
    database.sql.run(&format!("DELETE FROM {} WHERE at = 4", database.table("plumb_journal")));
    let error = said(&database.backend("default").read().unwrap_err());
    assert!(error.contains("do not follow each other at byte 8"), "{error}");
}

#[test]
fn what_is_written_is_durable_whatever_the_database_says() {
    let database = Database::new("durable");
    database.sql.run(&format!("ALTER DATABASE {} SET synchronous_commit = off", database.name));
    database.with_snapshot("default", "{}");
    let mut backend = database.locked("default");
    database.sql.run("CREATE TABLE public.seen (setting text)");
    let body = "INSERT INTO public.seen VALUES (current_setting('synchronous_commit'));";
    database.trigger("INSERT", "plumb_journal", body);
    backend.append(0, "line\n").unwrap();
    assert_eq!(database.sql.ask("SELECT setting FROM public.seen").as_deref(), Some("on"));
}

#[test]
fn an_idle_session_keeps_its_lock() {
    let database = Database::new("idle");
    let sql = format!("ALTER DATABASE {} SET idle_session_timeout = 50", database.name);
    database.with_snapshot("default", "{}");
    database.sql.run(&sql);
    let mut backend = database.locked("default");
    let other = Sql::connect(&database.conn_str);
    // One that is not ours has ended by then.
    while !other.client.is_closed() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    backend.append(0, "line\n").unwrap();
}
