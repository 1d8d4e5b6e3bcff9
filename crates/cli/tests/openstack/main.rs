//! The command against a real OpenStack: the one of `tests/rigs/openstack`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod api;
mod calls;
mod failures;
mod kills;
mod lab;
mod networking;
mod proxy;
mod rest;
mod world;
