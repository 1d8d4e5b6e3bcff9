//! A connection to a cloud: requests with a token, sent again where that is safe.
//!
//! Knows services and how they are found, but nothing of what they keep: that is for those who
//! call. Nothing is written anywhere, so no secret can be.

mod catalog;
mod error;
mod limit;
mod page;
mod retry;
mod token;
mod transport;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use plumb_provider::Failure;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Client, Method, Url};
use serde_json::Value as Json;
use tokio::sync::OnceCell;

pub(crate) use catalog::Service;
pub(crate) use error::{ApiError, capital};
#[allow(unused_imports)]
pub(crate) use token::{CatalogEntry, Endpoint, Identity};

use crate::auth::{Credential, Scope, Settings};
use catalog::Found;
use limit::Limit;
use retry::{Patience, Trouble};
use token::Token;

/// The newest microversion of Nova that we speak.
const COMPUTE_MAX: (u32, u32) = (2, 93);

/// How long one request may take, unless it carries a file.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(300);

/// A token is replaced when less than this is left of it.
const TOKEN_MARGIN: Duration = Duration::from_secs(120);

/// A connection.
pub(crate) struct Session {
    settings: Settings,
    client: Client,
    limit: Limit,
    patience: Patience,
    /// The token that is used now.
    current: Mutex<Option<Arc<Held>>>,
    /// Held while a token is being got, so that one request is enough for all who wait. What is in
    /// it is why there will never be another.
    renewal: tokio::sync::Mutex<Option<ApiError>>,
    endpoints: BTreeMap<Service, OnceCell<Url>>,
    compute: OnceCell<(u32, u32)>,
    calls: AtomicU64,
    /// Something answered once.
    heard: AtomicBool,
}

/// A token and when it came.
struct Held {
    token: Token,
    since: Instant,
}

/// A request in all generality.
pub(crate) struct Request<'a> {
    pub method: Method,
    pub service: Service,
    /// What comes after the versioned base: `/networks?name=a`. Or a whole URL of the service.
    pub path: &'a str,
    pub headers: Vec<(&'static str, String)>,
    pub body: Body<'a>,
    /// Nova's microversion for this request instead of the one agreed on.
    pub version: Option<(u32, u32)>,
}

/// What a request carries.
pub(crate) enum Body<'a> {
    None,
    Json(&'a Json),
    Bytes(Vec<u8>),
    /// Can be sent only once, and takes as long as it takes.
    Stream(reqwest::Body, Option<u64>),
}

/// What came back; the status is one of success.
pub(crate) struct Response {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    method: Method,
    path: String,
}

impl<'a> Request<'a> {
    pub(crate) fn new(method: Method, service: Service, path: &'a str) -> Request<'a> {
        Request { method, service, path, headers: Vec::new(), body: Body::None, version: None }
    }

    /// The same with a body.
    #[must_use]
    pub(crate) fn json(self, body: &'a Json) -> Request<'a> {
        Request { body: Body::Json(body), ..self }
    }

    /// The same with a header more.
    #[must_use]
    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Request<'a> {
        self.headers.push((name, value.into()));
        self
    }

    /// The same with this microversion of Nova.
    #[must_use]
    pub(crate) fn version(self, version: (u32, u32)) -> Request<'a> {
        Request { version: Some(version), ..self }
    }
}

impl Response {
    /// The body; null when there is none.
    pub(crate) fn json(&self) -> Result<Json, ApiError> {
        if self.body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Json::Null);
        }
        // The status was one of success: it is done, but what, we do not know.
        serde_json::from_slice(&self.body).map_err(|error| ApiError::Lost {
            method: self.method.to_string(),
            path: self.path.clone(),
            reason: format!("the reply is not JSON ({error})"),
        })
    }
}

impl Session {
    /// Prepares it. Nothing is sent.
    pub(crate) fn new(settings: Settings) -> Result<Session, Failure> {
        let client = transport::client(&settings)?;
        let services = [
            Service::Identity,
            Service::Network,
            Service::Compute,
            Service::Image,
            Service::Volume,
            Service::Placement,
        ];
        Ok(Session {
            client,
            limit: Limit::new(16, 64),
            patience: Patience::new(settings.max_retries),
            current: Mutex::new(None),
            renewal: tokio::sync::Mutex::new(None),
            endpoints: services.map(|service| (service, OnceCell::new())).into(),
            compute: OnceCell::new(),
            calls: AtomicU64::new(0),
            heard: AtomicBool::new(false),
            settings,
        })
    }

    /// Gets a token, if there is none yet.
    pub(crate) async fn authenticate(&self) -> Result<(), Failure> {
        self.token(None).await.map(drop).map_err(|error| self.no_token(&error))
    }

    pub(crate) async fn get(&self, service: Service, path: &str) -> Result<Json, ApiError> {
        self.send(Request::new(Method::GET, service, path)).await?.json()
    }

    pub(crate) async fn post(
        &self,
        service: Service,
        path: &str,
        body: &Json,
    ) -> Result<Json, ApiError> {
        self.send(Request::new(Method::POST, service, path).json(body)).await?.json()
    }

    pub(crate) async fn put(
        &self,
        service: Service,
        path: &str,
        body: &Json,
    ) -> Result<Json, ApiError> {
        self.send(Request::new(Method::PUT, service, path).json(body)).await?.json()
    }

    pub(crate) async fn patch(
        &self,
        service: Service,
        path: &str,
        body: &Json,
    ) -> Result<Json, ApiError> {
        self.send(Request::new(Method::PATCH, service, path).json(body)).await?.json()
    }

    pub(crate) async fn delete(&self, service: Service, path: &str) -> Result<(), ApiError> {
        self.send(Request::new(Method::DELETE, service, path)).await.map(drop)
    }

    pub(crate) async fn delete_with(
        &self,
        service: Service,
        path: &str,
        body: &Json,
    ) -> Result<Json, ApiError> {
        self.send(Request::new(Method::DELETE, service, path).json(body)).await?.json()
    }

    /// All objects of a list, page by page. `key` is what the list stands under.
    pub(crate) async fn list(
        &self,
        service: Service,
        path: &str,
        key: &str,
    ) -> Result<Vec<Json>, ApiError> {
        let mut all = Vec::new();
        let mut seen = std::collections::BTreeSet::new();
        let mut path = path.to_owned();
        loop {
            let mut page = self.get(service, &path).await?;
            let next = page::next(&page, key, &path);
            let Some(Json::Array(items)) = page.get_mut(key).map(Json::take) else {
                return Err(ApiError::Unsent {
                    reason: format!("the {} service's reply has no `{key}`", service.name()),
                    advice: format!("It was asked for {path}; is the endpoint the right one?"),
                    transient: false,
                });
            };
            let ended = items.is_empty();
            all.extend(items);
            seen.insert(path);
            match next {
                // A service that leads in a circle would keep us for ever.
                Some(next) if !ended && !seen.contains(&next) => path = next,
                Some(_) | None => return Ok(all),
            }
        }
    }

    /// Sends a file. It is sent once.
    pub(crate) async fn upload(
        &self,
        service: Service,
        path: &str,
        content_type: &str,
        body: reqwest::Body,
        length: Option<u64>,
    ) -> Result<(), ApiError> {
        let mut request = Request::new(Method::PUT, service, path);
        request = request.header("content-type", content_type);
        request.body = Body::Stream(body, length);
        self.send(request).await.map(drop)
    }

    /// The region that settings name, or the only one of the catalogue. None before there is a
    /// token.
    pub(crate) fn region(&self) -> Option<String> {
        if self.settings.region.is_some() {
            return self.settings.region.clone();
        }
        let held = self.held()?;
        let endpoints = held.token.identity.catalog.iter().flat_map(|entry| &entry.endpoints);
        let mut regions = endpoints.map(|endpoint| &endpoint.region);
        let first = regions.next()?;
        regions.all(|region| region == first).then(|| first.clone())
    }

    /// Who we are, and what there is.
    pub(crate) async fn identity(&self) -> Result<Identity, Failure> {
        match self.token(None).await {
            Ok(held) => Ok(held.token.identity.clone()),
            Err(error) => Err(self.no_token(&error)),
        }
    }

    /// The token itself.
    pub(crate) async fn token_id(&self) -> Result<String, Failure> {
        match self.token(None).await {
            Ok(held) => Ok(held.token.id.reveal().to_owned()),
            Err(error) => Err(self.no_token(&error)),
        }
    }

    /// The versioned base of a service.
    pub(crate) async fn endpoint(&self, service: Service) -> Result<Url, Failure> {
        let doing = format!("find the {} service", service.name());
        self.base(service).await.map_err(|error| error.failure(&doing))
    }

    /// The microversion that we and Nova agree on.
    pub(crate) async fn compute_version(&self) -> Result<(u32, u32), ApiError> {
        let version = self.compute.get_or_try_init(|| async {
            let mut url = self.base(Service::Compute).await?;
            let version = catalog::version_at(&url);
            let kept = url.path_segments().zip(version).map(|(segments, version)| {
                segments.take(version + 1).collect::<Vec<_>>().join("/")
            });
            if let Some(kept) = kept {
                url.set_path(&format!("{kept}/"));
            }
            let document = self.send(Request {
                // None is wanted for this.
                version: Some((0, 0)),
                ..Request::new(Method::GET, Service::Compute, url.as_str())
            });
            let document = document.await?.json()?;
            let newest = document.pointer("/version/version").and_then(Json::as_str);
            let newest = newest.and_then(|text| {
                let (major, minor) = text.split_once('.')?;
                Some((major.parse().ok()?, minor.parse().ok()?))
            });
            // Before microversions there was 2.1.
            Ok(newest.unwrap_or((2, 1)).min(COMPUTE_MAX))
        });
        version.await.copied()
    }

    /// How many requests were sent.
    pub(crate) fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// The general form.
    pub(crate) async fn send(&self, request: Request<'_>) -> Result<Response, ApiError> {
        let Request { method, service, path, mut headers, body, version } = request;
        let url = match path.contains("://") {
            true => Url::parse(path).map_err(|_| unsent(format!("`{path}` is not a URL")))?,
            false => {
                let base = self.base(service).await?;
                let base = base.as_str().trim_end_matches('/');
                let slash = if path.starts_with(['/', '?']) || path.is_empty() { "" } else { "/" };
                let whole = format!("{base}{slash}{path}");
                Url::parse(&whole).map_err(|_| unsent(format!("`{whole}` is not a URL")))?
            }
        };
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
                Ok(response) if (200..300).contains(&response.status) => {
                    permit.went_well();
                    return Ok(response);
                }
                Ok(response) => {
                    let wait = response.headers.get(RETRY_AFTER).and_then(|value| {
                        retry::retry_after(value.to_str().ok()?, SystemTime::now())
                    });
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
                    (error, Trouble::Status(status, wait))
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

    fn held(&self) -> Option<Arc<Held>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The token that is used now; another one when it ran out or is `stale`.
    async fn token(&self, stale: Option<&Arc<Held>>) -> Result<Arc<Held>, ApiError> {
        let renews = token::renews(&self.settings.credential) && self.settings.allow_reauth;
        let margin = if renews { TOKEN_MARGIN } else { Duration::ZERO };
        let usable = |held: &Arc<Held>| {
            // A token that lives shorter than the margin is used to its end.
            let margin = margin.min(held.token.lifetime / 2);
            stale.is_none_or(|stale| !Arc::ptr_eq(stale, held))
                && held.since.elapsed() + margin < held.token.lifetime
        };
        if let Some(held) = self.held().filter(usable) {
            return Ok(held);
        }
        let mut renewal = self.renewal.lock().await;
        if let Some(error) = &*renewal {
            return Err(error.clone());
        }
        let before = self.held();
        if let Some(held) = before.clone().filter(usable) {
            return Ok(held);
        }
        if before.is_some() && !renews {
            let error = self.ran_out();
            *renewal = Some(error.clone());
            return Err(error);
        }
        match self.ask_for_token().await {
            Ok(token) => {
                let held = Arc::new(Held { token, since: Instant::now() });
                let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
                *current = Some(held.clone());
                Ok(held)
            }
            Err(error) => {
                // Trying a wrong password again and again would get the user locked.
                if matches!(error.status(), Some(400..=407 | 410..=428)) {
                    *renewal = Some(error.clone());
                }
                Err(error)
            }
        }
    }

    async fn ask_for_token(&self) -> Result<Token, ApiError> {
        let path = "/auth/tokens".to_owned();
        let url = format!("{}{path}", self.settings.auth_url.as_str().trim_end_matches('/'));
        let url = Url::parse(&url).map_err(|_| unsent(format!("`{url}` is not a URL")))?;
        let given = match (&self.settings.credential, &self.settings.scope) {
            // As it is; asking for another would lose its scope.
            (Credential::Token(token), Scope::Unscoped) => Some(token),
            _ => None,
        };
        let (method, body, headers) = match given {
            None => {
                let body = token::request(&self.settings.credential, &self.settings.scope);
                (Method::POST, Some(body.to_string().into_bytes()), Vec::new())
            }
            Some(token) => {
                let id = token.reveal().to_owned();
                let headers = vec![("x-auth-token", id.clone()), ("x-subject-token", id)];
                (Method::GET, None, headers)
            }
        };
        let attempt = Attempt { method, url, path, headers };
        let (mut repeats, mut waited) = (0, Duration::ZERO);
        loop {
            let payload = match &body {
                Some(bytes) => Payload::Bytes(bytes.clone(), true),
                None => Payload::None,
            };
            let (error, trouble) = match self.once(&attempt, payload, None).await {
                Ok(response) if (200..300).contains(&response.status) => {
                    let id = match (given, response.headers.get("x-subject-token")) {
                        (Some(token), _) => token.reveal().to_owned(),
                        (None, Some(id)) => id.to_str().unwrap_or_default().to_owned(),
                        (None, None) => String::new(),
                    };
                    let body = response.json().unwrap_or_default();
                    let token = token::read(&id, &body, given.is_none(), SystemTime::now());
                    return token.filter(|_| !id.is_empty()).ok_or_else(|| ApiError::Unsent {
                        reason: format!("{} did not answer with a token", self.settings.auth_url),
                        advice: "Is auth_url the address of Keystone?".to_owned(),
                        transient: false,
                    });
                }
                Ok(response) => {
                    let wait = response.headers.get(RETRY_AFTER).and_then(|value| {
                        retry::retry_after(value.to_str().ok()?, SystemTime::now())
                    });
                    (refused(&response), Trouble::Status(response.status, wait))
                }
                Err(failed) => failed,
            };
            // A token more does not hurt anybody: it may be asked for as often as one may read.
            let chance = retry::chance();
            match self.patience.wait(&Method::GET, trouble, repeats, waited, chance) {
                Some(wait) => {
                    tokio::time::sleep(wait).await;
                    repeats += 1;
                    waited += wait;
                }
                None => return Err(error),
            }
        }
    }

    /// The token ended, and there cannot be another.
    fn ran_out(&self) -> ApiError {
        let advice = match (&self.settings.credential, self.settings.allow_reauth) {
            (Credential::Token(_), _) => {
                "A token cannot be renewed: get a new one (`openstack token issue`) and set it as \
                 `token` or OS_TOKEN, or give a password or an application credential instead."
            }
            (Credential::Totp { .. } | Credential::Password { passcode: Some(_), .. }, _) => {
                "A passcode is good for one token: run again with a new one. An application \
                 credential needs none."
            }
            (_, false) => "A new one is not asked for, because `allow_reauth` is false.",
            (_, true) => "",
        };
        ApiError::Unsent {
            reason: "the token has expired or was revoked".to_owned(),
            advice: advice.to_owned(),
            transient: false,
        }
    }

    /// Why there is no token, for people.
    fn no_token(&self, error: &ApiError) -> Failure {
        let mut failure = error.failure(&format!("authenticate at {}", self.settings.auth_url));
        let advice = match (error.status(), &self.settings.credential) {
            (Some(401), Credential::Password { .. } | Credential::Totp { .. }) => {
                "Check user_name, password, user_domain_name and the project."
            }
            (Some(401 | 404), Credential::Token(_)) => {
                "The token may have expired: get a new one (`openstack token issue`)."
            }
            (Some(401 | 404), Credential::Application { .. }) => {
                "Check application_credential_id and application_credential_secret; the \
                 credential may have expired or been deleted."
            }
            (Some(404), _) => "Is auth_url the address of Keystone?",
            _ => return failure,
        };
        if let ApiError::Refused { message, .. } = error {
            failure.detail = format!("{} {advice}", error::sentence(message));
        }
        failure
    }

    /// The versioned base, found once.
    async fn base(&self, service: Service) -> Result<Url, ApiError> {
        let Some(cell) = self.endpoints.get(&service) else {
            return Err(unsent(format!("there is no {} service", service.name())));
        };
        let url = cell.get_or_try_init(|| async {
            let held = self.token(None).await?;
            let identity = &held.token.identity;
            match catalog::find(service, &self.settings, identity) {
                Ok(Found::Whole(url)) => Ok(url),
                Ok(Found::Unversioned(url)) => {
                    let version = self.discover(service, &url).await?;
                    Ok(catalog::versioned(url, &version, service, &identity.project_id))
                }
                Err(failure) => Err(ApiError::Unsent {
                    reason: failure.summary,
                    advice: failure.detail,
                    transient: false,
                }),
            }
        });
        url.await.cloned()
    }

    /// Asks the service where its version is. One that does not say has it where all have it.
    async fn discover(&self, service: Service, root: &Url) -> Result<String, ApiError> {
        let mut url = root.clone();
        url.set_path(&format!("{}/", root.path().trim_end_matches('/')));
        let path = url.path().to_owned();
        let attempt = Attempt { method: Method::GET, url, path, headers: Vec::new() };
        let (mut repeats, mut waited) = (0, Duration::ZERO);
        let document = loop {
            match self.once(&attempt, Payload::None, None).await {
                Ok(response) => break response.json().unwrap_or_default(),
                Err((error, trouble)) => {
                    let chance = retry::chance();
                    match self.patience.wait(&Method::GET, trouble, repeats, waited, chance) {
                        Some(wait) => {
                            tokio::time::sleep(wait).await;
                            repeats += 1;
                            waited += wait;
                        }
                        None => return Err(error),
                    }
                }
            }
        };
        let told = catalog::version_segment(service, &document);
        Ok(told.or_else(|| service.version().map(str::to_owned)).unwrap_or_default())
    }
}

/// What stays the same when a request is sent again.
struct Attempt {
    method: Method,
    url: Url,
    /// For messages.
    path: String,
    headers: Vec<(&'static str, String)>,
}

enum Payload {
    None,
    /// And whether it is JSON.
    Bytes(Vec<u8>, bool),
    Stream(reqwest::Body, Option<u64>),
}

fn unsent(reason: String) -> ApiError {
    ApiError::Unsent { reason, advice: String::new(), transient: false }
}

fn refused(response: &Response) -> ApiError {
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

#[cfg(test)]
mod fake;
#[cfg(test)]
mod tests;
