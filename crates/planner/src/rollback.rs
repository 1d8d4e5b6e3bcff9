//! What a way back costs: of each change of a plan that leads to an older snapshot, whether anything
//! is lost by it.

use std::collections::{BTreeMap, BTreeSet};

use plumb_model::Target;
use plumb_model::addr::{Addr, ConfigAddr, Mode, ObjectKey};
use plumb_model::plan::{Action, Change, Plan};
use plumb_model::schema::{Block, Presence, Schemas};
use plumb_model::state::State;
use plumb_model::value::Value;

/// What becomes of what there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cost {
    /// Nothing is lost.
    Lossless,
    /// Something is gone for good: an object, or what was in one.
    Lossy,
    /// It cannot be brought back.
    Impossible,
}

impl Cost {
    /// In one word.
    pub fn name(self) -> &'static str {
        match self {
            Cost::Lossless => "lossless",
            Cost::Lossy => "lossy",
            Cost::Impossible => "impossible",
        }
    }
}

/// One change on the way back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labelled {
    /// Of which object.
    pub key: ObjectKey,
    /// What is done; none where nothing can be.
    pub action: Option<Action>,
    /// What it costs.
    pub cost: Cost,
    /// Why, as the rest of a sentence.
    pub why: String,
}

/// A plan that leads back, and what it leads back to.
#[derive(Clone, Copy)]
pub struct WayBack<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// Where it leads.
    pub snapshot: &'a State,
    /// Where it starts.
    pub current: &'a State,
    /// What the providers say of themselves.
    pub schemas: &'a Schemas,
    /// Objects of the snapshot that could not be asked for, and why.
    pub refused: &'a BTreeMap<Addr, String>,
    /// Blocks whose objects the configuration protects from deletion.
    pub protected: &'a BTreeSet<ConfigAddr>,
    /// Only these, if there is any.
    pub targets: &'a [Target],
}

/// Labels every change of the plan that is not nothing, and what should be in it and is not.
pub fn labels(way: WayBack<'_>) -> Vec<Labelled> {
    let mut res: BTreeMap<ObjectKey, Labelled> = BTreeMap::new();
    let missing = missing(way);
    for (key, change) in &way.plan.changes {
        if change.action == Action::Keep || key.addr.resource.mode == Mode::Data {
            continue;
        }
        let (cost, why) = cost(way, &missing, key, change);
        let action = Some(change.action);
        res.insert(key.clone(), Labelled { key: key.clone(), action, cost, why });
    }
    for (addr, why) in way.refused {
        let named = way.targets.is_empty() || way.targets.iter().any(|it| it.contains(addr));
        let key = addr.current();
        // One that is deleted has its reason already.
        if named && !res.contains_key(&key) {
            let why = why.clone();
            res.insert(key.clone(), Labelled { key, action: None, cost: Cost::Impossible, why });
        }
    }
    res.into_values().collect()
}

/// Blocks of which something was that cannot be brought back and is not there now.
fn missing(way: WayBack<'_>) -> BTreeSet<ConfigAddr> {
    let gone = way.refused.keys().filter(|it| way.current.current(it).is_none());
    gone.map(Addr::config).collect()
}

fn cost(
    way: WayBack<'_>,
    missing: &BTreeSet<ConfigAddr>,
    key: &ObjectKey,
    change: &Change,
) -> (Cost, String) {
    let impossible = |why: String| (Cost::Impossible, why);
    let addr = &key.addr;
    let was = way.snapshot.current(addr);
    let removes = matches!(change.action, Action::Delete | Action::Replace(_));
    if removes && key.deposed.is_none() && way.protected.contains(&addr.config()) {
        return impossible("the configuration says prevent_destroy".to_owned());
    }
    match change.action {
        Action::Delete if key.deposed.is_some() => {
            (Cost::Lossy, "left over from a replacement; it is deleted".to_owned())
        }
        Action::Delete => match way.refused.get(addr) {
            Some(why) => impossible(why.clone()),
            None if was.is_some() => impossible("nothing can ask for it as it was".to_owned()),
            None => (Cost::Lossy, "made since; it is deleted with what is in it".to_owned()),
        },
        Action::Create | Action::Replace(_) | Action::Update => {
            let Some(was) = was else {
                return impossible(
                    "it was not there, and nothing can ask for the others without it".to_owned(),
                );
            };
            let schema = way.schemas.resource(
                &change.provider.source,
                addr.resource.mode,
                &addr.resource.kind,
            );
            let secret = schema.and_then(|it| secret(&it.block, change, &was.attrs));
            if let Some(name) = secret {
                return impossible(format!("the state does not hold {name}, which is write-only"));
            }
            if let Some(need) = was.needs.iter().find(|it| missing.contains(it)) {
                return impossible(format!("it needs {need}, which cannot be brought back"));
            }
            match change.action {
                Action::Update => (Cost::Lossless, "changed in place".to_owned()),
                Action::Create => (
                    Cost::Lossy,
                    "made anew: it gets a new identity, and what was in it is gone".to_owned(),
                ),
                _ => (
                    Cost::Lossy,
                    "replaced: it gets a new identity, and what is in it is gone".to_owned(),
                ),
            }
        }
        Action::Forget | Action::Read | Action::Keep => {
            (Cost::Lossless, "only what is remembered changes".to_owned())
        }
    }
}

/// The write-only argument without which the object would not be what it was. None: it does without.
fn secret(block: &Block, change: &Change, was: &Value) -> Option<String> {
    let fresh = change.action != Action::Update;
    for (name, attribute) in block.attributes() {
        if !attribute.write_only {
            continue;
        }
        // By custom a number beside it says which secret was sent last.
        let version = format!("{name}_version");
        let at = |it: &Value| it.get_attr(&version).map(Value::unmark_deep);
        let then = at(was).filter(Value::is_present);
        let sent = attribute.presence == Presence::Required || then.is_some();
        let other = then.is_some() && change.before.as_ref().and_then(at) != then;
        if fresh && sent || other {
            return Some(name.to_string());
        }
    }
    let inside = block.blocks().iter().find(|(name, it)| {
        let used = was.get_attr(name).is_some_and(|it| it.is_present() && !it.is_empty());
        fresh && used && needs_secret(&it.block)
    });
    inside.map(|(name, _)| format!("a part of {name}"))
}

fn needs_secret(block: &Block) -> bool {
    let required =
        |it: &plumb_model::schema::Attribute| it.write_only && it.presence == Presence::Required;
    block.attributes().values().any(required)
        || block.blocks().values().any(|it| needs_secret(&it.block))
}
