//! Edges that nobody wrote: a resource comes after its companions and goes before them
//! (`plumb_model::schema::Companion`).
//!
//! That two have to do with the same object is read from references, by block: what a block refers
//! to, and what that refers to. Edges stay linear, because all that have to do with one object meet
//! in one step. They are the first to go where they would close a circle.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use plumb_lang::{NodeId, NodeKind, Program};
use plumb_model::addr::{Addr, ConfigAddr, Mode, ObjectKey};
use plumb_model::plan::Op;
use plumb_model::schema::Schemas;
use plumb_model::state::State;

use crate::order::{Draft, Strength};

/// Companions are made or changed first.
pub(crate) fn make(program: &Program, draft: &mut Draft, made: &BTreeMap<Addr, u32>) {
    let resource = |id: NodeId| match &program.node(id).kind {
        NodeKind::Resource(it) if it.addr.resource.mode == Mode::Managed => Some(it),
        _ => None,
    };
    let mut wanted = BTreeSet::new();
    for (id, _) in program.nodes() {
        wanted.extend(resource(id).into_iter().flat_map(|it| it.schema.companions.iter().copied()));
    }
    if wanted.is_empty() {
        return;
    }
    let mut steps = BTreeMap::<ConfigAddr, Vec<u32>>::new();
    for (addr, step) in made {
        steps.entry(addr.config()).or_default().push(*step);
    }
    for companion in wanted {
        let is_shared = |id: &NodeId| {
            resource(*id).is_some_and(|it| companion.shared.contains(&&*it.addr.resource.kind))
        };
        let next = |id: &NodeId| program.node(*id).refs.to_vec();
        let mut reach = Reach { is_shared: &is_shared, next: &next, found: BTreeMap::new() };
        let mut meet = Meet::default();
        for (id, _) in program.nodes() {
            let Some(node) = resource(id) else { continue };
            let Some(steps) = steps.get(&node.addr) else { continue };
            if &*node.addr.resource.kind == companion.kind {
                meet.first(&reach.from(id), steps);
            }
            if node.schema.companions.contains(&companion) {
                meet.then(&reach.from(id), steps);
            }
        }
        meet.draw(draft);
    }
}

/// Companions are deleted last: after those that work with them are deleted, or let go of them.
pub(crate) fn drop(
    schemas: &Schemas,
    prior: &State,
    draft: &mut Draft,
    made: &BTreeMap<Addr, u32>,
    drops: &BTreeMap<&ObjectKey, u32>,
) {
    if drops.is_empty() {
        return;
    }
    let companions = |key: &ObjectKey| {
        let resource = &key.addr.resource;
        let object = prior.objects.get(key)?;
        let schema = schemas.resource(&object.provider.source, resource.mode, &resource.kind)?;
        Some(schema.companions)
    };
    let keys = || prior.objects.keys().filter(|it| it.addr.resource.mode == Mode::Managed);
    let mut wanted = BTreeSet::new();
    for key in keys() {
        wanted.extend(companions(key).unwrap_or_default().iter().copied());
    }
    // A companion that stays needs nobody to go before it.
    wanted.retain(|it| drops.keys().any(|key| &*key.addr.resource.kind == it.kind));
    if wanted.is_empty() {
        return;
    }
    let mut needs = BTreeMap::new();
    for (key, object) in &prior.objects {
        needs.entry(key.addr.config()).or_insert_with(|| object.needs.clone());
    }
    for companion in wanted {
        let is_shared = |addr: &ConfigAddr| companion.shared.contains(&&*addr.resource.kind);
        let next = |addr: &ConfigAddr| needs.get(addr).map(|it| it.to_vec()).unwrap_or_default();
        let mut reach = Reach { is_shared: &is_shared, next: &next, found: BTreeMap::new() };
        let mut meet = Meet::default();
        for key in keys() {
            let (gone, changed) = (drops.get(key), made.get(&key.addr));
            if let (Some(step), true) = (gone, &*key.addr.resource.kind == companion.kind) {
                meet.then(&reach.from(key.addr.config()), &[*step]);
            }
            if companions(key).unwrap_or_default().contains(&companion)
                && let Some(step) = gone.or(changed)
            {
                meet.first(&reach.from(key.addr.config()), &[*step]);
            }
        }
        meet.draw(draft);
    }
}

/// Which shared objects something has to do with, each looked into once.
struct Reach<'a, T> {
    is_shared: &'a dyn Fn(&T) -> bool,
    next: &'a dyn Fn(&T) -> Vec<T>,
    found: BTreeMap<T, Rc<BTreeSet<T>>>,
}

impl<T: Ord + Clone> Reach<'_, T> {
    /// By a stack of its own: references may go deeper than that of a thread.
    fn from(&mut self, start: T) -> Rc<BTreeSet<T>> {
        let mut stack = vec![(start.clone(), false)];
        let mut entered = BTreeSet::new();
        while let Some((at, seen)) = stack.pop() {
            if self.found.contains_key(&at) {
                continue;
            }
            let next = (self.next)(&at);
            if !seen && entered.insert(at.clone()) {
                stack.push((at, true));
                stack.extend(next.into_iter().map(|it| (it, false)));
                continue;
            }
            let mut sets = next.iter().filter_map(|it| self.found.get(it));
            let own = (self.is_shared)(&at).then(|| at.clone());
            let all = match (sets.next(), sets.next(), own) {
                // Most lead to one thing only; what that leads to is shared.
                (Some(only), None, None) => only.clone(),
                (first, second, own) => {
                    let all = first.into_iter().chain(second).chain(sets);
                    let mut all: BTreeSet<T> = all.flat_map(|it| it.iter().cloned()).collect();
                    all.extend(own);
                    Rc::new(all)
                }
            };
            self.found.insert(at, all);
        }
        self.found.get(&start).cloned().unwrap_or_default()
    }
}

/// What meets at each shared object.
struct Meet<T> {
    at: BTreeMap<T, (Vec<u32>, Vec<u32>)>,
}

impl<T> Default for Meet<T> {
    fn default() -> Meet<T> {
        Meet { at: BTreeMap::new() }
    }
}

impl<T: Ord + Clone> Meet<T> {
    fn first(&mut self, shared: &BTreeSet<T>, steps: &[u32]) {
        for it in shared {
            self.at.entry(it.clone()).or_default().0.extend(steps);
        }
    }

    fn then(&mut self, shared: &BTreeSet<T>, steps: &[u32]) {
        for it in shared {
            self.at.entry(it.clone()).or_default().1.extend(steps);
        }
    }

    fn draw(self, draft: &mut Draft) {
        for (first, then) in self.at.into_values() {
            if first.is_empty() || then.is_empty() {
                continue;
            }
            let meet = draft.step(Op::Join, None);
            first.iter().for_each(|it| draft.edge(*it, meet, Strength::Companion));
            then.iter().for_each(|it| draft.edge(meet, *it, Strength::Companion));
        }
    }
}
