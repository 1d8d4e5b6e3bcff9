//! Takes the lock of a local state away from a process of ours that holds it, stopped perhaps.
//!
//! A lock of the kernel cannot be taken away. But it is on a file, not on a name: other files with the
//! same content take the place of those that the holder has open. What it writes from then on goes
//! nowhere, and its next look at the name tells it so.

use std::fs;
use std::os::unix::fs::MetadataExt;

use camino::Utf8Path;

use super::disk::{self, Paths};
use super::journal::Journal;
use crate::backend::Held;
use crate::error::{StoreError, failed};
use crate::lock;

/// As [`crate::backend::Backend::break_lock`].
pub(crate) fn break_lock(paths: &Paths, id: &str) -> Result<(), StoreError> {
    let held = lock::held(&paths.state, &paths.note).map_err(failed("read", &paths.state))?;
    let holder = match held {
        Held::By(Some(holder)) => holder,
        Held::By(None) | Held::Unknown => {
            return refuse("Nobody says who holds the lock. End the process that does.");
        }
        Held::Free => return refuse(format!("`{}` is not locked.", paths.state)),
    };
    if holder.id != id {
        return refuse(format!("lock ID \"{id}\" does not match existing lock:\n{holder}"));
    }
    if holder.process.is_none() {
        return refuse(format!(
            "The holder is another program, which would not notice and go on writing to the state. \
             Its lock ends with its process: end that.\n{holder}"
        ));
    }
    replace_state(paths)?;
    Journal::new(paths.clone()).renew()?;
    paths.sync_folder()?;
    disk::remove(&paths.note)
}

fn refuse(detail: impl Into<String>) -> Result<(), StoreError> {
    Err(StoreError::Refused { summary: "Failed to unlock state".into(), detail: detail.into() })
}

/// Puts a copy in place of the state, unless the holder put another one there meanwhile: then of that.
fn replace_state(paths: &Paths) -> Result<(), StoreError> {
    loop {
        let bytes = disk::read(&paths.state)?.unwrap_or_default();
        let before = fs::metadata(&paths.state).map_err(failed("read", &paths.state))?;
        disk::write_copy(&paths.breaking, &bytes, &paths.state)?;
        exchange(&paths.breaking, &paths.state)?;
        let after = fs::metadata(&paths.breaking).map_err(failed("read", &paths.breaking))?;
        if (before.dev(), before.ino(), before.len()) == (after.dev(), after.ino(), after.len())
            && before.len() == bytes.len() as u64
        {
            return disk::remove(&paths.breaking);
        }
        exchange(&paths.breaking, &paths.state)?;
    }
}

/// Lets two files swap their names at one instant.
#[cfg(target_os = "linux")]
fn exchange(a: &Utf8Path, b: &Utf8Path) -> Result<(), StoreError> {
    use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
    disk::step("replace", b)?;
    renameat2(AT_FDCWD, a.as_std_path(), AT_FDCWD, b.as_std_path(), RenameFlags::RENAME_EXCHANGE)
        .map_err(|it| failed("replace", b)(it.into()))
}

#[cfg(not(target_os = "linux"))]
fn exchange(_: &Utf8Path, _: &Utf8Path) -> Result<(), StoreError> {
    refuse("This system cannot do it. End the process that holds the lock.")
}
