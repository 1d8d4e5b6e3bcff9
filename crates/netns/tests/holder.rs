//! A holder and its clients, in the real kernel: as root and as an ordinary user.
#![expect(clippy::unwrap_used, reason = "a test says what it was by failing")]

mod common;

use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

use common::*;
use plumb_netns::client::Client;
use plumb_netns::spec::*;
use plumb_netns::wire::{Reply, Request};

const CASES: [Case; 7] = [
    ("it starts when asked and ends when nothing is left", starts_and_ends),
    ("a call is found by its token, and is done once", tokens),
    ("what cannot be is refused and changes nothing", refusals),
    ("what was changed by hand is told and repaired", drift),
    ("a cloud whose holder was killed is empty", killed),
    ("a cable may be slower than it could be", cables),
    ("by the machine's uplink go root's networks only", uplink),
];

fn main() -> ExitCode {
    run(&CASES)
}

fn starts_and_ends(folder: &Path) {
    assert!(Client::open(folder).unwrap().is_none());
    let mut client = Client::start(folder).unwrap();
    let mut other = Client::start(folder).unwrap();
    let holder = pid(&mut client);
    assert_eq!(holder, pid(&mut other));
    use std::os::unix::fs::PermissionsExt as _;
    for (path, mode) in [(folder.to_owned(), 0o700), (folder.join("socket"), 0o600)] {
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, mode);
    }
    make(&mut client, network("lan", "10.0.0.0/24"));
    drop(client);
    drop(other);
    std::thread::sleep(Duration::from_millis(100));
    assert!(runs(holder), "it holds a network");
    let mut client = Client::open(folder).unwrap().unwrap();
    assert_eq!(pid(&mut client), holder);
    client.call(&Request::Delete { kind: Kind::Network, name: "lan".into() }).unwrap();
    drop(client);
    wait("it ends", || !runs(holder));
    assert!(Client::open(folder).unwrap().is_none());
    let mut client = Client::start(folder).unwrap();
    assert_ne!(pid(&mut client), holder);
}

fn tokens(folder: &Path) {
    let mut client = Client::start(folder).unwrap();
    let made = make(&mut client, network("lan", "10.0.0.0/24"));
    let token = "Network/lan";
    assert_eq!(
        create(&mut client, token, network("lan", "10.0.0.0/24")),
        Reply::Done(Box::new(made.clone()))
    );
    let again = create(&mut client, "another", network("lan", "10.0.0.0/24"));
    assert!(matches!(again, Reply::Refused { left: None, .. }), "{again:?}");
    let mut other = Client::start(folder).unwrap();
    let find = |token: &str| Request::Find { token: token.into() };
    assert_eq!(other.call(&find(token)).unwrap(), Reply::Objects(vec![Some(made)]));
    assert_eq!(other.call(&find("another")).unwrap(), Reply::Objects(vec![]));
    assert_eq!(
        other.call(&Request::List { kind: Kind::Network }).unwrap(),
        Reply::Names(vec!["lan".into()])
    );
}

fn refusals(folder: &Path) {
    let mut client = Client::start(folder).unwrap();
    make(&mut client, network("a", "10.0.0.0/24"));
    make(&mut client, network("b", "10.0.0.128/25"));
    make(&mut client, router("r"));
    make(&mut client, foot("r", "a"));
    for (spec, argument) in [
        (foot("r", "b"), "network"),
        (foot("r", "c"), "network"),
        (network("c", "10.0.0.1/24"), "subnet"),
        (network("../c", "10.0.0.0/24"), "name"),
    ] {
        let name = spec.name().to_owned();
        match create(&mut client, "t", spec) {
            Reply::Refused { refusal, left: None } => {
                assert_eq!(refusal.argument.as_deref(), Some(argument), "{refusal:?}");
            }
            other => panic!("{name}: {other:?}"),
        }
    }
    assert!(read(&mut client, Kind::RouterInterface, "r/b").is_none());
    match client.call(&Request::Delete { kind: Kind::Network, name: "a".into() }).unwrap() {
        Reply::Refused { left: Some(left), .. } => assert_eq!(left.spec.name(), "a"),
        other => panic!("{other:?}"),
    }
    assert_eq!(read(&mut client, Kind::Network, "a").unwrap().given.drift, Vec::<String>::new());
}

fn drift(folder: &Path) {
    let mut client = Client::start(folder).unwrap();
    make(&mut client, network("a", "10.0.0.0/24"));
    make(&mut client, router("r"));
    make(&mut client, foot("r", "a"));
    let holder = pid(&mut client);
    let clean: [String; 0] = [];
    for (kind, name, by_hand, said) in [
        (Kind::Network, "a", "ip link set dev br down", "br is down or gone"),
        (
            Kind::RouterInterface,
            "r/a",
            "ip addr flush dev int2",
            "int2 lacks the address 10.0.0.1/24",
        ),
        (Kind::Router, "r", "nft flush table inet plumb", "a filter rule in forward is gone"),
    ] {
        let space = if kind == Kind::Network { (Kind::Network, "a") } else { (Kind::Router, "r") };
        let file = client.enter(space.0, space.1).unwrap();
        in_space(holder, &file, by_hand);
        let told = read(&mut client, kind, name).unwrap();
        assert!(told.given.drift.iter().any(|it| it == said), "{by_hand}: {:?}", told.given.drift);
        let Reply::Done(_) = client.call(&Request::Update { spec: told.spec }).unwrap() else {
            panic!("{by_hand}")
        };
        assert_eq!(read(&mut client, kind, name).unwrap().given.drift, clean, "{by_hand}");
    }
}

fn killed(folder: &Path) {
    let mut client = Client::start(folder).unwrap();
    make(&mut client, network("lan", "10.0.0.0/24"));
    let holder = pid(&mut client);
    let status = Command::new("kill").args(["-9", &holder.to_string()]).status().unwrap();
    assert!(status.success());
    wait("it is dead", || !runs(holder));
    assert!(client.call(&Request::Hello).is_err());
    assert!(Client::open(folder).unwrap().is_none());
    let mut client = Client::start(folder).unwrap();
    assert!(read(&mut client, Kind::Network, "lan").is_none());
    make(&mut client, network("lan", "10.0.0.0/24"));
}

/// A machine of its own (a network namespace) with an uplink to somebody who knows only the machine.
fn uplink(folder: &Path) {
    let world = Spec::Network(Network {
        name: "world".into(),
        subnet: "198.51.100.0/24".parse().unwrap(),
        gateway: None,
        mtu: 1500,
        external: Some(External::Nat),
    });
    if !rustix::process::getuid().is_root() {
        let mut client = Client::start(folder).unwrap();
        match create(&mut client, "t", world) {
            Reply::Refused { refusal, left: None } => {
                assert_eq!(refusal.argument.as_deref(), Some("external"));
            }
            other => panic!("{other:?}"),
        }
        return;
    }
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
    let mut peer = Command::new("unshare").args(["-n", "sleep", "60"]).spawn().unwrap();
    let there = format!("/proc/{}/ns/net", peer.id());
    let here = std::fs::read_link("/proc/self/ns/net").unwrap();
    wait("the other machine is there", || std::fs::read_link(&there).unwrap() != here);
    let run = |words: &str| {
        let words: Vec<&str> = words.split(' ').collect();
        let done = Command::new(words[0]).args(&words[1..]).output().unwrap();
        assert!(done.status.success(), "{words:?}: {done:?}");
        String::from_utf8(done.stdout).unwrap()
    };
    run(&format!("ip link add up0 type veth peer name up0 netns {}", peer.id()));
    run("ip addr add 198.18.0.1/24 dev up0");
    run("ip link set up0 up");
    let inside = format!("nsenter --net={there} ip");
    run(&format!("{inside} addr add 198.18.0.2/24 dev up0"));
    run(&format!("{inside} link set up0 up"));
    let before = (run("ip -o link"), run("nft list ruleset"));
    let mut client = Client::start(folder).unwrap();
    make(&mut client, world);
    let Spec::Router(plain) = router("r") else { unreachable!() };
    let leads = Router { external_network: Some("world".into()), ..plain };
    make(&mut client, Spec::Router(leads));
    let holder = pid(&mut client);
    let ping = |client: &mut Client| {
        let file = client.enter(Kind::Router, "r").unwrap();
        in_space(holder, &file, "ping -c1 -W2 198.18.0.2");
    };
    ping(&mut client);
    let table = run("nft list tables").trim().trim_start_matches("table ").to_owned();
    run(&format!("nft delete table {table}"));
    let told = read(&mut client, Kind::Network, "world").unwrap();
    assert!(!told.given.drift.is_empty(), "{told:?}");
    client.call(&Request::Update { spec: told.spec }).unwrap();
    assert!(read(&mut client, Kind::Network, "world").unwrap().given.drift.is_empty());
    ping(&mut client);
    for (kind, name) in [(Kind::Router, "r"), (Kind::Network, "world")] {
        client.call(&Request::Delete { kind, name: name.into() }).unwrap();
    }
    assert_eq!((run("ip -o link"), run("nft list ruleset")), before);
    peer.kill().unwrap();
    peer.wait().unwrap();
}

fn cables(folder: &Path) {
    let mut client = Client::start(folder).unwrap();
    let holder = pid(&mut client);
    let host = |name: &str| {
        Spec::Host(Host {
            name: name.into(),
            interfaces: Vec::new(),
            root: Root::Machine,
            command: Vec::new(),
            user: None,
            env: Default::default(),
            files: Default::default(),
            restart: Restart::No,
            health: None,
            limits: Limits::default(),
        })
    };
    make(&mut client, host("a"));
    make(&mut client, host("b"));
    let cable = |rate: Option<u64>, delay: Option<u32>| {
        Spec::Link(Link {
            name: "ab".into(),
            ends: [
                ("a".into(), "10.9.0.1/30".parse().unwrap()),
                ("b".into(), "10.9.0.2/30".parse().unwrap()),
            ],
            shape: Shape { rate, delay, loss: None },
        })
    };
    // Whether this kernel can delay.
    let probe = Command::new("unshare")
        .args(["-Urn", "tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms"])
        .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin")
        .output();
    match (probe.unwrap().status.success(), create(&mut client, "late", cable(None, Some(5000)))) {
        (true, Reply::Done(_)) => {
            assert!(read(&mut client, Kind::Link, "ab").unwrap().given.drift.is_empty());
            client.call(&Request::Delete { kind: Kind::Link, name: "ab".into() }).unwrap();
        }
        (false, Reply::Refused { refusal, left: None }) => {
            assert_eq!(refusal.argument.as_deref(), Some("delay_ms"), "{refusal:?}");
            assert!(refusal.detail.contains("sch_netem"), "{refusal:?}");
        }
        (can, other) => panic!("netem {can}: {other:?}"),
    }
    assert!(read(&mut client, Kind::Link, "ab").is_none());
    make(&mut client, cable(Some(800_000), None));
    assert!(read(&mut client, Kind::Link, "ab").unwrap().given.drift.is_empty());
    let enter = |client: &mut Client| {
        let pid = match client.call(&Request::Hello).unwrap() {
            Reply::Hello { pid, .. } => pid,
            other => panic!("{other:?}"),
        };
        assert_eq!(pid, holder);
        client.enter(Kind::Host, "a").unwrap()
    };
    // Somebody takes the brake off: seen from outside the host, who may not.
    drop(enter(&mut client));
    let init = read(&mut client, Kind::Host, "a").unwrap().given.pid.unwrap();
    let mut brake = Command::new("nsenter");
    if !rustix::process::getuid().is_root() {
        brake.args([format!("--user=/proc/{holder}/ns/user"), "--preserve-credentials".into()]);
    }
    brake.arg(format!("--net=/proc/{init}/ns/net")).env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin");
    brake.args(["sh", "-c", "tc qdisc del root dev $(ip -o link | grep -o 'lnk[0-9]*' | head -1)"]);
    let done = brake.output().unwrap();
    assert!(done.status.success(), "{done:?}");
    let told = read(&mut client, Kind::Link, "ab").unwrap();
    assert!(told.given.drift[0].ends_with("is not as slow as it was made"), "{told:?}");
    client.call(&Request::Update { spec: told.spec }).unwrap();
    assert!(read(&mut client, Kind::Link, "ab").unwrap().given.drift.is_empty());
    // Another speed, and none, in place.
    for rate in [Some(8_000_000), None, Some(80_000_000_000)] {
        client.call(&Request::Update { spec: cable(rate, None) }).unwrap();
        let now = read(&mut client, Kind::Link, "ab").unwrap();
        assert!(now.given.drift.is_empty(), "{rate:?}: {now:?}");
    }
}
