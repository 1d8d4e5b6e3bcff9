//! Images in registries, which only the rig's network namespace reaches.

use plumb_model::event::Effect;
use plumb_model::value::Value;

use crate::obj;
use crate::world::{World, env};

const KIND: &str = "docker_registry_image";

/// Runs in a thread that lives in the rig's network namespace.
fn inside(test: impl Future<Output = ()> + Send + 'static) {
    let thread = std::thread::spawn(move || {
        let namespace = std::fs::File::open(env("PLUMB_RIG_NETNS")).unwrap();
        let kind = rustix::thread::LinkNameSpaceType::Network;
        rustix::thread::move_into_link_name_space(std::os::fd::AsFd::as_fd(&namespace), Some(kind))
            .unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(test);
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

#[test]
fn pushed_looked_up_and_deleted() {
    inside(async {
        let world = World::new("push").await;
        let name = format!("{}/{}/tool:1", env("PLUMB_RIG_REGISTRY"), world.prefix);
        // An image of its own: deleting a manifest takes it from every tag that has it.
        world.write(
            "ctx/Dockerfile",
            &format!("FROM {}\nRUN date >/now\n", env("PLUMB_RIG_IMAGE_BUSYBOX")),
        );
        world
            .make("docker_image", &obj! { name: name.as_str(), build: [obj! { context: "ctx" }] })
            .await;
        let written = obj! { name: name.as_str() };
        let (pushed, token) = world.make_with_token(KIND, &written).await;
        let digest = pushed.attrs.get_attr("sha256_digest").cloned();
        assert!(
            digest.as_ref().and_then(Value::as_str).is_some_and(|it| it.starts_with("sha256:"))
        );
        assert!(world.find(KIND, token, &written).await.is_some());
        let data = world.data(KIND, &written).await.unwrap();
        assert_eq!(data.get_attr("sha256_digest").cloned(), digest);

        // Pushed over by hand: ours is not there any more.
        world.docker(&["tag", &env("PLUMB_RIG_IMAGE_BUSYBOX"), &name]);
        world.docker(&["push", "-q", &name]);
        assert_eq!(world.read(KIND, &pushed).await, None);
        world.docker(&["rmi", &name]);
        world.delete(KIND, &pushed).await;
    });
}

#[test]
fn what_is_not_there_cannot_be_pushed_or_looked_up() {
    inside(async {
        let world = World::new("nopush").await;
        let name = format!("{}/{}/tool:1", env("PLUMB_RIG_REGISTRY"), world.prefix);
        let (left, failure) = world.refused(KIND, &obj! { name: name.as_str() }).await;
        assert_eq!(left, Effect::Nothing);
        assert_eq!(failure.detail, "The engine has no image of this name.");
        let failure = world.data(KIND, &obj! { name: name.as_str() }).await.unwrap_err();
        assert_eq!(failure.detail, format!("The registry has no image \"{name}\"."));
        let name = format!("{}/{}/tool:1", env("PLUMB_RIG_REGISTRY_AUTH"), world.prefix);
        world.docker(&["tag", &env("PLUMB_RIG_IMAGE_BUSYBOX"), &name]);
        let (_, failure) = world.refused(KIND, &obj! { name: name.as_str() }).await;
        assert!(failure.detail.contains("add registry_auth"), "{failure:?}");
    });
}

#[tokio::test]
async fn out_of_our_reach_the_engine_is_asked() {
    let world = World::new("viaengine").await;
    let data = world.data(KIND, &obj! { name: env("PLUMB_RIG_IMAGE_BUSYBOX") }).await.unwrap();
    let digest = data.get_attr("sha256_digest").and_then(Value::as_str).unwrap_or_default();
    let shown = world.docker(&[
        "inspect",
        &env("PLUMB_RIG_IMAGE_BUSYBOX"),
        "--format",
        "{{index .RepoDigests 0}}",
    ]);
    assert!(shown.ends_with(digest) && !digest.is_empty(), "{shown} {digest}");
}
