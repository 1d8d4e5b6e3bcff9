//! Drift: what moved away from what is remembered and declared, why that matters, and whether it
//! counts.
//!
//! Pure: a [`DriftReport`] is made of two plans (one that looked at the world, one that did not),
//! the state, what was seen, and the accepted drift that the configuration lists. It does not know
//! how the world is looked at, nor how the report is shown.

mod accept;
mod classify;
mod finding;
mod moved;

pub use accept::{Day, matches_address};
pub use classify::{Input, classify, repairable};
pub use finding::{
    Accepted, Class, Counts, DriftReport, Finding, MovedAttribute, Pending, Previous, Standing,
};
