//! A thread on which clients live that wait asynchronously, and what keeps locks fresh meanwhile.
//!
//! The traits of a backend are called from wherever the engine happens to be, inside a runtime
//! included, where nothing may block on a future. So futures are carried over to a thread with a
//! runtime of its own, and the caller waits for the answer on a channel. Nothing here waits for a
//! thread that is gone: a task that is dropped drops its end of that channel.

use std::any::Any;
use std::io;
use std::sync::{Arc, mpsc};
use std::thread::{self, ThreadId};

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// The thread. It ends, with everything that runs on it, when the last copy of this is dropped: what
/// runs there must not keep one.
#[derive(Clone, Debug)]
pub struct Worker {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    handle: Handle,
    thread: ThreadId,
    /// Dropped, it tells the thread to end.
    _end: oneshot::Sender<()>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The operating system gives no thread.
    #[error("cannot start a thread for connections")]
    Start(#[source] io::Error),
    /// The thread has ended.
    #[error("the thread for connections has ended")]
    Gone,
    /// A bug of ours.
    #[error("a call on the thread for connections panicked: {0}. This is a bug, please report it")]
    Panicked(String),
    /// The thread was asked to wait for itself.
    #[error(
        "a call on the thread for connections waits for that thread. This is a bug, please report it"
    )]
    Inside,
}

impl Worker {
    /// Starts a thread.
    ///
    /// # Errors
    /// [`WorkerError::Start`]
    pub fn start() -> Result<Worker, WorkerError> {
        let (end, ended) = oneshot::channel::<()>();
        let (ready, started) = mpsc::sync_channel(1);
        let body = move || {
            // Built here: dropping a runtime blocks, which is not allowed inside another one.
            let runtime = match Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => {
                    let _ = ready.send(Err(error));
                    return;
                }
            };
            let _ = ready.send(Ok((runtime.handle().clone(), thread::current().id())));
            // An error is the sender dropped: the sign to end.
            let _ = runtime.block_on(ended);
            // A name being resolved is not waited for.
            runtime.shutdown_background();
        };
        thread::Builder::new()
            .name("plumb-backend".into())
            .spawn(body)
            .map_err(WorkerError::Start)?;
        match started.recv() {
            Ok(Ok((handle, thread))) => {
                Ok(Worker { inner: Arc::new(Inner { handle, thread, _end: end }) })
            }
            Ok(Err(error)) => Err(WorkerError::Start(error)),
            Err(_) => Err(WorkerError::Gone),
        }
    }

    /// Runs a future there and waits for what it gives.
    ///
    /// # Errors
    /// If it gives nothing, as it panicked or the thread has ended.
    pub fn run<F>(&self, future: F) -> Result<F::Output, WorkerError>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        if thread::current().id() == self.inner.thread {
            return Err(WorkerError::Inside);
        }
        let (answer, answered) = mpsc::sync_channel(1);
        let handle = self.inner.handle.clone();
        self.inner.handle.spawn(async move {
            // In a task of its own, which catches panics.
            let _ = answer.send(handle.spawn(future).await);
        });
        match answered.recv() {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(match error.try_into_panic() {
                Ok(panic) => WorkerError::Panicked(message(&*panic)),
                Err(_) => WorkerError::Gone,
            }),
            Err(_) => Err(WorkerError::Gone),
        }
    }

    /// Lets a future run there until it ends or the answer is dropped.
    pub fn background<F>(&self, future: F) -> Background
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Background { task: self.inner.handle.spawn(future) }
    }
}

/// Something that goes on by itself. Dropping it ends it, at its next wait.
#[derive(Debug)]
pub struct Background {
    task: JoinHandle<()>,
}

impl Background {
    /// Whether it no longer runs, for whatever reason: it came to its end, panicked, or its thread
    /// is gone.
    pub fn is_over(&self) -> bool {
        self.task.is_finished()
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|it| (*it).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".into())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn answers_inside_another_runtime() {
        let worker = Worker::start().expect("a thread");
        let other = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let answer = other.block_on(async {
            worker.run(async {
                tokio::time::sleep(Duration::from_millis(1)).await;
                7
            })
        });
        assert!(matches!(answer, Ok(7)), "{answer:?}");
        // And may be dropped there.
        other.block_on(async { drop(worker) });
    }

    #[test]
    fn a_panic_is_an_error_and_the_thread_goes_on() {
        let worker = Worker::start().expect("a thread");
        let answer = worker.run(async {
            if true {
                panic!("oh {}", "no");
            }
        });
        assert!(matches!(&answer, Err(WorkerError::Panicked(it)) if it == "oh no"), "{answer:?}");
        assert!(worker.run(async {}).is_ok());
    }

    #[test]
    fn the_thread_does_not_wait_for_itself() {
        let worker = Worker::start().expect("a thread");
        let copy = worker.clone();
        let answer = worker.run(async move { copy.run(async {}) });
        assert!(matches!(answer, Ok(Err(WorkerError::Inside))), "{answer:?}");
    }

    #[test]
    fn nothing_waits_for_a_thread_that_is_gone() {
        let worker = Worker::start().expect("a thread");
        // As if the thread had ended under a copy that is still in use.
        let (end, _) = oneshot::channel();
        let (handle, thread) = (worker.inner.handle.clone(), worker.inner.thread);
        let orphan = Worker { inner: Arc::new(Inner { handle, thread, _end: end }) };
        let task = orphan.background(std::future::pending());
        assert!(!task.is_over());
        let (begun, begins) = mpsc::channel();
        let waiting = orphan.clone();
        let caller = thread::spawn(move || {
            waiting.run(async move {
                let _ = begun.send(());
                std::future::pending::<()>().await;
            })
        });
        begins.recv().expect("begun");
        drop(worker);
        let answer = caller.join().expect("no panic");
        assert!(matches!(answer, Err(WorkerError::Gone)), "{answer:?}");
        let answer = orphan.run(async {});
        assert!(matches!(answer, Err(WorkerError::Gone)), "{answer:?}");
        assert!(task.is_over());
    }

    #[test]
    fn what_is_dropped_ends() {
        let worker = Worker::start().expect("a thread");
        let (alive, ended) = mpsc::channel::<()>();
        let task = worker.background(async move {
            let _alive = alive;
            std::future::pending::<()>().await;
        });
        drop(task);
        assert!(ended.recv().is_err());
    }
}
