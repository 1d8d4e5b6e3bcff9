//! Encryption at rest: snapshots, journals and saved plans, as OpenTofu does it.
//!
//! A [`Sealer`] is made of a configuration and turns bytes into bytes; who stores them is none of
//! its business. It takes randomness from the operating system (`cipher::random`) and is otherwise
//! pure. The format is in `envelope`, that of journals in `lines`.
//!
//! What it protects against: somebody who reads the files, and somebody who changes a file. What it
//! does not: somebody who puts back an older file as a whole, and whoever may run the program.

mod cipher;
mod config;
mod envelope;
mod error;
mod keys;
mod lines;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use serde::Deserialize;

pub use config::{
    AesGcm, Age, Encryption, Hash, ITERATIONS_MAX, ITERATIONS_MIN, Input, KeyProvider, KeySource,
    Method, PASSPHRASE_MIN, Pbkdf2, RemoteStates, Secret, Target,
};
pub use error::{SealError, What};
pub use lines::LineSealer;

use cipher::Key;
use envelope::Envelope;
use keys::{Keyring, Metas, Refusal};
use lines::HeaderMeta;

/// Seals and opens, as one configuration says. The default seals nothing, and refuses what is
/// sealed.
#[derive(Debug, Default)]
pub struct Sealer {
    encryption: Encryption,
    keys: Keyring,
}

/// Something stored, in the clear.
#[derive(Debug, PartialEq, Eq)]
pub struct Unsealed<'a> {
    /// What was sealed.
    pub bytes: Cow<'a, [u8]>,
    /// How it was stored.
    pub was: Was,
    /// Whether it would be stored otherwise now: it should be written again even if nothing in it
    /// changed.
    pub stale: bool,
}

/// How something was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Was {
    /// Sealed with the method in use.
    Sealed,
    /// Sealed with the method of a `fallback`.
    Fallback,
    /// In the clear.
    Plain,
}

impl Sealer {
    /// As `encryption` says.
    pub fn new(encryption: Encryption) -> Sealer {
        Sealer { encryption, keys: Keyring::default() }
    }

    /// Whether states and journals are sealed.
    pub fn seals_states(&self) -> bool {
        matches!(self.encryption.state.as_ref().map(Target::method), Some(Method::AesGcm(_)))
    }

    /// A snapshot as it is to be stored.
    ///
    /// # Errors
    /// [`SealError::Sealing`]
    pub fn seal_state<'a>(
        &self,
        plain: Cow<'a, [u8]>,
        lineage: &str,
        serial: u64,
    ) -> Result<Cow<'a, [u8]>, SealError> {
        let names = Some((serial, lineage.to_owned()));
        self.seal(What::State, self.encryption.state.as_ref(), plain, names)
    }

    /// A stored snapshot in the clear.
    ///
    /// # Errors
    /// If it may not be used as it is, or cannot be opened. [`SealError::advice`] says what to do.
    pub fn open_state<'a>(&self, stored: &'a [u8]) -> Result<Unsealed<'a>, SealError> {
        self.open(What::State, self.encryption.state.as_ref(), stored)
    }

    /// A state of another configuration, read by the data source `name`, in the clear.
    ///
    /// # Errors
    /// As [`Sealer::open_state`].
    pub fn open_remote_state<'a>(
        &self,
        name: &str,
        stored: &'a [u8],
    ) -> Result<Unsealed<'a>, SealError> {
        let remote = &self.encryption.remote_states;
        self.open(What::State, remote.named.get(name).or(remote.default.as_ref()), stored)
    }

    /// A saved plan as it is to be stored.
    ///
    /// # Errors
    /// [`SealError::Sealing`]
    pub fn seal_plan<'a>(&self, plain: Cow<'a, [u8]>) -> Result<Cow<'a, [u8]>, SealError> {
        self.seal(What::Plan, self.encryption.plan.as_ref(), plain, None)
    }

    /// A saved plan in the clear.
    ///
    /// # Errors
    /// As [`Sealer::open_state`].
    pub fn open_plan<'a>(&self, stored: &'a [u8]) -> Result<Unsealed<'a>, SealError> {
        self.open(What::Plan, self.encryption.plan.as_ref(), stored)
    }

    /// For a journal that is begun after the snapshot that `lineage` and `serial` name. None: its
    /// lines are written in the clear.
    ///
    /// # Errors
    /// [`SealError::Sealing`]
    pub fn begin_journal(
        &self,
        lineage: &str,
        serial: u64,
    ) -> Result<Option<LineSealer>, SealError> {
        let sealing = |why| SealError::Sealing { what: What::Journal, why };
        let Some(Method::AesGcm(method)) = self.encryption.state.as_ref().map(Target::method)
        else {
            return Ok(None);
        };
        let mut metas = Metas::new();
        let key = self.keys.fresh(method.keys(), &mut metas).map_err(sealing)?;
        LineSealer::begin(&key, &metas, lineage, serial).map(Some).map_err(sealing)
    }

    /// For a journal that is there. `meta` is what its first line says, none if its lines are in the
    /// clear.
    ///
    /// # Errors
    /// As [`Sealer::open_state`].
    pub fn resume_journal(
        &self,
        meta: Option<&str>,
        lineage: &str,
        serial: u64,
    ) -> Result<Option<LineSealer>, SealError> {
        let what = What::Journal;
        let target = self.encryption.state.as_ref();
        let Some(meta) = meta else {
            allows_plain(what, target)?;
            return Ok(None);
        };
        let header = HeaderMeta::read(meta)?;
        let (sealer, _) = self.with_keys(what, target, &header.metas()?, |key, _| {
            LineSealer::resume(key, &header, lineage, serial)
        })?;
        Ok(Some(sealer))
    }

    fn seal<'a>(
        &self,
        what: What,
        target: Option<&Target>,
        plain: Cow<'a, [u8]>,
        names: Option<(u64, String)>,
    ) -> Result<Cow<'a, [u8]>, SealError> {
        let Some(Method::AesGcm(method)) = target.map(Target::method) else { return Ok(plain) };
        let sealing = |why| SealError::Sealing { what, why };
        let mut metas = Metas::new();
        let key = self.keys.fresh(method.keys(), &mut metas).map_err(sealing)?;
        let data = cipher::seal(&key, method.aad(), &plain).map_err(sealing)?;
        Ok(Cow::Owned(Envelope { names, metas, data }.write()))
    }

    fn open<'a>(
        &self,
        what: What,
        target: Option<&Target>,
        stored: &'a [u8],
    ) -> Result<Unsealed<'a>, SealError> {
        let Some(envelope) = Envelope::read(what, stored)? else {
            let stale = allows_plain(what, target)?;
            return Ok(Unsealed { bytes: Cow::Borrowed(stored), was: Was::Plain, stale });
        };
        let Envelope { names, metas, data } = envelope;
        let (plain, i) = self.with_keys(what, target, &metas, |key, method| {
            cipher::open(key, method.aad(), data.clone())
        })?;
        if let Some((serial, lineage)) = names
            && what == What::State
        {
            same_names(&plain, serial, &lineage)?;
        }
        let was = if i == 0 { Was::Sealed } else { Was::Fallback };
        Ok(Unsealed { bytes: Cow::Owned(plain), was, stale: i > 0 })
    }

    /// The first of `target`'s methods with whose key `open` succeeds: what came of it, and which.
    fn with_keys<T>(
        &self,
        what: What,
        target: Option<&Target>,
        metas: &Metas,
        mut open: impl FnMut(&Key, &AesGcm) -> Option<T>,
    ) -> Result<(T, usize), SealError> {
        let providers = || metas.keys().cloned().collect();
        let Some(target) = target else {
            return Err(SealError::NotConfigured { what, providers: providers() });
        };
        let (mut tried, mut configured) = (Vec::new(), Vec::new());
        let mut damaged = None;
        for (i, method) in target.methods().iter().enumerate() {
            let Method::AesGcm(method) = method else { continue };
            let keys = method.keys();
            configured.push(keys.meta_name().to_owned());
            match self.keys.again(keys, metas) {
                Ok(key) => match open(&key, method) {
                    Some(done) => return Ok((done, i)),
                    None => tried.push(format!("`{}`: its key does not fit.", keys.address())),
                },
                Err(Refusal::Absent) => {}
                Err(Refusal::Closed(why)) => tried.push(format!("`{}`: {why}.", keys.address())),
                Err(Refusal::Damaged(why)) => {
                    damaged = Some(format!("what it says of `{}`: {why}", keys.meta_name()));
                }
            }
        }
        Err(match damaged {
            _ if !tried.is_empty() => SealError::WrongKey { what, tried },
            Some(why) => SealError::Damaged { what, why },
            None if configured.is_empty() => {
                SealError::NotConfigured { what, providers: providers() }
            }
            None => SealError::OtherProvider { what, providers: providers(), configured },
        })
    }
}

/// What is sealed in `stored`, if anything is.
pub fn sealed_kind(stored: &[u8]) -> Option<What> {
    match Envelope::read(What::State, stored) {
        Ok(Some(Envelope { names: None, .. })) => Some(What::Plan),
        Ok(None) => None,
        Ok(Some(_)) | Err(_) => Some(What::State),
    }
}

/// Whether something that is not sealed may be used, and then whether it would be sealed now.
fn allows_plain(what: What, target: Option<&Target>) -> Result<bool, SealError> {
    let Some(target) = target else { return Ok(false) };
    if target.methods().iter().any(|it| matches!(it, Method::Unencrypted)) {
        return Ok(!matches!(target.method(), Method::Unencrypted));
    }
    Err(SealError::Plain { what, enforced: target.enforced() })
}

/// Outside and inside of a state must name the same.
fn same_names(plain: &[u8], serial: u64, lineage: &str) -> Result<(), SealError> {
    #[derive(Deserialize)]
    struct Names {
        serial: u64,
        lineage: String,
    }
    let damaged = |why: String| SealError::Damaged { what: What::State, why };
    let inner: Names = serde_json::from_slice(plain)
        .map_err(|it| damaged(format!("what was encrypted is not a state: {it}")))?;
    if inner.serial != serial || inner.lineage != lineage {
        return Err(damaged(
            "serial or lineage outside differ from those that were encrypted".into(),
        ));
    }
    Ok(())
}
