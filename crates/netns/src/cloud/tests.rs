//! The registry and what it needs of the kernel.

use super::*;
use crate::render::{Site, render_all};
use crate::spec::*;
use crate::want::{Match, Route, Verdict};

fn cidr(text: &str) -> Cidr {
    text.parse().unwrap()
}

fn network(name: &str, subnet: &str, external: Option<External>) -> Spec {
    let (name, subnet) = (name.to_owned(), cidr(subnet));
    Spec::Network(Network { name, subnet, gateway: None, mtu: 1500, external })
}

fn port(name: &str, network: &str, address: Option<&str>, groups: &[&str]) -> Port {
    Port {
        name: name.to_owned(),
        network: network.to_owned(),
        address: address.map(|it| it.parse().unwrap()),
        mac: None,
        security_groups: groups.iter().map(|it| (*it).to_owned()).collect(),
        allowed_addresses: Vec::new(),
    }
}

fn host(name: &str, interfaces: Vec<Interface>) -> Spec {
    Spec::Host(Host {
        name: name.to_owned(),
        interfaces,
        root: Root::Machine,
        command: Vec::new(),
        user: None,
        env: BTreeMap::new(),
        files: BTreeMap::new(),
        restart: Restart::No,
        health: None,
        limits: Limits::default(),
    })
}

fn own(host: &str, network: &str, address: Option<&str>, groups: &[&str]) -> Vec<Interface> {
    vec![Interface::Own(port(&format!("{host}/0"), network, address, groups))]
}

/// A private and an external network, a router between them, a host, a floating IP for it.
fn lab() -> Cloud {
    let mut cloud = Cloud::default();
    let specs = [
        network("lan", "10.0.0.0/24", None),
        network("world", "198.51.100.0/24", Some(External::Isolated)),
        Spec::SecurityGroup(SecurityGroup { name: "web".into(), description: String::new() }),
        Spec::SecurityGroupRule(SecurityGroupRule {
            name: "http".into(),
            security_group: "web".into(),
            direction: Direction::Ingress,
            protocol: Some(Protocol::Tcp),
            ports: Some((80, 80)),
            remote_cidr: None,
            remote_group: None,
        }),
        Spec::Router(Router {
            name: "r".into(),
            external_network: Some("world".into()),
            external_address: None,
            snat: true,
            routes: Vec::new(),
        }),
        Spec::RouterInterface(RouterInterface {
            name: "r/lan".into(),
            router: "r".into(),
            network: "lan".into(),
            address: None,
        }),
        host("a", own("a", "lan", None, &["web"])),
        Spec::FloatingIp(FloatingIp {
            name: "f".into(),
            network: "world".into(),
            address: None,
            port: Some("a".into()),
        }),
    ];
    for spec in specs {
        cloud.put(Some(spec.name()), spec.clone()).unwrap();
    }
    cloud
}

fn refused(cloud: &Cloud, spec: Spec) -> String {
    let mut after = cloud.clone();
    let refusal = after.put(None, spec).unwrap_err();
    assert_eq!(after.objects, cloud.objects, "a refusal changes nothing");
    format!("{}: {} {}", refusal.argument.unwrap_or_default(), refusal.summary, refusal.detail)
}

#[test]
fn addresses_are_the_lowest_free_ones_of_the_upper_half() {
    let cloud = lab();
    let at = |kind, name: &str| cloud.get(kind, name).unwrap().address.unwrap().to_string();
    assert_eq!(at(Kind::Network, "lan"), "10.0.0.1");
    assert_eq!(at(Kind::RouterInterface, "r/lan"), "10.0.0.1");
    assert_eq!(at(Kind::Port, "a/0"), "10.0.0.128");
    assert_eq!(at(Kind::Router, "r"), "198.51.100.128");
    assert_eq!(at(Kind::FloatingIp, "f"), "198.51.100.129");
    assert_eq!(cloud.names(Kind::Port), Vec::<String>::new(), "a host's own port is not listed");
}

#[test]
fn a_floating_ip_is_translated_both_ways() {
    let want = render_all(&lab(), &Site::default());
    let router = &want.namespaces[&NsName("router/r".into())];
    let table = &router.table;
    let verdicts = |name: &str| {
        let chain = table.chains.iter().find(|it| it.name == name).unwrap();
        chain.rules.iter().map(|it| it.verdict.clone()).collect::<Vec<_>>()
    };
    let (inner, outer) = ([10, 0, 0, 128].into(), [198, 51, 100, 129].into());
    assert_eq!(verdicts("prerouting"), [Verdict::Dnat(inner, None)]);
    assert_eq!(
        verdicts("postrouting"),
        [
            Verdict::Snat(outer),
            Verdict::Snat([198, 51, 100, 128].into()),
            Verdict::Snat([10, 0, 0, 1].into())
        ]
    );
    assert!(router.links["ext"].addresses.contains(&cidr("198.51.100.129/32")));
    assert_eq!(want.cables.len(), 3);
    let world = &want.namespaces[&NsName("net/world".into())];
    assert!(world.routes.contains(&Route::Local(cidr("0.0.0.0/0"))));
}

#[test]
fn a_group_lets_in_what_its_rules_say() {
    let mut cloud = lab();
    let chain = |cloud: &Cloud, name: &str| {
        let want = render_all(cloud, &Site::default());
        let host = &want.namespaces[&NsName("host/a".into())];
        let table = &host.table;
        table.chains.iter().find(|it| it.name == name).unwrap().rules.clone()
    };
    let rules = chain(&cloud, "to-eth0");
    assert_eq!(rules[0].matches, [Match::Established]);
    assert_eq!(rules[1].owner, "security_group_rule/http");
    assert_eq!(rules[1].matches, [Match::Protocol(Protocol::Tcp), Match::DestinationPort(80, 80)]);
    assert_eq!(rules[2].verdict, Verdict::Drop);
    let concerned = cloud.remove(Kind::SecurityGroupRule, "http").unwrap();
    assert_eq!(concerned, BTreeSet::from([NsName("host/a".into())]));
    assert_eq!(chain(&cloud, "to-eth0").len(), 2);
}

#[test]
fn what_cannot_be_is_refused_by_the_argument() {
    let cloud = lab();
    let with = |address| host("b", own("b", "lan", Some(address), &[]));
    assert_eq!(
        refused(&cloud, with("10.0.0.128")),
        "address: Address in use 10.0.0.128 belongs to port \"a/0\"."
    );
    assert_eq!(
        refused(&cloud, with("10.0.0.1")),
        "address: Address in use 10.0.0.1 belongs to router interface \"r/lan\"."
    );
    assert!(refused(&cloud, with("10.0.1.1")).starts_with("address: Address outside its subnet"));
    assert!(refused(&cloud, host("b", own("b", "no", None, &[]))).starts_with("network: Unknown"));
    assert!(
        refused(&cloud, host("b", own("b", "lan", None, &["no"])))
            .starts_with("security_groups: Unknown security group")
    );
    assert!(refused(&cloud, network("x", "10.0.0.1/24", None)).starts_with("subnet: Not a subnet"));
    assert!(refused(&cloud, network("x", "10.0.0.0/31", None)).starts_with("subnet: Subnet too"));
    let mut cloud = cloud;
    cloud.put(None, network("other", "10.0.0.128/25", None)).unwrap();
    let foot = RouterInterface {
        name: "r/other".into(),
        router: "r".into(),
        network: "other".into(),
        address: None,
    };
    assert!(refused(&cloud, Spec::RouterInterface(foot)).starts_with("network: Subnets overlap"));
    let mac = Some("02:00:00:00:00:01".to_owned());
    let one = |name: &str| Spec::Port(Port { mac: mac.clone(), ..port(name, "lan", None, &[]) });
    cloud.put(None, one("p")).unwrap();
    assert!(refused(&cloud, one("q")).starts_with("mac: Duplicate hardware address"));
}

#[test]
fn what_others_need_stays() {
    let mut cloud = lab();
    let refusal = cloud.remove(Kind::Network, "lan").unwrap_err();
    assert_eq!(refusal.summary, "Network in use");
    cloud.remove(Kind::Host, "a").unwrap();
    assert!(cloud.get(Kind::Port, "a/0").is_none());
    // Its floating IP waits for it to come back.
    let concerned = cloud.put(None, host("a", own("a", "lan", None, &[]))).unwrap();
    assert!(concerned.contains(&NsName("router/r".into())), "{concerned:?}");
    for (kind, name) in [
        (Kind::FloatingIp, "f"),
        (Kind::Host, "a"),
        (Kind::RouterInterface, "r/lan"),
        (Kind::Router, "r"),
        (Kind::Network, "lan"),
        (Kind::Network, "world"),
        (Kind::SecurityGroupRule, "http"),
        (Kind::SecurityGroup, "web"),
    ] {
        cloud.remove(kind, name).unwrap();
    }
    assert!(cloud.objects.is_empty() && cloud.users.is_empty() && cloud.tokens.is_empty());
}

#[test]
fn a_network_that_moves_takes_its_ports_along() {
    let mut cloud = lab();
    cloud.put(None, network("lan", "10.9.0.0/24", None)).unwrap();
    let at = |kind, name: &str| cloud.get(kind, name).unwrap().address.unwrap().to_string();
    assert_eq!(at(Kind::Port, "a/0"), "10.9.0.128");
    assert_eq!(at(Kind::RouterInterface, "r/lan"), "10.9.0.1");
}

#[test]
fn routes_in_a_circle_are_refused() {
    let mut cloud = Cloud::default();
    let router = |name: &str, routes: &[(&str, &str)]| {
        Spec::Router(Router {
            name: name.into(),
            external_network: None,
            external_address: None,
            snat: true,
            routes: routes
                .iter()
                .map(|(to, by)| crate::spec::Route {
                    destination: cidr(to),
                    next_hop: by.parse().unwrap(),
                })
                .collect(),
        })
    };
    cloud.put(None, network("between", "10.0.0.0/24", None)).unwrap();
    for (name, address) in [("a", "10.0.0.2"), ("b", "10.0.0.3"), ("c", "10.0.0.4")] {
        cloud.put(None, router(name, &[])).unwrap();
        let foot = RouterInterface {
            name: format!("{name}/between"),
            router: name.into(),
            network: "between".into(),
            address: Some(address.parse().unwrap()),
        };
        cloud.put(None, Spec::RouterInterface(foot)).unwrap();
    }
    cloud.put(None, router("a", &[("10.9.0.0/16", "10.0.0.3")])).unwrap();
    cloud.put(None, router("b", &[("10.9.0.0/16", "10.0.0.4")])).unwrap();
    assert_eq!(
        refused(&cloud, router("c", &[("10.9.1.0/24", "10.0.0.2")])),
        "route: Routes in a circle What goes to 10.9.1.0/24 goes in a circle: c, a, b, c."
    );
    assert!(refused(&cloud, router("c", &[("10.0.0.0/8", "10.0.0.4")])).contains("c, c"));
    cloud.put(None, router("c", &[("10.8.0.0/16", "10.0.0.2")])).unwrap();
}
