//! Which process of this machine took which lock, noted on this machine: what a server tells of a
//! lock's holder is often just its identifier.

use std::fs::{self, File};
use std::io;

use camino::{Utf8Path, Utf8PathBuf};

use plumb_state::lock::Process;

/// A folder with a file for each lock that a process of this machine holds or asked for.
#[derive(Clone, Debug)]
pub(super) struct Notes {
    folder: Utf8PathBuf,
}

impl Notes {
    pub(super) fn new(folder: &Utf8Path) -> Notes {
        Notes { folder: folder.join("locks") }
    }

    /// Notes that this process asks for the lock `id`; to be called before it does.
    pub(super) fn write(&self, id: &str) -> io::Result<()> {
        let (Some(path), Some(process)) = (self.path(id), Process::this()) else { return Ok(()) };
        fs::create_dir_all(&self.folder)?;
        fs::write(path, serde_json::to_vec(&process)?)
    }

    /// Forgets the lock.
    pub(super) fn remove(&self, id: &str) {
        if let Some(path) = self.path(id) {
            // One that is left says that a lock was taken which is not held: no harm.
            let _ = fs::remove_file(path);
        }
    }

    /// Whether the lock was taken by a process of this machine that is no more.
    pub(super) fn is_of_the_dead(&self, id: &str) -> bool {
        self.path(id).and_then(|it| read(&it)).is_some_and(|it| it.is_gone())
    }

    /// Forgets the locks of the dead, once it is known that another one is held.
    pub(super) fn sweep(&self) {
        for entry in self.folder.read_dir_utf8().into_iter().flatten().flatten() {
            if read(entry.path()).is_some_and(|it| it.is_gone()) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    /// Lets one process at a time take locks away from the dead: two of them might otherwise take it
    /// away from each other. None: another one is at it.
    pub(super) fn alone(&self) -> io::Result<Option<File>> {
        fs::create_dir_all(&self.folder)?;
        let path = self.folder.join("taking-over");
        let file = File::options().write(true).create(true).truncate(false).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(error)) => Err(error),
        }
    }

    /// The identifier comes from elsewhere: not every one is a file's name.
    fn path(&self, id: &str) -> Option<Utf8PathBuf> {
        let plain = |it: char| it.is_ascii_alphanumeric() || it == '-';
        let fits = (1..=100).contains(&id.len()) && id.chars().all(plain);
        fits.then(|| self.folder.join(format!("{id}.json")))
    }
}

fn read(path: &Utf8Path) -> Option<Process> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dead_are_told_from_the_living() {
        let dir = tempfile::tempdir().expect("a folder");
        let folder = Utf8Path::from_path(dir.path()).expect("UTF-8");
        let notes = Notes::new(folder);
        assert!(!notes.is_of_the_dead("a"));
        notes.write("a").expect("writable");
        assert!(!notes.is_of_the_dead("a"));
        let this = Process::this().expect("procfs");
        // Its number is somebody else's by now.
        let dead = Process { started: this.started + 1, ..this };
        let text = serde_json::to_vec(&dead).expect("JSON");
        fs::write(folder.join("locks/b.json"), text).expect("writable");
        assert!(notes.is_of_the_dead("b"));
        notes.sweep();
        assert!(!notes.is_of_the_dead("b"));
        assert!(folder.join("locks/a.json").exists());
        notes.remove("a");
        assert!(!folder.join("locks/a.json").exists());
        notes.write("../../up").expect("nothing to do");
        assert!(!folder.join("../up.json").exists());
    }

    #[test]
    fn one_at_a_time() {
        let dir = tempfile::tempdir().expect("a folder");
        let notes = Notes::new(Utf8Path::from_path(dir.path()).expect("UTF-8"));
        let first = notes.alone().expect("lockable").expect("free");
        assert!(notes.alone().expect("lockable").is_none());
        drop(first);
        assert!(notes.alone().expect("lockable").is_some());
    }
}
