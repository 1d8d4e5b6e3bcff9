//! What a network has besides, and what Keystone keeps: made, changed, brought in, found, taken away.

use std::collections::BTreeSet;
use std::sync::Mutex;

use serde_json::json;

use crate::api::Api;
use crate::proxy::{Fate, Proxy};
use crate::world::World;

/// A router that leads outside, and a network behind it.
pub(crate) const BEHIND: &str = r#"
    data "openstack_networking_network_v2" "outside" { name = "public" }
    resource "openstack_networking_network_v2" "n" { name = "PREFIX" }
    resource "openstack_networking_subnet_v2" "s" {
      name       = "PREFIX"
      network_id = openstack_networking_network_v2.n.id
      cidr       = "10.14.0.0/24"
    }
    resource "openstack_networking_router_v2" "r" {
      name                = "PREFIX"
      external_network_id = data.openstack_networking_network_v2.outside.id
    }
    resource "openstack_networking_router_interface_v2" "i" {
      router_id = openstack_networking_router_v2.r.id
      subnet_id = openstack_networking_subnet_v2.s.id
    }
    resource "openstack_networking_port_v2" "p" {
      count      = 2
      name       = "PREFIX-${count.index}"
      network_id = openstack_networking_network_v2.n.id
      fixed_ip { subnet_id = openstack_networking_subnet_v2.s.id }
    }
"#;

#[test]
fn subnet_pool_and_address_group() {
    let config = |pool: &str, group: &str| {
        format!(
            r#"
            resource "openstack_networking_subnetpool_v2" "p" {{
              name = "PREFIX"
              {pool}
            }}
            resource "openstack_networking_address_group_v2" "g" {{
              {group}
            }}"#
        )
    };
    // Neutron joins the two; what is written stays as it is.
    let world = World::new(
        "pool",
        &config(
            r#"prefixes = ["10.20.0.0/24", "10.20.1.0/24"]"#,
            r#"addresses = ["10.0.0.1", "10.1.0.0/16"]"#,
        ),
    );
    world.settle();
    let (pool, group) =
        ("openstack_networking_subnetpool_v2.p", "openstack_networking_address_group_v2.g");
    let ids = [world.id(pool), world.id(group)];
    world.config(&config(
        r#"
        prefixes          = ["10.20.0.0/16"]
        description       = "ours"
        default_prefixlen = 26
        min_prefixlen     = 24
        tags              = ["t"]
        "#,
        r#"
        name        = "PREFIX"
        description = "ours"
        addresses   = ["10.0.0.1/32", "10.2.0.0/16"]
        "#,
    ));
    world.settle();
    assert_eq!([world.id(pool), world.id(group)], ids, "both were changed in place");
    world.imported(pool);
    world.imported(group);
    let path = format!("/address-groups/{}", ids[1]);
    world.api.put(
        "network",
        &format!("{path}/add_addresses"),
        &json!({ "addresses": ["10.9.0.0/16"] }),
    );
    let plan = world.plan();
    assert!(plan.contains("10.9.0.0/16") && plan.contains("1 to change"), "{plan}");
    world.settle();
    let seen = world.api.get("network", &path)["address_group"]["addresses"].clone();
    assert_eq!(seen, json!(["10.0.0.1/32", "10.2.0.0/16"]));
    // Addresses cannot be taken out of a pool: the plan says so.
    world.config(&config(r#"prefixes = ["10.20.0.0/24"]"#, r#"addresses = ["10.0.0.1"]"#));
    let plan = world.plan();
    assert!(plan.contains("1 to add, 1 to change, 1 to destroy"), "{plan}");
    world.settle();
    world.end();
}

#[test]
fn routes_of_routers_and_subnets() {
    let config = |hop: &str| {
        format!(
            r#"
            # In an order in which nothing would go well.
            resource "openstack_networking_router_route_v2" "r" {{
              count            = 4
              router_id        = openstack_networking_router_v2.r.id
              destination_cidr = "10.6${{count.index}}.0.0/16"
              next_hop         = "{hop}"
            }}
            resource "openstack_networking_subnet_route_v2" "s" {{
              count            = 4
              subnet_id        = openstack_networking_subnet_v2.s.id
              destination_cidr = "10.7${{count.index}}.0.0/16"
              next_hop         = "{hop}"
            }}
            {BEHIND}"#
        )
    };
    let world = World::new("routes", &config("10.14.0.9"));
    world.settle();
    let (router, subnet) =
        ("openstack_networking_router_route_v2.r[0]", "openstack_networking_subnet_route_v2.s[0]");
    assert!(world.id(router).ends_with("-route-10.60.0.0/16-10.14.0.9"), "{}", world.id(router));
    world.imported(router);
    world.imported(subnet);
    // All of them at once: none is lost.
    world.config(&config("10.14.0.10"));
    world.settle();
    let path = format!("/routers/{}", world.id("openstack_networking_router_v2.r"));
    let there = || world.api.get("network", &path)["router"]["routes"].as_array().unwrap().len();
    assert_eq!(there(), 4);
    world.api.put("network", &path, &json!({ "router": { "routes": [] } }));
    let plan = world.plan();
    assert!(plan.contains("4 to add, 0 to change, 0 to destroy"), "{plan}");
    world.settle();
    assert_eq!(there(), 4);
    world.end();
}

#[test]
fn a_floating_ip_is_led_elsewhere() {
    let config = |port: usize, floating: &str| {
        format!(
            r#"
            resource "openstack_networking_floatingip_associate_v2" "a" {{
              floating_ip = {floating}
              port_id     = openstack_networking_port_v2.p[{port}].id
            }}
            resource "openstack_networking_floatingip_v2" "f" {{ pool = "public" }}
            {BEHIND}"#
        )
    };
    let addr = "openstack_networking_floatingip_associate_v2.a";
    let address = "openstack_networking_floatingip_v2.f.address";
    let world = World::new("associate", &config(0, address));
    world.settle();
    let (id, first) = (world.id(addr), world.attrs(addr)["fixed_ip"].clone());
    world.config(&config(1, address));
    world.settle();
    assert_eq!(world.id(addr), id, "it was changed in place");
    assert_ne!(world.attrs(addr)["fixed_ip"], first);
    world.imported(addr);
    // Let go of by hand: led there again.
    let path = format!("/floatingips/{id}");
    world.api.put("network", &path, &json!({ "floatingip": { "port_id": null } }));
    let plan = world.plan();
    assert!(plan.contains("1 to add"), "{plan}");
    world.settle();
    // Taken by somebody else: left alone when ours goes.
    let other = world.id("openstack_networking_port_v2.p[0]");
    world.api.put("network", &path, &json!({ "floatingip": { "port_id": other } }));
    world.ok(&["destroy", "-auto-approve", "-no-color", "-refresh=false", "-target", addr]);
    assert_eq!(world.api.get("network", &path)["floatingip"]["port_id"], json!(other));
    world.config(&config(0, "\"192.0.2.77\""));
    let failed = world.fails(&["apply", "-auto-approve", "-no-color"]);
    assert!(
        failed.contains("No floating IP of this project has the address 192.0.2.77"),
        "{failed}"
    );
    world.end();
}

#[test]
fn application_credential() {
    let config = |rest: &str| {
        format!(
            r#"
            resource "openstack_identity_application_credential_v3" "c" {{
              name       = "PREFIX"
              roles      = ["reader"]
              expires_at = "2037-02-13T12:12:12Z"
              {rest}
              access_rules {{
                service = "network"
                path    = "/v2.0/networks"
                method  = "GET"
              }}
              access_rules {{
                service = "compute"
                path    = "/v2.1/servers"
                method  = "GET"
              }}
            }}"#
        )
    };
    let addr = "openstack_identity_application_credential_v3.c";
    let world = World::new("appcred", &config("description = \"one\""));
    world.settle();
    let before = world.attrs(addr);
    assert!(before["secret"].as_str().is_some_and(|it| it.len() > 20), "{before:#}");
    world.config(&config("description = \"two\"\nsecret = \"correct horse\""));
    let plan = world.plan();
    assert!(!plan.contains("correct horse") && plan.contains("1 to add"), "{plan}");
    world.settle();
    assert_ne!(world.attrs(addr)["id"], before["id"]);
    world.config(&config("description = \"two\""));
    world.nothing_to_do();
    world.imported(addr);
    world.end();
}

#[test]
fn what_is_there_is_found() {
    let data = r#"
        data "openstack_networking_subnet_ids_v2" "s" {
          network_id = openstack_networking_subnet_v2.s.network_id
          name_regex = "^PREFIX$"
          sort_key   = "name"
        }
        data "openstack_networking_port_ids_v2" "p" {
          network_id   = openstack_networking_network_v2.n.id
          device_owner = "network:router_interface"
          depends_on   = [openstack_networking_router_interface_v2.i]
        }
        data "openstack_networking_port_v2" "p" {
          fixed_ip   = openstack_networking_port_v2.p[1].all_fixed_ips[0]
          network_id = openstack_networking_network_v2.n.id
        }
        data "openstack_networking_floatingip_v2" "f" {
          address = openstack_networking_floatingip_v2.f.address
        }
        resource "openstack_networking_floatingip_v2" "f" {
          pool        = "public"
          description = "PREFIX"
        }
        data "openstack_identity_auth_scope_v3" "me" { name = "me" }
        data "openstack_identity_project_v3" "p" { name = "PREFIX" }
        data "openstack_identity_endpoint_v3" "n" { service_type = "network" }
        output "all" {
          value = {
            subnets = data.openstack_networking_subnet_ids_v2.s.ids == tolist([openstack_networking_subnet_v2.s.id])
            ports   = data.openstack_networking_port_ids_v2.p.ids == tolist([openstack_networking_router_interface_v2.i.id])
            port    = data.openstack_networking_port_v2.p.id == openstack_networking_port_v2.p[1].id
            named   = data.openstack_networking_port_v2.p.description
            address = data.openstack_networking_floatingip_v2.f.id == openstack_networking_floatingip_v2.f.id
            written = data.openstack_networking_floatingip_v2.f.description
            project = data.openstack_identity_project_v3.p.id == data.openstack_identity_auth_scope_v3.me.project_id
            roles   = sort(data.openstack_identity_auth_scope_v3.me.roles[*].role_name)
            token   = nonsensitive(data.openstack_identity_auth_scope_v3.me.token_id)
            network = startswith(data.openstack_identity_endpoint_v3.n.url, "http")
          }
        }
    "#;
    let world = World::new("found", &format!("{BEHIND}{data}"));
    world.settle();
    let told = world.ok(&["output", "-json", "all"]);
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    let expected = json!({
        "subnets": true,
        "ports": true,
        "port": true,
        "named": "",
        "address": true,
        "written": world.name,
        "project": true,
        "roles": ["member", "reader"],
        "token": "",
        "network": true,
    });
    assert_eq!(told, expected);
    let fails = |data: &str, says: &[&str]| {
        world.config(&format!("{BEHIND}{data}"));
        let failed = world.fails(&["plan", "-no-color"]);
        for it in says {
            assert!(failed.contains(it), "{it:?} is not in {failed}");
        }
    };
    fails(
        r#"data "openstack_networking_port_v2" "p" { device_owner = "nobody" }"#,
        &["Your query returned no port"],
    );
    let names = [0, 1].map(|it| {
        format!(
            "{}-{it} ({})",
            world.name,
            world.id(&format!("openstack_networking_port_v2.p[{it}]"))
        )
    });
    fails(
        r#"data "openstack_networking_port_v2" "p" { network_id = openstack_networking_network_v2.n.id }"#,
        &["Your query returned more than one port", &names[0], &names[1]],
    );
    fails(
        r#"data "openstack_identity_endpoint_v3" "e" { interface = "admin" }"#,
        &["Your query returned"],
    );
    fails(
        r#"data "openstack_networking_subnet_ids_v2" "s" { name_regex = "(" }"#,
        &["Invalid regular expression", "name_regex"],
    );
    world.config(&format!("{BEHIND}{data}"));
    world.end();
}

/// The first answer of each kind is lost, though the cloud did it: the next run finds it.
#[test]
fn answers_that_are_lost() {
    let admin = Api::admin();
    let mute = |service: &str, kinds: &'static [&'static str]| {
        let left: Mutex<BTreeSet<&str>> = Mutex::new(kinds.iter().copied().collect());
        Proxy::before(admin.service(service), move |asked| {
            let mut left = left.lock().unwrap();
            let is = |it: &&&str| asked.contains(**it) && !asked.contains("extraroutes");
            match left.iter().find(is).copied() {
                Some(kind) => {
                    left.remove(kind);
                    Fate::Mute
                }
                None => Fate::Pass,
            }
        })
    };
    let network = mute(
        "network",
        &[
            "POST /v2.0/address-groups",
            "POST /v2.0/subnetpools",
            "PUT /v2.0/routers/",
            "PUT /v2.0/subnets/",
            "PUT /v2.0/floatingips/",
        ],
    );
    let identity = mute("identity", &["POST /v3/users/"]);
    let config = format!(
        r#"
        terraform {{
          required_providers {{
            openstack = {{ source = "terraform-provider-openstack/openstack" }}
          }}
        }}
        provider "openstack" {{
          endpoint_overrides = {{
            network  = "{}/"
            identity = "{}/"
          }}
        }}
        resource "openstack_networking_address_group_v2" "g" {{
          name      = "PREFIX"
          addresses = ["10.0.0.1"]
        }}
        resource "openstack_networking_subnetpool_v2" "p" {{
          name     = "PREFIX"
          prefixes = ["10.20.0.0/24"]
          tags     = ["t"]
        }}
        resource "openstack_networking_router_route_v2" "r" {{
          router_id        = openstack_networking_router_interface_v2.i.router_id
          destination_cidr = "10.60.0.0/16"
          next_hop         = "10.14.0.9"
        }}
        resource "openstack_networking_subnet_route_v2" "s" {{
          subnet_id        = openstack_networking_subnet_v2.s.id
          destination_cidr = "10.70.0.0/16"
          next_hop         = "10.14.0.9"
        }}
        resource "openstack_networking_floatingip_v2" "f" {{ pool = "public" }}
        resource "openstack_networking_floatingip_associate_v2" "a" {{
          floating_ip = openstack_networking_floatingip_v2.f.address
          port_id     = openstack_networking_port_v2.p[0].id
        }}
        resource "openstack_identity_application_credential_v3" "c" {{ name = "PREFIX" }}
        {BEHIND}"#,
        network.url, identity.url,
    );
    let world = World::new("answers", &config);
    // Something that waits for an answer holds up what depends on it.
    for _ in 0..4 {
        if world.run(&["apply", "-auto-approve", "-no-color"]).code == Some(0) {
            break;
        }
    }
    world.settle();
    let there = world.there();
    assert_eq!(there["subnetpools"], ["plumb-e2e-answers"]);
    assert_eq!(there["address_groups"], ["plumb-e2e-answers"]);
    // The secret went with the answer: it was made anew, and the other is gone.
    let credential = world.attrs("openstack_identity_application_credential_v3.c");
    assert!(credential["secret"].is_string(), "{credential:#}");
    world.end();
}
