//! A sealed journal: each line for itself, so that appending one stays cheap.
//!
//! A journal has a random key of its own, sealed with the key that snapshots are sealed with, in its
//! first line. What a line is sealed with names lineage, serial and line number, so that a line
//! cannot be put elsewhere, or into another journal, without being noticed. That lines are missing
//! at the end cannot be seen here: the marks of a folding and the snapshot tell.
//!
//! Not hidden: how many lines there are, how long each is, and when they were written.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::cipher::{self, Key};
use super::envelope::{BAD_META, VERSION, decoded, encoded};
use super::error::{SealError, What};
use super::keys::Metas;

/// Seals the lines of one journal and opens them.
pub struct LineSealer {
    key: Key,
    /// Which journal.
    of: Vec<u8>,
    meta: String,
}

/// What the first line of a journal says.
#[derive(Serialize, Deserialize)]
pub(super) struct HeaderMeta {
    meta: BTreeMap<String, String>,
    data_key: String,
    encryption_version: String,
}

impl HeaderMeta {
    /// From the journal's first line.
    pub(super) fn read(text: &str) -> Result<HeaderMeta, SealError> {
        let what = What::Journal;
        let header: HeaderMeta = serde_json::from_str(text)
            .map_err(|it| SealError::Damaged { what, why: it.to_string() })?;
        if header.encryption_version != VERSION {
            return Err(SealError::Version { what, version: header.encryption_version });
        }
        Ok(header)
    }

    /// What it says of the keys.
    pub(super) fn metas(&self) -> Result<Metas, SealError> {
        let why = BAD_META.to_owned();
        decoded(&self.meta).ok_or(SealError::Damaged { what: What::Journal, why })
    }
}

impl LineSealer {
    /// Of a journal that is begun: `wrapping` seals its key.
    pub(super) fn begin(
        wrapping: &Key,
        metas: &Metas,
        lineage: &str,
        serial: u64,
    ) -> Result<LineSealer, &'static str> {
        let of = journal(lineage, serial);
        let key = cipher::random_key()?;
        let data_key = STANDARD.encode(cipher::seal(wrapping, &of, &key)?);
        let (meta, encryption_version) = (encoded(metas), VERSION.to_owned());
        let header = HeaderMeta { meta, data_key, encryption_version };
        let meta = serde_json::to_string(&header).map_err(|_| "it cannot be said in JSON")?;
        Ok(LineSealer { key, of, meta })
    }

    /// Of a journal that is there; none if `wrapping` does not open its key.
    pub(super) fn resume(
        wrapping: &Key,
        header: &HeaderMeta,
        lineage: &str,
        serial: u64,
    ) -> Option<LineSealer> {
        let of = journal(lineage, serial);
        let data_key = STANDARD.decode(&header.data_key).ok()?;
        let key = cipher::open(wrapping, &of, data_key)?;
        let meta = serde_json::to_string(header).ok()?;
        (key.len() == 32).then(|| LineSealer { key: Key::new(key), of, meta })
    }

    /// What belongs in the journal's first line: JSON.
    pub fn header_meta(&self) -> &str {
        &self.meta
    }

    /// Line `n` as it is stored: base64.
    ///
    /// # Errors
    /// If there are no random bytes.
    pub fn seal_line(&self, n: u64, plain: &str) -> Result<String, SealError> {
        let sealed = cipher::seal(&self.key, &self.line(n), plain.as_bytes());
        let sealed = sealed.map_err(|why| SealError::Sealing { what: What::Journal, why })?;
        Ok(STANDARD.encode(sealed))
    }

    /// The text of line `n`.
    ///
    /// # Errors
    /// If it is not what [`LineSealer::seal_line`] made of line `n` of this journal.
    pub fn open_line(&self, n: u64, sealed: &str) -> Result<String, SealError> {
        let plain = STANDARD.decode(sealed).ok();
        let plain = plain.and_then(|it| cipher::open(&self.key, &self.line(n), it));
        let plain = plain.and_then(|it| String::from_utf8(it).ok());
        plain.ok_or(SealError::Line { line: n })
    }

    fn line(&self, n: u64) -> Vec<u8> {
        [&*self.of, &n.to_be_bytes()].concat()
    }
}

impl std::fmt::Debug for LineSealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LineSealer").field("meta", &self.meta).finish_non_exhaustive()
    }
}

/// Which journal: numbers of fixed length first, so that no two are written alike.
fn journal(lineage: &str, serial: u64) -> Vec<u8> {
    [b"plumb journal 1\0", &serial.to_be_bytes()[..], &(lineage.len() as u64).to_be_bytes()]
        .concat()
        .into_iter()
        .chain(lineage.bytes())
        .collect()
}
