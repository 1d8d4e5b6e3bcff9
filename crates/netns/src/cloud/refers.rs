//! Who refers to whom, and which namespaces an object concerns.

use std::collections::BTreeSet;

use super::{Cloud, Entry, Key};
use crate::spec::{Interface, Kind, Port, Root, Spec};
use crate::want::NsName;

/// What an object refers to, and by which argument.
pub(crate) fn references(spec: &Spec) -> Vec<(Key, &'static str)> {
    let one = |kind: Kind, name: &str, argument| ((kind, name.to_owned()), argument);
    match spec {
        Spec::Network(_) | Spec::SecurityGroup(_) | Spec::Snapshot(_) => Vec::new(),
        Spec::Router(it) => {
            let network = it.external_network.iter();
            network.map(|name| one(Kind::Network, name, "external_network")).collect()
        }
        Spec::RouterInterface(it) => vec![
            one(Kind::Router, &it.router, "router"),
            one(Kind::Network, &it.network, "network"),
        ],
        Spec::Port(it) => std::iter::once(one(Kind::Network, &it.network, "network"))
            .chain(
                it.security_groups
                    .iter()
                    .map(|name| one(Kind::SecurityGroup, name, "security_groups")),
            )
            .collect(),
        Spec::SecurityGroupRule(it) => {
            let group = one(Kind::SecurityGroup, &it.security_group, "security_group");
            let remote = it.remote_group.iter();
            let remote = remote.map(|name| one(Kind::SecurityGroup, name, "remote_group"));
            std::iter::once(group).chain(remote).collect()
        }
        Spec::FloatingIp(it) => {
            // It may name a port or a host; it hangs on whichever there is.
            let port = it.port.iter();
            let port = port.flat_map(|name| {
                [one(Kind::Port, name, "port"), one(Kind::Host, name, "port")].into_iter()
            });
            std::iter::once(one(Kind::Network, &it.network, "network")).chain(port).collect()
        }
        Spec::PortForward(it) => vec![one(Kind::Router, &it.router, "router")],
        Spec::Host(it) => {
            let ports = it.interfaces.iter().filter_map(|it| match it {
                Interface::Port(name) => Some(one(Kind::Port, name, "interface")),
                Interface::Own(_) => None,
            });
            let root = match &it.root {
                Root::Snapshot(name) => Some(one(Kind::Snapshot, name, "snapshot")),
                Root::Machine | Root::Folder(_) | Root::Image(_) => None,
            };
            ports.chain(root).collect()
        }
        Spec::Link(it) => it.ends.iter().map(|(host, _)| one(Kind::Host, host, "host")).collect(),
    }
}

pub(crate) fn net(name: &str) -> NsName {
    NsName(format!("net/{name}"))
}

pub(crate) fn router(name: &str) -> NsName {
    NsName(format!("router/{name}"))
}

pub(crate) fn host(name: &str) -> NsName {
    NsName(format!("host/{name}"))
}

impl Cloud {
    /// The namespaces whose needs follow from an object.
    pub(crate) fn concerns(&self, key: &Key) -> BTreeSet<NsName> {
        let Some(entry) = self.objects.get(key) else { return BTreeSet::new() };
        let mut all = BTreeSet::new();
        match &entry.spec {
            Spec::Network(it) => {
                all.insert(net(&it.name));
                for user in self.users(Kind::Network, &it.name) {
                    self.concerned_by_user_of_network(user, &mut all);
                }
            }
            Spec::Router(it) => {
                all.insert(router(&it.name));
                all.extend(it.external_network.as_deref().map(net));
                let feet = self.users_of(Kind::Router, &it.name, Kind::RouterInterface);
                all.extend(feet.filter_map(|it| match &it.spec {
                    Spec::RouterInterface(it) => Some(net(&it.network)),
                    _ => None,
                }));
            }
            Spec::RouterInterface(it) => all.extend([router(&it.router), net(&it.network)]),
            Spec::Port(it) => self.concerned_by_port(it, &mut all),
            Spec::SecurityGroup(it) => self.concerned_by_group(&it.name, &mut all),
            Spec::SecurityGroupRule(it) => self.concerned_by_group(&it.security_group, &mut all),
            Spec::FloatingIp(_) => all.extend(self.router_of(entry).map(|it| router(&it))),
            Spec::PortForward(it) => {
                all.insert(router(&it.router));
            }
            Spec::Host(it) => {
                all.insert(host(&it.name));
                for port in self.ports_of(it) {
                    if let Spec::Port(port) = &port.spec {
                        self.concerned_by_port(port, &mut all);
                    }
                }
                for link in self.users_of(Kind::Host, &it.name, Kind::Link) {
                    all.extend(ends(&link.spec));
                }
            }
            Spec::Snapshot(_) => {}
            Spec::Link(_) => all.extend(ends(&entry.spec)),
        }
        all
    }

    fn concerned_by_user_of_network(&self, user: &Key, all: &mut BTreeSet<NsName>) {
        match user.0 {
            Kind::Router => {
                all.insert(router(&user.1));
            }
            Kind::Port => all.extend(self.host_of(&user.1).map(|it| host(&it))),
            Kind::RouterInterface => {
                if let Some(Entry { spec: Spec::RouterInterface(it), .. }) = self.objects.get(user)
                {
                    all.insert(router(&it.router));
                }
            }
            _ => {}
        }
    }

    fn concerned_by_port(&self, port: &Port, all: &mut BTreeSet<NsName>) {
        all.insert(net(&port.network));
        let on = self.host_of(&port.name);
        all.extend(on.as_deref().map(host));
        // Whoever lets its groups in or out knows its address.
        for group in &port.security_groups {
            for rule in self.users_of(Kind::SecurityGroup, group, Kind::SecurityGroupRule) {
                if let Spec::SecurityGroupRule(rule) = &rule.spec
                    && rule.remote_group.as_ref() == Some(group)
                {
                    self.concerned_by_group(&rule.security_group, all);
                }
            }
        }
        for name in [Some(&port.name), on.as_ref()].into_iter().flatten() {
            let floating = [Kind::Port, Kind::Host];
            let floating =
                floating.into_iter().flat_map(|it| self.users_of(it, name, Kind::FloatingIp));
            all.extend(floating.filter_map(|it| self.router_of(it)).map(|it| router(&it)));
        }
    }

    fn concerned_by_group(&self, group: &str, all: &mut BTreeSet<NsName>) {
        let ports = self.users(Kind::SecurityGroup, group).filter(|it| it.0 == Kind::Port);
        all.extend(ports.filter_map(|it| self.host_of(&it.1)).map(|it| host(&it)));
    }

    /// The host that a port is plugged into.
    pub(crate) fn host_of(&self, port: &str) -> Option<String> {
        let entry = self.get(Kind::Port, port)?;
        let by_name = || {
            let mut hosts = self.users(Kind::Port, port).filter(|it| it.0 == Kind::Host);
            hosts.next().map(|it| it.1.clone())
        };
        entry.owner.clone().or_else(by_name)
    }

    /// The ports of a host that exist, in the order of its interfaces.
    pub(crate) fn ports_of<'a>(
        &'a self,
        host: &'a crate::spec::Host,
    ) -> impl Iterator<Item = &'a Entry> {
        host.interfaces.iter().filter_map(|it| match it {
            Interface::Port(name) => self.get(Kind::Port, name),
            Interface::Own(port) => self.get(Kind::Port, &port.name),
        })
    }

    /// The port that a floating IP stands for.
    pub(crate) fn port_behind(&self, floating: &Entry) -> Option<&Entry> {
        let Spec::FloatingIp(it) = &floating.spec else { return None };
        let name = it.port.as_deref()?;
        self.get(Kind::Port, name).or_else(|| match &self.get(Kind::Host, name)?.spec {
            Spec::Host(host) => self.ports_of(host).next(),
            _ => None,
        })
    }

    /// The router that a floating IP works on: it leads to its network, and has a foot in that of
    /// its port.
    pub(crate) fn router_of(&self, floating: &Entry) -> Option<String> {
        let Spec::FloatingIp(it) = &floating.spec else { return None };
        let Spec::Port(port) = &self.port_behind(floating)?.spec else { return None };
        let mut routers = self.users_of(Kind::Network, &it.network, Kind::Router);
        let router = routers.find(|entry| {
            let mut feet = self.users_of(Kind::Router, entry.spec.name(), Kind::RouterInterface);
            feet.any(|foot| matches!(&foot.spec, Spec::RouterInterface(it) if it.network == port.network))
        });
        router.map(|it| it.spec.name().to_owned())
    }
}

fn ends(link: &Spec) -> Vec<NsName> {
    match link {
        Spec::Link(it) => it.ends.iter().map(|(name, _)| host(name)).collect(),
        _ => Vec::new(),
    }
}
