//! Diagnostics for code scanners.

use plumb_diag::{Diagnostic, Severity, Sources};

use super::text::full_detail;
use crate::sarif::{Found, Rule, sarif};

/// Diagnostics as SARIF 2.1.0: a rule for each summary, a result for each diagnostic.
pub fn sarif_diagnostics(diagnostics: &[Diagnostic], sources: &Sources, version: &str) -> String {
    let (rules, indices) = note_rules(diagnostics, 0);
    let found: Vec<Found> =
        diagnostics.iter().zip(indices).map(|(it, rule)| found_note(it, rule)).collect();
    sarif(version, &rules, &found, sources)
}

/// The rules of these diagnostics, and which is whose; the first has the number `first`.
pub(crate) fn note_rules(diagnostics: &[Diagnostic], first: usize) -> (Vec<Rule>, Vec<usize>) {
    let mut rules: Vec<Rule> = Vec::new();
    let mut indices = Vec::new();
    for diagnostic in diagnostics {
        let id = rule_id(&diagnostic.summary);
        let known = rules.iter().position(|it| it.id == id);
        let index = known.unwrap_or_else(|| {
            rules.push(Rule {
                id,
                short: diagnostic.summary.clone(),
                help: "See what the result says.".to_owned(),
                level: level(diagnostic.severity),
            });
            rules.len() - 1
        });
        indices.push(first + index);
    }
    (rules, indices)
}

/// `diagnostic/unsupported-argument`
fn rule_id(summary: &str) -> String {
    let words = summary.split(|it: char| !it.is_alphanumeric()).filter(|it| !it.is_empty());
    let words: Vec<String> = words.take(8).map(str::to_lowercase).collect();
    format!("diagnostic/{}", words.join("-"))
}

pub(crate) fn found_note(diagnostic: &Diagnostic, rule: usize) -> Found {
    let detail = full_detail(diagnostic);
    let message = match detail.is_empty() {
        true => diagnostic.summary.clone(),
        false => format!("{}\n\n{detail}", diagnostic.summary),
    };
    let address = diagnostic.address.clone();
    Found {
        rule,
        level: level(diagnostic.severity),
        message,
        span: diagnostic.span,
        about: address.clone(),
        same: vec![diagnostic.summary.clone(), detail, address.unwrap_or_default()],
        related: diagnostic.related.iter().map(|it| (it.span, it.message.clone())).collect(),
        suppressed: None,
        first_seen: None,
    }
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}
