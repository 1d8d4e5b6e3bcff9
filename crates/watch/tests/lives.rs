//! Whole lives of a watch in a world that drifts, loses events, fails and fights.
#![expect(clippy::unwrap_used, reason = "tests")]

mod world;

use plumb_watch::{Mode, Ms, Settings};
use world::{Life, Random};

/// A life of each seed; `SEED` lives one again.
fn lives(so_many: u64, one: impl Fn(u64)) {
    let number = |name: &str| std::env::var(name).ok().and_then(|it| it.parse::<u64>().ok());
    if let Some(seed) = number("SEED") {
        return one(seed);
    }
    for seed in 0..number("LIVES").unwrap_or(so_many) {
        let lived = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| one(seed)));
        if let Err(why) = lived {
            eprintln!("SEED={seed} lives it again");
            std::panic::resume_unwind(why);
        }
    }
}

fn settings(random: &mut Random) -> Settings {
    Settings {
        mode: Mode::Repair,
        budget: 1 + random.below(30) as u32,
        allow_destroy: random.below(2) == 0,
        retries_max: 1 + random.below(6) as u32,
        interval_ms: 60_000 + random.below(600_000),
        seed: random.below(u64::MAX),
        ..Settings::default()
    }
}

const HOUR: Ms = 3_600_000;

#[test]
fn drift_is_repaired_within_the_budget_and_nothing_is_destroyed_unasked() {
    lives(1_000, |seed| {
        let mut random = Random(seed);
        let settings = settings(&mut random);
        let mut life = Life::new(settings, random);
        life.faulty = true;
        life.fighters = 2;
        life.live(3 * HOUR);
        // Nobody disturbs any more.
        (life.faulty, life.injures, life.fighters) = (false, false, 0);
        let objects = life.objects.len() as u64;
        let budget = u64::from(life.settings.budget);
        life.live((4 + 3 * objects.div_ceil(budget)) * HOUR);
        life.nothing_left();
        life.no_busy_loop();
    });
}

#[test]
fn a_watch_that_reports_repairs_nothing() {
    lives(300, |seed| {
        let mut random = Random(seed);
        let settings = Settings { mode: Mode::Report, ..settings(&mut random) };
        let mut life = Life::new(settings, random);
        life.live(2 * HOUR);
        assert_eq!(life.repairs, 0);
        life.no_busy_loop();
    });
}

#[test]
fn a_fight_ends_after_three_rounds_and_others_are_still_repaired() {
    lives(300, |seed| {
        let settings = Settings { mode: Mode::Repair, budget: 1000, ..Settings::default() };
        let mut life = Life::new(settings, Random(seed));
        (life.injures, life.fighters) = (false, 1);
        life.live(HOUR / 2);
        assert_eq!(life.made, 3, "three repairs, then it is let be");
        assert_eq!(life.told("fighting"), 1);
        // After an hour another attempt.
        life.live(HOUR);
        assert_eq!(life.told("resumed"), 1);
        assert_eq!(life.told("fighting"), 2);
        assert_eq!(life.made, 6);
        life.reload();
        life.live(HOUR / 4);
        assert_eq!(life.made, 9);
        life.injure(1, 77);
        life.live(HOUR / 4);
        assert_eq!(life.made, 10);
        assert_eq!(life.objects[1].value, Some(0));
    });
}

#[test]
fn without_faults_drift_is_seen_within_a_second_and_a_bit() {
    lives(300, |seed| {
        let settings = Settings { mode: Mode::Repair, budget: 100_000, ..Settings::default() };
        let mut life = Life::new(settings, Random(seed));
        life.loses_events = false;
        life.live(HOUR);
        assert!(life.slowest_ms <= 2_000, "{}", life.slowest_ms);
    });
}

#[test]
fn what_a_failed_look_was_at_is_looked_at_again_soon() {
    let settings = Settings { mode: Mode::Repair, ..Settings::default() };
    let mut life = Life::new(settings, Random(7));
    (life.injures, life.loses_events) = (false, false);
    life.live(5_000);
    life.failing.0 = 3;
    life.injure(0, 5);
    // 1 s, 2 s and 4 s later.
    life.live(12_000);
    assert_eq!(life.objects[0].value, Some(0));
    assert!(life.slowest_ms >= 7_000, "{}", life.slowest_ms);
}

#[test]
fn repairs_that_fail_wait_longer_and_longer_and_end() {
    let settings = Settings { mode: Mode::Repair, retries_max: 4, ..Settings::default() };
    let mut life = Life::new(settings, Random(7));
    (life.injures, life.loses_events) = (false, false);
    life.live(5_000);
    life.failing.1 = 4;
    life.injure(0, 5);
    life.live(HOUR / 2);
    let pauses: Vec<Ms> = life.repaired_at.windows(2).map(|it| (it[1] - it[0]) / 1_000).collect();
    assert_eq!(pauses, [1, 2, 4]);
    assert_ne!(life.objects[0].value, Some(0), "it is let be");
    life.live(HOUR);
    assert_eq!(life.objects[0].value, Some(0), "but not forever");
}

#[test]
fn a_storm_of_events_makes_few_looks_and_repairs_go_on() {
    let settings = Settings { mode: Mode::Repair, budget: 1000, ..Settings::default() };
    let mut life = Life::new(settings, Random(1));
    life.injures = false;
    life.live(1_000);
    life.injure(0, 5);
    let before = life.looks;
    for _ in 0..6_000 {
        life.touch(3);
        life.live(10);
    }
    // A minute of it.
    assert!(life.looks - before <= 75, "{}", life.looks - before);
    assert_eq!(life.objects[0].value, Some(0));
}
