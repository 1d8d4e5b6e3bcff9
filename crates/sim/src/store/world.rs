//! Everything outside of a process: where states are kept, what was made, the clock, and what goes
//! wrong. A process is a number; it may die or fall asleep at every instant between two effects.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use plumb_model::state::Token;
use plumb_state::backend::{Backend, Place};
use plumb_state::{LockInfo, StoreError};

use super::StoreTotals;
use super::disk::{Disk, FileId};
use super::process::{self, Process};
use super::split::Split;
use super::table::Table;
use super::truth::Truth;
use crate::rng::Rng;

/// A process.
pub(crate) type Pid = u64;

/// How long a lease lasts; an instant takes one.
pub(crate) const LEASE: u64 = 60;

/// How a state is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// In a database: every write is a transaction.
    Table,
    /// Snapshots far away, the journal in a folder.
    Split,
}

/// The world. No guard is held where another process may get its turn.
pub(crate) struct World {
    inner: Mutex<Inner>,
    pub(crate) kind: Kind,
    verbose: bool,
    /// A process that began while another one slept, and goes on after that one is over.
    parked: Mutex<Option<Process>>,
}

/// What is in it.
pub(crate) struct Inner {
    pub(crate) rng: Rng,
    /// Whether anything goes wrong.
    pub(crate) chaos: bool,
    pub(crate) now: u64,
    /// What this machine's clock is ahead of the one far away.
    pub(crate) skew: i64,
    pub(crate) disk: Disk,
    pub(crate) snapshot: Option<Vec<u8>>,
    /// Of the snapshot.
    pub(crate) version: u64,
    /// Of a table.
    pub(crate) journal: Option<Vec<u8>>,
    pub(crate) lock: Option<Holder>,
    /// A journal that a process began when its lock was gone already. It takes it back, unless it dies or
    /// fails before; meanwhile only a person can tell that it is worth nothing.
    pub(crate) stray: Option<FileId>,
    pub(crate) dead: BTreeSet<Pid>,
    asleep: bool,
    pids: Pid,
    pub(crate) runs: u64,
    pub(crate) truth: Truth,
    /// What exists: by number, where and by which call it was made.
    pub(crate) things: BTreeMap<u64, (usize, Token)>,
    pub(crate) made: BTreeSet<Token>,
    pub(crate) totals: StoreTotals,
}

/// Who has the lock.
#[derive(Clone, Debug)]
pub(crate) struct Holder {
    pub(crate) pid: Pid,
    pub(crate) info: LockInfo,
    /// By the clock far away.
    pub(crate) expires: u64,
}

/// How a write ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Done,
    /// Nothing happened.
    Refused,
    /// It is done, and an error is answered.
    Unanswered,
}

impl World {
    pub(crate) fn new(seed: u64, verbose: bool) -> Arc<World> {
        let mut rng = Rng::new(seed);
        let kind = if rng.one_in(3) { Kind::Table } else { Kind::Split };
        let inner = Inner {
            rng,
            chaos: true,
            now: 1000,
            skew: 0,
            disk: Disk::default(),
            snapshot: None,
            version: 0,
            journal: None,
            lock: None,
            stray: None,
            dead: BTreeSet::new(),
            asleep: false,
            pids: 0,
            runs: 0,
            truth: Truth::default(),
            things: BTreeMap::new(),
            made: BTreeSet::new(),
            totals: StoreTotals::default(),
        };
        let parked = Mutex::new(None);
        Arc::new(World { inner: Mutex::new(inner), kind, verbose, parked })
    }

    pub(crate) fn inner(&self) -> MutexGuard<'_, Inner> {
        // A life ends with its first panic; what is dropped on the way still looks in here.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The process that waits for its turn.
    pub(crate) fn parked(&self) -> MutexGuard<'_, Option<Process>> {
        self.parked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn tell(&self, what: impl FnOnce() -> String) {
        if self.verbose {
            #[expect(clippy::print_stdout, reason = "a person replays one life")]
            {
                println!("{}", what());
            }
        }
    }

    pub(crate) fn new_pid(&self) -> Pid {
        let mut inner = self.inner();
        inner.pids += 1;
        inner.pids
    }

    pub(crate) fn is_dead(&self, pid: Pid) -> bool {
        self.inner().dead.contains(&pid)
    }

    /// An instant at which everything can happen: the process dies, or sleeps while another one gets
    /// its turn, or somebody looks at what is kept.
    pub(crate) fn instant(self: &Arc<World>, pid: Pid) -> Result<(), StoreError> {
        self.mortal(pid)?;
        let mut inner = self.inner();
        if !inner.chaos {
            return Ok(());
        }
        match inner.rng.below(90) {
            0 if !inner.asleep => {
                inner.asleep = true;
                inner.totals.sleeps += 1;
                drop(inner);
                self.tell(|| format!("{pid} sleeps"));
                process::meanwhile(self, pid);
                self.inner().asleep = false;
                self.tell(|| format!("{pid} wakes"));
                if self.is_dead(pid) { Err(dead()) } else { Ok(()) }
            }
            1 => {
                drop(inner);
                process::look(self);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// An instant at which the process may die, and nothing else happens.
    pub(crate) fn mortal(&self, pid: Pid) -> Result<(), StoreError> {
        let mut inner = self.inner();
        inner.now += 1;
        if inner.dead.contains(&pid) {
            return Err(dead());
        }
        if inner.chaos && inner.rng.one_in(120) {
            inner.totals.deaths += 1;
            inner.dead.insert(pid);
            drop(inner);
            self.tell(|| format!("{pid} dies"));
            return Err(dead());
        }
        Ok(())
    }

    /// The machine loses its power: everything that runs on it ends.
    pub(crate) fn lose_power(&self) {
        self.tell(|| "power cut".into());
        let inner = &mut *self.inner();
        inner.totals.power_cuts += 1;
        inner.dead.extend(1..=inner.pids);
        inner.disk.lose_power(&mut inner.rng);
    }
}

impl Inner {
    pub(crate) fn fate(&mut self) -> Fate {
        match self.rng.below(25) {
            0 if self.chaos => Fate::Refused,
            1 if self.chaos => Fate::Unanswered,
            _ => Fate::Done,
        }
    }

    /// Once in a while.
    pub(crate) fn fails(&mut self, one_in: u64) -> bool {
        self.chaos && self.rng.one_in(one_in)
    }

    /// What this machine's clock says.
    pub(crate) fn local(&self) -> u64 {
        self.now.saturating_add_signed(self.skew)
    }
}

/// A process's way to the state.
pub(crate) struct Door {
    pub(crate) world: Arc<World>,
    pub(crate) pid: Pid,
}

impl Place for Door {
    fn name(&self) -> String {
        "the state".into()
    }

    fn connect(&self) -> Result<Box<dyn Backend>, StoreError> {
        let (world, pid) = (self.world.clone(), self.pid);
        Ok(match self.world.kind {
            Kind::Table => Box::new(Table::new(world, pid)),
            Kind::Split => Box::new(Split::new(world, pid)),
        })
    }
}

fn dead() -> StoreError {
    trouble("be asked by the dead")
}

pub(crate) fn trouble(what: &'static str) -> StoreError {
    StoreError::Remote { what, name: "the state".into(), source: "trouble".into() }
}

pub(crate) fn fenced(detail: &str) -> StoreError {
    StoreError::Fenced { name: "the state".into(), detail: detail.into() }
}
