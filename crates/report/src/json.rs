//! JSON written from left to right, without a tree between.

use std::io;

use plumb_model::schema::{Block, NestedBlock};
use plumb_model::value::json::{write_json, write_string};
use plumb_model::value::{Marks, Type, Value, ValueKind};

/// An object that is being written.
pub(crate) struct Object<'a> {
    out: &'a mut String,
    first: bool,
}

impl<'a> Object<'a> {
    pub(crate) fn new(out: &'a mut String) -> Object<'a> {
        out.push('{');
        Object { out, first: true }
    }

    /// Writes a key; the value is appended to what is returned.
    pub(crate) fn key(&mut self, key: &str) -> &mut String {
        if !std::mem::take(&mut self.first) {
            self.out.push(',');
        }
        write_string(key, self.out);
        self.out.push(':');
        self.out
    }

    pub(crate) fn text(&mut self, key: &str, value: &str) {
        write_string(value, self.key(key));
    }

    pub(crate) fn bool(&mut self, key: &str, value: bool) {
        self.raw(key, if value { "true" } else { "false" });
    }

    pub(crate) fn number(&mut self, key: &str, value: impl std::fmt::Display) {
        self.raw(key, &value.to_string());
    }

    /// Text that is JSON already.
    pub(crate) fn raw(&mut self, key: &str, json: &str) {
        self.key(key).push_str(json);
    }

    pub(crate) fn end(self) {
        self.out.push('}');
    }
}

/// Writes an array, each element by `write`.
pub(crate) fn array<T>(
    items: impl IntoIterator<Item = T>,
    out: &mut String,
    mut write: impl FnMut(T, &mut String),
) {
    out.push('[');
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write(item, out);
    }
    out.push(']');
}

/// Text on its way out; it never grows beyond what one object of a state needs.
pub(crate) struct Sink<'a> {
    pub(crate) text: String,
    to: &'a mut dyn io::Write,
}

impl<'a> Sink<'a> {
    pub(crate) fn new(to: &'a mut dyn io::Write) -> Sink<'a> {
        Sink { text: String::new(), to }
    }

    /// A place where it may be handed on.
    pub(crate) fn pass(&mut self) -> io::Result<()> {
        if self.text.len() > 1 << 16 { self.flush() } else { Ok(()) }
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.to.write_all(self.text.as_bytes())?;
        self.text.clear();
        Ok(())
    }

    /// An array of many elements.
    pub(crate) fn array<T>(
        &mut self,
        items: impl IntoIterator<Item = T>,
        mut write: impl FnMut(T, &mut String),
    ) -> io::Result<()> {
        self.text.push('[');
        for (index, item) in items.into_iter().enumerate() {
            if index > 0 {
                self.text.push(',');
            }
            write(item, &mut self.text);
            self.pass()?;
        }
        self.text.push(']');
        Ok(())
    }
}

/// A value with what is known of it: unknown attributes are left out, unknown elements are null.
pub(crate) fn write_known(value: &Value, out: &mut String) {
    if value.is_wholly_known() {
        return write_json(value, out);
    }
    match value.kind() {
        ValueKind::Map(_) | ValueKind::Object(_) => {
            let mut object = Object::new(out);
            for (key, item) in value.as_map().into_iter().flatten() {
                if item.is_known() {
                    write_known(item, object.key(key));
                }
            }
            object.end();
        }
        ValueKind::List(_) | ValueKind::Set(_) | ValueKind::Tuple(_) => {
            array(value.values(), out, write_known);
        }
        _ => write_json(value, out),
    }
}

/// Where a value is unknown: `true`, or the places in it.
pub(crate) fn write_unknown(value: &Value, out: &mut String) {
    write_places(value, &|value| (!value.is_known()).then_some("true"), out);
}

/// Where a value is sensitive: `true`, or the places in it.
pub(crate) fn write_sensitive(value: &Value, out: &mut String) {
    let here = |value: &Value| {
        if value.has_mark(Marks::SENSITIVE) {
            return Some("true");
        }
        match &value.as_unknown()?.ty {
            Type::List(_) | Type::Set(_) | Type::Tuple(_) => Some("[]"),
            Type::Map(_) | Type::Object(_) => Some("{}"),
            Type::Dynamic | Type::Bool | Type::Number | Type::String => Some("false"),
        }
    };
    write_places(value, &here, out);
}

/// `here` answers for a whole value, or leaves it to its parts. Attributes of which there is
/// nothing to say are left out.
fn write_places(value: &Value, here: &dyn Fn(&Value) -> Option<&'static str>, out: &mut String) {
    if let Some(text) = here(value) {
        return out.push_str(text);
    }
    match value.kind() {
        ValueKind::Map(_) | ValueKind::Object(_) => {
            let mut object = Object::new(out);
            for (key, item) in value.as_map().into_iter().flatten() {
                let scalar = item.as_map().is_none() && item.as_slice().is_none();
                let nothing = match here(item) {
                    Some(text) => text == "false",
                    None => scalar,
                };
                if !nothing {
                    write_places(item, here, object.key(key));
                }
            }
            object.end();
        }
        ValueKind::List(_) | ValueKind::Set(_) | ValueKind::Tuple(_) => {
            array(value.values(), out, |item, out| write_places(item, here, out));
        }
        _ => out.push_str("false"),
    }
}

/// The object with the marks that its schema says.
pub(crate) fn marked_by(block: &Block, value: &Value) -> Value {
    let Some(items) = value.as_map().filter(|_| block.has_sensitive()) else {
        return value.clone();
    };
    let marked = items.iter().map(|(name, item)| {
        let item = match (block.attributes().get(name), block.blocks().get(name)) {
            (Some(attribute), _) if attribute.sensitive && !item.is_null() => {
                item.clone().sensitive()
            }
            (_, Some(nested)) => marked_blocks(nested, item),
            _ => item.clone(),
        };
        (name.clone(), item)
    });
    Value::object(marked).with_marks(value.marks())
}

fn marked_blocks(nested: &NestedBlock, value: &Value) -> Value {
    if !nested.block.has_sensitive() {
        return value.clone();
    }
    let one = |it: &Value| marked_by(&nested.block, it);
    let elem = nested.block.ty().clone();
    let marked = match value.kind() {
        ValueKind::List(_) => Value::list(elem, value.values().map(one).collect()),
        ValueKind::Set(_) => Value::set(elem, value.values().map(one).collect()),
        ValueKind::Map(_) => {
            let keyed = value.as_map().into_iter().flatten();
            Value::map(elem, keyed.map(|(key, item)| (key.clone(), one(item))))
        }
        ValueKind::Object(_) => return one(value),
        _ => return value.clone(),
    };
    marked.with_marks(value.marks())
}

/// The same JSON over several lines, two spaces a level.
pub fn indent_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len() * 2);
    let mut depth = 0_usize;
    let (mut in_string, mut escaped) = (false, false);
    let mut chars = json.chars().peekable();
    let line = |depth: usize, out: &mut String| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth));
    };
    while let Some(c) = chars.next() {
        if in_string {
            out.push(c);
            match (escaped, c) {
                (true, _) => escaped = false,
                (false, '\\') => escaped = true,
                (false, '"') => in_string = false,
                (false, _) => {}
            }
            continue;
        }
        match c {
            '"' => {
                in_string = true;
                out.push(c);
            }
            '{' | '[' => {
                out.push(c);
                if let Some(close) = chars.next_if(|it| matches!(it, '}' | ']')) {
                    out.push(close);
                } else {
                    depth += 1;
                    line(depth, &mut out);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(depth, &mut out);
                out.push(c);
            }
            ',' => {
                out.push(c);
                line(depth, &mut out);
            }
            ':' => out.push_str(": "),
            c if c.is_whitespace() => {}
            c => out.push(c),
        }
    }
    out
}
