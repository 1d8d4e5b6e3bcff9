//! Whether an `accept` block falls on a finding, and whether it still holds.

use std::sync::Arc;

use plumb_lang::config::Accept;

use crate::finding::{Accepted, Class, Finding, Standing};

/// A day as ISO 8601 writes it, `2026-12-31`. Such texts compare as the days do.
pub type Day<'a> = &'a str;

/// Whether `pattern`, in which `*` stands for any text, is `address`. A pattern without a key also
/// names every instance: `docker_container.web` names `docker_container.web[0]`.
pub fn matches_address(pattern: &str, address: &str) -> bool {
    let is_instance = |rest: &str| rest.starts_with('[') && rest.ends_with(']');
    glob(pattern.as_bytes(), address.as_bytes())
        || address.strip_prefix(pattern).is_some_and(is_instance)
}

/// Matches greedily and goes back to the last star only, so it is quick on any input.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut seen) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while seen < text.len() {
        if pattern.get(at) == Some(&b'*') {
            star = Some((at + 1, seen));
            at += 1;
        } else if pattern.get(at) == Some(&text[seen]) {
            (at, seen) = (at + 1, seen + 1);
        } else if let Some((after, from)) = star {
            star = Some((after, from + 1));
            (at, seen) = (after, from + 1);
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(|it| *it == b'*')
}

/// The attributes of a finding that a block falls on: none if it does not fall on the finding.
fn accepted_paths(block: &Accept, class: Class, address: &str, paths: &[Arc<str>]) -> Vec<bool> {
    let concerned = matches_address(&block.address, address)
        && (block.classes.is_empty() || block.classes.iter().any(|it| **it == *class.name()));
    let falls = |path: &Arc<str>| {
        let within = |it: &Arc<str>| {
            path.strip_prefix(&**it)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
                || glob(it.as_bytes(), path.as_bytes())
        };
        concerned && (block.attributes.is_empty() || block.attributes.iter().any(within))
    };
    paths.iter().map(falls).collect()
}

/// What the blocks say of a finding: accepted only if each of its attributes is. Tells by number
/// which blocks fell on it.
pub(crate) fn standing(
    finding: &Finding,
    accepts: &[Accept],
    today: Day<'_>,
    used: &mut [bool],
) -> Standing {
    let paths = finding.paths();
    let mut held: Vec<Option<usize>> = vec![None; paths.len()];
    let mut over: Option<usize> = None;
    for (number, block) in accepts.iter().enumerate() {
        let expired = block.expires.as_ref().is_some_and(|it| **it < *today);
        let falls = accepted_paths(block, finding.class, &finding.address, &paths);
        for (place, _) in falls.iter().enumerate().filter(|it| *it.1) {
            used[number] = true;
            match expired {
                true => over = Some(number),
                false => _ = held[place].get_or_insert(number),
            }
        }
    }
    let told = |number: usize| {
        let block = &accepts[number];
        Accepted { reason: block.reason.clone(), until: block.expires.clone(), span: block.span }
    };
    match (held.iter().all(Option::is_some), held.first(), over) {
        (true, Some(Some(number)), _) => Standing::Accepted(told(*number)),
        (_, _, Some(number)) => Standing::Expired(told(number)),
        _ => Standing::Counts,
    }
}

#[cfg(test)]
mod tests {
    use super::matches_address;

    #[test]
    fn patterns() {
        for (pattern, address) in [
            ("a.b", "a.b"),
            ("a.b", "a.b[0]"),
            ("a.b", "a.b[\"x\"]"),
            ("docker_container:ci-*", "docker_container:ci-17"),
            ("*", "module.m.a.b"),
            ("module.*.b", "module.m.a.b"),
            ("a*b*c", "aXXbYbZc"),
        ] {
            assert!(matches_address(pattern, address), "{pattern} {address}");
        }
        for (pattern, address) in
            [("a.b", "a.bc"), ("a.b[0]", "a.b[1]"), ("a*b", "ac"), ("", "a"), ("a.b", "a.b.c")]
        {
            assert!(!matches_address(pattern, address), "{pattern} {address}");
        }
    }
}
