//! What the tests stand on: a connection to the rig's engine, and the planner's rules in small.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use plumb_model::addr::Kind;
use plumb_model::event::{Effect, Remote};
use plumb_model::propose::{admits, mask, propose, replacing};
use plumb_model::schema::{RefineInput, ResourceSchema};
use plumb_model::state::Token;
use plumb_model::value::{Type, Value, convert};
use plumb_provider::{
    CallContext, Connection, Edge, Failure, Outcome, Progress, Provider, ReadRequest,
};
use plumb_provider_docker::DockerProvider;

pub(crate) struct World {
    pub(crate) provider: DockerProvider,
    pub(crate) connection: Arc<dyn Connection>,
    pub(crate) edge: Edge,
    pub(crate) folder: tempfile::TempDir,
    /// Before every name, so that tests run side by side.
    pub(crate) prefix: String,
    pub(crate) said: Arc<Mutex<Vec<Progress>>>,
    /// Each test is a run of its own: what one makes is nothing that another left behind.
    run: u64,
}

pub(crate) fn env(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!(
            "{name} is not set: start the engine with tests/rigs/docker/up and eval what it prints"
        )
    })
}

/// A value from its parts: `obj! { name: "a", memory: 64 }`.
#[macro_export]
macro_rules! obj {
    ($($name:ident : $value:expr),* $(,)?) => {
        plumb_model::value::Value::object([
            $((stringify!($name), $crate::world::Given::value($value))),*
        ] as [(&str, plumb_model::value::Value); _])
    };
}

pub(crate) trait Given {
    fn value(self) -> Value;
}

impl Given for Value {
    fn value(self) -> Value {
        self
    }
}
impl Given for &str {
    fn value(self) -> Value {
        Value::string(self)
    }
}
impl Given for String {
    fn value(self) -> Value {
        Value::string(self)
    }
}
impl Given for i64 {
    fn value(self) -> Value {
        Value::number(self)
    }
}
impl Given for bool {
    fn value(self) -> Value {
        Value::bool(self)
    }
}
impl<T: Given, const N: usize> Given for [T; N] {
    fn value(self) -> Value {
        Value::tuple(self.into_iter().map(Given::value).collect())
    }
}

/// What a plan says of one resource.
pub(crate) struct Plan {
    pub(crate) planned: Value,
    pub(crate) replace: Vec<String>,
    pub(crate) changes: bool,
}

impl World {
    pub(crate) async fn new(name: &str) -> World {
        World::with(name, Value::object([] as [(&str, Value); 0])).await
    }

    /// With a `provider` block.
    pub(crate) async fn with(name: &str, config: Value) -> World {
        let folder = tempfile::tempdir().unwrap();
        let edge = Edge {
            env: [("DOCKER_HOST".to_owned(), env("DOCKER_HOST"))].into(),
            directory: folder.path().to_owned(),
            home: None,
        };
        let provider = DockerProvider::default();
        let config = complete(provider.schema().config.ty(), &config);
        let connection = provider.connect(&config, &edge).await.unwrap();
        let prefix = format!("plumb-it-{name}");
        let said = Arc::default();
        static WORLDS: AtomicU32 = AtomicU32::new(0);
        let run = u64::from(std::process::id()) << 32;
        let run = run | u64::from(WORLDS.fetch_add(1, Ordering::Relaxed));
        let world = World { provider, connection, edge, folder, prefix, said, run };
        world.clear();
        world
    }

    pub(crate) fn name(&self, rest: &str) -> String {
        format!("{}-{rest}", self.prefix)
    }

    pub(crate) fn call(&self) -> CallContext {
        static STEP: AtomicU32 = AtomicU32::new(0);
        let run = self.run;
        let token = Token { run, step: STEP.fetch_add(1, Ordering::Relaxed) };
        let said = self.said.clone();
        CallContext {
            token,
            address: "test".into(),
            progress: Arc::new(move |it| said.lock().unwrap().push(it)),
        }
    }

    pub(crate) fn schema(&self, kind: &str) -> Arc<ResourceSchema> {
        self.provider.schema().resources[&Kind::new(kind)].clone()
    }

    /// Config as written, null where nothing is.
    pub(crate) fn config(&self, kind: &str, written: &Value) -> Value {
        complete_block(&self.schema(kind).block, written)
    }

    pub(crate) async fn plan(&self, kind: &str, written: &Value, prior: Option<&Remote>) -> Plan {
        let schema = self.schema(kind);
        let config = self.config(kind, written);
        let problems = schema.validate.map(|it| it(&config)).unwrap_or_default();
        assert!(problems.is_empty(), "{problems:?}");
        let prior = prior.map(|it| &it.attrs);
        let proposed = propose(&schema.block, &config, prior);
        let mut known = std::collections::BTreeMap::new();
        let refined = loop {
            let Some(refine) = schema.refine else { break (proposed, Vec::new()) };
            let mut asked = None;
            let mut facts = |fact: &str, query: &Value| {
                let key = (fact.to_owned(), query.clone());
                let answer = known.get(&key).cloned();
                if answer.is_none() {
                    asked = Some(key);
                }
                answer
            };
            let refined = refine(RefineInput {
                config: &config,
                prior,
                proposed: proposed.clone(),
                replaced: &[],
                facts: &mut facts,
            });
            match asked {
                None => break (refined.planned, refined.replace),
                Some((fact, query)) => {
                    let answer = self.provider.fact(&fact, &query, &self.edge).await.unwrap();
                    known.insert((fact, query), answer);
                }
            }
        };
        let (planned, mut replace) = refined;
        let changes = prior.is_none_or(|prior| *prior != planned);
        if let Some(prior) = prior {
            replace.extend(replacing(&schema.block, prior, &planned));
        }
        let replace = replace.iter().map(|it| format!("{it:?}").trim_start_matches('.').to_owned());
        let replace = replace.collect();
        Plan { planned, replace, changes }
    }

    /// Creates; what comes back keeps the plan's promise, and reading it back changes nothing.
    pub(crate) async fn make(&self, kind: &str, written: &Value) -> Remote {
        let (remote, _) = self.make_with_token(kind, written).await;
        remote
    }

    pub(crate) async fn make_with_token(&self, kind: &str, written: &Value) -> (Remote, Token) {
        let plan = self.plan(kind, written, None).await;
        let call = self.call();
        let outcome =
            self.connection.create(&call, &Kind::new(kind), &settled(&plan.planned)).await;
        let remote = self.made(kind, &plan.planned, outcome);
        assert!(remote.complete);
        let again = self.plan(kind, written, Some(&remote)).await;
        assert!(
            !again.changes,
            "a second plan changes\n{:#?}\nto\n{:#?}",
            remote.attrs, again.planned
        );
        let read = self.read(kind, &remote).await.unwrap();
        assert_eq!(read.attrs, remote.attrs, "reading back changes something");
        (remote, call.token)
    }

    /// Creates what must not be created.
    pub(crate) async fn refused(&self, kind: &str, written: &Value) -> (Effect, Failure) {
        let plan = self.plan(kind, written, None).await;
        let outcome =
            self.connection.create(&self.call(), &Kind::new(kind), &settled(&plan.planned)).await;
        assert!(!outcome.lost);
        (outcome.left, outcome.failure.expect("a failure"))
    }

    fn made(&self, kind: &str, planned: &Value, outcome: Outcome) -> Remote {
        assert_eq!(outcome.failure, None);
        let Effect::Made(remote) = outcome.left else { panic!("left {:?}", outcome.left) };
        assert!(remote.attrs.is_wholly_known());
        assert_eq!(&remote.attrs.ty(), self.schema(kind).block.ty(), "attributes of the schema");
        let attrs = mask(&self.schema(kind).block, planned, &remote.attrs);
        for (name, promised) in planned.as_map().unwrap() {
            let kept = attrs.get_attr(name).unwrap();
            assert!(admits(promised, kept), "{name} was promised {promised:?} and is {kept:?}");
        }
        Remote { attrs, ..remote }
    }

    /// Changes in place.
    pub(crate) async fn change(&self, kind: &str, prior: &Remote, written: &Value) -> Remote {
        let plan = self.plan(kind, written, Some(prior)).await;
        assert_eq!(plan.replace, Vec::<String>::new(), "changes in place");
        assert!(plan.changes, "there is something to change");
        let call = self.call();
        let outcome =
            self.connection.update(&call, &Kind::new(kind), prior, &settled(&plan.planned)).await;
        let remote = self.made(kind, &plan.planned, outcome);
        let read = self.read(kind, &remote).await.unwrap();
        assert_eq!(read.attrs, remote.attrs, "reading back changes something");
        assert!(
            !self.plan(kind, written, Some(&read)).await.changes,
            "a second plan changes nothing"
        );
        remote
    }

    pub(crate) async fn read(&self, kind: &str, prior: &Remote) -> Option<Remote> {
        let request = ReadRequest { kind: Kind::new(kind), prior: prior.clone(), whole: true };
        let mut answers = self.connection.read(&[request]).await;
        assert_eq!(answers.len(), 1);
        let seen = answers.remove(0).unwrap()?;
        let attrs = mask(&self.schema(kind).block, &prior.attrs, &seen.attrs);
        Some(Remote { attrs, ..seen })
    }

    pub(crate) async fn find(&self, kind: &str, token: Token, written: &Value) -> Option<Remote> {
        let plan = self.plan(kind, written, None).await;
        self.connection.find(&Kind::new(kind), token, &settled(&plan.planned)).await.unwrap()
    }

    pub(crate) async fn delete(&self, kind: &str, prior: &Remote) {
        let outcome = self.connection.delete(&self.call(), &Kind::new(kind), prior).await;
        assert_eq!((outcome.failure, outcome.left), (None, Effect::Deleted));
        // An image may live on under other names.
        let left = self.read(kind, prior).await;
        let lives_on = |it: &Remote| it.attrs.get_attr("name").and_then(Value::as_str) == Some("");
        let kept = prior.attrs.get_attr("keep_locally") == Some(&Value::TRUE);
        assert!(kept || left.is_none_or(|it| lives_on(&it)));
        // Deleting what is gone is fine.
        let again = self.connection.delete(&self.call(), &Kind::new(kind), prior).await;
        assert_eq!(again.failure, None);
    }

    /// Brings in what someone else made; the configuration that fits it changes nothing.
    pub(crate) async fn bring_in(&self, kind: &str, id: &str, written: &Value) -> Remote {
        let remote = self.connection.import(&Kind::new(kind), id).await.unwrap().unwrap();
        let block = &self.schema(kind).block;
        assert_eq!(&remote.attrs.ty(), block.ty());
        let managed = propose(block, &self.config(kind, written), Some(&remote.attrs));
        let attrs = mask(block, &managed, &remote.attrs);
        let remote = Remote { attrs, ..remote };
        let plan = self.plan(kind, written, Some(&remote)).await;
        assert_eq!(plan.replace, Vec::<String>::new());
        remote
    }

    pub(crate) async fn cannot_delete(&self, kind: &str, prior: &Remote) -> Failure {
        let outcome = self.connection.delete(&self.call(), &Kind::new(kind), prior).await;
        assert_eq!(outcome.left, Effect::Nothing);
        outcome.failure.expect("a failure")
    }

    pub(crate) async fn data(&self, kind: &str, written: &Value) -> Result<Value, Failure> {
        let schema = self.provider.schema().data[&Kind::new(kind)].clone();
        let config = complete_block(&schema.block, written);
        let config = settled(&propose(&schema.block, &config, None));
        let answer = self.connection.data(&Kind::new(kind), &config).await?;
        assert_eq!(&answer.ty(), schema.block.ty());
        Ok(answer)
    }

    /// Something done by hand.
    pub(crate) fn docker(&self, arguments: &[&str]) -> String {
        let output = Command::new(env("PLUMB_RIG_DOCKER"))
            .env("DOCKER_HOST", env("DOCKER_HOST"))
            .args(arguments)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "docker {arguments:?}: {said}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    pub(crate) fn write(&self, path: &str, content: &str) {
        let path = self.folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// Removes what this test made now, or left in an earlier run.
    fn clear(&self) {
        let filter = format!("name={}", self.prefix);
        let list = |kind: &[&str]| {
            let mut arguments = kind.to_vec();
            arguments.extend(["ls", "-q", "--filter", &filter]);
            self.docker(&arguments).lines().map(str::to_owned).collect::<Vec<_>>()
        };
        for id in self.docker(&["ps", "-aq", "--filter", &filter]).lines() {
            self.docker(&["rm", "-fv", id]);
        }
        for id in list(&["network"]) {
            self.docker(&["network", "rm", &id]);
        }
        for id in list(&["volume"]) {
            self.docker(&["volume", "rm", "-f", &id]);
        }
        let images = format!("reference=*{}*", self.prefix);
        let format = "{{.Repository}}:{{.Tag}}";
        for name in self.docker(&["images", "--format", format, "--filter", &images]).lines() {
            self.docker(&["rmi", "-f", name]);
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.clear();
        }
    }
}

/// What was not promised is null, as in a call.
fn settled(value: &Value) -> Value {
    if !value.is_known() {
        return Value::null(value.ty());
    }
    match value.ty() {
        Type::Object(_) => {
            let items = value.as_map().into_iter().flatten();
            Value::object(items.map(|(name, it)| (name.clone(), settled(it))))
        }
        Type::List(ty) if value.is_present() => {
            Value::list((*ty).clone(), value.values().map(settled).collect())
        }
        Type::Set(ty) if value.is_present() => {
            Value::set((*ty).clone(), value.values().map(settled).collect())
        }
        _ => value.clone(),
    }
}

fn complete_block(block: &plumb_model::schema::Block, written: &Value) -> Value {
    for name in written.as_map().unwrap().keys() {
        assert!(block.ty().attribute(name).is_some(), "there is no argument {name}");
    }
    complete(block.ty(), written)
}

/// The value as one of the type, null where it says nothing; blocks that are not written are none.
fn complete(ty: &Type, written: &Value) -> Value {
    match ty {
        Type::Object(object) => Value::object(object.attrs.iter().map(|(name, ty)| {
            let given = written.get_attr(name).map(|it| complete(ty, it));
            let none = || match ty {
                Type::List(elem) if matches!(**elem, Type::Object(_)) && !is_computed(name) => {
                    Value::list((**elem).clone(), Vec::new())
                }
                Type::Set(elem) if matches!(**elem, Type::Object(_)) && !is_computed(name) => {
                    Value::set((**elem).clone(), Vec::new())
                }
                ty => Value::null(ty.clone()),
            };
            (name.clone(), given.unwrap_or_else(none))
        })),
        Type::List(elem) => {
            Value::list((**elem).clone(), written.values().map(|it| complete(elem, it)).collect())
        }
        Type::Set(elem) => {
            Value::set((**elem).clone(), written.values().map(|it| complete(elem, it)).collect())
        }
        Type::Map(elem) => {
            let items = written.as_map().into_iter().flatten();
            Value::map((**elem).clone(), items.map(|(key, it)| (key.clone(), complete(elem, it))))
        }
        ty => convert(written, ty).unwrap(),
    }
}

/// Attributes, not blocks, that hold objects.
fn is_computed(name: &str) -> bool {
    ["network_data"].contains(&name)
}
