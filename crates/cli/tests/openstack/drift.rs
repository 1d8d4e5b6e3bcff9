//! `drift` on a real cloud: every class is found and told apart from what the configuration asks for by itself.

use std::fs;

use serde_json::json;

use crate::drifting::Drift;
use crate::world::World;

/// A server with a port of its own, and a port that leaves open what it can.
const CONFIG: &str = r#"
resource "openstack_networking_network_v2" "net" {
  name = "PREFIX-net"
}

resource "openstack_networking_subnet_v2" "sub" {
  network_id = openstack_networking_network_v2.net.id
  cidr       = "10.91.1.0/24"
}

resource "openstack_networking_secgroup_v2" "group" {
  name = "PREFIX-group"
}

resource "openstack_networking_secgroup_rule_v2" "ssh" {
  direction         = "ingress"
  ethertype         = "IPv4"
  protocol          = "tcp"
  port_range_min    = 22
  port_range_max    = 22
  security_group_id = openstack_networking_secgroup_v2.group.id
}

resource "openstack_networking_port_v2" "own" {
  name               = "PREFIX-own"
  network_id         = openstack_networking_network_v2.net.id
  security_group_ids = [openstack_networking_secgroup_v2.group.id]
  depends_on         = [openstack_networking_subnet_v2.sub]
}

resource "openstack_networking_port_v2" "open" {
  name       = "PREFIX-open"
  network_id = openstack_networking_network_v2.net.id
  depends_on = [openstack_networking_subnet_v2.sub]
}

resource "openstack_compute_instance_v2" "vm" {
  name        = "PREFIX-vm"
  flavor_name = "m1.tiny"
  image_name  = "rig"
  metadata    = { tier = "web" }
  network {
    port = openstack_networking_port_v2.own.id
  }
}
"#;

/// What nobody has applied yet.
const MORE: &str = r#"
resource "openstack_networking_secgroup_v2" "later" {
  name = "PREFIX-later"
}
"#;

const NET: &str = "openstack_networking_network_v2.net";
const RULE: &str = "openstack_networking_secgroup_rule_v2.ssh";
const OWN: &str = "openstack_networking_port_v2.own";
const OPEN: &str = "openstack_networking_port_v2.open";
const VM: &str = "openstack_compute_instance_v2.vm";
const BESIDE: &str = "openstack_networking_port_v2:by-hand";

fn drift(world: &World, args: &[&str]) -> Drift {
    Drift::of(&mut world.command(&[&["drift", "-json"], args].concat()))
}

/// One thing of every class, and two where they are different things.
fn meddle(world: &World) {
    let api = &world.api;
    let (net, group) = (world.id(NET), world.id("openstack_networking_secgroup_v2.group"));
    let port = |addr: &str, body| {
        let path = format!("/ports/{}", world.id(addr));
        api.put("network", &path, &json!({ "port": body }));
    };
    port(OWN, json!({ "name": "theirs" }));
    let body = json!({ "metadata": { "tier": "db" } });
    api.put("compute", &format!("/servers/{}/metadata", world.id(VM)), &body);
    api.delete("network", &format!("/security-group-rules/{}", world.id(RULE)));
    let body = json!({ "port": { "network_id": net, "name": "by-hand" } });
    api.post("network", "/ports", &body);
    let body = json!({ "network": { "description": "by hand" } });
    api.put("network", &format!("/networks/{net}"), &body);
    port(OPEN, json!({ "security_groups": [group] }));
}

#[test]
fn each_class_is_told() {
    let world = World::new("drift", CONFIG);
    world.settle();
    drift(&world, &["-detailed"]).counts(0, &[]);
    let server = world.id(VM);
    meddle(&world);
    let found = drift(&world, &[]);
    let all = [
        (VM, "changed"),
        (OWN, "changed"),
        (RULE, "deleted"),
        (BESIDE, "foreign"),
        (NET, "undeclared"),
        (OPEN, "undeclared"),
    ];
    found.counts(2, &all);
    assert!(found.moved(VM).contains(&"metadata.tier"), "{:?}", found.moved(VM));
    let name = found.at(OWN)["attributes"].as_array().unwrap().iter();
    let name = { name }.find(|it| it["path"] == "name").unwrap();
    assert_eq!(name["after"], "theirs", "{name}");
    assert_eq!(found.moved(NET), ["description"]);
    assert_eq!(found.moved(OPEN), ["security_group_ids"]);
    for (address, repair) in
        [(VM, json!("update")), (RULE, json!("create")), (BESIDE, json!(null)), (NET, json!(null))]
    {
        assert_eq!(found.at(address)["repair"], repair, "{address}");
    }
    let why = found.at(BESIDE)["why"].to_string();
    assert!(why.contains(NET), "{why}");

    // Repairs leave alone what the configuration asks for, what it leaves open, and what is not ours.
    world.config(&format!("{CONFIG}{MORE}"));
    world.ok(&["apply", "-drift-only", "-auto-approve", "-no-color"]);
    drift(&world, &["-detailed"]).counts(6, &all[3..]);
    assert_eq!(world.there()["security_groups"], [format!("{}-group", world.name)]);
    assert_eq!(world.id(VM), server);
    let now = world.api.get("compute", &format!("/servers/{server}"))["server"].clone();
    assert_eq!(now["metadata"], json!({ "tier": "web" }));

    // They can be accepted, until that expires.
    let reason = "-reason=OPS-7: put there by hand";
    for address in [BESIDE, NET] {
        let accept = format!("-accept={address}");
        world.ok(&["drift", &accept, reason, "-expires=2999-12-31"]);
    }
    let exclude = format!("-exclude={OPEN}");
    drift(&world, &[&exclude]).stands(0, "accepted", &all[3..5]);
    let file = world.path().join("drift.plumb.hcl");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("2999-12-31", "2020-02-02")).unwrap();
    drift(&world, &[&exclude]).stands(2, "expired", &all[3..5]);
    fs::remove_file(&file).unwrap();

    // The stranger goes; what was left open is taken in; the rest is for an apply.
    let ports = world.api.list("network", "/ports?name=by-hand", "ports");
    world.api.delete("network", &format!("/ports/{}", ports[0]["id"].as_str().unwrap()));
    world.ok(&["refresh", "-no-color"]);
    drift(&world, &["-detailed"]).counts(4, &[]);
    world.end();
}
