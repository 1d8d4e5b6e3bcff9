//! What goes wrong, and what is told about it.

use std::time::Duration;

use expect_test::expect;
use plumb_provider::Failure;
use tokio::time::Instant;

use crate::cloud::Act;
use crate::lab::{Lab, things, told};

const PAIR: &str = r#"
    resource "lab_thing" "a" { name = "a" }
    resource "lab_thing" "b" { name = "b${lab_thing.a.size == null ? "" : ""}" }
    resource "side_thing" "c" { name = "c" }
"#;

#[tokio::test(start_paused = true)]
async fn what_may_pass_is_tried_again() {
    let mut lab = Lab::new();
    lab.cloud.act("create a", [Act::Transient, Act::Transient, Act::Do]);
    let begun = Instant::now();
    lab.good(PAIR).await;
    assert_eq!(lab.cloud.count("create a"), 3);
    assert!(lab.seen.has("again lab_thing.a 1") && lab.seen.has("again lab_thing.a 2"));
    let waited = begun.elapsed();
    assert!((750..1000).contains(&waited.as_millis()), "250 and 500 ms: {waited:?}");
    lab.settled(PAIR).await;
}

#[tokio::test(start_paused = true)]
async fn but_not_for_ever() {
    let mut lab = Lab::new();
    lab.cloud.act("create a", [Act::Transient]);
    let applied = lab.apply(PAIR).await;
    assert_eq!(lab.cloud.count("create a"), 5);
    expect![[r#"
        lab_thing.a: Refused
        The system does not want to.
    "#]]
    .assert_eq(&told(&applied.diagnostics));
    assert_eq!(applied.summary.added, 1);
    assert_eq!(applied.skipped[0].to_string(), "lab_thing.b");
}

#[tokio::test(start_paused = true)]
async fn what_left_something_or_failed_for_good_is_not_tried_again() {
    for act in [Act::TransientLeaving, Act::Refuse, Act::Lose] {
        let mut lab = Lab::new();
        lab.cloud.act("create a", [act.clone(), Act::Do]);
        let applied = lab.apply(PAIR).await;
        assert_eq!(lab.cloud.count("create a"), 1, "{act:?}");
        assert_eq!(applied.diagnostics.len(), 1);
        assert_eq!(applied.in_doubt, usize::from(matches!(act, Act::Lose)));
        // Whatever was left is found, and the rest is made.
        lab.good(PAIR).await;
        assert_eq!(lab.cloud.get().objects.len(), 3, "{act:?}");
        lab.settled(PAIR).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_takes_too_long_stays_in_doubt() {
    let mut lab = Lab::new();
    let text = r#"
        resource "lab_thing" "a" {
          name = "a"
          timeouts { create = "90s" }
        }
    "#;
    lab.cloud.act("create a", [Act::Hang]);
    let begun = Instant::now();
    let applied = lab.apply(text).await;
    assert_eq!(begun.elapsed().as_secs(), 90);
    expect![[r#"
        lab_thing.a: The call timed out
        It took longer than 90s. A `timeouts` block in the resource sets another limit, where it has one. The next plan looks into what it did.
    "#]]
    .assert_eq(&told(&applied.diagnostics));
    assert_eq!((applied.in_doubt, applied.summary.added), (1, 0));
    assert_eq!(lab.open().recovery.in_doubt, 1);
    // It had made the object; the next plan finds that.
    lab.good(text).await;
    assert_eq!((lab.cloud.count("create a"), lab.cloud.count("find")), (1, 1));
    lab.settled(text).await;
}

#[tokio::test(start_paused = true)]
async fn the_time_limit_is_for_all_tries_together() {
    let mut lab = Lab::new();
    let text = r#"
        resource "lab_thing" "a" {
          name = "a"
          timeouts { create = "600ms" }
        }
    "#;
    lab.cloud.act("create a", [Act::Transient]);
    let applied = lab.apply(text).await;
    assert_eq!((lab.cloud.count("create a"), applied.in_doubt), (2, 0));
    assert_eq!(applied.diagnostics[0].summary, "Refused");
}

#[tokio::test(start_paused = true)]
async fn a_time_limit_that_is_none_is_refused() {
    let mut lab = Lab::new();
    let text = r#"
        resource "lab_thing" "a" {
          name = "a"
          timeouts { create = "5 minutes" }
        }
    "#;
    let applied = lab.apply(text).await;
    expect![[r#"
        lab_thing.a: Invalid timeout
        `timeouts.create` is "5 minutes". A duration is written like 90s, 10m or 1h30m.
    "#]]
    .assert_eq(&told(&applied.diagnostics));
    assert_eq!((lab.cloud.count("create a"), applied.in_doubt), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_breaks_down_takes_only_its_own_step_along() {
    let mut lab = Lab::new();
    lab.cloud.act("create a", [Act::Panic, Act::Do]);
    let text = PAIR.to_owned() + &things("side_thing", 20);
    let applied = lab.apply(&text).await;
    expect![[r#"
        lab_thing.a: The provider broke down
        This is a bug in the provider: create a is too much for it. The next plan looks into what it did.
    "#]]
    .assert_eq(&told(&applied.diagnostics));
    assert_eq!((applied.summary.added, applied.in_doubt), (21, 1));
    assert!(lab.seen.has("create lab_thing.a: The provider broke down"));
    lab.good(&text).await;
    assert_eq!(lab.cloud.count("create a"), 1, "it had been made");
    lab.settled(&text).await;
}

#[tokio::test(start_paused = true)]
async fn a_local_resource_that_breaks_down_left_nothing() {
    let mut lab = Lab::new();
    let text = r#"
        resource "lab_note" "n" { text = "panic" }
        resource "lab_note" "m" { text = "fine" }
    "#;
    let applied = lab.apply(text).await;
    expect![[r#"
        lab_note.n: The provider broke down
        This is a bug in the provider: it is not a note.
    "#]]
    .assert_eq(&told(&applied.diagnostics));
    assert_eq!((applied.summary.added, applied.in_doubt), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn nonsense_is_as_good_as_no_reply() {
    let mut lab = Lab::new();
    lab.cloud.act("create a", [Act::Babble, Act::Do]);
    let text = r#"resource "lab_thing" "a" { name = "a" }"#;
    let applied = lab.apply(text).await;
    expect![[r#"
        lab_thing.a: Provider produced invalid object
        What registry.terraform.io/plumb/lab says of a lab_thing does not fit its own schema: object required. This is a bug in the provider. The next plan looks into what it did.
    "#]]
    .assert_eq(&told(&applied.diagnostics));
    assert_eq!(applied.in_doubt, 1);
    lab.good(text).await;
    assert_eq!((lab.cloud.count("create a"), lab.cloud.count("find")), (1, 1));
    // The same when something is read.
    lab.cloud.act("look a", [Act::Babble]);
    lab.cloud.act("data d", [Act::Babble]);
    for text in [text, r#"data "lab_lookup" "d" { name = "d" }"#] {
        let Err(diagnostics) = lab.plan(text).await else { panic!("it cannot be planned") };
        assert_eq!(diagnostics[0].summary, "Provider produced invalid object");
    }
}

#[tokio::test(start_paused = true)]
async fn a_system_that_cannot_be_reached_is_spoken_of_once() {
    let mut lab = Lab::new();
    let text = things("lab_thing", 12)
        + r#"
        data "lab_lookup" "l" { name = "l" }
        provider "lab" { region = "north" }
    "#;
    lab.good(&text).await;
    let down = Failure::new("Cannot connect", "Nobody answers at /run/lab.sock. Is it running?");
    lab.cloud.get().unreachable.insert("lab", (99, down));
    let Err(diagnostics) = lab.plan(&text).await else { panic!("it cannot be planned") };
    expect![[r#"
        provider["registry.terraform.io/plumb/lab"]: Cannot connect
        Nobody answers at /run/lab.sock. Is it running?

        Needed by data.lab_lookup.l, lab_thing.t0, lab_thing.t1, lab_thing.t10, lab_thing.t11, lab_thing.t2, lab_thing.t3, lab_thing.t4, lab_thing.t5, lab_thing.t6 and 3 more.
    "#]]
    .assert_eq(&told(&diagnostics));
    assert!(diagnostics[0].span.is_some(), "it shows the provider block");
}

#[tokio::test(start_paused = true)]
async fn the_same_while_applying() {
    let mut lab = Lab::new();
    let text = things("lab_thing", 3) + &things("side_thing", 2).replace("\"t", "\"u");
    let down = Failure::new("Cannot connect", "");
    lab.cloud.get().unreachable.insert("lab", (1, down));
    let applied = lab.apply(&text).await;
    expect![[r#"
        provider["registry.terraform.io/plumb/lab"]: Cannot connect
        Needed by lab_thing.t0, lab_thing.t1, lab_thing.t2.
    "#]]
    .assert_eq(&told(&applied.diagnostics));
    assert_eq!(lab.cloud.count("connect lab"), 1, "it is not tried for each");
    assert_eq!((applied.summary.added, applied.in_doubt), (2, 0));
    assert!(lab.seen.has("create lab_thing.t2: Cannot connect"));
    lab.good(&text).await;
}

#[tokio::test(start_paused = true)]
async fn connecting_is_tried_again_if_that_may_help() {
    let mut lab = Lab::new();
    lab.cloud.get().unreachable.insert("lab", (2, Failure::new("Busy", "").transient()));
    lab.good(PAIR).await;
    assert_eq!((lab.cloud.count("connect lab"), lab.cloud.count("connect side")), (3, 1));
}

#[tokio::test(start_paused = true)]
async fn reading_what_may_pass_is_tried_again_together() {
    let mut lab = Lab::new();
    let text = things("lab_thing", 9);
    lab.good(&text).await;
    lab.cloud.act("look t1", [Act::Transient, Act::Do]);
    lab.cloud.act("look t2", [Act::Transient, Act::Transient, Act::Do]);
    lab.settled(&text).await;
    let reads: Vec<String> =
        lab.cloud.log().into_iter().filter(|it| it.starts_with("read")).collect();
    assert_eq!(reads, ["read 9", "read 2", "read 1"]);
    // One that does not pass: the plan says which, and nothing else.
    lab.cloud.act("look t2", [Act::Transient]);
    let Err(diagnostics) = lab.plan(&text).await else { panic!("it cannot be planned") };
    expect![[r#"
        lab_thing.t2: Refused
        The system does not want to.
    "#]]
    .assert_eq(&told(&diagnostics));
}

#[tokio::test(start_paused = true)]
async fn readings_that_break_down_hang_or_are_incomplete_are_failures() {
    let mut lab = Lab::new();
    let text = things("lab_thing", 2);
    lab.good(&text).await;
    for (act, summary) in [
        (Act::Panic, "The provider broke down"),
        (Act::Babble, "The provider gave a wrong number of answers"),
        (Act::Hang, "Reading timed out"),
    ] {
        lab.cloud.act("read 2", [act]);
        let Err(diagnostics) = lab.plan(&text).await else { panic!("it cannot be planned") };
        assert_eq!(diagnostics[0].summary, summary);
        lab.cloud.act("read 2", [Act::Do]);
    }
    lab.settled(&text).await;
}

#[tokio::test(start_paused = true)]
async fn a_doubt_that_cannot_be_looked_into_stays() {
    let mut lab = Lab::new();
    lab.cloud.act("create a", [Act::Lose]);
    lab.apply(PAIR).await;
    lab.cloud.act("find", [Act::Transient]);
    let Err(diagnostics) = lab.plan(PAIR).await else { panic!("it cannot be planned") };
    assert_eq!(told(&diagnostics), "lab_thing.a: Refused\nThe system does not want to.\n");
    assert_eq!((lab.cloud.count("find"), lab.open().recovery.in_doubt), (5, 1));
    lab.cloud.act("find", [Act::Transient, Act::Do]);
    lab.good(PAIR).await;
    lab.settled(PAIR).await;
}

#[tokio::test(start_paused = true)]
async fn data_sources_fail_in_the_plan_and_in_the_run() {
    let mut lab = Lab::new();
    let text = r#"
        data "lab_lookup" "now" { name = "now" }
        resource "lab_thing" "a" { name = "a" }
        data "lab_lookup" "later" {
          name = lab_thing.a.id == "" ? "" : "later"
          timeouts { read = "10s" }
        }
        resource "lab_thing" "b" { name = data.lab_lookup.later.value }
        resource "lab_thing" "c" { name = "c" }
    "#;
    for act in [Act::Refuse, Act::Panic, Act::Transient] {
        lab.cloud.act("data now", [act.clone()]);
        let Err(diagnostics) = lab.plan(text).await else { panic!("it cannot be planned") };
        assert_eq!(diagnostics.len(), 1, "{act:?}");
        assert_eq!(diagnostics[0].address.as_deref(), Some("data.lab_lookup.now"));
    }
    lab.cloud.act("data now", [Act::Transient, Act::Do]);
    lab.cloud.act("data later", [Act::Hang, Act::Do]);
    let begun = Instant::now();
    let applied = lab.apply(text).await;
    assert!(begun.elapsed() < Duration::from_secs(11));
    expect![[r#"
        data.lab_lookup.later: The provider does not answer
        No answer came in 10s.
    "#]]
    .assert_eq(&told(&applied.diagnostics));
    assert_eq!(applied.skipped[0].to_string(), "lab_thing.b");
    assert_eq!(applied.summary.added, 2);
    lab.good(text).await;
    assert_eq!(lab.cloud.count("create <later>"), 1);
    lab.settled(text).await;
}

#[tokio::test(start_paused = true)]
async fn facts_fail_in_the_plan_and_in_the_run() {
    let mut lab = Lab::new();
    let now = r#"resource "lab_hashed" "h" { name = "dir" }"#;
    lab.cloud.act("hash dir", [Act::Refuse]);
    let Err(diagnostics) = lab.plan(now).await else { panic!("it cannot be planned") };
    assert_eq!(told(&diagnostics), "lab_hashed.h: No such folder\ndir is missing.\n");
    let later = r#"
        resource "lab_thing" "a" { name = "a" }
        resource "lab_hashed" "h" { name = lab_thing.a.id == "" ? "" : "dir" }
    "#;
    lab.cloud.act("hash dir", [Act::Panic]);
    let applied = lab.apply(later).await;
    expect![[r#"
        lab_hashed.h: The provider broke down
        This is a bug in the provider: dir cannot be hashed.
    "#]]
    .assert_eq(&told(&applied.diagnostics));
    lab.cloud.act("hash dir", [Act::Do]);
    lab.good(later).await;
    lab.settled(later).await;
}

#[tokio::test(start_paused = true)]
async fn a_postcondition_may_look_at_a_file_that_is_known_late() {
    let mut lab = Lab::new();
    let text = r#"
        resource "lab_thing" "a" {
          name = "a"
          lifecycle {
            postcondition {
              condition     = file("${self.id == "" ? "" : "proof"}.txt") == "yes"
              error_message = "There is no proof."
            }
          }
        }
        resource "lab_thing" "b" { name = lab_thing.a.name }
    "#;
    std::fs::write(lab.path("proof.txt"), "no").unwrap();
    let applied = lab.apply(text).await;
    expect![[r#"
        lab_thing.a: Resource postcondition failed
        There is no proof.
    "#]]
    .assert_eq(&told(&applied.diagnostics));
    std::fs::write(lab.path("proof.txt"), "yes").unwrap();
    lab.good(text).await;
}
