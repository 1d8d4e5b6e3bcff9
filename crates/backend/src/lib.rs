//! Where states are kept besides local files, with Terraform's configuration names and layouts, so that
//! an existing state is picked up as it is.
//!
//! Each kind has a folder. What they have in common is [`Configured`]: a configuration that was
//! understood, and that gives a [`Place`] for each workspace. What is written when is decided in
//! `plumb-state`.

mod args;
mod client;
pub mod http;
mod kinds;
pub mod lease;
pub mod pg;
pub mod s3;
pub mod worker;

use std::collections::BTreeMap;
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use plumb_state::StoreError;
use plumb_state::backend::{Backend, Place, Remote};
use plumb_state::split::Split;

pub use kinds::{KINDS, arguments, configure};

/// A configuration of a backend that was understood.
pub trait Configured: Send + Sync {
    /// Where the state of a workspace is kept. Nothing is asked of anybody yet.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if there are no workspaces but `default` there.
    fn place(&self, workspace: &str) -> Result<Arc<dyn Place>, StoreError>;

    /// The workspaces that have a state, sorted, `default` first whether it has one or not.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if there are no workspaces there; others if it cannot be asked.
    fn workspaces(&self) -> Result<Vec<String>, StoreError>;

    /// Forgets the state of a workspace. The caller holds its lock or was told not to care.
    ///
    /// # Errors
    /// If it may still be there.
    fn delete(&self, workspace: &str) -> Result<(), StoreError>;
}

/// What a block `backend` says, and what surrounds it.
#[derive(Clone, Debug, Default)]
pub struct Setting {
    /// Its arguments, as text, number, boolean, list or object.
    pub config: BTreeMap<String, serde_json::Value>,
    /// The environment: what is left out is looked for there.
    pub env: BTreeMap<String, String>,
    /// A folder of this machine for journals that the other side cannot keep. It need not exist.
    pub folder: Utf8PathBuf,
}

/// Why a configuration is of no use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Which argument, if it is one.
    pub argument: Option<String>,
    /// One line.
    pub summary: String,
    /// What was found and what to do.
    pub detail: String,
}

fn mistake(summary: &str, detail: String) -> Mistake {
    Mistake { argument: None, summary: summary.into(), detail }
}

fn remote_error(
    what: &'static str,
    name: &str,
    source: impl std::error::Error + Send + Sync + 'static,
) -> StoreError {
    StoreError::Remote { what, name: name.into(), source: Box::new(source) }
}

/// The folder in `folder` of the state that `parts` identify, and no other.
fn own_folder(folder: &Utf8Path, parts: &[&str]) -> Utf8PathBuf {
    use sha2::Digest;
    let mut hash = sha2::Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    let name: String = hash.finalize().iter().take(16).map(|it| format!("{it:02x}")).collect();
    folder.join(name)
}

/// A backend whose journal is in a folder of this machine.
fn split(
    remote: Box<dyn Remote>,
    folder: &Utf8Path,
    name: String,
) -> Result<Box<dyn Backend>, StoreError> {
    Ok(Box::new(Split::new(remote, folder.to_owned(), name)))
}
