//! What a repair would destroy stays unless that is allowed.

use std::time::Duration;

use crate::watcher::{LAB, Watcher, injure};
use crate::world::{USERS, World};

/// A host that is made anew whenever a network is changed, and one that has nothing to do with any: to repair
/// a host is to see to the network that it is in, too.
fn config() -> String {
    let anew = "  lifecycle {\n    replace_triggered_by = [netns_network.lan]\n  }\n}\n";
    let guest = "resource \"netns_host\" \"guest\" {\n  name = \"guest\"\n  \
                 command = [\"sleep\", \"100000\"]\n";
    let alone = guest.replace("guest", "alone");
    format!("{LAB}\n{guest}{anew}{alone}}}\n")
}

#[test]
fn nothing_is_destroyed_unless_that_is_allowed() {
    let world = World::new(USERS[0], &config());
    world.apply();
    let pid = world.attribute("netns_host.guest", "pid");
    let mut watcher = Watcher::start(&world, &["-repair"]);
    injure(&world, "netns_network.lan", "ip link set dev br down");
    watcher.finds("netns_network.lan");
    let held = watcher.hears("watch_held", |it| it["watch"]["address"] == "netns_network.lan");
    let why = held["watch"]["reason"].as_str().unwrap();
    assert!(why.contains("netns_host.guest would be deleted or replaced"), "{held}");
    assert!(why.contains("-allow-destroy was not given"), "{held}");
    // It is told once, other repairs go on, and this one is not made after all.
    injure(&world, "netns_host.alone", "kill -9 2");
    watcher.hears("watch_repaired", |it| it["watch"]["address"] == "netns_host.alone");
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(watcher.all("watch_held").len(), 1);
    assert_eq!(watcher.all("watch_repaired").len(), 1);
    watcher.end();
    assert_eq!(world.attribute("netns_host.guest", "pid"), pid);
    let (something, said) = world.plan();
    assert!(something && said.contains("1 to add, 1 to change, 1 to destroy"), "{said}");

    let mut watcher = Watcher::start(&world, &["-repair", "-allow-destroy"]);
    watcher.repairs("netns_network.lan");
    assert!(watcher.all("watch_held").is_empty());
    watcher.end();
    assert_ne!(world.attribute("netns_host.guest", "pid"), pid, "it is another one");
    world.at_rest();
    world.end();
}
