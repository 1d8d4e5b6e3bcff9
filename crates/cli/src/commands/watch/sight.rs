//! Everything that is known of the world, and how it is looked at and repaired.

use std::collections::BTreeSet;
use std::sync::Arc;

use plumb_diag::Diagnostics;
use plumb_drift::{DriftReport, Previous};
use plumb_engine::{Engine, Interrupt, Observer, Providers, Silent};
use plumb_model::Target;
use plumb_model::addr::{ObjectKey, ProviderAddr};
use plumb_model::question::{Answer, Observations, QuestionKey};
use plumb_model::state::State;
use plumb_provider::Foreign;
use plumb_state::backend::Held;
use plumb_state::{LockInfo, Store, StoreError};
use plumb_watch::{NotLooked, Scope};
use sha2::{Digest, Sha256};

use super::args::WatchArgs;
use super::disk::{Marks, marks};
use crate::backend::Home;
use crate::commands::drift::{Looked, Wanted, look};
use crate::context::{Context, store_error};
use crate::planning::{self, Prepared};
use crate::variables::Typed;

/// What is known.
pub(crate) struct Sight {
    pub(crate) engine: Arc<Engine>,
    pub(crate) prepared: Prepared,
    /// Of the files that the configuration was read from.
    pub(crate) configuration: String,
    pub(crate) store: Store,
    pub(crate) state: State,
    /// A run did not end well.
    pub(crate) unsettled: bool,
    pub(crate) seen: Observations,
    pub(crate) providers: Providers,
    /// The configuration on disk cannot be used, and why.
    broken: Option<Arc<str>>,
    foreign: Option<Vec<(Arc<ProviderAddr>, Foreign)>>,
    previous: Previous,
    surveys: bool,
    excluded: Vec<Target>,
    ignored: Vec<String>,
    state_marks: Marks,
}

impl Sight {
    /// Reads configuration and state.
    pub(crate) fn open(
        context: &Context,
        args: &WatchArgs,
        typed: &[Typed],
    ) -> Result<Sight, Diagnostics> {
        let prepared = args.look.prepare(context, typed, false)?;
        // What the configuration leaves out is looked at as well.
        let engine = context.engine_reading_whole(args.look.parallelism);
        let store = context.store(&prepared.backend, &args.backup, engine.schemas().clone())?;
        let mut sight = Sight {
            configuration: digest(&prepared),
            engine,
            prepared,
            store,
            state: State::default(),
            unsettled: false,
            seen: Observations::new(),
            providers: Providers::new(),
            broken: None,
            foreign: None,
            previous: Previous::default(),
            surveys: args.look.foreign != Some(false),
            excluded: args.look.excluded()?,
            ignored: args.look.ignore.clone(),
            state_marks: Marks::default(),
        };
        sight.read_state().map_err(|it| vec![store_error(&it)])?;
        Ok(sight)
    }

    /// Reads the configuration again. What could be used before is kept if this cannot, but nothing
    /// is done with it.
    pub(crate) fn reload(
        &mut self,
        context: &Context,
        args: &WatchArgs,
        typed: &[Typed],
    ) -> Result<(), Diagnostics> {
        match args.look.prepare(context, typed, false) {
            Ok(prepared) => {
                let schemas = self.engine.schemas().clone();
                self.store = context.store(&prepared.backend, &args.backup, schemas)?;
                self.configuration = digest(&prepared);
                self.prepared = prepared;
                self.broken = None;
                self.forget();
                self.state_marks = Marks::default();
                // Other credentials may be in the files that providers read.
                self.engine.reconnect();
                Ok(())
            }
            Err(diagnostics) => {
                self.broken = Some(first(&diagnostics));
                Err(diagnostics)
            }
        }
    }

    /// The files that the configuration comes from, as they look now.
    pub(crate) fn configuration_marks(&self, args: &WatchArgs) -> Marks {
        let folders = self.prepared.loaded.folders.keys().map(|it| &**it);
        marks(folders, args.look.vars.var_file.iter().map(String::as_str))
    }

    /// Whether the state on disk is another than the one that is known.
    pub(crate) fn state_moved(&self) -> bool {
        // What is kept elsewhere has no file to look at.
        let elsewhere = matches!(self.prepared.backend.home, Home::Remote(_));
        elsewhere || self.marks_of_state() != self.state_marks
    }

    fn marks_of_state(&self) -> Marks {
        let path = self.prepared.backend.beside();
        marks(std::iter::empty(), std::iter::once(path.as_str()))
    }

    /// Whatever was seen is looked for again.
    pub(crate) fn forget(&mut self) {
        self.seen.clear();
        self.foreign = None;
    }

    /// Reads the state. Whether it is another one than before.
    pub(crate) fn read_state(&mut self) -> Result<bool, StoreError> {
        let marks = self.marks_of_state();
        let (state, recovery) = self.store.read_only()?;
        self.state_marks = marks;
        self.unsettled = recovery.events > 0 || !state.in_doubt.is_empty();
        let moved = state != self.state;
        self.state = state;
        Ok(moved)
    }

    /// Looks at what the scope falls on. None: it was interrupted.
    pub(crate) async fn look(
        &mut self,
        scope: &Scope,
        interrupt: &Interrupt,
    ) -> Result<Option<DriftReport>, NotLooked> {
        let failed = |it: &Diagnostics| NotLooked::Failed(first(it));
        if let Some(why) = &self.broken {
            return Err(NotLooked::Failed(why.clone()));
        }
        match self.store.held() {
            Ok(Held::Free | Held::Unknown) => {}
            Ok(Held::By(holder)) => return Err(NotLooked::Busy(holder_text(holder.as_deref()))),
            Err(error) => return Err(failed(&vec![store_error(&error)])),
        }
        if scope.everything || self.unsettled || self.state_moved() {
            let moved = self.read_state().map_err(|it| failed(&vec![store_error(&it)]))?;
            if moved || scope.everything {
                self.forget();
            }
        }
        let narrow = scope.narrow(&self.state);
        for key in narrow.objects {
            self.seen.remove(&QuestionKey::Current(key));
        }
        self.seen.retain(|_, answer| !matches!(answer, Answer::Failed { .. }));
        if narrow.beside {
            self.foreign = None;
        }
        self.prepared.inputs.plan_time = planning::seconds_now();
        self.prepared.run = planning::random();
        let foreign = self.foreign.take();
        let wanted = Wanted {
            ignored: &self.ignored,
            excluded: &self.excluded,
            previous: &self.previous,
            foreign: if self.surveys { foreign.as_deref() } else { Some(&[]) },
        };
        // If it fails, everything is looked at again.
        let seen = std::mem::take(&mut self.seen);
        let observer: Arc<dyn Observer> = Arc::new(Silent);
        let looking =
            look(&self.engine, &self.prepared, &self.state, seen, wanted, &observer, interrupt);
        match looking.await {
            Ok(Some(Looked { report, outcome, foreign })) => {
                self.seen = outcome.seen;
                self.providers = outcome.planned.providers;
                self.foreign = Some(foreign);
                self.previous = report.first_seen();
                Ok(Some(report))
            }
            Ok(None) => Ok(None),
            Err(diagnostics) => {
                self.engine.reconnect();
                Err(failed(&diagnostics))
            }
        }
    }

    /// Takes in what a repair left, and forgets what was seen of what it touched.
    pub(crate) fn repaired(&mut self, touched: &BTreeSet<ObjectKey>) {
        if self.read_state().is_err() {
            // The next look says why.
            self.state_marks = Marks::default();
        }
        self.seen.retain(|it, _| match it {
            QuestionKey::Current(key) => !touched.contains(key),
            QuestionKey::Data(..) | QuestionKey::Made(_) => false,
            QuestionKey::Import(..) | QuestionKey::File(_) | QuestionKey::Fact { .. } => true,
        });
    }
}

/// Of everything that the configuration was read from.
fn digest(prepared: &Prepared) -> String {
    let mut hash = Sha256::new();
    for (dir, files) in &prepared.loaded.folders {
        for (name, bytes) in files {
            hash.update(format!("{dir}\0{name}\0{}\0", bytes.len()));
            hash.update(bytes);
        }
    }
    let hash = hash.finalize();
    hash.iter().map(|it| format!("{it:02x}")).collect()
}

/// What goes wrong, in a line or a few.
pub(crate) fn first(diagnostics: &Diagnostics) -> Arc<str> {
    let errors = diagnostics.iter().filter(|it| it.is_error());
    let Some(it) = errors.into_iter().next() else { return "it does not say why".into() };
    let about = it.address.as_ref().map(|it| format!("{it}: ")).unwrap_or_default();
    let detail = it.detail.split_whitespace().collect::<Vec<_>>().join(" ");
    match detail.is_empty() {
        true => format!("{about}{}", it.summary).into(),
        false => format!("{about}{}: {detail}", it.summary).into(),
    }
}

/// Who works on the state.
pub(crate) fn holder_text(holder: Option<&LockInfo>) -> Arc<str> {
    match holder {
        Some(it) => format!("{} ({}, since {})", it.who, it.operation, it.created).into(),
        None => "somebody".into(),
    }
}
