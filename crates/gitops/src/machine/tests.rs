use super::*;
use crate::decide::Reason;

const PACE: Pace = Pace { interval: 30, resync: Some(600), once: false, forward_only: true };

fn pending(commit: &str, made_at: Time) -> Pending {
    let (commit, digest) = (commit.to_owned(), format!("plan of {commit}"));
    Pending { commit, digest, lineage: "l".into(), serial: 1, made_at }
}

fn apply() -> Seen {
    Seen::Judged(Decision::Apply { approved_by: None })
}

fn wait() -> Seen {
    Seen::Judged(Decision::Wait(vec![Reason::PlanOnly]))
}

fn head(commit: &str) -> Seen {
    Seen::Head(Some(commit.to_owned()))
}

fn verified() -> Seen {
    Seen::Verified(Ok(()))
}

/// One word for what is next.
fn word(next: &Next) -> String {
    match next {
        Next::Look => "look".into(),
        Next::Verify(it) => format!("verify {it}"),
        Next::Compare { from, to } => format!("compare {from} {to}"),
        Next::Plan(it) => format!("plan {it}"),
        Next::Judge(it) => format!("judge {}", it.commit),
        Next::Apply(it) => format!("apply {}", it.commit),
        Next::Repair(it) => format!("repair {}", it.commit),
        Next::Rest(until) => format!("rest {until}"),
        Next::End(verdict) => format!("end {verdict:?}"),
    }
}

/// Lives a loop: what is expected next, and what came of it.
fn live(it: &mut Loop, now: Time, steps: Vec<(&str, Option<Seen>)>) {
    for (want, seen) in steps {
        assert_eq!(word(&it.next(now)), want);
        if let Some(seen) = seen {
            it.see(seen, now);
        }
    }
}

/// A loop that has applied `a`.
fn settled() -> Loop {
    let mut it = Loop::new(PACE, Memory::default());
    live(
        &mut it,
        1000,
        vec![
            ("look", Some(head("a"))),
            ("verify a", Some(verified())),
            ("plan a", Some(Seen::Planned(pending("a", 1000)))),
            ("judge a", Some(apply())),
            ("apply a", Some(Seen::Applied)),
            ("rest 1030", None),
        ],
    );
    it
}

#[test]
fn a_new_commit_is_applied_and_later_looked_after() {
    let mut it = settled();
    live(&mut it, 1030, vec![("look", Some(head("a"))), ("rest 1060", None)]);
    live(&mut it, 1600, vec![("look", Some(head("a"))), ("plan a", None)]);
    it.see(Seen::Planned(pending("a", 1600)), 1600);
    live(&mut it, 1600, vec![("judge a", Some(Seen::Judged(Decision::Nothing)))]);
    assert_eq!((it.verdict(), it.memory().settled_at), (Verdict::Fine, 1600));
}

#[test]
fn a_refused_commit_leaves_the_last_good_one() {
    let mut it = settled();
    let bad = Seen::Verified(Err("it is not signed".into()));
    live(
        &mut it,
        1700,
        vec![
            ("look", Some(head("b"))),
            ("verify b", Some(bad)),
            ("plan a", Some(Seen::Planned(pending("a", 1700)))),
            ("judge a", Some(Seen::Judged(Decision::Nothing))),
            ("rest 1730", None),
        ],
    );
    assert_eq!(it.verdict(), Verdict::Held);
    assert_eq!(it.memory().accepted.as_deref(), Some("a"));
    live(
        &mut it,
        1730,
        vec![
            ("look", Some(head("c"))),
            ("verify c", Some(verified())),
            ("compare a c", Some(Seen::Compared(true))),
            ("plan c", None),
        ],
    );
    assert_eq!(it.memory().refused, None);
}

#[test]
fn a_rewritten_history_is_refused() {
    let mut it = settled();
    live(
        &mut it,
        1030,
        vec![
            ("look", Some(head("x"))),
            ("verify x", Some(verified())),
            ("compare a x", Some(Seen::Compared(false))),
            ("rest 1060", None),
        ],
    );
    let refused = it.memory().refused.clone().expect("it was refused");
    assert!(refused.why.contains("does not descend from a"), "{}", refused.why);
}

#[test]
fn a_branch_that_is_gone_changes_nothing() {
    let mut it = settled();
    live(&mut it, 1030, vec![("look", Some(Seen::Head(None))), ("rest 1060", None)]);
    assert_eq!(it.verdict(), Verdict::Failed);
    assert_eq!(it.memory().applied.as_deref(), Some("a"));
}

#[test]
fn drift_is_looked_for_while_the_repository_is_away() {
    let mut it = settled();
    let away = |at_hand| Some(Seen::LookFailed { at_hand });
    live(&mut it, 1700, vec![("look", away(false)), ("rest 1730", None)]);
    live(&mut it, 1730, vec![("look", away(true)), ("plan a", None)]);
    assert_eq!(it.verdict(), Verdict::Failed);
}

#[test]
fn approval_is_waited_for_with_the_same_plan() {
    let mut it = Loop::new(PACE, Memory::default());
    live(
        &mut it,
        1000,
        vec![
            ("look", Some(head("a"))),
            ("verify a", Some(verified())),
            ("plan a", Some(Seen::Planned(pending("a", 1000)))),
            ("judge a", Some(wait())),
            ("rest 1030", None),
        ],
    );
    // A killed loop goes on with what it wrote down.
    let mut it = Loop::new(PACE, it.memory().clone());
    live(&mut it, 1030, vec![("look", Some(head("a"))), ("judge a", Some(wait()))]);
    // Somebody changed the state in between.
    live(
        &mut it,
        1060,
        vec![
            ("look", Some(head("a"))),
            ("judge a", Some(Seen::Stale)),
            ("plan a", Some(Seen::Planned(pending("a", 1060)))),
            ("judge a", Some(apply())),
            ("apply a", Some(Seen::Applied)),
        ],
    );
    assert_eq!(it.memory().applied.as_deref(), Some("a"));
}

#[test]
fn failures_are_tried_again_more_and_more_rarely() {
    let mut it = settled();
    live(
        &mut it,
        1030,
        vec![
            ("look", Some(head("b"))),
            ("verify b", Some(verified())),
            ("compare a b", Some(Seen::Compared(true))),
            ("plan b", Some(Seen::Planned(pending("b", 1030)))),
            ("judge b", Some(apply())),
            ("apply b", Some(Seen::ApplyFailed)),
            ("rest 1060", None),
        ],
    );
    live(
        &mut it,
        1060,
        vec![("look", Some(head("b"))), ("plan b", Some(Seen::PlanFailed)), ("rest 1090", None)],
    );
    assert_eq!(it.memory().retry_at, 1120);
    live(&mut it, 1090, vec![("look", Some(head("b"))), ("rest 1120", None)]);
    assert_eq!(it.verdict(), Verdict::Failed, "it is not forgotten while it waits");
    // Another commit is worth a try at once.
    live(
        &mut it,
        1120,
        vec![
            ("look", Some(head("c"))),
            ("verify c", Some(verified())),
            ("compare b c", Some(Seen::Compared(true))),
            ("plan c", None),
        ],
    );
}

#[test]
fn a_loop_that_was_killed_while_it_applied_plans_again() {
    let mut it = Loop::new(PACE, Memory::default());
    live(
        &mut it,
        1000,
        vec![
            ("look", Some(head("a"))),
            ("verify a", Some(verified())),
            ("plan a", Some(Seen::Planned(pending("a", 1000)))),
            ("judge a", Some(apply())),
            ("apply a", None),
        ],
    );
    assert_eq!(it.memory().applying.as_deref(), Some("a"));
    let mut it = Loop::new(PACE, it.memory().clone());
    live(&mut it, 1001, vec![("look", Some(head("a"))), ("plan a", None)]);
}

#[test]
fn once_ends() {
    let pace = Pace { once: true, ..PACE };
    let mut it = Loop::new(pace, Memory::default());
    live(
        &mut it,
        1000,
        vec![
            ("look", Some(head("a"))),
            ("verify a", Some(verified())),
            ("plan a", Some(Seen::PlanFailed)),
            ("end Failed", None),
        ],
    );
    // A job that is started again tries again, however soon.
    let mut it = Loop::new(pace, it.memory().clone());
    live(
        &mut it,
        1001,
        vec![
            ("look", Some(head("a"))),
            ("plan a", Some(Seen::Planned(pending("a", 1001)))),
            ("judge a", Some(wait())),
            ("end Held", None),
        ],
    );
}

/// Whatever happens: only what was verified, compared, planned and judged is applied, rounds end,
/// and a loop that is killed anywhere goes on.
#[test]
fn any_life() {
    let mut seed = 0x2545_f491_4f6c_dd1du64;
    let mut some = |below: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed % below
    };
    let mut applies = 0;
    for life in 0..300 {
        let once = some(4) == 0;
        let pace = Pace { once, forward_only: some(2) == 0, ..PACE };
        let mut it = Loop::new(pace, Memory::default());
        let (mut now, mut steps) = (1000, 0);
        let (mut verified, mut compared) = (Vec::new(), Vec::new());
        let (mut planned, mut judged) = (None, false);
        for _ in 0..400 {
            let next = it.next(now);
            steps += 1;
            // Killed before it could write down what it saw.
            if some(20) == 0 && !matches!(next, Next::Rest(_) | Next::End(_)) {
                it = Loop::new(pace, it.memory().clone());
                steps = 0;
                continue;
            }
            assert!(steps < 20, "life {life}: the round does not end");
            let seen = match &next {
                Next::Look => match some(8) {
                    0 => Seen::Head(None),
                    1 => Seen::LookFailed { at_hand: some(2) == 0 },
                    _ => Seen::Head(Some(format!("c{}", some(4)))),
                },
                Next::Verify(commit) => match some(3) {
                    0 => Seen::Verified(Err("no".into())),
                    _ => {
                        verified.push(commit.clone());
                        Seen::Verified(Ok(()))
                    }
                },
                Next::Compare { to, .. } => {
                    let follows = some(3) > 0;
                    compared.extend(follows.then(|| to.clone()));
                    Seen::Compared(follows)
                }
                Next::Plan(commit) => {
                    assert!(verified.contains(commit), "life {life}: {commit} was not verified");
                    judged = false;
                    match some(5) {
                        0 => Seen::PlanFailed,
                        _ => {
                            planned = Some(pending(commit, now));
                            Seen::Planned(pending(commit, now))
                        }
                    }
                }
                Next::Judge(kept) => {
                    assert_eq!(planned.as_ref(), Some(kept), "life {life}");
                    judged = false;
                    match some(5) {
                        0 => Seen::Stale,
                        1 => wait(),
                        2 => Seen::Judged(Decision::Nothing),
                        _ => {
                            judged = true;
                            apply()
                        }
                    }
                }
                Next::Apply(kept) | Next::Repair(kept) => {
                    assert!(judged, "life {life}: it was allowed");
                    assert_eq!(planned.as_ref(), Some(kept), "life {life}");
                    assert_eq!(it.memory().accepted.as_ref(), Some(&kept.commit));
                    let first = verified.first() == Some(&kept.commit);
                    assert!(!pace.forward_only || first || compared.contains(&kept.commit));
                    applies += 1;
                    judged = false;
                    match some(3) {
                        0 => Seen::ApplyFailed,
                        1 => Seen::Stale,
                        _ => Seen::Applied,
                    }
                }
                Next::Rest(until) => {
                    assert!(*until > now);
                    (now, steps) = (*until, 0);
                    continue;
                }
                Next::End(_) => {
                    assert!(once);
                    it = Loop::new(pace, it.memory().clone());
                    (now, steps) = (now + 60, 0);
                    continue;
                }
            };
            it.see(seen, now);
        }
    }
    assert!(applies > 300, "{applies}");
}
