//! The provider, and one connection of it to a cloud.

use std::ffi::OsString;
use std::os::fd::AsRawFd as _;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use plumb_model::addr::Kind;
use plumb_model::event::{Effect, Remote};
use plumb_model::schema::ProviderSchema;
use plumb_model::state::Token;
use plumb_model::value::{Path, Value};
use plumb_netns::enter::ENTER;
use plumb_netns::spec;
use plumb_netns::wire::{Object, Refusal, Reply, Request};
use plumb_provider::{
    Block as _, CallContext, Connection, Edge, Entry, Failure, Foreign, Ours, Outcome, Provider,
    ReadRequest, Touched,
};

use crate::around;
use crate::kinds::{Context, Of, shape};
use crate::pool::{Changed, Folder, Pool, unexpected};
use crate::schema::{self, Config};

/// A cloud's folder, where the configuration does not say.
const FOLDER: &str = ".plumb/netns";

/// Clouds in the Linux kernel.
#[derive(Debug, Default)]
pub struct NetnsProvider {
    schema: OnceLock<Arc<ProviderSchema>>,
}

#[async_trait]
impl Provider for NetnsProvider {
    fn schema(&self) -> &Arc<ProviderSchema> {
        self.schema.get_or_init(|| Arc::new(schema::provider()))
    }

    fn topology(&self, kind: &Kind, attrs: &Value) -> Vec<plumb_topology::Piece> {
        crate::topology::pieces(kind, attrs)
    }

    async fn connect(&self, config: &Value, edge: &Edge) -> Result<Arc<dyn Connection>, Failure> {
        if !cfg!(target_os = "linux") {
            let detail = "Its networks and hosts are namespaces of the Linux kernel. Use the Docker provider here.";
            return Err(Failure::new("The netns provider needs Linux", detail));
        }
        let config = Config::from_value(config)?;
        let folder = edge.directory.join(config.cloud.as_deref().unwrap_or(FOLDER));
        let pool = Pool::new(Box::new(Folder(folder)));
        Ok(Arc::new(CloudConnection::new(pool, edge.directory.clone())))
    }
}

/// A connection. Nobody is talked to before the first call.
pub(crate) struct CloudConnection {
    pool: Arc<Pool>,
    directory: PathBuf,
}

impl CloudConnection {
    pub(crate) fn new(pool: Pool, directory: PathBuf) -> CloudConnection {
        CloudConnection { pool: Arc::new(pool), directory }
    }

    fn context(&self, token: Option<Token>) -> Context {
        let token = token.map_or_else(String::new, |it| it.to_string());
        Context { directory: self.directory.clone(), token }
    }

    /// Talks to the holder where that may block. None: the talk broke off, which is a bug.
    async fn talk<T: Send + 'static>(
        &self,
        talk: impl FnOnce(&Pool) -> T + Send + 'static,
    ) -> Option<T> {
        let pool = self.pool.clone();
        tokio::task::spawn_blocking(move || talk(&pool)).await.ok()
    }

    async fn objects(
        &self,
        wanted: Vec<(spec::Kind, String)>,
    ) -> Result<Vec<Option<Object>>, Failure> {
        self.talk(|pool| pool.read(wanted)).await.unwrap_or_else(|| Err(broken_off()))
    }

    async fn object(&self, of: &Of, name: String) -> Result<Option<Object>, Failure> {
        Ok(self.objects(vec![(of.kind, name)]).await?.into_iter().next().flatten())
    }

    fn observe(&self, of: &Of, base: Option<&Value>, object: &Object) -> Result<Value, Failure> {
        (of.observe)(base, object, &self.context(None))
    }

    /// What the holder is to make, looked at once more now that everything is known.
    fn spec(&self, of: &Of, token: Token, planned: &Value) -> Result<spec::Spec, Failure> {
        if let Some(problem) = (of.validate)(planned).into_iter().next() {
            return Err(Failure::new(problem.summary, problem.detail).at(problem.path));
        }
        (of.spec)(planned, &self.context(Some(token)))
    }

    /// What came of a call.
    fn outcome(
        &self,
        of: &Of,
        planned: &Value,
        complete: bool,
        changed: Option<Changed>,
    ) -> Outcome {
        let left = |object: &Object, complete| {
            let attrs = self.observe(of, Some(planned), object)?;
            Ok::<_, Failure>(Effect::Made(Remote { attrs, private: None, complete }))
        };
        match changed {
            None => Outcome::lost(broken_off()),
            Some(Changed::Unsent(failure)) => Outcome::failed(failure),
            Some(Changed::Lost(failure)) => Outcome::lost(failure),
            Some(Changed::Reply(Reply::Done(object))) => match left(&object, true) {
                Ok(left) => Outcome::left(left),
                Err(failure) => Outcome::lost(failure),
            },
            Some(Changed::Reply(Reply::Refused { refusal, left: is })) => {
                let failure = refused(planned, refusal);
                match is.map(|it| left(&it, complete)) {
                    None => Outcome::failed(failure),
                    Some(Ok(left)) => Outcome::failed_leaving(left, failure),
                    Some(Err(_)) => Outcome::lost(failure),
                }
            }
            Some(Changed::Reply(other)) => Outcome::lost(unexpected(&other)),
        }
    }
}

#[async_trait]
impl Connection for CloudConnection {
    async fn read(&self, requests: &[ReadRequest]) -> Vec<Result<Option<Remote>, Failure>> {
        let named = |it: &ReadRequest| Ok((shape(&it.kind)?, named(&it.prior)));
        let named: Vec<Result<_, Failure>> = requests.iter().map(named).collect();
        let wanted = named.iter().flatten().map(|(of, name)| (of.kind, name.clone())).collect();
        let mut answers = match self.objects(wanted).await {
            Ok(all) => all.into_iter(),
            Err(failure) => return requests.iter().map(|_| Err(failure.clone())).collect(),
        };
        let answer = |(request, of): (&ReadRequest, Result<(&Of, String), Failure>)| {
            let (of, _) = of?;
            let Some(object) = answers.next().flatten() else { return Ok(None) };
            let attrs = self.observe(of, Some(&request.prior.attrs), &object)?;
            Ok(Some(Remote { attrs, ..request.prior.clone() }))
        };
        requests.iter().zip(named).map(answer).collect()
    }

    async fn find(
        &self,
        kind: &Kind,
        token: Token,
        planned: &Value,
    ) -> Result<Option<Remote>, Failure> {
        let of = shape(kind)?;
        let found = self.talk(move |pool| pool.find(token.to_string())).await;
        let found = found.unwrap_or_else(|| Err(broken_off()))?;
        let Some(object) = found else { return Ok(None) };
        Ok(Some(whole(self.observe(of, Some(planned), &object)?)))
    }

    async fn import(&self, kind: &Kind, id: &str) -> Result<Option<Remote>, Failure> {
        let of = shape(kind)?;
        let Some(object) = self.object(of, id.to_owned()).await? else { return Ok(None) };
        Ok(Some(whole(self.observe(of, None, &object)?)))
    }

    async fn data(&self, kind: &Kind, config: &Value) -> Result<Value, Failure> {
        let of = shape(kind)?;
        let parts = of.found_by.iter().map(|it| config.get_attr(it).and_then(Value::as_str));
        let name = parts.map(Option::unwrap_or_default).collect::<Vec<_>>().join("/");
        match self.object(of, name.clone()).await? {
            Some(object) => self.observe(of, None, &object),
            None => {
                let argument = of.found_by.last().copied().unwrap_or("name");
                let detail = format!("The cloud has no {} called {name:?}.", of.name);
                let failure = Failure::new(format!("{} not found", of.name), detail);
                Err(failure.at(Path::default().attr(argument)))
            }
        }
    }

    async fn create(&self, call: &CallContext, kind: &Kind, planned: &Value) -> Outcome {
        let of = match shape(kind) {
            Ok(of) => of,
            Err(failure) => return Outcome::failed(failure),
        };
        let spec = match self.spec(of, call.token, planned) {
            Ok(spec) => spec,
            Err(failure) => return Outcome::failed(failure),
        };
        let request = Request::Create { token: call.token.to_string(), spec };
        let changed = self.talk(move |pool| pool.create(&request)).await;
        self.outcome(of, planned, false, changed)
    }

    async fn update(
        &self,
        call: &CallContext,
        kind: &Kind,
        _prior: &Remote,
        planned: &Value,
    ) -> Outcome {
        let of = match shape(kind) {
            Ok(of) => of,
            Err(failure) => return Outcome::failed(failure),
        };
        let spec = match self.spec(of, call.token, planned) {
            Ok(spec) => spec,
            Err(failure) => return Outcome::failed(failure),
        };
        let changed = self.talk(move |pool| pool.update(spec)).await;
        self.outcome(of, planned, true, changed)
    }

    async fn delete(&self, _call: &CallContext, kind: &Kind, prior: &Remote) -> Outcome {
        let of = match shape(kind) {
            Ok(of) => of,
            Err(failure) => return Outcome::failed(failure),
        };
        let (kind, name) = (of.kind, named(prior));
        let reply = self.talk(move |pool| pool.delete(kind, name)).await;
        match reply.unwrap_or_else(|| Err(broken_off())) {
            Ok(None | Some(Reply::Gone)) => Outcome::deleted(),
            Ok(Some(Reply::Refused { refusal, .. })) => {
                Outcome::failed(refused(&prior.attrs, refusal))
            }
            Ok(Some(other)) => Outcome::failed(unexpected(&other)),
            Err(failure) => Outcome::failed(failure),
        }
    }

    async fn beside(&self, ours: &[Ours]) -> Result<Vec<Foreign>, Failure> {
        let ours = around::keys(ours)?;
        let found = self.talk(move |pool| pool.beside(ours)).await;
        let found = found.unwrap_or_else(|| Err(broken_off()))?;
        Ok(found.into_iter().map(around::foreign).collect())
    }

    async fn follow(
        &self,
        _ours: &[Ours],
        touched: &(dyn Fn(Touched) + Send + Sync),
    ) -> Result<(), Failure> {
        Err(around::follow(&self.pool, touched).await)
    }

    async fn enter(
        &self,
        kind: &Kind,
        object: &Remote,
        command: &[String],
    ) -> Result<Entry, Failure> {
        use spec::Kind::{Host, Network, Router};
        let (of, name) = (shape(kind)?.kind, named(object));
        if !matches!(of, Host | Network | Router) {
            let detail = "Hosts can be entered, and the namespaces of networks and routers.";
            return Err(Failure::new(format!("A {} cannot be entered", &**kind), detail));
        }
        let file = self.talk(move |pool| pool.enter(of, &name)).await;
        let file = file.unwrap_or_else(|| Err(broken_off()))?;
        // This one, also after its file was replaced by a newer one.
        let program = "/proc/self/exe".into();
        let fixed = [ENTER.to_owned(), file.as_raw_fd().to_string(), "--".to_owned()];
        let arguments = fixed.iter().chain(command).map(OsString::from).collect();
        Ok(Entry { program, arguments, inherit: vec![file] })
    }

    async fn logs(&self, kind: &Kind, object: &Remote, bytes_max: u64) -> Result<String, Failure> {
        if shape(kind)?.kind != spec::Kind::Host {
            return Err(Failure::new(format!("A {} keeps no log", &**kind), "Hosts do."));
        }
        let request = Request::Logs { host: named(object), limit: bytes_max };
        let reply = self.talk(move |pool| pool.ask(&request)).await;
        match reply.unwrap_or_else(|| Err(broken_off()))? {
            Some(Reply::Text(text)) => Ok(text),
            Some(other) => Err(unexpected(&other)),
            None => Err(Failure::new("The host is gone", "Nothing of this cloud is there.")),
        }
    }
}

/// How the holder calls an object.
fn named(object: &Remote) -> String {
    object.attrs.get_attr("id").and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn whole(attrs: Value) -> Remote {
    Remote { attrs, private: None, complete: true }
}

pub(crate) fn broken_off() -> Failure {
    Failure::new("The talk with the holder of the cloud broke off", "This is a bug.")
}

/// A refusal, with the argument where the configuration has it.
fn refused(attrs: &Value, refusal: Refusal) -> Failure {
    let path = refusal.argument.as_deref().and_then(|it| place(attrs, it, &refusal.detail));
    let failure = Failure::new(refusal.summary, refusal.detail);
    match path {
        Some(path) => failure.at(path),
        None => failure,
    }
}

/// Where an argument is: in the object or, of several nested blocks that have it, in the one whose
/// value is spoken of.
fn place(attrs: &Value, argument: &str, detail: &str) -> Option<Path> {
    // A host has an address too, but a person writes that of an interface.
    let blocks = ["interface", "end"].into_iter().filter(|it| attrs.get_attr(it).is_some());
    for name in blocks {
        let Some(items) = attrs.get_attr(name).and_then(Value::as_slice) else { continue };
        let spoken = |it: &Value| {
            let value = it.get_attr(argument);
            let texts = value.into_iter().flat_map(|it| std::iter::once(it).chain(it.values()));
            texts.into_iter().filter_map(Value::as_str).any(|it| speaks_of(detail, it))
        };
        let has = |it: &Value| it.get_attr(argument).is_some();
        if items.iter().any(has) {
            let at = Path::default().attr(name);
            let found = items.iter().position(spoken).or((items.len() == 1).then_some(0));
            return Some(match found {
                Some(index) => at.index(Value::number(index)).attr(argument),
                None => at,
            });
        }
    }
    attrs.get_attr(argument).map(|_| Path::default().attr(argument))
}

/// Whether a sentence speaks of a value: names are quoted there, addresses are not.
fn speaks_of(detail: &str, value: &str) -> bool {
    let mut words = detail.split_whitespace().map(|it| it.trim_end_matches(['.', ',', ':']));
    detail.contains(&format!("{value:?}"))
        || (value.contains(['.', ':']) && words.any(|it| it == value))
}
