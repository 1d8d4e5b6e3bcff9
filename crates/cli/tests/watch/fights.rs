//! Somebody who sets back what is repaired.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::watcher::{LAB, Watcher, injure};
use crate::world::{USERS, World};

#[test]
fn a_fight_is_told_and_ended() {
    let world = World::new(USERS[0], LAB);
    world.apply();
    let mut watcher = Watcher::start(&world, &["-repair", "-budget=100"]);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // Somebody keeps the bridge down.
        scope.spawn(|| {
            while !over.load(Ordering::SeqCst) {
                let _ = world.exec("netns_network.lan", "ip link set dev br down");
                std::thread::sleep(std::time::Duration::from_millis(300));
            }
        });
        let fight = watcher.hears("watch_fighting", |_| true);
        let told = &fight["watch"];
        assert_eq!(told["address"], "netns_network.lan", "{fight}");
        assert_eq!(told["attribute"]["path"], "drift", "{fight}");
        assert!(told["attribute"]["after"].to_string().contains("br is down"), "{fight}");
        assert!(fight["@message"].as_str().unwrap().contains("br is down"), "{fight}");
        watcher.hears("watch_status", |it| it["watch"]["to"] == "fighting");
        assert_eq!(watcher.all("watch_repaired").len(), 3);
        std::thread::sleep(std::time::Duration::from_secs(2));
        assert_eq!(watcher.all("watch_repaired").len(), 3, "it is let be");
        // Others are repaired all the same.
        injure(&world, "netns_host.web", "kill -9 2");
        watcher.hears("watch_repaired", |it| it["watch"]["address"] == "netns_host.web");
        // On request it is tried again.
        watcher.signal("HUP");
        watcher.hears("watch_resumed", |it| it["watch"]["address"] == "netns_network.lan");
        watcher.hears("watch_repaired", |it| it["watch"]["address"] == "netns_network.lan");
        watcher.hears("watch_fighting", |_| true);
        over.store(true, Ordering::SeqCst);
    });
    watcher.end();
    world.apply();
    world.end();
}
