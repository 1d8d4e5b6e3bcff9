//! What outlasts the loop: what it remembers, and which commit led to which state.

use std::io;
use std::path::Path;

use plumb_gitops::{Memory, Time};
use serde::{Deserialize, Serialize};

use crate::files::replace_durably;

/// Older entries are let go.
const HISTORY_MAX: usize = 1000;
const TOLD_MAX: usize = 20;

/// `gitops.json`
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Record {
    /// The format.
    pub(super) plumb_gitops: u32,
    /// What is followed; another repository needs another folder.
    pub(super) repository: String,
    /// What the loop goes on from.
    pub(super) memory: Memory,
    /// What came of it, the newest last.
    pub(super) history: Vec<Entry>,
    /// What the forge was last told of the last few commits: not told again.
    #[serde(default)]
    told: Vec<Told>,
}

/// What the forge was last told of a commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Told {
    commit: String,
    text: String,
}

/// A commit, and the state that it led to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) commit: String,
    /// When, seconds since 1970.
    pub(super) at: Time,
    /// `applied`, `unchanged`, `repaired`, `failed`.
    pub(super) decision: String,
    /// Who signed the commit, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) signed_by: Option<String>,
    /// Who approved the plan, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) approved_by: Option<String>,
    pub(super) plan: String,
    /// Of the state afterwards.
    pub(super) lineage: String,
    pub(super) serial: u64,
}

impl Record {
    /// Reads it; a new one if there is none.
    pub(super) fn read(path: &Path, repository: &str) -> Result<Record, String> {
        let fresh =
            || Record { plumb_gitops: 1, repository: repository.to_owned(), ..Record::default() };
        let record: Record = match std::fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| format!("{} cannot be read: {error}", path.display()))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => fresh(),
            Err(error) => return Err(format!("{} cannot be read: {error}", path.display())),
        };
        if record.plumb_gitops != 1 {
            return Err(format!("{} was written by a newer version", path.display()));
        }
        if record.repository != repository {
            return Err(format!(
                "{} belongs to a loop that follows {}, not {repository}; use another -workdir",
                path.display(),
                record.repository
            ));
        }
        Ok(record)
    }

    /// What the forge was last told of a commit.
    pub(super) fn told(&self, commit: &str) -> Option<&str> {
        self.told.iter().find(|it| it.commit == commit).map(|it| it.text.as_str())
    }

    /// The forge was told.
    pub(super) fn tell(&mut self, commit: &str, text: String) {
        self.told.retain(|it| it.commit != commit);
        self.told.push(Told { commit: commit.to_owned(), text });
        let surplus = self.told.len().saturating_sub(TOLD_MAX);
        self.told.drain(..surplus);
    }

    /// Writes it, durably.
    pub(super) fn write(&mut self, path: &Path) -> Result<(), String> {
        let surplus = self.history.len().saturating_sub(HISTORY_MAX);
        self.history.drain(..surplus);
        let bytes = serde_json::to_vec_pretty(self).map_err(|error| error.to_string())?;
        replace_durably(path, &bytes).map_err(|error| format!("{}: {error}", path.display()))
    }
}
