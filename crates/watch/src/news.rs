//! What somebody is told.

use std::collections::BTreeMap;
use std::sync::Arc;

use plumb_drift::{Class, DriftReport, Finding};
use plumb_model::addr::ObjectKey;

use crate::{Fight, Ms};

/// How things are, in a word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Status {
    /// Nothing was looked at yet.
    #[default]
    Starting,
    /// Nothing drifted that counts.
    InSync,
    /// Something did.
    Drifted,
    /// Something does again and again, and is no longer repaired.
    Fighting,
    /// The last look failed.
    Blind,
}

/// Why drift is not repaired though it could be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// These would be deleted or replaced.
    Destroys(Vec<ObjectKey>),
    /// It makes more changes than are allowed in an hour.
    TooMany {
        /// So many it makes.
        needs: u32,
        /// So many are allowed.
        budget: u32,
    },
    /// What the configuration asks for besides is in the way, at these objects.
    Pending(Vec<ObjectKey>),
    /// It failed too often.
    Failed,
}

/// Something to tell.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// This drifted, or drifted further.
    Drifted(Box<Finding>),
    /// This no longer drifts.
    Settled(Box<Finding>),
    /// A repair of these begins; none: what an earlier run left is settled.
    Repairing(Vec<ObjectKey>),
    /// This was repaired.
    Repaired(ObjectKey),
    /// This was not.
    NotRepaired {
        /// What.
        key: ObjectKey,
        /// Why.
        why: Arc<str>,
        /// After how long it is tried again.
        again_ms: Option<Ms>,
    },
    /// This is not repaired.
    Held {
        /// What.
        key: ObjectKey,
        /// Why.
        held: Held,
    },
    /// Somebody sets this back again and again: it is no longer repaired.
    Fighting(Fight),
    /// This is repaired again.
    Resumed(ObjectKey),
    /// As many changes were made as are allowed in an hour; repairs go on in so long.
    BudgetSpent(Ms),
    /// Repairs go on.
    BudgetFree,
    /// Somebody works on the state: it is waited for them.
    Waiting(Arc<str>),
    /// A look failed.
    Blind {
        /// Why.
        why: Arc<str>,
        /// After how long the next one is made.
        again_ms: Ms,
    },
    /// Looks succeed again.
    Sees,
    /// How things are has changed.
    Status {
        /// How they were.
        from: Status,
        /// How they are.
        to: Status,
    },
}

impl Status {
    /// All of them.
    pub const ALL: [Status; 5] =
        [Status::Starting, Status::InSync, Status::Drifted, Status::Fighting, Status::Blind];

    /// As reports and metrics call it.
    pub fn name(self) -> &'static str {
        match self {
            Status::Starting => "starting",
            Status::InSync => "in_sync",
            Status::Drifted => "drifted",
            Status::Fighting => "fighting",
            Status::Blind => "blind",
        }
    }
}

/// What differs between two reports, as far as it counts.
pub(crate) fn differences(
    before: Option<&DriftReport>,
    after: &DriftReport,
    mut told: impl FnMut(&Finding) -> bool,
) -> Vec<News> {
    let (old, new) = (before.map(by_name).unwrap_or_default(), by_name(after));
    let mut res = Vec::new();
    for (name, finding) in &new {
        let known = old.get(name).is_some_and(|it| it.attributes == finding.attributes);
        if !known && told(finding) {
            res.push(News::Drifted(Box::new((*finding).clone())));
        }
    }
    for (name, finding) in &old {
        if !new.contains_key(name) && told(finding) {
            res.push(News::Settled(Box::new((*finding).clone())));
        }
    }
    res
}

type Name<'a> = (Class, &'a str, Option<&'a str>);

/// Foreign objects may share a name.
fn by_name(report: &DriftReport) -> BTreeMap<Name<'_>, &Finding> {
    let name = |it: &Finding| (it.class, it.key.is_none());
    let them = report.counting().map(|it| {
        let (class, foreign) = name(it);
        ((class, &*it.address, foreign.then_some(&*it.id)), it)
    });
    them.collect()
}
