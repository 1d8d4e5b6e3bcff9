//! As `plumb_state::split`: snapshots far away, the journal in a folder of this machine. Effect by
//! effect what that one does, on a disk and a far place that can be made to fail.

use std::sync::Arc;

use plumb_state::backend::{Attempt, Backend, Fold, Held, Keep, Mark, Names, Stored};
use plumb_state::{LockInfo, StoreError};

use super::disk::{FileId, Name};
use super::world::{Fate, Holder, Inner, LEASE, Pid, World, fenced, trouble};

pub(super) const JOURNAL: Name = "journal";
const NEXT: Name = "journal.next";
const TORN: Name = "journal.torn";
const BREAKING: Name = "breaking";

/// A connection far away, and the folder.
pub(crate) struct Split {
    world: Arc<World>,
    pid: Pid,
    /// The lock's identifier, and when it ends by this machine's clock.
    lock: Option<(String, u64)>,
    /// Which snapshot was seen last.
    seen: Option<u64>,
    file: Option<FileId>,
    end: u64,
    broken: bool,
}

impl Split {
    pub(crate) fn new(world: Arc<World>, pid: Pid) -> Split {
        Split { world, pid, lock: None, seen: None, file: None, end: 0, broken: false }
    }

    /// One effect on the disk, which fails now and then before it happens. The process may die here,
    /// but not fall asleep: names are looked at just before.
    fn disk<T>(
        &self,
        effect: impl FnOnce(&mut Inner) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.world.mortal(self.pid)?;
        let inner = &mut *self.world.inner();
        if inner.fails(120) { Err(trouble("do to the disk")) } else { effect(inner) }
    }

    /// Whether the lock is still ours as far as this side knows; near its end it asks.
    fn check(&mut self) -> Result<(), StoreError> {
        let Some((id, expires)) = &mut self.lock else { return Ok(()) };
        let inner = &mut *self.world.inner();
        if inner.local() + LEASE / 2 < *expires {
            return Ok(());
        }
        match renew(inner, id) {
            Ok(until) => *expires = until,
            Err(error) => {
                // Once lost it stays lost.
                *expires = 0;
                return Err(error);
            }
        }
        Ok(())
    }

    /// Whether the lock is still ours: the other side is asked.
    fn confirm_lock(&mut self) -> Result<(), StoreError> {
        self.world.instant(self.pid)?;
        let Some((id, expires)) = &mut self.lock else { return Ok(()) };
        *expires = renew(&mut self.world.inner(), id).inspect_err(|_| *expires = 0)?;
        Ok(())
    }

    fn get(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        self.world.mortal(self.pid)?;
        let mut inner = self.world.inner();
        if inner.fails(60) {
            return Err(trouble("read"));
        }
        self.seen.get_or_insert(inner.version);
        Ok(inner.snapshot.clone())
    }

    /// The far side looks at lock and version in the instant in which it writes.
    fn put(&mut self, snapshot: &[u8]) -> Result<(), StoreError> {
        self.world.instant(self.pid)?;
        let inner = &mut *self.world.inner();
        if let Some((id, expires)) = &mut self.lock {
            renew(inner, id).inspect_err(|_| *expires = 0)?;
        }
        if self.seen.is_some_and(|it| it != inner.version) {
            if let Some((_, expires)) = &mut self.lock {
                *expires = 0;
            }
            return Err(fenced("Somebody else wrote."));
        }
        let fate = inner.fate();
        if fate == Fate::Refused {
            return Err(trouble("write"));
        }
        inner.snapshot = Some(snapshot.to_vec());
        inner.version += 1;
        self.seen = Some(inner.version);
        if fate == Fate::Unanswered { Err(trouble("hear from")) } else { Ok(()) }
    }

    fn put_surely(&mut self, snapshot: &[u8]) -> Result<(), StoreError> {
        let Err(error) = self.put(snapshot) else { return Ok(()) };
        match self.get() {
            Ok(Some(there)) if there == snapshot => Ok(()),
            Ok(_) => Err(error),
            Err(_) => {
                self.broken = true;
                Err(error)
            }
        }
    }

    /// A whole file, durable; its name is not.
    fn write_whole(&self, name: Name, bytes: &[u8]) -> Result<(), StoreError> {
        let (first, second) = bytes.split_at(bytes.len() / 2);
        let file = self.disk(|inner| {
            let file = inner.disk.make(name);
            inner.disk.write(file, 0, first).map_err(|_| trouble("write"))?;
            Ok(file)
        })?;
        self.disk(|inner| {
            inner.disk.write(file, first.len(), second).map_err(|_| trouble("write"))?;
            inner.disk.sync(file);
            Ok(())
        })
    }

    fn rename(&self, from: Name, to: Name) -> Result<(), StoreError> {
        self.disk(|inner| match inner.disk.rename(from, to) {
            true => Ok(()),
            false => Err(trouble("find what to rename at")),
        })
    }

    fn remove(&self, name: Name) -> Result<(), StoreError> {
        if self.world.inner().disk.find(name).is_none() {
            return Ok(());
        }
        self.disk(|inner| {
            inner.disk.remove(name);
            Ok(())
        })
    }

    fn sync_folder(&self) -> Result<(), StoreError> {
        self.disk(|inner| {
            inner.disk.sync_names();
            Ok(())
        })
    }

    fn is_at(&self, file: FileId) -> Result<(), StoreError> {
        match self.world.inner().disk.find(JOURNAL) == Some(file) {
            true => Ok(()),
            false => Err(fenced("Another process took the journal over.")),
        }
    }

    fn append_text(&mut self, at: u64, text: &str) -> Result<(), StoreError> {
        if self.broken {
            return Err(StoreError::Broken { name: JOURNAL.into() });
        }
        let file = match self.file {
            Some(file) => file,
            None => {
                self.end = u64::MAX;
                let pid = self.pid;
                let file = self.disk(|inner| match (at, inner.disk.find(JOURNAL)) {
                    (0, None) => {
                        let file = inner.disk.make(JOURNAL);
                        if inner.lock.as_ref().is_none_or(|it| it.pid != pid) {
                            inner.stray = Some(file);
                        }
                        Ok(file)
                    }
                    (0, Some(_)) => Err(fenced("Another process took the journal over.")),
                    (_, Some(file)) => Ok(file),
                    (_, None) => Err(trouble("find the journal of")),
                })?;
                *self.file.insert(file)
            }
        };
        self.is_at(file)?;
        if self.end != at {
            self.disk(|inner| {
                inner.disk.cut(file, at as usize);
                Ok(())
            })?;
            self.end = at;
        }
        self.world.instant(self.pid)?;
        let torn = {
            let inner = &mut *self.world.inner();
            let fails = inner.fails(40);
            let some = inner.rng.below(text.len() as u64 + 1) as usize;
            let text = if fails { &text.as_bytes()[..some] } else { text.as_bytes() };
            let torn = inner.disk.write(file, at as usize, text).is_err() || fails;
            if torn {
                inner.totals.torn += 1;
                match inner.fails(3) {
                    true => self.broken = true,
                    false => inner.disk.cut(file, at as usize),
                }
            }
            torn
        };
        if torn {
            return Err(trouble("write"));
        }
        self.end = at + text.len() as u64;
        self.world.instant(self.pid)?;
        {
            let inner = &mut *self.world.inner();
            if inner.fails(100) {
                self.broken = true;
                return Err(trouble("sync"));
            }
            inner.disk.sync(file);
        }
        self.world.instant(self.pid)?;
        self.is_at(file)?;
        if at == 0 {
            self.sync_folder().inspect_err(|_| self.broken = true)?;
        }
        Ok(())
    }

    fn retract(&mut self) {
        if let Some(file) = self.file.take()
            && self.is_at(file).is_ok()
        {
            self.world.inner().stray = Some(file);
            let _ = self.remove(JOURNAL).and_then(|()| self.sync_folder());
        }
        self.broken = true;
    }

    fn hold(&mut self) {
        self.file = self.world.inner().disk.find(JOURNAL);
        self.end = u64::MAX;
    }

    fn still_ours(&self) -> Result<(), StoreError> {
        self.file.map_or(Ok(()), |it| self.is_at(it))
    }

    fn prepare(&self, next: Option<&str>) -> Result<(), StoreError> {
        self.still_ours()?;
        match next {
            Some(text) => self.write_whole(NEXT, text.as_bytes())?,
            None if self.world.inner().disk.find(NEXT).is_some() => self.remove(NEXT)?,
            None => return Ok(()),
        }
        self.sync_folder()
    }

    fn turn(&mut self, prepared: bool) -> Result<(), StoreError> {
        self.world.instant(self.pid)?;
        self.broken = true;
        self.still_ours()?;
        self.file = None;
        match prepared {
            true => self.rename(NEXT, JOURNAL)?,
            false => self.remove(JOURNAL)?,
        }
        self.sync_folder()?;
        self.hold();
        self.broken = false;
        Ok(())
    }

    fn set_torn_aside(&self, good: u64) -> Result<Option<String>, StoreError> {
        let bytes = self.world.inner().disk.read(JOURNAL).unwrap_or_default();
        let Some(rest) = bytes.get(good as usize..).filter(|it| !it.is_empty()) else {
            return Ok(None);
        };
        self.write_whole(TORN, rest)?;
        self.disk(|inner| {
            if let Some(file) = inner.disk.find(JOURNAL) {
                inner.disk.cut(file, good as usize);
                inner.disk.sync(file);
            }
            Ok(())
        })?;
        Ok(Some(TORN.into()))
    }

    /// What a process that lost its lock still writes then goes nowhere.
    fn renew_journal(&self) -> Result<(), StoreError> {
        let Some(bytes) = self.world.inner().disk.read(JOURNAL) else { return Ok(()) };
        self.write_whole(BREAKING, &bytes)?;
        self.rename(BREAKING, JOURNAL)?;
        self.sync_folder()
    }
}

/// Asks for the lock to last longer. Tells until when, by this machine's clock.
fn renew(inner: &mut Inner, id: &str) -> Result<u64, StoreError> {
    let (now, local) = (inner.now, inner.local());
    match &mut inner.lock {
        Some(holder) if holder.info.id == id => {
            holder.expires = now + LEASE;
            Ok(local + LEASE)
        }
        _ => Err(fenced("The lock is somebody else's.")),
    }
}

impl Backend for Split {
    fn names(&self) -> Names {
        Names { state: "far".into(), journal: JOURNAL.into(), backup: None }
    }

    fn lock(&mut self, info: &LockInfo) -> Result<Attempt, StoreError> {
        self.world.mortal(self.pid)?;
        let mut inner = self.world.inner();
        let mut dead = None;
        if let Some(holder) = &inner.lock {
            if inner.dead.contains(&holder.pid) {
                dead = Some(Box::new(holder.info.clone()));
            } else if inner.now <= holder.expires + LEASE {
                return Ok(Attempt::Held(Some(Box::new(holder.info.clone()))));
            }
        }
        let expires = inner.now + LEASE;
        inner.lock = Some(Holder { pid: self.pid, info: info.clone(), expires });
        if inner.fails(60) {
            return Err(trouble("lock"));
        }
        self.lock = Some((info.id.clone(), inner.local() + LEASE));
        Ok(Attempt::Taken { from_the_dead: dead })
    }

    fn unlock(&mut self) -> Result<(), StoreError> {
        let mut inner = self.world.inner();
        if let Some((id, _)) = self.lock.take()
            && inner.lock.as_ref().is_some_and(|it| it.info.id == id)
        {
            inner.lock = None;
        }
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
        let mut stored = Stored::default();
        {
            let inner = self.world.inner();
            stored.journal = inner.disk.read(JOURNAL);
            stored.next = inner.disk.read(NEXT);
        }
        stored.snapshot = self.get()?;
        Ok(stored)
    }

    fn settle(&mut self, keep: Keep, bytes: u64) -> Result<Option<String>, StoreError> {
        let torn = self.set_torn_aside(bytes)?;
        match keep {
            Keep::Journal => self.remove(NEXT)?,
            Keep::Next => self.rename(NEXT, JOURNAL)?,
            Keep::Neither => {
                self.remove(JOURNAL)?;
                self.remove(NEXT)?;
            }
        }
        self.file = None;
        self.renew_journal()?;
        self.hold();
        Ok(torn)
    }

    fn append(&mut self, at: u64, text: &str) -> Result<(), StoreError> {
        if at == 0 {
            self.confirm_lock()?;
            self.world.instant(self.pid)?;
            self.append_text(0, text)?;
            return self.confirm_lock().inspect_err(|_| self.retract());
        }
        self.check()?;
        self.world.instant(self.pid)?;
        self.append_text(at, text)?;
        self.check()
    }

    fn confirm(&mut self) -> Result<(), StoreError> {
        self.confirm_lock()
    }

    fn fold(&mut self, fold: Fold<'_>) -> Result<(), StoreError> {
        self.world.instant(self.pid)?;
        if self.broken {
            return Err(StoreError::Broken { name: JOURNAL.into() });
        }
        self.check()?;
        self.prepare(fold.next)?;
        if let Some(Mark { at, text }) = fold.mark {
            self.append_text(at, text)?;
        }
        self.check()?;
        self.put_surely(fold.snapshot)?;
        self.turn(fold.next.is_some())
    }

    fn drop_journal(&mut self) -> Result<(), StoreError> {
        self.check()?;
        self.turn(false)
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

impl Drop for Split {
    fn drop(&mut self) {
        // The dead give nothing back.
        if !self.world.is_dead(self.pid) {
            let _ = self.unlock();
        }
    }
}
