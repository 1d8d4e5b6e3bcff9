//! Credentials for registries: from `registry_auth` blocks, Docker's `config.json`, and its helpers.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt as _;

use crate::reference::{DOCKER_HUB, is_hub_alias};

/// How a registry is to be convinced.
#[derive(Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Credentials {
    /// Name, empty with a token.
    #[serde(rename = "username", skip_serializing_if = "String::is_empty")]
    pub username: String,
    /// Password or access token.
    #[serde(rename = "password", skip_serializing_if = "String::is_empty")]
    pub password: String,
    /// OAuth refresh token, instead of the two above.
    #[serde(rename = "identitytoken", skip_serializing_if = "String::is_empty")]
    pub identity_token: String,
    /// The registry that they are for.
    #[serde(rename = "serveraddress")]
    pub server_address: String,
}

/// Secrets stay out of logs and panics.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({} at {})", self.username, self.server_address)
    }
}

/// One `registry_auth` block.
#[derive(Clone, Debug, Default)]
pub(crate) struct RegistryAuth {
    /// Registry, with or without scheme.
    pub address: String,
    /// Given with `password`.
    pub username: Option<String>,
    /// Given with `username`.
    pub password: Option<String>,
    /// Another `config.json`.
    pub config_file: Option<String>,
    /// The text of one.
    pub config_file_content: Option<String>,
    /// This registry is used without credentials.
    pub auth_disabled: bool,
}

/// Everything that is known about credentials.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keyring {
    blocks: Vec<(String, Source)>,
    /// For registries without a block.
    fallback: Config,
}

#[derive(Clone, Debug)]
enum Source {
    Nobody,
    Given(Credentials),
    Config(Config),
}

/// Docker's `config.json`, as far as credentials are concerned.
#[derive(Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Config {
    auths: BTreeMap<String, Auth>,
    cred_helpers: BTreeMap<String, String>,
    creds_store: String,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.auths.keys()).finish()
    }
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct Auth {
    auth: String,
    username: String,
    password: String,
    identitytoken: String,
}

/// Why no credentials could be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AuthError {
    /// A file that was asked for.
    #[error("cannot read the Docker configuration `{path}`: {source}")]
    Read {
        /// Which.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// Its text.
    #[error("the Docker configuration {place} is not valid JSON: {source}")]
    Json {
        /// Which.
        place: String,
        /// Why.
        source: serde_json::Error,
    },
    /// `auth` of a registry.
    #[error("`auth` of `{0}` in the Docker configuration is not base64 of `name:password`")]
    Auth(String),
    /// A block that says half.
    #[error("registry_auth for `{0}` has a username or a password, but not both")]
    Half(String),
    /// Helper.
    #[error("credential helper `{helper}` failed for `{server}`: {reason}")]
    Helper {
        /// The program.
        helper: String,
        /// What it was asked for.
        server: String,
        /// What it said.
        reason: String,
    },
}

impl Keyring {
    /// Reads blocks and files. `config_dir` is `$DOCKER_CONFIG` or `~/.docker`.
    pub(crate) fn load(
        blocks: &[RegistryAuth],
        config_dir: Option<&Path>,
    ) -> Result<Keyring, AuthError> {
        let default = config_dir.map(|dir| dir.join("config.json"));
        let mut keyring = Keyring::default();
        if let Some(path) = &default
            && path.exists()
        {
            keyring.fallback = read(path)?;
        }
        for block in blocks {
            let registry = normal(&block.address);
            let source = match block {
                RegistryAuth { auth_disabled: true, .. } => Source::Nobody,
                RegistryAuth { username: Some(username), password: Some(password), .. } => {
                    Source::Given(Credentials {
                        username: username.clone(),
                        password: password.clone(),
                        server_address: registry.clone(),
                        ..Credentials::default()
                    })
                }
                RegistryAuth { username: Some(_), .. } | RegistryAuth { password: Some(_), .. } => {
                    return Err(AuthError::Half(block.address.clone()));
                }
                RegistryAuth { config_file_content: Some(text), .. } => {
                    Source::Config(parse(text, "in `config_file_content`")?)
                }
                RegistryAuth { config_file: Some(path), .. } => {
                    let path = match (path.strip_prefix("~/.docker/"), config_dir) {
                        (Some(rest), Some(dir)) => dir.join(rest),
                        _ => PathBuf::from(path),
                    };
                    Source::Config(read(&path)?)
                }
                _ => Source::Config(keyring.fallback.clone()),
            };
            keyring.blocks.push((registry, source));
        }
        Ok(keyring)
    }

    /// Credentials for `host` (as in a reference), if there are any.
    pub(crate) async fn credentials(&self, host: &str) -> Result<Option<Credentials>, AuthError> {
        let registry = normal(host);
        match self.blocks.iter().find(|(address, _)| *address == registry) {
            Some((_, Source::Nobody)) => Ok(None),
            Some((_, Source::Given(credentials))) => Ok(Some(credentials.clone())),
            Some((_, Source::Config(config))) => config.credentials(&registry).await,
            None => self.fallback.credentials(&registry).await,
        }
    }

    /// What a build may need: every registry with credentials at hand, helpers left out.
    pub(crate) fn all_given(&self) -> BTreeMap<String, Credentials> {
        let mut all = BTreeMap::new();
        let mut configs = vec![&self.fallback];
        for (_, source) in &self.blocks {
            if let Source::Config(config) = source {
                configs.push(config);
            }
        }
        for config in configs {
            for key in config.auths.keys() {
                if let Ok(Some(found)) = config.stored(&normal(key)) {
                    all.insert(server_key(&normal(key)), found);
                }
            }
        }
        for (registry, source) in &self.blocks {
            match source {
                Source::Given(found) => drop(all.insert(server_key(registry), found.clone())),
                Source::Nobody => drop(all.remove(&server_key(registry))),
                Source::Config(_) => {}
            }
        }
        all
    }
}

fn read(path: &Path) -> Result<Config, AuthError> {
    let place = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|source| AuthError::Read { path: place.clone(), source })?;
    parse(&text, &format!("`{place}`"))
}

fn parse(text: &str, place: &str) -> Result<Config, AuthError> {
    if text.trim().is_empty() {
        return Ok(Config::default());
    }
    serde_json::from_str(text).map_err(|source| AuthError::Json { place: place.to_owned(), source })
}

/// `https://index.docker.io/v1/` → `docker.io`.
pub(crate) fn normal(address: &str) -> String {
    let address = address.strip_prefix("https://").unwrap_or(address);
    let address = address.strip_prefix("http://").unwrap_or(address);
    let address = address.trim_end_matches('/');
    let address = address.strip_suffix("/v1").or(address.strip_suffix("/v2")).unwrap_or(address);
    if is_hub_alias(address) { DOCKER_HUB.to_owned() } else { address.to_owned() }
}

/// The name under which Docker's own tools keep a registry.
fn server_key(registry: &str) -> String {
    match registry {
        DOCKER_HUB => "https://index.docker.io/v1/".to_owned(),
        other => other.to_owned(),
    }
}

impl Config {
    async fn credentials(&self, registry: &str) -> Result<Option<Credentials>, AuthError> {
        let key = server_key(registry);
        let by_host = self.cred_helpers.iter().find(|(host, _)| normal(host) == registry);
        if let Some((_, helper)) = by_host {
            return ask_helper(helper, &key).await;
        }
        if let Some(found) = self.stored(registry)? {
            return Ok(Some(found));
        }
        if !self.creds_store.is_empty() {
            return ask_helper(&self.creds_store, &key).await;
        }
        Ok(None)
    }

    fn stored(&self, registry: &str) -> Result<Option<Credentials>, AuthError> {
        let Some((key, auth)) = self.auths.iter().find(|(key, _)| normal(key) == registry) else {
            return Ok(None);
        };
        let mut found = Credentials {
            username: auth.username.clone(),
            password: auth.password.clone(),
            identity_token: auth.identitytoken.clone(),
            server_address: server_key(registry),
        };
        if !auth.auth.is_empty() {
            let text = auth.auth.trim_end_matches('=');
            let decoded = STANDARD_NO_PAD.decode(text).ok();
            let decoded = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
            let pair = decoded.as_deref().and_then(|text| text.split_once(':'));
            let (username, password) = pair.ok_or_else(|| AuthError::Auth(key.clone()))?;
            found.username = username.to_owned();
            found.password = password.trim_end_matches('\0').to_owned();
        }
        // With a store, Docker leaves an empty object here to say that it knows the registry.
        let empty = found.username.is_empty() && found.identity_token.is_empty();
        Ok((!empty).then_some(found))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HelperAnswer {
    username: String,
    secret: String,
}

async fn ask_helper(helper: &str, server: &str) -> Result<Option<Credentials>, AuthError> {
    let program = format!("docker-credential-{helper}");
    let fail = |reason: String| AuthError::Helper {
        helper: program.clone(),
        server: server.to_owned(),
        reason,
    };
    let mut command = tokio::process::Command::new(&program);
    command.arg("get").kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let run = async {
        let mut child = command.spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            // A helper that does not read its input says why on its output.
            let _ = stdin.write_all(server.as_bytes()).await;
        }
        child.wait_with_output().await
    };
    let output = match tokio::time::timeout(Duration::from_secs(30), run).await {
        Ok(output) => output.map_err(|e| fail(e.to_string()))?,
        Err(_) => return Err(fail("it gave no answer within 30 s".to_owned())),
    };
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).trim().to_owned();
        if said.contains("credentials not found") {
            return Ok(None);
        }
        return Err(fail(if said.is_empty() { output.status.to_string() } else { said }));
    }
    let answer: HelperAnswer =
        serde_json::from_slice(&output.stdout).map_err(|e| fail(format!("bad answer: {e}")))?;
    let mut found = Credentials { server_address: server.to_owned(), ..Credentials::default() };
    if answer.username == "<token>" {
        found.identity_token = answer.secret;
    } else {
        found.username = answer.username;
        found.password = answer.secret;
    }
    Ok(Some(found))
}

/// The engine decodes these headers as URL-safe base64; the client library writes the standard
/// alphabet, which fails as soon as a secret encodes to `+` or `/`.
pub(crate) fn url_safe(headers: &mut http::HeaderMap) {
    for name in ["x-registry-auth", "x-registry-config"] {
        let Some(value) = headers.get(name) else { continue };
        let decoded = STANDARD.decode(value.as_bytes());
        let Ok(decoded) = decoded else { continue };
        if let Ok(mut value) = http::HeaderValue::from_str(&URL_SAFE.encode(decoded)) {
            value.set_sensitive(true);
            headers.insert(name, value);
        }
    }
}

impl From<Credentials> for bollard::auth::DockerCredentials {
    fn from(from: Credentials) -> Self {
        let some = |text: String| (!text.is_empty()).then_some(text);
        bollard::auth::DockerCredentials {
            username: some(from.username),
            password: some(from.password),
            identitytoken: some(from.identity_token),
            serveraddress: some(from.server_address),
            ..Default::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn found(keyring: &Keyring, host: &str) -> String {
        match keyring.credentials(host).await {
            Ok(Some(c)) => format!("{}/{}/{}", c.username, c.password, c.identity_token),
            Ok(None) => "none".to_owned(),
            Err(e) => e.to_string(),
        }
    }

    fn config_dir(text: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("config.json"), text).unwrap();
        dir
    }

    #[tokio::test]
    async fn registries_are_found_under_all_their_names() {
        let dir = config_dir(
            r#"{"auths": {
                "https://index.docker.io/v1/": {"auth": "YW5uOnNlY3JldA=="},
                "lab.example:5000": {"username": "bob", "password": "p:w"},
                "token.example": {"identitytoken": "T"},
                "bad.example": {"auth": "!!"},
                "empty.example": {}
            }, "HttpHeaders": {"User-Agent": "x"}}"#,
        );
        let keyring = Keyring::load(&[], Some(dir.path())).unwrap();
        assert_eq!(found(&keyring, "docker.io").await, "ann/secret/");
        assert_eq!(found(&keyring, "registry-1.docker.io").await, "ann/secret/");
        assert_eq!(found(&keyring, "lab.example:5000").await, "bob/p:w/");
        assert_eq!(found(&keyring, "token.example").await, "//T");
        assert_eq!(found(&keyring, "empty.example").await, "none");
        assert_eq!(found(&keyring, "other.example").await, "none");
        assert_eq!(
            found(&keyring, "bad.example").await,
            "`auth` of `bad.example` in the Docker configuration is not base64 of `name:password`"
        );
        let all = keyring.all_given();
        assert_eq!(
            all.keys().collect::<Vec<_>>(),
            ["https://index.docker.io/v1/", "lab.example:5000", "token.example"]
        );
    }

    #[tokio::test]
    async fn blocks_win_over_files() {
        let dir = config_dir(
            r#"{"auths": {"a": {"auth": "YTpi"}, "b": {"auth": "YTpi"}, "d": {"auth": "YTpi"}}}"#,
        );
        let blocks = [
            RegistryAuth {
                address: "https://a/".into(),
                username: Some("ann".into()),
                password: Some("x".into()),
                ..RegistryAuth::default()
            },
            RegistryAuth { address: "b".into(), auth_disabled: true, ..RegistryAuth::default() },
            RegistryAuth {
                address: "c".into(),
                config_file_content: Some(r#"{"auths": {"c": {"auth": "YzpkOmU="}}}"#.into()),
                ..RegistryAuth::default()
            },
        ];
        let keyring = Keyring::load(&blocks, Some(dir.path())).unwrap();
        assert_eq!(found(&keyring, "a").await, "ann/x/");
        assert_eq!(found(&keyring, "b").await, "none");
        assert_eq!(found(&keyring, "c").await, "c/d:e/");
        assert_eq!(found(&keyring, "d").await, "a/b/");
        let half = [RegistryAuth {
            address: "a".into(),
            username: Some("x".into()),
            ..Default::default()
        }];
        assert!(matches!(Keyring::load(&half, None), Err(AuthError::Half(_))));
        let missing = [RegistryAuth {
            address: "a".into(),
            config_file: Some("/nowhere/config.json".into()),
            ..Default::default()
        }];
        let error = Keyring::load(&missing, None).unwrap_err().to_string();
        assert!(error.contains("/nowhere/config.json"), "{error}");
        let error = Keyring::load(&[], Some(config_dir("{").path())).unwrap_err().to_string();
        assert!(error.contains("is not valid JSON"), "{error}");
    }

    #[tokio::test]
    async fn a_helper_that_is_not_installed_is_named() {
        let dir = config_dir(r#"{"credHelpers": {"lab.example": "no-such-helper-here"}}"#);
        let keyring = Keyring::load(&[], Some(dir.path())).unwrap();
        assert_eq!(
            found(&keyring, "lab.example").await,
            "credential helper `docker-credential-no-such-helper-here` failed for `lab.example`: \
             No such file or directory (os error 2)"
        );
    }

    #[test]
    fn headers_use_the_url_safe_alphabet() {
        // `~~~???` encodes to `+` and `/` in the standard alphabet.
        let secret = r#"{"password":"~~~???>>>"}"#;
        let standard = STANDARD.encode(secret);
        assert!(standard.contains('+') || standard.contains('/'), "{standard}");
        let mut headers = http::HeaderMap::new();
        headers.insert("X-Registry-Auth", standard.parse().unwrap());
        url_safe(&mut headers);
        let sent = headers["x-registry-auth"].to_str().unwrap();
        assert!(!sent.contains(['+', '/']));
        assert_eq!(URL_SAFE.decode(sent).unwrap(), secret.as_bytes());
    }
}
