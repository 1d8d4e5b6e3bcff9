//! `examples/openstack-lab`: up, proven by packets, its second topology, snapshot, restore, resize.

use serde_json::Value as Json;

use crate::world::{World, answers, eventually, root};

/// The lab in a world's folder.
pub(crate) fn lab(name: &str) -> World {
    let mut world = World::empty(name);
    for entry in std::fs::read_dir(root().join("examples/openstack-lab")).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        if name.to_string_lossy().contains(".tf") || name.to_string_lossy().contains(".hcl") {
            std::fs::copy(entry.path(), world.path().join(name)).unwrap();
        }
    }
    world.vars = vec![format!("-var=prefix={}", world.name)];
    world.env.insert("TF_VAR_image".to_owned(), "rig".to_owned());
    world
}

fn output(world: &World, name: &str) -> Json {
    serde_json::from_str(&world.ok(&["output", "-json", name])).unwrap()
}

fn text(world: &World, name: &str) -> String {
    output(world, name).as_str().unwrap().to_owned()
}

#[test]
fn the_whole_lab() {
    let mut world = lab("lab");
    world.ok(&["init", "-no-color"]);
    world.ok(&["validate", "-no-color"]);
    world.settle();
    let (address, machine) = (text(&world, "address"), text(&world, "machine"));
    let inside = text(&world, "inside");
    eventually("the machine answers outside", || answers(&address));
    let port = |number: u16| {
        let script = format!("exec 3<>/dev/tcp/{address}/{number} && head -c 4 <&3");
        let mut bash = std::process::Command::new("timeout");
        let done = bash.args(["2", "bash", "-c", &script]).output().unwrap();
        String::from_utf8_lossy(&done.stdout).into_owned()
    };
    eventually("ssh answers outside", || port(22) == "SSH-");
    // The web is for the second network only.
    assert_eq!(port(80), "");
    // From the machine to the outside: the gateway of the network outside.
    let gateway = world.outside_gateway();
    eventually("the outside answers", || {
        world.inside(&machine, &["ping", "-c1", "-W1", &gateway]).code == Some(0)
    });

    // What it wrote to its console.
    let console = world.ok(&["logs", "openstack_compute_instance_v2.vm"]);
    assert!(!console.trim().is_empty());
    let said = world.fails(&["logs", "openstack_networking_network_v2.net"]);
    assert!(said.contains("keeps no log"), "{said}");

    second(&mut world, &machine, &inside);
    let snapshot = snapshot(&mut world, &machine);
    restore(&mut world, &machine, &address, &snapshot);
    resize(&mut world, &machine, &address);

    let graph = world.ok(&["graph"]);
    for it in ["openstack_compute_instance_v2.vm", "openstack_networking_router_v2.router"] {
        assert!(graph.contains(it), "{graph}");
    }
    world.end();
}

/// Another network and router, a second machine; the two reach each other, and by the web, too.
fn second(world: &mut World, machine: &str, first: &str) {
    world.vars.push("-var=second=true".to_owned());
    world.settle();
    let second = output(world, "second");
    let (other, there) = (second["machine"].as_str().unwrap(), second["inside"].as_str().unwrap());
    eventually("the first machine reaches the second", || {
        world.inside(machine, &["ping", "-c1", "-W1", there]).code == Some(0)
    });
    eventually("the second machine reaches the first", || {
        world.inside(other, &["ping", "-c1", "-W1", first]).code == Some(0)
    });
    let script = format!(
        "exec 3<>/dev/tcp/{first}/80 && printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3 && head -c 4 <&3"
    );
    eventually("the web answers the second network", || {
        world.inside(other, &["timeout", "3", "bash", "-c", &script]).out == "HTTP"
    });
}

fn snapshot(world: &mut World, machine: &str) -> String {
    world.vars.push("-var=snapshots=[\"before\"]".to_owned());
    let said = world.settle();
    assert!(said.contains("1 added, 0 changed, 0 destroyed"), "{said}");
    assert_eq!(text(world, "machine"), machine);
    output(world, "snapshots")["before"].as_str().unwrap().to_owned()
}

/// The machine becomes what it was when the snapshot was taken: the same one, with its addresses.
fn restore(world: &mut World, machine: &str, address: &str, snapshot: &str) {
    world.vars.push(format!("-var=restore_from={snapshot}"));
    let plan = world.plan();
    assert!(plan.contains("0 to add, 1 to change, 0 to destroy"), "{plan}");
    assert!(plan.contains("# (it is rebuilt from the image"), "{plan}");
    world.settle();
    assert_eq!(text(world, "machine"), machine);
    let server = world.api.get("compute", &format!("/servers/{machine}"))["server"].clone();
    assert_eq!(server["image"]["id"], *snapshot);
    eventually("the machine answers again", || answers(address));
}

fn resize(world: &mut World, machine: &str, address: &str) {
    world.vars.push("-var=flavor=m1.small".to_owned());
    let plan = world.plan();
    assert!(plan.contains("0 to destroy") && plan.contains("# (it is resized"), "{plan}");
    world.settle();
    assert_eq!(text(world, "machine"), machine);
    let server = world.api.get("compute", &format!("/servers/{machine}"))["server"].clone();
    assert_eq!(server["flavor"]["original_name"], "m1.small");
    assert_eq!(server["status"], "ACTIVE");
    eventually("the machine answers after its resize", || answers(address));
}
