//! The loop killed at any moment of an apply, and interrupted: the next one finishes, and nothing is made twice.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::world::{World, clouds, run};

const MANY: &str = r#"
resource "netns_network" "net" {
  name   = "net"
  subnet = "10.1.0.0/16"
}

resource "netns_host" "host" {
  count   = 12
  name    = "host${count.index}"
  command = ["sleep", "100000"]
  interface { network = netns_network.net.name }
}
"#;

/// The processes of the cloud.
fn processes(world: &World) -> BTreeSet<u32> {
    clouds(&world.path("loop/tree/.plumb/netns"))
}

/// The processes that a process started, from whichever of its threads.
fn children(pid: u32) -> Vec<String> {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    let of = |it: std::fs::DirEntry| std::fs::read_to_string(it.path().join("children"));
    let all: String = threads.filter_map(|it| of(it).ok()).collect();
    all.split_whitespace().map(str::to_owned).collect()
}

fn end(world: &World) {
    run(world.plumb(&["-chdir=loop/tree", "destroy", "-auto-approve"]));
    world.until_so("all processes are gone", || processes(world).is_empty());
}

fn world() -> World {
    World::new("auto", MANY)
}

#[test]
fn a_killed_loop_is_finished_by_the_next() {
    let mut half = 0;
    for trial in 0..8 {
        let world = world();
        let running = world.start(&[]);
        world.until("Applying ");
        // Later each time, however fast this machine is.
        world.until_so("some hosts are made", || processes(&world).len() > trial);
        // The apply lives on, or is killed as well.
        let runs = children(running.id());
        running.kill();
        for pid in runs.iter().filter(|_| trial % 2 == 0) {
            run(world.command("sh", &["-c", &format!("kill -9 {pid} || true")]));
        }
        std::thread::sleep(Duration::from_millis(5));
        let made = processes(&world).len();
        half += usize::from(made > 1 && made < 13);
        let began = world.record()["memory"]["applying"].is_string();
        let said = world.round(0);
        let known = said.contains("The last run ended while it applied");
        assert_eq!(known, began, "trial {trial}: {said}");
        // The holder, and one process for each host.
        assert_eq!(processes(&world).len(), 13, "trial {trial}: {said}");
        assert!(world.round(0).contains("nothing to do"), "trial {trial}");
        let (last, commit) = world.history().pop().unwrap();
        assert!(last == "applied" || last == "unchanged", "trial {trial}: {last}");
        assert_eq!(commit, world.head());
        end(&world);
    }
    assert!(half > 0, "none was killed half way");
}

#[test]
fn an_interrupt_reaches_the_apply_and_is_waited_for() {
    let world = world();
    let running = world.start(&[]);
    world.until("Applying ");
    std::thread::sleep(Duration::from_millis(100));
    let code = running.interrupt();
    let log = world.log();
    assert!(code == 130 || log.contains("is applied"), "{code} {log}");
    assert!(log.contains("Interrupted") || log.contains("is applied"), "{log}");
    assert!(log.contains("told to stop"), "{log}");
    world.round(0);
    assert_eq!(processes(&world).len(), 13);
    end(&world);
}

#[test]
fn only_what_drifted_is_repaired() {
    let world = world();
    world.round(0);
    world.config("policy {\n mode = \"drift-only\"\n max_destroy = 0\n}");
    assert!(world.round(0).contains("nothing to do"));
    let state = world.state();
    let hosts = state["resources"].as_array().unwrap().iter().find(|it| it["type"] == "netns_host");
    let pid = hosts.unwrap()["instances"][3]["attributes"]["pid"].as_u64();
    // Somebody ends a host, and the next commit wants something else as well.
    let pid = pid.unwrap_or_else(|| panic!("a host has a process: {hosts:?}"));
    run({
        let mut command = std::process::Command::new("kill");
        command.args(["-9", &pid.to_string()]);
        command
    });
    let more = MANY.replace("count   = 12", "count   = 14");
    world.commit(&more);
    let said = world.round(2);
    assert!(said.contains("Repairing what drifted"), "{said}");
    assert!(said.contains("changes of the configuration wait, of 2 objects"), "{said}");
    assert_eq!(processes(&world).len(), 13, "{said}");
    assert_eq!(world.history().pop().unwrap().0, "repaired");
    let said = world.round(2);
    assert!(!said.contains("Repairing"), "{said}");
    world.config("policy {\n mode = \"auto\"\n}");
    world.round(0);
    assert_eq!(processes(&world).len(), 15);
    end(&world);
}

#[test]
fn the_last_commit_may_leave_nothing() {
    let world = world();
    world.round(0);
    world.commit(
        "terraform {\n  required_providers {\n    netns = { source = \"plumb/netns\" }\n  }\n}\n",
    );
    let said = world.round(0);
    assert!(said.contains("13 destroyed"), "{said}");
    world.until_so("all processes are gone", || processes(&world).is_empty());
}
