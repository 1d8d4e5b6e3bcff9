//! `replace_triggered_by`.

use super::*;

/// The values that `replace_triggered_by` names, each with the resource block that it is about: the
/// node, the position of its instance (none: all of them), and the path into it.
pub fn replace_triggers(
    world: World<'_>,
    id: NodeId,
    instance: u32,
    each: Each,
    diagnostics: &mut Diagnostics,
) -> Vec<Trigger> {
    let (_, block) = resource_block(world, id);
    let module = world.program.node(id).module;
    let mut scope = Scope::new(world, module, instance);
    scope.each = each;
    let mut res = Vec::new();
    for expr in &block.lifecycle.replace_triggered_by {
        if let Some(trigger) = trigger(&scope, expr, diagnostics) {
            res.push(trigger);
        }
    }
    res
}

/// What a `replace_triggered_by` entry names.
#[derive(Clone, Debug, PartialEq)]
pub struct Trigger {
    /// The block.
    pub node: NodeId,
    /// Which of its instances, by position; all if none is said.
    pub index: Option<usize>,
    /// The attribute, if not the whole object.
    pub attr: Option<Arc<str>>,
}

pub(super) fn trigger(
    scope: &Scope<'_>,
    expr: &Expr,
    diagnostics: &mut Diagnostics,
) -> Option<Trigger> {
    let invalid = || {
        Diagnostic::error(
            "Invalid replace_triggered_by expression",
            "The replace_triggered_by expression must refer to resources, or attributes of \
             resources, of the same module.",
        )
        .at(expr.span)
    };
    let (traversal, more): (_, &[AccessStep]) = match &expr.kind {
        ExprKind::Traversal(it) => (&**it, &[]),
        ExprKind::Access(access) => match &access.base.kind {
            ExprKind::Traversal(it) => (&**it, &access.steps),
            _ => {
                diagnostics.push(invalid());
                return None;
            }
        },
        _ => {
            diagnostics.push(invalid());
            return None;
        }
    };
    let lookup = scope.world.program.module(scope.module).lookup(traversal);
    let (node, steps) = match lookup {
        Ok((Name::Node(node), steps))
            if matches!(scope.world.program.node(node).kind, NodeKind::Resource(_)) =>
        {
            (node, steps)
        }
        Ok(_) => {
            diagnostics.push(invalid());
            return None;
        }
        Err(error) => {
            diagnostics.push(*error);
            return None;
        }
    };
    let mut key: Option<InstanceKey> = None;
    let mut attr: Option<Arc<str>> = None;
    let mut keyed = |value: &Value| {
        if let Some(text) = value.as_str() {
            key = Some(InstanceKey::Str(text.into()));
        } else if let Some(index) = value.as_i64() {
            key = Some(InstanceKey::Int(index.unsigned_abs()));
        }
    };
    for step in &traversal.steps[steps..] {
        match &step.kind {
            StepKind::Attr(name) => attr = attr.or(Some(name.clone())),
            StepKind::Key(text) if attr.is_none() => keyed(&Value::shared_string(text)),
            StepKind::Number(text) | StepKind::Legacy(text) if attr.is_none() => {
                keyed(&text.parse::<i64>().map_or(Value::NULL, Value::number));
            }
            _ => {}
        }
    }
    for step in more {
        match step {
            AccessStep::Step(step) => {
                if let StepKind::Attr(name) = &step.kind {
                    attr = attr.or(Some(name.clone()));
                }
            }
            AccessStep::Index { key: expr, .. } if attr.is_none() => {
                let value = eval::evaluate(expr, scope, diagnostics).unmark_deep();
                keyed(&value);
            }
            _ => {}
        }
    }
    let slot = scope.world.known.resource(node, scope.instance)?;
    let index = match &key {
        None => None,
        Some(key) => Some(slot.instances.position(Some(key))?),
    };
    Some(Trigger { node, index, attr })
}
