//! The changes of a plan, grouped by what is done, each folded away.

use std::fmt::Write;

use plumb_model::addr::ObjectKey;
use plumb_model::plan::{Action, Change};

use super::escape::{escaped, text};
use crate::diff::{Diff, Forcing, Shape, Sign};
use crate::plan_text::{
    PlanText, change_diff, comment, is_shown, object_diff, shown_drift, source_of, symbol,
    write_object,
};
use crate::style::Style;

/// As many changes are unfolded from the beginning.
const OPEN_MAX: usize = 4;

/// A group of more is folded from the beginning.
const GROUP_MAX: usize = 100;

/// What is done, in the order of how much a person should look.
const GROUPS: [(&str, &str, &str); 8] = [
    ("replace", "Replaced", "±"),
    ("remove", "Destroyed", "−"),
    ("change", "Changed in place", "~"),
    ("add", "Created", "+"),
    ("import", "Imported", "⇲"),
    ("forget", "No longer managed", "."),
    ("read", "Read during apply", "⇐"),
    ("move", "Moved", "→"),
];

fn group(change: &Change) -> &'static str {
    match change.action {
        Action::Replace(_) => "replace",
        Action::Delete => "remove",
        Action::Update => "change",
        Action::Create => "add",
        Action::Forget => "forget",
        Action::Read => "read",
        Action::Keep if change.importing.is_some() => "import",
        Action::Keep => "move",
    }
}

/// How many changes are shown.
pub(super) fn count(input: PlanText<'_>) -> usize {
    input.plan.changes.values().filter(|it| is_shown(it)).count()
}

/// The section; nothing if there is nothing to show.
pub(super) fn section(input: PlanText<'_>) -> String {
    let shown: Vec<(&ObjectKey, &Change)> =
        input.plan.changes.iter().filter(|it| is_shown(it.1)).collect();
    if shown.is_empty() {
        return String::new();
    }
    let mut out = String::from(
        "<div class=\"controls scripted\" hidden role=\"search\" aria-label=\"Filter changes\">\n\
         <label for=\"filter\">Filter</label>\n\
         <input id=\"filter\" type=\"search\" autocomplete=\"off\" spellcheck=\"false\" \
         placeholder=\"address, attribute, value\">\n\
         <button type=\"button\" id=\"unfold\">Unfold all</button>\n\
         <button type=\"button\" id=\"fold\">Fold all</button>\n\
         <p id=\"found\" role=\"status\"></p>\n</div>\n",
    );
    for (class, title, sign) in GROUPS {
        let of_group = || shown.iter().filter(|it| group(it.1) == class);
        let count = of_group().count();
        if count == 0 {
            continue;
        }
        let _ = writeln!(
            out,
            "<details class=\"group c-{class}\"{}>\n<summary><h3><span class=\"mark\" \
             aria-hidden=\"true\">{sign}</span> {title} <span class=\"count\">{count}</span></h3>\
             </summary>",
            if count <= GROUP_MAX { " open" } else { "" },
        );
        for (key, change) in of_group() {
            one(input, key, change, class, sign, shown.len() <= OPEN_MAX, &mut out);
        }
        out.push_str("</details>\n");
    }
    out
}

fn one(
    input: PlanText<'_>,
    key: &ObjectKey,
    change: &Change,
    class: &str,
    sign: &str,
    open: bool,
    out: &mut String,
) {
    let diff = change_diff(input.schemas, key, change);
    let open = if open { " open" } else { "" };
    let _ = write!(
        out,
        "<details class=\"object\"{open}><summary><span class=\"mark\" aria-hidden=\"true\">{sign}\
         </span> <code class=\"address\">"
    );
    text(&key.to_string(), out);
    out.push_str("</code>");
    let parts = brief(&diff, change);
    if !parts.is_empty() {
        out.push_str(" <span class=\"brief\">");
        text(&parts, out);
        out.push_str("</span>");
    }
    out.push_str("</summary>\n");
    for line in comment(key, change, Style::PLAIN).lines() {
        out.push_str("<p class=\"why\">");
        text(line.trim_start_matches([' ', '#']), out);
        out.push_str("</p>\n");
    }
    let mut lines = String::new();
    write_object(&symbol(change.action, Style::PLAIN), key, &diff, Style::PLAIN, &mut lines);
    // What comes or goes as a whole needs no colour for each line.
    let whole = matches!(class, "add" | "remove");
    code(&lines, whole, out);
    out.push_str("</details>\n");
}

/// What is changed, in few words.
fn brief(diff: &Diff, change: &Change) -> String {
    let Shape::Block { attributes, blocks } = &diff.shape else { return String::new() };
    if !matches!(change.action, Action::Update | Action::Replace(_)) {
        return String::new();
    }
    let replaces = matches!(change.action, Action::Replace(_));
    let attributes = attributes.iter().map(|it| (&it.0, it.1.sign != Sign::Keep, it.1.forces));
    let blocks = blocks.iter().map(|it| {
        let changed = it.each.iter().any(|it| it.1.sign != Sign::Keep);
        let forces = it.forces || it.each.iter().any(|it| forces(&it.1));
        (&it.name, changed, forces)
    });
    let all = attributes.chain(blocks);
    let names: Vec<&str> =
        all.filter(|it| if replaces { it.2 } else { it.1 }).map(|it| &**it.0).collect();
    if names.is_empty() {
        return String::new();
    }
    let more = names.len().saturating_sub(6);
    let mut res = names[..names.len() - more].join(", ");
    if more > 0 {
        let _ = write!(res, " and {more} more");
    }
    if replaces { format!("forced by {res}") } else { res }
}

fn forces(diff: &Diff) -> bool {
    match &diff.shape {
        Shape::Block { attributes, .. } => diff.forces || attributes.iter().any(|it| it.1.forces),
        _ => diff.forces,
    }
}

/// A difference, line by line. `whole`: all lines have one sign.
fn code(lines: &str, whole: bool, out: &mut String) {
    // Wide ones scroll, also by keyboard.
    out.push_str("<pre tabindex=\"0\" class=\"diff\"><code>");
    for line in lines.lines() {
        let sign = line.trim_start().as_bytes();
        let class = match sign {
            [b'+', b' ', ..] => "l-add",
            [b'-', b' ', ..] => "l-remove",
            [b'~', b' ', ..] => "l-change",
            _ => "",
        };
        let (line, forces) = match line.strip_suffix("# forces replacement") {
            Some(line) => (line, true),
            None => (line, false),
        };
        if whole || class.is_empty() {
            text(line, out);
        } else {
            let _ = write!(out, "<span class=\"{class}\">");
            text(line, out);
            out.push_str("</span>");
        }
        if forces {
            out.push_str("<strong class=\"forces\"># forces replacement</strong>");
        }
        out.push('\n');
    }
    out.push_str("</code></pre>\n");
}

/// What changed outside of us.
pub(super) fn outside(input: PlanText<'_>) -> String {
    let mut out = String::new();
    for (key, before, after) in shown_drift(input) {
        let source = source_of(input.plan, input.schemas, key);
        let none = Forcing::default();
        let diff = object_diff(input.schemas, source, key, Some(before), after.as_ref(), &none);
        let (class, sign, what, action) = match after {
            Some(_) => ("change", "~", "has changed", Action::Update),
            None => ("remove", "−", "has been deleted", Action::Delete),
        };
        let mut lines = String::new();
        write_object(&symbol(action, Style::PLAIN), key, &diff, Style::PLAIN, &mut lines);
        let _ = writeln!(
            out,
            "<details class=\"object c-{class}\"><summary><span class=\"mark\" \
             aria-hidden=\"true\">{sign}</span> <code class=\"address\">{}</code> \
             <span class=\"brief\">{what}</span></summary>",
            escaped(&key.to_string())
        );
        code(&lines, after.is_none(), &mut out);
        out.push_str("</details>\n");
    }
    if !out.is_empty() {
        out.insert_str(
            0,
            "<p>Since the last apply, somebody or something else changed these.</p>\n",
        );
    }
    out
}
