//! Drift for people at a terminal.

use plumb_diag::Sources;
use plumb_drift::DriftReport;

use crate::style::Style;

/// The report as a person reads it.
pub fn drift_text(report: &DriftReport, _: &Sources, _: Style) -> String {
    report.findings.iter().map(|it| format!("{} {}\n", it.class.name(), it.address)).collect()
}
