//! What must hold, whatever happens.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use plumb_diag::Diagnostic;
use plumb_executor::{Call, CallWork};
use plumb_lang::Program;
use plumb_model::addr::{Kind, Mode, ObjectKey};
use plumb_model::event::{Event, Intended};
use plumb_model::plan::{Action, Op, Plan, ReplaceOrder};
use plumb_model::state::{Object, State};
use plumb_planner::{Options, PlanMode};

use crate::cloud::{Cloud, numbers};
use crate::generate::Config;

fn is_remote(kind: &Kind) -> bool {
    matches!(&**kind, "cloud_disk" | "cloud_node")
}

/// The objects that should be in the cloud.
fn remote(state: &State) -> impl Iterator<Item = (&ObjectKey, &Object)> {
    state.objects.iter().filter(|(key, _)| {
        key.addr.resource.mode == Mode::Managed && is_remote(&key.addr.resource.kind)
    })
}

/// Everything that exists is owned, or is being looked for; and nothing is owned twice.
pub(crate) fn no_orphans(state: &State, cloud: &Cloud) {
    let mut owned: BTreeMap<u64, &ObjectKey> = BTreeMap::new();
    for (key, object) in remote(state) {
        if let Some(it) = cloud.object(&object.attrs)
            && let Some(other) = owned.insert(it.number, key)
        {
            panic!("{key} and {other} are one object");
        }
    }
    for object in cloud.objects.values().filter(|it| !it.released) {
        let looked_for = state.in_doubt.contains_key(&object.token);
        assert!(
            owned.contains_key(&object.number) || looked_for,
            "{}#{}# ({:?}, made by {}) is an orphan",
            &*object.kind,
            object.number,
            object.attrs,
            object.token
        );
    }
}

/// A plan is a function of its input.
pub(crate) fn same_plan(a: &Plan, b: &Plan) {
    assert_eq!(a.refresh, b.refresh);
    assert_eq!(a.changes, b.changes);
    assert_eq!(a.drift, b.drift);
    assert_eq!(a.outputs, b.outputs);
    assert_eq!(a.steps, b.steps);
    assert_eq!(a.notes, b.notes);
}

/// Nothing is believed to be gone that is there.
pub(crate) fn plan(plan: &Plan, state: &State, cloud: &Cloud) {
    assert_eq!(plumb_planner::audit(plan), Ok(()));
    let mut state = state.clone();
    for event in &plan.refresh {
        if let Event::Vanished { key } = event {
            let there = cloud.object(&state.objects[key].attrs);
            assert!(there.is_none(), "{key} is there");
        }
        state.record(event).expect("a refresh is legal");
    }
    for key in plan.changes.keys().filter(|it| it.deposed.is_some()) {
        assert!(state.objects.contains_key(key), "{key} is planned, but is not there");
    }
}

/// What the journal says is what is in memory.
pub(crate) fn same_state(journal: &State, memory: &State) {
    assert!(journal == memory, "journal and memory disagree:\n{journal:#?}\n{memory:#?}");
}

/// No unknown value reaches a provider, and no mark.
pub(crate) fn call(work: &CallWork) {
    let planned = match &work.call {
        Call::Create { planned } | Call::Update { planned, .. } => planned,
        Call::Delete { prior } => &prior.attrs,
    };
    assert!(planned.is_wholly_known(), "{}: {planned:?}", work.key);
    assert!(planned.marks_deep().is_empty(), "{}: {planned:?}", work.key);
    assert!(work.config.is_wholly_known(), "{}: {:?}", work.key, work.config);
}

/// Nothing is deleted while something that stays still leans on it, unless the plan says so.
pub(crate) fn lets_go_first(plan: &Plan, work: &CallWork, cloud: &Cloud, options: &Options) {
    let Call::Delete { prior } = &work.call else { return };
    if !is_remote(&work.kind) || options.mode != PlanMode::Normal || !plan.notes.is_empty() {
        return;
    }
    let Some(gone) = cloud.object(&prior.attrs) else { return };
    let current = work.key.addr.current();
    let in_place = plan.changes.get(&current).map(|it| it.action)
        == Some(Action::Replace(ReplaceOrder::DeleteFirst));
    if in_place && work.key == current {
        return;
    }
    for other in cloud.objects.values().filter(|it| !it.released && it.number != gone.number) {
        let leans = other.texts().flat_map(numbers).any(|it| it == gone.number);
        assert!(
            !leans,
            "{} is deleted under #{}# {:?}\n{}",
            work.key,
            other.number,
            other.attrs,
            steps(plan)
        );
    }
}

/// What is to stay is not deleted.
pub(crate) fn lets_stay(config: &Config, work: &CallWork, options: &Options) {
    let deletes = matches!(work.call, Call::Delete { .. });
    let normal = options.mode == PlanMode::Normal && work.key.deposed.is_none();
    assert!(
        !(deletes && normal && config.lets_stay(&work.key.addr.to_string())),
        "{} is deleted, but was to stay",
        work.key
    );
}

/// What is kept is the same before and after, marks and all.
pub(crate) fn kept(plan: &Plan) {
    for (key, change) in plan.changes.iter().filter(|it| it.1.action == Action::Keep) {
        assert_eq!(change.before, change.after, "{key} is kept");
    }
}

/// Whether the call puts a new object in the place of one that is deleted later.
pub(crate) fn retires(work: &CallWork) -> bool {
    match &work.started {
        Event::Started { intent, .. } => {
            matches!(&intent.action, Intended::Create { retire: Some(_), .. })
        }
        _ => false,
    }
}

/// Nothing that happened is a bug of ours.
pub(crate) fn honest(diagnostics: &[Diagnostic], troubled: bool) {
    for it in diagnostics {
        let known = it.summary.starts_with("Refused")
            || it.summary == "Lost"
            || it.summary == "Provider left the object unfinished"
            // What the provider is made from was never made and is not a target, or comes after.
            || (troubled && it.summary == "Provider configuration not known");
        assert!(known, "{it:#?}");
    }
}

/// Everything is as the configuration says.
pub(crate) fn settled(config: &Config, program: &Program, state: &State, cloud: &Cloud) {
    let wanted: BTreeSet<String> = config.addresses().into_iter().collect();
    let managed = state.objects.keys().filter(|it| it.addr.resource.mode == Mode::Managed);
    let found: BTreeSet<String> = managed.map(ToString::to_string).collect();
    assert_eq!(wanted, found);
    assert!(state.in_doubt.is_empty(), "{:?}", state.in_doubt);
    for (key, object) in &state.objects {
        assert!(!object.tainted, "{key} is tainted");
        let node = program.find(&key.addr.config()).expect("it is in the configuration");
        assert_eq!(program.node(node).needs, object.needs, "{key}: stale dependency records");
    }
    for (key, object) in remote(state) {
        assert!(cloud.object(&object.attrs).is_some(), "{key} is not there");
    }
    told(state, cloud);
    let ours = cloud.objects.values().filter(|it| !it.released).count();
    assert_eq!(ours, remote(state).count());
}

/// What the configuration no longer says was taken back. (What others did to what is unmanaged is
/// theirs; only we know numbers.)
fn told(state: &State, cloud: &Cloud) {
    for (key, object) in remote(state) {
        let Some(there) = cloud.object(&object.attrs) else { continue };
        let ours: BTreeSet<u64> = text_numbers(&format!("{:?}", object.attrs.unmark_deep()));
        let theirs: BTreeSet<u64> = there.texts().flat_map(numbers).collect();
        assert!(theirs.is_subset(&ours), "{key} still names {theirs:?}: {:?}", there.attrs);
        let secret = object.attrs.get_attr("secret").is_some_and(|it| !it.is_null());
        assert_eq!(there.has_secret(), secret, "{key}: {:?}", there.attrs);
        assert!(there.complete, "{key} is half made");
    }
}

fn text_numbers(text: &str) -> BTreeSet<u64> {
    numbers(text).collect()
}

/// All is gone.
pub(crate) fn nothing_left(state: &State, cloud: &Cloud) {
    assert!(state.objects.is_empty() && state.in_doubt.is_empty(), "{state:#?}");
    assert!(cloud.objects.values().all(|it| it.released), "{:#?}", cloud.objects);
}

/// The steps, for the story.
pub(crate) fn steps(plan: &Plan) -> String {
    let mut out = String::new();
    for event in &plan.refresh {
        let _ = writeln!(out, "  refresh {}", line(event));
    }
    for (key, change) in plan.changes.iter().filter(|it| it.1.action != Action::Keep) {
        let _ = writeln!(out, "  {:?} {key}", change.action);
        let _ = writeln!(out, "      before {:?}\n      after  {:?}", change.before, change.after);
    }
    for (index, step) in plan.steps.iter().enumerate() {
        let after: Vec<u32> = step.after.iter().map(|it| it.0).collect();
        let what = match &step.op {
            Op::Evaluate => format!("Evaluate {:?}", step.site),
            op => format!("{op:?}"),
        };
        let _ = writeln!(out, "  {index}: {what} after {after:?}");
    }
    for (name, change) in plan.outputs.iter().filter(|it| !it.1.is_keep()) {
        let _ = writeln!(out, "  output {name}: {:?} -> {:?}", change.before, change.after);
    }
    for note in &plan.notes {
        let _ = writeln!(out, "  note {}: {}", note.summary, note.detail);
    }
    out
}

/// An event in one line.
pub(crate) fn line(event: &Event) -> String {
    match event {
        Event::Started { token, intent } => format!("{token} started {:?}", intent.action),
        Event::Recorded { key, object } => format!("recorded {key} {:?}", object.attrs),
        Event::Checked { .. } => "checked".into(),
        other => format!("{other:?}"),
    }
}
