//! What cloud-init gets: text or base64, and what Terraform's state has of it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest as _, Sha1};

/// As the service wants it. What is base64 already is sent as it is.
pub(super) fn encoded(written: &str) -> String {
    match STANDARD.decode(written) {
        Ok(_) => written.to_owned(),
        Err(_) => STANDARD.encode(written),
    }
}

/// What was told, as a person writes it.
pub(super) fn decoded(told: &str) -> String {
    let text = STANDARD.decode(told).ok().and_then(|it| String::from_utf8(it).ok());
    text.unwrap_or_else(|| told.to_owned())
}

/// Whether what is stored means what is written: the same bytes, or the hash that Terraform stores
/// in their place.
pub(super) fn same(stored: &str, written: &str) -> bool {
    stored == written
        || bytes(stored) == bytes(written)
        || is_hash(stored) && stored == hash(written)
}

fn bytes(written: &str) -> Vec<u8> {
    STANDARD.decode(written).unwrap_or_else(|_| written.as_bytes().to_vec())
}

fn is_hash(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'))
}

fn hash(written: &str) -> String {
    Sha1::digest(bytes(written)).iter().map(|it| format!("{it:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_same() {
        let text = "#cloud-config\nhostname: a\n";
        assert_eq!(encoded(text), encoded(&encoded(text)));
        assert_eq!(decoded(&encoded(text)), text);
        assert!(same(text, text) && same(&encoded(text), text) && same(text, &encoded(text)));
        assert!(same("11f6ad8ec52a2984abaafd7c3b516503785c2072", "x"));
        assert!(same("11f6ad8ec52a2984abaafd7c3b516503785c2072", &STANDARD.encode("x")));
        assert!(!same("11f6ad8ec52a2984abaafd7c3b516503785c2072", "y") && !same(text, "x"));
    }
}
