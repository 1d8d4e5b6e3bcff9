//! A PostgreSQL database that one trial has for itself: the lock under which the rows of states are
//! made is one for a whole database, so that trials would keep each other out.
//!
//! It is made, looked into and dropped by the `psql` of the rig (`tests/rigs/postgres/up`), which
//! says in its variables where everything is.

use std::env;
use std::io;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A database. Dropped with everything in it.
#[derive(Debug)]
pub struct Database {
    rig: Rig,
    name: String,
    schema: String,
    conn_str: String,
}

/// What the rig says.
#[derive(Debug)]
struct Rig {
    programs: String,
    admin: String,
    conn_str: String,
}

impl Rig {
    fn find() -> io::Result<Rig> {
        let get = |name: &str| {
            env::var(name).map_err(|_| {
                let why = format!("{name} is not set: eval \"$(tests/rigs/postgres/up)\"");
                io::Error::other(why)
            })
        };
        Ok(Rig {
            programs: get("PLUMB_PG_BIN")?,
            admin: get("PLUMB_PG_ADMIN")?,
            conn_str: get("PLUMB_PG_CONN_STR")?,
        })
    }

    /// Runs a program of the server's with `place` as its connection.
    fn run(&self, program: &str, place: &str, words: &[&str]) -> io::Result<String> {
        let mut command = Command::new(format!("{}/{program}", self.programs));
        // Nothing that is set for the caller's own servers may lead it elsewhere.
        for (name, _) in env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"PG") {
                command.env_remove(name);
            }
        }
        let done = command.args(["-d", place]).args(words).stdin(Stdio::null()).output()?;
        let Output { status, stdout, stderr } = done;
        match status.success() {
            true => Ok(String::from_utf8_lossy(&stdout).trim().to_owned()),
            false => {
                let why = String::from_utf8_lossy(&stderr);
                Err(io::Error::other(format!("{program}: {}", why.trim())))
            }
        }
    }

    fn psql(&self, place: &str, sql: &str) -> io::Result<String> {
        self.run("psql", place, &["-X", "-q", "-tA", "-v", "ON_ERROR_STOP=1", "-c", sql])
    }
}

impl Database {
    /// A new one, with states to be in the schema `schema`, which is made by who keeps them.
    pub fn new(schema: &str) -> io::Result<Database> {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("plumb_reliability_{}_{number}", std::process::id());
        let rig = Rig::find()?;
        let conn_str = rig.conn_str.replace("/plumb?", &format!("/{name}?"));
        if conn_str == rig.conn_str {
            let why = "PLUMB_PG_CONN_STR is not of the rig: it names no database `plumb`";
            return Err(io::Error::other(why));
        }
        rig.psql(&rig.admin, &format!("CREATE DATABASE {name} OWNER plumb TEMPLATE template0"))?;
        Ok(Database { rig, name, schema: schema.to_owned(), conn_str })
    }

    /// The block that has the state kept here.
    pub(crate) fn block(&self) -> String {
        format!(
            "backend \"pg\" {{\n    conn_str    = \"{}\"\n    schema_name = \"{}\"\n  }}",
            self.conn_str, self.schema
        )
    }

    fn ask(&self, sql: &str) -> io::Result<String> {
        self.rig.psql(&self.conn_str, sql)
    }

    fn exists(&self, table: &str) -> io::Result<bool> {
        let sql = format!("SELECT to_regclass('\"{}\".{table}') IS NOT NULL", self.schema);
        Ok(self.ask(&sql)? == "t")
    }

    /// Whether there is a journal.
    pub(crate) fn has_journal(&self) -> io::Result<bool> {
        let sql = format!("SELECT EXISTS (SELECT FROM \"{}\".plumb_journal)", self.schema);
        Ok(self.exists("plumb_journal")? && self.ask(&sql)? == "t")
    }

    /// All that is kept of the state.
    pub(crate) fn content(&self) -> io::Result<String> {
        let mut text = String::new();
        for (table, order) in [("states", "name"), ("plumb_journal", "name, at")] {
            if self.exists(table)? {
                let sql = format!("SELECT * FROM \"{}\".{table} ORDER BY {order}", self.schema);
                text.push_str(&self.ask(&sql)?);
                text.push('\n');
            }
        }
        Ok(text)
    }

    /// Ends every session. Tells how many there were.
    pub(crate) fn end_sessions(&self) -> io::Result<usize> {
        // As the administrator, from another database: ours is not among them.
        let sql = format!(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
             WHERE datname = '{}' AND backend_type = 'client backend'",
            self.name
        );
        self.rig.psql(&self.rig.admin, &sql)?.parse().map_err(io::Error::other)
    }

    /// Writes down everything in it, for a person who wants to know what a fault left.
    pub(crate) fn dump(&self, path: &Path) -> io::Result<()> {
        let text = self.rig.run("pg_dump", &self.conn_str, &["--no-owner"])?;
        std::fs::write(path, text)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        if let Err(error) = self.rig.psql(&self.rig.admin, &sql) {
            eprintln!("database {} is left over: {error}", self.name);
        }
    }
}
