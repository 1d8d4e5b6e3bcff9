//! Files that other programs read: never half of one.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use plumb_diag::{Diagnostic, Diagnostics};

/// Puts `text` in place of what the file holds, at once: whoever reads it sees the old or the new.
pub(crate) fn replace(path: &str, text: &str) -> Result<(), Diagnostics> {
    let failed = |error: io::Error| {
        let detail = format!("{path} could not be written: {error}.");
        vec![Diagnostic::error("A report could not be written", detail)]
    };
    let old = fs::metadata(path).ok();
    // Pipes and devices are written to as they are.
    if old.as_ref().is_some_and(|it| !it.is_file()) {
        return fs::write(path, text).map_err(failed);
    }
    let making = beside(Path::new(path));
    let mode = old.map(|it| it.permissions());
    put(&making, Path::new(path), text.as_bytes(), mode).map_err(|error| {
        let _ = fs::remove_file(&making);
        failed(error)
    })
}

/// Writes a file that may hold secrets: nobody else reads it, unless one was there that others do.
pub(crate) fn write_private(path: &str, bytes: &[u8]) -> io::Result<()> {
    let mut open = fs::OpenOptions::new();
    let mut file = open.write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    match file.metadata()?.is_file() {
        true => file.sync_all(),
        false => Ok(()),
    }
}

/// What [`replace`] does, of a file that has to outlive a power cut, and that nobody else reads.
pub(crate) fn replace_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let private = Permissions::from_mode(0o600);
    // Appended: what stands before it may be the extension of somebody else's file.
    let mut making = path.as_os_str().to_owned();
    making.push(".new");
    put(Path::new(&making), path, bytes, Some(private))?;
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// Writes `making` and, when it is whole on disk, puts it in place of `path`.
fn put(making: &Path, path: &Path, bytes: &[u8], mode: Option<Permissions>) -> io::Result<()> {
    let mut file = File::create(making)?;
    // Before there is something to read in it.
    if let Some(mode) = mode {
        file.set_permissions(mode)?;
    }
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(making, path)
}

/// A name in the same folder that nobody else uses, and that no collector takes for a report.
fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}.new", std::process::id()))
}

#[cfg(test)]
mod tests {
    use super::replace;

    #[test]
    fn old_or_new() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("report.prom");
        let path = path.to_str().expect("plain");
        replace(path, "one").expect("writable");
        replace(path, "two").expect("writable");
        assert_eq!(std::fs::read_to_string(path).expect("there"), "two");
        assert_eq!(std::fs::read_dir(folder.path()).expect("there").count(), 1);
        let error = replace(&format!("{path}/x"), "").expect_err("not a folder");
        assert!(error[0].detail.contains("could not be written"), "{error:?}");
    }
}
