//! The repair loop: heals, within its limits, what it may heal.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::watcher::{LAB, Watcher, injure, inside};
use crate::world::{USERS, World};

/// Numbers that look random; the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }
}

#[test]
fn fifty_injuries_in_a_row_are_healed_and_then_the_budget_is_spent() {
    let world = World::new(USERS[0], LAB);
    world.apply();
    // The same few injuries again and again are a fight otherwise.
    let limits = ["-repair", "-budget=50", "-flips=1000"];
    let mut watcher = Watcher::start(&world, &limits);
    let mut random = Random(20_261_126);
    for round in 1..=50 {
        let link = inside(&world);
        let injuries = [
            ("netns_router.r", "ip link set dev ext down".to_owned(), "netns_router.r"),
            ("netns_router.r", format!("ip addr flush dev {link}"), "netns_router_interface.lan"),
            ("netns_router.r", "ip route del default".to_owned(), "netns_router.r"),
            ("netns_network.lan", "ip link set dev br down".to_owned(), "netns_network.lan"),
            ("netns_host.web", "kill -9 2".to_owned(), "netns_host.web"),
            ("netns_host.db", "kill -9 2".to_owned(), "netns_host.db"),
        ];
        let (at, words, whose) = &injuries[random.below(injuries.len())];
        watcher.skip();
        injure(&world, at, words);
        watcher.repairs(whose);
        let all = || [watcher.all("watch_drifted"), watcher.all("watch_repaired")];
        assert_eq!(watcher.all("watch_repaired").len(), round, "{words}: {:#?}", all());
    }
    world.at_rest();
    assert_eq!(watcher.all("watch_repaired").len(), 50);
    injure(&world, "netns_host.web", "kill -9 2");
    watcher.finds("netns_host.web");
    watcher.hears("watch_budget_spent", |_| true);
    // What drifts is still told, and nothing more is changed.
    injure(&world, "netns_host.db", "kill -9 2");
    watcher.finds("netns_host.db");
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(watcher.all("watch_repaired").len(), 50);
    assert_eq!(watcher.all("watch_budget_spent").len(), 1);
    watcher.end();
    world.apply();
    world.end();
}

#[test]
fn accepted_drift_is_let_be_and_told_to_nobody() {
    let world = World::new(USERS[0], LAB);
    world.apply();
    let accept = "accept \"netns_host.web\" {\n  reason = \"somebody looks into it\"\n}\n";
    fs::write(world.path().join("drift.plumb.hcl"), accept).unwrap();
    let mut watcher = Watcher::start(&world, &["-repair"]);
    injure(&world, "netns_host.web", "kill -9 2");
    // Another repair does not touch it, nor take it over into the state.
    injure(&world, "netns_host.db", "kill -9 2");
    watcher.repairs("netns_host.db");
    assert_eq!(watcher.all("watch_repaired").len(), 1);
    let of_web = |it: &serde_json::Value| it["watch"]["finding"]["address"] == "netns_host.web";
    assert!(!watcher.all("watch_drifted").iter().any(of_web));
    assert_eq!(world.attribute("netns_host.web", "status"), "running", "as it is remembered");
    let (something, said) = world.plan();
    assert!(something && said.contains("netns_host.web will be updated"), "{said}");
    // When it is no longer accepted, that is seen, and it is repaired.
    fs::remove_file(world.path().join("drift.plumb.hcl")).unwrap();
    watcher.repairs("netns_host.web");
    world.at_rest();
    watcher.end();
    world.end();
}

#[test]
fn whoever_holds_the_lock_is_waited_for() {
    let world = World::new(USERS[0], LAB);
    world.apply();
    let mut watcher = Watcher::start(&world, &["-repair"]);
    injure(&world, "netns_router.r", "ip link set dev ext down");
    watcher.repairs("netns_router.r");
    watcher.skip();
    // Somebody changes the configuration, and is asked whether to apply that.
    let changed = LAB.replace("\"sleep\", \"100000\"", "\"sleep\", \"200000\"");
    world.write(&changed);
    watcher.hears("watch_note", |it| it["@message"].as_str().unwrap().contains("read again"));
    let mut command = world.command(&["apply", "-no-color"]);
    let mut person = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    crate::world::eventually("it is locked", || {
        world.path().join(".terraform.tfstate.lock.info").exists()
    });
    watcher.skip();
    injure(&world, "netns_router.r", "ip link set dev ext down");
    watcher.hears("watch_waiting", |it| {
        it["watch"]["holder"].as_str().unwrap().contains("OperationTypeApply")
    });
    assert_eq!(watcher.all("watch_repaired").len(), 1);
    person.stdin.take().unwrap().write_all(b"no\n").unwrap();
    assert!(!person.wait().unwrap().success());
    watcher.hears("watch_repaired", |it| it["watch"]["address"] == "netns_router.r");
    // What the configuration asks for by itself still waits for its apply.
    let (something, said) = world.plan();
    assert!(something && said.contains("2 to change"), "{said}");
    watcher.end();
    world.apply();
    world.end();
}

#[test]
fn a_configuration_that_breaks_stops_everything_until_it_is_whole() {
    let world = World::new(USERS[0], LAB);
    world.apply();
    let mut watcher = Watcher::start(&world, &["-repair"]);
    let pid = world.attribute("netns_host.web", "pid");
    world.write(&format!("{LAB}\nresource \"netns_host\" {{"));
    watcher.hears("watch_blind", |_| true);
    assert!(Command::new("kill").args(["-9", &pid]).status().unwrap().success());
    std::thread::sleep(Duration::from_secs(2));
    assert!(watcher.all("watch_repairing").is_empty());
    world.write(LAB);
    watcher.hears("watch_sees", |_| true);
    watcher.hears("watch_repaired", |it| it["watch"]["address"] == "netns_host.web");
    watcher.end();
    world.at_rest();
    world.end();
}
