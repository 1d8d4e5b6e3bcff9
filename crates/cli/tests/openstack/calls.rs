//! How many requests commands make: few, however many objects there are.

use serde_json::json;

use crate::api::{Api, rig};
use crate::proxy::{Fate, Proxy};
use crate::world::World;

/// A network with many ports on it.
fn config(count: usize, proxy: &Proxy) -> String {
    format!(
        r#"
        terraform {{
          required_providers {{
            openstack = {{ source = "terraform-provider-openstack/openstack" }}
          }}
        }}
        provider "openstack" {{
          endpoint_overrides = {{ network = "{}/v2.0/" }}
        }}
        resource "openstack_networking_network_v2" "n" {{ name = "PREFIX" }}
        resource "openstack_networking_port_v2" "p" {{
          count      = {count}
          name       = "PREFIX-${{count.index}}"
          network_id = openstack_networking_network_v2.n.id
        }}"#,
        proxy.url
    )
}

fn proxy() -> Proxy {
    let _ = rig();
    let network = Api::admin().service("network").trim_end_matches("/v2.0").to_owned();
    Proxy::before(&network, |_| Fate::Pass)
}

fn of<'a>(seen: &'a [String], method: &str) -> Vec<&'a String> {
    seen.iter().filter(|it| it.starts_with(&format!("{method} "))).collect()
}

#[test]
fn reading_many_takes_few() {
    let proxy = proxy();
    let world = World::new("calls", &config(120, &proxy));
    world.apply();
    let seen = proxy.seen();
    // One a port, one for the network: nothing is read back that the answer says.
    assert_eq!(of(&seen, "POST").len(), 121, "{seen:#?}");
    assert_eq!(of(&seen, "GET").len(), 0, "{seen:#?}");

    world.nothing_to_do();
    let seen = proxy.seen();
    // A hundred ports a request, and one for the network.
    assert_eq!(seen.len(), 3, "{seen:#?}");
    assert!(seen.iter().all(|it| it.starts_with("GET ") && it.contains("fields=")), "{seen:#?}");

    // Nothing to do is nothing done.
    world.apply();
    let seen = proxy.seen();
    assert!(seen.iter().all(|it| it.starts_with("GET ")), "{seen:#?}");

    // One is changed: one request.
    world.config(&config(120, &proxy).replace(
        "name       = \"PREFIX-${count.index}\"",
        "name = count.index == 7 ? \"PREFIX-x\" : \"PREFIX-${count.index}\"",
    ));
    world.apply();
    let seen = proxy.seen();
    assert_eq!(of(&seen, "PUT").len(), 1, "{seen:#?}");
    world.destroy();
    let seen = proxy.seen();
    assert_eq!(of(&seen, "DELETE").len(), 121, "{seen:#?}");
    world.end();
}

/// Five hundred ports that somebody else made, brought in, are read in five requests.
#[test]
fn five_hundred_ports_in_five() {
    let proxy = proxy();
    let world = World::new("calls500", &config(500, &proxy));
    world.admin_quota(&json!({ "port": 600 }));
    world.ok(&["apply", "-auto-approve", "-no-color", "-parallelism=20"]);
    proxy.seen();
    world.nothing_to_do();
    let seen = proxy.seen();
    let ports: Vec<_> = seen.iter().filter(|it| it.contains("/ports?")).collect();
    assert_eq!(ports.len(), 5, "{seen:#?}");
    world.ok(&["destroy", "-auto-approve", "-no-color", "-parallelism=20"]);
    world.end();
}
