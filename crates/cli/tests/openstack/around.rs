//! What stands beside our objects, and what is told of what happens to them.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use plumb_model::addr::Kind;
use plumb_model::value::Value;
use plumb_provider::{Connection, Edge, Foreign, Ours, Provider, Touched};
use plumb_provider_openstack::OpenStackProvider;
use serde_json::{Value as Json, json};
use tokio::runtime::Runtime;

use crate::api::rig;
use crate::world::World;

/// A connection with the rights of the world.
fn connect(world: &World, runtime: &Runtime) -> Arc<dyn Connection> {
    let (keystone, password) = rig();
    let env = [
        ("OS_AUTH_URL", keystone.as_str()),
        ("OS_USERNAME", &world.name),
        ("OS_PASSWORD", &password),
        ("OS_PROJECT_NAME", &world.name),
        ("OS_USER_DOMAIN_ID", "default"),
        ("OS_PROJECT_DOMAIN_ID", "default"),
        ("OS_REGION_NAME", "RegionOne"),
    ];
    let env = env.map(|(name, it)| (name.to_owned(), it.to_owned())).into();
    let edge = Edge { env, directory: world.path().to_owned(), home: None };
    let connecting = async { OpenStackProvider::default().connect(&Value::NULL, &edge).await };
    runtime.block_on(connecting).unwrap()
}

/// All that the state has, as the cloud tells it.
fn ours(world: &World, runtime: &Runtime, connection: &dyn Connection) -> Vec<Ours> {
    let text = std::fs::read_to_string(world.path().join("terraform.tfstate")).unwrap();
    let state: Json = serde_json::from_str(&text).unwrap();
    let resources = state["resources"].as_array().unwrap();
    let managed = resources.iter().filter(|it| it["mode"] == "managed");
    let read = managed.map(|it| {
        let kind = Kind::new(it["type"].as_str().unwrap());
        let id = it["instances"][0]["attributes"]["id"].as_str().unwrap();
        let object = runtime.block_on(connection.import(&kind, id)).unwrap();
        Ours { attrs: object.unwrap_or_else(|| panic!("no {kind:?} {id}")).attrs, kind }
    });
    read.collect()
}

/// What is told, until all that is wanted was.
struct Heard(Arc<Mutex<BTreeSet<Touched>>>);

impl Heard {
    #[track_caller]
    fn wait(&self, what: &str, wanted: &[Touched]) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !wanted.iter().all(|it| self.0.lock().unwrap().contains(it)) {
            let heard = self.0.lock().unwrap().clone();
            assert!(Instant::now() < deadline, "{what}: {wanted:?} is not in {heard:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
        self.0.lock().unwrap().clear();
    }
}

#[test]
fn what_others_do_around_ours() {
    let world = World::new(
        "around",
        r#"
        data "openstack_networking_network_v2" "outside" { name = "public" }
        resource "openstack_networking_network_v2" "net" { name = "PREFIX-net" }
        resource "openstack_networking_subnet_v2" "sub" {
          network_id = openstack_networking_network_v2.net.id
          cidr       = "10.90.1.0/24"
        }
        resource "openstack_networking_router_v2" "router" {
          name                = "PREFIX-router"
          external_network_id = data.openstack_networking_network_v2.outside.id
        }
        resource "openstack_networking_router_interface_v2" "in" {
          router_id = openstack_networking_router_v2.router.id
          subnet_id = openstack_networking_subnet_v2.sub.id
        }
        resource "openstack_networking_secgroup_v2" "group" { name = "PREFIX-group" }
        resource "openstack_networking_secgroup_rule_v2" "ssh" {
          direction         = "ingress"
          ethertype         = "IPv4"
          protocol          = "tcp"
          port_range_min    = 22
          port_range_max    = 22
          security_group_id = openstack_networking_secgroup_v2.group.id
        }
        resource "openstack_compute_keypair_v2" "key" { name = "PREFIX-key" }
        resource "openstack_blockstorage_volume_v3" "v" {
          name = "PREFIX-volume"
          size = 1
        }
        resource "openstack_compute_instance_v2" "vm" {
          name            = "PREFIX-vm"
          flavor_name     = "m1.tiny"
          image_name      = "rig"
          key_pair        = openstack_compute_keypair_v2.key.name
          security_groups = [openstack_networking_secgroup_v2.group.name]
          network { uuid = openstack_networking_network_v2.net.id }
          depends_on = [openstack_networking_subnet_v2.sub]
        }
        "#,
    );
    world.settle();
    let runtime = Runtime::new().unwrap();
    let connection = connect(&world, &runtime);
    let owned = ours(&world, &runtime, &*connection);
    assert_eq!(owned.len(), 9, "all but the data source");
    let beside = || runtime.block_on(connection.beside(&owned)).unwrap();
    assert_eq!(beside(), Vec::<Foreign>::new(), "what we made and what came with it");

    let touch = |addr: &str| {
        let kind = Kind::new(addr.split('.').next().unwrap());
        Touched::Object { kind, id: world.id(addr).into() }
    };
    let heard = Heard(Arc::default());
    let (told, following, followed) = (heard.0.clone(), connection.clone(), owned.clone());
    let task = runtime.spawn(async move {
        let say = move |it| {
            told.lock().unwrap().insert(it);
        };
        following.follow(&followed, &say).await
    });
    heard.wait("it hears", &[Touched::All]);

    // By hand, to what is ours.
    let api = &world.api;
    let id = |addr: &str| world.id(addr);
    let net = id("openstack_networking_network_v2.net");
    let vm = id("openstack_compute_instance_v2.vm");
    let group = id("openstack_networking_secgroup_v2.group");
    let body = json!({ "network": { "name": "theirs" } });
    api.put("network", &format!("/networks/{net}"), &body);
    heard.wait("a network changes", &[touch("openstack_networking_network_v2.net")]);
    let body = json!({ "server": { "name": "theirs" } });
    api.put("compute", &format!("/servers/{vm}"), &body);
    heard.wait("a server changes", &[touch("openstack_compute_instance_v2.vm")]);
    let volume = id("openstack_blockstorage_volume_v3.v");
    let body = json!({ "volume": { "name": "theirs" } });
    api.put("volumev3", &format!("/volumes/{volume}"), &body);
    heard.wait("a volume changes", &[touch("openstack_blockstorage_volume_v3.v")]);
    let rule = id("openstack_networking_secgroup_rule_v2.ssh");
    api.delete("network", &format!("/security-group-rules/{rule}"));
    let rule = touch("openstack_networking_secgroup_rule_v2.ssh");
    heard.wait("a rule goes", &[rule, touch("openstack_networking_secgroup_v2.group")]);

    // By hand, beside it.
    let expected = put_beside(&world, &net, &vm, &group);
    heard.wait(
        "something comes",
        &[Touched::Beside, touch("openstack_networking_router_v2.router")],
    );
    let found = beside();
    let lines: BTreeSet<String> = found
        .iter()
        .map(|it| format!("{} {} {}", it.kind.replace("openstack_", ""), it.name, it.how))
        .collect();
    let expected: BTreeSet<String> =
        expected.iter().map(|it| it.replace("WORLD", &world.name)).collect();
    assert_eq!(lines, expected);
    for Foreign { kind, id, .. } in &found {
        let object = runtime.block_on(connection.import(kind, id)).unwrap();
        assert!(object.is_some(), "{kind:?} cannot be imported by {id}");
    }
    assert!(!task.is_finished());
    task.abort();
    world.clear();
    world.ok(&["destroy", "-auto-approve", "-no-color"]);
    world.end_empty();
}

/// Makes things; what is said of them.
fn put_beside(world: &World, net: &str, vm: &str, group: &str) -> Vec<String> {
    let api = &world.api;
    let made = |service: &str, path: &str, one: &str, body: Json| -> Json {
        api.post(service, path, &json!({ one: body }))[one].clone()
    };
    let router = world.id("openstack_networking_router_v2.router");
    made("network", "/ports", "port", json!({ "network_id": net, "name": "by-hand" }));
    let far = made("network", "/networks", "network", json!({ "name": "far" }));
    let subnet = json!({ "network_id": far["id"], "ip_version": 4, "cidr": "10.90.2.0/24",
        "name": "far-subnet" });
    let subnet = made("network", "/subnets", "subnet", subnet);
    let inside = json!({ "network_id": net, "ip_version": 4, "cidr": "10.90.3.0/24",
        "name": "inside" });
    made("network", "/subnets", "subnet", inside);
    let body = json!({ "subnet_id": subnet["id"] });
    let path = format!("/routers/{router}/add_router_interface");
    let hop = api.put("network", &path, &body);
    // It has no name; it goes by its identifier.
    let body = json!({ "port": { "name": "hop" } });
    api.put("network", &format!("/ports/{}", hop["port_id"].as_str().unwrap()), &body);
    let rule = json!({ "security_group_id": group, "direction": "ingress", "ethertype": "IPv4",
        "protocol": "tcp", "port_range_min": 23, "port_range_max": 23 });
    made("network", "/security-group-rules", "security_group_rule", rule);
    made("network", "/security-groups", "security_group", json!({ "name": "loose" }));
    made("network", "/routers", "router", json!({ "name": "alone" }));
    let outside = api.list("network", "/networks?name=public", "networks")[0]["id"].clone();
    let port = api.list("network", &format!("/ports?device_id={vm}"), "ports")[0]["id"].clone();
    let address = json!({ "floating_network_id": outside, "port_id": port });
    let address = made("network", "/floatingips", "floatingip", address);
    let address = address["floating_ip_address"].as_str().unwrap().to_owned();
    made(
        "compute",
        "/os-keypairs",
        "keypair",
        json!({ "name": "theirs", "type": "ssh",
        "public_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHUJ1oYnxqTxyyGPkYDMRPVcBhGLtrlmCRTpEcbIHDLx" }),
    );
    made("volumev3", "/volumes", "volume", json!({ "name": "extra", "size": 1 }));
    api.post("image", "/images", &json!({ "name": "picture" }));
    let image = api.list("image", "/images?name=rig", "images")[0]["id"].clone();
    let flavors = api.list("compute", "/flavors", "flavors");
    let flavor = flavors.iter().find(|it| it["name"] == "m1.tiny").unwrap()["id"].clone();
    let server = json!({ "name": "neighbour", "imageRef": image, "flavorRef": flavor,
        "networks": [{ "uuid": net }] });
    let server = made("compute", "/servers", "server", server);
    let path = format!("/servers/{}", server["id"].as_str().unwrap());
    crate::world::eventually("the neighbour is there", || {
        api.get("compute", &path)["server"]["status"] == "ACTIVE"
    });
    let mut said = vec![format!("networking_floatingip_v2 {address} leads to server WORLD-vm")];
    let others = [
        "networking_port_v2 by-hand is attached to network WORLD-net",
        "networking_network_v2 far is in project WORLD",
        "networking_subnet_v2 far-subnet is in project WORLD",
        "networking_subnet_v2 inside is in network WORLD-net",
        "networking_router_interface_v2 hop connects router WORLD-router to another subnet",
        "networking_secgroup_rule_v2 ingress IPv4 tcp 23 is in security group WORLD-group",
        "networking_secgroup_v2 loose is in project WORLD",
        "networking_router_v2 alone is in project WORLD",
        "compute_keypair_v2 theirs belongs to our user",
        "blockstorage_volume_v3 extra is in project WORLD",
        "images_image_v2 picture is in project WORLD",
        "compute_instance_v2 neighbour is attached to network WORLD-net",
    ];
    said.extend(others.map(str::to_owned));
    said
}
