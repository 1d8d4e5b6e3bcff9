//! `netns_security_group` and `netns_security_group_rule`.

use plumb_model::schema::Problem;
use plumb_model::value::Value;
use plumb_netns::spec::{self, Direction, Kind, Protocol, Spec};
use plumb_netns::wire::Object;
use plumb_provider::{Failure, Resource};

use super::{Context, Shape};
use crate::plan::{Reference, Rules};
use crate::text::{DIRECTIONS, PROTOCOLS, cidr, meant, read, read_some, word};
use crate::validate::Check;

/// Any code, of an ICMP type: codes end at 255.
const ANY_CODE: u16 = u16::MAX;

/// A group of ports that the same may reach. Without a rule nothing comes in and nothing goes out;
/// answers to what was let through always do.
#[derive(Resource, Clone, Debug, Default, PartialEq)]
#[resource(kind = "netns_security_group")]
pub(crate) struct SecurityGroup {
    /// The name.
    #[attr(computed)]
    id: Option<String>,
    /// Its name.
    #[attr(replace)]
    name: String,
    /// For people.
    #[attr(default = "")]
    description: String,
    /// What the kernel has otherwise than it was made, in words. An apply repairs it.
    #[attr(computed)]
    drift: Vec<String>,
}

impl Shape for SecurityGroup {
    const OF: Kind = Kind::SecurityGroup;
    const RULES: Rules = Rules::named();

    fn validate(config: &Value) -> Vec<Problem> {
        Check::of(config, |check| check.name("name"))
    }

    fn spec(&self, _: &Context) -> Result<Spec, Failure> {
        let (name, description) = (self.name.clone(), self.description.clone());
        Ok(Spec::SecurityGroup(spec::SecurityGroup { name, description }))
    }

    fn observed(self, object: &Object, _: &Context) -> Option<SecurityGroup> {
        let Spec::SecurityGroup(it) = &object.spec else { return None };
        Some(SecurityGroup {
            id: Some(it.name.clone()),
            name: it.name.clone(),
            description: it.description.clone(),
            drift: object.given.drift.clone(),
        })
    }
}

/// Something that may come in to the ports of a group, or go out from them.
#[derive(Resource, Clone, Debug, Default, PartialEq)]
#[resource(kind = "netns_security_group_rule")]
pub(crate) struct SecurityGroupRule {
    /// The name.
    #[attr(computed)]
    id: Option<String>,
    /// Its name. Left out, one is made up.
    #[attr(optional_computed, replace)]
    name: Option<String>,
    /// Name of the group.
    security_group: String,
    /// `ingress`, towards the port, or `egress`, from it.
    #[attr(default = "ingress")]
    direction: String,
    /// `icmp`, `tcp` or `udp`. Left out, any.
    protocol: Option<String>,
    /// The first port, of TCP or UDP. Left out, all.
    port_range_min: Option<u16>,
    /// The last port. Left out, the first.
    port_range_max: Option<u16>,
    /// The type, of ICMP: 8 is an echo request. Left out, all.
    icmp_type: Option<u8>,
    /// The code, of an ICMP type. Left out, all.
    icmp_code: Option<u8>,
    /// The other side: addresses. Left out, all.
    remote_cidr: Option<String>,
    /// The other side: name of a group whose ports are meant. Left out, all.
    remote_group: Option<String>,
    /// What the kernel has otherwise than it was made, in words. An apply repairs it.
    #[attr(computed)]
    drift: Vec<String>,
}

impl Shape for SecurityGroupRule {
    const OF: Kind = Kind::SecurityGroupRule;
    const RULES: Rules = Rules {
        references: &[
            Reference { path: &["security_group"], kind: "netns_security_group" },
            Reference { path: &["remote_group"], kind: "netns_security_group" },
        ],
        ..Rules::named()
    };

    fn validate(config: &Value) -> Vec<Problem> {
        Check::of(config, |check| {
            check.name("name");
            check.word("direction", DIRECTIONS);
            check.subnet("remote_cidr");
            let protocol = check.word("protocol", PROTOCOLS);
            let settled = protocol.is_some() || check.left_out("protocol");
            let min = check.number("port_range_min", 1, 65535);
            let max = check.number("port_range_max", 1, 65535);
            for name in ["port_range_min", "port_range_max"] {
                let carries = matches!(protocol, Some(Protocol::Tcp | Protocol::Udp));
                if check.given(name) && settled && !carries {
                    let detail = "Ports are of TCP and UDP: set protocol to one of them.";
                    check.refuse(name, "Ports without a protocol that has them", detail);
                }
            }
            if max.is_some() && check.left_out("port_range_min") {
                let detail = "A last port needs a first one: port_range_min.";
                check.refuse("port_range_max", "Port range without a start", detail);
            }
            if let Some((min, max)) = min.zip(max).filter(|(min, max)| min > max) {
                let detail = format!("{min} comes after {max}.");
                check.refuse("port_range_min", "Port range the wrong way round", detail);
            }
            check.number("icmp_type", 0, 255);
            check.number("icmp_code", 0, 255);
            for name in ["icmp_type", "icmp_code"] {
                if check.given(name) && settled && protocol != Some(Protocol::Icmp) {
                    let detail = "Types and codes are of ICMP: set protocol to \"icmp\".";
                    check.refuse(name, "ICMP type without ICMP", detail);
                }
            }
            if check.given("icmp_code") && check.left_out("icmp_type") {
                let detail = "A code says more about a type: icmp_type.";
                check.refuse("icmp_code", "ICMP code without a type", detail);
            }
        })
    }

    fn spec(&self, with: &Context) -> Result<Spec, Failure> {
        let protocol = read_some("protocol", &self.protocol, |it| meant(PROTOCOLS, it))?;
        let ports = match protocol {
            Some(Protocol::Icmp) => {
                self.icmp_type.map(|it| (it.into(), self.icmp_code.map_or(ANY_CODE, u16::from)))
            }
            _ => self.port_range_min.map(|it| (it, self.port_range_max.unwrap_or(it))),
        };
        Ok(Spec::SecurityGroupRule(spec::SecurityGroupRule {
            name: self.name.clone().unwrap_or_else(|| format!("rule-{}", with.token)),
            security_group: self.security_group.clone(),
            direction: read("direction", &self.direction, |it| meant(DIRECTIONS, it))?,
            protocol,
            ports,
            remote_cidr: read_some("remote_cidr", &self.remote_cidr, cidr)?,
            remote_group: self.remote_group.clone(),
        }))
    }

    fn observed(self, object: &Object, _: &Context) -> Option<SecurityGroupRule> {
        let Spec::SecurityGroupRule(it) = &object.spec else { return None };
        let is_icmp = it.protocol == Some(Protocol::Icmp);
        let icmp = it.ports.filter(|_| is_icmp);
        let ports = it.ports.filter(|_| !is_icmp);
        Some(SecurityGroupRule {
            id: Some(it.name.clone()),
            name: Some(it.name.clone()),
            security_group: it.security_group.clone(),
            direction: word::<Direction>(DIRECTIONS, it.direction),
            protocol: it.protocol.map(|it| word(PROTOCOLS, it)),
            port_range_min: ports.map(|it| it.0),
            port_range_max: ports.map(|it| it.1),
            icmp_type: icmp.and_then(|it| u8::try_from(it.0).ok()),
            icmp_code: icmp.and_then(|it| u8::try_from(it.1).ok()),
            remote_cidr: it.remote_cidr.map(|it| it.to_string()),
            remote_group: it.remote_group.clone(),
            drift: object.given.drift.clone(),
        })
    }
}
