//! Sends requests: with a token, in turn, and again where that is safe.

use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use reqwest::header::RETRY_AFTER;
use reqwest::{Method, Url};

use super::error::{self, ApiError};
use super::retry::{self, Trouble};
use super::token::Token;
use super::{Body, Request, Response, Service, Session, transport};

/// How long one request may take, unless it carries a file.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(300);

impl Session {
    /// The general form.
    pub(crate) async fn send(&self, request: Request<'_>) -> Result<Response, ApiError> {
        let Request { method, service, path, mut headers, body, version } = request;
        let url = resolve(&self.base(service).await?, path)?;
        if service == Service::Compute {
            let agreed = match version {
                Some(version) => version,
                None => Box::pin(self.compute_version()).await?,
            };
            if agreed >= (2, 1) {
                headers
                    .push(("OpenStack-API-Version", format!("compute {}.{}", agreed.0, agreed.1)));
            }
        }
        let attempt = Attempt { method, url, path: path.to_owned(), headers };
        let (mut body, mut stream) = match body {
            Body::None => (None, None),
            Body::Json(json) => (Some((json.to_string().into_bytes(), true)), None),
            Body::Bytes(bytes) => (Some((bytes, false)), None),
            Body::Stream(body, length) => (None, Some((body, length))),
        };
        let once = stream.is_some();
        let mut held = self.token(None).await?;
        let mut renewed = false;
        let (mut repeats, mut waited) = (0, Duration::ZERO);
        loop {
            let permit = self.limit.acquire().await;
            let payload = match (stream.take(), &mut body) {
                (Some((body, length)), _) => Payload::Stream(body, length),
                (None, Some((bytes, json))) => Payload::Bytes(bytes.clone(), *json),
                (None, None) => Payload::None,
            };
            let (error, trouble) = match self.once(&attempt, payload, Some(&held.token)).await {
                Ok(response) if response.is_success() => {
                    permit.went_well();
                    return Ok(response);
                }
                Ok(response) => {
                    match response.status {
                        429 | 503 => permit.was_too_much(),
                        _ => drop(permit),
                    }
                    let status = response.status;
                    let error = refused(&response);
                    if status == 401 && !renewed && !once {
                        renewed = true;
                        held = self.token(Some(&held)).await?;
                        continue;
                    }
                    (error, Trouble::Status(status, response.retry_after()))
                }
                Err((error, trouble)) => {
                    drop(permit);
                    (error, trouble)
                }
            };
            let chance = retry::chance();
            let wait = self.patience.wait(&attempt.method, trouble, repeats, waited, chance);
            match wait {
                Some(wait) if !once => {
                    tokio::time::sleep(wait).await;
                    repeats += 1;
                    waited += wait;
                    // It may have run out meanwhile.
                    held = self.token(None).await?;
                }
                Some(_) | None => return Err(error),
            }
        }
    }

    /// The reply to a request that needs no token and does no harm when it is sent again. A refusal
    /// that repeating does not help is a reply.
    pub(super) async fn ask(
        &self,
        attempt: &Attempt,
        body: Option<&[u8]>,
    ) -> Result<Response, ApiError> {
        let (mut repeats, mut waited) = (0, Duration::ZERO);
        loop {
            let payload = body.map_or(Payload::None, |body| Payload::Bytes(body.to_vec(), true));
            let (outcome, trouble) = match self.once(attempt, payload, None).await {
                Ok(response) if response.is_success() => return Ok(response),
                Ok(response) => {
                    let trouble = Trouble::Status(response.status, response.retry_after());
                    (Ok(response), trouble)
                }
                Err((error, trouble)) => (Err(error), trouble),
            };
            let chance = retry::chance();
            match self.patience.wait(&Method::GET, trouble, repeats, waited, chance) {
                Some(wait) => {
                    tokio::time::sleep(wait).await;
                    repeats += 1;
                    waited += wait;
                }
                None => return outcome,
            }
        }
    }

    /// One request, whatever comes of it.
    async fn once(
        &self,
        attempt: &Attempt,
        payload: Payload,
        token: Option<&Token>,
    ) -> Result<Response, (ApiError, Trouble)> {
        let mut builder = self.client.request(attempt.method.clone(), attempt.url.clone());
        builder = builder.header("accept", "application/json");
        if let Some(token) = token {
            builder = builder.header("x-auth-token", transport::sensitive(&token.id));
        }
        if self.settings.no_cache {
            builder = builder.header("cache-control", "no-cache");
        }
        for (name, value) in &attempt.headers {
            builder = builder.header(*name, value);
        }
        let typed =
            attempt.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        builder = match payload {
            Payload::None => builder.timeout(REQUEST_TIMEOUT),
            Payload::Bytes(bytes, json) => {
                if json && !typed {
                    builder = builder.header("content-type", "application/json");
                }
                builder.timeout(REQUEST_TIMEOUT).body(bytes)
            }
            Payload::Stream(body, length) => {
                if let Some(length) = length {
                    builder = builder.header("content-length", length);
                }
                builder.body(body)
            }
        };
        self.calls.fetch_add(1, Ordering::Relaxed);
        let known = self.heard.load(Ordering::Relaxed);
        let failed = |error: reqwest::Error| transport::failed(&error, attempt, known);
        let response = builder.send().await.map_err(failed)?;
        self.heard.store(true, Ordering::Relaxed);
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = match response.bytes().await {
            Ok(body) => body.to_vec(),
            // What is left of a refusal still is one.
            Err(_) if status >= 400 => Vec::new(),
            Err(error) => return Err(failed(error)),
        };
        let (method, path) = (attempt.method.clone(), attempt.path.clone());
        Ok(Response { status, headers, body, method, path })
    }
}

impl Response {
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// How long the service wants us to wait.
    fn retry_after(&self) -> Option<Duration> {
        let header = self.headers.get(RETRY_AFTER)?.to_str().ok()?;
        retry::retry_after(header, SystemTime::now())
    }
}

/// Where the request goes.
fn resolve(base: &Url, path: &str) -> Result<Url, ApiError> {
    let whole = if path.starts_with("http://") || path.starts_with("https://") {
        path.to_owned()
    } else {
        let slash = if path.starts_with(['/', '?']) || path.is_empty() { "" } else { "/" };
        format!("{}{slash}{path}", base.as_str().trim_end_matches('/'))
    };
    match Url::parse(&whole) {
        // The token is for this service alone.
        Ok(url) if url.origin() == base.origin() => Ok(url),
        Ok(_) => Err(unsent(format!("`{whole}` is not on the service's host"))),
        Err(_) => Err(unsent(format!("`{whole}` is not a URL"))),
    }
}

/// What stays the same when a request is sent again.
pub(super) struct Attempt {
    pub method: Method,
    pub url: Url,
    /// For messages.
    pub path: String,
    pub headers: Vec<(&'static str, String)>,
}

enum Payload {
    None,
    /// And whether it is JSON.
    Bytes(Vec<u8>, bool),
    Stream(reqwest::Body, Option<u64>),
}

pub(super) fn unsent(reason: String) -> ApiError {
    ApiError::Unsent { reason, advice: String::new(), transient: false }
}

pub(super) fn refused(response: &Response) -> ApiError {
    let (code, message) = error::parse(response.status, &response.body);
    let id = ["x-openstack-request-id", "x-compute-request-id"];
    let id = id.iter().find_map(|name| response.headers.get(*name)?.to_str().ok());
    ApiError::Refused {
        status: response.status,
        code,
        message,
        method: response.method.to_string(),
        path: response.path.clone(),
        request_id: id.map(str::to_owned),
    }
}
