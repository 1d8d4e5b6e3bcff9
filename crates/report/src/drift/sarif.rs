//! Drift for code scanners.

use plumb_diag::Sources;
use plumb_drift::{Class, DriftReport, Finding, Standing};

use super::{attributes, because, excuse, headline, meaning};
use crate::diagnostic::sarif::{found_note, note_rules};
use crate::sarif::{Found, Rule, Suppressed, sarif};
use crate::style::Style;

/// The report as SARIF 2.1.0: a rule for each class, a result for each finding at the block that
/// declares it. What was accepted is suppressed, with the reason and where that is said.
pub fn drift_sarif(report: &DriftReport, sources: &Sources, version: &str) -> String {
    let mut rules: Vec<Rule> = Class::ALL.map(rule).into();
    let mut found: Vec<Found> = report.findings.iter().map(found).collect();
    let first = rules.len();
    let (more, indices) = note_rules(&report.notes, first);
    rules.extend(more);
    let notes = report.notes.iter().zip(indices);
    found.extend(notes.map(|(note, rule)| found_note(note, rule)));
    sarif(version, &rules, &found, sources)
}

fn rule(class: Class) -> Rule {
    Rule {
        id: format!("drift/{}", class.name()),
        short: meaning(class).to_owned(),
        help: match class {
            Class::Changed | Class::Deleted => {
                "`plumb apply -drift-only` sets it back as declared; `plumb drift -accept ADDRESS` \
                 keeps it from counting for a time."
            }
            Class::Foreign => {
                "Remove it, bring it in with an `import` block, or accept it with `plumb drift \
                 -accept ADDRESS`."
            }
            Class::Undeclared => {
                "Declare the value that is wanted, or take over the new one with `plumb refresh`."
            }
        }
        .to_owned(),
        level: level(class),
    }
}

fn level(class: Class) -> &'static str {
    match class {
        Class::Deleted => "error",
        Class::Changed | Class::Foreign => "warning",
        Class::Undeclared => "note",
    }
}

fn found(finding: &Finding) -> Found {
    let mut message = headline(finding) + ".";
    let because = because(finding);
    if !because.is_empty() {
        message = format!("{message} {because}");
    }
    let attributes = attributes(finding, 0, Style::PLAIN);
    if !attributes.is_empty() {
        message = format!("{message}\n{}", attributes.trim_end());
    }
    let span = match &finding.standing {
        Standing::Accepted(it) => Some(it.span),
        Standing::Counts | Standing::Expired(_) | Standing::Ignored | Standing::Quiet => None,
    };
    // Two foreign things may have one name; one object of ours has one address.
    let id = if finding.key.is_none() { &*finding.id } else { "" };
    Found {
        rule: finding.class as usize,
        level: level(finding.class),
        message,
        span: finding.span,
        about: Some(finding.address.to_string()),
        same: [finding.class.name(), &finding.address, id].map(str::to_owned).into(),
        related: Vec::new(),
        suppressed: excuse(&finding.standing).map(|why| Suppressed { span, why }),
        first_seen: Some(finding.first_seen.to_string()).filter(|it| !it.is_empty()),
    }
}
