//! Diagnostics for machines.

use plumb_diag::{Diagnostic, Position, Severity, Sources};

use super::snippet::snippet;
use super::text::full_detail;
use crate::json::{Object, array, indent_json};
use crate::ui::json_line;

/// One line of `-json` output. `time` is RFC 3339.
pub fn diagnostic_line(diagnostic: &Diagnostic, sources: &Sources, time: &str) -> String {
    let (level, word) = match diagnostic.severity {
        Severity::Error => ("error", "Error"),
        Severity::Warning => ("warn", "Warning"),
    };
    let message = format!("{word}: {}", diagnostic.summary);
    json_line(level, &message, time, "diagnostic", |line| {
        write_diagnostic(diagnostic, sources, line.key("diagnostic"));
    })
}

/// The document that `validate -json` prints.
pub fn validate_json(diagnostics: &[Diagnostic], sources: &Sources) -> String {
    let errors = diagnostics.iter().filter(|it| it.is_error()).count();
    let mut out = String::new();
    let mut object = Object::new(&mut out);
    object.text("format_version", "1.0");
    object.bool("valid", errors == 0);
    object.number("error_count", errors);
    object.number("warning_count", diagnostics.len() - errors);
    array(diagnostics, object.key("diagnostics"), |it, out| write_diagnostic(it, sources, out));
    object.end();
    indent_json(&out) + "\n"
}

pub(crate) fn write_diagnostic(diagnostic: &Diagnostic, sources: &Sources, out: &mut String) {
    let mut object = Object::new(out);
    object.text(
        "severity",
        match diagnostic.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        },
    );
    object.text("summary", &diagnostic.summary);
    object.text("detail", &full_detail(diagnostic));
    if let Some(address) = &diagnostic.address {
        object.text("address", address);
    }
    let range = diagnostic.span.and_then(|it| sources.range(it));
    if let (Some((start, end)), Some(snippet)) = (range, snippet(diagnostic, sources)) {
        let mut range = Object::new(object.key("range"));
        range.text("filename", &snippet.file.path);
        write_position(start, range.key("start"));
        write_position(end, range.key("end"));
        range.end();
        let mut part = Object::new(object.key("snippet"));
        match &snippet.header {
            Some(header) => part.text("context", header),
            None => part.raw("context", "null"),
        }
        part.text("code", &snippet.code);
        part.number("start_line", start.line);
        part.number("highlight_start_offset", snippet.highlight.0);
        part.number("highlight_end_offset", snippet.highlight.1);
        array(&diagnostic.values, part.key("values"), |(reference, statement), out| {
            let mut value = Object::new(out);
            value.text("traversal", reference);
            value.text("statement", statement);
            value.end();
        });
        part.end();
    }
    object.end();
}

fn write_position(position: Position, out: &mut String) {
    let mut object = Object::new(out);
    object.number("line", position.line);
    object.number("column", position.column);
    object.number("byte", position.byte);
    object.end();
}
