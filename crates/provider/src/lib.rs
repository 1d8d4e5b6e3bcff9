//! What a provider is: schemas, and connections that make calls.
//!
//! A provider does not know the planner, the executor or the state. It is told everything that a
//! call needs, and says what the call left behind, whether it went well or not.

// The derives write paths that start with this crate's name, here too.
extern crate self as plumb_provider;

mod attr;
mod beside;
mod block;
pub mod conformance;
#[doc(hidden)]
pub mod derive;
pub mod reference;

pub use attr::Attr;
pub use beside::{Foreign, Ours, Touched};
pub use block::{Block, DecodeError, Resource, entry};
pub use plumb_provider_macros::{Block, Resource};

use std::sync::Arc;

use async_trait::async_trait;
use plumb_model::addr::Kind;
use plumb_model::event::{Effect, Remote};
use plumb_model::schema::ProviderSchema;
use plumb_model::state::Token;
use plumb_model::value::{Path, Value};
use plumb_topology::Piece;

/// One system that resources live in.
#[async_trait]
pub trait Provider: Send + Sync {
    /// Its resources. Data; needs no connection.
    fn schema(&self) -> &Arc<ProviderSchema>;

    /// How many calls and questions it takes at a time, all its configurations together. None: as
    /// many as a person allows.
    fn concurrency(&self) -> Option<usize> {
        None
    }

    /// What a resource, or what a data source found, is on a picture of the network. `attrs` are
    /// its attributes, unmarked; what is not known yet is unknown, or a text that stands for it and
    /// is equal wherever it is referred to.
    fn topology(&self, kind: &Kind, attrs: &Value) -> Vec<Piece> {
        let _ = (kind, attrs);
        Vec::new()
    }

    /// Reaches the system. `config` follows [`ProviderSchema::config`], is wholly known and
    /// unmarked; what was left out is null.
    async fn connect(&self, config: &Value, edge: &Edge) -> Result<Arc<dyn Connection>, Failure>;

    /// Answers a fact that a planning rule asked for. No connection is needed.
    async fn fact(&self, kind: &str, query: &Value, edge: &Edge) -> Result<Value, Failure> {
        let _ = (query, edge);
        Err(Failure::new(format!("unknown fact {kind}"), ""))
    }
}

/// What a provider may know of the process it runs in.
#[derive(Clone, Debug, Default)]
pub struct Edge {
    /// Environment variables.
    pub env: std::collections::BTreeMap<String, String>,
    /// Paths in configurations are relative to this directory.
    pub directory: std::path::PathBuf,
    /// The user's home, if there is one.
    pub home: Option<std::path::PathBuf>,
}

/// A system, reached with one provider configuration. Calls run concurrently.
///
/// All values given are unmarked and wholly known. Attribute values returned follow the schema's
/// block type. An optional argument that the configuration left out is unmanaged: what is returned
/// for it is masked by the caller, so a provider may return what the system has.
#[async_trait]
pub trait Connection: Send + Sync {
    /// What the objects are now, in order; `None`: gone. One list call for many where the system
    /// has one.
    async fn read(&self, requests: &[ReadRequest]) -> Vec<Result<Option<Remote>, Failure>>;

    /// The object that a call named `token` made, if it did: found by the stamp that `create` put
    /// on it or, where nothing can be stamped, by what `planned` says.
    async fn find(
        &self,
        kind: &Kind,
        token: Token,
        planned: &Value,
    ) -> Result<Option<Remote>, Failure>;

    /// The object that a person names by `id`, to be brought in.
    async fn import(&self, kind: &Kind, id: &str) -> Result<Option<Remote>, Failure>;

    /// What a data source says: all attributes.
    async fn data(&self, kind: &Kind, config: &Value) -> Result<Value, Failure>;

    /// Makes an object and stamps the token on it.
    async fn create(&self, call: &CallContext, kind: &Kind, planned: &Value) -> Outcome;

    /// Changes an object.
    async fn update(
        &self,
        call: &CallContext,
        kind: &Kind,
        prior: &Remote,
        planned: &Value,
    ) -> Outcome;

    /// Deletes an object. One that is gone already is deleted.
    async fn delete(&self, call: &CallContext, kind: &Kind, prior: &Remote) -> Outcome;

    /// What stands beside our objects though nobody declared it: in our networks, in our projects,
    /// under our names. What comes with the system or with an object of ours is not foreign (a
    /// default network, the port of a server of ours). It only looks.
    async fn beside(&self, ours: &[Ours]) -> Result<Vec<Foreign>, Failure> {
        let _ = ours;
        Ok(Vec::new())
    }

    /// Follows what happens in the system until it is dropped, and tells of everything that may
    /// concern our objects or what stands beside them. It tells [`Touched::All`] once it hears, and
    /// whenever something may have been missed. It only listens.
    ///
    /// # Errors
    /// If nothing can be heard any more: the caller looks at everything and follows anew. `Ok` is
    /// said at once by systems that tell nothing.
    async fn follow(
        &self,
        ours: &[Ours],
        touched: &(dyn Fn(Touched) + Send + Sync),
    ) -> Result<(), Failure> {
        let _ = (ours, touched);
        Ok(())
    }

    /// How a person gets into an object: a program to run in the terminal. An empty `command` is a
    /// shell.
    async fn enter(
        &self,
        kind: &Kind,
        object: &Remote,
        command: &[String],
    ) -> Result<Entry, Failure> {
        let _ = (object, command);
        Err(Failure::new(format!("A {} cannot be entered", &**kind), ""))
    }

    /// The last of what an object wrote, at most `bytes_max` of it.
    async fn logs(&self, kind: &Kind, object: &Remote, bytes_max: u64) -> Result<String, Failure> {
        let _ = (object, bytes_max);
        Err(Failure::new(format!("A {} keeps no log", &**kind), ""))
    }
}

/// A program that gets a person into an object. It is run with the terminal of the caller, and what
/// it ends with is what the command in the object ended with.
#[derive(Debug)]
pub struct Entry {
    /// The program.
    pub program: std::path::PathBuf,
    /// Its arguments, without its own name.
    pub arguments: Vec<std::ffi::OsString>,
    /// Files that it inherits, under the numbers that they have now: the caller keeps them open
    /// until the program has started, and takes close-on-exec from them before.
    #[cfg(unix)]
    pub inherit: Vec<std::os::fd::OwnedFd>,
}

/// One object to read.
#[derive(Clone, Debug)]
pub struct ReadRequest {
    /// Its type.
    pub kind: Kind,
    /// What is stored of it.
    pub prior: Remote,
    /// Whether what the configuration leaves out is wanted too. Else a provider may spare itself
    /// the call that tells nothing more.
    pub whole: bool,
}

/// What a call is told besides its arguments.
#[derive(Clone)]
pub struct CallContext {
    /// Names the call; stamped on what it makes.
    pub token: Token,
    /// The address, for messages.
    pub address: Arc<str>,
    /// Tells a person how far it is.
    pub progress: Arc<dyn Fn(Progress) + Send + Sync>,
}

/// How far a call is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is going on: `Pulling`, `Step 3/7 : RUN …`.
    pub message: String,
    /// Done and total, in bytes or steps, where known.
    pub amount: Option<(u64, u64)>,
}

/// What came of a call.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What it left. Failing does not hide it.
    pub left: Effect,
    /// Why it failed, if it did.
    pub failure: Option<Failure>,
    /// Nobody knows what it left: the reply was lost. `left` is then void and the call stays in
    /// doubt until the next run looks.
    pub lost: bool,
}

/// Why something could not be done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{summary}")]
pub struct Failure {
    /// One line: what could not be done.
    pub summary: String,
    /// Sentences: what the system said, what to do.
    pub detail: String,
    /// The argument at fault.
    pub path: Option<Path>,
    /// Trying again may help.
    pub transient: bool,
}

impl Failure {
    /// A failure that trying again does not mend.
    pub fn new(summary: impl Into<String>, detail: impl Into<String>) -> Failure {
        Failure { summary: summary.into(), detail: detail.into(), path: None, transient: false }
    }

    /// The same; trying again may help.
    #[must_use]
    pub fn transient(self) -> Failure {
        Failure { transient: true, ..self }
    }

    /// The same, because of the argument at `path`.
    #[must_use]
    pub fn at(self, path: Path) -> Failure {
        Failure { path: Some(path), ..self }
    }
}

impl Outcome {
    /// The object is now so.
    pub fn made(attrs: Value) -> Outcome {
        Outcome::left(Effect::Made(Remote { attrs, private: None, complete: true }))
    }

    /// The object is gone.
    pub fn deleted() -> Outcome {
        Outcome::left(Effect::Deleted)
    }

    /// It went well and left this.
    pub fn left(left: Effect) -> Outcome {
        Outcome { left, failure: None, lost: false }
    }

    /// It failed and changed nothing.
    pub fn failed(failure: Failure) -> Outcome {
        Outcome { left: Effect::Nothing, failure: Some(failure), lost: false }
    }

    /// It failed, but left this.
    pub fn failed_leaving(left: Effect, failure: Failure) -> Outcome {
        Outcome { left, failure: Some(failure), lost: false }
    }

    /// No reply came.
    pub fn lost(failure: Failure) -> Outcome {
        Outcome { left: Effect::Nothing, failure: Some(failure), lost: true }
    }
}
