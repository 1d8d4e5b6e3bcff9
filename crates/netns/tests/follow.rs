//! What happens in a cloud is heard, in the real kernel: as root and as an ordinary user.
#![expect(clippy::unwrap_used, reason = "a test says what it was by failing")]

mod common;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use common::*;
use plumb_netns::client::{Client, ClientError, Leave};
use plumb_netns::spec::*;
use plumb_netns::wire::{Reply, Request, Touched};

const CASES: [Case; 5] = [
    ("what is changed by hand is heard", by_hand),
    ("what becomes of a host is heard", hosts),
    ("what other clients do is heard", clients),
    ("of a cloud at rest nothing is heard, whoever looks at it", at_rest),
    ("a holder does not stay for those who follow, who hear that it ends", ends),
];

fn main() -> ExitCode {
    run(&CASES)
}

/// What is promised to those who follow.
const PROMISED: Duration = Duration::from_secs(2);

/// News that arrive, until it is dropped.
struct News {
    heard: Receiver<Result<Touched, ClientError>>,
    _leave: Leave,
}

impl News {
    fn follow(folder: &Path) -> News {
        let mut follower = Client::open(folder).unwrap().unwrap().follow().unwrap();
        let leave = follower.leave().unwrap();
        let (news, heard) = channel();
        std::thread::spawn(move || {
            loop {
                let next = follower.hear();
                let over = next.is_err();
                if news.send(next).is_err() || over {
                    return;
                }
            }
        });
        News { heard, _leave: leave }
    }

    /// Until nothing more happens: the kernel takes its time to say that a new link carries.
    fn settle(&self) {
        while self.heard.recv_timeout(Duration::from_millis(1500)).is_ok() {}
    }

    /// Objects that are told of, until this one is; it has to be in time.
    fn hear(&self, what: &str, kind: Kind, name: &str) {
        let begun = Instant::now();
        let key = (kind, name.to_owned());
        let mut all = BTreeSet::new();
        while let Some(left) = PROMISED.checked_sub(begun.elapsed()) {
            let Ok(touched) = self.heard.recv_timeout(left) else { break };
            all.extend(touched.unwrap().objects);
            if all.contains(&key) {
                println!("{what}: {:?}", begun.elapsed());
                return;
            }
        }
        panic!("{what}: {key:?} is not among {all:?}");
    }
}

fn external(name: &str, subnet: &str) -> Spec {
    let Spec::Network(plain) = network(name, subnet) else { unreachable!() };
    Spec::Network(Network { external: Some(External::Isolated), ..plain })
}

fn host(name: &str, networks: &[&str]) -> Host {
    let own = |(at, network): (usize, &&str)| {
        Interface::Own(Port {
            name: format!("{name}/{at}"),
            network: (*network).into(),
            address: None,
            mac: None,
            security_groups: vec!["web".into()],
            allowed_addresses: Vec::new(),
        })
    };
    Host {
        name: name.into(),
        interfaces: networks.iter().enumerate().map(own).collect(),
        root: Root::Machine,
        command: vec!["sleep".into(), "100000".into()],
        user: None,
        env: Default::default(),
        files: Default::default(),
        restart: Restart::No,
        health: None,
        limits: Limits::default(),
    }
}

fn floating(port: Option<&str>) -> Spec {
    Spec::FloatingIp(FloatingIp {
        name: "f".into(),
        network: "world".into(),
        address: Some("198.51.100.77".parse().unwrap()),
        port: port.map(str::to_owned),
    })
}

fn rule(name: &str) -> Spec {
    Spec::SecurityGroupRule(SecurityGroupRule {
        name: name.into(),
        security_group: "web".into(),
        direction: Direction::Ingress,
        protocol: None,
        ports: None,
        remote_cidr: None,
        remote_group: None,
    })
}

/// Two networks, a router, two hosts and a cable between them.
fn lab(client: &mut Client) {
    let cable = Link {
        name: "ab".into(),
        ends: [
            ("a".into(), "10.9.0.1/30".parse().unwrap()),
            ("b".into(), "10.9.0.2/30".parse().unwrap()),
        ],
        shape: Shape { rate: Some(800_000), delay: None, loss: None },
    };
    let Spec::Router(plain) = router("r") else { unreachable!() };
    let group = SecurityGroup { name: "web".into(), description: String::new() };
    for spec in [
        network("lan", "10.0.0.0/24"),
        external("world", "198.51.100.0/24"),
        Spec::Router(Router { external_network: Some("world".into()), ..plain }),
        foot("r", "lan"),
        Spec::SecurityGroup(group),
        rule("all"),
        Spec::Host(host("a", &["lan"])),
        Spec::Host(host("b", &[])),
        floating(Some("a")),
        Spec::Link(cable),
    ] {
        make(client, spec);
    }
}

fn by_hand(folder: &Path) {
    use Kind::{FloatingIp, Host, Link, Network, Router, RouterInterface, SecurityGroupRule};
    let mut client = Client::start(folder).unwrap();
    lab(&mut client);
    let holder = pid(&mut client);
    let news = News::follow(folder);
    news.settle();
    let int = "$(ls /sys/class/net | grep int)";
    for (at, by_hand, (kind, name)) in [
        ((Network, "lan"), "ip link set dev br down", (Network, "lan")),
        ((Network, "lan"), "ip link add evil type veth peer name evil2", (Network, "lan")),
        ((Network, "lan"), "ip link set dev evil master br", (Network, "lan")),
        ((Network, "lan"), "ip link del evil", (Network, "lan")),
        ((Network, "world"), "ip link set dev br mtu 1400", (Network, "world")),
        ((Router, "r"), "ip link set dev ext address 02:00:00:00:00:99", (Router, "r")),
        ((Router, "r"), "ip addr del 198.51.100.77/32 dev ext", (FloatingIp, "f")),
        ((Router, "r"), "ip addr add 192.0.2.9/32 dev ext", (Router, "r")),
        ((Router, "r"), "ip addr add 192.0.2.9/32 dev lo", (Router, "r")),
        ((Router, "r"), "ip route del default", (Router, "r")),
        ((Router, "r"), "ip route add 192.0.2.0/24 via 10.0.0.9", (Router, "r")),
        ((Router, "r"), "echo 0 > /proc/sys/net/ipv4/ip_forward", (Router, "r")),
        ((Router, "r"), "nft flush chain inet plumb prerouting", (FloatingIp, "f")),
        ((Router, "r"), "nft add table ip evil", (Router, "r")),
        ((Router, "r"), "nft delete table inet plumb", (RouterInterface, "r/lan")),
        ((Router, "r"), "ip addr flush dev INT", (RouterInterface, "r/lan")),
        ((Router, "r"), "ip link del INT", (RouterInterface, "r/lan")),
        ((Host, "a"), "ip addr flush dev eth0", (Host, "a")),
        ((Host, "a"), "nft flush ruleset", (SecurityGroupRule, "all")),
        ((Host, "a"), "ip link del eth0", (Host, "a")),
        ((Host, "b"), "tc qdisc del root dev LNK", (Link, "ab")),
        ((Host, "b"), "ip link del LNK", (Link, "ab")),
    ] {
        let words = by_hand.replace("INT", int).replace("LNK", &int.replace("int", "lnk"));
        let file = space(&mut client, at.0, at.1);
        in_namespace(holder, &file, &words);
        news.hear(by_hand, kind, name);
        // What follows from it is not to be taken for what comes next.
        while news.heard.recv_timeout(Duration::from_millis(50)).is_ok() {}
    }
    // What is not said to be otherwise is nothing to be heard of.
    let told = |client: &mut Client| {
        let told = read(client, Kind::Router, "r").unwrap();
        (told.spec, told.given.drift)
    };
    let (spec, drift) = told(&mut client);
    for words in ["lo has the address 192.0.2.9/32", "the nftables table ip evil was added"] {
        assert!(drift.iter().any(|it| it == words), "{drift:?}");
    }
    for kind in [Kind::Router, Kind::RouterInterface] {
        let name = if kind == Kind::Router { "r" } else { "r/lan" };
        let spec = if kind == Kind::Router { spec.clone() } else { foot("r", "lan") };
        let repaired = client.call(&Request::Update { spec }).unwrap();
        assert!(matches!(repaired, Reply::Done(_)), "{repaired:?}");
        news.hear("a repair", kind, name);
    }
    assert_eq!(told(&mut client).1, Vec::<String>::new(), "repaired");
}

fn hosts(folder: &Path) {
    let mut client = Client::start(folder).unwrap();
    let kill = |pid: u32| {
        assert!(Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success());
    };
    make(&mut client, Spec::Host(host("a", &[])));
    make(&mut client, Spec::Host(host("b", &[])));
    let asleep = Host { command: Vec::new(), ..host("asleep", &[]) };
    make(&mut client, Spec::Host(asleep));
    let ill = Health { command: vec!["false".into()], interval: 1, retries: 1 };
    let news = News::follow(folder);
    make(&mut client, Spec::Host(Host { health: Some(ill), ..host("ill", &[]) }));
    wait("it is ill", || {
        let ill = read(&mut client, Kind::Host, "ill").unwrap();
        ill.given.status.as_deref() == Some("unhealthy")
    });
    news.hear("a host is made, and ill", Kind::Host, "ill");
    news.settle();
    let init = |client: &mut Client, name: &str| {
        read(client, Kind::Host, name).unwrap().given.pid.unwrap()
    };
    let first = init(&mut client, "a");
    let children = std::fs::read_to_string(format!("/proc/{first}/task/{first}/children")).unwrap();
    kill(children.trim().parse().unwrap());
    news.hear("a command is killed", Kind::Host, "a");
    kill(init(&mut client, "b"));
    news.hear("a host is killed", Kind::Host, "b");
    drop(client.enter(Kind::Host, "asleep").unwrap());
    news.hear("a host is entered in which nothing ran", Kind::Host, "asleep");
}

fn clients(folder: &Path) {
    let mut client = Client::start(folder).unwrap();
    lab(&mut client);
    let news = News::follow(folder);
    news.settle();
    make(&mut client, network("new", "10.5.0.0/24"));
    news.hear("a network is made", Kind::Network, "new");
    // In the kernel there is nothing of it.
    client.call(&Request::Update { spec: floating(None) }).unwrap();
    news.hear("a floating IP leads elsewhere", Kind::FloatingIp, "f");
    client.call(&Request::Delete { kind: Kind::FloatingIp, name: "f".into() }).unwrap();
    news.hear("a floating IP is deleted", Kind::FloatingIp, "f");
    client.call(&Request::Update { spec: network("lan", "10.4.0.0/24") }).unwrap();
    news.hear("the hosts of a network that moves, too", Kind::Host, "a");
    client.call(&Request::Delete { kind: Kind::Host, name: "b".into() }).unwrap();
    news.settle();
    make(&mut client, Spec::Host(host("late", &["new"])));
    news.settle();
    // One that was made while somebody followed is heard, too.
    let file = space(&mut client, Kind::Host, "late");
    let holder = pid(&mut client);
    in_namespace(holder, &file, "ip link set dev eth0 down");
    news.hear("in a new namespace", Kind::Host, "late");
}

fn at_rest(folder: &Path) {
    let mut client = Client::start(folder).unwrap();
    lab(&mut client);
    let news = News::follow(folder);
    let other = News::follow(folder);
    news.settle();
    other.settle();
    let all = |client: &mut Client| {
        for (kind, name) in [
            (Kind::Network, "lan"),
            (Kind::Router, "r"),
            (Kind::RouterInterface, "r/lan"),
            (Kind::Host, "a"),
            (Kind::Link, "ab"),
        ] {
            read(client, kind, name).unwrap();
            let ours = vec![(kind, name.to_owned())];
            client.call(&Request::Beside { ours }).unwrap();
            client.call(&Request::List { kind }).unwrap();
        }
        client.call(&Request::Find { token: "Host/a".into() }).unwrap();
        client.call(&Request::Logs { host: "a".into(), limit: 10 }).unwrap();
        client.enter(Kind::Host, "a").unwrap();
        client.enter(Kind::Router, "r").unwrap();
    };
    let until = Instant::now() + Duration::from_secs(1);
    while Instant::now() < until {
        all(&mut client);
        all(&mut Client::open(folder).unwrap().unwrap());
        std::thread::sleep(Duration::from_millis(50));
    }
    for it in [&news, &other] {
        let heard = it.heard.recv_timeout(Duration::from_millis(100));
        assert!(matches!(heard, Err(RecvTimeoutError::Timeout)), "{heard:?}");
    }
    // Who leaves is not missed by the other.
    drop(news);
    client.call(&Request::Delete { kind: Kind::Link, name: "ab".into() }).unwrap();
    other.hear("by the one who stays", Kind::Link, "ab");
}

fn ends(folder: &Path) {
    let over = |news: &News| {
        let begun = Instant::now();
        while begun.elapsed() < PROMISED {
            if let Ok(Err(_)) = news.heard.recv_timeout(Duration::from_millis(100)) {
                return;
            }
        }
        panic!("nobody says that it is over");
    };
    let mut client = Client::start(folder).unwrap();
    make(&mut client, network("lan", "10.0.0.0/24"));
    let holder = pid(&mut client);
    let news = News::follow(folder);
    client.call(&Request::Delete { kind: Kind::Network, name: "lan".into() }).unwrap();
    drop(client);
    over(&news);
    wait("it ends", || !runs(holder));
    let mut client = Client::start(folder).unwrap();
    make(&mut client, network("lan", "10.0.0.0/24"));
    let holder = pid(&mut client);
    let news = News::follow(folder);
    assert!(Command::new("kill").args(["-9", &holder.to_string()]).status().unwrap().success());
    over(&news);
}

/// A file of a network namespace.
fn space(client: &mut Client, kind: Kind, name: &str) -> std::os::fd::OwnedFd {
    if kind != Kind::Host {
        return client.enter(kind, name).unwrap();
    }
    let init = read(client, kind, name).unwrap().given.pid.unwrap();
    std::fs::File::open(format!("/proc/{init}/ns/net")).unwrap().into()
}

/// Runs a line of shell in a network namespace of a cloud, with a `/sys` that is the namespace's.
fn in_namespace(holder: u32, file: &std::os::fd::OwnedFd, line: &str) {
    let script = tempfile::NamedTempFile::new().unwrap();
    let mounted = "mount -t sysfs none /sys";
    std::fs::write(script.path(), format!("set -e; {mounted}; {line}\n")).unwrap();
    let path = script.path().to_string_lossy();
    in_space(holder, file, &format!("unshare -m sh {path}"));
}
