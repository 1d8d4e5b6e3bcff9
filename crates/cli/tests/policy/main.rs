//! Policies held against plans by the program. No engine and no cloud is asked: what is planned is new, or is as
//! remembered.
#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "../common/mod.rs"]
mod common;
mod docker;
mod openstack;

mod verbs;
mod world;
