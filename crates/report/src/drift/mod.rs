//! A [`DriftReport`](plumb_drift::DriftReport) in the forms that people and pipelines read.
//!
//! Whatever the form, the values of sensitive attributes are in none of them.

mod json;
mod junit;
mod markdown;
mod prometheus;
mod sarif;
mod text;

pub use json::{drift_json, read_previous};
pub use junit::drift_junit;
pub use markdown::drift_markdown;
pub use prometheus::drift_prometheus;
pub use sarif::drift_sarif;
pub use text::drift_text;
