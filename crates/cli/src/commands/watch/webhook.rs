//! Posts what happens to a URL. Whoever is slow there holds nothing up here.

use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use plumb_diag::{Diagnostic, Diagnostics};
use reqwest::{Client, StatusCode, Url};
use sha2::Sha256;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinHandle;

use super::args::WatchArgs;
use super::metrics::Metrics;
use crate::context::Context;

/// So many messages wait at most; further ones are dropped, and counted.
const WAITING_MAX: usize = 256;

/// How often a message is sent, with a pause in between that doubles.
const TRIES: u32 = 6;
const PAUSE: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_secs(10);

/// The variable that holds the secret.
const SECRET: &str = "PLUMB_WEBHOOK_SECRET";

/// Takes messages.
pub(crate) struct Webhook {
    sender: Sender<String>,
    metrics: Arc<Metrics>,
    worker: JoinHandle<()>,
}

impl Webhook {
    /// The webhook that the options ask for, if they do.
    pub(crate) fn of(
        context: &Context,
        args: &WatchArgs,
        metrics: &Arc<Metrics>,
    ) -> Result<Option<Webhook>, Diagnostics> {
        let Some(url) = &args.webhook else { return Ok(None) };
        let wrong = |detail: String| vec![Diagnostic::error("Invalid value for -webhook", detail)];
        let url: Url = url.parse().map_err(|error| wrong(format!("It is no URL: {error}.")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong("It is neither http nor https.".to_owned()));
        }
        let secret = match &args.webhook_secret_file {
            Some(path) => Some(std::fs::read(path).map_err(|error| {
                let detail = format!("{path}: {error}.");
                vec![Diagnostic::error("Cannot read the secret of the webhook", detail)]
            })?),
            None => context.env.get(SECRET).map(|it| it.clone().into_bytes()),
        };
        let secret = secret.map(|it| it.trim_ascii().to_vec()).filter(|it| !it.is_empty());
        // A second call finds the same provider installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .user_agent(concat!("plumb/", env!("CARGO_PKG_VERSION")))
            .timeout(PATIENCE)
            // What is signed for one place is not carried to another.
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| wrong(format!("There is no way to reach it: {error}.")))?;
        let (sender, messages) = channel(WAITING_MAX);
        let target = Target { client, url, secret };
        let worker = tokio::spawn(deliver(target, messages, metrics.clone()));
        Ok(Some(Webhook { sender, metrics: metrics.clone(), worker }))
    }

    /// Sends a message when its turn comes.
    pub(crate) fn send(&self, body: String) {
        if self.sender.try_send(body).is_err() {
            count(&self.metrics, "dropped");
        }
    }

    /// Gives what still waits a little time.
    pub(crate) async fn end(self) {
        drop(self.sender);
        let _ = tokio::time::timeout(Duration::from_secs(3), self.worker).await;
    }
}

struct Target {
    client: Client,
    url: Url,
    secret: Option<Vec<u8>>,
}

async fn deliver(target: Target, mut messages: Receiver<String>, metrics: Arc<Metrics>) {
    while let Some(body) = messages.recv().await {
        let delivery = uuid::Uuid::new_v4().to_string();
        let mut pause = PAUSE;
        for attempt in 1..=TRIES {
            match target.post(&delivery, &body).await {
                Sent::Taken => {
                    count(&metrics, "delivered");
                    break;
                }
                Sent::Refused => {
                    count(&metrics, "failed");
                    break;
                }
                Sent::Later if attempt == TRIES => count(&metrics, "failed"),
                Sent::Later => {
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
            }
        }
    }
}

fn count(metrics: &Metrics, outcome: &'static str) {
    *metrics.numbers().webhooks.entry(outcome).or_default() += 1;
}

enum Sent {
    Taken,
    Refused,
    /// Trying again may help.
    Later,
}

impl Target {
    async fn post(&self, delivery: &str, body: &str) -> Sent {
        let time = chrono::Utc::now().timestamp().to_string();
        let mut request = (self.client.post(self.url.clone()))
            .header("Content-Type", "application/json")
            .header("X-Plumb-Delivery", delivery)
            .header("X-Plumb-Timestamp", &time)
            .body(body.to_owned());
        if let Some(secret) = &self.secret {
            request = request.header("X-Plumb-Signature-256", signature(secret, &time, body));
        }
        match request.send().await.map(|it| it.status()) {
            Ok(status) if status.is_success() => Sent::Taken,
            Ok(StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS) => Sent::Later,
            Ok(status) if status.is_server_error() => Sent::Later,
            Ok(_) => Sent::Refused,
            Err(_) => Sent::Later,
        }
    }
}

/// Of the time, a full stop and the body, so that an old message cannot be passed off as new.
fn signature(secret: &[u8], time: &str, body: &str) -> String {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(secret)
        .unwrap_or_else(|_| unreachable!("a key of any length will do"));
    mac.update(time.as_bytes());
    mac.update(b".");
    mac.update(body.as_bytes());
    let bytes = mac.finalize().into_bytes();
    let hex: String = bytes.iter().map(|it| format!("{it:02x}")).collect();
    format!("sha256={hex}")
}

#[cfg(test)]
mod tests {
    use super::signature;

    #[test]
    fn signed_as_openssl_does() {
        // printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac secret
        assert_eq!(
            signature(b"secret", "1700000000", r#"{"a":1}"#),
            "sha256=49f24e537407743fa4a0242bb63b94b9a47ee99cbbe071ccd8a22550ae411686"
        );
    }
}
