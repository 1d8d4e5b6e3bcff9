//! What a block `backend "s3"` says.

use std::time::Duration;

use base64::Engine;
use reqwest::Url;
use rusty_s3::{Bucket, Credentials, UrlStyle};

use super::credentials;
use crate::args::Args;
use crate::client::{Tls, md5};
use crate::{Mistake, Setting, mistake};

/// Arguments that are understood, or that mean nothing here.
pub(crate) const KNOWN: [&str; 36] = [
    "access_key",
    "acl",
    "bucket",
    "custom_ca_bundle",
    "ec2_metadata_service_endpoint",
    "ec2_metadata_service_endpoint_mode",
    "encrypt",
    "endpoint",
    "endpoints",
    "force_path_style",
    "iam_endpoint",
    "insecure",
    "key",
    "kms_key_id",
    "max_retries",
    "profile",
    "region",
    "retry_mode",
    "secret_key",
    "shared_config_files",
    "shared_credentials_file",
    "shared_credentials_files",
    "skip_credentials_validation",
    "skip_metadata_api_check",
    "skip_region_validation",
    "skip_requesting_account_id",
    "skip_s3_checksum",
    "sse_customer_key",
    "sts_endpoint",
    "sts_region",
    "token",
    "use_legacy_workflow",
    "use_lockfile",
    "use_path_style",
    "workspace_key_prefix",
    "dynamodb_endpoint",
];

/// Arguments of Terraform's that would change what is done, and what to do instead.
const REFUSED: [(&str, &str); 19] = [
    ("allowed_account_ids", "It is not checked here whose account the credentials are of."),
    ("assume_role", ASSUME),
    ("assume_role_with_web_identity", ASSUME),
    ("assume_role_duration_seconds", ASSUME),
    ("assume_role_policy", ASSUME),
    ("assume_role_policy_arns", ASSUME),
    ("assume_role_tags", ASSUME),
    ("assume_role_transitive_tag_keys", ASSUME),
    (
        "dynamodb_table",
        "Set use_lockfile = true: the lock is then an object beside the state, which Terraform 1.10 and later respect, too.",
    ),
    ("external_id", ASSUME),
    ("forbidden_account_ids", "It is not checked here whose account the credentials are of."),
    ("http_proxy", PROXY),
    ("https_proxy", PROXY),
    ("no_proxy", PROXY),
    ("role_arn", ASSUME),
    ("session_name", ASSUME),
    ("use_dualstack_endpoint", ENDPOINT),
    ("use_fips_endpoint", ENDPOINT),
    ("sts_regional_endpoints", ASSUME),
];
const ASSUME: &str = "Assume the role with another tool and pass the credentials in AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN.";
const PROXY: &str = "Set the environment variables HTTP_PROXY, HTTPS_PROXY and NO_PROXY instead.";
const ENDPOINT: &str = "Name the endpoint itself: endpoints = { s3 = \"https://…\" }.";

/// Header fields that go with a request. Some are secret.
pub(super) type Fields = Vec<(&'static str, String)>;

pub(super) struct Config {
    pub(super) bucket: Bucket,
    pub(super) credentials: Credentials,
    pub(super) key: String,
    pub(super) prefix: String,
    pub(super) use_lockfile: bool,
    /// With every object that is written.
    pub(super) write_fields: Fields,
    /// With every object that is read.
    pub(super) read_fields: Fields,
    pub(super) tls: Tls,
    pub(super) retry_max: u32,
    pub(super) lease: Duration,
}

impl Config {
    pub(super) fn read(setting: &Setting) -> Result<Config, Vec<Mistake>> {
        let mut known = KNOWN.to_vec();
        known.extend(REFUSED.iter().map(|(name, _)| *name));
        let mut args = Args::new(setting, &known);
        for (name, instead) in REFUSED.iter().filter(|(name, _)| setting.config.contains_key(*name))
        {
            if args.is_set(name) {
                let detail = format!("The argument \"{name}\" is not supported. {instead}");
                args.mistake(name, "Unsupported argument", detail);
            }
        }
        let bucket = required(&mut args, "bucket");
        let key = required(&mut args, "key").filter(|it| check_path(&mut args, "key", it));
        let prefix = args.text("workspace_key_prefix", &[]).unwrap_or_else(|| "env:".into());
        check_path(&mut args, "workspace_key_prefix", &prefix);
        let found = credentials::find(&mut args);
        let region = args.some_text("region", &["AWS_REGION", "AWS_DEFAULT_REGION"]);
        let region = region.or(found.region);
        if region.is_none() {
            args.mistake(
                "region",
                "Missing region value",
                "The \"region\" attribute or the \"AWS_REGION\" or \"AWS_DEFAULT_REGION\" \
                 environment variables must be set.",
            );
        }
        let endpoint = endpoint(&mut args, region.as_deref().unwrap_or_default());
        let by_path =
            args.flag("use_path_style", &[]).or_else(|| args.flag("force_path_style", &[]));
        let (write_fields, read_fields) = fields(&mut args);
        let use_lockfile = args.flag("use_lockfile", &[]).unwrap_or(false);
        let tls = tls(&mut args, endpoint.as_ref());
        let retry_max = args.number("max_retries", &[]).map(|it| it.saturating_add(1));
        let attempts = retry_max.or_else(|| args.env(&["AWS_MAX_ATTEMPTS"])?.parse().ok());
        let retry_max = u32::try_from(attempts.unwrap_or(5).saturating_sub(1)).unwrap_or(u32::MAX);
        let lease = args.env(&["PLUMB_LEASE_SECONDS"]);
        let lease = lease.and_then(|it| it.parse().ok()).filter(|it| *it >= 1).unwrap_or(60);
        if found.keys.is_none() && args.mistakes.is_empty() {
            args.mistakes.push(mistake(
                "No valid credential sources found",
                "Neither access_key and secret_key, nor AWS_ACCESS_KEY_ID and \
                 AWS_SECRET_ACCESS_KEY, nor a profile in a credentials file gives any. \
                 Credentials of instances and containers are not looked for."
                    .into(),
            ));
        }
        if !args.mistakes.is_empty() {
            return Err(args.mistakes);
        }
        let (Some(bucket), Some(key), Some(keys), Some(region), Some(endpoint)) =
            (bucket, key, found.keys, region, endpoint)
        else {
            return Err(vec![mistake("Incomplete configuration", String::new())]);
        };
        let style = if by_path == Some(true) { UrlStyle::Path } else { UrlStyle::VirtualHost };
        let bucket = Bucket::new(endpoint, style, bucket, region).map_err(|error| {
            vec![mistake(
                "Unusable bucket or endpoint",
                format!("No URL can be made of them: {error}."),
            )]
        })?;
        let credentials = match keys.token {
            Some(token) => Credentials::new_with_token(keys.access, keys.secret, token),
            None => Credentials::new(keys.access, keys.secret),
        };
        Ok(Config {
            bucket,
            credentials,
            key,
            prefix,
            use_lockfile,
            write_fields,
            read_fields,
            tls,
            retry_max,
            lease: Duration::from_secs(lease),
        })
    }
}

fn required(args: &mut Args<'_>, name: &str) -> Option<String> {
    match args.text(name, &[]) {
        Some(text) if text.trim().is_empty() => {
            args.mistake(name, "Invalid Value", "The value cannot be empty or all whitespace");
            None
        }
        Some(text) => Some(text),
        None => {
            let detail = format!(
                "The attribute \"{name}\" is required by the backend.\n\nRefer to the backend \
                 documentation for additional information which attributes are required."
            );
            args.mistake(name, "Missing Required Value", detail);
            None
        }
    }
}

/// Whether it can be (a part of) an object's key.
fn check_path(args: &mut Args<'_>, name: &str, text: &str) -> bool {
    if text.starts_with('/') || text.ends_with('/') {
        args.mistake(name, "Invalid Value", "The value must not start or end with \"/\"");
    } else if text.split('/').any(|it| matches!(it, "." | "..")) {
        let detail = "A URL cannot name an object with \".\" or \"..\" between slashes.";
        args.mistake(name, "Invalid Value", detail);
    } else {
        return true;
    }
    false
}

fn endpoint(args: &mut Args<'_>, region: &str) -> Option<Url> {
    let given = args.object("endpoints").and_then(|it| it.get("s3")?.as_str());
    let name = if given.is_some() { "endpoints" } else { "endpoint" };
    let given = given.filter(|it| !it.is_empty()).map(str::to_owned);
    let given = given.or_else(|| {
        let env = ["AWS_ENDPOINT_URL_S3", "AWS_S3_ENDPOINT", "AWS_ENDPOINT_URL"];
        args.some_text("endpoint", &env)
    });
    let china = if region.starts_with("cn-") { ".cn" } else { "" };
    let text = given.unwrap_or_else(|| format!("https://s3.{region}.amazonaws.com{china}"));
    match Url::parse(&text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.username().is_empty() => {
            Some(url)
        }
        _ => {
            let detail = "An endpoint is a URL that begins with http:// or https:// and holds no \
                          username.";
            args.mistake(name, "Invalid Value", detail);
            None
        }
    }
}

/// How objects are encrypted over there, and who may read them.
fn fields(args: &mut Args<'_>) -> (Fields, Fields) {
    let (mut write, mut read) = (Fields::new(), Fields::new());
    if let Some(acl) = args.some_text("acl", &[]) {
        write.push(("x-amz-acl", acl));
    }
    let kms = args.some_text("kms_key_id", &[]);
    let customer = args.some_text("sse_customer_key", &["AWS_SSE_CUSTOMER_KEY"]);
    if kms.is_some() && args.is_set("sse_customer_key") {
        let detail = "Only one of kms_key_id, sse_customer_key can be set.";
        args.mistake("kms_key_id", "Invalid Attribute Combination", detail);
    }
    let engine = base64::engine::general_purpose::STANDARD;
    let customer = customer.and_then(|it| match engine.decode(&it) {
        Ok(key) if key.len() == 32 => Some((it, md5(&key))),
        _ => {
            let detail = "sse_customer_key must be 44 characters in length: 32 bytes in base64.";
            args.mistake("sse_customer_key", "Invalid Value", detail);
            None
        }
    });
    if args.flag("encrypt", &[]) != Some(true) {
        return (write, read);
    }
    if let Some(kms) = kms {
        write.push(("x-amz-server-side-encryption", "aws:kms".into()));
        write.push(("x-amz-server-side-encryption-aws-kms-key-id", kms));
    } else if let Some((key, sum)) = customer {
        for fields in [&mut write, &mut read] {
            fields.push(("x-amz-server-side-encryption-customer-algorithm", "AES256".into()));
            fields.push(("x-amz-server-side-encryption-customer-key", key.clone()));
            fields.push(("x-amz-server-side-encryption-customer-key-md5", sum.clone()));
        }
    } else {
        write.push(("x-amz-server-side-encryption", "AES256".into()));
    }
    (write, read)
}

fn tls(args: &mut Args<'_>, endpoint: Option<&Url>) -> Tls {
    let bundle = args.some_text("custom_ca_bundle", &["AWS_CA_BUNDLE"]);
    let roots = bundle.and_then(|path| match std::fs::read_to_string(&path) {
        Ok(text) => Some(text),
        Err(error) => {
            let detail = format!("Cannot read \"{path}\": {error}.");
            args.mistake("custom_ca_bundle", "Invalid Value", detail);
            None
        }
    });
    let blind = args.flag("insecure", &[]) == Some(true);
    let plain = endpoint.is_some_and(|it| it.scheme() == "http");
    Tls { roots, identity: None, blind, plain }
}
