//! Every example: applied, unchanged by a second apply, destroyed without a trace.

use std::path::Path;

use crate::world::{World, docker, env, eventually, inside, root};

/// A whole life of an example, with something in the middle.
fn life(example: &str, prefix: &str, vars: &[&str], meanwhile: impl FnOnce(&World)) {
    let mut world = World::empty(prefix);
    copy(&root().join("examples").join(example), world.path());
    world.vars = [&[&*format!("prefix={}", world.prefix)], vars]
        .concat()
        .iter()
        .map(|it| format!("-var={it}"))
        .collect();

    world.ok(&["init", "-no-color"]);
    world.ok(&["validate", "-no-color"]);
    world.plan();
    world.settle();

    let before = (world.serial(), world.starts());
    let said = world.apply();
    assert!(said.contains("0 added, 0 changed, 0 destroyed"), "{said}");
    assert_eq!((world.serial(), world.starts()), before);
    world.at_rest();

    meanwhile(&world);
    world.end();
}

/// The text of the folder, without what earlier runs by hand may have left.
fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            std::fs::create_dir_all(&to).unwrap();
            copy(&path, &to);
        } else if !entry.file_name().to_string_lossy().contains("tfstate") {
            std::fs::copy(path, to).unwrap();
        }
    }
}

#[test]
fn each_has_a_test() {
    let entries = std::fs::read_dir(root().join("examples")).unwrap();
    let mut names: Vec<_> =
        entries.map(|it| it.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    // Those without "docker" in their names are of the tests in `gitops`, `watch` (the jobs), `netns`, `openstack`,
    // `pipelines` and `policy`.
    let known = [
        "docker-lab",
        "docker-quickstart",
        "gitops",
        "jobs",
        "lab",
        "openstack-lab",
        "pipelines",
        "policies",
        "quickstart",
    ];
    assert_eq!(names, known);
}

#[test]
fn quickstart() {
    life("docker-quickstart", "quick", &[], |world| {
        let address = world.ok(&["output", "-raw", "address"]);
        eventually("the page is served", || {
            inside(&["curl", "-sf", "-m", "5", &address]).out.contains("Hello from plumb")
        });
    });
}

#[test]
fn docker_lab() {
    let base = format!("base_image={}", env("PLUMB_RIG_IMAGE_DEBIAN"));
    let vars = ["subnet=172.28.10.0/24", "ssh_port=22330", &*base];
    life("docker-lab", "lab", &vars, |world| {
        let addresses = outputs(world);
        reach(world, &addresses);
        ssh(22330);
        snapshot(world);
        let graph = world.ok(&["graph"]);
        assert!(graph.contains("digraph"), "{graph}");
        for name in ["docker_network.lab", "docker_container.ct3", "docker_commit.ct2"] {
            assert!(graph.contains(name), "{name} is not in {graph}");
        }
    });
}

fn outputs(world: &World) -> Vec<(&'static str, &'static str)> {
    let outputs = world.ok(&["output", "-json"]);
    let outputs: serde_json::Value = serde_json::from_str(&outputs).unwrap();
    let wanted = vec![("ct1", "172.28.10.11"), ("ct2", "172.28.10.12"), ("ct3", "172.28.10.13")];
    for (name, address) in &wanted {
        assert_eq!(outputs["addresses"]["value"][name], *address);
    }
    assert_eq!(outputs["gateway"]["value"], "172.28.10.1");
    let text = world.ok(&["output", "-no-color"]);
    assert!(text.contains("\"ct3\" = \"172.28.10.13\""), "{text}");
    assert_eq!(world.ok(&["output", "-raw", "gateway"]).trim(), "172.28.10.1");
    wanted
}

/// Everyone reaches everyone, by name and by address, and the host's side of the bridge.
fn reach(world: &World, addresses: &[(&str, &str)]) {
    for (from, _) in addresses {
        let mut to: Vec<&str> = vec!["172.28.10.1"];
        to.extend(addresses.iter().flat_map(|(name, address)| [*name, *address]));
        for to in to {
            docker(&["exec", &world.name(from), "ping", "-c1", "-W3", to]);
        }
    }
    for (_, address) in addresses {
        let ran = inside(&["ping", "-c1", "-W3", address]);
        assert_eq!(ran.code, Some(0), "{address} cannot be reached from the host: {}", ran.all());
    }
}

/// sshd answers behind the published port. It makes its keys first.
fn ssh(port: u16) {
    let script = format!("exec 3<>/dev/tcp/127.0.0.1/{port} && head -n1 <&3");
    eventually("ssh answers", || {
        inside(&["timeout", "5", "bash", "-c", &script]).out.starts_with("SSH-2.0")
    });
}

/// What is in ct2 when the snapshot is taken is in ct3; ct1 and ct2 stay what they are.
fn snapshot(world: &World) {
    docker(&["exec", &world.name("ct2"), "sh", "-c", "echo mark >/root/mark"]);
    let there = world.id("docker_container.ct1") + &world.id("docker_container.ct2");
    let before = world.id("docker_container.ct3");

    let args = ["apply", "-auto-approve", "-no-color", "-var=snapshot=2"];
    let said = world.ok(&args);
    assert!(said.contains("2 added, 0 changed, 2 destroyed"), "{said}");
    assert!(said.contains("# forces replacement"), "{said}");
    assert_eq!(docker(&["exec", &world.name("ct3"), "cat", "/root/mark"]).trim(), "mark");
    let image = world.inspect("ct3", ".Image");
    assert_eq!(image, world.id("docker_commit.ct2"));
    let label =
        docker(&["image", "inspect", "-f", "{{index .Config.Labels \"lab.snapshot\"}}", &image]);
    assert_eq!(label.trim(), "2");

    assert_ne!(world.id("docker_container.ct3"), before);
    assert_eq!(world.id("docker_container.ct1") + &world.id("docker_container.ct2"), there);
    let args = ["plan", "-detailed-exitcode", "-no-color", "-var=snapshot=2"];
    world.run(&args).expect(0, &args);
}
