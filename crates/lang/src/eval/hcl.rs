//! Values as the text that would evaluate to them.

use std::sync::LazyLock;

use plumb_model::value::{Value, ValueKind};
use regex::Regex;

/// Whether a name can stand without quotes.
pub fn is_identifier(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(unicode_ident::is_xid_start)
        && chars.all(|it| unicode_ident::is_xid_continue(it) || it == '-')
}

/// Appends an expression for the value, whose first line is already indented by `indent`. What is
/// unknown becomes null; marks are ignored.
pub fn write_value(value: &Value, indent: usize, out: &mut String) {
    match value.kind() {
        ValueKind::Null(_) | ValueKind::Unknown(_) => out.push_str("null"),
        ValueKind::Bool(it) => out.push_str(if *it { "true" } else { "false" }),
        ValueKind::Number(it) => out.push_str(&it.to_string()),
        ValueKind::String(it) => write_quoted(it, out),
        ValueKind::List(_) | ValueKind::Set(_) | ValueKind::Tuple(_) => {
            out.push('[');
            for (i, item) in value.values().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                write_value(item, indent, out);
            }
            out.push(']');
        }
        ValueKind::Map(_) | ValueKind::Object(_) if value.is_empty() => out.push_str("{}"),
        ValueKind::Map(_) | ValueKind::Object(_) => {
            out.push_str("{\n");
            write_attributes(value, indent + 2, out);
            out.extend(std::iter::repeat_n(' ', indent));
            out.push('}');
        }
    }
}

/// Appends a line `name = value` for every attribute, with the equals signs of neighbouring lines
/// below each other.
pub fn write_attributes(object: &Value, indent: usize, out: &mut String) {
    let lines: Vec<(String, String)> = object
        .as_map()
        .into_iter()
        .flatten()
        .map(|(name, value)| {
            let mut key = String::new();
            if is_identifier(name) {
                key.push_str(name)
            } else {
                write_quoted(name, &mut key)
            }
            let mut text = String::new();
            write_value(value, indent, &mut text);
            (key, text)
        })
        .collect();
    let alone = |it: &(String, String)| it.1.contains('\n');
    for group in lines.chunk_by(|a, b| !alone(a) && !alone(b)) {
        let width = group.iter().map(|it| it.0.chars().count()).max().unwrap_or(0);
        for (key, text) in group {
            out.extend(std::iter::repeat_n(' ', indent));
            out.push_str(key);
            out.extend(std::iter::repeat_n(' ', width - key.chars().count()));
            out.push_str(" = ");
            out.push_str(text);
            out.push('\n');
        }
    }
}

/// Appends a quoted string: one line, nothing interpolated.
pub fn write_quoted(text: &str, out: &mut String) {
    out.push('"');
    let mut rest = text.chars().peekable();
    while let Some(it) = rest.next() {
        match it {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '$' | '%' => {
                out.push(it);
                if rest.peek() == Some(&'{') {
                    out.push(it);
                }
            }
            it if it.is_ascii_graphic() || it == ' ' => out.push(it),
            it if HIDDEN.is_match(it.encode_utf8(&mut [0; 4])) => {
                let code = u32::from(it);
                if code < 0x1_0000 {
                    out.push_str(&format!("\\u{code:04x}"));
                } else {
                    out.push_str(&format!("\\U{code:08x}"));
                }
            }
            it => out.push(it),
        }
    }
    out.push('"');
}

/// What a reader would not see, or not recognize.
#[expect(clippy::unwrap_used, reason = "a constant pattern")]
static HIDDEN: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"[\p{C}\p{Z}]").unwrap());
