//! Networks and volumes.

use plumb_model::addr::Kind;
use plumb_model::event::Effect;
use plumb_model::value::Value;

use crate::obj;
use crate::world::{World, env};

#[tokio::test]
async fn a_network_from_birth_to_death() {
    let world = World::new("net").await;
    let name = world.name("a");
    let written = obj! {
        name: name.as_str(),
        ipam_config: [obj! { subnet: "172.31.90.0/24", gateway: "172.31.90.1" }],
        labels: [obj! { label: "lab", value: "x" }],
    };
    let (network, token) = world.make_with_token("docker_network", &written).await;
    assert_eq!(network.attrs.get_attr("driver").and_then(Value::as_str), Some("bridge"));
    assert_eq!(network.attrs.get_attr("scope").and_then(Value::as_str), Some("local"));
    let format = "{{json .Labels}} {{(index .IPAM.Config 0).Gateway}}";
    let shown = world.docker(&["network", "inspect", &name, "--format", format]);
    assert_eq!(shown, format!(r#"{{"lab":"x","plumb.token":"{token}"}} 172.31.90.1"#));

    let found = world.find("docker_network", token, &written).await.unwrap();
    assert_eq!(found.attrs.get_attr("id"), network.attrs.get_attr("id"));

    let data = world.data("docker_network", &obj! { name: name.as_str() }).await.unwrap();
    let config = data.get_attr("ipam_config").and_then(|it| it.as_slice()?.first().cloned());
    assert_eq!(config.unwrap().get_attr("subnet").and_then(Value::as_str), Some("172.31.90.0/24"));

    let other = obj! { name: name.as_str(), internal: true };
    let plan = world.plan("docker_network", &other, Some(&network)).await;
    assert_eq!(plan.replace.len(), 3, "internal, labels, ipam_config: {:?}", plan.replace);

    world.delete("docker_network", &network).await;
    assert_eq!(world.find("docker_network", token, &written).await, None);
}

#[tokio::test]
async fn a_name_that_is_taken_is_refused() {
    let world = World::new("taken").await;
    let name = world.name("a");
    world.docker(&["network", "create", &name]);
    let (left, failure) = world.refused("docker_network", &obj! { name: name.as_str() }).await;
    assert_eq!(left, Effect::Nothing);
    assert_eq!(failure.summary, format!("Cannot create the network \"{name}\""));
    assert!(failure.detail.contains("There is a network of this name already"), "{failure:?}");
}

#[tokio::test]
async fn what_the_engine_refuses_is_said() {
    let world = World::new("bad").await;
    let written = obj! { name: world.name("a"), ipam_config: [obj! { subnet: "nonsense" }] };
    let (left, failure) = world.refused("docker_network", &written).await;
    assert_eq!(left, Effect::Nothing);
    assert!(failure.detail.contains("nonsense"), "{failure:?}");
    let written = obj! { name: world.name("a"), driver: "no-such-driver" };
    let (_, failure) = world.refused("docker_network", &written).await;
    assert!(failure.detail.contains("no-such-driver"), "{failure:?}");
}

#[tokio::test]
async fn a_network_lets_go_of_our_containers_only() {
    let world = World::new("busy").await;
    let net = world.make("docker_network", &obj! { name: world.name("net") }).await;
    let ours = obj! {
        name: world.name("ours"),
        image: env("PLUMB_RIG_IMAGE_BUSYBOX"),
        command: ["sleep", "1000"],
        networks_advanced: [obj! { name: world.name("net") }],
    };
    let container = world.make("docker_container", &ours).await;
    let foreign = world.name("foreign");
    let image = env("PLUMB_RIG_IMAGE_BUSYBOX");
    world.docker(&[
        "run",
        "-d",
        "--name",
        &foreign,
        "--network",
        &world.name("net"),
        &image,
        "sleep",
        "1000",
    ]);
    let failure = world.cannot_delete("docker_network", &net).await;
    assert!(failure.detail.contains(&foreign) && !failure.detail.contains("ours"), "{failure:?}");
    world.docker(&["rm", "-f", &foreign]);
    world.delete("docker_network", &net).await;
    world.delete("docker_container", &container).await;
}

#[tokio::test]
async fn a_network_that_exists_is_brought_in() {
    let world = World::new("netimport").await;
    let name = world.name("a");
    let id =
        world.docker(&["network", "create", "--subnet", "172.31.91.0/24", "--label", "a=b", &name]);
    let written = obj! {
        name: name.as_str(),
        ipam_config: [obj! { subnet: "172.31.91.0/24" }],
        labels: [obj! { label: "a", value: "b" }],
    };
    world.bring_in("docker_network", &id, &written).await;
    let gone = world.connection.import(&Kind::new("docker_network"), "no-such-network").await;
    assert_eq!(gone, Ok(None));
}

#[tokio::test]
async fn volumes() {
    let world = World::new("vol").await;
    let name = world.name("a");
    let written = obj! { name: name.as_str(), labels: [obj! { label: "lab", value: "x" }] };
    let (volume, token) = world.make_with_token("docker_volume", &written).await;
    assert_eq!(volume.attrs.get_attr("driver").and_then(Value::as_str), Some("local"));
    assert!(world.find("docker_volume", token, &written).await.is_some());

    let (left, failure) = world.refused("docker_volume", &written).await;
    assert_eq!(left, Effect::Nothing);
    assert!(failure.detail.contains("There is a volume of this name already"), "{failure:?}");

    let user = world.name("user");
    let mount = format!("{name}:/v");
    world.docker(&[
        "create",
        "--name",
        &user,
        "-v",
        &mount,
        &env("PLUMB_RIG_IMAGE_BUSYBOX"),
        "true",
    ]);
    let failure = world.cannot_delete("docker_volume", &volume).await;
    assert!(failure.detail.contains("in use"), "{failure:?}");
    world.docker(&["rm", &user]);
    world.delete("docker_volume", &volume).await;

    let nameless = world.make("docker_volume", &obj! { driver: "local" }).await;
    assert_eq!(nameless.attrs.get_attr("name").and_then(Value::as_str).map(str::len), Some(64));
    world.delete("docker_volume", &nameless).await;
}
