//! From what one instance's configuration says to what it will be. Asked twice: while planning, and
//! with final values while applying.

use std::sync::Arc;

use plumb_diag::{Diagnostic, Diagnostics};
use plumb_model::addr::Kind;
use plumb_model::propose::propose;
use plumb_model::schema::{Facts, RefineInput, Refined, ResourceSchema};
use plumb_model::value::{Type, Value, ValueKind};

use crate::config::IgnoreChanges;
use crate::syntax::{Step, StepKind, Traversal};

/// What an instance will be. Values are unmarked.
pub fn proposal(
    schema: &ResourceSchema,
    written: &Value,
    prior: Option<&Value>,
    replaced: &[(Kind, Value)],
    facts: Facts<'_>,
) -> Refined {
    let proposed = propose(&schema.block, written, prior);
    match schema.refine {
        Some(refine) => refine(RefineInput { config: written, prior, proposed, replaced, facts }),
        None => Refined::new(proposed),
    }
}

/// What is written, with the stored value wherever changes are ignored.
pub fn ignore_changes(written: &Value, stored: &Value, ignore: &IgnoreChanges) -> Value {
    match ignore {
        IgnoreChanges::None => written.clone(),
        IgnoreChanges::All => stored.clone(),
        IgnoreChanges::Some(traversals) => {
            let mut res = written.clone();
            for traversal in traversals {
                let root = Step {
                    kind: StepKind::Attr(traversal.root.text.clone()),
                    span: traversal.root.span,
                };
                let steps: Vec<Step> =
                    std::iter::once(root).chain(traversal.steps.iter().cloned()).collect();
                res = overlay(&res, stored, &steps);
            }
            res
        }
    }
}

/// `written` with `stored`'s value at the end of `steps`. A map key that is only on one side is
/// taken from the stored side.
fn overlay(written: &Value, stored: &Value, steps: &[Step]) -> Value {
    let Some((step, rest)) = steps.split_first() else { return stored.clone() };
    let name: &Arc<str> = step.text();
    match written.kind() {
        ValueKind::Object(_) | ValueKind::Map(_) => {
            let is_map = matches!(written.kind(), ValueKind::Map(_));
            let (Some(new), Some(old)) = (written.as_map(), stored.as_map()) else {
                return written.clone();
            };
            let mut items = new.clone();
            match (new.get(name), old.get(name)) {
                (Some(new), Some(old)) => {
                    items.insert(name.clone(), overlay(new, old, rest));
                }
                (Some(_), None) if is_map => {
                    items.remove(name);
                }
                (None, Some(old)) if is_map => {
                    items.insert(name.clone(), old.clone());
                }
                _ => {}
            }
            match written.ty() {
                Type::Map(elem) => Value::map((*elem).clone(), items),
                _ => Value::object(items),
            }
        }
        // All keys but the ignored one were taken out.
        ValueKind::Null(Type::Map(elem)) => match stored.get_attr(name) {
            Some(old) => Value::map((**elem).clone(), [(name.clone(), old.clone())]),
            None => written.clone(),
        },
        ValueKind::List(_) | ValueKind::Tuple(_) => {
            let (Some(new), Some(old), Ok(index)) =
                (written.as_slice(), stored.as_slice(), name.parse::<usize>())
            else {
                return written.clone();
            };
            let (Some(one), Some(other)) = (new.get(index), old.get(index)) else {
                return written.clone();
            };
            let mut items = new.to_vec();
            items[index] = overlay(one, other, rest);
            match written.ty() {
                Type::List(elem) => Value::list((*elem).clone(), items),
                _ => Value::tuple(items),
            }
        }
        _ => written.clone(),
    }
}

/// The arguments that `ignore_changes` names must exist.
pub fn check_ignored(
    schema: &ResourceSchema,
    traversals: &[Arc<Traversal>],
    diagnostics: &mut Diagnostics,
) {
    for it in traversals {
        let name = &it.root.text;
        let block = &schema.block;
        if !block.attributes().contains_key(name) && !block.blocks().contains_key(name) {
            let detail = format!(
                "This object has no argument, nested block, or exported attribute named {name:?}."
            );
            diagnostics.push(Diagnostic::error("Unsupported attribute", detail).at(it.root.span));
        }
    }
}
