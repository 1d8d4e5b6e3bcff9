//! Ephemeral values stay out of what is kept.

use plumb_model::schema;
use plumb_model::value::{Path, Step};

use super::*;
use crate::validate::argument_span;

/// Refuses ephemeral values in the arguments of a resource, but for those that are never stored.
pub(crate) fn refuse_ephemeral(
    schema: &schema::Block,
    body: &Body,
    value: &Value,
    diagnostics: &mut Diagnostics,
) {
    if !value.has_mark_deep(Marks::EPHEMERAL) {
        return;
    }
    let (_, marks) = value.unmark_deep_with_paths();
    let mut told: Option<Span> = None;
    for (path, marks) in marks {
        if !marks.contains(Marks::EPHEMERAL) || is_write_only(schema, &path) {
            continue;
        }
        let span = argument_span(body, &path).unwrap_or(body.span);
        if told.replace(span) == Some(span) {
            continue;
        }
        let detail = "Ephemeral values are not valid in resource arguments, because resource \
                      instances must persist between Terraform phases.";
        diagnostics.push(Diagnostic::error("Invalid use of ephemeral value", detail).at(span));
    }
}

fn is_write_only(schema: &schema::Block, path: &Path) -> bool {
    let mut schema = schema;
    for step in path.steps() {
        let Step::Attr(name) = step else { continue };
        if let Some(attribute) = schema.attributes().get(name) {
            return attribute.write_only;
        }
        match schema.blocks().get(name) {
            Some(nested) => schema = &nested.block,
            None => return false,
        }
    }
    false
}

/// Refuses an ephemeral value for a variable of a module that is not; it is unknown from there on.
pub(crate) fn without_ephemeral(
    name: &str,
    value: Value,
    span: Span,
    diagnostics: &mut Diagnostics,
) -> Value {
    if value.has_mark_deep(Marks::EPHEMERAL) {
        let detail = format!(
            "The value of the module's variable {name:?} is ephemeral, but the variable is not \
             declared so. Set `ephemeral = true` in its block to let it take such values."
        );
        diagnostics.push(Diagnostic::error("Ephemeral value not allowed", detail).at(span));
        return Value::unknown(value.ty());
    }
    value
}
