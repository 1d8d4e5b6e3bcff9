//! How a provider is waited for: with a limit, again after a failure that may pass, and without
//! falling over when it does.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use plumb_provider::Failure;
use tokio::time::{Instant, sleep, timeout_at};

/// How often something that may pass is tried.
pub(crate) const TRIES_MAX: u32 = 5;

/// How long to wait after the failure of the given attempt, the first of which is 1.
pub(crate) fn pause(attempt: u32) -> Duration {
    Duration::from_millis(250) * 2u32.pow(attempt - 1)
}

/// Asks something that changes nothing, until it is answered, fails for good, or `limit` is over.
pub(crate) async fn persist<T, F>(limit: Duration, mut ask: impl FnMut() -> F) -> Result<T, Failure>
where
    F: Future<Output = Result<T, Failure>>,
{
    let deadline = Instant::now() + limit;
    for attempt in 1.. {
        let Ok(answer) = timeout_at(deadline, guarded(ask())).await else {
            return Err(too_slow(limit));
        };
        match answer.flatten() {
            Err(failure) if failure.transient && attempt < TRIES_MAX => {
                sleep(pause(attempt)).await;
            }
            result => return result,
        }
    }
    unreachable!("the last try returns")
}

/// What came of it; a panic on the way is a failure.
pub(crate) async fn guarded<T>(what: impl Future<Output = T>) -> Result<T, Failure> {
    AssertUnwindSafe(what).catch_unwind().await.map_err(|panic| broke_down(&*panic))
}

fn broke_down(panic: &(dyn Any + Send)) -> Failure {
    let message = (panic.downcast_ref::<&str>().copied())
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("it does not say why");
    let detail = format!("This is a bug in the provider: {message}.");
    Failure::new("The provider broke down", detail)
}

fn too_slow(limit: Duration) -> Failure {
    let detail = format!("No answer came in {limit:?}.");
    Failure::new("The provider does not answer", detail)
}
