//! The command against a real Docker Engine: the one of `tests/rigs/docker`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod cancelled;
mod changes;
mod drift;
mod drift_verb;
#[path = "../common/drifting.rs"]
#[allow(dead_code, reason = "each test uses its part")]
mod drifting;
mod examples;
mod failures;
mod images;
mod imports;
mod interrupts;
mod kills;
mod outage;
mod topology;
mod watch;
#[path = "../common/watching.rs"]
#[allow(dead_code, reason = "each test uses its part")]
mod watching;
mod world;
