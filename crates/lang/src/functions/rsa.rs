//! `rsadecrypt`: RSA with PKCS #1 v1.5 padding, keys in PEM (PKCS #1, PKCS #8, OpenSSH), not
//! encrypted. It runs where the configuration is, on secrets of its own: timing is no concern.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dashu_base::BitTest;
use dashu_int::UBig;
use dashu_int::fast_div::ConstDivisor;
use plumb_model::value::Value;

use super::arguments::{string, text};
use super::{Function, Kind, Outcome, Returns, blame, fail};

pub(super) const FUNCTIONS: &[Function] = &[Function::new(
    "rsadecrypt",
    &[string("ciphertext"), string("privatekey")],
    None,
    Returns::Always(Kind::String),
    decrypt,
)];

/// Keys longer than this only burn time.
const KEY_BYTES_MAX: usize = 2048;

struct Key {
    modulus: UBig,
    exponent: UBig,
}

fn decrypt(args: &[Value]) -> Outcome {
    let source = text(args, 0);
    let packed: String = source.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    let Ok(cipher) = STANDARD.decode(packed) else {
        return blame(
            0,
            format!("failed to decode input {source:?}: cipher text must be base64-encoded"),
        );
    };
    let key = match private_key(text(args, 1)) {
        Ok(key) => key,
        Err(message) => return blame(1, message),
    };
    match opened(&cipher, &key).map(String::from_utf8) {
        Some(Ok(text)) => Ok(Value::string(text)),
        Some(Err(_)) => fail("failed to decrypt: the result is not valid UTF-8"),
        None => fail("failed to decrypt: decryption error"),
    }
}

fn opened(cipher: &[u8], key: &Key) -> Option<Vec<u8>> {
    let size = key.modulus.to_be_bytes().len();
    let cipher = UBig::from_be_bytes(cipher);
    if cipher >= key.modulus {
        return None;
    }
    let ring = ConstDivisor::new(key.modulus.clone());
    let plain = ring.reduce(cipher).pow(&key.exponent).residue();
    // 0, 2, at least eight bytes that are not 0, 0, and then the message.
    let plain = plain.to_be_bytes();
    let padded = (plain.len() + 1 == size).then(|| plain.strip_prefix(&[2])).flatten()?;
    let end = padded.iter().position(|byte| *byte == 0).filter(|end| *end >= 8)?;
    Some(padded[end + 1..].to_vec())
}

fn private_key(pem: &str) -> Result<Key, String> {
    const NONE: &str = "invalid private key: no key found";
    let begin = pem.find("-----BEGIN ").ok_or(NONE)?;
    let (kind, rest) = pem[begin + "-----BEGIN ".len()..].split_once("-----").ok_or(NONE)?;
    let (body, _) = rest.split_once("-----END ").ok_or(NONE)?;
    if body.contains("ENCRYPTED") || kind.contains("ENCRYPTED") {
        return Err("invalid private key: it is encrypted".into());
    }
    let packed: String = body.chars().filter(|c| !c.is_whitespace()).collect();
    let bytes = STANDARD.decode(packed).map_err(|_| NONE)?;
    let key = match kind {
        "RSA PRIVATE KEY" => pkcs1(&bytes),
        "PRIVATE KEY" => pkcs8(&bytes),
        "OPENSSH PRIVATE KEY" => openssh(&bytes),
        kind => return Err(format!("invalid private key: unsupported key type {kind:?}")),
    };
    key.filter(|key| {
        // Of an even modulus there is no such ring, and no such key.
        key.modulus.bit(0)
            && key.modulus > UBig::from(2u8)
            && key.modulus.to_be_bytes().len() <= KEY_BYTES_MAX
            && key.exponent < key.modulus
    })
    .ok_or_else(|| "invalid private key: not an RSA key".to_owned())
}

/// The content of the first element of a tag, and what follows it.
fn der(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let rest = bytes.strip_prefix(&[tag])?;
    let (first, rest) = rest.split_first()?;
    let (len, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81..=0x84 => {
            let (len, rest) = rest.split_at_checked(usize::from(first - 0x80))?;
            (len.iter().fold(0usize, |len, byte| len << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(len)
}

const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const SEQUENCE: u8 = 0x30;

fn pkcs1(bytes: &[u8]) -> Option<Key> {
    let (fields, _) = der(bytes, SEQUENCE)?;
    let (_version, rest) = der(fields, INTEGER)?;
    let (modulus, rest) = der(rest, INTEGER)?;
    let (_public, rest) = der(rest, INTEGER)?;
    let (exponent, _) = der(rest, INTEGER)?;
    Some(Key { modulus: UBig::from_be_bytes(modulus), exponent: UBig::from_be_bytes(exponent) })
}

fn pkcs8(bytes: &[u8]) -> Option<Key> {
    let (fields, _) = der(bytes, SEQUENCE)?;
    let (_version, rest) = der(fields, INTEGER)?;
    let (_algorithm, rest) = der(rest, SEQUENCE)?;
    pkcs1(der(rest, OCTETS)?.0)
}

fn openssh(bytes: &[u8]) -> Option<Key> {
    fn field<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
        let (len, after) = rest.split_at_checked(4)?;
        let len = len.iter().fold(0usize, |len, byte| len << 8 | usize::from(*byte));
        let (field, after) = after.split_at_checked(len)?;
        *rest = after;
        Some(field)
    }
    let mut rest = bytes.strip_prefix(b"openssh-key-v1\0")?;
    let (cipher, _kdf, _options) = (field(&mut rest)?, field(&mut rest)?, field(&mut rest)?);
    if cipher != b"none" {
        return None;
    }
    let mut rest = rest.strip_prefix(&[0, 0, 0, 1])?;
    let _public = field(&mut rest)?;
    let mut rest = field(&mut rest)?.get(8..)?;
    if field(&mut rest)? != b"ssh-rsa" {
        return None;
    }
    let (modulus, _public, exponent) = (field(&mut rest)?, field(&mut rest)?, field(&mut rest)?);
    Some(Key { modulus: UBig::from_be_bytes(modulus), exponent: UBig::from_be_bytes(exponent) })
}

#[cfg(test)]
mod tests {
    use super::*;

    // Made for this test, used for nothing else.
    const PKCS1: &str = "-----BEGIN RSA PRIVATE KEY-----
MIICXAIBAAKBgQCxOpMEnNuG0R/mT8lqJ9Eaf+WYkMIelV9EKAHwi7qEqa0HKJPC
h/Sv1mOody5p6oUrStonmYfdPe+fwt8w5rGb3QFpjMQcJ3irCtHIcALQ0Zp7MaOi
8XCQ3CjBkZDevCO0LbhJvzCmlGX3byVQqpYS0a1UnvfILe3IBe5EbjiWTQIDAQAB
AoGAcsQShi8pPWFYveS28kY8c2OVAzniarmhyln5/5IMQ3I4+OS+4n715ZP4TxR2
euICQGmlYXVbdNpxvMwNifYp1kZ7XMHcw3crd6giXcs/VFJ+HH1qWTafpv1tb99R
LZdhhvF9Wdb6W3bFz7LcvgZIey7DoDhDeG9RHr6PFyQgzsUCQQDrtnvKefBpeF8p
RhXss2wOGqGDDFVah4ugl/ung5PVq2RrL7Arip88RNQsX1gOrhjrgb6XnenFJ5sX
QJoSyabfAkEAwHt/nB712FHrQoZoU0yY5qPsQ5S8UQWp4XjjziQEMZHqjsszBYRX
oDfsq+fZPEZb5w7ij0tWzQs4NVvHw0QEUwJBAOt335A0YksqeX3kyrAryO0KA4DD
iFyofX6PdVExazSPRACjogzNLSdq5r3w/SmlF7XkZb5WfRp75z3CRmgwU+cCQA/8
cc3CmIJ90z80MIfyjaRiKuY1/SnxgXlzc+AUB7EiQEvZvoQPyMNKwcJJQDaMVWes
Sc7C4BOpgeKUm9Ow23cCQC3oxP3SHdK49ogr2UpW2i5LpniI0aY8OmRUuRPEIZ3o
YogyNecTk03QHSq1GAjlxbiFBHu+xW2XKnNQ9X320Ns=
-----END RSA PRIVATE KEY-----";
    const PKCS8: &str = "-----BEGIN PRIVATE KEY-----
MIICdgIBADANBgkqhkiG9w0BAQEFAASCAmAwggJcAgEAAoGBALE6kwSc24bRH+ZP
yWon0Rp/5ZiQwh6VX0QoAfCLuoSprQcok8KH9K/WY6h3LmnqhStK2ieZh90975/C
3zDmsZvdAWmMxBwneKsK0chwAtDRmnsxo6LxcJDcKMGRkN68I7QtuEm/MKaUZfdv
JVCqlhLRrVSe98gt7cgF7kRuOJZNAgMBAAECgYByxBKGLyk9YVi95LbyRjxzY5UD
OeJquaHKWfn/kgxDcjj45L7ifvXlk/hPFHZ64gJAaaVhdVt02nG8zA2J9inWRntc
wdzDdyt3qCJdyz9UUn4cfWpZNp+m/W1v31Etl2GG8X1Z1vpbdsXPsty+Bkh7LsOg
OEN4b1Eevo8XJCDOxQJBAOu2e8p58Gl4XylGFeyzbA4aoYMMVVqHi6CX+6eDk9Wr
ZGsvsCuKnzxE1CxfWA6uGOuBvped6cUnmxdAmhLJpt8CQQDAe3+cHvXYUetChmhT
TJjmo+xDlLxRBanheOPOJAQxkeqOyzMFhFegN+yr59k8RlvnDuKPS1bNCzg1W8fD
RARTAkEA63ffkDRiSyp5feTKsCvI7QoDgMOIXKh9fo91UTFrNI9EAKOiDM0tJ2rm
vfD9KaUXteRlvlZ9GnvnPcJGaDBT5wJAD/xxzcKYgn3TPzQwh/KNpGIq5jX9KfGB
eXNz4BQHsSJAS9m+hA/Iw0rBwklANoxVZ6xJzsLgE6mB4pSb07DbdwJALejE/dId
0rj2iCvZSlbaLkumeIjRpjw6ZFS5E8QhnehiiDI15xOTTdAdKrUYCOXFuIUEe77F
bZcqc1D1ffbQ2w==
-----END PRIVATE KEY-----";
    const OPENSSH: &str = "-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAlwAAAAdzc2gtcn
NhAAAAAwEAAQAAAIEAoyRQ0DUSTMpHwaseKdyWpyzmXdyozYveoxVqh5Jkgb8xLafWN6Ye
PRqB6cD0KOeGuXGi3eAInuj3FN01T7KUh8Gh+vJ3mRKUIMYf1q0p/0JTE2853VlE36rb6t
6do1YB6S7hM7UHlm7EjvKWNy2/RoaBsthCpzFPR8mCk5QEcDEAAAH46O2qWujtqloAAAAH
c3NoLXJzYQAAAIEAoyRQ0DUSTMpHwaseKdyWpyzmXdyozYveoxVqh5Jkgb8xLafWN6YePR
qB6cD0KOeGuXGi3eAInuj3FN01T7KUh8Gh+vJ3mRKUIMYf1q0p/0JTE2853VlE36rb6t6d
o1YB6S7hM7UHlm7EjvKWNy2/RoaBsthCpzFPR8mCk5QEcDEAAAADAQABAAAAgEnzLTqjw+
7RBmPQeDTLi/KtlKLZYh8CFuJf09EuV6bEjrs+SAkjoLNb76WQ1FwyTsyCqSvf4Kh/u3hW
qVK+BTsmumxeDqkBcad/Xt5gUL4ktOjwTNgfZVwoEOkpRiZ52xf4hA3m9osFiSSOHZjMF9
bDpGG5xpKUkEJ8Vqh9U2xNAAAAQFKfi5Bx0AY7eGPGWddTM8Tla77hzXknSoLpAtrgivWi
a6cI1wgIdGR3OlZMmev81IKOpgF1KEjPfA5VGABvBFQAAABBANklVgn2sMhS+XrGVQOynQ
PUPEFLz5GIyiCaeFAAp0WJf2ZN/jQlpRoXSZyzl5bUqDG/x04LHfBh/ztIg6AWLE8AAABB
AMBVQLVbw/L88BlbO2+4LvLraCZW+hHmvp7Ml56Ni1JSA+BXhUaFZBJzMCj6aI+T120toI
O+HM9S5FQ0Nmd9+38AAAAAAQID
-----END OPENSSH PRIVATE KEY-----";
    const CIPHER: &str = "Pnetfi6Ia9qR/9pUuwatEabwONqIsOpoNtF+wVwdVSQwJiziWCN/dreSJSq+Qq87Ct4tveqByyRJAAaDMPzAMzIKy79K0ne2HaFix3iysNuOXa7zOHQqAjCYm3QV9ytJNo1IzL9pu+imX6YQ1L1XxjehJy0CIwfeM+5MIsILfJY=";
    const CIPHER_OPENSSH: &str = "AK9jH1bahj4eiTbsBU9Skp620ayNiYdNZ7e1J0LIOfqplrAcx2+jgOnW1Uz1vmkMSt4wjAs7PiMpBb9yddvps5eylzqg615SvXn/DmYqMyVy/OxLGQpriSNy11akgWrtmSU8aJ5d2SsJZVPIWTIS4DyiUN1kQHYFA7AWIY1v2yk=";

    fn check(cipher: &str, key: &str) -> String {
        match decrypt(&[Value::from(cipher), Value::from(key)]) {
            Ok(value) => value.as_str().unwrap_or_default().to_owned(),
            Err(fault) => fault.message,
        }
    }

    #[test]
    fn opens_what_openssl_sealed() {
        assert_eq!(check(CIPHER, PKCS1), "pässword");
        assert_eq!(check(CIPHER, PKCS8), "pässword");
        assert_eq!(check(CIPHER_OPENSSH, OPENSSH), "hi");
        assert_eq!(check(CIPHER, OPENSSH), "failed to decrypt: decryption error");
        assert_eq!(check("aGk=", PKCS1), "failed to decrypt: decryption error");
        assert_eq!(check(CIPHER, "x"), "invalid private key: no key found");
        assert_eq!(
            check("!", PKCS1),
            "failed to decode input \"!\": cipher text must be base64-encoded"
        );
        for at in (0..PKCS1.len()).step_by(7) {
            let torn = format!("{}\n-----END RSA PRIVATE KEY-----", &PKCS1[..at]);
            check(CIPHER, &torn); // whatever it says, it says something
        }
    }
}
