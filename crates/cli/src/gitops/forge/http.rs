//! Requests to a forge, tried again where that helps.

use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, RequestBuilder, Url};
use serde_json::Value;

const ATTEMPTS_MAX: u32 = 4;
/// A forge that wants to be left alone for longer is told nothing this time.
const WAIT_MAX: Duration = Duration::from_secs(20);

/// What went wrong with a request.
#[derive(Debug, thiserror::Error)]
pub(super) enum ApiError {
    #[error("{method} {path}: {status}: {detail}")]
    Refused { method: Method, path: String, status: u16, detail: String },
    #[error("{method} {path}: no answer: {why}")]
    Lost { method: Method, path: String, why: String },
}

impl ApiError {
    pub(super) fn status(&self) -> Option<u16> {
        match self {
            ApiError::Refused { status, .. } => Some(*status),
            ApiError::Lost { .. } => None,
        }
    }

    /// Whether another attempt may go better.
    pub(super) fn again(&self) -> bool {
        self.status().is_none_or(|it| it == 429 || it >= 500)
    }
}

/// A forge's API.
pub(super) struct Api {
    client: Client,
    base: Url,
}

impl Api {
    pub(super) fn new(base: &str, headers: Vec<(&'static str, String)>) -> Result<Api, String> {
        // A second call finds the same provider installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let base = Url::parse(base).map_err(|error| format!("{base:?} is not a URL: {error}"))?;
        let local = matches!(base.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        if base.cannot_be_a_base() || (base.scheme() != "https" && !local) {
            return Err(format!("{base} is not a URL of https, and a token would go over it"));
        }
        let mut all = HeaderMap::new();
        for (name, value) in headers {
            let mut value = HeaderValue::from_str(&value)
                .map_err(|_| "the token has characters that no header can carry".to_owned())?;
            value.set_sensitive(true);
            all.insert(HeaderName::from_static(name), value);
        }
        let mut builder = Client::builder()
            .user_agent(concat!("plumb/", env!("CARGO_PKG_VERSION")))
            .default_headers(all)
            .connect_timeout(Duration::from_secs(10))
            .timeout(Duration::from_secs(20))
            // A token must not be carried to where a redirection leads.
            .redirect(reqwest::redirect::Policy::none());
        if local {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|error| error.to_string())?;
        Ok(Api { client, base })
    }

    /// Reads.
    pub(super) async fn get(
        &self,
        path: &[String],
        query: &[(&str, &str)],
    ) -> Result<Value, ApiError> {
        let mut url = self.url(path);
        url.query_pairs_mut().extend_pairs(query);
        self.repeated(&Method::GET, url, None, ATTEMPTS_MAX).await
    }

    /// Writes what may be written twice.
    pub(super) async fn send(
        &self,
        method: &Method,
        path: &[String],
        body: &Value,
    ) -> Result<Value, ApiError> {
        self.repeated(method, self.url(path), Some(body), ATTEMPTS_MAX).await
    }

    /// Writes what must not be written twice.
    pub(super) async fn once(
        &self,
        method: &Method,
        path: &[String],
        body: &Value,
    ) -> Result<Value, ApiError> {
        self.repeated(method, self.url(path), Some(body), 1).await
    }

    fn url(&self, path: &[String]) -> Url {
        let mut url = self.base.clone();
        // It can be a base, as was seen; each part is one, whatever characters it has.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url
    }

    async fn repeated(
        &self,
        method: &Method,
        url: Url,
        body: Option<&Value>,
        attempts: u32,
    ) -> Result<Value, ApiError> {
        let path = url.path().to_owned();
        let mut attempt = 1;
        loop {
            let mut request = self.client.request(method.clone(), url.clone());
            if let Some(body) = body {
                request = request.json(body);
            }
            let (error, wait) = match answered(request, method, &path).await {
                Ok(value) => return Ok(value),
                Err(it) => it,
            };
            let usual = Duration::from_millis(500) * 2u32.pow(attempt - 1);
            let limited = wait.is_some();
            let wait = wait.unwrap_or(usual);
            if attempt >= attempts || wait > WAIT_MAX || !(error.again() || limited) {
                return Err(error);
            }
            attempt += 1;
            tokio::time::sleep(wait).await;
        }
    }
}

async fn answered(
    request: RequestBuilder,
    method: &Method,
    path: &str,
) -> Result<Value, (ApiError, Option<Duration>)> {
    let lost = |error: reqwest::Error| {
        // Without its URL, which says the same again.
        let error = error.without_url();
        let cause = std::error::Error::source(&error).map(|it| format!(": {it}"));
        let why = format!("{error}{}", cause.unwrap_or_default());
        (ApiError::Lost { method: method.clone(), path: path.to_owned(), why }, None)
    };
    let response = request.send().await.map_err(lost)?;
    let status = response.status().as_u16();
    let wait = wait(status, response.headers(), chrono::Utc::now().timestamp());
    let bytes = response.bytes().await.map_err(lost)?;
    if (200..300).contains(&status) {
        return Ok(serde_json::from_slice(&bytes).unwrap_or(Value::Null));
    }
    let text = String::from_utf8_lossy(&bytes);
    let message = serde_json::from_slice::<Value>(&bytes).ok().and_then(|it| {
        let message = &it["message"];
        message
            .as_str()
            .map(str::to_owned)
            .or_else(|| (!message.is_null()).then(|| message.to_string()))
    });
    let detail: String = message.unwrap_or_else(|| text.into_owned()).chars().take(300).collect();
    let path = path.to_owned();
    Err((ApiError::Refused { method: method.clone(), path, status, detail }, wait))
}

/// How long a forge wants to be left alone: `Retry-After`, or the end of the time for which it
/// counts requests, if none is left.
fn wait(status: u16, headers: &HeaderMap, now: i64) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<i64>().ok();
    let seconds = |it: i64| Duration::from_secs(u64::try_from(it.max(0)).unwrap_or(0));
    if let Some(after) = number("retry-after").filter(|_| matches!(status, 403 | 429 | 503)) {
        return Some(seconds(after));
    }
    for prefix in ["x-ratelimit", "ratelimit"] {
        let none_left = number(&format!("{prefix}-remaining")) == Some(0);
        if let Some(reset) = number(&format!("{prefix}-reset")).filter(|_| none_left)
            && matches!(status, 403 | 429)
        {
            return Some(seconds(reset - now));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_forge_asks_for() {
        let check = |status, headers: &[(&'static str, &str)], want: Option<u64>| {
            let pairs = headers.iter().map(|(name, value)| {
                (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
            });
            let got = wait(status, &pairs.collect(), 1000).map(|it| it.as_secs());
            assert_eq!(got, want, "{status} {headers:?}");
        };
        check(429, &[("retry-after", "7")], Some(7));
        check(503, &[("retry-after", "7")], Some(7));
        check(200, &[("retry-after", "7")], None);
        check(403, &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1060")], Some(60));
        check(403, &[("x-ratelimit-remaining", "5"), ("x-ratelimit-reset", "1060")], None);
        check(429, &[("ratelimit-remaining", "0"), ("ratelimit-reset", "900")], Some(0));
        check(500, &[], None);
    }

    #[test]
    fn tokens_go_over_https() {
        assert!(Api::new("http://git.example.org", Vec::new()).is_err());
        assert!(Api::new("mailto:a@b", Vec::new()).is_err());
        assert!(Api::new("http://127.0.0.1:3000", Vec::new()).is_ok());
        let api = Api::new("https://git.example.org/api/v4", Vec::new()).unwrap();
        let url = api.url(&["projects".to_owned(), "a/b?c".to_owned()]);
        assert_eq!(url.as_str(), "https://git.example.org/api/v4/projects/a%2Fb%3Fc");
    }
}
