//! Where the engine is: from the `provider` block, the environment, or a Docker context.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::context::hex;

/// What the process environment says. Read once, at the edge; handed down as values.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment {
    /// `DOCKER_HOST`.
    pub docker_host: Option<String>,
    /// `DOCKER_CONTEXT`.
    pub docker_context: Option<String>,
    /// `DOCKER_CERT_PATH`.
    pub docker_cert_path: Option<String>,
    /// Whether `DOCKER_TLS_VERIFY` is set to anything.
    pub docker_tls_verify: bool,
    /// `DOCKER_CONFIG`, else `~/.docker`.
    pub config_dir: Option<PathBuf>,
    /// The folder that relative paths in configurations start from.
    pub working_dir: PathBuf,
}

/// The part of the `provider` block that says where the engine is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Where {
    /// `unix://`, `tcp://` or `ssh://`.
    pub host: Option<String>,
    /// Name of a Docker context.
    pub context: Option<String>,
    /// Additional arguments of ssh.
    pub ssh_opts: Vec<String>,
    /// Certificate authority, PEM.
    pub ca_material: Option<String>,
    /// Our certificate, PEM.
    pub cert_material: Option<String>,
    /// Our key, PEM.
    pub key_material: Option<String>,
    /// A folder with `ca.pem`, `cert.pem` and `key.pem`.
    pub cert_path: Option<String>,
}

/// Where the engine is, decided.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// A socket on this machine.
    Unix(PathBuf),
    /// A host and port.
    Tcp {
        /// Host name or address.
        host: String,
        /// Port.
        port: u16,
        /// Encryption, if any.
        tls: Option<Tls>,
    },
    /// The `docker` command line of another machine, through ssh.
    Ssh {
        /// ssh and all its arguments.
        command: Vec<String>,
        /// For people.
        display: String,
    },
}

/// Keys for TLS, as PEM texts.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Tls {
    /// Authority to trust; the system's when missing.
    pub ca: Option<String>,
    /// Our certificate and key.
    pub identity: Option<(String, String)>,
}

/// Why there is no endpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EndpointError {
    /// A host that cannot be understood.
    #[error(
        "`{0}` is not the address of a Docker engine; \
         write unix:///path, tcp://host:port or ssh://user@host"
    )]
    Host(String),
    /// A file with key material.
    #[error("cannot read `{path}`: {reason}")]
    Read {
        /// Which.
        path: String,
        /// Why.
        reason: String,
    },
    /// One of two.
    #[error("cert_material and key_material are given together or not at all")]
    HalfIdentity,
    /// A context that is not there.
    #[error("there is no Docker context `{0}`")]
    NoContext(String),
}

/// Decides where the engine is. What the block says wins over the environment.
pub(crate) fn decide(wanted: &Where, environment: &Environment) -> Result<Endpoint, EndpointError> {
    let mut tls = given_tls(wanted)?;
    let context = match (&wanted.context, &wanted.host, &environment.docker_host) {
        (Some(name), _, _) => Some(name),
        (None, None, None) => environment.docker_context.as_ref(),
        _ => None,
    };
    let host = match context.filter(|name| *name != "default") {
        Some(name) => {
            let (host, stored) = read_context(name, environment.config_dir.as_deref())?;
            tls = tls.or(stored);
            host
        }
        None => {
            let host = wanted.host.clone().or_else(|| environment.docker_host.clone());
            host.unwrap_or_else(|| "unix:///var/run/docker.sock".to_owned())
        }
    };
    let bad = || EndpointError::Host(host.clone());
    let (scheme, rest) = host.split_once("://").ok_or_else(bad)?;
    match scheme {
        "unix" if rest.starts_with('/') => Ok(Endpoint::Unix(rest.into())),
        "ssh" => ssh(rest, &wanted.ssh_opts).ok_or_else(bad),
        "tcp" | "http" | "https" => {
            let tls = match tls {
                Some(tls) => Some(tls),
                None => match &environment.docker_cert_path {
                    Some(path) if environment.docker_tls_verify => Some(folder_tls(path)?),
                    _ if environment.docker_tls_verify || scheme == "https" => Some(Tls::default()),
                    _ => None,
                },
            };
            let rest = rest.trim_end_matches('/');
            let (host, port) = match rest.rsplit_once(':') {
                Some((host, port)) if !host.is_empty() => (host, port.parse().map_err(|_| bad())?),
                Some(_) => return Err(bad()),
                None => (rest, if tls.is_some() { 2376 } else { 2375 }),
            };
            if host.is_empty() || host.contains('/') {
                return Err(bad());
            }
            Ok(Endpoint::Tcp { host: host.to_owned(), port, tls })
        }
        _ => Err(bad()),
    }
}

fn given_tls(wanted: &Where) -> Result<Option<Tls>, EndpointError> {
    let some = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    if let Some(path) = some(&wanted.cert_path) {
        return folder_tls(&path).map(Some);
    }
    let ca = some(&wanted.ca_material);
    let identity = match (some(&wanted.cert_material), some(&wanted.key_material)) {
        (Some(cert), Some(key)) => Some((cert, key)),
        (None, None) => None,
        _ => return Err(EndpointError::HalfIdentity),
    };
    Ok((ca.is_some() || identity.is_some()).then_some(Tls { ca, identity }))
}

fn folder_tls(path: &str) -> Result<Tls, EndpointError> {
    let folder = Path::new(path);
    let read = |name: &str| {
        let path = folder.join(name);
        std::fs::read_to_string(&path).map_err(|e| EndpointError::Read {
            path: path.display().to_string(),
            reason: e.to_string(),
        })
    };
    let ca = if folder.join("ca.pem").exists() { Some(read("ca.pem")?) } else { None };
    Ok(Tls { ca, identity: Some((read("cert.pem")?, read("key.pem")?)) })
}

fn ssh(rest: &str, options: &[String]) -> Option<Endpoint> {
    let rest = rest.trim_end_matches('/');
    let (user, place) = match rest.split_once('@') {
        Some((user, place)) => (Some(user), place),
        None => (None, rest),
    };
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) => (host, Some(port.parse::<u16>().ok()?)),
        None => (place, None),
    };
    // A host that looks like an option would be one.
    if host.is_empty() || host.starts_with('-') || host.contains('/') {
        return None;
    }
    let mut command = vec!["ssh".to_owned()];
    command.extend_from_slice(options);
    if let Some(user) = user {
        if user.is_empty() || user.starts_with('-') {
            return None;
        }
        command.extend(["-l".to_owned(), user.to_owned()]);
    }
    if let Some(port) = port {
        command.extend(["-p".to_owned(), port.to_string()]);
    }
    command.extend(["-T", "-o", "ConnectTimeout=30", "--", host].map(str::to_owned));
    command.extend(["docker", "system", "dial-stdio"].map(str::to_owned));
    Some(Endpoint::Ssh { command, display: format!("ssh://{rest}") })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ContextMeta {
    endpoints: std::collections::BTreeMap<String, ContextEndpoint>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ContextEndpoint {
    host: String,
}

fn read_context(name: &str, dir: Option<&Path>) -> Result<(String, Option<Tls>), EndpointError> {
    let missing = || EndpointError::NoContext(name.to_owned());
    let contexts = dir.ok_or_else(missing)?.join("contexts");
    let id = hex(&Sha256::digest(name.as_bytes()));
    let text = std::fs::read_to_string(contexts.join("meta").join(&id).join("meta.json"));
    let meta: ContextMeta =
        serde_json::from_str(&text.map_err(|_| missing())?).map_err(|_| missing())?;
    let host = meta.endpoints.get("docker").ok_or_else(missing)?.host.clone();
    let keys = contexts.join("tls").join(&id).join("docker");
    let tls = match keys.to_str() {
        Some(path) if keys.is_dir() => Some(folder_tls(path)?),
        _ => None,
    };
    Ok((host, tls))
}

/// As a person would write it; keys are not shown.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Endpoint::Unix(path) => write!(f, "unix://{}", path.display()),
            Endpoint::Tcp { host, port, tls: None } => write!(f, "tcp://{host}:{port}"),
            Endpoint::Tcp { host, port, tls: Some(_) } => write!(f, "tcp://{host}:{port} (TLS)"),
            Endpoint::Ssh { display, .. } => f.write_str(display),
        }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(wanted: Where, environment: Environment) -> String {
        match decide(&wanted, &environment) {
            Ok(Endpoint::Ssh { command, .. }) => command.join(" "),
            Ok(endpoint) => endpoint.to_string(),
            Err(e) => e.to_string(),
        }
    }

    fn host(text: &str) -> String {
        let wanted = Where { host: Some(text.to_owned()), ..Where::default() };
        show(wanted, Environment::default())
    }

    #[test]
    fn hosts() {
        assert_eq!(show(Where::default(), Environment::default()), "unix:///var/run/docker.sock");
        assert_eq!(host("unix:///tmp/d.sock"), "unix:///tmp/d.sock");
        assert_eq!(host("tcp://10.0.0.1:2375/"), "tcp://10.0.0.1:2375");
        assert_eq!(host("tcp://engine"), "tcp://engine:2375");
        assert_eq!(host("https://engine"), "tcp://engine:2376 (TLS)");
        assert_eq!(
            host("ssh://ann@lab:2222"),
            "ssh -l ann -p 2222 -T -o ConnectTimeout=30 -- lab docker system dial-stdio"
        );
        for bad in ["", "engine", "unix://relative", "tcp://:1", "tcp://a:b", "ssh://-oX", "x://y"]
        {
            assert!(host(bad).contains("is not the address of a Docker engine"), "{bad}");
        }
    }

    #[test]
    fn the_block_wins_over_the_environment() {
        let environment =
            Environment { docker_host: Some("tcp://env:1".into()), ..Environment::default() };
        assert_eq!(show(Where::default(), environment.clone()), "tcp://env:1");
        let wanted = Where { host: Some("tcp://block:2".into()), ..Where::default() };
        assert_eq!(show(wanted, environment), "tcp://block:2");
    }

    #[test]
    fn key_material() {
        let half = Where { cert_material: Some("x".into()), ..Where::default() };
        assert_eq!(decide(&half, &Environment::default()), Err(EndpointError::HalfIdentity));
        let environment = Environment {
            docker_host: Some("tcp://a".into()),
            docker_cert_path: Some("/nowhere".into()),
            docker_tls_verify: true,
            ..Environment::default()
        };
        assert!(show(Where::default(), environment).starts_with("cannot read `/nowhere/cert.pem`"));
    }

    #[test]
    fn contexts() {
        let dir = tempfile::tempdir().unwrap();
        let id = hex(&Sha256::digest(b"lab"));
        let meta = dir.path().join("contexts/meta").join(id);
        std::fs::create_dir_all(&meta).unwrap();
        let text =
            r#"{"Name":"lab","Endpoints":{"docker":{"Host":"tcp://ctx:3","SkipTLSVerify":false}}}"#;
        std::fs::write(meta.join("meta.json"), text).unwrap();
        let environment =
            Environment { config_dir: Some(dir.path().into()), ..Environment::default() };
        let named = |name: &str| Where { context: Some(name.into()), ..Where::default() };
        assert_eq!(show(named("lab"), environment.clone()), "tcp://ctx:3");
        assert_eq!(show(named("lob"), environment), "there is no Docker context `lob`");
    }
}
