//! What a service manager is told.

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::{Duration, Instant};

use crate::watcher::{LAB, Watcher, injure};
use crate::world::{USERS, World};

struct Manager(UnixDatagram);

impl Manager {
    fn listen(socket: UnixDatagram) -> Manager {
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        Manager(socket)
    }

    fn next(&self) -> String {
        let mut bytes = [0; 4096];
        let length = self.0.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    }

    /// The next message that has this line.
    fn hears(&self, line: &str) -> String {
        let begun = Instant::now();
        loop {
            let message = self.next();
            if message.lines().any(|it| it == line) {
                return message;
            }
            assert!(begun.elapsed() < Duration::from_secs(20), "no {line}");
        }
    }
}

#[test]
fn a_service_manager_knows_how_it_is() {
    let world = World::new(USERS[0], LAB);
    world.apply();
    let path = world.path().join("notify");
    let name = format!("plumb-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    for (manager, socket) in [
        (UnixDatagram::bind(&path).unwrap(), path.display().to_string()),
        (UnixDatagram::bind_addr(&address).unwrap(), format!("@{name}")),
    ] {
        let manager = Manager::listen(manager);
        let mut command = world.command(&["watch", "-json", "-repair"]);
        command.env("NOTIFY_SOCKET", socket).env("WATCHDOG_USEC", "400000");
        let watcher = Watcher::of(&mut command);
        manager.hears("READY=1");
        manager.hears("STATUS=in sync");
        // What is sent already is not counted.
        manager.0.set_nonblocking(true).unwrap();
        while manager.0.recv(&mut [0; 4096]).is_ok() {}
        manager.0.set_nonblocking(false).unwrap();
        let begun = Instant::now();
        for _ in 0..5 {
            manager.hears("WATCHDOG=1");
        }
        assert!(begun.elapsed() > Duration::from_millis(700), "as often as asked for, not more");
        injure(&world, "netns_host.web", "kill -9 2");
        manager.hears("STATUS=drifted");
        manager.hears("STATUS=in sync");
        watcher.signal("HUP");
        let reloading = manager.hears("RELOADING=1");
        assert!(reloading.contains("MONOTONIC_USEC="), "{reloading}");
        manager.hears("READY=1");
        watcher.signal("TERM");
        manager.hears("STOPPING=1");
        watcher.end_of();
    }
    world.end();
}

#[test]
fn a_watchdog_that_is_meant_for_somebody_else_is_not_fed() {
    let world = World::new(USERS[0], LAB);
    world.apply();
    let path = world.path().join("notify");
    let manager = Manager::listen(UnixDatagram::bind(&path).unwrap());
    let mut command = world.command(&["watch", "-json"]);
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "100000").env("WATCHDOG_PID", "1");
    let watcher = Watcher::of(&mut command);
    std::thread::sleep(Duration::from_secs(1));
    watcher.end();
    loop {
        let message = manager.next();
        assert!(!message.contains("WATCHDOG"), "{message}");
        if message.contains("STOPPING=1") {
            break;
        }
    }
    world.end();
}
