//! The HTTP client: certificates, proxies, connections, and what its errors mean.

use std::time::Duration;

use plumb_provider::Failure;
use reqwest::header::HeaderValue;
use reqwest::{Certificate, Client, Identity, NoProxy, Proxy};

use super::error::{ApiError, chain};
use super::retry::Trouble;
use super::send::Attempt;
use crate::auth::{Secret, Settings};

/// Hosts that no proxy has to do with, whatever the environment says.
const LOOPBACK: &str = "localhost,127.0.0.0/8,::1";

/// Makes the client.
pub(super) fn client(settings: &Settings) -> Result<Client, Failure> {
    // A second call finds the same provider installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = Client::builder()
        .user_agent(concat!("plumb/", env!("CARGO_PKG_VERSION")))
        // What is known of services behind proxies is known of HTTP/1.1.
        .http1_only()
        .connect_timeout(Duration::from_secs(10))
        .tcp_keepalive(Duration::from_secs(30))
        // Apache, in front of many services, closes idle connections after 5 seconds. A request
        // that meets such a connection is lost.
        .pool_idle_timeout(Duration::from_secs(4))
        // A token must not be carried to where a redirection leads.
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .tls_danger_accept_invalid_certs(settings.tls.insecure);
    if let Some(ca) = &settings.tls.ca {
        let certificates = Certificate::from_pem_bundle(ca.as_bytes())
            .map_err(|error| bad("cacert_file", &chain(&error)))?;
        builder = builder.tls_certs_only(certificates);
    }
    if let Some((certificate, key)) = &settings.tls.identity {
        let both = format!("{certificate}\n{}", key.reveal());
        // The cause could show parts of the key.
        let identity = Identity::from_pem(both.as_bytes())
            .map_err(|_| bad("cert", "it and `key` are not a certificate with its key"))?;
        builder = builder.identity(identity);
    }
    let none = format!("{LOOPBACK},{}", settings.proxies.none);
    let proxies = [("http", &settings.proxies.http), ("https", &settings.proxies.https)];
    for (scheme, address) in proxies {
        let Some(address) = address.as_ref().map(Secret::reveal) else { continue };
        let proxy = if scheme == "http" { Proxy::http(address) } else { Proxy::https(address) };
        let proxy = proxy.map_err(|_| {
            let summary = format!("The proxy for {scheme} is not an address");
            let detail = format!("The environment has it, as {scheme}_proxy or all_proxy.");
            Failure::new(summary, detail)
        })?;
        builder = builder.proxy(proxy.no_proxy(NoProxy::from_string(&none)));
    }
    builder.build().map_err(|error| {
        Failure::new("Cannot prepare encrypted connections", format!("{}.", chain(&error)))
    })
}

fn bad(argument: &str, why: &str) -> Failure {
    Failure::new(format!("`{argument}` cannot be used"), super::error::sentence(why))
        .at(plumb_model::value::Path::default().attr(argument))
}

/// A header that is not shown.
pub(super) fn sensitive(secret: &Secret) -> HeaderValue {
    let value = HeaderValue::from_str(secret.reveal());
    let mut value = value.unwrap_or_else(|_| HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}

/// What an error of the client means. `known`: something answered before.
pub(super) fn failed(
    error: &reqwest::Error,
    attempt: &Attempt,
    known: bool,
) -> (ApiError, Trouble) {
    let host = attempt.url.host_str().unwrap_or_default();
    let port = attempt.url.port_or_known_default().unwrap_or_default();
    let text = causes(error);
    if error.is_connect() {
        let reason = format!("cannot connect to {host}:{port}: {text}");
        let said = |words: &[&str]| words.iter().any(|word| text.contains(word));
        let (advice, transient) = if said(&["certificate", "Certificate"]) {
            (
                "Set `cacert_file` to the authority that the cloud's certificates are from; \
                 `insecure` trusts anybody.",
                false,
            )
        } else if said(&["corrupt message", "InvalidContentType", "handshake eof"]) {
            ("If the service does not speak TLS, the address begins with http://.", false)
        } else {
            ("", true)
        };
        let error = ApiError::Unsent { reason, advice: advice.to_owned(), transient };
        return (error, Trouble::Unreachable { known: known && transient });
    }
    if error.is_builder() {
        let error = ApiError::Unsent { reason: text, advice: String::new(), transient: false };
        return (error, Trouble::Unreachable { known: false });
    }
    let reason = match error.is_timeout() {
        true => "it took too long".to_owned(),
        false => text,
    };
    let (method, path) = (attempt.method.to_string(), attempt.path.clone());
    (ApiError::Lost { method, path, reason }, Trouble::Lost)
}

/// The causes without the request: its URL stands elsewhere.
fn causes(error: &reqwest::Error) -> String {
    let mut innermost: Option<&dyn std::error::Error> = std::error::Error::source(error);
    let mut parts: Vec<String> = Vec::new();
    while let Some(cause) = innermost {
        let said = cause.to_string();
        let noise = ["client error (Connect)", "client error (SendRequest)", "tcp connect error"];
        if !noise.contains(&&*said) && !parts.iter().any(|part| part.contains(&said)) {
            parts.push(said);
        }
        innermost = cause.source();
    }
    match parts.is_empty() {
        true => error.to_string(),
        false => parts.join(": "),
    }
}
