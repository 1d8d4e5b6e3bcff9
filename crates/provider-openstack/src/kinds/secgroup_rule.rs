//! A rule of a security group.

use std::sync::LazyLock;

use async_trait::async_trait;
use plumb_model::schema::{Problem, RefineInput};
use plumb_model::value::{Path, Type, Value};
use serde_json::Value as Json;

use crate::json::{self, Attrs, str_at};
use crate::neutron::{Api, Neutron};
use crate::plan::{Planned, Rules};
use crate::range::Range;
use crate::table::{MAKE, Table, id, opt, opt_computed, region, req, tenant};

pub(crate) struct SecurityGroupRule;

/// Protocols by name, with their numbers: Neutron may tell either.
const PROTOCOLS: &[(&str, u8)] = &[
    ("ah", 51),
    ("dccp", 33),
    ("egp", 8),
    ("esp", 50),
    ("gre", 47),
    ("icmp", 1),
    ("igmp", 2),
    ("ipip", 4),
    ("ipv6-encap", 41),
    ("ipv6-frag", 44),
    ("ipv6-icmp", 58),
    ("icmpv6", 58),
    ("ipv6-nonxt", 59),
    ("ipv6-opts", 60),
    ("ipv6-route", 43),
    ("ospf", 89),
    ("pgm", 113),
    ("rsvp", 46),
    ("sctp", 132),
    ("tcp", 6),
    ("udp", 17),
    ("udplite", 136),
    ("vrrp", 112),
];

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    Table::new(
        "openstack_networking_secgroup_rule_v2",
        "A rule of a security group: what it lets through.",
        vec![
            id(),
            region(),
            req("direction", Type::String, "`ingress` or `egress`.")
                .one_of(&["ingress", "egress"])
                .replace(),
            req("ethertype", Type::String, "`IPv4` or `IPv6`.").one_of(&["IPv4", "IPv6"]).replace(),
            req("security_group_id", Type::String, "The group.").replace(),
            opt("protocol", Type::String, "Its name or number. Left out, any.").replace(),
            opt("port_range_min", Type::Number, "First port; of ICMP the type.")
                .within(0..=65535)
                .needs(&["protocol", "port_range_max"])
                .replace(),
            opt("port_range_max", Type::Number, "Last port; of ICMP the code.")
                .within(0..=65535)
                .needs(&["protocol", "port_range_min"])
                .replace(),
            opt_computed("remote_ip_prefix", Type::String, "The other end's addresses.")
                .excludes(&["remote_group_id", "remote_address_group_id"])
                .replace(),
            opt_computed("remote_group_id", Type::String, "The other end's group.")
                .excludes(&["remote_ip_prefix", "remote_address_group_id"])
                .replace(),
            opt_computed("remote_address_group_id", Type::String, "The other end's address group.")
                .excludes(&["remote_ip_prefix", "remote_group_id"])
                .replace(),
            opt("description", Type::String, "For people.").replace(),
            tenant(),
        ],
    )
    .timed(MAKE)
});

/// What Neutron tells rules apart by: two that agree in it cannot be beside each other.
const SAME: &[&str] = &[
    "direction",
    "ethertype",
    "security_group_id",
    "protocol",
    "port_range_min",
    "port_range_max",
    "remote_ip_prefix",
    "remote_group_id",
    "remote_address_group_id",
];

impl Rules for SecurityGroupRule {
    /// What both the old and the new rule let through never stops to pass.
    const CREATE_FIRST: bool = true;

    fn table() -> &'static Table {
        &TABLE
    }

    fn refine(input: &RefineInput<'_>, planned: &mut Planned) {
        let Some(prior) = input.prior else { return };
        planned.delete_first = SAME.iter().all(|it| prior.get_attr(it) == planned.get(it));
    }

    fn validate(config: &Value, problems: &mut Vec<Problem>) {
        let text = |name: &str| config.get_attr(name).and_then(Value::as_str);
        let number = |name: &str| config.get_attr(name).and_then(Value::as_i64);
        let at = |name: &str| Path::default().attr(name);
        if let Some(protocol) = text("protocol").filter(|it| !it.is_empty() && this(it).is_none()) {
            let names: Vec<&str> = PROTOCOLS.iter().map(|it| it.0).collect();
            let detail = format!("It is a number from 0 to 255 or one of {}.", names.join(", "));
            let summary = format!("{protocol:?} is not a valid protocol");
            problems.push(Problem { path: at("protocol"), summary, detail });
        }
        let ports =
            text("protocol").is_some_and(|it| matches!(this(it), Some(6 | 17 | 132 | 136 | 33)));
        if let (Some(first), Some(last), true) =
            (number("port_range_min"), number("port_range_max"), ports)
            && first > last
        {
            let detail = format!(
                "The range goes from {first} to {last}: port_range_min is more than port_range_max."
            );
            let summary = "Invalid port range".to_owned();
            problems.push(Problem { path: at("port_range_min"), summary, detail });
        }
    }
}

/// The number of a protocol.
fn this(protocol: &str) -> Option<u8> {
    let named = PROTOCOLS.iter().find(|it| it.0 == protocol.to_lowercase());
    named.map(|it| it.1).or_else(|| protocol.parse().ok())
}

#[async_trait]
impl Neutron for SecurityGroupRule {
    fn api(&self) -> &'static Api {
        &Api {
            path: "/security-group-rules",
            one: "security_group_rule",
            many: "security_group_rules",
            noun: "security group rule",
            tags: false,
            keys: &[],
        }
    }

    fn observe(&self, json: &Json, base: Option<&Value>, attrs: &mut Attrs) {
        for name in ["remote_ip_prefix", "remote_group_id", "remote_address_group_id"] {
            if attrs.get(name).is_some_and(Value::is_null) {
                json::set(attrs, name, Value::string(""));
            }
        }
        // Names and numbers of a protocol, ways to write a range: as written where it is the same.
        let written = |name: &str| base.and_then(|it| it.get_attr(name)).and_then(Value::as_str);
        let told = str_at(json, "protocol");
        match written("protocol") {
            Some(text) if text == told || this(text).is_some() && this(text) == this(told) => {
                json::set(attrs, "protocol", Value::string(text));
            }
            Some("") if told.is_empty() => json::set(attrs, "protocol", Value::string("")),
            _ => {}
        }
        let told = str_at(json, "remote_ip_prefix");
        if let Some(text) = written("remote_ip_prefix").filter(|it| same_range(it, told)) {
            json::set(attrs, "remote_ip_prefix", Value::string(text));
        }
    }
}

/// Whether two texts mean the same addresses.
fn same_range(written: &str, told: &str) -> bool {
    matches!((Range::or_address(written), Range::or_address(told)), (Some(a), Some(b)) if a.is(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_the_same() {
        assert!(same_range("10.0.0.7/24", "10.0.0.0/24"));
        assert!(same_range("10.0.0.7", "10.0.0.7/32"));
        assert!(!same_range("x", "x"));
        assert_eq!(
            (this("TCP"), this("6"), this("x"), this("256")),
            (Some(6), Some(6), None, None)
        );
    }
}
