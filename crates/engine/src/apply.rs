//! Carries a plan out.

use std::sync::Arc;

use plumb_diag::Diagnostics;
use plumb_executor::{Run, RunInput, Summary};
use plumb_lang::{Inputs, Program};
use plumb_model::addr::ObjectKey;
use plumb_model::state::State;
use plumb_planner::Planned;

use crate::drive::Driver;
use crate::failures::merge;
use crate::journal::Journal;
use crate::observe::Observer;
use crate::plan::PlanOutcome;
use crate::{Engine, Interrupt};

/// What to apply.
pub struct ApplyRequest<'a> {
    /// The configuration that was planned.
    pub program: &'a Program,
    /// What comes from outside, the time of the apply included.
    pub inputs: &'a Inputs,
    /// The plan and what was seen.
    pub outcome: PlanOutcome,
    /// The state that was planned from.
    pub state: State,
}

/// What came of an apply.
#[derive(Debug)]
pub struct Applied {
    /// What went wrong. Empty if all went well.
    pub diagnostics: Diagnostics,
    /// What was done.
    pub summary: Summary,
    /// What is known now. It is stored too, unless a diagnostic says that it could not be.
    pub state: State,
    /// Not begun, because something before it failed.
    pub skipped: Vec<ObjectKey>,
    /// Not begun, because the work ended before its turn: it was interrupted, or nothing could be
    /// written any more.
    pub remaining: Vec<ObjectKey>,
    /// Calls of which nobody knows what they did: the next plan looks into them.
    pub in_doubt: usize,
    /// How often it was interrupted.
    pub interrupted: u8,
}

impl Engine {
    /// Carries out a plan. Every intent is in the journal before its call, every result before
    /// anything that relies on it; at the end the journal is folded into the snapshot.
    ///
    /// When the future is dropped, calls under way are given up, and the journal tells the next
    /// command what happened.
    pub async fn apply(
        self: &Arc<Self>,
        request: ApplyRequest<'_>,
        journal: &mut (dyn Journal + Send),
        observer: &Arc<dyn Observer>,
        interrupt: &Interrupt,
    ) -> Applied {
        let PlanOutcome { planned, seen } = request.outcome;
        let Planned { plan, known, providers, .. } = planned;
        let input = RunInput {
            program: request.program,
            inputs: request.inputs,
            schemas: &self.schemas,
            plan: &plan,
            limits: &self.limits,
        };
        let (run, first) = Run::begin(input, known, seen, providers, request.state);
        let driver =
            Driver::new(self.clone(), request.program, run, first, journal, observer.clone());
        let applied = driver.drive(interrupt.clone()).await;
        let diagnostics = merge(applied.diagnostics, &self.connections.failures(), request.program);
        Applied { diagnostics, ..applied }
    }
}
