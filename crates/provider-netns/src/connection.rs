//! A cloud, reached: every call is a request to its holder.

use std::error::Error as _;
use std::ffi::OsString;
use std::os::fd::AsRawFd as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use plumb_model::addr::Kind;
use plumb_model::event::{Effect, Remote};
use plumb_model::state::Token;
use plumb_model::value::{Path, Value};
use plumb_netns::client::{Client, ClientError};
use plumb_netns::enter::ENTER;
use plumb_netns::hosts::check_name;
use plumb_netns::spec;
use plumb_netns::wire::{Object, Refusal, Reply, Request};
use plumb_provider::{CallContext, Connection, Entry, Failure, Outcome, ReadRequest, Resource};

use crate::convert::{Convert, Here};
use crate::resources as it;

/// A cloud.
pub(crate) struct Cloud {
    inner: Arc<Inner>,
    directory: PathBuf,
}

struct Inner {
    folder: PathBuf,
    /// Connections that nobody uses at the moment.
    idle: Mutex<Vec<Client>>,
}

/// Does something for the resource type of a kind.
macro_rules! by_kind {
    ($kind:expr, $T:ident => $work:expr, $other:expr) => {
        match $kind {
            <it::FloatingIp as Resource>::KIND => {
                type $T = it::FloatingIp;
                $work
            }
            <it::Host as Resource>::KIND => {
                type $T = it::Host;
                $work
            }
            <it::Link as Resource>::KIND => {
                type $T = it::Link;
                $work
            }
            <it::Network as Resource>::KIND => {
                type $T = it::Network;
                $work
            }
            <it::Port as Resource>::KIND => {
                type $T = it::Port;
                $work
            }
            <it::PortForward as Resource>::KIND => {
                type $T = it::PortForward;
                $work
            }
            <it::Router as Resource>::KIND => {
                type $T = it::Router;
                $work
            }
            <it::RouterInterface as Resource>::KIND => {
                type $T = it::RouterInterface;
                $work
            }
            <it::SecurityGroup as Resource>::KIND => {
                type $T = it::SecurityGroup;
                $work
            }
            <it::SecurityGroupRule as Resource>::KIND => {
                type $T = it::SecurityGroupRule;
                $work
            }
            <it::Snapshot as Resource>::KIND => {
                type $T = it::Snapshot;
                $work
            }
            _ => $other,
        }
    };
}

impl Cloud {
    pub(crate) fn new(folder: PathBuf, directory: PathBuf) -> Cloud {
        Cloud { inner: Arc::new(Inner { folder, idle: Mutex::new(Vec::new()) }), directory }
    }

    fn here<'a>(&'a self, nameless: &'a str) -> Here<'a> {
        Here { directory: &self.directory, nameless }
    }

    /// Asks the holder, if there is one; none: nothing is there.
    async fn ask(&self, request: Request) -> Result<Option<Reply>, ClientError> {
        self.with(false, move |client| client.call(&request)).await
    }

    /// Asks the holder; starts it.
    async fn tell(&self, request: Request) -> Result<Reply, ClientError> {
        let reply = self.with(true, move |client| client.call(&request)).await?;
        reply.ok_or_else(|| ClientError::Start { said: "it ended".to_owned() })
    }

    /// Blocking work with a connection. One that failed is not used again.
    async fn with<T: Send + 'static>(
        &self,
        start: bool,
        work: impl FnOnce(&mut Client) -> Result<T, ClientError> + Send + 'static,
    ) -> Result<Option<T>, ClientError> {
        let inner = self.inner.clone();
        let done = tokio::task::spawn_blocking(move || {
            let idle = inner.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut client = match idle {
                Some(client) => client,
                None if start => Client::start(&inner.folder)?,
                None => match Client::open(&inner.folder)? {
                    Some(client) => client,
                    None => return Ok(None),
                },
            };
            let result = work(&mut client)?;
            inner.idle.lock().unwrap_or_else(PoisonError::into_inner).push(client);
            Ok(Some(result))
        });
        done.await.unwrap_or_else(|error| Err(ClientError::Unsent(std::io::Error::other(error))))
    }

    fn request(&self, kind: &Kind, planned: &Value, nameless: &str) -> Result<spec::Spec, Failure> {
        by_kind!(&**kind, T => spec_of::<T>(planned, self.here(nameless)), Err(unknown(kind)))
    }

    fn seen(&self, kind: &Kind, object: &Object, prior: Option<&Value>) -> Option<Value> {
        by_kind!(&**kind, T => seen_of::<T>(object, prior, self.here("")), None)
    }

    /// The objects of a request, in order.
    async fn look(&self, request: Request) -> Result<Vec<Option<Object>>, Failure> {
        match self.ask(request).await {
            Ok(Some(Reply::Objects(all))) => Ok(all),
            Ok(None) => Ok(Vec::new()),
            Ok(Some(Reply::Refused { refusal, .. })) => Err(refused(refusal)),
            Ok(Some(_)) => Err(Failure::new("Cannot read", "The answer is to another question.")),
            Err(error) => Err(failed(&error)),
        }
    }

    fn outcome(&self, kind: &Kind, reply: Result<Reply, ClientError>, planned: &Value) -> Outcome {
        let made = |object: &Object| {
            let attrs = self.seen(kind, object, Some(planned)).unwrap_or_else(|| planned.clone());
            Remote { attrs, private: None, complete: true }
        };
        match reply {
            Ok(Reply::Done(object)) => Outcome::left(Effect::Made(made(&object))),
            Ok(Reply::Gone) => Outcome::deleted(),
            Ok(Reply::Refused { refusal, left: Some(left) }) => {
                Outcome::failed_leaving(Effect::Made(made(&left)), refused(refusal))
            }
            Ok(Reply::Refused { refusal, left: None }) => Outcome::failed(refused(refusal)),
            Ok(_) => Outcome::lost(Failure::new("Lost", "The answer is to another question.")),
            Err(error @ ClientError::Lost(_)) => Outcome::lost(failed(&error)),
            Err(error) => Outcome::failed(failed(&error)),
        }
    }
}

fn spec_of<T: Convert>(planned: &Value, here: Here<'_>) -> Result<spec::Spec, Failure> {
    T::from_value(planned)?.spec(here)
}

fn seen_of<T: Convert>(object: &Object, prior: Option<&Value>, here: Here<'_>) -> Option<Value> {
    let prior = prior.and_then(|it| T::from_value(it).ok());
    Some(T::seen(object, prior.as_ref(), here)?.to_value())
}

/// What an object is called in the cloud.
fn named<T: Convert>(attrs: &Value) -> Option<(spec::Kind, String)> {
    Some((T::OF, T::from_value(attrs).ok()?.called()?))
}

fn key(kind: &Kind, attrs: &Value) -> Option<(spec::Kind, String)> {
    by_kind!(&**kind, T => named::<T>(attrs), None)
}

fn unknown(kind: &Kind) -> Failure {
    Failure::new("Invalid resource type", format!("The netns provider has no `{kind}`."))
}

fn failed(error: &ClientError) -> Failure {
    let mut detail = String::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        detail += &format!("{error}\n");
        cause = error.source();
    }
    let mut summary = error.to_string();
    if let Some(first) = summary.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    Failure::new(summary, detail.trim_end())
}

fn refused(refusal: Refusal) -> Failure {
    let Refusal { mut summary, detail, argument } = refusal;
    if let Some(first) = summary.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    let failure = Failure::new(summary, detail);
    match argument {
        Some(argument) => failure.at(Path::default().attr(&argument)),
        None => failure,
    }
}

#[async_trait]
impl Connection for Cloud {
    async fn read(&self, requests: &[ReadRequest]) -> Vec<Result<Option<Remote>, Failure>> {
        let keys: Vec<_> = requests.iter().map(|it| key(&it.kind, &it.prior.attrs)).collect();
        let objects = keys.iter().flatten().cloned().collect();
        let found = match self.look(Request::Read { objects }).await {
            Ok(found) => found,
            Err(failure) => return vec![Err(failure); requests.len()],
        };
        let mut found = found.into_iter();
        let one = |(request, key): (&ReadRequest, Option<_>)| {
            let object = key.and_then(|_| found.next().flatten());
            let attrs =
                object.and_then(|it| self.seen(&request.kind, &it, Some(&request.prior.attrs)));
            Ok(attrs.map(|attrs| Remote { attrs, ..request.prior.clone() }))
        };
        requests.iter().zip(keys).map(one).collect()
    }

    async fn find(
        &self,
        kind: &Kind,
        token: Token,
        planned: &Value,
    ) -> Result<Option<Remote>, Failure> {
        let found = self.look(Request::Find { token: token.to_string() }).await?;
        let attrs = found.into_iter().flatten().next();
        let attrs = attrs.and_then(|it| self.seen(kind, &it, Some(planned)));
        Ok(attrs.map(|attrs| Remote { attrs, private: None, complete: true }))
    }

    async fn import(&self, kind: &Kind, id: &str) -> Result<Option<Remote>, Failure> {
        let of = by_kind!(&**kind, T => <T as Convert>::OF, return Err(unknown(kind)));
        for part in id.split('/') {
            check_name(part).map_err(refused)?;
        }
        let found = self.look(Request::Read { objects: vec![(of, id.to_owned())] }).await?;
        let attrs = found.into_iter().flatten().next();
        let attrs = attrs.and_then(|it| self.seen(kind, &it, None));
        Ok(attrs.map(|attrs| Remote { attrs, private: None, complete: true }))
    }

    async fn data(&self, kind: &Kind, config: &Value) -> Result<Value, Failure> {
        let text = |name: &str| config.get_attr(name).and_then(Value::as_str).unwrap_or_default();
        let name = match &**kind {
            it::RouterInterface::KIND => format!("{}/{}", text("router"), text("network")),
            _ => text("name").to_owned(),
        };
        match self.import(kind, &name).await? {
            Some(found) => Ok(found.attrs),
            None => {
                let detail = format!("The cloud has no {kind} called {name:?}.");
                Err(Failure::new("Not found", detail).at(Path::default().attr("name")))
            }
        }
    }

    async fn create(&self, call: &CallContext, kind: &Kind, planned: &Value) -> Outcome {
        let token = call.token.to_string();
        match self.request(kind, planned, &token) {
            Ok(spec) => {
                let reply = self.tell(Request::Create { token, spec }).await;
                self.outcome(kind, reply, planned)
            }
            Err(failure) => Outcome::failed(failure),
        }
    }

    async fn update(&self, _: &CallContext, kind: &Kind, _: &Remote, planned: &Value) -> Outcome {
        match self.request(kind, planned, "") {
            Ok(spec) => {
                let reply = self.tell(Request::Update { spec }).await;
                self.outcome(kind, reply, planned)
            }
            Err(failure) => Outcome::failed(failure),
        }
    }

    async fn delete(&self, _: &CallContext, kind: &Kind, prior: &Remote) -> Outcome {
        let Some((of, name)) = key(kind, &prior.attrs) else {
            return Outcome::failed(unknown(kind));
        };
        match self.ask(Request::Delete { kind: of, name }).await {
            Ok(Some(reply)) => self.outcome(kind, Ok(reply), &prior.attrs),
            Ok(None) => Outcome::deleted(),
            Err(error) => self.outcome(kind, Err(error), &prior.attrs),
        }
    }

    async fn enter(
        &self,
        kind: &Kind,
        object: &Remote,
        command: &[String],
    ) -> Result<Entry, Failure> {
        let (of, name) = key(kind, &object.attrs).ok_or_else(|| unknown(kind))?;
        let entered = self.with(false, move |client| client.enter(of, &name)).await;
        let file = match entered {
            Ok(Some(file)) => file,
            Ok(None) => return Err(Failure::new("Not running", "Nothing of the cloud is there.")),
            Err(ClientError::Refused(refusal)) => return Err(refused(refusal)),
            Err(error) => return Err(failed(&error)),
        };
        let number = file.as_raw_fd().to_string();
        let arguments = [ENTER, &number, "--"].map(OsString::from);
        let arguments = arguments.into_iter().chain(command.iter().map(OsString::from)).collect();
        Ok(Entry { program: "/proc/self/exe".into(), arguments, inherit: vec![file] })
    }

    async fn logs(&self, kind: &Kind, object: &Remote, bytes_max: u64) -> Result<String, Failure> {
        let (of, name) = key(kind, &object.attrs).ok_or_else(|| unknown(kind))?;
        if of != spec::Kind::Host {
            return Err(Failure::new("No logs", format!("A {kind} runs no command.")));
        }
        match self.ask(Request::Logs { host: name, limit: bytes_max }).await {
            Ok(Some(Reply::Text(text))) => Ok(text),
            Ok(Some(Reply::Refused { refusal, .. })) => Err(refused(refusal)),
            Ok(_) => Err(Failure::new("Not running", "Nothing of the cloud is there.")),
            Err(error) => Err(failed(&error)),
        }
    }
}
