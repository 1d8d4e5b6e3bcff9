//! A database: snapshot and journal in one place, each write a transaction, the lock is the session's.

use std::sync::Arc;

use plumb_state::backend::{Attempt, Backend, Fold, Held, Keep, Names, Stored};
use plumb_state::{LockInfo, StoreError};

use super::world::{Fate, Holder, Inner, Pid, World, fenced, trouble};

/// A session.
pub(crate) struct Table {
    world: Arc<World>,
    pid: Pid,
    locked: bool,
}

impl Table {
    pub(crate) fn new(world: Arc<World>, pid: Pid) -> Table {
        Table { world, pid, locked: false }
    }

    /// One transaction. Its condition is that the lock is still ours.
    fn commit(
        &mut self,
        change: impl FnOnce(&mut Inner) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.world.instant(self.pid)?;
        let inner = &mut *self.world.inner();
        if self.locked && inner.lock.as_ref().is_none_or(|it| it.pid != self.pid) {
            return Err(fenced("The session is over."));
        }
        let fate = inner.fate();
        if fate == Fate::Refused {
            return Err(trouble("write"));
        }
        change(inner)?;
        if fate == Fate::Unanswered {
            // Whether it is there nobody knows, and the session is over, with it the lock.
            if self.locked {
                inner.lock = None;
            }
            return Err(trouble("hear from"));
        }
        Ok(())
    }
}

impl Backend for Table {
    fn names(&self) -> Names {
        Names { state: "table".into(), journal: "journal".into(), backup: None }
    }

    fn lock(&mut self, info: &LockInfo) -> Result<Attempt, StoreError> {
        self.world.mortal(self.pid)?;
        let mut inner = self.world.inner();
        if let Some(holder) = &inner.lock
            && !inner.dead.contains(&holder.pid)
        {
            return Ok(Attempt::Held(Some(Box::new(holder.info.clone()))));
        }
        inner.lock = Some(Holder { pid: self.pid, info: info.clone(), expires: u64::MAX });
        self.locked = true;
        Ok(Attempt::Taken { from_the_dead: None })
    }

    fn unlock(&mut self) -> Result<(), StoreError> {
        let mut inner = self.world.inner();
        if self.locked && inner.lock.as_ref().is_some_and(|it| it.pid == self.pid) {
            inner.lock = None;
        }
        self.locked = false;
        Ok(())
    }

    fn held(&mut self) -> Result<Held, StoreError> {
        let holder = self.world.inner().lock.clone();
        Ok(holder.map_or(Held::Free, |it| Held::By(Some(Box::new(it.info)))))
    }

    fn break_lock(&mut self, _: &str) -> Result<(), StoreError> {
        self.world.inner().lock = None;
        Ok(())
    }

    fn read(&mut self) -> Result<Stored, StoreError> {
        self.world.mortal(self.pid)?;
        let inner = self.world.inner();
        let (snapshot, journal) = (inner.snapshot.clone(), inner.journal.clone());
        Ok(Stored { snapshot, journal, ..Stored::default() })
    }

    fn settle(&mut self, keep: Keep, bytes: u64) -> Result<Option<String>, StoreError> {
        self.commit(|inner| {
            match keep {
                Keep::Journal => {
                    if let Some(it) = &mut inner.journal {
                        it.truncate(bytes as usize);
                    }
                }
                Keep::Next | Keep::Neither => inner.journal = None,
            }
            Ok(())
        })?;
        Ok(None)
    }

    fn append(&mut self, at: u64, text: &str) -> Result<(), StoreError> {
        self.commit(|inner| {
            let journal = inner.journal.get_or_insert_default();
            if journal.len() as u64 != at {
                return Err(fenced("Somebody else wrote."));
            }
            journal.extend_from_slice(text.as_bytes());
            Ok(())
        })?;
        self.world.mortal(self.pid)
    }

    fn fold(&mut self, fold: Fold<'_>) -> Result<(), StoreError> {
        self.commit(|inner| {
            inner.snapshot = Some(fold.snapshot.to_vec());
            inner.journal = fold.next.map(|it| it.as_bytes().to_vec());
            Ok(())
        })?;
        self.world.mortal(self.pid)
    }

    fn drop_journal(&mut self) -> Result<(), StoreError> {
        self.commit(|inner| {
            inner.journal = None;
            Ok(())
        })
    }

    fn tell(&mut self, _: &str) {}

    fn told(&mut self) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }

    fn past(&mut self) -> Result<Vec<u64>, StoreError> {
        Ok(Vec::new())
    }

    fn past_snapshot(&mut self, _: u64) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(None)
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        // The dead give nothing back; their session ends all the same.
        let _ = self.unlock();
    }
}
