//! A state in a local folder: opened under a lock, recovered, appended to, folded.
//!
//! The order of writes, and what a crash between any two of them leaves, is in
//! `docs/decisions/journal-and-snapshot.md`.

use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::sync::Arc;
use std::time::SystemTime;

use camino::{Utf8Path, Utf8PathBuf};
use plumb_model::event::Event;
use plumb_model::schema::Schemas;
use plumb_model::state::State;

use crate::disk::{self, Measured, Paths, failed};
use crate::history::Tally;
use crate::journal::{self, Contents, Folding, Header, JournalError, Tail};
use crate::lock::{Attempt, Lock, LockInfo, rfc3339, who};
use crate::recover::{Decision, Found, Keep, decide, is_news};
use crate::v4::{self, Stamp, V4Error};

/// A state file and what lies beside it: journal, backup, lock.
#[derive(Clone, Debug)]
pub struct LocalStore {
    path: Utf8PathBuf,
    backup: Backup,
    schemas: Arc<Schemas>,
}

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

/// An opened state.
#[derive(Debug)]
pub struct Opened {
    /// What is remembered, the journal included. A new one has its lineage already.
    pub state: State,
    /// The right to change it.
    pub lease: Lease,
    /// What the last run left to do.
    pub recovery: Recovery,
}

/// What was found of a run that did not end well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Events that were in the journal but not in the snapshot.
    pub events: usize,
    /// Calls never heard back from.
    pub in_doubt: usize,
    /// A write was interrupted: so many bytes at the journal's end count for nothing.
    pub torn_bytes: u64,
    /// Where they were put aside.
    pub torn: Option<Utf8PathBuf>,
}

/// The right to change a state, until it is closed or dropped.
#[derive(Debug)]
pub struct Lease {
    paths: Paths,
    schemas: Arc<Schemas>,
    /// Where the snapshot goes before the first change to it in this lease.
    backup: Option<Utf8PathBuf>,
    lock: Option<Lock>,
    /// The snapshot that the journal follows, or will when it is begun.
    header: Header,
    journal: Option<File>,
    tail: Tail,
    /// Something in the journal differs from the snapshot.
    news: bool,
    /// The journal can no longer be trusted to take anything.
    broken: bool,
    buffer: String,
    tally: Tally,
}

/// Why a state cannot be opened or changed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Somebody else works on it. Another try later may succeed.
    /// [`crate::lock::locked_detail`] says who.
    #[error("Error acquiring the state lock")]
    Locked {
        /// The state.
        path: Utf8PathBuf,
        /// Who, if it is written beside the state.
        holder: Option<Box<LockInfo>>,
    },
    /// The disk, permissions and so on.
    #[error("cannot {what} `{path}`")]
    Io {
        /// `read`, `write`, `lock`.
        what: &'static str,
        /// Which file.
        path: Utf8PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The snapshot cannot be used.
    #[error("cannot use the state file `{path}`")]
    Snapshot {
        /// Which.
        path: Utf8PathBuf,
        /// Why.
        #[source]
        source: V4Error,
    },
    /// The journal cannot be used.
    #[error("cannot use the journal `{path}`")]
    Journal {
        /// Which.
        path: Utf8PathBuf,
        /// Why.
        #[source]
        source: JournalError,
    },
    /// An earlier write failed in a way after which nothing is certain.
    #[error("the journal `{path}` takes no more: an earlier write to it failed")]
    Broken {
        /// Which.
        path: Utf8PathBuf,
    },
    /// The lock is somebody else's by now: this process slept through its lease, or a person broke
    /// the lock. What it does from here on would count for nothing.
    #[error("the lock on `{name}` was lost")]
    Fenced {
        /// Which state.
        name: String,
        /// How that came to light.
        detail: String,
    },
    /// Where the state is kept did not do what it was asked to.
    #[error("cannot {what} `{name}`")]
    Remote {
        /// `read the state at`, `write the state to`, `lock`.
        what: &'static str,
        /// Which state.
        name: String,
        /// What it answered, or why it could not be asked.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Snapshot, journal and backup contradict each other: a person must look.
    #[error("{summary}")]
    Refused {
        /// One line.
        summary: String,
        /// What was found and what to do.
        detail: String,
    },
}

impl StoreError {
    /// What a person can do about it, where that is not plain from the error.
    pub fn advice(&self) -> Option<String> {
        match self {
            StoreError::Locked { holder, .. } => {
                Some(crate::lock::locked_detail(holder.as_deref()))
            }
            StoreError::Refused { detail, .. } => Some(detail.clone()),
            StoreError::Snapshot { path, .. } => Some(format!(
                "Nothing was changed. `{path}.backup` holds the state before the last run, if \
                 there is one."
            )),
            StoreError::Journal { source: JournalError::Newer(_), .. } => {
                Some("Run the newer version of Plumb that wrote it once.".into())
            }
            StoreError::Journal { path, .. } => Some(format!(
                "It was damaged after it was written, by the disk or by hand. Restore it from a \
                 copy. Or move `{path}` away: the state file is then as it was before that run, \
                 and objects that the run made are unknown."
            )),
            StoreError::Fenced { detail, .. } => Some(format!(
                "{detail}\nNothing more was begun. What was done and could not be written down is \
                 found by the next run, which looks for it."
            )),
            StoreError::Io { .. } | StoreError::Broken { .. } | StoreError::Remote { .. } => None,
        }
    }
}

impl LocalStore {
    /// The state at `path`. Nothing is touched yet.
    pub fn new(path: impl Into<Utf8PathBuf>, backup: Backup, schemas: Arc<Schemas>) -> LocalStore {
        LocalStore { path: path.into(), backup, schemas }
    }

    /// The state file.
    pub fn path(&self) -> &Utf8Path {
        &self.path
    }

    /// Takes the lock (not with `lock` none, that is `-lock=false`), reads the snapshot, replays the
    /// journal. Does not wait: on [`StoreError::Locked`] the caller may try again.
    pub fn open(&self, lock: Option<&LockInfo>) -> Result<Opened, StoreError> {
        let tally = match lock {
            Some(info) => Tally::new(info.who.clone(), info.operation.clone(), info.info.clone()),
            None => Tally::new(who(), String::new(), String::new()),
        };
        let paths = Paths::of(&self.path);
        let lock = match lock {
            None => None,
            Some(info) => {
                paths.make_folder()?;
                let attempt = Lock::attempt(&paths.state, paths.note.clone(), info)
                    .map_err(failed("lock", &paths.state))?;
                match attempt {
                    Attempt::Taken(lock) => Some(lock),
                    Attempt::Held(holder) => {
                        return Err(StoreError::Locked { path: paths.state, holder });
                    }
                }
            }
        };
        disk::step("open", &paths.state)?;
        let found = self.find(&paths)?;
        let before = found
            .snapshot
            .as_ref()
            .map(|(state, _)| Header { lineage: state.lineage.clone(), serial: state.serial });
        let torn = found.journal.as_ref().map_or(0, |it| it.torn_bytes);
        let Decision { mut state, journal, contents } = self.decide(found, &paths)?;
        if state.lineage.is_empty() {
            state.lineage = uuid::Uuid::new_v4().to_string().into();
        }
        let header = before.unwrap_or_else(|| Header { lineage: state.lineage.clone(), serial: 0 });
        state.lineage = header.lineage.clone();
        let mut recovery = recovery(&state, contents.as_ref());
        recovery.torn_bytes = torn;
        if torn > 0 {
            recovery.torn = Some(set_torn_aside(&paths, torn)?);
        }
        match journal {
            Keep::Journal => disk::remove(&paths.next)?,
            Keep::Next => disk::rename(&paths.next, &paths.journal)?,
            Keep::Neither => {
                disk::remove(&paths.journal)?;
                disk::remove(&paths.next)?;
            }
        }
        disk::remove(&paths.making)?;
        let mut lease = Lease {
            backup: self.backup_path(),
            schemas: self.schemas.clone(),
            lock,
            header,
            journal: None,
            tail: Tail::default(),
            news: false,
            broken: false,
            buffer: String::new(),
            paths,
            tally,
        };
        if let Some(contents) = contents {
            lease.tally.add(&contents.events);
            lease.news = contents.events.iter().any(is_news);
            lease.go_on(contents.tail)?;
        }
        Ok(Opened { state, lease, recovery })
    }

    /// The state as it is now, without a lock and without changing anything on disk.
    pub fn read_only(&self) -> Result<(State, Recovery), StoreError> {
        let paths = Paths::of(&self.path);
        let mut tries = 10;
        loop {
            // A run that ends just now takes the journal away and puts a new snapshot in place.
            let before = identity(&paths.state);
            let result = self.find(&paths).and_then(|found| {
                let torn_bytes = found.journal.as_ref().map_or(0, |it| it.torn_bytes);
                let decision = self.decide(found, &paths)?;
                let recovery = recovery(&decision.state, decision.contents.as_ref());
                Ok((decision.state, Recovery { torn_bytes, ..recovery }))
            });
            tries -= 1;
            if identity(&paths.state) == before || tries == 0 {
                return result;
            }
        }
    }

    /// Whether somebody works on the state now, and who, if it is known. Takes nothing and changes
    /// nothing; an answer may be old when it arrives.
    pub fn held(&self) -> Result<Option<Option<Box<LockInfo>>>, StoreError> {
        let paths = Paths::of(&self.path);
        crate::lock::held(&paths.state, &paths.note).map_err(failed("read", &paths.state))
    }

    fn backup_path(&self) -> Option<Utf8PathBuf> {
        match &self.backup {
            Backup::Beside => Some(format!("{}.backup", self.path).into()),
            Backup::At(path) => Some(path.clone()),
            Backup::Off => None,
        }
    }

    /// Reads what there is.
    fn find(&self, paths: &Paths) -> Result<Found, StoreError> {
        let mut found = Found::default();
        let bytes = disk::read(&paths.state)?.filter(|bytes| !bytes.is_empty());
        if let Some(bytes) = bytes {
            let state = v4::read(&bytes, &self.schemas)
                .map_err(|source| StoreError::Snapshot { path: paths.state.clone(), source })?;
            let mut measure = Measured::new(io::sink());
            measure.write_all(&bytes).map_err(failed("read", &paths.state))?;
            let measure = measure.finish(state.serial);
            found.snapshot = Some((state, measure));
        }
        let journal = |path: &Utf8PathBuf| -> Result<Option<Contents>, StoreError> {
            let Some(bytes) = disk::read(path)? else { return Ok(None) };
            let contents = journal::read(&bytes)
                .map_err(|source| StoreError::Journal { path: path.clone(), source })?;
            Ok(Some(contents))
        };
        found.journal = journal(&paths.journal)?;
        found.next = journal(&paths.next)?;
        if found.snapshot.is_none()
            && let Some(backup) = self.backup_path()
            && let Some(bytes) = disk::read(&backup)?
        {
            let state = v4::read(&bytes, &Schemas::default());
            // A backup that cannot be read says nothing.
            found.backup_has_objects = state.is_ok_and(|it| !it.objects.is_empty());
        }
        Ok(found)
    }

    fn decide(&self, found: Found, paths: &Paths) -> Result<Decision, StoreError> {
        let backup = self.backup_path().unwrap_or_default();
        decide(found, &paths.state, &paths.journal, &backup)
            .map_err(|it| StoreError::Refused { summary: it.summary, detail: it.detail })
    }
}

fn recovery(state: &State, contents: Option<&Contents>) -> Recovery {
    Recovery {
        events: contents.map_or(0, |it| it.events.len()),
        in_doubt: state.in_doubt.len(),
        ..Recovery::default()
    }
}

/// Which file is at `path`.
fn identity(path: &Utf8Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).ok().map(|it| (it.dev(), it.ino()))
}

/// Moves the end of the journal that counts for nothing to a file of its own.
fn set_torn_aside(paths: &Paths, torn_bytes: u64) -> Result<Utf8PathBuf, StoreError> {
    let bytes = disk::read(&paths.journal)?.unwrap_or_default();
    let good = bytes.len().saturating_sub(torn_bytes as usize);
    disk::write_whole(&paths.torn, &bytes[good..])?;
    File::options()
        .write(true)
        .open(&paths.journal)
        .and_then(|file| {
            file.set_len(good as u64)?;
            file.sync_data()
        })
        .map_err(failed("write", &paths.journal))?;
    Ok(paths.torn.clone())
}

impl Lease {
    /// Writes events to the journal; they are durable on return, all together. After an error none
    /// of them counts: start no further step.
    pub fn append(&mut self, events: &[Event]) -> Result<(), StoreError> {
        if self.broken {
            return Err(StoreError::Broken { path: self.paths.journal.clone() });
        }
        if events.is_empty() {
            return Ok(());
        }
        let mut tail = self.tail;
        let mut text = std::mem::take(&mut self.buffer);
        text.clear();
        let begins = tail.next == 0;
        let batch = tail.next;
        if begins {
            self.paths.make_folder()?;
            tail.header(&self.header, &mut text);
        }
        tail.events(batch, events, &mut text);
        let written = self.put(&text);
        self.buffer = text;
        written?;
        if begins {
            self.paths.sync_folder().inspect_err(|_| self.broken = true)?;
        }
        self.tail = tail;
        self.tally.add(events);
        self.news |= events.iter().any(is_news);
        Ok(())
    }

    /// Appends text to the journal, durably or not at all.
    fn put(&mut self, text: &str) -> Result<(), StoreError> {
        let path = &self.paths.journal;
        let file = match &mut self.journal {
            Some(file) => file,
            none => none.insert(disk::create(path)?),
        };
        disk::step("write", path)?;
        if let Err(error) = file.write_all(text.as_bytes()) {
            // Half a line must not come before the next one.
            let cut = file
                .set_len(self.tail.bytes)
                .and_then(|()| file.seek(SeekFrom::Start(self.tail.bytes)));
            self.broken = cut.is_err();
            return Err(failed("write", path)(error));
        }
        file.sync_data().map_err(|error| {
            // What is on disk now nobody knows.
            self.broken = true;
            failed("sync", path)(error)
        })
    }

    /// Opens the journal behind its last good line.
    fn go_on(&mut self, tail: Tail) -> Result<(), StoreError> {
        let path = &self.paths.journal;
        let open = || -> io::Result<File> {
            let mut file = File::options().read(true).write(true).open(path)?;
            file.set_len(tail.bytes)?;
            file.seek(SeekFrom::Start(tail.bytes))?;
            Ok(file)
        };
        self.journal = Some(open().map_err(failed("write", path))?);
        self.tail = tail;
        Ok(())
    }

    /// The snapshot that this lease goes out from.
    pub fn stamp(&self) -> Stamp<'_> {
        Stamp { lineage: &self.header.lineage, serial: self.header.serial }
    }

    /// Folds the journal into the snapshot and returns its serial, which grows when the content
    /// changed. Calls in doubt stay in a journal.
    pub fn checkpoint(&mut self, state: &State) -> Result<u64, StoreError> {
        if self.broken {
            return Err(StoreError::Broken { path: self.paths.journal.clone() });
        }
        let first = self.header.serial == 0 && self.journal.is_some();
        let header = Header { serial: self.header.serial + 1, ..self.header.clone() };
        if (self.news || first) && self.fold(state, header, false)? {
            return Ok(self.header.serial);
        }
        // Nothing but doubts is in it.
        if state.in_doubt.is_empty() && self.journal.take().is_some() {
            disk::remove(&self.paths.journal)?;
            self.tail = Tail::default();
        }
        self.news = false;
        Ok(self.header.serial)
    }

    /// Puts another state in place of this one, with its own lineage and serial (`state push`), its
    /// doubts included: those of this one are gone. [`crate::push::refusal`] says when not to.
    pub fn replace(&mut self, state: &State) -> Result<(), StoreError> {
        let header = Header { lineage: state.lineage.clone(), serial: state.serial };
        self.fold(state, header, true)?;
        Ok(())
    }

    /// Writes the snapshot that `header` names, unless it would say the same as the one that is
    /// there. Tells whether it did.
    fn fold(&mut self, state: &State, header: Header, always: bool) -> Result<bool, StoreError> {
        let Paths { state: path, next, making, .. } = &self.paths;
        // One that is left from a failed attempt may be locked by ourselves.
        disk::remove(making)?;
        let made = disk::create(making)?;
        let mut measured = Measured::new(BufWriter::new(&made));
        let stamp = Stamp { lineage: &header.lineage, serial: header.serial };
        v4::write_to(state, stamp, &self.schemas, &mut measured)
            .and_then(|()| measured.flush())
            .map_err(failed("write", making))?;
        let folding = measured.finish(header.serial);
        let same =
            !always && disk::same_but_serial(making, path).map_err(failed("compare", making))?;
        if same {
            disk::remove(making)?;
            return Ok(false);
        }
        disk::dress_like(&made, path)
            .and_then(|()| made.sync_all())
            .map_err(failed("write", making))?;
        if let Some(lock) = &mut self.lock {
            lock.extend(&made).map_err(failed("lock", making))?;
        }
        if let Some(backup) = &self.backup {
            back_up(path, backup)?;
        }
        // From here on it must be plain at every point which journal belongs to which snapshot.
        let mut after = Tail::default();
        if !state.in_doubt.is_empty() {
            let mut text = String::new();
            after.header(&header, &mut text);
            let doubts: Vec<Event> = (state.in_doubt.iter())
                .map(|(token, intent)| Event::Started { token: *token, intent: intent.clone() })
                .collect();
            after.events(0, &doubts, &mut text);
            disk::write_whole(next, text.as_bytes())?;
        }
        self.mark(folding)?;
        let Paths { state: path, journal, next, making, .. } = &self.paths;
        disk::rename(making, path)?;
        self.paths.sync_folder()?;
        let (time, serial) = (rfc3339(SystemTime::now()), header.serial);
        self.tally.told(&self.paths, time, serial, &header.lineage);
        self.header = header;
        self.backup = None;
        self.news = false;
        self.journal = None;
        self.tail = after;
        // The journal that was is of no more use, whatever becomes of it.
        self.broken = true;
        if after.next > 0 {
            disk::rename(next, journal)?;
            self.go_on(after)?;
        } else {
            disk::remove(journal)?;
        }
        self.broken = false;
        Ok(true)
    }

    /// Notes in the journal which snapshot it is folded into.
    fn mark(&mut self, folding: Folding) -> Result<(), StoreError> {
        if self.journal.is_none() {
            return Ok(());
        }
        let mut text = String::new();
        let mut tail = self.tail;
        tail.folding(folding, &mut text);
        self.put(&text)?;
        self.tail = tail;
        Ok(())
    }

    /// Gives the lock back. Dropping does too, but cannot say what went wrong.
    pub fn close(mut self) -> Result<(), StoreError> {
        match &mut self.lock {
            Some(lock) => lock.release().map_err(failed("remove", &self.paths.note)),
            None => Ok(()),
        }
    }
}

/// Copies the snapshot to where the previous one is kept, if there is one.
fn back_up(state: &Utf8Path, backup: &Utf8Path) -> Result<(), StoreError> {
    let old = match File::open(state) {
        Ok(old) => old,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed("read", state)(error)),
    };
    if old.metadata().is_ok_and(|it| it.len() == 0) {
        return Ok(());
    }
    let making: Utf8PathBuf = format!("{backup}.new").into();
    let copy = || -> io::Result<()> {
        let mut copy = File::options().write(true).create(true).truncate(true).open(&making)?;
        io::copy(&mut &old, &mut copy)?;
        disk::dress_like(&copy, state)?;
        copy.sync_data()
    };
    copy().map_err(failed("write the backup", &making))?;
    disk::step("write the backup", &making)?;
    disk::rename(&making, backup)
}

#[cfg(test)]
mod tests;
