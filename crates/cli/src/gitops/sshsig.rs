//! Signatures that `ssh-keygen -Y sign` makes (PROTOCOL.sshsig of OpenSSH), which git makes as well.
//!
//! The format is a handful of fields with their lengths before them; what has to be done well, the
//! arithmetic, is `ring`'s.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use plumb_gitops::{AllowedSigners, Time, Trust};
use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey};
use sha2::{Digest as _, Sha256, Sha512};

const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----";
const END: &str = "-----END SSH SIGNATURE-----";
const MAGIC: &[u8] = b"SSHSIG";
/// Somebody touched the security key.
const USER_PRESENT: u8 = 1;

/// A message, what signs it, and for what.
pub(super) struct Signed<'a> {
    /// The signature, armoured.
    pub(super) signature: &'a str,
    /// What was signed.
    pub(super) message: &'a [u8],
    /// What for.
    pub(super) namespace: &'a str,
    /// When, as the signed text has it.
    pub(super) at: Time,
}

/// Who signed, if that is somebody whose signature counts.
pub(super) fn signer(signed: &Signed<'_>, allowed: &AllowedSigners) -> Result<String, String> {
    let unreadable = || "the signature cannot be read".to_owned();
    let first = signed.signature.trim_start().lines().next().unwrap_or_default().trim();
    if first != BEGIN {
        return Err(match first {
            "-----BEGIN PGP SIGNATURE-----" | "-----BEGIN PGP MESSAGE-----" => {
                "it is signed with OpenPGP, which is not supported; sign with an SSH key: git \
                 config gpg.format ssh"
                    .to_owned()
            }
            "-----BEGIN SIGNED MESSAGE-----" => {
                "it is signed with X.509, which is not supported; sign with an SSH key: git config \
                 gpg.format ssh"
                    .to_owned()
            }
            _ => unreadable(),
        });
    }
    let sig = Sig::read(signed.signature).ok_or_else(unreadable)?;
    if sig.namespace != signed.namespace {
        return Err(format!(
            "the signature is for {:?}, not for {:?}",
            sig.namespace, signed.namespace
        ));
    }
    let kind = sig.key_kind().ok_or_else(unreadable)?;
    sig.check(&kind, signed.message)?;
    match allowed.trust(&kind, &STANDARD.encode(&sig.key), signed.namespace, signed.at) {
        Trust::Allowed(by) => Ok(by),
        Trust::Not(why) => Err(why),
    }
}

/// The fields of a signature.
struct Sig {
    key: Vec<u8>,
    namespace: String,
    reserved: Vec<u8>,
    hash: String,
    signature: Vec<u8>,
}

impl Sig {
    fn read(armoured: &str) -> Option<Sig> {
        let inside = armoured.trim().strip_prefix(BEGIN)?.split_once(END)?.0;
        let packed: String = inside.split_whitespace().collect();
        let bytes = STANDARD.decode(packed).ok()?;
        let mut fields = Fields(bytes.strip_prefix(MAGIC)?);
        if fields.number()? != 1 {
            return None;
        }
        let key = fields.bytes()?.to_vec();
        let namespace = fields.text()?;
        let reserved = fields.bytes()?.to_vec();
        let hash = fields.text()?;
        let signature = fields.bytes()?.to_vec();
        (fields.0.is_empty() && !namespace.is_empty()).then_some(Sig {
            key,
            namespace,
            reserved,
            hash,
            signature,
        })
    }

    fn key_kind(&self) -> Option<String> {
        Fields(&self.key).text()
    }

    /// Whether the key made it.
    fn check(&self, kind: &str, message: &[u8]) -> Result<(), String> {
        let digest = match &*self.hash {
            "sha256" => Sha256::digest(message).to_vec(),
            "sha512" => Sha512::digest(message).to_vec(),
            other => return Err(format!("the signature uses {other:?}, which is not known")),
        };
        let mut data = MAGIC.to_vec();
        for field in [self.namespace.as_bytes(), &self.reserved, self.hash.as_bytes(), &digest] {
            data.extend((field.len() as u32).to_be_bytes());
            data.extend(field);
        }
        match self.made_by_key(kind, &data) {
            Some(true) => Ok(()),
            Some(false) => Err("the signature is not of this text".into()),
            None => Err(format!("keys of kind {kind:?} are not supported")),
        }
    }

    /// None: of a kind that is not known, or misshapen.
    fn made_by_key(&self, kind: &str, data: &[u8]) -> Option<bool> {
        let mut key = Fields(&self.key);
        key.bytes()?;
        let mut made = Fields(&self.signature);
        let algorithm = made.text()?;
        let proof = made.bytes()?;
        let good = |algorithm: &'static dyn signature::VerificationAlgorithm,
                    key: &[u8],
                    data: &[u8],
                    proof: &[u8]| {
            UnparsedPublicKey::new(algorithm, key).verify(data, proof).is_ok()
        };
        match (kind, &*algorithm) {
            ("ssh-ed25519", "ssh-ed25519") => {
                Some(good(&signature::ED25519, key.bytes()?, data, proof))
            }
            ("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256") => {
                key.bytes()?;
                let proof = fixed(proof, 32)?;
                Some(good(&signature::ECDSA_P256_SHA256_FIXED, key.bytes()?, data, &proof))
            }
            ("ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384") => {
                key.bytes()?;
                let proof = fixed(proof, 48)?;
                Some(good(&signature::ECDSA_P384_SHA384_FIXED, key.bytes()?, data, &proof))
            }
            ("ssh-rsa", "rsa-sha2-256" | "rsa-sha2-512") => {
                let (e, n) = (unsigned(key.bytes()?), unsigned(key.bytes()?));
                let hash = match &*algorithm {
                    "rsa-sha2-256" => &signature::RSA_PKCS1_2048_8192_SHA256,
                    _ => &signature::RSA_PKCS1_2048_8192_SHA512,
                };
                Some(RsaPublicKeyComponents { n, e }.verify(hash, data, proof).is_ok())
            }
            ("sk-ssh-ed25519@openssh.com", "sk-ssh-ed25519@openssh.com") => {
                let point = key.bytes()?;
                let data = by_security_key(key.bytes()?, made.0, data)?;
                Some(good(&signature::ED25519, point, &data, proof))
            }
            ("sk-ecdsa-sha2-nistp256@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com") => {
                key.bytes()?;
                let point = key.bytes()?;
                let data = by_security_key(key.bytes()?, made.0, data)?;
                let proof = fixed(proof, 32)?;
                Some(good(&signature::ECDSA_P256_SHA256_FIXED, point, &data, &proof))
            }
            _ => None,
        }
    }
}

/// What a security key signs: the application, its flags and counter, the data.
fn by_security_key(application: &[u8], trailer: &[u8], data: &[u8]) -> Option<Vec<u8>> {
    if trailer.len() != 5 || trailer[0] & USER_PRESENT == 0 {
        return None;
    }
    let (application, data) = (Sha256::digest(application), Sha256::digest(data));
    Some([&application[..], trailer, &data[..]].concat())
}

/// Two numbers one after the other, each filled up with zeros.
fn fixed(proof: &[u8], length: usize) -> Option<Vec<u8>> {
    let mut fields = Fields(proof);
    let mut out = Vec::new();
    for _ in 0..2 {
        let number = unsigned(fields.bytes()?);
        out.resize(out.len() + length.checked_sub(number.len())?, 0);
        out.extend(number);
    }
    Some(out)
}

/// Without the zeros that keep a number from being read as a negative one.
fn unsigned(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|it| **it == 0).count();
    &number[zeros..]
}

/// Bytes with their length before them.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn number(&mut self) -> Option<u32> {
        let (head, rest) = self.0.split_first_chunk::<4>()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*head))
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        let (head, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(head)
    }

    fn text(&mut self) -> Option<String> {
        String::from_utf8(self.bytes()?.to_vec()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;
    use std::process::Command;

    fn keygen(dir: &Path, args: &[&str]) {
        let done = Command::new("ssh-keygen").current_dir(dir).args(args).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    /// Makes a key, signs with it, and says who that was.
    fn check(kind: &str, bits: &str, message: &[u8], spoil: bool) -> Result<String, String> {
        let dir = tempfile::tempdir().unwrap();
        keygen(dir.path(), &["-q", "-t", kind, "-b", bits, "-N", "", "-f", "key"]);
        std::fs::write(dir.path().join("text"), message).unwrap();
        keygen(dir.path(), &["-Y", "sign", "-f", "key", "-n", "git", "text"]);
        let read = |name| std::fs::read_to_string(dir.path().join(name)).unwrap();
        let allowed = AllowedSigners::read(&format!("ann {}", read("key.pub"))).unwrap();
        let mut message = message.to_vec();
        if spoil {
            message.push(b'x');
        }
        let signature = &read("text.sig");
        let signed = Signed { signature, message: &message, namespace: "git", at: 0 };
        // Any cut, and any byte turned over, is an error and nothing worse.
        let bytes = STANDARD.encode(&STANDARD.decode(inside(signature)).unwrap()[..60]);
        for text in [&signature[..signature.len() / 2], &format!("{BEGIN}\n{bytes}\n{END}")] {
            assert!(signer(&Signed { signature: text, ..signed }, &allowed).is_err());
        }
        let whole = STANDARD.decode(inside(signature)).unwrap();
        for at in (0..whole.len()).step_by(7) {
            let mut turned = whole.clone();
            turned[at] ^= 0x41;
            let text = format!("{BEGIN}\n{}\n{END}", STANDARD.encode(turned));
            assert!(signer(&Signed { signature: &text, ..signed }, &allowed).is_err(), "{at}");
        }
        signer(&signed, &allowed)
    }

    fn inside(text: &str) -> String {
        text.lines().filter(|it| !it.starts_with("---")).collect()
    }

    #[test]
    fn every_kind_of_key() {
        for (kind, bits) in
            [("ed25519", "256"), ("rsa", "2048"), ("ecdsa", "256"), ("ecdsa", "384")]
        {
            assert_eq!(check(kind, bits, b"a text\n", false), Ok("ann".into()), "{kind} {bits}");
            let error = check(kind, bits, b"a text\n", true).unwrap_err();
            assert_eq!(error, "the signature is not of this text", "{kind} {bits}");
        }
        let error = check("ecdsa", "521", b"a text\n", false).unwrap_err();
        assert_eq!(error, "keys of kind \"ecdsa-sha2-nistp521\" are not supported");
    }

    #[test]
    fn others_are_named() {
        let allowed = AllowedSigners::default();
        let check = |signature: &str, want: &str| {
            let signed = Signed { signature, message: b"", namespace: "git", at: 0 };
            let error = signer(&signed, &allowed).unwrap_err();
            assert!(error.starts_with(want), "{error}");
        };
        check("-----BEGIN PGP SIGNATURE-----\n\nabc\n", "it is signed with OpenPGP");
        check("-----BEGIN SIGNED MESSAGE-----\n", "it is signed with X.509");
        check("nonsense", "the signature cannot be read");
        check(&format!("{BEGIN}\n!\n{END}"), "the signature cannot be read");
    }
}
