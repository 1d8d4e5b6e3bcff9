//! The kinds of backends by name.

use std::sync::Arc;

use crate::{Configured, Mistake, Setting, http, pg, s3};

/// Those that are not a local file.
pub const KINDS: [&str; 3] = ["http", "pg", "s3"];

/// The arguments of a kind.
pub fn arguments(kind: &str) -> Vec<&'static str> {
    match kind {
        "http" => http::KNOWN.to_vec(),
        "pg" => pg::ARGUMENTS.map(|it| it.0).to_vec(),
        "s3" => s3::KNOWN.to_vec(),
        _ => Vec::new(),
    }
}

/// Understands a configuration of the backend `kind`. Nobody is asked anything yet.
///
/// # Errors
/// Everything that is wrong with it, or that there is no such kind.
pub fn configure(kind: &str, setting: &Setting) -> Result<Arc<dyn Configured>, Vec<Mistake>> {
    match kind {
        "http" => http::configure(setting),
        "pg" => pg::configure(setting),
        "s3" => s3::configure(setting),
        _ => Err(vec![Mistake {
            argument: None,
            summary: "Unsupported backend type".into(),
            detail: format!(
                "There is no backend {kind:?} in Plumb. There are \"local\", {}.",
                KINDS.map(|it| format!("{it:?}")).join(", ")
            ),
        }]),
    }
}
