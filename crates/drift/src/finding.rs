//! What a look at the world found.

use std::collections::BTreeMap;
use std::sync::Arc;

use plumb_diag::{Diagnostics, Span};
use plumb_model::addr::{Kind, ObjectKey, ProviderAddr};
use plumb_model::plan::Action;
use plumb_model::value::Value;

/// What kind of drift.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// An object of ours has other attributes than were remembered.
    Changed,
    /// An object of ours is gone.
    Deleted,
    /// An object stands beside ours and nobody declared it.
    Foreign,
    /// An argument that the configuration leaves out has another value than when it was last seen.
    Undeclared,
}

/// One object that moved.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// How it moved.
    pub class: Class,
    /// What people call it: its address in the configuration, or, for something foreign, its type
    /// and name: `docker_container:stray`.
    pub address: Arc<str>,
    /// The object of ours. Something foreign has none.
    pub key: Option<ObjectKey>,
    /// Its type.
    pub kind: Kind,
    /// Whose it is.
    pub provider: Arc<ProviderAddr>,
    /// The value of its attribute `id`, or what an `import` block takes; empty if there is none.
    pub id: Arc<str>,
    /// What moved, sorted by path. Empty for what is deleted or foreign.
    pub attributes: Vec<MovedAttribute>,
    /// Why it matters, in sentences.
    pub why: Vec<Arc<str>>,
    /// What an apply would do to make it as declared; none if it would do nothing.
    pub repair: Option<Action>,
    /// Its configuration was changed as well since the last apply: a repair alone cannot be had.
    pub pending: bool,
    /// When a look first found it, in the form of RFC 3339.
    pub first_seen: Arc<str>,
    /// The block that declares it (or what it stands beside).
    pub span: Option<Span>,
    /// Whether it counts.
    pub standing: Standing,
}

/// One attribute that moved.
#[derive(Clone, Debug, PartialEq)]
pub struct MovedAttribute {
    /// Which, as the language writes it: `labels["tier"]`.
    pub path: Arc<str>,
    /// As it was remembered. Unmarked.
    pub before: Option<Value>,
    /// As it is. Unmarked.
    pub after: Option<Value>,
    /// Neither is ever shown.
    pub sensitive: bool,
}

/// Whether a finding counts.
#[derive(Clone, Debug, PartialEq)]
pub enum Standing {
    /// It does.
    Counts,
    /// It was accepted, but that is over: it counts again.
    Expired(Accepted),
    /// Somebody accepted it.
    Accepted(Accepted),
    /// It is ignored in this run on request.
    Ignored,
    /// The system sets it by itself, and neither the configuration nor an output looks at it.
    Quiet,
}

/// An `accept` block that a finding falls under.
#[derive(Clone, Debug, PartialEq)]
pub struct Accepted {
    /// Why, in the words of who accepted it.
    pub reason: Arc<str>,
    /// The last day of it, `2026-12-31`; none: for good.
    pub until: Option<Arc<str>>,
    /// The block.
    pub span: Span,
}

/// A change that the configuration asks for by itself, without any drift.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Which object.
    pub address: Arc<str>,
    /// What an apply would do.
    pub action: Action,
}

/// Everything that a look found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DriftReport {
    /// When it was looked, in the form of RFC 3339.
    pub when: Arc<str>,
    /// The workspace.
    pub workspace: Arc<str>,
    /// The lineage of the state that was compared with; empty if there is none yet.
    pub lineage: Arc<str>,
    /// Its serial.
    pub serial: u64,
    /// How many objects were looked at.
    pub looked: usize,
    /// What was found, sorted by class and address; also what does not count.
    pub findings: Vec<Finding>,
    /// What the configuration asks for by itself, sorted by address.
    pub pending: Vec<Pending>,
    /// What a person should know besides: `accept` blocks that fall on nothing, and the like.
    pub notes: Diagnostics,
}

/// How many findings count, by class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// See [`Class::Changed`].
    pub changed: usize,
    /// See [`Class::Deleted`].
    pub deleted: usize,
    /// See [`Class::Foreign`].
    pub foreign: usize,
    /// See [`Class::Undeclared`].
    pub undeclared: usize,
    /// Those that somebody accepted, or that are ignored in this run.
    pub accepted: usize,
    /// See [`Standing::Quiet`].
    pub quiet: usize,
}

/// When earlier looks first found what they found: by class, address and path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Previous(pub BTreeMap<(Class, Arc<str>, Arc<str>), Arc<str>>);

impl Class {
    /// All of them, in order.
    pub const ALL: [Class; 4] = [Class::Changed, Class::Deleted, Class::Foreign, Class::Undeclared];

    /// As reports, files and options call it.
    pub fn name(self) -> &'static str {
        match self {
            Class::Changed => "changed",
            Class::Deleted => "deleted",
            Class::Foreign => "foreign",
            Class::Undeclared => "undeclared",
        }
    }

    /// The class of a name.
    pub fn parse(name: &str) -> Option<Class> {
        Class::ALL.into_iter().find(|it| it.name() == name)
    }
}

impl Standing {
    /// Whether the finding counts.
    pub fn counts(&self) -> bool {
        matches!(self, Standing::Counts | Standing::Expired(_))
    }

    /// As reports call it.
    pub fn name(&self) -> &'static str {
        match self {
            Standing::Counts => "counts",
            Standing::Expired(_) => "expired",
            Standing::Accepted(_) => "accepted",
            Standing::Ignored => "ignored",
            Standing::Quiet => "quiet",
        }
    }
}

impl DriftReport {
    /// The findings that count.
    pub fn counting(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|it| it.standing.counts())
    }

    /// Whether something counts.
    pub fn has_drift(&self) -> bool {
        self.counting().next().is_some()
    }

    /// How many there are of what.
    pub fn counts(&self) -> Counts {
        let mut res = Counts::default();
        for it in &self.findings {
            let count = match (&it.standing, it.class) {
                (Standing::Accepted(_) | Standing::Ignored, _) => &mut res.accepted,
                (Standing::Quiet, _) => &mut res.quiet,
                (_, Class::Changed) => &mut res.changed,
                (_, Class::Deleted) => &mut res.deleted,
                (_, Class::Foreign) => &mut res.foreign,
                (_, Class::Undeclared) => &mut res.undeclared,
            };
            *count += 1;
        }
        res
    }

    /// When everything in it was first found, for the next look.
    pub fn first_seen(&self) -> Previous {
        let mut res = BTreeMap::new();
        for finding in &self.findings {
            for path in finding.paths() {
                let key = (finding.class, finding.address.clone(), path);
                res.insert(key, finding.first_seen.clone());
            }
        }
        Previous(res)
    }
}

impl Counts {
    /// All that count.
    pub fn total(self) -> usize {
        self.changed + self.deleted + self.foreign + self.undeclared
    }

    /// Those of one class that count.
    pub fn of(self, class: Class) -> usize {
        match class {
            Class::Changed => self.changed,
            Class::Deleted => self.deleted,
            Class::Foreign => self.foreign,
            Class::Undeclared => self.undeclared,
        }
    }
}

impl Finding {
    /// What moved; of something deleted or foreign, one empty path.
    pub(crate) fn paths(&self) -> Vec<Arc<str>> {
        match self.attributes.is_empty() {
            true => vec!["".into()],
            false => self.attributes.iter().map(|it| it.path.clone()).collect(),
        }
    }
}
