//! Ctrl-C and SIGTERM: what runs is finished, what remains is named, the lock is released.

use std::time::{Duration, Instant};

use crate::world::{Ran, World, docker, eventually};

/// One step that takes its time, one that waits for it, one that does not.
fn slow(name: &str, seconds: u32) -> World {
    let config = r#"
        resource "docker_network" "n" { name = "PREFIX-n" }
        resource "docker_container" "slow" {
          name     = "PREFIX-slow"
          image    = "BUSYBOX"
          command  = ["sleep", "SECONDS"]
          attach   = true
          must_run = false
          networks_advanced { name = docker_network.n.name }
        }
        resource "docker_volume" "next" {
          name       = "PREFIX-next"
          depends_on = [docker_container.slow]
        }
        resource "docker_container" "last" {
          name    = "PREFIX-last"
          image   = "BUSYBOX"
          command = ["sleep", "10000"]
          mounts {
            type   = "volume"
            source = docker_volume.next.name
            target = "/data"
          }
        }"#;
    World::new(name, &config.replace("SECONDS", &seconds.to_string()))
}

/// Applies, and sends signals while the slow step runs. How it ended, and how long after the last.
fn interrupted(world: &World, signals: &[&str]) -> (Ran, Duration) {
    let running = world.spawn(&["apply", "-auto-approve", "-no-color"]);
    eventually("the slow step runs", || {
        let name = format!("name=^/?{}$", world.name("slow"));
        let found = docker(&["ps", "-q", "--filter", &name, "--filter", "status=running"]);
        !found.trim().is_empty()
    });
    // The wait for its end is on its way, too.
    std::thread::sleep(Duration::from_millis(300));
    let mut since = Instant::now();
    for signal in signals {
        running.signal(signal);
        since = Instant::now();
        std::thread::sleep(Duration::from_millis(200));
    }
    let ran = running.wait();
    (ran, since.elapsed())
}

/// What one interrupt leaves, and that the next apply finishes.
fn once(name: &str, signal: &str) {
    let world = slow(name, 3);
    let (ran, _) = interrupted(&world, &[signal]);
    assert_eq!(ran.code, Some(130), "{}", ran.all());
    let said = ran.all();
    assert!(said.contains("docker_container.slow: Creation complete"), "{said}");
    assert!(
        said.contains("docker_volume.next") && said.contains("docker_container.last"),
        "what remains is not named: {said}"
    );
    assert_eq!(world.listed(), ["docker_container.slow", "docker_network.n"]);
    world.at_rest();
    let slow = world.id("docker_container.slow");

    let said = world.settle();
    assert!(said.contains("2 added, 0 changed, 0 destroyed"), "{said}");
    assert_eq!(world.id("docker_container.slow"), slow);
    world.end();
}

/// Nobody waits after the second one.
fn twice(name: &str, signal: &str) {
    let world = slow(name, 8);
    let (ran, took) = interrupted(&world, &[signal, signal]);
    assert_eq!(ran.code, Some(130), "{}", ran.all());
    assert!(took < Duration::from_secs(2), "took {took:?}: {}", ran.all());
    assert_eq!(world.there().containers, [world.name("slow")]);

    world.settle();
    assert_eq!(world.there().containers, [world.name("last"), world.name("slow")]);
    assert_eq!(world.listed().len(), 4);
    world.end();
}

#[test]
fn one_ctrl_c_lets_running_steps_finish() {
    once("int1", "INT");
}

#[test]
fn one_sigterm_lets_running_steps_finish() {
    once("term1", "TERM");
}

#[test]
fn two_ctrl_c_end_within_two_seconds() {
    twice("int2", "INT");
}

#[test]
fn two_sigterm_end_within_two_seconds() {
    twice("term2", "TERM");
}
