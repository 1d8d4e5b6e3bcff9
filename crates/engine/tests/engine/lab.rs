//! A folder with a state, two providers, and an engine to plan and apply with.

use std::sync::{Arc, Mutex};

use camino::Utf8PathBuf;
use plumb_diag::{Diagnostic, Diagnostics, Sources};
use plumb_engine::{
    Applied, ApplyRequest, Engine, Interrupt, Interrupter, Journal, Notice, Observer, PlanOutcome,
    PlanRequest,
};
use plumb_lang::{Inputs, ModuleTree, Program, compile, config};
use plumb_model::question::Observations;
use plumb_model::state::State;
use plumb_planner::{Options, PlanMode};
use plumb_provider::Edge;
use plumb_state::{Backup, Folder, Lease, Opened, Store};
use tempfile::TempDir;

use crate::cloud::{self, Cloud};

/// A life of a configuration.
pub struct Lab {
    pub cloud: Cloud,
    pub parallelism: usize,
    /// How much the provider `lab` takes at a time.
    pub limit: Option<usize>,
    pub options: Options,
    pub folder: TempDir,
    pub seen: Arc<Seen>,
    pub run: u64,
}

/// Remembers what it was told.
#[derive(Default)]
pub struct Seen(Mutex<Vec<String>>);

impl Seen {
    pub fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    pub fn has(&self, line: &str) -> bool {
        self.lines().iter().any(|it| it == line)
    }
}

impl Observer for Seen {
    fn notice(&self, notice: Notice<'_>) {
        let line = match notice {
            Notice::RefreshStarted(key, _) => format!("refresh {key}"),
            Notice::RefreshDone(..) | Notice::ReadDone(..) | Notice::Progress(..) => return,
            Notice::ReadStarted(key) => format!("read {key}"),
            Notice::Started(key, what, _) => format!("{what} {key}"),
            Notice::Done(key, what, ..) => format!("{what} {key}: done"),
            Notice::Failed(key, what, _, why) => format!("{what} {key}: {}", why.summary),
            Notice::Retrying(key, attempt, _) => format!("again {key} {attempt}"),
            Notice::Provisioner(key, what) => format!("provision {key}: {what:?}"),
            Notice::Interrupted(level) => format!("interrupted {level}"),
        };
        self.0.lock().unwrap().push(line);
    }
}

/// A plan that was made, and the state that it was made from.
pub struct Ready {
    pub program: Program,
    pub inputs: Inputs,
    pub outcome: PlanOutcome,
    pub state: State,
    pub lease: Lease,
    pub engine: Arc<Engine>,
    pub observer: Arc<dyn Observer>,
}

impl Ready {
    pub async fn apply(self, interrupt: &Interrupt) -> Applied {
        let Ready { program, inputs, outcome, state, mut lease, engine, observer } = self;
        let request = ApplyRequest { program: &program, inputs: &inputs, outcome, state };
        let applied = engine.apply(request, &mut lease, &observer, interrupt).await;
        lease.close().unwrap();
        applied
    }

    /// With another journal in place of the lease.
    pub async fn apply_to(self, journal: impl FnOnce(Lease) -> Box<dyn Journal + Send>) -> Applied {
        let Ready { program, inputs, outcome, state, lease, engine, observer } = self;
        let (_keep, interrupt) = Interrupter::pair();
        let request = ApplyRequest { program: &program, inputs: &inputs, outcome, state };
        let mut journal = journal(lease);
        engine.apply(request, &mut *journal, &observer, &interrupt).await
    }
}

impl Lab {
    pub fn new() -> Lab {
        Lab {
            cloud: Cloud::default(),
            parallelism: 10,
            limit: None,
            options: Options::default(),
            folder: TempDir::new().unwrap(),
            seen: Arc::default(),
            run: 0,
        }
    }

    pub fn path(&self, name: &str) -> Utf8PathBuf {
        Utf8PathBuf::try_from(self.folder.path().join(name)).unwrap()
    }

    pub fn journal(&self) -> Utf8PathBuf {
        self.path(".terraform.tfstate.journal")
    }

    pub fn engine(&self) -> Arc<Engine> {
        let lab = cloud::Lab::new("lab", &self.cloud, self.limit);
        let side = cloud::Lab::new("side", &self.cloud, None);
        let edge = Edge { directory: self.folder.path().into(), ..Edge::default() };
        Arc::new(Engine::new(vec![Arc::new(lab), Arc::new(side)], edge, self.parallelism))
    }

    /// Opens the state; whatever the last run left to do is done by that.
    pub fn open(&self) -> Opened {
        let store = Store::new(
            Arc::new(Folder::new(self.path("terraform.tfstate"), Backup::Beside)),
            self.engine().schemas().clone(),
        );
        store.open(None).unwrap()
    }

    pub async fn plan(&mut self, text: &str) -> Result<Ready, Diagnostics> {
        let (_keep, interrupt) = Interrupter::pair();
        self.plan_with(text, &interrupt).await
    }

    pub async fn plan_with(
        &mut self,
        text: &str,
        interrupt: &Interrupt,
    ) -> Result<Ready, Diagnostics> {
        let engine = self.engine();
        let program = program(text, &engine);
        let inputs = Inputs {
            workspace: "default".into(),
            working_dir: self.folder.path().to_str().unwrap().into(),
            plan_time: "2026-01-01T00:00:00Z".into(),
            apply_time: Some("2026-01-01T00:00:01Z".into()),
            ..Inputs::default()
        };
        let Opened { state, lease, .. } = self.open();
        self.run += 1;
        let request = PlanRequest {
            program: &program,
            inputs: &inputs,
            state: &state,
            options: &self.options,
            run: self.run,
        };
        self.seen = Arc::default();
        let observer: Arc<dyn Observer> = self.seen.clone();
        let outcome = engine.plan(request, Observations::new(), &observer, interrupt).await?;
        Ok(Ready { program, inputs, outcome, state, lease, engine, observer })
    }

    pub async fn apply(&mut self, text: &str) -> Applied {
        let (_keep, interrupt) = Interrupter::pair();
        let ready = self.plan(text).await.unwrap_or_else(|it| panic!("{it:#?}"));
        ready.apply(&interrupt).await
    }

    /// Applies, and all goes well.
    pub async fn good(&mut self, text: &str) -> Applied {
        let applied = self.apply(text).await;
        assert!(applied.diagnostics.is_empty(), "{:#?}", applied.diagnostics);
        assert_eq!((applied.in_doubt, applied.skipped.len(), applied.remaining.len()), (0, 0, 0));
        assert!(!self.journal().exists(), "it is folded");
        applied
    }

    /// What is stored is what exists, and there is nothing left to do.
    pub async fn settled(&mut self, text: &str) {
        let ready = self.plan(text).await.unwrap_or_else(|it| panic!("{it:#?}"));
        let plan = &ready.outcome.planned.plan;
        assert!(plan.is_empty() && plan.refresh.is_empty(), "{:#?}", plan.refresh);
        let stored: Vec<&str> = (ready.state.objects.values())
            .filter_map(|it| it.attrs.get_attr("id")?.as_str())
            .collect();
        for id in self.cloud.get().objects.keys() {
            assert!(stored.contains(&&**id), "{id} exists and nobody knows");
        }
    }

    pub async fn destroy(&mut self, text: &str) {
        self.options.mode = PlanMode::Destroy;
        self.good(text).await;
        self.options.mode = PlanMode::Normal;
        assert!(self.cloud.get().objects.is_empty());
    }
}

fn program(text: &str, engine: &Engine) -> Program {
    let mut sources = Sources::default();
    let id = sources.add("main.tf", text);
    let (module, diagnostics) = config::decode_texts([("main.tf", id, text)]);
    assert!(diagnostics.is_empty(), "{diagnostics:#?}");
    let tree = ModuleTree { root: ".".into(), dirs: [(".".into(), Arc::new(module))].into() };
    let (program, diagnostics) = compile(&tree, engine.schemas());
    assert!(diagnostics.is_empty(), "{diagnostics:#?}");
    program
}

/// `count` things that do not know each other.
pub fn things(kind: &str, count: usize) -> String {
    let one = |it: usize| format!("resource \"{kind}\" \"t{it}\" {{ name = \"t{it}\" }}\n");
    (0..count).map(one).collect()
}

/// Diagnostics as text: address, summary, detail.
pub fn told(diagnostics: &[Diagnostic]) -> String {
    let one = |it: &Diagnostic| {
        let address = it.address.as_deref().unwrap_or("-");
        format!("{address}: {}\n{}\n", it.summary, it.detail)
    };
    diagnostics.iter().map(one).collect()
}
