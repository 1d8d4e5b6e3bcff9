//! A cloud on loopback that says what a test wants it to say.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value as Json, json};
use tokio::io::AsyncBufReadExt as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

use super::Session;
use crate::auth::{Credential, Domain, Interface, Project, Scope, Secret, Settings, Tls, User};

/// A request that arrived.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// `GET /v2.0/networks?limit=2`.
    pub line: String,
    /// Small letters.
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

/// What is answered.
pub(crate) enum Reply {
    Json(u16, Json),
    /// Status, headers, body.
    Whole(u16, Vec<(&'static str, String)>, String),
    /// Hangs up without a word.
    HangUp,
    /// Like the one in it, but later.
    Later(Duration, Box<Reply>),
}

impl Seen {
    pub(crate) fn json(&self) -> Json {
        serde_json::from_str(&self.body).unwrap()
    }

    pub(crate) fn token(&self) -> &str {
        self.headers.get("x-auth-token").map_or("", String::as_str)
    }
}

/// The cloud. Keystone is part of it: it hands out `token-1`, `token-2` and so on.
pub(crate) struct Fake {
    pub port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
}

type Handler = dyn Fn(&Seen) -> Reply + Send + Sync;

impl Fake {
    /// `catalog` has types and what follows the host in their public endpoints. `answer` is for
    /// everything but tokens.
    pub(crate) async fn new(
        catalog: &[(&str, &str)],
        answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    ) -> Fake {
        Fake::with_tls(catalog, None, 3600, answer).await
    }

    /// A cloud whose tokens live for so many seconds.
    pub(crate) async fn with_tls(
        catalog: &[(&str, &str)],
        tls: Option<tokio_rustls::TlsAcceptor>,
        seconds: u64,
        answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    ) -> Fake {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let base = format!("http://127.0.0.1:{port}");
        let entry = |(kind, path): &(&str, &str)| {
            let endpoint = |interface: &str, region: &str, url: String| {
                json!({ "id": "e", "interface": interface, "region": region, "region_id": region,
                        "url": url })
            };
            json!({ "id": "s", "type": kind, "name": "x", "endpoints": [
                endpoint("admin", "One", format!("{base}/admin")),
                endpoint("public", "One", format!("{base}{path}")),
            ] })
        };
        let catalog: Vec<Json> = catalog.iter().map(entry).collect();
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let log = seen.clone();
        let count = Mutex::new(0);
        let answer: Arc<Handler> = Arc::new(move |request: &Seen| {
            log.lock().unwrap().push(request.clone());
            if request.line != "POST /v3/auth/tokens" {
                return answer(request);
            }
            if request.body.contains("wrong") {
                let error = json!({ "code": 401, "title": "Unauthorized", "message":
                    "The request you have made requires authentication." });
                return Reply::Json(401, json!({ "error": error }));
            }
            if request.body.contains("busy") {
                return Reply::Json(503, json!({}));
            }
            let mut count = count.lock().unwrap();
            *count += 1;
            let body = json!({ "token": {
                "user": { "id": "u-id", "name": "u", "domain": { "id": "d-id", "name": "d" } },
                "project": { "id": "p-id", "name": "p", "domain": { "id": "d-id", "name": "d" } },
                "roles": [{ "id": "r-id", "name": "member" }],
                // Another clock than ours.
                "issued_at": "2001-01-01T00:00:00.000000Z",
                "expires_at": format!("2001-01-01T{:02}:{:02}:{:02}.000000Z",
                    seconds / 3600, seconds / 60 % 60, seconds % 60),
                "catalog": catalog,
            } });
            let id = vec![("x-subject-token", format!("token-{count}"))];
            // Time for others to come and want one, too.
            let reply = Reply::Whole(201, id, body.to_string());
            Reply::Later(Duration::from_millis(20), Box::new(reply))
        });
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (answer, tls) = (answer.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, &*answer).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, &*answer).await
                            } else {
                                None
                            }
                        }
                    }
                });
            }
        });
        Fake { port, seen }
    }

    /// Settings that lead here.
    pub(crate) fn settings(&self) -> Settings {
        settings(&format!("http://127.0.0.1:{}/v3", self.port))
    }

    /// An impatient session.
    pub(crate) fn session(&self) -> Session {
        session(self.settings())
    }

    /// The requests that arrived, without those for tokens.
    pub(crate) fn lines(&self) -> Vec<String> {
        let seen = self.seen();
        let lines = seen.into_iter().map(|seen| seen.line);
        lines.filter(|line| line != "POST /v3/auth/tokens").collect()
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// How many tokens were asked for.
    pub(crate) fn tokens(&self) -> usize {
        self.seen().iter().filter(|seen| seen.line == "POST /v3/auth/tokens").count()
    }
}

pub(crate) fn settings(auth_url: &str) -> Settings {
    Settings {
        auth_url: auth_url.parse().unwrap(),
        credential: Credential::Password {
            user: User::Name { name: "u".into(), domain: Domain::Name("d".into()) },
            password: Secret::new("right"),
            passcode: None,
        },
        scope: Scope::Project(Project::Id("p-id".into())),
        region: None,
        interface: Interface::Public,
        endpoint_overrides: BTreeMap::new(),
        tls: Tls::default(),
        max_retries: None,
        allow_reauth: true,
        no_cache: true,
        proxies: Default::default(),
    }
}

pub(crate) fn session(settings: Settings) -> Session {
    let mut session = Session::new(settings).unwrap();
    session.patience.first = Duration::from_millis(2);
    session.patience.longest = Duration::from_millis(10);
    session.patience.repeats_max = session.patience.repeats_max.min(5);
    session
}

/// Serves one connection until it ends.
async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, answer: &Handler) -> Option<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.is_err() {
            // What is not text is not HTTP.
            let _ = stream.get_mut().write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
            return None;
        }
        let mut words = line.split_whitespace();
        let line = format!("{} {}", words.next()?, words.next()?);
        let mut headers = BTreeMap::new();
        loop {
            let mut header = String::new();
            stream.read_line(&mut header).await.ok()?;
            let Some((name, value)) = header.trim().split_once(':') else { break };
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        let mut body = Vec::new();
        if headers.contains_key("transfer-encoding") {
            loop {
                let mut size = String::new();
                stream.read_line(&mut size).await.ok()?;
                let size = usize::from_str_radix(size.trim(), 16).ok()?;
                let mut chunk = vec![0; size + 2];
                stream.read_exact(&mut chunk).await.ok()?;
                body.extend_from_slice(&chunk[..size]);
                if size == 0 {
                    break;
                }
            }
        } else if let Some(length) = headers.get("content-length") {
            body = vec![0; length.parse().ok()?];
            stream.read_exact(&mut body).await.ok()?;
        }
        let body = String::from_utf8(body).ok()?;
        let mut reply = answer(&Seen { line, headers, body });
        while let Reply::Later(time, inner) = reply {
            tokio::time::sleep(time).await;
            reply = *inner;
        }
        let (status, headers, body) = match reply {
            Reply::HangUp => return None,
            Reply::Json(status, body) => (status, Vec::new(), body.to_string()),
            Reply::Whole(status, headers, body) => (status, headers, body),
            Reply::Later(..) => unreachable!("waited for above"),
        };
        let mut head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n", body.len());
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        let text = format!("{head}\r\n{body}");
        stream.get_mut().write_all(text.as_bytes()).await.ok()?;
        stream.get_mut().flush().await.ok()?;
    }
}
