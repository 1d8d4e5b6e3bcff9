//! What the provider takes, as structs: their comments are the reference.
//!
//! What names an object needs a new one when it changes; everything else is changed in place.

use std::collections::{BTreeMap, BTreeSet};

use plumb_provider::{Block, Resource};

use crate::{refine, validate};

/// A segment with a subnet: a bridge in a network namespace of its own. With `external` it is the outside,
/// to which routers lead.
#[derive(Clone, Debug, Resource)]
#[resource(kind = "netns_network", refine = refine::network, validate = validate::network)]
pub(crate) struct Network {
    /// The name.
    #[attr(computed)]
    pub(crate) id: Option<String>,
    /// Its name.
    #[attr(replace)]
    pub(crate) name: String,
    /// Its addresses, in CIDR notation.
    pub(crate) subnet: String,
    /// The address that hosts send everything else to, and that a router interface has when it does not
    /// say. The first of the subnet when left out.
    #[attr(optional_computed)]
    pub(crate) gateway: Option<String>,
    /// The largest packet, in bytes.
    #[attr(default = 1500)]
    pub(crate) mtu: u32,
    /// `isolated`: everything outside is one host in the kernel that answers for every address. `nat`:
    /// through the machine's own uplink, as root. A network within when left out.
    pub(crate) external: Option<String>,
    /// What the kernel has otherwise than it was made, changed by hand. Repaired by the next apply.
    #[attr(computed)]
    pub(crate) drift: Vec<String>,
}

/// A router: a network namespace that forwards between its interfaces and, from its external network, lets
/// nothing in that was not asked for or translated.
#[derive(Clone, Debug, Resource)]
#[resource(kind = "netns_router", refine = refine::router, validate = validate::router)]
pub(crate) struct Router {
    /// The name.
    #[attr(computed)]
    pub(crate) id: Option<String>,
    /// Its name.
    #[attr(replace)]
    pub(crate) name: String,
    /// The external network it leads to.
    pub(crate) external_network: Option<String>,
    /// Its address there; a free one of the upper half when left out.
    #[attr(optional_computed)]
    pub(crate) external_address: Option<String>,
    /// Whether what goes out gets the router's address. Without, it routes in both directions.
    #[attr(default = true)]
    pub(crate) snat: bool,
    /// More ways.
    #[attr(block, set)]
    pub(crate) route: Vec<Route>,
    /// What the kernel has otherwise than it was made.
    #[attr(computed)]
    pub(crate) drift: Vec<String>,
}

/// A static route.
#[derive(Clone, Debug, Block)]
pub(crate) struct Route {
    /// Where to, in CIDR notation.
    pub(crate) destination: String,
    /// The address of the next router.
    pub(crate) next_hop: String,
}

/// A router's foot in a network.
#[derive(Clone, Debug, Resource)]
#[resource(
    kind = "netns_router_interface",
    refine = refine::router_interface,
    validate = validate::router_interface
)]
pub(crate) struct RouterInterface {
    /// `router/network`.
    #[attr(computed)]
    pub(crate) id: Option<String>,
    /// The router.
    #[attr(replace)]
    pub(crate) router: String,
    /// The network.
    #[attr(replace)]
    pub(crate) network: String,
    /// Its address; the network's gateway when left out.
    #[attr(optional_computed)]
    pub(crate) address: Option<String>,
    /// What the kernel has otherwise than it was made.
    #[attr(computed)]
    pub(crate) drift: Vec<String>,
}

/// A place in a network that a host is plugged into.
#[derive(Clone, Debug, Resource)]
#[resource(kind = "netns_port", refine = refine::port, validate = validate::port)]
pub(crate) struct Port {
    /// The name.
    #[attr(computed)]
    pub(crate) id: Option<String>,
    /// Its name.
    #[attr(replace)]
    pub(crate) name: String,
    /// The network.
    pub(crate) network: String,
    /// Its address; a free one of the upper half when left out.
    #[attr(optional_computed)]
    pub(crate) address: Option<String>,
    /// Its hardware address; made from its name when left out.
    #[attr(optional_computed)]
    pub(crate) mac: Option<String>,
    /// What may come and go. Without a group everything may; with groups only what their rules say, and
    /// answers to that.
    #[attr(optional)]
    pub(crate) security_groups: BTreeSet<String>,
    /// More source addresses that it may send from, in CIDR notation.
    #[attr(optional)]
    pub(crate) allowed_addresses: BTreeSet<String>,
    /// What the kernel has otherwise than it was made.
    #[attr(computed)]
    pub(crate) drift: Vec<String>,
}

/// A group of ports that the same may reach. Without a rule nothing comes in and nothing goes out.
#[derive(Clone, Debug, Resource)]
#[resource(
    kind = "netns_security_group",
    refine = refine::security_group,
    validate = validate::security_group
)]
pub(crate) struct SecurityGroup {
    /// The name.
    #[attr(computed)]
    pub(crate) id: Option<String>,
    /// Its name.
    #[attr(replace)]
    pub(crate) name: String,
    /// For people.
    pub(crate) description: Option<String>,
    /// What the kernel has otherwise than it was made.
    #[attr(computed)]
    pub(crate) drift: Vec<String>,
}

/// Something that may come in or go out, stateful: answers pass by themselves.
#[derive(Clone, Debug, Resource)]
#[resource(
    kind = "netns_security_group_rule",
    refine = refine::security_group_rule,
    validate = validate::security_group_rule
)]
pub(crate) struct SecurityGroupRule {
    /// The name.
    #[attr(computed)]
    pub(crate) id: Option<String>,
    /// Its name; one of its own when left out.
    #[attr(optional_computed, replace)]
    pub(crate) name: Option<String>,
    /// The group.
    pub(crate) security_group: String,
    /// `ingress` or `egress`, seen from the port.
    #[attr(default = "ingress")]
    pub(crate) direction: String,
    /// `icmp`, `tcp` or `udp`; any when left out.
    pub(crate) protocol: Option<String>,
    /// The first port, of TCP and UDP.
    pub(crate) port_range_min: Option<u16>,
    /// The last port; the first when left out.
    pub(crate) port_range_max: Option<u16>,
    /// Of ICMP.
    pub(crate) icmp_type: Option<u8>,
    /// Of ICMP.
    pub(crate) icmp_code: Option<u8>,
    /// The other side, in CIDR notation.
    pub(crate) remote_cidr: Option<String>,
    /// The other side: ports of this group.
    pub(crate) remote_group: Option<String>,
    /// What the kernel has otherwise than it was made.
    #[attr(computed)]
    pub(crate) drift: Vec<String>,
}

/// An outer address for an inner one: one-to-one translation by the router between. It moves from one port to
/// another in one step.
#[derive(Clone, Debug, Resource)]
#[resource(
    kind = "netns_floating_ip",
    refine = refine::floating_ip,
    validate = validate::floating_ip
)]
pub(crate) struct FloatingIp {
    /// The name.
    #[attr(computed)]
    pub(crate) id: Option<String>,
    /// Its name; one of its own when left out.
    #[attr(optional_computed, replace)]
    pub(crate) name: Option<String>,
    /// The external network.
    pub(crate) network: String,
    /// Its address; a free one of the upper half when left out.
    #[attr(optional_computed)]
    pub(crate) address: Option<String>,
    /// The port that it stands for, or the host, by its first port. Nobody when left out.
    pub(crate) port: Option<String>,
    /// What the kernel has otherwise than it was made.
    #[attr(computed)]
    pub(crate) drift: Vec<String>,
}

/// A port of a router's external address that leads inside.
#[derive(Clone, Debug, Resource)]
#[resource(
    kind = "netns_port_forward",
    refine = refine::port_forward,
    validate = validate::port_forward
)]
pub(crate) struct PortForward {
    /// The name.
    #[attr(computed)]
    pub(crate) id: Option<String>,
    /// Its name; one of its own when left out.
    #[attr(optional_computed, replace)]
    pub(crate) name: Option<String>,
    /// The router.
    pub(crate) router: String,
    /// `tcp` or `udp`.
    #[attr(default = "tcp")]
    pub(crate) protocol: String,
    /// The port outside.
    pub(crate) external_port: u16,
    /// The address inside.
    pub(crate) internal_address: String,
    /// The port there.
    pub(crate) internal_port: u16,
    /// What the kernel has otherwise than it was made.
    #[attr(computed)]
    pub(crate) drift: Vec<String>,
}

/// A machine: processes in namespaces of their own (pid, mount, uts, ipc, network), on a file system of their
/// own, root among themselves and nobody outside. Without `folder`, `image` or `snapshot` it has the machine's
/// own files, copy on write.
#[derive(Clone, Debug, Resource)]
#[resource(kind = "netns_host", refine = refine::host, validate = validate::host)]
pub(crate) struct Host {
    /// The name.
    #[attr(computed)]
    pub(crate) id: Option<String>,
    /// Its name, and what it calls itself.
    #[attr(replace)]
    pub(crate) name: String,
    /// Its places in networks, in the order of `eth0`, `eth1`, …
    #[attr(block, list)]
    pub(crate) interface: Vec<Interface>,
    /// A folder with its files, copy on write.
    pub(crate) folder: Option<String>,
    /// An image archive with its files (`docker save`, or an OCI layout as tar).
    pub(crate) image: Option<String>,
    /// The name of a snapshot. Another one restores the host to it.
    pub(crate) snapshot: Option<String>,
    /// What runs in it. Nothing when left out: it is there to be entered and reached.
    #[attr(optional)]
    pub(crate) command: Vec<String>,
    /// The environment of its command.
    #[attr(optional)]
    pub(crate) env: BTreeMap<String, String>,
    /// Files that are written before its command starts: path to content. One that begins with `#!` may be
    /// run.
    #[attr(optional)]
    pub(crate) files: BTreeMap<String, String>,
    /// When its command ends: `no`, `on-failure` or `always`.
    #[attr(default = "no")]
    pub(crate) restart: String,
    /// Whether it is well.
    #[attr(block, list)]
    pub(crate) health: Option<Health>,
    /// What it may use. Where the machine has no control group for it (as an ordinary user), a limit does
    /// nothing.
    #[attr(block, list)]
    pub(crate) limits: Option<Limits>,
    /// The address of its first interface.
    #[attr(computed)]
    pub(crate) address: Option<String>,
    /// The addresses of its interfaces, in their order.
    #[attr(computed)]
    pub(crate) addresses: Vec<String>,
    /// The hardware addresses of its interfaces, in their order.
    #[attr(computed)]
    pub(crate) macs: Vec<String>,
    /// `idle` without a command, else `running` or `exited`; with a health check `starting`, `healthy`, `unhealthy`.
    #[attr(computed)]
    pub(crate) status: Option<String>,
    /// Its first process, as the machine numbers it. One without a command has none before somebody enters.
    #[attr(computed)]
    pub(crate) pid: Option<u32>,
    /// What its command ended with.
    #[attr(computed)]
    pub(crate) exit_code: Option<i32>,
    /// What the kernel has otherwise than it was made, its processes included.
    #[attr(computed)]
    pub(crate) drift: Vec<String>,
}

/// A host's place in a network: a port of its own, or one that is declared by itself.
#[derive(Clone, Debug, Block)]
pub(crate) struct Interface {
    /// The name of a `netns_port`.
    pub(crate) port: Option<String>,
    /// The network of a port of its own.
    pub(crate) network: Option<String>,
    /// The address of a port of its own; a free one of the upper half when left out.
    pub(crate) address: Option<String>,
    /// The hardware address of a port of its own.
    pub(crate) mac: Option<String>,
    /// What may come and go by a port of its own.
    #[attr(optional)]
    pub(crate) security_groups: BTreeSet<String>,
    /// More source addresses for a port of its own.
    #[attr(optional)]
    pub(crate) allowed_addresses: BTreeSet<String>,
}

/// A command that succeeds while the host is well.
#[derive(Clone, Debug, Block)]
pub(crate) struct Health {
    /// The command.
    pub(crate) command: Vec<String>,
    /// Seconds between two.
    #[attr(default = 10)]
    pub(crate) interval: u32,
    /// Failures in a row that make it unhealthy.
    #[attr(default = 3)]
    pub(crate) retries: u32,
}

/// What a host may use.
#[derive(Clone, Debug, Block)]
pub(crate) struct Limits {
    /// Memory: bytes, or with a unit `k`, `m`, `g`.
    pub(crate) memory: Option<String>,
    /// Processes.
    pub(crate) pids: Option<u64>,
    /// Processors, also parts of one.
    pub(crate) cpu: Option<f64>,
}

/// A host's changed files, kept: to clone it, or to restore it. They outlive the cloud's processes.
#[derive(Clone, Debug, Resource)]
#[resource(kind = "netns_snapshot", refine = refine::snapshot, validate = validate::snapshot)]
pub(crate) struct Snapshot {
    /// The name.
    #[attr(computed)]
    pub(crate) id: Option<String>,
    /// Its name.
    #[attr(replace)]
    pub(crate) name: String,
    /// The host whose files it keeps, as they are when it is made.
    #[attr(replace)]
    pub(crate) host: String,
    /// Any change takes the host's files anew.
    #[attr(optional, replace)]
    pub(crate) triggers: BTreeMap<String, String>,
    /// What the kernel has otherwise than it was made.
    #[attr(computed)]
    pub(crate) drift: Vec<String>,
}

/// A cable between two hosts.
#[derive(Clone, Debug, Resource)]
#[resource(kind = "netns_link", refine = refine::link, validate = validate::link)]
pub(crate) struct Link {
    /// The name.
    #[attr(computed)]
    pub(crate) id: Option<String>,
    /// Its name.
    #[attr(replace)]
    pub(crate) name: String,
    /// Its two ends.
    #[attr(block, list, min = 2, max = 2)]
    pub(crate) end: Vec<End>,
    /// What the kernel has otherwise than it was made.
    #[attr(computed)]
    pub(crate) drift: Vec<String>,
}

/// An end of a cable.
#[derive(Clone, Debug, Block)]
pub(crate) struct End {
    /// The host.
    pub(crate) host: String,
    /// Its address there, with the prefix of the subnet: `10.9.0.1/30`.
    pub(crate) address: String,
}
