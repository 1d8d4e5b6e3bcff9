//! What stands beside a configuration's objects, what is heard of them, and that to look is only to look.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant, SystemTime};

use plumb_model::addr::Kind;
use plumb_model::value::Value;
use plumb_provider::{Connection, Edge, Failure, Foreign, Ours, Provider as _, Touched};
use plumb_provider_netns::NetnsProvider;
use tokio::runtime::Runtime;

use crate::world::{USERS, World, all, another, eventually};

/// What is promised to those who follow.
const PROMISED: Duration = Duration::from_secs(2);

fn connect(runtime: &Runtime, world: &World) -> Arc<dyn Connection> {
    let edge = Edge { directory: world.path().to_owned(), ..Edge::default() };
    let config = Value::object([("cloud", Value::NULL)]);
    runtime.block_on(NetnsProvider::default().connect(&config, &edge)).unwrap()
}

/// The objects of the state.
fn ours(world: &World) -> Vec<Ours> {
    let all = world.ok(&["state", "list"]);
    let all = all.lines().filter(|it| it.starts_with("netns_"));
    let one = |address: &str| Ours {
        kind: Kind::new(address.split('.').next().unwrap()),
        attrs: Value::object([("id", Value::string(world.attribute(address, "id")))]),
    };
    all.map(one).collect()
}

fn told(all: &[Foreign]) -> Vec<String> {
    let one = |it: &Foreign| format!("{} {} {}", &*it.kind, it.name, it.how);
    all.iter().map(one).collect()
}

#[test]
fn what_another_configuration_made_is_foreign() {
    let runtime = Runtime::new().unwrap();
    for user in USERS {
        let world = World::example(user, "lab");
        world.apply();
        let connection = connect(&runtime, &world);
        let ours = ours(&world);
        assert!(ours.len() > 10, "{ours:?}");
        let beside = || runtime.block_on(connection.beside(&ours)).unwrap();
        assert_eq!(told(&beside()), Vec::<String>::new(), "of a fresh lab everything is ours");
        let other = another(
            &world,
            r#"
            resource "netns_network" "theirs" {
              name   = "theirs"
              subnet = "10.77.0.0/24"
            }
            resource "netns_router_interface" "theirs" {
              router  = "nat"
              network = netns_network.theirs.name
            }
            resource "netns_host" "guest" {
              name = "guest"
              interface { network = "nat" }
            }
            resource "netns_floating_ip" "guest" {
              name    = "guest"
              network = "world"
              port    = netns_host.guest.name
            }
            resource "netns_port_forward" "guest" {
              name             = "guest"
              router           = "nat"
              external_port    = 4711
              internal_address = netns_host.guest.addresses[0]
              internal_port    = 22
            }
            "#,
        );
        other.apply();
        let found = [
            "netns_network theirs is in the same cloud",
            "netns_router_interface nat/theirs connects a network with router nat",
            "netns_floating_ip guest leads in by router nat",
            "netns_port_forward guest leads in by router nat",
            "netns_host guest is attached to network nat",
        ];
        assert_eq!(told(&beside()), found);
        // To have something beside is not to have drifted.
        world.at_rest();
        other.ok(&["destroy", "-auto-approve"]);
        assert_eq!(told(&beside()), Vec::<String>::new());
        drop(connection);
        world.end();
    }
}

/// What a connection tells.
struct News {
    heard: Receiver<Result<Touched, Failure>>,
    _runtime: Runtime,
}

impl News {
    fn follow(world: &World) -> News {
        let runtime = Runtime::new().unwrap();
        let connection = connect(&runtime, world);
        let (news, heard) = channel();
        runtime.spawn(async move {
            let tell = |it| drop(news.send(Ok(it)));
            if let Err(failure) = connection.follow(&[], &tell).await {
                let _ = news.send(Err(failure));
            }
        });
        News { heard, _runtime: runtime }
    }

    fn hear(&self, what: &str, wanted: impl Fn(&Result<Touched, Failure>) -> bool) {
        let begun = Instant::now();
        let mut all = Vec::new();
        while let Some(left) = PROMISED.checked_sub(begun.elapsed()) {
            match self.heard.recv_timeout(left) {
                Ok(news) if wanted(&news) => return,
                Ok(news) => all.push(news),
                Err(_) => break,
            }
        }
        panic!("{what}: {all:?}");
    }

    fn hear_of(&self, what: &str, kind: &str, id: &str) {
        let object = Touched::Object { kind: Kind::new(kind), id: id.into() };
        self.hear(what, |it| it.as_ref() == Ok(&object));
    }

    /// Until nothing more happens: the kernel takes its time to say that a new link carries.
    fn settle(&self) {
        while self.heard.recv_timeout(Duration::from_millis(1500)).is_ok() {}
    }
}

const LAB: &str = r#"
resource "netns_network" "lan" {
  name   = "lan"
  subnet = "10.0.0.0/24"
}

resource "netns_host" "web" {
  name    = "web"
  command = ["sleep", "100000"]
  interface { network = netns_network.lan.name }
}

resource "netns_host" "vm" {
  name = "vm"
}

resource "netns_snapshot" "vm" {
  name = "then"
  host = netns_host.vm.name
}
"#;

#[test]
fn what_happens_is_heard_and_to_look_is_not() {
    for user in USERS {
        let world = World::new(user, LAB);
        let news = News::follow(&world);
        news.hear("there is no cloud yet", |it| *it == Ok(Touched::All));
        assert!(world.processes().is_empty(), "to follow starts nothing");
        world.apply();
        news.hear("there is one now", |it| *it == Ok(Touched::All));
        news.settle();
        world.at_rest();
        world.at_rest();
        let heard = news.heard.recv_timeout(Duration::from_secs(1));
        assert!(matches!(heard, Err(RecvTimeoutError::Timeout)), "user {user}: {heard:?}");
        let by_hand = world.exec("netns_network.lan", "ip link set dev br down");
        assert!(by_hand.status.success(), "{}", all(&by_hand));
        news.hear_of("a bridge is down", "netns_network", "lan");
        let pid = world.attribute("netns_host.web", "pid");
        assert!(Command::new("kill").args(["-9", &pid]).status().unwrap().success());
        news.hear_of("a host is killed", "netns_host", "web");
        world.apply();
        news.hear_of("it is repaired", "netns_host", "web");
        let other = another(
            &world,
            "resource \"netns_network\" \"new\" {\n  name = \"new\"\n  subnet = \"10.1.0.0/24\"\n}\n",
        );
        other.apply();
        news.hear_of("somebody makes a network", "netns_network", "new");
        other.ok(&["destroy", "-auto-approve"]);
        news.settle();
        // Who follows does not keep what is empty.
        world.end();
        news.hear("it is over", Result::is_err);
    }
}

#[test]
fn to_look_starts_nothing_and_writes_nothing() {
    let runtime = Runtime::new().unwrap();
    for user in USERS {
        let world = World::new(user, LAB);
        world.apply();
        for pid in world.processes() {
            let _ = Command::new("kill").args(["-9", &pid.to_string()]).status();
        }
        eventually("it is dead", || world.processes().is_empty());
        let before = files(&world.path().join(".plumb/netns"));
        assert!(before.keys().any(|it| it.ends_with("then.json")), "{before:?}");
        let connection = connect(&runtime, &world);
        let ours = ours(&world);
        let import = |it: &Ours| {
            let found = connection.import(&it.kind, it.id().unwrap());
            runtime.block_on(found).unwrap()
        };
        let seen: Vec<_> = ours.iter().map(import).collect();
        let there = seen.iter().filter(|it| it.is_some()).count();
        assert_eq!(there, 1, "a snapshot is there without a process: {seen:?}");
        assert_eq!(runtime.block_on(connection.beside(&ours)).unwrap(), []);
        let (_, said) = world.plan();
        assert!(said.contains("3 to add, 0 to change, 0 to destroy"), "{said}");
        assert!(world.processes().is_empty(), "a process was started (user {user})");
        assert_eq!(files(&world.path().join(".plumb/netns")), before, "user {user}");
        drop(connection);
        // What is kept is taken away by a holder that is started for it.
        world.apply();
        world.at_rest();
        world.end();
    }
}

/// Everything in a folder, with when it was changed last.
fn files(folder: &Path) -> BTreeMap<PathBuf, SystemTime> {
    let mut all = BTreeMap::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(path) = waiting.pop() {
        let is = fs::symlink_metadata(&path).unwrap();
        if is.is_dir() {
            waiting.extend(fs::read_dir(&path).unwrap().map(|it| it.unwrap().path()));
        }
        all.insert(path, is.modified().unwrap());
    }
    all
}
