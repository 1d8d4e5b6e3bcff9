//! How addresses, sizes and choices are written. What is read is what would be written, so that
//! comparing what the kernel has with a configuration is comparing text.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::path::Path as FilePath;

use plumb_model::value::Path;
use plumb_netns::spec::{Cidr, Direction, External, Protocol, Restart};
use plumb_provider::Failure;

/// A choice and its word.
pub(crate) type Words<T> = &'static [(&'static str, T)];

pub(crate) const EXTERNAL: Words<External> =
    &[("isolated", External::Isolated), ("nat", External::Nat)];
pub(crate) const DIRECTIONS: Words<Direction> =
    &[("ingress", Direction::Ingress), ("egress", Direction::Egress)];
pub(crate) const PROTOCOLS: Words<Protocol> =
    &[("icmp", Protocol::Icmp), ("tcp", Protocol::Tcp), ("udp", Protocol::Udp)];
pub(crate) const FORWARDED: Words<Protocol> = &[("tcp", Protocol::Tcp), ("udp", Protocol::Udp)];
pub(crate) const RESTARTS: Words<Restart> =
    &[("no", Restart::No), ("on-failure", Restart::OnFailure), ("always", Restart::Always)];

/// The choice that a word means.
pub(crate) fn meant<T: Copy>(words: Words<T>, text: &str) -> Option<T> {
    words.iter().find(|(word, _)| *word == text).map(|(_, it)| *it)
}

/// The word for a choice.
pub(crate) fn word<T: PartialEq>(words: Words<T>, it: T) -> String {
    let found = words.iter().find(|(_, other)| *other == it);
    found.map_or_else(String::new, |(word, _)| (*word).to_owned())
}

/// `10.0.0.0/24`, written in the one way.
pub(crate) fn cidr(text: &str) -> Option<Cidr> {
    text.parse::<Cidr>().ok().filter(|it| it.to_string() == text)
}

/// An address with or without a prefix length.
pub(crate) fn address_or_cidr(text: &str) -> Option<Cidr> {
    let bare = || Some(Cidr { address: text.parse().ok()?, prefix: 32 });
    cidr(text).or_else(bare)
}

/// `02:00:00:00:00:01`, in lower case: an address of one card.
pub(crate) fn mac(text: &str) -> Option<String> {
    let parts: Vec<&str> = text.split(':').collect();
    let hex = |it: &&str| it.len() == 2 && it.bytes().all(|it| it.is_ascii_hexdigit());
    let first = u8::from_str_radix(parts.first()?, 16).ok()?;
    let fits = parts.len() == 6 && parts.iter().all(hex);
    let nobody = parts.iter().all(|it| *it == "00");
    (fits && first & 1 == 0 && !nobody).then(|| text.to_lowercase())
}

/// `64m`, `1g`, or bytes.
pub(crate) fn bytes(text: &str) -> Option<u64> {
    let digits = text.find(|it: char| !it.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let shift = match &*unit.to_lowercase() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(1 << shift).filter(|it| *it > 0)
}

/// Thousandths of a processor.
pub(crate) fn thousandths(processors: f64) -> Option<u64> {
    let all = (processors * 1000.0).round();
    // A float to an integer saturates; a million processors is beyond any machine.
    (1.0..=1e9).contains(&all).then_some(all as u64)
}

/// Why a name cannot be one, if it cannot.
pub(crate) fn bad_name(name: &str) -> Option<&'static str> {
    let alphanumeric = |it: u8| it.is_ascii_alphanumeric();
    if name.is_empty() {
        Some("It is empty.")
    } else if name.len() > 64 {
        Some("It is longer than 64 bytes.")
    } else if !name.bytes().next().is_some_and(alphanumeric) {
        Some("It must start with a letter or a digit.")
    } else if !name.bytes().all(|it| alphanumeric(it) || matches!(it, b'.' | b'_' | b'-')) {
        Some("It may hold letters, digits, dots, underscores and hyphens.")
    } else {
        None
    }
}

/// Reads an argument, or says which it was.
pub(crate) fn read<T>(
    argument: &str,
    text: &str,
    how: impl FnOnce(&str) -> Option<T>,
) -> Result<T, Failure> {
    how(text).ok_or_else(|| {
        let failure = Failure::new(format!("Invalid {argument}"), format!("{text:?} is none."));
        failure.at(Path::default().attr(argument))
    })
}

/// The same of an argument that may be left out.
pub(crate) fn read_some<T>(
    argument: &str,
    text: &Option<String>,
    how: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, Failure> {
    text.as_deref().map(|it| read(argument, it, how)).transpose()
}

/// An address, or says which argument it was.
pub(crate) fn address(argument: &str, text: &Option<String>) -> Result<Option<Ipv4Addr>, Failure> {
    read_some(argument, text, |it| it.parse().ok())
}

/// Where a path leads from the configuration's directory.
pub(crate) fn absolute(directory: &FilePath, path: &str) -> String {
    directory.join(path).to_string_lossy().into_owned()
}

/// What is, as it was written if that means the same.
pub(crate) fn as_written<W, T: PartialEq>(
    written: Option<W>,
    is: Option<T>,
    how: impl FnOnce(&W) -> Option<T>,
    write: impl FnOnce(T) -> W,
) -> Option<W> {
    match written {
        Some(written) if how(&written) == is => Some(written),
        _ => is.map(write),
    }
}

/// The same of a set of addresses.
pub(crate) fn as_written_all(written: &BTreeSet<String>, are: &[Cidr]) -> BTreeSet<String> {
    let mut left: BTreeSet<Cidr> = are.iter().copied().collect();
    let mut all: BTreeSet<String> = written
        .iter()
        .filter(|it| address_or_cidr(it).is_some_and(|it| left.remove(&it)))
        .cloned()
        .collect();
    all.extend(left.iter().map(Cidr::to_string));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_macs_and_names() {
        assert_eq!(bytes("64m"), Some(64 << 20));
        assert_eq!(bytes("1GiB"), Some(1 << 30));
        assert_eq!(bytes("1000"), Some(1000));
        for wrong in ["", "m", "0", "-1", "1.5g", "1x", "18446744073709551615k"] {
            assert_eq!(bytes(wrong), None, "{wrong}");
        }
        assert_eq!(mac("02:AB:00:00:00:01").as_deref(), Some("02:ab:00:00:00:01"));
        for wrong in ["", "01:00:00:00:00:01", "00:00:00:00:00:00", "02:00:00:00:00", "02-00-1"] {
            assert_eq!(mac(wrong), None, "{wrong}");
        }
        assert_eq!(cidr("10.0.0.0/024"), None);
        assert_eq!(address_or_cidr("10.0.0.1"), cidr("10.0.0.1/32"));
        assert_eq!(thousandths(0.5), Some(500));
        assert_eq!(thousandths(0.0).or(thousandths(f64::MAX)).or(thousandths(-1.0)), None);
        assert!(bad_name("a.b-c_1").is_none());
        for wrong in ["", "-a", "a/b", "..", "ä", &"a".repeat(65)] {
            assert!(bad_name(wrong).is_some(), "{wrong}");
        }
    }

    #[test]
    fn a_set_keeps_its_words() {
        let written = BTreeSet::from(["10.0.0.1".to_owned(), "10.1.0.0/16".to_owned()]);
        let are = [cidr("10.0.0.1/32").unwrap(), cidr("10.2.0.0/16").unwrap()];
        let all = as_written_all(&written, &are);
        assert_eq!(all, BTreeSet::from(["10.0.0.1".to_owned(), "10.2.0.0/16".to_owned()]));
    }
}
