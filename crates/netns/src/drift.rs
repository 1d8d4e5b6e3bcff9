//! What the kernel has otherwise than it was made: in words, by the object that it belongs to. Pure.

use std::collections::BTreeMap;

use crate::cloud::{Cloud, Entry, Key};
use crate::render::OUTSIDE;
use crate::spec::{Cidr, Kind, Spec};
use crate::want::{Link, MACHINE, Namespace, NsName, Route, Table, Want};

/// Objects, each with what is otherwise.
pub type Drift = BTreeMap<Key, Vec<String>>;

/// Compares what was made with what is there, of the same namespaces.
pub fn drift(cloud: &Cloud, made: &Want, seen: &Want) -> Drift {
    let mut all = Found { cloud, drift: Drift::new() };
    let none = Namespace::default();
    for (name, made) in &made.namespaces {
        all.namespace(name, made, seen.namespaces.get(name).unwrap_or(&none));
    }
    for cable in made.cables.difference(&seen.cables) {
        for end in [&cable.a, &cable.b] {
            let there = |want: &Want| {
                let space = want.namespaces.get(&end.namespace);
                space.is_some_and(|it| it.links.contains_key(&end.link))
            };
            // One that is gone was said to be.
            if there(seen) {
                all.link(&end.namespace, &end.link, format!("{} leads nowhere", end.link));
            }
        }
    }
    all.drift
}

struct Found<'a> {
    cloud: &'a Cloud,
    drift: Drift,
}

impl Found<'_> {
    fn say(&mut self, key: Key, words: String) {
        // A host speaks for its own ports.
        let owner = self.cloud.get(key.0, &key.1).and_then(|it| it.owner.clone());
        let key = owner.map_or(key, |it| (Kind::Host, it));
        let all = self.drift.entry(key).or_default();
        if !all.contains(&words) {
            all.push(words);
        }
    }

    fn link(&mut self, name: &NsName, link: &str, words: String) {
        self.say(owner_of_link(self.cloud, name, link), words);
    }

    fn namespace(&mut self, name: &NsName, made: &Namespace, seen: &Namespace) {
        for (link, was) in &made.links {
            match seen.links.get(link) {
                None => self.link(name, link, format!("{link} is down or gone")),
                Some(is) => self.settings(name, link, was, is),
            }
        }
        for link in seen.links.keys().filter(|it| !made.links.contains_key(*it)) {
            self.say(main(self.cloud, name), format!("{link} was added"));
        }
        for it in made.routes.difference(&seen.routes) {
            self.say(main(self.cloud, name), format!("the route {} is gone", route(it)));
        }
        for it in seen.routes.difference(&made.routes) {
            self.say(main(self.cloud, name), format!("the route {} was added", route(it)));
        }
        for (path, was) in &made.sysctls {
            let is = seen.sysctls.get(path);
            if is != Some(was) {
                let is = is.map_or("not there", String::as_str);
                let setting = path.replace('/', ".");
                self.say(main(self.cloud, name), format!("net.{setting} is {is}, not {was}"));
            }
        }
        for it in seen.loopback.difference(&made.loopback) {
            self.say(main(self.cloud, name), format!("lo has the address {it}"));
        }
        self.table(name, &made.table, &seen.table);
        for it in seen.tables.difference(&made.tables) {
            self.say(main(self.cloud, name), format!("the nftables table {it} was added"));
        }
    }

    fn settings(&mut self, name: &NsName, link: &str, was: &Link, is: &Link) {
        for it in was.addresses.difference(&is.addresses) {
            let key = match floating(self.cloud, name, link, *it) {
                Some(key) => key,
                None => owner_of_link(self.cloud, name, link),
            };
            self.say(key, format!("{link} lacks the address {it}"));
        }
        for it in is.addresses.difference(&was.addresses) {
            self.link(name, link, format!("{link} has the address {it}"));
        }
        if was.mtu != is.mtu {
            self.link(name, link, format!("the MTU of {link} is {}, not {}", is.mtu, was.mtu));
        }
        if was.mac.is_some() && was.mac != is.mac {
            let is = is.mac.as_deref().unwrap_or("unknown");
            self.link(name, link, format!("the hardware address of {link} is {is}"));
        }
        if was.shape != is.shape {
            self.link(name, link, format!("{link} is not as slow as it was made"));
        }
        if was.bridge != is.bridge || was.master != is.master {
            self.link(name, link, format!("{link} is plugged in elsewhere"));
        }
    }

    fn table(&mut self, name: &NsName, made: &Table, seen: &Table) {
        if made == seen {
            return;
        }
        let mut said = false;
        for chain in &made.chains {
            let there = seen.chains.iter().find(|it| it.name == chain.name);
            let rules = there.map_or(&[][..], |it| &it.rules);
            for rule in &chain.rules {
                let count =
                    |rules: &[crate::want::Rule]| rules.iter().filter(|it| *it == rule).count();
                if count(rules) < count(&chain.rules) {
                    said = true;
                    let words = format!("a filter rule in {} is gone", chain.name);
                    self.say(key(&rule.owner).unwrap_or_else(|| main(self.cloud, name)), words);
                }
            }
            for rule in rules.iter().filter(|it| !chain.rules.contains(it)) {
                said = true;
                let _ = rule;
                self.say(
                    main(self.cloud, name),
                    format!("a filter rule was added to {}", chain.name),
                );
            }
            if there.is_none_or(|it| it.hook != chain.hook) {
                said = true;
                self.say(
                    main(self.cloud, name),
                    format!("the filter chain {} is not as it was", chain.name),
                );
            }
        }
        let known = |name: &str| made.chains.iter().any(|it| it.name == name);
        for chain in seen.chains.iter().filter(|it| !known(&it.name)) {
            said = true;
            self.say(main(self.cloud, name), format!("the filter chain {} was added", chain.name));
        }
        if !said {
            self.say(main(self.cloud, name), "filter rules are in another order".to_owned());
        }
    }
}

/// What a namespace stands for.
pub(crate) fn main(cloud: &Cloud, name: &NsName) -> Key {
    if name.0.starts_with(MACHINE) {
        // Named after the network's number.
        let digits: String = name.0.chars().rev().take_while(char::is_ascii_digit).collect();
        let number = digits.chars().rev().collect::<String>().parse().unwrap_or(u32::MAX);
        let mut all = cloud.of(Kind::Network);
        let network = all.find(|(_, it)| it.number == number).map_or("", |it| it.0);
        return (Kind::Network, network.to_owned());
    }
    let (kind, object) = name.0.split_once('/').unwrap_or(("host", &name.0));
    let kind = match kind {
        "net" => Kind::Network,
        "router" => Kind::Router,
        _ => Kind::Host,
    };
    (kind, object.to_owned())
}

/// Whose a rule is: `security_group_rule/ssh`.
pub(crate) fn key(owner: &str) -> Option<Key> {
    let (kind, name) = owner.split_once('/')?;
    let kind = match kind {
        "port" => Kind::Port,
        "security_group_rule" => Kind::SecurityGroupRule,
        "router" => Kind::Router,
        "router_interface" => Kind::RouterInterface,
        "floating_ip" => Kind::FloatingIp,
        "port_forward" => Kind::PortForward,
        "network" => Kind::Network,
        _ => return None,
    };
    Some((kind, name.to_owned()))
}

/// Whose a link is: by the number in its name, or the place of a host's interface.
pub(crate) fn owner_of_link(cloud: &Cloud, name: &NsName, link: &str) -> Key {
    let main = main(cloud, name);
    let digits = link.trim_start_matches(|it: char| !it.is_ascii_digit());
    let Ok(number) = digits.parse::<u32>() else { return main };
    let numbered = |kinds: &[Kind]| {
        let mut all = kinds.iter().flat_map(|kind| cloud.of(*kind).map(move |it| (*kind, it)));
        all.find(|(_, (_, entry))| entry.number == number)
            .map(|(kind, (name, _))| (kind, name.to_owned()))
    };
    let found = match (main.0, link.trim_end_matches(|it: char| it.is_ascii_digit())) {
        (Kind::Network, "p") => numbered(&[Kind::Port]),
        (Kind::Network, "r") => numbered(&[Kind::Router, Kind::RouterInterface]),
        (Kind::Router, "int") => numbered(&[Kind::RouterInterface]),
        (Kind::Host, "lnk") => numbered(&[Kind::Link]),
        (Kind::Host, "eth") => match cloud.get(Kind::Host, &main.1) {
            Some(Entry { spec: Spec::Host(host), .. }) => usize::try_from(number)
                .ok()
                .and_then(|it| host.interfaces.get(it))
                .map(|it| (Kind::Port, it.port().to_owned())),
            _ => None,
        },
        _ => None,
    };
    found.unwrap_or(main)
}

/// The floating IP whose address is that of a router's link.
pub(crate) fn floating(cloud: &Cloud, name: &NsName, link: &str, address: Cidr) -> Option<Key> {
    if main(cloud, name).0 != Kind::Router || link != OUTSIDE || address.prefix != 32 {
        return None;
    }
    let mut all = cloud.of(Kind::FloatingIp);
    let (name, _) = all.find(|(_, it)| it.address == Some(address.address))?;
    Some((Kind::FloatingIp, name.to_owned()))
}

fn route(it: &Route) -> String {
    match it {
        Route::Via { destination, next_hop } => format!("to {destination} by {next_hop}"),
        Route::Local(cidr) => format!("to {cidr} itself"),
        Route::Nowhere(cidr) => format!("to {cidr}, which leads nowhere,"),
    }
}
