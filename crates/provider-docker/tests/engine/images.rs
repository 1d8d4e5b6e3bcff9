//! Images: pulled, built, tagged, committed.

use plumb_model::addr::Kind;
use plumb_model::event::{Effect, Remote};
use plumb_model::value::Value;

use crate::obj;
use crate::world::{World, env};

const KIND: &str = "docker_image";

fn str<'a>(remote: &'a Remote, name: &str) -> &'a str {
    remote.attrs.get_attr(name).and_then(Value::as_str).unwrap_or_default()
}

/// A name in the rig's open registry that only this test uses.
fn push_copy(world: &World, rest: &str) -> String {
    let name = format!("{}/{}/{rest}:1", env("PLUMB_RIG_REGISTRY"), world.prefix);
    world.docker(&["tag", &env("PLUMB_RIG_IMAGE_BUSYBOX"), &name]);
    world.docker(&["push", "-q", &name]);
    world.docker(&["rmi", &name]);
    name
}

#[tokio::test]
async fn pulled_by_tag_and_by_digest() {
    let world = World::new("pull").await;
    let name = push_copy(&world, "tool");
    let (image, token) = world.make_with_token(KIND, &obj! { name: name.as_str() }).await;
    assert!(world.said.lock().unwrap().iter().any(|it| it.message == "Pulling"));
    assert!(world.find(KIND, token, &obj! { name: name.as_str() }).await.is_some());
    let digest = str(&image, "repo_digest").to_owned();
    assert!(digest.contains("@sha256:"), "{digest}");
    let data = world.data(KIND, &obj! { name: name.as_str() }).await.unwrap();
    assert_eq!(data.get_attr("repo_digest").and_then(Value::as_str), Some(digest.as_str()));
    world.delete(KIND, &image).await;

    let image = world.make(KIND, &obj! { name: digest.as_str(), keep_locally: true }).await;
    assert_eq!(str(&image, "repo_digest"), digest);
    world.delete(KIND, &image).await;
    assert!(world.read(KIND, &image).await.is_some(), "it was to be kept");
    world.docker(&["rmi", &digest]);
}

#[tokio::test]
async fn pulled_from_a_registry_that_wants_credentials() {
    let registry = env("PLUMB_RIG_REGISTRY_AUTH");
    let world = World::new("auth").await;
    let name = format!("{registry}/{}/tool:1", world.prefix);
    let (user, password) = (env("PLUMB_RIG_REGISTRY_USER"), env("PLUMB_RIG_REGISTRY_PASSWORD"));
    let config = tempfile::tempdir().unwrap();
    let config = config.path().to_str().unwrap();
    world.docker(&["tag", &env("PLUMB_RIG_IMAGE_BUSYBOX"), &name]);
    world.docker(&["--config", config, "login", "-u", &user, "-p", &password, &registry]);
    world.docker(&["--config", config, "push", "-q", &name]);
    world.docker(&["rmi", &name]);

    let (left, failure) = world.refused(KIND, &obj! { name: name.as_str() }).await;
    assert_eq!(left, Effect::Nothing);
    assert!(failure.detail.contains("add registry_auth"), "{failure:?}");
    drop(world);

    let block = |password: &str| {
        obj! {
            registry_auth: [obj! {
                address: registry.as_str(), username: user.as_str(), password: password,
            }],
        }
    };
    // `+` and `/` in standard base64: the engine wants the URL-safe alphabet.
    let world = World::with("auth", block("~~~???>>>ÿÿ")).await;
    let (_, failure) = world.refused(KIND, &obj! { name: name.as_str() }).await;
    assert!(!failure.detail.contains("base64"), "{failure:?}");
    drop(world);

    let world = World::with("auth", block(&password)).await;
    let image = world.make(KIND, &obj! { name: name.as_str() }).await;
    world.delete(KIND, &image).await;
}

#[tokio::test]
async fn what_cannot_be_pulled_is_said() {
    let world = World::new("nopull").await;
    let name = format!("{}/{}/nothing:1", env("PLUMB_RIG_REGISTRY"), world.prefix);
    let (left, failure) = world.refused(KIND, &obj! { name: name.as_str() }).await;
    assert_eq!(left, Effect::Nothing);
    assert_eq!(failure.summary, format!("Cannot pull the image \"{name}\""));
    assert!(
        failure.detail.contains("not found") || failure.detail.contains("unknown"),
        "{failure:?}"
    );
}

fn dockerfile() -> String {
    let base = env("PLUMB_RIG_IMAGE_BUSYBOX");
    format!(
        "FROM {base} AS first\nARG WHO=nobody\nCOPY hello* /\nRUN echo $WHO >>/hello\n\
         FROM first AS second\nRUN echo second >>/hello\n"
    )
}

#[tokio::test]
async fn built_and_built_again_when_the_context_changes() {
    let world = World::new("build").await;
    let name = world.name("img") + ":1";
    world.write("ctx/Dockerfile", &dockerfile());
    world.write("ctx/hello", "hi\n");
    world.write("ctx/hello.log", "noise\n");
    world.write("ctx/.dockerignore", "*.log\n");
    let written = obj! {
        name: name.as_str(),
        build: [obj! {
            context: "ctx",
            target: "first",
            build_args: Value::object([("WHO", Value::string("ann"))]),
            label: Value::object([("lab", Value::string("x"))]),
            tag: [world.name("img") + ":more"],
        }],
    };
    let (image, token) = world.make_with_token(KIND, &written).await;
    let shown = world.docker(&["run", "--rm", &name, "sh", "-c", "cat /hello; ls /hello*"]);
    assert_eq!(shown, "hi\nann\n/hello");
    assert_eq!(
        world.docker(&["inspect", &name, "--format", "{{index .Config.Labels \"lab\"}}"]),
        "x"
    );
    assert_eq!(
        world.docker(&["inspect", &(world.name("img") + ":more"), "--format", "{{.Id}}"]),
        str(&image, "image_id")
    );
    let said = world.said.lock().unwrap().clone();
    assert!(said.iter().any(|it| it.amount == Some((2, 6))), "{said:?}");
    let found = world.find(KIND, token, &written).await.unwrap();
    assert_eq!(str(&found, "image_id"), str(&image, "image_id"));

    world.write("ctx/hello.log", "other noise\n");
    assert!(!world.plan(KIND, &written, Some(&image)).await.changes, "ignored files do not count");
    world.write("ctx/hello", "hi there\n");
    let plan = world.plan(KIND, &written, Some(&image)).await;
    assert_eq!(plan.replace, ["context_hash"]);
    world.delete(KIND, &image).await;
}

#[tokio::test]
async fn a_name_taken_away_is_given_back() {
    let world = World::new("retag").await;
    let name = world.name("img") + ":1";
    world.write("ctx/Dockerfile", &dockerfile());
    world.write("ctx/hello", "hi\n");
    let written = obj! { name: name.as_str(), build: [obj! { context: "ctx" }] };
    let image = world.make(KIND, &written).await;
    world.docker(&["tag", &env("PLUMB_RIG_IMAGE_BUSYBOX"), &name]);
    let drifted = world.read(KIND, &image).await.unwrap();
    assert_eq!(str(&drifted, "name"), "");
    let image = world.change(KIND, &drifted, &written).await;
    assert_eq!(world.docker(&["inspect", &name, "--format", "{{.Id}}"]), str(&image, "image_id"));
    world.docker(&["rmi", "-f", str(&image, "image_id")]);
    assert_eq!(world.read(KIND, &image).await, None);
}

#[tokio::test]
async fn a_build_that_fails_says_why() {
    let world = World::new("badbuild").await;
    let base = env("PLUMB_RIG_IMAGE_BUSYBOX");
    world.write("ctx/Dockerfile", &format!("FROM {base}\nRUN echo this is why; exit 9\n"));
    let written = obj! { name: world.name("img"), build: [obj! { context: "ctx" }] };
    let (left, failure) = world.refused(KIND, &written).await;
    assert_eq!(left, Effect::Nothing);
    assert!(failure.detail.contains("this is why") && failure.detail.contains('9'), "{failure:?}");

    world.write("ctx/Dockerfile", "NONSENSE\n");
    let (_, failure) = world.refused(KIND, &written).await;
    assert!(failure.detail.to_lowercase().contains("nonsense"), "{failure:?}");
}

#[tokio::test]
async fn an_image_in_use_is_not_removed() {
    let world = World::new("inuse").await;
    let name = push_copy(&world, "tool");
    // Another id than the base image's, or there would be another name to go by.
    world.write("ctx/Dockerfile", &format!("FROM {}\nRUN true\n", env("PLUMB_RIG_IMAGE_BUSYBOX")));
    let written = obj! { name: name.as_str(), build: [obj! { context: "ctx" }] };
    let image = world.make(KIND, &written).await;
    world.docker(&["create", "--name", &world.name("c"), &name, "true"]);
    let failure = world.cannot_delete(KIND, &image).await;
    assert!(failure.detail.contains("force_remove"), "{failure:?}");
    world.docker(&["rm", &world.name("c")]);
    world.delete(KIND, &image).await;
}

#[tokio::test]
async fn tags() {
    let world = World::new("tag").await;
    let target = world.name("img") + ":1";
    let source = env("PLUMB_RIG_IMAGE_BUSYBOX");
    let written = obj! { source_image: source.as_str(), target_image: target.as_str() };
    let (tag, token) = world.make_with_token("docker_tag", &written).await;
    assert!(world.find("docker_tag", token, &written).await.is_some());
    world.docker(&["tag", &env("PLUMB_RIG_IMAGE_DEBIAN"), &target]);
    assert_eq!(world.read("docker_tag", &tag).await, None, "it means another image");
    let tag = world.make("docker_tag", &written).await;
    world.delete("docker_tag", &tag).await;
    assert!(world.docker(&["images", "-q", &source]).len() > 8, "the image stays");
    let written = obj! { source_image: "no-such-image:1", target_image: target.as_str() };
    let (_, failure) = world.refused("docker_tag", &written).await;
    assert!(failure.detail.contains("no image \"no-such-image:1\""), "{failure:?}");
}

#[tokio::test]
async fn commits() {
    let world = World::new("commit").await;
    let container = obj! {
        name: world.name("c"), image: env("PLUMB_RIG_IMAGE_BUSYBOX"),
        command: ["sh", "-c", "echo golden >/marker; sleep 1000"],
    };
    let container = world.make("docker_container", &container).await;
    let written = |snapshot: &str, tag: &str| {
        obj! {
            container: str(&container, "id"),
            repository: world.name("snap"),
            tag: tag,
            author: "ann",
            message: "a snapshot",
            changes: ["CMD [\"cat\", \"/marker\"]", "LABEL lab.snapshot=1"],
            triggers: Value::object([("snapshot", Value::string(snapshot))]),
        }
    };
    let (commit, token) = world.make_with_token("docker_commit", &written("1", "golden")).await;
    let name = world.name("snap") + ":golden";
    assert_eq!(world.docker(&["run", "--rm", &name]), "golden");
    let format = "{{.Author}}|{{.Comment}}|{{index .Config.Labels \"lab.snapshot\"}}";
    assert_eq!(world.docker(&["inspect", &name, "--format", format]), "ann|a snapshot|1");
    let found = world.find("docker_commit", token, &written("1", "golden")).await.unwrap();
    assert_eq!(str(&found, "image_id"), str(&commit, "image_id"));

    assert_eq!(
        world.plan("docker_commit", &written("2", "golden"), Some(&commit)).await.replace,
        ["triggers"]
    );
    assert_eq!(
        world.plan("docker_commit", &written("1", "other"), Some(&commit)).await.replace,
        ["tag"]
    );
    world.docker(&["tag", &env("PLUMB_RIG_IMAGE_BUSYBOX"), &name]);
    let drifted = world.read("docker_commit", &commit).await.unwrap();
    let commit = world.change("docker_commit", &drifted, &written("1", "golden")).await;
    assert_eq!(world.docker(&["inspect", &name, "--format", "{{.Id}}"]), str(&commit, "image_id"));
    world.delete("docker_commit", &commit).await;

    let written = obj! { container: "no-such-container", repository: world.name("snap") };
    let (left, failure) = world.refused("docker_commit", &written).await;
    assert_eq!(left, Effect::Nothing);
    assert!(failure.detail.contains("No such container"), "{failure:?}");
}

#[tokio::test]
async fn an_engine_that_is_down_is_an_error_at_once() {
    let world = World::new("down").await;
    let provider = plumb_provider_docker::DockerProvider::default();
    use plumb_provider::Provider as _;
    let mut edge = world.edge.clone();
    edge.env.insert("DOCKER_HOST".to_owned(), "unix:///nowhere/docker.sock".to_owned());
    let failure =
        provider.connect(&Value::object([("host", Value::NULL)]), &edge).await.err().unwrap();
    assert_eq!(failure.summary, "Cannot connect to the Docker engine");
    assert!(failure.detail.contains("is it running?") && !failure.transient, "{failure:?}");
    let failure = world.connection.import(&Kind::new("docker_tag"), "x").await.unwrap_err();
    assert_eq!(failure.summary, "Resource Import Not Implemented");
}
