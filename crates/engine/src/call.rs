//! One call: with its time limit, and made again after failures that may pass.

use std::sync::Arc;
use std::time::Duration;

use plumb_diag::Diagnostic;
use plumb_executor::{Call, CallWork};
use plumb_lang::Program;
use plumb_model::event::Effect;
use plumb_model::schema::Schemas;
use plumb_model::value::Value;
use plumb_provider::{CallContext, Connection, Failure, Outcome};
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::Interrupt;
use crate::conform;
use crate::failures::text;
use crate::observe::{Notice, Observer, id_of};
use crate::patience::{TRIES_MAX, guarded, pause};
use crate::timeout::timeout;

/// Makes a call and says what came of it. It is made again only if it is certain that it left
/// nothing, and nobody wants the work to end.
pub(crate) async fn call(
    connection: &dyn Connection,
    work: &CallWork,
    observer: &Arc<dyn Observer>,
    schemas: &Schemas,
    mut interrupt: Interrupt,
) -> Outcome {
    let limit = match timeout(attrs(&work.call), operation(&work.call)) {
        Ok(limit) => limit,
        Err(failure) => return Outcome::failed(failure),
    };
    let context = context(work, observer);
    let deadline = Instant::now() + limit;
    for attempt in 1.. {
        let made = timeout_at(deadline, guarded(once(connection, work, &context))).await;
        let outcome = match made {
            Err(_) => return Outcome::lost(too_slow(limit)),
            Ok(Err(failure)) => return Outcome::lost(unknown(failure)),
            // Nonsense is as good as no reply.
            Ok(Ok(outcome)) => match conforming(outcome, work, schemas) {
                Ok(outcome) => outcome,
                Err(failure) => return Outcome::lost(unknown(failure)),
            },
        };
        let Some(failure) = outcome.failure.as_ref().filter(|it| it.transient) else {
            return outcome;
        };
        let next = Instant::now() + pause(attempt);
        let left_something = outcome.lost || outcome.left != Effect::Nothing;
        if left_something || attempt == TRIES_MAX || next >= deadline || interrupt.level() > 0 {
            return outcome;
        }
        observer.notice(Notice::Retrying(&work.key, attempt, &failure.summary));
        tokio::select! {
            () = sleep_until(next) => {}
            () = interrupt.above(0) => return outcome,
        }
    }
    unreachable!("the last try returns")
}

/// Makes a call to something that lives in this process: it neither waits nor is tried again, and
/// if it breaks down it left nothing.
pub(crate) async fn call_local(
    connection: &dyn Connection,
    work: &CallWork,
    observer: &Arc<dyn Observer>,
    schemas: &Schemas,
) -> Outcome {
    let context = context(work, observer);
    let made = guarded(once(connection, work, &context)).await;
    made.and_then(|it| conforming(it, work, schemas)).unwrap_or_else(Outcome::failed)
}

/// The outcome with what was made in the form of the schema.
fn conforming(outcome: Outcome, work: &CallWork, schemas: &Schemas) -> Result<Outcome, Failure> {
    let left = match outcome.left {
        Effect::Made(remote) if !outcome.lost => {
            Effect::Made(conform::remote(schemas, &work.provider, &work.kind, remote)?)
        }
        left => left,
    };
    Ok(Outcome { left, ..outcome })
}

fn context(work: &CallWork, observer: &Arc<dyn Observer>) -> CallContext {
    let (shown, to_show) = (work.key.clone(), observer.clone());
    CallContext {
        token: work.token,
        address: work.key.to_string().into(),
        progress: Arc::new(move |progress| to_show.notice(Notice::Progress(&shown, progress))),
    }
}

async fn once(connection: &dyn Connection, work: &CallWork, context: &CallContext) -> Outcome {
    match &work.call {
        Call::Create { planned } => connection.create(context, &work.kind, planned).await,
        Call::Update { prior, planned } => {
            connection.update(context, &work.kind, prior, planned).await
        }
        Call::Delete { prior } => connection.delete(context, &work.kind, prior).await,
    }
}

fn too_slow(limit: Duration) -> Failure {
    let detail = format!(
        "It took longer than {limit:?}. A `timeouts` block in the resource sets another limit, \
         where it has one."
    );
    unknown(Failure::new("The call timed out", detail))
}

/// The failure of a call of which nobody knows what it did.
fn unknown(failure: Failure) -> Failure {
    let detail = format!("{} The next plan looks into what it did.", failure.detail);
    Failure { detail, ..failure }
}

/// `create`, `update` or `delete`.
pub(crate) fn operation(call: &Call) -> &'static str {
    match call {
        Call::Create { .. } => "create",
        Call::Update { .. } => "update",
        Call::Delete { .. } => "delete",
    }
}

/// The id of the object that is changed or deleted, for messages.
pub(crate) fn id(call: &Call) -> Option<&str> {
    match call {
        Call::Create { .. } => None,
        Call::Update { prior, .. } | Call::Delete { prior } => id_of(&prior.attrs),
    }
}

/// What a person is told when the call failed.
pub(crate) fn diagnostic(failure: &Failure, work: &CallWork, program: &Program) -> Diagnostic {
    let (summary, detail) = text(failure);
    let span = program.argument(&work.key.addr.config(), failure.path.as_ref());
    Diagnostic { span, ..Diagnostic::error(summary, detail) }.about(work.key.to_string())
}

/// The attributes that the call is about.
fn attrs(call: &Call) -> &Value {
    match call {
        Call::Create { planned } | Call::Update { planned, .. } => planned,
        Call::Delete { prior } => &prior.attrs,
    }
}
