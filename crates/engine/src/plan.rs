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
            let input = Input {
                program: request.program,
                inputs: request.inputs,
                schemas: &self.schemas,
                state: request.state,
                seen: &seen,
                options: request.options,
                run: request.run,
            };
            match plumb_planner::plan(input).map_err(|it| *it) {
                Ok(planned) => return Ok(PlanOutcome { planned, seen }),
                Err(Blocked::Invalid(diagnostics)) => {
                    let failed = self.connections.failures();
                    return Err(merge(diagnostics, &failed, request.program));
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
                }
            }
        }
    }
}
