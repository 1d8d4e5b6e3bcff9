//! Who we are and where the cloud is: from the provider block, `clouds.yaml` and the environment.
//!
//! Pure but for the files it is handed a reader of. What wins over what follows
//! terraform-provider-openstack (`auth/config.go` in its `utils` repository, and
//! `openstack/clientconfig/requests.go` in gophercloud's):
//!
//! * What identifies us (`auth_url`, users, projects, domains, secrets): `clouds.yaml`, then the
//!   environment.
//! * Region, endpoint type, certificates and `insecure`: the environment, then `clouds.yaml`; there
//!   the environment is only the default of the argument, and the argument wins.
//! * What the block says wins over both. There, with a `cloud`, the block's credentials are
//!   skipped without a word; here they count, since somebody wrote them.
//!
//! Of things that exclude each other (name and id of a user; a password and a token) the source
//! that wins counts alone, so that an id left in the environment does not spoil a name in a file.

mod clouds;
mod layers;
mod sources;
mod yaml;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use plumb_model::value;
use plumb_provider::Failure;
use reqwest::Url;

use layers::Layers;

/// The provider block's arguments, under terraform-provider-openstack's names. What it left out is
/// `None`; the environment is not in here. There is no `Debug`, because secrets are.
#[derive(Clone, Default)]
pub(crate) struct Arguments {
    pub auth_url: Option<String>,
    pub cloud: Option<String>,
    pub region: Option<String>,
    pub user_name: Option<String>,
    pub user_id: Option<String>,
    pub tenant_name: Option<String>,
    pub tenant_id: Option<String>,
    pub password: Option<String>,
    pub token: Option<String>,
    /// A one-time password.
    pub passcode: Option<String>,
    pub user_domain_name: Option<String>,
    pub user_domain_id: Option<String>,
    pub project_domain_name: Option<String>,
    pub project_domain_id: Option<String>,
    pub domain_name: Option<String>,
    pub domain_id: Option<String>,
    pub default_domain: Option<String>,
    pub application_credential_id: Option<String>,
    pub application_credential_name: Option<String>,
    pub application_credential_secret: Option<String>,
    pub system_scope: Option<bool>,
    pub insecure: Option<bool>,
    /// A path or the certificates themselves; so are `cert` and `key`.
    pub cacert_file: Option<String>,
    pub cert: Option<String>,
    pub key: Option<String>,
    pub endpoint_type: Option<String>,
    pub endpoint_overrides: BTreeMap<String, String>,
    pub max_retries: Option<u64>,
    pub allow_reauth: Option<bool>,
    pub disable_no_cache_header: Option<bool>,
}

/// How to reach a cloud, decided.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Keystone, with the version: it ends in `/v3`.
    pub auth_url: Url,
    pub credential: Credential,
    pub scope: Scope,
    /// None: the only one there is.
    pub region: Option<String>,
    pub interface: Interface,
    /// By service type: a URL, or the type whose catalogue entry is taken instead.
    pub endpoint_overrides: BTreeMap<String, String>,
    pub tls: Tls,
    /// How often a request is repeated at most; none: as often as fits into the usual time.
    pub max_retries: Option<u32>,
    /// Get a new token when one ran out.
    pub allow_reauth: bool,
    /// Ask caches on the way for nothing old.
    pub no_cache: bool,
    pub proxies: Proxies,
}

/// What we prove who we are with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Credential {
    Password {
        user: User,
        password: Secret,
        /// The second factor, where the cloud asks for one.
        passcode: Option<Secret>,
    },
    Token(Secret),
    Application {
        which: ApplicationCredential,
        secret: Secret,
    },
    /// A one-time password alone.
    Totp {
        user: User,
        passcode: Secret,
    },
}

/// An id says it all; a name is one only of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ApplicationCredential {
    Id(String),
    Name { name: String, user: User },
}

/// A user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum User {
    Id(String),
    Name { name: String, domain: Domain },
}

/// A domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Domain {
    Id(String),
    Name(String),
}

/// A project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Project {
    Id(String),
    Name { name: String, domain: Domain },
}

/// What a token is good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    Project(Project),
    Domain(Domain),
    System,
    /// What the credential itself says.
    Unscoped,
}

/// Which of a service's endpoints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Interface {
    #[default]
    Public,
    Internal,
    Admin,
}

/// Certificates, as PEM texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tls {
    /// Whom to trust; the system's authorities when missing.
    pub ca: Option<String>,
    /// Our certificate and its key.
    pub identity: Option<(String, Secret)>,
    /// Trust anybody.
    pub insecure: bool,
}

/// Proxies, from the environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Proxies {
    /// For `http`. May hold a password.
    pub http: Option<Secret>,
    /// For `https`.
    pub https: Option<Secret>,
    /// Hosts reached without, as `NO_PROXY` has them.
    pub none: String,
}

/// Text that is not for eyes.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    pub(crate) fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The text itself.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

impl Interface {
    /// As the catalogue writes it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Interface::Public => "public",
            Interface::Internal => "internal",
            Interface::Admin => "admin",
        }
    }
}

/// The surroundings that settings are made in.
struct Places<'a> {
    env: &'a BTreeMap<String, String>,
    read: &'a dyn Fn(&Path) -> io::Result<String>,
    directory: &'a Path,
    home: Option<&'a Path>,
}

impl Places<'_> {
    /// The path that a person wrote.
    fn path(&self, written: &str) -> PathBuf {
        match (written.strip_prefix("~/"), self.home) {
            (Some(rest), Some(home)) => home.join(rest),
            _ => self.directory.join(written),
        }
    }
}

/// Decides how to reach the cloud. `read` reads a file: `|path| std::fs::read_to_string(path)`.
pub(crate) fn settings(
    arguments: &Arguments,
    env: &BTreeMap<String, String>,
    read: &dyn Fn(&Path) -> io::Result<String>,
    directory: &Path,
    home: Option<&Path>,
) -> Result<Settings, Failure> {
    let places = Places { env, read, directory, home };
    let layers = Layers::gather(arguments, &places)?;
    let credential = layers.credential()?;
    let scope = match credential {
        // It has a scope, and Keystone refuses another.
        Credential::Application { .. } => Scope::Unscoped,
        Credential::Password { .. } | Credential::Token(_) | Credential::Totp { .. } => {
            layers.scope()?
        }
    };
    let max_retries = arguments.max_retries.map(|n| u32::try_from(n).unwrap_or(u32::MAX));
    Ok(Settings {
        auth_url: layers.auth_url(&places)?,
        credential,
        scope,
        region: layers.local("region").map(str::to_owned),
        interface: layers.interface()?,
        endpoint_overrides: layers.endpoint_overrides(),
        tls: layers.tls(&places)?,
        max_retries,
        allow_reauth: layers.flag("allow_reauth")?.unwrap_or(true),
        no_cache: !arguments.disable_no_cache_header.unwrap_or(false),
        proxies: proxies(env),
    })
}

/// Small letters win, as everywhere.
fn proxies(env: &BTreeMap<String, String>) -> Proxies {
    let get = |names: &[&str]| {
        names.iter().find_map(|name| env.get(*name).filter(|value| !value.is_empty())).cloned()
    };
    // A web server hands a request's `Proxy` header to its programs as HTTP_PROXY.
    let cgi = env.contains_key("REQUEST_METHOD");
    let http = if cgi { &["http_proxy"][..] } else { &["http_proxy", "HTTP_PROXY"][..] };
    let all = get(&["all_proxy", "ALL_PROXY"]);
    Proxies {
        http: get(http).or_else(|| all.clone()).map(Secret::new),
        https: get(&["https_proxy", "HTTPS_PROXY"]).or(all).map(Secret::new),
        none: get(&["no_proxy", "NO_PROXY"]).unwrap_or_default(),
    }
}

/// The failure, because of an argument of the provider block.
fn at(failure: Failure, argument: &str) -> Failure {
    failure.at(value::Path::default().attr(argument))
}

/// The name that `given` was probably meant to be.
fn nearest<'a>(given: &str, names: &[&'a str]) -> Option<&'a str> {
    let distance = |other: &str| {
        let other: Vec<char> = other.chars().collect();
        let mut row: Vec<usize> = (0..=other.len()).collect();
        for (i, from) in given.chars().enumerate() {
            let mut corner = std::mem::replace(&mut row[0], i + 1);
            for (j, to) in other.iter().enumerate() {
                let replaced = corner + usize::from(from != *to);
                corner = row[j + 1];
                row[j + 1] = replaced.min(corner + 1).min(row[j] + 1);
            }
        }
        row[other.len()]
    };
    let allowed = 1 + given.chars().count() / 4;
    names
        .iter()
        .map(|name| (distance(name), *name))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests;
