//! One state: a connection, the lock that it holds, and calls carried over to the thread where the
//! connection lives.

use std::sync::Arc;

use plumb_state::backend::{Attempt, Backend, Fold, Held, Keep, Names, Place, Stored};
use plumb_state::{LockInfo, StoreError};

use super::lock::{self, Tried};
use super::past;
use super::rows::{self, At, Hold};
use super::session::Session;
use super::tables;
use super::trouble::Trouble;
use super::{Common, Where, wait};
use crate::worker::Worker;

/// A connection to one state.
pub(crate) struct PgBackend {
    place: Where,
    worker: Worker,
    session: Option<Arc<Session>>,
    hold: Hold,
    /// Why the lock was lost, once it was: nothing is written from then on.
    lost: Option<String>,
}

/// What a call works with.
#[derive(Clone)]
struct Call {
    common: Arc<Common>,
    session: Arc<Session>,
    name: String,
    hold: Hold,
}

impl Call {
    fn at(&self) -> At<'_> {
        At { session: &self.session, tables: &self.common.tables, name: &self.name }
    }
}

impl PgBackend {
    pub(crate) fn new(place: Where) -> Result<PgBackend, StoreError> {
        let worker = Worker::start().map_err(|error| StoreError::Remote {
            what: "connect to",
            name: place.name(),
            source: Box::new(error),
        })?;
        let hold = Hold { key: None, seen: None };
        Ok(PgBackend { place, worker, session: None, hold, lost: None })
    }

    /// Does something on the connection, making one if there is none and no lock hangs on it.
    fn run<T, F>(
        &mut self,
        what: &'static str,
        work: impl FnOnce(Call) -> F,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Trouble>> + Send + 'static,
    {
        let name = self.place.name();
        if let Some(detail) = &self.lost {
            return Err(StoreError::Fenced { name, detail: detail.clone() });
        }
        let result = self.session().and_then(|session| {
            let call = Call {
                common: self.place.common.clone(),
                session,
                name: self.place.workspace.clone(),
                hold: self.hold.clone(),
            };
            wait(&self.worker, work(call))
        });
        result.map_err(|trouble| {
            let trouble = match trouble {
                Trouble::Lost(text) => {
                    self.session = None;
                    if self.hold.key.is_none() {
                        return Trouble::Lost(text).told(what, &name);
                    }
                    Trouble::Fenced(format!("The session that held it is over: {text}"))
                }
                other => other,
            };
            if let Trouble::Fenced(detail) = &trouble {
                self.lost = Some(detail.clone());
            }
            trouble.told(what, &name)
        })
    }

    fn session(&mut self) -> Result<Arc<Session>, Trouble> {
        if let Some(session) = &self.session {
            if !session.is_over() {
                return Ok(session.clone());
            }
            if self.hold.key.is_some() {
                return Err(Trouble::Lost(session.last_words()));
            }
        }
        let common = self.place.common.clone();
        let session = wait(&self.worker, async move { common.connect().await.map(Arc::new) })?;
        self.session = Some(session.clone());
        Ok(session)
    }
}

impl Backend for PgBackend {
    fn names(&self) -> Names {
        let tables = &self.place.common.tables;
        let name = self.place.name();
        let of = |table: &str| format!("{name} ({table})");
        Names { journal: of(&tables.journal), backup: Some(of(&tables.past)), state: name }
    }

    fn lock(&mut self, info: &LockInfo) -> Result<Attempt, StoreError> {
        if self.hold.key.is_some() {
            // The server would count it twice, and one unlock would not free it.
            let trouble = Trouble::Odd("this connection has locked it already".into());
            return Err(trouble.told("lock", &self.place.name()));
        }
        let info = info.clone();
        let tried = self.run("lock", async move |call: Call| {
            tables::make(&call.session, &call.common.settings).await?;
            lock::take(&call.session, &call.common.tables, &call.name, &info).await
        })?;
        if let Tried::Taken(key, _) = &tried {
            self.hold = Hold { key: Some(*key), seen: None };
        }
        Ok(Attempt::from(&tried))
    }

    fn unlock(&mut self) -> Result<(), StoreError> {
        let Some(key) = self.hold.key else { return Ok(()) };
        let result = match self.lost {
            // The session's end was the lock's.
            Some(_) => Ok(()),
            None => self.run("unlock", async move |call: Call| {
                lock::give_back(&call.session, &call.common.tables, &call.name, key).await
            }),
        };
        // Whatever went wrong, the end of the session gives it back.
        if result.is_err() || self.lost.is_some() {
            self.session = None;
        }
        self.hold = Hold { key: None, seen: None };
        self.lost = None;
        result
    }

    fn held(&mut self) -> Result<Held, StoreError> {
        self.run("read the lock of", async |call: Call| {
            lock::held(&call.session, &call.common.tables, &call.name).await
        })
    }

    fn break_lock(&mut self, id: &str) -> Result<(), StoreError> {
        let id = id.to_owned();
        self.run("break the lock of", async move |call: Call| {
            lock::break_it(&call.session, &call.common.tables, &call.name, &id).await
        })
    }

    fn read(&mut self) -> Result<Stored, StoreError> {
        let (stored, seen) =
            self.run("read the state at", async |call: Call| rows::read(call.at()).await)?;
        self.hold.seen = Some(seen);
        Ok(stored)
    }

    fn settle(&mut self, keep: Keep, bytes: u64) -> Result<Option<String>, StoreError> {
        let is_torn = self.run("write the journal at", async move |call: Call| {
            rows::settle(call.at(), &call.hold, keep, bytes).await
        })?;
        Ok(is_torn.then(|| format!("{} ({})", self.place.name(), self.place.common.tables.torn)))
    }

    fn confirm(&mut self) -> Result<(), StoreError> {
        let Some(key) = self.hold.key else { return Ok(()) };
        self.run("look at the lock of", async move |call: Call| {
            lock::confirm(&call.session, key).await
        })
    }

    fn append(&mut self, at: u64, text: &str) -> Result<(), StoreError> {
        if text.is_empty() {
            return Ok(());
        }
        let text = text.to_owned();
        self.run("write the journal at", async move |call: Call| {
            rows::append(call.at(), &call.hold, at, &text).await
        })
    }

    fn fold(&mut self, fold: Fold<'_>) -> Result<(), StoreError> {
        let (snapshot, serial) = (fold.snapshot.to_vec(), fold.serial);
        let (next, back_up) = (fold.next.map(str::to_owned), fold.back_up);
        self.hold = self.run("write the state to", async move |call: Call| {
            // One transaction: no line has to say which journal counts.
            let fold =
                Fold { snapshot: &snapshot, serial, mark: None, next: next.as_deref(), back_up };
            rows::fold(call.at(), &call.hold, fold).await
        })?;
        Ok(())
    }

    fn drop_journal(&mut self) -> Result<(), StoreError> {
        self.run("write the journal at", async |call: Call| {
            rows::drop_journal(call.at(), &call.hold).await
        })
    }

    fn tell(&mut self, line: &str) {
        let line = line.to_owned();
        let _ = self.run("write the history of", async move |call: Call| {
            past::tell(call.at(), &line).await
        });
    }

    fn told(&mut self) -> Result<Vec<String>, StoreError> {
        self.run("read the history of", async |call: Call| past::told(call.at()).await)
    }

    fn past(&mut self) -> Result<Vec<u64>, StoreError> {
        self.run("read the snapshots of", async |call: Call| past::serials(call.at()).await)
    }

    fn past_snapshot(&mut self, serial: u64) -> Result<Option<Vec<u8>>, StoreError> {
        self.run("read a snapshot of", async move |call: Call| {
            past::snapshot(call.at(), serial).await
        })
    }
}

impl Drop for PgBackend {
    fn drop(&mut self) {
        // The session's end gives the lock back; this says besides that it was in order.
        if self.hold.key.is_some() && self.session.as_ref().is_some_and(|it| !it.is_over()) {
            _ = self.unlock();
        }
    }
}
