//! Where the state of a configuration is kept: as its block `backend` says and `init` wrote down.

mod migrate;
mod record;
mod setting;

use std::sync::Arc;

use camino::Utf8PathBuf;
use plumb_backend::Configured;
use plumb_diag::{Diagnostic, Diagnostics};
use plumb_lang::config::Module;
use plumb_state::backend::Place;
use plumb_state::seal::Sealer;
use plumb_state::{Backup, Folder, StoreError};

use crate::context::{Context, store_error};

pub(crate) use migrate::initialize;
pub(crate) use record::Record;
pub(crate) use setting::{Config, configure, given};

/// Where one state is.
#[derive(Clone)]
pub(crate) struct Backend {
    /// Where the states of all workspaces are.
    pub(crate) home: Home,
    /// The workspace.
    pub(crate) workspace: Arc<str>,
    /// What seals it, and saved plans.
    pub(crate) sealer: Arc<Sealer>,
}

/// Where the states of a configuration are.
#[derive(Clone)]
pub(crate) enum Home {
    /// In one file, as an option said; for whatever workspace.
    File(Utf8PathBuf),
    /// In files of this machine.
    Local(Local),
    /// Elsewhere.
    Remote(Remote),
}

/// In files of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Local {
    /// The state of the default workspace.
    pub(crate) path: Utf8PathBuf,
    /// Those of the others, each in a folder with its name.
    pub(crate) folder: Utf8PathBuf,
}

/// Elsewhere.
#[derive(Clone)]
pub(crate) struct Remote {
    /// `http`, `pg`, `s3`
    pub(crate) kind: String,
    /// Its arguments.
    pub(crate) config: Config,
    /// Those arguments, understood.
    pub(crate) configured: Arc<dyn Configured>,
    /// What is kept on this machine all the same.
    pub(crate) folder: Utf8PathBuf,
}

impl Default for Local {
    fn default() -> Local {
        Local { path: "terraform.tfstate".into(), folder: "terraform.tfstate.d".into() }
    }
}

impl Home {
    /// Where the state of a workspace is kept.
    pub(crate) fn place(
        &self,
        workspace: &str,
        backup: Backup,
    ) -> Result<Arc<dyn Place>, StoreError> {
        match self {
            Home::File(path) => Ok(Arc::new(Folder::new(path.clone(), backup))),
            Home::Local(it) => Ok(Arc::new(Folder::new(it.state(workspace), backup))),
            Home::Remote(it) => it.configured.place(workspace),
        }
    }

    /// The workspaces that have a state, `default` first.
    pub(crate) fn workspaces(&self) -> Result<Vec<String>, Diagnostics> {
        match self {
            Home::File(_) => Ok(vec!["default".to_owned()]),
            Home::Local(it) => Ok(it.workspaces()),
            Home::Remote(it) => it.configured.workspaces().map_err(|it| vec![store_error(&it)]),
        }
    }
}

impl Local {
    /// The state file of a workspace.
    pub(crate) fn state(&self, workspace: &str) -> Utf8PathBuf {
        match workspace {
            "default" => self.path.clone(),
            name => self.folder.join(name).join("terraform.tfstate"),
        }
    }

    fn workspaces(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.folder).into_iter().flatten();
        let folders = entries.filter_map(|it| it.ok().filter(|it| it.path().is_dir()));
        let mut names: Vec<String> =
            folders.filter_map(|it| it.file_name().into_string().ok()).collect();
        names.sort();
        names.insert(0, "default".to_owned());
        names
    }
}

impl Backend {
    /// A file of this machine beside which others about this state may be put: the state itself, if it
    /// is local.
    pub(crate) fn beside(&self) -> Utf8PathBuf {
        match &self.home {
            Home::File(path) => path.clone(),
            Home::Local(it) => it.state(&self.workspace),
            Home::Remote(it) => it.folder.join(&*self.workspace),
        }
    }
}

impl Context {
    /// Where the state is: as the option says, else as the backend of `module` says. Sealed by
    /// nothing yet ([`crate::encryption::sealer`]).
    pub(crate) fn backend(
        &self,
        module: Option<&Module>,
        state: Option<&str>,
    ) -> Result<Backend, Diagnostics> {
        let workspace = self.workspace();
        if workspace.contains(['/', '\\']) || workspace.starts_with('.') {
            let detail = format!("The workspace name {:?} is not valid.", &*workspace);
            return Err(vec![Diagnostic::error("Invalid workspace name", detail)]);
        }
        let sealer = Arc::default();
        if let Some(path) = state {
            return Ok(Backend { home: Home::File(path.into()), workspace, sealer });
        }
        let home = self.home_of(module)?;
        Ok(Backend { home, workspace, sealer })
    }

    /// Where the states of a configuration are, if that is as it was when it was initialized.
    pub(crate) fn home_of(&self, module: Option<&Module>) -> Result<Home, Diagnostics> {
        let block = module.and_then(|it| it.backend.as_ref());
        let record = Record::read(self.data_dir())?;
        let Some(block) = block else {
            return match record.filter(|it| it.kind != "local") {
                Some(it) => Err(uninitialized(&format!(
                    "Unsetting the previously set backend {:?}",
                    it.kind
                ))),
                None => Ok(Home::Local(Local::default())),
            };
        };
        let given = given(block)?;
        let understood =
            |config: &Config| configure(self, &block.kind, config).map_err(|it| it.in_block(block));
        let uninitialized = |reason: String| -> Result<Home, Diagnostics> {
            Err(uninitialized(&reason).into_iter().map(|it| it.at(block.span)).collect())
        };
        if &*block.kind == "local" {
            // Nothing has to be set up for files, so that nothing has to be initialized.
            return understood(&given);
        }
        match record {
            Some(it) if it.kind == *block.kind && it.agrees(&given) => understood(&it.config),
            Some(it) if it.kind == *block.kind => {
                uninitialized("Backend configuration block has changed".into())
            }
            Some(it) if it.kind != "local" => uninitialized(format!(
                "Backend type changed from {:?} to {:?}",
                it.kind, &*block.kind
            )),
            _ => {
                // What could never be initialized is said at once.
                if let Err(mistakes) = configure(self, &block.kind, &given) {
                    let mistakes = mistakes.of(&given);
                    if !mistakes.is_empty() {
                        return Err(mistakes.in_block(block));
                    }
                }
                uninitialized(format!(
                    "Initial configuration of the requested backend {:?}",
                    &*block.kind
                ))
            }
        }
    }
}

fn uninitialized(reason: &str) -> Diagnostics {
    let detail = format!(
        "Reason: {reason}.\n\nWhere the state is kept is set up by \"plumb init\", which can also take \
         the existing state along (-migrate-state) or leave it where it is (-reconfigure). Nothing was \
         changed."
    );
    vec![Diagnostic::error("Backend initialization required, please run \"plumb init\"", detail)]
}
