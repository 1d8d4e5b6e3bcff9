//! AES-GCM with the nonce in front, and where random bytes come from.
//!
//! Nonces are 96 random bits. NIST SP 800-38D (8.3) allows 2^32 messages under one key then: the
//! chance that any two share a nonce stays below 2^-32. Keys live for one process (snapshots, plans:
//! a few hundred messages) or one journal (a message each line: four thousand million).

use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

/// Bytes of a key, overwritten when it is no longer needed.
pub(super) type Key = Zeroizing<Vec<u8>>;

/// Fills `bytes` from the operating system. Nothing else here is random, except what the age library
/// draws itself, from the same source.
pub(super) fn random(bytes: &mut [u8]) -> Result<(), &'static str> {
    SystemRandom::new().fill(bytes).map_err(|_| "the operating system gave no random bytes")
}

/// A random key.
pub(super) fn random_key() -> Result<Key, &'static str> {
    let mut key = Zeroizing::new(vec![0; 32]);
    random(&mut key)?;
    Ok(key)
}

/// Nonce, text and tag.
pub(super) fn seal(key: &[u8], aad: &[u8], plain: &[u8]) -> Result<Vec<u8>, &'static str> {
    let mut nonce = [0; NONCE_LEN];
    random(&mut nonce)?;
    seal_with(key, nonce, aad, plain)
}

fn seal_with(
    key: &[u8],
    nonce: [u8; NONCE_LEN],
    aad: &[u8],
    plain: &[u8],
) -> Result<Vec<u8>, &'static str> {
    let key = aes(key).ok_or("the key is not of 16 or 32 bytes")?;
    let mut out = Vec::with_capacity(NONCE_LEN + plain.len() + 16);
    out.extend_from_slice(&nonce);
    out.extend_from_slice(plain);
    let nonce = Nonce::assume_unique_for_key(nonce);
    let tag = key
        .seal_in_place_separate_tag(nonce, Aad::from(aad), &mut out[NONCE_LEN..])
        .map_err(|_| "it is larger than 64 gigabytes")?;
    out.extend_from_slice(tag.as_ref());
    Ok(out)
}

/// The text, if key and `aad` are those that it was sealed with, and nothing was changed.
pub(super) fn open(key: &[u8], aad: &[u8], mut sealed: Vec<u8>) -> Option<Vec<u8>> {
    let key = aes(key)?;
    let (nonce, text) = sealed.split_at_mut_checked(NONCE_LEN)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let length = key.open_in_place(nonce, Aad::from(aad), text).ok()?.len();
    sealed.truncate(NONCE_LEN + length);
    sealed.drain(..NONCE_LEN);
    Some(sealed)
}

fn aes(key: &[u8]) -> Option<LessSafeKey> {
    let algorithm = match key.len() {
        16 => &AES_128_GCM,
        32 => &AES_256_GCM,
        _ => return None,
    };
    UnboundKey::new(algorithm, key).ok().map(LessSafeKey::new)
}

#[cfg(test)]
mod tests {
    use super::{open, seal, seal_with};

    fn bytes(hex: &str) -> Vec<u8> {
        let pairs = hex.as_bytes().chunks(2).map(|it| std::str::from_utf8(it).expect("ASCII"));
        pairs.map(|it| u8::from_str_radix(it, 16).expect("hexadecimal")).collect()
    }

    /// Test cases 4 and 16 of McGrew and Viega, "The Galois/Counter Mode of Operation (GCM)".
    #[test]
    fn as_the_inventors_of_gcm_say() {
        let plain = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72\
                     1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39";
        let aad = bytes("feedfacedeadbeeffeedfacedeadbeefabaddad2");
        let key = "feffe9928665731c6d6a8f9467308308";
        let cases = [
            (
                key.to_owned(),
                "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e\
                 21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091",
                "5bc94fbc3221a5db94fae95ae7121a47",
            ),
            (
                key.repeat(2),
                "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa\
                 8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
                "76fc6ece0f4e1768cddf8853bb2d551b",
            ),
        ];
        for (key, text, tag) in cases {
            let key = bytes(&key);
            let nonce = "cafebabefacedbaddecaf888";
            let wanted = bytes(&format!("{nonce}{text}{tag}"));
            let nonce = bytes(nonce).try_into().expect("12 bytes");
            assert_eq!(seal_with(&key, nonce, &aad, &bytes(plain)), Ok(wanted.clone()));
            assert_eq!(open(&key, &aad, wanted), Some(bytes(plain)));
        }
    }

    #[test]
    fn two_of_the_same_differ_and_parts_do_not_open() {
        let key = [7; 32];
        let sealed = seal(&key, b"a", b"text").expect("sealed");
        assert_ne!(sealed, seal(&key, b"a", b"text").expect("sealed"));
        assert_eq!(open(&key, b"b", sealed.clone()), None);
        for length in 0..sealed.len() {
            assert_eq!(open(&key, b"a", sealed[..length].to_vec()), None);
        }
        assert_eq!(open(&key, b"a", sealed), Some(b"text".to_vec()));
    }
}
