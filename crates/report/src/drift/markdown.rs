//! Drift as Markdown.

use plumb_diag::Sources;
use plumb_drift::DriftReport;

/// The report for comments and summaries, in at most `bytes_max` bytes.
pub fn drift_markdown(_: &DriftReport, _: &Sources, _bytes_max: usize) -> String {
    String::new()
}
