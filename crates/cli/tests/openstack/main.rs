//! The command against a real OpenStack: the one of `tests/rigs/openstack`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod api;
mod around;
mod calls;
mod compute;
mod drift;
#[path = "../common/drifting.rs"]
#[allow(dead_code, reason = "each test uses its part")]
mod drifting;
mod every;
mod failures;
mod images;
mod inside_others;
mod kills;
mod lab;
mod networking;
#[path = "../common/probes.rs"]
mod probes;
mod proxy;
mod rest;
mod volumes;
mod watch;
#[path = "../common/watching.rs"]
#[allow(dead_code, reason = "each test uses its part")]
mod watching;
mod world;
