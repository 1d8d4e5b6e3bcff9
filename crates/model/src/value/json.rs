//! Values and types as JSON, exactly: numbers never pass through floats.
//!
//! Writing appends to a string, without a tree between. `<`, `>`, `&` and two line separators are
//! escaped, as in Terraform's output and state file, so that files compare byte by byte.

mod read;

use std::fmt::Write;

use super::{Type, Value, ValueKind};
pub(super) use read::{Json, JsonKind, parse, type_of};
pub use read::{JsonError, from_json_implied, from_json_typed, parse_type};

/// Plain JSON. Unknown values are written as null, marks are ignored.
pub fn to_json(value: &Value) -> String {
    let mut out = String::new();
    write_json(value, &mut out);
    out
}

/// Appends plain JSON.
pub fn write_json(value: &Value, out: &mut String) {
    match value.kind() {
        ValueKind::Null(_) | ValueKind::Unknown(_) => out.push_str("null"),
        ValueKind::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        ValueKind::Number(number) => {
            write!(out, "{number}").expect("strings take everything");
        }
        ValueKind::String(text) => write_string(text, out),
        ValueKind::List(_) | ValueKind::Set(_) | ValueKind::Tuple(_) => {
            write_array(value.values(), out, write_json);
        }
        ValueKind::Map(items) => {
            write_object(&items.items, out, |_, item, out| write_json(item, out))
        }
        ValueKind::Object(items) => {
            write_object(&items.items, out, |_, item, out| write_json(item, out));
        }
    }
}

/// JSON for a reader that knows the type; where it is `Dynamic`, `{"value":…,"type":…}`.
pub fn to_json_typed(value: &Value, ty: &Type) -> String {
    let mut out = String::new();
    write_json_typed(value, ty, &mut out);
    out
}

/// Appends JSON for a reader that knows the type. The value must be of that type.
pub fn write_json_typed(value: &Value, ty: &Type, out: &mut String) {
    if *ty == Type::Dynamic {
        let actual = value.ty();
        if value.is_null() && actual == Type::Dynamic {
            return out.push_str("null");
        }
        out.push_str("{\"value\":");
        write_json(value, out);
        out.push_str(",\"type\":");
        write_type(&actual, out);
        out.push('}');
        return;
    }
    if !ty.has_dynamic() {
        return write_json(value, out);
    }
    match (value.kind(), ty) {
        (ValueKind::List(_) | ValueKind::Set(_), Type::List(elem) | Type::Set(elem)) => {
            write_array(value.values(), out, |item, out| write_json_typed(item, elem, out))
        }
        (ValueKind::Map(items), Type::Map(elem)) => {
            write_object(&items.items, out, |_, item, out| write_json_typed(item, elem, out));
        }
        (ValueKind::Tuple(items), Type::Tuple(elems)) => {
            write_array(items.items.iter().zip(elems.iter()), out, |(item, elem), out| {
                write_json_typed(item, elem, out);
            });
        }
        (ValueKind::Object(items), Type::Object(object)) => {
            write_object(&items.items, out, |name, item, out| match object.attrs.get(name) {
                Some(attr) => write_json_typed(item, attr, out),
                None => write_json(item, out),
            });
        }
        _ => write_json(value, out),
    }
}

pub(super) fn write_array<T>(
    items: impl Iterator<Item = T>,
    out: &mut String,
    mut write: impl FnMut(T, &mut String),
) {
    out.push('[');
    for (i, item) in items.enumerate() {
        if i > 0 {
            out.push(',');
        }
        write(item, out);
    }
    out.push(']');
}

pub(super) fn write_object<'a, T: 'a>(
    items: impl IntoIterator<Item = (&'a std::sync::Arc<str>, &'a T)>,
    out: &mut String,
    mut write: impl FnMut(&str, &T, &mut String),
) {
    out.push('{');
    for (i, (name, item)) in items.into_iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        write_string(name, out);
        out.push(':');
        write(name, item, out);
    }
    out.push('}');
}

/// Appends a JSON string, with the escapes of the state file.
pub fn write_string(text: &str, out: &mut String) {
    out.push('"');
    let mut rest = text;
    let special =
        |c: char| matches!(c, '"' | '\\' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}') || c < ' ';
    while let Some(at) = rest.find(special) {
        out.push_str(&rest[..at]);
        let c = rest[at..].chars().next().expect("just found");
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c => write!(out, "\\u{:04x}", u32::from(c)).expect("strings take everything"),
        }
        rest = &rest[at + c.len_utf8()..];
    }
    out.push_str(rest);
    out.push('"');
}

/// Appends the JSON form of a type.
pub fn write_type(ty: &Type, out: &mut String) {
    let nested = |name: &str, elem: &Type, out: &mut String| {
        write!(out, "[\"{name}\",").expect("strings take everything");
        write_type(elem, out);
        out.push(']');
    };
    match ty {
        Type::Dynamic => out.push_str("\"dynamic\""),
        Type::Bool => out.push_str("\"bool\""),
        Type::Number => out.push_str("\"number\""),
        Type::String => out.push_str("\"string\""),
        Type::List(elem) => nested("list", elem, out),
        Type::Set(elem) => nested("set", elem, out),
        Type::Map(elem) => nested("map", elem, out),
        Type::Tuple(elems) => {
            out.push_str("[\"tuple\",");
            write_array(elems.iter(), out, write_type);
            out.push(']');
        }
        Type::Object(object) => {
            out.push_str("[\"object\",");
            write_object(&object.attrs, out, |_, attr, out| write_type(attr, out));
            if !object.optional.is_empty() {
                out.push(',');
                write_array(object.optional.iter(), out, |name, out| write_string(name, out));
            }
            out.push(']');
        }
    }
}
