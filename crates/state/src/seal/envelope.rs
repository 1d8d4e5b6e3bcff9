//! The file format: OpenTofu's, as JSON around base64 around AES-GCM.
//!
//! ```text
//! {"serial":1,"lineage":"…","meta":{"key_provider.pbkdf2.name":"…"},"encrypted_data":"…","encryption_version":"v0"}
//! ```
//!
//! Where each fact is from:
//! - the fields, their order, and that a state has `serial` and `lineage` while a plan has neither:
//!   states that OpenTofu 1.9 wrote, in the integration tests of Gitea's state registry and in
//!   public articles; there `encryption_version` is `v0`;
//! - a value of `meta` is base64 of `{"salt":"…","iterations":600000,"hash_function":"sha512",
//!   "key_length":32}`, the salt base64 again: decoded from those states;
//! - the name in `meta` is the address of the key provider, or its `encrypted_metadata_alias`:
//!   OpenTofu's documentation and pull request 2080;
//! - `encrypted_data` is nonce, ciphertext and tag, with nothing authenticated besides unless `aad`
//!   says so: the documentation of the method in OpenTofu's repository;
//! - `serial` and `lineage` repeat what is inside, for backends that look at them. They are not
//!   authenticated: whoever opens a state holds them against the ones inside.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use memchr::memmem;
use serde::{Deserialize, Serialize};

use super::error::{SealError, What};
use super::keys::Metas;

/// The format.
pub(super) const VERSION: &str = "v0";

/// What is wrong where [`decoded`] gives none.
pub(super) const BAD_META: &str = "`meta` is not base64 of texts";

/// Something sealed, taken apart.
pub(super) struct Envelope {
    /// Of a state: serial and lineage, as the outside says.
    pub(super) names: Option<(u64, String)>,
    /// What it says of its keys.
    pub(super) metas: Metas,
    /// Nonce, ciphertext and tag.
    pub(super) data: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct Written {
    #[serde(skip_serializing_if = "Option::is_none")]
    serial: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lineage: Option<String>,
    meta: BTreeMap<String, String>,
    encrypted_data: String,
    encryption_version: String,
}

impl Envelope {
    /// As it is stored.
    pub(super) fn write(&self) -> Vec<u8> {
        let (serial, lineage) = self.names.clone().unzip();
        let written = Written {
            serial,
            lineage,
            meta: encoded(&self.metas),
            encrypted_data: STANDARD.encode(&self.data),
            encryption_version: VERSION.to_owned(),
        };
        serde_json::to_vec(&written).expect("texts and numbers are JSON")
    }

    /// Takes it apart; none if it is something else, not sealed.
    pub(super) fn read(what: What, stored: &[u8]) -> Result<Option<Envelope>, SealError> {
        let starts = stored.iter().find(|it| !it.is_ascii_whitespace());
        // Inside of a text of JSON the quotes would be escaped.
        let has = |name: &[u8]| memmem::find(stored, name).is_some();
        let sealed = starts == Some(&b'{')
            && (has(b"\"encryption_version\"") || has(b"\"encrypted_data\"") || breaks_off(stored));
        if !sealed {
            return Ok(None);
        }
        let damaged = |why: String| SealError::Damaged { what, why };
        let written: Written =
            serde_json::from_slice(stored).map_err(|it| damaged(it.to_string()))?;
        if written.encryption_version != VERSION {
            return Err(SealError::Version { what, version: written.encryption_version });
        }
        let names = match (written.serial, written.lineage) {
            (Some(serial), Some(lineage)) => Some((serial, lineage)),
            (None, None) => None,
            _ => return Err(damaged("of `serial` and `lineage` it has only one".into())),
        };
        let metas = decoded(&written.meta);
        let metas = metas.ok_or_else(|| damaged(BAD_META.into()))?;
        let data = STANDARD.decode(&written.encrypted_data);
        let data = data.map_err(|it| damaged(format!("`encrypted_data` is not base64: {it}")))?;
        Ok(Some(Envelope { names, metas, data }))
    }
}

/// As `meta` has them.
pub(super) fn encoded(metas: &Metas) -> BTreeMap<String, String> {
    metas.iter().map(|(name, it)| (name.clone(), STANDARD.encode(it))).collect()
}

/// From what `meta` has.
pub(super) fn decoded(metas: &BTreeMap<String, String>) -> Option<Metas> {
    let text = |it: &String| String::from_utf8(STANDARD.decode(it).ok()?).ok();
    metas.iter().map(|(name, it)| Some((name.clone(), text(it)?))).collect()
}

/// Whether it is the beginning of something sealed, of which the end is missing.
fn breaks_off(stored: &[u8]) -> bool {
    let start = &stored[..stored.len().min(4096)];
    memmem::find(start, b"\"meta\":{\"").is_some() && memmem::find(start, b"\"version\"").is_none()
}
