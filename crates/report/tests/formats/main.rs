//! Reports for pipelines, held against the schemas and parsers of those who read them.

mod drift;
mod sample;
mod valid;
