//! Files that other programs read: never half of one.

use std::io::Write;
use std::path::{Path, PathBuf};

use plumb_diag::{Diagnostic, Diagnostics};

/// Puts `text` in place of what the file holds, at once: whoever reads it sees the old or the new.
pub(crate) fn replace(path: &str, text: &str) -> Result<(), Diagnostics> {
    let failed = |error: std::io::Error| {
        let detail = format!("{path} could not be written: {error}.");
        vec![Diagnostic::error("A report could not be written", detail)]
    };
    // Pipes and devices are written to as they are.
    if std::fs::metadata(path).is_ok_and(|it| !it.is_file()) {
        return std::fs::write(path, text).map_err(failed);
    }
    let making = beside(Path::new(path));
    let made = write(&making, path, text).and_then(|()| std::fs::rename(&making, path));
    made.map_err(|error| {
        let _ = std::fs::remove_file(&making);
        failed(error)
    })
}

fn write(making: &Path, path: &str, text: &str) -> std::io::Result<()> {
    let mut file = std::fs::File::create(making)?;
    file.write_all(text.as_bytes())?;
    if let Ok(old) = std::fs::metadata(path) {
        file.set_permissions(old.permissions())?;
    }
    file.sync_data()
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
