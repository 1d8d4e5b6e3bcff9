//! A state behind a small HTTP interface, as GitLab, Gitea and others have it: GET, POST, and LOCK
//! and UNLOCK where there are addresses for them.

mod calls;
mod config;
mod notes;
mod remote;

use std::sync::Arc;

use camino::Utf8PathBuf;
use plumb_state::StoreError;
use plumb_state::backend::{Backend, Place, Remote};

use crate::worker::Worker;
use crate::{Configured, Mistake, Setting, mistake, own_folder, remote_error};
use calls::{Server, bare};
use config::Config;
pub(crate) use config::KNOWN;
use remote::HttpRemote;

/// Understands a block `backend "http"`.
///
/// # Errors
/// Everything that is wrong with it.
pub fn configure(setting: &Setting) -> Result<Arc<dyn Configured>, Vec<Mistake>> {
    Ok(Arc::new(Http::new(setting)?))
}

/// A server that keeps one state.
#[derive(Clone)]
pub struct Http {
    server: Arc<Server>,
    /// `Setting::folder`, and in it the one of this state.
    folder: Utf8PathBuf,
}

impl Http {
    /// Understands a block `backend "http"`.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn new(setting: &Setting) -> Result<Http, Vec<Mistake>> {
        let config = Config::read(setting)?;
        let folder = own_folder(&setting.folder, &["http", &bare(&config.address)]);
        let server = Server::new(config).map_err(|detail| {
            vec![mistake("Cannot make requests with this configuration", detail)]
        })?;
        Ok(Http { server: Arc::new(server), folder })
    }

    /// A connection of its own.
    ///
    /// # Errors
    /// If there is no thread for it.
    pub fn remote(&self) -> Result<Box<dyn Remote>, StoreError> {
        let worker = Worker::start().map_err(|it| remote_error("connect to", &self.name(), it))?;
        Ok(Box::new(HttpRemote::new(self.server.clone(), worker, &self.folder, self.name())))
    }
}

impl Configured for Http {
    fn place(&self, workspace: &str) -> Result<Arc<dyn Place>, StoreError> {
        if workspace == "default" { Ok(Arc::new(self.clone())) } else { Err(no_workspaces()) }
    }

    fn workspaces(&self) -> Result<Vec<String>, StoreError> {
        Err(no_workspaces())
    }

    fn delete(&self, _: &str) -> Result<(), StoreError> {
        Err(no_workspaces())
    }
}

impl Place for Http {
    fn name(&self) -> String {
        bare(&self.server.config.address)
    }

    fn connect(&self) -> Result<Box<dyn Backend>, StoreError> {
        crate::split(self.remote()?, &self.folder, self.name())
    }
}

fn no_workspaces() -> StoreError {
    StoreError::Refused {
        summary: "workspaces not supported".into(),
        detail: "An address of the backend \"http\" keeps one state: give each workspace an \
                 address of its own, for example with -backend-config."
            .into(),
    }
}
