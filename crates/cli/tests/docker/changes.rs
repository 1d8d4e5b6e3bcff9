//! What changes in place stays the same object; what cannot says why.

use crate::world::World;

const SLEEPER: &str = r#"command = ["sleep", "10000"]"#;

/// The line of the plan that speaks of this attribute.
fn line<'a>(plan: &'a str, attribute: &str) -> &'a str {
    let mut lines = plan.lines().map(str::trim);
    let starts = |it: &str| {
        let rest = it.trim_start_matches(['+', '-', '~', '/', ' ']);
        rest.strip_prefix(attribute).is_some_and(|it| it.starts_with([' ', '{']))
    };
    lines.find(|it| starts(it)).unwrap_or_else(|| panic!("no {attribute} in {plan}"))
}

#[test]
fn limits_restart_name_and_networks_change_in_place() {
    let config = |name: &str, limits: &str, networks: &str| {
        format!(
            r#"
            resource "docker_network" "n" {{
              for_each = toset(["a", "b"])
              name     = "PREFIX-${{each.key}}"
            }}
            resource "docker_container" "c" {{
              name  = "PREFIX-{name}"
              image = "BUSYBOX"
              {SLEEPER}
              {limits}
              {networks}
            }}"#
        )
    };
    let a = r#"networks_advanced { name = docker_network.n["a"].name }"#;
    let both = r#"
        networks_advanced {
          name    = docker_network.n["a"].name
          aliases = ["alias"]
        }
        networks_advanced { name = docker_network.n["b"].name }"#;
    let world = World::new("inplace", &config("c", "memory = 32", a));
    world.settle();
    let id = world.id("docker_container.c");

    let limits = "memory = 64\nmemory_swap = 128\ncpu_shares = 512\nrestart = \"on-failure\"\nmax_retry_count = 3";
    world.config(&config("d", limits, both));
    let plan = world.plan();
    assert!(plan.contains("docker_container.c will be updated in-place"), "{plan}");
    assert!(plan.contains("0 to add, 1 to change, 0 to destroy"), "{plan}");
    world.settle();
    assert_eq!(world.id("docker_container.c"), id);
    assert_eq!(world.inspect("d", ".Id"), id);
    assert_eq!(world.inspect("d", ".HostConfig.Memory"), (64 << 20).to_string());
    assert_eq!(world.inspect("d", ".HostConfig.RestartPolicy"), "{on-failure 3}");
    let joined = world.inspect("d", "range $k, $v := .NetworkSettings.Networks}}{{$k}} {{end");
    assert_eq!(joined.trim(), format!("{} {}", world.name("a"), world.name("b")));
    assert_eq!(world.attr("docker_container.c", "network_data").as_array().unwrap().len(), 2);

    // Left again, and the alias taken back.
    world.config(&config("d", limits, a));
    world.settle();
    assert_eq!(world.id("docker_container.c"), id);
    let joined = world.inspect("d", "range $k, $v := .NetworkSettings.Networks}}{{$k}} {{end");
    assert_eq!(joined.trim(), world.name("a"));
    world.end();
}

#[test]
fn what_cannot_change_forces_replacement_and_is_named() {
    let config = |image: &str, rest: &str| {
        format!(
            r#"resource "docker_container" "c" {{
              name  = "PREFIX-c"
              image = "{image}"
              {SLEEPER}
              {rest}
            }}"#
        )
    };
    let world = World::new("forced", &config("BUSYBOX", r#"env = ["A=1"]"#));
    world.settle();
    let mut id = world.id("docker_container.c");
    let other = format!("{}/other:1", world.prefix);
    world.docker(&["tag", &crate::world::busybox(), &other]);
    let steps = [
        (config("BUSYBOX", r#"env = ["A=2"]"#), "env"),
        (config("BUSYBOX", "env = [\"A=2\"]\nlabels {\nlabel = \"x\"\nvalue = \"y\"\n}"), "labels"),
        (
            config("PREFIX/other:1", "env = [\"A=2\"]\nlabels {\nlabel = \"x\"\nvalue = \"y\"\n}"),
            "image",
        ),
    ];
    for (config, attribute) in steps {
        world.config(&config);
        let plan = world.plan();
        assert!(plan.contains("docker_container.c must be replaced"), "{plan}");
        let forced = plan.matches("# forces replacement").count();
        assert_eq!(forced, 1, "{plan}");
        // Of a block the first line says it; of a set the name's line opens the bracket.
        let at = plan.find("# forces replacement").unwrap();
        let name = plan.find(line(&plan, attribute)).unwrap();
        assert!(at > name && plan[name..at].matches("# (").count() == 0, "{plan}");
        world.settle();
        let now = world.id("docker_container.c");
        assert_ne!(now, id);
        assert_eq!(world.inspect("c", ".Id"), now);
        id = now;
    }
    world.destroy();
}

/// The container follows, whether it names the network by id or by name.
#[test]
fn another_subnet_replaces_the_network_and_what_hangs_on_it_follows() {
    let config = |subnet: &str| {
        format!(
            r#"
            resource "docker_network" "n" {{
              name = "PREFIX-n"
              ipam_config {{ subnet = "{subnet}" }}
            }}
            resource "docker_container" "by_id" {{
              name  = "PREFIX-id"
              image = "BUSYBOX"
              {SLEEPER}
              networks_advanced {{ name = docker_network.n.id }}
            }}
            resource "docker_container" "by_name" {{
              name  = "PREFIX-name"
              image = "BUSYBOX"
              {SLEEPER}
              networks_advanced {{ name = docker_network.n.name }}
            }}
            resource "docker_container" "fixed" {{
              name  = "PREFIX-fixed"
              image = "BUSYBOX"
              {SLEEPER}
              networks_advanced {{
                name         = docker_network.n.name
                ipv4_address = cidrhost("{subnet}", 77)
              }}
            }}"#
        )
    };
    let world = World::new("subnet", &config("172.28.11.0/24"));
    world.settle();
    let before = world.id("docker_network.n");
    world.config(&config("172.28.12.0/24"));
    let plan = world.plan();
    assert!(plan.contains("docker_network.n must be replaced"), "{plan}");
    assert!(plan.contains("# forces replacement"), "{plan}");
    world.settle();
    assert_ne!(world.id("docker_network.n"), before);
    for name in ["id", "name", "fixed"] {
        let address = world.inspect(name, "range .NetworkSettings.Networks}}{{.IPAddress}}{{end");
        assert!(address.starts_with("172.28.12."), "{name} is at {address:?}");
    }
    assert!(world.inspect("fixed", "json .NetworkSettings.Networks").contains("172.28.12.77"));
    world.end();
}

#[test]
fn create_before_destroy_makes_the_new_one_first() {
    let config = |generation: &str| {
        format!(
            r#"
            resource "docker_container" "c" {{
              name  = "PREFIX-{generation}"
              image = "BUSYBOX"
              {SLEEPER}
              env   = ["GENERATION={generation}"]
              lifecycle {{
                create_before_destroy = true
              }}
            }}"#
        )
    };
    let world = World::new("cbd", &config("one"));
    world.settle();
    let old = world.id("docker_container.c");
    world.config(&config("two"));
    let plan = world.plan();
    assert!(plan.contains("+/-"), "{plan}");
    let said = world.settle();
    let (created, destroyed) =
        (said.find("Creation complete").unwrap(), said.find("Destroying...").unwrap());
    assert!(created < destroyed, "{said}");
    assert_ne!(world.id("docker_container.c"), old);
    assert_eq!(world.there().containers, [world.name("two")]);
    world.end();
}

#[test]
fn what_is_no_longer_written_goes_in_order() {
    let config = r#"
        resource "docker_network" "n" { name = "PREFIX-n" }
        resource "docker_volume" "v" { name = "PREFIX-v" }
        resource "docker_container" "c" {
          name    = "PREFIX-c"
          image   = "BUSYBOX"
          command = ["sleep", "10000"]
          networks_advanced { name = docker_network.n.name }
          mounts {
            type   = "volume"
            source = docker_volume.v.name
            target = "/data"
          }
        }"#;
    let world = World::new("gone", config);
    world.settle();
    world.config(r#"resource "docker_volume" "v" { name = "PREFIX-v" }"#);
    let plan = world.plan();
    assert!(plan.contains("0 to add, 0 to change, 2 to destroy"), "{plan}");
    world.settle();
    let there = world.there();
    assert_eq!((there.containers.len(), there.networks.len(), there.volumes.len()), (0, 0, 1));
    world.end();
}

#[test]
fn a_saved_plan_is_what_is_applied() {
    let config = |memory: u32| {
        format!(
            r#"resource "docker_container" "c" {{
              name   = "PREFIX-c"
              image  = "BUSYBOX"
              memory = {memory}
              {SLEEPER}
            }}"#
        )
    };
    let world = World::new("saved", &config(32));
    world.ok(&["plan", "-out=one.plan", "-no-color"]);
    world.ok(&["plan", "-out=two.plan", "-no-color"]);
    let shown = world.ok(&["show", "-no-color", "one.plan"]);
    assert!(shown.contains("docker_container.c will be created"), "{shown}");
    world.ok(&["apply", "-no-color", "one.plan"]);
    world.nothing_to_do();
    let before = (world.serial(), world.starts());
    let args = ["apply", "-no-color", "two.plan"];
    let stale = world.run(&args);
    assert_eq!(stale.code, Some(1));
    assert!(stale.all().contains("Saved plan is stale"), "{}", stale.all());
    assert_eq!((world.serial(), world.starts()), before);
    world.end();
}

/// The engine deletes no volume that is in use: its container has to go first, and the plan says
/// for the sake of what.
#[test]
fn another_volume_or_image_of_the_same_name_takes_its_container_along() {
    let config = |generation: &str| {
        format!(
            r#"
            resource "docker_volume" "v" {{
              name = "PREFIX-v"
              labels {{
                label = "generation"
                value = "{generation}"
              }}
            }}
            resource "docker_image" "i" {{
              name = "PREFIX/i:1"
              build {{
                context    = "${{path.module}}/context"
                build_args = {{ GENERATION = "{generation}" }}
              }}
            }}
            resource "docker_container" "data" {{
              name  = "PREFIX-data"
              image = "BUSYBOX"
              {SLEEPER}
              mounts {{
                type   = "volume"
                source = docker_volume.v.name
                target = "/data"
              }}
            }}
            resource "docker_container" "built" {{
              name  = "PREFIX-built"
              image = docker_image.i.name
              {SLEEPER}
            }}"#
        )
    };
    let world = World::new("along", &config("1"));
    let base = crate::world::busybox();
    world.write(
        "context/Dockerfile",
        &format!("FROM {base}\nARG GENERATION\nRUN echo $GENERATION >/generation\n"),
    );
    world.settle();
    world.config(&config("2"));
    let plan = world.plan();
    for addr in ["docker_container.data", "docker_container.built"] {
        let from = plan.find(&format!("# {addr} must be replaced")).expect(&plan);
        let block = &plan[from..];
        let block = &block[..block.find("\n    }\n").unwrap()];
        assert!(block.contains("# forces replacement"), "why is not said:\n{block}");
    }
    world.settle();
    let said = world.docker(&["exec", &world.name("built"), "cat", "/generation"]);
    assert_eq!(said.trim(), "2");
    world.end();
}
