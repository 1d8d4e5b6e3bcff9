//! Links, addresses and routes as netlink messages.

use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsRawFd as _, BorrowedFd};

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST, NetlinkMessage,
};
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{
    AfSpecInet6, AfSpecUnspec, In6AddrGenMode, InfoData, InfoKind, InfoVeth, LinkAttribute,
    LinkExtentMask, LinkFlags, LinkInfo, LinkMessage,
};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use crate::spec::Cidr;
use crate::want::{Link, Route};

/// A message, and in words what it does, for its error.
pub(super) struct Request {
    pub(super) bytes: Vec<u8>,
    pub(super) what: String,
    /// Errors that mean it is so already.
    pub(super) fine: &'static [i32],
}

const EXISTS: i32 = 17;
const NO_DEVICE: i32 = 19;
const NO_PROCESS: i32 = 3;
const NO_ADDRESS: i32 = 99;
/// There is no IPv6 on it, or in this kernel.
const NO_FAMILY: i32 = 97;

fn request(
    message: RouteNetlinkMessage,
    flags: u16,
    what: String,
    fine: &'static [i32],
) -> Request {
    let mut message = NetlinkMessage::from(message);
    message.header.flags = NLM_F_REQUEST | flags;
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    Request { bytes, what, fine }
}

fn named(name: &str, index: u32) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message.attributes.push(LinkAttribute::IfName(name.to_owned()));
    message
}

pub(super) fn bridge(name: &str, index: u32) -> Request {
    let mut message = named(name, index);
    message.attributes.push(LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Bridge)]));
    let flags = NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
    request(RouteNetlinkMessage::NewLink(message), flags, format!("make bridge {name}"), &[])
}

/// A pair; its other end is in another namespace from the start.
pub(super) fn cable(a: (&str, u32), b: (&str, u32), namespace_of_b: BorrowedFd<'_>) -> Request {
    let mut peer = named(b.0, b.1);
    peer.attributes.push(LinkAttribute::NetNsFd(namespace_of_b.as_raw_fd()));
    let mut message = named(a.0, a.1);
    message.attributes.push(LinkAttribute::LinkInfo(vec![
        LinkInfo::Kind(InfoKind::Veth),
        LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
    ]));
    let flags = NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
    let what = format!("connect link {} with link {}", a.0, b.0);
    request(RouteNetlinkMessage::NewLink(message), flags, what, &[])
}

pub(super) fn delete_link(name: &str, index: u32) -> Request {
    let mut message = LinkMessage::default();
    message.header.index = index;
    let what = format!("delete link {name}");
    request(RouteNetlinkMessage::DelLink(message), NLM_F_ACK, what, &[NO_DEVICE])
}

/// It gives itself no IPv6 address: nothing passes by addresses that nobody gave. To be done before it is up.
pub(super) fn plain_link(name: &str, index: u32) -> Request {
    let mut message = LinkMessage::default();
    message.header.index = index;
    let none = AfSpecInet6::AddrGenMode(In6AddrGenMode::None);
    let inet6 = AfSpecUnspec::Inet6(vec![none]);
    message.attributes.push(LinkAttribute::AfSpecUnspec(vec![inet6]));
    let what = format!("keep IPv6 off link {name}");
    request(RouteNetlinkMessage::SetLink(message), NLM_F_ACK, what, &[NO_FAMILY])
}

/// Its hardware address, MTU and bridge; up.
pub(super) fn set_link(name: &str, index: u32, link: &Link, master: u32) -> Request {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message.header.flags = LinkFlags::Up;
    message.header.change_mask = LinkFlags::Up;
    if let Some(mac) = &link.mac {
        let bytes = mac.split(':').filter_map(|it| u8::from_str_radix(it, 16).ok()).collect();
        message.attributes.push(LinkAttribute::Address(bytes));
    }
    if link.mtu != 0 {
        message.attributes.push(LinkAttribute::Mtu(link.mtu));
    }
    if !link.bridge {
        message.attributes.push(LinkAttribute::Controller(master));
    }
    let what = format!("set up link {name}");
    request(RouteNetlinkMessage::SetLink(message), NLM_F_ACK, what, &[])
}

pub(super) fn link_up(name: &str, index: u32) -> Request {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message.header.flags = LinkFlags::Up;
    message.header.change_mask = LinkFlags::Up;
    request(RouteNetlinkMessage::SetLink(message), NLM_F_ACK, format!("set up link {name}"), &[])
}

fn address_message(index: u32, address: Cidr) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family = AddressFamily::Inet;
    message.header.prefix_len = address.prefix;
    message.header.index = index;
    message.attributes.push(AddressAttribute::Local(IpAddr::V4(address.address)));
    message.attributes.push(AddressAttribute::Address(IpAddr::V4(address.address)));
    if address.prefix < 31 {
        message.attributes.push(AddressAttribute::Broadcast(address.broadcast()));
    }
    message
}

pub(super) fn add_address(link: &str, index: u32, address: Cidr) -> Request {
    let message = RouteNetlinkMessage::NewAddress(address_message(index, address));
    let flags = NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE;
    request(message, flags, format!("give link {link} the address {address}"), &[EXISTS])
}

pub(super) fn delete_address(link: &str, index: u32, address: Cidr) -> Request {
    let message = RouteNetlinkMessage::DelAddress(address_message(index, address));
    let what = format!("take the address {address} from link {link}");
    request(message, NLM_F_ACK, what, &[NO_ADDRESS, NO_DEVICE])
}

fn route_message(route: &Route, loopback: u32) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = AddressFamily::Inet;
    message.header.table = RouteHeader::RT_TABLE_MAIN;
    message.header.protocol = RouteProtocol::Static;
    let destination = match route {
        Route::Via { destination, next_hop } => {
            message.header.scope = RouteScope::Universe;
            message.header.kind = RouteType::Unicast;
            message.attributes.push(RouteAttribute::Gateway(RouteAddress::Inet(*next_hop)));
            *destination
        }
        Route::Local(destination) => {
            message.header.scope = RouteScope::Host;
            message.header.kind = RouteType::Local;
            message.attributes.push(RouteAttribute::Oif(loopback));
            *destination
        }
        Route::Nowhere(destination) => {
            message.header.scope = RouteScope::Universe;
            message.header.kind = RouteType::Unreachable;
            *destination
        }
    };
    message.header.destination_prefix_length = destination.prefix;
    if destination.prefix > 0 {
        let address = RouteAddress::Inet(destination.address);
        message.attributes.push(RouteAttribute::Destination(address));
    }
    message
}

pub(super) fn add_route(route: &Route) -> Request {
    let message = RouteNetlinkMessage::NewRoute(route_message(route, 1));
    let flags = NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE;
    request(message, flags, format!("add the route {route:?}"), &[EXISTS])
}

pub(super) fn delete_route(route: &Route) -> Request {
    let message = RouteNetlinkMessage::DelRoute(route_message(route, 1));
    // Routes go with the link or the address that leads to them.
    let fine = &[NO_PROCESS, NO_DEVICE, 101];
    request(message, NLM_F_ACK, format!("delete the route {route:?}"), fine)
}

pub(super) fn list_links() -> Vec<u8> {
    let mut message = LinkMessage::default();
    message.attributes.push(LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]));
    request(RouteNetlinkMessage::GetLink(message), NLM_F_DUMP, String::new(), &[]).bytes
}

pub(super) fn list_addresses() -> Vec<u8> {
    let mut message = AddressMessage::default();
    message.header.family = AddressFamily::Inet;
    request(RouteNetlinkMessage::GetAddress(message), NLM_F_DUMP, String::new(), &[]).bytes
}

pub(super) fn list_routes() -> Vec<u8> {
    let mut message = RouteMessage::default();
    message.header.address_family = AddressFamily::Inet;
    request(RouteNetlinkMessage::GetRoute(message), NLM_F_DUMP, String::new(), &[]).bytes
}

/// A link as the kernel has it.
pub(super) struct SeenLink {
    pub(super) name: String,
    pub(super) index: u32,
    /// The index of the other end, in its namespace.
    pub(super) peer: Option<u32>,
    pub(super) up: bool,
    pub(super) loopback: bool,
    pub(super) master: Option<u32>,
    pub(super) link: Link,
}

pub(super) fn seen_link(message: LinkMessage) -> SeenLink {
    let flags = message.header.flags;
    let mut seen = SeenLink {
        name: String::new(),
        index: message.header.index,
        peer: None,
        up: flags.contains(LinkFlags::Up),
        loopback: flags.contains(LinkFlags::Loopback),
        master: None,
        link: Link::default(),
    };
    for attribute in message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => seen.name = name,
            LinkAttribute::Mtu(mtu) => seen.link.mtu = mtu,
            LinkAttribute::Link(peer) => seen.peer = Some(peer),
            LinkAttribute::Controller(master) => seen.master = Some(master),
            LinkAttribute::Address(bytes) => {
                let pairs: Vec<String> = bytes.iter().map(|it| format!("{it:02x}")).collect();
                seen.link.mac = Some(pairs.join(":"));
            }
            LinkAttribute::LinkInfo(infos) => {
                seen.link.bridge = infos.contains(&LinkInfo::Kind(InfoKind::Bridge));
            }
            _ => {}
        }
    }
    seen
}

/// An address, and the index of its link.
pub(super) fn seen_address(message: &AddressMessage) -> Option<(u32, Cidr)> {
    let local = message.attributes.iter().find_map(|it| match it {
        AddressAttribute::Local(IpAddr::V4(address)) => Some(*address),
        _ => None,
    })?;
    Some((message.header.index, Cidr { address: local, prefix: message.header.prefix_len }))
}

/// A route that somebody made, other than the kernel by itself.
pub(super) fn seen_route(message: &RouteMessage) -> Option<Route> {
    let header = &message.header;
    if header.table != RouteHeader::RT_TABLE_MAIN || header.protocol == RouteProtocol::Kernel {
        return None;
    }
    let inet = |address: &RouteAddress| match address {
        RouteAddress::Inet(it) => Some(*it),
        _ => None,
    };
    let mut to = Ipv4Addr::UNSPECIFIED;
    let mut by = None;
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Destination(it) => to = inet(it)?,
            RouteAttribute::Gateway(it) => by = inet(it),
            _ => {}
        }
    }
    let destination = Cidr { address: to, prefix: header.destination_prefix_length };
    match (header.kind, by) {
        (RouteType::Local, _) => Some(Route::Local(destination)),
        (RouteType::Unreachable, _) => Some(Route::Nowhere(destination)),
        // One without a neighbour stands for a neighbour that cannot be.
        (_, by) => {
            let next_hop = by.unwrap_or(Ipv4Addr::UNSPECIFIED);
            Some(Route::Via { destination, next_hop })
        }
    }
}
