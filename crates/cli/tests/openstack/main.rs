//! The command against a real OpenStack: the one of `tests/rigs/openstack`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod api;
mod around;
mod calls;
mod compute;
mod every;
mod failures;
mod images;
mod inside_others;
mod kills;
mod lab;
mod networking;
mod proxy;
mod rest;
mod volumes;
mod world;
