//! The expressions of a rule: what the kernel's small machine does with a packet. Register 1 holds what
//! is compared.

use super::SET;
use crate::kernel::attributes::Attributes;
use crate::spec::{Cidr, Protocol};
use crate::want::{Match, Rule, Verdict};

/// Where something begins in a packet.
#[derive(Clone, Copy)]
enum Base {
    Network = 1,
    Transport = 2,
}

/// How register 1 is compared.
#[derive(Clone, Copy)]
enum Compare {
    Equal = 0,
    NotEqual = 1,
    AtMost = 3,
    AtLeast = 5,
}

const META_IN_NAME: u32 = 6;
const META_OUT_NAME: u32 = 7;
const META_FAMILY: u32 = 15;
const META_PROTOCOL: u32 = 16;
const CT_STATE: u32 = 0;
const CT_STATUS: u32 = 2;
/// Bits of a connection's state.
const ESTABLISHED_OR_RELATED: u32 = 0b110;
/// The bit of a connection's status.
const DESTINATION_TRANSLATED: u32 = 1 << 5;
const IPV4: u8 = 2;
/// Offsets in an IPv4 header.
const SOURCE: u32 = 12;
const DESTINATION: u32 = 16;

/// All of a rule's. `sets` are the numbers of its own sets, in order.
pub(super) fn rule(rule: &Rule, sets: &[u32], out: &mut Attributes) {
    let mut sets = sets.iter().copied();
    for it in &rule.matches {
        condition(it, &mut sets, out);
    }
    verdict(&rule.verdict, out);
}

fn condition(it: &Match, sets: &mut impl Iterator<Item = u32>, out: &mut Attributes) {
    match it {
        Match::InLink(name) => link(META_IN_NAME, name, out),
        Match::OutLink(name) => link(META_OUT_NAME, name, out),
        Match::Source(cidr) => addresses(SOURCE, *cidr, out),
        Match::Destination(cidr) => addresses(DESTINATION, *cidr, out),
        Match::SourceAmong(_) => among(SOURCE, sets.next().unwrap_or(0), out),
        Match::DestinationAmong(_) => among(DESTINATION, sets.next().unwrap_or(0), out),
        Match::Protocol(protocol) => {
            load_meta(META_PROTOCOL, out);
            let number = match protocol {
                Protocol::Icmp => 1,
                Protocol::Tcp => 6,
                Protocol::Udp => 17,
            };
            compare(Compare::Equal, &[number], out);
        }
        Match::SourcePort(first, last) => ports(0, *first, *last, out),
        Match::DestinationPort(first, last) => ports(2, *first, *last, out),
        Match::IcmpType(it) => {
            load(Base::Transport, 0, 1, out);
            compare(Compare::Equal, &[*it], out);
        }
        Match::IcmpCode(it) => {
            load(Base::Transport, 1, 1, out);
            compare(Compare::Equal, &[*it], out);
        }
        Match::Established => connection(CT_STATE, ESTABLISHED_OR_RELATED, out),
        Match::Translated => connection(CT_STATUS, DESTINATION_TRANSLATED, out),
    }
}

fn expression(name: &str, out: &mut Attributes, fill: impl FnOnce(&mut Attributes)) {
    out.nest(1, |out| {
        out.text(1, name).nest(2, fill);
    });
}

fn load_meta(key: u32, out: &mut Attributes) {
    expression("meta", out, |out| {
        out.number(1, 1).number(2, key);
    });
}

fn load(base: Base, offset: u32, len: u32, out: &mut Attributes) {
    expression("payload", out, |out| {
        out.number(1, 1).number(2, base as u32).number(3, offset).number(4, len);
    });
}

fn compare(how: Compare, value: &[u8], out: &mut Attributes) {
    expression("cmp", out, |out| {
        out.number(1, 1).number(2, how as u32);
        data(3, value, out);
    });
}

fn data(kind: u16, value: &[u8], out: &mut Attributes) {
    out.nest(kind, |out| {
        out.bytes(1, value);
    });
}

/// Keeps those bits of register 1.
fn mask(bits: [u8; 4], out: &mut Attributes) {
    expression("bitwise", out, |out| {
        out.number(1, 1).number(2, 1).number(3, 4);
        data(4, &bits, out);
        data(5, &[0; 4], out);
    });
}

fn link(key: u32, name: &str, out: &mut Attributes) {
    load_meta(key, out);
    // A link's name fills 16 bytes.
    let mut bytes = [0; 16];
    let len = name.len().min(15);
    bytes[..len].copy_from_slice(&name.as_bytes()[..len]);
    compare(Compare::Equal, &bytes, out);
}

fn is_ipv4(out: &mut Attributes) {
    load_meta(META_FAMILY, out);
    compare(Compare::Equal, &[IPV4], out);
}

fn addresses(offset: u32, cidr: Cidr, out: &mut Attributes) {
    is_ipv4(out);
    if cidr.prefix == 0 {
        return;
    }
    load(Base::Network, offset, 4, out);
    if cidr.prefix < 32 {
        mask((u32::MAX << (32 - u32::from(cidr.prefix))).to_be_bytes(), out);
    }
    compare(Compare::Equal, &cidr.network().address.octets(), out);
}

fn among(offset: u32, set: u32, out: &mut Attributes) {
    is_ipv4(out);
    load(Base::Network, offset, 4, out);
    expression("lookup", out, |out| {
        out.text(1, SET).number(2, 1).number(4, set);
    });
}

fn ports(offset: u32, first: u16, last: u16, out: &mut Attributes) {
    load(Base::Transport, offset, 2, out);
    if first == last {
        return compare(Compare::Equal, &first.to_be_bytes(), out);
    }
    compare(Compare::AtLeast, &first.to_be_bytes(), out);
    compare(Compare::AtMost, &last.to_be_bytes(), out);
}

/// One of these bits is set. They are numbers of this machine.
fn connection(key: u32, bits: u32, out: &mut Attributes) {
    expression("ct", out, |out| {
        out.number(1, 1).number(2, key);
    });
    mask(bits.to_ne_bytes(), out);
    compare(Compare::NotEqual, &[0; 4], out);
}

fn verdict(it: &Verdict, out: &mut Attributes) {
    match it {
        Verdict::Accept => decide(1, None, out),
        Verdict::Drop => decide(0, None, out),
        Verdict::Masquerade => expression("masq", out, |_| {}),
        Verdict::Jump(chain) => decide(-3, Some(chain), out),
        Verdict::Snat(address) => {
            immediate(1, &address.octets(), out);
            translate(0, false, out);
        }
        Verdict::Dnat(address, port) => {
            immediate(1, &address.octets(), out);
            if let Some(port) = port {
                immediate(2, &port.to_be_bytes(), out);
            }
            translate(1, port.is_some(), out);
        }
    }
}

fn decide(code: i32, chain: Option<&str>, out: &mut Attributes) {
    expression("immediate", out, |out| {
        out.number(1, 0).nest(2, |out| {
            out.nest(2, |out| {
                out.bytes(1, &code.to_be_bytes());
                if let Some(chain) = chain {
                    out.text(2, chain);
                }
            });
        });
    });
}

fn immediate(register: u32, value: &[u8], out: &mut Attributes) {
    expression("immediate", out, |out| {
        out.number(1, register);
        data(2, value, out);
    });
}

/// By the address in register 1 and the port in register 2.
fn translate(kind: u32, port: bool, out: &mut Attributes) {
    expression("nat", out, |out| {
        out.number(1, kind).number(2, u32::from(IPV4)).number(3, 1);
        if port {
            out.number(5, 2);
        }
    });
}
