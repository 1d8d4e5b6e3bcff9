//! How many requests commands make: few, however many objects there are.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value as Json, json};

use crate::proxy::{Fate, Proxy, address, through};
use crate::world::World;

/// A network with many ports on it.
fn config(count: usize, proxy: &Proxy) -> String {
    let ports = format!(
        r#"
        resource "openstack_networking_network_v2" "n" {{ name = "PREFIX" }}
        resource "openstack_networking_port_v2" "p" {{
          count      = {count}
          name       = "PREFIX-${{count.index}}"
          network_id = openstack_networking_network_v2.n.id
        }}"#
    );
    through(&[("network", proxy)], "") + &ports
}

fn proxy() -> Proxy {
    Proxy::before(&address("network"), |_| Fate::Pass)
}

fn of<'a>(seen: &'a [String], method: &str) -> Vec<&'a String> {
    seen.iter().filter(|it| it.starts_with(&format!("{method} "))).collect()
}

#[test]
fn reading_many_takes_few() {
    let proxy = proxy();
    let world = World::new("calls", &config(30, &proxy));
    world.apply();
    let seen = proxy.seen();
    // One a port, one for the network: nothing is read back that the answer says.
    assert_eq!(of(&seen, "POST").len(), 31, "{seen:#?}");
    assert_eq!(of(&seen, "GET").len(), 0, "{seen:#?}");

    world.nothing_to_do();
    let seen = proxy.seen();
    // One for the ports, one for the network.
    assert_eq!(seen.len(), 2, "{seen:#?}");
    assert!(seen.iter().all(|it| it.starts_with("GET ") && it.contains("fields=")), "{seen:#?}");

    // Nothing to do is nothing done.
    world.apply();
    let seen = proxy.seen();
    assert!(seen.iter().all(|it| it.starts_with("GET ")), "{seen:#?}");

    // One is changed: one request.
    world.config(&config(30, &proxy).replace(
        "name       = \"PREFIX-${count.index}\"",
        "name = count.index == 7 ? \"PREFIX-x\" : \"PREFIX-${count.index}\"",
    ));
    world.apply();
    let seen = proxy.seen();
    assert_eq!(of(&seen, "PUT").len(), 1, "{seen:#?}");
    world.destroy();
    let seen = proxy.seen();
    assert_eq!(of(&seen, "DELETE").len(), 31, "{seen:#?}");
    world.end();
}

/// Five hundred ports that are remembered are read in five requests, however many are still there.
#[test]
fn five_hundred_ports_in_five() {
    const COUNT: usize = 500;
    const THERE: usize = 20;
    let proxy = proxy();
    let world = World::new("calls500", &config(COUNT, &proxy));
    let network = json!({ "network": { "name": world.name } });
    let network = world.api.post("network", "/networks", &network)["network"]["id"].clone();
    let many: Vec<Json> = (0..THERE)
        .map(|it| json!({ "network_id": network, "name": format!("{}-{it}", world.name) }))
        .collect();
    let made = world.api.post("network", "/ports", &json!({ "ports": many }));
    let mut ports = made["ports"].as_array().unwrap().clone();
    ports.extend((THERE..COUNT).map(|it| {
        let id = format!("00000000-0000-4000-8000-{it:012}");
        json!({ "id": id, "name": format!("{}-{it}", world.name), "network_id": network })
    }));
    let provider = "provider[\"registry.terraform.io/terraform-provider-openstack/openstack\"]";
    let instance = |it: &Json, index: Option<usize>| {
        let mut instance = json!({
            "schema_version": 0,
            "attributes": { "id": it["id"], "name": it["name"], "network_id": it["network_id"] },
        });
        if let Some(index) = index {
            instance["index_key"] = index.into();
        }
        instance
    };
    let resource = |kind: &str, name: &str, instances: Vec<Json>| json!({ "mode": "managed", "type": kind, "name": name, "provider": provider, "instances": instances });
    let own = instance(&json!({ "id": network, "name": world.name }), None);
    let ports = ports.iter().enumerate().map(|(index, it)| instance(it, Some(index))).collect();
    let state = json!({
        "version": 4, "terraform_version": "1.11.4", "serial": 1, "lineage": "made-by-hand",
        "outputs": {},
        "resources": [
            resource("openstack_networking_network_v2", "n", vec![own]),
            resource("openstack_networking_port_v2", "p", ports),
        ],
    });
    world.write("terraform.tfstate", &state.to_string());
    let plan = world.ok(&["plan", "-no-color"]);
    assert!(
        plan.contains(&format!("{} to add, 0 to change, 0 to destroy", COUNT - THERE)),
        "{plan}"
    );
    let seen = proxy.seen();
    let ports: Vec<_> = seen.iter().filter(|it| it.contains("/ports?")).collect();
    assert_eq!(ports.len(), 5, "{seen:#?}");
    assert_eq!(seen.len(), 6, "{seen:#?}");
}

/// A connection that breaks while something is read is not worth a word: it is read again.
#[test]
fn a_read_that_breaks_off_is_read_again() {
    let broken = AtomicUsize::new(0);
    let proxy = Proxy::before(&address("network"), move |asked| {
        let first = asked.contains("/ports?") && broken.fetch_add(1, Ordering::SeqCst) == 0;
        if first { Fate::Cut } else { Fate::Pass }
    });
    let world = World::new("cut", &config(2, &proxy));
    world.apply();
    proxy.seen();
    world.nothing_to_do();
    let asked = proxy.seen().iter().filter(|it| it.contains("/ports?")).count();
    assert_eq!(asked, 2, "once cut, once answered");
    world.end();
}
