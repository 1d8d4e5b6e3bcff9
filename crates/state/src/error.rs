//! Why a state cannot be opened or changed, and what a person can do about it.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};

use crate::journal::JournalError;
use crate::lock::LockInfo;
use crate::seal::SealError;
use crate::v4::V4Error;

/// Why a state cannot be opened or changed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Somebody else works on it. Another try later may succeed.
    /// [`crate::lock::locked_detail`] says who.
    #[error("Error acquiring the state lock")]
    Locked {
        /// The state.
        name: String,
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
    #[error("cannot use the state file `{name}`")]
    Snapshot {
        /// Which.
        name: String,
        /// Where the one before it is kept, if it is.
        backup: Option<String>,
        /// Why.
        #[source]
        source: V4Error,
    },
    /// It is encrypted and cannot be opened, has to be and is not, or could not be encrypted.
    #[error("cannot use the state `{name}`")]
    Sealed {
        /// Which.
        name: String,
        /// Why.
        #[source]
        source: SealError,
    },
    /// The journal cannot be used.
    #[error("cannot use the journal `{name}`")]
    Journal {
        /// Which.
        name: String,
        /// Why.
        #[source]
        source: JournalError,
    },
    /// An earlier write failed in a way after which nothing is certain.
    #[error("the journal `{name}` takes no more: an earlier write to it failed")]
    Broken {
        /// Which.
        name: String,
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
            StoreError::Snapshot { backup: Some(backup), .. } => Some(format!(
                "Nothing was changed. `{backup}` holds the state before the last run, if there is \
                 one."
            )),
            StoreError::Snapshot { backup: None, .. } => Some("Nothing was changed.".into()),
            StoreError::Sealed { source, .. }
            | StoreError::Journal { source: JournalError::Sealed(source), .. } => source.advice(),
            StoreError::Journal { source: JournalError::Newer(_), .. } => {
                Some("Run the newer version of Plumb that wrote it once.".into())
            }
            StoreError::Journal { name, .. } => Some(format!(
                "It was damaged after it was written, by the disk or by hand. Restore it from a \
                 copy. Or move `{name}` away: the state file is then as it was before that run, \
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

/// An I/O error with its context, for `map_err`.
pub(crate) fn failed(what: &'static str, path: &Utf8Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Io { what, path, source }
}
