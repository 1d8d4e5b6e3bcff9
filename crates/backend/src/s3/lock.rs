//! A lock that is held as an object beside the state, and its renewal.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::SignedDuration;
use plumb_state::LockInfo;
use plumb_state::lock::Process;

use super::store::{Condition, Store, Trouble, Written};
use crate::lease::{Lease, Note};
use crate::worker::{Background, Worker};

/// A lock that is ours, unless somebody took it away.
pub(super) struct Lock {
    pub(super) held: Arc<Held>,
    _renewal: Background,
}

/// What is known of it.
pub(super) struct Held {
    pub(super) key: String,
    pub(super) info: LockInfo,
    known: Mutex<Known>,
    /// One renewal at a time.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Clone)]
struct Known {
    etag: String,
    /// Until when nobody may take it away, on the clock that also runs while the machine sleeps.
    good_until: Duration,
    /// How it came to light that it is no longer ours.
    lost: Option<String>,
}

/// Whether it is ours.
pub(super) enum Standing {
    Ours,
    Lost(String),
    /// The lease is over; it may have been taken away or not.
    Overdue,
}

/// What is written into the object, for as long as the lease of `store` lasts from now.
pub(super) fn note(store: &Store, info: &LockInfo) -> Vec<u8> {
    let lease = store.config.lease;
    let span = SignedDuration::try_from(lease).unwrap_or(SignedDuration::MAX);
    let lease = Process::this().map(|process| Lease {
        process,
        expires: store.now().checked_add(span).ok(),
        seconds: lease.as_secs(),
    });
    Note { info: info.clone(), lease }.write()
}

impl Lock {
    /// Keeps the object `key`, which has this tag and was asked for at `since`.
    pub(super) fn keep(
        worker: &Worker,
        store: &Arc<Store>,
        held: (String, LockInfo, String),
        since: Duration,
    ) -> Lock {
        let (key, info, etag) = held;
        let good_until = since + store.config.lease;
        let known = Mutex::new(Known { etag, good_until, lost: None });
        let held = Arc::new(Held { key, info, known, turn: tokio::sync::Mutex::default() });
        let (kept, store) = (held.clone(), store.clone());
        let renewal = worker.background(async move {
            while matches!(kept.standing(), Standing::Ours | Standing::Overdue) {
                tokio::time::sleep(store.config.lease / 3).await;
                kept.renew(&store).await;
            }
        });
        Lock { held, _renewal: renewal }
    }
}

impl Held {
    pub(super) fn standing(&self) -> Standing {
        let known = self.known();
        match known.lost {
            Some(detail) => Standing::Lost(detail),
            None if awake() > known.good_until => Standing::Overdue,
            None => Standing::Ours,
        }
    }

    /// Renews the lease, if the object is still ours. Without an answer nothing is known anew.
    pub(super) async fn renew(&self, store: &Store) {
        let _turn = self.turn.lock().await;
        // Twice: if an earlier renewal's answer was lost, the object has another tag than we know.
        for _ in 0..2 {
            let Known { etag, lost, .. } = self.known();
            if lost.is_some() {
                return;
            }
            let since = awake();
            let bytes = note(store, &self.info);
            let ours = Condition::Is(etag);
            let renewal = store.put(&self.key, &bytes, &ours, 0);
            match limited(store, renewal).await {
                Some(Ok(Written::Done(etag))) => {
                    let good_until = since + store.config.lease;
                    self.learn(Known { etag, good_until, lost: None });
                    return;
                }
                Some(Ok(Written::Refused { .. })) => {}
                Some(Err(_)) | None => return,
            }
            match limited(store, store.get(&self.key)).await {
                Some(Ok(Some(object))) => match Note::read(&object.bytes) {
                    Some(note) if note.info.id == self.info.id => {
                        self.learn(Known { etag: object.etag, ..self.known() });
                    }
                    note => {
                        let holder = note.map(|it| it.info.to_string()).unwrap_or_default();
                        self.lose(format!("It is held by somebody else now.\n{holder}"));
                    }
                },
                Some(Ok(None)) => {
                    self.lose("Its object is gone: somebody broke it.".into());
                }
                Some(Err(_)) | None => return,
            }
        }
    }

    fn known(&self) -> Known {
        self.known.lock().unwrap_or_else(|it| it.into_inner()).clone()
    }

    fn learn(&self, known: Known) {
        *self.known.lock().unwrap_or_else(|it| it.into_inner()) = known;
    }

    fn lose(&self, detail: String) {
        self.learn(Known { lost: Some(detail), ..self.known() });
    }
}

/// Not for longer than until the next renewal is due.
async fn limited<T>(
    store: &Store,
    work: impl Future<Output = Result<T, Trouble>>,
) -> Option<Result<T, Trouble>> {
    tokio::time::timeout(store.config.lease / 3, work).await.ok()
}

/// A clock that never jumps, and that also runs while the machine or this process sleeps.
pub(super) fn awake() -> Duration {
    #[cfg(target_os = "linux")]
    let clock = nix::time::ClockId::CLOCK_BOOTTIME;
    #[cfg(not(target_os = "linux"))]
    let clock = nix::time::ClockId::CLOCK_MONOTONIC;
    // It is there on every kernel of the last ten years.
    nix::time::clock_gettime(clock).map(Duration::from).unwrap_or_default()
}
