//! GitHub's REST API, as of 2022-11-28.

use reqwest::Method;
use serde_json::json;

use super::http::{Api, ApiError};
use super::{ForgeSettings, Light, News, Thread, plain_comment, request};

pub(super) fn headers(token: &str) -> Vec<(&'static str, String)> {
    vec![
        ("authorization", format!("Bearer {token}")),
        ("accept", "application/vnd.github+json".to_owned()),
        ("x-github-api-version", "2022-11-28".to_owned()),
    ]
}

/// `/repos/{owner}/{name}/…`, of Gitea as well.
pub(super) fn repo(it: &ForgeSettings, rest: &[&str]) -> Vec<String> {
    let parts = ["repos"].into_iter().chain(it.project.split('/')).chain(rest.iter().copied());
    parts.map(str::to_owned).collect()
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
        Light::Failure => "failure",
    };
    let mut body = json!({ "state": state, "description": description, "context": it.context });
    if let Some(url) = &it.target_url {
        body["target_url"] = json!(url);
    }
    let path = repo(it, &["statuses", news.commit]);
    api.send(&Method::POST, &path, &body).await.map(|_| ())
}

/// The pull request of a commit, if it has one; else the commit.
pub(super) async fn thread(
    api: &Api,
    it: &ForgeSettings,
    commit: &str,
) -> Result<Thread, ApiError> {
    let number = match it.thread {
        Some(number) => Some(number),
        None => match api.get(&repo(it, &["commits", commit, "pulls"]), &[]).await {
            Ok(found) => request(&found, "open", "number"),
            // It may not be visible to the token.
            Err(error) if matches!(error.status(), Some(403 | 404 | 409 | 422)) => None,
            Err(error) => return Err(error),
        },
    };
    let comment = plain_comment;
    let method = Method::PATCH;
    Ok(match number {
        Some(number) => Thread {
            list: repo(it, &["issues", &number.to_string(), "comments"]),
            change: Some(repo(it, &["issues", "comments"])),
            method,
            comment,
        },
        None => Thread {
            list: repo(it, &["commits", commit, "comments"]),
            change: Some(repo(it, &["comments"])),
            method,
            comment,
        },
    })
}
