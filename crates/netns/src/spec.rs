//! The objects of a cloud, as their owner wants them. All references are names.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

/// What an object is. Its name is unique among those of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// [`Network`]
    Network,
    /// [`Router`]
    Router,
    /// [`RouterInterface`]
    RouterInterface,
    /// [`Port`]
    Port,
    /// [`SecurityGroup`]
    SecurityGroup,
    /// [`SecurityGroupRule`]
    SecurityGroupRule,
    /// [`FloatingIp`]
    FloatingIp,
    /// [`PortForward`]
    PortForward,
    /// [`Host`]
    Host,
    /// [`Snapshot`]
    Snapshot,
    /// [`Link`]
    Link,
}

/// One object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spec {
    /// A segment.
    Network(Network),
    /// A router.
    Router(Router),
    /// A router's foot in a network.
    RouterInterface(RouterInterface),
    /// A host's place in a network.
    Port(Port),
    /// What may come and go.
    SecurityGroup(SecurityGroup),
    /// One thing that may.
    SecurityGroupRule(SecurityGroupRule),
    /// An outer address for an inner one.
    FloatingIp(FloatingIp),
    /// An outer port for an inner one.
    PortForward(PortForward),
    /// A machine.
    Host(Host),
    /// A host's changed files.
    Snapshot(Snapshot),
    /// A cable between two hosts.
    Link(Link),
}

/// IPv4 addresses: `10.0.0.0/24`. As a subnet, no bit right of the prefix is set; as an address
/// with its subnet, any may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cidr {
    /// The address.
    pub address: Ipv4Addr,
    /// 0 to 32.
    pub prefix: u8,
}

/// A segment with a subnet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Network {
    /// Its name.
    pub name: String,
    /// Its addresses.
    pub subnet: Cidr,
    /// The address that routers take by default, and that hosts send everything else to. None: the
    /// first of the subnet.
    pub gateway: Option<Ipv4Addr>,
    /// Largest packet, in bytes.
    pub mtu: u32,
    /// Whether, and how, it is the outside.
    pub external: Option<External>,
}

/// How an external network goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum External {
    /// Everything outside is one in-kernel host that answers for every address.
    Isolated,
    /// Through the machine's own uplink. Needs root.
    Nat,
}

/// A router.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Router {
    /// Its name.
    pub name: String,
    /// The external network it leads to.
    pub external_network: Option<String>,
    /// Its address there. None: a free one.
    pub external_address: Option<Ipv4Addr>,
    /// Whether what goes out gets the router's address.
    pub snat: bool,
    /// More ways.
    pub routes: Vec<Route>,
}

/// A static route.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Route {
    /// Where to.
    pub destination: Cidr,
    /// By whom.
    pub next_hop: Ipv4Addr,
}

/// A router's foot in a network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RouterInterface {
    /// Its name: `router/network`.
    pub name: String,
    /// The router.
    pub router: String,
    /// The network.
    pub network: String,
    /// None: the network's gateway.
    pub address: Option<Ipv4Addr>,
}

/// A host's place in a network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Port {
    /// Its name.
    pub name: String,
    /// The network.
    pub network: String,
    /// None: a free one.
    pub address: Option<Ipv4Addr>,
    /// `02:…`, lower case. None: made from the name.
    pub mac: Option<String>,
    /// What may come and go. None of them: everything may.
    pub security_groups: Vec<String>,
    /// More source addresses that it may send from.
    pub allowed_addresses: Vec<Cidr>,
}

/// A group of ports that the same may reach. Without a rule nothing comes in and nothing goes out;
/// answers to what was let through always do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SecurityGroup {
    /// Its name.
    pub name: String,
    /// For people.
    pub description: String,
}

/// Something that may come in or go out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SecurityGroupRule {
    /// Its name.
    pub name: String,
    /// The group.
    pub security_group: String,
    /// In or out.
    pub direction: Direction,
    /// None: any.
    pub protocol: Option<Protocol>,
    /// First and last port, of TCP and UDP; of ICMP type and code. None: any.
    pub ports: Option<(u16, u16)>,
    /// The other side: addresses.
    pub remote_cidr: Option<Cidr>,
    /// The other side: ports of a group.
    pub remote_group: Option<String>,
}

/// Seen from the port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Towards it.
    Ingress,
    /// From it.
    Egress,
}

/// What is carried over IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// 1
    Icmp,
    /// 6
    Tcp,
    /// 17
    Udp,
}

/// One-to-one translation on an external network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FloatingIp {
    /// Its name.
    pub name: String,
    /// The external network.
    pub network: String,
    /// None: a free one.
    pub address: Option<Ipv4Addr>,
    /// The port that it stands for: `port`, or `host` for the first port of a host. None: nobody.
    pub port: Option<String>,
}

/// A router's port that leads inside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PortForward {
    /// Its name.
    pub name: String,
    /// The router.
    pub router: String,
    /// TCP or UDP.
    pub protocol: Protocol,
    /// On the router's external address.
    pub external_port: u16,
    /// Where it leads.
    pub internal_address: Ipv4Addr,
    /// And to which port.
    pub internal_port: u16,
}

/// A machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Host {
    /// Its name, and its hostname.
    pub name: String,
    /// Its ports, in the order of `eth0`, `eth1`, …: names. Those of its own come and go with it.
    pub interfaces: Vec<Interface>,
    /// What is in it.
    pub root: Root,
    /// What runs in it. Empty: nothing.
    pub command: Vec<String>,
    /// As whom: a name or number of its own, with or without `:group`. None: root.
    #[serde(default)]
    pub user: Option<String>,
    /// Its environment.
    pub env: BTreeMap<String, String>,
    /// Files written before the command starts: path to content.
    pub files: BTreeMap<String, String>,
    /// When the command ends.
    pub restart: Restart,
    /// Whether it is well.
    pub health: Option<Health>,
    /// What it may use.
    pub limits: Limits,
}

/// How a host is in a network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Interface {
    /// By a port that is declared by itself.
    Port(String),
    /// By one of its own, named `host/n`.
    Own(Port),
}

impl Interface {
    /// The port's name.
    pub fn port(&self) -> &str {
        match self {
            Interface::Port(name) => name,
            Interface::Own(port) => &port.name,
        }
    }
}

/// A host's files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Root {
    /// The machine's own `/`, copy on write.
    Machine,
    /// A folder, copy on write: an absolute path.
    Folder(String),
    /// An OCI image archive (tar): an absolute path.
    Image(String),
    /// A snapshot's, copy on write.
    Snapshot(String),
}

/// When a command is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Restart {
    /// Never.
    No,
    /// When it fails.
    OnFailure,
    /// Always.
    Always,
}

/// A command that succeeds while the host is well.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// The command.
    pub command: Vec<String>,
    /// Seconds between two.
    pub interval: u32,
    /// Failures in a row that make it unhealthy.
    pub retries: u32,
}

/// What a host may use; None: all there is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes.
    pub memory: Option<u64>,
    /// Processes.
    pub pids: Option<u64>,
    /// Thousandths of a processor.
    pub cpu: Option<u64>,
}

/// A host's changed files, kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Its name.
    pub name: String,
    /// The host whose files it keeps, as they were when it was made.
    pub host: String,
}

/// A cable between two hosts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Link {
    /// Its name.
    pub name: String,
    /// Its two ends: host and address there.
    pub ends: [(String, Cidr); 2],
    /// How well it carries, in each direction.
    #[serde(default)]
    pub shape: Shape,
}

/// How well something carries; None: as well as it can.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// Bits a second: a multiple of 8.
    pub rate: Option<u64>,
    /// Microseconds that everything is late.
    pub delay: Option<u32>,
    /// Packets of a million that are lost.
    pub loss: Option<u32>,
}

impl Shape {
    /// Whether it takes more of the kernel than a token bucket.
    pub(crate) fn needs_netem(&self) -> bool {
        self.delay.is_some() || self.loss.is_some()
    }
}

impl Spec {
    /// What it is.
    pub fn kind(&self) -> Kind {
        match self {
            Spec::Network(_) => Kind::Network,
            Spec::Router(_) => Kind::Router,
            Spec::RouterInterface(_) => Kind::RouterInterface,
            Spec::Port(_) => Kind::Port,
            Spec::SecurityGroup(_) => Kind::SecurityGroup,
            Spec::SecurityGroupRule(_) => Kind::SecurityGroupRule,
            Spec::FloatingIp(_) => Kind::FloatingIp,
            Spec::PortForward(_) => Kind::PortForward,
            Spec::Host(_) => Kind::Host,
            Spec::Snapshot(_) => Kind::Snapshot,
            Spec::Link(_) => Kind::Link,
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Spec::Network(it) => &it.name,
            Spec::Router(it) => &it.name,
            Spec::RouterInterface(it) => &it.name,
            Spec::Port(it) => &it.name,
            Spec::SecurityGroup(it) => &it.name,
            Spec::SecurityGroupRule(it) => &it.name,
            Spec::FloatingIp(it) => &it.name,
            Spec::PortForward(it) => &it.name,
            Spec::Host(it) => &it.name,
            Spec::Snapshot(it) => &it.name,
            Spec::Link(it) => &it.name,
        }
    }
}

impl Cidr {
    /// The subnet that it is in.
    #[must_use]
    pub fn network(self) -> Cidr {
        Cidr { address: Ipv4Addr::from(u32::from(self.address) & self.mask()), prefix: self.prefix }
    }

    /// Whether no bit right of the prefix is set.
    pub fn is_subnet(self) -> bool {
        self.network() == self
    }

    /// Whether an address is in it.
    pub fn contains(self, address: Ipv4Addr) -> bool {
        u32::from(address) & self.mask() == u32::from(self.address) & self.mask()
    }

    /// Whether they share an address.
    pub fn overlaps(self, other: Cidr) -> bool {
        let mask = self.mask() & other.mask();
        u32::from(self.address) & mask == u32::from(other.address) & mask
    }

    /// The address for all of them.
    pub fn broadcast(self) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.address) | !self.mask())
    }

    fn mask(self) -> u32 {
        u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or(0)
    }
}

/// Not addresses in CIDR notation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an IPv4 address with a prefix length, such as 10.0.0.0/24")]
pub struct NotCidr(String);

impl std::str::FromStr for Cidr {
    type Err = NotCidr;

    fn from_str(text: &str) -> Result<Cidr, NotCidr> {
        let parsed = text.split_once('/').and_then(|(address, prefix)| {
            let digits = prefix.bytes().all(|it| it.is_ascii_digit());
            let prefix = prefix.parse().ok().filter(|it| *it <= 32 && digits)?;
            Some(Cidr { address: address.parse().ok()?, prefix })
        });
        parsed.ok_or_else(|| NotCidr(text.to_owned()))
    }
}

impl std::fmt::Display for Cidr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl TryFrom<String> for Cidr {
    type Error = NotCidr;

    fn try_from(text: String) -> Result<Cidr, NotCidr> {
        text.parse()
    }
}

impl From<Cidr> for String {
    fn from(it: Cidr) -> String {
        it.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_subnets() {
        let net: Cidr = "10.0.1.0/24".parse().unwrap();
        assert!(net.is_subnet() && net.contains(Ipv4Addr::new(10, 0, 1, 255)));
        assert!(!net.contains(Ipv4Addr::new(10, 0, 2, 0)));
        assert!(net.overlaps("10.0.0.0/16".parse().unwrap()));
        assert!(!net.overlaps("10.0.2.0/23".parse().unwrap()));
        assert!("0.0.0.0/0".parse::<Cidr>().unwrap().contains(Ipv4Addr::BROADCAST));
        assert_eq!(net.broadcast(), Ipv4Addr::new(10, 0, 1, 255));
        for wrong in ["10.0.0.0", "10.0.0.0/33", "10.0.0/8", "10.0.0.0/+8", "x/8", "10.0.0.0/"] {
            assert!(wrong.parse::<Cidr>().is_err(), "{wrong}");
        }
    }
}
