//! Drift as annotations of a forge's runner.

use plumb_diag::{Diagnostic, Diagnostics, Sources};
use plumb_drift::{DriftReport, Finding};

use super::{attributes, because, headline};
use crate::github::annotations;
use crate::style::Style;

/// A `::warning …::` for each finding that counts, at the block that declares it.
pub fn drift_annotations(report: &DriftReport, sources: &Sources) -> String {
    let warnings: Diagnostics = report.counting().map(warning).collect();
    annotations(&warnings, sources)
}

fn warning(finding: &Finding) -> Diagnostic {
    let detail = format!("{}\n{}", because(finding), attributes(finding, 0, Style::PLAIN));
    let warning = Diagnostic::warning(headline(finding), detail.trim());
    Diagnostic { span: finding.span, ..warning }
}
