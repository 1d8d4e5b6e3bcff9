//! Whole lives of configurations in a faulty world, to see whether anything gets lost.
//!
//! A life is a number. From it come a sequence of configurations, as text, and a cloud that
//! refuses, half-does, goes silent, and is changed by others. The real language, planner and
//! executor work on them; the process dies now and then. What must hold whatever happens is
//! asserted in [`live`]. Nothing here does input or output.

mod check;
mod cloud;
mod generate;
mod life;
mod rng;
mod store;

pub use life::{Totals, live};
pub use store::{StoreTotals, live_in_store};
