//! `watch`: what the engine tells of is found within two seconds, and healed.

use std::time::Duration;

use crate::watching::Watcher;
use crate::world::World;

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

impl Watcher {
    fn start(world: &World, args: &[&str]) -> Watcher {
        let it = Watcher::of(&mut world.command(&[&["watch", "-json"], args].concat(), false));
        // The engine's stream takes a moment longer.
        std::thread::sleep(Duration::from_millis(500));
        it
    }

    #[track_caller]
    fn tells(&mut self, address: &str, class: &str) {
        let found = self.finds(address);
        assert_eq!(found["watch"]["finding"]["class"], class, "{found}");
    }
}

#[test]
fn what_is_done_by_hand_is_found_and_healed() {
    let world = World::new("watch", CONFIG);
    world.settle();
    let mut watcher = Watcher::start(&world, &["-repair"]);
    let a = world.name("a");

    world.docker(&["stop", "-t", "0", &a]);
    watcher.tells("docker_container.a", "changed");
    watcher.repairs("docker_container.a");
    assert_eq!(world.inspect("a", ".State.Running"), "true");

    world.docker(&["rm", "-f", &a]);
    watcher.tells("docker_container.a", "deleted");
    watcher.repairs("docker_container.a");
    assert_eq!(world.inspect("a", ".State.Running"), "true");

    world.docker(&["network", "disconnect", &world.name("n"), &a]);
    watcher.tells("docker_container.a", "changed");
    watcher.repairs("docker_container.a");

    world.docker(&["update", "--memory", "32m", "--memory-swap", "64m", &a]);
    watcher.tells("docker_container.a", "changed");
    watcher.repairs("docker_container.a");
    assert_eq!(world.inspect("a", ".HostConfig.Memory"), (64 << 20).to_string());

    // Somebody's container in our network is theirs.
    let stray = world.name("stray");
    let network = world.name("n");
    let image = crate::world::busybox();
    world.docker(&["run", "-d", "--name", &stray, "--network", &network, &image, "sleep", "1000"]);
    watcher.tells(&format!("docker_container:{stray}"), "foreign");
    world.docker(&["rm", "-f", &stray]);
    watcher.end();
    world.nothing_to_do();
    world.at_rest();
    world.end();
}

/// Somebody else's container has the name: whatever it costs, it is not ours to take away.
#[test]
fn what_cannot_be_repaired_is_tried_a_few_times_and_told() {
    let world = World::new("heldwatch", CONFIG);
    world.settle();
    let mut watcher = Watcher::start(&world, &["-repair", "-retries=2"]);
    let (a, image) = (world.name("a"), crate::world::busybox());
    // Both at once, before it can be made again.
    world.docker(&["rename", &a, &world.name("old")]);
    world.docker(&["run", "-d", "--name", &a, &image, "sleep", "1000"]);
    watcher.hears("watch_drifted", |_| true);
    let held = watcher.hears("watch_held", |_| true);
    assert_eq!(held["watch"]["address"], "docker_container.a", "{held}");
    assert!(held["@message"].as_str().unwrap().contains("too often"), "{held}");
    let theirs = world.inspect("a", ".Id");
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(world.inspect("a", ".Id"), theirs);
    world.docker(&["rm", "-f", &a]);
    watcher.signal("HUP");
    watcher.repairs("docker_container.a");
    watcher.end();
    world.nothing_to_do();
    world.at_rest();
    world.end();
}
