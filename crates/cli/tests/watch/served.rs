//! Metrics and probes.

use std::process::Stdio;
use std::time::Duration;

use crate::probes::{get, metric, well_formed};
use crate::watcher::{LAB, Watcher, injure};
use crate::world::{USERS, World, eventually};

#[test]
fn metrics_and_probes_tell_how_it_is() {
    const PORT: u16 = 19469;
    let world = World::new(USERS[0], LAB);
    world.apply();
    let mut watcher = Watcher::start(&world, &["-repair", "-listen", "127.0.0.1:19469"]);
    eventually("it is ready", || get(PORT, "/readyz").0 == 200);
    assert_eq!(get(PORT, "/healthz"), (200, "ok\n".to_owned()));
    assert_eq!(get(PORT, "/other").0, 404);
    well_formed(&get(PORT, "/metrics").1);
    assert_eq!(metric(PORT, "plumb_watch_status{status=\"in_sync\"}"), 1.0);
    assert_eq!(metric(PORT, "plumb_watch_budget_left"), 20.0);
    injure(&world, "netns_host.web", "kill -9 2");
    watcher.repairs("netns_host.web");
    let name = r#"{provider="provider[\"registry.terraform.io/plumb/netns\"]"}"#;
    assert!(metric(PORT, &format!("plumb_watch_events_total{name}")) > 0.0);
    assert_eq!(metric(PORT, &format!("plumb_watch_following{name}")), 1.0);
    assert_eq!(metric(PORT, "plumb_watch_repairs_total"), 1.0);
    assert_eq!(metric(PORT, "plumb_watch_changes_total"), 1.0);
    assert_eq!(metric(PORT, "plumb_watch_budget_left"), 19.0);
    well_formed(&get(PORT, "/metrics").1);
    watcher.signal("STOP");
    // It takes a moment until all of its threads stand still.
    eventually("a process that stands still says nothing", || {
        get_within(PORT, Duration::from_secs(1)).is_none()
    });
    watcher.signal("CONT");
    eventually("it goes on", || get(PORT, "/healthz").0 == 200);
    watcher.end();
    world.end();
}

fn get_within(port: u16, limit: Duration) -> Option<u16> {
    let agent = ureq::Agent::config_builder().timeout_global(Some(limit)).build().new_agent();
    agent.get(format!("http://127.0.0.1:{port}/healthz")).call().ok().map(|it| it.status().as_u16())
}

#[test]
fn it_is_not_ready_before_it_has_looked() {
    const PORT: u16 = 19470;
    let world = World::new(USERS[0], LAB);
    world.apply();
    // Somebody works on the state: the first look waits.
    let mut command = world.command(&["destroy", "-no-color"]);
    let mut person =
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    eventually("it is locked", || world.path().join(".terraform.tfstate.lock.info").exists());
    let mut command = world.command(&["watch", "-json", "-listen", "127.0.0.1:19470"]);
    let mut watcher = Watcher::begin(&mut command);
    watcher.hears("watch_waiting", |_| true);
    let (code, why) = get(PORT, "/readyz");
    assert_eq!((code, &*why), (503, "nothing was looked at yet\n"));
    assert_eq!(get(PORT, "/healthz").0, 200);
    drop(person.stdin.take());
    let _ = person.wait().unwrap();
    eventually("it is ready", || get(PORT, "/readyz").0 == 200);
    watcher.end();
    world.end();
}
