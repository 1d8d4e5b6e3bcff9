//! Functions of IP address ranges.

use core::net::{Ipv4Addr, Ipv6Addr};

use plumb_model::value::{Number, Value};

use super::arguments::{int, int_blamed, list_of_strings, num, number, string, text};
use super::{Fault, Function, Kind, Outcome, Returns, blame, fail};

const RESULT: Returns = Returns::Always(Kind::String);

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("cidrhost", &[string("prefix"), number("hostnum")], None, RESULT, host),
    Function::new("cidrnetmask", &[string("prefix")], None, RESULT, netmask),
    Function::new(
        "cidrsubnet",
        &[string("prefix"), number("newbits"), number("netnum")],
        None,
        RESULT,
        subnet,
    ),
    Function::new(
        "cidrsubnets",
        &[string("prefix")],
        Some(number("newbits")),
        Returns::Always(Kind::Strings),
        subnets,
    ),
];

/// A range: the address in the low bits, host bits zero.
#[derive(Clone, Copy)]
struct Range {
    base: u128,
    len: u32,
    /// 32 or 128.
    bits: u32,
}

impl Range {
    fn parse(text: &str) -> Option<Range> {
        let (address, len) = text.split_once('/')?;
        if len.is_empty() || len.len() > 3 || !len.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let len: u32 = len.parse().ok()?;
        let (base, bits) = if address.contains(':') {
            (address.parse::<Ipv6Addr>().ok()?.to_bits(), 128)
        } else {
            (u128::from(v4(address)?), 32)
        };
        (len <= bits).then(|| Range { base: base & !low_bits(bits - len), len, bits })
    }

    fn of(args: &[Value]) -> Result<Range, Fault> {
        match Range::parse(text(args, 0)) {
            Some(range) => Ok(range),
            None => {
                fail(format!("invalid CIDR expression: invalid CIDR address: {}", text(args, 0)))
            }
        }
    }

    fn show(&self, address: u128) -> String {
        match self.bits {
            32 => Ipv4Addr::from_bits(address as u32).to_string(),
            _ => Ipv6Addr::from_bits(address).to_string(),
        }
    }
}

/// As people used to write them: leading zeros do not make a part octal.
fn v4(text: &str) -> Option<u32> {
    let parts: Vec<&str> = text.split('.').collect();
    if parts.len() != 4 {
        return None;
    }
    parts.iter().try_fold(0u32, |address, part| {
        if part.is_empty() || part.len() > 10 || !part.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let part: u64 = part.parse().ok()?;
        Some(address << 8 | u32::from(u8::try_from(part).ok()?))
    })
}

/// That many low bits set.
fn low_bits(count: u32) -> u128 {
    if count >= 128 { u128::MAX } else { (1 << count) - 1 }
}

/// The magnitude of an integer that may be larger than 64 bits.
fn magnitude(number: &Number) -> Option<u128> {
    number.is_integer().then(|| number.abs().to_string().parse().ok()).flatten()
}

fn host(args: &[Value]) -> Outcome {
    let number = num(args, 1);
    if !number.is_integer() {
        return fail("value must be a whole number");
    }
    let range = Range::of(args)?;
    let space = low_bits(range.bits - range.len);
    let refuse =
        || fail(format!("prefix of {} does not accommodate a host numbered {number}", range.len));
    let offset = match magnitude(number) {
        Some(0) => 0,
        Some(count) if number.is_negative() && count - 1 <= space => space - (count - 1),
        Some(count) if !number.is_negative() && count <= space => count,
        _ => return refuse(),
    };
    Ok(Value::string(range.show(range.base | offset)))
}

fn netmask(args: &[Value]) -> Outcome {
    let range = Range::of(args)?;
    if range.bits != 32 {
        return fail(format!("IPv6 addresses cannot have a netmask: {}", text(args, 0)));
    }
    Ok(Value::string(range.show(low_bits(32) & !low_bits(32 - range.len))))
}

fn subnet(args: &[Value]) -> Outcome {
    let (new_bits, number) = (int(args, 1)?, num(args, 2));
    let range = Range::of(args)?;
    let Some(bits) = u32::try_from(new_bits).ok().filter(|b| *b <= range.bits - range.len) else {
        if new_bits < 0 {
            return blame(1, "must not be negative");
        }
        return fail(format!(
            "insufficient address space to extend prefix of {} by {new_bits}",
            range.len
        ));
    };
    let index = magnitude(number).filter(|i| !number.is_negative() && *i <= low_bits(bits));
    let Some(index) = index else {
        return fail(format!(
            "prefix extension of {new_bits} does not accommodate a subnet numbered {number}"
        ));
    };
    let len = range.len + bits;
    let offset = index.checked_shl(range.bits - len).unwrap_or(0);
    Ok(Value::string(format!("{}/{len}", range.show(range.base | offset))))
}

fn subnets(args: &[Value]) -> Outcome {
    let range = Range::of(args).map_err(|fault| Fault { arg: Some(0), ..fault })?;
    let kind = if range.bits == 32 { "IPv4" } else { "IPv6" };
    // The first free address, as an offset; none left once it passes the end.
    let mut free: u128 = 0;
    let mut full = false;
    let mut made: Vec<String> = Vec::new();
    for i in 1..args.len() {
        let new_bits = int_blamed(args, i)?;
        if new_bits < 1 {
            return blame(i, "must extend prefix by at least one bit");
        }
        let len = u32::try_from(new_bits).ok().and_then(|bits| range.len.checked_add(bits));
        let Some(len) = len.filter(|len| *len <= range.bits) else {
            let len = i64::from(range.len).saturating_add(new_bits);
            return blame(
                i,
                format!(
                    "would extend prefix to {len} bits, which is too long for an {kind} address"
                ),
            );
        };
        let size_mask = low_bits(range.bits - len);
        let start = free.checked_add(size_mask).map(|top| top & !size_mask);
        let end = start.and_then(|start| start.checked_add(size_mask));
        match (start, end) {
            (Some(start), Some(end)) if !full && end <= low_bits(range.bits - range.len) => {
                made.push(format!("{}/{len}", range.show(range.base | start)));
                match end.checked_add(1) {
                    Some(next) => free = next,
                    None => full = true,
                }
            }
            _ => {
                let after = made.last().cloned().unwrap_or_default();
                return blame(
                    i,
                    format!(
                        "not enough remaining address space for a subnet with a prefix of {len} bits after {after}"
                    ),
                );
            }
        }
    }
    Ok(list_of_strings(made))
}
