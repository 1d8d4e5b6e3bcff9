//! From what is written and what is stored to what is proposed; and the other way, from what a
//! provider returned to what is kept.
//!
//! Both follow one rule for each attribute, by its [`Presence`]. Values here are unmarked; a block
//! that is unknown as a whole stays so.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::schema::{Block, NestedBlock, Nesting, OnChange, Presence};
use crate::value::{Path, Type, Value, ValueKind};

/// The proposed object: what is written, defaults, and, of what the remote system sets, what is
/// stored (or unknown where nothing is).
pub fn propose(block: &Block, config: &Value, prior: Option<&Value>) -> Value {
    let Some(written) = config.as_map() else { return config.clone() };
    let mut res: Vec<(Arc<str>, Value)> = Vec::with_capacity(written.len());
    for (name, attribute) in block.attributes() {
        let value = written.get(name);
        let stored = prior.and_then(|it| it.get_attr(name));
        let left_out = value.is_none_or(Value::is_null);
        let proposed = match attribute.presence {
            _ if attribute.write_only => Value::null(attribute.ty.clone()),
            Presence::Required | Presence::Optional if left_out => match &attribute.default {
                Some(default) => default.clone(),
                None => Value::null(attribute.ty.clone()),
            },
            Presence::OptionalComputed | Presence::Computed if left_out => match stored {
                Some(stored) => stored.clone(),
                None => Value::unknown(attribute.ty.clone()),
            },
            _ => value.cloned().unwrap_or_else(|| Value::null(attribute.ty.clone())),
        };
        res.push((name.clone(), proposed));
    }
    for (name, nested) in block.blocks() {
        let value = written.get(name).cloned().unwrap_or_else(|| Value::null(nested.ty()));
        let stored = prior.and_then(|it| it.get_attr(name));
        res.push((name.clone(), propose_nested(nested, &value, stored)));
    }
    Value::object(res)
}

fn propose_nested(nested: &NestedBlock, config: &Value, prior: Option<&Value>) -> Value {
    if !config.is_present() {
        return config.clone();
    }
    let block = &nested.block;
    match nested.nesting {
        Nesting::Single | Nesting::Group => {
            propose(block, config, prior.filter(|it| it.is_present()))
        }
        Nesting::List => {
            let items = config.as_slice().unwrap_or_default().iter().enumerate();
            let stored = |index| prior.and_then(|it| it.get_index(index));
            let items = items.map(|(index, it)| propose(block, it, stored(index))).collect();
            Value::list(block.ty().clone(), items)
        }
        Nesting::Set => {
            let mut stored: Vec<&Value> = prior.into_iter().flat_map(Value::values).collect();
            let items = config.as_slice().unwrap_or_default().iter().map(|it| {
                // An element is the stored one if what is written in it agrees.
                let same = stored.iter().position(|old| propose(block, it, Some(old)) == **old);
                propose(block, it, same.map(|index| stored.swap_remove(index)))
            });
            let items = items.collect();
            Value::set(block.ty().clone(), items)
        }
        Nesting::Map => {
            let items = config.as_map().into_iter().flatten();
            let stored = |key: &str| prior.and_then(|it| it.get_attr(key));
            let items: Vec<(Arc<str>, Value)> =
                items.map(|(key, it)| (key.clone(), propose(block, it, stored(key)))).collect();
            Value::map(block.ty().clone(), items)
        }
    }
}

/// What is kept of `actual`, an object as the provider sees it: an optional argument that is null
/// in `managed` (the plan, or what is stored) is unmanaged and stays null; of nested blocks those
/// that were not written stay away.
pub fn mask(block: &Block, managed: &Value, actual: &Value) -> Value {
    let (Some(managed), Some(actual_attrs)) = (managed.as_map(), actual.as_map()) else {
        return actual.clone();
    };
    let mut res: Vec<(Arc<str>, Value)> = Vec::with_capacity(actual_attrs.len());
    for (name, attribute) in block.attributes() {
        let reference = managed.get(name);
        let value = actual_attrs.get(name);
        let unmanaged = attribute.write_only
            || (matches!(attribute.presence, Presence::Optional | Presence::Required)
                && reference.is_none_or(Value::is_null));
        let kept = match value {
            Some(value) if !unmanaged => value.clone(),
            _ => Value::null(attribute.ty.clone()),
        };
        res.push((name.clone(), kept));
    }
    for (name, nested) in block.blocks() {
        let actual = actual_attrs.get(name).cloned().unwrap_or_else(|| nested.none());
        let kept = match managed.get(name) {
            Some(managed) => mask_nested(nested, managed, &actual),
            None => nested.none(),
        };
        res.push((name.clone(), kept));
    }
    Value::object(res)
}

/// What [`mask`] leaves out of `actual` at its top level and that has a value: arguments and blocks
/// that the configuration could set and does not. Secrets are not among them. None if there is
/// nothing.
pub fn unmanaged(block: &Block, managed: &Value, actual: &Value) -> Option<Value> {
    let (managed, actual) = (managed.as_map()?, actual.as_map()?);
    let left_out = |name: &str| managed.get(name).is_none_or(|it| it.is_null() || it.is_empty());
    let attributes = block
        .attributes()
        .iter()
        .filter(|(_, it)| !it.write_only && !it.sensitive && it.presence == Presence::Optional);
    let blocks = block.blocks().iter().filter(|(_, it)| !it.block.has_sensitive());
    let names = attributes.map(|it| it.0).chain(blocks.map(|it| it.0));
    let res: Vec<(Arc<str>, Value)> = names
        .filter(|name| left_out(name))
        .filter_map(|name| Some((name.clone(), actual.get(name)?.clone())))
        .filter(|(_, value)| value.is_present() && !value.is_empty())
        .collect();
    (!res.is_empty()).then(|| Value::object(res))
}

/// What is managed in either, for [`mask`]: after a change that may not have happened, what was
/// taken out of the configuration may still be there.
pub fn managed_in_either(a: &Value, b: &Value) -> Value {
    if !a.is_present() || a.is_empty() {
        return if b.is_present() { b.clone() } else { a.clone() };
    }
    match (a.kind(), b.kind()) {
        (ValueKind::Object(_), ValueKind::Object(_)) => {
            let items = a.as_map().into_iter().flatten().map(|(name, a)| {
                let both = b.get_attr(name).map(|b| managed_in_either(a, b));
                (name.clone(), both.unwrap_or_else(|| a.clone()))
            });
            Value::object(items)
        }
        (ValueKind::List(_), ValueKind::List(_)) => {
            let items = a.values().enumerate().map(|(index, a)| match b.get_index(index) {
                Some(b) => managed_in_either(a, b),
                None => a.clone(),
            });
            Value::list(Type::Dynamic, items.collect())
        }
        _ => a.clone(),
    }
}

fn mask_nested(nested: &NestedBlock, managed: &Value, actual: &Value) -> Value {
    if !managed.is_known() {
        return actual.clone();
    }
    if managed.is_null() || managed.is_empty() || !actual.is_present() {
        return if actual.is_present() { nested.none() } else { actual.clone() };
    }
    let block = &nested.block;
    match nested.nesting {
        Nesting::Single | Nesting::Group => mask(block, managed, actual),
        Nesting::List => {
            let managed = managed.as_slice().unwrap_or_default();
            let items = actual.as_slice().unwrap_or_default().iter().enumerate();
            let items = items.map(|(index, it)| match managed.get(index) {
                Some(managed) => mask(block, managed, it),
                None => it.clone(),
            });
            Value::list(block.ty().clone(), items.collect())
        }
        Nesting::Set => {
            let mut left: Vec<&Value> = managed.values().collect();
            let items = actual.as_slice().unwrap_or_default().iter().map(|it| {
                let masked = |managed: &Value| mask(block, managed, it);
                match left.iter().position(|managed| admits(managed, &masked(managed))) {
                    Some(index) => masked(left.swap_remove(index)),
                    None => it.clone(),
                }
            });
            let items = items.collect();
            Value::set(block.ty().clone(), items)
        }
        Nesting::Map => {
            let items = actual.as_map().into_iter().flatten().map(|(key, it)| {
                let kept = managed.get_attr(key).map(|managed| mask(block, managed, it));
                (key.clone(), kept.unwrap_or_else(|| it.clone()))
            });
            Value::map(block.ty().clone(), items.collect::<Vec<_>>())
        }
    }
}

/// Whether `actual` keeps what `promised` says: equal wherever that is known.
pub fn admits(promised: &Value, actual: &Value) -> bool {
    if !promised.is_known() {
        return true;
    }
    if promised.is_wholly_known() {
        return promised == actual;
    }
    if let (Some(promised), Some(actual)) = (promised.as_map(), actual.as_map()) {
        return promised.len() == actual.len()
            && promised.iter().all(|(key, it)| actual.get(key).is_some_and(|is| admits(it, is)));
    }
    match (promised.as_slice(), actual.as_slice()) {
        // Elements of a set that become known may turn out equal.
        (Some(_), Some(_)) if matches!(promised.ty(), Type::Set(_)) => true,
        (Some(promised), Some(actual)) => {
            promised.len() == actual.len()
                && promised.iter().zip(actual).all(|(promised, is)| admits(promised, is))
        }
        _ => false,
    }
}

/// Where `planned` differs from `prior` so that a new object is needed.
pub fn replacing(block: &Block, prior: &Value, planned: &Value) -> Vec<Path> {
    let mut res = Vec::new();
    collect_replacing(block, prior, planned, &Path::default(), &mut res);
    res
}

fn collect_replacing(
    block: &Block,
    prior: &Value,
    planned: &Value,
    at: &Path,
    res: &mut Vec<Path>,
) {
    let get = |value: &Value, name: &str| value.get_attr(name).cloned();
    for (name, attribute) in block.attributes() {
        if attribute.on_change == OnChange::Replace && get(prior, name) != get(planned, name) {
            res.push(at.clone().attr(name));
        }
    }
    for (name, nested) in block.blocks() {
        let (old, new) = (get(prior, name), get(planned, name));
        if old == new {
            continue;
        }
        let at = at.clone().attr(name);
        let (Some(old), Some(new)) = (old, new) else { continue };
        if nested.on_change == OnChange::Replace {
            res.push(at);
            continue;
        }
        match nested.nesting {
            Nesting::Single | Nesting::Group if old.is_present() && new.is_present() => {
                collect_replacing(&nested.block, &old, &new, &at, res);
            }
            Nesting::List if old.len() == new.len() => {
                let pairs = old.values().zip(new.values()).enumerate();
                for (index, (old, new)) in pairs {
                    let at = at.clone().index(Value::number(index));
                    collect_replacing(&nested.block, old, new, &at, res);
                }
            }
            _ if nested.block.any_replace() => res.push(at),
            _ => {}
        }
    }
}

/// Marks what the schema calls sensitive.
pub fn mark_sensitive<'a>(block: &Block, value: &'a Value) -> Cow<'a, Value> {
    let Some(attrs) = value.as_map().filter(|_| block.has_sensitive()) else {
        return Cow::Borrowed(value);
    };
    let mut attrs: BTreeMap<Arc<str>, Value> = attrs.clone();
    for (name, value) in &mut attrs {
        if block.attributes().get(name).is_some_and(|it| it.sensitive) {
            *value = std::mem::replace(value, Value::NULL).sensitive();
        } else if let Some(nested) = block.blocks().get(name) {
            let one = |it: &Value| mark_sensitive(&nested.block, it).into_owned();
            let ty = nested.block.ty().clone();
            *value = match nested.nesting {
                _ if !nested.block.has_sensitive() || !value.is_present() => continue,
                Nesting::Single | Nesting::Group => one(value),
                Nesting::List => Value::list(ty, value.values().map(one).collect()),
                // A set cannot tell marked elements apart.
                Nesting::Set => std::mem::replace(value, Value::NULL).sensitive(),
                Nesting::Map => {
                    let items = value.as_map().into_iter().flatten();
                    Value::map(
                        ty,
                        items.map(|(key, it)| (key.clone(), one(it))).collect::<Vec<_>>(),
                    )
                }
            };
        }
    }
    Cow::Owned(Value::object(attrs).with_marks(value.marks()))
}
