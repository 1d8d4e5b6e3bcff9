//! Requests to a server that keeps a state, and when they are made again.

use std::time::Duration;

use reqwest::{Client, Method, Url};

use super::config::Config;
use crate::client::{self, Answer, Failure, md5, pause};

/// The server.
pub(super) struct Server {
    pub(super) config: Config,
    client: Client,
}

/// When a request may be made again although nobody knows what became of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// Always: it changes nothing, or the other side refuses it once it would do harm. A write that
    /// names the lock it is made under is such a one: when the lock is somebody else's by then, it
    /// is refused.
    Safe,
    /// Only if it was never sent. A write under no lock, made twice, could undo what somebody else
    /// wrote in between.
    Unsent,
}

/// What came back at last.
pub(super) struct Reply {
    pub(super) answer: Answer,
    /// Whether an earlier attempt may have been carried out, too.
    pub(super) repeated: bool,
}

impl Server {
    pub(super) fn new(config: Config) -> Result<Server, String> {
        Ok(Server { client: client::client(&config.tls, Duration::from_secs(60))?, config })
    }

    pub(super) async fn call(
        &self,
        method: &Method,
        url: &Url,
        body: Option<&[u8]>,
        repeat: Repeat,
    ) -> Result<Reply, Failure> {
        let config = &self.config;
        let (mut attempt, mut repeated) = (1, false);
        loop {
            let outcome = self.once(method, url, body).await;
            let (again, wait) = match &outcome {
                Ok(answer) => {
                    // Too many requests: it was not looked at.
                    let may = repeat == Repeat::Safe || answer.status == 429;
                    (answer.is_passing() && may, answer.wait())
                }
                Err(Failure::Lost { unsent, .. }) => (repeat == Repeat::Safe || *unsent, None),
                Err(Failure::Answered { .. }) => (false, None),
            };
            if !again || attempt > config.retry_max {
                return outcome.map(|answer| Reply { answer, repeated });
            }
            repeated |= !matches!(&outcome, Err(Failure::Lost { unsent: true, .. }));
            let usual = pause(attempt, config.wait_min, config.wait_max);
            tokio::time::sleep(wait.map_or(usual, |it| it.min(config.wait_max))).await;
            attempt += 1;
        }
    }

    async fn once(
        &self,
        method: &Method,
        url: &Url,
        body: Option<&[u8]>,
    ) -> Result<Answer, Failure> {
        let mut request = self.client.request(method.clone(), url.clone());
        if let Some(name) = &self.config.username {
            request = request.basic_auth(name, self.config.password.as_ref());
        }
        if let Some(body) = body {
            request = request
                .header("content-type", "application/json")
                .header("content-md5", md5(body))
                .body(body.to_vec());
        }
        client::send(request).await
    }

    /// What an answer that was not expected means.
    pub(super) fn unexpected(&self, answer: &Answer) -> Failure {
        let text = match answer.status {
            300..=399 => {
                let to = answer.header("location").and_then(|it| self.config.address.join(it).ok());
                let to = to.map_or_else(|| "another address".into(), |it| bare(&it));
                format!("it has moved to {to}; redirections are not followed: configure that")
            }
            401 => "it asks for a username and password that are valid".into(),
            403 => "username and password are not allowed to do this".into(),
            _ => self.clean(&String::from_utf8_lossy(&answer.bytes)),
        };
        Failure::answered(answer.status, &text)
    }

    /// Without what must not be seen, should the server repeat it.
    fn clean(&self, text: &str) -> String {
        let config = &self.config;
        let secrets = [config.password.as_deref(), config.address.password()];
        let secrets = secrets.into_iter().flatten().filter(|it| it.len() >= 3);
        secrets.fold(text.to_owned(), |text, it| text.replace(it, "(hidden)"))
    }
}

/// A URL without what may be secret in it.
pub(super) fn bare(url: &Url) -> String {
    let mut url = url.clone();
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url.into()
}
