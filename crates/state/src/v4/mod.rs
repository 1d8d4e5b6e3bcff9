//! The snapshot: Terraform's state file, format v4.

mod closure;
mod decode;
mod diagnose;
mod indent;
mod read;
mod write;

pub use closure::with_all_needs;
pub use read::read;
pub use write::{Stamp, write, write_as};

/// Why a state file cannot be used.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("{summary}: {detail}")]
pub struct V4Error {
    /// One line, Terraform's where it has one.
    pub summary: String,
    /// Sentences.
    pub detail: String,
}

impl V4Error {
    fn new(summary: &str, detail: impl Into<String>) -> V4Error {
        V4Error { summary: summary.into(), detail: detail.into() }
    }

    fn unsupported(detail: impl Into<String>) -> V4Error {
        V4Error::new("Unsupported state file format", detail)
    }

    fn invalid(detail: impl Into<String>) -> V4Error {
        V4Error::new("Invalid state file", detail)
    }
}

/// What checks belong to: everywhere else, and in the state file.
pub(crate) const KINDS: [(&str, &str); 4] =
    [("resource", "resource"), ("output_value", "output"), ("check", "check"), ("var", "var")];

#[cfg(test)]
pub(crate) mod tests;
