//! An address in a sentence.

use std::collections::BTreeSet;

/// The first of `addresses` that is written in `text`; of several at one place, the longest.
///
/// Words are read as addresses are built, `name[key].name…`, so that `docker_image.web` is not found in
/// `docker_image.web_server`.
pub fn address_in<'a>(text: &str, addresses: &'a BTreeSet<String>) -> Option<&'a str> {
    let mut at = 0;
    while at < text.len() {
        let ends = parts(&text[at..]);
        let found = ends.iter().rev().find_map(|end| addresses.get(&text[at..at + end]));
        if let Some(found) = found {
            return Some(found);
        }
        // A name that begins in the middle of a word is none.
        at += word(&text[at..]).max(text[at..].chars().next().map_or(1, char::len_utf8));
    }
    None
}

/// Where each part of the address ends that `text` may begin with.
fn parts(text: &str) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut at = word(text);
    if at == 0 {
        return ends;
    }
    ends.push(at);
    loop {
        let rest = &text[at..];
        at += match rest.as_bytes().first() {
            Some(b'[') => key(rest),
            Some(b'.') => match word(&rest[1..]) {
                0 => return ends,
                length => 1 + length,
            },
            _ => 0,
        };
        match ends.last() {
            Some(last) if *last == at => return ends,
            _ => ends.push(at),
        }
    }
}

/// The length of the name that `text` begins with.
fn word(text: &str) -> usize {
    text.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-'))).unwrap_or(text.len())
}

/// The length of the instance key that `text` begins with: `[0]`, `["a"]`.
fn key(text: &str) -> usize {
    let Some(rest) = text.strip_prefix("[\"") else {
        let digits = text[1..].find(|c: char| !c.is_ascii_digit()).unwrap_or(0);
        return if text[1 + digits..].starts_with(']') && digits > 0 { digits + 2 } else { 0 };
    };
    let mut escaped = false;
    for (at, c) in rest.char_indices() {
        match c {
            '"' if !escaped => return if rest[at + 1..].starts_with(']') { at + 4 } else { 0 },
            _ => escaped = c == '\\' && !escaped,
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: Option<&str>) {
        let addresses = [
            "docker_image.web",
            "docker_container.web",
            "docker_container.web[0]",
            "module.a[\"x.y\"].docker_container.web[\"k \\\" ]\"]",
            "docker_container.web-2",
        ];
        let addresses = addresses.map(str::to_owned).into();
        assert_eq!(address_in(text, &addresses), want, "{text}");
    }

    #[test]
    fn an_address_is_a_whole_word() {
        check("docker_container.web is bad", Some("docker_container.web"));
        check("bad: 'docker_container.web[0]'.", Some("docker_container.web[0]"));
        check("(docker_container.web[7])", Some("docker_container.web"));
        check("docker_container.web.image is bad", Some("docker_container.web"));
        check("docker_container.web-2", Some("docker_container.web-2"));
        check("docker_container.webby", None);
        check("my_docker_container.web", None);
        check("my-docker_container.web and docker_image.web.", Some("docker_image.web"));
        check("docker_container", None);
        check("", None);
        check("…[\"", None);
        check("docker_image.[", None);
    }

    #[test]
    fn keys_are_read_as_they_are_written() {
        let address = "module.a[\"x.y\"].docker_container.web[\"k \\\" ]\"]";
        check(&format!("«{address}» is bad"), Some(address));
    }
}
