//! One at a time: among ourselves, with Terraform, and after a death.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use plumb_state::StoreError;
use plumb_state::backend::{Attempt, Backend, Held};

use crate::{Database, Sql, fold, info, is_taken, kept, rig, said};

/// Who holds it, by the lock's identifier.
fn holder(backend: &mut dyn Backend) -> Option<String> {
    match backend.held().unwrap() {
        Held::Free => None,
        Held::By(holder) => Some(holder.unwrap().id),
        Held::Unknown => panic!("PostgreSQL tells"),
    }
}

fn contend(database: &Database, workspace: &str) {
    let mut first = database.locked(workspace);
    let mut second = database.backend(workspace);
    match second.lock(&info("second")).unwrap() {
        Attempt::Held(Some(it)) => {
            assert_eq!((&*it.id, &*it.operation), ("holder", "OperationTypeApply"));
            assert!(it.who.contains('@') && it.created.ends_with('Z'), "{it}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(holder(&mut *second).as_deref(), Some("holder"));
    assert_eq!(holder(&mut *first).as_deref(), Some("holder"));
    assert!(first.lock(&info("twice")).is_err(), "one unlock would not free it");
    // Trying has left nothing behind that keeps the holder from its work.
    first.append(0, "line\n").unwrap();
    first.drop_journal().unwrap();
    first.unlock().unwrap();
    assert_eq!(holder(&mut *second), None);
    assert!(is_taken(&second.lock(&info("second")).unwrap()));
    assert_eq!(holder(&mut *first).as_deref(), Some("second"));
}

#[test]
fn two_connections_contend() {
    let database = Database::new("contend");
    contend(&database, "default");
    database.with_snapshot("default", "{}");
    contend(&database, "default");
}

#[test]
fn states_with_rows_do_not_get_in_each_others_way() {
    let database = Database::new("apart");
    for name in ["a", "b", "c"] {
        database.with_snapshot(name, "{}");
    }
    let (mut a, mut b) = (database.locked("a"), database.locked("b"));
    a.append(0, "a\n").unwrap();
    b.append(0, "b\n").unwrap();
    // While a row is in the making nobody begins, as Terraform has it; who has begun goes on.
    let mut new = database.locked("new");
    assert!(!is_taken(&database.backend("c").lock(&info("x")).unwrap()));
    a.append(2, "a\n").unwrap();
    // What is known to be made for another state does not hold this one.
    assert_eq!(holder(&mut *database.backend("c")), None);
    // Once the row is there it is locked by its own number.
    new.fold(fold("{}", None)).unwrap();
    let mut c = database.locked("c");
    c.append(0, "c\n").unwrap();
    assert!(!is_taken(&database.backend("new").lock(&info("x")).unwrap()));
    new.append(0, "new\n").unwrap();
    new.unlock().unwrap();
    assert!(is_taken(&database.backend("new").lock(&info("x")).unwrap()));
}

#[test]
fn many_at_once_and_only_one_has_it() {
    let database = Database::new("many");
    database.with_snapshot("default", "0");
    let mut wins = 0;
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..6)
            .map(|_| {
                scope.spawn(|| {
                    let mut backend = database.backend("default");
                    let mut wins = 0;
                    for _ in 0..30 {
                        if is_taken(&backend.lock(&info("x")).unwrap()) {
                            let count = kept(&mut *backend).0.unwrap().parse::<u32>().unwrap();
                            backend.fold(fold(&(count + 1).to_string(), None)).unwrap();
                            backend.unlock().unwrap();
                            wins += 1;
                        }
                    }
                    wins
                })
            })
            .collect();
        wins = threads.into_iter().map(|it| it.join().unwrap()).sum();
    });
    assert!(wins > 0);
    let count = kept(&mut *database.backend("default")).0.unwrap();
    assert_eq!(count, wins.to_string(), "every win counted once");
}

#[test]
fn terraforms_locks_are_ours() {
    let database = Database::new("terraform");
    database.with_snapshot("default", "{}");
    let id = database.sql.ask("SELECT id FROM terraform_remote_state.states").unwrap();
    let tries = |key: &str| database.sql.ask(&format!("SELECT pg_try_advisory_lock({key})"));
    let frees = |key: &str| database.sql.ask(&format!("SELECT pg_advisory_unlock({key})"));
    let ours = database.locked("default");
    assert_eq!(tries(&id).as_deref(), Some("f"), "ours keeps Terraform out");
    drop(ours);
    database.wait_until(&format!("SELECT pg_try_advisory_lock({id})"));
    let mut backend = database.backend("default");
    match backend.lock(&info("x")).unwrap() {
        Attempt::Held(Some(it)) => {
            assert_eq!(it.id, id);
            assert!(it.who.starts_with("plumb@127.0.0.1"), "{it}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(frees(&id).as_deref(), Some("t"));
    // While Terraform makes a row.
    assert_eq!(tries("-1").as_deref(), Some("t"));
    assert!(!is_taken(&backend.lock(&info("x")).unwrap()));
    assert!(!is_taken(&database.backend("new").lock(&info("x")).unwrap()));
    assert_eq!(holder(&mut *database.backend("new")).as_deref(), Some("-1"));
    assert_eq!(frees("-1").as_deref(), Some("t"));
    assert!(is_taken(&backend.lock(&info("x")).unwrap()));
    // Ours while there is no row keeps Terraform from making one.
    drop(backend);
    let _new = database.locked("new");
    assert_eq!(tries("-1").as_deref(), Some("f"));
}

#[test]
fn a_broken_lock_fences_its_holder() {
    let database = Database::new("broken");
    database.with_snapshot("default", "{}");
    let mut holder = database.locked("default");
    holder.append(0, "before\n").unwrap();
    let mut other = database.backend("default");
    let wrong = other.break_lock("not that one").unwrap_err();
    assert!(matches!(wrong, StoreError::Refused { .. }), "{wrong:?}");
    holder.append(7, "still\n").unwrap();
    other.break_lock("holder").unwrap();
    let fenced = holder.append(13, "after\n").unwrap_err();
    assert!(matches!(&fenced, StoreError::Fenced { .. }), "{fenced:?}");
    assert!(is_taken(&other.lock(&info("other")).unwrap()));
    other.append(13, "next\n").unwrap();
    assert!(matches!(holder.fold(fold("{2}", None)), Err(StoreError::Fenced { .. })));
    holder.unlock().unwrap();
    let snapshot = (Some("{}".into()), Some("before\nstill\nnext\n".into()));
    assert_eq!(kept(&mut *other), snapshot, "nothing of what came after");
    other.unlock().unwrap();
    let nobody = other.break_lock("other").unwrap_err();
    assert!(matches!(nobody, StoreError::Refused { .. }), "{nobody:?}");
    // One of Terraform's goes by its key.
    let id = database.sql.ask("SELECT id FROM terraform_remote_state.states").unwrap();
    let terraform = Sql::connect(&database.conn_str);
    terraform.ask(&format!("SELECT pg_advisory_lock({id})"));
    other.break_lock(&id).unwrap();
    assert!(is_taken(&other.lock(&info("other")).unwrap()));
    // Once the fenced one has given up it can begin anew.
    other.unlock().unwrap();
    assert!(is_taken(&holder.lock(&info("again")).unwrap()));
}

#[test]
fn breaking_takes_the_right_to() {
    let database = Database::new("rights");
    database.with_snapshot("default", "{}");
    database.sql.run(
        "GRANT USAGE ON SCHEMA terraform_remote_state TO other; \
         GRANT ALL ON ALL TABLES IN SCHEMA terraform_remote_state TO other",
    );
    let mut holder = database.locked("default");
    let stranger = database
        .configured_with(&[("conn_str", database.conn_str.replace("//plumb:", "//other:").into())]);
    let mut stranger = stranger.place("default").unwrap().connect().unwrap();
    assert!(matches!(stranger.held().unwrap(), Held::By(Some(it)) if it.id == "holder"));
    let refused = stranger.break_lock("holder").unwrap_err();
    let advice = refused.advice().unwrap();
    assert!(advice.contains("pg_signal_backend"), "{advice}");
    holder.append(0, "line\n").unwrap();
    // With what was granted it can do everything else, without a right to make tables.
    holder.unlock().unwrap();
    assert!(is_taken(&stranger.lock(&info("stranger")).unwrap()));
    stranger.append(5, "its\n").unwrap();
    stranger.fold(fold("{2}", None)).unwrap();
    stranger.unlock().unwrap();
}

/// Holds the lock until it is killed.
#[test]
#[ignore = "the process that a test kills"]
fn holder_process() {
    let database = std::env::var("PLUMB_TEST_CONN_STR").unwrap();
    let config = [("conn_str".to_owned(), database.into())].into();
    let configured = crate::configure(config).unwrap();
    let mut backend = configured.place("default").unwrap().connect().unwrap();
    assert!(is_taken(&backend.lock(&info("victim")).unwrap()));
    backend.append(0, "made\n").unwrap();
    println!("holding");
    loop {
        std::thread::park();
    }
}

#[test]
fn a_killed_process_holds_nothing() {
    let database = Database::new("killed");
    let mut process = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "locks::holder_process", "--nocapture"])
        .env("PLUMB_TEST_CONN_STR", &database.conn_str)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    assert!(lines.any(|it| it.unwrap().contains("holding")), "the holder came up");
    let mut backend = database.backend("default");
    assert_eq!(holder(&mut *backend).as_deref(), Some("victim"));
    assert!(!is_taken(&backend.lock(&info("x")).unwrap()));
    process.kill().unwrap();
    process.wait().unwrap();
    database.wait_until(
        "SELECT NOT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND \
         database = (SELECT oid FROM pg_database WHERE datname = current_database()))",
    );
    assert_eq!(holder(&mut *backend), None);
    match backend.lock(&info("x")).unwrap() {
        Attempt::Taken { from_the_dead: Some(it) } => assert_eq!(it.id, "victim"),
        other => panic!("{other:?}"),
    }
    assert_eq!(kept(&mut *backend), (None, Some("made\n".into())));
    backend.append(5, "more\n").unwrap();
}

#[test]
fn who_cannot_reach_it_is_told_where() {
    let gone = rig("PLUMB_PG_CONN_STR").replace(":15432", ":1");
    let configured = crate::configure([("conn_str".to_owned(), gone.into())].into()).unwrap();
    let mut backend = configured.place("default").unwrap().connect().unwrap();
    let error = said(&backend.lock(&info("x")).unwrap_err());
    assert!(error.starts_with("cannot lock `postgres://localhost:1/plumb#"), "{error}");
    assert!(error.contains("refused") && !error.contains("rig-secret"), "{error}");
}
