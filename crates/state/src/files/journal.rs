//! A journal in a folder: the file itself, the one that is to follow, and what was cut off.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};

use camino::Utf8Path;

use crate::backend::{Keep, Stored};
use crate::error::{StoreError, failed};

use super::disk::{self, Paths};

/// The files of a journal.
#[derive(Debug)]
pub(crate) struct Journal {
    pub(crate) paths: Paths,
    file: Option<File>,
    /// Where the next write would go.
    end: u64,
    /// What is on disk nobody knows, or it is of no more use.
    pub(crate) broken: bool,
}

impl Journal {
    pub(crate) fn new(paths: Paths) -> Journal {
        Journal { paths, file: None, end: 0, broken: false }
    }

    pub(crate) fn read(&self, stored: &mut Stored) -> Result<(), StoreError> {
        stored.journal = disk::read(&self.paths.journal)?;
        stored.next = disk::read(&self.paths.next)?;
        Ok(())
    }

    /// As [`crate::backend::Backend::settle`].
    pub(crate) fn settle(&mut self, keep: Keep, bytes: u64) -> Result<Option<String>, StoreError> {
        let torn = self.set_torn_aside(bytes)?;
        let Paths { journal, next, .. } = &self.paths;
        match keep {
            Keep::Journal => disk::remove(next)?,
            Keep::Next => disk::rename(next, journal)?,
            Keep::Neither => {
                disk::remove(journal)?;
                disk::remove(next)?;
            }
        }
        self.file = None;
        Ok(torn)
    }

    /// Keeps the file in hand, so that it shows when somebody puts another one in its place.
    pub(crate) fn hold(&mut self) {
        if self.paths.journal.exists() {
            self.file = disk::open(&self.paths.journal).ok();
            self.end = u64::MAX;
        }
    }

    /// Whether the journal is still the one that this process goes on with.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        self.file.as_ref().map_or(Ok(()), |it| still_at(it, &self.paths.journal))
    }

    /// Moves the end of the journal that counts for nothing to a file of its own.
    fn set_torn_aside(&self, good: u64) -> Result<Option<String>, StoreError> {
        let Paths { journal, torn, .. } = &self.paths;
        let bytes = disk::read(journal)?.unwrap_or_default();
        let Some(rest) = bytes.get(good as usize..).filter(|it| !it.is_empty()) else {
            return Ok(None);
        };
        disk::write_whole(torn, rest)?;
        File::options()
            .write(true)
            .open(journal)
            .and_then(|file| {
                file.set_len(good)?;
                file.sync_data()
            })
            .map_err(failed("write", journal))?;
        Ok(Some(torn.to_string()))
    }

    /// As [`crate::backend::Backend::append`].
    pub(crate) fn append(&mut self, at: u64, text: &str) -> Result<(), StoreError> {
        if self.broken {
            return Err(StoreError::Broken { name: self.paths.journal.to_string() });
        }
        if at == 0 {
            self.paths.make_folder()?;
        }
        self.put(at, text)?;
        if at == 0 {
            self.paths.sync_folder().inspect_err(|_| self.broken = true)?;
        }
        Ok(())
    }

    fn put(&mut self, at: u64, text: &str) -> Result<(), StoreError> {
        let path = &self.paths.journal;
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                // A new one ends at its beginning; of another one nobody knows.
                self.end = if at == 0 { 0 } else { u64::MAX };
                none.insert(if at == 0 { disk::create_new(path)? } else { disk::open(path)? })
            }
        };
        still_at(file, path)?;
        if self.end != at {
            cut(file, at).map_err(failed("write", path))?;
            self.end = at;
        }
        disk::step("write", path)?;
        if let Err(error) = file.write_all(text.as_bytes()) {
            // Half a line must not come before the next one.
            self.broken = cut(file, at).is_err();
            return Err(failed("write", path)(error));
        }
        self.end = at + text.len() as u64;
        file.sync_data().map_err(|error| {
            self.broken = true;
            failed("sync", path)(error)
        })?;
        // Once more: whoever takes our place copies the journal first, so that the copy holds what we
        // wrote, or we learn now that it does not.
        still_at(file, path)
    }

    /// Takes back a journal that was begun by a process which then finds that its lock is gone: it would
    /// speak against the state that others have made meanwhile.
    pub(crate) fn retract(&mut self) {
        if let Some(file) = self.file.take() {
            disk::withdraw(&file, &self.paths.journal);
            let _ = self.paths.sync_folder();
        }
        self.broken = true;
    }

    /// Puts a copy in its place, so that what a process that lost its lock still writes goes nowhere.
    pub(crate) fn renew(&self) -> Result<(), StoreError> {
        let Paths { journal, breaking, .. } = &self.paths;
        let Some(bytes) = disk::read(journal)? else { return Ok(()) };
        disk::write_copy(breaking, &bytes, journal)?;
        disk::rename(breaking, journal)?;
        self.paths.sync_folder()
    }

    /// Writes the journal that will follow the snapshot in the making, name and all: a file system may
    /// make the new snapshot outlive a power cut and that name not, and doubts would be lost. One that
    /// is left from a failed attempt would follow this snapshot too, so it goes.
    pub(crate) fn prepare(&self, next: Option<&str>) -> Result<Option<File>, StoreError> {
        self.check()?;
        let prepared = match next {
            Some(text) => Some(disk::write_whole(&self.paths.next, text.as_bytes())?),
            None if self.paths.next.exists() => {
                disk::remove(&self.paths.next)?;
                None
            }
            None => return Ok(None),
        };
        self.paths.sync_folder().inspect_err(|_| self.withdraw(prepared.as_ref()))?;
        Ok(prepared)
    }

    /// Takes away what was prepared by who finds out that the lock is lost: whoever has it may make a
    /// snapshot of the same serial, to which it would seem to belong.
    pub(crate) fn withdraw(&self, prepared: Option<&File>) {
        if let Some(file) = prepared {
            disk::withdraw(file, &self.paths.next);
        }
    }

    /// The snapshot is in place: what was prepared takes the journal's place.
    pub(crate) fn turn(&mut self, prepared: bool) -> Result<(), StoreError> {
        // What was is of no more use, whatever becomes of it.
        self.broken = true;
        // Whoever took over meanwhile has a journal of its own there.
        self.check()?;
        self.file = None;
        match prepared {
            true => disk::rename(&self.paths.next, &self.paths.journal)?,
            false => disk::remove(&self.paths.journal)?,
        }
        // Else the next folding could outlive a power cut that brings this journal back.
        self.paths.sync_folder()?;
        self.hold();
        self.broken = false;
        Ok(())
    }
}

/// Whether the path still names the file: else somebody else took over.
fn still_at(file: &File, path: &Utf8Path) -> Result<(), StoreError> {
    let same = disk::is_at(file, path).map_err(failed("look at", path))?;
    if same { Ok(()) } else { Err(taken_over(path)) }
}

pub(crate) fn taken_over(path: &Utf8Path) -> StoreError {
    StoreError::Fenced {
        name: path.to_string(),
        detail: "Another process took the journal over.".into(),
    }
}

/// Makes `at` the end.
fn cut(file: &mut File, at: u64) -> io::Result<()> {
    file.set_len(at)?;
    file.seek(SeekFrom::Start(at)).map(drop)
}
