//! `drift` on a real engine: every class is found and told apart from what the configuration asks for by itself.

use std::fs;

use crate::drifting::Drift;
use crate::world::{World, busybox};

const CONFIG: &str = r#"
resource "docker_network" "n" {
  name = "PREFIX-n"
}

resource "docker_volume" "v" {
  name = "PREFIX-v"
}

resource "docker_container" "a" {
  name    = "PREFIX-a"
  image   = "BUSYBOX"
  command = ["sleep", "10000"]
  memory  = 64
  networks_advanced {
    name = docker_network.n.name
  }
}

resource "docker_container" "b" {
  name    = "PREFIX-b"
  image   = "BUSYBOX"
  command = ["sleep", "10000"]
}
"#;

/// What nobody has applied yet.
const MORE: &str = r#"
resource "docker_volume" "later" {
  name = "PREFIX-later"
}
"#;

fn drift(world: &World, args: &[&str]) -> Drift {
    Drift::of(&mut world.command(&[&["drift", "-json"], args].concat(), false))
}

/// Half the memory, and as much swap as before.
fn squeeze(world: &World) {
    world.docker(&["update", "--memory", "32m", "--memory-swap", "128m", &world.name("a")]);
}

#[test]
fn each_class_is_told() {
    let world = World::new("driftverb", CONFIG);
    world.settle();
    drift(&world, &["-detailed"]).counts(0, &[]);
    let ids = [world.id("docker_container.a"), world.id("docker_container.b")];
    let serial = world.serial();

    squeeze(&world);
    world.docker(&["volume", "rm", &world.name("v")]);
    world.docker(&["update", "--restart", "always", &world.name("b")]);
    let (stray, network, image) = (world.name("stray"), world.name("n"), busybox());
    world.docker(&["run", "-d", "--name", &stray, "--network", &network, &image, "sleep", "1000"]);
    let beside = format!("docker_container:{stray}");
    let found = drift(&world, &[]);
    let all = [
        ("docker_container.a", "changed"),
        ("docker_volume.v", "deleted"),
        (&*beside, "foreign"),
        ("docker_container.b", "undeclared"),
    ];
    found.counts(2, &all);
    assert_eq!(found.moved("docker_container.a"), ["memory"]);
    let memory = &found.at("docker_container.a")["attributes"][0];
    assert_eq!((&memory["before"], &memory["after"]), (&64.into(), &32.into()));
    let repair = |address: &str| found.at(address)["repair"].clone();
    assert_eq!(repair("docker_container.a"), "update");
    assert_eq!(repair("docker_volume.v"), "create");
    assert_eq!(found.moved("docker_container.b"), ["restart"]);
    let restart = &found.at("docker_container.b")["attributes"][0];
    assert_eq!(restart["after"], "always", "{restart}");
    assert!(repair("docker_container.b").is_null() && repair(&beside).is_null());
    let why = found.at(&beside)["why"].to_string();
    assert!(why.contains("docker_network.n"), "{why}");

    // It can be narrowed down.
    drift(&world, &["-target=docker_volume.v"]).counts(2, &all[1..2]);
    drift(&world, &["-foreign=false", "-exclude=docker_container.a"]).counts(2, &[all[1], all[3]]);
    let ignored = ["-ignore=docker_container*", "-exclude=docker_volume.v"];
    assert_eq!(drift(&world, &ignored).code, 0);
    assert_eq!(world.serial(), serial, "looking changes nothing");

    // Repairs leave alone what the configuration asks for, what it leaves open, and what is not ours.
    world.config(&format!("{CONFIG}{MORE}"));
    drift(&world, &["-detailed"]).counts(6, &all);
    world.ok(&["apply", "-drift-only", "-auto-approve", "-no-color"]);
    drift(&world, &["-detailed"]).counts(6, &all[2..]);
    assert_eq!(world.inspect("a", ".HostConfig.Memory"), (64 << 20).to_string());
    assert_eq!(world.inspect("b", ".HostConfig.RestartPolicy.Name"), "always");
    assert_eq!(world.there().volumes, [world.name("v")]);
    assert_eq!([world.id("docker_container.a"), world.id("docker_container.b")], ids);

    // The stranger goes; what was left open is taken in; the rest is for an apply.
    world.docker(&["rm", "-f", &stray]);
    world.ok(&["refresh", "-no-color"]);
    drift(&world, &["-detailed"]).counts(4, &[]);
    drift(&world, &[]).counts(0, &[]);
    world.settle();
    drift(&world, &["-detailed"]).counts(0, &[]);
    world.end();
}

#[test]
fn what_is_accepted_does_not_count_until_it_expires() {
    let world = World::new("driftaccept", CONFIG);
    world.settle();
    squeeze(&world);
    drift(&world, &[]).counts(2, &[("docker_container.a", "changed")]);
    let reason = "-reason=OPS-7: made smaller during the incident";
    world.ok(&["drift", "-accept=docker_container.a", reason, "-expires=2999-12-31"]);
    let accepted = drift(&world, &[]);
    accepted.stands(0, "accepted", &[("docker_container.a", "changed")]);
    let block = &accepted.at("docker_container.a")["accepted"];
    assert_eq!(block["reason"], "OPS-7: made smaller during the incident");
    assert_eq!(block["until"], "2999-12-31");
    // Only what was accepted is: the memory, and not that it is stopped.
    world.docker(&["stop", "-t", "0", &world.name("a")]);
    drift(&world, &[]).counts(2, &[("docker_container.a", "changed")]);
    world.docker(&["start", &world.name("a")]);
    assert_eq!(drift(&world, &[]).code, 0);
    // After its last day it counts again, and is repaired like any other.
    let file = world.path().join("drift.plumb.hcl");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("2999-12-31", "2020-02-02")).unwrap();
    drift(&world, &[]).stands(2, "expired", &[("docker_container.a", "changed")]);
    world.ok(&["apply", "-drift-only", "-auto-approve", "-no-color"]);
    assert_eq!(world.inspect("a", ".HostConfig.Memory"), (64 << 20).to_string());
    drift(&world, &["-detailed"]).counts(0, &[]);
    world.end();
}
