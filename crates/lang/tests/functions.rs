//! The function library against recorded answers of Terraform 1.11.4 (`data/functions.jsonl`: an
//! expression, and what its console printed or which error it gave). What differs on purpose is in
//! `data/functions.known` with the reason; everything else must agree.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use plumb_diag::{Diagnostic, Diagnostics, Sources};
use plumb_lang::eval::{Names, evaluate};
use plumb_lang::syntax::{Traversal, parse_expression};
use plumb_model::value::{Marks, Type, Value, ValueKind};

struct NoNames;

impl Names for NoNames {
    fn resolve(&self, traversal: &Traversal) -> Result<(Value, usize), Box<Diagnostic>> {
        Err(Box::new(Diagnostic::error("Invalid reference", "").at(traversal.span())))
    }
}

fn answer(expr: &str) -> String {
    let file = Sources::default().add("console", expr);
    let parsed = parse_expression(file, expr, 0);
    let mut diagnostics: Diagnostics = parsed.diagnostics;
    let value = evaluate(&parsed.expr, &NoNames, &mut diagnostics);
    match diagnostics.iter().find(|it| it.is_error()) {
        Some(error) => {
            let detail = error.detail.split_whitespace().collect::<Vec<_>>().join(" ");
            let hint = error.hint.as_ref().map_or(String::new(), |hint| format!(" {hint}"));
            format!("error {}: {detail}{hint}", error.summary)
        }
        None => {
            let mut out = String::new();
            console(&value, 0, &mut out);
            out
        }
    }
}

/// What Terraform's console prints.
fn console(value: &Value, indent: usize, out: &mut String) {
    if value.has_mark(Marks::SENSITIVE) {
        return out.push_str("(sensitive value)");
    }
    let block = |open: &str, close: &str, out: &mut String, indent: usize| {
        out.push_str(open);
        let is_map = value.as_map().is_some();
        for (key, item) in value.elements() {
            let _ = write!(out, "\n{:width$}", "", width = indent + 2);
            if is_map {
                console(&key, 0, out);
                out.push_str(" = ");
            }
            console(item, indent + 2, out);
            if !is_map {
                out.push(',');
            }
        }
        if !value.is_empty() {
            let _ = write!(out, "\n{:indent$}", "");
        }
        out.push_str(close);
    };
    match value.kind() {
        ValueKind::Unknown(_) => out.push_str("(known after apply)"),
        ValueKind::Null(ty) => out.push_str(match ty {
            Type::String => "tostring(null)",
            Type::Number => "tonumber(null)",
            Type::Bool => "tobool(null)",
            _ => "null",
        }),
        ValueKind::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        ValueKind::Number(number) => out.push_str(&number.to_string()),
        ValueKind::String(text) if text.contains('\n') => {
            let marker = if indent > 0 { "<<-EOT" } else { "<<EOT" };
            out.push_str(marker);
            for line in text.split('\n') {
                let _ = write!(out, "\n{:indent$}{line}", "");
            }
            let _ = write!(out, "\n{:indent$}EOT", "");
        }
        ValueKind::String(text) => {
            out.push('"');
            for c in text.chars() {
                let _ = match c {
                    '"' => write!(out, "\\\""),
                    '\\' => write!(out, "\\\\"),
                    '\t' => write!(out, "\\t"),
                    '\r' => write!(out, "\\r"),
                    '\0'..='\u{1f}' | '\u{7f}' => write!(out, "\\x{:02x}", u32::from(c)),
                    '\u{80}'..='\u{a0}'
                    | '\u{200b}'..='\u{200f}'
                    | '\u{2028}'..='\u{202f}'
                    | '\u{feff}' => {
                        write!(out, "\\u{:04x}", u32::from(c))
                    }
                    c => write!(out, "{c}"),
                };
            }
            out.push('"');
        }
        ValueKind::List(_) => block("tolist([", "])", out, indent),
        ValueKind::Set(_) => block("toset([", "])", out, indent),
        ValueKind::Tuple(_) => block("[", "]", out, indent),
        ValueKind::Map(_) => block("tomap({", "})", out, indent),
        ValueKind::Object(_) => block("{", "}", out, indent),
    }
}

#[test]
fn functions_answer_as_terraform_does() {
    let known: BTreeMap<&str, &str> = include_str!("data/functions.known")
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| line.split_once(" ## ").expect("an expression, and why it differs"))
        .collect();
    let mut different = String::new();
    let (mut count, mut wrong) = (0, 0);
    for line in include_str!("data/functions.jsonl").lines() {
        let case: serde_json::Value = serde_json::from_str(line).expect("a case is JSON");
        let text = |name: &str| case[name].as_str();
        let expr = text("expr").expect("a case has an expression");
        let want = match (text("console"), text("error")) {
            (Some(console), _) => console.trim_end().to_owned(),
            (None, error) => format!("error {}", error.expect("an answer or an error")),
        };
        count += 1;
        let got = answer(expr);
        let agrees = got.trim_end() == want;
        if agrees == known.contains_key(expr) {
            wrong += 1;
            let _ = writeln!(different, "{expr}\n    want {want}\n    got  {got}");
        }
    }
    assert!(wrong == 0, "{wrong} of {count} differ:\n{different}");
    assert!(count > 400, "the recorded answers are there");
}
