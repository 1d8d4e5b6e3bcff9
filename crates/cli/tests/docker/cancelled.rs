//! A job that a CI cancels, as GitHub does it: SIGINT, after 7.5 s SIGTERM, after 2.5 s more SIGKILL. Whatever it was
//! in the middle of, the next job finishes, and nothing is there twice.

use std::time::{Duration, Instant};

use crate::world::{Ran, Running, World, docker, eventually, unique};

const INT_TO_TERM: Duration = Duration::from_millis(7500);
const TERM_TO_KILL: Duration = Duration::from_millis(2500);

/// A call that does not end by itself while the job is cancelled, things that were made before it, and things that
/// wait for it.
fn long(name: &str) -> World {
    World::new(
        name,
        r#"
        resource "docker_network" "n" { name = "PREFIX-n" }
        resource "docker_volume" "before" {
          count = 3
          name  = "PREFIX-before${count.index}"
        }
        resource "docker_container" "slow" {
          name         = "PREFIX-slow"
          image        = "BUSYBOX"
          command      = ["sh", "-c", "sleep 25; touch /tmp/ok; sleep 10000"]
          wait         = true
          wait_timeout = 120
          healthcheck {
            test     = ["CMD", "test", "-e", "/tmp/ok"]
            interval = "1s"
            retries  = 100
          }
          networks_advanced { name = docker_network.n.name }
          mounts {
            type   = "volume"
            source = docker_volume.before[0].name
            target = "/data"
          }
        }
        resource "docker_volume" "after" {
          count      = 2
          name       = "PREFIX-after${count.index}"
          depends_on = [docker_container.slow]
        }
        resource "docker_container" "last" {
          name    = "PREFIX-last"
          image   = "BUSYBOX"
          command = ["sleep", "10000"]
          networks_advanced { name = docker_network.n.name }
          depends_on = [docker_container.slow]
        }"#,
    )
}

/// An apply that is in the middle of the long call.
fn begun(world: &World) -> Running {
    let running = world.spawn(&["apply", "-auto-approve", "-no-color"]);
    eventually("the long call is under way", || {
        let name = format!("name=^/?{}$", world.name("slow"));
        let found = docker(&["ps", "-q", "--filter", &name, "--filter", "status=running"]);
        !found.trim().is_empty() && world.there().volumes.len() == 3
    });
    // The answers have arrived, and the wait for its health is on its way.
    std::thread::sleep(Duration::from_millis(300));
    running
}

/// Waits until it is over, for so long. Whether it is.
fn over_within(running: &mut Running, limit: Duration) -> bool {
    let begun = Instant::now();
    while running.over().is_none() {
        if begun.elapsed() >= limit {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    true
}

/// What the next job does: it plans, applies, and all is there, once; what was made before is kept.
fn next_job_finishes(world: &World) {
    let made = docker(&["inspect", "--format", "{{.Id}}", &world.name("slow")]).trim().to_owned();
    let left = world.plan();
    for it in ["docker_container.last", "docker_volume.after[0]", "docker_volume.after[1]"] {
        assert!(left.contains(&format!("# {it} will be created")), "{it}: {left}");
    }
    let said = world.settle();
    assert!(said.contains(" 0 destroyed"), "{said}");
    assert_eq!(world.id("docker_container.slow"), made, "it was made again");
    let there = world.there();
    assert_eq!(there.containers, [world.name("last"), world.name("slow")]);
    assert_eq!(there.networks, [world.name("n")]);
    let volumes = ["after0", "after1", "before0", "before1", "before2"].map(|it| world.name(it));
    assert_eq!(there.volumes, volumes);
    assert_eq!(unique(&world.listed()).len(), 8);
    world.end();
}

#[test]
fn cancelled_as_github_does_it() {
    let world = long("cancel1");
    let mut running = begun(&world);
    running.signal("INT");
    assert!(
        !over_within(&mut running, INT_TO_TERM),
        "the call was over too early to prove anything"
    );
    running.signal("TERM");
    let in_time = over_within(&mut running, TERM_TO_KILL);
    running.signal("KILL");
    let ran: Ran = running.wait();
    assert!(in_time, "it had to be killed: {}", ran.all());
    assert_eq!(ran.code, Some(130), "{}", ran.all());
    assert!(ran.all().contains("docker_container.last"), "what remains is named: {}", ran.all());

    assert!(world.serial() > 0);
    assert!(!world.path().join(".terraform.tfstate.lock.info").exists(), "the lock is held");
    next_job_finishes(&world);
}

/// On a machine that is too busy for an orderly end, the last signal comes first.
#[test]
fn killed_before_it_could_end() {
    let world = long("cancel2");
    let mut running = begun(&world);
    running.signal("INT");
    assert!(
        !over_within(&mut running, INT_TO_TERM),
        "the call was over too early to prove anything"
    );
    running.signal("STOP");
    running.signal("TERM");
    running.signal("KILL");
    let ran = running.wait();
    assert_eq!(ran.code, None, "it was killed: {}", ran.all());
    // Its lock is taken over, its journal too.
    next_job_finishes(&world);
}

/// So few that what it prints fits into a pipe that nobody reads. Where calls are short there is time to finish them: nothing is in doubt afterwards.
#[test]
fn short_calls_end_before_the_second_signal() {
    let world = World::new(
        "cancel3",
        r#"
        resource "docker_container" "one" {
          count   = 12
          name    = "PREFIX-one${count.index}"
          image   = "BUSYBOX"
          command = ["sleep", "10000"]
        }"#,
    );
    let args = ["apply", "-auto-approve", "-no-color", "-parallelism=1"];
    let mut running = world.spawn(&args);
    eventually("some are made", || world.there().containers.len() > 2);
    running.signal("INT");
    assert!(over_within(&mut running, INT_TO_TERM), "GitHub would have gone on to SIGTERM");
    let ran = running.wait();
    assert_eq!(ran.code, Some(130), "{}", ran.all());
    assert!(!ran.all().contains("not waited for"), "{}", ran.all());
    world.at_rest();
    let (known, there) = (world.listed().len(), world.there().containers.len());
    assert!(known == there && known < 12, "{known} are known, {there} are there");

    let said = world.settle();
    assert!(said.contains(&format!("{} added, 0 changed, 0 destroyed", 12 - known)), "{said}");
    assert_eq!(unique(&world.there().containers).len(), 12);
    world.end();
}
