//! A [`DriftReport`] in the forms that people and pipelines read.
//!
//! Whatever the form, the values of sensitive attributes are in none of them.

mod annotations;
mod json;
mod junit;
mod markdown;
mod prometheus;
mod sarif;
mod text;

use std::fmt::Write;

use plumb_drift::{Class, Counts, DriftReport, Finding, MovedAttribute, Standing};
use plumb_model::value::{Type, Value};
use unicode_width::UnicodeWidthStr;

use crate::diff::{Diff, Forcing, Options, draw, line_start, value_diff};
use crate::escape::one_line;
use crate::style::Style;

pub use annotations::drift_annotations;
pub use json::{drift_json, finding_json, moved_json, read_previous};
pub use junit::drift_junit;
pub use markdown::drift_markdown;
pub use prometheus::drift_prometheus;
pub use sarif::drift_sarif;
pub use text::drift_text;

/// What is said behind the address of a finding.
fn happened(class: Class) -> &'static str {
    match class {
        Class::Changed => "has changed",
        Class::Deleted => "has been deleted",
        Class::Foreign => "stands there undeclared",
        Class::Undeclared => "has changed where the configuration leaves it open",
    }
}

/// What a class is about, for those who see it the first time.
fn meaning(class: Class) -> &'static str {
    match class {
        Class::Changed => "An object has other attributes than the last apply left it with.",
        Class::Deleted => "An object that the state knows is gone.",
        Class::Foreign => "An object stands beside the managed ones and nobody declared it.",
        Class::Undeclared => {
            "An argument that the configuration leaves out has another value than before."
        }
    }
}

/// `docker_container.web has changed`
fn headline(finding: &Finding) -> String {
    format!("{} {}", one_line(&finding.address), happened(finding.class))
}

/// Why it matters, in one paragraph.
fn because(finding: &Finding) -> String {
    let mut text = finding.why.join(" ");
    if let Standing::Expired(it) = &finding.standing {
        let until = it.until.as_deref().unwrap_or("a day that is over");
        let _ = write!(text, " It had been accepted until {until} ({}).", it.reason);
    }
    if finding.pending {
        text += " Its configuration was changed as well since the last apply.";
    }
    one_line(text.trim()).into_owned()
}

/// Why it does not count, if it does not.
fn excuse(standing: &Standing) -> Option<String> {
    Some(match standing {
        Standing::Counts | Standing::Expired(_) => return None,
        Standing::Ignored => "ignored in this run on request".to_owned(),
        Standing::Quiet => {
            "the system sets it by itself, and nothing that is declared depends on it".to_owned()
        }
        Standing::Accepted(it) => match &it.until {
            Some(until) => format!("accepted until {until}: {}", one_line(&it.reason)),
            None => format!("accepted: {}", one_line(&it.reason)),
        },
    })
}

/// The attributes of a finding, a line each or more. `indent` counts steps of four columns.
fn attributes(finding: &Finding, indent: usize, style: Style) -> String {
    let names: Vec<_> = finding.attributes.iter().map(|it| one_line(&it.path)).collect();
    let width = names.iter().map(|it| it.width()).max().unwrap_or(0);
    let options = Options::new(style);
    let mut out = String::new();
    for (attribute, name) in finding.attributes.iter().zip(&names) {
        let diff = difference(attribute);
        line_start(diff.sign, indent, options, &mut out);
        let _ = write!(out, "{name}{} = ", " ".repeat(width - name.width()));
        draw(&diff, indent, options, &mut out);
        out.push('\n');
    }
    out
}

fn difference(attribute: &MovedAttribute) -> Diff {
    let side = |it: &Option<Value>| match (it, attribute.sensitive) {
        (Some(it), true) => Some(it.clone().sensitive()),
        (it, _) => it.clone(),
    };
    let (before, after) = (side(&attribute.before), side(&attribute.after));
    value_diff(before.as_ref(), after.as_ref(), &Type::Dynamic, &Forcing::default())
}

/// `Drift: 1 changed, 0 deleted, 0 foreign, 0 undeclared`, and what else there is.
fn summary(report: &DriftReport) -> String {
    let counts = report.counts();
    let each = Class::ALL.map(|it| format!("{} {}", counts.of(it), it.name()));
    let mut text = each.join(", ");
    let rest = rest(counts, report);
    if !rest.is_empty() {
        let _ = write!(text, " ({rest})");
    }
    text
}

fn rest(counts: Counts, report: &DriftReport) -> String {
    let parts = [
        (counts.accepted, "accepted"),
        (counts.quiet, "of no concern"),
        (report.pending.len(), "pending"),
    ];
    let parts = parts.iter().filter(|it| it.0 > 0).map(|(count, name)| format!("{count} {name}"));
    parts.collect::<Vec<_>>().join(", ")
}
