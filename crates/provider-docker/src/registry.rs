//! What a registry says about a name, asked without the engine: digests, and deleting.

use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use reqwest::{Client, Method, Response, StatusCode};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::auth::Credentials;
use crate::context::hex;
use crate::reference::{DOCKER_HUB, Reference};

const MANIFEST_TYPES: &str = "application/vnd.docker.distribution.manifest.v2+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, \
    application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json";

/// Why a registry gave no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RegistryError {
    /// No connection, no TLS, no complete answer.
    #[error("cannot reach the registry at {host}: {reason}")]
    Unreachable {
        /// Which.
        host: String,
        /// What the innermost cause says.
        reason: String,
    },
    /// 401 or 403, with what was sent.
    #[error("the registry at {host} refuses access to `{repository}`: {with}")]
    Denied {
        /// Which.
        host: String,
        /// What for.
        repository: String,
        /// `without credentials`, or who was refused.
        with: String,
    },
    /// Anything else that is not an answer.
    #[error("the registry at {host} answers {status} for `{name}`: {message}")]
    Status {
        /// Which.
        host: String,
        /// HTTP status.
        status: u16,
        /// The name asked for.
        name: String,
        /// Its words.
        message: String,
    },
    /// Not a registry.
    #[error("{host} does not answer like a registry: {reason}")]
    Strange {
        /// Which.
        host: String,
        /// In what respect.
        reason: String,
    },
}

impl RegistryError {
    /// Whether asking again later may help.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            RegistryError::Unreachable { .. } => true,
            RegistryError::Status { status, .. } => *status == 429 || *status >= 500,
            RegistryError::Denied { .. } | RegistryError::Strange { .. } => false,
        }
    }
}

/// Registries, asked over HTTP.
#[derive(Clone, Debug)]
pub(crate) struct Registry {
    strict: Client,
    lax: Client,
}

/// One conversation about one repository.
struct Talk<'a> {
    registry: &'a Registry,
    reference: &'a Reference,
    credentials: Option<&'a Credentials>,
    insecure: bool,
}

impl Registry {
    /// Makes the clients. `None` when the machine has no usable certificate store.
    pub(crate) fn new() -> Result<Registry, RegistryError> {
        // A second call finds the same provider installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = |lax: bool| {
            let client = Client::builder()
                .user_agent("plumb")
                .connect_timeout(Duration::from_secs(10))
                .timeout(Duration::from_secs(60))
                .tls_danger_accept_invalid_certs(lax);
            client.build().map_err(|e| RegistryError::Strange {
                host: "this machine".to_owned(),
                reason: innermost(&e),
            })
        };
        Ok(Registry { strict: client(false)?, lax: client(true)? })
    }

    /// The digest that a name stands for; `None` if the registry does not have it.
    pub(crate) async fn digest(
        &self,
        reference: &Reference,
        credentials: Option<&Credentials>,
        insecure: bool,
    ) -> Result<Option<String>, RegistryError> {
        let talk = Talk { registry: self, reference, credentials, insecure };
        let path = format!("manifests/{}", reference.tag_or_digest());
        for method in [Method::HEAD, Method::GET] {
            let response = talk.ask(&method, &path).await?;
            match response.status() {
                StatusCode::OK => {}
                StatusCode::NOT_FOUND => return Ok(None),
                // Some registries do not know HEAD here; GET has the last word.
                _ if method == Method::HEAD => continue,
                _ => return Err(talk.status(response).await),
            }
            if let Some(digest) = response.headers().get("docker-content-digest") {
                return Ok(Some(digest.to_str().unwrap_or_default().to_owned()));
            }
            if method == Method::GET {
                let body = response.bytes().await.map_err(|e| talk.unreachable(&e))?;
                return Ok(Some(format!("sha256:{}", hex(&Sha256::digest(&body)))));
            }
        }
        Ok(None)
    }

    /// Deletes a manifest by digest; gone already is fine.
    pub(crate) async fn delete(
        &self,
        reference: &Reference,
        digest: &str,
        credentials: Option<&Credentials>,
        insecure: bool,
    ) -> Result<(), RegistryError> {
        let talk = Talk { registry: self, reference, credentials, insecure };
        let response = talk.ask(&Method::DELETE, &format!("manifests/{digest}")).await?;
        match response.status() {
            status if status.is_success() || status == StatusCode::NOT_FOUND => Ok(()),
            _ => Err(talk.status(response).await),
        }
    }
}

impl Talk<'_> {
    /// One request, with the authentication that the registry asks for.
    async fn ask(&self, method: &Method, path: &str) -> Result<Response, RegistryError> {
        let host = match self.reference.host.as_str() {
            DOCKER_HUB => "registry-1.docker.io",
            host => host,
        };
        // Like Docker: a registry on this machine need not have a certificate, or TLS at all.
        let lax = self.insecure || is_local(host);
        let client = if lax { &self.registry.lax } else { &self.registry.strict };
        let mut last = None;
        for scheme in if lax { &["https", "http"][..] } else { &["https"][..] } {
            let url = format!("{scheme}://{host}/v2/{}/{path}", self.reference.repository);
            let send = |authorization: Option<HeaderValue>| {
                let mut headers = HeaderMap::new();
                headers.insert(ACCEPT, HeaderValue::from_static(MANIFEST_TYPES));
                if let Some(value) = authorization {
                    headers.insert(AUTHORIZATION, value);
                }
                client.request(method.clone(), &url).headers(headers).send()
            };
            let response = match send(None).await {
                Ok(response) => response,
                Err(e) if e.is_connect() => {
                    last = Some(self.unreachable(&e));
                    continue;
                }
                Err(e) => return Err(self.unreachable(&e)),
            };
            if response.status() != StatusCode::UNAUTHORIZED {
                return self.unless_denied(response);
            }
            let challenges = response.headers().get_all(WWW_AUTHENTICATE).iter();
            let challenges: Vec<_> = challenges.filter_map(|v| v.to_str().ok()).collect();
            let authorization = self.authorization(client, &challenges, method).await?;
            let again = send(Some(authorization)).await.map_err(|e| self.unreachable(&e))?;
            return self.unless_denied(again);
        }
        Err(last.unwrap_or_else(|| self.denied()))
    }

    fn unless_denied(&self, response: Response) -> Result<Response, RegistryError> {
        match response.status() {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(self.denied()),
            _ => Ok(response),
        }
    }

    /// Answers the challenge: a name and password, or a token bought with them.
    async fn authorization(
        &self,
        client: &Client,
        challenges: &[&str],
        method: &Method,
    ) -> Result<HeaderValue, RegistryError> {
        let challenge = |scheme: &str| {
            challenges.iter().find_map(|c| {
                let (word, rest) = c.split_once(' ').unwrap_or((c, ""));
                word.eq_ignore_ascii_case(scheme).then_some(rest)
            })
        };
        let secret = |text: String| {
            let value = HeaderValue::from_str(&text).map_err(|_| self.denied());
            value.map(|mut value| {
                value.set_sensitive(true);
                value
            })
        };
        if let Some(parameters) = challenge("Bearer") {
            let Some(realm) = parameter(parameters, "realm") else {
                return Err(self.strange("its Bearer challenge has no realm"));
            };
            let actions = if *method == Method::DELETE { "delete,pull" } else { "pull" };
            let scope = format!("repository:{}:{actions}", self.reference.repository);
            let token =
                self.token(client, &realm, parameter(parameters, "service"), &scope).await?;
            return secret(format!("Bearer {token}"));
        }
        if challenge("Basic").is_some()
            && let Some(c) = self.credentials
        {
            use base64::Engine as _;
            let pair = format!("{}:{}", c.username, c.password);
            return secret(format!("Basic {}", base64::prelude::BASE64_STANDARD.encode(pair)));
        }
        Err(self.denied())
    }

    async fn token(
        &self,
        client: &Client,
        realm: &str,
        service: Option<String>,
        scope: &str,
    ) -> Result<String, RegistryError> {
        let Ok(mut url) = reqwest::Url::parse(realm) else {
            return Err(self.strange("the realm of its Bearer challenge is not a URL"));
        };
        // A password goes only where the registry's own transport would have carried it.
        let local = url.host_str().is_some_and(is_local);
        if url.scheme() != "https" && !self.insecure && !local {
            return Err(self.strange("it wants credentials sent in the clear"));
        }
        let request = match self.credentials {
            Some(c) if !c.identity_token.is_empty() => {
                let mut form = vec![
                    ("grant_type", "refresh_token"),
                    ("client_id", "plumb"),
                    ("scope", scope),
                    ("refresh_token", &c.identity_token),
                ];
                form.extend(service.as_deref().map(|service| ("service", service)));
                // The encoder of a query is the encoder of a form.
                let mut body = reqwest::Url::parse("http://form").map_err(|_| self.denied())?;
                body.query_pairs_mut().extend_pairs(form);
                let form_type = "application/x-www-form-urlencoded";
                let request = client.post(url).header("content-type", form_type);
                request.body(body.query().unwrap_or_default().to_owned())
            }
            credentials => {
                url.query_pairs_mut().append_pair("scope", scope);
                if let Some(service) = &service {
                    url.query_pairs_mut().append_pair("service", service);
                }
                match credentials {
                    Some(c) => client.get(url).basic_auth(&c.username, Some(&c.password)),
                    None => client.get(url),
                }
            }
        };
        let response = request.send().await.map_err(|e| self.unreachable(&e))?;
        let response = self.unless_denied(response)?;
        if !response.status().is_success() {
            return Err(self.status(response).await);
        }
        #[derive(Deserialize)]
        struct Answer {
            token: Option<String>,
            access_token: Option<String>,
        }
        let body = response.bytes().await.map_err(|e| self.unreachable(&e))?;
        let answer: Answer = serde_json::from_slice(&body)
            .map_err(|e| self.strange(&format!("its token service sends bad JSON: {e}")))?;
        let token = answer.token.or(answer.access_token);
        token.ok_or_else(|| self.strange("its token service sends no token"))
    }

    fn unreachable(&self, error: &reqwest::Error) -> RegistryError {
        RegistryError::Unreachable { host: self.reference.host.clone(), reason: innermost(error) }
    }

    fn strange(&self, reason: &str) -> RegistryError {
        RegistryError::Strange { host: self.reference.host.clone(), reason: reason.to_owned() }
    }

    fn denied(&self) -> RegistryError {
        RegistryError::Denied {
            host: self.reference.host.clone(),
            repository: self.reference.repository.clone(),
            with: match self.credentials {
                Some(c) if c.username.is_empty() => "with an identity token".to_owned(),
                Some(c) => format!("as `{}`", c.username),
                None => "without credentials; add registry_auth or run docker login".to_owned(),
            },
        }
    }

    async fn status(&self, response: Response) -> RegistryError {
        let status = response.status().as_u16();
        let text = response.text().await.unwrap_or_default();
        let first = serde_json::from_str::<serde_json::Value>(&text).ok();
        let first = first.and_then(|v| v["errors"][0]["message"].as_str().map(str::to_owned));
        RegistryError::Status {
            host: self.reference.host.clone(),
            status,
            name: self.reference.to_string(),
            message: first.unwrap_or_else(|| text.chars().take(200).collect()),
        }
    }
}

/// The value of `name="…"` in a challenge.
fn parameter(parameters: &str, name: &str) -> Option<String> {
    let mut rest = parameters;
    loop {
        let (key, after) = rest.split_once('=')?;
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => after.split_once(',').unwrap_or((after, "")),
        };
        if key.trim_matches([' ', ',']).eq_ignore_ascii_case(name) {
            return Some(value.to_owned());
        }
        rest = after;
    }
}

fn is_local(host: &str) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    name == "localhost" || name.starts_with("127.") || name == "[::1]"
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    /// A registry that answers each request head by a function of it, and what it was asked.
    async fn server(
        answer: impl Fn(&str, u16) -> String + Send + 'static,
    ) -> (u16, Arc<Mutex<Vec<String>>>) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = seen.clone();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut head = Vec::new();
                while !head.windows(4).any(|w| w == b"\r\n\r\n") {
                    let mut piece = [0; 4096];
                    let n = stream.read(&mut piece).await.unwrap_or(0);
                    head.extend_from_slice(&piece[..n]);
                    // A TLS greeting is answered by hanging up, as plain HTTP servers do.
                    if n == 0 || head[0] == 0x16 {
                        break;
                    }
                }
                let head = String::from_utf8_lossy(&head).into_owned();
                if head.contains("HTTP/1.1") {
                    log.lock().unwrap().push(head.lines().next().unwrap_or_default().to_owned());
                    let _ = stream.write_all(answer(&head, port).as_bytes()).await;
                }
            }
        });
        (port, seen)
    }

    fn reply(status: &str, headers: &str, body: &str) -> String {
        format!(
            "HTTP/1.1 {status}\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    fn ann() -> Credentials {
        Credentials { username: "ann".into(), password: "p".into(), ..Credentials::default() }
    }

    async fn digest(port: u16, credentials: Option<&Credentials>) -> String {
        let reference = Reference::parse(&format!("127.0.0.1:{port}/lab/tool:1")).unwrap();
        match Registry::new().unwrap().digest(&reference, credentials, false).await {
            Ok(found) => format!("{found:?}"),
            Err(e) => e.to_string().replace(&port.to_string(), "PORT"),
        }
    }

    #[tokio::test]
    async fn plain_http_on_this_machine() {
        let (port, seen) =
            server(|_, _| reply("200 OK", "docker-content-digest: sha256:aa\r\n", "")).await;
        assert_eq!(digest(port, None).await, r#"Some("sha256:aa")"#);
        assert_eq!(*seen.lock().unwrap(), ["HEAD /v2/lab/tool/manifests/1 HTTP/1.1"]);
    }

    #[tokio::test]
    async fn without_the_header_the_body_is_hashed() {
        let (port, _) = server(|_, _| reply("200 OK", "", "{}")).await;
        let empty = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
        assert_eq!(digest(port, None).await, format!(r#"Some("sha256:{empty}")"#));
    }

    #[tokio::test]
    async fn missing_denied_and_broken_differ() {
        let (port, _) = server(|_, _| reply("404 Not Found", "", "")).await;
        assert_eq!(digest(port, None).await, "None");
        let (port, _) = server(|_, _| reply("500 Oops", "", "out of order")).await;
        assert_eq!(
            digest(port, None).await,
            "the registry at 127.0.0.1:PORT answers 500 for `127.0.0.1:PORT/lab/tool:1`: out of order"
        );
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = closed.local_addr().unwrap().port();
        drop(closed);
        assert_eq!(
            digest(port, None).await,
            "cannot reach the registry at 127.0.0.1:PORT: Connection refused (os error 111)"
        );
    }

    #[tokio::test]
    async fn basic_authentication() {
        let (port, _) = server(|head, _| {
            if head.to_ascii_lowercase().contains("authorization: basic yw5uona=") {
                reply("200 OK", "docker-content-digest: sha256:bb\r\n", "")
            } else {
                reply("401 Unauthorized", "www-authenticate: Basic realm=\"lab\"\r\n", "")
            }
        })
        .await;
        assert_eq!(digest(port, Some(&ann())).await, r#"Some("sha256:bb")"#);
        let wrong = Credentials { password: "q".into(), ..ann() };
        assert_eq!(
            digest(port, Some(&wrong)).await,
            "the registry at 127.0.0.1:PORT refuses access to `lab/tool`: as `ann`"
        );
        assert_eq!(
            digest(port, None).await,
            "the registry at 127.0.0.1:PORT refuses access to `lab/tool`: \
             without credentials; add registry_auth or run docker login"
        );
    }

    #[tokio::test]
    async fn bearer_tokens_are_bought_and_shown() {
        let (port, seen) = server(|head, port| {
            let lower = head.to_ascii_lowercase();
            if head.starts_with("GET /token") && lower.contains("authorization: basic yw5uona=") {
                reply("200 OK", "", r#"{"token": "T1"}"#)
            } else if lower.contains("authorization: bearer t1") {
                reply("200 OK", "docker-content-digest: sha256:cc\r\n", "")
            } else {
                let challenge = format!(
                    "www-authenticate: Bearer realm=\"http://127.0.0.1:{port}/token\",service=\"a, b\"\r\n"
                );
                reply("401 Unauthorized", &challenge, "")
            }
        })
        .await;
        assert_eq!(digest(port, Some(&ann())).await, r#"Some("sha256:cc")"#);
        assert_eq!(
            seen.lock().unwrap()[1],
            "GET /token?scope=repository%3Alab%2Ftool%3Apull&service=a%2C+b HTTP/1.1"
        );
    }

    #[tokio::test]
    async fn deleting_twice_is_fine() {
        for status in ["202 Accepted", "404 Not Found"] {
            let (port, seen) = server(move |_, _| reply(status, "", "")).await;
            let reference = Reference::parse(&format!("127.0.0.1:{port}/lab/tool:1")).unwrap();
            let registry = Registry::new().unwrap();
            registry.delete(&reference, "sha256:dd", None, false).await.unwrap();
            assert_eq!(*seen.lock().unwrap(), ["DELETE /v2/lab/tool/manifests/sha256:dd HTTP/1.1"]);
        }
    }
}
