//! What a snapshot is told apart by.

use sha2::{Digest, Sha256};

use crate::journal::Folding;

/// Its length and checksum, as a journal names what it went into.
pub(crate) fn measure(snapshot: &[u8], serial: u64) -> Folding {
    Folding { serial, bytes: snapshot.len() as u64, crc: crc32fast::hash(snapshot) }
}

/// A digest of all but the serial, of a file as we write it: the serial has a line of its own, among
/// the first five.
pub(crate) fn content(snapshot: &[u8]) -> [u8; 32] {
    let mut digest = Sha256::new();
    let mut rest = snapshot;
    for _ in 0..5 {
        let end = rest.iter().position(|it| *it == b'\n').map_or(rest.len(), |it| it + 1);
        let (line, after) = rest.split_at(end);
        if !line.starts_with(b"  \"serial\": ") {
            digest.update(line);
        }
        rest = after;
    }
    digest.update(rest);
    digest.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_serial_does_not_count() {
        let file = |serial, text| {
            format!("{{\n  \"version\": 4,\n  \"serial\": {serial},\n  \"x\": \"{text}\"\n}}\n")
        };
        let of = |text: String| content(text.as_bytes());
        assert_eq!(of(file(1, "a")), of(file(22, "a")));
        assert_ne!(of(file(1, "a")), of(file(1, "b")));
        assert_ne!(of(String::new()), of(file(1, "a")));
    }
}
