//! From the client library's errors to what a person is told, and to whether a reply was lost.

use bollard::errors::Error;
use plumb_model::event::{Effect, Remote};
use plumb_model::value::Value;
use plumb_provider::{Failure, Outcome};

use crate::connect::Unreachable;
use crate::registry::RegistryError;

/// The HTTP status that the engine refused with.
pub(crate) fn status(error: &Error) -> Option<u16> {
    match error {
        Error::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

/// There is no such object.
pub(crate) fn is_missing(error: &Error) -> bool {
    status(error) == Some(404)
}

/// Nobody knows whether the engine did it.
pub(crate) fn is_lost(error: &Error) -> bool {
    unreachable(error).is_none()
        && !matches!(
            error,
            Error::DockerResponseServerError { .. }
                | Error::DockerStreamError { .. }
                | Error::JsonSerdeError { .. }
                | Error::URLEncodedError { .. }
                | Error::URLParseError { .. }
                | Error::InvalidURIError { .. }
                | Error::HttpClientError { .. }
        )
}

fn unreachable(error: &Error) -> Option<&Unreachable> {
    match error {
        Error::IOError { err } => err.get_ref()?.downcast_ref(),
        _ => None,
    }
}

/// `doing` is what we were at: `create the container "web"`.
pub(crate) fn fail(doing: &str, error: &Error) -> Failure {
    if let Some(unreachable) = unreachable(error) {
        return Failure::new(
            "Cannot connect to the Docker engine",
            format!("While trying to {doing}: {unreachable}"),
        );
    }
    let said = match error {
        Error::DockerResponseServerError { message, .. } => message.clone(),
        Error::DockerStreamError { error } => error.clone(),
        Error::RequestTimeoutError => "The engine did not answer in time.".to_owned(),
        other => chain(other),
    };
    let failure = Failure::new(format!("Cannot {doing}"), sentence(&said));
    let passing = ["timeout", "connection reset", "deadline exceeded", "temporarily"];
    let lower = said.to_ascii_lowercase();
    let transient = match status(error) {
        Some(status @ 500..) => {
            matches!(status, 502..=504) || passing.iter().any(|word| lower.contains(word))
        }
        Some(429) => true,
        Some(_) => false,
        None => is_lost(error) || passing.iter().any(|word| lower.contains(word)),
    };
    if transient { failure.transient() } else { failure }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

/// The engine's words as a sentence.
fn sentence(said: &str) -> String {
    let said = said.trim();
    let mut chars = said.chars();
    let first: String = chars.next().into_iter().flat_map(char::to_uppercase).collect();
    let end = if said.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{end}", chars.as_str())
}

/// What came of the call that makes the object.
pub(crate) fn not_made(doing: &str, error: &Error) -> Outcome {
    match is_lost(error) {
        true => Outcome::lost(fail(doing, error)),
        false => Outcome::failed(fail(doing, error)),
    }
}

/// Made, but not to the end.
pub(crate) fn half_made(attrs: Value, failure: Failure) -> Outcome {
    Outcome::failed_leaving(Effect::Made(Remote { attrs, private: None, complete: false }), failure)
}

/// Changed in part: what it is now is known.
pub(crate) fn half_changed(attrs: Value, failure: Failure) -> Outcome {
    Outcome::failed_leaving(Effect::Made(Remote { attrs, private: None, complete: true }), failure)
}

/// A whole object.
pub(crate) fn whole(attrs: Value) -> Remote {
    Remote { attrs, private: None, complete: true }
}

/// Attaches what we were at.
pub(crate) trait OrFail<T> {
    fn or_fail(self, doing: impl FnOnce() -> String) -> Result<T, Failure>;
}

impl<T> OrFail<T> for Result<T, Error> {
    fn or_fail(self, doing: impl FnOnce() -> String) -> Result<T, Failure> {
        self.map_err(|error| fail(&doing(), &error))
    }
}

impl<T> OrFail<T> for Result<T, RegistryError> {
    fn or_fail(self, doing: impl FnOnce() -> String) -> Result<T, Failure> {
        self.map_err(|error| {
            let transient = error.is_transient();
            let failure = Failure::new(format!("Cannot {}", doing()), sentence(&error.to_string()));
            if transient { failure.transient() } else { failure }
        })
    }
}

/// `None` where the engine says that there is no such object.
pub(crate) fn found<T>(
    result: Result<T, Error>,
    doing: impl FnOnce() -> String,
) -> Result<Option<T>, Failure> {
    match result {
        Ok(it) => Ok(Some(it)),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(fail(&doing(), &error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status_code: u16, message: &str) -> Error {
        Error::DockerResponseServerError { status_code, message: message.to_owned() }
    }

    #[test]
    fn refusals_are_not_lost_and_say_why() {
        let error = refused(409, "Conflict. The container name \"/a\" is already in use");
        assert!(!is_lost(&error));
        let failure = fail("create the container \"a\"", &error);
        assert_eq!(failure.summary, "Cannot create the container \"a\"");
        assert_eq!(failure.detail, "Conflict. The container name \"/a\" is already in use.");
        assert!(!failure.transient);
    }

    #[test]
    fn what_may_pass_is_transient() {
        assert!(fail("x", &refused(503, "busy")).transient);
        assert!(
            fail("x", &refused(500, "Get https://r/v2/: net/http: TLS handshake timeout"))
                .transient
        );
        assert!(!fail("x", &refused(500, "no basic auth credentials")).transient);
        assert!(is_lost(&Error::RequestTimeoutError));
        assert!(fail("x", &Error::RequestTimeoutError).transient);
    }

    #[test]
    fn an_engine_that_is_down_is_not_a_lost_reply() {
        let down = Unreachable { endpoint: "unix:///x".into(), reason: "gone".into() };
        let error = Error::from(std::io::Error::other(down));
        assert!(!is_lost(&error));
        let failure = fail("list networks", &error);
        assert_eq!(failure.summary, "Cannot connect to the Docker engine");
        assert!(!failure.transient);
    }
}
