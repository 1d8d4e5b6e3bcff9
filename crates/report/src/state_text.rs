//! A state for people: `show`, `state show`, `output`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use plumb_model::addr::{Mode, ObjectKey};
use plumb_model::schema::Schemas;
use plumb_model::state::{Object, State};
use plumb_model::value::{Marks, Type, Value, ValueKind};

use crate::diff::{Forcing, Options, draw, value_diff};
use crate::plan_text::object_diff;
use crate::quote::{printable, quote};
use crate::style::Style;

/// The whole state, with outputs.
pub fn state_text(state: &State, schemas: &Schemas, style: Style) -> String {
    if state.objects.is_empty() && state.outputs.is_empty() {
        return "The state file is empty. No resources are represented.\n".into();
    }
    let mut out = String::new();
    let mut module = None;
    for (key, object) in &state.objects {
        if module.replace(&key.addr.module).is_some_and(|it| *it != key.addr.module) {
            out.push('\n');
        }
        out += &object_text(key, object, schemas, style);
        out.push('\n');
    }
    if state.outputs.is_empty() {
        out.pop();
        return out;
    }
    out.push_str("\nOutputs:\n\n");
    for (name, value) in &state.outputs {
        let _ = write!(out, "{name} = ");
        // One secret inside hides the whole: that is what an output is told to be.
        let value = if value.has_mark_deep(Marks::SENSITIVE) {
            value.clone().sensitive()
        } else {
            value.clone()
        };
        let diff = value_diff(Some(&value), Some(&value), &value.ty(), &Forcing::default());
        draw(&diff, 0, Options::of_state(style), &mut out);
        out.push('\n');
    }
    out
}

/// One object, as its block would be written.
pub fn object_text(key: &ObjectKey, object: &Object, schemas: &Schemas, style: Style) -> String {
    let resource = &key.addr.resource;
    let word = match resource.mode {
        Mode::Managed => "resource",
        Mode::Data => "data",
    };
    let note = match &key.deposed {
        Some(deposed) => format!(" (deposed object {deposed})"),
        None if object.tainted => " (tainted)".into(),
        None => String::new(),
    };
    let mut out = format!("# {}:{note}\n", key.addr);
    let _ = write!(out, "{word} {} {} ", quote(&resource.kind), quote(&resource.name));
    let attrs = Some(&object.attrs);
    let diff =
        object_diff(schemas, &object.provider.source, key, attrs, attrs, &Forcing::default());
    draw(&diff, 0, Options::of_state(style), &mut out);
    out.push('\n');
    out
}

/// Every output, for the end of an apply and for `output`. Secrets are not shown.
pub fn outputs_text(outputs: &BTreeMap<Arc<str>, Value>) -> String {
    let mut out = String::new();
    for (name, value) in outputs {
        if value.has_mark_deep(Marks::SENSITIVE) {
            let _ = writeln!(out, "{name} = <sensitive>");
        } else {
            let _ = writeln!(out, "{name} = {}", value_text(value));
        }
    }
    out
}

/// One output that was asked for by name; a secret is shown.
pub fn output_text(value: &Value) -> String {
    value_text(&value.unmark_deep()) + "\n"
}

/// A value as an expression.
pub fn value_text(value: &Value) -> String {
    let mut out = String::new();
    write_value(value, 0, &mut out);
    out
}

fn write_value(value: &Value, indent: usize, out: &mut String) {
    if value.has_mark(Marks::SENSITIVE) {
        return out.push_str("(sensitive value)");
    }
    match value.kind() {
        ValueKind::Null(ty) => out.push_str(&match ty {
            Type::Dynamic => "null".into(),
            Type::String => "tostring(null)".into(),
            Type::Number => "tonumber(null)".into(),
            Type::Bool => "tobool(null)".into(),
            Type::List(elem) => format!("tolist(null) /* of {} */", elem.friendly_name()),
            Type::Set(elem) => format!("toset(null) /* of {} */", elem.friendly_name()),
            Type::Map(elem) => format!("tomap(null) /* of {} */", elem.friendly_name()),
            Type::Tuple(_) | Type::Object(_) => format!("null /* {} */", ty.friendly_name()),
        }),
        ValueKind::Unknown(_) => out.push_str("(known after apply)"),
        ValueKind::Bool(value) => out.push_str(&value.to_string()),
        ValueKind::Number(number) => out.push_str(&number.to_string()),
        ValueKind::String(text) => write_text(text, indent, out),
        ValueKind::List(_) => wrapped("tolist(", value, indent, out),
        ValueKind::Set(_) => wrapped("toset(", value, indent, out),
        ValueKind::Map(_) => wrapped("tomap(", value, indent, out),
        ValueKind::Tuple(_) | ValueKind::Object(_) => write_items(value, indent, out),
    }
}

fn wrapped(function: &str, value: &Value, indent: usize, out: &mut String) {
    out.push_str(function);
    write_items(value, indent, out);
    out.push(')');
}

fn write_items(value: &Value, indent: usize, out: &mut String) {
    let (open, close) = if value.as_map().is_some() { ('{', '}') } else { ('[', ']') };
    out.push(open);
    if !value.is_empty() {
        out.push('\n');
        let margin = " ".repeat(indent + 2);
        match value.as_map() {
            Some(items) => {
                for (key, item) in items {
                    let _ = write!(out, "{margin}{} = ", quote(key));
                    write_value(item, indent + 2, out);
                    out.push('\n');
                }
            }
            None => {
                for item in value.values() {
                    out.push_str(&margin);
                    write_value(item, indent + 2, out);
                    out.push_str(",\n");
                }
            }
        }
        out.push_str(&" ".repeat(indent));
    }
    out.push(close);
}

fn write_text(text: &str, indent: usize, out: &mut String) {
    if !text.contains('\n') {
        return out.push_str(&quote(text));
    }
    let mut word = "EOT".to_owned();
    while text.lines().any(|line| line.trim() == word) {
        word.push('_');
    }
    let (dash, margin) = if indent > 0 { ("-", " ".repeat(indent)) } else { ("", String::new()) };
    let _ = writeln!(out, "<<{dash}{word}");
    for line in printable(text).split('\n') {
        let _ = writeln!(out, "{margin}{line}");
    }
    let _ = write!(out, "{margin}{word}");
}
