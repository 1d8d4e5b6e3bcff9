//! What every command needs of the process it runs in: environment, providers, the state.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use plumb_diag::{Diagnostic, Diagnostics};
use plumb_engine::{Engine, Interrupt};
use plumb_model::schema::Schemas;
use plumb_provider::{Edge, Provider};
use plumb_state::seal::Sealer;
use plumb_state::{Backup, LockInfo, Opened, Store, StoreError};

use crate::args::{BackupFlags, StateFlags};
use crate::backend::{Backend, Home};
use crate::reports::Reports;
use crate::ui::Ui;

/// The process, as far as commands look at it.
pub(crate) struct Context {
    /// The environment.
    pub(crate) env: BTreeMap<String, String>,
    /// The terminal.
    pub(crate) ui: Arc<Ui>,
    /// Where the program was started, before `-chdir`.
    pub(crate) started_in: String,
    /// What pipelines are told.
    pub(crate) reports: Reports,
}

/// Every provider that is compiled in.
pub(crate) fn providers() -> Vec<Arc<dyn Provider>> {
    vec![
        Arc::new(plumb_provider_builtin::Builtin),
        Arc::new(plumb_provider_docker::DockerProvider::default()),
        Arc::new(plumb_provider_netns::NetnsProvider::default()),
        Arc::new(plumb_provider_openstack::OpenStackProvider::default()),
    ]
}

impl Context {
    /// An engine that makes at most `parallelism` calls at a time.
    pub(crate) fn engine(&self, parallelism: usize) -> Arc<Engine> {
        Arc::new(self.plain_engine(parallelism))
    }

    /// The same, that reads objects with what the configuration leaves out.
    pub(crate) fn engine_reading_whole(&self, parallelism: usize) -> Arc<Engine> {
        Arc::new(self.plain_engine(parallelism).reading_whole())
    }

    fn plain_engine(&self, parallelism: usize) -> Engine {
        let edge = Edge {
            env: self.env.clone(),
            directory: std::env::current_dir().unwrap_or_default(),
            home: self.home().map(|it| (&*it).into()),
        };
        Engine::new(providers(), edge, parallelism)
    }

    /// What the providers say of themselves.
    pub(crate) fn schemas(&self) -> Arc<Schemas> {
        let all =
            providers().into_iter().map(|it| (it.schema().source.clone(), it.schema().clone()));
        Arc::new(Schemas { providers: all.collect() })
    }

    /// The user's home.
    pub(crate) fn home(&self) -> Option<Arc<str>> {
        self.env.get("HOME").filter(|it| !it.is_empty()).map(|it| it.as_str().into())
    }

    /// Whether a person may be asked.
    pub(crate) fn may_ask(&self, flag: Option<bool>) -> bool {
        let off = |it: &String| matches!(it.to_lowercase().as_str(), "0" | "false" | "f");
        flag.unwrap_or_else(|| !self.env.get("TF_INPUT").is_some_and(off))
    }

    /// Where commands are told to go on by themselves, hints at the next one are left out.
    pub(crate) fn in_automation(&self) -> bool {
        self.env.get("TF_IN_AUTOMATION").is_some_and(|it| !it.is_empty())
    }

    /// Where our own folder is.
    pub(crate) fn data_dir(&self) -> &str {
        self.env.get("TF_DATA_DIR").filter(|it| !it.is_empty()).map_or(".terraform", |it| it)
    }

    /// The workspace in use.
    pub(crate) fn workspace(&self) -> Arc<str> {
        if let Some(name) = self.env.get("TF_WORKSPACE").filter(|it| !it.is_empty()) {
            return name.as_str().into();
        }
        let selected = std::fs::read_to_string(format!("{}/environment", self.data_dir()));
        match selected.as_deref().map(str::trim) {
            Ok(name) if !name.is_empty() => name.into(),
            _ => "default".into(),
        }
    }

    /// The store of a backend.
    pub(crate) fn store(
        &self,
        backend: &Backend,
        backup: &BackupFlags,
        schemas: Arc<Schemas>,
    ) -> Result<Store, Diagnostics> {
        let backup = match backup.backup.as_deref() {
            None => Backup::Beside,
            Some("-") => Backup::Off,
            Some(path) => Backup::At(path.into()),
        };
        let place = backend.home.place(&backend.workspace, backup);
        let place = place.map_err(|it| vec![store_error(&it)])?;
        Ok(Store::new(place, schemas).sealed_by(backend.sealer.clone()))
    }

    /// The store of a workspace, whichever is in use.
    pub(crate) fn store_in(
        &self,
        home: &Home,
        workspace: &str,
        sealer: &Arc<Sealer>,
    ) -> Result<Store, Diagnostics> {
        let (home, sealer) = (home.clone(), sealer.clone());
        let backend = Backend { home, workspace: workspace.into(), sealer };
        self.store(&backend, &BackupFlags::default(), self.schemas())
    }

    /// Opens a state under the lock, waiting for it as long as the options say.
    pub(crate) fn open(
        &self,
        store: &Store,
        flags: &StateFlags,
        operation: &str,
    ) -> Result<Opened, Diagnostics> {
        self.open_while(&|| true, store, flags, operation).inspect(|it| self.recovered(it))
    }

    /// The same, not waiting any longer once it is interrupted.
    pub(crate) fn open_unless(
        &self,
        interrupt: &Interrupt,
        store: &Store,
        flags: &StateFlags,
        operation: &str,
    ) -> Result<Opened, Diagnostics> {
        self.open_while(&|| interrupt.level() == 0, store, flags, operation)
            .inspect(|it| self.recovered(it))
    }

    /// The same for who tells by itself what the last run left to do.
    pub(crate) fn open_silently(
        &self,
        store: &Store,
        flags: &StateFlags,
        operation: &str,
    ) -> Result<Opened, Diagnostics> {
        self.open_while(&|| true, store, flags, operation)
    }

    fn open_while(
        &self,
        go_on: &dyn Fn() -> bool,
        store: &Store,
        flags: &StateFlags,
        operation: &str,
    ) -> Result<Opened, Diagnostics> {
        let patience = duration(&flags.lock_timeout).ok_or_else(|| {
            let detail = format!("{:?} is not a duration such as \"10s\".", flags.lock_timeout);
            vec![Diagnostic::error("Invalid value for -lock-timeout", detail)]
        })?;
        let mut info = LockInfo::new(operation);
        if let Some(commit) = self.env.get("PLUMB_COMMIT").filter(|it| !it.is_empty()) {
            info.info = format!("commit {commit}");
        }
        let lock = flags.lock.unwrap_or(true).then_some(&info);
        let since = Instant::now();
        let mut said = false;
        loop {
            match store.open(lock) {
                Ok(opened) => return Ok(opened),
                Err(StoreError::Locked { .. }) if since.elapsed() < patience => {
                    if !std::mem::replace(&mut said, true) {
                        self.ui.say("Acquiring state lock. This may take a few moments...");
                    }
                    if !go_on() {
                        let detail = "Another command holds the lock. Nothing was changed.";
                        let summary = "Interrupted while waiting for the state lock";
                        return Err(vec![Diagnostic::error(summary, detail)]);
                    }
                    std::thread::sleep(Duration::from_millis(500));
                }
                Err(error) => return Err(vec![store_error(&error)]),
            }
        }
    }

    /// Says what the last run left to do.
    fn recovered(&self, opened: &Opened) {
        let recovery = &opened.recovery;
        if let Some(holder) = &recovery.from_the_dead {
            self.ui.say(&format!(
                "The state lock was held by {}, who is gone. It was taken over.",
                holder_text(holder)
            ));
        }
        if recovery.events > 0 {
            let doubts = match recovery.in_doubt {
                0 => String::new(),
                1 => "; the outcome of 1 operation is looked into".to_owned(),
                many => format!("; the outcomes of {many} operations are looked into"),
            };
            self.ui.say(&format!(
                "An earlier run did not end well. {} events are taken over from its journal{doubts}.",
                recovery.events
            ));
        }
        if let Some(torn) = &recovery.torn {
            self.ui.say(&format!(
                "A write to the journal had been interrupted: its last {} bytes count for nothing \
                 and are kept in {torn}.",
                recovery.torn_bytes
            ));
        }
    }
}

/// `root@web1 (apply, process 4711)`
pub(crate) fn holder_text(holder: &LockInfo) -> String {
    let operation = holder.operation.strip_prefix("OperationType").unwrap_or(&holder.operation);
    let process = holder.process.as_ref().map(|it| format!(", process {}", it.pid));
    format!("{} ({}{})", holder.who, operation.to_lowercase(), process.unwrap_or_default())
}

/// What a person is told when the state cannot be read or written.
pub(crate) fn store_error(error: &StoreError) -> Diagnostic {
    let mut detail = String::new();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        detail += &format!("{error}\n");
        cause = error.source();
    }
    if let Some(advice) = error.advice() {
        detail += &advice;
    }
    let mut summary = error.to_string();
    if let Some(first) = summary.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    Diagnostic::error(summary, detail.trim_end())
}

/// `10s`, `1m30s`, `500ms`
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let mut total = Duration::ZERO;
    let mut rest = text;
    if text == "0" {
        return Some(total);
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let end = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let unit = match &rest[..end] {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 0.001,
            _ => return None,
        };
        total += Duration::try_from_secs_f64(number * unit).ok()?;
        rest = &rest[end..];
    }
    (!text.is_empty()).then_some(total)
}
