//! Tells the forge how a commit fares: a status, and one comment that is kept up to date.

mod gitea;
mod github;
mod gitlab;
mod http;

use std::str::FromStr;
use std::time::Duration;

use plumb_gitops::{Comment, Details, Mask, marker};
use reqwest::Method;
use serde_json::{Value, json};

use self::http::{Api, ApiError};

/// How long telling may take, with all attempts. The loop has other things to do.
const TELLING_MAX: Duration = Duration::from_secs(45);
/// Pages of comments that are looked through.
const PAGES_MAX: u32 = 50;
/// GitHub's limit for descriptions of statuses; others take more.
const DESCRIPTION_CHARS_MAX: usize = 140;

/// Which API a forge has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    GitHub,
    GitLab,
    /// And Forgejo.
    Gitea,
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Kind, String> {
        match text {
            "github" => Ok(Kind::GitHub),
            "gitlab" => Ok(Kind::GitLab),
            "gitea" | "forgejo" => Ok(Kind::Gitea),
            _ => Err("it is \"github\", \"gitlab\", \"gitea\" or \"forgejo\"".to_owned()),
        }
    }
}

impl Kind {
    /// Where the API is, if it is not said.
    pub(super) fn usual_api(self) -> Option<&'static str> {
        match self {
            Kind::GitHub => Some("https://api.github.com"),
            Kind::GitLab => Some("https://gitlab.com/api/v4"),
            Kind::Gitea => None,
        }
    }

    /// How long a comment may be, in bytes. The limits are in characters; bytes are on the safe side.
    pub(super) fn comment_bytes_max(self) -> usize {
        match self {
            // "Body is too long (maximum is 65536 characters)" is GitHub's answer to more. Gitea names
            // no limit of its own.
            Kind::GitHub | Kind::Gitea => 65_536,
            // GitLab's "Application limits": 1,000,000 characters for comments.
            Kind::GitLab => 1_000_000,
        }
    }
}

/// A forge, and as whom it is spoken to.
#[derive(Clone)]
pub(super) struct ForgeSettings {
    pub(super) kind: Kind,
    /// The base of its API.
    pub(super) api: String,
    /// `owner/name`, or `group/sub/name` of a GitLab.
    pub(super) project: String,
    pub(super) token: String,
    /// The name of the status.
    pub(super) context: String,
    /// Where the status leads.
    pub(super) target_url: Option<String>,
    /// The number of the pull request or issue to comment on; else the one of the commit.
    pub(super) thread: Option<u64>,
}

impl std::fmt::Debug for ForgeSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ForgeSettings").field("api", &self.api).finish_non_exhaustive()
    }
}

/// How a commit fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Light {
    Pending,
    Success,
    Failure,
}

/// What is told.
pub(super) struct News<'a> {
    pub(super) commit: &'a str,
    pub(super) light: Light,
    /// One line.
    pub(super) description: String,
    /// None: the status alone.
    pub(super) comment: Option<Comment<'a>>,
}

/// Where comments are, and how they are changed.
struct Thread {
    list: Vec<String>,
    /// Below what one is changed; none: below the list.
    change: Option<Vec<String>>,
    /// To change one.
    method: Method,
    /// What of an element is a comment: its path below that, and its text.
    comment: fn(&Value) -> Option<(Vec<String>, &str)>,
}

/// A comment that stands by itself: `{"id": 1, "body": "…"}`.
fn plain_comment(it: &Value) -> Option<(Vec<String>, &str)> {
    Some((vec![it["id"].as_u64()?.to_string()], it["body"].as_str()?))
}

/// The number of the request to comment on, of those that a forge lists for a commit: the first that
/// is open, else the first.
fn request(found: &Value, open: &str, number: &str) -> Option<u64> {
    let found = found.as_array()?;
    let open = found.iter().find(|it| it["state"] == open);
    open.or(found.first())?[number].as_u64()
}

/// Tells a forge.
pub(super) struct Forge {
    settings: ForgeSettings,
    api: Api,
    mask: Mask,
}

impl Forge {
    pub(super) fn new(settings: ForgeSettings, mask: Mask) -> Result<Forge, String> {
        let token = &settings.token;
        let (headers, suffix) = match settings.kind {
            Kind::GitHub => (github::headers(token), None),
            Kind::GitLab => (gitlab::headers(token), Some("/api/v4")),
            Kind::Gitea => (gitea::headers(token), Some("/api/v1")),
        };
        let mut base = settings.api.trim_end_matches('/').to_owned();
        if let Some(suffix) = suffix.filter(|it| !base.ends_with(it)) {
            base += suffix;
        }
        let api = Api::new(&base, headers)?;
        Ok(Forge { settings, api, mask })
    }

    /// Tells it. What went wrong, without secrets.
    pub(super) async fn tell(&self, news: &News<'_>) -> Result<(), String> {
        let told = tokio::time::timeout(TELLING_MAX, async {
            let status = self.status(news).await;
            let comment = match &news.comment {
                Some(comment) => self.comment(news.commit, comment).await,
                None => Ok(()),
            };
            status.and(comment)
        });
        match told.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(self.mask.hide(&error.to_string())),
            Err(_) => Err(format!("it did not answer within {} seconds", TELLING_MAX.as_secs())),
        }
    }

    async fn status(&self, news: &News<'_>) -> Result<(), ApiError> {
        let hidden = self.mask.hide(&news.description);
        let mut description: String = hidden.chars().take(DESCRIPTION_CHARS_MAX).collect();
        if description.len() < hidden.len() {
            description.pop();
            description.push('…');
        }
        let it = &self.settings;
        match it.kind {
            Kind::GitHub => github::status(&self.api, it, news, &description).await,
            Kind::GitLab => gitlab::status(&self.api, it, news, &description).await,
            Kind::Gitea => gitea::status(&self.api, it, news, &description).await,
        }
    }

    /// Changes the comment that is ours, or makes it.
    async fn comment(&self, commit: &str, comment: &Comment<'_>) -> Result<(), ApiError> {
        let it = &self.settings;
        let text = self.mask.hide(comment.text);
        let title = self.mask.hide(comment.title);
        let below = match comment.details {
            Details::None => String::new(),
            Details::Text(_, text) => self.mask.hide(text),
            Details::Markdown(text) => self.mask.hide_markdown(text),
        };
        let hidden = Comment {
            context: comment.context,
            title: &title,
            text: &text,
            details: match comment.details {
                Details::None => Details::None,
                Details::Text(name, _) => Details::Text(name, &below),
                Details::Markdown(_) => Details::Markdown(&below),
            },
        };
        let body = hidden.body(it.kind.comment_bytes_max());
        let thread = match it.kind {
            Kind::GitHub => github::thread(&self.api, it, commit).await?,
            Kind::GitLab => gitlab::thread(&self.api, it, commit).await?,
            Kind::Gitea => match gitea::thread(&self.api, it, commit).await? {
                Some(thread) => thread,
                // It has no comments on commits: the status has to do.
                None => return Ok(()),
            },
        };
        // An answer that was lost may stand for a comment that was made: look before each attempt.
        let mut attempt = 0;
        loop {
            match self.upsert(&thread, &body, comment.context).await {
                Err(error) if error.again() && attempt < 2 => {
                    attempt += 1;
                    tokio::time::sleep(Duration::from_secs(attempt)).await;
                }
                other => return other,
            }
        }
    }

    async fn upsert(&self, thread: &Thread, body: &str, context: &str) -> Result<(), ApiError> {
        let marker = marker(context);
        for page in 1..=PAGES_MAX {
            let number = page.to_string();
            let query = [("per_page", "50"), ("limit", "50"), ("page", &*number)];
            let found = self.api.get(&thread.list, &query).await?;
            let Some(found) = found.as_array().filter(|it| !it.is_empty()) else { break };
            for (path, text) in found.iter().filter_map(thread.comment) {
                if !text.starts_with(&marker) {
                    continue;
                }
                if text == body {
                    return Ok(());
                }
                let below = thread.change.as_ref().unwrap_or(&thread.list);
                let path = [&below[..], &path].concat();
                match self.api.send(&thread.method, &path, &json!({ "body": body })).await {
                    // Somebody else's, who copied ours.
                    Err(error) if matches!(error.status(), Some(403 | 404)) => continue,
                    other => return other.map(|_| ()),
                }
            }
        }
        self.api.once(&Method::POST, &thread.list, &json!({ "body": body })).await.map(|_| ())
    }
}
