//! What stands beside some objects of a cloud though it is none of them. Pure.
//!
//! What somebody put into the namespaces themselves is not here: that is drift of the object whose
//! namespace it is ([`crate::drift`]), and goes when that object is made so once more.

use std::collections::BTreeSet;

use crate::cloud::{Cloud, Entry, Key, said};
use crate::spec::{Interface, Kind, Spec};
use crate::wire::Stands;

const KINDS: [Kind; 11] = [
    Kind::Network,
    Kind::Router,
    Kind::RouterInterface,
    Kind::Port,
    Kind::SecurityGroup,
    Kind::SecurityGroupRule,
    Kind::FloatingIp,
    Kind::PortForward,
    Kind::Host,
    Kind::Snapshot,
    Kind::Link,
];

/// What stands beside `ours`, by kind and name. Beside nothing stands nothing.
pub fn beside(cloud: &Cloud, ours: &BTreeSet<Key>) -> Vec<Stands> {
    if ours.is_empty() {
        return Vec::new();
    }
    let looks = Looks { cloud, ours };
    let all = KINDS.into_iter().flat_map(|kind| cloud.of(kind).map(move |it| (kind, it)));
    let foreign = all.filter(|(kind, (name, entry))| {
        // A host's own ports come with it.
        entry.owner.is_none() && !ours.contains(&(*kind, (*name).to_owned()))
    });
    let stands = foreign.filter_map(|(kind, (name, entry))| {
        let (beside, how) = looks.at(entry)?;
        Some(Stands { kind, name: name.to_owned(), beside, how })
    });
    stands.collect()
}

struct Looks<'a> {
    cloud: &'a Cloud,
    ours: &'a BTreeSet<Key>,
}

/// Beside what, and how.
type Place = (Option<Key>, String);

impl Looks<'_> {
    fn at(&self, entry: &Entry) -> Option<Place> {
        match &entry.spec {
            // They stand by themselves.
            Spec::Network(_) | Spec::Router(_) | Spec::SecurityGroup(_) => {
                Some((None, "is in the same cloud".to_owned()))
            }
            Spec::RouterInterface(it) => {
                let network = self.next_to("connects a router with", Kind::Network, &it.network);
                self.next_to("connects a network with", Kind::Router, &it.router).or(network)
            }
            Spec::Port(it) => self.next_to("is attached to", Kind::Network, &it.network),
            Spec::SecurityGroupRule(it) => {
                self.next_to("is a rule of", Kind::SecurityGroup, &it.security_group)
            }
            Spec::FloatingIp(it) => {
                let router = self.cloud.router_of(entry);
                let router = router.and_then(|it| self.next_to("leads in by", Kind::Router, &it));
                let behind = self.cloud.port_behind(entry);
                let behind = || match behind?.owner.as_ref() {
                    Some(host) => self.next_to("leads to", Kind::Host, host),
                    None => self.next_to("leads to", Kind::Port, behind?.spec.name()),
                };
                let network = || self.next_to("has an address of", Kind::Network, &it.network);
                router.or_else(behind).or_else(network)
            }
            Spec::PortForward(it) => self.next_to("leads in by", Kind::Router, &it.router),
            Spec::Host(it) => it.interfaces.iter().find_map(|it| self.plugged(it)),
            Spec::Snapshot(it) => self.next_to("keeps the files of", Kind::Host, &it.host),
            Spec::Link(it) => it
                .ends
                .iter()
                .find_map(|(host, _)| self.next_to("is plugged into", Kind::Host, host)),
        }
    }

    /// By a port of ours, or in a network of ours.
    fn plugged(&self, it: &Interface) -> Option<Place> {
        let Spec::Port(port) = &self.cloud.get(Kind::Port, it.port())?.spec else { return None };
        let network = || self.next_to("is attached to", Kind::Network, &port.network);
        self.next_to("is plugged into", Kind::Port, &port.name).or_else(network)
    }

    /// The place, if that object is ours.
    fn next_to(&self, how: &str, kind: Kind, name: &str) -> Option<Place> {
        let key = (kind, name.to_owned());
        let how = format!("{how} {} {name}", said(kind));
        self.ours.contains(&key).then_some((Some(key), how))
    }
}
