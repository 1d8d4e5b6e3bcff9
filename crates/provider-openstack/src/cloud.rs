//! A cloud that we are connected to: the session, and what calls of one kind owe each other.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use plumb_model::event::Remote;
use plumb_model::state::Token;
use plumb_model::value::Value;
use plumb_provider::{CallContext, Failure, Outcome, Progress};
use serde_json::Value as Json;
use tokio::time::Instant;

use crate::session::{ApiError, Session};

/// How long something that is in use may take to be let go of.
pub(crate) const IN_USE_MAX: Duration = Duration::from_secs(60);

/// A connection.
pub(crate) struct Cloud {
    pub(crate) session: Session,
    /// Paths in configurations are relative to this directory.
    pub(crate) directory: PathBuf,
    locks: Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

/// What is done with the objects of one resource type.
#[async_trait]
pub(crate) trait Calls: Send + Sync {
    /// What the objects are now, in order.
    async fn read(&self, cloud: &Cloud, stored: &[&Remote])
    -> Vec<Result<Option<Remote>, Failure>>;

    /// What the call `token` made.
    async fn find(
        &self,
        cloud: &Cloud,
        token: Token,
        planned: &Value,
    ) -> Result<Option<Remote>, Failure>;

    /// The object that a person names.
    async fn import(&self, cloud: &Cloud, id: &str) -> Result<Option<Remote>, Failure>;

    async fn create(&self, cloud: &Cloud, call: &CallContext, planned: &Value) -> Outcome;

    /// Left out where a change is nothing to tell the service: every argument needs another object,
    /// or says only how this one is to be deleted.
    async fn update(
        &self,
        cloud: &Cloud,
        call: &CallContext,
        prior: &Remote,
        planned: &Value,
    ) -> Outcome {
        let _ = (cloud, call, prior);
        Outcome::made(planned.clone())
    }

    async fn delete(&self, cloud: &Cloud, call: &CallContext, prior: &Remote) -> Outcome;
}

impl Cloud {
    pub(crate) fn new(session: Session, directory: PathBuf) -> Cloud {
        Cloud { session, directory, locks: Mutex::default() }
    }

    /// The region's name as a value.
    pub(crate) fn region(&self) -> Value {
        self.session.region().map_or_else(|| Value::string(""), Value::string)
    }

    /// One at a time changes the object `id`: some services lose changes that come together.
    pub(crate) async fn alone(&self, id: &str) -> tokio::sync::OwnedMutexGuard<()> {
        let lock = {
            let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
            locks.entry(id.to_owned()).or_default().clone()
        };
        lock.lock_owned().await
    }
}

/// Asks again, ever less often, while `worth` says so and time is left.
pub(crate) async fn patiently<T, F>(
    max: Duration,
    worth: impl Fn(&ApiError) -> bool,
    mut ask: impl FnMut() -> F,
) -> Result<T, ApiError>
where
    F: Future<Output = Result<T, ApiError>>,
{
    let deadline = Instant::now() + max;
    let mut pause = Duration::from_millis(250);
    loop {
        match ask().await {
            Err(error) if worth(&error) && Instant::now() + pause < deadline => {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(5));
            }
            answer => return answer,
        }
    }
}

/// Looks ever less often until there is an answer. How long that may take is the engine's business.
pub(crate) async fn until<T, F>(mut look: impl FnMut() -> F) -> Result<T, Failure>
where
    F: Future<Output = Result<Option<T>, Failure>>,
{
    let mut pause = Duration::from_millis(300);
    loop {
        if let Some(answer) = look().await? {
            return Ok(answer);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 3 / 2).min(Duration::from_secs(5));
    }
}

/// Tells a person what is waited for.
pub(crate) fn tell(call: &CallContext, message: impl Into<String>) {
    (call.progress)(Progress { message: message.into(), amount: None });
}

/// What came of a request that changes nothing unless it is answered with yes.
pub(crate) fn refused(error: &ApiError, doing: &str) -> Outcome {
    let failure = error.failure(doing);
    match error {
        ApiError::Lost { .. } => Outcome::lost(failure),
        ApiError::Unsent { .. } | ApiError::Refused { .. } => Outcome::failed(failure),
    }
}

/// What was asked for; nothing if the service has no such thing.
pub(crate) fn if_there<T>(answer: Result<T, ApiError>) -> Result<Option<T>, ApiError> {
    match answer {
        Ok(it) => Ok(Some(it)),
        Err(error) if error.is_missing() => Ok(None),
        Err(error) => Err(error),
    }
}

/// What came of a request to delete something. What is gone already is deleted.
pub(crate) fn deleted<T>(answer: Result<T, ApiError>, doing: &str) -> Outcome {
    match if_there(answer) {
        Ok(_) => Outcome::deleted(),
        Err(error) => refused(&error, doing),
    }
}

/// An object as it is.
pub(crate) fn whole(attrs: Value) -> Remote {
    Remote { attrs, private: None, complete: true }
}

/// What was stored, as it is now. `found` has the service's word of each, in the same order.
pub(crate) fn reread(
    stored: &[&Remote],
    found: Result<Vec<Option<Json>>, ApiError>,
    doing: &str,
    observe: impl Fn(&Json, &Remote) -> Value,
) -> Vec<Result<Option<Remote>, Failure>> {
    let found = match found {
        Ok(found) => found,
        Err(error) => {
            let failure = error.failure(doing);
            return stored.iter().map(|_| Err(failure.clone())).collect();
        }
    };
    assert_eq!(found.len(), stored.len(), "each is looked for");
    let one = |(json, it): (Option<Json>, &&Remote)| {
        let attrs = observe(&json?, it);
        Some(Remote { attrs, ..(*it).clone() })
    };
    found.into_iter().zip(stored).map(|it| Ok(one(it))).collect()
}

/// Of each that is stored what a list has of it.
pub(crate) fn in_order(stored: &[&Remote], list: Vec<Json>) -> Vec<Option<Json>> {
    let of = |json: Json| Some((json.get("id")?.as_str()?.to_owned(), json));
    let by_id: BTreeMap<String, Json> = list.into_iter().filter_map(of).collect();
    stored.iter().map(|it| by_id.get(id_of(it)).cloned()).collect()
}

/// The identifier that is stored.
pub(crate) fn id_of(object: &Remote) -> &str {
    object.attrs.get_attr("id").and_then(Value::as_str).unwrap_or_default()
}
