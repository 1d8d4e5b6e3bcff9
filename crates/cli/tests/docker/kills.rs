//! `kill -9` at random moments: nothing is lost, nothing is there twice, the next command finishes.
//!
//! `PLUMB_KILL_SEED=N` repeats the delays of an earlier run (not the engine's own timing).

use std::time::{Duration, Instant, SystemTime};

use crate::topology;
use crate::world::World;

const WORLDS: u64 = 3;
/// Commands that were killed before they had ended.
const STRUCK_MIN: u64 = 33;

/// `SplitMix64`.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn up_to(&mut self, limit: Duration) -> Duration {
        Duration::from_micros(self.next() % limit.as_micros().max(1) as u64)
    }
}

#[test]
fn at_any_moment_nothing_is_lost_and_nothing_is_twice() {
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
    let seed = std::env::var("PLUMB_KILL_SEED").map_or(now, |it| it.parse().unwrap());
    println!("PLUMB_KILL_SEED={seed}");
    std::thread::scope(|scope| {
        let lives: Vec<_> = (0..WORLDS)
            .map(|number| scope.spawn(move || life(number, Random(seed.wrapping_add(number)))))
            .collect();
        let struck: u64 = lives.into_iter().map(|it| it.join().unwrap()).sum();
        println!("{struck} commands were killed before they ended");
        assert!(struck >= STRUCK_MIN);
    });
}

/// How many commands were killed before they had ended by themselves.
fn life(number: u64, mut random: Random) -> u64 {
    let world = topology::world(&format!("kill{number}"));
    let mut struck = 0;
    let mut apply_time = timed(|| drop(world.apply()));
    topology::whole(&world);
    let mut destroy_time = timed(|| drop(world.destroy()));
    topology::nothing(&world);
    for round in 1.. {
        if struck >= STRUCK_MIN.div_ceil(WORLDS) {
            break;
        }
        assert!(round < 30, "the commands are over before they are killed");
        // Sometimes the command that makes up for it is killed, too.
        for _ in 0..=random.next() % 3 {
            struck += kill(&world, "apply", &mut random, &mut apply_time, round);
        }
        world.apply();
        world.nothing_to_do();
        topology::whole(&world);

        for _ in 0..=random.next() % 2 {
            let hit = kill(&world, "destroy", &mut random, &mut destroy_time, round);
            struck += hit;
            if hit == 0 {
                break;
            }
        }
        world.destroy();
        topology::nothing(&world);
    }
    struck
}

/// `time` is how long the command takes, as far as we know.
fn kill(world: &World, verb: &str, random: &mut Random, time: &mut Duration, round: u64) -> u64 {
    let delay = random.up_to(*time);
    let mut running = world.spawn(&[verb, "-auto-approve", "-no-color"]);
    std::thread::sleep(delay);
    let over = running.over().is_some();
    running.signal("KILL");
    let ran = running.wait();
    println!("{} round {round}: {verb} killed after {delay:?}, over: {over}", world.prefix);
    assert!(!over || ran.code == Some(0), "{verb} failed by itself: {}", ran.all());
    *time = if over { *time * 4 / 5 } else { *time * 11 / 10 };
    u64::from(!over)
}

fn timed(work: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    work();
    begun.elapsed()
}
