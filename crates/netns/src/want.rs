//! What the objects need in the kernel: facts per namespace. Data; made so by `kernel`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use crate::spec::{Cidr, Protocol};

/// A network namespace of the cloud's, by name: `net/lan`, `router/r`, `host/web`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NsName(pub String);

/// How names begin of what is in the machine's own namespace; the name of a table there follows.
pub(crate) const MACHINE: &str = "machine/";

/// All of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Want {
    /// Every namespace.
    pub namespaces: BTreeMap<NsName, Namespace>,
    /// Every veth pair between two of them; its two ends.
    pub cables: BTreeSet<Cable>,
}

/// A veth pair.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cable {
    /// One end.
    pub a: End,
    /// The other.
    pub b: End,
}

/// An end of a cable: a link in a namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct End {
    /// Where it is.
    pub namespace: NsName,
    /// What it is called there, at most 15 bytes.
    pub link: String,
}

/// What is in a namespace. The loopback link is always up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Namespace {
    /// Links by name, the ends of cables included.
    pub links: BTreeMap<String, Link>,
    /// Besides those that follow from the addresses.
    pub routes: BTreeSet<Route>,
    /// Below `/proc/sys/net`: path to value.
    pub sysctls: BTreeMap<String, String>,
    /// The table `plumb` of nftables, for IPv4 and IPv6.
    pub table: Table,
    /// Other tables of nftables: `ip nat`. Nobody wants one.
    pub tables: BTreeSet<String>,
    /// Addresses of the loopback link besides those that it has by itself. Nobody wants one.
    pub loopback: BTreeSet<Cidr>,
}

/// A link. Always up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// Whether it is a bridge; else it is the end of a cable.
    pub bridge: bool,
    /// `02:…`, lower case; none: whatever the kernel chose.
    pub mac: Option<String>,
    /// In bytes.
    pub mtu: u32,
    /// The bridge that it is a port of.
    pub master: Option<String>,
    /// With their subnets.
    pub addresses: BTreeSet<Cidr>,
    /// What becomes of what leaves by it.
    pub shape: Shape,
}

pub use crate::spec::Shape;

/// A route.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Route {
    /// By a neighbour.
    Via {
        /// Where to.
        destination: Cidr,
        /// The neighbour.
        next_hop: Ipv4Addr,
    },
    /// These addresses are the namespace's own, though no link has them (type `local`, device lo).
    Local(Cidr),
    /// There is no way there, and whoever asks is told so.
    Nowhere(Cidr),
}

/// A table of nftables: chains by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// In this order, so that one is there before it is jumped to.
    pub chains: Vec<Chain>,
}

/// A chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// Its name.
    pub name: String,
    /// Where packets enter it; none: only by a jump.
    pub hook: Option<Hook>,
    /// Its rules.
    pub rules: Vec<Rule>,
}

/// Where packets enter a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hook {
    /// At what point.
    pub at: HookPoint,
    /// Whether the chain translates addresses (type `nat`), else it filters.
    pub nat: bool,
    /// Lower is earlier.
    pub priority: i32,
    /// What happens to what no rule decides.
    pub drop: bool,
}

/// A point on a packet's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookPoint {
    /// Arrived.
    Prerouting,
    /// For us.
    Input,
    /// For another.
    Forward,
    /// From us.
    Output,
    /// Leaving.
    Postrouting,
}

/// A rule: when all of these match, do that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Whom it belongs to: `security_group_rule/ssh`. Kept in the kernel, in the rule's user data as
    /// a comment that `nft` shows, so that it can be found again.
    pub owner: String,
    /// All of them have to match.
    pub matches: Vec<Match>,
    /// What then happens.
    pub verdict: Verdict,
}

/// A condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Match {
    /// Came in by this link.
    InLink(String),
    /// Goes out by this link.
    OutLink(String),
    /// From these addresses (IPv4).
    Source(Cidr),
    /// From one of these addresses (IPv4); an anonymous set.
    SourceAmong(BTreeSet<Ipv4Addr>),
    /// To these addresses (IPv4).
    Destination(Cidr),
    /// To one of these addresses (IPv4); an anonymous set.
    DestinationAmong(BTreeSet<Ipv4Addr>),
    /// Carries this.
    Protocol(Protocol),
    /// From a port in this range, of TCP or UDP: goes with [`Match::Protocol`].
    SourcePort(u16, u16),
    /// To a port in this range, of TCP or UDP: goes with [`Match::Protocol`].
    DestinationPort(u16, u16),
    /// ICMP of this type: goes with [`Match::Protocol`].
    IcmpType(u8),
    /// ICMP of this code: goes with [`Match::Protocol`].
    IcmpCode(u8),
    /// Part of, or related to, something that was let through.
    Established,
    /// Was translated on its way in (`ct status dnat`).
    Translated,
}

/// What happens to a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on.
    Accept,
    /// It is gone.
    Drop,
    /// Go on in another chain of the table, then here.
    Jump(String),
    /// Gets another destination.
    Dnat(Ipv4Addr, Option<u16>),
    /// Gets another source.
    Snat(Ipv4Addr),
    /// Gets the address of the link by which it leaves as its source.
    Masquerade,
}
