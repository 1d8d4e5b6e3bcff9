//! Drift as metrics.

use plumb_drift::DriftReport;

/// The report in Prometheus' text format, for the textfile collector.
pub fn drift_prometheus(_: &DriftReport) -> String {
    String::new()
}
