//! Lays out a difference, line by line.

use std::fmt::Write;
use std::sync::Arc;

use plumb_model::value::json::from_json_implied;
use plumb_model::value::{Type, Value, ValueKind};
use unicode_width::UnicodeWidthStr;

use super::compute::{Forcing, value_diff};
use super::pair::pair_lines;
use super::{BlockDiff, Diff, Shape, Sign};
use crate::quote::{attribute_name, printable, quote};
use crate::style::Style;

/// How a difference is to be drawn; parts are drawn with changed copies.
#[derive(Clone, Copy)]
pub(crate) struct Options {
    pub(crate) style: Style,
    /// No `-> null` behind what goes.
    hide_null: bool,
    /// Unchanged parts are drawn too.
    show_unchanged: bool,
    /// No `+`, `-`, `~`.
    hide_signs: bool,
    /// The whole forces a replacement, so that each part is said to.
    forces: bool,
}

impl Options {
    pub(crate) fn new(style: Style) -> Options {
        Options { style, hide_null: false, show_unchanged: false, hide_signs: false, forces: false }
    }

    /// Every part is drawn, without signs: for a state.
    pub(crate) fn of_state(style: Style) -> Options {
        Options { show_unchanged: true, hide_signs: true, ..Options::new(style) }
    }
}

/// Attributes by which people know an object: drawn even when unchanged.
fn is_telling(name: &str) -> bool {
    matches!(name, "id" | "name" | "tags")
}

/// Appends what stands behind `name = `, or behind the header of a block.
pub(crate) fn draw(diff: &Diff, indent: usize, options: Options, out: &mut String) {
    let forces = diff.forces || options.forces;
    match &diff.shape {
        Shape::Leaf { before, after } => {
            draw_leaf(diff, before.as_ref(), after.as_ref(), indent, options, out);
        }
        Shape::Unknown { before } => {
            if let Some(before) = before {
                draw(before, indent, Options { hide_null: true, forces: false, ..options }, out);
                out.push_str(" -> ");
            }
            out.push_str("(known after apply)");
            out.push_str(&forces_suffix(forces, options));
        }
        Shape::Sensitive { .. } => {
            out.push_str("(sensitive value)");
            out.push_str(null_suffix(diff.sign, options));
            out.push_str(&forces_suffix(forces, options));
        }
        Shape::WriteOnly => {
            out.push_str("(write-only attribute)");
            out.push_str(&forces_suffix(forces, options));
        }
        Shape::Kinds { before, after } => {
            let part = Options { hide_null: true, forces: false, ..options };
            draw(before, indent, part, out);
            let _ = write!(out, " {} ", options.style.yellow("->"));
            draw(after, indent, part, out);
            out.push_str(&forces_suffix(forces, options));
        }
        Shape::List(parts) => draw_list(diff, parts, indent, options, out),
        Shape::Set(parts) => draw_set(diff, parts, indent, options, out),
        Shape::Map(parts) => draw_keyed(diff, parts, quote, "element", indent, options, out),
        Shape::Object(parts) => {
            draw_keyed(diff, parts, attribute_name, "attribute", indent, options, out);
        }
        Shape::Block { attributes, blocks } => {
            draw_block(diff, attributes, blocks, indent, options, out);
        }
    }
}

fn draw_list(diff: &Diff, parts: &[Diff], indent: usize, options: Options, out: &mut String) {
    if parts.is_empty() {
        return draw_empty("[]", diff, options, out);
    }
    open('[', diff, options, out);
    let changed = Options { hide_null: true, forces: false, ..options };
    let context = Options { show_unchanged: true, ..changed };
    // Order matters in a list, so the neighbours of a change are drawn with it. Between objects
    // there is nothing to see but objects.
    let mut held: Vec<&Diff> = Vec::new();
    let mut draw_next = false;
    let element = |part: &Diff, options: Options, out: &mut String| {
        warning(part, indent + 1, "attribute value", options, out);
        line_start(part.sign, indent + 1, options, out);
        draw(part, indent + 1, options, out);
        out.push_str(",\n");
    };
    for part in parts {
        let keep = part.sign == Sign::Keep;
        if keep && !draw_next && !options.show_unchanged {
            held.push(part);
            continue;
        }
        draw_next = !keep;
        if let Some((last, rest)) = held.split_last() {
            write_hidden(rest.len(), "element", indent + 1, options, out);
            element(last, context, out);
            held.clear();
        }
        element(part, if keep { context } else { changed }, out);
    }
    write_hidden(held.len(), "element", indent + 1, options, out);
    close(']', diff, indent, options, out);
}

fn draw_set(diff: &Diff, parts: &[Diff], indent: usize, options: Options, out: &mut String) {
    if parts.is_empty() {
        return draw_empty("[]", diff, options, out);
    }
    open('[', diff, options, out);
    let mut hidden = 0;
    for part in parts {
        if part.sign == Sign::Keep && !options.show_unchanged {
            hidden += 1;
            continue;
        }
        let options = Options { hide_null: true, forces: false, ..options };
        warning(part, indent + 1, "attribute value", options, out);
        line_start(part.sign, indent + 1, options, out);
        draw(part, indent + 1, options, out);
        out.push_str(",\n");
    }
    write_hidden(hidden, "element", indent + 1, options, out);
    close(']', diff, indent, options, out);
}

fn draw_keyed(
    diff: &Diff,
    parts: &[(Arc<str>, Diff)],
    name: fn(&str) -> String,
    noun: &str,
    indent: usize,
    options: Options,
    out: &mut String,
) {
    if parts.is_empty() {
        return draw_empty("{}", diff, options, out);
    }
    open('{', diff, options, out);
    let inner = Options { hide_null: true, forces: false, ..options };
    draw_attributes(parts, name, noun, indent + 1, inner, out);
    close('}', diff, indent, options, out);
}

fn draw_attributes(
    parts: &[(Arc<str>, Diff)],
    name: fn(&str) -> String,
    noun: &str,
    indent: usize,
    options: Options,
    out: &mut String,
) {
    let width = parts.iter().map(|(key, _)| name(key).width()).max().unwrap_or(0);
    let mut hidden = 0;
    for (key, part) in parts {
        // What stays as it is may force a replacement: what it names is made anew.
        let forces = part.forces && part.sign == Sign::Keep;
        let telling = noun == "attribute" && (is_telling(key) || forces);
        if part.sign == Sign::Keep && !options.show_unchanged && !telling {
            hidden += 1;
            continue;
        }
        let options = Options { show_unchanged: options.show_unchanged || telling, ..options };
        warning(part, indent, "attribute value", options, out);
        line_start(part.sign, indent, options, out);
        let name = name(key);
        let _ = write!(out, "{name}{} = ", " ".repeat(width - name.width()));
        draw(part, indent, options, out);
        out.push('\n');
    }
    write_hidden(hidden, noun, indent, options, out);
}

fn draw_block(
    diff: &Diff,
    attributes: &[(Arc<str>, Diff)],
    blocks: &[BlockDiff],
    indent: usize,
    options: Options,
    out: &mut String,
) {
    if attributes.is_empty() && blocks.iter().all(|it| it.each.is_empty()) {
        let _ = write!(out, "{{}}{}", forces_suffix(diff.forces || options.forces, options));
        return;
    }
    open('{', diff, options, out);
    let inner = Options { forces: false, ..options };
    draw_attributes(attributes, attribute_name, "attribute", indent + 1, inner, out);
    let mut hidden = 0;
    for group in blocks {
        let mut first = true;
        let unchanged = group.each.iter().all(|(_, part)| part.sign == Sign::Keep);
        let show_unchanged = options.show_unchanged || group.forces && unchanged;
        for (label, part) in &group.each {
            if part.sign == Sign::Keep && !show_unchanged {
                hidden += 1;
                continue;
            }
            if std::mem::take(&mut first) && !attributes.is_empty() {
                out.push('\n');
            }
            let options = Options { forces: group.forces, show_unchanged, ..options };
            warning(part, indent + 1, "block", options, out);
            line_start(part.sign, indent + 1, options, out);
            out.push_str(&attribute_name(&group.name));
            if let Some(label) = label {
                let _ = write!(out, " {}", quote(label));
            }
            out.push(' ');
            match &part.shape {
                Shape::Sensitive { .. } => draw_hidden_block(part, indent + 1, options, out),
                Shape::Unknown { .. } => out.push_str("(known after apply)"),
                _ => draw(part, indent + 1, options, out),
            }
            out.push('\n');
        }
    }
    if hidden > 0 {
        out.push('\n');
        write_hidden(hidden, "block", indent + 1, options, out);
    }
    close('}', diff, indent, Options { hide_null: true, ..options }, out);
}

fn draw_hidden_block(diff: &Diff, indent: usize, options: Options, out: &mut String) {
    open('{', diff, options, out);
    for line in [
        "# At least one attribute in this block is (or was) sensitive,",
        "# so its contents will not be displayed.",
    ] {
        let _ = writeln!(out, "{}{line}", spaces(indent + 1));
    }
    close('}', diff, indent, Options { hide_null: true, ..options }, out);
}

/// A text that reads as JSON and is not a mere scalar.
fn as_json(text: &str) -> Option<Value> {
    if !text.starts_with(['{', '[']) {
        return None;
    }
    from_json_implied(text).ok()
}

fn draw_leaf(
    diff: &Diff,
    before: Option<&Value>,
    after: Option<&Value>,
    indent: usize,
    options: Options,
    out: &mut String,
) {
    let forces = forces_suffix(diff.forces || options.forces, options);
    let text = |it: Option<&Value>| it.and_then(Value::as_str).map(str::to_owned);
    let (before_text, after_text) = (text(before), text(after));
    let json = |it: &Option<String>| it.as_deref().and_then(as_json);
    let (before_json, after_json) = (json(&before_text), json(&after_text));
    match diff.sign {
        Sign::Update => {
            if before_json.is_some() && after_json.is_some() {
                return draw_json(diff, before_json, after_json, indent, options, out);
            }
            if before_json.is_some() || after_json.is_some() {
                let side = |before: Option<&Value>, after: Option<&Value>, out: &mut String| {
                    let diff = value_diff(before, after, &Type::String, &Forcing::default());
                    draw(&diff, indent, Options { hide_null: true, forces: false, ..options }, out);
                };
                side(before, None, out);
                let _ = write!(out, " {} ", options.style.yellow("->"));
                side(None, after, out);
                out.push_str(&forces);
                return;
            }
            let is_long = |it: &Option<String>| it.as_deref().is_some_and(|it| it.contains('\n'));
            if is_long(&before_text) || is_long(&after_text) {
                let (before, after) =
                    (before_text.unwrap_or_default(), after_text.unwrap_or_default());
                return draw_heredoc(diff, Some(&before), Some(&after), indent, options, out);
            }
            let arrow = options.style.yellow("->");
            let _ = write!(
                out,
                "{} {arrow} {}{forces}",
                scalar(before, options),
                scalar(after, options)
            );
        }
        Sign::Create | Sign::Keep => {
            if after_json.is_some() {
                let before = before_json.filter(|_| diff.sign == Sign::Keep);
                return draw_json(diff, before, after_json, indent, options, out);
            }
            if let Some(after) = after_text.as_deref().filter(|it| it.contains('\n')) {
                return draw_heredoc(diff, None, Some(after), indent, options, out);
            }
            let _ = write!(out, "{}{forces}", scalar(after.or(before), options));
        }
        Sign::Delete => {
            if before_json.is_some() {
                return draw_json(diff, before_json, None, indent, options, out);
            }
            if let Some(before) = before_text.as_deref().filter(|it| it.contains('\n')) {
                return draw_heredoc(diff, Some(before), None, indent, options, out);
            }
            let is_null = before.is_none_or(Value::is_null);
            let suffix = if is_null { "" } else { null_suffix(diff.sign, options) };
            let _ =
                write!(out, "{}{}{forces}", scalar(before, options), options.style.grey(suffix));
        }
    }
}

fn scalar(value: Option<&Value>, options: Options) -> String {
    match value.map(Value::kind) {
        Some(ValueKind::Bool(value)) => value.to_string(),
        Some(ValueKind::Number(number)) => number.to_string(),
        Some(ValueKind::String(text)) => quote(text),
        _ => options.style.grey("null"),
    }
}

fn draw_heredoc(
    diff: &Diff,
    before: Option<&str>,
    after: Option<&str>,
    indent: usize,
    options: Options,
    out: &mut String,
) {
    let _ = writeln!(out, "<<-EOT{}", forces_suffix(diff.forces || options.forces, options));
    let before = before.map(|it| printable(it.trim()).into_owned());
    let after = after.map(|it| printable(it.trim()).into_owned());
    let mut line = |sign: Sign, text: &str| {
        line_start(sign, indent + 1, options, out);
        out.push_str(text);
        out.push('\n');
    };
    match (&before, &after) {
        (Some(before), Some(after)) => {
            let before: Vec<&str> = before.split('\n').collect();
            let after: Vec<&str> = after.split('\n').collect();
            for pair in pair_lines(&before, &after) {
                match pair {
                    (Some(old), Some(_)) => line(Sign::Keep, before[old]),
                    (Some(old), None) => line(Sign::Delete, before[old]),
                    (None, Some(new)) => line(Sign::Create, after[new]),
                    (None, None) => {}
                }
            }
        }
        (Some(text), None) | (None, Some(text)) => {
            text.split('\n').for_each(|text| line(Sign::Keep, text));
        }
        (None, None) => {}
    }
    line_start(Sign::Keep, indent, options, out);
    out.push_str("EOT");
    out.push_str(&options.style.grey(null_suffix(diff.sign, options)));
}

fn draw_json(
    diff: &Diff,
    before: Option<Value>,
    after: Option<Value>,
    indent: usize,
    options: Options,
    out: &mut String,
) {
    let inner = value_diff(before.as_ref(), after.as_ref(), &Type::Dynamic, &Forcing::default());
    let forces = diff.forces || options.forces;
    let mut part = Options { hide_null: true, forces: false, ..options };
    let mut sign = diff.sign;
    let (mut note, mut suffix) = ("", forces_suffix(forces, options));
    if inner.sign == Sign::Keep && diff.sign == Sign::Update {
        note = if forces {
            " # whitespace changes force replacement"
        } else {
            " # whitespace changes"
        };
        suffix = String::new();
        part.show_unchanged = true;
        sign = Sign::Keep;
    }
    if matches!(diff.sign, Sign::Create | Sign::Delete) {
        // The lines inside have signs of their own.
        sign = Sign::Keep;
    }
    let null = options.style.grey(null_suffix(diff.sign, options));
    let mut text = String::new();
    draw(&inner, indent + 1, part, &mut text);
    if text.contains('\n') {
        let _ = writeln!(out, "jsonencode({note}");
        line_start(sign, indent + 1, options, out);
        let _ = writeln!(out, "{text}{suffix}");
        line_start(Sign::Keep, indent, options, out);
        let _ = write!(out, "){null}");
    } else {
        let _ = write!(out, "jsonencode({text}){note}{suffix}{null}");
    }
}

/// Says that a value becomes sensitive, or stops to be.
fn warning(diff: &Diff, indent: usize, noun: &str, options: Options, out: &mut String) {
    let Shape::Sensitive { before, after, unchanged } = diff.shape else { return };
    if before == after || diff.sign != Sign::Update {
        return;
    }
    let margin = spaces(indent);
    let word = options.style.yellow("Warning");
    let (first, second) = if after {
        (
            "will be marked as sensitive and will not",
            "display in UI output after applying this change.",
        )
    } else {
        ("will no longer be marked as sensitive", "after applying this change.")
    };
    let unchanged = if unchanged { " The value is unchanged." } else { "" };
    let _ = writeln!(out, "{margin}# {word}: this {noun} {first}\n{margin}# {second}{unchanged}");
}

fn draw_empty(empty: &str, diff: &Diff, options: Options, out: &mut String) {
    let null = null_suffix(diff.sign, options);
    let _ = write!(out, "{empty}{null}{}", forces_suffix(diff.forces || options.forces, options));
}

fn open(bracket: char, diff: &Diff, options: Options, out: &mut String) {
    out.push(bracket);
    out.push_str(&forces_suffix(diff.forces || options.forces, options));
    out.push('\n');
}

fn close(bracket: char, diff: &Diff, indent: usize, options: Options, out: &mut String) {
    line_start(Sign::Keep, indent, options, out);
    out.push(bracket);
    out.push_str(&options.style.grey(null_suffix(diff.sign, options)));
}

fn null_suffix(sign: Sign, options: Options) -> &'static str {
    if sign == Sign::Delete && !options.hide_null { " -> null" } else { "" }
}

fn forces_suffix(forces: bool, options: Options) -> String {
    if forces { format!(" {}", options.style.red("# forces replacement")) } else { String::new() }
}

fn write_hidden(count: usize, noun: &str, indent: usize, options: Options, out: &mut String) {
    if count == 0 {
        return;
    }
    let plural = if count == 1 { "" } else { "s" };
    let text = format!("# ({count} unchanged {noun}{plural} hidden)");
    line_start(Sign::Keep, indent, options, out);
    out.push_str(&options.style.grey(&text));
    out.push('\n');
}

/// The margin with the sign in it.
pub(crate) fn line_start(sign: Sign, indent: usize, options: Options, out: &mut String) {
    if options.hide_signs {
        out.extend(std::iter::repeat_n(' ', indent * 4));
        return;
    }
    out.push_str(&spaces(indent));
    match sign {
        Sign::Keep => out.push(' '),
        Sign::Create => out.push_str(&options.style.green("+")),
        Sign::Delete => out.push_str(&options.style.red("-")),
        Sign::Update => out.push_str(&options.style.yellow("~")),
    }
    out.push(' ');
}

fn spaces(indent: usize) -> String {
    " ".repeat(indent * 4 + 2)
}
