//! Gets tokens from Keystone: one for all who want one, and another before it ends.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use reqwest::{Method, Url};

use super::Session;
use super::error::{self, ApiError};
use super::send::{Attempt, refused, unsent};
use super::token::{self, Token};
use crate::auth::{Credential, Scope};

/// A token is replaced when less than this is left of it.
const TOKEN_MARGIN: Duration = Duration::from_secs(120);

/// A token and when it came.
pub(super) struct Held {
    pub token: Token,
    pub since: Instant,
}

impl Session {
    /// The token that is used now; another one when it ran out or is `stale`. Why there is none is
    /// told such that it cannot be taken for an answer to what the token is wanted for.
    pub(super) async fn token(&self, stale: Option<&Arc<Held>>) -> Result<Arc<Held>, ApiError> {
        let held = self.admission(stale).await;
        held.map_err(|error| error.before(&format!("authenticate at {}", self.settings.auth_url)))
    }

    /// The same, for those who only want a token.
    pub(super) async fn admission(&self, stale: Option<&Arc<Held>>) -> Result<Arc<Held>, ApiError> {
        let renews = token::renews(&self.settings.credential) && self.settings.allow_reauth;
        let margin = if renews { TOKEN_MARGIN } else { Duration::ZERO };
        let good = |held: &Arc<Held>| {
            // A token that lives shorter than the margin is used for half of its life.
            let margin = margin.min(held.token.lifetime / 2);
            stale.is_none_or(|stale| !Arc::ptr_eq(stale, held))
                && held.since.elapsed() + margin < held.token.lifetime
        };
        let get = async {
            if let Some(error) = self.refusal.get() {
                return Err(error.clone());
            }
            if self.held.last().is_some() && !renews {
                return Err(self.ran_out());
            }
            match self.ask_for_token().await {
                Ok(token) => Ok(Arc::new(Held { token, since: Instant::now() })),
                Err(error) => {
                    // Trying a wrong password again and again would get the user locked.
                    if matches!(error.status(), Some(400..=407 | 410..=428)) {
                        let _ = self.refusal.set(self.explained(error.clone()));
                    }
                    Err(self.explained(error))
                }
            }
        };
        self.held.get(good, get).await
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
        // A token more does not hurt anybody, so it may be asked for as often as one may read.
        let response = self.ask(&attempt, body.as_deref()).await?;
        if !response.is_success() {
            return Err(refused(&response));
        }
        let id = match (given, response.headers.get("x-subject-token")) {
            (Some(token), _) => token.reveal().to_owned(),
            (None, Some(id)) => id.to_str().unwrap_or_default().to_owned(),
            (None, None) => String::new(),
        };
        let body = response.json().unwrap_or_default();
        let token = token::read(&id, &body, given.is_none(), SystemTime::now());
        token.filter(|_| !id.is_empty()).ok_or_else(|| ApiError::Unsent {
            reason: format!("{} did not answer with a token", self.settings.auth_url),
            advice: "Is auth_url the address of Keystone?".to_owned(),
            transient: false,
        })
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

    /// Keystone's refusal, with what to do about it.
    fn explained(&self, error: ApiError) -> ApiError {
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
            _ => return error,
        };
        let ApiError::Refused { message, .. } = &error else { return error };
        ApiError::Unsent {
            reason: error::sentence(message),
            advice: advice.to_owned(),
            transient: false,
        }
    }
}
