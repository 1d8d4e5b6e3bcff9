//! What a host may send and receive: a stateful filter, and the end of forged addresses.

use std::net::Ipv4Addr;

use crate::cloud::{Cloud, Entry};
use crate::spec::{Cidr, Direction, Kind, Port, Protocol, SecurityGroupRule, Spec};
use crate::want::{Chain, Hook, HookPoint, Match, Rule, Table, Verdict};

/// DHCP's server.
const DHCP_SERVER: u16 = 67;

/// A port of a host.
pub(super) struct Place<'a> {
    /// The link there.
    pub(super) link: String,
    pub(super) port: &'a Port,
    pub(super) address: Ipv4Addr,
}

/// The table of a host.
pub(super) fn table(cloud: &Cloud, places: &[Place<'_>]) -> Table {
    let mut table = Table::default();
    let mut input = Vec::new();
    let mut output = Vec::new();
    for place in places {
        let owner = format!("port/{}", place.port.name);
        let rule = |matches, verdict| Rule { owner: owner.clone(), matches, verdict };
        let (to, from) = (format!("to-{}", place.link), format!("from-{}", place.link));
        table.chains.push(chain(&to, group_rules(cloud, place, Direction::Ingress)));
        table.chains.push(chain(&from, group_rules(cloud, place, Direction::Egress)));
        input.push(rule(vec![Match::InLink(place.link.clone())], Verdict::Jump(to)));
        let out = Match::OutLink(place.link.clone());
        // Nobody else hands out addresses.
        let dhcp = vec![
            out.clone(),
            Match::Protocol(Protocol::Udp),
            Match::SourcePort(DHCP_SERVER, DHCP_SERVER),
        ];
        output.push(rule(dhcp, Verdict::Drop));
        let own = Cidr { address: place.address, prefix: 32 };
        for source in std::iter::once(own).chain(place.port.allowed_addresses.iter().copied()) {
            let matches = vec![out.clone(), Match::Source(source)];
            output.push(rule(matches, Verdict::Jump(from.clone())));
        }
        output.push(rule(vec![out], Verdict::Drop));
    }
    let hook = |at| Some(Hook { at, nat: false, priority: 0, drop: false });
    table.chains.push(Chain {
        name: "input".to_owned(),
        hook: hook(HookPoint::Input),
        rules: input,
    });
    let output = Chain { name: "output".to_owned(), hook: hook(HookPoint::Output), rules: output };
    table.chains.push(output);
    table
}

fn chain(name: &str, rules: Vec<Rule>) -> Chain {
    Chain { name: name.to_owned(), hook: None, rules }
}

/// What the groups of a port let through in a direction.
fn group_rules(cloud: &Cloud, place: &Place<'_>, direction: Direction) -> Vec<Rule> {
    let owner = format!("port/{}", place.port.name);
    let plain = |matches, verdict| Rule { owner: owner.clone(), matches, verdict };
    let mut rules = vec![plain(vec![Match::Established], Verdict::Accept)];
    for group in &place.port.security_groups {
        for entry in cloud.users_of(Kind::SecurityGroup, group, Kind::SecurityGroupRule) {
            let Spec::SecurityGroupRule(rule) = &entry.spec else { continue };
            // A rule is a user of the group that it lets in, too.
            if rule.security_group == *group && rule.direction == direction {
                rules.extend(matches(cloud, rule).map(|matches| Rule {
                    owner: format!("security_group_rule/{}", rule.name),
                    matches,
                    verdict: Verdict::Accept,
                }));
            }
        }
    }
    let all = place.port.security_groups.is_empty();
    rules.push(plain(Vec::new(), if all { Verdict::Accept } else { Verdict::Drop }));
    rules
}

/// What a rule lets through; nothing if the other side is a group without a port.
fn matches(cloud: &Cloud, rule: &SecurityGroupRule) -> Option<Vec<Match>> {
    let mut all = Vec::new();
    let ingress = rule.direction == Direction::Ingress;
    if let Some(cidr) = rule.remote_cidr {
        all.push(if ingress { Match::Source(cidr) } else { Match::Destination(cidr) });
    }
    if let Some(group) = &rule.remote_group {
        let ports = cloud.users_of(Kind::SecurityGroup, group, Kind::Port);
        let addresses: std::collections::BTreeSet<_> =
            ports.filter_map(|it: &Entry| it.address).collect();
        if addresses.is_empty() {
            return None;
        }
        all.push(match ingress {
            true => Match::SourceAmong(addresses),
            false => Match::DestinationAmong(addresses),
        });
    }
    if let Some(protocol) = rule.protocol {
        all.push(Match::Protocol(protocol));
        match (protocol, rule.ports) {
            (_, None) => {}
            (Protocol::Icmp, Some((kind, code))) => {
                all.push(Match::IcmpType(u8::try_from(kind).ok()?));
                // 256 and above: any code.
                all.extend(u8::try_from(code).ok().map(Match::IcmpCode));
            }
            (Protocol::Tcp | Protocol::Udp, Some((first, last))) => {
                all.push(Match::DestinationPort(first, last));
            }
        }
    }
    Some(all)
}
