//! What to say about a state file that is not one we can read.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::V4Error;

#[derive(Deserialize)]
struct Sniff<'a> {
    #[serde(borrow)]
    version: Option<&'a RawValue>,
    terraform_version: Option<String>,
}

/// Why `bytes` cannot be read; `error` is what the parser said of them.
pub(super) fn diagnose(bytes: &[u8], error: Option<&serde_json::Error>) -> V4Error {
    if bytes.is_empty() {
        return V4Error::invalid("The state file is empty.");
    }
    if bytes.starts_with(b"tfstate") {
        return V4Error::unsupported(
            "The state is stored in a legacy binary format that is not supported since Terraform \
             v0.7.",
        );
    }
    if let Err(error) = serde_json::from_slice::<serde::de::IgnoredAny>(bytes) {
        let cut = if error.is_eof() {
            " The file ends too early, as if whoever wrote it was interrupted."
        } else {
            ""
        };
        let syntax =
            format!("The state file could not be parsed as JSON: syntax error: {error}.{cut}");
        return V4Error::unsupported(syntax);
    }
    let Ok(sniff) = serde_json::from_slice::<Sniff<'_>>(bytes) else {
        return V4Error::unsupported("The state file is JSON, but not an object with a version.");
    };
    let Some(version) = sniff.version else {
        return V4Error::unsupported(
            "The state file does not have a \"version\" attribute, which is required to identify \
             the format version.",
        );
    };
    match version.get().parse::<u64>() {
        Err(_) => V4Error::unsupported(format!(
            "The version in the state file is {}. A positive whole number is required.",
            version.get()
        )),
        Ok(0) => V4Error::unsupported(
            "The state file uses JSON syntax but has a version number of zero. There was never a \
             JSON-based state format zero, so this state file is invalid and cannot be processed.",
        ),
        Ok(old @ 1..=3) => V4Error::unsupported(format!(
            "The state file uses format version {old}, which Plumb does not read. Run \"terraform \
             apply -refresh-only\" with any Terraform 1.x once: it writes version 4."
        )),
        Ok(4) => V4Error::invalid(match error {
            Some(error) => format!("The state file is not as format version 4 demands: {error}."),
            None => "The state file is not as format version 4 demands.".into(),
        }),
        Ok(new) => V4Error::unsupported(match sniff.terraform_version {
            Some(by) => format!(
                "The state file uses format version {new}, which is not supported by Plumb. This \
                 state snapshot was created by Terraform v{by}, which is newer than any that Plumb \
                 knows."
            ),
            None => format!(
                "The state file uses format version {new}, which is not supported by Plumb. This \
                 state file may have been created by a newer version of Terraform."
            ),
        }),
    }
}
