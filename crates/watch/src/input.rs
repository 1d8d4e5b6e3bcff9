//! What a watch is told, and what it answers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use plumb_drift::DriftReport;
use plumb_model::addr::{ObjectKey, ProviderAddr};
use plumb_provider::Touched;

use crate::{News, Scope};

/// Something happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// A system told of something.
    Touched {
        /// Whose system.
        provider: Arc<ProviderAddr>,
        /// What.
        what: Touched,
    },
    /// The look that was asked for is over.
    Looked {
        /// What it found: all that is known, not only what was read again.
        report: Box<DriftReport>,
        /// A run did not end well: a repair takes over what it left.
        unsettled: bool,
    },
    /// The look that was asked for found nothing out.
    NotLooked(NotLooked),
    /// The repair that was asked for is over.
    Repaired(Outcome),
    /// Everything is tried again.
    Reload {
        /// Because the configuration changed; else because a person wants it.
        configuration: bool,
    },
    /// Somebody else changed the state.
    StateMoved,
    /// An earlier life had begun to repair these.
    Owed(BTreeSet<ObjectKey>),
    /// Time went by.
    Tick,
    /// Nothing new is to begin.
    Stop,
}

/// Why a look found nothing out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotLooked {
    /// It could not be made.
    Failed(Arc<str>),
    /// Somebody works on the state: what would be found is half of what they do.
    Busy(Arc<str>),
}

/// What came of a repair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was made.
    Made(Repaired),
    /// Its plan was refused; nothing was changed.
    Refused(Refusal),
    /// Somebody else works on the state; nothing was changed.
    Busy(Arc<str>),
    /// The state is not the one that was looked with; nothing was changed.
    Stale,
    /// There was no plan; nothing was changed.
    Failed(Arc<str>),
}

/// A repair that was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repaired {
    /// How many changes were begun, and so spent.
    pub changes: u32,
    /// Every object that it may have touched.
    pub touched: BTreeSet<ObjectKey>,
    /// What could not be done, and why.
    pub failed: BTreeMap<ObjectKey, Arc<str>>,
    /// What it had set out to do and has not done.
    pub owed: BTreeSet<ObjectKey>,
}

/// Why a plan is not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It deletes or replaces these.
    Destroys(Vec<ObjectKey>),
    /// It makes so many changes, and so many are left.
    Budget {
        /// So many it makes.
        needs: u32,
        /// So many may be made now.
        left: u32,
    },
    /// It changes these, which nobody asked for.
    Others(Vec<ObjectKey>),
}

/// What is to be done now.
#[derive(Clone, Debug)]
pub enum Output {
    /// Look, and say [`Input::Looked`] or [`Input::NotLooked`].
    Look(Scope),
    /// Repair, and say [`Input::Repaired`].
    Repair(Repair),
    /// Tell.
    Announce(News),
}

/// What to repair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repair {
    /// These objects. None: only what an earlier run left in doubt is settled.
    pub objects: BTreeSet<ObjectKey>,
    /// A repair of them was begun before: their drift is no longer seen as such, since the state
    /// knows of it already.
    pub resume: bool,
    /// So many changes it may make.
    pub changes_max: u32,
}
