//! Finds services: where their versioned base is, and which microversion Nova and we agree on.

use reqwest::{Method, Url};
use serde_json::Value as Json;

use super::catalog::{self, Found};
use super::error::ApiError;
use super::send::{Attempt, unsent};
use super::{Request, Service, Session};

/// The newest microversion of Nova that we speak.
pub(super) const COMPUTE_MAX: (u32, u32) = (2, 93);

impl Session {
    /// The microversion that we and Nova agree on.
    pub(crate) async fn compute_version(&self) -> Result<(u32, u32), ApiError> {
        let version = self.compute.get(|_| true, async {
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
            let document = document.await.and_then(|response| response.json());
            let document = document.map_err(|error| error.before("ask Nova for its version"))?;
            let newest = document.pointer("/version/version").and_then(Json::as_str);
            let newest = newest.and_then(|text| {
                let (major, minor) = text.split_once('.')?;
                Some((major.parse().ok()?, minor.parse().ok()?))
            });
            // Before microversions there was 2.1.
            Ok(newest.unwrap_or((2, 1)).min(COMPUTE_MAX))
        });
        version.await
    }

    /// Whether the cloud has the service, as far as settings and catalogue tell.
    pub(crate) async fn offers(&self, service: Service) -> Result<bool, ApiError> {
        let held = self.token(None).await?;
        Ok(catalog::find(service, &self.settings, &held.token.identity).is_ok())
    }

    /// The versioned base, found once.
    pub(super) async fn base(&self, service: Service) -> Result<Url, ApiError> {
        let Some(cell) = self.endpoints.get(&service) else {
            return Err(unsent(format!("there is no {} service", service.name())));
        };
        let url = cell.get(|_| true, async {
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
        url.await
    }

    /// Asks the service where its version is. One that does not say has it where all have it.
    async fn discover(&self, service: Service, root: &Url) -> Result<String, ApiError> {
        let mut url = root.clone();
        url.set_path(&format!("{}/", root.path().trim_end_matches('/')));
        let path = url.path().to_owned();
        let attempt = Attempt { method: Method::GET, url, path, headers: Vec::new() };
        let response = self.ask(&attempt, None).await.map_err(|error| {
            error.before(&format!("ask the {} service for its version", service.name()))
        })?;
        let document = response.json().unwrap_or_default();
        let told = catalog::version_segment(service, &document);
        Ok(told.or_else(|| service.version().map(str::to_owned)).unwrap_or_default())
    }
}
