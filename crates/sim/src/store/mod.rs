//! Lives of a state that is kept by the real `plumb_state::Store` in a place where everything fails.
//!
//! Appends tear, are refused, or are durable although an error is answered; folds end in between;
//! disks fill up, lose their power and with it what was not synced; processes die at any instant,
//! and sleep while their lock is taken and others work. After all of it nothing that was
//! acknowledged may be missing, and nothing is made twice.
//!
//! What it leaves out: a call that reaches the world after another process has looked for what it
//! left. No lock can prevent that; calls here arrive at once when their intent is durable. And a
//! process that falls asleep between its look at a file's name and what it then does to that name, or
//! between taking the lock and having put the files in order.

mod disk;
mod process;
mod split;
mod table;
mod truth;
mod world;

use std::sync::Arc;

use self::process::Process;
use self::truth::no_orphans;
use self::world::{Kind, LEASE, World};

/// What happened in many lives.
#[derive(Clone, Copy, Debug, Default)]
pub struct StoreTotals {
    /// Writes that were acknowledged.
    pub writes: u64,
    /// Writes and foldings that failed.
    pub failed: u64,
    /// Writes that tore.
    pub torn: u64,
    /// Calls made.
    pub calls: u64,
    /// Processes that died.
    pub deaths: u64,
    /// Times the power was cut.
    pub power_cuts: u64,
    /// Times a process slept in the middle of something.
    pub sleeps: u64,
    /// Times another process opened the state meanwhile.
    pub taken_over: u64,
    /// Writes refused since the lock was lost.
    pub fenced: u64,
    /// Times somebody looked in the middle of something.
    pub looks: u64,
}

impl std::ops::AddAssign for StoreTotals {
    fn add_assign(&mut self, it: StoreTotals) {
        self.writes += it.writes;
        self.failed += it.failed;
        self.torn += it.torn;
        self.calls += it.calls;
        self.deaths += it.deaths;
        self.power_cuts += it.power_cuts;
        self.sleeps += it.sleeps;
        self.taken_over += it.taken_over;
        self.fenced += it.fenced;
        self.looks += it.looks;
    }
}

/// Lives the life of a state that belongs to `seed`. Panics if something is lost. `verbose` tells the
/// story.
pub fn live_in_store(seed: u64, verbose: bool) -> StoreTotals {
    let world = World::new(seed, verbose);
    let processes = 2 + world.inner().rng.below(3);
    for _ in 0..processes {
        between(&world);
        if let Some(process) = next(&world) {
            let steps = 3 + world.inner().rng.below(8);
            process.work(steps);
        }
    }
    calm(&world);
    world.inner().totals
}

/// The process that goes on, or a new one.
fn next(world: &Arc<World>) -> Option<Process> {
    let parked = world.parked().take();
    parked.or_else(|| process::open(world, world.new_pid()))
}

/// What happens while nobody works.
fn between(world: &Arc<World>) {
    let cut = {
        let inner = &mut *world.inner();
        inner.disk.room = inner.rng.one_in(6).then(|| inner.rng.below(3000) as usize);
        match inner.rng.below(6) {
            0 => inner.now += 5 * LEASE,
            1 => inner.lock = None,
            2 => inner.skew = inner.rng.below(20 * LEASE) as i64 - 10 * LEASE as i64,
            _ => {}
        }
        world.kind == Kind::Split && inner.rng.one_in(3)
    };
    if cut {
        world.lose_power();
    }
}

/// Everything works again: what is there is whole, and one run does what is left to do.
fn calm(world: &Arc<World>) {
    let parked = world.parked().take();
    drop(parked);
    {
        let inner = &mut *world.inner();
        inner.chaos = false;
        inner.disk.room = None;
        inner.now += 5 * LEASE;
        inner.lock = None;
    }
    process::look(world);
    process::open(world, world.new_pid()).expect("it opens").finish();
    let last = process::open(world, world.new_pid()).expect("it opens");
    last.finish();
    let inner = world.inner();
    no_orphans(&inner.truth.known, &inner);
    assert_eq!(inner.truth.known.objects.len(), inner.things.len());
}
