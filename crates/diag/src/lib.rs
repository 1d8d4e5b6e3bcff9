//! Spans, files as ids, and diagnostics with hints.
//!
//! This crate does not know terminals, colours, or JSON: it says what is wrong and where, and
//! `plumb-report` says how that looks.

mod diagnostic;
mod sources;

pub use diagnostic::{Diagnostic, Diagnostics, Related, Severity};
pub use sources::{FileId, Position, SourceFile, Sources, Span};
