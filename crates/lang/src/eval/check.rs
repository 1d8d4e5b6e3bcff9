//! What can be said about a body without evaluating it.

use std::collections::BTreeMap;

use plumb_diag::{Diagnostic, Diagnostics, Span};
use plumb_model::schema::{self, NestedBlock, Nesting, Presence};

use super::block::makes;
use super::dynamic;
use crate::config::extraneous_property;
use crate::suggest::suggest;
use crate::syntax::{Attribute, Block, Body, Item};

/// Reports arguments and blocks that the schema does not have or that are missing.
pub fn check(body: &Body, schema: &schema::Block, diagnostics: &mut Diagnostics) {
    for item in &body.items {
        match item {
            Item::Attribute(it) => attribute(it, schema, diagnostics),
            Item::Block(it) => block(it, schema, diagnostics),
        }
    }
    for (name, it) in schema.attributes() {
        if it.presence == Presence::Required && body.attribute(name).is_none() {
            let detail =
                format!("The argument {:?} is required, but no definition was found.", &**name);
            diagnostics.push(
                Diagnostic::error("Missing required argument", detail).at(body.missing_span()),
            );
        }
    }
    for (name, nested) in schema.blocks() {
        number(name, nested, body, diagnostics);
    }
}

fn attribute(it: &Attribute, schema: &schema::Block, diagnostics: &mut Diagnostics) {
    let name = &*it.name.text;
    let Some(attribute) = schema.attributes().get(name) else {
        if it.is_json() {
            return diagnostics.push(extraneous_property(&it.name));
        }
        return diagnostics.push(unsupported_argument(name, it.name.span, schema));
    };
    if !attribute.presence.is_configurable() {
        let detail = format!(
            "Can't configure a value for {name:?}: its value will be decided automatically based \
             on the result of applying this configuration."
        );
        diagnostics
            .push(Diagnostic::error("Value for unconfigurable attribute", detail).at(it.name.span));
    }
    if let Some(why) = &attribute.deprecated {
        diagnostics.push(Diagnostic::warning("Argument is deprecated", &**why).at(it.span()));
    }
}

fn unsupported_argument(name: &str, span: Span, schema: &schema::Block) -> Diagnostic {
    let detail = format!("An argument named {name:?} is not expected here.");
    let diagnostic = Diagnostic::error("Unsupported argument", detail).at(span);
    if schema.blocks().contains_key(name) {
        return diagnostic.hint(format!("Did you mean to define a block of type {name:?}?"));
    }
    let names = schema.attributes().iter().filter(|(_, it)| it.presence.is_configurable());
    match suggest(name, names.map(|(name, _)| &**name)) {
        Some(near) => diagnostic.hint(format!("Did you mean {near:?}?")),
        None => diagnostic,
    }
}

fn block(it: &Block, schema: &schema::Block, diagnostics: &mut Diagnostics) {
    let is_dynamic = &*it.kind.text == "dynamic" && !schema.blocks().contains_key("dynamic");
    let (kind, span) = match (is_dynamic, it.labels.as_slice()) {
        (true, [label]) => (&label.text, label.span),
        (true, _) => {
            let detail = "A dynamic block must have one label: the type of the blocks to make.";
            return diagnostics
                .push(Diagnostic::error("Invalid dynamic block", detail).at(it.header_span()));
        }
        (false, _) => (&it.kind.text, it.kind.span),
    };
    let Some(nested) = schema.blocks().get(kind) else {
        return diagnostics.push(unsupported_block(kind, span, schema));
    };
    if is_dynamic {
        dynamic::check(it, diagnostics);
        if let Some(content) = dynamic::content(it) {
            check(content, &nested.block, diagnostics);
        }
        return;
    }
    let wanted = usize::from(nested.nesting == Nesting::Map);
    if it.labels.len() < wanted {
        let detail = format!("All {kind} blocks must have 1 labels (key).");
        diagnostics
            .push(Diagnostic::error(format!("Missing key for {kind}"), detail).at(it.open_span));
    } else if let Some(extra) = it.labels.get(wanted) {
        let detail = match wanted {
            0 => format!("No labels are expected for {kind} blocks."),
            _ => format!("Only 1 labels (key) are expected for {kind} blocks."),
        };
        diagnostics
            .push(Diagnostic::error(format!("Extraneous label for {kind}"), detail).at(extra.span));
    }
    check(&it.body, &nested.block, diagnostics);
}

fn unsupported_block(kind: &str, span: Span, schema: &schema::Block) -> Diagnostic {
    let detail = format!("Blocks of type {kind:?} are not expected here.");
    let diagnostic = Diagnostic::error("Unsupported block type", detail).at(span);
    if schema.attributes().contains_key(kind) {
        return diagnostic.hint(format!(
            "Did you mean to define argument {kind:?}? If so, use the equals sign to assign it a \
             value."
        ));
    }
    match suggest(kind, schema.blocks().keys().map(|it| &**it)) {
        Some(near) => diagnostic.hint(format!("Did you mean {near:?}?")),
        None => diagnostic,
    }
}

/// Too few or too many blocks of a type, where no `dynamic` block may make a difference.
fn number(name: &str, nested: &NestedBlock, body: &Body, diagnostics: &mut Diagnostics) {
    let blocks: Vec<&Block> = body.blocks().filter(|it| &*it.kind.text == name).collect();
    let has_dynamic = body.blocks().any(|it| makes(it, name));
    let single = matches!(nested.nesting, Nesting::Single | Nesting::Group);
    let count = blocks.len() as u64;
    if count < nested.min && !has_dynamic {
        diagnostics.push(insufficient(name, nested).at(body.missing_span()));
    }
    if single {
        if let [first, second, ..] = blocks.as_slice() {
            let detail = format!("Only one block of type {name:?} is allowed.");
            diagnostics.push(
                Diagnostic::error(format!("Duplicate {name} block"), detail)
                    .at(second.header_span())
                    .related(first.header_span(), "the first one is here"),
            );
        }
    } else if nested.max > 0
        && let Some(extra) = usize::try_from(nested.max).ok().and_then(|max| blocks.get(max))
    {
        diagnostics.push(too_many(name, nested.max).at(extra.header_span()));
    }
    if nested.nesting == Nesting::Map {
        let mut labels = BTreeMap::new();
        for it in blocks {
            let Some(label) = it.labels.first() else { continue };
            let Some(first) = labels.insert(&label.text, it.header_span()) else { continue };
            let detail =
                format!("A block for {name} labelled {:?} was already defined.", &*label.text);
            diagnostics.push(
                Diagnostic::error(format!("Duplicate {name} block"), detail)
                    .at(it.header_span())
                    .related(first, "the first one is here"),
            );
        }
    }
}

pub(super) fn insufficient(name: &str, nested: &NestedBlock) -> Diagnostic {
    if matches!(nested.nesting, Nesting::Single | Nesting::Group) {
        let detail = format!("A block of type {name:?} is required here.");
        return Diagnostic::error(format!("Missing {name} block"), detail);
    }
    let detail = format!("At least {} {name:?} blocks are required.", nested.min);
    Diagnostic::error(format!("Insufficient {name} blocks"), detail)
}

pub(super) fn too_many(name: &str, max: u64) -> Diagnostic {
    let detail = format!("No more than {max} {name:?} blocks are allowed");
    Diagnostic::error(format!("Too many {name} blocks"), detail)
}
