//! What GitHub's runner reads: workflow commands and the file of a step's outputs. Forgejo's and
//! Gitea's runners read the same.

use std::fmt::Write;

use plumb_diag::{Diagnostic, Severity, Sources};

use crate::diagnostic::text::full_detail;
use crate::escape::lines;
use crate::place::place;

/// An `::error …::` or `::warning …::` for each diagnostic, which the forge shows at its line.
pub fn annotations(diagnostics: &[Diagnostic], sources: &Sources) -> String {
    let mut out = String::new();
    for diagnostic in diagnostics {
        out.push_str(match diagnostic.severity {
            Severity::Error => "::error ",
            Severity::Warning => "::warning ",
        });
        if let Some(at) = diagnostic.span.and_then(|it| place(it, sources)) {
            let _ =
                write!(out, "file={},line={},endLine={}", property(at.path), at.line, at.line_end);
            // Columns make sense to it within one line only.
            if at.line == at.line_end {
                let _ = write!(out, ",col={},endColumn={}", at.column, at.column_end);
            }
            out.push(',');
        }
        let _ = write!(out, "title={}::", property(&diagnostic.summary));
        let detail = full_detail(diagnostic);
        let mut message = match &diagnostic.address {
            Some(address) => format!("with {address}\n{detail}"),
            None => detail,
        };
        if message.is_empty() {
            message.clone_from(&diagnostic.summary);
        }
        let _ = writeln!(out, "{}", data(&message));
    }
    out
}

/// One output of a step, for the file that `GITHUB_OUTPUT` names: with a delimiter that is no line
/// of the value, so that a value cannot set other outputs.
pub fn step_output(name: &str, value: &str) -> String {
    let mut delimiter = "plumb_end".to_owned();
    while value.lines().any(|it| it == delimiter) {
        delimiter.push('_');
    }
    format!("{name}<<{delimiter}\n{value}\n{delimiter}\n")
}

fn data(text: &str) -> String {
    lines(text).replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
