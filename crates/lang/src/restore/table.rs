//! What differs from instance to instance: a table of expressions, looked up by the instance.

use std::collections::BTreeMap;

use plumb_model::addr::{Addr, InstanceKey, ModuleInstance};
use plumb_model::schema::{Block, NestedBlock, Nesting};
use plumb_model::value::Value;

use crate::generate::literal::{quoted, write_key};
use crate::generate::{Reader, Said, said};

use super::forms::Form;

/// Ends each key of a module on the way to an instance; no key has it.
const END: char = '\u{1f}';

/// Names a module instance among those of its module, as `var.at` does.
pub(super) fn at(module: &ModuleInstance) -> String {
    module.0.iter().map(|it| key_text(it.key.as_ref()) + &END.to_string()).collect()
}

/// Names an instance among all of its block.
pub(super) fn instance(addr: &Addr) -> String {
    at(&addr.module) + &key_text(addr.key.as_ref())
}

fn key_text(key: Option<&InstanceKey>) -> String {
    match key {
        None => String::new(),
        Some(InstanceKey::Int(index)) => index.to_string(),
        Some(InstanceKey::Str(key)) => key.to_string(),
    }
}

/// The expression that is [`instance`] where it stands; with `ends`, [`at`] of a call there.
pub(super) fn here(root: bool, form: Form, ends: bool) -> String {
    let module = if root { "" } else { "${var.at}" };
    let key = match form {
        Form::One => "",
        Form::Count => "${count.index}",
        Form::Each => "${each.key}",
    };
    let end = if ends { format!("\\u{:04x}", u32::from(END)) } else { String::new() };
    match (module, key, ends) {
        // Alone between quotes it would stay a number.
        ("", "${count.index}", false) => "tostring(count.index)".to_owned(),
        _ => format!("\"{module}{key}{end}\""),
    }
}

/// `{ … }[here]`
pub(super) fn lookup(rows: impl IntoIterator<Item = (String, String)>, here: &str) -> String {
    let rows = rows.into_iter().map(|(key, expr)| format!("{} = {expr}\n", quoted(&key)));
    format!("{{\n{}}}[{here}]", rows.collect::<String>())
}

/// What one instance says: expressions by argument, and its blocks as values by name.
pub(super) struct Row {
    /// Which instance.
    pub(super) key: String,
    arguments: BTreeMap<String, String>,
    blocks: BTreeMap<String, String>,
}

impl Row {
    /// What an object says.
    pub(super) fn new(key: String, block: &Block, attrs: &Value, reader: Reader<'_>) -> Row {
        let mut arguments = BTreeMap::new();
        for it in said(block, attrs, reader, true) {
            if let Said::Argument(name, expr) = it {
                arguments.insert(name.to_owned(), expr);
            }
        }
        let blocks = nested(block, attrs, reader);
        Row { key, arguments, blocks }
    }
}

/// The nested blocks of a body, as values that `dynamic` blocks go through.
fn nested(block: &Block, attrs: &Value, reader: Reader<'_>) -> BTreeMap<String, String> {
    let mut res = BTreeMap::new();
    for (name, it) in block.blocks() {
        let Some(value) = attrs.get_attr(name).filter(|it| it.is_present()) else { continue };
        let one = |value: &Value| object(&it.block, value, reader);
        let items: Vec<String> = match it.nesting {
            Nesting::Single | Nesting::Group => vec![one(value)],
            Nesting::List | Nesting::Set => value.values().map(one).collect(),
            Nesting::Map => {
                let pairs = value.as_map().into_iter().flatten();
                let pair = |(key, value): (&std::sync::Arc<str>, &Value)| {
                    format!("{{\nkey = {}\nvalue = {}\n}}", quoted(key), one(value))
                };
                pairs.map(pair).collect()
            }
        };
        if !items.is_empty() {
            res.insert(name.to_string(), format!("[{}]", items.join(", ")));
        }
    }
    res
}

/// A nested block as a value that has every argument and block of its type.
fn object(block: &Block, attrs: &Value, reader: Reader<'_>) -> String {
    let mut given: BTreeMap<&str, String> = BTreeMap::new();
    for it in said(block, attrs, reader, false) {
        if let Said::Argument(name, expr) = it {
            given.insert(name, expr);
        }
    }
    let mut blocks = nested(block, attrs, reader);
    let mut out = "{\n".to_owned();
    let mut entry = |name: &str, expr: Option<String>, none: &str| {
        write_key(name, &mut out);
        out += &format!(" = {}\n", expr.as_deref().unwrap_or(none));
    };
    for name in arguments(block) {
        entry(name, given.remove(name), "null");
    }
    for name in block.blocks().keys() {
        entry(name, blocks.remove(&**name), "[]");
    }
    out + "}"
}

/// The arguments that a body may have.
fn arguments(block: &Block) -> impl Iterator<Item = &str> {
    let may = block.attributes().iter().filter(|it| it.1.presence.is_configurable());
    may.map(|it| &**it.0)
}

/// The body of a block with several instances.
pub(super) fn body(block: &Block, rows: &[Row], here: &str) -> String {
    let mut out = String::new();
    for name in arguments(block) {
        if rows.iter().any(|it| it.arguments.contains_key(name)) {
            let expr =
                |it: &Row| it.arguments.get(name).cloned().unwrap_or_else(|| "null".to_owned());
            let exprs = rows.iter().map(|it| (it.key.clone(), expr(it)));
            out += &format!("{name} = {}\n", lookup(exprs, here));
        }
    }
    for (name, nested) in block.blocks() {
        if rows.iter().any(|it| it.blocks.contains_key(&**name)) {
            let expr =
                |it: &Row| it.blocks.get(&**name).cloned().unwrap_or_else(|| "[]".to_owned());
            let exprs = rows.iter().map(|it| (it.key.clone(), expr(it)));
            dynamic(name, nested, &lookup(exprs, here), &mut out);
        }
    }
    out
}

/// A `dynamic` block over values that [`object`] made.
fn dynamic(name: &str, nested: &NestedBlock, over: &str, out: &mut String) {
    *out += &format!("dynamic {} {{\nfor_each = {over}\niterator = it\n", quoted(name));
    let value = match nested.nesting {
        Nesting::Map => {
            *out += "labels = [it.value.key]\n";
            "it.value.value"
        }
        _ => "it.value",
    };
    *out += "content {\n";
    for name in arguments(&nested.block) {
        *out += &format!("{name} = {value}[{}]\n", quoted(name));
    }
    for (name, inner) in nested.block.blocks() {
        dynamic(name, inner, &format!("{value}[{}]", quoted(name)), out);
    }
    *out += "}\n}\n";
}
