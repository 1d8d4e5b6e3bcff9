//! The provider against a real Docker Engine: the one of `tests/rigs/docker`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(clippy::mutable_key_type, reason = "values compare by content, not by their caches")]

mod around;
mod containers;
mod images;
mod networks;
mod registries;
mod world;
