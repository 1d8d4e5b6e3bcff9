//! What a folder keeps for people: snapshots that were replaced, and the history.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;

use camino::{Utf8Path, Utf8PathBuf};

use super::disk::{self, Paths};
use crate::error::{StoreError, failed};

/// Once the history is as long as this, its older half goes.
const HISTORY_BYTES_MAX: u64 = 1 << 20;

/// Snapshots that are kept.
const PAST_MAX: usize = 30;

/// All of them together, but for the newest three.
const PAST_BYTES_MAX: u64 = 256 << 20;

/// Copies the snapshot to where the previous one is kept, and puts it away under its serial.
pub(crate) fn back_up(
    paths: &Paths,
    backup: Option<&Utf8Path>,
    serial: u64,
) -> Result<(), StoreError> {
    let old = disk::read(&paths.state)?.filter(|it| !it.is_empty());
    old.map_or(Ok(()), |old| keep(paths, backup, &old, serial))
}

/// The same with a snapshot that was read.
pub(crate) fn keep(
    paths: &Paths,
    backup: Option<&Utf8Path>,
    old: &[u8],
    serial: u64,
) -> Result<(), StoreError> {
    if let Some(backup) = backup {
        put(old, &paths.state, backup)?;
    }
    fs::create_dir_all(&paths.past).map_err(failed("make the folder", &paths.past))?;
    put(old, &paths.state, &past(paths, serial))?;
    thin(paths);
    Ok(())
}

fn put(bytes: &[u8], like: &Utf8Path, to: &Utf8Path) -> Result<(), StoreError> {
    let making: Utf8PathBuf = format!("{to}.new").into();
    disk::write_copy(&making, bytes, like)?;
    disk::rename(&making, to)
}

fn past(paths: &Paths, serial: u64) -> Utf8PathBuf {
    paths.past.join(format!("{serial}.tfstate"))
}

/// The serials of the snapshots that were put away, rising.
pub(crate) fn serials(paths: &Paths) -> Result<Vec<u64>, StoreError> {
    let entries = match fs::read_dir(&paths.past) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed("read", &paths.past)(error)),
    };
    let mut serials: Vec<u64> = entries
        .filter_map(|it| it.ok()?.file_name().to_str()?.strip_suffix(".tfstate")?.parse().ok())
        .collect();
    serials.sort_unstable();
    Ok(serials)
}

/// One of them.
pub(crate) fn snapshot(paths: &Paths, serial: u64) -> Result<Option<Vec<u8>>, StoreError> {
    disk::read(&past(paths, serial))
}

/// Removes the oldest that are too many. One that cannot be removed stays.
fn thin(paths: &Paths) {
    let mut bytes = 0;
    for (i, serial) in serials(paths).unwrap_or_default().into_iter().rev().enumerate() {
        let path = past(paths, serial);
        bytes += fs::metadata(&path).map_or(0, |it| it.len());
        if i >= PAST_MAX || (i >= 3 && bytes > PAST_BYTES_MAX) {
            let _ = fs::remove_file(path);
        }
    }
}

/// Writes a line to the history.
pub(crate) fn tell(paths: &Paths, line: &str) -> Result<(), StoreError> {
    let path = &paths.history;
    shorten(path)?;
    File::options()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()))
        .map_err(failed("write", path))
}

fn shorten(path: &Utf8Path) -> Result<(), StoreError> {
    if fs::metadata(path).map_or(0, |it| it.len()) < HISTORY_BYTES_MAX {
        return Ok(());
    }
    let text = fs::read_to_string(path).map_err(failed("read", path))?;
    let half = text.len() / 2;
    let from = text.bytes().skip(half).position(|it| it == b'\n').map_or(0, |it| half + it + 1);
    put(&text.as_bytes()[from..], path, path)
}

/// The lines of the history, oldest first.
pub(crate) fn told(paths: &Paths) -> Result<Vec<String>, StoreError> {
    let bytes = disk::read(&paths.history)?.unwrap_or_default();
    Ok(String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect())
}
