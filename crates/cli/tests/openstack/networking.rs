//! Each resource of the network: made, read back, changed in place, made anew, imported, deleted.

use serde_json::json;

use crate::world::World;

/// A life: made; changed, the object being the same one; imported elsewhere, with nothing to do.
fn life(name: &str, addr: &str, first: &str, changed: &str) -> World {
    let world = World::new(name, first);
    world.settle();
    world.in_place(addr, changed);
    world.imported(addr);
    world
}

#[test]
fn network() {
    let addr = "openstack_networking_network_v2.n";
    let config =
        |rest: &str| format!("resource \"openstack_networking_network_v2\" \"n\" {{\n{rest}\n}}");
    let first = config(
        r#"
        name        = "PREFIX-a"
        description = "one"
        tags        = ["x", "y"]
        "#,
    );
    let changed = config(
        r#"
        name                  = "PREFIX-b"
        description           = "two, and longer"
        tags                  = ["y", "z"]
        admin_state_up        = false
        mtu                   = 1300
        port_security_enabled = false
        "#,
    );
    let world = life("network", addr, &first, &changed);
    let path = format!("/networks/{}", world.id(addr));
    let seen = world.api.get("network", &path)["network"].clone();
    assert_eq!(seen["name"], "plumb-e2e-network-b");
    assert_eq!(seen["mtu"], 1300);
    assert_eq!(
        (&seen["admin_state_up"], &seen["port_security_enabled"]),
        (&json!(false), &json!(false))
    );
    // What is left out again goes back to nothing; what the cloud chose stays.
    world.config(&config(r#"name = "PREFIX-b""#));
    world.settle();
    let seen = world.api.get("network", &path)["network"].clone();
    assert_eq!(
        (&seen["description"], &seen["tags"], &seen["mtu"]),
        (&json!(""), &json!([]), &json!(1300))
    );
    // Changed by hand: told, and put right.
    let body = json!({ "network": { "name": "somebody-elses" } });
    world.api.put("network", &path, &body);
    let plan = world.plan();
    assert!(plan.contains("somebody-elses"), "{plan}");
    world.settle();
    // Deleted by hand: made again.
    world.api.delete("network", &path);
    let plan = world.plan();
    assert!(plan.contains("1 to add"), "{plan}");
    world.settle();
    world.end();
}

#[test]
fn subnet() {
    let addr = "openstack_networking_subnet_v2.s";
    let config = |rest: &str| {
        format!(
            r#"
            resource "openstack_networking_network_v2" "n" {{ name = "PREFIX" }}
            resource "openstack_networking_subnet_v2" "s" {{
              network_id = openstack_networking_network_v2.n.id
              {rest}
            }}"#
        )
    };
    let first = config(
        r#"
        name = "PREFIX-a"
        cidr = "10.11.0.0/24"
        allocation_pool {
          start = "10.11.0.10"
          end   = "10.11.0.20"
        }
        "#,
    );
    let changed = config(
        r#"
        name            = "PREFIX-b"
        cidr            = "10.11.0.0/24"
        description     = "addresses"
        gateway_ip      = "10.11.0.254"
        enable_dhcp     = false
        dns_nameservers = ["10.11.0.2", "10.11.0.1"]
        tags            = ["t"]
        allocation_pool {
          start = "10.11.0.100"
          end   = "10.11.0.120"
        }
        allocation_pool {
          start = "10.11.0.130"
          end   = "10.11.0.140"
        }
        "#,
    );
    let world = life("subnet", addr, &first, &changed);
    world.config(&config("name = \"PREFIX-b\"\ncidr = \"10.11.0.0/24\"\nno_gateway = true"));
    world.settle();
    assert_eq!(world.attrs(addr)["gateway_ip"], "");
    world.config(&config(
        "name = \"PREFIX-b\"\ncidr = \"10.11.0.0/24\"\ngateway_ip = \"10.11.0.1\"",
    ));
    world.settle();
    world.anew(addr, &config("name = \"PREFIX-b\"\ncidr = \"10.12.0.0/24\""), &["cidr"]);
    world.end();
}

const INTERNAL: &str = r#"
    resource "openstack_networking_network_v2" "n" { name = "PREFIX" }
    resource "openstack_networking_subnet_v2" "s" {
      network_id = openstack_networking_network_v2.n.id
      cidr       = "10.13.0.0/24"
    }
"#;

#[test]
fn router() {
    let addr = "openstack_networking_router_v2.r";
    let config = |rest: &str| {
        format!(
            r#"
            {INTERNAL}
            data "openstack_networking_network_v2" "outside" {{ name = "public" }}
            resource "openstack_networking_router_v2" "r" {{
              {rest}
            }}
            resource "openstack_networking_router_interface_v2" "i" {{
              router_id = openstack_networking_router_v2.r.id
              subnet_id = openstack_networking_subnet_v2.s.id
            }}"#
        )
    };
    let first = config(r#"name = "PREFIX-a""#);
    let changed = config(
        r#"
        name                = "PREFIX-b"
        description         = "way out"
        admin_state_up      = true
        external_network_id = data.openstack_networking_network_v2.outside.id
        tags                = ["t"]
        "#,
    );
    let world = life("router", addr, &first, &changed);
    let interface = "openstack_networking_router_interface_v2.i";
    world.imported(interface);
    assert_eq!(world.attrs(addr)["enable_snat"], json!(true));
    world.config(&config("name = \"PREFIX-b\"\nexternal_network_id = \"\""));
    world.settle();
    assert_eq!(world.attrs(addr)["enable_snat"], json!(false));
    // The interface is taken away by hand.
    let path = format!("/routers/{}/remove_router_interface", world.id(addr));
    world.api.put("network", &path, &json!({ "port_id": world.id(interface) }));
    let plan = world.plan();
    assert!(plan.contains("1 to add"), "{plan}");
    world.settle();
    world.end();
}

#[test]
fn port() {
    let addr = "openstack_networking_port_v2.p";
    let config = |rest: &str| {
        format!(
            r#"
            {INTERNAL}
            resource "openstack_networking_secgroup_v2" "g" {{
              for_each = toset(["a", "b"])
              name     = "PREFIX-${{each.key}}"
            }}
            resource "openstack_networking_port_v2" "p" {{
              depends_on = [openstack_networking_subnet_v2.s]
              network_id = openstack_networking_network_v2.n.id
              {rest}
            }}"#
        )
    };
    let first = config("name = \"PREFIX-a\"");
    let changed = config(
        r#"
        name               = "PREFIX-b"
        description        = "a port"
        admin_state_up     = false
        security_group_ids = [for it in openstack_networking_secgroup_v2.g : it.id]
        tags               = ["t"]
        fixed_ip {
          subnet_id  = openstack_networking_subnet_v2.s.id
          ip_address = "10.13.0.66"
        }
        fixed_ip {
          subnet_id  = openstack_networking_subnet_v2.s.id
          ip_address = "10.13.0.77"
        }
        allowed_address_pairs { ip_address = "10.99.0.0/24" }
        allowed_address_pairs {
          ip_address  = "10.98.0.1"
          mac_address = "fa:16:3e:00:00:07"
        }
        extra_dhcp_option {
          name  = "domain-name"
          value = "example.org"
        }
        "#,
    );
    let world = life("port", addr, &first, &changed);
    // The order is the configuration's: Neutron has none.
    world.config(&changed.replace("10.13.0.66", "10.13.0.88"));
    world.settle();
    assert_eq!(world.attrs(addr)["all_fixed_ips"], json!(["10.13.0.88", "10.13.0.77"]));
    world.config(&config("name = \"PREFIX-b\"\nno_security_groups = true\nno_fixed_ip = true"));
    world.settle();
    let seen = world.api.get("network", &format!("/ports/{}", world.id(addr)))["port"].clone();
    assert_eq!((&seen["security_groups"], &seen["fixed_ips"]), (&json!([]), &json!([])));
    assert_eq!(seen["extra_dhcp_opts"], json!([]));
    // Security that somebody changed by hand is seen.
    let group = world.api.list("network", "/security-groups?name=default", "security_groups");
    let group =
        group.iter().find(|it| it["project_id"] == *world.api.project).unwrap()["id"].clone();
    let body = json!({ "port": { "security_groups": [group] } });
    world.api.put("network", &format!("/ports/{}", world.id(addr)), &body);
    let plan = world.plan();
    assert!(plan.contains("no_security_groups"), "{plan}");
    world.settle();
    world.anew(
        addr,
        &config(
            "name = \"PREFIX-b\"\nno_security_groups = true\nmac_address = \"FA:16:3E:00:00:09\"",
        ),
        &["mac_address"],
    );
    world.end();
}

#[test]
fn security_group_and_rules() {
    let addr = "openstack_networking_secgroup_v2.g";
    let config = |group: &str, rule: &str| {
        format!(
            r#"
            resource "openstack_networking_secgroup_v2" "g" {{
              {group}
            }}
            resource "openstack_networking_secgroup_rule_v2" "r" {{
              security_group_id = openstack_networking_secgroup_v2.g.id
              direction         = "ingress"
              ethertype         = "IPv4"
              {rule}
            }}"#
        )
    };
    let ssh = "protocol = \"tcp\"\nport_range_min = 22\nport_range_max = 22\nremote_ip_prefix = \"10.0.0.9/8\"";
    let first = config("name = \"PREFIX-a\"", ssh);
    let changed = config("name = \"PREFIX-b\"\ndescription = \"a group\"\ntags = [\"t\"]", ssh);
    let world = life("secgroup", addr, &first, &changed);
    let rule = "openstack_networking_secgroup_rule_v2.r";
    let id = world.id(rule);
    world.ok(&["state", "rm", rule]);
    world.ok(&["import", "-no-color", rule, &id]);
    let described = format!("{ssh}\ndescription = \"who\"");
    world.anew(rule, &config("name = \"PREFIX-b\"", &described), &["description"]);
    // The new rule is there before the old one goes: what both allow passes all the while.
    let icmp = config("name = \"PREFIX-b\"", "protocol = \"icmp\"");
    world.config(&icmp);
    let plan = world.plan();
    assert!(plan.contains("+/- resource \"openstack_networking_secgroup_rule_v2\""), "{plan}");
    world.anew(rule, &icmp, &["port_range_max", "port_range_min", "protocol", "description"]);
    // Rules that come with a new group are not wanted.
    let bare = config("name = \"PREFIX-c\"\ndelete_default_rules = true", "protocol = \"icmp\"");
    world.config(&bare);
    world.settle();
    let group = world.api.get("network", &format!("/security-groups/{}", world.id(addr)));
    let rules = group["security_group"]["security_group_rules"].as_array().unwrap().len();
    assert_eq!(rules, 1, "{group:#}");
    world.end();
}

#[test]
fn floating_ip_waits_for_the_router_and_moves() {
    let addr = "openstack_networking_floatingip_v2.f";
    let config = |rest: &str| {
        format!(
            r#"
            {INTERNAL}
            # In an order in which nothing would go well.
            resource "openstack_networking_floatingip_v2" "f" {{
              pool = "public"
              {rest}
            }}
            resource "openstack_networking_port_v2" "p" {{
              for_each   = toset(["a", "b"])
              name       = "PREFIX-${{each.key}}"
              network_id = openstack_networking_network_v2.n.id
              fixed_ip {{ subnet_id = openstack_networking_subnet_v2.s.id }}
            }}
            data "openstack_networking_network_v2" "outside" {{ name = "public" }}
            resource "openstack_networking_router_v2" "r" {{
              name                = "PREFIX"
              external_network_id = data.openstack_networking_network_v2.outside.id
            }}
            resource "openstack_networking_router_interface_v2" "i" {{
              router_id = openstack_networking_router_v2.r.id
              subnet_id = openstack_networking_subnet_v2.s.id
            }}"#
        )
    };
    let to = |key: &str| format!("port_id = openstack_networking_port_v2.p[\"{key}\"].id");
    let world = life(
        "fip",
        addr,
        &config(&to("a")),
        &config(&format!("description = \"moves\"\n{}", to("b"))),
    );
    let port = world.attrs(addr)["port_id"].as_str().unwrap().to_owned();
    let seen = world.api.get("network", &format!("/ports/{port}"));
    assert_eq!(seen["port"]["name"], "plumb-e2e-fip-b");
    world.config(&config("port_id = \"\""));
    world.settle();
    assert_eq!(world.attrs(addr)["fixed_ip"], "");
    world.config(&config(&to("a")));
    world.settle();
    // Everything at once, in an order that Neutron accepts.
    world.end();
}
