//! Servers and what goes with them: made, changed where they are, found broken, made again.

use std::process::Command;

use serde_json::{Value as Json, json};

use crate::api::rig;
use crate::proxy::{Proxy, through};
use crate::world::{World, eventually};

const APPLY: [&str; 3] = ["apply", "-auto-approve", "-no-color"];
const SERVER: &str = "openstack_compute_instance_v2.s";
/// A network with a subnet.
pub(crate) const NETWORK: &str = r#"
    resource "openstack_networking_network_v2" "n" { name = "PREFIX" }
    resource "openstack_networking_subnet_v2" "n" {
      network_id = openstack_networking_network_v2.n.id
      cidr       = "10.15.0.0/24"
    }
"#;
const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPKSUTyz1HwHReFVvD5obVsALAgJRNarH4TRpNePnAS somebody";

fn server(world: &World) -> Json {
    world.api.get("compute", &format!("/servers/{}", world.id(SERVER)))["server"].clone()
}

fn status(world: &World) -> String {
    server(world)["status"].as_str().unwrap().to_owned()
}

/// A server that needs no network.
fn bare(rest: &str) -> String {
    format!(
        r#"
        resource "openstack_compute_instance_v2" "s" {{
          name         = "PREFIX"
          network_mode = "none"
          {rest}
        }}"#
    )
}

/// Runs the client that people have, as the world's user.
fn client(world: &World, args: &[&str]) {
    let (keystone, password) = rig();
    let mut command = Command::new("/usr/bin/openstack");
    command.args(args).env_clear().env("PATH", "/usr/bin:/bin").env("HOME", world.path());
    for (name, value) in [
        ("OS_AUTH_URL", &*keystone),
        ("OS_USERNAME", &world.name),
        ("OS_PASSWORD", &password),
        ("OS_PROJECT_NAME", &world.name),
        ("OS_USER_DOMAIN_ID", "default"),
        ("OS_PROJECT_DOMAIN_ID", "default"),
        ("OS_IDENTITY_API_VERSION", "3"),
    ] {
        command.env(name, value);
    }
    let done = command.output().unwrap();
    assert!(done.status.success(), "{args:?}: {}", String::from_utf8_lossy(&done.stderr));
}

#[test]
fn a_server_is_changed_where_it_is() {
    let config = |key: &str, second: &str, rest: &str| {
        format!(
            r#"
            {NETWORK}
            resource "openstack_networking_network_v2" "other" {{ name = "PREFIX-other" }}
            resource "openstack_networking_subnet_v2" "other" {{
              network_id = openstack_networking_network_v2.other.id
              cidr       = "10.16.0.0/24"
            }}
            resource "openstack_networking_port_v2" "p" {{
              name       = "PREFIX"
              network_id = openstack_networking_subnet_v2.n.network_id
            }}
            resource "openstack_networking_secgroup_v2" "g" {{
              for_each = toset(["a", "b"])
              name     = "PREFIX-${{each.key}}"
            }}
            resource "openstack_compute_keypair_v2" "k" {{
              for_each   = toset(["a", "b"])
              name       = "PREFIX-${{each.key}}"
              public_key = "{KEY}"
            }}
            resource "openstack_compute_instance_v2" "s" {{
              image_name   = "rig"
              flavor_name  = "m1.tiny"
              key_pair     = openstack_compute_keypair_v2.k["{key}"].name
              user_data    = "a line\n"
              config_drive = true
              network {{ port = openstack_networking_port_v2.p.id }}
              network {{
                {second}
              }}
              {rest}
            }}"#
        )
    };
    let first = r#"
        uuid        = openstack_networking_subnet_v2.n.network_id
        fixed_ip_v4 = "10.15.0.77"
        "#;
    let world = World::new(
        "server",
        &config(
            "a",
            first,
            r#"
            name            = "PREFIX-a"
            metadata        = { a = "1", b = "2" }
            tags            = ["x", "y"]
            security_groups = [openstack_networking_secgroup_v2.g["a"].name]
            "#,
        ),
    );
    world.settle();
    let made = world.attrs(SERVER);
    assert_eq!(made["network"][1]["fixed_ip_v4"], "10.15.0.77", "{made:#}");
    assert_eq!(made["network"][0]["port"], json!(world.id("openstack_networking_port_v2.p")));
    assert_eq!(made["access_ip_v4"], made["network"][0]["fixed_ip_v4"], "{made:#}");

    // Everything at once, the server being the same one.
    let second = r#"
        name            = "PREFIX-b"
        metadata        = { a = "x", c = "3" }
        tags            = ["y", "z"]
        security_groups = [openstack_networking_secgroup_v2.g["b"].name]
        power_state     = "shutoff"
        "#;
    world.in_place(SERVER, &config("a", first, second));
    let seen = server(&world);
    assert_eq!((&seen["name"], &seen["status"]), (&json!("plumb-e2e-server-b"), &json!("SHUTOFF")));
    let stamp = &seen["metadata"]["plumb.token"];
    assert_eq!(seen["metadata"], json!({ "a": "x", "c": "3", "plumb.token": stamp }));
    assert_eq!(seen["tags"], json!(["y", "z"]));
    let groups = |network: usize| {
        let address = &made["network"][network]["fixed_ip_v4"];
        let query = format!("/ports?fixed_ips=ip_address%3D{}", address.as_str().unwrap());
        let port = world.api.list("network", &query, "ports").remove(0);
        port["security_groups"].clone()
    };
    let group = world.id("openstack_networking_secgroup_v2.g[\"b\"]");
    assert_eq!(groups(1), json!([group]));
    assert_ne!(groups(0), json!([group]), "a port that was given to it has its own");
    let running = second.replace("shutoff", "active") + "admin_pass = \"correct horse\"\n";
    world.config(&config("a", first, &running));
    let plan = world.plan();
    assert!(!plan.contains("correct horse") && plan.contains("0 to destroy"), "{plan}");
    world.in_place(SERVER, &config("a", first, &running));
    assert_eq!(status(&world), "ACTIVE");

    // By hand: stopped, a key changed, one that is not ours added.
    let id = world.id(SERVER);
    client(&world, &["server", "set", "--property", "c=by-hand", "--property", "own=1", &id]);
    world.api.post("compute", &format!("/servers/{id}/action"), &json!({ "os-stop": null }));
    eventually("the server is stopped", || status(&world) == "SHUTOFF");
    let plan = world.plan();
    for it in ["\"by-hand\" -> \"3\"", "\"shutoff\" -> \"active\"", "0 to add, 1 to change"] {
        assert!(plan.contains(it), "{it} is not in {plan}");
    }
    world.settle();
    let seen = server(&world);
    assert_eq!((&seen["id"], &seen["status"]), (&json!(id), &json!("ACTIVE")));
    assert_eq!((&seen["metadata"]["c"], &seen["metadata"]["own"]), (&json!("3"), &json!("1")));

    // Nova tells neither password nor user data: once written, they are no reason for another server.
    world.imported_and_noted(SERVER);

    // Deleted by hand: made again. The port that was given to it is still there.
    world.api.delete("compute", &format!("/servers/{id}"));
    eventually("the server is gone", || {
        world.api.call("GET", "compute", &format!("/servers/{id}"), None).0 == 404
    });
    let plan = world.plan();
    assert!(plan.contains("1 to add, 0 to change, 0 to destroy"), "{plan}");
    world.settle();

    world.replaces(&config("b", first, &running), &["key_pair"]);
    let elsewhere = "uuid = openstack_networking_subnet_v2.other.network_id";
    world.anew(SERVER, &config("a", elsewhere, &running), &["uuid"]);
    world.end();
}

#[test]
fn what_fits_nowhere_and_what_is_not_there() {
    let with = |flavor: &str| bare(&format!("image_name = \"rig\"\nflavor_name = \"{flavor}\""));
    let world = World::new("huge", &with("m1.huge"));
    let said = world.fails(&APPLY);
    for it in ["No valid host", "main.tf line"] {
        assert!(said.contains(it), "{it:?} is not in {said}");
    }
    let state = std::fs::read_to_string(world.path().join("terraform.tfstate")).unwrap();
    assert!(state.contains("\"tainted\""), "{state}");
    let broken = world.id(SERVER);
    world.config(&with("m1.tiny"));
    let plan = world.plan();
    assert!(plan.contains("is tainted, so must be replaced"), "{plan}");
    world.settle();
    let id = world.id(SERVER);
    assert_ne!(id, broken);
    assert_eq!(world.there()["servers"], ["plumb-e2e-huge"]);

    // A resize that comes to nothing leaves what was there.
    world.config(&with("m1.huge"));
    let said = world.fails(&APPLY);
    for it in ["Cannot resize the server", "main.tf line"] {
        assert!(said.contains(it), "{it:?} is not in {said}");
    }
    println!("{said}");
    world.config(&with("m1.tiny"));
    world.nothing_to_do();
    assert_eq!((world.id(SERVER), status(&world)), (id, "ACTIVE".to_owned()));
    world.imported(SERVER);

    // Names of nothing.
    world.config(&with("m1.giant"));
    let said = world.fails(&APPLY);
    for it in ["No such flavor", "m1.giant", "m1.tiny", "main.tf line"] {
        assert!(said.contains(it), "{it:?} is not in {said}");
    }
    world.config(&with("m1.tiny").replace("\"rig\"", "\"nebula\""));
    let said = world.fails(&APPLY);
    for it in ["No such image", "nebula", "main.tf line"] {
        assert!(said.contains(it), "{it:?} is not in {said}");
    }
    world.config(&with("m1.tiny"));
    world.end();
    world.config(&with("m1.tiny").replace("\"rig\"", "\"nebula\""));
    let said = world.fails(&APPLY);
    assert!(said.contains("No such image") && said.contains("main.tf line"), "{said}");
    world.end_empty();
}

#[test]
fn key_pairs_and_server_groups() {
    let config = |name: &str, rules: &str| {
        format!(
            r#"
            resource "openstack_compute_keypair_v2" "given" {{
              name       = "PREFIX-given"
              public_key = "{KEY}\n"
            }}
            resource "openstack_compute_keypair_v2" "made" {{ name = "{name}" }}
            resource "openstack_compute_servergroup_v2" "g" {{
              name     = "PREFIX"
              policies = ["anti-affinity"]
              {rules}
            }}
            resource "openstack_compute_servergroup_v2" "soft" {{
              name     = "PREFIX-soft"
              policies = ["soft-affinity"]
            }}"#
        )
    };
    let (given, made) = ("openstack_compute_keypair_v2.given", "openstack_compute_keypair_v2.made");
    let group = "openstack_compute_servergroup_v2.g";
    let world = World::new("keys", &config("PREFIX-made", ""));
    world.settle();
    let key = world.attrs(made)["private_key"].as_str().unwrap().to_owned();
    assert!(key.contains("PRIVATE KEY"), "{key}");
    world.ok(&["refresh", "-no-color"]);
    assert_eq!(world.attrs(made)["private_key"], json!(key));
    world.imported(given);
    world.imported(group);
    world.anew(made, &config("PREFIX-other", ""), &["name"]);
    assert_ne!(world.attrs(made)["private_key"], json!(key));
    world.anew(group, &config("PREFIX-other", "rules { max_server_per_host = 2 }"), &["rules"]);
    // Deleted by hand: made again.
    world.api.delete("compute", &format!("/os-server-groups/{}", world.id(group)));
    world.api.delete("compute", &format!("/os-keypairs/{}-given", world.name));
    let plan = world.plan();
    assert!(plan.contains("2 to add, 0 to change, 0 to destroy"), "{plan}");
    world.settle();
    world.end();
}

#[test]
fn flavors() {
    let config = |rest: &str| {
        format!(
            r#"
            resource "openstack_compute_flavor_v2" "f" {{
              name  = "PREFIX"
              ram   = 64
              vcpus = 1
              disk  = 1
              {rest}
            }}
            resource "openstack_compute_flavor_v2" "g" {{
              name      = "PREFIX-g"
              flavor_id = "PREFIX-g"
              ram       = 64
              vcpus     = 1
              disk      = 0
              swap      = 16
              ephemeral = 1
              is_public = false
            }}"#
        )
    };
    let addr = "openstack_compute_flavor_v2.f";
    let mut world = World::new("flavor", &config(""));
    for name in ["OS_USERNAME", "OS_PROJECT_NAME"] {
        world.env.insert(name.to_owned(), "admin".to_owned());
    }
    world.clear_flavors();
    world.settle();
    world.in_place(
        addr,
        &config("description = \"ours\"\nextra_specs = { \"hw:cpu_policy\" = \"shared\", \"hw:mem_page_size\" = \"small\" }"),
    );
    world.in_place(addr, &config("extra_specs = { \"hw:mem_page_size\" = \"large\" }"));
    let specs = || {
        let path = format!("/flavors/{}", world.id(addr));
        let flavor = world.admin().get("compute", &path)["flavor"].clone();
        (flavor["extra_specs"].clone(), flavor["description"].clone())
    };
    assert_eq!(specs(), (json!({ "hw:mem_page_size": "large" }), json!(null)));
    let path = format!("/flavors/{}/os-extra_specs", world.id(addr));
    world.admin().post("compute", &path, &json!({ "extra_specs": { "hw:mem_page_size": "any" } }));
    let plan = world.plan();
    assert!(plan.contains("\"any\" -> \"large\""), "{plan}");
    world.settle();
    world.imported(addr);
    world.imported("openstack_compute_flavor_v2.g");
    let larger =
        config("extra_specs = { \"hw:mem_page_size\" = \"large\" }").replacen("64", "96", 1);
    world.anew(addr, &larger, &["ram"]);
    world.end();
    let left = world.clear_flavors();
    assert!(left.is_empty(), "{left:?}");
}

/// The answer about the server is lost, and so are those about its ports.
#[test]
fn further_ports_and_answers_that_are_lost() {
    let proxy = Proxy::mute("compute", &["POST /v2.1/servers ", "/os-interface"]);
    let config = format!(
        r#"
        {}
        {NETWORK}
        resource "openstack_networking_port_v2" "p" {{
          name       = "PREFIX"
          network_id = openstack_networking_subnet_v2.n.network_id
        }}
        resource "openstack_compute_interface_attach_v2" "given" {{
          instance_id = openstack_compute_instance_v2.s.id
          port_id     = openstack_networking_port_v2.p.id
        }}
        resource "openstack_compute_interface_attach_v2" "made" {{
          instance_id = openstack_compute_instance_v2.s.id
          network_id  = openstack_networking_subnet_v2.n.network_id
          fixed_ip    = "10.15.0.99"
        }}
        {}"#,
        through(&[("compute", &proxy)], ""),
        bare("image_name = \"rig\"\nflavor_name = \"m1.tiny\""),
    );
    let world = World::new("attach", &config);
    for _ in 0..3 {
        if world.run(&APPLY).code == Some(0) {
            break;
        }
    }
    world.settle();
    let seen = proxy.seen();
    let posts = seen.iter().filter(|it| it.starts_with("POST")).count();
    assert_eq!(posts, 3, "{seen:#?}");
    let there = world.there();
    assert_eq!(there["servers"], ["plumb-e2e-attach"]);
    // Those of the two attachments, and the subnet's for DHCP.
    let ports = format!("/ports?device_id={}", world.id(SERVER));
    assert_eq!(world.api.list("network", &ports, "ports").len(), 2);
    let (given, made) = (
        "openstack_compute_interface_attach_v2.given",
        "openstack_compute_interface_attach_v2.made",
    );
    assert_eq!(world.attrs(made)["fixed_ip"], "10.15.0.99");
    world.imported(given);
    world.imported(made);
    // Nobody knows whether a server got its ports when it was made: that it gets none by itself is
    // no reason for another one.
    world.imported_and_noted(SERVER);
    // Taken out by hand: put in again. The one that was made goes with its attachment.
    let port = world.attrs(given)["port_id"].as_str().unwrap().to_owned();
    let path = format!("/servers/{}/os-interface/{port}", world.id(SERVER));
    world.api.delete("compute", &path);
    eventually("the port is out", || {
        world.api.get("network", &format!("/ports/{port}"))["port"]["device_id"] == ""
    });
    let plan = world.plan();
    assert!(plan.contains("1 to add, 0 to change, 0 to destroy"), "{plan}");
    world.settle();
    world.ok(&["destroy", "-auto-approve", "-no-color", "-target", given, "-target", made]);
    assert_eq!(world.api.list("network", &ports, "ports").len(), 0);
    assert_eq!(world.api.get("network", &format!("/ports/{port}"))["port"]["device_id"], "");
    world.end();
}

/// From every state to every other is a way, and the server is the same one at its end.
#[test]
fn power_states() {
    let with = |state: &str| {
        bare(&format!("image_name = \"rig\"\nflavor_id = \"1\"\npower_state = \"{state}\""))
    };
    let world = World::new("power", &with("shutoff"));
    world.settle();
    assert_eq!(status(&world), "SHUTOFF");
    let states = [
        ("paused", "PAUSED"),
        ("suspended", "SUSPENDED"),
        ("rescued", "RESCUE"),
        ("shelved_offloaded", "SHELVED_OFFLOADED"),
        ("shutoff", "SHUTOFF"),
    ];
    for (state, told) in states {
        world.in_place(SERVER, &with(state));
        assert_eq!(status(&world), told);
    }
    // Another image and another size leave the power as it is.
    let other = with("shutoff").replace("\"1\"", "\"2\"");
    world.in_place(SERVER, &other);
    assert_eq!(status(&world), "SHUTOFF");
    world.config(&with("running"));
    let said = world.fails(&["validate", "-no-color"]);
    assert!(said.contains("power_state") && said.contains("main.tf line"), "{said}");
    world.config(&other);
    world.end();
}

/// The disk is a volume, and there is a second one; both go with the server.
#[test]
fn a_server_that_boots_from_a_volume() {
    let config = |size: u32, rest: &str| {
        format!(
            r#"
            data "openstack_images_image_v2" "rig" {{ name = "rig" }}
            resource "openstack_blockstorage_volume_v3" "v" {{
              name = "PREFIX"
              size = 1
            }}
            resource "openstack_compute_instance_v2" "s" {{
              name         = "PREFIX"
              flavor_name  = "m1.tiny"
              network_mode = "none"
              block_device {{
                uuid                  = data.openstack_images_image_v2.rig.id
                source_type           = "image"
                destination_type      = "volume"
                volume_size           = {size}
                boot_index            = 0
                delete_on_termination = true
              }}
              block_device {{
                uuid             = openstack_blockstorage_volume_v3.v.id
                source_type      = "volume"
                destination_type = "volume"
                boot_index       = -1
              }}
              {rest}
            }}"#
        )
    };
    let world = World::new("bootvolume", &config(1, ""));
    world.settle();
    assert_eq!(world.there()["volumes"].len(), 2, "{:?}", world.there());
    assert_eq!(server(&world)["image"], "");
    world.in_place(SERVER, &config(1, "metadata = { a = \"1\" }"));
    world.anew(SERVER, &config(2, "metadata = { a = \"1\" }"), &["volume_size"]);
    eventually("the old disk is gone", || world.there()["volumes"].len() == 2);
    world.destroy();
    eventually("the disk goes with its server", || world.there().is_empty());
    world.end();
}

#[test]
fn networks_by_name() {
    let config = |rest: &str| {
        format!(
            r#"
            {NETWORK}
            resource "openstack_networking_subnet_v2" "six" {{
              network_id = openstack_networking_network_v2.n.id
              ip_version = 6
              cidr       = "fd00:15::/64"
            }}
            resource "openstack_networking_network_v2" "other" {{ name = "PREFIX-other" }}
            resource "openstack_networking_subnet_v2" "other" {{
              network_id = openstack_networking_network_v2.other.id
              cidr       = "10.16.0.0/24"
            }}
            resource "openstack_compute_instance_v2" "s" {{
              name        = "PREFIX"
              flavor_name = "m1.tiny"
              image_name  = "rig"
              depends_on = [
                openstack_networking_subnet_v2.n,
                openstack_networking_subnet_v2.six,
                openstack_networking_subnet_v2.other,
              ]
              {rest}
            }}"#
        )
    };
    let networks = |rest: &str| {
        format!(
            r#"
            network {{ name = openstack_networking_network_v2.n.name }}
            network {{
              name = openstack_networking_network_v2.other.name
              {rest}
            }}"#
        )
    };
    let none = "security_groups = []\ntags = []\nmetadata = {}\n";
    let world = World::new("byname", &config(&format!("{none}{}", networks(""))));
    world.settle();
    let seen = world.attrs(SERVER);
    assert_eq!(seen["access_ip_v4"], seen["network"][0]["fixed_ip_v4"], "{seen:#}");
    assert_eq!(seen["access_ip_v6"], seen["network"][0]["fixed_ip_v6"], "{seen:#}");
    // To write none is to write nothing: it is in the group that all are in.
    assert_eq!(seen["security_groups"], json!(["default"]));
    world.in_place(SERVER, &config(&networks("access_network = true")));
    let seen = world.attrs(SERVER);
    assert_eq!(seen["access_ip_v4"], seen["network"][1]["fixed_ip_v4"], "{seen:#}");
    world.imported_and_noted(SERVER);
    let groups = "security_groups = [\"none-such\"]\n";
    world.config(&config(&format!("{groups}{}", networks("access_network = true"))));
    let said = world.fails(&APPLY);
    for it in ["No such security group", "none-such", "main.tf line"] {
        assert!(said.contains(it), "{it:?} is not in {said}");
    }
    // Nothing says which of the two networks it is: it is not made.
    world.config(&config("network_mode = \"auto\""));
    let said = world.fails(&APPLY);
    assert!(said.contains("several networks") && said.contains("main.tf line"), "{said}");
    world.end();
}
