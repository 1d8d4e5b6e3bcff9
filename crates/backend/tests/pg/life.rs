//! What is written is read again.

use plumb_state::StoreError;
use plumb_state::backend::{Attempt, Held, Keep};

use crate::{Database, fold, info, is_taken, kept, some};

#[test]
fn a_whole_life() {
    let database = Database::new("life");
    let mut reader = database.backend("default");
    assert_eq!(kept(&mut *reader), (None, None));
    assert_eq!(reader.held().unwrap(), Held::Free);
    assert_eq!(database.sql.ask("SELECT to_regclass('terraform_remote_state.states')"), None);

    let mut backend = database.backend("default");
    let attempt = backend.lock(&info("first")).unwrap();
    assert!(matches!(attempt, Attempt::Taken { from_the_dead: None }), "{attempt:?}");
    assert_eq!(backend.settle(Keep::Neither, 0).unwrap(), None);
    // The first journal comes before the first snapshot.
    backend.append(0, "eins\n").unwrap();
    backend.append(5, "zwölf\n").unwrap();
    assert_eq!(kept(&mut *reader), (None, Some("eins\nzwölf\n".into())));
    backend.fold(fold("{1}", Some("doubt\n"))).unwrap();
    assert_eq!(kept(&mut *reader), some("{1}", "doubt\n"));
    backend.append(6, "more\n").unwrap();
    assert_eq!(kept(&mut *reader), some("{1}", "doubt\nmore\n"));
    backend.fold(fold("{2}", None)).unwrap();
    assert_eq!(kept(&mut *reader), (Some("{2}".into()), None));
    backend.append(0, "again\n").unwrap();
    backend.drop_journal().unwrap();
    assert_eq!(kept(&mut *reader), (Some("{2}".into()), None));
    backend.append(0, "left\n").unwrap();
    backend.unlock().unwrap();
    backend.unlock().unwrap();
    assert_eq!(reader.held().unwrap(), Held::Free);

    // The next one goes on where this one ended.
    assert!(is_taken(&backend.lock(&info("second")).unwrap()));
    assert_eq!(kept(&mut *backend), some("{2}", "left\n"));
    assert_eq!(backend.settle(Keep::Journal, 5).unwrap(), None);
    backend.append(5, "right\n").unwrap();
    assert_eq!(kept(&mut *reader), some("{2}", "left\nright\n"));
    backend.append(11, "").unwrap();
}

#[test]
fn an_end_that_counts_for_nothing_is_put_aside() {
    let database = Database::new("torn");
    let mut backend = database.locked("default");
    backend.fold(fold("{}", None)).unwrap();
    backend.append(0, "one\n").unwrap();
    backend.append(4, "two\nthr").unwrap();
    backend.append(11, "ee\n").unwrap();
    let place = backend.settle(Keep::Journal, 8).unwrap().unwrap();
    assert!(place.contains("plumb_torn"), "{place}");
    assert_eq!(kept(&mut *backend), some("{}", "one\ntwo\n"));
    let torn = format!("SELECT text FROM {} WHERE at = 8", database.table("plumb_torn"));
    assert_eq!(database.sql.ask(&torn).as_deref(), Some("three\n"));
    assert_eq!(backend.settle(Keep::Journal, 8).unwrap(), None);
    backend.append(8, "four\n").unwrap();
    assert_eq!(kept(&mut *backend), some("{}", "one\ntwo\nfour\n"));
    assert!(backend.settle(Keep::Neither, 4).unwrap().is_some());
    assert_eq!(kept(&mut *backend), (Some("{}".into()), None));
}

#[test]
fn ten_megabytes_and_a_journal_of_many_rows() {
    let database = Database::new("large");
    let mut backend = database.locked("default");
    let line = "{\"a\": \"ä\\u0000 'quoted' $1 \\\\ \"}\n";
    let snapshot = line.repeat(10 * 1024 * 1024 / line.len());
    backend.fold(fold(&snapshot, None)).unwrap();
    let mut at = 0;
    let mut journal = String::new();
    for round in 0..300 {
        let text = format!("{round} {line}");
        backend.append(at, &text).unwrap();
        at += text.len() as u64;
        journal.push_str(&text);
    }
    backend.append(at, &snapshot).unwrap();
    journal.push_str(&snapshot);
    let mut reader = database.backend("default");
    assert!(kept(&mut *reader) == some(&snapshot, &journal), "what is read is what was written");
    backend.fold(fold(&snapshot, Some(&journal))).unwrap();
    assert!(kept(&mut *reader) == some(&snapshot, &journal), "and in one row, too");
}

#[test]
fn odd_names_are_names() {
    let database = Database::with_schema("odd", "Sche\"ma'; --%20 ü");
    let names = ["a'b", "\"; DROP TABLE states; --", "päd/…", "%s $1", "*", "Default", " "];
    for name in names {
        let mut backend = database.locked(name);
        backend.append(0, "journal\n").unwrap();
        backend.fold(fold(name, Some(name))).unwrap();
        backend.unlock().unwrap();
    }
    for name in names {
        assert_eq!(kept(&mut *database.backend(name)), some(name, name));
    }
    let mut expected: Vec<&str> = names.to_vec();
    expected.sort_unstable();
    expected.insert(0, "default");
    assert_eq!(database.configured().workspaces().unwrap(), expected);
    assert!(database.configured().place("").is_err() && database.configured().place("\0").is_err());
}

#[test]
fn workspaces_come_and_go() {
    let database = Database::new("workspaces");
    let configured = database.configured();
    assert_eq!(configured.workspaces().unwrap(), ["default"]);
    configured.delete("never-was").unwrap();
    database.with_snapshot("prod", "{}");
    database.with_snapshot("default", "{}");
    // One that broke off before its first snapshot has made things.
    database.locked("abroken").append(0, "made\n").unwrap();
    assert_eq!(configured.workspaces().unwrap(), ["default", "abroken", "prod"]);
    configured.delete("prod").unwrap();
    configured.delete("abroken").unwrap();
    assert_eq!(configured.workspaces().unwrap(), ["default"]);
    assert_eq!(kept(&mut *database.backend("abroken")), (None, None));
    let refused = configured.delete("default");
    assert!(matches!(refused, Err(StoreError::Refused { .. })), "{refused:?}");
}

#[test]
fn a_reader_waits_for_nobody() {
    let database = Database::new("reader");
    database.with_snapshot("default", "{old}");
    let mut backend = database.locked("default");
    backend.append(0, "line\n").unwrap();
    database.sql.run(&format!(
        "BEGIN; UPDATE {} SET data = '{{new}}'; DELETE FROM {}; \
         LOCK TABLE {} IN EXCLUSIVE MODE",
        database.table("states"),
        database.table("plumb_journal"),
        database.table("plumb_locks")
    ));
    let mut reader = database.backend("default");
    assert_eq!(kept(&mut *reader), some("{old}", "line\n"));
    assert!(matches!(reader.held().unwrap(), Held::By(Some(it)) if it.id == "holder"));
    database.sql.run("COMMIT");
    assert_eq!(kept(&mut *reader), (Some("{new}".into()), None));
}

#[test]
fn it_works_inside_a_runtime() {
    let database = Database::new("runtime");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let mut backend = database.locked("default");
        backend.append(0, "line\n").unwrap();
        assert_eq!(database.configured().workspaces().unwrap(), ["default"]);
        drop(backend);
    });
}
