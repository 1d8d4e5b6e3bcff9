//! What objects need in the kernel: facts per namespace. Pure.
//!
//! A network is a namespace with a bridge, a router is one that forwards, a host's is what its
//! processes see. A host cannot change its own: its namespace belongs to the cloud. So what it may
//! send and receive is decided there, too, and no other host passes those rules on its way.

mod filter;
mod router;

use std::collections::{BTreeMap, BTreeSet};

use crate::cloud::{Cloud, Entry, gateway};
use crate::spec::{Cidr, External, Host, Kind, Network, Spec};
use crate::want::{
    Cable, Chain, End, Hook, HookPoint, Link, MACHINE, Match, Namespace, NsName, Route, Rule,
    Table, Verdict, Want,
};

/// A network's bridge.
const BRIDGE: &str = "br";
/// Addresses that mean nothing outside: those of private networks (RFC 1918, RFC 6598) and of links.
const PRIVATE: [([u8; 4], u8); 5] = [
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10),
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 168, 0, 0], 16),
];

/// A router's link to its external network.
pub(crate) const OUTSIDE: &str = "ext";

/// Where a cloud is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Site {
    /// What sets the cloud's names in the machine's own namespace apart, at most 6 bytes; none: it may
    /// change nothing there.
    pub machine: Option<String>,
}

/// What some of the namespaces need; of the cables, those between two of them. A namespace that
/// nothing stands for any more is not in it.
pub fn render(cloud: &Cloud, namespaces: &BTreeSet<NsName>, site: &Site) -> Want {
    let mut want = Want::default();
    for name in namespaces {
        let Some((kind, object)) = name.0.split_once('/') else { continue };
        let mut cables = Vec::new();
        let namespace = match kind {
            "net" => cloud.network(object).map(|it| {
                let (namespace, machine) = network(cloud, it, site, &mut cables);
                want.namespaces.extend(machine);
                namespace
            }),
            // Goes with its network.
            "machine" => None,
            "router" => match cloud.get(Kind::Router, object) {
                Some(Entry { spec: Spec::Router(it), number, address, .. }) => {
                    Some(router::router(cloud, it, *number, *address))
                }
                _ => None,
            },
            _ => match cloud.get(Kind::Host, object) {
                Some(Entry { spec: Spec::Host(it), .. }) => Some(host(cloud, it, &mut cables)),
                _ => None,
            },
        };
        want.namespaces.extend(namespace.map(|it| (name.clone(), it)));
        want.cables.extend(cables);
    }
    let there = |end: &End| want.namespaces.contains_key(&end.namespace);
    let cables = std::mem::take(&mut want.cables);
    want.cables = cables.into_iter().filter(|it| there(&it.a) && there(&it.b)).collect();
    want
}

/// All of it.
pub fn render_all(cloud: &Cloud, site: &Site) -> Want {
    render(cloud, &namespaces(cloud), site)
}

/// The namespaces of a cloud.
pub fn namespaces(cloud: &Cloud) -> BTreeSet<NsName> {
    let of = |kind, prefix: &'static str| {
        cloud.of(kind).map(move |(name, _)| NsName(format!("{prefix}/{name}")))
    };
    of(Kind::Network, "net")
        .chain(of(Kind::Router, "router"))
        .chain(of(Kind::Host, "host"))
        .collect()
}

/// A network, and its part in the machine's own namespace.
fn network(
    cloud: &Cloud,
    it: &Network,
    site: &Site,
    cables: &mut Vec<Cable>,
) -> (Namespace, Option<(NsName, Namespace)>) {
    let mut namespace = Namespace::default();
    let here = NsName(format!("net/{}", it.name));
    let mut bridge = Link { bridge: true, mtu: it.mtu, ..Link::default() };
    let own = Cidr { address: gateway(it), prefix: it.subnet.prefix };
    let number = cloud.get(Kind::Network, &it.name).map_or(0, |it| it.number);
    let machine = match (it.external, &site.machine) {
        (Some(External::Nat), Some(id)) => Some(uplink(it, own, &format!("plumb{id}{number}"))),
        _ => None,
    };
    if it.external == Some(External::Isolated) {
        bridge.addresses.insert(own);
        // Whatever is not in its own subnet is this namespace itself, which answers.
        let everything = Cidr { address: [0, 0, 0, 0].into(), prefix: 0 };
        namespace.routes.insert(Route::Local(everything));
        namespace.routes.extend(
            PRIVATE
                .into_iter()
                .map(|(address, prefix)| Route::Nowhere(Cidr { address: address.into(), prefix })),
        );
    }
    namespace.links.insert(BRIDGE.to_owned(), bridge);
    let mut plug = |link: String, there: End| {
        let port = Link { mtu: it.mtu, master: Some(BRIDGE.to_owned()), ..Link::default() };
        namespace.links.insert(link.clone(), port);
        cables.push(Cable { a: End { namespace: here.clone(), link }, b: there });
    };
    if let Some((name, machine)) = &machine {
        let link = machine.links.keys().next().cloned().unwrap_or_default();
        plug("up".to_owned(), End { namespace: name.clone(), link });
    }
    for user in cloud.users(Kind::Network, &it.name) {
        let Some(entry) = cloud.get(user.0, &user.1) else { continue };
        match &entry.spec {
            Spec::Port(port) => {
                if let Some((host, link)) = place(cloud, &port.name) {
                    let namespace = NsName(format!("host/{host}"));
                    plug(format!("p{}", entry.number), End { namespace, link });
                }
            }
            Spec::Router(router) => {
                let namespace = NsName(format!("router/{}", router.name));
                plug(format!("r{}", entry.number), End { namespace, link: OUTSIDE.to_owned() });
            }
            Spec::RouterInterface(foot) if cloud.get(Kind::Router, &foot.router).is_some() => {
                let namespace = NsName(format!("router/{}", foot.router));
                plug(format!("r{}", entry.number), End { namespace, link: router::inside(entry) });
            }
            _ => {}
        }
    }
    (namespace, machine)
}

/// The machine as the gateway of a network: whatever comes from there leaves as if it were the machine's.
fn uplink(it: &Network, own: Cidr, name: &str) -> (NsName, Namespace) {
    let link = Link { mtu: it.mtu, addresses: BTreeSet::from([own]), ..Link::default() };
    let owner = format!("network/{}", it.name);
    let rule =
        Rule { owner, matches: vec![Match::Source(it.subnet)], verdict: Verdict::Masquerade };
    let hook = Hook { at: HookPoint::Postrouting, nat: true, priority: 100, drop: false };
    let chain = Chain { name: "postrouting".to_owned(), hook: Some(hook), rules: vec![rule] };
    let namespace = Namespace {
        links: BTreeMap::from([(name.to_owned(), link)]),
        sysctls: BTreeMap::from([("ipv4/ip_forward".to_owned(), "1".to_owned())]),
        table: Table { chains: vec![chain] },
        ..Namespace::default()
    };
    (NsName(format!("{MACHINE}{name}")), namespace)
}

/// Where a port is plugged in: the host, and the link's name there.
fn place(cloud: &Cloud, port: &str) -> Option<(String, String)> {
    let host = cloud.host_of(port)?;
    let Spec::Host(it) = &cloud.get(Kind::Host, &host)?.spec else { return None };
    let at = it.interfaces.iter().position(|it| it.port() == port)?;
    Some((host, link_name(at)))
}

fn link_name(at: usize) -> String {
    format!("eth{at}")
}

fn host(cloud: &Cloud, it: &Host, cables: &mut Vec<Cable>) -> Namespace {
    let here = NsName(format!("host/{}", it.name));
    let mut namespace = Namespace::default();
    let mut filters = Vec::new();
    for (at, interface) in it.interfaces.iter().enumerate() {
        let Some(entry) = cloud.get(Kind::Port, interface.port()) else { continue };
        let Spec::Port(port) = &entry.spec else { continue };
        let (Some(network), Some(address)) = (cloud.network(&port.network), entry.address) else {
            continue;
        };
        let link = Link {
            mac: entry.mac.clone(),
            mtu: network.mtu,
            addresses: BTreeSet::from([Cidr { address, prefix: network.subnet.prefix }]),
            ..Link::default()
        };
        namespace.links.insert(link_name(at), link);
        let first = !namespace.routes.iter().any(|it| matches!(it, Route::Via { .. }));
        if first {
            let destination = Cidr { address: [0, 0, 0, 0].into(), prefix: 0 };
            namespace.routes.insert(Route::Via { destination, next_hop: gateway(network) });
        }
        filters.push(filter::Place { link: link_name(at), port, address });
    }
    for entry in cloud.users_of(Kind::Host, &it.name, Kind::Link) {
        let Spec::Link(link) = &entry.spec else { continue };
        let name = format!("lnk{}", entry.number);
        let Some((_, address)) = link.ends.iter().find(|(host, _)| *host == it.name) else {
            continue;
        };
        let [a, b] = link
            .ends
            .each_ref()
            .map(|(host, _)| End { namespace: NsName(format!("host/{host}")), link: name.clone() });
        if cloud.get(Kind::Host, &link.ends[0].0).is_none()
            || cloud.get(Kind::Host, &link.ends[1].0).is_none()
        {
            continue;
        }
        let here_link = Link {
            mtu: 1500,
            addresses: BTreeSet::from([*address]),
            shape: link.shape.clone(),
            ..Link::default()
        };
        namespace.links.insert(name.clone(), here_link);
        // Both ends would say the same.
        if a.namespace == here {
            cables.push(Cable { a, b });
        }
    }
    namespace.table = filter::table(cloud, &filters);
    namespace
}
