//! The planning loop: ask until there is a plan.

use std::sync::Arc;

use plumb_diag::{Diagnostic, Diagnostics};
use plumb_lang::{Inputs, Program};
use plumb_model::question::Observations;
use plumb_model::state::State;
use plumb_planner::{Blocked, Input, Options, Planned};

use crate::failures::merge;
use crate::observe::Observer;
use crate::{Engine, Interrupt};

/// What to plan.
#[derive(Clone, Copy)]
pub struct PlanRequest<'a> {
    /// The configuration.
    pub program: &'a Program,
    /// What comes from outside.
    pub inputs: &'a Inputs,
    /// What is remembered.
    pub state: &'a State,
    /// What a person asked for.
    pub options: &'a Options,
    /// A number that no other run has.
    pub run: u64,
}

/// A plan, and what was seen to make it.
#[derive(Debug)]
pub struct PlanOutcome {
    /// The plan.
    pub planned: Planned,
    /// What was seen. With it the same plan can be made again without looking.
    pub seen: Observations,
}

/// What one attempt to plan came to.
enum Attempt {
    Planned(Box<Planned>),
    /// More is known now.
    Answered,
}

impl Engine {
    /// Asks until there is a plan. `seen` is what is known already. Errors are diagnostics; there
    /// is none if the work was interrupted.
    pub async fn plan(
        &self,
        request: PlanRequest<'_>,
        mut seen: Observations,
        observer: &Arc<dyn Observer>,
        interrupt: &Interrupt,
    ) -> Result<PlanOutcome, Diagnostics> {
        loop {
            match self.attempt(request, &mut seen, observer, interrupt).await? {
                Attempt::Planned(planned) => return Ok(PlanOutcome { planned: *planned, seen }),
                Attempt::Answered => {}
            }
        }
    }

    /// Asks what a plan would ask, until that is enough; there need not be a plan in the end.
    pub async fn look(
        &self,
        request: PlanRequest<'_>,
        observer: &Arc<dyn Observer>,
        interrupt: &Interrupt,
        enough: &(dyn Fn(&Observations) -> bool + Sync),
    ) -> Result<Observations, Diagnostics> {
        let mut seen = Observations::new();
        while !enough(&seen) {
            match self.attempt(request, &mut seen, observer, interrupt).await? {
                Attempt::Planned(_) => break,
                Attempt::Answered => {}
            }
        }
        Ok(seen)
    }

    async fn attempt(
        &self,
        request: PlanRequest<'_>,
        seen: &mut Observations,
        observer: &Arc<dyn Observer>,
        interrupt: &Interrupt,
    ) -> Result<Attempt, Diagnostics> {
        let input = Input {
            program: request.program,
            inputs: request.inputs,
            schemas: &self.schemas,
            state: request.state,
            seen,
            options: request.options,
            run: request.run,
        };
        match plumb_planner::plan(input).map_err(|it| *it) {
            Ok(planned) => Ok(Attempt::Planned(Box::new(planned))),
            Err(Blocked::Invalid(diagnostics)) => {
                let failed = self.connections.failures();
                Err(merge(diagnostics, &failed, request.program))
            }
            Err(Blocked::Needs { questions, providers }) => {
                if questions.iter().all(|it| seen.contains_key(&it.key)) {
                    let detail = "The planner asks what it was told already. This is a bug in \
                                  plumb. Nothing was changed.";
                    return Err(vec![Diagnostic::error("The planner does not end", detail)]);
                }
                let mut interrupt = interrupt.clone();
                let answers = tokio::select! {
                    answers = self.ask_all(questions, &providers, observer) => answers,
                    () = interrupt.above(0) => return Err(Vec::new()),
                };
                seen.extend(answers);
                Ok(Attempt::Answered)
            }
        }
    }
}
