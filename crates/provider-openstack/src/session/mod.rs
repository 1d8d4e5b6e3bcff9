//! A connection to a cloud: requests with a token, sent again where that is safe.
//!
//! Knows services and how they are found, but nothing of what they keep: that is for those who
//! call. Nothing is written anywhere, so no secret can be.

mod authority;
mod catalog;
mod error;
mod limit;
mod page;
mod retry;
mod send;
mod services;
mod shared;
mod token;
mod transport;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use plumb_provider::Failure;
use reqwest::header::{DATE, HeaderMap};
use reqwest::{Client, Method, Url};
use serde_json::Value as Json;

pub(crate) use catalog::Service;
pub(crate) use error::{ApiError, capital};
pub(crate) use token::CatalogEntry;

use crate::auth::Settings;
use authority::Held;
use limit::Limit;
use retry::Patience;
use shared::Shared;

/// A connection.
pub(crate) struct Session {
    settings: Settings,
    client: Client,
    limit: Limit,
    patience: Patience,
    held: Shared<Arc<Held>>,
    /// Why Keystone will never give a token.
    refusal: OnceLock<ApiError>,
    endpoints: BTreeMap<Service, Shared<Url>>,
    compute: Shared<(u32, u32)>,
    calls: AtomicU64,
    /// Something answered once.
    heard: AtomicBool,
}

/// A request in all generality.
pub(crate) struct Request<'a> {
    pub method: Method,
    pub service: Service,
    /// What comes after the versioned base: `/networks?name=a`. Or a whole URL on the same host.
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
    /// What the service's clock said.
    pub(crate) fn date(&self) -> Option<SystemTime> {
        httpdate::parse_http_date(self.headers.get(DATE)?.to_str().ok()?).ok()
    }

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
            held: Shared::new(),
            refusal: OnceLock::new(),
            endpoints: services.map(|service| (service, Shared::new())).into(),
            compute: Shared::new(),
            calls: AtomicU64::new(0),
            heard: AtomicBool::new(false),
            settings,
        })
    }

    /// Gets a token, if there is none yet.
    pub(crate) async fn authenticate(&self) -> Result<(), Failure> {
        self.admitted().await.map(drop)
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

    /// All objects of a list, page by page. `key` is what the list stands under.
    pub(crate) async fn list(
        &self,
        service: Service,
        path: &str,
        key: &str,
    ) -> Result<Vec<Json>, ApiError> {
        self.list_dated(service, path, key).await.map(|it| it.0)
    }

    /// The same, and what the service's clock said with the first page.
    pub(crate) async fn list_dated(
        &self,
        service: Service,
        path: &str,
        key: &str,
    ) -> Result<(Vec<Json>, Option<SystemTime>), ApiError> {
        let mut all = Vec::new();
        let mut seen = BTreeSet::new();
        let mut path = path.to_owned();
        let mut date = None;
        loop {
            let response = self.send(Request::new(Method::GET, service, &path)).await?;
            if seen.is_empty() {
                date = response.date();
            }
            let mut page = response.json()?;
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
                Some(_) | None => return Ok((all, date)),
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
        let held = self.held.last()?;
        let endpoints = held.token.identity.catalog.iter().flat_map(|entry| &entry.endpoints);
        let mut regions = endpoints.map(|endpoint| &endpoint.region);
        let first = regions.next()?;
        regions.all(|region| region == first).then(|| first.clone())
    }

    /// Who we are, and what there is.
    pub(crate) async fn identity(&self) -> Result<token::Identity, Failure> {
        self.admitted().await.map(|held| held.token.identity.clone())
    }

    /// The token itself.
    pub(crate) async fn token_id(&self) -> Result<String, Failure> {
        self.admitted().await.map(|held| held.token.id.reveal().to_owned())
    }

    async fn admitted(&self) -> Result<Arc<Held>, Failure> {
        let doing = format!("authenticate at {}", self.settings.auth_url);
        self.admission(None).await.map_err(|error| error.failure(&doing))
    }

    /// The versioned base of a service.
    #[cfg(test)]
    pub(crate) async fn endpoint(&self, service: Service) -> Result<Url, Failure> {
        let doing = format!("find the {} service", service.name());
        self.base(service).await.map_err(|error| error.failure(&doing))
    }

    /// How many requests were sent.
    #[cfg(test)]
    pub(crate) fn calls(&self) -> u64 {
        self.calls.load(std::sync::atomic::Ordering::Relaxed)
    }
}

#[cfg(test)]
pub(crate) mod fake;
#[cfg(test)]
mod tests;
