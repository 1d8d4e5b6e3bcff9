//! Bodies to objects, by a schema.

use std::sync::Arc;

use plumb_diag::{Diagnostic, Diagnostics};
use plumb_model::schema::{self, NestedBlock, Nesting, Presence};
use plumb_model::value::{Type, Value, ValueKind, convert};

use super::check::{insufficient, too_many};
use super::expr::{Eval, Scope};
use super::{Names, message};
use crate::syntax::{Attribute, Block, Body, Item};

/// The object that a body describes: every attribute of the schema is there, null if it was left
/// out, and the nested blocks in collections. What [`super::check`] reports is not reported again,
/// as one body may be evaluated for many instances.
pub fn body(
    body: &Body,
    schema: &schema::Block,
    names: &dyn Names,
    diagnostics: &mut Diagnostics,
) -> Value {
    Eval::new(names, diagnostics).body(body, schema, Scope::NONE)
}

/// The blocks of one type as they are found.
struct Found {
    items: Vec<(Option<Arc<str>>, Value)>,
    known: bool,
}

impl Eval<'_> {
    fn body(&mut self, body: &Body, schema: &schema::Block, scope: Scope<'_>) -> Value {
        let mut given: Vec<(&str, Value)> = Vec::with_capacity(body.items.len());
        let mut has_blocks = false;
        for item in &body.items {
            match item {
                Item::Attribute(it) => {
                    if let Some(attribute) = schema.attributes().get(&it.name.text) {
                        given.push((&it.name.text, self.argument(it, attribute, scope)));
                    }
                }
                Item::Block(_) => has_blocks = true,
            }
        }
        given.sort_by_key(|it| it.0);
        let mut given = given.into_iter().peekable();
        let mut object: Vec<(Arc<str>, Value)> =
            Vec::with_capacity(schema.attributes().len() + schema.blocks().len());
        for (name, attribute) in schema.attributes() {
            let value = match given.next_if(|it| it.0 == &**name) {
                Some((_, value)) => value,
                None => Value::null(attribute.ty.clone()),
            };
            object.push((name.clone(), value));
        }
        for (name, nested) in schema.blocks() {
            let value = if has_blocks {
                self.nested(name, nested, body, scope)
            } else {
                self.gathered(nested, Found { items: Vec::new(), known: true })
            };
            object.push((name.clone(), value));
        }
        Value::object(object)
    }

    fn argument(
        &mut self,
        given: &Attribute,
        schema: &schema::Attribute,
        scope: Scope<'_>,
    ) -> Value {
        let before = self.diagnostics.len();
        let value = self.value(&given.expr, scope);
        let value = match (value.kind(), &schema.ty) {
            (ValueKind::String(_), Type::String)
            | (ValueKind::Number(_), Type::Number)
            | (ValueKind::Bool(_), Type::Bool) => return value,
            (_, ty) => convert(&value, ty),
        };
        match value {
            Ok(value) => {
                if value.is_null()
                    && schema.presence == Presence::Required
                    && !self.failed_since(before)
                {
                    let detail = format!(
                        "The argument {:?} is required, but no definition was found.",
                        &*given.name.text
                    );
                    let diagnostic =
                        Diagnostic::error("Missing required argument", detail).at(given.expr.span);
                    self.fail(diagnostic, &[&given.expr], scope);
                }
                value
            }
            Err(error) => {
                let detail = format!(
                    "Inappropriate value for attribute {:?}: {}.",
                    &*given.name.text,
                    message(&error)
                );
                let diagnostic = Diagnostic::error("Incorrect attribute value type", detail)
                    .at(given.expr.span)
                    .within(given.span());
                self.fail(diagnostic, &[&given.expr], scope);
                Value::unknown(schema.ty.without_optional())
            }
        }
    }

    /// All blocks of one type, static and dynamic, in source order.
    fn nested(&mut self, name: &str, nested: &NestedBlock, body: &Body, scope: Scope<'_>) -> Value {
        let mut found = Found { items: Vec::new(), known: true };
        let mut dynamic = None;
        for block in body.blocks() {
            if &*block.kind.text == name {
                let label = block.labels.first().map(|it| it.text.clone());
                let value = self.body(&block.body, &nested.block, scope);
                found.items.push((label, value));
            } else if makes(block, name) {
                dynamic.get_or_insert(block);
                let known = self.dynamic(block, scope, |eval, content, labels, scope| {
                    let value = eval.body(content, &nested.block, scope);
                    found.items.push((labels.into_iter().next(), value));
                });
                found.known &= known;
            }
        }
        if let (Some(block), true) = (dynamic, found.known) {
            self.diagnostics.extend(wrong_number(name, nested, found.items.len() as u64, block));
        }
        self.gathered(nested, found)
    }

    /// Blocks of one type as one value.
    fn gathered(&mut self, nested: &NestedBlock, found: Found) -> Value {
        if !found.known {
            return Value::unknown(nested.ty());
        }
        let values = |found: Found| found.items.into_iter().map(|it| it.1);
        let elem = nested.block.ty();
        // Attributes of any type make elements of different types: those keep their own.
        let mixed = elem.has_dynamic() && !found.items.is_empty();
        match nested.nesting {
            Nesting::Single => values(found).next().unwrap_or_else(|| Value::null(elem.clone())),
            Nesting::Group => match values(found).next() {
                Some(value) => value,
                None => {
                    let empty = Body { items: Vec::new(), span: Default::default() };
                    self.body(&empty, &nested.block, Scope::NONE)
                }
            },
            Nesting::List if mixed => Value::tuple(values(found).collect()),
            Nesting::List => Value::list(elem.clone(), values(found).collect()),
            Nesting::Set => Value::set(elem.clone(), values(found).collect()),
            Nesting::Map => {
                let items = found.items.into_iter().filter_map(|(key, it)| Some((key?, it)));
                if mixed { Value::object(items) } else { Value::map(elem.clone(), items) }
            }
        }
    }
}

/// Whether it is a `dynamic` block that makes blocks of this type.
pub(super) fn makes(block: &Block, name: &str) -> bool {
    &*block.kind.text == "dynamic" && block.labels.first().is_some_and(|it| &*it.text == name)
}

fn wrong_number(name: &str, nested: &NestedBlock, count: u64, block: &Block) -> Option<Diagnostic> {
    let single = matches!(nested.nesting, Nesting::Single | Nesting::Group);
    let max = if single { 1 } else { nested.max };
    if count < nested.min {
        Some(insufficient(name, nested).at(block.header_span()))
    } else if max > 0 && count > max {
        Some(too_many(name, max).at(block.header_span()))
    } else {
        None
    }
}
