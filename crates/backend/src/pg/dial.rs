//! From parameters to a connection: where it goes, who we say we are, and how much TLS there must be.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio_postgres::config::{Host, SslMode, SslNegotiation, TargetSessionAttrs};
use tokio_postgres::{Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::dsn::Params;
use super::session::Session;
use super::settings::password_in;
use super::tls::{self, Check};
use super::trouble::Trouble;

/// Everything that it takes to connect.
#[derive(Clone)]
pub(crate) struct Dial {
    config: Config,
    /// What is tried, in this order.
    attempts: Vec<Attempt>,
    root: Option<PathBuf>,
    own: Option<(PathBuf, PathBuf)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attempt {
    Plain,
    /// With TLS or not at all.
    Tls(Check),
    /// With TLS if the server has it.
    TlsOrPlain,
}

/// A vanished peer is noticed after half a minute or so.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(15);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
const KEEPALIVE_RETRIES: u32 = 3;
const USER_TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// Parameters that mean nothing to us, or nothing that could differ.
const IDLE: [&str; 18] = [
    "binary_parameters",
    "channel_binding",
    "client_encoding",
    "disable_prepared_binary_result",
    "fallback_application_name",
    "gssencmode",
    "home",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "krbsrvname",
    "load_balance_hosts",
    "passfile",
    "sslcompression",
    "sslinline",
    "sslsni",
    "tcp_user_timeout",
];

impl Dial {
    /// Understands parameters.
    ///
    /// # Errors
    /// What is wrong, without quoting what may be secret.
    pub(crate) fn new(params: &Params) -> Result<Dial, String> {
        let mut config = Config::new();
        config
            .application_name("plumb")
            .connect_timeout(CONNECT_TIMEOUT)
            .keepalives_idle(KEEPALIVE_IDLE)
            .keepalives_interval(KEEPALIVE_INTERVAL)
            .keepalives_retries(KEEPALIVE_RETRIES)
            .tcp_user_timeout(USER_TIMEOUT);
        let get = |name: &str| params.get(name).map(String::as_str);
        let mut options = String::new();
        for (name, value) in params {
            match &**name {
                "host" => value.split(',').for_each(|it| {
                    config.host(if it.is_empty() { "localhost" } else { it });
                }),
                "hostaddr" => {
                    for address in value.split(',') {
                        let address: IpAddr = address
                            .parse()
                            .map_err(|_| format!("`hostaddr` is no address: `{address}`"))?;
                        config.hostaddr(address);
                    }
                }
                "port" => {
                    for port in value.split(',') {
                        let port = if port.is_empty() { "5432" } else { port };
                        let port = port.parse().map_err(|_| format!("`{port}` is no port"))?;
                        config.port(port);
                    }
                }
                "user" => _ = config.user(value),
                "password" => _ = config.password(value),
                "dbname" => _ = config.dbname(value),
                "application_name" => _ = config.application_name(value),
                "connect_timeout" => {
                    let seconds: u64 = value
                        .parse()
                        .map_err(|_| format!("`connect_timeout` is no number: `{value}`"))?;
                    if seconds > 0 {
                        config.connect_timeout(Duration::from_secs(seconds));
                    }
                }
                "target_session_attrs" => match &**value {
                    "any" => {}
                    "read-write" | "primary" => {
                        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
                    }
                    _ => return Err("a state needs `target_session_attrs=read-write`".into()),
                },
                "sslnegotiation" if value == "direct" => {
                    config.ssl_negotiation(SslNegotiation::Direct);
                }
                "sslmode" | "sslcert" | "sslkey" | "sslrootcert" | "sslnegotiation" => {}
                "service" | "servicefile" | "sslpassword" | "sslcrl" | "sslcrldir" => {
                    return Err(format!("the parameter `{name}` is not supported"));
                }
                "options" => {
                    options.push_str(value);
                    options.push(' ');
                }
                other if IDLE.contains(&other) => {}
                // Anything else is a setting of the session, as Terraform's driver has it.
                other
                    if !other.is_empty()
                        && other
                            .chars()
                            .all(|it| it.is_ascii_alphanumeric() || "_.".contains(it)) =>
                {
                    let escaped = value.replace('\\', "\\\\").replace(' ', "\\ ");
                    options.push_str(&format!("-c {other}={escaped} "));
                }
                _ => return Err("a parameter has a name that no setting can have".into()),
            }
        }
        if !options.is_empty() {
            config.options(options.trim_end());
        }
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            config.host("localhost");
        }
        if config.get_password().is_none()
            && let Some(file) = get("passfile")
            && let Ok(file) = std::fs::read_to_string(file)
        {
            let user = get("user").unwrap_or_default();
            let database = get("dbname").unwrap_or(user);
            let (host, port) = (get("host").unwrap_or("localhost"), get("port").unwrap_or("5432"));
            if let Some(password) = password_in(&file, [host, port, database, user]) {
                config.password(password);
            }
        }
        let beside = |name: &str| {
            let path = Path::new(get("home")?).join(".postgresql").join(name);
            path.exists().then_some(path)
        };
        let root = match get("sslrootcert") {
            Some("system") => None,
            Some(path) => Some(path.into()),
            None => beside("root.crt"),
        };
        let own = match (get("sslcert"), get("sslkey")) {
            (Some(certificate), Some(key)) => Some((certificate.into(), key.into())),
            (None, None) => beside("postgresql.crt").zip(beside("postgresql.key")),
            _ => return Err("`sslcert` and `sslkey` belong together".into()),
        };
        let signer = if root.is_some() { Check::Signer } else { Check::Nothing };
        let is_socket = |host: &Host| matches!(host, Host::Unix(_));
        let attempts = match get("sslmode").unwrap_or("require") {
            "disable" => vec![Attempt::Plain],
            _ if !config.get_hosts().is_empty() && config.get_hosts().iter().all(is_socket) => {
                vec![Attempt::Plain]
            }
            "allow" => vec![Attempt::Plain, Attempt::Tls(Check::Nothing)],
            "prefer" => vec![Attempt::TlsOrPlain, Attempt::Plain],
            "require" => vec![Attempt::Tls(signer)],
            "verify-ca" => vec![Attempt::Tls(Check::Signer)],
            "verify-full" => vec![Attempt::Tls(Check::SignerAndHost)],
            other => {
                return Err(format!(
                    "`sslmode` is `{other}`: it is one of disable, allow, prefer, require, \
                     verify-ca, verify-full"
                ));
            }
        };
        Ok(Dial { config, attempts, root, own })
    }

    /// Connects. Runs where the connection is to live.
    pub(crate) async fn connect(&self) -> Result<Session, Trouble> {
        let mut said: Vec<String> = Vec::new();
        for attempt in &self.attempts {
            match self.attempt(*attempt).await {
                Ok(session) => return Ok(session),
                Err(trouble) => {
                    let text = trouble.to_string();
                    if !said.contains(&text) {
                        said.push(text);
                    }
                }
            }
        }
        Err(Trouble::Lost(said.join("; without TLS: ")))
    }

    async fn attempt(&self, attempt: Attempt) -> Result<Session, Trouble> {
        let mut config = self.config.clone();
        let (mode, check) = match attempt {
            Attempt::Plain => {
                config.ssl_mode(SslMode::Disable);
                let (client, connection) = config.connect(NoTls).await?;
                return Ok(Session::new(client, connection));
            }
            Attempt::Tls(check) => (SslMode::Require, check),
            Attempt::TlsOrPlain => (SslMode::Prefer, Check::Nothing),
        };
        config.ssl_mode(mode);
        let own = self.own.as_ref().map(|it| (&*it.0, &*it.1));
        let files = tls::Files { root: self.root.as_deref(), own };
        let tls = tls::config(check, &files).map_err(Trouble::Lost)?;
        let (client, connection) = config.connect(MakeRustlsConnect::new(tls)).await?;
        Ok(Session::new(client, connection))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pg::dsn;

    fn dial(text: &str) -> Result<Dial, String> {
        Dial::new(&dsn::parse(text).expect("a connection string"))
    }

    #[test]
    fn how_much_tls() {
        let attempts = |text: &str| dial(text).map(|it| it.attempts);
        assert_eq!(attempts("host=h"), Ok(vec![Attempt::Tls(Check::Nothing)]));
        assert_eq!(attempts("host=/run"), Ok(vec![Attempt::Plain]));
        assert_eq!(attempts("sslmode=disable"), Ok(vec![Attempt::Plain]));
        assert_eq!(attempts("sslmode=prefer"), Ok(vec![Attempt::TlsOrPlain, Attempt::Plain]));
        let signer = vec![Attempt::Tls(Check::Signer)];
        assert_eq!(attempts("sslmode=require sslrootcert=/ca"), Ok(signer.clone()));
        assert_eq!(attempts("sslmode=verify-ca"), Ok(signer));
        assert_eq!(attempts("sslmode=verify-full"), Ok(vec![Attempt::Tls(Check::SignerAndHost)]));
        assert!(attempts("sslmode=no").is_err());
    }

    #[test]
    fn what_is_not_known_is_a_setting_of_the_session() {
        let dial = dial("search_path='a b' options='-c x=1' port=1 host=h").expect("fine");
        assert_eq!(dial.config.get_options(), Some("-c x=1 -c search_path=a\\ b"));
        assert_eq!(dial.config.get_ports(), [1]);
        for text in ["port=x", "service=s", "hostaddr=h", "sslcert=c", "'=x"] {
            assert!(Dial::new(&dsn::parse(text).expect("pairs")).is_err(), "{text}");
        }
    }
}
