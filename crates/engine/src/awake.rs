//! Calls go on only in a process that is awake. One that was stopped or suspended may have lost its
//! lock meanwhile, and others may have finished its work: what it had in hand must rest until it is
//! known that the state is still its own.
//!
//! The driver looks at the clock again and again. A call that sees that it did not for a while waits
//! for the driver, which asks the journal first. A request that is already on its way, or that leaves
//! within the instant between this look and the next system call, is for the other side to refuse.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant, SystemTime};

/// So often does the driver look, at least, while calls are under way.
pub(crate) const TICK: Duration = Duration::from_millis(100);
/// A process that did not look for so long may have slept.
const NAP: Duration = Duration::from_millis(500);
/// How often the journal is asked if its answer takes longer than that, as who sleeps while asking
/// knows nothing.
const TRIES: usize = 3;

/// When the process was last known to be awake, and who waits for it.
#[derive(Debug)]
pub(crate) struct Awake {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    seen: Moment,
    lost: bool,
    waiting: Vec<Waker>,
}

/// By two clocks: one goes on while the process is stopped, the other while the machine is suspended.
#[derive(Clone, Copy, Debug)]
struct Moment {
    steady: Instant,
    wall: SystemTime,
}

impl Moment {
    fn now() -> Moment {
        Moment { steady: Instant::now(), wall: SystemTime::now() }
    }

    fn is_recent(self, now: Moment) -> bool {
        let wall = now.wall.duration_since(self.wall).unwrap_or_default();
        now.steady.duration_since(self.steady) < NAP && wall < NAP
    }
}

impl Awake {
    pub(crate) fn new() -> Awake {
        let inner = Inner { seen: Moment::now(), lost: false, waiting: Vec::new() };
        Awake { inner: Mutex::new(inner) }
    }

    /// Lets calls go on; after a sleep only if `confirm` says that the state is still ours.
    pub(crate) fn look<E>(&self, mut confirm: impl FnMut() -> Result<(), E>) -> Result<(), E> {
        let mut now = Moment::now();
        if !self.inner().seen.is_recent(now) {
            for _ in 0..TRIES {
                now = Moment::now();
                if let Err(error) = confirm() {
                    let mut inner = self.inner();
                    inner.lost = true;
                    inner.wake();
                    return Err(error);
                }
                let after = Moment::now();
                if now.is_recent(after) {
                    break;
                }
                // The last answer has to do, however slow: else nothing would ever go on.
                now = after;
            }
        }
        let mut inner = self.inner();
        inner.seen = now;
        inner.wake();
        Ok(())
    }

    /// Goes on with a call while the process is awake. None: the state is not ours any more, and the
    /// call was left where it was.
    pub(crate) async fn only<T>(&self, call: impl Future<Output = T>) -> Option<T> {
        let mut call = pin!(call);
        poll_fn(|context| match self.may_go_on(context) {
            Poll::Ready(true) => call.as_mut().poll(context).map(Some),
            Poll::Ready(false) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        })
        .await
    }

    fn may_go_on(&self, context: &Context<'_>) -> Poll<bool> {
        let mut inner = self.inner();
        if inner.lost {
            return Poll::Ready(false);
        }
        if inner.seen.is_recent(Moment::now()) {
            return Poll::Ready(true);
        }
        inner.waiting.push(context.waker().clone());
        Poll::Pending
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn wake(&mut self) {
        self.waiting.drain(..).for_each(Waker::wake);
    }
}
