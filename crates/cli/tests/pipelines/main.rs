//! The pipelines of `examples/pipelines`, run as far as they go without their forge, and held
//! against the schemas of their forges.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod forge;
mod github;
mod others;
mod reports;
mod schemas;
