//! Equal names of one file share one allocation.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

/// The names seen so far.
#[derive(Default)]
pub(super) struct Names(HashSet<Arc<str>, BuildHasherDefault<NameHasher>>);

/// Longer texts seldom come twice.
const SHARED_LEN_MAX: usize = 40;

impl Names {
    /// `text`, shared with every equal text asked for before.
    pub(super) fn get(&mut self, text: &str) -> Arc<str> {
        if text.len() > SHARED_LEN_MAX {
            return text.into();
        }
        if let Some(name) = self.0.get(text) {
            return Arc::clone(name);
        }
        let name: Arc<str> = text.into();
        self.0.insert(Arc::clone(&name));
        name
    }
}

/// Multiply and fold: names are short, and the set is gone when the file is read.
#[derive(Default)]
struct NameHasher(u64);

impl Hasher for NameHasher {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            let mixed = u128::from(self.0.rotate_left(5) ^ u64::from_le_bytes(word))
                * 0x9e37_79b9_7f4a_7c15;
            #[expect(clippy::cast_possible_truncation, reason = "both halves are folded")]
            {
                self.0 = (mixed >> 64) as u64 ^ mixed as u64;
            }
        }
    }

    fn write_u8(&mut self, _: u8) {}

    fn finish(&self) -> u64 {
        self.0
    }
}
