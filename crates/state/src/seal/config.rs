//! What is sealed and how: OpenTofu's `encryption` block, with names resolved and values checked.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;

use age::x25519;
use zeroize::Zeroizing;

use super::error::SealError;

/// The fewest bytes that a passphrase has.
pub const PASSPHRASE_MIN: usize = 16;
/// The fewest iterations of PBKDF2.
pub const ITERATIONS_MIN: u32 = 200_000;
/// The most. More would take minutes; a damaged file can ask for anything.
pub const ITERATIONS_MAX: u32 = 100_000_000;

/// What is sealed and how. The default seals nothing.
#[derive(Clone, Debug, Default)]
pub struct Encryption {
    /// `state`: snapshots, backups and journals.
    pub state: Option<Target>,
    /// `plan`: saved plans.
    pub plan: Option<Target>,
    /// `remote_state_data_sources`: states of other configurations, only read.
    pub remote_states: RemoteStates,
}

/// `remote_state_data_sources`
#[derive(Clone, Debug, Default)]
pub struct RemoteStates {
    /// `default`
    pub default: Option<Target>,
    /// `remote_state_data_source "name"`
    pub named: BTreeMap<Arc<str>, Target>,
}

/// One kind of file: what it is written with, and what else opens it.
#[derive(Clone, Debug)]
pub struct Target {
    /// `method`, then that of each `fallback` inside the one before.
    methods: Vec<Method>,
    enforced: bool,
}

impl Target {
    /// # Errors
    /// If it may be written in the clear although it is `enforced` that it is not.
    pub fn new(method: Method, fallback: Vec<Method>, enforced: bool) -> Result<Target, SealError> {
        let mut methods = vec![method];
        methods.extend(fallback);
        if enforced && methods.iter().any(|it| matches!(it, Method::Unencrypted)) {
            return Err(SealError::Configuration(
                "the method `unencrypted` cannot be used where encryption is `enforced`".into(),
            ));
        }
        Ok(Target { methods, enforced })
    }

    /// What it is written with.
    pub fn method(&self) -> &Method {
        &self.methods[0]
    }

    /// Everything that may open it, best first.
    pub fn methods(&self) -> &[Method] {
        &self.methods
    }

    /// Whether anything that is not encrypted is refused.
    pub fn enforced(&self) -> bool {
        self.enforced
    }
}

/// How something is sealed.
#[derive(Clone, Debug)]
pub enum Method {
    /// Not at all: `method "unencrypted"`.
    Unencrypted,
    /// `method "aes_gcm"`
    AesGcm(AesGcm),
}

/// AES in Galois counter mode, with a key of 16 or 32 bytes.
#[derive(Clone, Debug)]
pub struct AesGcm {
    keys: Arc<KeyProvider>,
    aad: Vec<u8>,
}

impl AesGcm {
    /// # Errors
    /// If the provider's keys are of a length that is not supported.
    pub fn new(keys: Arc<KeyProvider>, aad: Vec<u8>) -> Result<AesGcm, SealError> {
        let length = match &keys.source {
            KeySource::Pbkdf2(it) => it.key_length,
            KeySource::Age(_) => 32,
        };
        if !matches!(length, 16 | 32) {
            return Err(SealError::Configuration(format!(
                "`{}` gives keys of {length} bytes; the method `aes_gcm` takes 16 or 32",
                keys.address
            )));
        }
        Ok(AesGcm { keys, aad })
    }

    /// Where its keys come from.
    pub fn keys(&self) -> &Arc<KeyProvider> {
        &self.keys
    }

    /// What is authenticated along with the text.
    pub(super) fn aad(&self) -> &[u8] {
        &self.aad
    }
}

/// Where keys come from.
#[derive(Clone, Debug)]
pub struct KeyProvider {
    address: String,
    meta_name: String,
    source: KeySource,
}

/// What keys are made from.
#[derive(Clone, Debug)]
pub enum KeySource {
    /// `key_provider "pbkdf2"`
    Pbkdf2(Pbkdf2),
    /// `key_provider "age"`: ours.
    Age(Age),
}

impl KeyProvider {
    /// `address` is what the file names it by (`key_provider.pbkdf2.name`), unless there is an
    /// `encrypted_metadata_alias`.
    ///
    /// # Errors
    /// If its settings are too weak or contradict each other.
    pub fn new(
        address: impl Into<String>,
        alias: Option<String>,
        source: KeySource,
    ) -> Result<KeyProvider, SealError> {
        let address = address.into();
        let wrong = match &source {
            KeySource::Pbkdf2(it) => it.wrong(),
            KeySource::Age(_) => None,
        };
        if let Some(wrong) = wrong {
            return Err(SealError::Configuration(wrong));
        }
        let meta_name = alias.unwrap_or_else(|| address.clone());
        Ok(KeyProvider { address, meta_name, source })
    }

    /// What the configuration calls it.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What files call it.
    pub fn meta_name(&self) -> &str {
        &self.meta_name
    }

    pub(super) fn source(&self) -> &KeySource {
        &self.source
    }
}

/// A key derived from a passphrase.
#[derive(Clone, Debug)]
pub struct Pbkdf2 {
    /// What it is derived from.
    pub input: Input,
    /// `key_length`, in bytes.
    pub key_length: usize,
    /// `iterations`
    pub iterations: u32,
    /// `salt_length`, in bytes.
    pub salt_length: usize,
    /// `hash_function`
    pub hash_function: Hash,
}

/// What a key is derived from.
#[derive(Clone, Debug)]
pub enum Input {
    /// `passphrase`
    Passphrase(Secret),
    /// `chain`: the key of another provider.
    Chain(Arc<KeyProvider>),
}

/// A hash function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    /// `sha256`
    Sha256,
    /// `sha512`
    Sha512,
}

impl Hash {
    /// As the configuration and files have it.
    pub fn name(self) -> &'static str {
        match self {
            Hash::Sha256 => "sha256",
            Hash::Sha512 => "sha512",
        }
    }

    /// By its name.
    pub fn named(name: &str) -> Option<Hash> {
        [Hash::Sha256, Hash::Sha512].into_iter().find(|it| it.name() == name)
    }
}

impl Pbkdf2 {
    /// With what holds where nothing else is said.
    pub fn of(input: Input) -> Pbkdf2 {
        Pbkdf2 {
            input,
            key_length: 32,
            iterations: 600_000,
            salt_length: 32,
            hash_function: Hash::Sha512,
        }
    }

    fn wrong(&self) -> Option<String> {
        if let Input::Passphrase(it) = &self.input
            && it.text().len() < PASSPHRASE_MIN
        {
            return Some(format!("the passphrase has fewer than {PASSPHRASE_MIN} characters"));
        }
        if let Input::Chain(of) = &self.input
            && let KeySource::Pbkdf2(it) = of.source()
            && it.key_length < PASSPHRASE_MIN
        {
            return Some(format!(
                "the key of `{}` has fewer than {PASSPHRASE_MIN} bytes",
                of.address()
            ));
        }
        if !(ITERATIONS_MIN..=ITERATIONS_MAX).contains(&self.iterations) {
            return Some(format!(
                "`iterations` is {}, and must be between {ITERATIONS_MIN} and {ITERATIONS_MAX}",
                self.iterations
            ));
        }
        for (name, length) in [("key_length", self.key_length), ("salt_length", self.salt_length)] {
            if !(1..=1024).contains(&length) {
                return Some(format!("`{name}` is {length}, and must be between 1 and 1024"));
            }
        }
        None
    }
}

/// A random key, encrypted to age recipients.
#[derive(Clone)]
pub struct Age {
    recipients: Vec<x25519::Recipient>,
    identities: Vec<x25519::Identity>,
}

impl Age {
    /// `recipients` are public keys (`age1…`); those who hold one of their `identities` can open it:
    /// a secret key (`AGE-SECRET-KEY-1…`) or the text of a key file each.
    ///
    /// # Errors
    /// If one of them is not such a key, or there is no recipient.
    pub fn new(recipients: &[Secret], identities: &[Secret]) -> Result<Age, SealError> {
        let wrong = |text: String| Err(SealError::Configuration(text));
        let mut age = Age { recipients: Vec::new(), identities: Vec::new() };
        for (i, it) in recipients.iter().enumerate() {
            match x25519::Recipient::from_str(it.text().trim()) {
                Ok(it) => age.recipients.push(it),
                // A secret key may have been put there by mistake.
                Err(error) => {
                    return wrong(format!(
                        "recipient {} is not an age public key (`age1…`): {error}",
                        i + 1
                    ));
                }
            }
        }
        let lines = identities.iter().enumerate().flat_map(|(i, it)| {
            let lines = it.text().lines().map(str::trim);
            lines.filter(|it| !it.is_empty() && !it.starts_with('#')).map(move |it| (i, it))
        });
        for (i, line) in lines {
            match x25519::Identity::from_str(line) {
                Ok(it) => age.identities.push(it),
                // What is wrong with it could be a part of it.
                Err(_) => {
                    return wrong(format!(
                        "identity {} is not an age secret key (`AGE-SECRET-KEY-1…`) or a file of \
                         such",
                        i + 1
                    ));
                }
            }
        }
        if age.recipients.is_empty() {
            return wrong("there is no recipient".into());
        }
        Ok(age)
    }

    pub(super) fn recipients(&self) -> &[x25519::Recipient] {
        &self.recipients
    }

    pub(super) fn identities(&self) -> &[x25519::Identity] {
        &self.identities
    }
}

impl std::fmt::Debug for Age {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let recipients: Vec<String> = self.recipients.iter().map(|it| it.to_string()).collect();
        f.debug_struct("Age")
            .field("recipients", &recipients)
            .field("identities", &self.identities.len())
            .finish()
    }
}

/// A text that is never shown, and overwritten when it is no longer needed.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Of a text.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(Zeroizing::new(text.into()))
    }

    pub(super) fn text(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(sensitive)")
    }
}
