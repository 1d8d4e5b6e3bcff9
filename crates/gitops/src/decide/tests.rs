use super::*;

fn policy(mode: Mode) -> Policy {
    let (windows, freezes) = (Vec::new(), Vec::new());
    Policy { mode, windows, freezes, destroy_max: None, changes_max: None }
}

/// A Thursday noon.
const NOON: Time = 1_795_694_400;

fn counts(create: u64, update: u64, replace: u64, destroy: u64) -> Counts {
    Counts { create, update, replace, destroy, other: 0 }
}

fn facts<'a>(policy: &'a Policy, plan: Counts, approval: &'a Standing) -> Facts<'a> {
    let drift = Counts::default();
    Facts { now: NOON, policy, frozen_by: None, plan, drift, digest: "d1", approval }
}

fn words(decision: &Decision) -> String {
    let list = |it: &[Reason]| it.iter().map(Reason::to_string).collect::<Vec<_>>().join("; ");
    match decision {
        Decision::Nothing => "nothing".into(),
        Decision::Apply { approved_by: None } => "apply".into(),
        Decision::Apply { approved_by: Some(by) } => format!("apply for {by}"),
        Decision::Repair { rest: None } => "repair".into(),
        Decision::Repair { rest: Some(rest) } => format!("repair, and {rest}"),
        Decision::Wait(reasons) => format!("wait: {}", list(reasons)),
        Decision::Refuse(reasons) => format!("refuse: {}", list(reasons)),
    }
}

#[test]
fn modes() {
    let plan = counts(1, 0, 0, 0);
    let check = |mode, approval: Standing, want: &str| {
        assert_eq!(words(&decide(&facts(&policy(mode), plan, &approval))), want, "{mode}");
    };
    check(Mode::Auto, Standing::None, "apply");
    check(Mode::PlanOnly, Standing::None, "wait: nothing is applied in this mode");
    check(Mode::Approve, Standing::None, "wait: it waits for approval of plan d1");
    check(Mode::Approve, Standing::Approved { by: "ann".into() }, "apply for ann");
    check(
        Mode::Approve,
        Standing::Other { by: "ann".into(), digest: "d0".into() },
        "wait: ann approved plan d0, which is not this one any more; it waits for approval of plan \
         d1",
    );
    check(
        Mode::DriftOnly,
        Standing::None,
        "wait: changes of the configuration wait, of 1 object: only drift is repaired in this mode",
    );
    let nothing = facts_nothing();
    assert!(nothing.iter().all(|it| *it == Decision::Nothing), "{nothing:?}");
}

fn facts_nothing() -> Vec<Decision> {
    let decide = |mode| decide(&facts(&policy(mode), Counts::default(), &Standing::None));
    Mode::ALL.iter().map(|it| decide(it.0)).collect()
}

#[test]
fn drift_is_repaired_alone() {
    let policy = Policy { destroy_max: Some(0), ..policy(Mode::DriftOnly) };
    let mut facts = facts(&policy, counts(1, 1, 0, 3), &Standing::None);
    facts.drift = counts(1, 0, 0, 0);
    // What waits destroys, what is done does not.
    assert_eq!(
        words(&decide(&facts)),
        "repair, and changes of the configuration wait, of 4 objects: only drift is repaired in this mode"
    );
    facts.drift = counts(0, 0, 1, 0);
    assert!(matches!(decide(&facts), Decision::Refuse(_)));
    facts.plan = counts(1, 0, 0, 0);
    facts.drift = facts.plan;
    assert_eq!(words(&decide(&facts)), "repair");
}

#[test]
fn limits() {
    let mut policy = policy(Mode::Auto);
    policy.destroy_max = Some(1);
    policy.changes_max = Some(3);
    let check = |plan, want: &str| {
        assert_eq!(words(&decide(&facts(&policy, plan, &Standing::None))), want);
    };
    check(counts(2, 0, 0, 1), "apply");
    check(
        counts(0, 0, 1, 1),
        "refuse: it destroys 2 objects, and no more than 1 may be destroyed at once (replacing \
         counts)",
    );
    check(counts(4, 0, 0, 0), "refuse: it touches 4 objects, and no more than 3 may be at once");
}

#[test]
fn times() {
    let mut policy = policy(Mode::Auto);
    policy.windows = vec!["Sat 08:00-18:00 UTC".parse().expect("a window")];
    let plan = counts(1, 0, 0, 0);
    assert_eq!(
        words(&decide(&facts(&policy, plan, &Standing::None))),
        "wait: no window for changes is open; the next opens 2026-11-28 08:00 UTC"
    );
    policy.windows.push("Thu 11:59-12:01 UTC".parse().expect("a window"));
    assert_eq!(words(&decide(&facts(&policy, plan, &Standing::None))), "apply");
    policy.freezes = vec!["2026-11-26..2026-11-26".parse().expect("a freeze")];
    let mut facts = facts(&policy, plan, &Standing::None);
    facts.frozen_by = Some("-freeze");
    assert_eq!(
        words(&decide(&facts)),
        "wait: changes are frozen by -freeze; changes are frozen on 2026-11-26..2026-11-26"
    );
}

/// A small generator: the same numbers for the same seed.
fn next(seed: &mut u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed
}

#[test]
fn nothing_is_applied_against_the_policy() {
    let mut seed = 0x9e37_79b9_7f4a_7c15;
    let (mut applied, mut held) = (0, 0);
    for _ in 0..20_000 {
        let mut some = |below: u64| next(&mut seed) % below;
        let counts = |some: &mut dyn FnMut(u64) -> u64| Counts {
            create: some(3),
            update: some(3),
            replace: some(3),
            destroy: some(3),
            other: some(2),
        };
        let maximum = |it: u64| (it < 4).then_some(it);
        let policy = Policy {
            mode: Mode::ALL[usize::try_from(some(4)).unwrap_or(0)].0,
            windows: match some(3) {
                0 => vec!["Mon-Wed 08:00-18:00 UTC".parse().expect("a window")],
                _ => Vec::new(),
            },
            freezes: match some(4) {
                0 => vec!["2026-11-25..2026-11-26".parse().expect("a freeze")],
                _ => Vec::new(),
            },
            destroy_max: maximum(some(6)),
            changes_max: maximum(some(6)),
        };
        let approval = match some(4) {
            0 => Standing::Approved { by: "ann".into() },
            1 => Standing::Other { by: "ann".into(), digest: "d0".into() },
            2 => Standing::Bad { why: "no".into() },
            _ => Standing::None,
        };
        let facts = Facts {
            now: NOON + i64::try_from(some(14 * 86_400)).unwrap_or(0),
            policy: &policy,
            frozen_by: (some(5) == 0).then_some("a file"),
            plan: counts(&mut some),
            drift: counts(&mut some),
            digest: "d1",
            approval: &approval,
        };
        let decision = decide(&facts);
        assert_eq!(decision, decide(&facts), "the same facts, the same decision");
        let done = match &decision {
            Decision::Apply { approved_by } => {
                assert!(matches!(policy.mode, Mode::Auto | Mode::Approve));
                assert_eq!(approved_by.is_some(), policy.mode == Mode::Approve);
                facts.plan
            }
            Decision::Repair { .. } => {
                assert_eq!(policy.mode, Mode::DriftOnly);
                facts.drift
            }
            Decision::Wait(reasons) | Decision::Refuse(reasons) => {
                assert!(!reasons.is_empty(), "it says why: {facts:?}");
                held += 1;
                continue;
            }
            Decision::Nothing => continue,
        };
        applied += 1;
        assert!(policy.mode != Mode::Approve || matches!(approval, Standing::Approved { .. }));
        assert!(facts.frozen_by.is_none());
        assert!(policy.freezes.iter().all(|it| !it.contains(facts.now)));
        let windows = &policy.windows;
        assert!(windows.is_empty() || windows.iter().any(|it| it.contains(facts.now)));
        assert!(policy.destroy_max.is_none_or(|max| done.replace + done.destroy <= max));
        assert!(policy.changes_max.is_none_or(|max| done.touched() <= max));
    }
    assert!(applied > 500 && held > 500, "{applied} applied, {held} held");
}
