//! What cannot be: checked against everything else that there is, before anything is changed.

use std::net::Ipv4Addr;

use super::addresses::{gateway, taken};
use super::{Cloud, Key, own_ports, references};
use crate::spec::{Interface, Kind, Network, Port, PortForward, Router, RouterInterface, Spec};
use crate::wire::Refusal;

/// Whether an object can be there. It itself is not, at this moment.
pub(super) fn spec(cloud: &Cloud, spec: &Spec) -> Result<(), Refusal> {
    for ((kind, name), argument) in references(spec) {
        let found = cloud.get(kind, &name).is_some();
        if argument == "port" {
            if kind == Kind::Port && !found && cloud.get(Kind::Host, &name).is_none() {
                let said = format!("There is no port and no host called {name:?}.");
                return Err(Refusal::new("Unknown port", said).at(argument));
            }
        } else if !found {
            let what = said(kind);
            let detail = format!("There is no {what} called {name:?}.");
            return Err(Refusal::new(format!("Unknown {what}"), detail).at(argument));
        }
    }
    match spec {
        Spec::Network(it) => network(it),
        Spec::Router(it) => {
            circle(cloud, it)?;
            let Some(outside) = it.external_network.as_deref().and_then(|it| cloud.network(it))
            else {
                return Ok(());
            };
            external(outside, "external_network")?;
            free(cloud, outside, it.external_address, "external_address")
        }
        Spec::RouterInterface(it) => router_interface(cloud, it),
        Spec::Port(it) => port(cloud, it),
        Spec::FloatingIp(it) => {
            let Some(outside) = cloud.network(&it.network) else { return Ok(()) };
            external(outside, "network")?;
            free(cloud, outside, it.address, "address")
        }
        Spec::PortForward(it) => port_forward(cloud, it),
        Spec::Host(it) => {
            for interface in &it.interfaces {
                let Interface::Port(port) = interface else { continue };
                if let Some(other) = cloud.host_of(port) {
                    let detail = format!("Port {port:?} is plugged into host {other:?}.");
                    return Err(Refusal::new("Port in use", detail).at("interface"));
                }
            }
            let mut macs: Vec<_> = own_ports(spec).filter_map(|it| it.mac.as_ref()).collect();
            macs.sort();
            match macs.windows(2).find(|it| it[0] == it[1]) {
                Some(twice) => Err(duplicate_mac(twice[0], "this host")),
                None => Ok(()),
            }
        }
        Spec::SecurityGroup(_) | Spec::SecurityGroupRule(_) | Spec::Snapshot(_) | Spec::Link(_) => {
            Ok(())
        }
    }
}

fn network(it: &Network) -> Result<(), Refusal> {
    let subnet = it.subnet;
    if !subnet.is_subnet() {
        let detail = format!("{subnet} has bits set right of its prefix: {}.", subnet.network());
        return Err(Refusal::new("Not a subnet", detail).at("subnet"));
    }
    if subnet.prefix > 30 {
        let detail = format!("{subnet} has no room for a gateway and a host.");
        return Err(Refusal::new("Subnet too small", detail).at("subnet"));
    }
    let gateway = gateway(it);
    if !subnet.contains(gateway) || gateway == subnet.address || gateway == subnet.broadcast() {
        let detail = format!("{gateway} is not an address for a host in {subnet}.");
        return Err(Refusal::new("Invalid gateway", detail).at("gateway"));
    }
    Ok(())
}

/// Refuses routes by which packets would come back.
fn circle(cloud: &Cloud, router: &Router) -> Result<(), Refusal> {
    for route in &router.routes {
        let mut way = vec![router];
        let mut hop = route.next_hop;
        while let Some(next) = at_address(cloud, way.last().unwrap_or(&router), router, hop) {
            let seen = way.iter().any(|it| it.name == next.name);
            way.push(next);
            if seen {
                let names: Vec<&str> = way.iter().map(|it| it.name.as_str()).collect();
                let detail = format!(
                    "What goes to {} goes in a circle: {}.",
                    route.destination,
                    names.join(", ")
                );
                return Err(Refusal::new("Routes in a circle", detail).at("route"));
            }
            let here = networks_of(cloud, next).any(|it| it.subnet.overlaps(route.destination));
            let on = next.routes.iter().filter(|it| {
                it.destination.prefix <= route.destination.prefix
                    && it.destination.contains(route.destination.address)
            });
            match on.max_by_key(|it| it.destination.prefix) {
                Some(on) if !here => hop = on.next_hop,
                _ => break,
            }
        }
    }
    Ok(())
}

/// The router that has an address in one of the networks of another. `new` is not in the cloud yet.
fn at_address<'a>(
    cloud: &'a Cloud,
    from: &'a Router,
    new: &'a Router,
    address: Ipv4Addr,
) -> Option<&'a Router> {
    networks_of(cloud, from).find_map(|network| {
        let mut users = cloud.users(Kind::Network, &network.name);
        let user = users.find(|it| cloud.objects[*it].address == Some(address))?;
        let name = match &cloud.objects[user].spec {
            Spec::RouterInterface(it) => &it.router,
            Spec::Router(it) => &it.name,
            _ => return None,
        };
        if *name == new.name {
            return Some(new);
        }
        match &cloud.get(Kind::Router, name)?.spec {
            Spec::Router(it) => Some(it),
            _ => None,
        }
    })
}

/// The networks that a router is in.
fn networks_of<'a>(cloud: &'a Cloud, router: &'a Router) -> impl Iterator<Item = &'a Network> {
    let feet = cloud.users_of(Kind::Router, &router.name, Kind::RouterInterface);
    let inside = feet.filter_map(|it| match &it.spec {
        Spec::RouterInterface(it) => cloud.network(&it.network),
        _ => None,
    });
    inside.chain(router.external_network.as_deref().and_then(|it| cloud.network(it)))
}

fn router_interface(cloud: &Cloud, it: &RouterInterface) -> Result<(), Refusal> {
    let Some(network) = cloud.network(&it.network) else { return Ok(()) };
    if network.external.is_some() {
        let detail = format!(
            "Network {:?} is external: a router leads to it by external_network.",
            network.name
        );
        return Err(Refusal::new("Network is external", detail).at("network"));
    }
    let address = it.address.unwrap_or_else(|| gateway(network));
    if !network.subnet.contains(address) {
        return Err(outside(network, address, "address"));
    }
    if let Some(other) = holder(cloud, network, address) {
        return Err(in_use(address, &other, "address"));
    }
    let router = cloud.get(Kind::Router, &it.router);
    let external = router.and_then(|it| match &it.spec {
        Spec::Router(it) => it.external_network.clone(),
        _ => None,
    });
    let feet = cloud.users_of(Kind::Router, &it.router, Kind::RouterInterface);
    let feet = feet.filter_map(|foot| match &foot.spec {
        Spec::RouterInterface(foot) => Some(foot.network.clone()),
        _ => None,
    });
    for other in feet.chain(external) {
        let Some(other) = cloud.network(&other) else { continue };
        if other.subnet.overlaps(network.subnet) {
            let detail = format!(
                "Router {:?} is in network {:?} with {}, which shares addresses with {} of network {:?}.",
                it.router, other.name, other.subnet, network.subnet, network.name
            );
            return Err(Refusal::new("Subnets overlap", detail).at("network"));
        }
    }
    Ok(())
}

fn port(cloud: &Cloud, it: &Port) -> Result<(), Refusal> {
    let Some(network) = cloud.network(&it.network) else { return Ok(()) };
    free(cloud, network, it.address, "address")?;
    let Some(mac) = &it.mac else { return Ok(()) };
    let mut others = cloud.users_of(Kind::Network, &it.network, Kind::Port);
    match others.find(|other| other.mac.as_deref() == Some(mac)) {
        Some(other) => Err(duplicate_mac(mac, &format!("port {:?}", other.spec.name()))),
        None => Ok(()),
    }
}

fn port_forward(cloud: &Cloud, it: &PortForward) -> Result<(), Refusal> {
    let router = cloud.get(Kind::Router, &it.router).map(|it| &it.spec);
    if let Some(Spec::Router(router)) = router
        && router.external_network.is_none()
    {
        let detail = format!("Router {:?} has no external network to forward from.", it.router);
        return Err(Refusal::new("Router leads nowhere", detail).at("router"));
    }
    let mut others = cloud.users_of(Kind::Router, &it.router, Kind::PortForward);
    let twice = others.find(|other| {
        matches!(&other.spec, Spec::PortForward(other)
            if (other.protocol, other.external_port) == (it.protocol, it.external_port))
    });
    match twice {
        Some(other) => {
            let detail =
                format!("Port {} leads to {:?} already.", it.external_port, other.spec.name());
            Err(Refusal::new("Port in use", detail).at("external_port"))
        }
        None => Ok(()),
    }
}

/// Whether an address that was asked for can be had.
fn free(
    cloud: &Cloud,
    network: &Network,
    address: Option<Ipv4Addr>,
    argument: &str,
) -> Result<(), Refusal> {
    let Some(address) = address else { return Ok(()) };
    let subnet = network.subnet;
    if !subnet.contains(address) || address == subnet.address || address == subnet.broadcast() {
        return Err(outside(network, address, argument));
    }
    let is_gateway = address == gateway(network);
    match holder(cloud, network, address) {
        Some(other) => Err(in_use(address, &other, argument)),
        None if is_gateway => Err(in_use(address, "the network's gateway", argument)),
        None => Ok(()),
    }
}

/// Who has an address.
fn holder(cloud: &Cloud, network: &Network, address: Ipv4Addr) -> Option<String> {
    if !taken(cloud, network).contains(&address) {
        return None;
    }
    let mut users = cloud.users(Kind::Network, &network.name);
    let user = users.find(|it| cloud.objects[*it].address == Some(address))?;
    Some(format!("{} {:?}", said(user.0), user.1))
}

fn external(network: &Network, argument: &str) -> Result<(), Refusal> {
    match network.external {
        Some(_) => Ok(()),
        None => {
            let detail = format!("Network {:?} is not external.", network.name);
            Err(Refusal::new("Network is not external", detail).at(argument))
        }
    }
}

fn outside(network: &Network, address: Ipv4Addr, argument: &str) -> Refusal {
    let detail = format!(
        "{address} is not an address for a host in {}, the subnet of network {:?}.",
        network.subnet, network.name
    );
    Refusal::new("Address outside its subnet", detail).at(argument)
}

fn in_use(address: Ipv4Addr, by: &str, argument: &str) -> Refusal {
    Refusal::new("Address in use", format!("{address} belongs to {by}.")).at(argument)
}

fn duplicate_mac(mac: &str, by: &str) -> Refusal {
    Refusal::new("Duplicate hardware address", format!("{mac} belongs to {by}.")).at("mac")
}

/// Refuses while others hang on an object that could not be without it.
pub(super) fn unused(cloud: &Cloud, key: &Key) -> Result<(), Refusal> {
    let mut users = cloud.users(key.0, &key.1).filter(|user| {
        // An address without anybody behind it, and a snapshot that was laid out, go on.
        !matches!(
            (key.0, user.0),
            (Kind::Port | Kind::Host, Kind::FloatingIp) | (Kind::Snapshot, _)
        ) && cloud.objects.contains_key(*user)
    });
    match users.next() {
        Some((kind, name)) => Err(Refusal::new(
            format!("{} in use", capital(said(key.0))),
            format!("The {} {name:?} uses the {} {:?}.", said(*kind), said(key.0), key.1),
        )),
        None => Ok(()),
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|it| it.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// A kind in a sentence.
pub(crate) fn said(kind: Kind) -> &'static str {
    match kind {
        Kind::Network => "network",
        Kind::Router => "router",
        Kind::RouterInterface => "router interface",
        Kind::Port => "port",
        Kind::SecurityGroup => "security group",
        Kind::SecurityGroupRule => "security group rule",
        Kind::FloatingIp => "floating IP",
        Kind::PortForward => "port forward",
        Kind::Host => "host",
        Kind::Snapshot => "snapshot",
        Kind::Link => "link",
    }
}
