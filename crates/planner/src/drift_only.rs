//! Of a plan only what drift makes necessary.
//!
//! What the configuration asks for by itself is what a plan asks for that does not look at the
//! world. The rest of the plan that does is there because of drift: the objects that moved, and
//! those that must follow them. An object that is in both is left alone: a repair of it alone cannot
//! be had. What follows from an object that is left alone is in both as well, so nothing that is
//! kept leans on a value that will not come.

use std::sync::Arc;

use plumb_diag::Diagnostic;
use plumb_lang::{NodeKind, Program};
use plumb_model::addr::ObjectKey;
use plumb_model::plan::{Action, Change, Op, Plan};

/// Takes out of `plan` what `pending`, the plan that did not look, asks for too.
pub(crate) fn restrict(plan: &mut Plan, pending: &Plan, program: &Program) {
    let asked = |key: &ObjectKey| {
        pending.changes.get(key).is_some_and(|it| it.action != Action::Keep || is_renamed(it))
    };
    let left: Vec<ObjectKey> = plan.changes.keys().filter(|it| asked(it)).cloned().collect();
    for key in &left {
        let Some(change) = plan.changes.get_mut(key) else { continue };
        if plan.drift.contains_key(key) && change.action != Action::Keep {
            let detail = format!(
                "{key} drifted, and its configuration was changed as well. It is left as it is: an \
                 apply without -drift-only takes care of both."
            );
            let warning = Diagnostic::warning("Drift is not repaired", detail);
            plan.notes.push(warning.about(key.to_string()));
        }
        match change.before.clone() {
            Some(before) => {
                change.action = Action::Keep;
                change.after = Some(before);
                change.reason = None;
                change.replace_paths.clear();
                change.says.clear();
                change.importing = None;
            }
            None => _ = plan.changes.remove(key),
        }
    }
    let asked_of_output =
        |name: &Arc<str>| pending.outputs.get(name).is_some_and(|it| !it.is_keep());
    plan.outputs.retain(|name, _| !asked_of_output(name));
    for step in &mut plan.steps {
        let goes = match &step.op {
            Op::Delete { key } | Op::Forget { key } => asked(key),
            Op::Evaluate => step.site.is_some_and(|site| {
                let node = &program.nodes[site.node as usize];
                let root = program.module(node.module).path.is_root();
                matches!(&node.kind, NodeKind::Output(name) if root && asked_of_output(name))
            }),
            op => op.addr().is_some_and(|it| asked(&it.current())),
        };
        // What waits for it waits for what it waited for.
        if goes {
            step.op = Op::Join;
            step.site = None;
        }
    }
    plan.partial |= !left.is_empty();
}

fn is_renamed(change: &Change) -> bool {
    change.moved_from.is_some() || change.importing.is_some()
}
