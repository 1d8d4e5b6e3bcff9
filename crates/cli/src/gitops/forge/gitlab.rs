//! GitLab's REST API, version 4.

use reqwest::Method;
use serde_json::{Value, json};

use super::http::{Api, ApiError};
use super::{ForgeSettings, Light, News, Thread, plain_comment, request};

pub(super) fn headers(token: &str) -> Vec<(&'static str, String)> {
    vec![("private-token", token.to_owned())]
}

/// `/projects/{group%2Fname}/…`
fn project(it: &ForgeSettings, rest: &[&str]) -> Vec<String> {
    ["projects", &it.project].iter().chain(rest).map(|it| (*it).to_owned()).collect()
}

pub(super) async fn status(
    api: &Api,
    it: &ForgeSettings,
    news: &News<'_>,
    description: &str,
) -> Result<(), ApiError> {
    let state = match news.light {
        Light::Pending => "pending",
        Light::Success => "success",
        Light::Failure => "failed",
    };
    let mut body = json!({ "state": state, "name": it.context, "description": description });
    if let Some(url) = &it.target_url {
        body["target_url"] = json!(url);
    }
    let path = project(it, &["statuses", news.commit]);
    match api.send(&Method::POST, &path, &body).await {
        // It is what it should become: GitLab calls that an error.
        Err(ApiError::Refused { status: 400, detail, .. })
            if detail.contains("Cannot transition status") =>
        {
            Ok(())
        }
        other => other.map(|_| ()),
    }
}

/// The merge request of a commit, if it has one; else the commit, whose comments can be changed only
/// as parts of discussions.
pub(super) async fn thread(
    api: &Api,
    it: &ForgeSettings,
    commit: &str,
) -> Result<Thread, ApiError> {
    let number = match it.thread {
        Some(number) => Some(number),
        None => {
            let path = project(it, &["repository", "commits", commit, "merge_requests"]);
            match api.get(&path, &[]).await {
                Ok(found) => request(&found, "opened", "iid"),
                Err(error) if matches!(error.status(), Some(403 | 404)) => None,
                Err(error) => return Err(error),
            }
        }
    };
    let method = Method::PUT;
    Ok(match number {
        Some(number) => Thread {
            list: project(it, &["merge_requests", &number.to_string(), "notes"]),
            change: None,
            method,
            comment: plain_comment,
        },
        None => Thread {
            list: project(it, &["repository", "commits", commit, "discussions"]),
            change: None,
            method,
            comment: first_note,
        },
    })
}

/// `{"id": "…", "notes": [{"id": 1, "body": "…"}, …]}`
fn first_note(it: &Value) -> Option<(Vec<String>, &str)> {
    let note = &it["notes"][0];
    let id = note["id"].as_u64()?.to_string();
    Some((vec![it["id"].as_str()?.to_owned(), "notes".to_owned(), id], note["body"].as_str()?))
}
