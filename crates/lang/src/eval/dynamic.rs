//! `dynamic` blocks: blocks made from a collection.

use std::sync::Arc;

use plumb_diag::{Diagnostic, Diagnostics};
use plumb_model::value::{Type, Value, ValueKind, convert};

use super::expr::{AsArc, Eval, Local, Scope};
use super::message;
use crate::syntax::{Block, Body, ExprKind};

/// The names that a `dynamic` block binds: its iterator, which is its label if it does not say
/// otherwise. None if it is malformed.
pub(super) fn iterator(block: &Block) -> Vec<Arc<str>> {
    let named = block.body.attribute("iterator").and_then(|it| match &it.expr.kind {
        ExprKind::Traversal(it) if it.steps.is_empty() => Some(it.root.text.clone()),
        _ => None,
    });
    named.or_else(|| block.labels.first().map(|it| it.text.clone())).into_iter().collect()
}

/// The block of each element.
pub(super) fn content(block: &Block) -> Option<&Body> {
    block.body.blocks().find(|it| &*it.kind.text == "content").map(|it| &it.body)
}

/// Reports what is wrong with the shape of a `dynamic` block.
pub(super) fn check(block: &Block, diagnostics: &mut Diagnostics) {
    let mut report = |diagnostic| diagnostics.push(diagnostic);
    if block.body.attribute("for_each").is_none() {
        report(
            Diagnostic::error(
                "Missing required argument",
                "The argument \"for_each\" is required, but no definition was found.",
            )
            .at(block.body.missing_span()),
        );
    }
    if let Some(it) = block.body.attribute("iterator")
        && !matches!(&it.expr.kind, ExprKind::Traversal(it) if it.steps.is_empty())
    {
        let detail = "Dynamic iterator must be a single variable name.";
        report(Diagnostic::error("Invalid expression", detail).at(it.expr.span));
    }
    for it in block.body.attributes() {
        if !["for_each", "iterator", "labels"].contains(&&*it.name.text) {
            let detail = format!("An argument named {:?} is not expected here.", &*it.name.text);
            report(Diagnostic::error("Unsupported argument", detail).at(it.name.span));
        }
    }
    let mut contents = 0;
    for it in block.body.blocks() {
        match &*it.kind.text {
            "content" if contents == 0 => contents += 1,
            "content" => {
                let detail = "Only one nested content block is allowed for each dynamic block.";
                report(
                    Diagnostic::error("Extraneous dynamic content block", detail)
                        .at(it.header_span()),
                );
            }
            kind => {
                let detail = format!("Blocks of type {kind:?} are not expected here.");
                report(Diagnostic::error("Unsupported block type", detail).at(it.kind.span));
            }
        }
    }
    if contents == 0 {
        let detail = "A dynamic block must have a nested block of type \"content\" to describe \
            the body of each generated block.";
        report(
            Diagnostic::error("Missing dynamic content block", detail)
                .at(block.body.missing_span()),
        );
    }
}

impl Eval<'_> {
    /// Runs `each` for every block that a `dynamic` block makes, with its labels. False if it
    /// cannot be told which there are.
    pub(super) fn dynamic(
        &mut self,
        block: &Block,
        scope: Scope<'_>,
        mut each: impl FnMut(&mut Self, &Body, Vec<Arc<str>>, Scope<'_>),
    ) -> bool {
        let (Some(for_each), Some(content), Some(name)) =
            (block.body.attribute("for_each"), content(block), iterator(block).pop())
        else {
            return false;
        };
        let before = self.diagnostics.len();
        let (value, marks) = self.value(&for_each.expr, scope).unmark();
        let problem = match value.kind() {
            ValueKind::List(_)
            | ValueKind::Set(_)
            | ValueKind::Map(_)
            | ValueKind::Tuple(_)
            | ValueKind::Object(_) => None,
            ValueKind::Null(_) => Some("Cannot use a null value in for_each.".to_owned()),
            ValueKind::Unknown(it) if !it.ty.is_primitive() => return false,
            _ => Some(format!(
                "Cannot use a {} value in for_each. An iterable collection is required.",
                value.ty().friendly_name()
            )),
        };
        if self.failed_since(before) {
            return false;
        }
        if let Some(detail) = problem {
            let diagnostic =
                Diagnostic::error("Invalid dynamic for_each value", detail).at(for_each.expr.span);
            self.fail(diagnostic, &[&for_each.expr], scope);
            return false;
        }
        let mut known = true;
        for (key, item) in value.elements() {
            let item = [("key", key), ("value", item.clone())];
            let item = Value::object(item.map(|(name, it)| (name, it.with_marks(marks))));
            let local = Local::new(&name, &item, scope);
            match self.labels(block, local.scope()) {
                Some(labels) => each(self, content, labels, local.scope()),
                None => known = false,
            }
        }
        known
    }

    fn labels(&mut self, block: &Block, scope: Scope<'_>) -> Option<Vec<Arc<str>>> {
        let Some(labels) = block.body.attribute("labels") else { return Some(Vec::new()) };
        let before = self.diagnostics.len();
        let value = self.value(&labels.expr, scope);
        if self.failed_since(before) {
            return None;
        }
        let strings = convert(&value, &Type::list(Type::String));
        let detail = match &strings {
            Ok(list) if list.is_null() => {
                "Cannot use a null value as a dynamic block label.".into()
            }
            Ok(list) if !list.is_wholly_known() => {
                "This value is not yet known. Dynamic block labels must be immediately-known \
                 values."
                    .into()
            }
            Ok(list) if !list.marks_deep().is_empty() => {
                "Cannot use a sensitive value as a dynamic block label.".into()
            }
            Ok(list) => match list.values().map(AsArc::as_arc).collect() {
                Some(labels) => return Some(labels),
                None => "Cannot use a null value as a dynamic block label.".to_owned(),
            },
            Err(error) => {
                format!("Cannot use this value as a dynamic block label: {}.", message(error))
            }
        };
        let diagnostic =
            Diagnostic::error("Invalid dynamic block label", detail).at(labels.expr.span);
        self.fail(diagnostic, &[&labels.expr], scope);
        None
    }
}
