//! The backend `pg` against a real PostgreSQL, which `tests/rigs/postgres/up` starts.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test says what it was by failing")]

mod connect;
mod faults;
mod layout;
mod life;
mod locks;

use std::collections::BTreeMap;
use std::sync::Arc;

use plumb_backend::worker::Worker;
use plumb_backend::{Configured, Setting, pg};
use plumb_state::LockInfo;
use plumb_state::backend::{Attempt, Backend, Fold};
use serde_json::Value;
use tokio_postgres::{Client, NoTls};

/// A variable that the rig exports.
fn rig(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!("{variable} is not set: start the server with eval \"$(tests/rigs/postgres/up)\"")
    })
}

/// A session beside ours, for what Terraform or a person may do meanwhile.
struct Sql {
    worker: Worker,
    client: Arc<Client>,
}

impl Sql {
    fn connect(conn_str: &str) -> Sql {
        let worker = Worker::start().unwrap();
        let conn_str = conn_str.to_owned();
        let client = worker.run(async move {
            let (client, connection) = tokio_postgres::connect(&conn_str, NoTls).await?;
            tokio::spawn(async { _ = connection.await });
            Ok::<_, tokio_postgres::Error>(Arc::new(client))
        });
        let client = client.unwrap();
        let client = client.expect("the rig's server: eval \"$(tests/rigs/postgres/up)\"");
        Sql { worker, client }
    }

    fn run(&self, sql: &str) {
        let (client, text) = (self.client.clone(), sql.to_owned());
        let result = self.worker.run(async move { client.batch_execute(&text).await }).unwrap();
        result.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }

    /// The first column of the first row, as text.
    fn ask(&self, sql: &str) -> Option<String> {
        let (client, text) = (self.client.clone(), sql.to_owned());
        let rows = self.worker.run(async move { client.simple_query(&text).await }).unwrap();
        let rows = rows.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        rows.into_iter().find_map(|it| match it {
            tokio_postgres::SimpleQueryMessage::Row(row) => Some(row.get(0).map(str::to_owned)),
            _ => None,
        })?
    }
}

/// A database of its own: the lock under which rows are made is one for all states of a database.
struct Database {
    name: String,
    conn_str: String,
    schema: String,
    sql: Sql,
}

impl Database {
    fn new(test: &str) -> Database {
        Database::with_schema(test, "terraform_remote_state")
    }

    fn with_schema(test: &str, schema: &str) -> Database {
        let name = format!("plumb_test_{}_{test}", std::process::id());
        let whole = rig("PLUMB_PG_CONN_STR");
        let sql = format!("CREATE DATABASE {name} OWNER plumb TEMPLATE template0");
        Sql::connect(&rig("PLUMB_PG_ADMIN")).run(&sql);
        let conn_str = whole.replace("/plumb?", &format!("/{name}?"));
        let sql = Sql::connect(&conn_str);
        Database { name, conn_str, schema: schema.into(), sql }
    }

    fn configured(&self) -> Arc<dyn Configured> {
        self.configured_with(&[])
    }

    fn configured_with(&self, more: &[(&str, Value)]) -> Arc<dyn Configured> {
        let mut config = BTreeMap::from([
            ("conn_str".to_owned(), Value::from(&*self.conn_str)),
            ("schema_name".to_owned(), Value::from(&*self.schema)),
        ]);
        config.extend(more.iter().map(|it| (it.0.to_owned(), it.1.clone())));
        configure(config).expect("a configuration")
    }

    /// A connection of its own to the state of a workspace.
    fn backend(&self, workspace: &str) -> Box<dyn Backend> {
        self.configured().place(workspace).unwrap().connect().unwrap()
    }

    /// A connection that holds the lock.
    fn locked(&self, workspace: &str) -> Box<dyn Backend> {
        let mut backend = self.backend(workspace);
        let attempt = backend.lock(&info("holder")).unwrap();
        assert!(matches!(attempt, Attempt::Taken { .. }), "{attempt:?}");
        backend
    }

    /// A state with a snapshot and nothing else.
    fn with_snapshot(&self, workspace: &str, snapshot: &str) {
        let mut backend = self.locked(workspace);
        backend.fold(fold(snapshot, None)).unwrap();
        backend.unlock().unwrap();
    }

    fn table(&self, name: &str) -> String {
        format!("\"{}\".{name}", self.schema.replace('"', "\"\""))
    }

    /// Ends the session that holds any advisory lock.
    fn end_holder(&self) {
        let ended = self.sql.ask(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_locks WHERE locktype = 'advisory' \
             AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        );
        assert_eq!(ended.as_deref(), Some("1"));
        self.wait_until(
            "SELECT NOT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND \
             database = (SELECT oid FROM pg_database WHERE datname = current_database()))",
        );
    }

    fn wait_until(&self, sql: &str) {
        for _ in 0..3_000 {
            if self.sql.ask(sql).as_deref() == Some("t") {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        panic!("never came true: {sql}");
    }

    /// Lets every `event` on a table run some PL/pgSQL first, in the session that causes it.
    fn trigger(&self, event: &str, table: &str, body: &str) {
        let table = self.table(table);
        let function = format!("f{}", std::process::id());
        self.sql.run(&format!(
            "CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS \
             $body$ BEGIN {body} RETURN coalesce(new, old); END $body$; \
             CREATE OR REPLACE TRIGGER meddle BEFORE {event} ON {table} \
             FOR EACH ROW EXECUTE FUNCTION {function}()"
        ));
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let sql = Sql::connect(&rig("PLUMB_PG_ADMIN"));
        sql.run(&format!("DROP DATABASE {} WITH (FORCE)", self.name));
    }
}

fn configure(
    config: BTreeMap<String, Value>,
) -> Result<Arc<dyn Configured>, Vec<plumb_backend::Mistake>> {
    pg::configure(&Setting { config, ..Setting::default() })
}

fn info(id: &str) -> LockInfo {
    LockInfo { id: id.into(), operation: "OperationTypeApply".into(), ..LockInfo::new("") }
}

fn fold<'a>(snapshot: &'a str, next: Option<&'a str>) -> Fold<'a> {
    Fold { snapshot: snapshot.as_bytes(), serial: 1, mark: None, next, back_up: Some(0) }
}

/// Snapshot and journal, as text.
fn kept(backend: &mut dyn Backend) -> (Option<String>, Option<String>) {
    let stored = backend.read().unwrap();
    assert_eq!((stored.next, stored.backup), (None, None));
    let text = |bytes: Option<Vec<u8>>| bytes.map(|it| String::from_utf8(it).unwrap());
    (text(stored.snapshot), text(stored.journal))
}

fn some(snapshot: &str, journal: &str) -> (Option<String>, Option<String>) {
    (Some(snapshot.into()), Some(journal.into()))
}

fn is_taken(attempt: &Attempt) -> bool {
    matches!(attempt, Attempt::Taken { .. })
}

/// An error and its causes, in words.
fn said(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
