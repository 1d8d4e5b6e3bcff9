//! Images: built, kept, tagged, pushed, pulled, committed; and what data sources see.

use serde_json::Value as Json;

use crate::world::{World, docker, env, eventually};

fn image_id(name: &str) -> String {
    docker(&["image", "inspect", "-f", "{{.Id}}", name]).trim().to_owned()
}

fn outputs(world: &World) -> Json {
    serde_json::from_str(&world.ok(&["output", "-json"])).unwrap()
}

#[test]
fn built_when_the_context_changes_and_not_otherwise() {
    let config = |keep: bool| {
        format!(
            r#"
            resource "docker_image" "i" {{
              name         = "PREFIX/built:1"
              keep_locally = {keep}
              build {{
                context    = "${{path.module}}/context"
                build_args = {{ WORD = "hello" }}
                label      = {{ made = "here" }}
                target     = "first"
              }}
            }}
            resource "docker_container" "c" {{
              name    = "PREFIX-c"
              image   = docker_image.i.image_id
              command = ["sleep", "10000"]
            }}"#
        )
    };
    let world = World::new("build", &config(false));
    world.write(
        "context/Dockerfile",
        &format!(
            "FROM {} AS first\nARG WORD\nRUN echo $WORD >/word\nCOPY . /all/\nFROM first AS second\nRUN false\n",
            env("PLUMB_RIG_IMAGE_BUSYBOX")
        ),
    );
    world.write("context/.dockerignore", "ignored\n*.log\n");
    world.write("context/data", "one");
    world.write("context/ignored", "x");
    world.settle();
    let (image, container) = (world.id("docker_image.i"), world.id("docker_container.c"));
    let cat = |path: &str| docker(&["exec", &world.name("c"), "cat", path]);
    assert_eq!(cat("/word").trim(), "hello");
    assert_eq!(cat("/all/data"), "one");
    let files = docker(&["exec", &world.name("c"), "ls", "/all"]);
    assert!(!files.contains("ignored"), "{files}");

    // What is ignored, and when files were touched, is not part of the context.
    world.write("context/ignored", "y");
    world.write("context/a.log", "z");
    world.write("context/data", "one");
    world.nothing_to_do();

    world.write("context/data", "two");
    let plan = world.plan();
    assert!(plan.contains("docker_image.i must be replaced"), "{plan}");
    assert!(plan.contains("context_hash"), "{plan}");
    world.settle();
    assert_ne!(world.id("docker_image.i"), image);
    assert_ne!(world.id("docker_container.c"), container);
    assert_eq!(cat("/all/data"), "two");

    world.config(&config(true));
    let plan = world.plan();
    assert!(plan.contains("docker_image.i will be updated in-place"), "{plan}");
    world.settle();
    let kept = world.attr("docker_image.i", "image_id");
    world.destroy();
    assert_eq!(image_id(&format!("{}/built:1", world.prefix)), kept.as_str().unwrap());
    assert_eq!(world.there().containers, Vec::<String>::new());
}

#[test]
fn a_build_that_fails_says_why() {
    let world = World::new(
        "badbuild",
        r#"resource "docker_image" "i" {
          name = "PREFIX/built:1"
          build { context = "context" }
        }"#,
    );
    let base = env("PLUMB_RIG_IMAGE_BUSYBOX");
    world.write("context/Dockerfile", &format!("FROM {base}\nRUN echo it went wrong; exit 9\n"));
    let ran = world.run(&["apply", "-auto-approve", "-no-color"]);
    assert_eq!(ran.code, Some(1), "{}", ran.all());
    assert!(ran.all().contains("it went wrong"), "{}", ran.all());
    assert_eq!(world.listed(), Vec::<String>::new());
    world.write("context/Dockerfile", &format!("FROM {base}\nRUN echo well\n"));
    world.settle();
    world.end();
}

/// Both registries; what was pushed is pulled again by its digest.
#[test]
fn pushed_and_pulled_by_digest() {
    let config = r#"
        provider "docker" {
          registry_auth {
            address  = "AUTH"
            username = "USER"
            password = "PASSWORD"
          }
        }
        resource "docker_tag" "open" {
          source_image = "BUSYBOX"
          target_image = "OPEN/PREFIX/tool:1"
        }
        resource "docker_tag" "closed" {
          source_image = "BUSYBOX"
          target_image = "AUTH/PREFIX/tool:1"
        }
        resource "docker_registry_image" "open" {
          name = docker_tag.open.target_image
        }
        resource "docker_registry_image" "closed" {
          name = docker_tag.closed.target_image
        }
        data "docker_registry_image" "closed" {
          name       = docker_registry_image.closed.name
          depends_on = [docker_registry_image.closed]
        }
        resource "docker_image" "pulled" {
          name          = "AUTH/PREFIX/tool@${data.docker_registry_image.closed.sha256_digest}"
          pull_triggers = [data.docker_registry_image.closed.sha256_digest]
        }
        output "pushed" { value = docker_registry_image.closed.sha256_digest }
        output "seen"   { value = data.docker_registry_image.closed.sha256_digest }
        output "pulled" { value = docker_image.pulled.image_id }"#;
    let config = config
        .replace("AUTH", &env("PLUMB_RIG_REGISTRY_AUTH"))
        .replace("OPEN", &env("PLUMB_RIG_REGISTRY"))
        .replace("USER", &env("PLUMB_RIG_REGISTRY_USER"))
        .replace("PASSWORD", &env("PLUMB_RIG_REGISTRY_PASSWORD"));
    let world = World::new("push", &config);
    let apply = ["apply", "-auto-approve", "-no-color"];
    let said = world.run_inside(&apply).expect(0, &apply);
    assert!(!said.contains(&env("PLUMB_RIG_REGISTRY_PASSWORD")), "{said}");
    let plan = ["plan", "-detailed-exitcode", "-no-color"];
    world.run_inside(&plan).expect(0, &plan);
    let out = outputs(&world);
    assert_eq!(out["pushed"]["value"], out["seen"]["value"]);
    assert_eq!(out["pulled"]["value"], image_id(&env("PLUMB_RIG_IMAGE_BUSYBOX")).as_str());

    // Gone from the engine: pulled again, from the registry that asks for a password.
    for name in world.there().images {
        if name.contains("tool") && name.ends_with(":1") {
            docker(&["rmi", &name]);
        }
    }
    let said = world.run_inside(&plan);
    assert_eq!(said.code, Some(2), "{}", said.all());
    world.run_inside(&apply).expect(0, &apply);
    world.run_inside(&plan).expect(0, &plan);
    let destroy = ["destroy", "-auto-approve", "-no-color"];
    world.run_inside(&destroy).expect(0, &destroy);
    assert_eq!(world.there().images, Vec::<String>::new());
    assert_eq!(world.listed(), Vec::<String>::new());
}

#[test]
fn data_sources_see_what_is_there() {
    let world = World::new(
        "data",
        r#"
        resource "docker_network" "n" {
          name = "PREFIX-n"
          ipam_config {
            subnet  = "172.28.13.0/24"
            gateway = "172.28.13.1"
          }
        }
        resource "docker_container" "c" {
          name    = "PREFIX-c"
          image   = data.docker_image.i.id
          command = ["sh", "-c", "echo one; echo two; exec sleep 10000"]
        }
        data "docker_image" "i" { name = "BUSYBOX" }
        data "docker_network" "n" {
          name       = docker_network.n.name
          depends_on = [docker_network.n]
        }
        data "docker_logs" "l" {
          name       = docker_container.c.name
          tail       = "1"
          depends_on = [docker_container.c]
        }
        output "image"  { value = data.docker_image.i.id }
        output "subnet" { value = one(data.docker_network.n.ipam_config[*].subnet) }
        output "logs"   { value = data.docker_logs.l.logs_list_string }"#,
    );
    world.apply();
    eventually("the container has said both lines", || {
        docker(&["logs", &world.name("c")]).contains("two")
    });
    world.apply();
    world.nothing_to_do();
    let out = outputs(&world);
    assert_eq!(out["image"]["value"], image_id(&env("PLUMB_RIG_IMAGE_BUSYBOX")).as_str());
    assert_eq!(out["subnet"]["value"], "172.28.13.0/24");
    assert!(out["logs"]["value"][0].as_str().unwrap().contains("two"), "{out}");
    world.end();
}

#[test]
fn a_commit_is_taken_anew_when_asked() {
    let config = |trigger: u32| {
        format!(
            r#"
            resource "docker_container" "c" {{
              name    = "PREFIX-c"
              image   = "BUSYBOX"
              command = ["sleep", "10000"]
            }}
            resource "docker_commit" "i" {{
              container  = docker_container.c.id
              repository = "PREFIX/commit"
              tag        = "v1"
              author     = "someone"
              message    = "take {trigger}"
              changes    = ["ENV TAKE={trigger}", "CMD [\"sleep\", \"20000\"]"]
              triggers   = {{ take = "{trigger}" }}
            }}"#
        )
    };
    let world = World::new("commit", &config(1));
    world.settle();
    let name = format!("{}/commit:v1", world.prefix);
    let first = image_id(&name);
    assert_eq!(world.id("docker_commit.i"), first);
    // What happens in the container is not a reason to take another.
    docker(&["exec", &world.name("c"), "sh", "-c", "echo 2 >/two"]);
    world.nothing_to_do();
    let container = world.id("docker_container.c");

    world.config(&config(2));
    let plan = world.plan();
    assert!(plan.contains("docker_commit.i must be replaced"), "{plan}");
    assert!(plan.contains("# forces replacement"), "{plan}");
    world.settle();
    let second = image_id(&name);
    assert_ne!(first, second);
    assert_eq!(world.id("docker_container.c"), container);
    let about =
        docker(&["image", "inspect", "-f", "{{.Author}} {{.Comment}} {{.Config.Env}}", &name]);
    assert!(about.contains("someone take 2") && about.contains("TAKE=2"), "{about}");
    world.end();
}
