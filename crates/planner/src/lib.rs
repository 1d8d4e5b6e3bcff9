//! The planner: one pure function from what is wanted and what is there to what is to be done.
//!
//! When a fact is missing, the planner says which, and the caller asks and calls again. Each round
//! answers every question of the round before, so the rounds end. The planner does not know how
//! questions are answered, nor what time it is.

mod audit;
mod companions;
mod drift_only;
mod foreseen;
mod instance;
mod moves;
mod order;
mod orphans;
mod refresh;
pub mod rollback;
mod targets;
mod walk;

use std::collections::BTreeMap;
use std::sync::Arc;

use plumb_diag::{Diagnostic, Diagnostics};
use plumb_lang::{Inputs, Known, Program};
use plumb_model::Target;
use plumb_model::addr::{Addr, ProviderAddr};
use plumb_model::plan::Plan;
use plumb_model::question::{Observations, Question};
use plumb_model::schema::Schemas;
use plumb_model::state::State;
use plumb_model::value::Value;

pub use audit::audit;
pub use foreseen::foreseen;

/// Everything a plan depends on. Two equal inputs give two equal plans.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    /// The configuration.
    pub program: &'a Program,
    /// What comes from outside.
    pub inputs: &'a Inputs,
    /// What the providers say of themselves.
    pub schemas: &'a Schemas,
    /// What is remembered.
    pub state: &'a State,
    /// What was seen.
    pub seen: &'a Observations,
    /// What a person asked for.
    pub options: &'a Options,
    /// The number of the run that will carry the plan out. Unique among all runs.
    pub run: u64,
}

/// What a person asked for.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What kind of plan.
    pub mode: PlanMode,
    /// Trust what is remembered; do not look.
    pub skip_refresh: bool,
    /// Only these, and what they need.
    pub targets: Vec<Target>,
    /// Make these anew.
    pub replace: Vec<Addr>,
    /// Bring these in, by id, besides what `import` blocks say.
    pub imports: Vec<(Addr, Arc<str>)>,
    /// Only undo what drift did; what the configuration asks for by itself waits.
    pub drift_only: bool,
}

/// What kind of plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PlanMode {
    /// Make it as the configuration says.
    #[default]
    Normal,
    /// Take everything away.
    Destroy,
    /// Only bring the memory up to date.
    RefreshOnly,
}

/// A plan, and what the run starts from.
#[derive(Clone, Debug)]
pub struct Planned {
    /// What to do.
    pub plan: Plan,
    /// What everything will be.
    pub known: Known,
    /// The state once `plan.refresh` is recorded.
    pub prior: State,
    /// Configurations of the providers, as far as they are known.
    pub providers: BTreeMap<Arc<ProviderAddr>, Value>,
}

/// Why there is no plan (yet).
#[derive(Clone, Debug)]
pub enum Blocked {
    /// Facts are missing.
    Needs {
        /// Ask these.
        questions: Vec<Question>,
        /// Configurations of the providers to ask.
        providers: BTreeMap<Arc<ProviderAddr>, Value>,
    },
    /// There cannot be one. At least one is an error.
    Invalid(Diagnostics),
}

/// Compares what is wanted with what is there.
pub fn plan(input: Input<'_>) -> Result<Planned, Box<Blocked>> {
    let mut planned = whole(input)?;
    if input.options.drift_only {
        let unseen = Options { skip_refresh: true, drift_only: false, ..input.options.clone() };
        let pending = whole(Input { options: &unseen, ..input })?;
        drift_only::restrict(&mut planned.plan, &pending.plan, input.program);
    }
    if let Err(bug) = audit(&planned.plan) {
        let detail = format!("This is a bug in plumb: {bug}. Nothing was changed.");
        let error = Diagnostic::error("The plan contradicts itself", detail);
        return Err(Box::new(Blocked::Invalid(vec![error])));
    }
    Ok(planned)
}

fn whole(input: Input<'_>) -> Result<Planned, Box<Blocked>> {
    let walked = walk::walk(input)?;
    Ok(order::order(input, walked))
}
