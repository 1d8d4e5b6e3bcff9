//! The executor: a state machine that says what to do next and is told what happened.
//!
//! It does not know how calls are made, tasks, or time. What happened is recorded first and judged
//! second. It writes nothing itself: every event it returns has to be durable before the next step
//! that relies on it.

mod judge;
mod prepare;
mod provision;
mod run;

pub use provision::ProvisionWork;
pub use run::{Call, CallWork, Run, RunInput, Status, Summary, Work};
