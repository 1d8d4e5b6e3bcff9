//! What happens is told within the time that is promised, and nothing else is.

use std::process::Command;

use serde_json::Value;

use crate::watcher::{LAB, Watcher, injure, inside};
use crate::world::{USERS, World, another, eventually};

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
    let stray = "resource \"netns_host\" \"stray\" {\n  name = \"stray\"\n  interface { network = \"lan\" }\n}\n";
    let other = another(&world, stray);
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
fn what_is_left_open_is_announced_and_let_be() {
    let port = "resource \"netns_port\" \"p\" {\n  name = \"p\"\n  network = \"lan\"\n";
    let world =
        World::new(USERS[0], &format!("{LAB}\n{port}  depends_on = [netns_network.lan]\n}}\n"));
    world.apply();
    let mut watcher = Watcher::start(&world, &["-repair", "-allow-destroy"]);
    // Somebody else takes it over, and says what is left out here.
    let import = "import {\n  to = netns_port.p\n  id = \"p\"\n}\n";
    let more = "  allowed_addresses = [\"10.9.0.0/16\"]\n}\n";
    let other = another(&world, &format!("{import}{port}{more}"));
    other.apply();
    let found = watcher.finds("netns_port.p");
    let finding = &found["watch"]["finding"];
    assert_eq!(finding["class"], "undeclared", "{found}");
    assert_eq!(finding["attributes"][0]["path"], "allowed_addresses", "{found}");
    assert_eq!(finding["attributes"][0]["after"], serde_json::json!(["10.9.0.0/16"]), "{found}");
    assert_eq!((&finding["repair"], &finding["pending"]), (&Value::Null, &false.into()), "{found}");
    assert!(finding["location"]["line"].is_u64(), "{found}");
    watcher.hears("watch_status", |it| it["watch"]["to"] == "drifted");
    // Nothing would set it back: it is taken in, and then it is what is remembered.
    world.ok(&["refresh", "-no-color"]);
    watcher.hears("watch_settled", |it| it["watch"]["finding"]["address"] == "netns_port.p");
    watcher.hears("watch_status", |it| it["watch"]["to"] == "in_sync");
    assert!(watcher.all("watch_repairing").is_empty(), "there is nothing to repair");
    watcher.end();
    other.ok(&["state", "rm", "netns_port.p"]);
    world.at_rest();
    world.end();
}

#[test]
fn an_event_is_followed_by_a_look_at_what_it_touched_alone() {
    let world = World::new(USERS[0], LAB);
    world.apply();
    let mut watcher = Watcher::start(&world, &["-listen", "127.0.0.1:19471"]);
    let looks = || crate::probes::metric(19471, "plumb_watch_looks_total{at=\"everything\"}");
    let before = looks();
    injure(&world, "netns_host.web", "kill -9 2");
    watcher.finds("netns_host.web");
    assert_eq!(looks(), before, "not everything is looked at again");
    watcher.end();
    world.apply();
    world.end();
}
