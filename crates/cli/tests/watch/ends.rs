//! However it ends, nothing is lost, and the next one goes on.

use std::time::{Duration, Instant};

use crate::watcher::{Watcher, sound};
use crate::world::{USERS, World, eventually};

/// Enough of it that a repair takes its time.
const MANY: &str = r#"
resource "netns_network" "net" {
  count  = 3
  name   = "net${count.index}"
  subnet = cidrsubnet("10.0.0.0/16", 8, count.index)
}

resource "netns_host" "host" {
  count   = 15
  name    = "host${count.index}"
  command = ["sleep", "100000"]
  interface { network = netns_network.net[count.index % 3].name }
}
"#;

fn ruin(world: &World) {
    for pid in world.processes() {
        let _ = std::process::Command::new("kill").args(["-9", &pid.to_string()]).status();
    }
    eventually("it is dead", || world.processes().is_empty());
}

/// Another watch repairs what was left, and knows what that was.
fn goes_on(world: &World) {
    let mut watcher =
        Watcher::begin(&mut world.command(&["watch", "-json", "-repair", "-budget=1000"]));
    let begun = Instant::now();
    let is_whole = || {
        let args = ["plan", "-detailed-exitcode", "-no-color", "-lock-timeout=60s"];
        let journal = world.path().join(".terraform.tfstate.journal");
        world.run(&args).status.code() == Some(0) && !journal.exists()
    };
    while !is_whole() {
        let said = watcher.all("watch_not_repaired");
        assert!(begun.elapsed() < Duration::from_secs(60), "not whole: {said:?}");
        std::thread::sleep(Duration::from_millis(200));
    }
    watcher.skip();
    watcher.end();
    sound(world);
    assert!(!world.path().join(".terraform.tfstate.repair").exists());
}

#[test]
fn a_repair_that_is_terminated_leaves_a_sound_state() {
    let world = World::new(USERS[0], MANY);
    world.apply();
    for wait_ms in [0, 40, 120, 300] {
        let mut watcher = Watcher::start(&world, &["-repair", "-budget=1000"]);
        ruin(&world);
        watcher.hears("watch_repairing", |_| true);
        std::thread::sleep(Duration::from_millis(wait_ms));
        watcher.signal("TERM");
        assert_eq!(watcher.over().code(), Some(0));
        sound(&world);
        goes_on(&world);
    }
    world.end();
}

#[test]
fn a_repair_that_is_killed_is_finished_by_the_next() {
    let world = World::new(USERS[0], MANY);
    world.apply();
    for wait_ms in [0, 20, 60, 120, 250, 500] {
        let mut watcher = Watcher::start(&world, &["-repair", "-budget=1000"]);
        ruin(&world);
        watcher.hears("watch_repairing", |_| true);
        std::thread::sleep(Duration::from_millis(wait_ms));
        watcher.signal("KILL");
        watcher.over();
        goes_on(&world);
        let listed = world.ok(&["state", "list"]);
        assert_eq!(listed.lines().count(), 18, "{listed}");
    }
    world.end();
}

#[test]
fn signals_end_it_at_once_when_nothing_is_under_way() {
    let world = World::new(USERS[0], MANY);
    world.apply();
    for signal in ["TERM", "INT"] {
        let mut watcher = Watcher::start(&world, &["-repair"]);
        watcher.signal(signal);
        let begun = Instant::now();
        assert_eq!(watcher.over().code(), Some(0));
        assert!(begun.elapsed() < Duration::from_secs(5));
        sound(&world);
    }
    world.end();
}
