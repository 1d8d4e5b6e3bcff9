//! Whether the plan of a repair may be carried out.

use std::collections::BTreeSet;

use plumb_model::addr::ObjectKey;
use plumb_model::plan::{Action, Plan};

use crate::{Refusal, Repair};

/// Lets a plan pass that does what the repair may do. The objects that it changes.
///
/// # Errors
/// If it does more.
pub fn permit(
    plan: &Plan,
    repair: &Repair,
    allow_destroy: bool,
) -> Result<BTreeSet<ObjectKey>, Refusal> {
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
    Ok(changes.into_iter().map(|it| it.0.clone()).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use plumb_model::addr::Addr;
    use plumb_model::plan::{Change, ReplaceOrder};

    use super::*;

    fn key(name: &str) -> ObjectKey {
        name.parse::<Addr>().expect("an address").current()
    }

    fn plan(changes: &[(&str, Action)]) -> Plan {
        let provider: plumb_model::addr::ProviderAddr =
            r#"provider["registry.terraform.io/x/x"]"#.parse().expect("an address");
        let provider = Arc::new(provider);
        let change = |action: Action| Change {
            action,
            before: None,
            after: None,
            reason: None,
            replace_paths: Vec::new(),
            says: Vec::new(),
            moved_from: None,
            importing: None,
            provider: provider.clone(),
            needs: Arc::new([]),
            create_before_destroy: false,
        };
        let changes = changes.iter().map(|(name, action)| (key(name), change(*action))).collect();
        Plan { changes, ..Plan::default() }
    }

    fn repair(resume: bool) -> Repair {
        Repair { objects: BTreeSet::from([key("a.a")]), resume, changes_max: 2 }
    }

    #[test]
    fn consequences_count_and_nothing_is_destroyed_unasked() {
        let replace = Action::Replace(ReplaceOrder::DeleteFirst);
        let mild = plan(&[("a.a", Action::Create), ("a.b", Action::Update), ("a.c", Action::Keep)]);
        let permitted = permit(&mild, &repair(false), false).expect("it may");
        assert_eq!(permitted, BTreeSet::from([key("a.a"), key("a.b")]));
        for harsh in [replace, Action::Delete, Action::Forget] {
            let harsh = plan(&[("a.a", Action::Create), ("a.b", harsh)]);
            let refused = permit(&harsh, &repair(false), false);
            assert_eq!(refused, Err(Refusal::Destroys(vec![key("a.b")])));
            assert!(permit(&harsh, &repair(false), true).is_ok());
        }
        let long = plan(&["a.a", "a.b", "a.c"].map(|it| (it, Action::Update)));
        let refused = permit(&long, &repair(false), true);
        assert_eq!(refused, Err(Refusal::Budget { needs: 3, left: 2 }));
        let refused = permit(&mild, &repair(true), false);
        assert_eq!(refused, Err(Refusal::Others(vec![key("a.b")])));
    }
}
