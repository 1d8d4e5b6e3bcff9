//! What there is in the world and how it came about, kept where no fault of a trial reaches it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// One object of the world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thing {
    /// What the world calls it. Never given twice.
    pub id: String,
    /// What its maker wanted it called. Nothing keeps two from having the same.
    pub name: String,
    /// What its maker stuck on it.
    pub labels: BTreeMap<String, String>,
    /// What the world answers when asked about it.
    pub text: String,
}

/// All effects so far, in memory and line by line in a file.
#[derive(Debug)]
pub struct Ledger {
    began: Instant,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// By id.
    live: BTreeMap<String, Thing>,
    /// How often something was made.
    made: usize,
    /// How often something was made while another of the same name was there.
    twice: usize,
    /// How often something was made or deleted.
    effects: usize,
    file: File,
}

impl Ledger {
    /// An empty one that is also written to `path`.
    pub fn new(path: &Path) -> io::Result<Ledger> {
        let inner = Inner {
            live: BTreeMap::new(),
            made: 0,
            twice: 0,
            effects: 0,
            file: File::create(path)?,
        };
        Ok(Ledger { began: Instant::now(), inner: Mutex::new(inner) })
    }

    /// Something was made.
    pub fn add(&self, thing: Thing) -> io::Result<()> {
        let mut inner = self.inner();
        self.note(&mut inner, "made", &thing)?;
        inner.made += 1;
        inner.twice += usize::from(inner.live.values().any(|it| it.name == thing.name));
        inner.live.insert(thing.id.clone(), thing);
        Ok(())
    }

    /// Something was deleted. Tells whether it was there.
    pub fn remove(&self, id: &str) -> io::Result<bool> {
        let mut inner = self.inner();
        let Some(thing) = inner.live.remove(id) else { return Ok(false) };
        self.note(&mut inner, "deleted", &thing)?;
        Ok(true)
    }

    /// Looks at what there is, one by one.
    pub fn each(&self, look: impl FnMut(&Thing)) {
        self.inner().live.values().for_each(look);
    }

    /// What there is.
    pub fn live(&self) -> Vec<Thing> {
        self.inner().live.values().cloned().collect()
    }

    /// One thing, if it is there.
    pub fn get(&self, id: &str) -> Option<Thing> {
        self.inner().live.get(id).cloned()
    }

    /// How many things were ever made.
    pub fn made(&self) -> usize {
        self.inner().made
    }

    /// How many things were made while another of the same name was there.
    pub fn twice(&self) -> usize {
        self.inner().twice
    }

    /// How often something was made or deleted: grows with everything that touches the world.
    pub fn effects(&self) -> usize {
        self.inner().effects
    }

    fn note(&self, inner: &mut Inner, what: &str, thing: &Thing) -> io::Result<()> {
        inner.effects += 1;
        let millis = self.began.elapsed().as_millis() as u64;
        let line =
            serde_json::json!({"ms": millis, "what": what, "id": thing.id, "name": thing.name});
        writeln!(inner.file, "{line}")
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Every change is complete before anything in it can fail.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
