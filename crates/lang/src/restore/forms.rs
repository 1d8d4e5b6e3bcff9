//! Which blocks and module calls have several instances, and by what keys.

use std::collections::{BTreeMap, BTreeSet};

use plumb_model::addr::{Addr, InstanceKey, ModuleInstance, ModulePath, Resource};
use plumb_model::state::Object;

/// What a block or call repeats over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Form {
    One,
    Count,
    Each,
}

/// The keys of a block or call, by the module instance that holds it.
#[derive(Clone, Debug)]
pub(super) struct Repeats {
    pub(super) form: Form,
    pub(super) keys: BTreeMap<ModuleInstance, BTreeSet<Option<InstanceKey>>>,
}

/// Everything that is repeated, or not.
#[derive(Debug, Default)]
pub(super) struct Forms {
    /// By the module that holds the block.
    pub(super) blocks: BTreeMap<(ModulePath, Resource), Repeats>,
    /// By the module that holds the call, and its name.
    pub(super) calls: BTreeMap<ModulePath, BTreeMap<std::sync::Arc<str>, Repeats>>,
}

type Keys = BTreeMap<ModuleInstance, BTreeSet<Option<InstanceKey>>>;

/// Finds the forms, and refuses what fits none: instances beyond a gap, or with keys of two kinds.
pub(super) fn forms(
    objects: &mut Vec<(&Addr, &Object)>,
    refused: &mut BTreeMap<Addr, String>,
) -> Forms {
    let mut forms = Forms::default();
    let depth = objects.iter().map(|it| it.0.module.0.len()).max().unwrap_or(0);
    // Outer calls first: what is refused there takes along what is inside.
    for depth in 0..depth {
        let mut found: BTreeMap<(ModulePath, std::sync::Arc<str>), Keys> = BTreeMap::new();
        for (addr, _) in objects.iter().filter(|it| it.0.module.0.len() > depth) {
            let parent = ModuleInstance(addr.module.0[..depth].into());
            let step = &addr.module.0[depth];
            let keys = found.entry((parent.path(), step.name.clone())).or_default();
            keys.entry(parent).or_default().insert(step.key.clone());
        }
        for ((path, name), keys) in found {
            let repeats = settle(keys);
            objects.retain(|(addr, _)| {
                let Some(step) = addr.module.0.get(depth).filter(|it| it.name == name) else {
                    return true;
                };
                let parent = ModuleInstance(addr.module.0[..depth].into());
                let fits = parent.path() != path || repeats.has(&parent, &step.key);
                if !fits {
                    refused.insert((*addr).clone(), misfit(&step.key));
                }
                fits
            });
            forms.calls.entry(path).or_default().insert(name, repeats);
        }
    }
    let mut found: BTreeMap<(ModulePath, Resource), Keys> = BTreeMap::new();
    for (addr, _) in objects.iter() {
        let keys = found.entry((addr.module.path(), addr.resource.clone())).or_default();
        keys.entry(addr.module.clone()).or_default().insert(addr.key.clone());
    }
    forms.blocks = found.into_iter().map(|(block, keys)| (block, settle(keys))).collect();
    objects.retain(|(addr, _)| {
        let repeats = &forms.blocks[&(addr.module.path(), addr.resource.clone())];
        let fits = repeats.has(&addr.module, &addr.key);
        if !fits {
            refused.insert((*addr).clone(), misfit(&addr.key));
        }
        fits
    });
    forms
}

fn misfit(key: &Option<InstanceKey>) -> String {
    match key {
        Some(InstanceKey::Int(index)) => {
            format!("no configuration has an instance [{index}] and none of those before it")
        }
        _ => "no configuration has instances with keys of different kinds".to_owned(),
    }
}

fn form_of(key: &Option<InstanceKey>) -> Form {
    match key {
        None => Form::One,
        Some(InstanceKey::Int(_)) => Form::Count,
        Some(InstanceKey::Str(_)) => Form::Each,
    }
}

/// The form that most keys have, with the keys that fit it.
fn settle(mut keys: Keys) -> Repeats {
    let mut votes: BTreeMap<Form, usize> = BTreeMap::new();
    keys.values().flatten().for_each(|it| *votes.entry(form_of(it)).or_default() += 1);
    let form = votes.into_iter().max_by_key(|it| it.1).map_or(Form::One, |it| it.0);
    for keys in keys.values_mut() {
        keys.retain(|it| form_of(it) == form);
        if form == Form::Count {
            let in_order = (0..).zip(keys.iter());
            let whole = in_order.take_while(|(at, it)| **it == Some(InstanceKey::Int(*at)));
            *keys = whole.map(|it| it.1.clone()).collect();
        }
    }
    Repeats { form, keys }
}

impl Repeats {
    fn has(&self, module: &ModuleInstance, key: &Option<InstanceKey>) -> bool {
        self.keys.get(module).is_some_and(|it| it.contains(key))
    }

    /// Every key that some instance has.
    pub(super) fn all_keys(&self) -> BTreeSet<&Option<InstanceKey>> {
        self.keys.values().flatten().collect()
    }

    /// Whether all module instances have the same keys.
    pub(super) fn is_even(&self) -> bool {
        let mut each = self.keys.values();
        let first = each.next();
        each.all(|it| Some(it) == first)
    }
}
