//! A table of nftables as netlink messages, after the kernel's `linux/netfilter/nf_tables.h`: the whole
//! table is replaced in one transaction.

mod expression;

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use super::attributes::{Attributes, attribute, text};
use crate::want::{Chain, Hook, HookPoint, Match, Table};

/// What sets of a rule's own are called; the kernel makes it unique.
const SET: &str = "__set%d";

const SUBSYSTEM: u16 = 10;
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
const NEW_TABLE: u16 = 0;
const GET_TABLE: u16 = 1;
const DELETE_TABLE: u16 = 2;
const NEW_CHAIN: u16 = 3;
pub(super) const GET_CHAIN: u16 = 4;
const NEW_RULE: u16 = 6;
pub(super) const GET_RULE: u16 = 7;
const NEW_SET: u16 = 9;
const NEW_ELEMENTS: u16 = 12;
const NEW_GENERATION: u16 = 15;
const GET_GENERATION: u16 = 16;

/// IPv4 and IPv6 (`NFPROTO_INET`).
const INET: u8 = 1;
/// All families of tables that there are, as `nft` calls them.
const FAMILIES: [(u8, &str); 6] =
    [(INET, "inet"), (2, "ip"), (3, "arp"), (5, "netdev"), (7, "bridge"), (10, "ip6")];

const REQUEST: u16 = 0x1;
const ACK: u16 = 0x4;
const DUMP: u16 = 0x300;
const CREATE: u16 = 0x400;
const APPEND: u16 = 0x800;

/// `NFTA_*_TABLE` of chains, rules and sets; `NFTA_TABLE_NAME`.
const TABLE_NAME: u16 = 1;

/// A rule as the kernel tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) chain: String,
    /// Expressions and comment, as they came.
    pub(super) bytes: Vec<u8>,
}

/// One transaction: instead of what the table of that name is, make it so. An empty one is taken away.
pub(super) fn replace(called: &str, table: &Table) -> Vec<u8> {
    let mut batch = Batch::new(INET, called);
    batch.message(BATCH_BEGIN, 0, |_| {});
    let name = |it: &mut Attributes| {
        it.text(TABLE_NAME, called);
    };
    // So that it is there to be deleted.
    batch.nft(NEW_TABLE, CREATE, name);
    batch.nft(DELETE_TABLE, 0, name);
    if !table.chains.is_empty() {
        batch.nft(NEW_TABLE, CREATE, name);
    }
    for it in &table.chains {
        batch.nft(NEW_CHAIN, CREATE, |out| chain(called, it, out));
    }
    for it in &table.chains {
        for rule in &it.rules {
            let mut sets = Vec::new();
            for set in rule.matches.iter().filter_map(members) {
                sets.push(batch.set(set));
            }
            batch.nft(NEW_RULE, CREATE | APPEND, |out| {
                out.text(TABLE_NAME, called).text(2, &it.name);
                out.nest(4, |out| expression::rule(rule, &sets, out));
                out.bytes(7, &comment(&rule.owner));
            });
        }
    }
    batch.acknowledge_last();
    batch.message(BATCH_END, 0, |_| {});
    batch.bytes
}

/// One transaction: there is no table of these families and names, whether there was or not.
pub(super) fn delete(tables: &[&str]) -> Vec<u8> {
    let mut batch = Batch::new(INET, "");
    batch.message(BATCH_BEGIN, 0, |_| {});
    for it in tables {
        let Some((family, name)) = it.split_once(' ') else { continue };
        let Some((family, _)) = FAMILIES.iter().find(|it| it.1 == family) else { continue };
        batch.family = *family;
        let name = |it: &mut Attributes| {
            it.text(TABLE_NAME, name);
        };
        batch.nft(NEW_TABLE, CREATE, name);
        batch.nft(DELETE_TABLE, 0, name);
    }
    batch.acknowledge_last();
    batch.message(BATCH_END, 0, |_| {});
    batch.bytes
}

/// A request for all tables, of all families.
pub(super) fn list_tables() -> Vec<u8> {
    let mut batch = Batch::new(0, "");
    batch.nft(GET_TABLE, DUMP, |_| {});
    batch.bytes
}

/// A table of an answer, family and name: `ip nat`.
pub(super) fn told_table(payload: &[u8]) -> Option<String> {
    let (family, attributes) = (payload.first()?, payload.get(4..)?);
    let (_, family) = FAMILIES.iter().find(|it| it.0 == *family)?;
    Some(format!("{family} {}", text(attribute(attributes, TABLE_NAME)?)))
}

/// The table of ours that a message of change is about: its name alone. None: it is about no table.
pub(super) fn changed_table(kind: u16, payload: &[u8]) -> Option<String> {
    if kind >> 8 != SUBSYSTEM || kind & 0xff == NEW_GENERATION {
        return None;
    }
    Some(text(attribute(payload.get(4..)?, TABLE_NAME)?))
}

/// A request for all chains, or all rules, of the table.
pub(super) fn list(called: &str, message: u16) -> Vec<u8> {
    let mut batch = Batch::new(INET, called);
    batch.nft(message, DUMP, |out| {
        out.text(TABLE_NAME, called);
    });
    batch.bytes
}

/// A request for the number of changes that were made to all tables of the namespace so far.
pub(super) fn generation() -> Vec<u8> {
    let mut batch = Batch::new(INET, "");
    batch.nft(GET_GENERATION, 0, |_| {});
    batch.bytes
}

/// The number in the answer.
pub(super) fn told_generation(payload: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(*attribute(payload.get(4..)?, 1)?.first_chunk()?))
}

/// The members of a condition's own set.
fn members(it: &Match) -> Option<&BTreeSet<Ipv4Addr>> {
    match it {
        Match::SourceAmong(set) | Match::DestinationAmong(set) => Some(set),
        _ => None,
    }
}

fn chain(table: &str, it: &Chain, out: &mut Attributes) {
    out.text(TABLE_NAME, table).text(3, &it.name);
    let Some(hook) = it.hook else { return };
    out.nest(4, |out| {
        out.number(1, point(hook)).bytes(2, &hook.priority.to_be_bytes());
    });
    out.number(5, u32::from(!hook.drop));
    out.text(7, if hook.nat { "nat" } else { "filter" });
}

/// `NF_INET_*`.
fn point(hook: Hook) -> u32 {
    match hook.at {
        HookPoint::Prerouting => 0,
        HookPoint::Input => 1,
        HookPoint::Forward => 2,
        HookPoint::Output => 3,
        HookPoint::Postrouting => 4,
    }
}

/// User data that `nft` shows as a comment: kind 0, length, text with a zero at its end.
fn comment(owner: &str) -> Vec<u8> {
    let text: Vec<u8> = owner.bytes().take(127).chain([0]).collect();
    [vec![0, text.len() as u8], text].concat()
}

/// A chain of an answer: its name, and its hook and policy as they came.
pub(super) fn told_chain(table: &str, payload: &[u8]) -> Option<(String, Vec<u8>)> {
    let attributes = payload.get(4..)?;
    if text(attribute(attributes, TABLE_NAME)?) != table {
        return None;
    }
    let part = |kind| attribute(attributes, kind).unwrap_or_default().to_vec();
    Some((text(attribute(attributes, 3)?), [part(4), part(5), part(7)].concat()))
}

/// A rule of an answer.
pub(super) fn told_rule(table: &str, payload: &[u8]) -> Option<Told> {
    let attributes = payload.get(4..)?;
    if text(attribute(attributes, TABLE_NAME)?) != table {
        return None;
    }
    let part = |kind| attribute(attributes, kind).unwrap_or_default().to_vec();
    Some(Told { chain: text(attribute(attributes, 2)?), bytes: [part(4), part(7)].concat() })
}

/// Messages one after another.
struct Batch {
    /// Of the table.
    family: u8,
    /// The table's name.
    called: String,
    bytes: Vec<u8>,
    /// Where the last message of nftables begins.
    last: usize,
    sets: u32,
}

impl Batch {
    fn new(family: u8, called: &str) -> Batch {
        Batch { family, called: called.to_owned(), bytes: Vec::new(), last: 0, sets: 0 }
    }

    fn nft(&mut self, message: u16, flags: u16, fill: impl FnOnce(&mut Attributes)) {
        self.last = self.bytes.len();
        self.message(SUBSYSTEM << 8 | message, flags, fill);
    }

    fn message(&mut self, kind: u16, flags: u16, fill: impl FnOnce(&mut Attributes)) {
        let is_batch = kind == BATCH_BEGIN || kind == BATCH_END;
        let mut attributes = Attributes::default();
        fill(&mut attributes);
        let len = u32::try_from(20 + attributes.0.len()).unwrap_or(u32::MAX);
        self.bytes.extend(len.to_ne_bytes());
        self.bytes.extend(kind.to_ne_bytes());
        self.bytes.extend((REQUEST | flags).to_ne_bytes());
        // Sequence and port: nobody tells replies apart by them, one request is out at a time.
        self.bytes.extend([0; 8]);
        let (family, resource) = if is_batch { (0, SUBSYSTEM) } else { (self.family, 0) };
        self.bytes.extend([family, 0]);
        self.bytes.extend(resource.to_be_bytes());
        self.bytes.extend(attributes.0);
    }

    /// A set of addresses for the rule that comes next; gives its number in this transaction.
    fn set(&mut self, members: &BTreeSet<Ipv4Addr>) -> u32 {
        self.sets += 1;
        let (id, table) = (self.sets, self.called.clone());
        self.nft(NEW_SET, CREATE, |out| {
            // Without a name of its own, and never changed. The type is for `nft` to show.
            let (anonymous, constant, ipv4_addr) = (1, 2, 7);
            out.text(TABLE_NAME, &table).text(2, SET).number(3, anonymous | constant);
            out.number(4, ipv4_addr).number(5, 4).number(10, id);
        });
        self.nft(NEW_ELEMENTS, CREATE, |out| {
            out.text(TABLE_NAME, &table).text(2, SET).number(4, id);
            out.nest(3, |out| {
                for address in members {
                    out.nest(1, |out| {
                        out.nest(1, |out| {
                            out.bytes(1, &address.octets());
                        });
                    });
                }
            });
        });
        id
    }

    /// The kernel answers the last message when the transaction went well, a wrong one before that.
    fn acknowledge_last(&mut self) {
        let flags = &mut self.bytes[self.last + 6..self.last + 8];
        let with = u16::from_ne_bytes([flags[0], flags[1]]) | ACK;
        flags.copy_from_slice(&with.to_ne_bytes());
    }
}
