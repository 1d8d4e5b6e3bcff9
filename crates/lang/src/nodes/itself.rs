//! Resources whose arguments name them.

use super::*;
use crate::compile::{names_node, self_reference};
use crate::syntax::{Step, Traversal};

/// Refuses references of one instance to itself, or to all instances of its block.
pub(super) fn body(
    world: World<'_>,
    id: NodeId,
    instance: u32,
    each: &Each,
    diagnostics: &mut Diagnostics,
) {
    let (resource, block) = resource_block(world, id);
    let module = world.program.module(world.program.node(id).module);
    let addr = address_of(world, id, instance, each.key());
    for it in eval::body_references(&block.body) {
        if !names_node(module, it, id) {
            continue;
        }
        let times = match (&addr.key, next(it, resource).and_then(|it| key_of(&it.kind))) {
            // Its name is that of the block, too: Terraform refuses both.
            (None, _) => 2,
            (Some(_), None) => 1,
            (Some(own), Some(key)) => usize::from(*own == key),
        };
        let error = self_reference("Self-referential block", &addr, Some(it.span()));
        diagnostics.extend(std::iter::repeat_n(error, times));
    }
}

/// Refuses a number of instances that depends on the instances.
pub(super) fn repeat(world: World<'_>, id: NodeId, repeat: &Repeat, diagnostics: &mut Diagnostics) {
    let (Repeat::Count(expr) | Repeat::ForEach(expr)) = repeat else { return };
    let (resource, _) = resource_block(world, id);
    let module = world.program.module(world.program.node(id).module);
    let of_itself = eval::references(expr).into_iter().filter(|it| names_node(module, it, id));
    diagnostics.extend(of_itself.map(|it| {
        self_reference("Self-referential block", &resource.addr.resource, Some(it.span()))
    }));
}

/// The step after the name of the block.
fn next<'a>(traversal: &'a Traversal, resource: &ResourceNode) -> Option<&'a Step> {
    let root = &*traversal.root.text;
    let named = if *root == *resource.addr.resource.kind.0 { 1 } else { 2 };
    traversal.steps.get(named)
}

fn key_of(step: &StepKind) -> Option<InstanceKey> {
    match step {
        StepKind::Key(key) => Some(InstanceKey::Str(key.clone())),
        StepKind::Number(text) => text.parse().ok().map(InstanceKey::Int),
        StepKind::Attr(_) | StepKind::Legacy(_) => None,
    }
}
