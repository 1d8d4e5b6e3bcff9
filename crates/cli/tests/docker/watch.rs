//! `watch`: what the engine tells of is found within two seconds, and healed.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use crate::world::World;

/// What is promised of systems that tell what happens.
const PROMISED: Duration = Duration::from_secs(2);

const CONFIG: &str = r#"
resource "docker_network" "n" {
  name = "PREFIX-n"
}

resource "docker_container" "a" {
  name    = "PREFIX-a"
  image   = "BUSYBOX"
  command = ["sleep", "100000"]
  memory  = 64
  networks_advanced {
    name = docker_network.n.name
  }
}
"#;

struct Watcher {
    child: Child,
    lines: Receiver<Json>,
}

impl Watcher {
    fn start(world: &World, args: &[&str]) -> Watcher {
        let mut child =
            world.command(&[&["watch", "-json"], args].concat(), false).spawn().unwrap();
        let (sender, lines) = channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        // Ends with the process.
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                let _ = sender.send(serde_json::from_str(&line).unwrap());
            }
        });
        let watcher = Watcher { child, lines };
        watcher.hears(Duration::from_secs(20), |it| {
            it["type"] == "watch_status" && it["watch"]["from"] == "starting"
        });
        // It listens right after the first look.
        std::thread::sleep(Duration::from_secs(1));
        watcher
    }

    #[track_caller]
    fn hears(&self, limit: Duration, wanted: impl Fn(&Json) -> bool) -> Json {
        let begun = Instant::now();
        let mut others = Vec::new();
        while let Some(left) = limit.checked_sub(begun.elapsed()) {
            match self.lines.recv_timeout(left) {
                Ok(line) if wanted(&line) => return line,
                Ok(line) => others.push(line.to_string()),
                Err(_) => break,
            }
        }
        panic!("not within {limit:?}, but:\n{}", others.join("\n"));
    }

    #[track_caller]
    fn finds(&self, address: &str, class: &str) {
        self.hears(PROMISED, |it| {
            it["type"] == "watch_drifted"
                && it["watch"]["finding"]["address"] == address
                && it["watch"]["finding"]["class"] == class
        });
    }

    #[track_caller]
    fn heals(&self, address: &str) {
        let limit = Duration::from_secs(20);
        self.hears(limit, |it| it["type"] == "watch_repaired" && it["watch"]["address"] == address);
        self.hears(limit, |it| it["type"] == "watch_status" && it["watch"]["to"] == "in_sync");
    }

    fn end(mut self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn what_is_done_by_hand_is_found_and_healed() {
    let world = World::new("watch", CONFIG);
    world.settle();
    let watcher = Watcher::start(&world, &["-repair"]);
    let a = world.name("a");

    world.docker(&["stop", "-t", "0", &a]);
    watcher.finds("docker_container.a", "changed");
    watcher.heals("docker_container.a");
    assert_eq!(world.inspect("a", ".State.Running"), "true");

    world.docker(&["rm", "-f", &a]);
    watcher.finds("docker_container.a", "deleted");
    watcher.heals("docker_container.a");
    assert_eq!(world.inspect("a", ".State.Running"), "true");

    world.docker(&["network", "disconnect", &world.name("n"), &a]);
    watcher.finds("docker_container.a", "changed");
    watcher.heals("docker_container.a");

    world.docker(&["update", "--memory", "32m", "--memory-swap", "64m", &a]);
    watcher.finds("docker_container.a", "changed");
    watcher.heals("docker_container.a");
    assert_eq!(world.inspect("a", ".HostConfig.Memory"), (64 << 20).to_string());

    // Somebody's container in our network is theirs.
    let stray = world.name("stray");
    let network = world.name("n");
    let image = crate::world::busybox();
    world.docker(&["run", "-d", "--name", &stray, "--network", &network, &image, "sleep", "1000"]);
    watcher.finds(&format!("docker_container:{stray}"), "foreign");
    world.docker(&["rm", "-f", &stray]);
    watcher.end();
    world.nothing_to_do();
    world.at_rest();
    world.end();
}

/// Somebody else's container has the name: whatever it costs, it is not ours to take away.
#[test]
fn what_cannot_be_repaired_is_tried_a_few_times_and_told() {
    let world = World::new("held-watch", CONFIG);
    world.settle();
    let watcher = Watcher::start(&world, &["-repair", "-retries=2"]);
    let (a, image) = (world.name("a"), crate::world::busybox());
    let wait = Duration::from_secs(20);
    // Both at once, before it can be made again.
    world.docker(&["rename", &a, &world.name("old")]);
    world.docker(&["run", "-d", "--name", &a, &image, "sleep", "1000"]);
    watcher.hears(wait, |it| it["type"] == "watch_drifted");
    let held = watcher.hears(wait, |it| it["type"] == "watch_held");
    assert_eq!(held["watch"]["address"], "docker_container.a", "{held}");
    assert!(held["@message"].as_str().unwrap().contains("too often"), "{held}");
    let theirs = world.inspect("a", ".Id");
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(world.inspect("a", ".Id"), theirs);
    world.docker(&["rm", "-f", &a]);
    let pid = watcher.child.id().to_string();
    assert!(Command::new("kill").args(["-HUP", &pid]).status().unwrap().success());
    watcher.heals("docker_container.a");
    watcher.end();
    world.nothing_to_do();
    world.at_rest();
    world.end();
}
