//! Diagnostics as text and as JSON.

pub(crate) mod json;
pub(crate) mod sarif;
mod snippet;
pub(crate) mod text;
