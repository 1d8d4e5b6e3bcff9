//! Values in a few words, for diagnostics.

use std::collections::BTreeMap;

use plumb_diag::Diagnostic;
use plumb_model::value::{Marks, Type, Value, ValueKind};

use super::expr::{Eval, Scope};
use super::references::Visitor;
use crate::syntax::{Expr, StepKind, Traversal};

/// Diagnostics after this many get no values: nobody reads them, and they cost.
const DESCRIBED_MAX: usize = 100;
/// References described in one diagnostic.
const REFERENCES_MAX: usize = 20;

/// `is 3`, `has a sensitive value`, `is a string, known only after apply`.
pub fn describe(value: &Value) -> String {
    if value.has_mark(Marks::SENSITIVE) {
        return "has a sensitive value".into();
    }
    if value.has_mark(Marks::EPHEMERAL) {
        return "has an ephemeral value".into();
    }
    match value.as_unknown() {
        Some(unknown) if unknown.ty == Type::Dynamic => "will be known only after apply".into(),
        Some(unknown) => format!("is a {}, known only after apply", unknown.ty.friendly_name()),
        None => format!("is {}", compact(value)),
    }
}

/// `3`, `"text"`, `list of string with 2 elements`.
pub fn compact(value: &Value) -> String {
    match value.kind() {
        ValueKind::Null(_) => "null".into(),
        ValueKind::Unknown(_) => "(not yet known)".into(),
        ValueKind::Bool(value) => value.to_string(),
        ValueKind::Number(number) => number.to_string(),
        ValueKind::String(text) => format!("{text:?}"),
        ValueKind::Object(_) => {
            let attrs = value.as_map().into_iter().flatten();
            let names: Vec<&str> = attrs.map(|(name, _)| &**name).take(2).collect();
            match (names.as_slice(), value.len().unwrap_or(0)) {
                ([], _) => "object with no attributes".into(),
                ([name], _) => format!("object with 1 attribute {name:?}"),
                (_, len) => format!("object with {len} attributes"),
            }
        }
        _ => {
            let name = match value.kind() {
                ValueKind::Tuple(_) => "tuple".into(),
                _ => value.ty().friendly_name(),
            };
            match value.len().unwrap_or(0) {
                0 => format!("empty {name}"),
                1 => format!("{name} with 1 element"),
                len => format!("{name} with {len} elements"),
            }
        }
    }
}

/// A traversal as it would be written: `var.a["k"][0].b`.
pub(super) fn written(traversal: &Traversal, steps: usize) -> String {
    let mut text = traversal.root.text.to_string();
    for step in &traversal.steps[..steps] {
        match &step.kind {
            StepKind::Attr(name) => text.extend([".", name]),
            StepKind::Key(key) => text.push_str(&format!("[{key:?}]")),
            StepKind::Number(index) | StepKind::Legacy(index) => text.extend(["[", index, "]"]),
        }
    }
    text
}

impl Eval<'_> {
    /// Reports an error, with the values of what `exprs` refer to. What is unknown or sensitive is
    /// mentioned only if that is the problem.
    pub(super) fn fail(&mut self, diagnostic: Diagnostic, exprs: &[&Expr], scope: Scope<'_>) {
        let values = if self.quiet > 0 || self.diagnostics.len() >= DESCRIBED_MAX {
            Vec::new()
        } else {
            self.values_of(exprs, scope, false)
        };
        self.diagnostics.push(Diagnostic { values, ..diagnostic });
    }

    /// References in `exprs` and what they are.
    pub(super) fn values_of(
        &mut self,
        exprs: &[&Expr],
        scope: Scope<'_>,
        all: bool,
    ) -> Vec<(String, String)> {
        let mut traversals = Vec::new();
        for expr in exprs {
            Visitor::limited(REFERENCES_MAX, &mut |it| traversals.push(it)).expr(expr);
        }
        let mut found = BTreeMap::new();
        for traversal in traversals {
            for steps in (1..=traversal.steps.len()).rev() {
                let prefix = Traversal {
                    root: traversal.root.clone(),
                    steps: traversal.steps[..steps].to_vec(),
                };
                let value = self.attempt(|eval| eval.traversal(&prefix, None, scope));
                let Ok(value) = value else { continue };
                if all || (value.is_known() && value.marks().is_empty()) {
                    found.insert(written(traversal, steps), describe(&value));
                }
                break;
            }
        }
        found.into_iter().collect()
    }
}
