//! What went wrong with a request, and what a person is told.

use plumb_provider::Failure;
use serde_json::Value as Json;

/// Why a request did not do what it should.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ApiError {
    /// Nothing was sent, or nothing of it arrived: nothing happened.
    #[error("{reason}")]
    Unsent {
        /// One line.
        reason: String,
        /// Sentences: what to do.
        advice: String,
        /// It may pass.
        transient: bool,
    },
    /// Sent, and no reply came: nobody knows what happened.
    #[error("no proper reply to {method} {path}: {reason}")]
    Lost { method: String, path: String, reason: String },
    /// The service said no.
    #[error("{method} {path} was refused with {status}: {message}")]
    Refused {
        status: u16,
        /// The service's word for it: Neutron's type (`IpAddressInUse`), the key that Nova puts
        /// its fault under (`conflictingRequest`), Keystone's title. May be empty.
        code: String,
        message: String,
        method: String,
        path: String,
        /// What the cloud's operators find it by.
        request_id: Option<String>,
    },
}

impl ApiError {
    /// There is no such object.
    pub(crate) fn is_missing(&self) -> bool {
        matches!(self.status(), Some(404 | 410))
    }

    /// The object is in a state, or in use, so that this cannot be.
    pub(crate) fn is_conflict(&self) -> bool {
        self.status() == Some(409) && !self.is_quota()
    }

    /// The project may not have more of these.
    pub(crate) fn is_quota(&self) -> bool {
        let ApiError::Refused { status: status @ (403 | 409 | 413), code, message, .. } = self
        else {
            return false;
        };
        let lower = message.to_ascii_lowercase();
        let said = code == "OverQuota"
            || code.ends_with("LimitExceeded")
            || lower.contains("quota exceeded")
            || lower.contains("exceeds allowed quota")
            || lower.contains("exceeded for quota")
            || lower.contains("quota_exceeded")
            || lower.contains("exceeded quota");
        said || *status == 413 && code == "overLimit"
    }

    /// Nobody knows what happened.
    pub(crate) fn is_lost(&self) -> bool {
        matches!(self, ApiError::Lost { .. })
    }

    /// The HTTP status, if the service answered.
    pub(crate) fn status(&self) -> Option<u16> {
        match self {
            ApiError::Refused { status, .. } => Some(*status),
            ApiError::Unsent { .. } | ApiError::Lost { .. } => None,
        }
    }

    /// For people. `doing` is what we were at: `create the network "web"`.
    pub(crate) fn failure(&self, doing: &str) -> Failure {
        let summary = format!("Cannot {doing}");
        match self {
            ApiError::Unsent { reason, advice, transient } => {
                let detail = format!("{} {advice}", sentence(reason));
                let failure = Failure::new(summary, detail.trim_end());
                if *transient { failure.transient() } else { failure }
            }
            ApiError::Lost { method, reason, .. } => {
                let known = match &**method {
                    "GET" => "",
                    _ => " It is not known whether the cloud did it.",
                };
                let detail =
                    format!("The request was sent, but no proper reply came: {reason}.{known}");
                Failure::new(summary, detail).transient()
            }
            ApiError::Refused { status, message, request_id, .. } => {
                let mut parts = vec![sentence(message)];
                parts.extend(self.advice().map(str::to_owned));
                parts.extend(request_id.as_ref().map(|id| format!("(Request {id}.)")));
                let failure = Failure::new(summary, parts.join(" "));
                let passes = matches!(status, 408 | 425 | 429 | 502..=504);
                if passes { failure.transient() } else { failure }
            }
        }
    }

    /// The same error of something that had to be done before the request at hand could be sent. Of
    /// that, nothing was sent.
    pub(super) fn before(self, doing: &str) -> ApiError {
        let Failure { summary, detail, transient, .. } = self.failure(doing);
        ApiError::Unsent { reason: summary, advice: detail, transient }
    }

    fn advice(&self) -> Option<&'static str> {
        if self.is_quota() {
            return Some(
                "The project's quota is used up: delete what is not needed, or ask the cloud's \
                 operators for more.",
            );
        }
        match self.status()? {
            401 => Some("The token was not taken: check the credentials and their scope."),
            403 => Some(
                "The user lacks a role for this in the project; see `user_name`, `tenant_name` and \
                 the user's role assignments.",
            ),
            413 => Some("The request is larger than the service takes."),
            429 => Some("Too many requests at once; a lower parallelism helps."),
            300..=399 => Some(
                "The service sends requests elsewhere, and tokens do not follow: correct auth_url \
                 or the endpoint (https instead of http, perhaps).",
            ),
            502..=504 => Some("The service is down or overloaded; try again later."),
            500 => Some("This is an error inside of the cloud; its logs say more."),
            _ => None,
        }
    }
}

/// The service's word for what is wrong, and its message.
pub(super) fn parse(status: u16, body: &[u8]) -> (String, String) {
    let text = String::from_utf8_lossy(body);
    let (code, message) = match serde_json::from_slice::<Json>(body) {
        Ok(Json::Object(map)) => {
            let map = Json::Object(map);
            of_json(&map).unwrap_or_else(|| (String::new(), shortened(&map.to_string())))
        }
        Ok(Json::String(text)) => (String::new(), plain(&text)),
        Ok(_) | Err(_) => (String::new(), plain(&text)),
    };
    match message.is_empty() {
        true => (code, format!("the service answered {status} {}", phrase(status)).trim().into()),
        false => (code, message),
    }
}

fn phrase(status: u16) -> &'static str {
    let status = reqwest::StatusCode::from_u16(status).ok();
    status.and_then(|status| status.canonical_reason()).unwrap_or_default()
}

fn of_json(body: &Json) -> Option<(String, String)> {
    let text = |value: &Json, key: &str| value.get(key).and_then(Json::as_str).map(str::to_owned);
    // Placement and other newer services.
    if let Some(error) = body.get("errors").and_then(|errors| errors.get(0)) {
        let code = text(error, "code").filter(|code| !code.ends_with("undefined_code"));
        let code = code.or_else(|| text(error, "title")).unwrap_or_default();
        let message = text(error, "detail").or_else(|| text(error, "title"))?;
        return Some((code, plain(&message)));
    }
    // Glance and what webob says: not inside of anything.
    if let Some(message) = text(body, "message") {
        let title = text(body, "title").unwrap_or_default();
        return Some((title, plain(&message)));
    }
    let (key, fault) = body.as_object()?.iter().next()?;
    if let Some(message) = fault.as_str() {
        return Some((key.clone(), plain(message)));
    }
    let mut message = text(fault, "message")?;
    let detail = text(fault, "detail").unwrap_or_default();
    if !detail.is_empty() && !message.contains(&detail) {
        message = format!("{} {}", sentence(&message), detail);
    }
    // Neutron names the error; Keystone has a title; Nova and Cinder name it by the key.
    let code = text(fault, "type").or_else(|| text(fault, "title")).unwrap_or_else(|| key.clone());
    Some((code, plain(&message)))
}

/// Text without markup, on one line.
fn plain(text: &str) -> String {
    if !text.contains('<') {
        return shortened(text);
    }
    let title = text.split_once("<title>").and_then(|(_, rest)| rest.split_once("</title>"));
    let title = title.map(|(title, _)| title.trim().to_owned()).unwrap_or_default();
    let body = text.split_once("<body").and_then(|(_, rest)| rest.split_once('>'));
    let body = body.map_or(text, |(_, body)| body);
    let mut out = String::new();
    let mut rest = body;
    while let Some((before, after)) = rest.split_once('<') {
        out.push_str(before);
        let is_tag = after.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '!');
        match after.split_once('>') {
            Some((_, beyond)) if is_tag => {
                out.push(' ');
                rest = beyond;
            }
            _ => {
                out.push('<');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    let out = out.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
    let out = out.replace("&#x27;", "'").replace("&#39;", "'").replace("&amp;", "&");
    let out = shortened(&out);
    // The heading says again what the status says.
    let said = out.strip_prefix(&title).unwrap_or(&out).trim();
    if said.is_empty() { title } else { said.to_owned() }
}

/// One line of bearable length.
fn shortened(text: &str) -> String {
    const CHARS_MAX: usize = 1000;
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = words.join(" ");
    match line.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// The service's words as a sentence.
pub(super) fn sentence(said: &str) -> String {
    let said = capital(said.trim());
    let end = if said.is_empty() || said.ends_with(['.', '!', '?', '…']) { "" } else { "." };
    format!("{said}{end}")
}

/// With a capital letter.
pub(crate) fn capital(said: &str) -> String {
    let mut chars = said.chars();
    let first: String = chars.next().into_iter().flat_map(char::to_uppercase).collect();
    first + chars.as_str()
}

/// An error and its causes, each said once.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let said = cause.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: u16, body: &str) -> ApiError {
        let (code, message) = parse(status, body.as_bytes());
        let (method, path) = ("POST".to_owned(), "/x".to_owned());
        ApiError::Refused { status, code, message, method, path, request_id: None }
    }

    /// Bodies as the services write them.
    #[test]
    fn every_service_has_its_own_way() {
        let table = [
            (
                409,
                r#"{"NeutronError": {"type": "IpAddressInUse", "message": "Unable to complete operation for network 1. The IP address 10.0.0.5 is in use.", "detail": ""}}"#,
                "IpAddressInUse",
                "Unable to complete operation for network 1. The IP address 10.0.0.5 is in use.",
            ),
            (
                400,
                r#"{"NeutronError": {"type": "BadRequest", "message": "no", "detail": "because"}}"#,
                "BadRequest",
                "No. because",
            ),
            (400, r#"{"NeutronError": "just text"}"#, "NeutronError", "just text"),
            (
                409,
                r#"{"conflictingRequest": {"code": 409, "message": "Cannot 'stop' instance while it is in vm_state building"}}"#,
                "conflictingRequest",
                "Cannot 'stop' instance while it is in vm_state building",
            ),
            (
                404,
                r#"{"itemNotFound": {"code": 404, "message": "Volume 1 could not be found."}}"#,
                "itemNotFound",
                "Volume 1 could not be found.",
            ),
            (
                409,
                "<html>\n <head>\n  <title>409 Conflict</title>\n </head>\n <body>\n  <h1>409 Conflict</h1>\n  Image &#x27;a&#x27; already has data &lt;b&gt;.<br /><br />\n\n\n\n </body>\n</html>",
                "",
                "Image 'a' already has data <b>.",
            ),
            (
                403,
                r#"{"message": "You are not authorized to complete publicize_image action.<br /><br />\n\n\n", "code": "403 Forbidden", "title": "Forbidden"}"#,
                "Forbidden",
                "You are not authorized to complete publicize_image action.",
            ),
            (
                401,
                r#"{"error": {"code": 401, "message": "The request you have made requires authentication.", "title": "Unauthorized"}}"#,
                "Unauthorized",
                "The request you have made requires authentication.",
            ),
            (
                404,
                r#"{"errors": [{"status": 404, "request_id": "req-1", "code": "placement.undefined_code", "detail": "The resource could not be found.\n\n Resource provider 1 not found  ", "title": "Not Found"}]}"#,
                "Not Found",
                "The resource could not be found. Resource provider 1 not found",
            ),
            (
                409,
                r#"{"errors": [{"status": 409, "code": "placement.concurrent_update", "detail": "again", "title": "Conflict"}]}"#,
                "placement.concurrent_update",
                "again",
            ),
            (
                503,
                "<html><body><h1>503 Service Unavailable</h1>\nNo server is available to handle this request.\n</body></html>",
                "",
                "503 Service Unavailable No server is available to handle this request.",
            ),
            (
                502,
                "<html><head><title>502 Bad Gateway</title></head></html>",
                "",
                "502 Bad Gateway",
            ),
            (404, "404 page < not > found\n", "", "404 page < not > found"),
            (500, "", "", "the service answered 500 Internal Server Error"),
            (599, "{}", "", "{}"),
            (599, "", "", "the service answered 599"),
            (400, "[1]", "", "[1]"),
        ];
        for (status, body, code, message) in table {
            assert_eq!(parse(status, body.as_bytes()), (code.into(), message.into()), "{body}");
        }
        assert_eq!(parse(500, "ä".repeat(5000).as_bytes()).1.chars().count(), 1001);
    }

    #[test]
    fn quotas() {
        let used_up = [
            (
                409,
                r#"{"NeutronError": {"type": "OverQuota", "message": "Quota exceeded for resources: ['port'].", "detail": ""}}"#,
            ),
            (
                403,
                r#"{"forbidden": {"code": 403, "message": "Quota exceeded for cores: Requested 4, but already used 20 of 20 cores"}}"#,
            ),
            (
                413,
                r#"{"overLimit": {"code": 413, "message": "VolumeLimitExceeded: Maximum number of volumes allowed (10) exceeded for quota 'volumes'."}}"#,
            ),
            (
                413,
                r#"{"message": "The size of the image is over the limit: Quota exceeded", "title": "x"}"#,
            ),
        ];
        for (status, body) in used_up {
            let error = refusal(status, body);
            assert!(error.is_quota() && !error.is_conflict(), "{body}");
            let failure = error.failure("create the port");
            assert!(failure.detail.contains("quota is used up"), "{failure:?}");
            assert!(!failure.transient);
        }
        let others = [
            (403, r#"{"forbidden": {"code": 403, "message": "Policy doesn't allow it"}}"#),
            (
                409,
                r#"{"NeutronError": {"type": "NetworkInUse", "message": "in use", "detail": ""}}"#,
            ),
            (500, r#"{"x": {"message": "Quota exceeded"}}"#),
        ];
        for (status, body) in others {
            assert!(!refusal(status, body).is_quota(), "{body}");
        }
    }

    #[test]
    fn what_people_are_told() {
        let mut error = refusal(403, r#"{"forbidden": {"message": "policy does not allow it"}}"#);
        if let ApiError::Refused { request_id, .. } = &mut error {
            *request_id = Some("req-1".to_owned());
        }
        let failure = error.failure("create the network \"a\"");
        assert_eq!(failure.summary, "Cannot create the network \"a\"");
        assert_eq!(
            failure.detail,
            "Policy does not allow it. The user lacks a role for this in the project; see \
             `user_name`, `tenant_name` and the user's role assignments. (Request req-1.)"
        );
        let passing = [408, 425, 429, 502, 503, 504];
        for status in 400..=511 {
            assert_eq!(refusal(status, "").failure("x").transient, passing.contains(&status));
        }
        assert!(refusal(404, "").is_missing() && refusal(410, "").is_missing());
        assert!(refusal(409, "").is_conflict());
    }
}
