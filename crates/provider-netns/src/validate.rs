//! What is wrong with a configuration by itself. What is not known yet is not judged.

use std::net::Ipv4Addr;

use plumb_model::schema::Problem;
use plumb_model::value::{Path, Value};
use plumb_netns::hosts::check_name;
use plumb_netns::spec::Cidr;

use crate::convert::bytes;

/// The smallest packet that every IPv4 host takes whole, in bytes.
const MTU_MIN: i64 = 576;

/// The problems of one block.
struct Check<'a> {
    at: Path,
    config: &'a Value,
    found: Vec<Problem>,
}

impl<'a> Check<'a> {
    fn new(config: &'a Value) -> Check<'a> {
        Check { at: Path::default(), config, found: Vec::new() }
    }

    fn get(&self, name: &str) -> Option<&'a Value> {
        self.config.get_attr(name).filter(|it| it.is_present())
    }

    fn text(&self, name: &str) -> Option<&'a str> {
        self.get(name)?.as_str()
    }

    fn number(&self, name: &str) -> Option<i64> {
        self.get(name)?.as_i64()
    }

    fn texts(&self, name: &str) -> Vec<&'a str> {
        self.get(name).into_iter().flat_map(Value::values).filter_map(Value::as_str).collect()
    }

    /// Whether it is written, known or not.
    fn written(&self, name: &str) -> bool {
        self.config.get_attr(name).is_some_and(|it| !(it.is_known() && it.is_null()))
    }

    fn say(&mut self, name: &str, summary: &str, detail: impl Into<String>) {
        let path = self.at.clone().attr(name);
        self.found.push(Problem { path, summary: summary.into(), detail: detail.into() });
    }

    /// Nested blocks, each checked by itself.
    fn each(&mut self, name: &str, check: impl Fn(&mut Check<'a>)) {
        let Some(blocks) = self.get(name) else { return };
        for (key, block) in blocks.elements() {
            let at = self.at.clone().attr(name).index(key);
            let mut inner = Check { at, config: block, found: Vec::new() };
            check(&mut inner);
            self.found.extend(inner.found);
        }
    }

    fn name(&mut self, argument: &str) {
        let Some(name) = self.text(argument) else { return };
        if let Err(refusal) = check_name(name) {
            self.say(argument, &refusal.summary, refusal.detail);
        }
    }

    fn cidr(&mut self, name: &str) -> Option<Cidr> {
        let text = self.text(name)?;
        text.parse().map_err(|it| self.say(name, "Invalid CIDR", format!("{it}."))).ok()
    }

    fn subnet(&mut self, name: &str) -> Option<Cidr> {
        let cidr = self.cidr(name)?;
        if cidr.is_subnet() {
            return Some(cidr);
        }
        let detail = format!("{cidr} has bits set right of its prefix: {}.", cidr.network());
        self.say(name, "Not a subnet", detail);
        None
    }

    fn address(&mut self, name: &str) -> Option<Ipv4Addr> {
        let text = self.text(name)?;
        let parsed = text.parse().ok();
        if parsed.is_none() {
            self.say(name, "Invalid address", format!("{text:?} is not an IPv4 address."));
        }
        parsed
    }

    fn mac(&mut self, name: &str) {
        let Some(text) = self.text(name) else { return };
        let parts: Vec<&str> = text.split(':').collect();
        let byte = |it: &&str| it.len() == 2 && u8::from_str_radix(it, 16).is_ok();
        if parts.len() != 6 || !parts.iter().all(byte) {
            let detail = format!("{text:?} is not an address such as 02:00:00:00:00:01.");
            return self.say(name, "Invalid hardware address", detail);
        }
        if u8::from_str_radix(parts[0], 16).is_ok_and(|it| it & 1 == 1) {
            let detail = format!("{text} is an address of a group, not of one.");
            self.say(name, "Invalid hardware address", detail);
        }
    }

    fn among(&mut self, name: &str, all: &[&str]) {
        let Some(text) = self.text(name) else { return };
        if !all.contains(&text) {
            let detail = format!("{text:?} is not one of {}.", all.join(", "));
            self.say(name, "Invalid value", detail);
        }
    }

    fn port(&mut self, name: &str) {
        if let Some(port) = self.number(name)
            && !(1..=65_535).contains(&port)
        {
            self.say(name, "Invalid port", format!("{port} is not from 1 to 65535."));
        }
    }

    fn allowed(&mut self, name: &str) {
        for text in self.texts(name) {
            if text.parse::<Cidr>().is_err() && text.parse::<Ipv4Addr>().is_err() {
                let detail = format!("{text:?} is neither an IPv4 address nor a subnet.");
                self.say(name, "Invalid address", detail);
            }
        }
    }
}

pub(crate) fn network(config: &Value) -> Vec<Problem> {
    let mut it = Check::new(config);
    it.name("name");
    let subnet = it.subnet("subnet");
    if let Some(subnet) = subnet.filter(|it| it.prefix > 30) {
        let detail = format!("{subnet} has no room for a gateway and a host.");
        it.say("subnet", "Subnet too small", detail);
    }
    if let (Some(gateway), Some(subnet)) = (it.address("gateway"), subnet)
        && (!subnet.contains(gateway) || gateway == subnet.address || gateway == subnet.broadcast())
    {
        let detail = format!("{gateway} is not an address for a host in {subnet}.");
        it.say("gateway", "Invalid gateway", detail);
    }
    if let Some(mtu) = it.number("mtu")
        && !(MTU_MIN..=65_535).contains(&mtu)
    {
        it.say("mtu", "Invalid MTU", format!("{mtu} is not from {MTU_MIN} to 65535."));
    }
    it.among("external", &["isolated", "nat"]);
    it.found
}

pub(crate) fn router(config: &Value) -> Vec<Problem> {
    let mut it = Check::new(config);
    it.name("name");
    it.address("external_address");
    if it.written("external_address") && !it.written("external_network") {
        let detail =
            "A router has an external address in an external network: set external_network.";
        it.say("external_address", "No external network", detail);
    }
    it.each("route", |it| {
        it.subnet("destination");
        it.address("next_hop");
    });
    it.found
}

pub(crate) fn router_interface(config: &Value) -> Vec<Problem> {
    let mut it = Check::new(config);
    it.name("router");
    it.name("network");
    it.address("address");
    it.found
}

pub(crate) fn port(config: &Value) -> Vec<Problem> {
    let mut it = Check::new(config);
    it.name("name");
    it.address("address");
    it.mac("mac");
    it.allowed("allowed_addresses");
    it.found
}

pub(crate) fn security_group(config: &Value) -> Vec<Problem> {
    let mut it = Check::new(config);
    it.name("name");
    it.found
}

pub(crate) fn security_group_rule(config: &Value) -> Vec<Problem> {
    let mut it = Check::new(config);
    it.name("name");
    it.among("direction", &["ingress", "egress"]);
    it.among("protocol", &["icmp", "tcp", "udp"]);
    let protocol = it.text("protocol");
    let known = it.get("protocol").is_none_or(Value::is_known);
    for name in ["port_range_min", "port_range_max"] {
        it.port(name);
        if it.written(name) && known && !matches!(protocol, Some("tcp" | "udp")) {
            it.say(name, "Ports without a protocol", "Only tcp and udp have ports: set protocol.");
        }
    }
    if it.written("port_range_max") && !it.written("port_range_min") {
        it.say("port_range_max", "Half a range", "Set port_range_min, too.");
    }
    if let (Some(min), Some(max)) = (it.number("port_range_min"), it.number("port_range_max"))
        && min > max
    {
        it.say("port_range_max", "Empty range", format!("{max} is below {min}."));
    }
    for name in ["icmp_type", "icmp_code"] {
        if it.written(name) && known && protocol != Some("icmp") {
            it.say(name, "Not ICMP", "Set protocol = \"icmp\".");
        }
    }
    if it.written("icmp_code") && !it.written("icmp_type") {
        it.say("icmp_code", "A code without a type", "Set icmp_type, too.");
    }
    it.allowed_one("remote_cidr");
    if it.written("remote_cidr") && it.written("remote_group") {
        it.say("remote_group", "Two other sides", "Set remote_cidr or remote_group, not both.");
    }
    it.found
}

impl Check<'_> {
    fn allowed_one(&mut self, name: &str) {
        let Some(text) = self.text(name) else { return };
        if text.parse::<Ipv4Addr>().is_err() {
            self.subnet(name);
        }
    }
}

pub(crate) fn floating_ip(config: &Value) -> Vec<Problem> {
    let mut it = Check::new(config);
    it.name("name");
    it.address("address");
    it.found
}

pub(crate) fn port_forward(config: &Value) -> Vec<Problem> {
    let mut it = Check::new(config);
    it.name("name");
    it.among("protocol", &["tcp", "udp"]);
    it.port("external_port");
    it.port("internal_port");
    it.address("internal_address");
    it.found
}

pub(crate) fn host(config: &Value) -> Vec<Problem> {
    let mut it = Check::new(config);
    it.name("name");
    let roots: Vec<&str> =
        ["folder", "image", "snapshot"].into_iter().filter(|name| it.written(name)).collect();
    if let [_, second, ..] = roots[..] {
        let detail =
            format!("A host's files come from one place, not from {}.", roots.join(" and "));
        it.say(second, "Files from two places", detail);
    }
    if it
        .get("command")
        .is_some_and(|it| it.values().next().is_some_and(|it| it.as_str() == Some("")))
    {
        it.say("command", "No command", "Its first word is empty.");
    }
    for (path, _) in it.get("files").and_then(Value::as_map).into_iter().flatten() {
        let whole = path.starts_with('/')
            && path.split('/').skip(1).all(|it| !matches!(it, "" | "." | ".."));
        if !whole {
            let detail = format!("{path:?} is not an absolute path without \".\" and \"..\".");
            it.say("files", "Invalid path", detail);
        }
    }
    it.among("restart", &["no", "on-failure", "always"]);
    it.each("interface", |it| {
        match (it.written("port"), it.written("network")) {
            (true, true) => it.say("network", "Two places", "Set port or network, not both."),
            (false, false) => it.say("network", "Port without a network", "Set network, or port."),
            _ => {}
        }
        it.address("address");
        it.mac("mac");
        it.allowed("allowed_addresses");
    });
    it.each("limits", |it| {
        if let Some(text) = it.text("memory")
            && bytes(text).is_none()
        {
            let detail = format!("{text:?} is no size: bytes, or with a unit, such as \"64m\".");
            it.say("memory", "Invalid size", detail);
        }
    });
    it.found
}

pub(crate) fn snapshot(config: &Value) -> Vec<Problem> {
    let mut it = Check::new(config);
    it.name("name");
    it.found
}

pub(crate) fn link(config: &Value) -> Vec<Problem> {
    let mut it = Check::new(config);
    it.name("name");
    it.each("end", |it| {
        it.cidr("address");
    });
    it.found
}
