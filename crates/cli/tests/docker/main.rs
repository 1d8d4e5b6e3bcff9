//! The command against a real Docker Engine: the one of `tests/rigs/docker`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod cancelled;
mod changes;
mod drift;
mod examples;
mod failures;
mod images;
mod imports;
mod interrupts;
mod kills;
mod outage;
mod topology;
mod watch;
mod world;
