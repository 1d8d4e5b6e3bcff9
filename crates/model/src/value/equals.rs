//! The language's `==`.

use super::{Refinements, Type, Value, ValueKind};

/// Whether two values are equal: a boolean, unknown if what is unknown decides, with both values'
/// marks. Values of different types are different; null equals null.
pub fn equals(a: &Value, b: &Value) -> Value {
    let result = match compare(a, b) {
        Some(equal) => Value::bool(equal),
        None => Value::unknown_refined(Type::Bool, Refinements::not_null()),
    };
    result.with_marks(a.marks_deep() | b.marks_deep())
}

/// None: not known yet.
fn compare(a: &Value, b: &Value) -> Option<bool> {
    match (&a.kind, &b.kind) {
        (ValueKind::Unknown(unknown), known) | (known, ValueKind::Unknown(unknown)) => {
            let other = if std::ptr::eq(known, &b.kind) { b } else { a };
            let differ = match known {
                ValueKind::Unknown(_) => false,
                _ => !unknown.refinements.admits(other),
            };
            if differ { Some(false) } else { None }
        }
        (ValueKind::Null(_), ValueKind::Null(_)) => Some(true),
        (ValueKind::Null(_), _) | (_, ValueKind::Null(_)) => Some(false),
        (ValueKind::Bool(a), ValueKind::Bool(b)) => Some(a == b),
        (ValueKind::Number(a), ValueKind::Number(b)) => Some(a == b),
        (ValueKind::String(a), ValueKind::String(b)) => Some(a == b),
        (ValueKind::List(x), ValueKind::List(y)) => {
            if x.elem != y.elem && !x.elem.has_dynamic() && !y.elem.has_dynamic() {
                return Some(false);
            }
            all(x.items.len() == y.items.len(), x.items.iter().zip(&y.items))
        }
        (ValueKind::Tuple(x), ValueKind::Tuple(y)) => {
            all(x.items.len() == y.items.len(), x.items.iter().zip(&y.items))
        }
        (ValueKind::Set(x), ValueKind::Set(y)) => {
            if !a.is_wholly_known() || !b.is_wholly_known() {
                return None;
            }
            Some(
                x.items.len() == y.items.len()
                    && x.items
                        .iter()
                        .zip(&y.items)
                        .all(|(x, y)| x.unmark_deep() == y.unmark_deep())
                    && x.elem == y.elem,
            )
        }
        (ValueKind::Map(x), ValueKind::Map(y)) => {
            if x.elem != y.elem && !x.elem.has_dynamic() && !y.elem.has_dynamic() {
                return Some(false);
            }
            all(x.items.keys().eq(y.items.keys()), x.items.values().zip(y.items.values()))
        }
        (ValueKind::Object(x), ValueKind::Object(y)) => {
            all(x.items.keys().eq(y.items.keys()), x.items.values().zip(y.items.values()))
        }
        _ => Some(false),
    }
}

/// In order, up to the first pair that differs or is not known yet: what comes after it does not
/// decide, as in Terraform.
fn all<'a>(shape: bool, mut pairs: impl Iterator<Item = (&'a Value, &'a Value)>) -> Option<bool> {
    if !shape {
        return Some(false);
    }
    pairs
        .find_map(|(a, b)| match compare(a, b) {
            Some(true) => None,
            other => Some(other),
        })
        .unwrap_or(Some(true))
}
