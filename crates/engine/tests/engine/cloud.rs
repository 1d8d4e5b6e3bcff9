//! A system that does what tests tell it: wait, refuse, break down, lose replies.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use plumb_model::addr::Kind;
use plumb_model::event::{Effect, Remote};
use plumb_model::schema::{
    Attribute, Block, NestedBlock, Nesting, OnChange, Presence, ProviderSchema, RefineInput,
    Refined, ResourceSchema,
};
use plumb_model::state::Token;
use plumb_model::value::{Type, Value};
use plumb_provider::{
    CallContext, Connection, Edge, Failure, Outcome, Progress, Provider, ReadRequest,
};

/// What a call does, besides what it is asked for.
#[derive(Clone, Debug)]
pub enum Act {
    /// Nothing.
    Do,
    /// It takes its time.
    Slow(Duration),
    /// It fails and changes nothing.
    Refuse,
    /// The same, and trying again may help.
    Transient,
    /// It leaves something, and trying again may help.
    TransientLeaving,
    /// It acts and then breaks down.
    Panic,
    /// It acts, and no reply comes.
    Lose,
    /// It acts and then waits for ever.
    Hang,
    /// It says something that the schema does not allow.
    Babble,
}

type Hook = Box<dyn Fn(Token, &str, &Value) + Send + Sync>;

/// What exists, and what is to happen.
#[derive(Default)]
pub struct Inner {
    /// By id.
    pub objects: BTreeMap<String, (Token, Value)>,
    /// By verb and name: what the next calls do. The last one stays.
    pub acts: BTreeMap<String, VecDeque<Act>>,
    /// What all others do.
    pub usual: Option<Act>,
    /// What happened, in order.
    pub log: Vec<String>,
    /// Calls under way, and the most there ever were, by provider.
    pub busy: BTreeMap<&'static str, (usize, usize)>,
    /// The same, all together.
    pub busy_all: (usize, usize),
    /// How connecting fails, so often.
    pub unreachable: BTreeMap<&'static str, (usize, Failure)>,
    /// Looks at every call before it is made.
    pub hook: Option<Hook>,
}

/// A system.
#[derive(Clone, Default)]
pub struct Cloud(Arc<Mutex<Inner>>);

impl Cloud {
    pub fn get(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Says what calls do: `create a`.
    pub fn act(&self, call: &str, acts: impl IntoIterator<Item = Act>) {
        self.get().acts.insert(call.to_owned(), acts.into_iter().collect());
    }

    /// How often something is in the log.
    pub fn count(&self, what: &str) -> usize {
        self.get().log.iter().filter(|it| *it == what).count()
    }

    pub fn log(&self) -> Vec<String> {
        self.get().log.clone()
    }

    fn next(&self, call: &str) -> Act {
        let inner = &mut *self.get();
        inner.log.push(call.to_owned());
        let usual = inner.usual.clone().unwrap_or(Act::Do);
        let Some(acts) = inner.acts.get_mut(call) else { return usual };
        if acts.len() > 1 { acts.pop_front() } else { acts.front().cloned() }.unwrap_or(usual)
    }
}

/// A provider for it. Tests have several, with schemas that differ in the name alone.
pub struct Lab {
    pub name: &'static str,
    pub cloud: Cloud,
    pub limit: Option<usize>,
    pub schema: Arc<ProviderSchema>,
}

impl Lab {
    pub fn new(name: &'static str, cloud: &Cloud, limit: Option<usize>) -> Lab {
        let block = |list: Vec<(&str, Attribute)>, nested| {
            Block::new(list.into_iter().map(|(name, it)| (name.into(), it)).collect(), nested)
        };
        let optional = |ty: Type| Attribute::new(ty, Presence::Optional);
        let computed = |ty: Type| Attribute::new(ty, Presence::Computed);
        let string = || optional(Type::String);
        let times = ["create", "read", "update", "delete"].map(|it| (it, string()));
        let timeouts = NestedBlock {
            nesting: Nesting::Single,
            block: block(times.into(), BTreeMap::new()),
            min: 0,
            max: 1,
            on_change: OnChange::Update,
        };
        let thing = vec![
            ("id", computed(Type::String)),
            ("name", string()),
            ("size", optional(Type::Number)),
            ("fixed", string().replace()),
        ];
        let timeouts = || BTreeMap::from([("timeouts".into(), timeouts.clone())]);
        let thing = ResourceSchema::new(block(thing, timeouts()));
        let note = vec![("id", computed(Type::String)), ("text", string())];
        let note =
            ResourceSchema { local: true, ..ResourceSchema::new(block(note, BTreeMap::new())) };
        let hashed = vec![
            ("id", computed(Type::String)),
            ("name", string()),
            ("hash", computed(Type::String)),
        ];
        let hashed = ResourceSchema {
            refine: Some(refine),
            ..ResourceSchema::new(block(hashed, BTreeMap::new()))
        };
        let lookup = vec![
            ("id", computed(Type::String)),
            ("name", string()),
            ("value", computed(Type::String)),
        ];
        let lookup = ResourceSchema::new(block(lookup, timeouts()));
        let kind = |it: &str| Kind::new(format!("{name}_{it}"));
        let schema = ProviderSchema {
            source: format!("registry.terraform.io/plumb/{name}").into(),
            name: name.into(),
            config: block(vec![("region", string())], BTreeMap::new()),
            resources: [
                (kind("thing"), Arc::new(thing)),
                (kind("note"), Arc::new(note)),
                (kind("hashed"), Arc::new(hashed)),
            ]
            .into(),
            data: [(kind("lookup"), Arc::new(lookup))].into(),
        };
        Lab { name, cloud: cloud.clone(), limit, schema: Arc::new(schema) }
    }
}

fn refine(it: RefineInput<'_>) -> Refined {
    let name = it.config.get_attr("name").cloned().unwrap_or(Value::NULL);
    let mut planned = it.proposed.as_map().cloned().unwrap_or_default();
    let hash = if name.is_wholly_known() { (it.facts)("hash", &name) } else { None };
    planned.insert("hash".into(), hash.unwrap_or_else(|| Value::unknown(Type::String)));
    Refined::new(Value::object(planned))
}

#[async_trait]
impl Provider for Lab {
    fn schema(&self) -> &Arc<ProviderSchema> {
        &self.schema
    }

    fn concurrency(&self) -> Option<usize> {
        self.limit
    }

    async fn connect(&self, _: &Value, _: &Edge) -> Result<Arc<dyn Connection>, Failure> {
        self.cloud.next(&format!("connect {}", self.name));
        tokio::time::sleep(Duration::from_millis(5)).await;
        if let Some((times, failure)) = self.cloud.get().unreachable.get_mut(self.name)
            && *times > 0
        {
            *times -= 1;
            return Err(failure.clone());
        }
        Ok(Arc::new(Lines { name: self.name, cloud: self.cloud.clone() }))
    }

    async fn fact(&self, kind: &str, query: &Value, _: &Edge) -> Result<Value, Failure> {
        let name = query.as_str().unwrap_or("?").to_owned();
        match self.cloud.next(&format!("{kind} {name}")) {
            Act::Panic => panic!("{name} cannot be hashed"),
            Act::Refuse => Err(Failure::new("No such folder", format!("{name} is missing."))),
            _ => Ok(Value::string(format!("#{name}"))),
        }
    }
}

/// A connection to it.
struct Lines {
    name: &'static str,
    cloud: Cloud,
}

/// Counts calls under way.
struct Busy<'a>(&'a Lines);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        let inner = &mut *self.0.cloud.get();
        inner.busy.entry(self.0.name).or_default().0 -= 1;
        inner.busy_all.0 -= 1;
    }
}

fn text<'a>(attrs: &'a Value, name: &str) -> Option<&'a str> {
    attrs.get_attr(name).and_then(Value::as_str)
}

fn nonsense() -> Remote {
    Remote { attrs: Value::string("what?"), private: None, complete: true }
}

fn refused() -> Failure {
    Failure::new("Refused", "The system does not want to.")
}

impl Lines {
    fn busy(&self) -> Busy<'_> {
        let inner = &mut *self.cloud.get();
        for (now, most) in [inner.busy.entry(self.name).or_default(), &mut inner.busy_all] {
            *now += 1;
            *most = (*most).max(*now);
        }
        Busy(self)
    }

    /// Makes a call that would do `what`.
    async fn perform(
        &self,
        context: &CallContext,
        call: String,
        planned: &Value,
        what: impl Fn(&mut Inner) -> Effect,
    ) -> Outcome {
        let _busy = self.busy();
        if let Some(hook) = &self.cloud.get().hook {
            hook(context.token, &call, planned);
        }
        (context.progress)(Progress { message: "working".into(), amount: None });
        let act = self.cloud.next(&call);
        let done = || what(&mut self.cloud.get());
        match act {
            Act::Do => Outcome::left(done()),
            Act::Slow(time) => {
                tokio::time::sleep(time).await;
                Outcome::left(done())
            }
            Act::Refuse => Outcome::failed(refused()),
            Act::Transient => Outcome::failed(refused().transient()),
            Act::TransientLeaving => Outcome::failed_leaving(done(), refused().transient()),
            Act::Panic => {
                done();
                panic!("{call} is too much for it")
            }
            Act::Lose => {
                done();
                Outcome::lost(Failure::new("Connection reset", "It went away."))
            }
            Act::Hang => {
                done();
                std::future::pending().await
            }
            Act::Babble => {
                done();
                Outcome::made(nonsense().attrs)
            }
        }
    }

    fn made(&self, id: &str, token: Token, planned: &Value, inner: &mut Inner) -> Effect {
        let mut attrs = planned.as_map().cloned().unwrap_or_default();
        attrs.insert("id".into(), Value::string(id));
        let attrs = Value::object(attrs);
        inner.objects.insert(id.to_owned(), (token, attrs.clone()));
        Effect::Made(Remote { attrs, private: None, complete: true })
    }
}

#[async_trait]
impl Connection for Lines {
    async fn read(&self, requests: &[ReadRequest]) -> Vec<Result<Option<Remote>, Failure>> {
        let _busy = self.busy();
        match self.cloud.next(&format!("read {}", requests.len())) {
            Act::Panic => panic!("so many"),
            Act::Babble => return Vec::new(),
            Act::Hang => return std::future::pending().await,
            _ => {}
        }
        let read = |request: &ReadRequest| {
            let id = text(&request.prior.attrs, "id").unwrap_or_default();
            let name = text(&request.prior.attrs, "name").unwrap_or_default();
            match self.cloud.next(&format!("look {name}")) {
                Act::Refuse => return Err(refused()),
                Act::Transient => return Err(refused().transient()),
                Act::Babble => return Ok(Some(nonsense())),
                _ => {}
            }
            let found = self.cloud.get().objects.get(id).map(|it| it.1.clone());
            Ok(found.map(|attrs| Remote { attrs, private: None, complete: true }))
        };
        requests.iter().map(read).collect()
    }

    async fn find(&self, _: &Kind, token: Token, _: &Value) -> Result<Option<Remote>, Failure> {
        let _busy = self.busy();
        if let Act::Transient = self.cloud.next("find") {
            return Err(refused().transient());
        }
        let found = self.cloud.get().objects.values().find(|it| it.0 == token).cloned();
        Ok(found.map(|(_, attrs)| Remote { attrs, private: None, complete: true }))
    }

    async fn import(&self, _: &Kind, id: &str) -> Result<Option<Remote>, Failure> {
        let found = self.cloud.get().objects.get(id).map(|it| it.1.clone());
        Ok(found.map(|attrs| Remote { attrs, private: None, complete: true }))
    }

    async fn data(&self, _: &Kind, config: &Value) -> Result<Value, Failure> {
        let _busy = self.busy();
        let name = text(config, "name").unwrap_or_default();
        match self.cloud.next(&format!("data {name}")) {
            Act::Refuse => return Err(refused()),
            Act::Transient => return Err(refused().transient()),
            Act::Panic => panic!("nobody knows {name}"),
            Act::Babble => return Ok(nonsense().attrs),
            Act::Hang => std::future::pending().await,
            Act::Slow(time) => tokio::time::sleep(time).await,
            _ => {}
        }
        let mut attrs = config.as_map().cloned().unwrap_or_default();
        attrs.insert("id".into(), Value::string(name));
        attrs.insert("value".into(), Value::string(format!("<{name}>")));
        Ok(Value::object(attrs))
    }

    async fn create(&self, context: &CallContext, kind: &Kind, planned: &Value) -> Outcome {
        let id = context.token.to_string();
        if kind.ends_with("_note") {
            let mut attrs = planned.as_map().cloned().unwrap_or_default();
            attrs.insert("id".into(), Value::string(&*id));
            if text(planned, "text") == Some("panic") {
                panic!("it is not a note");
            }
            return Outcome::made(Value::object(attrs));
        }
        let name = text(planned, "name").unwrap_or_default();
        let call = format!("create {name}");
        self.perform(context, call, planned, |it| self.made(&id, context.token, planned, it)).await
    }

    async fn update(
        &self,
        context: &CallContext,
        _: &Kind,
        prior: &Remote,
        planned: &Value,
    ) -> Outcome {
        let id = text(&prior.attrs, "id").unwrap_or_default();
        let name = text(planned, "name").unwrap_or_default();
        let call = format!("update {name}");
        let token = self.cloud.get().objects.get(id).map_or(context.token, |it| it.0);
        self.perform(context, call, planned, |it| self.made(id, token, planned, it)).await
    }

    async fn delete(&self, context: &CallContext, _: &Kind, prior: &Remote) -> Outcome {
        let id = text(&prior.attrs, "id").unwrap_or_default();
        let name = text(&prior.attrs, "name").unwrap_or_default();
        self.perform(context, format!("delete {name}"), &prior.attrs, |it| {
            it.objects.remove(id);
            Effect::Deleted
        })
        .await
    }
}
