//! Ranges of addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    first: IpAddr,
    bits: u8,
}

impl Range {
    pub(crate) fn parse(text: &str) -> Option<Range> {
        let (first, bits) = text.split_once('/')?;
        let (first, bits): (IpAddr, u8) = (first.parse().ok()?, bits.parse().ok()?);
        let max = Range::of(first).bits;
        (bits <= max).then_some(Range { first, bits })
    }

    /// A single address.
    pub(crate) fn of(address: IpAddr) -> Range {
        Range { first: address, bits: if address.is_ipv4() { 32 } else { 128 } }
    }

    /// A range, or a single address.
    pub(crate) fn or_address(text: &str) -> Option<Range> {
        Range::parse(text).or_else(|| Some(Range::of(text.parse().ok()?)))
    }

    /// 4 or 6.
    pub(crate) fn version(self) -> i64 {
        if self.first.is_ipv4() { 4 } else { 6 }
    }

    pub(crate) fn contains(self, address: IpAddr) -> bool {
        self.first.is_ipv4() == address.is_ipv4()
            && number(self.first) & self.mask() == number(address) & self.mask()
    }

    /// Whether both mean the same addresses.
    pub(crate) fn is(self, other: Range) -> bool {
        self.bits == other.bits && self.contains(other.first)
    }

    fn mask(self) -> u128 {
        u128::MAX.checked_shl(128 - u32::from(self.bits)).unwrap_or(0)
    }

    /// As services want it: 10.0.0.0/24, whichever of its addresses it was written with.
    pub(crate) fn canonical(self) -> String {
        format!("{}/{}", self.host(0), self.bits)
    }

    /// One of its addresses, counted from the first.
    pub(crate) fn host(self, index: u32) -> IpAddr {
        let first = number(self.first) & self.mask();
        match self.first {
            IpAddr::V4(_) => Ipv4Addr::from_bits((first >> 96) as u32 | index).into(),
            IpAddr::V6(_) => Ipv6Addr::from_bits(first | u128::from(index)).into(),
        }
    }

    pub(crate) fn text(self) -> String {
        format!("{}/{}", self.first, self.bits)
    }
}

/// Whether two lists of ranges mean the same addresses, in whatever pieces.
pub(crate) fn same(a: &[&str], b: &[&str]) -> bool {
    matches!((spans(a), spans(b)), (Some(a), Some(b)) if a == b)
}

/// Whether all addresses of the second list are in the first.
pub(crate) fn covers(all: &[String], some: &[String]) -> bool {
    let both: Vec<&str> = all.iter().chain(some).map(String::as_str).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    same(&all, &both)
}

/// Version, first and last address of what is left when neighbours are joined.
fn spans(texts: &[&str]) -> Option<Vec<(i64, u128, u128)>> {
    let span = |text: &&str| {
        let range = Range::parse(text)?;
        let first = number(range.first) & range.mask();
        Some((range.version(), first, first | !range.mask()))
    };
    let mut all: Vec<_> = texts.iter().map(span).collect::<Option<_>>()?;
    all.sort_unstable();
    let mut joined: Vec<(i64, u128, u128)> = Vec::with_capacity(all.len());
    for (version, first, last) in all {
        match joined.last_mut() {
            Some(before) if before.0 == version && before.2.saturating_add(1) >= first => {
                before.2 = before.2.max(last);
            }
            _ => joined.push((version, first, last)),
        }
    }
    Some(joined)
}

/// Addresses of both versions begin at the same bit.
fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(it) => u128::from(it.to_bits()) << 96,
        IpAddr::V6(it) => it.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let range = Range::parse("10.1.0.0/16").unwrap();
        assert!(range.contains("10.1.255.1".parse().unwrap()));
        assert!(!range.contains("10.2.0.1".parse().unwrap()));
        assert!(!range.contains("::1".parse().unwrap()));
        let all = Range::parse("::/0").unwrap();
        assert!(all.contains("fe80::1".parse().unwrap()));
        let same = |a: &str, b: &str| Range::parse(a).unwrap().is(Range::parse(b).unwrap());
        assert!(same("10.0.0.7/24", "10.0.0.0/24") && same("2001:DB8::/32", "2001:db8::/32"));
        assert!(!same("10.0.0.0/24", "10.0.0.0/25") && !same("0.0.0.0/0", "::/0"));
        let canonical = |text| Range::or_address(text).unwrap().canonical();
        assert_eq!(canonical("10.0.3.7/22"), "10.0.0.0/22");
        assert_eq!(
            (canonical("10.0.0.1"), canonical("FE80::1")),
            ("10.0.0.1/32".into(), "fe80::1/128".into())
        );
        assert!(super::same(&["10.0.1.0/24", "10.0.0.0/24"], &["10.0.0.0/23"]));
        assert!(super::same(&["::/1", "8000::/1"], &["::/0"]));
        assert!(!super::same(&["10.0.0.0/24"], &["10.0.0.0/24", "10.0.2.0/24"]));
        assert!(!super::same(&["x"], &["x"]));
        let covers = |a: &str, b: &str| super::covers(&[a.to_owned()], &[b.to_owned()]);
        assert!(covers("10.0.0.0/8", "10.1.0.0/16") && !covers("10.1.0.0/16", "10.0.0.0/8"));
        for wrong in ["", "10.0.0.0", "10.0.0.0/33", "x/8", "::/129"] {
            assert!(Range::parse(wrong).is_none(), "{wrong}");
        }
    }
}
