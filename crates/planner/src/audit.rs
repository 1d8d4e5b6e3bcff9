//! Checks a finished plan against what every plan must satisfy. Written apart from the planner, so
//! that a bug must be made twice to go unseen.

use std::collections::BTreeMap;

use plumb_model::addr::ObjectKey;
use plumb_model::plan::{Action, Op, Plan};

/// What is wrong with a plan, if something is.
pub fn audit(plan: &Plan) -> Result<(), String> {
    for (index, step) in plan.steps.iter().enumerate() {
        if step.after.iter().any(|it| index <= it.0 as usize) {
            return Err(format!("step {index} waits on a later step"));
        }
    }
    // Making and deleting steps by object.
    let mut made: BTreeMap<ObjectKey, u32> = BTreeMap::new();
    let mut dropped: BTreeMap<&ObjectKey, u32> = BTreeMap::new();
    for step in &plan.steps {
        match &step.op {
            Op::Create { addr, .. } | Op::Update { addr } | Op::Read { addr } => {
                *made.entry(addr.current()).or_default() += 1;
            }
            Op::Delete { key } | Op::Forget { key } => *dropped.entry(key).or_default() += 1,
            Op::Rebind { .. } | Op::Evaluate | Op::Join => {}
        }
    }
    for (key, change) in &plan.changes {
        let makes = made.get(key).copied().unwrap_or(0);
        let wanted = match change.action {
            Action::Create | Action::Update | Action::Replace(_) | Action::Read => 1,
            Action::Keep | Action::Delete | Action::Forget => 0,
        };
        if makes != wanted {
            return Err(format!(
                "{key}: {:?} needs {wanted} making steps, not {makes}",
                change.action
            ));
        }
        let drops = dropped.get(key).copied().unwrap_or(0);
        let most = u32::from(matches!(
            change.action,
            Action::Delete | Action::Forget | Action::Replace(_)
        ));
        if drops > most || (most == 1 && drops == 0 && !matches!(change.action, Action::Replace(_)))
        {
            return Err(format!("{key}: {:?} has {drops} deleting steps", change.action));
        }
        if let Some(after) = &change.after
            && matches!(change.action, Action::Keep)
            && change.importing.is_none()
            && change.before.as_ref().is_some_and(|it| it.unmark_deep() != after.unmark_deep())
        {
            return Err(format!("{key} is kept but would change"));
        }
    }
    Ok(())
}
