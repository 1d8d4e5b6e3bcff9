//! Reports for pipelines, held against the schemas and parsers of those who read them.

#[path = "../common/mod.rs"]
mod common;
mod drift;
mod plan;
mod sample;
mod valid;
