//! What a block `backend "http"` says.

use std::time::Duration;

use reqwest::{Method, Url};

use crate::args::Args;
use crate::client::Tls;
use crate::{Mistake, Setting};

pub(crate) const KNOWN: [&str; 15] = [
    "address",
    "client_ca_certificate_pem",
    "client_certificate_pem",
    "client_private_key_pem",
    "lock_address",
    "lock_method",
    "password",
    "retry_max",
    "retry_wait_max",
    "retry_wait_min",
    "skip_cert_verification",
    "unlock_address",
    "unlock_method",
    "update_method",
    "username",
];

/// A request that is made again and again.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) url: Url,
    pub(super) method: Method,
}

pub(super) struct Config {
    pub(super) address: Url,
    pub(super) update_method: Method,
    pub(super) lock: Option<Target>,
    pub(super) unlock: Option<Target>,
    pub(super) username: Option<String>,
    pub(super) password: Option<String>,
    pub(super) tls: Tls,
    pub(super) retry_max: u32,
    pub(super) wait_min: Duration,
    pub(super) wait_max: Duration,
}

impl Config {
    pub(super) fn read(setting: &Setting) -> Result<Config, Vec<Mistake>> {
        let mut args = Args::new(setting, &KNOWN);
        let address = url(&mut args, "address");
        if address.is_none()
            && args.mistakes.iter().all(|it| it.summary != "address must be HTTP or HTTPS")
        {
            let detail =
                "Set it in the configuration, with -backend-config, or in TF_HTTP_ADDRESS.";
            args.mistake("address", "address argument is required", detail);
        }
        let update_method = method(&mut args, "update_method", "POST");
        let (lock_method, unlock_method) = (
            method(&mut args, "lock_method", "LOCK"),
            method(&mut args, "unlock_method", "UNLOCK"),
        );
        let lock = url(&mut args, "lock_address").map(|url| Target { url, method: lock_method });
        let unlock =
            url(&mut args, "unlock_address").map(|url| Target { url, method: unlock_method });
        let tls = tls(&mut args);
        let mut number = |name: &str, default| args.number(name, &[&env(name)]).unwrap_or(default);
        let retry_max = u32::try_from(number("retry_max", 2)).unwrap_or(u32::MAX);
        let wait_min = Duration::from_secs(number("retry_wait_min", 1));
        let wait_max = Duration::from_secs(number("retry_wait_max", 30));
        let username = args.some_text("username", &["TF_HTTP_USERNAME"]);
        let password = args.text("password", &["TF_HTTP_PASSWORD"]);
        match address {
            Some(address) if args.mistakes.is_empty() => Ok(Config {
                tls: Tls { plain: !uses_tls(&address, &lock, &unlock), ..tls },
                address,
                update_method,
                lock,
                unlock,
                username,
                password,
                retry_max,
                wait_min,
                wait_max,
            }),
            _ => Err(args.mistakes),
        }
    }
}

fn env(name: &str) -> String {
    format!("TF_HTTP_{}", name.to_uppercase())
}

fn uses_tls(address: &Url, lock: &Option<Target>, unlock: &Option<Target>) -> bool {
    let others = lock.iter().chain(unlock).map(|it| &it.url);
    others.chain([address]).any(|it| it.scheme() == "https")
}

fn url(args: &mut Args<'_>, name: &str) -> Option<Url> {
    let text = args.some_text(name, &[&env(name)])?;
    match Url::parse(&text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Some(url),
        _ => {
            // The value is not repeated: it may hold a password.
            let detail = "It is to be a URL that begins with http:// or https://.";
            args.mistake(name, &format!("{name} must be HTTP or HTTPS"), detail);
            None
        }
    }
}

fn method(args: &mut Args<'_>, name: &str, default: &'static str) -> Method {
    let text = args.some_text(name, &[&env(name)]).unwrap_or_else(|| default.into());
    Method::from_bytes(text.as_bytes()).unwrap_or_else(|_| {
        args.mistake(name, &format!("{name} is not an HTTP method"), format!("Found {text:?}."));
        Method::POST
    })
}

fn tls(args: &mut Args<'_>) -> Tls {
    let blind = args.flag("skip_cert_verification", &["TF_HTTP_SKIP_CERT_VERIFICATION"]);
    let mut pem = |name: &str| args.some_text(name, &[&env(name)]);
    let roots = pem("client_ca_certificate_pem");
    let certificate = pem("client_certificate_pem");
    let key = pem("client_private_key_pem");
    let mut alone = |given: &str, missing: &str| {
        let detail = "A client is known by its certificate and the private key together.";
        args.mistake(given, &format!("{given} is set but {missing} is not"), detail);
    };
    match (&certificate, &key) {
        (Some(_), None) => alone("client_certificate_pem", "client_private_key_pem"),
        (None, Some(_)) => alone("client_private_key_pem", "client_certificate_pem"),
        _ => {}
    }
    Tls { roots, identity: certificate.zip(key), blind: blind.unwrap_or(false), plain: false }
}
