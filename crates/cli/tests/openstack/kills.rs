//! `kill -9` at random moments of the lab: nothing is lost, nothing is there twice.
//!
//! `PLUMB_KILL_SEED=N` repeats the delays of an earlier run (not the cloud's own timing).

use std::time::{Duration, Instant, SystemTime};

use crate::lab::lab;
use crate::world::World;

/// Applies that were killed before they had ended.
const STRUCK_MIN: u64 = 20;
/// Labs side by side.
const WORLDS: u64 = 2;

/// `SplitMix64`.
struct Random(u64);

impl Random {
    fn up_to(&mut self, limit: Duration) -> Duration {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Duration::from_micros((z ^ (z >> 31)) % limit.as_micros().max(1) as u64)
    }
}

#[test]
fn at_any_moment_nothing_is_lost_and_nothing_is_twice() {
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
    let seed = std::env::var("PLUMB_KILL_SEED").map_or(now, |it| it.parse().unwrap());
    println!("PLUMB_KILL_SEED={seed}");
    let struck: u64 = std::thread::scope(|scope| {
        let life = |number| scope.spawn(move || life(number, Random(seed.wrapping_add(number))));
        let lives: Vec<_> = (0..WORLDS).map(life).collect();
        lives.into_iter().map(|it| it.join().unwrap()).sum()
    });
    println!("{struck} applies were killed before they ended");
}

/// How many applies were killed before they had ended by themselves.
fn life(number: u64, mut random: Random) -> u64 {
    let world = lab(&format!("kill{number}"));
    let begun = Instant::now();
    world.apply();
    let mut time = begun.elapsed();
    let whole = world.there();
    println!("{whole:#?}");
    let mut struck = 0;
    for round in 0.. {
        if struck >= STRUCK_MIN.div_ceil(WORLDS) {
            break;
        }
        assert!(round < 40, "the commands are over before they are killed");
        world.destroy();
        assert_eq!(world.there(), Default::default());
        // What makes up for it is killed, too, now and then.
        for _ in 0..3 {
            let delay = random.up_to(time);
            let mut running = world.spawn(&["apply", "-auto-approve", "-no-color"]);
            std::thread::sleep(delay);
            let over = running.over();
            running.kill();
            let ran = running.wait();
            println!("{number} round {round}: killed after {delay:?}, over: {over}");
            assert!(!over || ran.code == Some(0), "it failed by itself: {}", ran.all());
            time = if over { time * 4 / 5 } else { time * 11 / 10 };
            struck += u64::from(!over);
            if over {
                break;
            }
        }
        settled(&world);
        // Every service has what it had after an apply that nobody disturbed.
        assert_eq!(world.there().keys().collect::<Vec<_>>(), whole.keys().collect::<Vec<_>>());
        for (key, names) in world.there() {
            assert_eq!(names.len(), whole[key].len(), "{key}: {names:?}");
        }
    }
    world.end();
    struck
}

fn settled(world: &World) {
    world.apply();
    world.nothing_to_do();
    world.at_rest();
}
