//! What every place for states has to do, done with all of them: a local folder, a server that speaks
//! HTTP, a PostgreSQL and an S3 store (`tests/rigs/{postgres,s3}/up`).

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

mod servers;

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use plumb_backend::{Configured, Setting, configure};
use plumb_model::addr::Addr;
use plumb_model::event::{Effect, Event, Intended, Intent};
use plumb_model::schema::Schemas;
use plumb_model::state::{State, Token};
use plumb_model::value::Value;
use plumb_state::backend::{Held, Place};
use plumb_state::{Backup, Folder, LockInfo, Opened, Store, StoreError};
use serde_json::json;
use servers::http::StateServer;

/// A place of its own for one test.
struct World {
    folder: tempfile::TempDir,
    _server: Option<StateServer>,
    /// Enough to find the place again from another process.
    recipe: Recipe,
}

#[derive(Clone, serde::Serialize, serde::Deserialize)]
struct Recipe {
    kind: String,
    config: std::collections::BTreeMap<String, serde_json::Value>,
    folder: String,
}

fn rig(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: start the rigs first"))
}

impl World {
    fn new(kind: &str) -> World {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_str().unwrap().to_owned();
        let own = uuid::Uuid::new_v4().simple().to_string();
        let mut server = None;
        let config = match kind {
            "local" => json!({}),
            "http" => {
                let it = server.insert(StateServer::start());
                json!({ "address": it.url(), "lock_address": it.lock_url(), "unlock_address": it.lock_url() })
            }
            "pg" => json!({
                "conn_str": rig("PLUMB_PG_CONN_STR"),
                "schema_name": format!("suite_{own}"),
            }),
            "s3" => json!({
                "bucket": rig("PLUMB_S3_BUCKET"),
                "key": format!("suite/{own}.tfstate"),
                "region": rig("PLUMB_S3_REGION"),
                "access_key": rig("PLUMB_S3_ACCESS_KEY"),
                "secret_key": rig("PLUMB_S3_SECRET_KEY"),
                "endpoints": { "s3": rig("PLUMB_S3_ENDPOINT") },
                "use_path_style": true,
                "use_lockfile": true,
            }),
            other => panic!("{other}"),
        };
        let config = config.as_object().unwrap().clone().into_iter().collect();
        let recipe = Recipe { kind: kind.to_owned(), config, folder: path };
        World { folder, _server: server, recipe }
    }

    fn store(&self) -> Store {
        self.recipe.store()
    }

    fn open(&self) -> Opened {
        patiently(&self.store())
    }
}

impl Recipe {
    fn configured(&self) -> Arc<dyn Configured> {
        let setting = Setting {
            config: self.config.clone(),
            folder: self.folder.as_str().into(),
            ..Setting::default()
        };
        configure(&self.kind, &setting).unwrap_or_else(|it| panic!("{it:?}"))
    }

    fn place(&self) -> Arc<dyn Place> {
        match &*self.kind {
            "local" => {
                Arc::new(Folder::new(format!("{}/terraform.tfstate", self.folder), Backup::Beside))
            }
            _ => self.configured().place("default").unwrap(),
        }
    }

    fn store(&self) -> Store {
        Store::new(self.place(), Arc::new(Schemas::default()))
    }
}

/// Opens it as soon as nobody else has it.
fn patiently(store: &Store) -> Opened {
    let since = Instant::now();
    loop {
        match store.open(Some(&LockInfo::new("suite"))) {
            Ok(opened) => return opened,
            Err(StoreError::Locked { .. }) if since.elapsed() < Duration::from_secs(60) => {
                std::thread::sleep(Duration::from_millis(20));
            }
            Err(error) => panic!("{error}: {:?}", error.advice()),
        }
    }
}

fn output(name: &str, value: i64) -> Event {
    Event::Output { name: name.into(), value: Some(Value::number(value)) }
}

fn record(opened: &mut Opened, events: &[Event]) {
    opened.lease.append(events).unwrap();
    events.iter().for_each(|it| opened.state.record(it).unwrap());
}

fn content(state: &State) -> State {
    State { serial: 0, ..state.clone() }
}

fn doubt() -> Event {
    let addr: Addr = "terraform_data.a".parse().unwrap();
    let provider = "provider[\"terraform.io/builtin/terraform\"]".parse().unwrap();
    Event::Started {
        token: Token { run: 7, step: 1 },
        intent: Intent {
            action: Intended::Create { addr, retire: None },
            provider: Arc::new(provider),
            planned: Value::object([("input", Value::string("x"))]),
            schema_version: 0,
            needs: Arc::from([].as_slice()),
            create_before_destroy: false,
        },
    }
}

macro_rules! everywhere {
    ($($case:ident),* $(,)?) => {
        $(mod $case {
            #[test]
            fn local() {
                super::cases::$case("local");
            }
            #[test]
            fn http() {
                super::cases::$case("http");
            }
            #[test]
            fn pg() {
                super::cases::$case("pg");
            }
            #[test]
            fn s3() {
                super::cases::$case("s3");
            }
        })*
    };
}

everywhere!(
    a_life,
    writers_take_turns,
    a_reader_needs_no_lock,
    a_dead_writer_is_followed,
    doubts_outlive_a_folding,
    a_broken_lock_is_no_longer_the_holders,
    a_state_is_replaced,
);

mod cases {
    use super::*;

    pub(crate) fn a_life(kind: &str) {
        let world = World::new(kind);
        let mut opened = world.open();
        assert!(opened.state.is_empty());
        record(&mut opened, &[Event::RunStarted { run: 1 }, output("a", 1)]);
        assert_eq!(opened.lease.checkpoint(&opened.state).unwrap(), 1);
        record(&mut opened, &[output("a", 2)]);
        assert_eq!(opened.lease.checkpoint(&opened.state).unwrap(), 2);
        let after = content(&opened.state);
        opened.lease.close().unwrap();

        let store = world.store();
        assert_eq!(store.held().unwrap(), if kind == "http" { Held::Unknown } else { Held::Free });
        let mut opened = world.open();
        assert_eq!((content(&opened.state), opened.recovery.events), (after, 0));
        // Nothing changes: the serial stays.
        record(&mut opened, &[Event::RunStarted { run: 2 }]);
        assert_eq!(opened.lease.checkpoint(&opened.state).unwrap(), 2);
        record(&mut opened, &[output("b", 3)]);
        assert_eq!(opened.lease.checkpoint(&opened.state).unwrap(), 3);
        opened.lease.close().unwrap();
        // What a run replaced is put away.
        assert_eq!(store.past().unwrap(), [2]);
        let past = store.past_state(2).unwrap().unwrap();
        assert_eq!((past.serial, past.outputs.len()), (2, 1));
        assert!(store.past_state(1).unwrap().is_none());
        let told = store.history().unwrap();
        assert_eq!(told.iter().map(|it| it.serial).collect::<Vec<_>>(), [1, 2, 3]);
    }

    pub(crate) fn writers_take_turns(kind: &str) {
        const WRITERS: i64 = 3;
        const TURNS: i64 = 4;
        let world = World::new(kind);
        let counter =
            |state: &State| state.outputs.get("n").and_then(|it| it.as_i64()).unwrap_or_default();
        std::thread::scope(|scope| {
            for _ in 0..WRITERS {
                scope.spawn(|| {
                    let store = world.store();
                    for _ in 0..TURNS {
                        let mut opened = patiently(&store);
                        let next = output("n", counter(&opened.state) + 1);
                        record(&mut opened, &[next]);
                        opened.lease.checkpoint(&opened.state).unwrap();
                        opened.lease.close().unwrap();
                    }
                });
            }
        });
        let (state, _) = world.store().read_only().unwrap();
        assert_eq!(counter(&state), WRITERS * TURNS, "a turn was lost");
    }

    pub(crate) fn a_reader_needs_no_lock(kind: &str) {
        let world = World::new(kind);
        let mut opened = world.open();
        record(&mut opened, &[output("a", 1)]);
        opened.lease.checkpoint(&opened.state).unwrap();
        record(&mut opened, &[output("a", 2)]);
        let store = world.store();
        match store.open(Some(&LockInfo::new("second"))) {
            Err(StoreError::Locked { .. }) => {}
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("not locked"),
        }
        let (seen, recovery) = store.read_only().unwrap();
        assert_eq!((content(&seen), recovery.events), (content(&opened.state), 1));
    }

    pub(crate) fn a_dead_writer_is_followed(kind: &str) {
        let world = World::new(kind);
        let recipe = serde_json::to_string(&world.recipe).unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "dies", "--include-ignored", "--nocapture"])
            .env("PLUMB_SUITE_RECIPE", recipe)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let ready = world.folder.path().join("ready");
        let since = Instant::now();
        while !ready.exists() {
            assert!(since.elapsed() < Duration::from_secs(60), "the writer does not come up");
            std::thread::sleep(Duration::from_millis(20));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let opened = world.open();
        assert_eq!(opened.recovery.events, 2, "what it was told is durable is there");
        assert_eq!(opened.state.outputs.len(), 1);
        opened.lease.close().unwrap();
    }

    pub(crate) fn doubts_outlive_a_folding(kind: &str) {
        let world = World::new(kind);
        let mut opened = world.open();
        record(&mut opened, &[Event::RunStarted { run: 7 }, doubt(), output("a", 1)]);
        opened.lease.checkpoint(&opened.state).unwrap();
        record(&mut opened, &[output("a", 2)]);
        drop(opened);
        let mut opened = world.open();
        assert_eq!((opened.recovery.in_doubt, opened.state.outputs.len()), (1, 1));
        let settled = Event::Settled { token: Token { run: 7, step: 1 }, left: Effect::Nothing };
        record(&mut opened, &[settled]);
        opened.lease.checkpoint(&opened.state).unwrap();
        drop(opened);
        assert_eq!(world.open().recovery, plumb_state::Recovery::default());
    }

    pub(crate) fn a_broken_lock_is_no_longer_the_holders(kind: &str) {
        let world = World::new(kind);
        let store = world.store();
        let info = LockInfo::new("first");
        let mut first = store.open(Some(&info)).unwrap();
        record(&mut first, &[output("a", 1)]);
        first.lease.checkpoint(&first.state).unwrap();
        record(&mut first, &[output("a", 2)]);
        assert!(store.break_lock("another-id").is_err());
        store.break_lock(&info.id).unwrap();

        let mut second = patiently(&store);
        assert_eq!(content(&second.state), content(&first.state), "what was durable is kept");
        record(&mut second, &[output("b", 1)]);
        // Not everywhere is the first one told at once; but nothing that it does counts.
        let lost = first.lease.append(&[output("c", 1)]);
        let told = lost.and_then(|()| first.lease.checkpoint(&first.state).map(drop));
        assert!(matches!(told, Err(StoreError::Fenced { .. })), "{told:?}");
        record(&mut second, &[output("d", 1)]);
        second.lease.checkpoint(&second.state).unwrap();
        let kept = content(&second.state);
        drop(first);
        second.lease.close().unwrap();
        let (state, recovery) = store.read_only().unwrap();
        assert_eq!((content(&state), recovery.events), (kept, 0));
    }

    pub(crate) fn a_state_is_replaced(kind: &str) {
        let world = World::new(kind);
        let mut opened = world.open();
        record(&mut opened, &[output("a", 1)]);
        opened.lease.checkpoint(&opened.state).unwrap();
        let mut pushed = State { lineage: "another".into(), serial: 40, ..State::default() };
        pushed.record(&output("z", 9)).unwrap();
        opened.lease.replace(&pushed).unwrap();
        opened.lease.close().unwrap();
        let (state, _) = world.store().read_only().unwrap();
        assert_eq!(state, pushed);
    }
}

/// Not a test: the process that `a_dead_writer_is_followed` kills.
#[test]
#[ignore = "it is run by another test"]
fn dies() {
    let recipe: Recipe = serde_json::from_str(&rig("PLUMB_SUITE_RECIPE")).unwrap();
    let mut opened = patiently(&recipe.store());
    record(&mut opened, &[Event::RunStarted { run: 1 }]);
    record(&mut opened, &[output("a", 1)]);
    std::fs::write(format!("{}/ready", recipe.folder), "").unwrap();
    std::thread::sleep(Duration::from_secs(120));
}
