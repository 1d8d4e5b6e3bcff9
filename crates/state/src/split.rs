//! A remote place for snapshots, and a folder of this machine for the journal.
//!
//! The order of writes is that of a local state ([`crate::Folder`]), with an upload in the place of the
//! rename. What is in the journal alone is gone with the machine, so it is folded from time to time
//! during a run.

use std::time::{Duration, Instant};

use camino::Utf8PathBuf;

use crate::backend::{Attempt, Backend, Fold, Held, Keep, Mark, Names, Remote, Stored};
use crate::error::StoreError;
use crate::files::archive;
use crate::files::disk::{self, Paths};
use crate::files::journal::Journal;
use crate::lock::LockInfo;

/// How old a journal gets before it is folded in mid-run: as long as Terraform waits.
const DUE: Duration = Duration::from_secs(20);

/// A remote place and a folder.
pub struct Split {
    remote: Box<dyn Remote>,
    journal: Journal,
    name: String,
    /// Since when events are in the journal alone.
    since: Option<Instant>,
}

impl Split {
    /// `folder` is for this state alone; it need not exist. `name` is what messages call the state.
    pub fn new(remote: Box<dyn Remote>, folder: Utf8PathBuf, name: String) -> Split {
        let journal = Journal::new(Paths::of(&folder.join("terraform.tfstate")));
        Split { remote, journal, name, since: None }
    }

    /// The copy of the snapshot that was there before.
    fn backup(&self) -> Utf8PathBuf {
        format!("{}.backup", self.journal.paths.state).into()
    }

    /// Puts a snapshot in place, and makes sure of it where the answer was lost.
    fn put(&mut self, snapshot: &[u8], serial: u64) -> Result<(), StoreError> {
        let error = match self.remote.put(snapshot, serial) {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        match self.remote.get() {
            Ok(Some(there)) if there == snapshot => Ok(()),
            // It is as it was: the journal goes on.
            Ok(_) => Err(error),
            Err(_) => {
                // It may be there or not. The journal says what was to be written: enough to find out
                // later, if nothing follows it.
                self.journal.broken = true;
                Err(error)
            }
        }
    }

    /// Begins the journal. Before that a person may have thought about the plan for long, so the other
    /// side is asked whose the lock is; and once more when it is written, as nobody who took the lock
    /// over meanwhile has seen it.
    fn begin(&mut self, text: &str) -> Result<(), StoreError> {
        self.remote.confirm()?;
        self.journal.append(0, text)?;
        self.since.get_or_insert_with(Instant::now);
        self.remote.confirm().inspect_err(|_| self.journal.retract())
    }
}

impl Backend for Split {
    fn names(&self) -> Names {
        Names {
            state: self.name.clone(),
            journal: self.journal.paths.journal.to_string(),
            backup: Some(self.backup().into_string()),
        }
    }

    fn lock(&mut self, info: &LockInfo) -> Result<Attempt, StoreError> {
        self.remote.lock(info)
    }

    fn unlock(&mut self) -> Result<(), StoreError> {
        self.remote.unlock()
    }

    fn held(&mut self) -> Result<Held, StoreError> {
        self.remote.held()
    }

    fn break_lock(&mut self, id: &str) -> Result<(), StoreError> {
        self.remote.break_lock(id)
    }

    fn read(&mut self) -> Result<Stored, StoreError> {
        let mut stored = Stored::default();
        // The journal first: what is folded meanwhile is then in the snapshot, and the journal says so.
        self.journal.read(&mut stored)?;
        stored.snapshot = self.remote.get()?.filter(|it| !it.is_empty());
        if stored.snapshot.is_none() {
            stored.backup = disk::read(&self.backup())?;
        }
        Ok(stored)
    }

    fn settle(&mut self, keep: Keep, bytes: u64) -> Result<Option<String>, StoreError> {
        let torn = self.journal.settle(keep, bytes)?;
        // The lock is elsewhere: a process of this machine that lost it may still have the file open.
        self.journal.renew()?;
        self.journal.hold();
        Ok(torn)
    }

    fn confirm(&mut self) -> Result<(), StoreError> {
        self.remote.confirm()
    }

    fn append(&mut self, at: u64, text: &str) -> Result<(), StoreError> {
        if at == 0 {
            return self.begin(text);
        }
        self.remote.check()?;
        self.journal.append(at, text)?;
        self.since.get_or_insert_with(Instant::now);
        self.remote.check()
    }

    fn fold(&mut self, fold: Fold<'_>) -> Result<(), StoreError> {
        if self.journal.broken {
            return Err(StoreError::Broken { name: self.journal.paths.journal.to_string() });
        }
        self.remote.check()?;
        self.since = Some(Instant::now());
        self.journal.paths.make_folder()?;
        if let Some(serial) = fold.back_up
            && let Some(old) = self.remote.get()?
        {
            archive::keep(&self.journal.paths, Some(&self.backup()), &old, serial)?;
        }
        let prepared = self.journal.prepare(fold.next)?;
        let put = fold
            .mark
            .map_or(Ok(()), |Mark { at, text }| self.journal.append(at, text))
            .and_then(|()| self.remote.check());
        put.inspect_err(|_| self.journal.withdraw(prepared.as_ref()))?;
        self.put(fold.snapshot, fold.serial)?;
        self.since = None;
        self.journal.turn(fold.next.is_some())
    }

    fn drop_journal(&mut self) -> Result<(), StoreError> {
        self.remote.check()?;
        self.since = None;
        self.journal.turn(false)
    }

    fn tell(&mut self, line: &str) {
        let _ = archive::tell(&self.journal.paths, line);
    }

    fn told(&mut self) -> Result<Vec<String>, StoreError> {
        archive::told(&self.journal.paths)
    }

    fn past(&mut self) -> Result<Vec<u64>, StoreError> {
        archive::serials(&self.journal.paths)
    }

    fn past_snapshot(&mut self, serial: u64) -> Result<Option<Vec<u8>>, StoreError> {
        archive::snapshot(&self.journal.paths, serial)
    }

    fn is_due(&self) -> bool {
        self.since.is_some_and(|it| it.elapsed() >= DUE)
    }
}
