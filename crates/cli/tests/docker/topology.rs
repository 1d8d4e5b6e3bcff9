//! A topology of a dozen objects of all kinds, and what is true of it when nothing is lost or twice.

use crate::world::{There, World, docker, env, unique};

const CONFIG: &str = r#"
    resource "docker_network" "n" {
      for_each = toset(["a", "b"])
      name     = "PREFIX-${each.key}"
    }
    resource "docker_volume" "v" {
      count = 2
      name  = "PREFIX-v${count.index}"
    }
    resource "docker_image" "built" {
      name = "PREFIX/built:1"
      build {
        context = "${path.module}/context"
        label   = { "plumb-e2e" = "PREFIX" }
      }
    }
    resource "docker_tag" "tag" {
      source_image = docker_image.built.image_id
      target_image = "PREFIX/tagged:1"
    }
    resource "docker_container" "c" {
      count = 2
      name  = "PREFIX-c${count.index}"
      image = docker_image.built.image_id
      networks_advanced { name = docker_network.n["a"].name }
      networks_advanced { name = docker_network.n["b"].id }
      mounts {
        type   = "volume"
        target = "/data"
        source = docker_volume.v[count.index].name
      }
    }
    resource "docker_container" "tagged" {
      name  = "PREFIX-tagged"
      image = docker_tag.tag.target_image
    }
    resource "docker_commit" "commit" {
      container  = docker_container.c[1].id
      repository = "PREFIX/commit"
      pause      = false
    }
    resource "docker_container" "last" {
      name  = "PREFIX-last"
      image = docker_commit.commit.image_id
      networks_advanced { name = docker_network.n["b"].name }
    }
    resource "terraform_data" "note" {
      input = docker_container.last.id
    }"#;

const ADDRESSES: [&str; 12] = [
    "docker_commit.commit",
    "docker_container.c[0]",
    "docker_container.c[1]",
    "docker_container.last",
    "docker_container.tagged",
    "docker_image.built",
    "docker_network.n[\"a\"]",
    "docker_network.n[\"b\"]",
    "docker_tag.tag",
    "docker_volume.v[0]",
    "docker_volume.v[1]",
    "terraform_data.note",
];

/// A world with it, not applied yet.
pub(crate) fn world(name: &str) -> World {
    let world = World::new(name, CONFIG);
    // Its own bytes, so that worlds side by side do not share an image.
    world.write("context/name", name);
    let base = env("PLUMB_RIG_IMAGE_BUSYBOX");
    world.write(
        "context/Dockerfile",
        &format!("FROM {base}\nCOPY name /name\nCMD [\"sleep\", \"10000\"]\n"),
    );
    world
}

/// Every object is there once, and the state lists exactly them.
#[track_caller]
pub(crate) fn whole(world: &World) {
    let names = |list: &[&str]| list.iter().map(|it| world.name(it)).collect::<Vec<_>>();
    let images = ["built", "commit", "tagged"].map(|it| format!("{}/{it}:1", world.prefix));
    let images = images.map(|it| it.replace("commit:1", "commit:latest"));
    let wanted = There {
        containers: names(&["c0", "c1", "last", "tagged"]),
        networks: names(&["a", "b"]),
        volumes: names(&["v0", "v1"]),
        images: images.to_vec(),
    };
    assert_eq!(world.there(), wanted);
    assert_eq!(images_of(world), 2, "the built one and its commit");
    let listed = unique(&world.listed());
    assert_eq!(listed.iter().map(String::as_str).collect::<Vec<_>>(), ADDRESSES);
    world.at_rest();
    for name in ["c0", "c1", "last", "tagged"] {
        assert_eq!(world.inspect(name, ".State.Running"), "true", "{name} does not run");
    }
}

/// Nothing is there, and the state lists nothing.
#[track_caller]
pub(crate) fn nothing(world: &World) {
    assert_eq!(world.there(), There::default());
    assert_eq!(images_of(world), 0, "an image without a name is left");
    assert_eq!(world.listed(), Vec::<String>::new());
    world.at_rest();
}

/// Images that were built here, with a name or without.
fn images_of(world: &World) -> usize {
    let label = format!("label=plumb-e2e={}", world.prefix);
    // A build that was killed leaves its steps behind: they are the engine's cache, not ours.
    let ours = "label=plumb.token";
    let ids = docker(&["images", "-q", "--no-trunc", "--filter", &label, "--filter", ours]);
    ids.lines().collect::<std::collections::BTreeSet<_>>().len()
}
