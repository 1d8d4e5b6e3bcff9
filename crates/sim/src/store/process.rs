//! A process: opens the state, settles what is in doubt, makes and deletes things, folds, ends.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use plumb_model::addr::{Addr, Kind, ProviderAddr};
use plumb_model::event::{Effect, Event, Intended, Intent, Remote};
use plumb_model::schema::{Attribute, Block, Presence, ProviderSchema, ResourceSchema, Schemas};
use plumb_model::state::{State, Token};
use plumb_model::value::{Type, Value};
use plumb_state::{Lease, LockInfo, Opened, Store, StoreError};

use super::split::JOURNAL;
use super::truth::{no_orphans, number_of};
use super::world::{Door, LEASE, Pid, World};

const SOURCE: &str = "sim.test/world/cloud";

/// Where things can be.
const PLACES: usize = 5;

/// A process that has the state open.
pub(crate) struct Process {
    pub(crate) pid: Pid,
    world: Arc<World>,
    lease: Lease,
    state: State,
    /// Calls that were made: what they left, if an answer is on its way.
    flying: Vec<(Token, Option<Effect>)>,
    run: u64,
    step: u32,
    /// It was told that it can write nothing more.
    over: bool,
}

/// What the model needs but for the life.
struct Fixed {
    schemas: Arc<Schemas>,
    provider: Arc<ProviderAddr>,
    places: Vec<Addr>,
}

fn fixed() -> &'static Fixed {
    static FIXED: OnceLock<Fixed> = OnceLock::new();
    FIXED.get_or_init(|| {
        let text = || Attribute::new(Type::String, Presence::OptionalComputed);
        let attrs = [(Arc::from("id"), text()), (Arc::from("name"), text())].into();
        let thing = Arc::new(ResourceSchema::new(Block::new(attrs, BTreeMap::new())));
        let provider = ProviderSchema {
            source: SOURCE.into(),
            name: "cloud".into(),
            config: Block::default(),
            resources: [(Kind::new("cloud_thing"), thing)].into(),
            data: BTreeMap::new(),
        };
        let place = |it| format!("cloud_thing.a[{it}]").parse().expect("an address");
        Fixed {
            schemas: Arc::new(Schemas { providers: [(SOURCE.into(), Arc::new(provider))].into() }),
            provider: Arc::new(format!("provider[\"{SOURCE}\"]").parse().expect("a provider")),
            places: (0..PLACES).map(place).collect(),
        }
    })
}

fn store(world: &Arc<World>, pid: Pid) -> Store {
    Store::new(Arc::new(Door { world: world.clone(), pid }), fixed().schemas.clone())
}

/// Panics if a person would have to look: whatever happened, what is there does not contradict itself.
fn bearable(world: &World, error: &StoreError) {
    if matches!(error, StoreError::Refused { .. }) {
        // But for the one case in which it does: they move the journal away, as they are told.
        let inner = &mut *world.inner();
        if inner.stray.is_some() && inner.stray == inner.disk.find(JOURNAL) {
            inner.disk.remove(JOURNAL);
            inner.disk.sync_names();
            return;
        }
    }
    let is_contradiction = matches!(
        error,
        StoreError::Refused { .. } | StoreError::Snapshot { .. } | StoreError::Journal { .. }
    );
    assert!(!is_contradiction, "{error}: {error:?}");
    let calm = !world.inner().chaos;
    assert!(!calm || matches!(error, StoreError::Locked { .. }), "all is well, but {error:?}");
}

/// Somebody reads the state, without a lock.
pub(crate) fn look(world: &Arc<World>) {
    let pid = world.new_pid();
    world.inner().totals.looks += 1;
    match store(world, pid).read_only() {
        Ok((state, _)) => world.inner().truth.found(&state, "looked at"),
        Err(error) => bearable(world, &error),
    }
}

/// What happens while a process sleeps: its lock is lost, or not, and others work on.
pub(crate) fn meanwhile(world: &Arc<World>, sleeper: Pid) {
    let parked = world.parked().take();
    if let Some(process) = parked {
        if process.pid != sleeper {
            process.work(4);
        }
        return;
    }
    {
        let inner = &mut *world.inner();
        match inner.rng.below(8) {
            0 => inner.now += LEASE / 2,
            1..=3 => inner.now += 5 * LEASE,
            // A person broke it, or the session was ended.
            4..=6 => inner.lock = None,
            _ => inner.skew += inner.rng.below(20 * LEASE) as i64 - 10 * LEASE as i64,
        }
        inner.now += inner.rng.below(LEASE / 2);
    }
    let pid = world.new_pid();
    if let Some(process) = open(world, pid) {
        world.inner().totals.taken_over += 1;
        process.work(6);
    }
}

/// Opens the state, and makes sure that nothing is missing.
pub(crate) fn open(world: &Arc<World>, pid: Pid) -> Option<Process> {
    let mut info = LockInfo { id: format!("lock-{pid}"), ..LockInfo::default() };
    info.who = "somebody".into();
    match store(world, pid).open(Some(&info)) {
        Err(error) => {
            world.tell(|| format!("{pid} cannot open: {error:?}"));
            bearable(world, &error);
            None
        }
        Ok(Opened { state, lease, .. }) => {
            let run = {
                let inner = &mut *world.inner();
                // One that slept while it opened has lost the lock by now, and will find out.
                if inner.lock.as_ref().is_some_and(|it| it.pid == pid) {
                    world.tell(|| format!("{pid} opens: {:?}", state.objects.keys()));
                    inner.truth.opened(pid, &state);
                    no_orphans(&state, inner);
                }
                inner.runs += 1;
                inner.runs
            };
            let world = world.clone();
            let flying = Vec::new();
            Some(Process { pid, world, lease, state, flying, run, step: 0, over: false })
        }
    }
}

impl Process {
    /// Settles what is in doubt, does so many things at most, and ends in one way or another.
    pub(crate) fn work(mut self, steps: u64) {
        // One that was parked has calls under way, and knows of them.
        if self.step == 0
            && self.state.in_doubt.keys().all(|it| it.run != self.run)
            && !self.settle()
        {
            return self.end();
        }
        for _ in 0..steps {
            if self.world.is_dead(self.pid) || (self.over && !self.rolls(3)) {
                break;
            }
            self.step();
        }
        let nested = self.world.parked().is_none();
        if nested && !self.over && self.rolls(6) {
            let world = self.world.clone();
            *world.parked() = Some(self);
            return;
        }
        self.end();
    }

    fn rolls(&self, one_in: u64) -> bool {
        self.world.inner().rng.one_in(one_in)
    }

    fn end(mut self) {
        if !self.rolls(4) {
            self.fold();
        }
        if !self.rolls(4) {
            let _ = self.lease.close();
        }
    }

    /// Writes events, and believes them once they are durable.
    fn write(&mut self, events: &[Event]) -> bool {
        self.world.inner().truth.begin(self.pid, events);
        let written = self.lease.append(events);
        self.world.tell(|| format!("{} writes {events:?}: {written:?}", self.pid));
        match written {
            Ok(()) => {
                assert!(!self.over, "what takes no more took some");
                for event in events {
                    self.state.record(event).expect("what is written is legal");
                }
                let inner = &mut *self.world.inner();
                inner.truth.acknowledge(self.pid, events);
                inner.totals.writes += 1;
                true
            }
            Err(error) => {
                self.failed(&error);
                false
            }
        }
    }

    fn failed(&mut self, error: &StoreError) {
        bearable(&self.world, error);
        self.world.inner().totals.failed += 1;
        self.over |= matches!(error, StoreError::Fenced { .. } | StoreError::Broken { .. });
        if matches!(error, StoreError::Fenced { .. }) {
            self.world.inner().totals.fenced += 1;
        }
    }

    fn fold(&mut self) {
        let before = self.lease.stamp().serial;
        let folded = self.lease.checkpoint(&self.state);
        self.world.tell(|| format!("{} folds: {folded:?}", self.pid));
        match folded {
            Ok(serial) => {
                let truth = &mut self.world.inner().truth;
                if truth.holder == Some(self.pid) {
                    // What was not worth a snapshot is as it was.
                    if serial != before {
                        truth.maybe.clear();
                    }
                    truth.serial = serial;
                    // What is folded, or found to be in the snapshot already, needs no broken journal.
                    self.over = false;
                } else {
                    assert_eq!(serial, before, "{} lost its lock and wrote", self.pid);
                }
            }
            Err(error) => self.failed(&error),
        }
    }

    /// Looks for what calls left that were never heard back from. Tells whether all of it is known.
    fn settle(&mut self) -> bool {
        let doubts: Vec<(Token, Intended)> =
            self.state.in_doubt.iter().map(|(token, it)| (*token, it.action.clone())).collect();
        for (token, action) in doubts {
            let left = {
                let inner = self.world.inner();
                match &action {
                    Intended::Delete { key } => {
                        let number = number_of(&self.state.objects[key].attrs);
                        match inner.things.contains_key(&number) {
                            true => Effect::Nothing,
                            false => Effect::Deleted,
                        }
                    }
                    _ => match inner.things.iter().find(|it| it.1.1 == token) {
                        Some((number, _)) => made(*number),
                        None => Effect::Nothing,
                    },
                }
            };
            if !self.write(&[Event::Settled { token, left }]) {
                return false;
            }
        }
        self.write(&[Event::RunStarted { run: self.run }])
    }

    fn step(&mut self) {
        // Only what was doubted by earlier runs stands in the way, and that is settled.
        let kind = self.world.inner().rng.below(10);
        match kind {
            0..=4 => self.call(),
            5..=7 if !self.flying.is_empty() => self.hear(),
            8 => {
                let value = Value::number(self.world.inner().rng.below(5) as i64);
                self.write(&[Event::Output { name: "o".into(), value: Some(value) }]);
            }
            9 => self.fold(),
            _ => self.call(),
        }
    }

    /// Makes some calls, once it is durable that they will be made.
    fn call(&mut self) {
        let (first, many) = {
            let rng = &mut self.world.inner().rng;
            (rng.below(PLACES as u64) as usize, 1 + rng.below(3) as usize)
        };
        let mut calls = Vec::new();
        for place in (0..PLACES).map(|it| (first + it) % PLACES) {
            let addr = &fixed().places[place];
            let is_busy = self.state.in_doubt.values().any(|it| it.action.addr() == addr);
            if is_busy || calls.len() == many {
                continue;
            }
            self.step += 1;
            let token = Token { run: self.run, step: self.step };
            let action = match self.state.current(addr) {
                Some(_) if self.rolls(2) => Intended::Delete { key: addr.current() },
                Some(_) => continue,
                None => Intended::Create { addr: addr.clone(), retire: None },
            };
            calls.push((token, place, action));
        }
        let started: Vec<Event> = calls.iter().map(|it| started(it.0, it.2.clone())).collect();
        if started.is_empty() || !self.write(&started) {
            return;
        }
        for (token, place, action) in calls {
            let left = self.reach(token, place, &action);
            self.flying.push((token, left));
        }
    }

    /// A call arrives, or not; None: nobody hears of it again.
    fn reach(&self, token: Token, place: usize, action: &Intended) -> Option<Effect> {
        let inner = &mut *self.world.inner();
        inner.totals.calls += 1;
        let fate = inner.rng.below(8);
        if inner.chaos && fate == 0 {
            return None;
        }
        if inner.chaos && fate == 1 {
            return Some(Effect::Nothing);
        }
        let left = match action {
            Intended::Delete { key } => {
                inner.things.remove(&number_of(&self.state.objects[key].attrs));
                Effect::Deleted
            }
            _ => {
                let there = inner.things.values().any(|it| it.0 == place);
                assert!(!there, "{place} is made twice");
                assert!(inner.made.insert(token), "{token} makes a second thing");
                let number = inner.made.len() as u64;
                inner.things.insert(number, (place, token));
                made(number)
            }
        };
        (!inner.chaos || fate != 2).then_some(left)
    }

    /// Answers arrive, some at a time, in any order.
    fn hear(&mut self) {
        let mut events = Vec::new();
        let mut rest = Vec::new();
        for (token, left) in std::mem::take(&mut self.flying) {
            let now = events.is_empty() || self.rolls(2);
            match left {
                Some(left) if now => events.push(Event::Finished { token, left }),
                // It stays in doubt.
                None => {}
                left => rest.push((token, left)),
            }
        }
        self.flying = rest;
        if !events.is_empty() {
            // What is not written is looked for by the next run.
            self.write(&events);
        }
    }

    /// With nothing in the way: everything is settled, made, folded.
    pub(crate) fn finish(mut self) {
        assert!(self.settle());
        assert!(self.state.in_doubt.is_empty(), "{:?}", self.state.in_doubt);
        for _ in 0..PLACES {
            let missing = |it: &&Addr| self.state.current(it).is_none();
            let Some(place) = fixed().places.iter().position(|it| missing(&it)) else { break };
            self.step += 1;
            let token = Token { run: self.run, step: self.step };
            let action = Intended::Create { addr: fixed().places[place].clone(), retire: None };
            assert!(self.write(&[started(token, action.clone())]));
            let left = self.reach(token, place, &action).expect("all is well");
            assert!(self.write(&[Event::Finished { token, left }]));
        }
        self.fold();
        self.lease.close().expect("all is well");
    }
}

fn attrs(number: Option<u64>) -> Value {
    let id = number.map_or(Value::null(Type::String), |it| Value::string(it.to_string()));
    Value::object([("id", id), ("name", Value::string("thing"))])
}

fn made(number: u64) -> Effect {
    Effect::Made(Remote { attrs: attrs(Some(number)), private: None, complete: true })
}

fn started(token: Token, action: Intended) -> Event {
    let planned = match &action {
        Intended::Delete { .. } => Value::NULL,
        _ => attrs(None),
    };
    let provider = fixed().provider.clone();
    let intent = Intent {
        action,
        provider,
        planned,
        schema_version: 0,
        needs: Arc::from([]),
        create_before_destroy: false,
    };
    Event::Started { token, intent }
}
