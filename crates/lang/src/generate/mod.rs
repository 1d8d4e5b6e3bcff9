//! Configuration from an object: the arguments that would make it, as text.
//!
//! For a person, who is to go over it (`-generate-config-out`), and for the planner, which is to
//! make the object so again (`rollback`). Only what a configuration may say is said.

pub mod literal;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use plumb_diag::FileId;
use plumb_model::addr::Resource;
use plumb_model::schema::{Attribute, Block, NestedBlock, Nesting, Presence};
use plumb_model::value::{Marks, Type, Value};

use literal::{Links, literal, quoted, write_text};

/// Who reads what is generated.
#[derive(Clone, Copy)]
pub enum Reader<'a> {
    /// A person: secrets are left to them, as is what they have to think of.
    Person,
    /// The planner: everything is said in full, secrets too.
    Planner {
        /// Expressions for texts that name other objects.
        links: Links<'a>,
        /// Arguments that the remote system would choose anyway, at the top level.
        left_out: &'a dyn Fn(&str) -> bool,
    },
}

/// One thing that a body says.
pub enum Said<'a> {
    /// `name = expression`
    Argument(&'a str, String),
    /// `name { … }`, or with a label.
    Block(&'a str, Option<&'a str>, &'a NestedBlock, &'a Value),
}

/// A `resource` block that makes an object like this one, as `plumb fmt` lays it out.
pub fn resource_text(
    resource: &Resource,
    block: &Block,
    attrs: &Value,
    reader: Reader<'_>,
) -> String {
    let mut text = head(resource);
    write_body(block, attrs, reader, true, &mut text);
    text += "}\n";
    formatted(text)
}

/// `resource "kind" "name" {`
pub(crate) fn head(resource: &Resource) -> String {
    format!("resource {} {} {{\n", quoted(&resource.kind), quoted(&resource.name))
}

/// The layout of `plumb fmt`.
pub(crate) fn formatted(text: String) -> String {
    // What we wrote can be read; if it could not, the reader of the text would say so.
    crate::format::format(FileId::default(), &text).unwrap_or(text)
}

/// Appends what a body says, a line each, blocks behind arguments.
pub(crate) fn write_body(
    block: &Block,
    attrs: &Value,
    reader: Reader<'_>,
    top: bool,
    out: &mut String,
) {
    for said in said(block, attrs, reader, top) {
        match said {
            Said::Argument(name, expr) => *out += &format!("{name} = {expr}\n"),
            Said::Block(name, label, nested, value) => {
                let label = label.map(|it| format!("{} ", quoted(it))).unwrap_or_default();
                *out += &format!("{name} {label}{{\n");
                write_body(&nested.block, value, reader, false, out);
                *out += "}\n";
            }
        }
    }
}

/// What a body says of an object.
pub fn said<'a>(
    block: &'a Block,
    attrs: &'a Value,
    reader: Reader<'_>,
    top: bool,
) -> Vec<Said<'a>> {
    let mut res = Vec::new();
    for (name, attribute) in block.attributes() {
        if let Some(expr) = argument(name, attribute, attrs.get_attr(name), reader, top) {
            res.push(Said::Argument(name, expr));
        }
    }
    for (name, nested) in block.blocks() {
        let Some(value) = attrs.get_attr(name).filter(|it| it.is_present()) else { continue };
        match nested.nesting {
            Nesting::Single | Nesting::Group => res.push(Said::Block(name, None, nested, value)),
            Nesting::List | Nesting::Set => {
                res.extend(value.values().map(|it| Said::Block(name, None, nested, it)));
            }
            Nesting::Map => {
                let items = value.as_map().into_iter().flatten();
                res.extend(items.map(|(key, it)| Said::Block(name, Some(&**key), nested, it)));
            }
        }
    }
    res
}

/// The expression of an argument. None: it is left out.
fn argument(
    name: &str,
    attribute: &Attribute,
    value: Option<&Value>,
    reader: Reader<'_>,
    top: bool,
) -> Option<String> {
    // An id is what the remote system calls it, even where it could be asked for.
    let is_id = top && name == "id" && attribute.presence == Presence::OptionalComputed;
    if attribute.presence == Presence::Computed || is_id {
        return None;
    }
    let required = attribute.presence == Presence::Required;
    let absent = value.is_none_or(|it| !it.is_present());
    match reader {
        Reader::Person => {
            if (attribute.write_only || attribute.deprecated.is_some()) && !required {
                return None;
            }
            match value {
                _ if absent && required && !attribute.write_only => {
                    Some("null # required".to_owned())
                }
                _ if attribute.write_only => Some("null # sensitive".to_owned()),
                _ if absent => None,
                Some(_) if attribute.sensitive => Some("null # sensitive".to_owned()),
                Some(it) if is_default(attribute, it) => None,
                Some(it) if it.has_mark_deep(Marks::SENSITIVE) => {
                    Some("null # sensitive".to_owned())
                }
                Some(it) => Some(top_level(it, Links::NONE)),
                None => None,
            }
        }
        Reader::Planner { links, left_out } => {
            if attribute.write_only {
                return required.then(|| stand_in(&attribute.ty));
            }
            let chosen = attribute.presence == Presence::OptionalComputed && top && left_out(name);
            match value {
                Some(it) if !absent && !chosen && !is_default(attribute, it) => {
                    Some(top_level(it, links))
                }
                _ => None,
            }
        }
    }
}

fn is_default(attribute: &Attribute, value: &Value) -> bool {
    // What is marked was said by somebody.
    attribute.default.as_ref() == Some(value)
}

fn top_level(value: &Value, links: Links<'_>) -> String {
    let mut out = String::new();
    match value.as_str() {
        Some(text) if !value.has_mark(Marks::SENSITIVE) && links.of(text).is_none() => {
            write_text(text, &mut out);
        }
        _ => out = literal(value, links),
    }
    out
}

/// A value in place of one that is never stored and must be said.
fn stand_in(ty: &Type) -> String {
    match ty {
        Type::Number => "0".to_owned(),
        Type::Bool => "false".to_owned(),
        Type::List(_) | Type::Set(_) | Type::Tuple(_) => "[]".to_owned(),
        Type::Map(_) | Type::Object(_) => "{}".to_owned(),
        _ => "\"\"".to_owned(),
    }
}

/// A block of which nothing is known yet but that it is there: every required argument is unknown.
/// It can stand where an object is to be looked at before its configuration is written.
pub fn placeholder(resource: &Resource, block: &Block) -> String {
    let mut text = head(resource);
    write_placeholders(block, &mut text);
    text + "}\n"
}

fn write_placeholders(block: &Block, out: &mut String) {
    let required = block.attributes().iter().filter(|it| it.1.presence == Presence::Required);
    for (name, attribute) in required {
        *out += &format!("{name} = {}\n", unknown(&attribute.ty));
    }
    for (name, nested) in block.blocks() {
        for _ in 0..nested.min {
            let label = if nested.nesting == Nesting::Map { "\"x\" " } else { "" };
            *out += &format!("{name} {label}{{\n");
            write_placeholders(&nested.block, out);
            *out += "}\n";
        }
    }
}

/// An expression of the type that is not known while planning, as far as there is one.
fn unknown(ty: &Type) -> String {
    match ty {
        Type::List(item) | Type::Set(item) => format!("[{}]", unknown(item)),
        Type::Tuple(items) => {
            let items: Vec<String> = items.iter().map(unknown).collect();
            format!("[{}]", items.join(", "))
        }
        Type::Map(item) => format!("{{ x = {} }}", unknown(item)),
        Type::Object(object) => {
            let attrs: &std::collections::BTreeMap<Arc<str>, Type> = &object.attrs;
            let items =
                attrs.iter().map(|(name, ty)| format!("{} = {}\n", quoted(name), unknown(ty)));
            format!("{{\n{}}}", items.collect::<String>())
        }
        _ => "uuid()".to_owned(),
    }
}
