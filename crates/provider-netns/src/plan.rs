//! What can be said of an object before it is made or changed.
//!
//! What the cloud chose stays unless something that it follows from changes. What the kernel has
//! otherwise than it was made is planned away, which makes an update of it. What moves by itself
//! (a process that was started again) is never a difference: it is kept as it was last read, and
//! unknown in an update for another reason.

use std::collections::BTreeMap;
use std::sync::Arc;

use plumb_model::addr::Kind;
use plumb_model::schema::{RefineInput, Refined};
use plumb_model::value::{Path, Type, Value};

use crate::kinds::Shape;

/// What can be said of a kind.
pub(crate) struct Rules {
    /// The arguments that name it: the identifier is these with `/` in between.
    pub(crate) id: &'static [&'static str],
    /// What the cloud chooses when it is left out.
    pub(crate) choices: &'static [Choice],
    /// What moves by itself.
    pub(crate) restless: &'static [&'static str],
    /// Nested blocks in which the cloud chooses an address and a hardware address each.
    pub(crate) interfaces: Option<&'static str>,
    /// What it hangs on by name: the other cannot go while this is there.
    pub(crate) references: &'static [Reference],
}

/// What the cloud chooses when it is left out.
pub(crate) struct Choice {
    pub(crate) attribute: &'static str,
    /// It chooses anew when one of these changes.
    pub(crate) follows: &'static [&'static str],
    /// Without this there is nothing to choose: it is null.
    pub(crate) needs: Option<&'static str>,
}

/// An argument that holds names of other objects.
pub(crate) struct Reference {
    /// The argument, in a nested block if there are two.
    pub(crate) path: &'static [&'static str],
    pub(crate) kind: &'static str,
}

impl Rules {
    /// Of a kind with a name and nothing to choose.
    pub(crate) const fn named() -> Rules {
        Rules { id: &["name"], choices: &[], restless: &[], interfaces: None, references: &[] }
    }
}

/// The planning rule of a kind.
pub(crate) fn refine<S: Shape>(input: RefineInput<'_>) -> Refined {
    let rules = S::RULES;
    let RefineInput { config, prior, proposed, replaced, .. } = input;
    let replace = prior.map_or_else(Vec::new, |it| followed(&rules, it, replaced));
    let Some(attrs) = proposed.as_map() else {
        return Refined { replace, ..Refined::new(proposed) };
    };
    let mut planned = attrs.clone();
    planned.insert("drift".into(), Value::list(Type::String, Vec::new()));
    if let Some(id) = id(&rules, &planned) {
        planned.insert("id".into(), id);
    }
    match prior {
        None => {}
        Some(prior) if prior.as_map() == Some(&planned) => {
            return Refined { replace, ..Refined::new(Value::object(planned)) };
        }
        Some(prior) => changing(&rules, config, prior, &mut planned),
    }
    for choice in rules.choices {
        let nothing = choice.needs.is_some_and(|it| planned.get(it).is_some_and(Value::is_null));
        if nothing && left_out(config, choice.attribute) {
            set(&mut planned, choice.attribute, Value::null);
        }
    }
    Refined { replace, ..Refined::new(Value::object(planned)) }
}

/// In an update what may come out otherwise is not promised.
fn changing(rules: &Rules, config: &Value, prior: &Value, planned: &mut BTreeMap<Arc<str>, Value>) {
    let drifted = prior.get_attr("drift").is_none_or(|it| !it.is_empty());
    // Of a port that is declared by itself nothing is known here.
    let foreign = rules.interfaces.is_some_and(|name| {
        let blocks = planned.get(name).into_iter().flat_map(Value::values);
        blocks.into_iter().any(|it| !left_out(it, "port"))
    });
    for choice in rules.choices {
        let changed = |it: &&str| planned.get(*it) != prior.get_attr(it);
        let anew = drifted || foreign || choice.follows.iter().any(changed);
        if anew && left_out(config, choice.attribute) {
            set(planned, choice.attribute, Value::unknown);
        }
    }
    for name in rules.restless {
        set(planned, name, Value::unknown);
    }
    let Some(name) = rules.interfaces else { return };
    let Some(blocks) = planned.get(name).filter(|it| it.is_known()) else { return };
    let blocks = blocks.values().enumerate().map(|(position, block)| {
        let at = |it: &Value| it.get_attr(name).and_then(|it| it.get_index(position)).cloned();
        let (written, was) = (at(config), at(prior));
        let moved = ["port", "network"]
            .iter()
            .any(|it| was.as_ref().and_then(|was| was.get_attr(it)) != block.get_attr(it));
        let mut block = block.as_map().cloned().unwrap_or_default();
        let foreign = block.get("port").is_some_and(|it| !it.is_null());
        for choice in ["address", "mac"] {
            let free = written.as_ref().is_none_or(|it| left_out(it, choice));
            if free && (drifted || moved || foreign) {
                set(&mut block, choice, Value::unknown);
            }
        }
        Value::object(block)
    });
    let blocks: Vec<_> = blocks.collect();
    if let Some(first) = blocks.first() {
        let list = Value::list(first.ty(), blocks.clone());
        planned.insert(name.into(), list);
    }
}

/// Where an object hangs on one that is made anew first, which must let go of it before.
fn followed(rules: &Rules, prior: &Value, replaced: &[(Kind, Value)]) -> Vec<Path> {
    let mut all = Vec::new();
    for (kind, object) in replaced {
        let Some(name) = object.get_attr("name").and_then(Value::as_str) else { continue };
        for reference in rules.references.iter().filter(|it| it.kind == &**kind) {
            let [argument, inner @ ..] = reference.path else { continue };
            let Some(value) = prior.get_attr(argument) else { continue };
            let hangs = match inner.first() {
                None => names(value, name),
                Some(inner) => {
                    value.values().any(|it| it.get_attr(inner).is_some_and(|it| names(it, name)))
                }
            };
            if hangs {
                all.push(Path::default().attr(argument));
            }
        }
    }
    all
}

/// Whether a value is a name, or holds it.
fn names(value: &Value, name: &str) -> bool {
    value.as_str() == Some(name) || value.values().any(|it| it.as_str() == Some(name))
}

/// The identifier, if it is known yet.
fn id(rules: &Rules, planned: &BTreeMap<Arc<str>, Value>) -> Option<Value> {
    let parts = rules.id.iter().map(|it| planned.get(*it)?.as_str());
    Some(Value::string(parts.collect::<Option<Vec<_>>>()?.join("/")))
}

fn left_out(object: &Value, name: &str) -> bool {
    object.get_attr(name).is_none_or(Value::is_null)
}

fn set(planned: &mut BTreeMap<Arc<str>, Value>, name: &str, to: impl Fn(Type) -> Value) {
    if let Some(slot) = planned.get_mut(name) {
        *slot = to(slot.ty());
    }
}
