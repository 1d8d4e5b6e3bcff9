//! Defaults of optional attributes in a type constraint.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Type, Value, ValueKind};

/// Defaults that `optional(type, default)` gives, shaped like the constraint they are from.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Defaults {
    /// Defaults of the attributes of an object type, already of the attributes' types.
    pub attrs: BTreeMap<Arc<str>, Value>,
    /// Defaults further inside: by attribute, by tuple index in decimal, or `""` for all elements
    /// of a collection.
    pub children: BTreeMap<Arc<str>, Defaults>,
}

impl Defaults {
    /// Whether there are none, here and inside.
    pub fn is_empty(&self) -> bool {
        self.attrs.is_empty() && self.children.is_empty()
    }

    /// The value with defaults where an optional attribute is missing or null. The value is one that
    /// is going to be converted to the constraint, so nothing is assumed of its type.
    pub fn apply(&self, value: &Value) -> Value {
        if self.is_empty() || !value.is_present() {
            return value.clone();
        }
        let each = |key: &str, item: &Value| match self.child(key) {
            Some(child) => child.apply(item),
            None => item.clone(),
        };
        match value.kind() {
            ValueKind::List(_) | ValueKind::Set(_) | ValueKind::Tuple(_) => {
                let items: Vec<Value> = value
                    .values()
                    .enumerate()
                    .map(|(i, item)| each(&i.to_string(), item))
                    .collect();
                rebuilt(value, items)
            }
            ValueKind::Object(_) | ValueKind::Map(_) => {
                let items = value.as_map().cloned().unwrap_or_default();
                let mut items: BTreeMap<Arc<str>, Value> = items
                    .into_iter()
                    .map(|(key, item)| {
                        let item = match self.attrs.get(&key) {
                            Some(default) if item.is_null() => default.clone(),
                            _ => item,
                        };
                        let item = each(&key, &item);
                        (key, item)
                    })
                    .collect();
                for (name, default) in &self.attrs {
                    if !items.contains_key(name) {
                        items.insert(name.clone(), each(name, default));
                    }
                }
                match value.kind() {
                    ValueKind::Map(_) if self.attrs.is_empty() && same_types(items.values()) => {
                        Value::map(Type::Dynamic, items).with_marks(value.marks())
                    }
                    _ => Value::object(items).with_marks(value.marks()),
                }
            }
            _ => value.clone(),
        }
    }

    fn child(&self, key: &str) -> Option<&Defaults> {
        self.children.get(key).or_else(|| self.children.get(""))
    }
}

/// The elements may have got types that differ; conversion to the constraint will unify them.
fn rebuilt(value: &Value, items: Vec<Value>) -> Value {
    let same = same_types(items.iter());
    match value.kind() {
        _ if items.is_empty() => return value.clone(),
        ValueKind::List(_) if same => Value::list(Type::Dynamic, items),
        ValueKind::Set(_) if same => Value::set(Type::Dynamic, items),
        _ => Value::tuple(items),
    }
    .with_marks(value.marks())
}

fn same_types<'a>(mut items: impl Iterator<Item = &'a Value>) -> bool {
    let first = items.next().map(Value::ty);
    items.all(|item| Some(item.ty()) == first)
}
