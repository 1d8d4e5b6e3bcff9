//! What the holder does when it is asked.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error as _;
use std::fs;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::ground::Ground;
use crate::beside::beside;
use crate::client;
use crate::cloud::{Cloud, Entry, Key, said};
use crate::drift::{Drift, drift};
use crate::hosts::{Hosts, check_name};
use crate::kernel::{Kernel, KernelError};
use crate::render::{Site, render};
use crate::spec::{External, Host, Kind, Spec};
use crate::want::{MACHINE, NsName, Want};
use crate::wire::{Given, Object, Refusal, Reply, Request, Touched};

/// Everything that is held.
pub(super) struct Held {
    pub(super) cloud: Cloud,
    pub(super) kernel: Kernel,
    pub(super) hosts: Hosts,
    /// What the kernel was told, all of it.
    pub(super) made: Want,
    /// What was not told yet to those who follow.
    pub(super) news: Touched,
    site: Site,
    /// Of the snapshots' records.
    snapshots: PathBuf,
}

impl Held {
    pub(super) fn new(folder: &Path, ground: &Ground) -> io::Result<Held> {
        let mut held = Held {
            cloud: Cloud::default(),
            kernel: Kernel::new(),
            hosts: Hosts::new(folder.to_owned(), ground.rootless),
            made: Want::default(),
            news: Touched::default(),
            site: ground.site.clone(),
            snapshots: folder.join("snapshots"),
        };
        held.remember()?;
        Ok(held)
    }

    /// Whether nothing is left that needs this process. Snapshots are files.
    pub(super) fn is_empty(&self) -> bool {
        self.cloud.is_empty_but_for(Kind::Snapshot)
    }

    /// See [`Hosts::tick`].
    pub(super) fn tick(&mut self, now: Instant) -> Option<Instant> {
        self.hosts.tick(now)
    }

    /// Hears what happened in hosts, and what the kernel tells.
    pub(super) fn hear(&mut self, now: Instant) {
        self.hosts.hear(now);
        self.listen();
    }

    /// What says something when there is something to hear.
    pub(super) fn files(&self) -> Vec<BorrowedFd<'_>> {
        let mut files = self.hosts.fds();
        files.extend(self.kernel.files());
        files
    }

    /// Does it; with some replies goes a file.
    pub(super) fn answer(&mut self, request: Request) -> (Reply, Option<OwnedFd>) {
        let key = match &request {
            Request::Create { spec, .. } | Request::Update { spec } => {
                Some((spec.kind(), spec.name().to_owned()))
            }
            Request::Delete { kind, name } => Some((*kind, name.clone())),
            _ => None,
        };
        let reply = match request {
            Request::Hello => Reply::Hello {
                pid: std::process::id(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                missing: self.hosts.missing(),
            },
            Request::Create { token, spec } => self.create(&token, spec),
            Request::Update { spec } => self.update(spec),
            Request::Delete { kind, name } => match self.delete(kind, &name) {
                Ok(()) => Reply::Gone,
                Err(refusal) => self.refused(refusal, kind, &name),
            },
            Request::Read { objects } => self.read(&objects),
            Request::Find { token } => {
                let made = self.cloud.made_by(&token).cloned();
                self.read(made.as_slice())
            }
            Request::List { kind } => Reply::Names(self.cloud.names(kind)),
            Request::Beside { ours } => {
                Reply::Beside(beside(&self.cloud, &ours.into_iter().collect()))
            }
            Request::Follow => self.follow(),
            Request::Enter { kind, name } => match self.enter(kind, &name) {
                Ok(file) => return (Reply::Entered, Some(file)),
                Err(refusal) => Reply::Refused { refusal, left: None },
            },
            Request::Logs { host, limit } => match self.hosts.logs(&host, limit) {
                Some(text) => Reply::Text(text),
                None => Reply::Refused { refusal: unknown(Kind::Host, &host), left: None },
            },
        };
        if let Some(key) = key {
            self.changed(&key);
        }
        (reply, None)
    }

    fn create(&mut self, token: &str, spec: Spec) -> Reply {
        let (kind, name) = (spec.kind(), spec.name().to_owned());
        // The same call, heard twice.
        if self.cloud.made_by(token).is_some_and(|it| *it == (kind, name.clone())) {
            return self.done(kind, &name);
        }
        let what = said(kind);
        if self.cloud.get(kind, &name).is_some() {
            let detail = format!(
                "The cloud has a {what} called {name:?} that this configuration did not make. \
                 Import it or choose another name."
            );
            let refusal = Refusal::new(format!("{what} exists"), detail).at("name");
            return Reply::Refused { refusal, left: None };
        }
        match self.put(Some(token), spec) {
            Ok(()) => self.done(kind, &name),
            Err(refusal) => Reply::Refused { refusal, left: None },
        }
    }

    fn update(&mut self, spec: Spec) -> Reply {
        let (kind, name) = (spec.kind(), spec.name().to_owned());
        if self.cloud.get(kind, &name).is_none() {
            return Reply::Refused { refusal: unknown(kind, &name), left: None };
        }
        match self.put(None, spec) {
            Ok(()) => self.done(kind, &name),
            Err(refusal) => self.refused(refusal, kind, &name),
        }
    }

    /// Makes it so, whatever was there; or leaves what was there and says why not.
    fn put(&mut self, token: Option<&str>, spec: Spec) -> Result<(), Refusal> {
        for name in checked_names(&spec) {
            check_name(name)?;
        }
        let nat = matches!(&spec, Spec::Network(it) if it.external == Some(External::Nat));
        if nat && self.site.machine.is_none() {
            let detail = "Only root may change what leaves by the machine's own uplink. Run plumb as \
                          root, or let the network be \"isolated\".";
            return Err(Refusal::new("No way out by the machine's uplink", detail).at("external"));
        }
        let key = (spec.kind(), spec.name().to_owned());
        let before = self.cloud.get(key.0, &key.1).map(|it| it.spec.clone());
        let concerned = self.cloud.put(token, spec.clone())?;
        // Of something new nobody can have changed anything yet.
        let made = match before {
            None => self.reach(&concerned),
            Some(_) => self.repair(&concerned),
        };
        let made = made.map_err(|refusal| match &spec {
            Spec::Link(it) if it.shape.needs_netem() => refusal.at("delay_ms"),
            _ => refusal,
        });
        let made = made.and_then(|()| self.beyond_network(&spec, before.as_ref()));
        made.inspect_err(|_| match before {
            Some(spec) => {
                let _ = self.cloud.put(None, spec);
                let _ = self.repair(&concerned);
            }
            None => {
                let _ = self.cloud.remove(key.0, &key.1);
                let _ = self.repair(&concerned);
            }
        })
    }

    /// What of an object is not links, addresses, routes and filters.
    fn beyond_network(&mut self, spec: &Spec, before: Option<&Spec>) -> Result<(), Refusal> {
        match spec {
            Spec::Host(host) => {
                let before = match before {
                    Some(Spec::Host(it)) => Some(it),
                    _ => None,
                };
                let name = NsName(format!("host/{}", host.name));
                let Some(namespace) = self.kernel.namespace(&name) else {
                    return Err(Refusal::new("No network namespace", "The host's is not there."));
                };
                self.hosts.put(host, namespace, before)
            }
            Spec::Snapshot(it) if before.is_none() => {
                let Some(host) = self.host(&it.host) else {
                    return Err(unknown(Kind::Host, &it.host).at("host"));
                };
                let host = host.clone();
                self.hosts.snapshot(&it.name, &host)?;
                self.record(&it.name).map_err(|error| {
                    let _ = self.hosts.remove_snapshot(&it.name);
                    Refusal::new("Snapshot not kept", format!("It cannot be written: {error}."))
                })
            }
            _ => Ok(()),
        }
    }

    fn delete(&mut self, kind: Kind, name: &str) -> Result<(), Refusal> {
        let Some(entry) = self.cloud.get(kind, name) else { return Ok(()) };
        let before = entry.spec.clone();
        let concerned = self.cloud.remove(kind, name)?;
        let gone = match &before {
            Spec::Host(_) => self.hosts.remove(name),
            Spec::Snapshot(_) => self.hosts.remove_snapshot(name),
            _ => Ok(()),
        };
        if let Err(refusal) = gone {
            let _ = self.cloud.put(None, before);
            return Err(refusal);
        }
        if kind == Kind::Snapshot {
            let _ = fs::remove_file(self.snapshots.join(format!("{name}.json")));
            // So that an empty cloud is known by its folder.
            let _ = fs::remove_dir(&self.snapshots);
        }
        self.reach(&concerned).or_else(|_| self.repair(&concerned))
    }

    /// From what the kernel was told to what it is to be told.
    fn reach(&mut self, concerned: &BTreeSet<NsName>) -> Result<(), Refusal> {
        let present = part(&self.made, concerned);
        self.change(concerned, &present)
    }

    /// From what the kernel has to what it is to have.
    fn repair(&mut self, concerned: &BTreeSet<NsName>) -> Result<(), Refusal> {
        let told = part(&self.made, concerned);
        let present = self.kernel.observe(&told).map_err(|it| no(&it))?;
        self.change(concerned, &present)
    }

    fn change(&mut self, concerned: &BTreeSet<NsName>, present: &Want) -> Result<(), Refusal> {
        let mut concerned = concerned.clone();
        concerned.extend(present.namespaces.keys().cloned());
        let concerned = &concerned;
        let wanted = render(&self.cloud, concerned, &self.site);
        let result = self.kernel.reach(present, &wanted).map_err(|it| no(&it));
        let inside = |name: &NsName| concerned.contains(name);
        self.made.namespaces.retain(|name, _| !inside(name));
        // Whatever concerns a namespace concerns those at the other ends of its cables that change.
        self.made.cables.retain(|it| !(inside(&it.a.namespace) && inside(&it.b.namespace)));
        self.made.namespaces.extend(wanted.namespaces);
        self.made.cables.extend(wanted.cables);
        result
    }

    fn read(&mut self, objects: &[Key]) -> Reply {
        let mut concerned = BTreeSet::new();
        for key in objects {
            // Many of them share their namespaces.
            if concerned.len() < self.made.namespaces.len() {
                concerned.extend(self.cloud.concerns(key));
            }
        }
        let all = self.made.namespaces.keys().all(|it| concerned.contains(it));
        let told = match all {
            true => Cow::Borrowed(&self.made),
            false => Cow::Owned(part(&self.made, &concerned)),
        };
        let seen = match self.kernel.observe(&told) {
            Ok(seen) => seen,
            Err(error) => return Reply::Refused { refusal: no(&error), left: None },
        };
        let drift = drift(&self.cloud, &told, &seen);
        let object = |(kind, name): &Key| self.object(*kind, name, &drift);
        Reply::Objects(objects.iter().map(object).collect())
    }

    fn done(&self, kind: Kind, name: &str) -> Reply {
        match self.object(kind, name, &Drift::new()) {
            Some(object) => Reply::Done(Box::new(object)),
            None => Reply::Refused { refusal: unknown(kind, name), left: None },
        }
    }

    fn refused(&self, refusal: Refusal, kind: Kind, name: &str) -> Reply {
        let left = self.object(kind, name, &Drift::new()).map(Box::new);
        Reply::Refused { refusal, left }
    }

    fn object(&self, kind: Kind, name: &str, drift: &Drift) -> Option<Object> {
        let entry = self.cloud.get(kind, name)?;
        let mut given =
            Given { address: entry.address, mac: entry.mac.clone(), ..Given::default() };
        given.drift = drift.get(&(kind, name.to_owned())).cloned().unwrap_or_default();
        if let Spec::Host(host) = &entry.spec {
            self.host_given(host, &mut given);
        }
        Some(Object { spec: entry.spec.clone(), given })
    }

    fn host_given(&self, host: &Host, given: &mut Given) {
        for interface in &host.interfaces {
            let Some(port) = self.cloud.get(Kind::Port, interface.port()) else { continue };
            given.addresses.extend(port.address);
            given.macs.extend(port.mac.clone());
        }
        given.address = given.addresses.first().copied();
        match self.hosts.status(&host.name) {
            Some(status) => {
                if let Some(signal) = status.killed_by {
                    given.drift.push(format!("its command was killed by signal {signal}"));
                }
                given.pid = status.pid;
                given.exit_code = status.exit_code;
                given.status = Some(status.state);
            }
            None => given.drift.push("its processes are gone".to_owned()),
        }
    }

    fn enter(&mut self, kind: Kind, name: &str) -> Result<OwnedFd, Refusal> {
        let file = match kind {
            Kind::Host => {
                if let Some(namespace) = self.kernel.namespace(&NsName(format!("host/{name}"))) {
                    self.hosts.wake(name, namespace)?;
                }
                self.hosts.pidfd(name)
            }
            Kind::Router => self.kernel.namespace(&NsName(format!("router/{name}"))),
            Kind::Network => self.kernel.namespace(&NsName(format!("net/{name}"))),
            _ => {
                let what = said(kind);
                let detail = format!("Hosts, routers and networks can be entered, a {what} not.");
                return Err(Refusal::new("Cannot be entered", detail));
            }
        };
        let file = file.ok_or_else(|| unknown(kind, name))?;
        file.try_clone_to_owned()
            .map_err(|it| Refusal::new("Cannot be entered", format!("No more files: {it}.")))
    }

    fn host(&self, name: &str) -> Option<&Host> {
        match &self.cloud.get(Kind::Host, name)?.spec {
            Spec::Host(host) => Some(host),
            _ => None,
        }
    }

    /// Keeps a snapshot's record beside its files, so that it outlives this process.
    fn record(&self, name: &str) -> io::Result<()> {
        let Some(Entry { spec, token, .. }) = self.cloud.get(Kind::Snapshot, name) else {
            return Ok(());
        };
        let text = serde_json::to_string(&(spec, token))?;
        let (new, path) = (
            self.snapshots.join(format!("{name}.json.new")),
            self.snapshots.join(format!("{name}.json")),
        );
        let file = fs::File::create(&new)?;
        io::Write::write_all(&mut &file, text.as_bytes())?;
        file.sync_all()?;
        fs::rename(new, path)
    }

    /// The snapshots of an earlier holder.
    fn remember(&mut self) -> io::Result<()> {
        for (spec, token) in client::records(&self.snapshots)? {
            let refused = |it: Refusal| io::Error::other(it.detail);
            self.cloud.put(Some(&token), spec).map_err(refused)?;
        }
        Ok(())
    }
}

/// The names that become names of files or of namespaces.
fn checked_names(spec: &Spec) -> Vec<&str> {
    match spec {
        // Made of two that were checked.
        Spec::RouterInterface(it) => vec![&it.router, &it.network],
        it => std::iter::once(it.name()).collect(),
    }
}

/// The part of some namespaces and the cables between them; with a network its part in the machine's
/// own namespace.
fn part(of: &Want, namespaces: &BTreeSet<NsName>) -> Want {
    let mut namespaces = namespaces.clone();
    for cable in &of.cables {
        if namespaces.contains(&cable.a.namespace) && cable.b.namespace.0.starts_with(MACHINE) {
            namespaces.insert(cable.b.namespace.clone());
        }
    }
    let there = |it: &&NsName| of.namespaces.contains_key(*it);
    let one = |it: &NsName| Some((it.clone(), of.namespaces.get(it)?.clone()));
    let all: BTreeMap<_, _> = namespaces.iter().filter(there).filter_map(one).collect();
    let inside = |it: &&crate::want::Cable| {
        all.contains_key(&it.a.namespace) && all.contains_key(&it.b.namespace)
    };
    let cables = of.cables.iter().filter(inside).cloned().collect();
    Want { namespaces: all, cables }
}

fn unknown(kind: Kind, name: &str) -> Refusal {
    let what = said(kind);
    Refusal::new(format!("Unknown {what}"), format!("There is no {what} called {name:?}."))
}

/// The kernel's no.
pub(super) fn no(error: &KernelError) -> Refusal {
    let cause = error.source().map(ToString::to_string).unwrap_or_default();
    Refusal::new("The kernel refused", format!("It cannot be done: {error}: {cause}."))
}
