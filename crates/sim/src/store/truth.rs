//! What was promised: kept beside the store, and held against what the store gives back.

use std::collections::BTreeMap;

use plumb_model::event::Event;
use plumb_model::state::{State, Token};
use plumb_model::value::Value;

use super::world::{Inner, Pid};

/// What the store owes us.
#[derive(Debug, Default)]
pub(crate) struct Truth {
    /// Who opened the state last under its lock: nobody else is told that a write counts.
    pub(crate) holder: Option<Pid>,
    /// What all events come to that were acknowledged.
    pub(crate) known: State,
    /// Writes since then that nobody was told of, or whose error was. A beginning of one of them may
    /// be there all the same.
    pub(crate) maybe: Vec<Vec<Event>>,
    /// Calls that were to be made and were not, as who was to make them was refused, or is about to be:
    /// their lock was gone. A journal that they began may be seen before it is taken back, or come back
    /// by a power cut. Then they are looked for and not found.
    strays: Vec<Vec<Event>>,
    /// The serial of the last snapshot that was acknowledged.
    pub(crate) serial: u64,
}

impl Truth {
    /// A write begins.
    pub(crate) fn begin(&mut self, pid: Pid, events: &[Event]) {
        if self.holder == Some(pid) {
            self.maybe.push(events.to_vec());
        }
        if events.iter().all(|it| matches!(it, Event::Started { .. })) {
            self.strays.push(events.to_vec());
        }
    }

    /// It was acknowledged.
    pub(crate) fn acknowledge(&mut self, pid: Pid, events: &[Event]) {
        assert_eq!(
            self.holder,
            Some(pid),
            "{pid} lost its lock and was told that its write counts"
        );
        for event in events {
            self.known.record(event).expect("what is written is legal");
        }
        self.maybe.clear();
        self.strays.retain(|it| it != events);
    }

    /// A state was opened under its lock.
    pub(crate) fn opened(&mut self, pid: Pid, found: &State) {
        self.found(found, "opened");
        if !self.known.is_empty() {
            assert_eq!(found.lineage, self.known.lineage, "the lineage changed");
        }
        assert!(found.serial >= self.serial, "serial {} after {}", found.serial, self.serial);
        self.known = found.clone();
        self.serial = found.serial;
        self.maybe.clear();
        self.holder = Some(pid);
    }

    /// Nothing that was acknowledged is missing, and nothing is there that nobody wrote.
    pub(crate) fn found(&self, found: &State, how: &str) {
        let tried = || {
            self.maybe.iter().chain(&self.strays).any(|events| {
                let mut state = self.known.clone();
                events.iter().any(|it| state.record(it).is_ok() && same(&state, found))
            })
        };
        assert!(
            same(&self.known, found) || tried(),
            "{how}: the store says\n{}\nand what was acknowledged is\n{}\nor with some of {:#?}",
            brief(found),
            brief(&self.known),
            self.maybe
        );
    }
}

/// But for lineage and serial.
fn same(a: &State, b: &State) -> bool {
    a.objects == b.objects && a.in_doubt == b.in_doubt && a.outputs == b.outputs
}

fn brief(state: &State) -> String {
    let objects: Vec<String> =
        state.objects.iter().map(|(key, it)| format!("{key}: {:?}", it.attrs)).collect();
    let doubts: Vec<String> =
        state.in_doubt.iter().map(|(token, it)| format!("{token}: {:?}", it.action)).collect();
    format!("  serial {}\n  {objects:?}\n  {doubts:?}\n  {:?}", state.serial, state.outputs)
}

/// The number of the thing that these attributes are of.
pub(crate) fn number_of(attrs: &Value) -> u64 {
    let id = attrs.get_attr("id").and_then(Value::as_str).and_then(|it| it.parse().ok());
    id.expect("what was made has a number")
}

/// Everything that exists is owned or in doubt; nothing is owned twice.
pub(crate) fn no_orphans(state: &State, inner: &Inner) {
    let mut owned: BTreeMap<u64, usize> = BTreeMap::new();
    for object in state.objects.values() {
        *owned.entry(number_of(&object.attrs)).or_default() += 1;
    }
    assert!(owned.values().all(|it| *it == 1), "owned twice: {}", brief(state));
    for (number, (place, token)) in &inner.things {
        let looked_for = |token: &Token| state.in_doubt.contains_key(token);
        assert!(
            owned.contains_key(number) || looked_for(token),
            "thing {number} at {place}, made by {token}, is an orphan:\n{}",
            brief(state)
        );
    }
}
