//! Who we are to a store: from the configuration, the environment, or the files that other tools of
//! the same cloud read.

use std::collections::BTreeMap;

use crate::args::Args;

/// A pair of keys, and a token if they are temporary.
#[derive(Clone)]
pub(super) struct Keys {
    pub(super) access: String,
    pub(super) secret: String,
    pub(super) token: Option<String>,
}

/// What was found of credentials, and what the profile says besides.
pub(super) struct Found {
    pub(super) keys: Option<Keys>,
    pub(super) region: Option<String>,
}

/// Looks for credentials where Terraform does, in its order: the configuration, a profile that it
/// names, the environment, the profile that the environment names.
pub(super) fn find(args: &mut Args<'_>) -> Found {
    let token = args.some_text("token", &[]);
    let given = (args.some_text("access_key", &[]), args.some_text("secret_key", &[]));
    let named = args.some_text("profile", &[]);
    let files = files(args);
    let profile = named.clone().or_else(|| args.env(&["AWS_PROFILE"]));
    let profile = profile.unwrap_or_else(|| "default".into());
    let fields = profile_of(&profile, &files);
    let region = fields.get("region").cloned();
    let env = |args: &Args<'_>| {
        let access = args.env(&["AWS_ACCESS_KEY_ID"])?;
        let secret = args.env(&["AWS_SECRET_ACCESS_KEY"])?;
        Some(Keys { access, secret, token: args.env(&["AWS_SESSION_TOKEN"]) })
    };
    let keys = match given {
        (Some(access), Some(secret)) => Some(Keys { access, secret, token }),
        (Some(_), None) => {
            args.mistake("secret_key", "Missing secret_key", "access_key is set without it.");
            None
        }
        (None, Some(_)) => {
            args.mistake("access_key", "Missing access_key", "secret_key is set without it.");
            None
        }
        (None, None) => match env(args) {
            Some(keys) if named.is_none() => Some(keys),
            _ => from_profile(args, &profile, &fields, named.is_some()),
        },
    };
    Found { keys, region }
}

fn from_profile(
    args: &mut Args<'_>,
    profile: &str,
    fields: &BTreeMap<String, String>,
    named: bool,
) -> Option<Keys> {
    let field = |name: &str| fields.get(name).cloned();
    if let (Some(access), Some(secret)) =
        (field("aws_access_key_id"), field("aws_secret_access_key"))
    {
        return Some(Keys { access, secret, token: field("aws_session_token") });
    }
    let others = ["role_arn", "credential_process", "sso_session", "sso_start_url"];
    if let Some(other) = others.iter().find(|it| fields.contains_key(**it)) {
        args.mistake(
            "profile",
            "Unsupported credential source",
            format!(
                "The profile \"{profile}\" gets its credentials by {other}, which is not \
                 supported. Get them with another tool and pass them in AWS_ACCESS_KEY_ID, \
                 AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN."
            ),
        );
    } else if named {
        let detail = format!("No file has a profile \"{profile}\" with a pair of keys.");
        args.mistake("profile", "failed to get shared config profile", detail);
    }
    None
}

/// The files with credentials, and those with other settings.
struct Files {
    credentials: Vec<String>,
    config: Vec<String>,
}

fn files(args: &mut Args<'_>) -> Files {
    let home = args.env(&["HOME"]);
    let mut paths = |name: &str, older: Option<&str>, env: &str, usual: &str| {
        let given = args.list(name).or_else(|| Some(vec![args.some_text(older?, &[])?]));
        let found = given.or_else(|| Some(vec![args.env(&[env])?]));
        let found = found.or_else(|| Some(vec![format!("{}/.aws/{usual}", home.clone()?)]));
        let found = found.unwrap_or_default().into_iter();
        let home = home.as_deref().unwrap_or_default();
        let paths = found.map(|it| match it.strip_prefix("~/") {
            Some(rest) => format!("{home}/{rest}"),
            None => it,
        });
        // One that is not there says nothing.
        paths.filter_map(|it| std::fs::read_to_string(it).ok()).collect()
    };
    Files {
        credentials: paths(
            "shared_credentials_files",
            Some("shared_credentials_file"),
            "AWS_SHARED_CREDENTIALS_FILE",
            "credentials",
        ),
        config: paths("shared_config_files", None, "AWS_CONFIG_FILE", "config"),
    }
}

/// What all files say of a profile; of credentials, those of their own files count first.
fn profile_of(profile: &str, files: &Files) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    for text in &files.config {
        let section = format!("profile {profile}");
        let names = if profile == "default" { vec![profile, &section] } else { vec![&*section] };
        for name in names {
            out.extend(section_of(text, name));
        }
    }
    for text in &files.credentials {
        out.extend(section_of(text, profile));
    }
    out
}

/// The settings in the section `[name]`. Those that are indented belong to the one above and are
/// left out.
fn section_of(text: &str, name: &str) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    let mut inside = false;
    for line in text.lines() {
        let bare = line.trim();
        if bare.is_empty() || bare.starts_with(['#', ';']) {
            continue;
        }
        if let Some(rest) = bare.strip_prefix('[') {
            let title = rest.split(']').next().unwrap_or_default();
            inside = title.split_whitespace().eq(name.split_whitespace());
        } else if inside
            && !line.starts_with([' ', '\t'])
            && let Some((key, value)) = bare.split_once('=')
        {
            // A comment at the end of a line has a space before it.
            let end = [" #", " ;", "\t#", "\t;"].iter().filter_map(|it| value.find(it)).min();
            let value = &value[..end.unwrap_or(value.len())];
            out.insert(key.trim().to_lowercase(), value.trim().to_owned());
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREDENTIALS: &str = "\
[default]
aws_access_key_id = one ; the first
aws_secret_access_key=a#b=

# [work]
[ work ]
aws_access_key_id = two
AWS_SECRET_ACCESS_KEY = c/d
aws_session_token = e
";
    const CONFIG: &str = "\
[default]
region = eu-central-1
s3 =
    region = elsewhere
    addressing_style = path
[profile work]
region = eu-west-1
aws_access_key_id = not this one
[profile other]
role_arn = arn:aws:iam::1:role/x
";

    fn fields(profile: &str) -> String {
        let (credentials, config) = (vec![CREDENTIALS.into()], vec![CONFIG.into()]);
        let fields = profile_of(profile, &Files { credentials, config });
        let lines: Vec<_> = fields.iter().map(|(key, value)| format!("{key}={value}")).collect();
        lines.join(" ")
    }

    #[test]
    fn profiles_are_read_as_by_other_tools() {
        assert_eq!(
            fields("default"),
            "aws_access_key_id=one aws_secret_access_key=a#b= region=eu-central-1 s3="
        );
        assert_eq!(
            fields("work"),
            "aws_access_key_id=two aws_secret_access_key=c/d aws_session_token=e region=eu-west-1"
        );
        assert_eq!(fields("other"), "role_arn=arn:aws:iam::1:role/x");
        assert_eq!(fields("none"), "");
    }
}
