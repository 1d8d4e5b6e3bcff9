//! What stands beside our objects, and what happens to them.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use plumb_model::addr::Kind;
use plumb_model::event::Remote;
use plumb_model::value::Value;
use plumb_provider::{Foreign, Ours, Touched};

use crate::obj;
use crate::world::{World, env};

fn ours(kind: &str, object: &Remote) -> Ours {
    Ours { kind: Kind::new(kind), attrs: object.attrs.clone() }
}

fn id(object: &Remote) -> &str {
    object.attrs.get_attr("id").and_then(Value::as_str).unwrap()
}

fn touch(kind: &str, object: &Remote) -> Touched {
    Touched::Object { kind: Kind::new(kind), id: id(object).into() }
}

/// What stands beside, as sentences; each can be imported by the id that is told.
async fn sentences(world: &World, ours: &[Ours]) -> BTreeSet<String> {
    let found = world.connection.beside(ours).await.unwrap();
    for Foreign { kind, id, .. } in &found {
        assert!(world.connection.import(kind, id).await.unwrap().is_some(), "{kind:?} {id}");
    }
    let name = |it: &str| it.replace(&format!("{}-", world.prefix), "");
    found.iter().map(|it| name(&format!("{} {}", it.name, it.how))).collect()
}

fn all(lines: &[&str]) -> BTreeSet<String> {
    lines.iter().map(|it| (*it).to_owned()).collect()
}

#[tokio::test]
async fn what_others_put_beside_ours_is_found() {
    let world = World::new("beside").await;
    let busybox = env("PLUMB_RIG_IMAGE_BUSYBOX");
    let network = world.make("docker_network", &obj! { name: world.name("net") }).await;
    let volume = world.make("docker_volume", &obj! { name: world.name("data") }).await;
    let pulled =
        world.make("docker_image", &obj! { name: busybox.as_str(), keep_locally: true }).await;
    world.write("Dockerfile", &format!("FROM {busybox}\nENV built=1\nVOLUME /scratch\n"));
    let app = world.name("app:1");
    let built = obj! { name: app.as_str(), build: [obj! { context: "." }], force_remove: true };
    let built = world.make("docker_image", &built).await;
    let written = obj! {
        name: world.name("web"),
        image: app.as_str(),
        command: ["sleep", "1000"],
        networks_advanced: [obj! { name: world.name("net") }],
    };
    // It has an anonymous volume.
    let container = world.make("docker_container", &written).await;
    let mut owned = vec![
        ours("docker_network", &network),
        ours("docker_volume", &volume),
        ours("docker_image", &pulled),
        ours("docker_image", &built),
        ours("docker_container", &container),
    ];
    assert_eq!(sentences(&world, &owned).await, all(&[]));

    let web = world.name("web");
    let run = |name: &str, arguments: &[&str], image: &str| {
        let name = world.name(name);
        let mut words = vec!["run", "-d", "--name", &name];
        words.extend(arguments);
        words.extend([image, "sleep", "1000"]);
        world.docker(&words)
    };
    run("in", &["--network", &world.name("net")], &busybox);
    run("on", &["-v", &format!("{}:/data", world.name("data"))], &busybox);
    run("from", &[], &app);
    run("with", &["--network", &format!("container:{web}")], &busybox);
    run("elsewhere", &[], &busybox);
    let never = world.name("never");
    world.docker(&["create", "--name", &never, "--network", &world.name("net"), &busybox]);
    let found = sentences(&world, &owned).await;
    let expected = all(&[
        "from runs from image app:1",
        "in is attached to network net",
        "never is attached to network net",
        "on mounts volume data",
        "with shares the network of container web",
    ]);
    assert_eq!(found, expected);

    // What a state forgets was left behind; what another configuration made was not.
    let other = World::new("beside-other").await;
    other.make("docker_volume", &obj! { name: other.name("theirs") }).await;
    for name in ["in", "on", "from", "with", "never"] {
        world.docker(&["rm", "-fv", &world.name(name)]);
    }
    assert_eq!(sentences(&world, &owned).await, all(&[]));
    owned.retain(|it| &*it.kind != "docker_volume");
    let left = "data was left behind by a run that made others of these objects";
    assert_eq!(sentences(&world, &owned).await, all(&[left]));

    world.delete("docker_container", &container).await;
    world.delete("docker_image", &built).await;
}

/// What was told so far; waits until all that is named was.
struct Heard(Arc<Mutex<Vec<Touched>>>);

impl Heard {
    async fn wait(&self, wanted: &[Touched]) {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let heard = std::mem::take(&mut *self.0.lock().unwrap());
            let missing = wanted.iter().find(|it| !heard.contains(it));
            let Some(missing) = missing else { return };
            assert!(Instant::now() < deadline, "{missing:?} is not among {heard:?}");
            // What was heard counts on.
            self.0.lock().unwrap().extend(heard);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happens_to_ours_is_told() {
    let world = World::new("follow").await;
    let busybox = env("PLUMB_RIG_IMAGE_BUSYBOX");
    let network = world.make("docker_network", &obj! { name: world.name("net") }).await;
    let volume = world.make("docker_volume", &obj! { name: world.name("data") }).await;
    let name = world.name("busybox:1");
    world.docker(&["tag", &busybox, &name]);
    let image = world.make("docker_image", &obj! { name: name.as_str(), keep_locally: true }).await;
    let written = obj! {
        name: world.name("web"),
        image: busybox.as_str(),
        command: ["sleep", "1000"],
        networks_advanced: [obj! { name: world.name("net") }],
    };
    let container = world.make("docker_container", &written).await;
    let owned = [
        ours("docker_network", &network),
        ours("docker_volume", &volume),
        ours("docker_image", &image),
        ours("docker_container", &container),
    ];
    let heard = Heard(Arc::default());
    let (connection, told) = (world.connection.clone(), heard.0.clone());
    let following = tokio::spawn(async move {
        connection.follow(&owned, &move |it| told.lock().unwrap().push(it)).await
    });
    heard.wait(&[Touched::All]).await;

    let web = world.name("web");
    let (network_touched, web_touched) =
        (touch("docker_network", &network), touch("docker_container", &container));
    for by_hand in [
        vec!["pause", &web],
        vec!["unpause", &web],
        vec!["update", "--memory", "64m", "--memory-swap", "64m", &web],
        vec!["stop", "-t", "0", &web],
        vec!["start", &web],
    ] {
        // What was told of the one before is over.
        tokio::time::sleep(Duration::from_millis(300)).await;
        heard.0.lock().unwrap().clear();
        world.docker(&by_hand);
        heard.wait(std::slice::from_ref(&web_touched)).await;
    }
    let net = world.name("net");
    world.docker(&["network", "disconnect", &net, &web]);
    heard.wait(&[web_touched.clone(), network_touched.clone()]).await;
    world.docker(&["run", "-d", "--name", &world.name("foreign"), "--network", &net, &busybox]);
    heard.wait(&[Touched::Beside, network_touched.clone()]).await;
    world.docker(&["rm", "-f", &world.name("foreign")]);
    heard.wait(&[Touched::Beside]).await;
    world.docker(&["rmi", &name]);
    heard.wait(&[touch("docker_image", &image)]).await;
    world.docker(&["volume", "rm", &world.name("data")]);
    heard.wait(&[touch("docker_volume", &volume)]).await;
    world.docker(&["network", "rm", &net]);
    heard.wait(&[network_touched]).await;
    world.docker(&["rm", "-f", &web]);
    heard.wait(&[web_touched]).await;
    assert!(!following.is_finished());
    following.abort();
}

/// A stream that ends is an error that may pass: whoever follows looks at everything and comes back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_that_goes_away_is_told() {
    let world = World::new("gone").await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("engine.sock");
    let real = env("DOCKER_HOST").trim_start_matches("unix://").to_owned();
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let proxy = tokio::spawn(async move {
        let mut lines = tokio::task::JoinSet::new();
        while let Ok((mut from, _)) = listener.accept().await {
            let mut to = tokio::net::UnixStream::connect(&real).await.unwrap();
            lines.spawn(async move { tokio::io::copy_bidirectional(&mut from, &mut to).await });
        }
    });
    let config = format!("unix://{}", path.display());
    let through = World::with("gone-through", obj! { host: config }).await;
    let heard = Heard(Arc::default());
    let (connection, told) = (through.connection.clone(), heard.0.clone());
    let following = tokio::spawn(async move {
        connection.follow(&[], &move |it| told.lock().unwrap().push(it)).await
    });
    heard.wait(&[Touched::All]).await;
    // The stream is open when something is heard.
    world.docker(&["create", "--name", &world.name("a"), &env("PLUMB_RIG_IMAGE_BUSYBOX")]);
    heard.wait(&[Touched::Beside]).await;
    proxy.abort();
    let ended = tokio::time::timeout(Duration::from_secs(20), following).await;
    let failure = ended.expect("it ends").unwrap().unwrap_err();
    assert!(failure.transient, "{failure:?}");
    assert_eq!(failure.summary, "Cannot follow the events of the engine");
}
