//! Values as expressions: literals, and references where a text names another object.

use plumb_model::value::{Marks, Value, ValueKind};

use crate::eval::{is_identifier, write_quoted};

/// Which texts are what other objects are called: for these, expressions.
#[derive(Clone, Copy)]
pub struct Links<'a>(pub &'a dyn Fn(&str) -> Option<String>);

impl Links<'_> {
    /// None.
    pub const NONE: Links<'static> = Links(&|_| None);

    /// The expression for a text, if it names another object.
    pub fn of(&self, text: &str) -> Option<String> {
        (self.0)(text)
    }
}

/// A quoted string.
pub fn quoted(text: &str) -> String {
    let mut out = String::new();
    write_quoted(text, &mut out);
    out
}

/// An expression for the value. What is marked sensitive stays so; what is unknown becomes null.
pub fn literal(value: &Value, links: Links<'_>) -> String {
    let mut out = String::new();
    write(value, links, &mut out);
    out
}

fn write(value: &Value, links: Links<'_>, out: &mut String) {
    if value.has_mark(Marks::SENSITIVE) {
        out.push_str("sensitive(");
        write(&value.clone().unmark().0, links, out);
        out.push(')');
        return;
    }
    match value.kind() {
        ValueKind::Null(_) | ValueKind::Unknown(_) => out.push_str("null"),
        ValueKind::Bool(it) => out.push_str(if *it { "true" } else { "false" }),
        ValueKind::Number(it) => out.push_str(&it.to_string()),
        ValueKind::String(it) => match links.of(it) {
            Some(link) => out.push_str(&link),
            None => write_quoted(it, out),
        },
        ValueKind::List(_) | ValueKind::Set(_) | ValueKind::Tuple(_) => {
            out.push('[');
            for (index, item) in value.values().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                write(item, links, out);
            }
            out.push(']');
        }
        ValueKind::Map(_) | ValueKind::Object(_) if value.is_empty() => out.push_str("{}"),
        ValueKind::Map(_) | ValueKind::Object(_) => {
            out.push_str("{\n");
            for (name, item) in value.as_map().into_iter().flatten() {
                write_key(name, out);
                out.push_str(" = ");
                write(item, links, out);
                out.push('\n');
            }
            out.push('}');
        }
    }
}

/// The key of an attribute, quoted where it has to be.
pub(crate) fn write_key(name: &str, out: &mut String) {
    // `for` at the beginning of an object is a loop.
    if is_identifier(name) && name != "for" { out.push_str(name) } else { write_quoted(name, out) }
}

/// A text as the value of an argument: a heredoc if it has several lines and nothing in it that
/// would not come back, else a quoted string.
pub(crate) fn write_text(text: &str, out: &mut String) {
    let lines = text.strip_suffix('\n').filter(|it| !it.is_empty());
    let plain = |it: char| it == '\n' || it == '\t' || !it.is_control();
    let Some(lines) = lines.filter(|it| it.chars().all(plain) && !hides(it)) else {
        return write_quoted(text, out);
    };
    let mut end = "EOT".to_owned();
    while lines.split('\n').any(|it| it.trim() == end) {
        end.push('_');
    }
    let escaped = lines.replace("${", "$${").replace("%{", "%%{");
    *out += &format!("<<{end}\n{escaped}\n{end}");
}

/// Whether a reader would not see something of it, which a quoted string shows by its number.
fn hides(text: &str) -> bool {
    text.split('\n').any(|line| {
        let visible: String = line.chars().filter(|it| *it != '\t').collect();
        let mut out = String::new();
        write_quoted(&visible, &mut out);
        out.contains("\\u") && !visible.contains("\\u")
            || out.contains("\\U") && !visible.contains("\\U")
    })
}
