//! A state in a local folder.
//!
//! The order of writes, and what a crash between any two of them leaves, is in
//! `docs/decisions/journal-and-snapshot.md`.

pub(crate) mod archive;
mod breaking;
pub(crate) mod disk;
pub(crate) mod journal;

use std::fs::File;
use std::io::Write;

use camino::{Utf8Path, Utf8PathBuf};

use self::disk::Paths;
use self::journal::Journal;
use crate::backend::{Attempt, Backend, Fold, Held, Keep, Mark, Names, Place, Stored};
use crate::error::{StoreError, failed};
use crate::lock::{self, Lock, LockInfo};

/// Where the previous snapshot goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Backup {
    /// `<state>.backup`
    Beside,
    /// Somewhere else.
    At(Utf8PathBuf),
    /// It is not kept.
    Off,
}

/// A state file and what lies beside it.
#[derive(Clone, Debug)]
pub struct Folder {
    path: Utf8PathBuf,
    backup: Backup,
}

impl Folder {
    /// Of the state at `path`. Nothing is touched yet.
    pub fn new(path: impl Into<Utf8PathBuf>, backup: Backup) -> Folder {
        Folder { path: path.into(), backup }
    }
}

impl Place for Folder {
    fn name(&self) -> String {
        self.path.to_string()
    }

    fn connect(&self) -> Result<Box<dyn Backend>, StoreError> {
        let backup = match &self.backup {
            Backup::Beside => Some(format!("{}.backup", self.path).into()),
            Backup::At(path) => Some(path.clone()),
            Backup::Off => None,
        };
        let journal = Journal::new(Paths::of(&self.path));
        Ok(Box::new(Files { journal, backup, lock: None }))
    }
}

/// The files, and the lock on them.
#[derive(Debug)]
struct Files {
    journal: Journal,
    backup: Option<Utf8PathBuf>,
    lock: Option<Lock>,
}

impl Files {
    /// Whether the lock is still ours.
    fn check(&self) -> Result<(), StoreError> {
        let Some(lock) = &self.lock else { return Ok(()) };
        let path = &self.journal.paths.state;
        match lock.is_ours().map_err(failed("look at", path))? {
            true => Ok(()),
            false => Err(StoreError::Fenced {
                name: path.to_string(),
                detail: "Another file was put in place of the state while we held its lock: \
                         somebody broke the lock, or moved the file."
                    .into(),
            }),
        }
    }

    fn paths(&self) -> &Paths {
        &self.journal.paths
    }

    /// Writes the snapshot in the making and what belongs to it, and gives it the state's name.
    fn put(&mut self, paths: &Paths, fold: &Fold<'_>, made: &mut File) -> Result<(), StoreError> {
        let Paths { state, making, .. } = paths;
        made.write_all(fold.snapshot)
            .and_then(|()| disk::dress_like(made, state))
            .and_then(|()| made.sync_all())
            .map_err(failed("write", making))?;
        if let Some(lock) = &mut self.lock {
            lock.extend(made).map_err(failed("lock", making))?;
        }
        if let Some(serial) = fold.back_up {
            archive::back_up(paths, self.backup.as_deref(), serial)?;
        }
        // From here on it must be plain at every point which journal belongs to which snapshot.
        self.check()?;
        let prepared = self.journal.prepare(fold.next)?;
        if let Some(Mark { at, text }) = fold.mark {
            let marked = self.journal.append(at, text);
            marked.inspect_err(|_| self.journal.withdraw(prepared.as_ref()))?;
        }
        self.check().inspect_err(|_| self.journal.withdraw(prepared.as_ref()))?;
        disk::rename(making, state)
    }
}

impl Backend for Files {
    fn names(&self) -> Names {
        let paths = self.paths();
        Names {
            state: paths.state.to_string(),
            journal: paths.journal.to_string(),
            backup: self.backup.as_ref().map(ToString::to_string),
        }
    }

    fn lock(&mut self, info: &LockInfo) -> Result<Attempt, StoreError> {
        let paths = self.paths().clone();
        paths.make_folder()?;
        let attempt = Lock::attempt(&paths.state, paths.note.clone(), info)
            .map_err(failed("lock", &paths.state))?;
        Ok(match attempt {
            lock::Attempt::Taken { lock, from_the_dead } => {
                self.lock = Some(lock);
                Attempt::Taken { from_the_dead }
            }
            lock::Attempt::Held(holder) => Attempt::Held(holder),
        })
    }

    fn unlock(&mut self) -> Result<(), StoreError> {
        match self.lock.take() {
            Some(mut lock) => lock.release().map_err(failed("remove", &self.paths().note)),
            None => Ok(()),
        }
    }

    fn held(&mut self) -> Result<Held, StoreError> {
        let paths = self.paths();
        lock::held(&paths.state, &paths.note).map_err(failed("read", &paths.state))
    }

    fn break_lock(&mut self, id: &str) -> Result<(), StoreError> {
        breaking::break_lock(self.paths(), id)
    }

    fn read(&mut self) -> Result<Stored, StoreError> {
        let state = &self.paths().state;
        let mut tries = 10;
        loop {
            // A run that ends just now takes the journal away and puts a new snapshot in place.
            let before = identity(state);
            let snapshot = disk::read(state)?.filter(|bytes| !bytes.is_empty());
            let mut stored = Stored { snapshot, ..Stored::default() };
            self.journal.read(&mut stored)?;
            if stored.snapshot.is_none()
                && let Some(backup) = &self.backup
            {
                stored.backup = disk::read(backup)?;
            }
            tries -= 1;
            if identity(state) == before || tries == 0 {
                return Ok(stored);
            }
        }
    }

    fn settle(&mut self, keep: Keep, bytes: u64) -> Result<Option<String>, StoreError> {
        let torn = self.journal.settle(keep, bytes)?;
        disk::remove(&self.paths().making)?;
        self.journal.hold();
        Ok(torn)
    }

    fn confirm(&mut self) -> Result<(), StoreError> {
        self.check()
    }

    fn append(&mut self, at: u64, text: &str) -> Result<(), StoreError> {
        self.check()?;
        self.journal.append(at, text)?;
        // Once more behind the write: whoever breaks the lock copies the journal after that, so that
        // the copy holds what we wrote, or we learn now that it does not.
        let checked = self.check();
        if at == 0 && checked.is_err() {
            self.journal.retract();
        }
        checked
    }

    fn fold(&mut self, fold: Fold<'_>) -> Result<(), StoreError> {
        let paths = self.paths().clone();
        let making = &paths.making;
        if self.journal.broken {
            return Err(StoreError::Broken { name: paths.journal.to_string() });
        }
        self.check()?;
        paths.make_folder()?;
        // One that is left from a failed attempt may be locked by ourselves.
        disk::remove(making)?;
        let mut made = disk::create(making)?;
        let put = self.put(&paths, &fold, &mut made);
        disk::or_withdraw(put, &made, making)?;
        self.journal.broken = true;
        paths.sync_folder()?;
        // The journal at that path may be somebody else's by now.
        self.check()?;
        self.journal.turn(fold.next.is_some())
    }

    fn drop_journal(&mut self) -> Result<(), StoreError> {
        self.check()?;
        self.journal.turn(false)
    }

    fn tell(&mut self, line: &str) {
        let _ = archive::tell(self.paths(), line);
    }

    fn told(&mut self) -> Result<Vec<String>, StoreError> {
        archive::told(self.paths())
    }

    fn past(&mut self) -> Result<Vec<u64>, StoreError> {
        archive::serials(self.paths())
    }

    fn past_snapshot(&mut self, serial: u64) -> Result<Option<Vec<u8>>, StoreError> {
        archive::snapshot(self.paths(), serial)
    }
}

/// Which file is at `path`.
fn identity(path: &Utf8Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).ok().map(|it| (it.dev(), it.ino()))
}
