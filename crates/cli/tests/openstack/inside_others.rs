//! Ports inside of ports, and ports of floating IPs that lead to ports.

use serde_json::json;

use crate::world::World;

#[test]
fn trunk() {
    let config = |rest: &str| {
        format!(
            r#"
            resource "openstack_networking_network_v2" "n" {{ name = "PREFIX" }}
            resource "openstack_networking_port_v2" "p" {{
              count      = 3
              name       = "PREFIX-${{count.index}}"
              network_id = openstack_networking_network_v2.n.id
            }}
            resource "openstack_networking_trunk_v2" "t" {{
              port_id = openstack_networking_port_v2.p[0].id
              {rest}
            }}"#
        )
    };
    let sub = |port: u32, tag: u32| {
        format!(
            r#"
            sub_port {{
              port_id           = openstack_networking_port_v2.p[{port}].id
              segmentation_type = "vlan"
              segmentation_id   = {tag}
            }}"#
        )
    };
    let addr = "openstack_networking_trunk_v2.t";
    let first = format!("name = \"PREFIX\"\ntags = [\"a\"]\n{}", sub(1, 101));
    let world = World::new("trunk", &config(&first));
    world.settle();
    let id = world.id(addr);
    // Another tag, another port, and disabled afterwards: Neutron changes none that is disabled.
    let changed =
        format!("description = \"d\"\nadmin_state_up = false\n{}{}", sub(1, 201), sub(2, 102));
    world.config(&config(&changed));
    world.settle();
    assert_eq!(world.id(addr), id, "it was changed in place");
    let seen = world.api.get("network", &format!("/trunks/{id}"))["trunk"].clone();
    assert_eq!((&seen["tags"], &seen["admin_state_up"]), (&json!([]), &json!(false)));
    let mut tags: Vec<u64> = seen["sub_ports"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["segmentation_id"].as_u64().unwrap())
        .collect();
    tags.sort_unstable();
    assert_eq!(tags, [102, 201]);
    world.ok(&["state", "rm", addr]);
    world.ok(&["import", "-no-color", addr, &id]);
    world.nothing_to_do();
    world.config(&config("admin_state_up = true"));
    world.settle();
    let seen = world.api.get("network", &format!("/trunks/{id}"))["trunk"].clone();
    assert_eq!(seen["sub_ports"], json!([]));
    world.end();
}

#[test]
fn port_forwarding() {
    let config = |port: usize, rest: &str| {
        format!(
            r#"
            resource "openstack_networking_portforwarding_v2" "f" {{
              count               = 2
              floatingip_id       = openstack_networking_floatingip_v2.f.id
              internal_port_id    = openstack_networking_port_v2.p[{port}].id
              internal_ip_address = openstack_networking_port_v2.p[{port}].all_fixed_ips[0]
              external_port       = 2200 + count.index
              {rest}
            }}
            resource "openstack_networking_floatingip_v2" "f" {{ pool = "public" }}
            {}"#,
            crate::rest::BEHIND
        )
    };
    let addr = "openstack_networking_portforwarding_v2.f[0]";
    let world = World::new(
        "forward",
        &config(0, "internal_port = 22 + count.index\nprotocol = \"TCP\"\ndescription = \"d\""),
    );
    world.settle();
    let id = world.id(addr);
    world.config(&config(1, "internal_port = 53 + count.index\nprotocol = \"udp\""));
    world.settle();
    assert_eq!(world.id(addr), id, "it was changed in place");
    let path = format!(
        "/floatingips/{}/port_forwardings/{id}",
        world.id("openstack_networking_floatingip_v2.f")
    );
    let seen = world.api.get("network", &path)["port_forwarding"].clone();
    assert_eq!(
        (&seen["internal_port"], &seen["protocol"], &seen["description"]),
        (&json!(53), &json!("udp"), &json!(""))
    );
    world.ok(&["state", "rm", addr]);
    let said = world.fails(&["import", "-no-color", addr, &id]);
    assert!(said.contains("<floating IP's id>/<id>"), "{said}");
    let floating = world.id("openstack_networking_floatingip_v2.f");
    world.ok(&["import", "-no-color", addr, &format!("{floating}/{id}")]);
    world.nothing_to_do();
    world.api.delete("network", &path);
    let plan = world.plan();
    assert!(plan.contains("1 to add, 0 to change, 0 to destroy"), "{plan}");
    world.settle();
    world.end();
}
