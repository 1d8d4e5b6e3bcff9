//! A connection to a state in a bucket, and the lock that it holds there.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use plumb_state::backend::{Attempt, Held, Remote};
use plumb_state::{LockInfo, StoreError};

use super::lock::{Lock, Standing, awake, note};
use super::store::{Condition, Object, Store, Trouble, Written};
use crate::lease::Note;
use crate::remote_error;
use crate::worker::Worker;

/// No object has this tag.
const NOTHING: &str = "\"00000000000000000000000000000000\"";

pub(super) struct S3Remote {
    store: Arc<Store>,
    worker: Worker,
    key: String,
    name: String,
    lock: Option<Lock>,
    /// What was there when it was read first, and then what we wrote; none if it never was. What
    /// somebody else wrote later never gets here: it would be written over.
    seen: Option<Condition>,
    /// How it came to light that somebody else writes.
    lost: Option<String>,
}

const WRITTEN: &str = "Somebody else wrote the state since this command read it. It was not written \
                       over.";

impl S3Remote {
    pub(super) fn new(store: Arc<Store>, worker: Worker, key: String, name: String) -> S3Remote {
        S3Remote { store, worker, key, name, lock: None, seen: None, lost: None }
    }

    fn lock_key(&self) -> String {
        format!("{}.tflock", self.key)
    }

    /// Does something on the thread for it.
    fn ask<T, F>(
        &self,
        what: &'static str,
        work: impl FnOnce(Arc<Store>) -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, Trouble>> + Send + 'static,
        T: Send + 'static,
    {
        let done = self.worker.run(work(self.store.clone()));
        let done = done.map_err(|it| remote_error(what, &self.name, it))?;
        done.map_err(|it| remote_error(what, &self.name, it))
    }

    fn read(&self, what: &'static str, key: String) -> Result<Option<Object>, StoreError> {
        self.ask(what, |store| async move { store.get(&key).await })
    }

    fn write(
        &self,
        what: &'static str,
        key: String,
        bytes: Vec<u8>,
        condition: Condition,
    ) -> Result<Written, StoreError> {
        self.ask(what, |store| async move {
            store.put(&key, &bytes, &condition, store.config.retry_max).await
        })
    }

    /// Whether the lock in this object may be taken from its holder.
    fn is_of_the_dead(&self, note: &Note) -> bool {
        let lease = note.lease.as_ref();
        lease.is_some_and(|it| it.process.is_gone() || it.is_forfeit(self.store.now()))
    }

    /// Sees whether the store refuses what a condition forbids: one that does not look at them would
    /// let two writers in. The lock object, which is ours, is written once more if it does not.
    fn prove(&self, bytes: &[u8]) -> Result<(), StoreError> {
        if self.store.proven.load(Ordering::Relaxed) {
            return Ok(());
        }
        for condition in [Condition::Absent, Condition::Is(NOTHING.into())] {
            let tried = self.write("lock", self.lock_key(), bytes.to_vec(), condition);
            if matches!(tried?, Written::Done(_)) {
                return Err(StoreError::Refused {
                    summary: format!("the store of `{}` cannot keep a lock", self.name),
                    detail:
                        "It ignores the conditions of writes (If-None-Match, If-Match), so two \
                             commands could both believe to hold the lock. Nothing was changed. \
                             Use another store or a newer version of this one, or set \
                             use_lockfile = false and see to it yourself that only one command \
                             runs at a time."
                            .into(),
                });
            }
        }
        self.store.proven.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Renews the lock, if there is one and the store answers.
    fn renew(&self) -> Result<(), StoreError> {
        let Some(lock) = &self.lock else { return Ok(()) };
        let held = lock.held.clone();
        self.ask("renew the lock of", |store| async move {
            held.renew(&store).await;
            Ok(())
        })
    }

    /// Deletes the lock object, if it is the lock `id`. None: there is none.
    fn remove_lock(&self, what: &'static str, id: &str) -> Result<Option<Removed>, StoreError> {
        // It may be renewed in between.
        for _ in 0..5 {
            let Some(object) = self.read(what, self.lock_key())? else { return Ok(None) };
            match Note::read(&object.bytes) {
                Some(note) if note.info.id == id => {}
                note => return Ok(Some(Removed::IsAnother(note.map(|it| Box::new(it.info))))),
            }
            let (key, etag) = (self.lock_key(), object.etag);
            if self.ask(what, |store| async move { store.delete(&key, Some(&etag)).await })? {
                return Ok(Some(Removed::Done));
            }
        }
        let source = "the lock object changes all the time";
        Err(StoreError::Remote { what, name: self.name.clone(), source: source.into() })
    }

    fn fenced(&self, detail: String) -> StoreError {
        StoreError::Fenced { name: self.name.clone(), detail }
    }
}

enum Removed {
    Done,
    IsAnother(Option<Box<LockInfo>>),
}

impl Remote for S3Remote {
    fn lock(&mut self, info: &LockInfo) -> Result<Attempt, StoreError> {
        (self.seen, self.lost) = (None, None);
        if !self.store.config.use_lockfile {
            return Ok(Attempt::Taken { from_the_dead: None });
        }
        let key = self.lock_key();
        let holder = |object: &Object| Note::read(&object.bytes);
        let (condition, dead) = match self.read("lock", key.clone())? {
            None => (Condition::Absent, None),
            Some(object) => match holder(&object) {
                Some(note) if self.is_of_the_dead(&note) => {
                    (Condition::Is(object.etag), Some(Box::new(note.info)))
                }
                note => return Ok(Attempt::Held(note.map(|it| Box::new(it.info)))),
            },
        };
        let path = format!("{}/{}", self.store.config.bucket.name(), self.key);
        let info = LockInfo { path, ..info.clone() };
        let bytes = note(&self.store, &info);
        let since = awake();
        let etag = match self.write("lock", key.clone(), bytes.clone(), condition)? {
            Written::Done(etag) => etag,
            Written::Refused { .. } => match self.read("lock", key.clone())? {
                Some(object) => match holder(&object) {
                    // An attempt whose answer was lost took it.
                    Some(note) if note.info.id == info.id => object.etag,
                    note => return Ok(Attempt::Held(note.map(|it| Box::new(it.info)))),
                },
                None => return Ok(Attempt::Held(None)),
            },
        };
        if let Err(error) = self.prove(&bytes) {
            // What went wrong first is what counts.
            let _ = self.remove_lock("unlock", &info.id);
            return Err(error);
        }
        self.lock = Some(Lock::keep(&self.worker, &self.store, (key, info, etag), since));
        Ok(Attempt::Taken { from_the_dead: dead })
    }

    fn unlock(&mut self) -> Result<(), StoreError> {
        let Some(lock) = self.lock.take() else { return Ok(()) };
        let held = lock.held.clone();
        // No renewal from here on.
        drop(lock);
        if matches!(held.standing(), Standing::Lost(_)) {
            return Ok(());
        }
        // Gone or somebody else's: ours is not there in any case.
        self.remove_lock("unlock", &held.info.id).map(|_| ())
    }

    fn held(&mut self) -> Result<Held, StoreError> {
        if !self.store.config.use_lockfile {
            return Ok(Held::Free);
        }
        let object = self.read("read the lock of", self.lock_key())?;
        Ok(match object {
            None => Held::Free,
            Some(object) => Held::By(Note::read(&object.bytes).map(|it| Box::new(it.info))),
        })
    }

    fn break_lock(&mut self, id: &str) -> Result<(), StoreError> {
        match self.remove_lock("break the lock of", id)? {
            Some(Removed::Done) => Ok(()),
            None => Err(StoreError::Refused {
                summary: format!("`{}` is not locked", self.name),
                detail: "There is no lock to break.".into(),
            }),
            Some(Removed::IsAnother(holder)) => Err(StoreError::Refused {
                summary: format!("the lock on `{}` is not `{id}`", self.name),
                detail: holder
                    .map_or_else(|| "It is none that can be read.".into(), |it| it.to_string()),
            }),
        }
    }

    fn get(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        let object = self.read("read the state at", self.key.clone())?;
        let now = match &object {
            Some(object) => Condition::Is(object.etag.clone()),
            None => Condition::Absent,
        };
        if self.seen.get_or_insert_with(|| now.clone()) != &now {
            self.lost = Some(WRITTEN.into());
        }
        Ok(object.map(|it| it.bytes))
    }

    fn put(&mut self, snapshot: &[u8], _serial: u64) -> Result<(), StoreError> {
        self.confirm()?;
        let seen = match self.seen.clone() {
            Some(seen) => seen,
            None => {
                self.get()?;
                self.seen.clone().unwrap_or(Condition::Absent)
            }
        };
        let what = "write the state to";
        let bytes = snapshot.to_vec();
        let repeated = match self.write(what, self.key.clone(), bytes, seen)? {
            Written::Done(etag) => {
                self.seen = Some(Condition::Is(etag));
                return Ok(());
            }
            Written::Refused { repeated } => repeated,
        };
        // An attempt whose answer was lost may have written it.
        if repeated
            && let Some(object) = self.read(what, self.key.clone())?
            && object.bytes == snapshot
        {
            self.seen = Some(Condition::Is(object.etag));
            return Ok(());
        }
        self.lost = Some(WRITTEN.into());
        Err(self.fenced(WRITTEN.into()))
    }

    fn confirm(&mut self) -> Result<(), StoreError> {
        // One that was broken just now may not have been missed yet: this asks.
        self.renew()?;
        self.check()
    }

    fn check(&mut self) -> Result<(), StoreError> {
        if let Some(detail) = &self.lost {
            return Err(self.fenced(detail.clone()));
        }
        let Some(lock) = &self.lock else { return Ok(()) };
        if matches!(lock.held.standing(), Standing::Overdue) {
            self.renew()?;
        }
        match lock.held.standing() {
            Standing::Ours => Ok(()),
            Standing::Lost(detail) => Err(self.fenced(detail)),
            Standing::Overdue => Err(self.fenced(
                "It could not be renewed in time, and the store does not answer: somebody else \
                 may have taken it."
                    .into(),
            )),
        }
    }
}

impl Drop for S3Remote {
    fn drop(&mut self) {
        let _ = self.unlock();
    }
}
