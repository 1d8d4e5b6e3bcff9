//! Where states are kept besides local files, with Terraform's configuration names and layouts, so that
//! an existing state is picked up as it is.
//!
//! Each kind has a folder. What they have in common is [`Configured`]: a configuration that was
//! understood, and that gives a [`Place`] for each workspace. What is written when is decided in
//! `plumb-state`.

pub mod pg;
pub mod worker;

use std::collections::BTreeMap;
use std::sync::Arc;

use camino::Utf8PathBuf;
use plumb_state::StoreError;
use plumb_state::backend::Place;

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
