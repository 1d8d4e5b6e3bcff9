//! Digests and names made from them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use plumb_model::value::Value;
use sha1::{Digest, Sha1};
use sha2::{Sha256, Sha512};
use uuid::Uuid;

use super::arguments::{string, text};
use super::{Function, Kind, Outcome, Param, Returns, fail};

const STR: &[Param] = &[string("str")];
const RESULT: Returns = Returns::Always(Kind::String);

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("md5", STR, None, RESULT, |a| hex(&md5::Md5::digest(text(a, 0)))),
    Function::new("sha1", STR, None, RESULT, |a| hex(&Sha1::digest(text(a, 0)))),
    Function::new("sha256", STR, None, RESULT, |a| hex(&Sha256::digest(text(a, 0)))),
    Function::new("sha512", STR, None, RESULT, |a| hex(&Sha512::digest(text(a, 0)))),
    Function::new("base64sha256", STR, None, RESULT, |a| base64(&Sha256::digest(text(a, 0)))),
    Function::new("base64sha512", STR, None, RESULT, |a| base64(&Sha512::digest(text(a, 0)))),
    Function::new("uuidv5", &[string("namespace"), string("name")], None, RESULT, uuid_v5),
];

fn hex(digest: &[u8]) -> Outcome {
    Ok(Value::string(digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>()))
}

fn base64(digest: &[u8]) -> Outcome {
    Ok(Value::string(STANDARD.encode(digest)))
}

fn uuid_v5(args: &[Value]) -> Outcome {
    let namespace = match text(args, 0) {
        "dns" => Uuid::NAMESPACE_DNS,
        "url" => Uuid::NAMESPACE_URL,
        "oid" => Uuid::NAMESPACE_OID,
        "x500" => Uuid::NAMESPACE_X500,
        other => match Uuid::parse_str(other) {
            Ok(uuid) => uuid,
            Err(_) => {
                let why = match other.len() {
                    32 | 36 | 38 | 45 => "invalid UUID format".to_owned(),
                    len => format!("invalid UUID length: {len}"),
                };
                return fail(format!("uuidv5() doesn't support namespace {other} ({why})"));
            }
        },
    };
    let digest =
        Sha1::new().chain_update(namespace.as_bytes()).chain_update(text(args, 1)).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    Ok(Value::string(uuid::Builder::from_sha1_bytes(bytes).into_uuid().to_string()))
}
