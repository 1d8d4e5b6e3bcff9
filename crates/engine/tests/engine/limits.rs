//! How much is done at a time.

use std::time::Duration;

use tokio::time::Instant;

use crate::cloud::Act;
use crate::lab::{Lab, things};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn parallelism_is_reached_and_not_exceeded() {
    for (parallelism, seconds) in [(1, 30), (7, 5), (200, 1)] {
        let mut lab = Lab::new();
        lab.parallelism = parallelism;
        lab.cloud.get().usual = Some(Act::Slow(SECOND));
        let begun = Instant::now();
        lab.good(&things("lab_thing", 30)).await;
        assert_eq!(lab.cloud.get().busy_all.1, parallelism.min(30));
        assert_eq!(begun.elapsed().as_secs(), seconds);
    }
}

#[tokio::test(start_paused = true)]
async fn two_hundred_slow_steps_take_as_long_as_one() {
    let mut lab = Lab::new();
    lab.parallelism = 200;
    lab.cloud.get().usual = Some(Act::Slow(SECOND));
    let begun = Instant::now();
    lab.good(&things("lab_thing", 200)).await;
    assert_eq!(lab.cloud.get().busy_all.1, 200);
    assert!(begun.elapsed() < SECOND + Duration::from_millis(100), "{:?}", begun.elapsed());
    lab.settled(&things("lab_thing", 200)).await;
}

#[tokio::test(start_paused = true)]
async fn a_provider_takes_as_much_as_it_says_while_others_go_on() {
    let mut lab = Lab::new();
    lab.limit = Some(2);
    lab.cloud.get().usual = Some(Act::Slow(SECOND));
    // The limited ones come first in the plan, and more of them than there is room for.
    let text = things("lab_thing", 20) + &things("side_thing", 8).replace("\"t", "\"u");
    let begun = Instant::now();
    lab.good(&text).await;
    assert_eq!(begun.elapsed().as_secs(), 10);
    {
        let cloud = lab.cloud.get();
        assert_eq!(cloud.busy["lab"].1, 2);
        assert_eq!(cloud.busy["side"].1, 8, "nobody waits for those that have to");
        assert_eq!(cloud.busy_all.1, 10);
    }
    lab.settled(&text).await;
    lab.destroy(&text).await;
    assert_eq!(lab.cloud.get().busy["lab"].1, 2);
}

#[tokio::test(start_paused = true)]
async fn questions_count_as_calls_do() {
    let mut lab = Lab::new();
    lab.limit = Some(3);
    lab.cloud.get().usual = Some(Act::Slow(SECOND));
    let text: String = (0..10)
        .map(|it| {
            format!(
                "data \"lab_lookup\" \"now{it}\" {{ name = \"n{it}\" }}
                 data \"lab_lookup\" \"later{it}\" {{ name = lab_thing.t{it}.id }}\n"
            )
        })
        .collect();
    lab.good(&(text + &things("lab_thing", 10))).await;
    assert_eq!(lab.cloud.get().busy["lab"].1, 3);
}

#[tokio::test(start_paused = true)]
async fn many_objects_are_read_at_once() {
    let mut lab = Lab::new();
    let text = things("lab_thing", 50) + &things("side_thing", 20).replace("\"t", "\"u");
    lab.good(&text).await;
    lab.settled(&text).await;
    let reads: Vec<String> =
        lab.cloud.log().into_iter().filter(|it| it.starts_with("read")).collect();
    assert_eq!(reads, ["read 50", "read 20"]);
    assert!(lab.seen.has("refresh lab_thing.t49"));
}

#[tokio::test(start_paused = true)]
async fn connecting_to_one_system_does_not_stop_what_is_local() {
    let mut lab = Lab::new();
    let text = r#"
        resource "lab_thing" "a" { name = "a" }
        resource "side_note" "n" { text = "n" }
        resource "side_note" "m" { text = lab_thing.a.id }
    "#;
    lab.good(text).await;
    lab.settled(text).await;
}
