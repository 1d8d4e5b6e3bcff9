//! The whole program on clouds in the kernel, as root and as an ordinary user. These tests need root, to be both; and
//! fail where the kernel refuses.
#![expect(clippy::unwrap_used, reason = "tests")]

mod around;
mod bad_input;
mod drift;
mod drift_reports;
mod drift_verb;
#[path = "../common/drifting.rs"]
#[allow(dead_code, reason = "each test uses its part")]
mod drifting;
mod examples;
mod kills;
mod rollback;
mod traffic;
mod world;
