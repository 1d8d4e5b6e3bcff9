//! From arguments to what the cloud is asked for, and back from what it says.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::path::Path;

use plumb_model::value;
use plumb_netns::spec::{self, Cidr, Kind, Spec};
use plumb_netns::wire::{Given, Object};
use plumb_provider::{Failure, Resource};

use crate::resources::{
    End, FloatingIp, Health, Host, Interface, Limits, Link, Network, Port, PortForward, Route,
    Router, RouterInterface, SecurityGroup, SecurityGroupRule, Snapshot,
};

/// What a conversion needs to know.
#[derive(Clone, Copy)]
pub(crate) struct Here<'a> {
    /// Paths are relative to it.
    pub(crate) directory: &'a Path,
    /// The name of what has none of its own.
    pub(crate) nameless: &'a str,
}

/// A resource of the cloud's.
pub(crate) trait Convert: Resource {
    /// What it is there.
    const OF: Kind;

    /// What it is called there.
    fn called(&self) -> Option<String>;

    /// What the cloud is asked for.
    fn spec(&self, here: Here<'_>) -> Result<Spec, Failure>;

    /// What the cloud says. `prior` has how a person wrote what can be written in several ways.
    fn seen(object: &Object, prior: Option<&Self>, here: Here<'_>) -> Option<Self>;
}

fn failed(path: &str, words: impl ToString) -> Failure {
    Failure::new("Invalid value", format!("{}.", words.to_string()))
        .at(value::Path::default().attr(path))
}

pub(crate) fn cidr(path: &str, text: &str) -> Result<Cidr, Failure> {
    text.parse().map_err(|it: spec::NotCidr| failed(path, it))
}

/// Addresses; one by itself is a subnet of one.
pub(crate) fn cidr_or_address(path: &str, text: &str) -> Result<Cidr, Failure> {
    match text.parse::<Ipv4Addr>() {
        Ok(address) => Ok(Cidr { address, prefix: 32 }),
        Err(_) => cidr(path, text),
    }
}

pub(crate) fn address(path: &str, text: &str) -> Result<Ipv4Addr, Failure> {
    text.parse().map_err(|_| failed(path, format!("{text:?} is not an IPv4 address")))
}

fn maybe(path: &str, text: Option<&String>) -> Result<Option<Ipv4Addr>, Failure> {
    text.map(|it| address(path, it)).transpose()
}

/// Bytes: a number, or one with a unit.
pub(crate) fn bytes(text: &str) -> Option<u64> {
    let (digits, unit) = match text.find(|it: char| !it.is_ascii_digit()) {
        Some(at) => text.split_at(at),
        None => (text, ""),
    };
    let shift = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "ki" | "kib" => 10,
        "m" | "mb" | "mi" | "mib" => 20,
        "g" | "gb" | "gi" | "gib" => 30,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

/// As it was written, if that means the same.
fn written<T: PartialEq>(
    prior: Option<&String>,
    is: String,
    meaning: impl Fn(&str) -> Option<T>,
) -> String {
    match prior {
        Some(prior) if meaning(prior).is_some() && meaning(prior) == meaning(&is) => prior.clone(),
        _ => is,
    }
}

fn written_set<T: PartialEq>(
    prior: Option<&BTreeSet<String>>,
    is: impl Iterator<Item = String>,
    meaning: impl Fn(&str) -> Option<T>,
) -> BTreeSet<String> {
    is.map(|it| {
        let same = |prior: &&String| meaning(prior) == meaning(&it);
        let found = prior.into_iter().flatten().find(same).cloned();
        found.unwrap_or(it)
    })
    .collect()
}

fn any(text: &str) -> Option<Cidr> {
    cidr_or_address("", text).ok()
}

fn lower(text: &str) -> Option<String> {
    Some(text.to_lowercase())
}

fn text(it: impl ToString) -> Option<String> {
    Some(it.to_string())
}

/// A name's last part, made of what names may be made of.
fn own_name(kind: &str, here: Here<'_>) -> String {
    let plain = |it: char| if it.is_ascii_alphanumeric() { it } else { '-' };
    format!("{kind}-{}", here.nameless.chars().map(plain).collect::<String>())
}

impl Convert for Network {
    const OF: Kind = Kind::Network;

    fn called(&self) -> Option<String> {
        Some(self.name.clone())
    }

    fn spec(&self, _: Here<'_>) -> Result<Spec, Failure> {
        let external = match self.external.as_deref() {
            None => None,
            Some("isolated") => Some(spec::External::Isolated),
            Some("nat") => Some(spec::External::Nat),
            Some(other) => {
                return Err(failed("external", format!("{other:?} is not isolated or nat")));
            }
        };
        Ok(Spec::Network(spec::Network {
            name: self.name.clone(),
            subnet: cidr("subnet", &self.subnet)?,
            gateway: maybe("gateway", self.gateway.as_ref())?,
            mtu: self.mtu,
            external,
        }))
    }

    fn seen(object: &Object, _: Option<&Self>, _: Here<'_>) -> Option<Self> {
        let Spec::Network(it) = &object.spec else { return None };
        Some(Network {
            id: text(&it.name),
            name: it.name.clone(),
            subnet: it.subnet.to_string(),
            gateway: object.given.address.and_then(text),
            mtu: it.mtu,
            external: it.external.map(|it| match it {
                spec::External::Isolated => "isolated".to_owned(),
                spec::External::Nat => "nat".to_owned(),
            }),
            drift: object.given.drift.clone(),
        })
    }
}

impl Convert for Router {
    const OF: Kind = Kind::Router;

    fn called(&self) -> Option<String> {
        Some(self.name.clone())
    }

    fn spec(&self, _: Here<'_>) -> Result<Spec, Failure> {
        let route = |it: &Route| -> Result<spec::Route, Failure> {
            let destination = cidr("route", &it.destination)?;
            Ok(spec::Route { destination, next_hop: address("route", &it.next_hop)? })
        };
        let external_address = match self.external_network {
            Some(_) => maybe("external_address", self.external_address.as_ref())?,
            None => None,
        };
        Ok(Spec::Router(spec::Router {
            name: self.name.clone(),
            external_network: self.external_network.clone(),
            external_address,
            snat: self.snat,
            routes: self.route.iter().map(route).collect::<Result<_, _>>()?,
        }))
    }

    fn seen(object: &Object, _: Option<&Self>, _: Here<'_>) -> Option<Self> {
        let Spec::Router(it) = &object.spec else { return None };
        let route = |it: &spec::Route| Route {
            destination: it.destination.to_string(),
            next_hop: it.next_hop.to_string(),
        };
        Some(Router {
            id: text(&it.name),
            name: it.name.clone(),
            external_network: it.external_network.clone(),
            external_address: object.given.address.and_then(text),
            snat: it.snat,
            route: it.routes.iter().map(route).collect(),
            drift: object.given.drift.clone(),
        })
    }
}

impl Convert for RouterInterface {
    const OF: Kind = Kind::RouterInterface;

    fn called(&self) -> Option<String> {
        Some(format!("{}/{}", self.router, self.network))
    }

    fn spec(&self, _: Here<'_>) -> Result<Spec, Failure> {
        Ok(Spec::RouterInterface(spec::RouterInterface {
            name: format!("{}/{}", self.router, self.network),
            router: self.router.clone(),
            network: self.network.clone(),
            address: maybe("address", self.address.as_ref())?,
        }))
    }

    fn seen(object: &Object, _: Option<&Self>, _: Here<'_>) -> Option<Self> {
        let Spec::RouterInterface(it) = &object.spec else { return None };
        Some(RouterInterface {
            id: text(&it.name),
            router: it.router.clone(),
            network: it.network.clone(),
            address: object.given.address.and_then(text),
            drift: object.given.drift.clone(),
        })
    }
}

fn port(
    name: String,
    network: &str,
    own: Option<&String>,
    mac: Option<&String>,
    groups: &BTreeSet<String>,
    allowed: &BTreeSet<String>,
) -> Result<spec::Port, Failure> {
    let allowed = allowed.iter().map(|it| cidr_or_address("allowed_addresses", it));
    Ok(spec::Port {
        name,
        network: network.to_owned(),
        address: maybe("address", own)?,
        mac: mac.map(|it| it.to_lowercase()),
        security_groups: groups.iter().cloned().collect(),
        allowed_addresses: allowed.collect::<Result<_, _>>()?,
    })
}

impl Convert for Port {
    const OF: Kind = Kind::Port;

    fn called(&self) -> Option<String> {
        Some(self.name.clone())
    }

    fn spec(&self, _: Here<'_>) -> Result<Spec, Failure> {
        let (own, mac) = (self.address.as_ref(), self.mac.as_ref());
        let (groups, allowed) = (&self.security_groups, &self.allowed_addresses);
        port(self.name.clone(), &self.network, own, mac, groups, allowed).map(Spec::Port)
    }

    fn seen(object: &Object, prior: Option<&Self>, _: Here<'_>) -> Option<Self> {
        let Spec::Port(it) = &object.spec else { return None };
        let mac = object.given.mac.clone();
        let allowed = it.allowed_addresses.iter().map(ToString::to_string);
        Some(Port {
            id: text(&it.name),
            name: it.name.clone(),
            network: it.network.clone(),
            address: object.given.address.and_then(text),
            mac: mac.map(|it| written(prior.and_then(|it| it.mac.as_ref()), it, lower)),
            security_groups: it.security_groups.iter().cloned().collect(),
            allowed_addresses: written_set(prior.map(|it| &it.allowed_addresses), allowed, any),
            drift: object.given.drift.clone(),
        })
    }
}

impl Convert for SecurityGroup {
    const OF: Kind = Kind::SecurityGroup;

    fn called(&self) -> Option<String> {
        Some(self.name.clone())
    }

    fn spec(&self, _: Here<'_>) -> Result<Spec, Failure> {
        let description = self.description.clone().unwrap_or_default();
        Ok(Spec::SecurityGroup(spec::SecurityGroup { name: self.name.clone(), description }))
    }

    fn seen(object: &Object, _: Option<&Self>, _: Here<'_>) -> Option<Self> {
        let Spec::SecurityGroup(it) = &object.spec else { return None };
        Some(SecurityGroup {
            id: text(&it.name),
            name: it.name.clone(),
            description: text(&it.description),
            drift: object.given.drift.clone(),
        })
    }
}

fn protocol(path: &str, text: &str) -> Result<spec::Protocol, Failure> {
    match text {
        "icmp" => Ok(spec::Protocol::Icmp),
        "tcp" => Ok(spec::Protocol::Tcp),
        "udp" => Ok(spec::Protocol::Udp),
        other => Err(failed(path, format!("{other:?} is not icmp, tcp or udp"))),
    }
}

fn protocol_text(it: spec::Protocol) -> String {
    match it {
        spec::Protocol::Icmp => "icmp".to_owned(),
        spec::Protocol::Tcp => "tcp".to_owned(),
        spec::Protocol::Udp => "udp".to_owned(),
    }
}

/// Any code of ICMP.
const ANY_CODE: u16 = 256;

impl Convert for SecurityGroupRule {
    const OF: Kind = Kind::SecurityGroupRule;

    fn called(&self) -> Option<String> {
        self.name.clone()
    }

    fn spec(&self, here: Here<'_>) -> Result<Spec, Failure> {
        let protocol = self.protocol.as_deref().map(|it| protocol("protocol", it)).transpose()?;
        let ports = match protocol {
            Some(spec::Protocol::Icmp) => {
                self.icmp_type.map(|it| (u16::from(it), self.icmp_code.map_or(ANY_CODE, u16::from)))
            }
            _ => self.port_range_min.map(|it| (it, self.port_range_max.unwrap_or(it))),
        };
        let remote = self.remote_cidr.as_deref();
        Ok(Spec::SecurityGroupRule(spec::SecurityGroupRule {
            name: self.name.clone().unwrap_or_else(|| own_name("rule", here)),
            security_group: self.security_group.clone(),
            direction: match self.direction.as_str() {
                "ingress" => spec::Direction::Ingress,
                "egress" => spec::Direction::Egress,
                other => {
                    let words = format!("{other:?} is not ingress or egress");
                    return Err(failed("direction", words));
                }
            },
            protocol,
            ports,
            remote_cidr: remote.map(|it| cidr_or_address("remote_cidr", it)).transpose()?,
            remote_group: self.remote_group.clone(),
        }))
    }

    fn seen(object: &Object, prior: Option<&Self>, _: Here<'_>) -> Option<Self> {
        let Spec::SecurityGroupRule(it) = &object.spec else { return None };
        let icmp = it.protocol == Some(spec::Protocol::Icmp);
        let ports = it.ports.filter(|_| !icmp);
        let control = it.ports.filter(|_| icmp);
        let before = prior.and_then(|it| it.remote_cidr.as_ref());
        Some(SecurityGroupRule {
            id: text(&it.name),
            name: text(&it.name),
            security_group: it.security_group.clone(),
            direction: match it.direction {
                spec::Direction::Ingress => "ingress".to_owned(),
                spec::Direction::Egress => "egress".to_owned(),
            },
            protocol: it.protocol.map(protocol_text),
            port_range_min: ports.map(|it| it.0),
            port_range_max: ports.map(|it| it.1),
            icmp_type: control.and_then(|it| u8::try_from(it.0).ok()),
            icmp_code: control.and_then(|it| u8::try_from(it.1).ok()),
            remote_cidr: it.remote_cidr.map(|it| written(before, it.to_string(), any)),
            remote_group: it.remote_group.clone(),
            drift: object.given.drift.clone(),
        })
    }
}

impl Convert for FloatingIp {
    const OF: Kind = Kind::FloatingIp;

    fn called(&self) -> Option<String> {
        self.name.clone()
    }

    fn spec(&self, here: Here<'_>) -> Result<Spec, Failure> {
        Ok(Spec::FloatingIp(spec::FloatingIp {
            name: self.name.clone().unwrap_or_else(|| own_name("ip", here)),
            network: self.network.clone(),
            address: maybe("address", self.address.as_ref())?,
            port: self.port.clone(),
        }))
    }

    fn seen(object: &Object, _: Option<&Self>, _: Here<'_>) -> Option<Self> {
        let Spec::FloatingIp(it) = &object.spec else { return None };
        Some(FloatingIp {
            id: text(&it.name),
            name: text(&it.name),
            network: it.network.clone(),
            address: object.given.address.and_then(text),
            port: it.port.clone(),
            drift: object.given.drift.clone(),
        })
    }
}

impl Convert for PortForward {
    const OF: Kind = Kind::PortForward;

    fn called(&self) -> Option<String> {
        self.name.clone()
    }

    fn spec(&self, here: Here<'_>) -> Result<Spec, Failure> {
        Ok(Spec::PortForward(spec::PortForward {
            name: self.name.clone().unwrap_or_else(|| own_name("forward", here)),
            router: self.router.clone(),
            protocol: protocol("protocol", &self.protocol)?,
            external_port: self.external_port,
            internal_address: address("internal_address", &self.internal_address)?,
            internal_port: self.internal_port,
        }))
    }

    fn seen(object: &Object, _: Option<&Self>, _: Here<'_>) -> Option<Self> {
        let Spec::PortForward(it) = &object.spec else { return None };
        Some(PortForward {
            id: text(&it.name),
            name: text(&it.name),
            router: it.router.clone(),
            protocol: protocol_text(it.protocol),
            external_port: it.external_port,
            internal_address: it.internal_address.to_string(),
            internal_port: it.internal_port,
            drift: object.given.drift.clone(),
        })
    }
}

impl Convert for Host {
    const OF: Kind = Kind::Host;

    fn called(&self) -> Option<String> {
        Some(self.name.clone())
    }

    fn spec(&self, here: Here<'_>) -> Result<Spec, Failure> {
        let absolute = |it: &String| here.directory.join(it).to_string_lossy().into_owned();
        let root = match (&self.folder, &self.image, &self.snapshot) {
            (Some(it), None, None) => spec::Root::Folder(absolute(it)),
            (None, Some(it), None) => spec::Root::Image(absolute(it)),
            (None, None, Some(it)) => spec::Root::Snapshot(it.clone()),
            (None, None, None) => spec::Root::Machine,
            _ => return Err(failed("folder", "A host is of a folder, an image or a snapshot")),
        };
        let interface = |(at, it): (usize, &Interface)| match (&it.port, &it.network) {
            (Some(port), None) => Ok(spec::Interface::Port(port.clone())),
            (None, Some(network)) => {
                let name = format!("{}/{at}", self.name);
                let (own, mac) = (it.address.as_ref(), it.mac.as_ref());
                let (groups, allowed) = (&it.security_groups, &it.allowed_addresses);
                port(name, network, own, mac, groups, allowed).map(spec::Interface::Own)
            }
            _ => Err(failed("interface", "An interface is of a port or of a network")),
        };
        let interfaces = self.interface.iter().enumerate().map(interface);
        Ok(Spec::Host(spec::Host {
            name: self.name.clone(),
            interfaces: interfaces.collect::<Result<_, _>>()?,
            root,
            command: self.command.clone(),
            env: self.env.clone(),
            files: self.files.clone(),
            restart: match self.restart.as_str() {
                "no" => spec::Restart::No,
                "on-failure" => spec::Restart::OnFailure,
                "always" => spec::Restart::Always,
                other => {
                    let words = format!("{other:?} is not no, on-failure or always");
                    return Err(failed("restart", words));
                }
            },
            health: self.health.as_ref().map(|it| spec::Health {
                command: it.command.clone(),
                interval: it.interval,
                retries: it.retries,
            }),
            limits: match &self.limits {
                None => spec::Limits::default(),
                Some(it) => limits(it)?,
            },
        }))
    }

    fn seen(object: &Object, prior: Option<&Self>, here: Here<'_>) -> Option<Self> {
        let Spec::Host(it) = &object.spec else { return None };
        let given = &object.given;
        let path = |it: &str| Some(here.directory.join(it));
        let (mut folder, mut image, mut snapshot) = (None, None, None);
        match &it.root {
            spec::Root::Machine => {}
            spec::Root::Folder(it) => {
                folder = Some(written(prior.and_then(|it| it.folder.as_ref()), it.clone(), path));
            }
            spec::Root::Image(it) => {
                image = Some(written(prior.and_then(|it| it.image.as_ref()), it.clone(), path));
            }
            spec::Root::Snapshot(it) => snapshot = Some(it.clone()),
        }
        let before = |at: usize| prior.and_then(|it| it.interface.get(at));
        let interfaces = it.interfaces.iter().enumerate();
        let none = spec::Limits::default();
        Some(Host {
            id: text(&it.name),
            name: it.name.clone(),
            interface: interfaces.map(|(at, it)| seen_interface(it, before(at))).collect(),
            folder,
            image,
            snapshot,
            command: it.command.clone(),
            env: it.env.clone(),
            files: it.files.clone(),
            restart: match it.restart {
                spec::Restart::No => "no".to_owned(),
                spec::Restart::OnFailure => "on-failure".to_owned(),
                spec::Restart::Always => "always".to_owned(),
            },
            health: it.health.as_ref().map(|it| Health {
                command: it.command.clone(),
                interval: it.interval,
                retries: it.retries,
            }),
            limits: match (&it.limits, prior.and_then(|it| it.limits.as_ref())) {
                (limits, None) if *limits == none => None,
                (limits, prior) => Some(seen_limits(limits, prior)),
            },
            address: given.address.and_then(text),
            addresses: given.addresses.iter().map(ToString::to_string).collect(),
            macs: given.macs.clone(),
            status: given.status.clone(),
            pid: given.pid,
            exit_code: given.exit_code,
            drift: given.drift.clone(),
        })
    }
}

fn limits(it: &Limits) -> Result<spec::Limits, Failure> {
    let memory = it.memory.as_ref().map(|text| {
        let words = || format!("{text:?} is no size: bytes, or with a unit, such as \"64m\"");
        bytes(text).ok_or_else(|| failed("limits", words()))
    });
    let cpu = it.cpu.map(|it| match it * 1000.0 {
        part if (1.0..1e9).contains(&part) => Ok(part.round() as u64),
        _ => Err(failed("limits", format!("{it} is no number of processors"))),
    });
    Ok(spec::Limits { memory: memory.transpose()?, pids: it.pids, cpu: cpu.transpose()? })
}

fn seen_limits(it: &spec::Limits, prior: Option<&Limits>) -> Limits {
    let memory = prior.and_then(|it| it.memory.as_ref());
    Limits {
        memory: it.memory.map(|it| written(memory, it.to_string(), bytes)),
        pids: it.pids,
        cpu: it.cpu.map(|it| it as f64 / 1000.0),
    }
}

fn seen_interface(it: &spec::Interface, prior: Option<&Interface>) -> Interface {
    let none = Interface {
        port: None,
        network: None,
        address: None,
        mac: None,
        security_groups: BTreeSet::new(),
        allowed_addresses: BTreeSet::new(),
    };
    match it {
        spec::Interface::Port(name) => Interface { port: Some(name.clone()), ..none },
        spec::Interface::Own(port) => {
            let allowed = port.allowed_addresses.iter().map(ToString::to_string);
            let before = prior.and_then(|it| it.mac.as_ref());
            Interface {
                network: Some(port.network.clone()),
                address: port.address.and_then(text),
                mac: port.mac.clone().map(|it| written(before, it, lower)),
                security_groups: port.security_groups.iter().cloned().collect(),
                allowed_addresses: written_set(prior.map(|it| &it.allowed_addresses), allowed, any),
                ..none
            }
        }
    }
}

impl Convert for Snapshot {
    const OF: Kind = Kind::Snapshot;

    fn called(&self) -> Option<String> {
        Some(self.name.clone())
    }

    fn spec(&self, _: Here<'_>) -> Result<Spec, Failure> {
        let (name, host) = (self.name.clone(), self.host.clone());
        Ok(Spec::Snapshot(spec::Snapshot { name, host }))
    }

    fn seen(object: &Object, prior: Option<&Self>, _: Here<'_>) -> Option<Self> {
        let Spec::Snapshot(it) = &object.spec else { return None };
        Some(Snapshot {
            id: text(&it.name),
            name: it.name.clone(),
            host: it.host.clone(),
            triggers: prior.map(|it| it.triggers.clone()).unwrap_or_default(),
            drift: object.given.drift.clone(),
        })
    }
}

impl Convert for Link {
    const OF: Kind = Kind::Link;

    fn called(&self) -> Option<String> {
        Some(self.name.clone())
    }

    fn spec(&self, _: Here<'_>) -> Result<Spec, Failure> {
        let [a, b] = &self.end[..] else { return Err(failed("end", "A cable has two ends")) };
        let end =
            |it: &End| -> Result<_, Failure> { Ok((it.host.clone(), cidr("end", &it.address)?)) };
        Ok(Spec::Link(spec::Link { name: self.name.clone(), ends: [end(a)?, end(b)?] }))
    }

    fn seen(object: &Object, _: Option<&Self>, _: Here<'_>) -> Option<Self> {
        let Object { spec: Spec::Link(it), given: Given { drift, .. } } = object else {
            return None;
        };
        let end = |it: &(String, Cidr)| End { host: it.0.clone(), address: it.1.to_string() };
        Some(Link {
            id: text(&it.name),
            name: it.name.clone(),
            end: it.ends.iter().map(end).collect(),
            drift: drift.clone(),
        })
    }
}
