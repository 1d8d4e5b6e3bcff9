//! What is said before anything is done.

use plumb_model::addr::Kind;
use plumb_model::schema::RefineInput;
use plumb_model::value::{Type, Value};

use super::{at, blocks, config, schema_of, text, text_set, texts};

/// The problems of a configuration, one a line.
fn problems(kind: &str, written: Vec<(&'static str, Value)>) -> String {
    let found = schema_of(kind).validate.unwrap()(&config(kind, written));
    let lines = found.iter().map(|it| format!("{}: {}", at(&it.path), it.summary));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn what_cannot_be_is_said_by_its_argument() {
    let n = |it: i64| Value::number(it);
    let network = |more: Vec<(&'static str, Value)>| {
        let mut all = vec![("name", text("n")), ("subnet", text("10.0.0.0/24"))];
        all.retain(|(name, _)| more.iter().all(|(other, _)| other != name));
        all.extend(more);
        problems("netns_network", all)
    };
    assert_eq!(network(vec![]), "");
    assert_eq!(network(vec![("name", text("../x"))]), "name: Invalid name");
    assert_eq!(network(vec![("subnet", text("10.0.0.0"))]), "subnet: Invalid CIDR");
    assert_eq!(network(vec![("subnet", text("10.0.0.1/24"))]), "subnet: Not a subnet");
    assert_eq!(network(vec![("subnet", text("10.0.0.0/31"))]), "subnet: Subnet too small");
    assert_eq!(network(vec![("gateway", text("10.0.1.1"))]), "gateway: Invalid gateway");
    assert_eq!(network(vec![("gateway", text("10.0.0.255"))]), "gateway: Invalid gateway");
    assert_eq!(network(vec![("mtu", n(500))]), "mtu: Invalid mtu");
    assert_eq!(network(vec![("mtu", n(65536))]), "mtu: Invalid mtu");
    assert_eq!(network(vec![("external", text("bridged"))]), "external: Invalid external");

    let rule = |more: Vec<(&'static str, Value)>| {
        let group = [("security_group", text("g"))];
        problems("netns_security_group_rule", group.into_iter().chain(more).collect())
    };
    let icmp = ("protocol", text("icmp"));
    let tcp = ("protocol", text("tcp"));
    let ports = "Ports without a protocol that has them";
    assert_eq!(
        rule(vec![icmp.clone(), ("port_range_min", n(1))]),
        format!("port_range_min: {ports}")
    );
    assert_eq!(rule(vec![("port_range_min", n(1))]), format!("port_range_min: {ports}"));
    assert_eq!(rule(vec![tcp.clone(), ("icmp_type", n(8))]), "icmp_type: ICMP type without ICMP");
    assert_eq!(rule(vec![icmp, ("icmp_code", n(0))]), "icmp_code: ICMP code without a type");
    assert_eq!(
        rule(vec![tcp.clone(), ("port_range_min", n(90)), ("port_range_max", n(80))]),
        "port_range_min: Port range the wrong way round"
    );
    assert_eq!(rule(vec![tcp, ("port_range_min", n(0))]), "port_range_min: Invalid port_range_min");
    let unknown = Value::unknown(Type::String);
    assert_eq!(rule(vec![("protocol", unknown), ("port_range_min", n(1))]), "");
}

#[test]
fn what_a_host_cannot_be() {
    let host = |more: Vec<(&'static str, Value)>| {
        let name = [("name", text("h"))];
        problems("netns_host", name.into_iter().chain(more).collect())
    };
    let interface = |written| host(vec![("interface", blocks(vec![written]))]);
    let (net, port) = (("network", text("n")), ("port", text("p")));
    assert_eq!(interface(vec![]), "interface[0]: Interface needs a port or a network");
    assert_eq!(
        interface(vec![net.clone(), port.clone()]),
        "interface[0]: Interface needs a port or a network"
    );
    assert_eq!(
        interface(vec![port, ("address", text("10.0.0.1"))]),
        "interface[0].address: Interface says what its port says"
    );
    assert_eq!(
        interface(vec![net.clone(), ("mac", text("01:00:00:00:00:01"))]),
        "interface[0].mac: Invalid hardware address"
    );
    assert_eq!(
        interface(vec![net, ("allowed_addresses", text_set(&["10.0.0.1", "10.0.0.1/8"]))]),
        "interface[0].allowed_addresses: Not a subnet"
    );
    assert_eq!(interface(vec![("network", Value::unknown(Type::String))]), "");
    assert_eq!(
        host(vec![("folder", text("a")), ("snapshot", text("s"))]),
        "snapshot: More than one root"
    );
    assert_eq!(host(vec![("command", texts(&["", "x"]))]), "command: Empty command");
    assert_eq!(host(vec![("restart", text("maybe"))]), "restart: Invalid restart");
    let map = |key: &str| Value::map(Type::String, [(key, text("x"))]);
    assert_eq!(host(vec![("files", map("/etc/motd"))]), "");
    for path in ["etc/motd", "/../etc", "/etc/", "/", "//x", "/a/./b"] {
        assert_eq!(host(vec![("files", map(path))]), "files: Invalid path", "{path}");
    }
    assert_eq!(host(vec![("env", map("A=B"))]), "env: Invalid environment");
    let limits = |name, it| host(vec![("limits", blocks(vec![vec![(name, it)]]))]);
    assert_eq!(limits("memory", text("lots")), "limits.memory: Invalid size");
    assert_eq!(limits("cpu", Value::number(0)), "limits.cpu: Invalid number of processors");
    assert_eq!(limits("pids", Value::number(0)), "limits.pids: Invalid pids");
    let health = vec![("command", texts(&[])), ("interval", Value::number(0))];
    assert_eq!(
        host(vec![("health", blocks(vec![health]))]),
        "health.command: Empty command\nhealth.interval: Invalid interval"
    );
    let end = |host: &str, at: &str| vec![("host", text(host)), ("address", text(at))];
    let link =
        |a, b| problems("netns_link", vec![("name", text("l")), ("end", blocks(vec![a, b]))]);
    assert_eq!(link(end("a", "10.0.0.1/30"), end("a", "10.0.0.2/30")), "end: Link to itself");
    assert_eq!(link(end("a", "10.0.0.1/30"), end("b", "10.0.0.1/30")), "end: Address in use");
    assert_eq!(link(end("a", "10.0.0.1"), end("b", "10.0.0.1/30")), "end[0].address: Invalid CIDR");
}

#[test]
fn whoever_hangs_on_one_that_goes_follows() {
    let object = |kind, written| {
        let (planned, _) =
            plumb_provider::conformance::plan(&schema_of(kind), &config(kind, written), None);
        planned
    };
    let lan = object("netns_network", vec![("name", text("lan")), ("subnet", text("10.0.0.0/24"))]);
    let host = |network: &str| {
        vec![("name", text("h")), ("interface", blocks(vec![vec![("network", text(network))]]))]
    };
    let replaced = [(Kind::new("netns_network"), lan)];
    let schema = schema_of("netns_host");
    for (network, paths) in [("lan", vec!["interface"]), ("other", vec![])] {
        let prior = object("netns_host", host(network));
        let config = config("netns_host", host(network));
        let proposed = plumb_model::propose::propose(&schema.block, &config, Some(&prior));
        let facts = &mut |_: &str, _: &Value| None;
        let input = RefineInput {
            config: &config,
            prior: Some(&prior),
            proposed,
            replaced: &replaced,
            facts,
        };
        let refined = schema.refine.unwrap()(input);
        let found: Vec<_> = refined.replace.iter().map(at).collect();
        assert_eq!(found, paths, "{network}");
    }
}

#[test]
fn a_router_without_an_outside_has_no_address_there() {
    let schema = schema_of("netns_router");
    let plan = |written, prior: Option<&Value>| {
        plumb_provider::conformance::plan(&schema, &config("netns_router", written), prior).0
    };
    let inside = plan(vec![("name", text("r"))], None);
    assert!(inside.get_attr("external_address").unwrap().is_null());
    let outside = vec![("name", text("r")), ("external_network", text("w"))];
    let chosen = plan(outside, Some(&inside));
    assert!(!chosen.get_attr("external_address").unwrap().is_known());
}
