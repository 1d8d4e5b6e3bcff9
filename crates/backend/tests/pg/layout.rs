//! The tables are Terraform's, and are made only where they may be.

use std::process::Command;

use plumb_state::StoreError;

use crate::{Database, fold, info, is_taken, kept, rig, some};

/// How `pg_dump` describes what Terraform made, without what differs from server to server.
fn dump(database: &Database) -> String {
    let output = Command::new(format!("{}/pg_dump", rig("PLUMB_PG_BIN")))
        .args(["--schema-only", "--no-owner", "--no-privileges"])
        .args(["--table=public.global_states_id_seq", "--table=terraform_remote_state.states"])
        .arg(&database.conn_str)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let is_layout = |line: &&str| {
        !["--", "SET ", "SELECT ", "\\"].iter().any(|it| line.starts_with(it)) && !line.is_empty()
    };
    text.lines().filter(is_layout).map(|it| format!("{it}\n")).collect()
}

const TERRAFORMS: &str = include_str!("../../../../state/samples/terraform-1.11.4/pg-layout.sql");

#[test]
fn the_tables_are_terraforms() {
    let database = Database::new("layout");
    database.with_snapshot("default", "{}");
    assert_eq!(dump(&database), TERRAFORMS);
}

#[test]
fn tables_that_are_there_are_used_as_they_are() {
    let database = Database::new("existing");
    database.sql.run("CREATE SCHEMA terraform_remote_state");
    database.sql.run(TERRAFORMS);
    database.sql.run(
        "INSERT INTO terraform_remote_state.states (name, data) \
         VALUES ('default', '{tf}'), ('w', NULL), ('empty', '')",
    );
    assert_eq!(kept(&mut *database.backend("default")), (Some("{tf}".into()), None));
    assert_eq!(kept(&mut *database.backend("w")), (None, None));
    assert_eq!(kept(&mut *database.backend("empty")), (Some(String::new()), None));
    assert_eq!(database.configured().workspaces().unwrap(), ["default", "empty", "w"]);
    assert_eq!(dump(&database), TERRAFORMS, "looking has made nothing");
    let mut backend = database.locked("default");
    backend.append(0, "line\n").unwrap();
    backend.fold(fold("{2}", Some("next\n"))).unwrap();
    assert_eq!(kept(&mut *backend), some("{2}", "next\n"));
    assert_eq!(dump(&database), TERRAFORMS);
    let id = "SELECT id FROM terraform_remote_state.states WHERE name = 'default'";
    assert_eq!(database.sql.ask(id).as_deref(), Some("1"), "the row is the one that was there");
}

#[test]
fn nothing_is_made_that_shall_not_be() {
    let database = Database::new("skip");
    let lock = |skip: &[&str]| {
        let skip: Vec<_> = skip.iter().map(|it| (*it, true.into())).collect();
        let configured = database.configured_with(&skip);
        let mut backend = configured.place("default").unwrap().connect().unwrap();
        backend.lock(&info("x")).map(|it| is_taken(&it))
    };
    let error = lock(&["skip_table_creation"]).unwrap_err();
    assert!(matches!(&error, StoreError::Refused { detail, .. } if detail.contains("states")));
    assert!(lock(&["skip_schema_creation"]).is_err());
    assert!(lock(&["skip_index_creation"]).unwrap());
    let there = |name: &str| database.sql.ask(&format!("SELECT to_regclass('{name}')"));
    assert!(there("terraform_remote_state.plumb_journal").is_some());
    assert_eq!(there("terraform_remote_state.states_by_name"), None);
    // With everything there, nothing has to be made.
    assert!(lock(&["skip_table_creation", "skip_index_creation", "skip_schema_creation"]).unwrap());
    database.sql.run("DROP TABLE terraform_remote_state.plumb_migrations");
    let error = lock(&["skip_table_creation"]).unwrap_err();
    assert!(matches!(&error, StoreError::Refused { detail, .. } if detail.contains("plumb_")));
}

#[test]
fn tables_of_a_newer_plumb_are_left_alone() {
    let database = Database::new("newer");
    database.with_snapshot("default", "{}");
    database.sql.run("INSERT INTO terraform_remote_state.plumb_migrations VALUES (1000)");
    let error = database.backend("default").lock(&info("x")).unwrap_err();
    assert!(error.to_string().contains("newer Plumb"), "{error}");
}

#[test]
fn many_may_make_them_at_once() {
    let database = Database::new("race");
    std::thread::scope(|scope| {
        let lock = || database.backend("default").lock(&info("x")).unwrap();
        let threads: Vec<_> = (0..6).map(|_| scope.spawn(lock)).collect();
        for thread in threads {
            thread.join().unwrap();
        }
    });
    database.with_snapshot("default", "{}");
}

#[test]
fn who_may_not_make_them_is_told_what_it_takes() {
    let database = Database::new("poor");
    let conn_str = database.conn_str.replace("//plumb:", "//other:");
    let configured = database.configured_with(&[("conn_str", conn_str.into())]);
    let mut backend = configured.place("default").unwrap().connect().unwrap();
    assert_eq!(kept(&mut *backend), (None, None));
    let error = backend.lock(&info("x")).unwrap_err();
    assert!(
        matches!(&error, StoreError::Refused { detail, .. } if detail.contains("CREATE")),
        "{error:?}"
    );
}
