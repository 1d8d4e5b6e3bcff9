//! The other parts of the page: outputs, checks, notes, drift, history.

use std::fmt::Write;

use plumb_diag::{Diagnostic, Sources};
use plumb_model::plan::Plan;
use plumb_model::state::{CheckResult, CheckStatus};

use super::escape::{escaped, text};
use super::{HtmlFinding, HtmlHistory};
use crate::diff::{Options, Sign, draw};
use crate::place::place;
use crate::plan_text::output_diff;
use crate::style::Style;

/// The start of a table that scrolls where it is wider than the page.
fn table(label: &str, columns: &[&str], out: &mut String) {
    let _ = write!(
        out,
        "<div class=\"wide\" role=\"region\" aria-label=\"Table: {label}\" tabindex=\"0\"><table>\
         <thead><tr>"
    );
    for column in columns {
        let _ = write!(out, "<th scope=\"col\">{column}</th>");
    }
    out.push_str("</tr></thead><tbody>\n");
}

const TABLE_END: &str = "</tbody></table></div>\n";

/// The outputs that change.
pub(super) fn outputs(plan: &Plan) -> String {
    let mut out = String::new();
    for (name, change) in plan.outputs.iter().filter(|it| !it.1.is_keep()) {
        let diff = output_diff(change);
        let (class, sign) = match diff.sign {
            Sign::Create => ("add", "+"),
            Sign::Delete => ("remove", "−"),
            Sign::Update | Sign::Keep => ("change", "~"),
        };
        let mut value = String::new();
        draw(&diff, 0, Options::new(Style::PLAIN), &mut value);
        if out.is_empty() {
            table("Outputs", &["Output", "Value"], &mut out);
        }
        let _ = writeln!(
            out,
            "<tr class=\"c-{class}\"><th scope=\"row\"><span class=\"mark\" aria-hidden=\"true\">\
             {sign}</span> <code>{}</code></th><td><pre>{}</pre></td></tr>",
            escaped(name),
            escaped(&value)
        );
    }
    if !out.is_empty() {
        out.push_str(TABLE_END);
    }
    out
}

/// What the checks say, those first that want looking at.
pub(super) fn checks(checks: &[CheckResult]) -> String {
    if checks.is_empty() {
        return String::new();
    }
    let mut out = String::new();
    table("Checks", &["Result", "Of", "Message"], &mut out);
    let order = [CheckStatus::Fail, CheckStatus::Error, CheckStatus::Unknown, CheckStatus::Pass];
    for status in order {
        let (class, sign, word) = match status {
            CheckStatus::Pass => ("add", "✓", "holds"),
            CheckStatus::Fail => ("remove", "✗", "fails"),
            CheckStatus::Error => ("remove", "!", "cannot be told"),
            CheckStatus::Unknown => ("forget", "?", "not known yet"),
        };
        for check in checks.iter().filter(|it| it.status == status) {
            let _ = write!(
                out,
                "<tr class=\"c-{class}\"><td><span class=\"mark\" aria-hidden=\"true\">{sign}\
                 </span> {word}</td><th scope=\"row\"><code>{}</code></th><td>",
                escaped(&check.config_addr)
            );
            let messages = check.objects.iter().flat_map(|it| &it.2);
            for (index, message) in messages.enumerate() {
                out.push_str(if index > 0 { "<br>" } else { "" });
                text(message, &mut out);
            }
            out.push_str("</td></tr>\n");
        }
    }
    out + TABLE_END
}

/// What was held back, and warnings.
pub(super) fn notes(notes: &[Diagnostic], sources: &Sources) -> String {
    if notes.is_empty() {
        return String::new();
    }
    let mut out = String::from("<ul class=\"notes\">\n");
    for note in notes {
        let (class, word) =
            if note.is_error() { ("remove", "Error") } else { ("change", "Warning") };
        let _ = write!(
            out,
            "<li class=\"c-{class}\"><p><strong>{word}: {}</strong></p>",
            escaped(&note.summary)
        );
        let place = note.span.and_then(|it| place(it, sources));
        let place = place.map(|it| format!("{} line {}", it.path, it.line));
        let about: Vec<String> = note.address.iter().cloned().chain(place).collect();
        if !about.is_empty() {
            let _ = write!(out, "<p class=\"why\"><code>{}</code></p>", escaped(&about.join(", ")));
        }
        let paragraphs = note.detail.split("\n\n").chain(note.hint.as_deref());
        for paragraph in paragraphs.filter(|it| !it.is_empty()) {
            let _ = write!(out, "<p class=\"detail\">{}</p>", escaped(paragraph));
        }
        out.push_str("</li>\n");
    }
    out + "</ul>\n"
}

/// What drifted.
pub(super) fn findings(findings: &[HtmlFinding]) -> String {
    if findings.is_empty() {
        return "<p>Everything is as it was left.</p>\n".to_owned();
    }
    let mut out = String::new();
    for it in findings {
        let (class, sign) = match (&it.accepted, &*it.class) {
            (Some(_), _) => ("forget", "✓"),
            (None, "deleted") => ("remove", "−"),
            (None, "foreign") => ("import", "?"),
            (None, _) => ("change", "~"),
        };
        let _ = writeln!(
            out,
            "<details class=\"object c-{class}\"><summary><span class=\"mark\" \
             aria-hidden=\"true\">{sign}</span> <code class=\"address\">{}</code> \
             <span class=\"brief\">{}{}</span></summary>",
            escaped(&it.address),
            escaped(&it.class),
            if it.accepted.is_some() { ", accepted" } else { "" },
        );
        let since = it.first_seen.as_ref().map(|it| format!("First seen {it}."));
        let accepted = it.accepted.as_ref().map(|it| format!("Accepted: {it}"));
        let why = (!it.why.is_empty()).then(|| it.why.clone());
        for line in [why, since, accepted].into_iter().flatten() {
            let _ = writeln!(out, "<p class=\"why\">{}</p>", escaped(&line));
        }
        if !it.attributes.is_empty() {
            table("Attributes", &["Attribute", "Was", "Is"], &mut out);
            for delta in &it.attributes {
                let _ = writeln!(
                    out,
                    "<tr><th scope=\"row\"><code>{}</code></th><td class=\"l-remove\"><pre>{}</pre>\
                     </td><td class=\"l-add\"><pre>{}</pre></td></tr>",
                    escaped(&delta.name),
                    escaped(&delta.before),
                    escaped(&delta.after)
                );
            }
            out.push_str(TABLE_END);
        }
        out.push_str("</details>\n");
    }
    out
}

/// What happened when.
pub(super) fn history(history: &[HtmlHistory]) -> String {
    if history.is_empty() {
        return String::new();
    }
    let mut out = String::new();
    table("History", &["When", "What", "Of", "More"], &mut out);
    for it in history {
        let _ = writeln!(
            out,
            "<tr><td>{}</td><td>{}</td><th scope=\"row\"><code>{}</code></th><td>{}</td></tr>",
            escaped(&it.when),
            escaped(&it.what),
            escaped(&it.address),
            escaped(&it.detail)
        );
    }
    out + TABLE_END
}
