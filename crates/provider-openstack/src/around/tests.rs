//! What is foreign, and what rounds tell, without a cloud or with one on loopback.

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, SystemTime};

use expect_test::{Expect, expect};
use plumb_model::addr::Kind;
use plumb_model::value::Type;
use plumb_provider::Touched;
use serde_json::json;

use super::rounds::{Index, iso};
use super::*;
use crate::session::fake::{Fake, Reply};

fn one(kind: &str, attrs: &[(&'static str, &str)]) -> Ours {
    let attrs = Value::object(attrs.iter().map(|(name, it)| (*name, Value::string(*it))));
    Ours { kind: Kind::new(kind), attrs }
}

/// A server with a disk that Nova made, in a network, behind a router.
fn ours() -> Vec<Ours> {
    let disk = Value::object([("destination_type", Value::string("volume"))]);
    let server = Value::object([
        ("id", Value::string("vm")),
        ("name", Value::string("web")),
        ("block_device", Value::list(Type::Dynamic, vec![disk])),
    ]);
    vec![
        Ours { kind: Kind::new(SERVER), attrs: server },
        one(NETWORK, &[("id", "net"), ("name", "lab"), ("tenant_id", "p-id")]),
        one(
            "openstack_networking_subnet_v2",
            &[("id", "sub"), ("network_id", "net"), ("tenant_id", "p-id")],
        ),
        one(
            "openstack_networking_router_v2",
            &[("id", "rt"), ("name", "gate"), ("external_network_id", "out")],
        ),
        one(
            "openstack_networking_router_interface_v2",
            &[("id", "rt-port"), ("router_id", "rt"), ("subnet_id", "sub")],
        ),
        one("openstack_compute_interface_attach_v2", &[("id", "vm/nic"), ("instance_id", "vm")]),
        one(SECURITY_GROUP, &[("id", "sg"), ("name", "open"), ("tenant_id", "p-id")]),
        one(
            "openstack_networking_secgroup_rule_v2",
            &[("id", "ssh"), ("security_group_id", "sg"), ("tenant_id", "p-id")],
        ),
        one("openstack_compute_keypair_v2", &[("id", "mine"), ("name", "mine")]),
        // Somebody else's, whom an administrator looks after.
        one("openstack_networking_subnet_v2", &[("id", "sub2"), ("tenant_id", "q-id")]),
        one("openstack_identity_project_v3", &[("id", "q-id")]),
    ]
}

fn rows(all: &[(What, Json)]) -> Rows {
    let id = |row: &Json| match str_at(row, "id") {
        "" => str_at(row, "name").to_owned(),
        id => id.to_owned(),
    };
    all.iter().map(|(what, row)| ((*what, id(row)), row.clone())).collect()
}

fn check(all: &[(What, Json)], expected: Expect) {
    let ours = ours();
    let place = Place::of(&ours, "p-id");
    let found = foreign::foreign(&ours, &place, "work", &rows(all));
    let lines = found.into_iter().map(|it| {
        let beside = it.beside.as_deref().unwrap_or("-");
        format!("{} {}: {} {} ({beside})\n", &*it.kind, it.id, it.name, it.how)
    });
    expected.assert_eq(&lines.collect::<String>());
}

#[test]
fn our_own_and_what_comes_with_it_is_not_foreign() {
    let port = |id: &str, device: &str, owner: &str| {
        let port = json!({ "id": id, "device_id": device, "device_owner": owner,
            "network_id": "net", "project_id": "p-id" });
        (What::Port, port)
    };
    check(
        &[
            (What::Server, json!({ "id": "vm", "name": "web" })),
            (What::Network, json!({ "id": "net", "project_id": "p-id" })),
            // It is leaned on; who declared it does not matter.
            (What::Network, json!({ "id": "out", "project_id": "p-id" })),
            (What::SecurityGroup, json!({ "id": "d", "name": "default", "project_id": "p-id" })),
            (What::KeyPair, json!({ "name": "mine" })),
            // Of others, and of others' in a list of all that may be used.
            (What::Network, json!({ "id": "far", "project_id": "r-id" })),
            (What::Image, json!({ "id": "debian", "owner": "r-id" })),
            port("vm-port", "vm", "compute:nova"),
            port("nic", "", ""),
            port("rt-port", "rt", "network:router_interface"),
            port("rt-gate", "rt", "network:router_gateway"),
            port("dhcp", "dhcp-1", "network:dhcp"),
            port("meta", "ovnmeta-1", "network:distributed"),
            (
                What::Volume,
                json!({ "id": "disk", "name": "", "attachments": [{ "server_id": "vm" }] }),
            ),
            (What::Rule, json!({ "id": "ssh", "security_group_id": "sg", "direction": "ingress" })),
            (
                What::Rule,
                json!({ "id": "all", "security_group_id": "sg", "direction": "egress",
                    "ethertype": "IPv6", "protocol": null }),
            ),
        ],
        expect![""],
    );
}

#[test]
fn the_rest_is() {
    let port = |id: &str, device: &str, owner: &str, network: &str, project: &str| {
        let port = json!({ "id": id, "device_id": device, "device_owner": owner,
            "network_id": network, "project_id": project });
        (What::Port, port)
    };
    check(
        &[
            (What::Server, json!({ "id": "vm2", "name": "by-hand" })),
            port("vm2-port", "vm2", "compute:nova", "net", "p-id"),
            (What::Server, json!({ "id": "vm3", "name": "elsewhere" })),
            port("vm3-port", "vm3", "compute:nova", "far", "p-id"),
            port("plain", "", "", "far", "p-id"),
            port("theirs", "vm9", "compute:nova", "net", "r-id"),
            port("hop", "rt", "network:router_interface", "far", "p-id"),
            (What::Router, json!({ "id": "rt2", "name": "side", "project_id": "p-id" })),
            port("side", "rt2", "network:router_interface", "net", "p-id"),
            (What::Network, json!({ "id": "n2", "name": "second", "project_id": "q-id" })),
            (What::Subnet, json!({ "id": "s2", "network_id": "net", "project_id": "p-id" })),
            (
                What::FloatingIp,
                json!({ "id": "f1", "floating_ip_address": "1.2.3.4", "port_id": "vm-port",
                    "project_id": "p-id" }),
            ),
            port("vm-port", "vm", "compute:nova", "net", "p-id"),
            (
                What::FloatingIp,
                json!({ "id": "f2", "floating_ip_address": "1.2.3.5", "port_id": null,
                    "project_id": "p-id" }),
            ),
            (What::SecurityGroup, json!({ "id": "g", "name": "loose", "project_id": "p-id" })),
            (
                What::Rule,
                json!({ "id": "r", "security_group_id": "sg", "direction": "ingress",
                    "ethertype": "IPv4", "protocol": "tcp", "port_range_min": 22,
                    "port_range_max": 23, "remote_ip_prefix": "0.0.0.0/0" }),
            ),
            (
                What::Volume,
                json!({ "id": "v1", "name": "extra", "attachments": [{ "server_id": "vm" }] }),
            ),
            (What::Volume, json!({ "id": "v2", "name": "", "attachments": [] })),
            (
                What::Image,
                json!({ "id": "i1", "name": "snap", "owner": "p-id", "image_type": "snapshot",
                    "instance_uuid": "vm" }),
            ),
            (What::Image, json!({ "id": "i2", "name": "own", "owner": "q-id" })),
            (What::KeyPair, json!({ "name": "other" })),
        ],
        expect![[r#"
            openstack_networking_floatingip_v2 f1: 1.2.3.4 leads to server web (vm)
            openstack_networking_floatingip_v2 f2: 1.2.3.5 is in project work (-)
            openstack_compute_snapshot_v2 i1: snap is an image of server web (vm)
            openstack_images_image_v2 i2: own is in project q-id (-)
            openstack_compute_keypair_v2 other: other belongs to our user (-)
            openstack_networking_network_v2 n2: second is in project q-id (-)
            openstack_networking_router_interface_v2 hop: hop connects router gate to another subnet (rt)
            openstack_networking_port_v2 plain: plain is in project work (-)
            openstack_networking_port_v2 theirs: theirs is attached to network lab (net)
            openstack_networking_router_v2 rt2: side is attached to network lab (net)
            openstack_networking_secgroup_rule_v2 r: ingress IPv4 tcp 22-23 0.0.0.0/0 is in security group open (sg)
            openstack_networking_secgroup_v2 g: loose is in project work (-)
            openstack_compute_instance_v2 vm2: by-hand is attached to network lab (net)
            openstack_compute_instance_v2 vm3: elsewhere is in project work (-)
            openstack_networking_subnet_v2 s2: s2 is in network lab (net)
            openstack_blockstorage_volume_v3 v1: extra is attached to server web (vm)
            openstack_blockstorage_volume_v3 v2: v2 is in project work (-)
        "#]],
    );
}

#[test]
fn changes_are_told_of_all_that_they_concern() {
    let index = Index::of(&ours());
    let port = |id: &str, device: &str, revision: u32| {
        (What::Port, json!({ "id": id, "device_id": device, "revision_number": revision }))
    };
    let volume = |server: Option<&str>| {
        let attachments: Vec<_> = server.iter().map(|it| json!({ "server_id": it })).collect();
        (What::Volume, json!({ "id": "v", "attachments": attachments }))
    };
    let tell = |before: &[(What, Json)], now: &[(What, Json)]| {
        let all = index.compare(&rows(before), &rows(now));
        let words = all.into_iter().map(|it| match it {
            Touched::Object { kind, id } => format!("{}:{id}", kind.replace("openstack_", "")),
            other => format!("{other:?}"),
        });
        words.collect::<Vec<_>>().join(", ")
    };
    let group =
        |revision: u32| [(What::SecurityGroup, json!({ "id": "sg", "revision_number": revision }))];
    let told = [
        tell(&group(1), &group(1)),
        tell(&group(1), &group(2)),
        tell(&[(What::Network, json!({ "id": "net" }))], &[]),
        tell(&[], &[(What::Network, json!({ "id": "new" }))]),
        tell(&[port("rt-port", "rt", 1)], &[port("rt-port", "rt", 2)]),
        tell(&[port("nic", "vm", 1)], &[port("nic", "", 2)]),
        tell(&[], &[port("any", "vm", 1)]),
        tell(&[volume(Some("vm"))], &[volume(None)]),
    ];
    expect![[r#"

        networking_secgroup_rule_v2:ssh, networking_secgroup_v2:sg
        networking_network_v2:net
        Beside
        networking_router_interface_v2:rt-port, networking_router_v2:rt
        compute_instance_v2:vm, compute_interface_attach_v2:vm/nic
        compute_instance_v2:vm, compute_interface_attach_v2:vm/nic, Beside
        compute_instance_v2:vm, compute_interface_attach_v2:vm/nic, Beside"#]]
    .assert_eq(&told.join("\n"));
    // A server that was told of is told again only if it changed again.
    let server = |status: &str| rows(&[(What::Server, json!({ "id": "vm", "status": status }))]);
    assert!(index.lately(&server("ACTIVE"), &server("ACTIVE")).is_empty());
    assert!(index.lately(&server("ACTIVE"), &Rows::new()).is_empty());
    assert_eq!(index.lately(&server("ACTIVE"), &server("DELETED")).len(), 2);
}

#[test]
fn moments_are_written_as_nova_wants_them() {
    for (seconds, text) in [
        (0, "1970-01-01T00:00:00Z"),
        (951_868_799, "2000-02-29T23:59:59Z"),
        (1_795_701_104, "2026-11-26T13:51:44Z"),
        (1_798_761_599, "2026-12-31T23:59:59Z"),
    ] {
        assert_eq!(iso(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)), text);
    }
}

#[test]
fn it_is_looked_where_ours_are() {
    let place = Place::of(&ours(), "p-id");
    let all: Vec<String> = place.lists().into_iter().map(|it| it.path).collect();
    assert_eq!(all.len(), 13, "{all:#?}");
    assert!(all.iter().any(|it| it.starts_with("/ports?project_id=p-id&project_id=q-id&fields=")));
    assert!(all.iter().any(|it| it.starts_with("/ports?network_id=net&fields=")));
    // What only administrators see is nobody's project.
    let flavor = [one("openstack_compute_flavor_v2", &[("id", "f")])];
    assert_eq!(Place::of(&flavor, "p-id").lists(), Vec::new());
    assert_eq!(Place::of(&[], "p-id").lists(), Vec::new());
    // Many networks are asked for in several requests.
    let many: Vec<_> = (0..250)
        .map(|it| one(NETWORK, &[("id", &format!("n{it}")), ("tenant_id", "p-id")]))
        .collect();
    let lists = Place::of(&many, "p-id").changing();
    assert_eq!(lists.iter().filter(|it| it.path.contains("network_id=")).count(), 3);
}

const CATALOG: &[(&str, &str)] =
    &[("network", "/v2.0"), ("compute", "/v2.1"), ("image", "/v2"), ("identity", "/v3")];

/// What a cloud without volumes answers; `network` is asked how Neutron's rows are now.
fn answer(line: &str, network: impl Fn(&str) -> Reply) -> Reply {
    let path = line.trim_start_matches("GET ");
    let date = vec![("date", "Thu, 26 Nov 2026 13:51:44 GMT".to_owned())];
    match path.split(['?']).next().unwrap_or_default() {
        "/v2.1/" => Reply::Json(200, json!({ "version": { "version": "2.90" } })),
        "/v2.1/servers" | "/v2.1/servers/detail" => {
            Reply::Whole(200, date, json!({ "servers": [] }).to_string())
        }
        "/v2.1/os-keypairs" => {
            Reply::Json(200, json!({ "keypairs": [{ "keypair": { "name": "k" } }] }))
        }
        "/v2/images" => Reply::Json(200, json!({ "images": [] })),
        "/v2.0/networks" => network(path),
        other => {
            let key = other.rsplit('/').next().unwrap_or_default().replace('-', "_");
            Reply::Json(200, json!({ key: [] }))
        }
    }
}

fn networks(revision: usize) -> Reply {
    Reply::Json(200, json!({ "networks": [{ "id": "net", "revision_number": revision }] }))
}

#[tokio::test]
async fn what_a_cloud_does_not_have_is_skipped() {
    let fake = Fake::new(CATALOG, |seen| answer(&seen.line, |_| networks(1))).await;
    let cloud = Cloud::new(fake.session(), PathBuf::new());
    let found = beside(&cloud, &ours()).await.unwrap();
    assert_eq!(found.iter().map(|it| &*it.name).collect::<Vec<_>>(), ["k"]);
    assert!(fake.lines().iter().all(|it| it.starts_with("GET ")), "it only reads");
}

#[tokio::test]
async fn rounds_go_on_through_trouble_that_passes() {
    let rounds = AtomicUsize::new(0);
    let fake = Fake::new(CATALOG, move |seen| {
        answer(&seen.line, |_| match rounds.fetch_add(1, SeqCst) {
            0 | 1 => networks(1),
            // As often as a request is repeated, and then once more.
            2..=8 => Reply::Json(503, json!({})),
            _ => networks(2),
        })
    });
    let fake = fake.await;
    let cloud = Cloud::new(fake.session(), PathBuf::new());
    let told = Mutex::new(Vec::new());
    let say = |it| told.lock().unwrap().push(it);
    let ours = ours();
    let net = Touched::Object { kind: Kind::new(NETWORK), id: "net".into() };
    let waiting = async {
        while !told.lock().unwrap().contains(&net) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let both = async {
        tokio::select! {
            ended = follow::every(Duration::from_millis(20), &cloud, &ours, &say) => panic!("{ended:?}"),
            () = waiting => {}
        }
    };
    tokio::time::timeout(Duration::from_secs(30), both).await.expect("it is told");
    let told = told.lock().unwrap().clone();
    assert_eq!(told[0], Touched::All);
    let since = "GET /v2.1/servers/detail?changes-since=2026-11-26T13:51:14Z";
    let lines = fake.lines();
    assert!(lines.iter().any(|it| it == since), "{lines:#?}");
    assert!(lines.iter().all(|it| it.starts_with("GET ")), "it only reads");
}

#[tokio::test]
async fn a_cloud_that_stays_away_ends_it() {
    let rounds = AtomicUsize::new(0);
    let fake = Fake::new(CATALOG, move |seen| {
        answer(&seen.line, |_| match rounds.fetch_add(1, SeqCst) {
            0 => networks(1),
            _ => Reply::Json(503, json!({})),
        })
    });
    let fake = fake.await;
    let cloud = Cloud::new(fake.session(), PathBuf::new());
    let ours = ours();
    let following = follow::every(Duration::from_millis(5), &cloud, &ours, &|_| {});
    let ended = tokio::time::timeout(Duration::from_secs(30), following).await.expect("it ends");
    assert!(ended.unwrap_err().transient);
}
