//! A plan as Markdown, for comments on changes and summaries of pipelines.

use std::fmt::Write;

use plumb_diag::{Diagnostic, Sources};
use plumb_model::addr::ObjectKey;
use plumb_model::plan::{Action, Change};

use crate::action::will_be;
use crate::diagnostic::text::full_detail;
use crate::escape::{beginning, fenced, html_code, markdown};
use crate::markdown::Limited;
use crate::place::place;
use crate::plan_text::{Counts, PlanText, is_shown, summary_line, write_change, write_outputs};
use crate::style::Style;
use crate::unified::signs_first;

/// A plan and what is said beside it.
#[derive(Clone, Copy)]
pub struct PlanMarkdown<'a> {
    /// The plan. How it may look counts for nothing here.
    pub text: PlanText<'a>,
    /// What a person should know besides the changes.
    pub notes: &'a [Diagnostic],
    /// Where the notes point.
    pub sources: &'a Sources,
    /// The workspace.
    pub workspace: &'a str,
}

/// The plan in at most `bytes_max` bytes: a summary, each change folded away with its difference,
/// outputs, drift, notes. What there is no room for is counted at the end.
pub fn plan_markdown(input: PlanMarkdown<'_>, bytes_max: usize) -> String {
    let head = head(input);
    let mut out = Limited::new(bytes_max);
    if !out.part(&head) {
        return beginning(&head, bytes_max).to_owned();
    }
    let text = PlanText { style: Style::PLAIN, ..input.text };
    for (key, change) in text.plan.changes.iter().filter(|it| is_shown(it.1)) {
        out.item(|| details(text, key, change), || short(key, change));
    }
    if text.plan.outputs.values().any(|it| !it.is_keep()) {
        let mut outputs = String::new();
        write_outputs(&text.plan.outputs, Style::PLAIN, &mut outputs);
        let folded = folded("Changes to outputs", &outputs);
        out.item(|| folded, || "- Outputs change\n\n".to_owned());
    }
    out.heading("Changed outside of Plumb");
    for (key, (_, after)) in &text.plan.drift {
        let what = if after.is_some() { "has changed" } else { "has been deleted" };
        let line = || format!("- {} {what}\n", html_code(&key.to_string()));
        out.item(line, line);
    }
    write_notes(input.notes, input.sources, &mut out);
    out.finish("entry", "entries")
}

/// What went wrong, in at most `bytes_max` bytes, under a title.
pub fn problems_markdown(
    title: &str,
    problems: &[Diagnostic],
    sources: &Sources,
    bytes_max: usize,
) -> String {
    let mut out = Limited::new(bytes_max);
    let head = format!("### {}\n\n", markdown(title));
    if !out.part(&head) {
        return beginning(&head, bytes_max).to_owned();
    }
    write_notes(problems, sources, &mut out);
    out.finish("entry", "entries")
}

fn head(input: PlanMarkdown<'_>) -> String {
    let plan = input.text.plan;
    let counts = Counts::of(plan);
    let line = match plan.is_empty() {
        true => "No changes.".to_owned(),
        false => summary_line(plan, Style::PLAIN),
    };
    let mut out = format!("### {line}\n\nWorkspace {}", html_code(input.workspace));
    if plan.partial {
        out.push_str(", limited to the targets that were asked for");
    }
    out.push_str(".\n\n");
    let rows = [
        ("import", counts.import),
        ("add", counts.add),
        ("change", counts.change),
        ("destroy", counts.remove),
        ("forget", counts.forget),
    ];
    if rows.iter().any(|it| it.1 > 0) {
        out.push_str("| Action | Objects |\n|---|---|\n");
        for (name, count) in rows.iter().filter(|it| it.1 > 0) {
            let _ = writeln!(out, "| {name} | {count} |");
        }
        out.push('\n');
    }
    out
}

fn details(text: PlanText<'_>, key: &ObjectKey, change: &Change) -> String {
    let mut body = String::new();
    write_change(text, key, change, &mut body);
    let body = signs_first(body.trim_start_matches('\n'));
    let title = format!("{} {}", html_code(&key.to_string()), happens(change));
    format!("<details><summary>{title}</summary>\n\n{}\n</details>\n\n", fenced("diff", &body))
}

fn folded(title: &str, body: &str) -> String {
    let body = fenced("diff", &signs_first(body));
    format!("<details><summary>{title}</summary>\n\n{body}\n</details>\n\n")
}

fn short(key: &ObjectKey, change: &Change) -> String {
    let (name, happens) = (html_code(&key.to_string()), happens(change));
    format!("- {name} {happens} (what exactly is too long to be shown here)\n\n")
}

fn happens(change: &Change) -> &'static str {
    match change.action {
        Action::Keep if change.importing.is_some() => "will be imported",
        Action::Keep if change.moved_from.is_some() => "has moved",
        action => will_be(action),
    }
}

fn write_notes(notes: &[Diagnostic], sources: &Sources, out: &mut Limited) {
    for (is_error, heading) in [(true, "Errors"), (false, "Warnings")] {
        out.heading(heading);
        for note in notes.iter().filter(|it| it.is_error() == is_error) {
            let short = || format!("- {} (said in full in the log)\n", markdown(&note.summary));
            out.item(|| note_line(note, sources), short);
        }
    }
}

fn note_line(note: &Diagnostic, sources: &Sources) -> String {
    let mut line = format!("- **{}**", markdown(&note.summary));
    if let Some(address) = &note.address {
        let _ = write!(line, " with {}", html_code(address));
    }
    if let Some(at) = note.span.and_then(|it| place(it, sources)) {
        let _ = write!(line, " on {}", html_code(&format!("{}:{}", at.path, at.line)));
    }
    let detail = full_detail(note);
    let paragraphs = detail.lines().map(str::trim).filter(|it| !it.is_empty());
    let text: Vec<String> = paragraphs.map(markdown).collect();
    if !text.is_empty() {
        let _ = write!(line, "<br>{}", text.join("<br>"));
    }
    line + "\n"
}
