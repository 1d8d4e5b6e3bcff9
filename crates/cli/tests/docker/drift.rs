//! Someone else changes things by hand: the plan shows it, an apply repairs it.

use crate::world::World;

const CONFIG: &str = r#"
    resource "docker_network" "n" { name = "PREFIX-n" }
    resource "docker_volume" "v" { name = "PREFIX-v" }
    resource "docker_tag" "t" {
      source_image = "BUSYBOX"
      target_image = "PREFIX/tool:1"
    }
    resource "docker_container" "a" {
      name    = "PREFIX-a"
      image   = "BUSYBOX"
      command = ["sleep", "10000"]
      memory  = 64
      networks_advanced { name = docker_network.n.name }
    }
    resource "docker_container" "b" {
      name    = "PREFIX-b"
      image   = docker_tag.t.target_image
      command = ["sleep", "10000"]
    }"#;

/// What `plan` and `drift` say about it; then an apply repairs it.
fn repair(world: &World, addr: &str, said: &str) {
    let plan = world.plan();
    assert!(plan.contains(said), "no `{said}` in {plan}");
    let drift = world.run(&["drift", "-detailed-exitcode", "-no-color"]);
    assert_eq!(drift.code, Some(2), "{}", drift.all());
    assert!(drift.out.contains(addr), "no `{addr}` in {}", drift.out);
    let refresh = world.ok(&["plan", "-refresh-only", "-no-color"]);
    assert!(refresh.contains(addr), "no `{addr}` in {refresh}");
    world.settle();
    let drift = world.run(&["drift", "-detailed-exitcode", "-no-color"]);
    assert_eq!(drift.code, Some(0), "{}", drift.all());
}

#[test]
fn is_shown_and_repaired() {
    let world = World::new("drift", CONFIG);
    world.settle();
    let (a, b) = (world.id("docker_container.a"), world.id("docker_container.b"));

    world.docker(&["rm", "-f", &world.name("a")]);
    repair(&world, "docker_container.a", "docker_container.a will be created");
    assert_ne!(world.id("docker_container.a"), a);
    let a = world.id("docker_container.a");

    world.docker(&["network", "disconnect", &world.name("n"), &world.name("a")]);
    repair(&world, "docker_container.a", "docker_container.a will be updated in-place");
    assert_eq!(world.id("docker_container.a"), a);
    let joined = world.inspect("a", "range $k, $v := .NetworkSettings.Networks}}{{$k}}{{end");
    assert_eq!(joined, world.name("n"));

    world.docker(&["update", "--memory", "32m", "--memory-swap", "64m", &world.name("a")]);
    repair(&world, "docker_container.a", "docker_container.a will be updated in-place");
    assert_eq!(world.inspect("a", ".HostConfig.Memory"), (64 << 20).to_string());

    world.docker(&["stop", "-t", "0", &world.name("a")]);
    repair(&world, "docker_container.a", "docker_container.a will be updated in-place");
    assert_eq!(world.inspect("a", ".State.Running"), "true");
    assert_eq!(world.id("docker_container.a"), a);

    world.docker(&["volume", "rm", &world.name("v")]);
    repair(&world, "docker_volume.v", "docker_volume.v will be created");

    // The tag now names another image.
    let tag = format!("{}/tool:1", world.prefix);
    world.docker(&["tag", &crate::world::env("PLUMB_RIG_IMAGE_DEBIAN"), &tag]);
    repair(&world, "docker_tag.t", "docker_tag.t will be created");
    let of = |name: &str| world.docker(&["image", "inspect", "-f", "{{.Id}}", name]);
    assert_eq!(of(&tag), of(&crate::world::busybox()));
    assert_eq!(world.id("docker_container.b"), b);

    world.docker(&["network", "disconnect", &world.name("n"), &world.name("a")]);
    world.docker(&["network", "rm", &world.name("n")]);
    repair(&world, "docker_network.n", "docker_network.n will be created");
    world.end();
}

/// Drift of one kind does not make others do anything.
#[test]
fn everything_at_once_is_one_apply() {
    let world = World::new("drift2", CONFIG);
    world.settle();
    let b = world.id("docker_container.b");
    world.docker(&["rm", "-f", &world.name("a")]);
    world.docker(&["network", "rm", &world.name("n")]);
    world.docker(&["volume", "rm", &world.name("v")]);
    let said = world.settle();
    assert!(said.contains("3 added, 0 changed, 0 destroyed"), "{said}");
    assert_eq!(world.id("docker_container.b"), b);
    world.end();
}

/// What a refresh-only apply accepts is what the state says afterwards; nothing is called.
#[test]
fn a_refresh_only_apply_takes_it_as_it_is() {
    let world = World::new("drift3", CONFIG);
    world.settle();
    world.docker(&["rm", "-f", &world.name("a")]);
    world.ok(&["apply", "-refresh-only", "-auto-approve", "-no-color"]);
    assert!(!world.listed().contains(&"docker_container.a".to_owned()));
    assert_eq!(world.there().containers, [world.name("b")]);
    let plan = world.plan();
    assert!(plan.contains("1 to add, 0 to change, 0 to destroy"), "{plan}");
    world.settle();
    world.end();
}
