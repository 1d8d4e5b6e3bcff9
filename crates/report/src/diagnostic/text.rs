//! Diagnostics for people: what, where, the text at fault, the values in it, what to do.

use std::fmt::Write;

use plumb_diag::{Diagnostic, Severity, Sources};
use unicode_width::UnicodeWidthStr;

use super::snippet::{Snippet, lines_of, snippet};
use crate::place::place;
use crate::quote::printable;
use crate::style::{Style, wrap};

/// One diagnostic, with its line break.
pub fn diagnostic_text(diagnostic: &Diagnostic, sources: &Sources, style: Style) -> String {
    let body = body(diagnostic, sources, style);
    if !style.frame {
        return format!("\n{body}");
    }
    let paint = |text: &str| match diagnostic.severity {
        Severity::Error => style.red(text),
        Severity::Warning => style.yellow(text),
    };
    let mut out = format!("{}\n", paint("╷"));
    for line in body.lines() {
        let _ = writeln!(out, "{} {line}", paint("│"));
    }
    out + &paint("╵") + "\n"
}

/// All of them, in order.
pub fn diagnostics_text(diagnostics: &[Diagnostic], sources: &Sources, style: Style) -> String {
    diagnostics.iter().map(|it| diagnostic_text(it, sources, style)).collect()
}

/// Errors in full, warnings as a list of one line each (`-compact-warnings`).
pub fn diagnostics_text_compact(
    diagnostics: &[Diagnostic],
    sources: &Sources,
    style: Style,
) -> String {
    let (errors, warnings) = split_warnings(diagnostics);
    let mut out = String::new();
    if !warnings.is_empty() {
        let _ = writeln!(out, "{}\n", style.bold_yellow("Warnings:"));
        for warning in &warnings {
            let _ = writeln!(out, "- {}", warning.summary);
            if let Some(at) = warning.span.and_then(|it| place(it, sources)) {
                let _ = writeln!(out, "  on {} line {}", at.path, at.line);
            } else if let Some(address) = &warning.address {
                let _ = writeln!(out, "  with {address}");
            }
        }
        out.push_str("\nTo see the full warning notes, run Plumb without -compact-warnings.\n");
    }
    for error in errors {
        out += &diagnostic_text(error, sources, style);
    }
    out
}

/// Errors and warnings apart, each in order.
pub fn split_warnings(diagnostics: &[Diagnostic]) -> (Vec<&Diagnostic>, Vec<&Diagnostic>) {
    diagnostics.iter().partition(|it| it.is_error())
}

/// The explanation with the suggestion behind it.
pub(crate) fn full_detail(diagnostic: &Diagnostic) -> String {
    match &diagnostic.hint {
        Some(hint) if diagnostic.detail.contains(hint.as_str()) => diagnostic.detail.clone(),
        Some(hint) if diagnostic.detail.is_empty() => hint.clone(),
        Some(hint) if diagnostic.detail.contains('\n') => {
            format!("{}\n\n{hint}", diagnostic.detail.trim_end())
        }
        Some(hint) => format!("{} {hint}", diagnostic.detail),
        None => diagnostic.detail.clone(),
    }
}

fn body(diagnostic: &Diagnostic, sources: &Sources, style: Style) -> String {
    let width = style.width.saturating_sub(if style.frame { 2 } else { 0 }).max(20);
    let word = match diagnostic.severity {
        Severity::Error => style.bold_red("Error: "),
        Severity::Warning => style.bold_yellow("Warning: "),
    };
    let summary = printable(&diagnostic.summary);
    let mut out = format!("{word}{}\n\n", style.bold(&summary));
    let snippet = snippet(diagnostic, sources);
    if let Some(address) = &diagnostic.address {
        let comma = if snippet.is_some() { "," } else { "" };
        let _ = writeln!(out, "  with {address}{comma}");
    }
    if let Some(snippet) = &snippet {
        write_snippet(snippet, &mut out, style);
    }
    if !diagnostic.values.is_empty() {
        let _ = writeln!(out, "    {}", style.grey("├────────────────"));
        for (reference, description) in &diagnostic.values {
            let reference = style.bold(reference);
            let _ = writeln!(out, "    {} {reference} {description}", style.grey("│"));
        }
    }
    for (index, related) in diagnostic.related.iter().enumerate() {
        let Some(file) = sources.file(related.span.file) else { continue };
        let lines = lines_of(file, related.span);
        if index > 0 || snippet.is_some() || diagnostic.address.is_some() {
            out.push('\n');
        }
        let _ = writeln!(out, "  {} line {}: {}", file.path, lines.start.line, related.message);
        write_code(&lines, &mut out, style);
    }
    let detail = full_detail(diagnostic);
    if !detail.is_empty() {
        if diagnostic.address.is_some() || snippet.is_some() || !diagnostic.related.is_empty() {
            out.push('\n');
        }
        let _ = writeln!(out, "{}", wrap(&printable(&detail), width));
    }
    while out.ends_with("\n\n") {
        out.pop();
    }
    out
}

fn write_snippet(snippet: &Snippet<'_>, out: &mut String, style: Style) {
    let _ = write!(out, "  on {} line {}", snippet.file.path, snippet.start.line);
    match &snippet.header {
        Some(header) => _ = writeln!(out, ", in {header}:"),
        None => out.push_str(":\n"),
    }
    write_code(snippet, out, style);
}

/// The lines with their numbers, the fault underlined; without colours by a line of carets, unless
/// the fault is all there is on the line.
fn write_code(snippet: &Snippet<'_>, out: &mut String, style: Style) {
    let (from, to) = snippet.highlight;
    let mut offset = 0;
    for (number, line) in (snippet.start.line..).zip(snippet.code.split('\n')) {
        let within = |at: usize| at.clamp(offset, offset + line.len()) - offset;
        let (from, to) = (within(from), within(to));
        let (before, rest) = line.split_at(from);
        let (fault, after) = rest.split_at(to - from);
        let (before, fault, after) = (printable(before), printable(fault), printable(after));
        let _ = writeln!(out, "{number:>4}: {before}{}{after}", style.underline(&fault));
        offset += line.len() + 1;
    }
    let one_line = !snippet.code.contains('\n');
    let fault = &snippet.code[from..to];
    if one_line && !style.colour && fault.trim() != snippet.code.trim() && !fault.is_empty() {
        let margin = format!("{:>4}: ", snippet.start.line).len();
        let indent: String = snippet.code[..from]
            .chars()
            .map(|c| {
                if c == '\t' {
                    "\t".into()
                } else {
                    " ".repeat(unicode_width::UnicodeWidthChar::width(c).unwrap_or(0))
                }
            })
            .collect();
        let _ = writeln!(out, "{}{indent}{}", " ".repeat(margin), "^".repeat(fault.width().max(1)));
    }
}
