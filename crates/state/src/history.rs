//! Who changed a state, when, and what came of it: one line of JSON for each snapshot.
//!
//! It is told for people. Nothing relies on it: a line that cannot be written, or read, is left out.

use std::collections::BTreeMap;

use plumb_model::event::{Effect, Event, Intended};
use plumb_model::state::Token;

/// How many drifted objects one entry names.
const DRIFTED_MAX: usize = 200;

/// One snapshot, and how it came to be.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Entry {
    /// When it was written, RFC 3339.
    pub time: String,
    /// Its serial.
    pub serial: u64,
    /// Its lineage.
    pub lineage: String,
    /// `user@host`.
    pub who: String,
    /// `OperationTypeApply` and the like.
    pub operation: String,
    /// What the writer said besides, such as the commit that was applied.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub info: String,
    /// Version of the program.
    pub version: String,
    /// Objects made.
    pub made: usize,
    /// Objects changed.
    pub changed: usize,
    /// Objects deleted.
    pub deleted: usize,
    /// Objects that were found to have moved by themselves.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub drifted: Vec<Drifted>,
}

/// One object that moved by itself.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Drifted {
    /// Which.
    pub address: String,
    /// `changed` or `deleted`.
    pub class: String,
}

/// What happened since the last snapshot.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    entry: Entry,
    under_way: BTreeMap<Token, Doing>,
}

#[derive(Clone, Copy, Debug)]
enum Doing {
    Create,
    Update,
    Delete,
}

impl Tally {
    /// For a writer who says this of itself.
    pub(crate) fn new(who: String, operation: String, info: String) -> Tally {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let entry = Entry { who, operation, info, version, ..Entry::default() };
        Tally { entry, under_way: BTreeMap::new() }
    }

    pub(crate) fn add(&mut self, events: &[Event]) {
        events.iter().for_each(|it| self.one(it));
    }

    fn one(&mut self, event: &Event) {
        match event {
            Event::Started { token, intent } => {
                let doing = match intent.action {
                    Intended::Create { .. } => Doing::Create,
                    Intended::Update { .. } => Doing::Update,
                    Intended::Delete { .. } => Doing::Delete,
                };
                self.under_way.insert(*token, doing);
            }
            Event::Finished { token, left } | Event::Settled { token, left } => {
                let count = match (self.under_way.remove(token), left) {
                    (Some(Doing::Create), Effect::Made(_)) => &mut self.entry.made,
                    (Some(Doing::Update), Effect::Made(_)) => &mut self.entry.changed,
                    (Some(Doing::Delete), Effect::Deleted) => &mut self.entry.deleted,
                    _ => return,
                };
                *count += 1;
            }
            Event::Drifted { key, .. } => self.drifted(key.to_string(), "changed"),
            Event::Vanished { key } => self.drifted(key.to_string(), "deleted"),
            _ => {}
        }
    }

    fn drifted(&mut self, address: String, class: &str) {
        if self.entry.drifted.len() < DRIFTED_MAX {
            self.entry.drifted.push(Drifted { address, class: class.to_owned() });
        }
    }

    /// The line for a snapshot; counts anew.
    pub(crate) fn told(&mut self, time: String, serial: u64, lineage: &str) -> Option<String> {
        let Entry { who, operation, info, .. } = self.entry.clone();
        let next = Tally {
            under_way: std::mem::take(&mut self.under_way),
            ..Tally::new(who, operation, info)
        };
        let Tally { entry, .. } = std::mem::replace(self, next);
        let entry = Entry { time, serial, lineage: lineage.to_owned(), ..entry };
        serde_json::to_string(&entry).ok()
    }
}
