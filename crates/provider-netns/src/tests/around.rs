//! What happens around objects.

use std::sync::Mutex;
use std::time::Duration;

use plumb_model::addr::Kind;
use plumb_model::event::Remote;
use plumb_model::value::{Number, Value};
use plumb_provider::{Connection as _, Ours, Touched};

use super::holder::Holder;
use super::lives::{Written, host, lab, made, network, request};
use super::{blocks, call, text};
use crate::provider::CloudConnection;

fn ours(kind: &str, id: &str) -> Ours {
    Ours { kind: Kind::new(kind), attrs: Value::object([("id", text(id))]) }
}

/// What stands beside some objects, a line for each.
async fn beside(cloud: &CloudConnection, ours: &[Ours]) -> String {
    let all = cloud.beside(ours).await.unwrap();
    let line = |it: &plumb_provider::Foreign| {
        let beside = it.beside.as_deref().unwrap_or("-");
        format!("{} {} {} ({beside})\n", &*it.kind, it.id, it.how)
    };
    all.iter().map(line).collect()
}

/// The objects of [`lab`].
fn all_of_lab() -> Vec<Ours> {
    [
        ("netns_network", "lan"),
        ("netns_network", "world"),
        ("netns_security_group", "web"),
        ("netns_router", "r"),
        ("netns_router_interface", "r/lan"),
        ("netns_port", "p"),
        ("netns_host", "a"),
        ("netns_host", "b"),
    ]
    .map(|(kind, id)| ours(kind, id))
    .into()
}

#[tokio::test]
async fn nothing_stands_beside_what_is_all_ours() {
    let holder = Holder::default();
    let cloud = holder.connection();
    assert_eq!(beside(&cloud, &all_of_lab()).await, "");
    assert_eq!(holder.world().holders, 0, "no holder is needed to look");
    lab(&cloud).await;
    assert_eq!(beside(&cloud, &all_of_lab()).await, "");
    assert_eq!(beside(&cloud, &[]).await, "", "beside nothing stands nothing");
}

#[tokio::test]
async fn every_kind_is_found_beside_ours() {
    let cloud = Holder::default().connection();
    lab(&cloud).await;
    let port = |it: u32| Value::number(Number::from(it));
    let on = |name: &str, interface: Written| {
        vec![("name", text(name)), ("interface", blocks(vec![interface]))]
    };
    let end = |host: &str, at: &str| vec![("host", text(host)), ("address", text(at))];
    let ends = blocks(vec![end("a", "192.0.2.1/30"), end("on-lan", "192.0.2.2/30")]);
    let forward = vec![
        ("name", text("forward")),
        ("router", text("r")),
        ("external_port", port(1234)),
        ("internal_address", text("10.0.0.2")),
        ("internal_port", port(22)),
    ];
    let rule = vec![("name", text("ssh")), ("security_group", text("web"))];
    let elsewhere = vec![("name", text("far")), ("security_group", text("theirs"))];
    let more = vec![("name", text("q")), ("network", text("lan"))];
    let floating = vec![("name", text("f")), ("network", text("world")), ("port", text("a"))];
    let unused = vec![("name", text("g")), ("network", text("world"))];
    let theirs = vec![("name", text("h")), ("network", text("lan2"))];
    for (step, (kind, written)) in [
        ("netns_network", network("lan2", "10.2.0.0/24")),
        ("netns_router", vec![("name", text("r2"))]),
        ("netns_router_interface", vec![("router", text("r")), ("network", text("lan2"))]),
        (
            "netns_router_interface",
            vec![("router", text("r2")), ("network", text("lan")), ("address", text("10.0.0.99"))],
        ),
        ("netns_security_group", vec![("name", text("theirs"))]),
        ("netns_security_group_rule", rule),
        ("netns_security_group_rule", elsewhere),
        ("netns_port", more),
        ("netns_port", theirs),
        ("netns_host", on("on-lan", vec![("network", text("lan"))])),
        ("netns_host", on("on-p", vec![("port", text("p"))])),
        ("netns_host", on("far", vec![("network", text("lan2"))])),
        ("netns_floating_ip", floating),
        ("netns_floating_ip", unused),
        ("netns_port_forward", forward),
        ("netns_snapshot", vec![("name", text("s")), ("host", text("a"))]),
        ("netns_snapshot", vec![("name", text("far")), ("host", text("far"))]),
        ("netns_link", vec![("name", text("l")), ("end", ends)]),
    ]
    .into_iter()
    .enumerate()
    {
        made(&cloud, 100 + step as u32, kind, written).await;
    }
    expect_test::expect![[r#"
        netns_network lan2 is in the same cloud (-)
        netns_router r2 is in the same cloud (-)
        netns_router_interface r/lan2 connects a network with router r (r)
        netns_router_interface r2/lan connects a router with network lan (lan)
        netns_port q is attached to network lan (lan)
        netns_security_group theirs is in the same cloud (-)
        netns_security_group_rule ssh is a rule of security group web (web)
        netns_floating_ip f leads in by router r (r)
        netns_floating_ip g has an address of network world (world)
        netns_port_forward forward leads in by router r (r)
        netns_host on-lan is attached to network lan (lan)
        netns_host on-p is plugged into port p (p)
        netns_snapshot s keeps the files of host a (a)
        netns_link l is plugged into host a (a)
    "#]]
    .assert_eq(&beside(&cloud, &all_of_lab()).await);
    // Seen from the other side, ours stands beside theirs.
    expect_test::expect![[r#"
        netns_network lan is in the same cloud (-)
        netns_network world is in the same cloud (-)
        netns_router r is in the same cloud (-)
        netns_router r2 is in the same cloud (-)
        netns_router_interface r/lan2 connects a router with network lan2 (lan2)
        netns_port h is attached to network lan2 (lan2)
        netns_security_group theirs is in the same cloud (-)
        netns_security_group web is in the same cloud (-)
        netns_host far is attached to network lan2 (lan2)
    "#]]
    .assert_eq(&beside(&cloud, &[ours("netns_network", "lan2")]).await);
}

#[tokio::test]
async fn what_a_person_would_import_is_what_is_told() {
    let cloud = Holder::default().connection();
    lab(&cloud).await;
    made(&cloud, 100, "netns_host", host("c")).await;
    let found = cloud.beside(&all_of_lab()).await.unwrap();
    let [found] = &found[..] else { panic!("{found:?}") };
    let imported = cloud.import(&found.kind, &found.id).await.unwrap().unwrap();
    assert_eq!(imported.attrs.get_attr("name").unwrap(), &text("c"));
}

#[tokio::test]
async fn snapshots_are_read_without_a_holder() {
    let holder = Holder::default();
    let cloud = holder.connection();
    made(&cloud, 0, "netns_network", network("lan", "10.0.0.0/24")).await;
    let a = made(&cloud, 1, "netns_host", host("a")).await;
    let written = vec![("name", text("s")), ("host", text("a"))];
    let s = made(&cloud, 2, "netns_snapshot", written).await;
    holder.world().running = false;
    let all = cloud.read(&[request("netns_snapshot", &s), request("netns_host", &a)]).await;
    let is = |it: &Remote| it.attrs == s.attrs;
    assert!(matches!(&all[..], [Ok(Some(it)), Ok(None)] if is(it)), "{all:?}");
    let kind = Kind::new("netns_snapshot");
    assert!(cloud.find(&kind, call(2).token, &s.attrs).await.unwrap().is_some_and(|it| is(&it)));
    assert!(cloud.find(&kind, call(1).token, &a.attrs).await.unwrap().is_none());
    assert!(cloud.import(&kind, "s").await.unwrap().is_some());
    assert_eq!(holder.world().holders, 1, "no holder is needed to look");
    let deleted = cloud.delete(&call(3), &kind, &s).await;
    assert!(deleted.failure.is_none(), "{deleted:?}");
    assert_eq!(holder.world().holders, 2, "but to delete one");
    assert!(cloud.import(&kind, "s").await.unwrap().is_none());
}

#[tokio::test]
async fn to_follow_starts_no_holder() {
    let holder = Holder::default();
    let cloud = holder.connection();
    let told = Mutex::new(Vec::new());
    let tell = |it| told.lock().unwrap().push(it);
    let waited = Duration::from_millis(500);
    let over = tokio::time::timeout(waited, cloud.follow(&[], &tell)).await;
    assert!(over.is_err(), "it waits for one: {over:?}");
    assert_eq!(*told.lock().unwrap(), [Touched::All]);
    assert_eq!(holder.world().holders, 0);
    // One that does not tell is a failure, not silence.
    made(&cloud, 0, "netns_network", network("lan", "10.0.0.0/24")).await;
    let over = tokio::time::timeout(waited, cloud.follow(&[], &tell)).await;
    assert!(matches!(over, Ok(Err(_))), "{over:?}");
}
