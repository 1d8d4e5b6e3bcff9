//! A router: addresses, routes, translation.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use super::OUTSIDE;
use crate::cloud::{Cloud, Entry, gateway};
use crate::spec::{Cidr, Kind, Network, Router, Spec};
use crate::want::{Chain, Hook, HookPoint, Link, Match, Namespace, Route, Rule, Table, Verdict};

/// The link of a router interface.
pub(super) fn inside(entry: &Entry) -> String {
    format!("int{}", entry.number)
}

/// A foot of a router.
struct Foot<'a> {
    owner: String,
    link: String,
    network: &'a Network,
    address: Ipv4Addr,
}

pub(super) fn router(
    cloud: &Cloud,
    it: &Router,
    number: u32,
    address: Option<Ipv4Addr>,
) -> Namespace {
    let mut namespace = Namespace {
        sysctls: BTreeMap::from([("ipv4/ip_forward".to_owned(), "1".to_owned())]),
        ..Namespace::default()
    };
    let outside = it.external_network.as_deref().and_then(|it| cloud.network(it)).zip(address);
    let feet = feet(cloud, &it.name);
    for foot in &feet {
        let own = Cidr { address: foot.address, prefix: foot.network.subnet.prefix };
        namespace.links.insert(foot.link.clone(), link(foot.network, own, &foot.owner));
    }
    let mut translation = Translation::default();
    if let Some((network, address)) = outside {
        let own = Cidr { address, prefix: network.subnet.prefix };
        let mut link = link(network, own, &format!("router/{number}/{}", it.name));
        let everything = Cidr { address: [0, 0, 0, 0].into(), prefix: 0 };
        let next_hop = gateway(network);
        namespace.routes.insert(Route::Via { destination: everything, next_hop });
        for (floating, inner) in floating(cloud, &it.name, &network.name) {
            let Some(outer) = floating.address else { continue };
            link.addresses.insert(Cidr { address: outer, prefix: 32 });
            translation.one_to_one(&format!("floating_ip/{}", floating.spec.name()), outer, inner);
        }
        for entry in cloud.users_of(Kind::Router, &it.name, Kind::PortForward) {
            translation.forward(entry, address);
        }
        if it.snat {
            for foot in &feet {
                translation.hide(&foot.owner, foot.network.subnet, address);
            }
        }
        namespace.links.insert(OUTSIDE.to_owned(), link);
    }
    for foot in &feet {
        translation.hairpin(foot);
    }
    let reachable = |it: &&crate::spec::Route| {
        let at = |network: &Network| network.subnet.contains(it.next_hop);
        feet.iter().any(|foot| at(foot.network)) || outside.is_some_and(|(network, _)| at(network))
    };
    for route in it.routes.iter().filter(reachable) {
        let (destination, next_hop) = (route.destination, route.next_hop);
        namespace.routes.insert(Route::Via { destination, next_hop });
    }
    let guarded = outside.is_some() && it.snat;
    namespace.table = translation.table(&it.name, guarded);
    namespace
}

fn link(network: &Network, address: Cidr, owner: &str) -> Link {
    let port = crate::spec::Port {
        name: owner.to_owned(),
        network: network.name.clone(),
        address: None,
        mac: None,
        security_groups: Vec::new(),
        allowed_addresses: Vec::new(),
    };
    Link {
        mac: Some(crate::cloud::mac(&port)),
        mtu: network.mtu,
        addresses: BTreeSet::from([address]),
        ..Link::default()
    }
}

fn feet<'a>(cloud: &'a Cloud, router: &str) -> Vec<Foot<'a>> {
    let entries = cloud.users_of(Kind::Router, router, Kind::RouterInterface);
    let feet = entries.filter_map(|entry| match &entry.spec {
        Spec::RouterInterface(it) => {
            let network = cloud.network(&it.network)?;
            let address = it.address.unwrap_or_else(|| gateway(network));
            let owner = format!("router_interface/{}", it.name);
            Some(Foot { owner, link: inside(entry), network, address })
        }
        _ => None,
    });
    feet.collect()
}

/// The floating IPs that work on a router, each with the address behind it.
fn floating<'a>(
    cloud: &'a Cloud,
    router: &'a str,
    network: &'a str,
) -> impl Iterator<Item = (&'a Entry, Ipv4Addr)> {
    let all = cloud.users_of(Kind::Network, network, Kind::FloatingIp);
    let here = all.filter(move |it| cloud.router_of(it).as_deref() == Some(router));
    here.filter_map(|it| Some((it, cloud.port_behind(it)?.address?)))
}

#[derive(Default)]
struct Translation {
    inward: Vec<Rule>,
    outward: Vec<Rule>,
}

impl Translation {
    fn one_to_one(&mut self, owner: &str, outer: Ipv4Addr, inner: Ipv4Addr) {
        let matches = vec![Match::Destination(Cidr { address: outer, prefix: 32 })];
        let verdict = Verdict::Dnat(inner, None);
        self.inward.push(Rule { owner: owner.to_owned(), matches, verdict });
        let matches = vec![
            Match::OutLink(OUTSIDE.to_owned()),
            Match::Source(Cidr { address: inner, prefix: 32 }),
        ];
        let verdict = Verdict::Snat(outer);
        // Before those that hide whole networks.
        self.outward.insert(0, Rule { owner: owner.to_owned(), matches, verdict });
    }

    fn forward(&mut self, entry: &Entry, address: Ipv4Addr) {
        let Spec::PortForward(it) = &entry.spec else { return };
        let matches = vec![
            Match::Destination(Cidr { address, prefix: 32 }),
            Match::Protocol(it.protocol),
            Match::DestinationPort(it.external_port, it.external_port),
        ];
        let verdict = Verdict::Dnat(it.internal_address, Some(it.internal_port));
        let owner = format!("port_forward/{}", it.name);
        self.inward.push(Rule { owner, matches, verdict });
    }

    fn hide(&mut self, owner: &str, subnet: Cidr, address: Ipv4Addr) {
        let matches = vec![Match::OutLink(OUTSIDE.to_owned()), Match::Source(subnet)];
        let verdict = Verdict::Snat(address);
        self.outward.push(Rule { owner: owner.to_owned(), matches, verdict });
    }

    /// Who reaches a neighbour by its outer address gets answers by the same way.
    fn hairpin(&mut self, foot: &Foot<'_>) {
        let matches = vec![
            Match::OutLink(foot.link.clone()),
            Match::Translated,
            Match::Source(foot.network.subnet),
        ];
        let verdict = Verdict::Snat(foot.address);
        self.outward.push(Rule { owner: foot.owner.clone(), matches, verdict });
    }

    /// `guarded`: nothing comes in from outside that was not asked for or translated.
    fn table(self, router: &str, guarded: bool) -> Table {
        let rule = |matches, verdict| Rule { owner: format!("router/{router}"), matches, verdict };
        let mut forward = vec![
            rule(vec![Match::Established], Verdict::Accept),
            rule(vec![Match::Translated], Verdict::Accept),
        ];
        if guarded {
            forward.push(rule(vec![Match::InLink(OUTSIDE.to_owned())], Verdict::Drop));
        }
        let chain = |name: &str, at, nat, priority, rules| Chain {
            name: name.to_owned(),
            hook: Some(Hook { at, nat, priority, drop: false }),
            rules,
        };
        Table {
            chains: vec![
                chain("prerouting", HookPoint::Prerouting, true, -100, self.inward),
                chain("forward", HookPoint::Forward, false, 0, forward),
                chain("postrouting", HookPoint::Postrouting, true, 100, self.outward),
            ],
        }
    }
}
