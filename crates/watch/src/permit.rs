//! Whether the plan of a repair may be carried out.

use std::collections::BTreeSet;

use plumb_model::addr::ObjectKey;
use plumb_model::plan::{Action, Plan};

use crate::{Refusal, Repair};

/// What a plan will do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permit {
    /// The objects that it changes.
    pub changes: BTreeSet<ObjectKey>,
}

/// Lets a plan pass that does what the repair may do.
///
/// # Errors
/// If it does more.
pub fn permit(plan: &Plan, repair: &Repair, allow_destroy: bool) -> Result<Permit, Refusal> {
    let all = plan.changes.iter().map(|(key, it)| (key, it.action));
    let changed = |it: &(&ObjectKey, Action)| !matches!(it.1, Action::Keep | Action::Read);
    let changes: Vec<(&ObjectKey, Action)> = all.filter(changed).collect();
    let destroys = |action: Action| match action {
        Action::Replace(_) | Action::Delete | Action::Forget => true,
        Action::Keep | Action::Create | Action::Read | Action::Update => false,
    };
    let destroyed: Vec<ObjectKey> =
        changes.iter().filter(|it| destroys(it.1)).map(|it| it.0.clone()).collect();
    if !allow_destroy && !destroyed.is_empty() {
        return Err(Refusal::Destroys(destroyed));
    }
    // A resumed repair is planned from the whole configuration: nothing else may slip in.
    let others = changes.iter().filter(|it| repair.resume && !repair.objects.contains(it.0));
    let others: Vec<ObjectKey> = others.map(|it| it.0.clone()).collect();
    if !others.is_empty() {
        return Err(Refusal::Others(others));
    }
    let needs = u32::try_from(changes.len()).unwrap_or(u32::MAX);
    if needs > repair.changes_max {
        return Err(Refusal::Budget { needs, left: repair.changes_max });
    }
    Ok(Permit { changes: changes.into_iter().map(|it| it.0.clone()).collect() })
}
