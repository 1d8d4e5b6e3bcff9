//! `watch` on a real cloud, which tells nobody of what happens: it is asked again and again for what changed.

use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::probes::{get, metric, well_formed};
use crate::watching::Watcher;
use crate::world::{World, eventually};

/// The cloud is asked every five seconds. Everything is looked at every five minutes only.
const ASKED: Duration = Duration::from_secs(15);

const PORT: u16 = 19480;

const CONFIG: &str = r#"
resource "openstack_networking_network_v2" "net" {
  name = "PREFIX-net"
}

resource "openstack_networking_port_v2" "port" {
  name       = "PREFIX-port"
  network_id = openstack_networking_network_v2.net.id
}

resource "openstack_networking_secgroup_v2" "group" {
  name = "PREFIX-group"
}

resource "openstack_networking_secgroup_rule_v2" "ping" {
  direction         = "ingress"
  ethertype         = "IPv4"
  protocol          = "icmp"
  security_group_id = openstack_networking_secgroup_v2.group.id
}
"#;

#[test]
fn what_is_done_by_hand_is_found_and_healed() {
    let world = World::new("watch", CONFIG);
    world.settle();
    let listen = format!("-listen=127.0.0.1:{PORT}");
    let mut watcher = Watcher::of(&mut world.command(&["watch", "-json", "-repair", &listen]));
    eventually("it hears", || get(PORT, "/readyz").0 == 200);
    assert_eq!(get(PORT, "/healthz"), (200, "ok\n".to_owned()));
    well_formed(&get(PORT, "/metrics").1);
    assert_eq!(metric(PORT, "plumb_watch_status{status=\"in_sync\"}"), 1.0);
    // What it is asked for first is everything; from then on it is what others touch.
    let looks = || metric(PORT, "plumb_watch_looks_total{at=\"everything\"}");
    std::thread::sleep(Duration::from_secs(2));
    let whole = looks();
    let tells = |watcher: &mut Watcher, address: &str, class: &str| {
        let found = watcher.finds_within(ASKED, address);
        assert_eq!(found["watch"]["finding"]["class"], class, "{found}");
    };

    let api = &world.api;
    let port = "openstack_networking_port_v2.port";
    let path = format!("/ports/{}", world.id(port));
    api.put("network", &path, &json!({ "port": { "name": "theirs" } }));
    tells(&mut watcher, port, "changed");
    watcher.repairs(port);
    let is: Json = api.get("network", &path)["port"]["name"].clone();
    assert_eq!(is, format!("{}-port", world.name));

    let rule = "openstack_networking_secgroup_rule_v2.ping";
    let was = world.id(rule);
    api.delete("network", &format!("/security-group-rules/{was}"));
    tells(&mut watcher, rule, "deleted");
    watcher.repairs(rule);
    assert_ne!(world.id(rule), was);
    assert_eq!(metric(PORT, "plumb_watch_repairs_total"), 2.0);

    // Somebody's port in our network is theirs, and what is left open is nobody's to set back.
    let net = "openstack_networking_network_v2.net";
    let body = json!({ "port": { "network_id": world.id(net), "name": "by-hand" } });
    let stray = api.post("network", "/ports", &body)["port"]["id"].clone();
    tells(&mut watcher, "openstack_networking_port_v2:by-hand", "foreign");
    let path = format!("/networks/{}", world.id(net));
    api.put("network", &path, &json!({ "network": { "description": "by hand" } }));
    tells(&mut watcher, net, "undeclared");
    let undeclared = || metric(PORT, "plumb_drift_findings{class=\"undeclared\"}");
    eventually("it is counted", || undeclared() == 1.0);
    assert_eq!(watcher.all("watch_repairing").len(), 2);
    assert_eq!(looks(), whole, "only what was touched was looked at again");
    api.delete("network", &format!("/ports/{}", stray.as_str().unwrap()));
    watcher.end();
    world.nothing_to_do();
    world.end();
}
