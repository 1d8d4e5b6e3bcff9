//! A holder without a kernel.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard};

use plumb_model::value::Value;
use plumb_netns::beside::beside;
use plumb_netns::client::Follower;
use plumb_netns::cloud::{Cloud, Key};
use plumb_netns::spec::{Interface, Kind, Spec};
use plumb_netns::wire::{Given, Object, Reply, Request};

use crate::pool::{Broken, Door, Line, Pool};
use crate::provider::CloudConnection;

/// What there is.
#[derive(Default)]
pub(super) struct World {
    pub(super) running: bool,
    /// Holders that have been started.
    pub(super) holders: u32,
    pub(super) cloud: Cloud,
    pub(super) drift: BTreeMap<Key, Vec<String>>,
    /// Of every host's process.
    pub(super) pid: u32,
    /// The next change is made, but its reply is lost.
    pub(super) lose: bool,
    pub(super) requests: Vec<Request>,
}

#[derive(Clone, Default)]
pub(super) struct Holder(Arc<Mutex<World>>);

struct Wire {
    holder: Holder,
    /// The holder that it leads to.
    number: u32,
}

impl Holder {
    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }

    pub(super) fn connection(&self) -> CloudConnection {
        CloudConnection::new(Pool::new(Box::new(self.clone())), "/etc/lab".into())
    }

    /// It ends, and everything with it.
    pub(super) fn kill(&self) {
        let mut world = self.world();
        (world.running, world.cloud) = (false, Cloud::default());
    }
}

impl Door for Holder {
    fn open(&self) -> Result<Option<Box<dyn Line>>, Broken> {
        let world = self.world();
        let wire = Wire { holder: self.clone(), number: world.holders };
        Ok(world.running.then(|| Box::new(wire) as Box<dyn Line>))
    }

    fn open_to_change(&self) -> Result<Option<Box<dyn Line>>, Broken> {
        match self.kept()?.is_empty() {
            true => self.open(),
            false => self.start().map(Some),
        }
    }

    fn kept(&self) -> Result<Vec<(Spec, String)>, Broken> {
        let world = self.world();
        let names = world.cloud.names(Kind::Snapshot);
        let entries = names.iter().filter_map(|it| world.cloud.get(Kind::Snapshot, it));
        Ok(entries.map(|it| (it.spec.clone(), it.token.clone())).collect())
    }

    fn follow(&self) -> Result<Option<Follower>, Broken> {
        match self.world().running {
            true => Err("it tells nothing".into()),
            false => Ok(None),
        }
    }

    fn start(&self) -> Result<Box<dyn Line>, Broken> {
        let mut world = self.world();
        if !world.running {
            world.running = true;
            world.holders += 1;
        }
        Ok(Box::new(Wire { holder: self.clone(), number: world.holders }))
    }
}

impl Line for Wire {
    fn call(&mut self, request: &Request) -> Result<Reply, Broken> {
        let mut world = self.holder.world();
        if !world.running || world.holders != self.number {
            return Err("broken pipe".into());
        }
        world.requests.push(request.clone());
        let reply = world.answer(request);
        let changes = matches!(request, Request::Create { .. } | Request::Update { .. });
        if changes && std::mem::take(&mut world.lose) {
            return Err("connection reset".into());
        }
        Ok(reply)
    }

    fn enter(&mut self, _: Kind, _: &str) -> Result<OwnedFd, Broken> {
        Ok(std::fs::File::open("/dev/null")?.into())
    }
}

impl World {
    fn answer(&mut self, request: &Request) -> Reply {
        match request {
            Request::Hello => Reply::Hello { pid: 1, version: String::new(), missing: Vec::new() },
            Request::Create { token, spec } => self.put(Some(token), spec),
            Request::Update { spec } => self.put(None, spec),
            Request::Delete { kind, name } => match self.cloud.remove(*kind, name) {
                Ok(_) => {
                    self.running = !self.cloud.is_empty_but_for(Kind::Snapshot);
                    Reply::Gone
                }
                Err(refusal) => Reply::Refused { refusal, left: None },
            },
            Request::Read { objects } => {
                Reply::Objects(objects.iter().map(|(kind, name)| self.see(*kind, name)).collect())
            }
            Request::Find { token } => {
                let found = self.cloud.made_by(token).cloned();
                Reply::Objects(vec![found.and_then(|(kind, name)| self.see(kind, &name))])
            }
            Request::List { kind } => Reply::Names(self.cloud.names(*kind)),
            Request::Beside { ours } => {
                Reply::Beside(beside(&self.cloud, &ours.iter().cloned().collect()))
            }
            Request::Follow => Reply::Following,
            Request::Enter { .. } => Reply::Entered,
            Request::Logs { host, limit } => Reply::Text(format!("{limit} bytes of {host}")),
        }
    }

    fn put(&mut self, token: Option<&str>, spec: &Spec) -> Reply {
        // A holder says it all over the wire, so nothing may be lost there.
        let key = (spec.kind(), spec.name().to_owned());
        match self.cloud.put(token, spec.clone()) {
            Ok(_) => {
                self.drift.remove(&key);
                self.pid += 1;
                Reply::Done(Box::new(self.see(key.0, &key.1).unwrap()))
            }
            Err(refusal) => Reply::Refused { refusal, left: None },
        }
    }

    fn see(&self, kind: Kind, name: &str) -> Option<Object> {
        let entry = self.cloud.get(kind, name)?;
        let drift = self.drift.get(&(kind, name.to_owned())).cloned().unwrap_or_default();
        let mac = entry.mac.clone();
        let mut given = Given { address: entry.address, mac, drift, ..Given::default() };
        if let Spec::Host(host) = &entry.spec {
            let ports = host.interfaces.iter().map(Interface::port);
            let ports: Vec<_> = ports.map(|it| self.cloud.get(Kind::Port, it).unwrap()).collect();
            given.addresses = ports.iter().filter_map(|it| it.address).collect();
            given.macs = ports.iter().filter_map(|it| it.mac.clone()).collect();
            given.address = given.addresses.first().copied();
            given.pid = Some(self.pid);
            given.status = Some("running".to_owned());
        }
        Some(Object { spec: entry.spec.clone(), given })
    }
}

/// An attribute as text.
pub(super) fn shown(object: &Value, name: &str) -> String {
    plumb_model::value::json::to_json(object.get_attr(name).unwrap())
}
