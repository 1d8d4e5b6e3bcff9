//! When somebody wants the work to end, or it just ends.

use std::time::Duration;

use plumb_engine::Interrupter;
use tokio::time::{Instant, sleep, timeout};

use crate::cloud::Act;
use crate::lab::{Lab, things};

const SECOND: Duration = Duration::from_secs(1);

fn chain(count: usize) -> String {
    let one = |it: usize| match it {
        0 => "resource \"lab_thing\" \"t0\" { name = \"t0\" }\n".to_owned(),
        _ => format!(
            "resource \"lab_thing\" \"t{it}\" {{ name = \"t{it}${{lab_thing.t{}.id == \"\" ? 1 : \"\"}}\" }}\n",
            it - 1
        ),
    };
    (0..count).map(one).collect()
}

/// Things that wait for another one.
fn after(on: &str, count: usize) -> String {
    let one = |it: usize| {
        format!(
            "resource \"lab_thing\" \"u{it}\" {{ name = \"u{it}${{{on}.id == \"\" ? 1 : \"\"}}\" }}\n"
        )
    };
    (0..count).map(one).collect()
}

#[tokio::test(start_paused = true)]
async fn the_first_lets_what_runs_end_and_starts_nothing() {
    let mut lab = Lab::new();
    lab.parallelism = 4;
    lab.cloud.get().usual = Some(Act::Slow(10 * SECOND));
    let text = things("lab_thing", 9);
    let ready = lab.plan(&text).await.unwrap();
    let (interrupter, interrupt) = Interrupter::pair();
    let begun = Instant::now();
    let (applied, ()) = tokio::join!(ready.apply(&interrupt), async {
        sleep(3 * SECOND).await;
        interrupter.raise();
    });
    assert_eq!(begun.elapsed().as_secs(), 10);
    assert!(applied.diagnostics.is_empty(), "{:#?}", applied.diagnostics);
    assert_eq!((applied.interrupted, applied.summary.added, applied.in_doubt), (1, 4, 0));
    assert_eq!(applied.remaining.len(), 5);
    assert!(lab.seen.has("interrupted 1") && !lab.journal().exists());
    assert_eq!(lab.open().state.objects.len(), 4);
    lab.good(&text).await;
    lab.settled(&text).await;
}

#[tokio::test(start_paused = true)]
async fn the_second_waits_for_nobody() {
    let mut lab = Lab::new();
    lab.parallelism = 4;
    lab.cloud.get().usual = Some(Act::Hang);
    lab.cloud.act("create t0", [Act::Slow(SECOND)]);
    let text = things("lab_thing", 4) + &after("lab_thing.t1", 5);
    let ready = lab.plan(&text).await.unwrap();
    let (interrupter, interrupt) = Interrupter::pair();
    let begun = Instant::now();
    let (applied, ()) = tokio::join!(ready.apply(&interrupt), async {
        sleep(SECOND / 2).await;
        interrupter.raise();
        sleep(60 * SECOND).await;
        interrupter.raise();
    });
    let waited = begun.elapsed() - 60 * SECOND - SECOND / 2;
    assert!(waited < 2 * SECOND, "{waited:?}");
    assert_eq!((applied.interrupted, applied.summary.added, applied.in_doubt), (2, 1, 3));
    assert_eq!(applied.remaining.len(), 5);
    let recovery = lab.open().recovery;
    assert_eq!(recovery.in_doubt, 3);
    // They had been made, and are not made again.
    lab.cloud.get().usual = None;
    lab.good(&text).await;
    assert_eq!((lab.cloud.count("find"), lab.cloud.get().objects.len()), (3, 9));
    lab.settled(&text).await;
}

#[tokio::test(start_paused = true)]
async fn both_at_once_are_heard_too() {
    let mut lab = Lab::new();
    lab.cloud.get().usual = Some(Act::Hang);
    let ready = lab.plan(&things("lab_thing", 3)).await.unwrap();
    let (interrupter, interrupt) = Interrupter::pair();
    let (applied, ()) = tokio::join!(ready.apply(&interrupt), async {
        sleep(SECOND).await;
        interrupter.raise();
        interrupter.raise();
    });
    assert_eq!((applied.interrupted, applied.in_doubt), (2, 3));
}

#[tokio::test(start_paused = true)]
async fn one_before_the_beginning_starts_nothing() {
    let mut lab = Lab::new();
    let ready = lab.plan(&things("lab_thing", 3)).await.unwrap();
    let (interrupter, interrupt) = Interrupter::pair();
    interrupter.raise();
    let applied = ready.apply(&interrupt).await;
    assert_eq!((applied.remaining.len(), lab.cloud.count("create t0")), (3, 0));
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_to_try_again() {
    let mut lab = Lab::new();
    lab.cloud.act("create t0", [Act::Transient]);
    let ready = lab.plan(&chain(2)).await.unwrap();
    let (interrupter, interrupt) = Interrupter::pair();
    let begun = Instant::now();
    let (applied, ()) = tokio::join!(ready.apply(&interrupt), async {
        sleep(SECOND / 10).await;
        interrupter.raise();
    });
    assert!(begun.elapsed() < SECOND / 5);
    assert_eq!((lab.cloud.count("create t0"), applied.in_doubt), (1, 0));
    assert_eq!(applied.diagnostics.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_plan_ends_at_once() {
    let mut lab = Lab::new();
    lab.cloud.act("data d", [Act::Hang]);
    let (interrupter, interrupt) = Interrupter::pair();
    let begun = Instant::now();
    let (planned, ()) =
        tokio::join!(lab.plan_with(r#"data "lab_lookup" "d" { name = "d" }"#, &interrupt), async {
            sleep(SECOND).await;
            interrupter.raise();
        });
    assert_eq!(begun.elapsed().as_secs(), 1);
    assert!(planned.is_err_and(|it| it.is_empty()));
}

/// The future is dropped at some point, as if the process had died there.
#[tokio::test(start_paused = true)]
async fn an_apply_that_is_dropped_is_recovered_by_the_next() {
    for after_ms in [0, 5, 999, 1500, 2500, 3999, 4500] {
        let mut lab = Lab::new();
        lab.cloud.get().usual = Some(Act::Slow(SECOND));
        let text = chain(5) + &things("side_thing", 4).replace("\"t", "\"u");
        let ready = lab.plan(&text).await.unwrap();
        let (_keep, interrupt) = Interrupter::pair();
        let dropped = timeout(Duration::from_millis(after_ms), ready.apply(&interrupt)).await;
        assert!(dropped.is_err());
        // What was given up may act nevertheless, as some replies were lost.
        let opened = lab.open();
        assert_eq!(
            opened.state.objects.len(),
            match after_ms {
                0..1000 => 0,
                1000..2000 => 5,
                2000..3000 => 6,
                3000..4000 => 7,
                _ => 8,
            }
        );
        drop(opened);
        lab.good(&text).await;
        assert_eq!(lab.cloud.get().objects.len(), 9, "{after_ms}");
        lab.settled(&text).await;
    }
}

/// The same, while calls had acted already and only their replies were missing.
#[tokio::test(start_paused = true)]
async fn what_a_dropped_apply_had_made_is_found() {
    let mut lab = Lab::new();
    lab.cloud.get().usual = Some(Act::Hang);
    let text = things("lab_thing", 3);
    let ready = lab.plan(&text).await.unwrap();
    let (_keep, interrupt) = Interrupter::pair();
    assert!(timeout(SECOND, ready.apply(&interrupt)).await.is_err());
    assert_eq!((lab.cloud.get().objects.len(), lab.open().recovery.in_doubt), (3, 3));
    lab.cloud.get().usual = None;
    lab.good(&text).await;
    assert_eq!(lab.cloud.get().objects.len(), 3);
    lab.settled(&text).await;
}
