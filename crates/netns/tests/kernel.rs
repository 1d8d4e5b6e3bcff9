//! Facts made so in a real kernel, with packets: as root. (The cloud as an ordinary user is tested with the
//! whole command.)
#![expect(clippy::unwrap_used, reason = "a test says what it was by failing")]

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd as _, OwnedFd};
use std::time::Duration;

use nix::sched::{CloneFlags, setns};
use plumb_netns::cloud::Cloud;
use plumb_netns::kernel::Kernel;
use plumb_netns::render::{Site, render_all};
use plumb_netns::spec::*;
use plumb_netns::want::{NsName, Want};

struct World {
    cloud: Cloud,
    kernel: Kernel,
    made: Want,
}

impl World {
    fn new() -> World {
        World { cloud: Cloud::default(), kernel: Kernel::new(), made: Want::default() }
    }

    fn put(&mut self, spec: Spec) {
        self.cloud.put(Some(spec.name()), spec.clone()).unwrap();
        self.settle();
    }

    fn remove(&mut self, kind: Kind, name: &str) {
        self.cloud.remove(kind, name).unwrap();
        self.settle();
    }

    fn settle(&mut self) {
        let wanted = render_all(&self.cloud, &Site::default());
        self.kernel.reach(&self.made, &wanted).unwrap();
        self.made = wanted;
        self.intact();
    }

    fn intact(&mut self) {
        let seen = self.kernel.observe(&self.made).unwrap();
        for (name, made) in &self.made.namespaces {
            assert_eq!(&seen.namespaces[name], made, "the kernel has what it was told of {name:?}");
        }
        assert_eq!(seen, self.made);
    }

    fn address(&self, kind: Kind, name: &str) -> Ipv4Addr {
        self.cloud.get(kind, name).unwrap().address.unwrap()
    }

    fn file(&self, namespace: &str) -> OwnedFd {
        let file = self.kernel.namespace(&NsName(namespace.to_owned())).unwrap();
        file.try_clone_to_owned().unwrap()
    }

    /// Does something in a namespace.
    fn inside<T: Send>(&self, namespace: &str, work: impl FnOnce() -> T + Send) -> T {
        let file = self.file(namespace);
        std::thread::scope(|scope| {
            let enter = || {
                setns(file.as_fd(), CloneFlags::CLONE_NEWNET).unwrap();
                work()
            };
            scope.spawn(enter).join().unwrap()
        })
    }

    /// Whether a TCP connection from one namespace reaches a port that another listens on; who the
    /// server then sees.
    fn connects(&self, from: &str, to: SocketAddr, at: &str, port: u16) -> Option<Ipv4Addr> {
        let listener =
            self.inside(at, || TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).unwrap());
        let timeout = Duration::from_millis(700);
        let stream = self.inside(from, || TcpStream::connect_timeout(&to, timeout));
        let mut stream = match stream {
            Ok(stream) => stream,
            Err(error) if error.kind() == ErrorKind::TimedOut => return None,
            Err(error) => panic!("{error}"),
        };
        let (mut server, peer) = listener.accept().unwrap();
        stream.write_all(b"plumb").unwrap();
        let mut bytes = [0; 5];
        server.read_exact(&mut bytes).unwrap();
        assert_eq!(&bytes, b"plumb");
        match peer.ip() {
            std::net::IpAddr::V4(it) => Some(it),
            std::net::IpAddr::V6(it) => panic!("{it}"),
        }
    }

    /// Whether a datagram arrives.
    fn datagram(&self, from: &str, to: SocketAddr, at: &str) -> bool {
        let bind = |port| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).unwrap();
        let server = self.inside(at, || bind(to.port()));
        server.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        // A filter of what goes out says so at once.
        let sent = self.inside(from, || bind(0).send_to(b"plumb", to));
        sent.is_ok() && server.recv_from(&mut [0; 9]).is_ok()
    }
}

fn cidr(text: &str) -> Cidr {
    text.parse().unwrap()
}

fn network(name: &str, subnet: &str, external: Option<External>) -> Spec {
    let (name, subnet) = (name.to_owned(), cidr(subnet));
    Spec::Network(Network { name, subnet, gateway: None, mtu: 1500, external })
}

fn host(name: &str, network: &str, groups: &[&str]) -> Spec {
    let port = Port {
        name: format!("{name}/0"),
        network: network.to_owned(),
        address: None,
        mac: None,
        security_groups: groups.iter().map(|it| (*it).to_owned()).collect(),
        allowed_addresses: Vec::new(),
    };
    Spec::Host(Host {
        name: name.to_owned(),
        interfaces: vec![Interface::Own(port)],
        root: Root::Machine,
        command: Vec::new(),
        user: None,
        env: BTreeMap::new(),
        files: BTreeMap::new(),
        restart: Restart::No,
        health: None,
        limits: Limits::default(),
    })
}

fn rule(name: &str, group: &str, direction: Direction) -> SecurityGroupRule {
    SecurityGroupRule {
        name: name.to_owned(),
        security_group: group.to_owned(),
        direction,
        protocol: None,
        ports: None,
        remote_cidr: None,
        remote_group: None,
    }
}

fn group(name: &str) -> Spec {
    Spec::SecurityGroup(SecurityGroup { name: name.to_owned(), description: String::new() })
}

/// A private network behind a router, with two hosts; outside, a laptop.
fn lab() -> World {
    let mut world = World::new();
    world.put(network("lan", "10.0.0.0/24", None));
    world.put(network("world", "198.51.100.0/24", Some(External::Isolated)));
    world.put(Spec::Router(Router {
        name: "r".into(),
        external_network: Some("world".into()),
        external_address: None,
        snat: true,
        routes: Vec::new(),
    }));
    world.put(Spec::RouterInterface(RouterInterface {
        name: "r/lan".into(),
        router: "r".into(),
        network: "lan".into(),
        address: None,
    }));
    world.put(host("a", "lan", &[]));
    world.put(host("b", "lan", &[]));
    world.put(host("laptop", "world", &[]));
    world
}

#[test]
fn neighbours_reach_each_other_and_the_outside() {
    let world = lab();
    let (a, b) = (world.address(Kind::Port, "a/0"), world.address(Kind::Port, "b/0"));
    assert_eq!(world.connects("host/a", (b, 80).into(), "host/b", 80), Some(a));
    assert!(world.datagram("host/b", (a, 53).into(), "host/a"));
    // Whatever address it is, the outside answers; it sees the router.
    let anywhere = Ipv4Addr::new(192, 88, 99, 7);
    let router = world.address(Kind::Router, "r");
    assert_eq!(world.connects("host/a", (anywhere, 443).into(), "net/world", 443), Some(router));
}

#[test]
fn behind_nat_only_what_is_forwarded_is_reached() {
    let mut world = lab();
    let router = world.address(Kind::Router, "r");
    let a = world.address(Kind::Port, "a/0");
    let laptop = world.address(Kind::Port, "laptop/0");
    assert_eq!(world.connects("host/a", (laptop, 8080).into(), "host/laptop", 8080), Some(router));
    // Even with a way to it, the inside is closed.
    let closed = |world: &World| {
        world.inside("host/laptop", || route("add", "10.0.0.0/24", router));
        assert_eq!(world.connects("host/laptop", (a, 22).into(), "host/a", 22), None);
        world.inside("host/laptop", || route("del", "10.0.0.0/24", router));
    };
    closed(&world);
    world.put(Spec::PortForward(PortForward {
        name: "ssh".into(),
        router: "r".into(),
        protocol: Protocol::Tcp,
        external_port: 1234,
        internal_address: a,
        internal_port: 22,
    }));
    assert_eq!(world.connects("host/laptop", (router, 1234).into(), "host/a", 22), Some(laptop));
    world.remove(Kind::PortForward, "ssh");
    closed(&world);
}

#[test]
fn a_floating_ip_leads_to_its_port_and_moves() {
    let mut world = lab();
    let laptop = world.address(Kind::Port, "laptop/0");
    let floating = |to: &str| {
        Spec::FloatingIp(FloatingIp {
            name: "f".into(),
            network: "world".into(),
            address: None,
            port: Some(to.into()),
        })
    };
    world.put(floating("a"));
    let outer = world.address(Kind::FloatingIp, "f");
    assert_eq!(world.connects("host/laptop", (outer, 80).into(), "host/a", 80), Some(laptop));
    assert_eq!(world.connects("host/a", (laptop, 80).into(), "host/laptop", 80), Some(outer));
    // By its outer address from inside, too.
    assert!(world.connects("host/b", (outer, 80).into(), "host/a", 80).is_some());
    world.put(floating("b"));
    assert_eq!(world.connects("host/laptop", (outer, 80).into(), "host/b", 80), Some(laptop));
}

#[test]
fn groups_let_through_what_they_say() {
    let mut world = lab();
    world.put(group("web"));
    world.put(group("clients"));
    let (a, b) = (world.address(Kind::Port, "a/0"), world.address(Kind::Port, "b/0"));
    world.put(host("a", "lan", &["web"]));
    world.put(host("b", "lan", &["clients"]));
    let http = || world_http(80, 81);
    assert_eq!(world.connects("host/b", (a, 80).into(), "host/a", 80), None);
    world.put(Spec::SecurityGroupRule(http()));
    // It may come in, but not leave.
    assert_eq!(world.connects("host/b", (a, 80).into(), "host/a", 80), None);
    world.put(Spec::SecurityGroupRule(rule("out", "clients", Direction::Egress)));
    assert_eq!(world.connects("host/b", (a, 80).into(), "host/a", 80), Some(b));
    assert_eq!(world.connects("host/b", (a, 81).into(), "host/a", 81), Some(b));
    assert_eq!(world.connects("host/b", (a, 82).into(), "host/a", 82), None);
    assert!(!world.datagram("host/b", (a, 80).into(), "host/a"), "TCP only");
    // By the group of the other side.
    let by_group = SecurityGroupRule { remote_group: Some("clients".into()), ..http() };
    world.put(Spec::SecurityGroupRule(by_group));
    assert_eq!(world.connects("host/b", (a, 80).into(), "host/a", 80), Some(b));
    world.put(host("b", "lan", &[]));
    assert_eq!(world.connects("host/b", (a, 80).into(), "host/a", 80), None);
    // By addresses.
    let by_address = SecurityGroupRule { remote_cidr: Some(cidr("10.0.0.128/25")), ..http() };
    world.put(Spec::SecurityGroupRule(by_address));
    assert_eq!(world.connects("host/b", (a, 80).into(), "host/a", 80), Some(b));
    let elsewhere = SecurityGroupRule { remote_cidr: Some(cidr("10.0.1.0/24")), ..http() };
    world.put(Spec::SecurityGroupRule(elsewhere));
    assert_eq!(world.connects("host/b", (a, 80).into(), "host/a", 80), None);
}

fn world_http(first: u16, last: u16) -> SecurityGroupRule {
    let any = rule("http", "web", Direction::Ingress);
    SecurityGroupRule { protocol: Some(Protocol::Tcp), ports: Some((first, last)), ..any }
}

#[test]
fn what_was_changed_by_hand_is_seen_and_repaired() {
    let mut world = lab();
    world.put(group("web"));
    world.put(Spec::SecurityGroupRule(world_http(80, 80)));
    world.put(host("a", "lan", &["web"]));
    let (a, b) = (world.address(Kind::Port, "a/0"), world.address(Kind::Port, "b/0"));
    assert_eq!(world.connects("host/b", (a, 80).into(), "host/a", 80), Some(b));
    for (namespace, by_hand) in [
        ("host/a", "ip link set eth0 down"),
        ("host/a", "ip addr flush dev eth0"),
        ("host/a", "ip route del default"),
        ("host/a", "ip link set eth0 mtu 1400"),
        ("host/a", "ip link del eth0"),
        ("host/b", "nft flush chain inet plumb to-eth0"),
        ("host/a", "nft delete table inet plumb"),
        ("host/a", "nft add rule inet plumb input drop"),
        ("router/r", "ip addr add 10.0.0.77/24 dev ext"),
        ("router/r", "sysctl -q -w net.ipv4.ip_forward=0"),
        ("net/lan", "ip link set dev br down"),
        ("net/lan", "ip link add more type bridge"),
    ] {
        let words: Vec<&str> = by_hand.split(' ').collect();
        let ran = world.inside(namespace, || {
            std::process::Command::new(words[0]).args(&words[1..]).status().unwrap()
        });
        assert!(ran.success(), "{by_hand}");
        let seen = world.kernel.observe(&world.made).unwrap();
        assert!(seen != world.made, "`{by_hand}` is not seen");
        let made = world.made.clone();
        world.kernel.reach(&seen, &made).unwrap();
        world.intact();
        assert_eq!(world.connects("host/b", (a, 80).into(), "host/a", 80), Some(b), "{by_hand}");
    }
}

#[test]
fn forged_addresses_do_not_leave() {
    let world = lab();
    let (a, b) = (world.address(Kind::Port, "a/0"), world.address(Kind::Port, "b/0"));
    // Root of the cloud may give a host another address; even then it cannot send from it.
    world.inside("host/a", || {
        let args = ["addr", "add", "10.0.0.99/24", "dev", "eth0"];
        assert!(std::process::Command::new("ip").args(args).status().unwrap().success());
    });
    let server = world.inside("host/b", || UdpSocket::bind((b, 99)).unwrap());
    server.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let send = |from: Ipv4Addr, port: u16| {
        world.inside("host/a", || UdpSocket::bind((from, port)).unwrap().send_to(b"x", (b, 99)))
    };
    assert!(send(a, 0).is_ok() && server.recv_from(&mut [0; 9]).is_ok());
    let forged = send(Ipv4Addr::new(10, 0, 0, 99), 0);
    assert!(forged.is_err() || server.recv_from(&mut [0; 9]).is_err());
    let dhcp = send(a, 67);
    assert!(dhcp.is_err() || server.recv_from(&mut [0; 9]).is_err());
}

fn route(verb: &str, to: &str, by: Ipv4Addr) {
    let args = ["route", verb, to, "via", &by.to_string()];
    assert!(std::process::Command::new("ip").args(args).status().unwrap().success());
}
