//! `netns_host`.

use std::collections::{BTreeMap, BTreeSet};

use plumb_model::schema::Problem;
use plumb_model::value::Value;
use plumb_netns::spec::{self, Kind, Root, Spec};
use plumb_netns::wire::{Given, Object};
use plumb_provider::{Block, Failure, Resource};

use super::port::allowed;
use super::{Context, Shape};
use crate::plan::{Choice, Reference, Rules};
use crate::text::{
    RESTARTS, absolute, address, as_written, as_written_all, bytes, mac, meant, read, read_some,
    thousandths, word,
};
use crate::validate::Check;

/// A machine: processes, files, name and network of its own.
///
/// Without `folder`, `image` or `snapshot` its files are this machine's own `/`, copy on write.
#[derive(Resource, Clone, Debug, Default, PartialEq)]
#[resource(kind = "netns_host")]
pub(crate) struct Host {
    /// The name.
    #[attr(computed)]
    id: Option<String>,
    /// Its name, and its hostname.
    #[attr(replace)]
    name: String,
    /// Its place in a network; the first is `eth0`.
    #[attr(block)]
    interface: Vec<Interface>,
    /// A folder that it starts from, copy on write, relative to the configuration.
    folder: Option<String>,
    /// An OCI image archive (tar) that it starts from, relative to the configuration.
    image: Option<String>,
    /// Name of a snapshot that it starts from, copy on write.
    snapshot: Option<String>,
    /// What runs in it. Left out, nothing.
    #[attr(optional)]
    command: Vec<String>,
    /// As whom the command runs: a name or number of the host's own, with or without `:group`. Left
    /// out, root. Others are there only where the cloud is root's.
    user: Option<String>,
    /// Its environment.
    #[attr(optional)]
    env: BTreeMap<String, String>,
    /// Files that are written before the command starts: path to content.
    #[attr(optional)]
    files: BTreeMap<String, String>,
    /// When the command ends it is started again: `no`, `on-failure`, `always`.
    #[attr(default = "no")]
    restart: String,
    /// A command that succeeds while the host is well.
    #[attr(block)]
    health: Option<Health>,
    /// What it may use. Left out, all there is.
    #[attr(block)]
    limits: Option<Limits>,
    /// Its first address.
    #[attr(computed)]
    address: Option<String>,
    /// Its addresses, in the order of its interfaces.
    #[attr(computed)]
    addresses: Vec<String>,
    /// Its hardware addresses, in the order of its interfaces.
    #[attr(computed)]
    macs: Vec<String>,
    /// `idle` without a command, `running`, `exited`, `starting`; with a health check `healthy` or
    /// `unhealthy`.
    #[attr(computed)]
    status: Option<String>,
    /// Its process, as this machine numbers it, while it runs.
    #[attr(computed)]
    pid: Option<u32>,
    /// What its command ended with.
    #[attr(computed)]
    exit_code: Option<i32>,
    /// What the kernel has otherwise than it was made, in words. An apply repairs it.
    #[attr(computed)]
    drift: Vec<String>,
}

/// A host's place in a network: a port that is declared by itself, or one of its own.
#[derive(Block, Clone, Debug, Default, PartialEq)]
pub(crate) struct Interface {
    /// Name of a port that is declared by itself. Nothing else is then said here.
    port: Option<String>,
    /// Name of the network, for a port of its own.
    network: Option<String>,
    /// Its address. Left out, a free one of the upper half.
    #[attr(optional_computed)]
    address: Option<String>,
    /// Its hardware address. Left out, one that follows from the host's name.
    #[attr(optional_computed)]
    mac: Option<String>,
    /// Names of the groups that say what may come and go. None: everything may.
    #[attr(optional)]
    security_groups: BTreeSet<String>,
    /// More source addresses that it may send from: `10.1.0.0/16`, or one address.
    #[attr(optional)]
    allowed_addresses: BTreeSet<String>,
}

/// A command that succeeds while the host is well.
#[derive(Block, Clone, Debug, Default, PartialEq)]
pub(crate) struct Health {
    /// The command.
    command: Vec<String>,
    /// Seconds between two.
    #[attr(default = 10)]
    interval: u32,
    /// Failures in a row that make it unhealthy.
    #[attr(default = 3)]
    retries: u32,
}

/// What a host may use.
#[derive(Block, Clone, Debug, Default, PartialEq)]
pub(crate) struct Limits {
    /// Memory: `64m`, `1g`, or bytes.
    memory: Option<String>,
    /// Processes.
    pids: Option<u64>,
    /// Processors, such as 0.5.
    cpu: Option<f64>,
}

impl Shape for Host {
    const OF: Kind = Kind::Host;
    const RULES: Rules = Rules {
        choices: &[
            Choice { attribute: "address", follows: &["interface"], needs: None },
            Choice { attribute: "addresses", follows: &["interface"], needs: None },
            Choice { attribute: "macs", follows: &["interface"], needs: None },
        ],
        restless: &["status", "pid", "exit_code"],
        interfaces: Some("interface"),
        references: &[
            Reference { path: &["interface", "network"], kind: "netns_network" },
            Reference { path: &["interface", "port"], kind: "netns_port" },
            Reference { path: &["interface", "security_groups"], kind: "netns_security_group" },
        ],
        ..Rules::named()
    };

    fn validate(config: &Value) -> Vec<Problem> {
        Check::of(config, |check| {
            check.name("name");
            check.each("interface", |interface| {
                interface.place();
                let neither = interface.left_out("port") && interface.left_out("network");
                if neither || (interface.given("port") && interface.given("network")) {
                    let detail = "It takes either a port that is declared by itself, or the network that its own port is in.";
                    interface.refuse_all("Interface needs a port or a network", detail);
                }
                for name in ["address", "mac", "security_groups", "allowed_addresses"] {
                    if interface.given("port") && interface.given(name) {
                        let detail = "The port has one: say it where the port is declared.";
                        interface.refuse(name, "Interface says what its port says", detail);
                    }
                }
            });
            let roots: Vec<_> = ["folder", "image", "snapshot"].into_iter().collect();
            let given: Vec<_> = roots.into_iter().filter(|it| check.given(it)).collect();
            if let [first, second, ..] = given[..] {
                let detail = format!("A host starts from one thing: {first} or {second}.");
                check.refuse(second, "More than one root", detail);
            }
            for name in ["folder", "image"] {
                if check.text(name) == Some("") {
                    check.refuse(name, "Empty path", "Leave it out for this machine's own files.");
                }
            }
            check.command("command", false);
            check.environment("env");
            check.files("files");
            check.word("restart", RESTARTS);
            check.each("health", |health| {
                health.command("command", true);
                health.number("interval", 1, 86400);
                health.number("retries", 1, 1000);
            });
            check.each("limits", Check::limits);
        })
    }

    fn spec(&self, with: &Context) -> Result<Spec, Failure> {
        let interfaces = self.interface.iter().enumerate();
        let interfaces = interfaces.map(|(position, it)| it.spec(&self.name, position));
        let path = |it: &String| absolute(&with.directory, it);
        let root = match (&self.folder, &self.image, &self.snapshot) {
            (Some(it), ..) => Root::Folder(path(it)),
            (_, Some(it), _) => Root::Image(path(it)),
            (.., Some(it)) => Root::Snapshot(it.clone()),
            (None, None, None) => Root::Machine,
        };
        let health = self.health.as_ref().map(|it| spec::Health {
            command: it.command.clone(),
            interval: it.interval,
            retries: it.retries,
        });
        let limits = self.limits.as_ref().map(Limits::spec).transpose()?;
        Ok(Spec::Host(spec::Host {
            name: self.name.clone(),
            interfaces: interfaces.collect::<Result<_, Failure>>()?,
            root,
            command: self.command.clone(),
            user: self.user.clone(),
            env: self.env.clone(),
            files: self.files.clone(),
            restart: read("restart", &self.restart, |it| meant(RESTARTS, it))?,
            health,
            limits: limits.unwrap_or_default(),
        }))
    }

    fn observed(self, object: &Object, with: &Context) -> Option<Host> {
        let Spec::Host(it) = &object.spec else { return None };
        let given = &object.given;
        let mut written = self.interface.into_iter();
        let interface =
            it.interfaces.iter().enumerate().map(|(position, it)| {
                written.next().unwrap_or_default().observed(it, given, position)
            });
        let (folder, image, snapshot) = match &it.root {
            Root::Machine => (None, None, None),
            Root::Folder(it) => (Some(it.clone()), None, None),
            Root::Image(it) => (None, Some(it.clone()), None),
            Root::Snapshot(it) => (None, None, Some(it.clone())),
        };
        let path = |it: &String| Some(absolute(&with.directory, it));
        let health = it.health.as_ref().map(|it| Health {
            command: it.command.clone(),
            interval: it.interval,
            retries: it.retries,
        });
        Some(Host {
            id: Some(it.name.clone()),
            name: it.name.clone(),
            interface: interface.collect(),
            folder: as_written(self.folder, folder, path, |it| it),
            image: as_written(self.image, image, path, |it| it),
            snapshot,
            command: it.command.clone(),
            user: it.user.clone(),
            env: it.env.clone(),
            files: it.files.clone(),
            restart: word(RESTARTS, it.restart),
            health,
            limits: Limits::observed(self.limits, &it.limits),
            address: given.address.map(|it| it.to_string()),
            addresses: given.addresses.iter().map(ToString::to_string).collect(),
            macs: given.macs.clone(),
            status: given.status.clone(),
            pid: given.pid,
            exit_code: given.exit_code,
            drift: given.drift.clone(),
        })
    }
}

impl Interface {
    /// Its own port is named after the host and its position.
    fn spec(&self, host: &str, position: usize) -> Result<spec::Interface, Failure> {
        if let Some(port) = &self.port {
            return Ok(spec::Interface::Port(port.clone()));
        }
        Ok(spec::Interface::Own(spec::Port {
            name: format!("{host}/{position}"),
            network: self.network.clone().unwrap_or_default(),
            address: address("interface", &self.address)?,
            mac: read_some("interface", &self.mac, mac)?,
            security_groups: self.security_groups.iter().cloned().collect(),
            allowed_addresses: allowed(&self.allowed_addresses)?,
        }))
    }

    fn observed(self, it: &spec::Interface, given: &Given, position: usize) -> Interface {
        let chosen = given.addresses.get(position).copied();
        let chosen_mac = given.macs.get(position).cloned();
        let written = |is| as_written(self.mac, is, |it| mac(it), |it| it);
        match it {
            spec::Interface::Port(port) => Interface {
                port: Some(port.clone()),
                address: chosen.map(|it| it.to_string()),
                mac: written(chosen_mac),
                ..Interface::default()
            },
            spec::Interface::Own(it) => Interface {
                port: None,
                network: Some(it.network.clone()),
                address: it.address.or(chosen).map(|it| it.to_string()),
                mac: written(it.mac.clone().or(chosen_mac)),
                security_groups: it.security_groups.iter().cloned().collect(),
                allowed_addresses: as_written_all(&self.allowed_addresses, &it.allowed_addresses),
            },
        }
    }
}

impl Limits {
    fn spec(&self) -> Result<spec::Limits, Failure> {
        let cpu = |it: f64| read("limits", &it.to_string(), |_| thousandths(it));
        Ok(spec::Limits {
            memory: read_some("limits", &self.memory, bytes)?,
            pids: self.pids,
            cpu: self.cpu.map(cpu).transpose()?,
        })
    }

    fn observed(written: Option<Limits>, is: &spec::Limits) -> Option<Limits> {
        if written.is_none() && *is == spec::Limits::default() {
            return None;
        }
        let written = written.unwrap_or_default();
        let cpu = |it: u64| it as f64 / 1000.0;
        Some(Limits {
            memory: as_written(written.memory, is.memory, |it| bytes(it), |it| it.to_string()),
            pids: is.pids,
            cpu: as_written(written.cpu, is.cpu, |it| thousandths(*it), cpu),
        })
    }
}
