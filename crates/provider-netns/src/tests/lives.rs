//! Calls and what comes of them.

use plumb_model::addr::Kind;
use plumb_model::event::{Effect, Remote};
use plumb_model::value::{Number, Value};
use plumb_netns::cloud::Cloud;
use plumb_netns::spec;
use plumb_netns::wire::Request;
use plumb_provider::conformance::{self, Case};
use plumb_provider::{Connection as _, Outcome, ReadRequest};

use super::holder::{Holder, shown};
use super::{at, blocks, call, config, schema_of, text, text_set, texts};
use crate::provider::CloudConnection;

pub(super) type Written = Vec<(&'static str, Value)>;

async fn make(cloud: &CloudConnection, step: u32, kind: &str, written: Written) -> Outcome {
    let (planned, _) = conformance::plan(&schema_of(kind), &config(kind, written), None);
    cloud.create(&call(step), &Kind::new(kind), &planned).await
}

pub(super) async fn made(
    cloud: &CloudConnection,
    step: u32,
    kind: &str,
    written: Written,
) -> Remote {
    match make(cloud, step, kind, written).await {
        Outcome { left: Effect::Made(it), failure: None, lost: false } => it,
        other => panic!("{kind}: {other:?}"),
    }
}

pub(super) fn request(kind: &str, prior: &Remote) -> ReadRequest {
    ReadRequest { kind: Kind::new(kind), prior: prior.clone(), whole: true }
}

pub(super) fn network(name: &str, subnet: &str) -> Written {
    vec![("name", text(name)), ("subnet", text(subnet))]
}

pub(super) fn host(name: &str) -> Written {
    vec![("name", text(name)), ("interface", blocks(vec![vec![("network", text("lan"))]]))]
}

/// A private and an external network, a router between them, a group, a port and a host.
pub(super) async fn lab(cloud: &CloudConnection) {
    let mut outside = network("world", "198.51.100.0/24");
    outside.push(("external", text("isolated")));
    let foot = vec![("router", text("r")), ("network", text("lan"))];
    for (step, (kind, written)) in [
        ("netns_network", network("lan", "10.0.0.0/24")),
        ("netns_network", outside),
        ("netns_security_group", vec![("name", text("web"))]),
        ("netns_router", vec![("name", text("r")), ("external_network", text("world"))]),
        ("netns_router_interface", foot),
        ("netns_port", vec![("name", text("p")), ("network", text("lan"))]),
        ("netns_host", host("a")),
        ("netns_host", host("b")),
    ]
    .into_iter()
    .enumerate()
    {
        made(cloud, step as u32, kind, written).await;
    }
}

#[tokio::test]
async fn every_kind_lives_as_it_should() {
    let holder = Holder::default();
    let cloud = holder.connection();
    lab(&cloud).await;
    let n = |it: i64| Value::number(it);
    let quarter = Value::number(Number::parse("0.25").unwrap());
    let changed = |base: &Written, more: Written| {
        let mut all = base.clone();
        all.retain(|(name, _)| more.iter().all(|(other, _)| other != name));
        all.extend(more);
        all
    };
    let net = network("n", "10.7.0.0/24");
    let router = vec![("name", text("s")), ("external_network", text("world"))];
    let route = vec![("destination", text("10.9.0.0/16")), ("next_hop", text("10.7.0.9"))];
    let foot = vec![("router", text("r")), ("network", text("other"))];
    let port = vec![
        ("name", text("q")),
        ("network", text("lan")),
        ("mac", text("02:AB:00:00:00:01")),
        ("allowed_addresses", text_set(&["10.4.0.1", "10.5.0.0/16"])),
    ];
    let group = vec![("name", text("g"))];
    let rule = vec![
        ("security_group", text("web")),
        ("protocol", text("tcp")),
        ("port_range_min", n(80)),
        ("remote_cidr", text("10.0.0.0/8")),
    ];
    let ping = vec![
        ("name", text("ping")),
        ("security_group", text("web")),
        ("protocol", text("icmp")),
        ("icmp_type", n(8)),
    ];
    let floating = vec![("network", text("world"))];
    let forward = vec![
        ("router", text("r")),
        ("external_port", n(1234)),
        ("internal_address", text("10.0.0.2")),
        ("internal_port", n(22)),
    ];
    let machine = vec![
        ("name", text("h")),
        ("folder", text("./roots/h")),
        ("interface", blocks(vec![vec![("port", text("p"))], vec![("network", text("lan"))]])),
        ("command", texts(&["sleep", "infinity"])),
        ("env", Value::map(plumb_model::value::Type::String, [("A", text("b"))])),
        ("health", blocks(vec![vec![("command", texts(&["true"]))]])),
        ("limits", blocks(vec![vec![("memory", text("64m")), ("cpu", quarter)]])),
    ];
    let snapshot = vec![("name", text("s")), ("host", text("a"))];
    let end = |host: &str, at: &str| vec![("host", text(host)), ("address", text(at))];
    let ends = |at: &str| blocks(vec![end("a", "192.0.2.1/30"), end("b", at)]);
    let link = vec![("name", text("l")), ("end", ends("192.0.2.2/30"))];
    let cases = [
        ("netns_network", net.clone(), changed(&net, vec![("subnet", text("10.8.0.0/24"))])),
        ("netns_network", net.clone(), changed(&net, vec![("mtu", n(1400))])),
        ("netns_router", router.clone(), changed(&router, vec![("route", blocks(vec![route]))])),
        ("netns_router", router, vec![("name", text("s"))]),
        (
            "netns_router_interface",
            foot.clone(),
            changed(&foot, vec![("address", text("10.6.0.9"))]),
        ),
        ("netns_port", port.clone(), changed(&port, vec![("security_groups", text_set(&["web"]))])),
        ("netns_port", port.clone(), changed(&port, vec![("network", text("other"))])),
        ("netns_security_group", group.clone(), changed(&group, vec![("description", text("x"))])),
        (
            "netns_security_group_rule",
            rule.clone(),
            changed(&rule, vec![("port_range_max", n(90))]),
        ),
        ("netns_security_group_rule", ping.clone(), changed(&ping, vec![("icmp_code", n(0))])),
        ("netns_floating_ip", floating.clone(), changed(&floating, vec![("port", text("a"))])),
        ("netns_port_forward", forward.clone(), changed(&forward, vec![("internal_port", n(23))])),
        ("netns_host", machine.clone(), changed(&machine, vec![("command", texts(&["true"]))])),
        ("netns_host", machine.clone(), changed(&machine, host("h"))),
        ("netns_snapshot", snapshot.clone(), snapshot),
        ("netns_link", link.clone(), changed(&link, vec![("end", ends("192.0.2.3/30"))])),
    ];
    made(&cloud, 100, "netns_network", network("other", "10.6.0.0/24")).await;
    for (kind, written, changed) in cases {
        let changed = Some(config(kind, changed));
        let case = Case { kind: Kind::new(kind), config: config(kind, written), changed };
        let broken = conformance::connection(&cloud, &schema_of(kind), &case).await;
        assert_eq!(broken, Vec::<String>::new());
    }
}

#[tokio::test]
async fn without_a_holder_there_is_nothing() {
    let holder = Holder::default();
    let cloud = holder.connection();
    let lan = made(&cloud, 0, "netns_network", network("lan", "10.0.0.0/24")).await;
    holder.kill();
    let all = cloud.read(&[request("netns_network", &lan)]).await;
    assert!(matches!(all[..], [Ok(None)]), "{all:?}");
    let deleted = cloud.delete(&call(1), &Kind::new("netns_network"), &lan).await;
    assert_eq!(deleted.left, Effect::Deleted);
    let updated = cloud.update(&call(2), &Kind::new("netns_network"), &lan, &lan.attrs).await;
    assert!(!updated.lost && updated.failure.is_some(), "{updated:?}");
    assert_eq!(holder.world().holders, 1, "none of this needs a holder");
    // A line to the one that ended is not taken for one to the next.
    made(&cloud, 3, "netns_network", network("lan", "10.0.0.0/24")).await;
    holder.kill();
    made(&cloud, 4, "netns_network", network("lan", "10.0.0.0/24")).await;
    assert_eq!(holder.world().holders, 3);
}

#[tokio::test]
async fn a_lost_reply_leaves_a_doubt_that_the_token_settles() {
    let holder = Holder::default();
    let cloud = holder.connection();
    holder.world().lose = true;
    let outcome = make(&cloud, 0, "netns_network", network("lan", "10.0.0.0/24")).await;
    assert!(outcome.lost && outcome.failure.is_some(), "{outcome:?}");
    let kind = Kind::new("netns_network");
    let (planned, _) = conformance::plan(
        &schema_of("netns_network"),
        &config("netns_network", network("lan", "10.0.0.0/24")),
        None,
    );
    let found = cloud.find(&kind, call(0).token, &planned).await.unwrap().unwrap();
    assert_eq!(shown(&found.attrs, "gateway"), r#""10.0.0.1""#);
}

#[tokio::test]
async fn many_are_read_in_one_request() {
    let holder = Holder::default();
    let cloud = holder.connection();
    let lan = made(&cloud, 0, "netns_network", network("lan", "10.0.0.0/24")).await;
    let a = made(&cloud, 1, "netns_host", host("a")).await;
    holder.world().requests.clear();
    let mut gone = a.clone();
    gone.attrs =
        Value::object(a.attrs.as_map().unwrap().iter().map(|(name, it)| {
            (name.clone(), if &**name == "id" { text("gone") } else { it.clone() })
        }));
    let wrong = request("netns_thing", &lan);
    let requests = [
        request("netns_host", &a),
        wrong,
        request("netns_host", &gone),
        request("netns_network", &lan),
    ];
    let all = cloud.read(&requests).await;
    assert!(matches!(&all[..], [Ok(Some(_)), Err(_), Ok(None), Ok(Some(_))]), "{all:?}");
    assert_eq!(all[3].as_ref().unwrap().as_ref().unwrap().attrs, lan.attrs);
    assert_eq!(holder.world().requests.len(), 1);
}

#[tokio::test]
async fn a_refusal_names_the_argument() {
    let holder = Holder::default();
    let cloud = holder.connection();
    lab(&cloud).await;
    let failed = async |kind: &str, written| {
        let outcome = make(&cloud, 50, kind, written).await;
        assert!(!outcome.lost && outcome.left == Effect::Nothing, "{outcome:?}");
        let failure = outcome.failure.unwrap();
        format!("{} at {}", failure.summary, at(&failure.path.unwrap()))
    };
    let two = |address: &str| {
        let own = vec![("network", text("lan")), ("address", text(address))];
        let interfaces = blocks(vec![vec![("network", text("lan"))], own]);
        vec![("name", text("x")), ("interface", interfaces)]
    };
    assert_eq!(
        failed("netns_host", two("10.0.0.1")).await,
        "Address in use at interface[1].address"
    );
    assert_eq!(
        failed("netns_host", two("10.1.0.1")).await,
        "Address outside its subnet at interface[1].address"
    );
    // Only known now that the call is made.
    assert_eq!(failed("netns_host", two("10")).await, "Invalid address at interface[1].address");
    let link = |host: &str| {
        let end = |host: &str, at: &str| vec![("host", text(host)), ("address", text(at))];
        let ends = blocks(vec![end("a", "192.0.2.1/30"), end(host, "192.0.2.2/30")]);
        vec![("name", text("l")), ("end", ends)]
    };
    assert_eq!(failed("netns_link", link("nobody")).await, "Unknown host at end[1].host");
    let port = vec![("name", text("z")), ("network", text("no"))];
    assert_eq!(failed("netns_port", port).await, "Unknown network at network");
}

#[tokio::test]
async fn what_was_chosen_moves_with_its_network() {
    let holder = Holder::default();
    let cloud = holder.connection();
    lab(&cloud).await;
    let kind = Kind::new("netns_port");
    let port = cloud.import(&kind, "p").await.unwrap().unwrap();
    // An update that keeps the address does not ask for it.
    let asked = vec![
        ("name", text("p")),
        ("network", text("lan")),
        ("security_groups", text_set(&["web"])),
    ];
    let schema = schema_of("netns_port");
    let (planned, _) = conformance::plan(&schema, &config("netns_port", asked), Some(&port.attrs));
    assert_eq!(shown(&planned, "address"), shown(&port.attrs, "address"));
    let updated = cloud.update(&call(60), &kind, &port, &planned).await;
    assert!(updated.failure.is_none(), "{updated:?}");
    let moved = network("lan", "10.3.0.0/24");
    let lan = cloud.import(&Kind::new("netns_network"), "lan").await.unwrap().unwrap();
    let schema = schema_of("netns_network");
    let (planned, _) =
        conformance::plan(&schema, &config("netns_network", moved), Some(&lan.attrs));
    let updated = cloud.update(&call(61), &Kind::new("netns_network"), &lan, &planned).await;
    assert!(updated.failure.is_none(), "{updated:?}");
    let port = cloud.import(&kind, "p").await.unwrap().unwrap();
    assert!(shown(&port.attrs, "address").starts_with("\"10.3.0."), "{port:?}");
}

#[tokio::test]
async fn data_sources_find_by_name() {
    let holder = Holder::default();
    let cloud = holder.connection();
    lab(&cloud).await;
    let data = crate::schema::provider().data;
    for (kind, written) in [
        ("netns_network", vec![("name", text("lan"))]),
        ("netns_host", vec![("name", text("a"))]),
        ("netns_router_interface", vec![("router", text("r")), ("network", text("lan"))]),
    ] {
        let kind = Kind::new(kind);
        let asked = conformance::config(&data[&kind].block, written);
        let found = cloud.data(&kind, &asked).await.unwrap();
        assert!(found.is_wholly_known());
        assert_eq!(found.ty(), *data[&kind].block.ty());
    }
    let kind = Kind::new("netns_host");
    let asked = conformance::config(&data[&kind].block, vec![("name", text("nobody"))]);
    let failure = cloud.data(&kind, &asked).await.unwrap_err();
    assert_eq!(failure.summary, "netns_host not found");
    assert_eq!(at(&failure.path.unwrap()), "name");
}

#[tokio::test]
async fn hosts_are_entered_and_have_logs() {
    let holder = Holder::default();
    let cloud = holder.connection();
    lab(&cloud).await;
    let kind = Kind::new("netns_host");
    let a = cloud.import(&kind, "a").await.unwrap().unwrap();
    let entry = cloud.enter(&kind, &a, &["id".to_owned(), "-u".to_owned()]).await.unwrap();
    let arguments: Vec<_> = entry.arguments.iter().map(|it| it.to_string_lossy()).collect();
    let number = arguments[1].parse::<i32>().unwrap();
    assert!(number > 2 && entry.inherit.len() == 1);
    assert_eq!([&arguments[..1], &arguments[2..]].concat(), ["netns-exec", "--", "id", "-u"]);
    assert_eq!(cloud.logs(&kind, &a, 10).await.unwrap(), "10 bytes of a");
    let kind = Kind::new("netns_port");
    let port = cloud.import(&kind, "p").await.unwrap().unwrap();
    assert!(cloud.enter(&kind, &port, &[]).await.is_err());
    assert!(cloud.logs(&kind, &port, 10).await.is_err());
}

#[tokio::test]
async fn drift_is_planned_away_and_a_process_that_moved_is_not() {
    let holder = Holder::default();
    let cloud = holder.connection();
    lab(&cloud).await;
    let kind = Kind::new("netns_host");
    let schema = schema_of("netns_host");
    let asked = config("netns_host", host("a"));
    let (first, _) = conformance::plan(&schema, &asked, None);
    let see = async |prior: Value| {
        let prior = Remote { attrs: prior, private: None, complete: true };
        let all = cloud.read(&[request("netns_host", &prior)]).await;
        let seen = all.into_iter().next().unwrap().unwrap().unwrap();
        plumb_model::propose::mask(&schema.block, &first, &seen.attrs)
    };
    let a = cloud.import(&kind, "a").await.unwrap().unwrap();
    let was = see(a.attrs).await;
    holder.world().pid += 7;
    let is = see(was.clone()).await;
    assert_ne!(was, is);
    assert_eq!(conformance::plan(&schema, &asked, Some(&is)).0, is, "nothing to do");
    let key = (spec::Kind::Host, "a".to_owned());
    holder.world().drift.insert(key, vec!["eth0 is down".to_owned()]);
    let is = see(is).await;
    assert_eq!(shown(&is, "drift"), r#"["eth0 is down"]"#);
    let (planned, replace) = conformance::plan(&schema, &asked, Some(&is));
    assert!(replace.is_empty() && shown(&planned, "drift") == "[]");
    assert!(!planned.get_attr("pid").unwrap().is_known());
    let prior = Remote { attrs: is, private: None, complete: true };
    let repaired = cloud.update(&call(90), &kind, &prior, &planned).await;
    assert!(repaired.failure.is_none(), "{repaired:?}");
    let update = holder.world().requests.last().cloned();
    assert!(matches!(update, Some(Request::Update { .. })), "{update:?}");
    let is = see(prior.attrs).await;
    assert_eq!(conformance::plan(&schema, &asked, Some(&is)).0, is, "repaired");
    holder.world().cloud = Cloud::default();
}
