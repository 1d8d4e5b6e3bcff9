//! Which address and hardware address an object gets.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use super::{Cloud, Key};
use crate::spec::{Cidr, Kind, Network, Port, Spec};
use crate::wire::Refusal;

/// The address of an object; `before` is the one it had. Where its owner does not say, the lowest free one
/// of the subnet's upper half.
pub(super) fn of(
    cloud: &Cloud,
    spec: &Spec,
    before: Option<Ipv4Addr>,
) -> Result<Option<Ipv4Addr>, Refusal> {
    let (network, wanted) = match spec {
        Spec::Network(it) => return Ok(Some(gateway(it))),
        Spec::Router(it) => match &it.external_network {
            Some(network) => (network, it.external_address),
            None => return Ok(None),
        },
        Spec::RouterInterface(it) => {
            let network = cloud.network(&it.network);
            return Ok(it.address.or(network.map(gateway)));
        }
        Spec::Port(it) => (&it.network, it.address),
        Spec::FloatingIp(it) => (&it.network, it.address),
        _ => return Ok(None),
    };
    if wanted.is_some() {
        return Ok(wanted);
    }
    let Some(network) = cloud.network(network) else { return Ok(None) };
    let taken = taken(cloud, network);
    if let Some(before) = before.filter(|it| usable(network, *it) && !taken.contains(it)) {
        return Ok(Some(before));
    }
    let (first, last) = (u32::from(network.subnet.address), u32::from(network.subnet.broadcast()));
    // The lower half last: those who say which address they want mostly want one of it, and may say so
    // later than others who take what comes.
    let middle = first + (last - first) / 2 + 1;
    let mut free = (middle..=last).chain(first..middle).map(Ipv4Addr::from);
    let found = free.find(|it| usable(network, *it) && !taken.contains(it));
    found.map(Some).ok_or_else(|| {
        let (name, subnet) = (&network.name, network.subnet);
        Refusal::new(
            format!("No address is free in network {name:?}"),
            format!("All of {subnet} are taken. Give the network a larger subnet."),
        )
    })
}

/// When a network gets another subnet, whoever did not ask for an address moves along.
pub(super) fn move_along(cloud: &mut Cloud, key: &Key) -> Result<(), Refusal> {
    if key.0 != Kind::Network {
        return Ok(());
    }
    let users: Vec<Key> = cloud.users(key.0, &key.1).cloned().collect();
    for user in users {
        let Some(entry) = cloud.objects.get(&user) else { continue };
        let fits = |it: &Ipv4Addr| cloud.network(&key.1).is_some_and(|net| usable(net, *it));
        if entry.address.as_ref().is_some_and(fits) {
            continue;
        }
        let address = of(cloud, &entry.spec, entry.address)?;
        if let Some(entry) = cloud.objects.get_mut(&user) {
            entry.address = address;
        }
    }
    Ok(())
}

/// The hardware address of a port: locally administered, made from its name.
pub(crate) fn mac(port: &Port) -> String {
    if let Some(mac) = &port.mac {
        return mac.to_lowercase();
    }
    // FNV-1a over network and name: the same port has the same address on every machine.
    let text = format!("{}\0{}", port.network, port.name);
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    });
    let [_, _, _, a, b, c, d, e] = hash.to_be_bytes();
    format!("02:{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}")
}

/// The address that hosts of a network send everything else to.
pub(crate) fn gateway(network: &Network) -> Ipv4Addr {
    let first = Ipv4Addr::from(u32::from(network.subnet.address).saturating_add(1));
    network.gateway.unwrap_or(first)
}

/// Whether it may be handed out.
fn usable(network: &Network, address: Ipv4Addr) -> bool {
    let Cidr { address: first, .. } = network.subnet;
    network.subnet.contains(address)
        && address != first
        && address != network.subnet.broadcast()
        && address != gateway(network)
}

/// What somebody has in a network.
pub(super) fn taken(cloud: &Cloud, network: &Network) -> BTreeSet<Ipv4Addr> {
    let users = cloud.users(Kind::Network, &network.name);
    users.filter_map(|it| cloud.objects.get(it)?.address).collect()
}

impl Cloud {
    /// A network.
    pub(crate) fn network(&self, name: &str) -> Option<&Network> {
        match &self.get(Kind::Network, name)?.spec {
            Spec::Network(it) => Some(it),
            _ => None,
        }
    }
}
