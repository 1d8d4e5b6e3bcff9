//! The order of elements in a set, which people see when they iterate one.

use std::cmp::Ordering;

use super::{Value, ValueKind};

/// Sorted and without duplicates. Unknown elements are never taken for duplicates.
pub(super) fn canonical(mut items: Vec<Value>) -> Vec<Value> {
    let simple = items.iter().all(|v| {
        matches!(v.kind, ValueKind::String(_) | ValueKind::Bool(_) | ValueKind::Number(_))
    });
    if simple {
        if !items.is_sorted_by(|a, b| a < b) {
            items.sort_unstable();
            items.dedup();
        }
        return items;
    }
    let mut keyed: Vec<(String, Value)> = items
        .into_iter()
        .map(|item| {
            let mut key = String::new();
            write_key(&item, &mut key);
            (key, item)
        })
        .collect();
    keyed.sort_by(|(a_key, a), (b_key, b)| {
        let rank = |v: &Value| match v.kind {
            ValueKind::Unknown(_) => 2,
            ValueKind::Null(_) => 1,
            _ => 0,
        };
        let simple = match (&a.kind, &b.kind) {
            (ValueKind::String(a), ValueKind::String(b)) => a.cmp(b),
            (ValueKind::Number(a), ValueKind::Number(b)) => a.cmp(b),
            _ => Ordering::Equal,
        };
        rank(a).cmp(&rank(b)).then(simple).then_with(|| a_key.cmp(b_key)).then_with(|| a.cmp(b))
    });
    let mut items: Vec<Value> = keyed.into_iter().map(|(_, item)| item).collect();
    items.dedup_by(|a, b| a == b && a.is_wholly_known());
    items
}

/// Compound elements have no order of their own; this text gives them one that is stable and the
/// same as the original's.
fn write_key(value: &Value, out: &mut String) {
    let list = |items: &mut dyn Iterator<Item = &Value>, out: &mut String| {
        for item in items {
            write_key(item, out);
            out.push(';');
        }
    };
    match &value.kind {
        ValueKind::Unknown(_) => out.push('?'),
        ValueKind::Null(_) => out.push('~'),
        ValueKind::Bool(value) => out.push(if *value { 'T' } else { 'F' }),
        ValueKind::Number(number) => out.push_str(&number.to_string()),
        ValueKind::String(text) => super::json::write_string(text, out),
        ValueKind::List(items) | ValueKind::Set(items) => {
            out.push('[');
            list(&mut items.items.iter(), out);
            out.push(']');
        }
        ValueKind::Tuple(items) => {
            out.push('<');
            list(&mut items.items.iter(), out);
            out.push('>');
        }
        ValueKind::Map(items) => {
            out.push('{');
            for (key, item) in &items.items {
                super::json::write_string(key, out);
                out.push(':');
                write_key(item, out);
                out.push(';');
            }
            out.push('}');
        }
        ValueKind::Object(items) => {
            out.push('<');
            list(&mut items.items.values(), out);
            out.push('>');
        }
    }
}
