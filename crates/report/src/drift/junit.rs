//! Drift as test results.

use std::collections::BTreeSet;

use plumb_diag::Sources;
use plumb_drift::{DriftReport, Finding};

use super::{attributes, because, excuse, headline};
use crate::junit::{Case, Outcome, Suite, junit};
use crate::place::place;
use crate::style::Style;

/// The report as JUnit XML, a test for each finding: what counts failed, what was accepted or is of
/// no concern was skipped, with the reason. All that did not move is one more test, which passed.
pub fn drift_junit(report: &DriftReport, sources: &Sources) -> String {
    let mut cases: Vec<Case> = report.findings.iter().map(|it| case(it, sources)).collect();
    let moved: BTreeSet<_> = report.findings.iter().filter_map(|it| it.key.as_ref()).collect();
    let rest = report.looked.saturating_sub(moved.len());
    if rest > 0 || cases.is_empty() {
        let name = match (rest, cases.is_empty()) {
            (0, true) => "no object had to be looked at".to_owned(),
            (1, true) => "the 1 object that was looked at".to_owned(),
            (many, true) => format!("all {many} objects that were looked at"),
            (1, false) => "the 1 other object".to_owned(),
            (many, false) => format!("the {many} other objects"),
        };
        cases.push(Case { class: "unmoved".to_owned(), name, outcome: Outcome::Passed });
    }
    junit(&[Suite {
        name: "plumb drift",
        timestamp: &report.when,
        properties: vec![
            ("workspace", report.workspace.to_string()),
            ("lineage", report.lineage.to_string()),
            ("serial", report.serial.to_string()),
        ],
        cases,
    }])
}

fn case(finding: &Finding, sources: &Sources) -> Case {
    let outcome = match excuse(&finding.standing) {
        Some(why) => Outcome::Skipped(why),
        None => Outcome::Failed {
            kind: finding.class.name(),
            message: headline(finding),
            text: text(finding, sources),
        },
    };
    Case {
        class: finding.kind.to_string(),
        name: format!("{} ({})", finding.address, finding.class.name()),
        outcome,
    }
}

fn text(finding: &Finding, sources: &Sources) -> String {
    let mut text = String::from("\n");
    if let Some(place) = finding.span.and_then(|it| place(it, sources)) {
        text += &format!("{}:{}\n", place.path, place.line);
    }
    text += &attributes(finding, 0, Style::PLAIN);
    for part in [because(finding), first_seen(finding)] {
        if !part.is_empty() {
            text += &part;
            text.push('\n');
        }
    }
    text
}

fn first_seen(finding: &Finding) -> String {
    match &*finding.first_seen {
        "" => String::new(),
        when => format!("First seen {when}."),
    }
}
