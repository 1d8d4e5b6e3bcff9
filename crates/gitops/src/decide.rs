//! Whether a plan may be applied.

use std::fmt;
use std::str::FromStr;

use crate::approval::Standing;
use crate::time::{Time, utc};
use crate::window::{Freeze, Window};

/// What the loop does with a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It applies.
    Auto,
    /// It applies once somebody who may has signed for this plan of this commit.
    Approve,
    /// It undoes what others changed; what the configuration changes waits.
    DriftOnly,
    /// It tells.
    PlanOnly,
}

impl Mode {
    /// Every mode with its name.
    pub const ALL: [(Mode, &str); 4] = [
        (Mode::Auto, "auto"),
        (Mode::Approve, "approve"),
        (Mode::DriftOnly, "drift-only"),
        (Mode::PlanOnly, "plan-only"),
    ];
}

impl FromStr for Mode {
    type Err = String;

    fn from_str(text: &str) -> Result<Mode, String> {
        Mode::ALL.iter().find(|it| it.1 == text).map(|it| it.0).ok_or_else(|| {
            format!("{text:?} is no mode: auto, approve, drift-only and plan-only are")
        })
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Mode::ALL.iter().find(|it| it.0 == *self).map_or("", |it| it.1);
        f.write_str(name)
    }
}

/// Under which conditions plans are applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// What is done with a plan at all.
    pub mode: Mode,
    /// Changes are made only while one of them is open; always, if there are none.
    pub windows: Vec<Window>,
    /// Days without changes.
    pub freezes: Vec<Freeze>,
    /// A plan that destroys more is refused. Replacing is destroying, too.
    pub destroy_max: Option<u64>,
    /// A plan that touches more objects is refused.
    pub changes_max: Option<u64>,
}

/// How many objects a plan touches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Made, brought in.
    pub create: u64,
    /// Changed in place.
    pub update: u64,
    /// Destroyed and made anew.
    pub replace: u64,
    /// Destroyed.
    pub destroy: u64,
    /// Only remembered otherwise, forgotten, moved; outputs.
    pub other: u64,
}

impl Counts {
    /// How many objects are touched over there.
    pub fn touched(&self) -> u64 {
        self.create + self.update + self.replace + self.destroy
    }

    /// How many objects end.
    pub fn destroyed(&self) -> u64 {
        self.replace + self.destroy
    }

    /// Whether there is nothing to do, not even in the state.
    pub fn is_nothing(&self) -> bool {
        self.touched() + self.other == 0
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { create, update, replace, destroy, .. } = self;
        write!(f, "{create} to add, {update} to change, {replace} to replace, {destroy} to destroy")
    }
}

/// What a decision is made from.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// When.
    pub now: Time,
    /// Under which conditions.
    pub policy: &'a Policy,
    /// A freeze that somebody declared by hand: by which flag or file.
    pub frozen_by: Option<&'a str>,
    /// What the plan does.
    pub plan: Counts,
    /// What of it undoes what others changed.
    pub drift: Counts,
    /// The digest of the plan, which an approval names.
    pub digest: &'a str,
    /// What was found of approvals.
    pub approval: &'a Standing,
}

/// What is done with a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing: all is as it should be.
    Nothing,
    /// It is applied, as it is. Who approved, if somebody had to.
    Apply {
        /// Who approved.
        approved_by: Option<String>,
    },
    /// What drifted is repaired; the rest, if there is some, waits.
    Repair {
        /// Why the rest waits.
        rest: Option<Reason>,
    },
    /// It is kept until something changes.
    Wait(Vec<Reason>),
    /// It is not applied; only another commit or another policy helps.
    Refuse(Vec<Reason>),
}

/// Why a plan is not applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It destroys too much.
    Destroys {
        /// How many.
        count: u64,
        /// How many may be.
        max: u64,
    },
    /// It touches too much.
    Touches {
        /// How many.
        count: u64,
        /// How many may be.
        max: u64,
    },
    /// By hand: by which flag or file.
    Frozen(String),
    /// By the calendar.
    FrozenDays(String),
    /// No window is open.
    Closed {
        /// When one opens.
        opens: Option<Time>,
    },
    /// Nobody approved yet.
    Unapproved {
        /// The digest to name.
        digest: String,
    },
    /// Somebody approved something else.
    StaleApproval {
        /// Who.
        by: String,
        /// What.
        digest: String,
        /// What there is now.
        wanted: String,
    },
    /// An approval that does not count.
    BadApproval {
        /// Why not.
        why: String,
        /// The digest to name.
        wanted: String,
    },
    /// The mode leaves changes of the configuration to somebody else.
    ConfigurationWaits(u64),
    /// The mode applies nothing.
    PlanOnly,
}

/// Whether a plan may be applied.
pub fn decide(facts: &Facts<'_>) -> Decision {
    let policy = facts.policy;
    if facts.plan.is_nothing() {
        return Decision::Nothing;
    }
    let rest = match policy.mode {
        Mode::DriftOnly => {
            let others = facts.plan.touched().saturating_sub(facts.drift.touched());
            (others + facts.plan.other > 0).then_some(Reason::ConfigurationWaits(others))
        }
        Mode::Auto | Mode::Approve | Mode::PlanOnly => None,
    };
    let counts = match policy.mode {
        Mode::DriftOnly if facts.drift.is_nothing() => {
            return Decision::Wait(rest.into_iter().collect());
        }
        Mode::DriftOnly => facts.drift,
        Mode::Auto | Mode::Approve | Mode::PlanOnly => facts.plan,
    };
    let refused: Vec<Reason> = [
        policy
            .destroy_max
            .filter(|max| counts.destroyed() > *max)
            .map(|max| Reason::Destroys { count: counts.destroyed(), max }),
        policy
            .changes_max
            .filter(|max| counts.touched() > *max)
            .map(|max| Reason::Touches { count: counts.touched(), max }),
    ]
    .into_iter()
    .flatten()
    .collect();
    if !refused.is_empty() {
        return Decision::Refuse(refused);
    }
    let mut waits = Vec::new();
    let mut approved_by = None;
    match (policy.mode, facts.approval) {
        (Mode::PlanOnly, _) => waits.push(Reason::PlanOnly),
        (Mode::Auto | Mode::DriftOnly, _) => {}
        (Mode::Approve, Standing::Approved { by }) => approved_by = Some(by.clone()),
        (Mode::Approve, Standing::None) => {
            waits.push(Reason::Unapproved { digest: facts.digest.to_owned() });
        }
        (Mode::Approve, Standing::Other { by, digest }) => waits.push(Reason::StaleApproval {
            by: by.clone(),
            digest: digest.clone(),
            wanted: facts.digest.to_owned(),
        }),
        (Mode::Approve, Standing::Bad { why }) => {
            let wanted = facts.digest.to_owned();
            waits.push(Reason::BadApproval { why: why.clone(), wanted });
        }
    }
    waits.extend(facts.frozen_by.map(|it| Reason::Frozen(it.to_owned())));
    let frozen = policy.freezes.iter().find(|it| it.contains(facts.now));
    waits.extend(frozen.map(|it| Reason::FrozenDays(it.to_string())));
    if !policy.windows.is_empty() && !policy.windows.iter().any(|it| it.contains(facts.now)) {
        let opens = policy.windows.iter().filter_map(|it| it.opens(facts.now)).min();
        waits.push(Reason::Closed { opens });
    }
    match (waits.is_empty(), policy.mode) {
        (false, _) => Decision::Wait(waits),
        (true, Mode::DriftOnly) => Decision::Repair { rest },
        (true, _) => Decision::Apply { approved_by },
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Destroys { count, max } => write!(
                f,
                "it destroys {count} objects, and no more than {max} may be destroyed at once \
                 (replacing counts)"
            ),
            Reason::Touches { count, max } => {
                write!(f, "it touches {count} objects, and no more than {max} may be at once")
            }
            Reason::Frozen(by) => write!(f, "changes are frozen by {by}"),
            Reason::FrozenDays(days) => write!(f, "changes are frozen on {days}"),
            Reason::Closed { opens: Some(opens) } => {
                write!(f, "no window for changes is open; the next opens {}", utc(*opens))
            }
            Reason::Closed { opens: None } => write!(f, "no window for changes is open"),
            Reason::Unapproved { digest } => {
                write!(f, "it waits for approval of plan {digest}")
            }
            Reason::StaleApproval { by, digest, wanted } => write!(
                f,
                "{by} approved plan {digest}, which is not this one any more; it waits for approval \
                 of plan {wanted}"
            ),
            Reason::BadApproval { why, wanted } => {
                write!(f, "{why}; it waits for approval of plan {wanted}")
            }
            Reason::ConfigurationWaits(count) => write!(
                f,
                "changes of the configuration wait, of {count} object{}: only drift is repaired in \
                 this mode",
                if *count == 1 { "" } else { "s" }
            ),
            Reason::PlanOnly => write!(f, "nothing is applied in this mode"),
        }
    }
}

#[cfg(test)]
mod tests;
