//! Metrics and probes.

use std::process::Stdio;
use std::time::Duration;

use crate::watcher::{LAB, Watcher, injure};
use crate::world::{USERS, World, eventually};

/// Status and body.
pub(crate) fn get(port: u16, path: &str) -> (u16, String) {
    let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
    match agent.get(format!("http://127.0.0.1:{port}{path}")).call() {
        Ok(mut response) => {
            (response.status().as_u16(), response.body_mut().read_to_string().unwrap())
        }
        Err(error) => (0, error.to_string()),
    }
}

/// The value of one line.
#[track_caller]
pub(crate) fn metric(port: u16, name: &str) -> f64 {
    let (_, text) = get(port, "/metrics");
    let line = text.lines().find_map(|it| it.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in\n{text}")).parse().unwrap()
}

/// Reads it as strictly as Prometheus does: help and type before every metric, names and labels well formed.
fn well_formed(text: &str) {
    let sample = regex::Regex::new(
        r#"^([a-z_]+)(\{[a-z_]+="(\\.|[^"\\])*"(,[a-z_]+="(\\.|[^"\\])*")*\})? (\S+)$"#,
    );
    let sample = sample.unwrap();
    assert!(text.ends_with('\n'));
    let (mut helped, mut typed) = (String::new(), (String::new(), String::new()));
    let mut seen = std::collections::BTreeSet::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            helped = rest.split(' ').next().unwrap().to_owned();
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert_eq!(name, helped);
            assert!(matches!(kind, "counter" | "gauge"), "{line}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            typed = (name.to_owned(), kind.to_owned());
        } else {
            let parts = sample.captures(line).unwrap_or_else(|| panic!("{line}"));
            assert_eq!(&parts[1], typed.0, "{line}");
            assert!(parts[6].parse::<f64>().is_ok(), "{line}");
            assert!(seen.insert(line.rsplit_once(' ').unwrap().0.to_owned()), "twice: {line}");
        }
    }
    assert!(seen.len() > 20, "{text}");
}

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
    assert_eq!(
        get_within(PORT, Duration::from_secs(1)),
        None,
        "a process that stands still says nothing"
    );
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
