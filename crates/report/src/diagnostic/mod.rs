//! Diagnostics as text and as JSON.

pub(crate) mod json;
mod snippet;
pub(crate) mod text;
