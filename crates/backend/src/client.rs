//! HTTP clients, and what can go wrong with a request, told without what its address holds.

use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Certificate, Client, Identity};

/// Whom to trust, and who we are.
#[derive(Clone, Default)]
pub(crate) struct Tls {
    /// Certificates of authorities, PEM. None: the system's.
    pub(crate) roots: Option<String>,
    /// Our certificate and its key, PEM.
    pub(crate) identity: Option<(String, String)>,
    /// Trust anybody.
    pub(crate) blind: bool,
    /// There is nobody to trust: nothing is encrypted.
    pub(crate) plain: bool,
}

/// A client that follows no redirection: a password must not be carried to where one leads, and what
/// was meant to be written must not become a request to read.
pub(crate) fn client(tls: &Tls, timeout: Duration) -> Result<Client, String> {
    // A second call finds the same provider installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = Client::builder()
        .user_agent(concat!("plumb/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(Duration::from_secs(10))
        .timeout(timeout)
        .redirect(reqwest::redirect::Policy::none())
        .tls_danger_accept_invalid_certs(tls.blind);
    if let Some(pem) = &tls.roots {
        let roots = Certificate::from_pem_bundle(pem.as_bytes())
            .ok()
            .filter(|it| !it.is_empty())
            .ok_or("there is no certificate in PEM format in it")?;
        builder = builder.tls_certs_only(roots);
    } else if tls.plain {
        // The system's need not be read, nor be there.
        builder = builder.tls_certs_only([]);
    }
    if let Some((certificate, key)) = &tls.identity {
        let pem = format!("{certificate}\n{key}\n");
        let identity = Identity::from_pem(pem.as_bytes())
            .map_err(|_| "certificate and private key cannot be read as PEM")?;
        builder = builder.identity(identity);
    }
    builder.build().map_err(|error| told(&error.without_url()))
}

/// What was answered.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Whether the same again may go better.
    pub(crate) fn is_passing(&self) -> bool {
        self.status == 429 || (self.status >= 500 && self.status != 501)
    }

    /// For how long the other side asks not to be asked again.
    pub(crate) fn wait(&self) -> Option<Duration> {
        let seconds = self.header("retry-after")?.trim().parse().ok()?;
        Some(Duration::from_secs(seconds))
    }
}

/// No usable answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// None came.
    #[error("no answer: {why}")]
    Lost {
        why: String,
        /// The request was never sent.
        unsent: bool,
    },
    /// One that says no.
    #[error("it answered {status}{detail}")]
    Answered { status: u16, detail: String },
}

impl Failure {
    /// From an answer that says no, with `text` from it.
    pub(crate) fn answered(status: u16, text: &str) -> Failure {
        let reason = reqwest::StatusCode::from_u16(status).ok();
        let reason = reason.and_then(|it| it.canonical_reason()).map(|it| format!(" {it}"));
        let text: String = text.trim().chars().take(300).collect();
        let text = if text.is_empty() { text } else { format!(": {text}") };
        Failure::Answered { status, detail: reason.unwrap_or_default() + &text }
    }
}

/// Sends a request once.
pub(crate) async fn send(request: reqwest::RequestBuilder) -> Result<Answer, Failure> {
    let lost = |error: reqwest::Error| {
        let unsent = error.is_connect() || error.is_builder();
        // Without its address, which may hold a password or a signature.
        Failure::Lost { why: told(&error.without_url()), unsent }
    };
    let response = request.send().await.map_err(lost)?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    // It was sent if there is an answer, whatever happens to that.
    let bytes = response.bytes().await.map_err(|error| match lost(error) {
        Failure::Lost { why, .. } => Failure::Lost { why, unsent: false },
        other => other,
    })?;
    Ok(Answer { status, headers, bytes: bytes.into() })
}

/// An error with its causes, in one line.
fn told(error: &reqwest::Error) -> String {
    let mut out = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        out = format!("{out}: {error}");
        cause = error.source();
    }
    out
}

/// How long to wait before the attempt that follows the `attempt`th, from 1.
pub(crate) fn pause(attempt: u32, min: Duration, max: Duration) -> Duration {
    min.saturating_mul(2u32.saturating_pow(attempt.saturating_sub(1))).min(max)
}

/// MD5 in base64: what `Content-MD5` wants. It finds what a network garbles, nothing else.
pub(crate) fn md5(bytes: &[u8]) -> String {
    use base64::Engine;
    use md5::Digest;
    base64::engine::general_purpose::STANDARD.encode(md5::Md5::digest(bytes))
}
