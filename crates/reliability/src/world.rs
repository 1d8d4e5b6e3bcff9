//! A world to act upon: a server that speaks as much of the Docker Engine's API as networks take,
//! on a socket, and writes what happens into a [`Ledger`].
//!
//! For tools without a provider for it there are two more requests, `POST` and `DELETE` on
//! `/ledger`, which any program that can make a request serves for.

use std::convert::Infallible;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::UnixListener;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::ledger::{Ledger, Thing};

/// How long an answer takes of a world that dozes.
const NAP: Duration = Duration::from_secs(15);

/// How the world behaves.
#[derive(Clone, Copy, Debug)]
pub struct Manners {
    /// A request takes up to so long before its effect and up to so long after it.
    pub latency_max: Duration,
    /// How many of a thousand requests that change something are answered by cutting the line after
    /// the effect, and how many by a 500 without effect.
    pub faults_permille: u32,
    /// What chance begins with.
    pub seed: u64,
}

/// A running world. Ends when dropped.
#[derive(Debug)]
pub struct World {
    socket: PathBuf,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    ledger: Ledger,
    manners: Manners,
    behaving: AtomicBool,
    drowsy: AtomicBool,
    under_way: AtomicUsize,
    chance: AtomicU64,
}

impl World {
    /// Starts one that listens at `socket` and writes its ledger to `ledger`.
    pub fn start(
        runtime: &Handle,
        socket: &Path,
        ledger: &Path,
        manners: Manners,
    ) -> io::Result<World> {
        let shared = Arc::new(Shared {
            ledger: Ledger::new(ledger)?,
            manners,
            behaving: AtomicBool::new(false),
            drowsy: AtomicBool::new(false),
            under_way: AtomicUsize::new(0),
            chance: AtomicU64::new(manners.seed),
        });
        let _inside = runtime.enter();
        let listener = UnixListener::bind(socket)?;
        let task = runtime.spawn(listen(listener, shared.clone()));
        Ok(World { socket: socket.to_owned(), shared, task })
    }

    /// What happened in it.
    pub fn ledger(&self) -> &Ledger {
        &self.shared.ledger
    }

    /// Where it listens.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Whether it does without faults from here on.
    pub fn behave(&self, well: bool) {
        self.shared.behaving.store(well, Ordering::Relaxed);
    }

    /// Waits until all that was asked for is done, by whoever is still alive or was.
    pub fn rest(&self) {
        // What was just sent may not have been heard yet.
        let mut calm = 0;
        while calm < 10 {
            std::thread::sleep(Duration::from_millis(10));
            calm = if self.shared.under_way.load(Ordering::SeqCst) == 0 { calm + 1 } else { 0 };
        }
    }

    /// Whether answers to requests that change something take longer than anybody waits for.
    pub fn doze(&self, drowsy: bool) {
        self.shared.drowsy.store(drowsy, Ordering::Relaxed);
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.task.abort();
        let _ = std::fs::remove_file(&self.socket);
    }
}

async fn listen(listener: UnixListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        let shared = shared.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let shared = shared.clone();
                // What was asked for happens, even if nobody waits for it any more.
                shared.under_way.fetch_add(1, Ordering::SeqCst);
                let done = tokio::spawn(async move {
                    let answer = shared.answer(request).await;
                    shared.under_way.fetch_sub(1, Ordering::SeqCst);
                    answer
                });
                async move { done.await.unwrap_or(Err(Cut)) }
            });
            // The other side may be gone at any time.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

/// The line is to be cut instead of an answer.
#[derive(Debug)]
struct Cut;

impl std::fmt::Display for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("cut on purpose")
    }
}

impl std::error::Error for Cut {}

impl From<Infallible> for Cut {
    fn from(never: Infallible) -> Cut {
        match never {}
    }
}

type Answer = (StatusCode, String);

impl Shared {
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Cut> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map_err(|_| Cut)?.to_bytes();
        let changes = head.method == Method::POST || head.method == Method::DELETE;
        let faulty = changes
            && !self.behaving.load(Ordering::Relaxed)
            && self.chance() % 1000 < u64::from(self.manners.faults_permille);
        self.pause().await;
        if faulty && self.chance().is_multiple_of(2) {
            let message = json!({"message": "the world has the hiccups"}).to_string();
            return Ok(reply((StatusCode::INTERNAL_SERVER_ERROR, message)));
        }
        let query = head.uri.query().unwrap_or_default();
        let answer = self.act(&head.method, head.uri.path(), query, &body);
        if changes {
            self.pause().await;
            if self.drowsy.load(Ordering::Relaxed) {
                tokio::time::sleep(NAP).await;
            }
        }
        if faulty { Err(Cut) } else { Ok(reply(answer)) }
    }

    /// The effect of a request, at once.
    fn act(&self, method: &Method, path: &str, query: &str, body: &[u8]) -> Answer {
        let path = unversioned(path);
        let parts: Vec<&str> = path.split('/').filter(|it| !it.is_empty()).collect();
        let result = match (method, &parts[..]) {
            (&Method::GET | &Method::HEAD, ["_ping"]) => Ok((StatusCode::OK, "OK".to_owned())),
            (&Method::GET, ["version"]) => {
                let version = json!({"ApiVersion": "1.53", "Version": "0"});
                Ok((StatusCode::OK, version.to_string()))
            }
            (&Method::POST, ["networks", "create"]) => self.create(body),
            (&Method::GET, ["networks"]) => Ok((StatusCode::OK, self.list(query))),
            (&Method::GET, ["networks", id]) => Ok(match self.ledger.get(id) {
                Some(thing) => (StatusCode::OK, thing.text),
                None => missing(id),
            }),
            (&Method::DELETE, ["networks", id]) => {
                self.ledger.remove(id).map(|there| match there {
                    true => (StatusCode::NO_CONTENT, String::new()),
                    false => missing(id),
                })
            }
            (&Method::POST, ["ledger"]) => {
                let (id, name) = (parameter(query, "id"), parameter(query, "name"));
                let (labels, text) = Default::default();
                let thing = Thing { id, name, labels, text };
                self.ledger.add(thing).map(|()| (StatusCode::CREATED, String::new()))
            }
            // Gone is gone: a script that takes things away does not mind.
            (&Method::DELETE, ["ledger"]) => {
                let removed = self.ledger.remove(&parameter(query, "id"));
                removed.map(|_| (StatusCode::NO_CONTENT, String::new()))
            }
            _ => Ok(missing(path)),
        };
        result.unwrap_or_else(|error| {
            let message = json!({"message": format!("the ledger cannot be written: {error}")});
            (StatusCode::INTERNAL_SERVER_ERROR, message.to_string())
        })
    }

    fn create(&self, body: &[u8]) -> io::Result<Answer> {
        let wanted: Value = serde_json::from_slice(body)?;
        let labels = wanted["Labels"].as_object().into_iter().flatten();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let labels = labels.map(|(key, value)| (key.clone(), text(value))).collect();
        let id: String = (0..4).map(|_| format!("{:016x}", self.chance())).collect();
        let mut thing =
            Thing { id: id.clone(), name: text(&wanted["Name"]), labels, text: String::new() };
        thing.text = network(&thing).to_string();
        self.ledger.add(thing)?;
        Ok((StatusCode::CREATED, json!({"Id": id, "Warning": ""}).to_string()))
    }

    /// All, or those with all the labels that the filter asks for (`key` or `key=value`).
    fn list(&self, query: &str) -> String {
        let filters: Value = serde_json::from_str(&parameter(query, "filters")).unwrap_or_default();
        let wanted: Vec<&str> = match &filters["label"] {
            Value::Array(labels) => labels.iter().filter_map(Value::as_str).collect(),
            Value::Object(labels) => labels.keys().map(String::as_str).collect(),
            _ => Vec::new(),
        };
        let fits = |thing: &Thing| {
            wanted.iter().all(|label| match label.split_once('=') {
                Some((key, value)) => thing.labels.get(key).is_some_and(|it| it == value),
                None => thing.labels.contains_key(*label),
            })
        };
        let mut list = String::from("[");
        self.ledger.each(|thing| {
            if fits(thing) {
                if list.len() > 1 {
                    list.push(',');
                }
                list.push_str(&thing.text);
            }
        });
        list.push(']');
        list
    }

    async fn pause(&self) {
        let max = self.manners.latency_max.as_micros() as u64;
        let micros = self.chance() % (max + 1);
        tokio::time::sleep(Duration::from_micros(micros)).await;
    }

    /// The next of a row of numbers without pattern (splitmix64).
    fn chance(&self) -> u64 {
        let step = 0x9e37_79b9_7f4a_7c15;
        let mut z = self.chance.fetch_add(step, Ordering::Relaxed).wrapping_add(step);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// `/v1.53/networks` is `/networks`.
fn unversioned(path: &str) -> &str {
    match path.strip_prefix("/v").and_then(|it| it.split_once('/')) {
        Some((version, rest)) if version.starts_with(|it: char| it.is_ascii_digit()) => rest,
        _ => path,
    }
}

fn network(thing: &Thing) -> Value {
    json!({
        "Name": thing.name,
        "Id": thing.id,
        "Created": "2026-01-01T00:00:00Z",
        "Scope": "local",
        "Driver": "bridge",
        "EnableIPv6": false,
        "Internal": false,
        "Attachable": false,
        "Ingress": false,
        "IPAM": {"Driver": "default", "Config": []},
        "Options": {},
        "Labels": thing.labels,
    })
}

fn missing(what: &str) -> Answer {
    (StatusCode::NOT_FOUND, json!({"message": format!("{what} is not there")}).to_string())
}

fn reply((status, body): Answer) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let json = hyper::header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(hyper::header::CONTENT_TYPE, json);
    response
}

/// One parameter of a query, decoded. Empty if it is not there.
fn parameter(query: &str, name: &str) -> String {
    let pairs = query.split('&').filter_map(|it| it.split_once('='));
    let value = pairs.filter(|(key, _)| *key == name).map(|(_, value)| value).next();
    let value = value.unwrap_or_default().as_bytes();
    let mut bytes = Vec::with_capacity(value.len());
    let mut at = 0;
    while at < value.len() {
        let hex = value.get(at + 1..at + 3).and_then(|it| std::str::from_utf8(it).ok());
        match (value[at], hex.and_then(|it| u8::from_str_radix(it, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                at += 3;
            }
            (b'+', _) => {
                bytes.push(b' ');
                at += 1;
            }
            (byte, _) => {
                bytes.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_decoded() {
        let query = "a=1&filters=%7B%22label%22%3A%5B%22k%3Dv%22%5D%7D&b=x+y";
        assert_eq!(parameter(query, "filters"), r#"{"label":["k=v"]}"#);
        assert_eq!(parameter(query, "b"), "x y");
        assert_eq!(parameter(query, "c"), "");
    }

    #[test]
    fn versions_are_left_out() {
        assert_eq!(unversioned("/v1.53/networks"), "networks");
        assert_eq!(unversioned("/volumes/x"), "/volumes/x");
    }
}
