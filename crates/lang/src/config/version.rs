//! Versions and what may be demanded of them.

use std::cmp::Ordering;

/// `1.11.4`, `1.2.0-beta1`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    segments: Vec<u64>,
    pre: String,
}

/// `>= 1.2, < 2.0`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Constraints(Vec<(Op, Version)>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Op {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    /// `~>`: the last segment that is written may grow.
    Pessimistic,
}

impl Version {
    /// Reads a version.
    pub fn parse(text: &str) -> Option<Version> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let text = text.split_once('+').map_or(text, |it| it.0);
        let (numbers, pre) = text.split_once('-').unwrap_or((text, ""));
        let segments: Option<Vec<u64>> = numbers.split('.').map(|it| it.parse().ok()).collect();
        let digits = numbers.bytes().all(|it| it.is_ascii_digit() || it == b'.');
        if !digits || text.ends_with('-') {
            return None;
        }
        Some(Version { segments: segments?, pre: pre.to_owned() })
    }

    fn segment(&self, index: usize) -> u64 {
        self.segments.get(index).copied().unwrap_or(0)
    }

    fn compare(&self, other: &Version) -> Ordering {
        let len = self.segments.len().max(other.segments.len());
        let numbers = (0..len).map(|i| self.segment(i).cmp(&other.segment(i)));
        let pre = match (self.pre.is_empty(), other.pre.is_empty()) {
            (false, false) => self.pre.cmp(&other.pre),
            // A version comes after its previews.
            (mine, theirs) => mine.cmp(&theirs),
        };
        numbers.fold(Ordering::Equal, Ordering::then).then(pre)
    }
}

impl std::fmt::Display for Constraints {
    /// Sorted, each once, with all three numbers: as lock files and plans spell them.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut all: Vec<&(Op, Version)> = self.0.iter().collect();
        all.sort_by(|a, b| a.1.compare(&b.1).then(a.0.cmp(&b.0)));
        let mut texts: Vec<String> = all
            .into_iter()
            .map(|(op, version)| {
                let short = *op == Op::Pessimistic && version.segments.len() < 3;
                let len = if short { 2 } else { version.segments.len().max(3) };
                let numbers: Vec<String> =
                    (0..len).map(|i| version.segment(i).to_string()).collect();
                let pre = if version.pre.is_empty() { "" } else { "-" };
                format!("{}{}{pre}{}", op.prefix(), numbers.join("."), version.pre)
            })
            .collect();
        texts.dedup();
        f.write_str(&texts.join(", "))
    }
}

impl Op {
    fn prefix(self) -> &'static str {
        match self {
            Op::Equal => "",
            Op::NotEqual => "!= ",
            Op::Greater => "> ",
            Op::GreaterOrEqual => ">= ",
            Op::Less => "< ",
            Op::LessOrEqual => "<= ",
            Op::Pessimistic => "~> ",
        }
    }
}

impl Constraints {
    /// Reads constraints.
    pub fn parse(text: &str) -> Option<Constraints> {
        let one = |part: &str| {
            let part = part.trim();
            let version = part.trim_start_matches(['=', '!', '<', '>', '~']);
            let op = match &part[..part.len() - version.len()] {
                "" | "=" => Op::Equal,
                "!=" => Op::NotEqual,
                ">" => Op::Greater,
                ">=" => Op::GreaterOrEqual,
                "<" => Op::Less,
                "<=" => Op::LessOrEqual,
                "~>" => Op::Pessimistic,
                _ => return None,
            };
            Some((op, Version::parse(version.trim())?))
        };
        text.split(',').map(one).collect::<Option<_>>().map(Constraints)
    }

    /// Whether `version` is good enough.
    pub fn allow(&self, version: &Version) -> bool {
        self.0.iter().all(|(op, wanted)| {
            let order = version.compare(wanted);
            // A preview is taken only where one is asked for.
            let previews = version.pre.is_empty()
                || (!wanted.pre.is_empty() && version.segments == wanted.segments);
            match op {
                Op::Equal => order.is_eq(),
                Op::NotEqual => order.is_ne(),
                Op::Greater => order.is_gt() && previews,
                Op::GreaterOrEqual => order.is_ge() && previews,
                Op::Less => order.is_lt() && previews,
                Op::LessOrEqual => order.is_le() && previews,
                Op::Pessimistic => {
                    let fixed = wanted.segments.len().saturating_sub(1).max(1);
                    let same = (0..fixed).all(|i| version.segment(i) == wanted.segment(i));
                    order.is_ge() && same && previews
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constraints_allow_what_terraform_allows() {
        for (constraints, version, allowed) in [
            (">= 1.2, < 2.0", "1.11.4", true),
            (">= 1.2, < 1.11", "1.11.4", false),
            ("~> 1.2", "1.11.4", true),
            ("~> 1.2", "2.0.0", false),
            ("~> 1.11.0", "1.11.4", true),
            ("~> 1.10.0", "1.11.4", false),
            ("1.11.4", "1.11.4", true),
            ("!= 1.11.4", "1.11.4", false),
            ("> 1.11.3", "1.11.4", true),
            ("<= v1.11", "1.11.0-beta1", false),
            (">= 1.11.0-alpha", "1.11.0-beta1", true),
        ] {
            let found = Constraints::parse(constraints).expect(constraints);
            assert_eq!(
                found.allow(&Version::parse(version).expect(version)),
                allowed,
                "{constraints} {version}"
            );
        }
        for bad in ["", "~~> 1", "abc", "1..2", ">= 1.x", "1.2 || 3", "=> 1", "+1", "1,"] {
            assert_eq!(Constraints::parse(bad), None, "{bad}");
        }
    }
}
