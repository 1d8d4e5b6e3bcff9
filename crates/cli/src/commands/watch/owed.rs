//! What a repair has set out to do, written down before it begins: the state soon knows of the drift
//! itself, and whoever takes over after a crash could not tell a repair from a change that somebody
//! wants and has not asked for yet.

use std::collections::BTreeSet;
use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use plumb_model::addr::{Addr, ObjectKey};
use serde::{Deserialize, Serialize};

use crate::files::replace_durably;

/// As it is stored, beside the state.
#[derive(Debug, Deserialize, Serialize)]
struct Stored {
    lineage: String,
    /// Of the configuration that it was planned with.
    configuration: String,
    objects: Vec<String>,
}

/// The file for the state at `state`.
pub(crate) fn path(state: &Utf8Path) -> Utf8PathBuf {
    let name = state.file_name().unwrap_or("terraform.tfstate");
    state.with_file_name(format!(".{name}.repair"))
}

/// What an earlier process had set out to do, with this configuration. Something that cannot be
/// understood says nothing.
pub(crate) fn read(
    path: &Utf8Path,
    lineage: &str,
    configuration: &str,
) -> io::Result<BTreeSet<ObjectKey>> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(error) => return Err(error),
    };
    let Ok(stored) = serde_json::from_slice::<Stored>(&bytes) else { return Ok(BTreeSet::new()) };
    if stored.lineage != lineage || stored.configuration != configuration {
        return Ok(BTreeSet::new());
    }
    let parsed = stored.objects.iter().filter_map(|it| Some(it.parse::<Addr>().ok()?.current()));
    Ok(parsed.collect())
}

/// Writes it down, durably; nothing owed is no file. Deposed objects are not repaired by name.
pub(crate) fn write(
    path: &Utf8Path,
    lineage: &str,
    configuration: &str,
    objects: &BTreeSet<ObjectKey>,
) -> io::Result<()> {
    if objects.is_empty() {
        return match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
    }
    let current = objects.iter().filter(|it| it.deposed.is_none());
    let stored = Stored {
        lineage: lineage.into(),
        configuration: configuration.into(),
        objects: current.map(|it| it.addr.to_string()).collect(),
    };
    replace_durably(path.as_std_path(), &serde_json::to_vec(&stored)?)
}
