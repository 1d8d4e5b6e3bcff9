//! Turns changes into numbered steps.
//!
//! Edges stay linear in instances plus references: where many meet many there is a step in between
//! that does nothing ([`Op::Join`]) or evaluates what they share ([`Op::Evaluate`]).

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

use petgraph::algo::kosaraju_scc;
use petgraph::graph::DiGraph;
use plumb_diag::{Diagnostic, Diagnostics};
use plumb_lang::{Instances, ModuleId, NodeId, NodeKind};
use plumb_model::addr::{Addr, ConfigAddr, DeposedKey, Mode, ObjectKey, ProviderAddr};
use plumb_model::plan::{Action, Op, Plan, ReplaceOrder, Site, Step, StepId};
use plumb_model::state::Token;

use crate::companions;
use crate::walk::Walked;
use crate::{Input, PlanMode, Planned};

/// How much an edge matters, when not all can be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Strength {
    /// Nobody wrote it, but it would go better so.
    Companion,
    /// Whoever is updated lets go of what is deleted after it.
    Update,
    /// Whoever leans on something is deleted before it; this one is made anew. It is likely to lean
    /// on what stays and not on what is deleted, which other instances of the block were for.
    DeleteReplaced,
    /// The same of one that is not made anew.
    Delete,
    /// What is referred to comes first; a replacement's two halves keep their order.
    Config,
}

/// Steps and edges between them, not numbered yet.
#[derive(Default)]
pub(crate) struct Draft {
    ops: Vec<(Op, Option<Site>)>,
    edges: Vec<(u32, u32, Strength)>,
}

impl Draft {
    pub(crate) fn step(&mut self, op: Op, site: Option<Site>) -> u32 {
        self.ops.push((op, site));
        (self.ops.len() - 1) as u32
    }

    pub(crate) fn edge(&mut self, from: u32, to: u32, strength: Strength) {
        self.edges.push((from, to, strength));
    }
}

pub(crate) fn order(input: Input<'_>, mut walked: Walked) -> Planned {
    let mut draft = Draft::default();
    let mut made: BTreeMap<Addr, u32> = BTreeMap::new();
    let mut providers = BTreeMap::new();
    if input.options.mode == PlanMode::Normal {
        providers = forward(input, &walked, &mut draft, &mut made);
        companions::make(input.program, &mut draft, &made);
    }
    let drops = backward(&walked, &mut draft, &made, &providers);
    companions::drop(input.schemas, &walked.prior, &mut draft, &made, &drops);
    let steps = number(draft, &mut walked.notes, input.run);
    if walked.included.is_partial() {
        walked.notes.push(Diagnostic::warning(
            "Resource targeting is in effect",
            "You are creating a plan with the -target option, which means that the result of this \
             plan may not represent all of the changes requested by the current configuration.\n\n\
             The -target option is not for routine use, and is provided only for exceptional \
             situations such as recovering from errors or mistakes, or when plumb specifically \
             suggests to use it as part of an error message.",
        ));
    }
    let plan = Plan {
        run: input.run,
        refresh: walked.events,
        changes: walked.changes,
        drift: walked.drift,
        outputs: walked.outputs,
        steps,
        notes: walked.notes,
        check_notes: walked.check_notes,
        checks: walked.checks,
        partial: walked.included.is_partial(),
    };
    Planned { plan, known: walked.known, prior: walked.prior, providers: walked.providers }
}

/// Steps that follow the configuration: making, changing, reading, evaluating.
/// Returns the steps after which the providers are known that are not from the beginning.
fn forward(
    input: Input<'_>,
    walked: &Walked,
    draft: &mut Draft,
    made: &mut BTreeMap<Addr, u32>,
) -> BTreeMap<Arc<ProviderAddr>, u32> {
    let mut providers = BTreeMap::new();
    let program = input.program;
    // By node and instance of its module: the step after which it is as it will be.
    let mut points: Vec<Vec<Option<u32>>> = vec![Vec::new(); program.nodes.len()];
    for (id, node) in program.nodes() {
        let infos = walked.known.module(node.module);
        let mut own = vec![None; infos.len()];
        let steps = |me: u32| Site { node: id.0, module: me };
        for instance in 0..infos.len() as u32 {
            let mut upstream: Vec<u32> = Vec::new();
            for reference in &node.refs {
                let other = program.node(*reference).module;
                let points = &points[reference.0 as usize];
                if points.iter().all(Option::is_none) {
                    continue;
                }
                related(input, walked, node.module, instance, other, &mut |index| {
                    upstream.extend(points[index as usize]);
                });
            }
            upstream.sort_unstable();
            upstream.dedup();
            let site = Some(steps(instance));
            own[instance as usize] = match &node.kind {
                NodeKind::Resource(_) => {
                    resource(walked, id, instance, node.module, input, &upstream, draft, made)
                }
                // What they say is said of the end of a run.
                NodeKind::Check(_) if walked.included.node(id.0 as usize) => {
                    Some(after(draft, Op::Evaluate, site, &upstream))
                }
                _ if upstream.is_empty() && !is_open(walked, id, instance) => None,
                NodeKind::Gate(_) | NodeKind::Done(_) => {
                    Some(after(draft, Op::Join, None, &upstream))
                }
                _ if !walked.included.node(id.0 as usize) => {
                    Some(after(draft, Op::Join, None, &upstream))
                }
                _ => Some(after(draft, Op::Evaluate, site, &upstream)),
            };
        }
        if let (NodeKind::Provider(provider), [Some(point)]) = (&node.kind, &own[..])
            && walked.providers.get(&provider.addr).is_some_and(|it| !it.is_wholly_known())
        {
            providers.insert(provider.addr.clone(), *point);
        }
        points[id.0 as usize] = own;
    }
    providers
}

/// Whether something depends on nothing that is changed, and still is known only while the plan is
/// carried out: `timestamp()`, `uuid()`.
fn is_open(walked: &Walked, id: NodeId, instance: u32) -> bool {
    walked.included.node(id.0 as usize)
        && walked.known.value(id, instance).is_some_and(|it| !it.is_wholly_known())
}

fn after(draft: &mut Draft, op: Op, site: Option<Site>, upstream: &[u32]) -> u32 {
    let step = draft.step(op, site);
    upstream.iter().for_each(|it| draft.edge(*it, step, Strength::Config));
    step
}

/// The steps of one resource block in one instance of its module; returns where they meet.
#[expect(clippy::too_many_arguments, reason = "the body of one loop")]
fn resource(
    walked: &Walked,
    id: NodeId,
    instance: u32,
    module: ModuleId,
    input: Input<'_>,
    upstream: &[u32],
    draft: &mut Draft,
    made: &mut BTreeMap<Addr, u32>,
) -> Option<u32> {
    let NodeKind::Resource(node) = &input.program.node(id).kind else { return None };
    let slot = walked.known.resource(id, instance)?;
    let site = Some(Site { node: id.0, module: instance });
    let addr = |index: usize| Addr {
        module: walked.known.module_info(module, instance).addr.clone(),
        resource: node.addr.resource.clone(),
        key: slot.instances.key(index),
    };
    let mut wanted: Vec<Op> = Vec::new();
    for index in 0..slot.instances.len() {
        let addr = addr(index);
        let Some(change) = walked.changes.get(&addr.current()) else { continue };
        match change.action {
            Action::Create | Action::Replace(_) => wanted.push(Op::Create { addr, retire: None }),
            Action::Update => wanted.push(Op::Update { addr }),
            Action::Read => wanted.push(Op::Read { addr }),
            Action::Keep => {
                let rebound = walked.prior.current(&addr).is_some_and(|it| {
                    it.needs != change.needs
                        || it.create_before_destroy != change.create_before_destroy
                        || it.provider != change.provider
                });
                if rebound {
                    wanted.push(Op::Rebind { addr });
                }
            }
            Action::Delete | Action::Forget => {}
        }
    }
    // `each.value` may hold what is not known yet: once it is, it is evaluated once for all.
    let unknown = match &slot.instances {
        Instances::Each(each) => each.iter().any(|it| !it.1.is_wholly_known()),
        _ => false,
    };
    let mut ready = upstream.to_vec();
    if unknown && !upstream.is_empty() && !wanted.is_empty() {
        ready = vec![after(draft, Op::Evaluate, site, upstream)];
    } else if wanted.len() > 1 && upstream.len() > 1 {
        ready = vec![after(draft, Op::Join, None, upstream)];
    }
    let mut own = Vec::with_capacity(wanted.len());
    for op in wanted {
        let addr = op.addr().cloned();
        let step = after(draft, op, site, &ready);
        made.extend(addr.map(|it| (it, step)));
        own.push(step);
    }
    match own[..] {
        [] if upstream.is_empty() => None,
        // What is not changed still waits: others may depend on it to come after what it needs.
        [] => match ready[..] {
            [one] => Some(one),
            _ => Some(after(draft, Op::Join, None, &ready)),
        },
        [one] => Some(one),
        _ => Some(after(draft, Op::Join, None, &own)),
    }
}

/// The instances of module `other` that something in instance `instance` of `module` refers to: up
/// to the module that holds both, and down from there into everything inside.
fn related(
    input: Input<'_>,
    walked: &Walked,
    module: ModuleId,
    instance: u32,
    other: ModuleId,
    found: &mut dyn FnMut(u32),
) {
    if module == other {
        return found(instance);
    }
    let program = input.program;
    let target = &program.module(other).path.0;
    let (mut at, mut index) = (module, instance);
    while !target.starts_with(&program.module(at).path.0) {
        let Some((parent, _)) = program.module(at).parent else { return };
        index = walked.known.module_info(at, index).parent;
        at = parent;
    }
    let common = at;
    let mut chain = Vec::new();
    at = other;
    while at != common {
        let Some((parent, call)) = program.module(at).parent else { return };
        chain.push(call);
        at = parent;
    }
    let mut inside = vec![index];
    for call in chain.into_iter().rev() {
        inside = inside
            .into_iter()
            .filter_map(|it| walked.known.call(call, it))
            .flat_map(|(instances, first)| first..first + instances.len() as u32)
            .collect();
    }
    inside.into_iter().for_each(found);
}

/// Where the deletions of one block meet.
#[derive(Default)]
struct Gone {
    /// After everything deleted that leans on it.
    deleted: Option<u32>,
    /// After that, and everything updated that leaned on it.
    updated: Option<u32>,
}

/// Steps that follow what is remembered: deleting and forgetting.
fn backward<'a>(
    walked: &'a Walked,
    draft: &mut Draft,
    made: &BTreeMap<Addr, u32>,
    providers: &BTreeMap<Arc<ProviderAddr>, u32>,
) -> BTreeMap<&'a ObjectKey, u32> {
    let mut drops: BTreeMap<&ObjectKey, u32> = BTreeMap::new();
    let mut dropped: BTreeMap<ConfigAddr, Gone> = BTreeMap::new();
    for (key, change) in &walked.changes {
        let op = match change.action {
            Action::Delete => Op::Delete { key: key.clone() },
            Action::Replace(_) if walked.prior.objects.contains_key(key) => {
                Op::Delete { key: key.clone() }
            }
            Action::Forget => Op::Forget { key: key.clone() },
            _ => continue,
        };
        let step = draft.step(op, None);
        drops.insert(key, step);
        if let Some(known) = providers.get(&walked.prior.objects[key].provider) {
            draft.edge(*known, step, Strength::Update);
        }
        dropped.entry(key.addr.config()).or_default();
    }
    if drops.is_empty() {
        return drops;
    }
    let join = |draft: &mut Draft, at: &mut Option<u32>| {
        *at.get_or_insert_with(|| draft.step(Op::Join, None))
    };
    for (key, object) in &walked.prior.objects {
        let own = key.addr.config();
        for need in object.needs.iter().filter(|it| **it != own) {
            let Some(mut gone) = dropped.remove(need) else { continue };
            if let Some(step) = drops.get(key) {
                let meet = join(draft, &mut gone.deleted);
                let replaced = matches!(walked.changes[key].action, Action::Replace(_));
                let strength = if replaced { Strength::DeleteReplaced } else { Strength::Delete };
                draft.edge(*step, meet, strength);
            } else if key.deposed.is_none()
                && key.addr.resource.mode == Mode::Managed
                && let Some(step) = made.get(&key.addr)
            {
                let meet = join(draft, &mut gone.updated);
                draft.edge(*step, meet, Strength::Update);
            }
            dropped.insert(need.clone(), gone);
        }
    }
    for (key, step) in &drops {
        let change = &walked.changes[*key];
        let order = match change.action {
            Action::Replace(order) => Some(order),
            _ => None,
        };
        let gone = dropped.get(&key.addr.config());
        if let Some(meet) = gone.and_then(|it| it.deleted) {
            // A circle is broken on the other side of the meeting point, where only those are let
            // go that are part of it.
            draft.edge(meet, *step, Strength::Config);
        }
        if order != Some(ReplaceOrder::DeleteFirst)
            && let Some(meet) = gone.and_then(|it| it.updated)
        {
            draft.edge(meet, *step, Strength::Config);
        }
        if let (Some(order), Some(make)) = (order, made.get(&key.addr)) {
            match order {
                ReplaceOrder::CreateFirst => draft.edge(*make, *step, Strength::Config),
                ReplaceOrder::DeleteFirst => draft.edge(*step, *make, Strength::Config),
            }
        }
    }
    retire(walked, draft, &drops, made);
    drops
}

/// The old object of a create-first replacement gets a name of its own, which its deletion uses.
/// The names come from the numbers of the making steps, so they are given in [`number`]; here the
/// deletions are only tied to them.
fn retire(
    walked: &Walked,
    draft: &mut Draft,
    drops: &BTreeMap<&ObjectKey, u32>,
    made: &BTreeMap<Addr, u32>,
) {
    for (key, change) in &walked.changes {
        if change.action != Action::Replace(ReplaceOrder::CreateFirst) {
            continue;
        }
        if let (Some(make), Some(_)) = (made.get(&key.addr), drops.get(key))
            && let Op::Create { retire, .. } = &mut draft.ops[*make as usize].0
        {
            *retire = Some(DeposedKey("".into()));
        }
    }
}

/// Numbers the steps so that every edge points forward. Where edges form a circle, the weakest in
/// it are dropped and noted.
fn number(draft: Draft, notes: &mut Diagnostics, run: u64) -> Vec<Step> {
    let Draft { mut ops, edges } = draft;
    let mut weakest = Strength::Companion;
    let mut edges = edges;
    let sorted = loop {
        if let Some(sorted) = sort(ops.len(), &edges) {
            break sorted;
        }
        let mut graph: DiGraph<(), (), u32> = DiGraph::with_capacity(ops.len(), edges.len());
        ops.iter().for_each(|_| {
            graph.add_node(());
        });
        graph.extend_with_edges(edges.iter().map(|(from, to, _)| (*from, *to)));
        let mut circle = vec![0u32; ops.len()];
        for (index, members) in kosaraju_scc(&graph).into_iter().enumerate() {
            members.iter().for_each(|it| circle[it.index()] = index as u32);
        }
        let before = edges.len();
        edges.retain(|(from, to, strength)| {
            circle[*from as usize] != circle[*to as usize] || *strength > weakest
        });
        let heard = before > edges.len() && weakest > Strength::Companion;
        notes.extend(heard.then(|| {
            Diagnostic::warning(
                "Some deletions cannot wait",
                "What is to be deleted is still in use by something that can only be changed \
                 after the deletion. The deletion may fail; the next apply then tries again.",
            )
        }));
        assert!(weakest < Strength::Config, "the configuration has no circles");
        weakest = match weakest {
            Strength::Companion => Strength::Update,
            Strength::Update => Strength::DeleteReplaced,
            Strength::DeleteReplaced => Strength::Delete,
            Strength::Delete | Strength::Config => Strength::Config,
        };
    };
    let mut number = vec![0u32; ops.len()];
    for (new, old) in sorted.iter().enumerate() {
        number[*old as usize] = new as u32;
    }
    let mut renamed: BTreeMap<Addr, DeposedKey> = BTreeMap::new();
    for (index, (op, _)) in ops.iter_mut().enumerate() {
        if let Op::Create { addr, retire: Some(name) } = op {
            *name = DeposedKey::of(Token { run, step: number[index] });
            renamed.insert(addr.clone(), name.clone());
        }
    }
    for (op, _) in &mut ops {
        if let Op::Delete { key } = op
            && key.deposed.is_none()
            && let Some(name) = renamed.get(&key.addr)
        {
            key.deposed = Some(name.clone());
        }
    }
    let mut after: Vec<Vec<StepId>> = vec![Vec::new(); ops.len()];
    for (from, to, _) in &edges {
        after[*to as usize].push(StepId(number[*from as usize]));
    }
    let mut steps: Vec<Option<(Op, Option<Site>)>> = ops.into_iter().map(Some).collect();
    sorted
        .into_iter()
        .filter_map(|old| {
            let (op, site) = steps[old as usize].take()?;
            let mut after = std::mem::take(&mut after[old as usize]);
            after.sort_unstable();
            after.dedup();
            Some(Step { op, after: after.into(), site })
        })
        .collect()
}

/// An order in which every edge points forward; of what is free to go, the first drafted goes
/// first. None: there is a circle.
fn sort(count: usize, edges: &[(u32, u32, Strength)]) -> Option<Vec<u32>> {
    let mut waits = vec![0u32; count];
    let mut next: Vec<Vec<u32>> = vec![Vec::new(); count];
    for (from, to, _) in edges {
        waits[*to as usize] += 1;
        next[*from as usize].push(*to);
    }
    let mut free: BinaryHeap<Reverse<u32>> =
        (0..count as u32).filter(|it| waits[*it as usize] == 0).map(Reverse).collect();
    let mut sorted = Vec::with_capacity(count);
    while let Some(Reverse(step)) = free.pop() {
        sorted.push(step);
        for to in &next[step as usize] {
            waits[*to as usize] -= 1;
            if waits[*to as usize] == 0 {
                free.push(Reverse(*to));
            }
        }
    }
    (sorted.len() == count).then_some(sorted)
}
