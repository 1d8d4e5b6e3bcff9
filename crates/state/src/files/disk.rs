//! The files of a state and the few things that are done with them.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, fchown};

use camino::{Utf8Path, Utf8PathBuf};

use crate::error::{StoreError, failed};

/// Where everything of one state is.
#[derive(Clone, Debug)]
pub(crate) struct Paths {
    /// The snapshot; what a symbolic link leads to, so that all its names share journal and lock.
    pub(crate) state: Utf8PathBuf,
    /// The journal.
    pub(crate) journal: Utf8PathBuf,
    /// The journal that will follow the snapshot in the making.
    pub(crate) next: Utf8PathBuf,
    /// The snapshot in the making.
    pub(crate) making: Utf8PathBuf,
    /// What was cut off journals.
    pub(crate) torn: Utf8PathBuf,
    /// Who changed it, when.
    pub(crate) history: Utf8PathBuf,
    /// Snapshots that were replaced.
    pub(crate) past: Utf8PathBuf,
    /// A copy that takes the place of another file while a lock is broken.
    pub(crate) breaking: Utf8PathBuf,
    /// Who holds the lock.
    pub(crate) note: Utf8PathBuf,
    folder: Utf8PathBuf,
}

impl Paths {
    pub(crate) fn of(state: &Utf8Path) -> Paths {
        let state = match state.is_symlink() {
            // It may lead to where no file is yet.
            true => (state.canonicalize_utf8())
                .or_else(|_| state.read_link_utf8().map(|to| folder_of(state).join(to)))
                .unwrap_or_else(|_| state.into()),
            false => state.into(),
        };
        let name = state.file_name().unwrap_or_default().to_owned();
        let beside = |suffix: &str| state.with_file_name(format!(".{name}.{suffix}"));
        let folder = folder_of(&state);
        Paths {
            journal: beside("journal"),
            next: beside("journal.next"),
            making: beside("new"),
            torn: beside("journal.torn"),
            history: beside("history"),
            past: beside("past"),
            breaking: beside("breaking"),
            note: beside("lock.info"),
            folder,
            state,
        }
    }

    /// Makes the folder if it is missing.
    pub(crate) fn make_folder(&self) -> Result<(), StoreError> {
        fs::create_dir_all(&self.folder).map_err(failed("make the folder", &self.folder))
    }

    /// Makes what was created, renamed or removed beside the state outlive a power cut.
    pub(crate) fn sync_folder(&self) -> Result<(), StoreError> {
        step("sync the folder", &self.folder)?;
        File::open(&self.folder)
            .and_then(|folder| folder.sync_all())
            .map_err(failed("sync the folder", &self.folder))
    }
}

fn folder_of(path: &Utf8Path) -> Utf8PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_str().is_empty() => parent.into(),
        _ => ".".into(),
    }
}

/// What is in a file; nothing if there is none.
pub(crate) fn read(path: &Utf8Path) -> Result<Option<Vec<u8>>, StoreError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("read", path)(error)),
    }
}

/// Removes a file, if it is there.
pub(crate) fn remove(path: &Utf8Path) -> Result<(), StoreError> {
    // A read-only folder is no obstacle where nothing is to be done.
    if !path.exists() {
        return Ok(());
    }
    step("remove", path)?;
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", path)(error)),
        _ => Ok(()),
    }
}

pub(crate) fn rename(from: &Utf8Path, to: &Utf8Path) -> Result<(), StoreError> {
    step("replace", to)?;
    fs::rename(from, to).map_err(failed("replace", to))
}

/// A new file in place of any that is there, for its owner alone.
pub(crate) fn create(path: &Utf8Path) -> Result<File, StoreError> {
    step("write", path)?;
    private().read(true).truncate(true).open(path).map_err(failed("write", path))
}

/// Files that may hold secrets are nobody else's to read, unless an older one in their place was.
pub(crate) fn private() -> fs::OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = File::options();
    options.write(true).create(true).mode(0o600);
    options
}

/// A new file, where none may be yet.
pub(crate) fn create_new(path: &Utf8Path) -> Result<File, StoreError> {
    step("write", path)?;
    let made = private().read(true).create_new(true).open(path);
    made.or_else(|error| match error.kind() {
        // No process of ours leaves anything but a file there: whatever it is says what is wrong with it.
        io::ErrorKind::AlreadyExists if !is_file(path) => create(path),
        io::ErrorKind::AlreadyExists => Err(super::journal::taken_over(path)),
        _ => Err(failed("write", path)(error)),
    })
}

fn is_file(path: &Utf8Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|it| it.is_file())
}

/// A file that is there, to go on with.
pub(crate) fn open(path: &Utf8Path) -> Result<File, StoreError> {
    step("write", path)?;
    File::options().read(true).write(true).open(path).map_err(failed("write", path))
}

/// A whole file, durable on return (its name is not yet).
pub(crate) fn write_whole(path: &Utf8Path, bytes: &[u8]) -> Result<File, StoreError> {
    let mut file = create(path)?;
    let (first, second) = bytes.split_at(bytes.len() / 2);
    let mut write = || -> Result<(), StoreError> {
        file.write_all(first).map_err(failed("write", path))?;
        step("write", path)?;
        file.write_all(second).and_then(|()| file.sync_data()).map_err(failed("write", path))?;
        step("sync", path)
    };
    let written = write();
    or_withdraw(written, &file, path)?;
    Ok(file)
}

/// Takes away what was to become a file when something on the way went wrong, if it still is the one.
pub(crate) fn or_withdraw<T>(
    done: Result<T, StoreError>,
    file: &File,
    path: &Utf8Path,
) -> Result<T, StoreError> {
    if done.is_err() {
        withdraw(file, path);
    }
    done
}

/// Takes away a file that was to take another one's place, if the path still names it.
pub(crate) fn withdraw(file: &File, path: &Utf8Path) {
    if is_at(file, path).unwrap_or(false) {
        let _ = remove(path);
    }
}

/// Whether `path` names this very file.
pub(crate) fn is_at(file: &File, path: &Utf8Path) -> io::Result<bool> {
    let ours = file.metadata()?;
    match fs::metadata(path) {
        Ok(there) => Ok((there.dev(), there.ino()) == (ours.dev(), ours.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Writes `bytes` to `making`, to take the place of `path` and look like it.
pub(crate) fn write_copy(
    making: &Utf8Path,
    bytes: &[u8],
    path: &Utf8Path,
) -> Result<(), StoreError> {
    let copy = write_whole(making, bytes)?;
    or_withdraw(dress_like(&copy, path).map_err(failed("write", making)), &copy, making)
}

/// Gives a file the mode, and as far as we may the owner, of the one it will replace.
pub(crate) fn dress_like(file: &File, old: &Utf8Path) -> io::Result<()> {
    let Ok(old) = fs::metadata(old) else { return Ok(()) };
    file.set_permissions(old.permissions())?;
    let new = file.metadata()?;
    if (new.uid(), new.gid()) != (old.uid(), old.gid()) {
        // Only root may; for everybody else the file is theirs now.
        let _ = fchown(file, Some(old.uid()), Some(old.gid()));
    }
    Ok(())
}

/// Passed before everything that changes a file. Tests make the process "die" here.
pub(crate) fn step(what: &'static str, path: &Utf8Path) -> Result<(), StoreError> {
    #[cfg(test)]
    if !fuse::burn() {
        return Err(failed(what, path)(io::Error::other("dead")));
    }
    let _ = (what, path);
    Ok(())
}

/// After so many steps every further one fails, as if the process had died.
#[cfg(test)]
pub(crate) mod fuse {
    use std::cell::Cell;

    thread_local! {
        static LEFT: Cell<Option<u32>> = const { Cell::new(None) };
    }

    /// Sets it; none is as long as you like.
    pub(crate) fn set(steps: Option<u32>) {
        LEFT.set(steps);
    }

    /// Whether it has burnt down.
    pub(crate) fn is_out() -> bool {
        LEFT.get() == Some(0)
    }

    pub(super) fn burn() -> bool {
        match LEFT.get() {
            None => true,
            Some(0) => false,
            Some(left) => {
                LEFT.set(Some(left - 1));
                true
            }
        }
    }
}
