//! Drift for people at a terminal.

use std::fmt::Write;

use plumb_diag::{Sources, Span};
use plumb_drift::{Class, DriftReport, Finding, Standing, repairable};

use super::{attributes, because, excuse, happened, summary};
use crate::action::will_be;
use crate::escape::one_line;
use crate::place::place;
use crate::style::{Style, wrap};

/// The report as a person reads it: what counts in full, the rest in short, and what to do next.
/// Its notes are not part of it, since they are diagnostics.
pub fn drift_text(report: &DriftReport, sources: &Sources, style: Style) -> String {
    let mut out = String::new();
    for finding in report.counting() {
        write_finding(finding, sources, style, &mut out);
    }
    write_excused(report, style, &mut out);
    if !report.pending.is_empty() {
        let title = style.bold("Asked for by the configuration, without any drift:");
        let _ = writeln!(out, "\n{title}");
        for it in &report.pending {
            let _ = writeln!(out, "  - {} {}", one_line(&it.address), will_be(it.action));
        }
    }
    if report.has_drift() {
        let _ = writeln!(out, "\n{} {}.", style.bold("Drift:"), summary(report));
        write_next(report, style, &mut out);
    } else {
        let headline = style.bold_green("No drift.");
        let looked = match report.looked {
            1 => "1 object was looked at".to_owned(),
            many => format!("{many} objects were looked at"),
        };
        let text = format!("{looked}: {}.", summary(report));
        let _ = writeln!(out, "\n{headline} {text}");
    }
    out
}

fn write_finding(finding: &Finding, sources: &Sources, style: Style, out: &mut String) {
    let name = style.bold(&one_line(&finding.address));
    let what = match finding.class {
        Class::Deleted => style.bold_red(happened(finding.class)),
        _ => happened(finding.class).to_owned(),
    };
    let _ = writeln!(out, "\n  # {name} {what}");
    let mut facts = Vec::new();
    facts.extend(finding.span.and_then(|it| declared(it, sources)));
    if !finding.id.is_empty() {
        facts.push(format!("id {}", one_line(&finding.id)));
    }
    if !finding.first_seen.is_empty() {
        facts.push(format!("first seen {}", one_line(&finding.first_seen)));
    }
    if !facts.is_empty() {
        let _ = writeln!(out, "  # ({})", facts.join(", "));
    }
    out.push_str(&attributes(finding, 0, style));
    let because = because(finding);
    if !because.is_empty() {
        for line in wrap(&because, style.width.saturating_sub(4)).lines() {
            let _ = writeln!(out, "    {line}");
        }
    }
}

fn declared(span: Span, sources: &Sources) -> Option<String> {
    place(span, sources).map(|it| format!("{} line {}", one_line(it.path), it.line))
}

/// What does not count, a line each; what the system does by itself, as a number.
fn write_excused(report: &DriftReport, style: Style, out: &mut String) {
    let excused = |it: &&Finding| matches!(it.standing, Standing::Accepted(_) | Standing::Ignored);
    let mut them = report.findings.iter().filter(excused).peekable();
    if them.peek().is_some() {
        let _ = writeln!(out, "\n{}", style.bold("Not counted:"));
    }
    for finding in them {
        let (name, happened) = (one_line(&finding.address), happened(finding.class));
        let why = excuse(&finding.standing).unwrap_or_default();
        let _ = writeln!(out, "  - {name} {happened}{}: {why}", paths(finding));
    }
    match report.counts().quiet {
        0 => {}
        1 => out.push_str("\n1 object has changed in a way that nothing declared depends on.\n"),
        many => {
            let text = format!(
                "\n{many} objects have changed in ways that nothing declared depends on.\n"
            );
            out.push_str(&text);
        }
    }
}

/// ` (labels["tier"], memory)`
fn paths(finding: &Finding) -> String {
    let names: Vec<_> = finding.attributes.iter().take(3).map(|it| one_line(&it.path)).collect();
    match finding.attributes.len() {
        0 => String::new(),
        many if many > names.len() => format!(" ({}, …)", names.join(", ")),
        _ => format!(" ({})", names.join(", ")),
    }
}

fn write_next(report: &DriftReport, style: Style, out: &mut String) {
    let mut ways = Vec::new();
    if repairable(report).next().is_some() {
        ways.push("To set it back as declared:    plumb apply -drift-only");
    }
    if report.counting().any(|it| it.class == Class::Foreign) {
        ways.push("To take in what is foreign:    write a resource and an import block");
    }
    if report.counting().any(|it| it.pending) {
        ways.push("Where the configuration moved: plumb plan");
    }
    ways.push("To live with it for a time:    plumb drift -accept ADDRESS");
    let _ = writeln!(out, "\n{}", style.rule());
    out.push('\n');
    for way in ways {
        let _ = writeln!(out, "{way}");
    }
}
