//! What the loop does next.
//!
//! [`Loop::next`] says what to do, [`Loop::see`] is told what came of it. A round begins with a look
//! at the repository and ends at rest. Only what [`Memory`] holds lasts; it is written down after
//! every step, so that a loop that was killed goes on where it was.

use serde::{Deserialize, Serialize};

use crate::decide::Decision;
use crate::time::Time;

/// How fast the loop turns, and what it follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Seconds from one look to the next.
    pub interval: i64,
    /// Seconds until a commit that is applied already is planned again, to find drift.
    pub resync: Option<i64>,
    /// One round, then the end.
    pub once: bool,
    /// Whether a commit must descend from the one that was accepted before it.
    pub forward_only: bool,
}

/// The longest pause after failures.
const PAUSE_MAX: i64 = 15 * 60;

/// What outlasts the process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// The newest commit that was accepted: signed by somebody who may, and following the last one.
    pub accepted: Option<String>,
    /// The commit that the infrastructure was last made to match.
    pub applied: Option<String>,
    /// When it did.
    pub settled_at: Time,
    /// The commit that the repository shows and that is not accepted.
    pub refused: Option<Refused>,
    /// The plan that is kept until it may be applied.
    pub pending: Option<Pending>,
    /// An apply that was begun and whose end was not seen.
    pub applying: Option<String>,
    /// How often in a row it failed.
    pub failures: u32,
    /// With which commit.
    pub failed: Option<String>,
    /// No new attempt before.
    pub retry_at: Time,
}

/// A commit that is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Which.
    pub commit: String,
    /// Why.
    pub why: String,
}

/// A plan that is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// Of which commit.
    pub commit: String,
    /// What an approval has to name.
    pub digest: String,
    /// Of which state.
    pub lineage: String,
    /// At which serial.
    pub serial: u64,
    /// When it was made.
    pub made_at: Time,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Ask the repository which commit it shows.
    Look,
    /// See whether somebody who may has signed it.
    Verify(String),
    /// See whether `to` descends from `from`.
    Compare {
        /// The accepted commit.
        from: String,
        /// The new one.
        to: String,
    },
    /// Check it out and plan.
    Plan(String),
    /// See whether the kept plan still fits the state, and whether it may be applied.
    Judge(Pending),
    /// Apply the kept plan, exactly.
    Apply(Pending),
    /// Repair what drifted.
    Repair(Pending),
    /// Nothing, until then.
    Rest(Time),
    /// Nothing more.
    End(Verdict),
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The repository shows this commit; none: what was followed is gone.
    Head(Option<String>),
    /// The repository could not be asked.
    LookFailed {
        /// Whether what was fetched before is at hand, so that drift can be looked for.
        at_hand: bool,
    },
    /// Whether the commit is signed as it has to be.
    Verified(Result<(), String>),
    /// Whether it descends.
    Compared(bool),
    /// The plan.
    Planned(Pending),
    /// There is no plan.
    PlanFailed,
    /// The plan no longer fits the state.
    Stale,
    /// What is done with it.
    Judged(Decision),
    /// It was applied to the end.
    Applied,
    /// It was not.
    ApplyFailed,
}

/// How a round ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// The infrastructure is as the accepted commit says.
    Fine,
    /// Something waits, or was refused.
    Held,
    /// Something did not work.
    Failed,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Stage {
    Rest(Time),
    Look,
    Verify(String),
    Compare(String),
    Plan(String),
    Judge,
    Apply,
    Repair,
    End,
}

/// The loop.
#[derive(Clone, Debug)]
pub struct Loop {
    pace: Pace,
    memory: Memory,
    stage: Stage,
    verdict: Verdict,
    stale: u32,
}

impl Loop {
    /// A loop that goes on from what it remembers.
    pub fn new(pace: Pace, memory: Memory) -> Loop {
        Loop { pace, memory, stage: Stage::Look, verdict: Verdict::Fine, stale: 0 }
    }

    /// What has to outlast the process.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// How the round went, so far.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// What to do.
    pub fn next(&mut self, now: Time) -> Next {
        if matches!(self.stage, Stage::Rest(until) if now >= until) {
            (self.stage, self.verdict, self.stale) = (Stage::Look, Verdict::Fine, 0);
        }
        let pending = || self.memory.pending.clone();
        match (&self.stage, pending()) {
            (Stage::Rest(until), _) => Next::Rest(*until),
            (Stage::Look, _) => Next::Look,
            (Stage::Verify(commit), _) => Next::Verify(commit.clone()),
            (Stage::Compare(to), _) => match &self.memory.accepted {
                Some(from) => Next::Compare { from: from.clone(), to: to.clone() },
                None => unreachable!("nothing is compared with nothing"),
            },
            (Stage::Plan(commit), _) => Next::Plan(commit.clone()),
            (Stage::Judge, Some(pending)) => Next::Judge(pending),
            (Stage::Apply, Some(pending)) => Next::Apply(pending),
            (Stage::Repair, Some(pending)) => Next::Repair(pending),
            (Stage::Judge | Stage::Apply | Stage::Repair, None) => {
                unreachable!("only a kept plan is judged or applied")
            }
            (Stage::End, _) => Next::End(self.verdict),
        }
    }

    /// Takes in what came of the last thing to do. What does not belong to it is a bug.
    pub fn see(&mut self, seen: Seen, now: Time) {
        match (self.stage.clone(), seen) {
            (Stage::Look, Seen::Head(Some(head))) => self.head(head, now),
            (Stage::Look, Seen::Head(None) | Seen::LookFailed { at_hand: true }) => {
                self.worse(Verdict::Failed);
                self.consider(now);
            }
            (Stage::Look, Seen::LookFailed { at_hand: false }) => {
                self.worse(Verdict::Failed);
                self.rest(now);
            }
            (Stage::Verify(commit), Seen::Verified(Ok(()))) => {
                let compare = self.pace.forward_only && self.memory.accepted.is_some();
                match compare {
                    true => self.stage = Stage::Compare(commit),
                    false => self.accept(commit, now),
                }
            }
            (Stage::Verify(commit), Seen::Verified(Err(why))) => self.refuse(commit, why, now),
            (Stage::Compare(commit), Seen::Compared(true)) => self.accept(commit, now),
            (Stage::Compare(commit), Seen::Compared(false)) => {
                let from = self.memory.accepted.as_deref().unwrap_or_default();
                let why = format!(
                    "it does not descend from {}, which was followed until now: the history was \
                     rewritten",
                    short(from)
                );
                self.refuse(commit, why, now);
            }
            (Stage::Plan(commit), Seen::Planned(pending)) => {
                assert_eq!(commit, pending.commit, "the plan is of the commit that was asked for");
                self.memory.pending = Some(pending);
                self.stage = Stage::Judge;
            }
            (Stage::Plan(commit), Seen::PlanFailed) => self.fail(commit, now),
            (Stage::Judge | Stage::Apply, Seen::Stale) => {
                self.memory.applying = None;
                let Some(pending) = self.memory.pending.take() else {
                    unreachable!("there was a plan")
                };
                self.stale += 1;
                // Somebody else changes the state all the time.
                match self.stale {
                    1 | 2 => self.stage = Stage::Plan(pending.commit),
                    _ => self.fail(pending.commit, now),
                }
            }
            (Stage::Judge, Seen::Judged(decision)) => self.judged(decision, now),
            (Stage::Apply | Stage::Repair, Seen::Applied) => self.settled(now),
            (Stage::Apply | Stage::Repair, Seen::ApplyFailed) => {
                let commit = self.memory.pending.take().map(|it| it.commit).unwrap_or_default();
                self.memory.applying = None;
                self.fail(commit, now);
            }
            (stage, seen) => unreachable!("{seen:?} is no answer at {stage:?}"),
        }
    }

    fn head(&mut self, head: String, now: Time) {
        let known = self.memory.accepted.as_ref() == Some(&head);
        let refused = self.memory.refused.as_ref().is_some_and(|it| it.commit == head);
        match (known, refused) {
            (true, _) => {
                self.memory.refused = None;
                self.consider(now);
            }
            // Asked again each time: the keys that count may have been changed since.
            (false, true | false) => self.stage = Stage::Verify(head),
        }
    }

    fn accept(&mut self, commit: String, now: Time) {
        self.memory.accepted = Some(commit);
        self.memory.refused = None;
        self.consider(now);
    }

    fn refuse(&mut self, commit: String, why: String, now: Time) {
        self.memory.refused = Some(Refused { commit, why });
        self.worse(Verdict::Held);
        self.consider(now);
    }

    /// What is to be done with the accepted commit.
    fn consider(&mut self, now: Time) {
        let Some(commit) = self.memory.accepted.clone() else {
            return self.rest(now);
        };
        let memory = &mut self.memory;
        let due = self.pace.resync.is_some_and(|it| now >= memory.settled_at.saturating_add(it));
        if let Some(pending) = &memory.pending {
            let old = self.pace.resync.is_some_and(|it| now >= pending.made_at.saturating_add(it));
            let began = memory.applying.is_some();
            if pending.commit == commit && !old && !began {
                self.stage = Stage::Judge;
                return;
            }
            memory.pending = None;
        }
        let failed = memory.failed.as_ref() == Some(&commit);
        if failed && !self.pace.once && now < memory.retry_at {
            self.worse(Verdict::Failed);
            return self.rest(now);
        }
        let new = memory.applied.as_ref() != Some(&commit);
        if new || failed || due || self.pace.once || memory.applying.is_some() {
            memory.applying = None;
            self.stage = Stage::Plan(commit);
        } else {
            self.rest(now);
        }
    }

    fn judged(&mut self, decision: Decision, now: Time) {
        match decision {
            Decision::Nothing => self.settled(now),
            Decision::Apply { .. } => {
                self.memory.applying = self.memory.pending.as_ref().map(|it| it.commit.clone());
                self.stage = Stage::Apply;
            }
            Decision::Repair { rest } => {
                self.memory.applying = self.memory.pending.as_ref().map(|it| it.commit.clone());
                if rest.is_some() {
                    self.worse(Verdict::Held);
                }
                self.stage = Stage::Repair;
            }
            Decision::Wait(_) | Decision::Refuse(_) => {
                self.worse(Verdict::Held);
                self.rest(now);
            }
        }
    }

    fn settled(&mut self, now: Time) {
        let memory = &mut self.memory;
        let repaired_only = self.stage == Stage::Repair && self.verdict == Verdict::Held;
        if let Some(pending) = memory.pending.take()
            && !repaired_only
        {
            memory.applied = Some(pending.commit);
        }
        (memory.settled_at, memory.applying) = (now, None);
        (memory.failures, memory.failed, memory.retry_at) = (0, None, 0);
        self.rest(now);
    }

    fn fail(&mut self, commit: String, now: Time) {
        let memory = &mut self.memory;
        memory.failures = match memory.failed.as_ref() == Some(&commit) {
            true => memory.failures.saturating_add(1),
            false => 1,
        };
        let doubled = self.pace.interval.max(1) << (memory.failures - 1).min(16);
        memory.retry_at = now.saturating_add(doubled.min(PAUSE_MAX));
        memory.failed = Some(commit);
        self.worse(Verdict::Failed);
        self.rest(now);
    }

    fn worse(&mut self, verdict: Verdict) {
        self.verdict = self.verdict.max(verdict);
    }

    fn rest(&mut self, now: Time) {
        self.stage = match self.pace.once {
            true => Stage::End,
            false => Stage::Rest(now.saturating_add(self.pace.interval.max(1))),
        };
    }
}

/// As people write commits.
fn short(commit: &str) -> &str {
    commit.get(..12).unwrap_or(commit)
}

#[cfg(test)]
mod tests;
