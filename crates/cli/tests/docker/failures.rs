//! A part of an apply fails: the rest goes on, and the next one makes up for it.

use crate::world::World;

#[test]
fn branches_go_on_and_dependants_are_skipped_and_named() {
    let config = |image: &str| {
        format!(
            r#"
            resource "docker_container" "bad" {{
              name    = "PREFIX-bad"
              image   = "{image}"
              command = ["sleep", "10000"]
            }}
            resource "docker_commit" "after" {{
              container  = docker_container.bad.id
              repository = "PREFIX/after"
            }}
            resource "docker_container" "last" {{
              name    = "PREFIX-last"
              image   = docker_commit.after.image_id
              command = ["sleep", "10000"]
            }}
            resource "docker_network" "other" {{ name = "PREFIX-other" }}
            resource "docker_container" "good" {{
              name    = "PREFIX-good"
              image   = "BUSYBOX"
              command = ["sleep", "10000"]
              networks_advanced {{ name = docker_network.other.name }}
            }}"#
        )
    };
    let world = World::new("partial", &config("PREFIX/no-such-image:1"));
    let ran = world.run(&["apply", "-auto-approve", "-no-color"]);
    assert_eq!(ran.code, Some(1), "{}", ran.all());
    let said = ran.all();
    assert!(said.contains("with docker_container.bad"), "{said}");
    assert!(said.contains("no-such-image"), "{said}");
    assert!(said.contains("docker_commit.after"), "the skipped one is not named: {said}");
    assert!(said.contains("docker_container.last"), "the skipped one is not named: {said}");
    assert_eq!(world.there().containers, [world.name("good")]);
    assert_eq!(world.listed(), ["docker_container.good", "docker_network.other"]);
    world.at_rest();
    let good = world.id("docker_container.good");

    world.config(&config("BUSYBOX"));
    let said = world.settle();
    assert!(said.contains("3 added, 0 changed, 0 destroyed"), "{said}");
    assert_eq!(world.id("docker_container.good"), good);
    world.end();
}

/// A container that is made but does not start is remembered, and replaced by the next apply.
#[test]
fn half_made_is_remembered() {
    let config = |command: &str| {
        format!(
            r#"resource "docker_container" "c" {{
              name    = "PREFIX-c"
              image   = "BUSYBOX"
              command = {command}
            }}"#
        )
    };
    let world = World::new("half", &config(r#"["sh", "-c", "echo oh no; exit 3"]"#));
    let ran = world.run(&["apply", "-auto-approve", "-no-color"]);
    assert_eq!(ran.code, Some(1), "{}", ran.all());
    assert!(ran.all().contains("oh no") && ran.all().contains("exit code 3"), "{}", ran.all());
    assert_eq!(world.listed(), ["docker_container.c"]);
    let plan = world.plan();
    assert!(plan.contains("docker_container.c is tainted, so must be replaced"), "{plan}");

    world.config(&config(r#"["sleep", "10000"]"#));
    world.settle();
    assert_eq!(world.there().containers, [world.name("c")]);
    world.end();
}

/// Two names for one thing: the engine refuses the second, and says so.
#[test]
fn a_name_that_is_taken_is_an_error_and_nothing_is_lost() {
    let world = World::new(
        "taken",
        r#"
        resource "docker_container" "c" {
          count   = 2
          name    = "PREFIX-same"
          image   = "BUSYBOX"
          command = ["sleep", "10000"]
        }"#,
    );
    let ran = world.run(&["apply", "-auto-approve", "-no-color"]);
    assert_eq!(ran.code, Some(1), "{}", ran.all());
    assert!(ran.all().contains("already in use"), "{}", ran.all());
    assert_eq!(world.listed().len(), 1);
    assert_eq!(world.there().containers, [world.name("same")]);
    world.end();
}
