//! Whose signatures count: the `allowed_signers` file of OpenSSH (`ssh-keygen(1)`), which git reads too.

use chrono::NaiveDateTime;

use crate::time::{Time, utc};

/// A file's entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedSigners {
    entries: Vec<AllowedSigner>,
}

/// A key, and for whom and what it counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedSigner {
    /// Names, separated by commas.
    pub principals: String,
    /// Such as `ssh-ed25519`.
    pub kind: String,
    /// The key in base64.
    pub key: String,
    /// For what; for everything, if there are none.
    pub namespaces: Vec<String>,
    /// From then on.
    pub after: Option<Time>,
    /// Until then.
    pub before: Option<Time>,
}

/// What a key is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// It counts; whose it is.
    Allowed(String),
    /// It does not, and why.
    Not(String),
}

impl AllowedSigners {
    /// Reads a file. The error names the line.
    pub fn read(text: &str) -> Result<AllowedSigners, String> {
        let mut entries = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            entries.push(entry(line).map_err(|why| format!("line {}: {why}", index + 1))?);
        }
        Ok(AllowedSigners { entries })
    }

    /// Its entries.
    pub fn entries(&self) -> &[AllowedSigner] {
        &self.entries
    }

    /// What a key is worth when it signs in a namespace at a time.
    pub fn trust(&self, kind: &str, key: &str, namespace: &str, at: Time) -> Trust {
        let mut why = "the key is not among those that are allowed".to_owned();
        for it in self.entries.iter().filter(|it| it.kind == kind && it.key == key) {
            let name = &it.principals;
            if !it.namespaces.is_empty() && !it.namespaces.iter().any(|it| glob(it, namespace)) {
                why = format!("the key of {name} is not allowed to sign for {namespace:?}");
            } else if let Some(after) = it.after.filter(|after| at < *after) {
                why = format!("the key of {name} counts only after {}", utc(after));
            } else if let Some(before) = it.before.filter(|before| at >= *before) {
                why = format!("the key of {name} counted only until {}", utc(before));
            } else {
                return Trust::Allowed(name.clone());
            }
        }
        Trust::Not(why)
    }
}

fn entry(line: &str) -> Result<AllowedSigner, String> {
    let mut fields = fields(line)?.into_iter();
    let principals = fields.next().ok_or("it is empty")?.replace('"', "");
    let mut kind = fields.next().ok_or("a key is missing")?;
    let (mut namespaces, mut after, mut before) = (Vec::new(), None, None);
    if !is_key_type(&kind) {
        for option in split(&kind, ',')? {
            let (name, value) = option.split_once('=').unwrap_or((&option, ""));
            let value = value.trim_matches('"');
            match &*name.to_ascii_lowercase() {
                "namespaces" => {
                    namespaces = value.split(',').map(|it| it.trim().to_owned()).collect();
                }
                "valid-after" => after = Some(date(value)?),
                "valid-before" => before = Some(date(value)?),
                "cert-authority" => {
                    return Err("certificate authorities are not supported; list the keys \
                                themselves"
                        .into());
                }
                _ => return Err(format!("the option {name:?} is not known")),
            }
        }
        kind = fields.next().ok_or("a key is missing after the options")?;
    }
    if !is_key_type(&kind) {
        return Err(format!("{kind:?} is not a kind of key such as \"ssh-ed25519\""));
    }
    let key = fields.next().ok_or("the key itself is missing")?;
    Ok(AllowedSigner { principals, kind, key, namespaces, after, before })
}

fn is_key_type(text: &str) -> bool {
    ["ssh-", "ecdsa-", "sk-"].iter().any(|it| text.starts_with(it))
}

/// Splits at blanks that are not quoted.
fn fields(line: &str) -> Result<Vec<String>, String> {
    let parts = split(&line.replace('\t', " "), ' ')?;
    Ok(parts.into_iter().filter(|it| !it.is_empty()).collect())
}

fn split(text: &str, at: char) -> Result<Vec<String>, String> {
    let (mut parts, mut quoted) = (vec![String::new()], false);
    for c in text.chars() {
        quoted ^= c == '"';
        match parts.last_mut() {
            Some(part) if c != at || quoted => part.push(c),
            _ => parts.push(String::new()),
        }
    }
    if quoted { Err("a quote is not closed".into()) } else { Ok(parts) }
}

/// `20261126`, `202611261830`, `20261126183000`, with or without a `Z`. UTC always.
fn date(text: &str) -> Result<Time, String> {
    let digits = text.trim_end_matches(['Z', 'z']);
    let padded = match digits.len() {
        8 | 12 if digits.is_ascii() => format!("{digits:0<14}"),
        _ => digits.to_owned(),
    };
    NaiveDateTime::parse_from_str(&padded, "%Y%m%d%H%M%S")
        .map(|it| it.and_utc().timestamp())
        .map_err(|_| format!("{text:?} is not a time such as \"20261126\""))
}

/// Patterns with `*` and `?`.
pub(crate) fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t, mut back) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                back = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => (p, t) = (p + 1, t + 1),
            _ => match back {
                // One more character for the star.
                Some((star, from)) => {
                    back = Some((star, from + 1));
                    (p, t) = (star + 1, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|it| *it == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, namespace: &str, at: Time, want: &str) {
        let signers = AllowedSigners::read(text).expect(text);
        let got = match signers.trust("ssh-ed25519", "AAAA", namespace, at) {
            Trust::Allowed(by) => format!("yes: {by}"),
            Trust::Not(why) => format!("no: {why}"),
        };
        assert_eq!(got, want, "{text}");
    }

    #[test]
    fn keys_count_for_what_they_are_listed_for() {
        check("# all\n\nann@x ssh-ed25519 AAAA laptop\n", "git", 0, "yes: ann@x");
        check(
            "ann@x ssh-ed25519 BBBB",
            "git",
            0,
            "no: the key is not among those that are allowed",
        );
        check("ann@x ssh-rsa AAAA", "git", 0, "no: the key is not among those that are allowed");
        check("ann,bob namespaces=\"file, gi*\" ssh-ed25519 AAAA", "git", 0, "yes: ann,bob");
        check(
            "ann namespaces=\"file\" ssh-ed25519 AAAA",
            "git",
            0,
            "no: the key of ann is not allowed to sign for \"git\"",
        );
        let times = "ann valid-after=\"20260101\",valid-before=\"202601021200Z\" ssh-ed25519 AAAA";
        check(
            times,
            "git",
            1_767_225_599,
            "no: the key of ann counts only after 2026-01-01 00:00 UTC",
        );
        check(times, "git", 1_767_225_600, "yes: ann");
        check(
            times,
            "git",
            1_767_355_200,
            "no: the key of ann counted only until 2026-01-02 12:00 UTC",
        );
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (text, want) in [
            ("ann", "line 1: a key is missing"),
            ("\nann nonsense ssh-ed25519 AAAA", "line 2: the option \"nonsense\" is not known"),
            ("*@x cert-authority ssh-ed25519 AAAA", "line 1: certificate authorities are not"),
            ("ann namespaces=\"git ssh-ed25519 AAAA", "line 1: a quote is not closed"),
            ("ann valid-after=soon ssh-ed25519 AAAA", "line 1: \"soon\" is not a time"),
            ("ann ssh-ed25519", "line 1: the key itself is missing"),
        ] {
            let error = AllowedSigners::read(text).expect_err(text);
            assert!(error.starts_with(want), "{text}: {error}");
        }
    }

    #[test]
    fn patterns() {
        for (pattern, text, want) in [
            ("*", "", true),
            ("v*", "v1.2", true),
            ("v*.?", "v1.22.3", true),
            ("v?", "v12", false),
            ("a*b*c", "axxbxxbxc", true),
            ("a*b*c", "axxbxxbx", false),
            ("", "x", false),
        ] {
            assert_eq!(glob(pattern, text), want, "{pattern} {text}");
        }
    }
}
