//! A connection to a server that keeps a state, and the lock that it holds there.

use std::sync::Arc;

use base64::Engine;
use camino::Utf8Path;
use plumb_state::backend::{Attempt, Held, Remote};
use plumb_state::lock::Process;
use plumb_state::{LockInfo, StoreError};
use reqwest::Url;

use super::calls::{Repeat, Reply, Server};
use super::config::Target;
use super::notes::Notes;
use crate::client::{Answer, Failure, md5};
use crate::lease::{Lease, Note};
use crate::remote_error;
use crate::worker::Worker;

pub(super) struct HttpRemote {
    server: Arc<Server>,
    worker: Worker,
    notes: Notes,
    name: String,
    /// The lock that we hold.
    lock: Option<Note>,
    /// How it came to light that we no longer do.
    lost: Option<String>,
}

/// What came of asking for a lock.
enum Asked {
    Ours,
    Theirs(Option<Box<Note>>),
}

impl HttpRemote {
    pub(super) fn new(
        server: Arc<Server>,
        worker: Worker,
        folder: &Utf8Path,
        name: String,
    ) -> HttpRemote {
        HttpRemote { server, worker, notes: Notes::new(folder), name, lock: None, lost: None }
    }

    fn error(
        &self,
        what: &'static str,
        source: impl std::error::Error + Send + Sync + 'static,
    ) -> StoreError {
        remote_error(what, &self.name, source)
    }

    fn unexpected(&self, what: &'static str, answer: &Answer) -> StoreError {
        self.error(what, self.server.unexpected(answer))
    }

    fn call(
        &self,
        what: &'static str,
        target: Target,
        body: Option<Vec<u8>>,
        repeat: Repeat,
    ) -> Result<Reply, StoreError> {
        let server = self.server.clone();
        let reply = self.worker.run(async move {
            server.call(&target.method, &target.url, body.as_deref(), repeat).await
        });
        reply.map_err(|it| self.error(what, it))?.map_err(|it| self.error(what, it))
    }

    fn ask(&self, target: &Target, note: &Note) -> Result<Asked, StoreError> {
        let reply = self.call("lock", target.clone(), Some(note.write()), Repeat::Safe)?;
        match reply.answer.status {
            200..=299 => Ok(Asked::Ours),
            409 | 423 => {
                let holder = Note::read(&reply.answer.bytes).map(Box::new);
                // An attempt whose answer was lost took it.
                let ours = holder.as_ref().is_some_and(|it| it.info.id == note.info.id);
                Ok(if ours && reply.repeated { Asked::Ours } else { Asked::Theirs(holder) })
            }
            _ => Err(self.unexpected("lock", &reply.answer)),
        }
    }

    /// Takes the lock away from a process of this machine that died with it.
    fn take_over(
        &self,
        target: &Target,
        holder: Box<Note>,
        note: &Note,
    ) -> Result<(Asked, Option<Box<Note>>), StoreError> {
        let busy = |holder| Ok((Asked::Theirs(Some(holder)), None));
        let Some(unlock) = &self.server.config.unlock else { return busy(holder) };
        let alone = self.notes.alone().map_err(|it| self.error("take over the lock of", it))?;
        let Some(_alone) = alone else { return busy(holder) };
        // Somebody else may have done it meanwhile.
        let holder = match self.ask(target, note)? {
            Asked::Theirs(Some(now)) if now.info.id == holder.info.id => now,
            other => return Ok((other, None)),
        };
        let what = "take over the lock of";
        let reply = self.call(what, unlock.clone(), Some(holder.write()), Repeat::Safe)?;
        if !(200..=299).contains(&reply.answer.status) {
            return Err(self.unexpected(what, &reply.answer));
        }
        Ok((self.ask(target, note)?, Some(holder)))
    }

    fn is_of_the_dead(&self, holder: &Note) -> bool {
        // A server may give back what it was sent just now as if it were the holder's.
        let told = holder.lease.as_ref().is_some_and(|it| it.process.is_gone());
        told || self.notes.is_of_the_dead(&holder.info.id)
    }

    fn fenced(&mut self, detail: String) -> StoreError {
        self.lost = Some(detail.clone());
        StoreError::Fenced { name: self.name.clone(), detail }
    }
}

impl Remote for HttpRemote {
    fn lock(&mut self, info: &LockInfo) -> Result<Attempt, StoreError> {
        self.lost = None;
        let Some(target) = self.server.config.lock.clone() else {
            return Ok(Attempt::Taken { from_the_dead: None });
        };
        let lease = Process::this().map(|process| Lease { process, expires: None, seconds: 0 });
        let note = Note { info: info.clone(), lease };
        // Before it is asked for: this process may die at any time.
        self.notes.write(&info.id).map_err(|it| self.error("note the lock of", it))?;
        let taken = match self.ask(&target, &note) {
            Ok(Asked::Theirs(Some(holder))) if self.is_of_the_dead(&holder) => {
                self.take_over(&target, holder, &note)
            }
            other => other.map(|it| (it, None)),
        };
        match taken {
            Ok((Asked::Ours, dead)) => {
                self.lock = Some(note);
                self.notes.sweep();
                Ok(Attempt::Taken { from_the_dead: dead.map(|it| Box::new(it.info)) })
            }
            Ok((Asked::Theirs(holder), _)) => {
                self.notes.remove(&info.id);
                Ok(Attempt::Held(holder.map(|it| Box::new(it.info))))
            }
            // It may have been taken: the note stays.
            Err(error) => Err(error),
        }
    }

    fn unlock(&mut self) -> Result<(), StoreError> {
        let Some(note) = self.lock.take() else { return Ok(()) };
        if let Some(target) = &self.server.config.unlock {
            let reply = self.call("unlock", target.clone(), Some(note.write()), Repeat::Safe);
            let gone = match &reply {
                Ok(reply) => match reply.answer.status {
                    200..=299 => true,
                    // An attempt whose answer was lost gave it back, or somebody else did.
                    404 | 409 | 423 => {
                        let holder = Note::read(&reply.answer.bytes);
                        reply.repeated || holder.is_some_and(|it| it.info.id != note.info.id)
                    }
                    _ => false,
                },
                Err(_) => false,
            };
            if !gone && self.lost.is_none() {
                let error = reply.map(|it| self.unexpected("unlock", &it.answer));
                self.lock = Some(note);
                return Err(error.unwrap_or_else(|it| it));
            }
        }
        self.notes.remove(&note.info.id);
        Ok(())
    }

    fn held(&mut self) -> Result<Held, StoreError> {
        let config = &self.server.config;
        Ok(if config.lock.is_none() { Held::Free } else { Held::Unknown })
    }

    fn break_lock(&mut self, id: &str) -> Result<(), StoreError> {
        let Some(target) = self.server.config.unlock.clone() else {
            return Err(StoreError::Refused {
                summary: "there is no lock to break".into(),
                detail: format!("No unlock_address is configured for {}.", self.name),
            });
        };
        let info = LockInfo { id: id.into(), ..LockInfo::default() };
        let body = Note { info, lease: None }.write();
        let reply = self.call("break the lock of", target, Some(body), Repeat::Safe)?;
        match reply.answer.status {
            200..=299 => {
                self.notes.remove(id);
                Ok(())
            }
            409 | 423 => {
                let holder = Note::read(&reply.answer.bytes).map(|it| it.info.to_string());
                Err(StoreError::Refused {
                    summary: format!("the lock on {} is not `{id}`", self.name),
                    detail: holder
                        .unwrap_or_else(|| "The server does not tell whose it is.".into()),
                })
            }
            _ => Err(self.unexpected("break the lock of", &reply.answer)),
        }
    }

    fn get(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        let what = "read the state at";
        let url = self.server.config.address.clone();
        let target = Target { url, method: reqwest::Method::GET };
        let Answer { status, headers, bytes } = self.call(what, target, None, Repeat::Safe)?.answer;
        match status {
            200 if bytes.is_empty() => Ok(None),
            200 => {
                let told = headers.get("content-md5").and_then(|it| it.to_str().ok());
                // Only what is 16 bytes in base64: some servers put other things there.
                let engine = base64::engine::general_purpose::STANDARD;
                let told = told.filter(|it| engine.decode(it).is_ok_and(|it| it.len() == 16));
                if told.is_some_and(|it| it != md5(&bytes)) {
                    let text = "what arrived is not what was sent (Content-MD5); try again";
                    return Err(self.error(what, Failure::answered(status, text)));
                }
                Ok(Some(bytes))
            }
            204 | 404 => Ok(None),
            _ => Err(self.unexpected(what, &Answer { status, headers, bytes })),
        }
    }

    fn put(&mut self, snapshot: &[u8], _serial: u64) -> Result<(), StoreError> {
        self.check()?;
        let what = "write the state to";
        let config = &self.server.config;
        let mut target =
            Target { url: config.address.clone(), method: config.update_method.clone() };
        let repeat = match &self.lock {
            Some(note) => {
                named(&mut target.url, &note.info.id);
                Repeat::Safe
            }
            None => Repeat::Unsent,
        };
        let reply = self.call(what, target, Some(snapshot.to_vec()), repeat)?;
        match reply.answer.status {
            200..=299 => Ok(()),
            409 | 423 => {
                let holder = Note::read(&reply.answer.bytes);
                let holder = holder.map(|it| format!(" It is held by:\n{}", it.info));
                let detail = "The server refused to write the state, as the lock is not ours.";
                Err(self.fenced(format!("{detail}{}", holder.unwrap_or_default())))
            }
            _ => Err(self.unexpected(what, &reply.answer)),
        }
    }

    fn check(&mut self) -> Result<(), StoreError> {
        match &self.lost {
            Some(detail) => {
                Err(StoreError::Fenced { name: self.name.clone(), detail: detail.clone() })
            }
            None => Ok(()),
        }
    }
}

impl Drop for HttpRemote {
    fn drop(&mut self) {
        let _ = self.unlock();
    }
}

/// Names the lock under which a write is made.
fn named(url: &mut Url, id: &str) {
    let others: Vec<(String, String)> = (url.query_pairs())
        .filter(|(name, _)| name != "ID")
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    url.query_pairs_mut().clear().extend_pairs(others).append_pair("ID", id);
}
