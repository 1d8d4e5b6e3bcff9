//! Objects that were made by others, taken over without touching them.

use crate::world::{There, World, busybox};

const CONFIG: &str = r#"
    resource "docker_network" "n" { name = "PREFIX-n" }
    resource "docker_volume" "v" { name = "PREFIX-v" }
    resource "docker_image" "i" {
      name         = "PREFIX/tool:1"
      keep_locally = true
    }
    resource "docker_container" "c" {
      name    = "PREFIX-c"
      image   = docker_image.i.image_id
      command = ["sleep", "10000"]
      memory  = 64
      networks_advanced {
        name = docker_network.n.name
      }
    }"#;

fn by_hand(world: &World) {
    let image = format!("{}/tool:1", world.prefix);
    let network = world.name("n");
    world.docker(&["tag", &busybox(), &image]);
    world.docker(&["network", "create", &network]);
    world.docker(&["volume", "create", &world.name("v")]);
    let name = world.name("c");
    let run = ["run", "-d", "--name", &name, "--network", &network, "--memory", "64m", &image];
    world.docker(&[&run[..], &["sleep", "10000"]].concat());
}

/// Imports all four, and what the next plan would do is nothing that touches an object.
#[test]
fn by_command_then_removed_from_the_state_and_imported_again() {
    let world = World::new("import", CONFIG);
    by_hand(&world);
    let ids = [
        ("docker_network.n", world.inspect("n", ".Id")),
        ("docker_volume.v", world.name("v")),
        ("docker_image.i", format!("{}/tool:1", world.prefix)),
        ("docker_container.c", world.inspect("c", ".Id")),
    ];
    let before = world.starts();
    for _ in 0..2 {
        for (addr, id) in &ids {
            let said = world.ok(&["import", "-no-color", addr, id]);
            assert!(said.contains("Import successful!"), "{said}");
        }
        assert_eq!(world.listed().len(), 4);
        // Settings that exist only in the configuration may be taken up, once, in place.
        let args = ["plan", "-detailed-exitcode", "-no-color"];
        let plan = world.run(&args);
        assert!(!plan.out.contains("must be replaced"), "{}", plan.out);
        assert!(!plan.out.contains("will be created"), "{}", plan.out);
        world.settle();
        assert_eq!(world.starts(), before, "a container was touched");
        for (addr, _) in &ids {
            world.ok(&["state", "rm", addr]);
        }
        assert_eq!(world.listed(), Vec::<String>::new());
        assert_eq!(world.starts(), before, "a container was touched");
    }
    let args = ["import", "-no-color", "docker_network.n", "plumb-e2e-no-such-network"];
    let missing = world.run(&args);
    assert_eq!(missing.code, Some(1));
    assert!(
        missing.all().contains("Cannot import non-existent remote object"),
        "{}",
        missing.all()
    );
}

#[test]
fn by_import_blocks() {
    let blocks = r#"
        import {
          to = docker_network.n
          id = "PREFIX-n"
        }
        import {
          to = docker_container.c
          id = "PREFIX-c"
        }
        import {
          to = docker_volume.v
          id = "PREFIX-v"
        }
        import {
          to = docker_image.i
          id = "PREFIX/tool:1"
        }"#;
    let world = World::new("import2", &format!("{CONFIG}{blocks}"));
    by_hand(&world);
    let before = world.starts();
    let plan = world.plan();
    assert!(plan.contains("4 to import, 0 to add"), "{plan}");
    world.settle();
    assert_eq!(world.starts(), before, "a container was touched");
    world.destroy();
    // It was to be kept.
    let images = vec![format!("{}/tool:1", world.prefix)];
    assert_eq!(world.there(), There { images, ..There::default() });
}
