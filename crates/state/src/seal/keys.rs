//! From passphrases and identities to keys, and what a file has to say of them.
//!
//! One sealer writes with one key for each provider: PBKDF2 takes a quarter of a second on purpose,
//! and a run that is cut off must still be able to write. Keys for reading are remembered too.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::{digest, pbkdf2};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::cipher::{Key, random, random_key};
use super::config::{Age, Hash, ITERATIONS_MAX, Input, KeyProvider, KeySource, Pbkdf2};

/// What a file says of its keys: for each provider's name, JSON that is the provider's own.
pub(super) type Metas = BTreeMap<String, String>;

/// Why a provider has no key for a file.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The file does not name it.
    Absent,
    /// What the file says of it makes no sense.
    Damaged(String),
    /// It has nothing that opens the file.
    Closed(String),
}

/// Keys that were made or derived.
#[derive(Default)]
pub(super) struct Keyring {
    /// To write with, by the provider's address.
    fresh: Mutex<BTreeMap<String, (String, Key)>>,
    /// To read with, by address, what the file says, and a digest of the key it is chained to.
    again: Mutex<BTreeMap<(String, String, Vec<u8>), Key>>,
}

/// What files keep of PBKDF2.
#[derive(Serialize, Deserialize)]
struct Pbkdf2Meta {
    salt: String,
    iterations: u32,
    hash_function: String,
    key_length: usize,
}

/// What files keep of an age key: itself, encrypted to the recipients, in age's binary format.
#[derive(Serialize, Deserialize)]
struct AgeMeta {
    wrapped: String,
}

impl Keyring {
    /// The key to write with. Notes in `metas` how to get it again.
    pub(super) fn fresh(
        &self,
        provider: &KeyProvider,
        metas: &mut Metas,
    ) -> Result<Key, &'static str> {
        let chained = match provider.source() {
            KeySource::Pbkdf2(Pbkdf2 { input: Input::Chain(of), .. }) => {
                Some(self.fresh(of, metas)?)
            }
            _ => None,
        };
        let mut made = self.fresh.lock().unwrap_or_else(PoisonError::into_inner);
        if !made.contains_key(provider.address()) {
            let new = match provider.source() {
                KeySource::Pbkdf2(it) => new_pbkdf2(it, chained.as_ref())?,
                KeySource::Age(it) => new_age(it)?,
            };
            made.insert(provider.address().to_owned(), new);
        }
        let (meta, key) = &made[provider.address()];
        metas.insert(provider.meta_name().to_owned(), meta.clone());
        Ok(key.clone())
    }

    /// The key of a file that says `metas`.
    pub(super) fn again(&self, provider: &KeyProvider, metas: &Metas) -> Result<Key, Refusal> {
        let meta = metas.get(provider.meta_name()).ok_or(Refusal::Absent)?;
        let chained = match provider.source() {
            KeySource::Pbkdf2(Pbkdf2 { input: Input::Chain(of), .. }) => {
                Some(self.again(of, metas)?)
            }
            _ => None,
        };
        let of = chained.as_ref().map(|it| digest::digest(&digest::SHA256, it).as_ref().to_vec());
        let name = (provider.address().to_owned(), meta.clone(), of.unwrap_or_default());
        let mut derived = self.again.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = derived.get(&name) {
            return Ok(key.clone());
        }
        let key = match provider.source() {
            KeySource::Pbkdf2(it) => old_pbkdf2(it, chained.as_ref(), meta)?,
            KeySource::Age(it) => old_age(it, meta)?,
        };
        derived.insert(name, key.clone());
        Ok(key)
    }
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keyring")
    }
}

fn new_pbkdf2(it: &Pbkdf2, chained: Option<&Key>) -> Result<(String, Key), &'static str> {
    let mut salt = vec![0; it.salt_length];
    random(&mut salt)?;
    let meta = Pbkdf2Meta {
        salt: STANDARD.encode(&salt),
        iterations: it.iterations,
        hash_function: it.hash_function.name().to_owned(),
        key_length: it.key_length,
    };
    let key = derive(it.hash_function, it.iterations, &salt, input(it, chained), it.key_length)
        .ok_or("the number of iterations is zero")?;
    Ok((json(&meta)?, key))
}

fn old_pbkdf2(it: &Pbkdf2, chained: Option<&Key>, meta: &str) -> Result<Key, Refusal> {
    let damaged = |why: &str| Refusal::Damaged(why.to_owned());
    let meta: Pbkdf2Meta =
        serde_json::from_str(meta).map_err(|it| Refusal::Damaged(it.to_string()))?;
    let salt = STANDARD.decode(&meta.salt).map_err(|_| damaged("its salt is not base64"))?;
    let Some(hash) = Hash::named(&meta.hash_function) else {
        let why = format!("the hash function {:?} is not known", meta.hash_function);
        return Err(Refusal::Damaged(why));
    };
    if meta.iterations > ITERATIONS_MAX {
        return Err(damaged("it asks for more iterations than anybody would wait for"));
    }
    if !(1..=1024).contains(&meta.key_length) {
        return Err(damaged("it asks for a key of a length that nothing takes"));
    }
    derive(hash, meta.iterations, &salt, input(it, chained), meta.key_length)
        .ok_or_else(|| damaged("it asks for no iterations"))
}

fn input<'a>(it: &'a Pbkdf2, chained: Option<&'a Key>) -> &'a [u8] {
    match (&it.input, chained) {
        (_, Some(key)) => key,
        (Input::Passphrase(it), None) => it.text().as_bytes(),
        (Input::Chain(_), None) => unreachable!("the key of a chain was asked for before"),
    }
}

fn derive(hash: Hash, iterations: u32, salt: &[u8], secret: &[u8], length: usize) -> Option<Key> {
    let algorithm = match hash {
        Hash::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
        Hash::Sha512 => pbkdf2::PBKDF2_HMAC_SHA512,
    };
    let mut key = Zeroizing::new(vec![0; length]);
    pbkdf2::derive(algorithm, NonZeroU32::new(iterations)?, salt, secret, &mut key);
    Some(key)
}

fn new_age(it: &Age) -> Result<(String, Key), &'static str> {
    let key = random_key()?;
    let recipients = it.recipients().iter().map(|it| it as &dyn age::Recipient);
    let encryptor = age::Encryptor::with_recipients(recipients).map_err(|_| "age refused")?;
    let mut wrapped = Vec::new();
    let wrote = encryptor.wrap_output(&mut wrapped).and_then(|mut out| {
        out.write_all(&key)?;
        out.finish()
    });
    wrote.map_err(|_| "age refused")?;
    Ok((json(&AgeMeta { wrapped: STANDARD.encode(wrapped) })?, key))
}

fn old_age(it: &Age, meta: &str) -> Result<Key, Refusal> {
    let damaged = |why: String| Refusal::Damaged(why);
    let meta: AgeMeta = serde_json::from_str(meta).map_err(|it| damaged(it.to_string()))?;
    let wrapped = STANDARD.decode(&meta.wrapped);
    let wrapped = wrapped.map_err(|_| damaged("its key is not base64".into()))?;
    if it.identities().is_empty() {
        return Err(Refusal::Closed("no identity is configured".into()));
    }
    let closed = |_| Refusal::Closed("none of its identities opens the file's key".into());
    let decryptor = age::Decryptor::new(&*wrapped).map_err(|it| damaged(it.to_string()))?;
    let identities = it.identities().iter().map(|it| it as &dyn age::Identity);
    let reader = decryptor.decrypt(identities).map_err(closed)?;
    let mut key = Zeroizing::new(Vec::with_capacity(64));
    reader.take(64).read_to_end(&mut key).map_err(|it| damaged(it.to_string()))?;
    match key.len() {
        32 => Ok(key),
        length => Err(damaged(format!("its key has {length} bytes"))),
    }
}

fn json(meta: &impl Serialize) -> Result<String, &'static str> {
    serde_json::to_string(meta).map_err(|_| "it cannot be said in JSON")
}

#[cfg(test)]
mod tests {
    use super::{Hash, derive};

    /// SHA-256: RFC 7914, section 11. SHA-512: the inputs of RFC 6070, with what OpenSSL makes of
    /// them.
    #[test]
    fn as_published() {
        let hex = |hash, iterations, salt: &str, secret: &str, length| -> String {
            let key = derive(hash, iterations, salt.as_bytes(), secret.as_bytes(), length);
            key.expect("iterations").iter().map(|it| format!("{it:02x}")).collect()
        };
        assert_eq!(
            hex(Hash::Sha256, 1, "salt", "passwd", 64),
            "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc\
             49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783"
        );
        assert_eq!(
            hex(Hash::Sha256, 80000, "NaCl", "Password", 64),
            "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56\
             a1d425a1225833549adb841b51c9b3176a272bdebba1d078478f62b397f33c8d"
        );
        assert_eq!(
            hex(Hash::Sha512, 1, "salt", "password", 64),
            "867f70cf1ade02cff3752599a3a53dc4af34c7a669815ae5d513554e1c8cf252\
             c02d470a285a0501bad999bfe943c08f050235d7d68b1da55e63f73b60a57fce"
        );
        assert_eq!(
            hex(Hash::Sha512, 4096, "salt", "password", 64),
            "d197b1b33db0143e018b12f3d1d1479e6cdebdcc97c5c0f87f6902e072f457b5\
             143f30602641b3d55cd335988cb36b84376060ecd532e039b742a239434af2d5"
        );
    }
}
