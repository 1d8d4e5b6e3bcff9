//! What happens is told within the time that is promised, and nothing else is.

use std::process::Command;

use crate::watcher::{LAB, Watcher, injure, inside};
use crate::world::{USERS, World, eventually};

#[test]
fn every_injury_is_found_within_two_seconds() {
    for user in USERS {
        let world = World::new(user, LAB);
        world.apply();
        let mut watcher = Watcher::start(&world, &[]);
        let link = inside(&world);
        for (at, by_hand, whose, class) in [
            ("netns_router.r", "ip link set dev ext down", "netns_router.r", "changed"),
            ("netns_router.r", "ip addr flush dev INSIDE", "netns_router_interface.lan", "changed"),
            ("netns_router.r", "ip route del default", "netns_router.r", "changed"),
            ("netns_network.lan", "ip link set dev br down", "netns_network.lan", "changed"),
            ("netns_router.r", "nft delete table inet plumb", "netns_router.r", "changed"),
            ("netns_host.web", "kill -9 2", "netns_host.web", "changed"),
        ] {
            watcher.skip();
            injure(&world, at, &by_hand.replace("INSIDE", &link));
            let found = watcher.finds(whose);
            assert_eq!(found["watch"]["finding"]["class"], class, "{found}");
            // Somebody repairs it, and that is seen too.
            world.apply();
            watcher.hears("watch_settled", |it| it["watch"]["finding"]["address"] == whose);
            watcher.hears("watch_status", |it| it["watch"]["to"] == "in_sync");
        }
        watcher.skip();
        let pid = world.attribute("netns_host.db", "pid");
        assert!(Command::new("kill").args(["-9", &pid]).status().unwrap().success());
        watcher.finds("netns_host.db");
        // It reports: nothing was changed.
        assert!(world.plan().0);
        assert!(watcher.all("watch_repairing").is_empty());
        watcher.end();
        world.apply();
        world.end();
    }
}

#[test]
fn a_cloud_that_dies_is_found() {
    let world = World::new(USERS[0], LAB);
    world.apply();
    let mut watcher = Watcher::start(&world, &[]);
    for pid in world.processes() {
        let _ = Command::new("kill").args(["-9", &pid.to_string()]).status();
    }
    let found = watcher.finds("netns_host.db");
    assert_eq!(found["watch"]["finding"]["class"], "deleted", "{found}");
    eventually("it is dead", || world.processes().is_empty());
    world.apply();
    watcher.hears("watch_status", |it| it["watch"]["to"] == "in_sync");
    // It hears again, too.
    std::thread::sleep(std::time::Duration::from_secs(2));
    injure(&world, "netns_host.db", "kill -9 2");
    watcher.finds("netns_host.db");
    watcher.end();
    world.end();
}

#[test]
fn something_foreign_is_announced() {
    let world = World::new(USERS[0], LAB);
    world.apply();
    let mut watcher = Watcher::start(&world, &["-repair"]);
    let cloud = world.path().join(".plumb/netns");
    let stray = "resource \"netns_host\" \"stray\" {\n  name = \"stray\"\n  interface { network = \"lan\" }\n}\n";
    let other = format!("provider \"netns\" {{\n  cloud = {cloud:?}\n}}\n{stray}");
    let other = World::new(USERS[0], &other);
    other.apply();
    let found = watcher.finds("netns_host:stray");
    assert_eq!(found["watch"]["finding"]["class"], "foreign", "{found}");
    assert!(watcher.all("watch_repairing").is_empty(), "it is not ours to change");
    other.ok(&["destroy", "-auto-approve"]);
    watcher.hears("watch_settled", |it| it["watch"]["finding"]["address"] == "netns_host:stray");
    watcher.end();
    world.end();
}

#[test]
fn an_event_is_followed_by_a_look_at_what_it_touched_alone() {
    let world = World::new(USERS[0], LAB);
    world.apply();
    let mut watcher = Watcher::start(&world, &["-listen", "127.0.0.1:19471"]);
    let looks = || crate::served::metric(19471, "plumb_watch_looks_total{at=\"everything\"}");
    let before = looks();
    injure(&world, "netns_host.web", "kill -9 2");
    watcher.finds("netns_host.web");
    assert_eq!(looks(), before, "not everything is looked at again");
    watcher.end();
    world.apply();
    world.end();
}
