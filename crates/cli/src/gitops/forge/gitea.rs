//! The API of Gitea and Forgejo, version 1. It has no comments on commits, only on pull requests.

use super::http::{Api, ApiError};
use super::{ForgeSettings, News, Thread, github, plain_comment};

pub(super) fn headers(token: &str) -> Vec<(&'static str, String)> {
    vec![("authorization", format!("token {token}")), ("accept", "application/json".to_owned())]
}

pub(super) async fn status(
    api: &Api,
    it: &ForgeSettings,
    news: &News<'_>,
    description: &str,
) -> Result<(), ApiError> {
    github::status(api, it, news, description).await
}

/// The pull request of a commit, if it has one.
pub(super) async fn thread(
    api: &Api,
    it: &ForgeSettings,
    commit: &str,
) -> Result<Option<Thread>, ApiError> {
    let number = match it.thread {
        Some(number) => Some(number),
        None => match api.get(&github::repo(it, &["commits", commit, "pull"]), &[]).await {
            Ok(found) => found["number"].as_u64(),
            Err(error) if matches!(error.status(), Some(403 | 404)) => None,
            Err(error) => return Err(error),
        },
    };
    Ok(number.map(|number| Thread {
        list: github::repo(it, &["issues", &number.to_string(), "comments"]),
        change: Some(github::repo(it, &["issues", "comments"])),
        method: reqwest::Method::PATCH,
        comment: plain_comment,
    }))
}
