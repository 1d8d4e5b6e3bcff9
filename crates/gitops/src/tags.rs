//! Which of many tags is the newest, by the version in its name.

use std::cmp::Ordering;

use crate::allowed::glob;

/// The newest of the tags that match a pattern such as `v*`. Versions are ordered as Semantic
/// Versioning does; what is no version comes before all that are.
pub fn newest_tag<'a>(names: impl Iterator<Item = &'a str>, pattern: &str) -> Option<&'a str> {
    names.filter(|it| glob(pattern, it)).max_by(|a, b| compare(a, b))
}

/// Numbers, and what marks it as not quite that version yet.
struct Version<'a> {
    numbers: Vec<u64>,
    early: Option<&'a str>,
}

fn version(name: &str) -> Option<Version<'_>> {
    // What comes before: `v`, `release-`, `net/v`.
    let start = name.find(|c: char| c.is_ascii_digit())?;
    // What comes after a plus says how it was built.
    let plain = name[start..].split('+').next()?;
    let (numbers, early) = match plain.split_once('-') {
        Some((numbers, early)) => (numbers, Some(early)),
        None => (plain, None),
    };
    let numbers = numbers.split('.').map(|it| it.parse().ok()).collect::<Option<Vec<u64>>>()?;
    Some(Version { numbers, early })
}

fn compare(a: &str, b: &str) -> Ordering {
    let by_version = match (version(a), version(b)) {
        (Some(a), Some(b)) => a.numbers.cmp(&b.numbers).then_with(|| match (a.early, b.early) {
            (None, None) => Ordering::Equal,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(a), Some(b)) => early(a, b),
        }),
        (a, b) => a.is_some().cmp(&b.is_some()),
    };
    by_version.then_with(|| a.cmp(b))
}

fn early(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.split('.'), b.split('.'));
    loop {
        let order = match (a.next(), b.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(a), Some(b)) => match (a.parse::<u64>(), b.parse::<u64>()) {
                (Ok(a), Ok(b)) => a.cmp(&b),
                (Ok(_), Err(_)) => Ordering::Less,
                (Err(_), Ok(_)) => Ordering::Greater,
                (Err(_), Err(_)) => a.cmp(b),
            },
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest() {
        for (names, pattern, want) in [
            ("v1.9.0 v1.10.0 v1.2.0", "v*", Some("v1.10.0")),
            ("v1.0.0 v1.0.0-rc.2 v1.0.0-rc.10", "v*", Some("v1.0.0")),
            ("v1.0.0-rc.2 v1.0.0-rc.10 v1.0.0-beta", "v*", Some("v1.0.0-rc.10")),
            ("v2.0.0 net-1.0.0", "net-*", Some("net-1.0.0")),
            ("latest v0.0.1", "*", Some("v0.0.1")),
            ("a b", "v*", None),
            ("v1 v1.0 v1.0.1", "v*", Some("v1.0.1")),
        ] {
            assert_eq!(newest_tag(names.split(' '), pattern), want, "{names}");
        }
    }
}
