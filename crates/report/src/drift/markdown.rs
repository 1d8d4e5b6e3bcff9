//! Drift as Markdown, for comments and summaries of forges.

use std::fmt::Write;

use plumb_diag::Sources;
use plumb_drift::{Class, DriftReport, Finding, Standing, repairable};

use super::{attributes, because, excuse, happened, summary};
use crate::action::{action_name, will_be};
use crate::escape::{beginning, fenced, html_code, markdown};
use crate::markdown::Limited;
use crate::place::place;
use crate::style::Style;
use crate::unified::signs_first;

/// The report for a comment or a summary, in at most `bytes_max` bytes. What there is no room for
/// is counted at the end.
pub fn drift_markdown(report: &DriftReport, sources: &Sources, bytes_max: usize) -> String {
    let head = head(report);
    let mut out = Limited::new(bytes_max);
    if !out.part(&head) {
        return beginning(&head, bytes_max).to_owned();
    }
    for finding in report.counting() {
        out.item(|| details(finding, sources), || short(finding));
    }
    let is_excused =
        |it: &&Finding| matches!(it.standing, Standing::Accepted(_) | Standing::Ignored);
    out.heading("Not counted");
    for finding in report.findings.iter().filter(is_excused) {
        let line = || {
            let (name, happened) = (html_code(&finding.address), happened(finding.class));
            let why = excuse(&finding.standing).unwrap_or_default();
            format!("- {name} {happened}: {}\n", markdown(&why))
        };
        out.item(line, line);
    }
    out.heading("Asked for by the configuration, without any drift");
    for it in &report.pending {
        let line = || format!("- {} {}\n", html_code(&it.address), will_be(it.action));
        out.item(line, line);
    }
    out.heading("Notes");
    for note in &report.notes {
        let line = || format!("- {}. {}\n", markdown(&note.summary), markdown(&note.detail));
        out.item(line, line);
    }
    if repairable(report).next().is_some() {
        out.part("\n`plumb apply -drift-only` sets it back as declared.\n");
    }
    out.finish("entry", "entries")
}

fn head(report: &DriftReport) -> String {
    let title = if report.has_drift() { "Drift" } else { "No drift" };
    let mut out = format!("### {title}: {}\n\n", summary(report));
    let workspace = html_code(&report.workspace);
    let looked = match report.looked {
        1 => "1 object".to_owned(),
        many => format!("{many} objects"),
    };
    let when = markdown(&report.when);
    let _ = writeln!(
        out,
        "Workspace {workspace}, serial {}: looked at {looked} at {when}.",
        report.serial
    );
    let counts = report.counts();
    if counts.total() > 0 {
        out.push_str("\n| Class | Findings |\n|---|---|\n");
        for class in Class::ALL.into_iter().filter(|it| counts.of(*it) > 0) {
            let _ = writeln!(out, "| {} | {} |", class.name(), counts.of(class));
        }
    }
    out.push('\n');
    out
}

fn details(finding: &Finding, sources: &Sources) -> String {
    let (name, happened) = (html_code(&finding.address), happened(finding.class));
    let mut out = format!("<details><summary>{name} {happened}</summary>\n\n");
    let because = because(finding);
    if !because.is_empty() {
        let _ = writeln!(out, "{}\n", markdown(&because));
    }
    let attributes = attributes(finding, 0, Style::PLAIN);
    if !attributes.is_empty() {
        out.push_str(&fenced("diff", &signs_first(&attributes)));
        out.push('\n');
    }
    let mut facts = Vec::new();
    if let Some(place) = finding.span.and_then(|it| place(it, sources)) {
        facts.push(format!("declared at {}", html_code(&format!("{}:{}", place.path, place.line))));
    }
    if !finding.id.is_empty() {
        facts.push(format!("id {}", html_code(&finding.id)));
    }
    if !finding.first_seen.is_empty() {
        facts.push(format!("first seen {}", markdown(&finding.first_seen)));
    }
    if let Some(action) = finding.repair {
        facts.push(format!("an apply would {} it", action_name(action)));
    }
    if !facts.is_empty() {
        let _ = writeln!(out, "<sub>{}</sub>\n", facts.join(" · "));
    }
    out + "</details>\n\n"
}

fn short(finding: &Finding) -> String {
    let (name, happened) = (html_code(&finding.address), happened(finding.class));
    format!("- {name} {happened} (what exactly is too long to be shown here)\n\n")
}
