//! A plan: what a person reviews and what the executor does. Data, with nothing left to decide.

use std::collections::BTreeMap;
use std::sync::Arc;

use plumb_diag::Diagnostics;

use crate::addr::{Addr, ConfigAddr, DeposedKey, Kind, ObjectKey, ProviderAddr};
use crate::event::Event;
use crate::state::CheckResult;
use crate::value::{Path, Value};

/// What is to be done, and why.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The run that will carry it out.
    pub run: u64,
    /// First of all: brings the state up to what was seen. Also done when `steps` is empty.
    pub refresh: Vec<Event>,
    /// What a person reviews, by object. Objects that stay as they are are here too.
    pub changes: BTreeMap<ObjectKey, Change>,
    /// What changed outside of us since the last run: before, after (none: deleted).
    pub drift: BTreeMap<ObjectKey, (Value, Option<Value>)>,
    /// The outputs of the root module.
    pub outputs: BTreeMap<Arc<str>, OutputChange>,
    /// What the executor does.
    pub steps: Vec<Step>,
    /// What was held back, and why. Also warnings.
    pub notes: Diagnostics,
    /// Warnings of checks. An apply that follows at once says them anew.
    pub check_notes: Diagnostics,
    /// What the checks say already.
    pub checks: Vec<CheckResult>,
    /// Whether the plan leaves out a part on request (`-target`).
    pub partial: bool,
}

/// What happens to one object.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// What is done.
    pub action: Action,
    /// Now. Marked as stored.
    pub before: Option<Value>,
    /// A promise: known values hold when the run is over, unknown ones become known. Marked.
    pub after: Option<Value>,
    /// Why it is not simply an update.
    pub reason: Option<Reason>,
    /// The changed attributes that need a new object.
    pub replace_paths: Vec<Path>,
    /// What the change means for those who use the object: a sentence each.
    pub says: Vec<Arc<str>>,
    /// Where it was before a `moved` block.
    pub moved_from: Option<Addr>,
    /// The id it is brought in by.
    pub importing: Option<Arc<str>>,
    /// Whose it is.
    pub provider: Arc<ProviderAddr>,
    /// See [`crate::state::Object::needs`].
    pub needs: Arc<[ConfigAddr]>,
    /// See [`crate::state::Object::create_before_destroy`].
    pub create_before_destroy: bool,
}

/// What is done to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Nothing.
    Keep,
    /// It is made.
    Create,
    /// A data source is read in the run.
    Read,
    /// It is changed.
    Update,
    /// Another takes its place.
    Replace(ReplaceOrder),
    /// It is deleted.
    Delete,
    /// It is no longer ours; it stays.
    Forget,
}

/// How an object is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplaceOrder {
    /// The old one goes, then the new one comes.
    DeleteFirst,
    /// The new one comes, then the old one goes.
    CreateFirst,
}

/// Why an action was chosen. Named in plan JSON as Terraform does, see [`Reason::name`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are Terraform's")]
pub enum Reason {
    ReplaceBecauseTainted,
    ReplaceByRequest,
    ReplaceByTriggers,
    ReplaceBecauseCannotUpdate,
    DeleteBecauseNoResourceConfig,
    DeleteBecauseWrongRepetition,
    DeleteBecauseCountIndex,
    DeleteBecauseEachKey,
    DeleteBecauseNoModule,
    DeleteBecauseNoMoveTarget,
    ReadBecauseConfigUnknown,
    ReadBecauseDependencyPending,
    ReadBecauseCheckNested,
}

/// The objects that a plan makes anew, by their blocks.
#[derive(Clone, Debug, Default)]
pub struct Replaced {
    by_block: BTreeMap<ConfigAddr, Vec<Value>>,
    /// The last answer: the instances of a block ask the same one after the other.
    last: Option<(Arc<[ConfigAddr]>, Objects)>,
}

/// Objects by their types.
pub type Objects = Arc<[(Kind, Value)]>;

impl Replaced {
    /// Those of all changes.
    pub fn of(changes: &BTreeMap<ObjectKey, Change>) -> Replaced {
        let mut res = Replaced::default();
        changes.iter().for_each(|(key, change)| res.add(&key.addr, change));
        res
    }

    /// Adds one, if that is what happens to it.
    pub fn add(&mut self, addr: &Addr, change: &Change) {
        if let (Action::Replace(_), Some(before)) = (change.action, &change.before) {
            let block = addr.config();
            self.last = self.last.take().filter(|(blocks, _)| !blocks.contains(&block));
            self.by_block.entry(block).or_default().push(before.unmark_deep());
        }
    }

    /// Those that these blocks hold.
    pub fn among(&mut self, blocks: &Arc<[ConfigAddr]>) -> Objects {
        if self.by_block.is_empty() || blocks.is_empty() {
            return Arc::new([]);
        }
        if let Some((asked, found)) = &self.last
            && Arc::ptr_eq(asked, blocks)
        {
            return found.clone();
        }
        let of = |block: &ConfigAddr| {
            let kind = block.resource.kind.clone();
            let objects = self.by_block.get(block).into_iter().flatten().cloned();
            objects.map(move |it| (kind.clone(), it))
        };
        let found: Objects = blocks.iter().flat_map(of).collect();
        self.last = Some((blocks.clone(), found.clone()));
        found
    }
}

/// What happens to an output.
#[derive(Clone, Debug, PartialEq)]
pub struct OutputChange {
    /// Now.
    pub before: Option<Value>,
    /// Then.
    pub after: Option<Value>,
    /// Never shown.
    pub sensitive: bool,
}

/// Index of a step in its plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StepId(pub u32);

/// One thing that the executor does. Waits on smaller ids only, so a plan cannot hold a cycle.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// What.
    pub op: Op,
    /// After which.
    pub after: Box<[StepId]>,
    /// Where the configuration of it is; for what is deleted or forgotten, none.
    pub site: Option<Site>,
}

/// A block of the program in one module instance. The numbers are the language's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Site {
    /// Index of the node in the program.
    pub node: u32,
    /// Which instance of the module that holds it.
    pub module: u32,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// Makes the object; what is there now is kept as `retire` until its own deletion.
    Create {
        /// Where.
        addr: Addr,
        /// The name of the old one.
        retire: Option<DeposedKey>,
    },
    /// Changes the object.
    Update {
        /// Which.
        addr: Addr,
    },
    /// Deletes an object.
    Delete {
        /// Which.
        key: ObjectKey,
    },
    /// Reads a data source.
    Read {
        /// Which.
        addr: Addr,
    },
    /// Takes an object out of the state.
    Forget {
        /// Which.
        key: ObjectKey,
    },
    /// Nothing remote: the record changes (what it leans on, its marks, its flags).
    Rebind {
        /// Which.
        addr: Addr,
    },
    /// Evaluates the step's site (a local, an argument, an output, a provider) anew.
    Evaluate,
    /// Nothing: a meeting point that keeps the edges linear.
    Join,
}

impl Plan {
    /// Whether carrying it out would change anything: objects or outputs.
    pub fn is_empty(&self) -> bool {
        self.changes.values().all(|it| {
            it.action == Action::Keep && it.moved_from.is_none() && it.importing.is_none()
        }) && self.outputs.values().all(OutputChange::is_keep)
    }
}

impl OutputChange {
    /// Whether it stays as it is.
    pub fn is_keep(&self) -> bool {
        self.before == self.after
    }
}

impl Op {
    /// The address it is about, if any.
    pub fn addr(&self) -> Option<&Addr> {
        match self {
            Op::Create { addr, .. }
            | Op::Update { addr }
            | Op::Read { addr }
            | Op::Rebind { addr } => Some(addr),
            Op::Delete { key } | Op::Forget { key } => Some(&key.addr),
            Op::Evaluate | Op::Join => None,
        }
    }
}

impl Reason {
    /// As plan JSON calls it.
    pub fn name(self) -> &'static str {
        match self {
            Reason::ReplaceBecauseTainted => "replace_because_tainted",
            Reason::ReplaceByRequest => "replace_by_request",
            Reason::ReplaceByTriggers => "replace_by_triggers",
            Reason::ReplaceBecauseCannotUpdate => "replace_because_cannot_update",
            Reason::DeleteBecauseNoResourceConfig => "delete_because_no_resource_config",
            Reason::DeleteBecauseWrongRepetition => "delete_because_wrong_repetition",
            Reason::DeleteBecauseCountIndex => "delete_because_count_index",
            Reason::DeleteBecauseEachKey => "delete_because_each_key",
            Reason::DeleteBecauseNoModule => "delete_because_no_module",
            Reason::DeleteBecauseNoMoveTarget => "delete_because_no_move_target",
            Reason::ReadBecauseConfigUnknown => "read_because_config_unknown",
            Reason::ReadBecauseDependencyPending => "read_because_dependency_pending",
            Reason::ReadBecauseCheckNested => "read_because_check_nested",
        }
    }
}
