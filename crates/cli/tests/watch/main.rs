//! `watch` on clouds in the kernel: what drifts is told within two seconds, and repaired within limits. These tests need
//! root, and fail where the kernel refuses.
#![expect(clippy::unwrap_used, reason = "tests")]

mod destroys;
mod ends;
mod fights;
mod finds;
mod hooks;
mod jobs;
#[path = "../common/probes.rs"]
mod probes;
mod repairs;
mod served;
mod systemd;
mod watcher;
#[path = "../common/watching.rs"]
mod watching;
#[path = "../netns/world.rs"]
#[allow(dead_code, reason = "the tests of netns use all of it")]
mod world;
