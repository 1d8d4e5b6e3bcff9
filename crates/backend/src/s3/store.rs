//! Requests to a store of objects: read, write under a condition, delete, list. Signed by `rusty-s3`.

use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use reqwest::{Client, Method};
use rusty_s3::S3Action;
use rusty_s3::actions::{DeleteObject, GetObject, ListObjectsV2, PutObject};

use super::config::{Config, Fields};
use crate::client::{self, Answer, Failure, md5, pause};

/// How long a signature is good for. A clock that is off by more is corrected by the store's.
const GOOD_FOR: Duration = Duration::from_secs(300);
const WAIT_MIN: Duration = Duration::from_millis(200);
const WAIT_MAX: Duration = Duration::from_secs(10);
const PAGES_MAX: u32 = 10_000;

/// The store.
pub(super) struct Store {
    pub(super) config: Config,
    client: Client,
    /// What its clock is ahead of ours by.
    ahead: Mutex<SignedDuration>,
    /// It was seen to refuse what a condition forbids.
    pub(super) proven: AtomicBool,
}

/// An object that was read.
pub(super) struct Object {
    pub(super) bytes: Vec<u8>,
    pub(super) etag: String,
}

/// What must be so for a write to take place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// There is no such object.
    Absent,
    /// It is the one with this tag.
    Is(String),
}

/// What became of a write.
#[derive(Debug)]
pub(super) enum Written {
    /// It took place; the object has this tag now.
    Done(String),
    /// The condition does not hold. Maybe because an earlier attempt took place unheard.
    Refused { repeated: bool },
}

/// Why nobody can tell.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    #[error("S3 bucket \"{0}\" does not exist. It is not made here: create it first")]
    NoBucket(String),
    #[error(
        "the store does not know conditional writes (If-Match, If-None-Match), without which two \
         writers overwrite each other's state. Use another store, or a newer version of this one"
    )]
    NoConditions,
    #[error(transparent)]
    Failed(#[from] Failure),
}

/// One request, as often as it takes.
struct Call<'a> {
    method: Method,
    body: Option<&'a [u8]>,
    fields: Fields,
    retry_max: u32,
}

impl Store {
    pub(super) fn new(config: Config) -> Result<Store, String> {
        let client = client::client(&config.tls, Duration::from_secs(30))?;
        let ahead = Mutex::new(SignedDuration::ZERO);
        Ok(Store { config, client, ahead, proven: AtomicBool::new(false) })
    }

    /// The time by the store's clock, as far as it was heard.
    pub(super) fn now(&self) -> Timestamp {
        let ahead = *self.ahead.lock().unwrap_or_else(|it| it.into_inner());
        Timestamp::now().saturating_add(ahead).unwrap_or(Timestamp::MAX)
    }

    pub(super) async fn get(&self, key: &str) -> Result<Option<Object>, Trouble> {
        let Config { bucket, credentials, read_fields, .. } = &self.config;
        let action = GetObject::new(bucket, Some(credentials), key);
        let fields = read_fields.clone();
        let (answer, _) = self.call(action, self.reading(fields)).await?;
        match answer.status {
            200 => {
                let etag = tag(&answer)?;
                Ok(Some(Object { bytes: answer.bytes, etag }))
            }
            404 if code(&answer) != "NoSuchBucket" => Ok(None),
            _ => Err(self.trouble(&answer)),
        }
    }

    /// Writes. `retry_max`: how often an attempt without a clear answer is repeated; the condition
    /// sees to it that nothing is written twice.
    pub(super) async fn put(
        &self,
        key: &str,
        bytes: &[u8],
        condition: &Condition,
        retry_max: u32,
    ) -> Result<Written, Trouble> {
        let Config { bucket, credentials, write_fields, .. } = &self.config;
        let action = PutObject::new(bucket, Some(credentials), key);
        let mut fields = write_fields.clone();
        fields.push(("content-md5", md5(bytes)));
        fields.push(("content-type", "application/json".into()));
        fields.push(match condition {
            Condition::Absent => ("if-none-match", "*".into()),
            Condition::Is(etag) => ("if-match", etag.clone()),
        });
        let call = Call { method: Method::PUT, body: Some(bytes), fields, retry_max };
        let (answer, repeated) = self.call(action, call).await?;
        match answer.status {
            200..=299 => Ok(Written::Done(tag(&answer)?)),
            // 409: another write was under way at that moment.
            409 | 412 => Ok(Written::Refused { repeated }),
            404 if code(&answer) != "NoSuchBucket" => Ok(Written::Refused { repeated }),
            501 => Err(Trouble::NoConditions),
            400 if code(&answer) == "NotImplemented" => Err(Trouble::NoConditions),
            _ => Err(self.trouble(&answer)),
        }
    }

    /// Deletes the object, if it is still the one with this tag where the store looks at that.
    /// Tells whether it is gone.
    pub(super) async fn delete(&self, key: &str, etag: Option<&str>) -> Result<bool, Trouble> {
        let Config { bucket, credentials, retry_max, .. } = &self.config;
        let action = DeleteObject::new(bucket, Some(credentials), key);
        let fields = etag.map(|it| ("if-match", it.to_owned())).into_iter().collect();
        let call = Call { method: Method::DELETE, body: None, fields, retry_max: *retry_max };
        let (answer, _) = self.call(action, call).await?;
        match answer.status {
            200..=299 => Ok(true),
            404 if code(&answer) != "NoSuchBucket" => Ok(true),
            409 | 412 => Ok(false),
            _ => Err(self.trouble(&answer)),
        }
    }

    /// The keys that begin so.
    pub(super) async fn list(&self, prefix: &str) -> Result<Vec<String>, Trouble> {
        let Config { bucket, credentials, .. } = &self.config;
        let (mut keys, mut token) = (Vec::new(), None::<String>);
        for _ in 0..PAGES_MAX {
            let mut action = ListObjectsV2::new(bucket, Some(credentials));
            action.with_prefix(prefix);
            if let Some(token) = &token {
                action.with_continuation_token(token.as_str());
            }
            let (answer, _) = self.call(action, self.reading(Fields::new())).await?;
            if answer.status != 200 {
                return Err(self.trouble(&answer));
            }
            let text = String::from_utf8_lossy(&answer.bytes);
            let page = ListObjectsV2::parse_response(&text)
                .map_err(|it| Failure::answered(200, &format!("a list that is none: {it}")))?;
            keys.extend(page.contents.into_iter().map(|it| it.key));
            match page.next_continuation_token {
                Some(next) if !next.is_empty() => token = Some(next),
                _ => break,
            }
        }
        Ok(keys)
    }

    fn reading(&self, fields: Fields) -> Call<'static> {
        Call { method: Method::GET, body: None, fields, retry_max: self.config.retry_max }
    }

    /// The answer, and whether an earlier attempt may have been carried out, too.
    async fn call<'a, A: S3Action<'a>>(
        &'a self,
        mut action: A,
        call: Call<'_>,
    ) -> Result<(Answer, bool), Failure> {
        for (name, value) in &call.fields {
            action.headers_mut().insert(*name, value.clone());
        }
        let (mut attempt, mut repeated) = (1, false);
        loop {
            // The address that comes of it can be used by anybody: it must not be seen.
            let url = action.sign_with_time(GOOD_FOR, &self.now());
            let mut request = self.client.request(call.method.clone(), url);
            for (name, value) in &call.fields {
                request = request.header(*name, value);
            }
            if let Some(body) = call.body {
                request = request.body(body.to_vec());
            }
            let outcome = client::send(request).await;
            let off = outcome.as_ref().is_ok_and(|it| self.set_clock(it));
            let again = match &outcome {
                Ok(answer) => answer.is_passing() || (answer.status == 403 && off),
                Err(_) => true,
            };
            if !again || attempt > call.retry_max {
                return outcome.map(|answer| (answer, repeated));
            }
            repeated |= !matches!(&outcome, Err(Failure::Lost { unsent: true, .. }));
            let asked = outcome.ok().and_then(|it| it.wait());
            let usual = pause(attempt, WAIT_MIN, WAIT_MAX);
            tokio::time::sleep(asked.map_or(usual, |it| it.min(WAIT_MAX))).await;
            attempt += 1;
        }
    }

    /// Learns what time it is over there. Tells whether that is news.
    fn set_clock(&self, answer: &Answer) -> bool {
        let date = answer.header("date").and_then(|it| jiff::fmt::rfc2822::parse(it).ok());
        let Some(date) = date else { return false };
        let ahead = date.timestamp().duration_since(Timestamp::now());
        let mut known = self.ahead.lock().unwrap_or_else(|it| it.into_inner());
        let news = (ahead - *known).abs() > SignedDuration::from_secs(60);
        *known = ahead;
        news
    }

    fn trouble(&self, answer: &Answer) -> Trouble {
        let code = code(answer);
        if code == "NoSuchBucket" {
            return Trouble::NoBucket(self.config.bucket.name().to_owned());
        }
        // Nothing else of it: it may repeat what was signed, and keys.
        let message = element(answer, "Message");
        let text = [code, message].join(" ");
        let text = text.replace(self.config.credentials.secret(), "(hidden)");
        Trouble::Failed(Failure::answered(answer.status, &text))
    }
}

fn tag(answer: &Answer) -> Result<String, Failure> {
    let etag = answer.header("etag").map(str::to_owned);
    etag.ok_or_else(|| Failure::answered(answer.status, "but names no ETag"))
}

/// Which error it is.
fn code(answer: &Answer) -> String {
    element(answer, "Code")
}

/// What an element of an XML answer holds. Codes and messages have no markup in them.
fn element(answer: &Answer, name: &str) -> String {
    let text = String::from_utf8_lossy(&answer.bytes);
    let inside = text.split_once(&format!("<{name}>"));
    let inside = inside.and_then(|(_, rest)| rest.split_once(&format!("</{name}>")));
    inside.map(|(text, _)| text.to_owned()).unwrap_or_default()
}
