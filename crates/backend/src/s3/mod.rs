//! A state as an object in a bucket, its lock as another one beside it. Any store will do that
//! looks at the conditions of writes: they are what keeps two writers apart.

mod config;
mod credentials;
mod lock;
mod remote;
mod store;

use std::sync::Arc;

use camino::Utf8PathBuf;
use plumb_state::StoreError;
use plumb_state::backend::{Backend, Place, Remote};

use crate::worker::Worker;
use crate::{Configured, Mistake, Setting, mistake, own_folder, remote_error};
use config::Config;
pub(crate) use config::KNOWN;
use remote::S3Remote;
use store::{Store, Trouble};

/// Understands a block `backend "s3"`.
///
/// # Errors
/// Everything that is wrong with it.
pub fn configure(setting: &Setting) -> Result<Arc<dyn Configured>, Vec<Mistake>> {
    Ok(Arc::new(S3::new(setting)?))
}

/// A bucket that keeps states.
#[derive(Clone)]
pub struct S3 {
    store: Arc<Store>,
    /// `Setting::folder`.
    folder: Utf8PathBuf,
}

impl S3 {
    /// Understands a block `backend "s3"`.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn new(setting: &Setting) -> Result<S3, Vec<Mistake>> {
        let store = Store::new(Config::read(setting)?).map_err(|detail| {
            vec![mistake("Cannot make requests with this configuration", detail)]
        })?;
        Ok(S3 { store: Arc::new(store), folder: setting.folder.clone() })
    }

    /// A connection of its own to the state of a workspace.
    ///
    /// # Errors
    /// If there is no thread for it.
    pub fn remote(&self, workspace: &str) -> Result<Box<dyn Remote>, StoreError> {
        let key = self.key(workspace);
        let name = self.name_of(&key);
        let worker = Worker::start().map_err(|it| remote_error("connect to", &name, it))?;
        Ok(Box::new(S3Remote::new(self.store.clone(), worker, key, name)))
    }

    /// Where Terraform has it.
    fn key(&self, workspace: &str) -> String {
        let Config { key, prefix, .. } = &self.store.config;
        match (workspace, prefix.as_str()) {
            ("default", _) => key.clone(),
            (workspace, "") => format!("{workspace}/{key}"),
            (workspace, prefix) => format!("{prefix}/{workspace}/{key}"),
        }
    }

    fn name_of(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.store.config.bucket.name())
    }

    /// Does one thing, on a thread for it.
    fn ask<T, F>(
        &self,
        what: &'static str,
        name: &str,
        work: impl FnOnce(Arc<Store>) -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, Trouble>> + Send + 'static,
        T: Send + 'static,
    {
        let worker = Worker::start().map_err(|it| remote_error(what, name, it))?;
        let done = worker.run(work(self.store.clone()));
        done.map_err(|it| remote_error(what, name, it))?.map_err(|it| remote_error(what, name, it))
    }
}

impl Configured for S3 {
    fn place(&self, workspace: &str) -> Result<Arc<dyn Place>, StoreError> {
        Ok(Arc::new(S3Place { s3: self.clone(), workspace: workspace.into() }))
    }

    fn workspaces(&self) -> Result<Vec<String>, StoreError> {
        let Config { key, prefix, .. } = &self.store.config;
        let begin = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        let (end, prefix) = (format!("/{key}"), begin.clone());
        let name = self.name_of(&begin);
        let keys = self.ask("list", &name, |store| async move { store.list(&prefix).await })?;
        let mut names: Vec<String> = (keys.iter())
            .filter_map(|it| it.strip_prefix(&begin)?.strip_suffix(&end))
            .filter(|it| !it.is_empty() && !it.contains('/') && *it != "default")
            .map(str::to_owned)
            .collect();
        names.sort();
        names.dedup();
        names.insert(0, "default".into());
        Ok(names)
    }

    fn delete(&self, workspace: &str) -> Result<(), StoreError> {
        let key = self.key(workspace);
        let name = self.name_of(&key);
        let gone = self.ask("delete", &name, |store| async move { store.delete(&key, None).await });
        gone.map(|_| ())
    }
}

/// One object in it.
struct S3Place {
    s3: S3,
    workspace: String,
}

impl Place for S3Place {
    fn name(&self) -> String {
        self.s3.name_of(&self.s3.key(&self.workspace))
    }

    fn connect(&self) -> Result<Box<dyn Backend>, StoreError> {
        let (bucket, key) = (&self.s3.store.config.bucket, self.s3.key(&self.workspace));
        let folder = own_folder(&self.s3.folder, &["s3", bucket.base_url().as_str(), &key]);
        crate::split(self.s3.remote(&self.workspace)?, &folder, self.name())
    }
}
