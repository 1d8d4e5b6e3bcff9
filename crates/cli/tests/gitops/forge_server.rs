//! A small forge: statuses and comments of GitHub, GitLab and Gitea, as strict as they are about tokens, fields and
//! pages, on loopback.

use std::collections::BTreeMap;
use std::io::{BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

pub(crate) const TOKEN: &str = "t0p-s3cret-t0ken";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    GitHub,
    GitLab,
    Gitea,
}

#[derive(Default)]
pub(crate) struct Store {
    /// What was told of commits, oldest first.
    pub(crate) statuses: Vec<(String, Value)>,
    /// Comments, by where they are: their ids and bodies.
    pub(crate) comments: BTreeMap<String, Vec<(u64, String)>>,
    /// Requests that were answered.
    pub(crate) requests: Vec<String>,
    /// So many answers are errors, with this status and these headers.
    pub(crate) fail: Vec<(u16, &'static str)>,
    /// A comment is made and the answer lost.
    pub(crate) lose_created: bool,
    /// The pull request of every commit.
    pub(crate) pull: Option<u64>,
    next: u64,
}

#[derive(Clone)]
pub(crate) struct Forge {
    pub(crate) kind: Kind,
    pub(crate) url: String,
    store: Arc<Mutex<Store>>,
}

struct Request {
    method: String,
    path: String,
    query: BTreeMap<String, String>,
    headers: BTreeMap<String, String>,
    body: Value,
}

impl Forge {
    pub(crate) fn start(kind: Kind) -> Forge {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = match kind {
            Kind::GitHub => "",
            Kind::GitLab => "/api/v4",
            Kind::Gitea => "/api/v1",
        };
        let url = format!("http://{}{base}", listener.local_addr().unwrap());
        let forge = Forge { kind, url, store: Arc::default() };
        let server = forge.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = server.clone();
                std::thread::spawn(move || server.serve(stream));
            }
        });
        forge
    }

    pub(crate) fn store(&self) -> std::sync::MutexGuard<'_, Store> {
        self.store.lock().unwrap()
    }

    /// The states that a commit had, oldest first.
    pub(crate) fn states(&self, commit: &str) -> Vec<String> {
        let store = self.store();
        let of = store.statuses.iter().filter(|it| it.0 == commit);
        of.map(|it| it.1["state"].as_str().unwrap().to_owned()).collect()
    }

    /// All comments.
    pub(crate) fn comments(&self) -> Vec<String> {
        self.store().comments.values().flatten().map(|it| it.1.clone()).collect()
    }

    fn serve(&self, stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut stream = stream;
        while let Some(request) = read(&mut reader) {
            let (status, headers, body) = self.answer(&request);
            let text = body.to_string();
            let head = format!(
                "HTTP/1.1 {status} x\r\ncontent-type: application/json\r\ncontent-length: \
                 {}\r\n{headers}\r\n",
                text.len()
            );
            if stream.write_all(format!("{head}{text}").as_bytes()).is_err() {
                return;
            }
        }
    }

    fn answer(&self, request: &Request) -> (u16, &'static str, Value) {
        let mut store = self.store();
        store.requests.push(format!("{} {}", request.method, request.path));
        if !store.fail.is_empty() {
            let (status, headers) = store.fail.remove(0);
            return (status, headers, json!({"message": "injected"}));
        }
        let header = |name: &str| request.headers.get(name).map_or("", String::as_str);
        let known = match self.kind {
            Kind::GitHub => {
                header("authorization") == format!("Bearer {TOKEN}")
                    && !header("user-agent").is_empty()
                    && header("x-github-api-version") == "2022-11-28"
            }
            Kind::GitLab => header("private-token") == TOKEN,
            Kind::Gitea => header("authorization") == format!("token {TOKEN}"),
        };
        if !known {
            return (401, "", json!({"message": "Bad credentials"}));
        }
        let (status, body) = self.route(&mut store, request);
        (status, "", body)
    }

    fn route(&self, store: &mut Store, request: &Request) -> (u16, Value) {
        let not_found = (404, json!({"message": "Not Found"}));
        let base = match self.kind {
            Kind::GitHub => "/repos/acme/net",
            Kind::GitLab => "/api/v4/projects/acme%2Fnet",
            Kind::Gitea => "/api/v1/repos/acme/net",
        };
        let Some(rest) = request.path.strip_prefix(base) else { return not_found };
        let parts: Vec<&str> = rest.trim_start_matches('/').split('/').collect();
        let pull = store.pull;
        match (self.kind, &*request.method, &parts[..]) {
            (_, "POST", ["statuses", commit]) => self.status(store, commit, &request.body),
            (Kind::GitHub, "GET", ["commits", _, "pulls"]) => {
                (200, pull.map_or(json!([]), |it| json!([{"number": it, "state": "open"}])))
            }
            (Kind::Gitea, "GET", ["commits", _, "pull"]) => match pull {
                Some(number) => (200, json!({"number": number})),
                None => not_found,
            },
            (Kind::GitLab, "GET", ["repository", "commits", _, "merge_requests"]) => {
                (200, pull.map_or(json!([]), |it| json!([{"iid": it, "state": "opened"}])))
            }
            (Kind::GitHub, method, ["commits", commit, "comments"]) => {
                self.comments_of(store, method, &format!("commit {commit}"), request)
            }
            (Kind::GitHub | Kind::Gitea, method, ["issues", number, "comments"]) => {
                self.comments_of(store, method, &format!("pull {number}"), request)
            }
            (Kind::GitHub, "PATCH", ["comments", id]) => {
                self.change(store, "commit", id, &request.body)
            }
            (Kind::GitHub | Kind::Gitea, "PATCH", ["issues", "comments", id]) => {
                self.change(store, "pull", id, &request.body)
            }
            (Kind::GitLab, method, ["merge_requests", number, "notes"]) => {
                self.comments_of(store, method, &format!("pull {number}"), request)
            }
            (Kind::GitLab, "PUT", ["merge_requests", _, "notes", id]) => {
                self.change(store, "pull", id, &request.body)
            }
            (Kind::GitLab, method, ["repository", "commits", commit, "discussions"]) => {
                self.comments_of(store, method, &format!("commit {commit}"), request)
            }
            (
                Kind::GitLab,
                "PUT",
                ["repository", "commits", _, "discussions", disc, "notes", id],
            ) if *disc == format!("d{id}") => self.change(store, "commit", id, &request.body),
            _ => not_found,
        }
    }

    fn status(&self, store: &mut Store, commit: &str, body: &Value) -> (u16, Value) {
        let state = body["state"].as_str().unwrap_or_default();
        let (states, name): (&[&str], _) = match self.kind {
            Kind::GitLab => (&["pending", "running", "success", "failed", "canceled"], "name"),
            Kind::GitHub => (&["error", "failure", "pending", "success"], "context"),
            Kind::Gitea => (&["error", "failure", "pending", "success", "warning"], "context"),
        };
        let length = body["description"].as_str().map_or(0, |it| it.chars().count());
        let limit = if self.kind == Kind::GitLab { 255 } else { 140 };
        if !states.contains(&state)
            || !body[name].is_string()
            || length > limit
            || commit.len() != 40
        {
            return (422, json!({"message": format!("Validation Failed: {body}")}));
        }
        let same = store
            .statuses
            .iter()
            .rfind(|it| it.0 == commit)
            .is_some_and(|it| it.1["state"] == state);
        if self.kind == Kind::GitLab && same {
            return (
                400,
                json!({"message": "Cannot transition status via :enqueue from :pending"}),
            );
        }
        store.statuses.push((commit.to_owned(), body.clone()));
        (201, json!({"id": 1, "state": state}))
    }

    fn comments_of(
        &self,
        store: &mut Store,
        method: &str,
        place: &str,
        request: &Request,
    ) -> (u16, Value) {
        if method == "POST" {
            let Some(text) = self.text(&request.body) else {
                return (422, json!({"message": "Body is too long (maximum is 65536 characters)"}));
            };
            store.next += 1;
            let id = store.next;
            store.comments.entry(place.to_owned()).or_default().push((id, text.clone()));
            if std::mem::take(&mut store.lose_created) {
                return (502, json!({"message": "Bad gateway"}));
            }
            return (201, self.shown(place, id, &text));
        }
        // Two to a page: whoever wants all of them has to turn pages.
        let number = |name: &str| request.query.get(name).and_then(|it| it.parse::<usize>().ok());
        let page = number("page").unwrap_or(1).max(1);
        let all = store.comments.get(place).cloned().unwrap_or_default();
        let shown = all.iter().skip((page - 1) * 2).take(2);
        (200, shown.map(|(id, text)| self.shown(place, *id, text)).collect())
    }

    fn change(&self, store: &mut Store, place: &str, id: &str, body: &Value) -> (u16, Value) {
        let Some(text) = self.text(body) else { return (422, json!({"message": "no body"})) };
        let all = store.comments.iter_mut().filter(|it| it.0.starts_with(place));
        for (place, comments) in all {
            if let Some(found) = comments.iter_mut().find(|it| it.0.to_string() == id) {
                if found.1.contains("somebody else's") {
                    return (403, json!({"message": "Forbidden"}));
                }
                found.1.clone_from(&text);
                return (200, self.shown(place, found.0, &text));
            }
        }
        (404, json!({"message": "Not Found"}))
    }

    fn text(&self, body: &Value) -> Option<String> {
        let limit = if self.kind == Kind::GitLab { 1_000_000 } else { 65_536 };
        let text = body["body"].as_str()?;
        (!text.is_empty() && text.chars().count() <= limit).then(|| text.to_owned())
    }

    fn shown(&self, place: &str, id: u64, text: &str) -> Value {
        let note = json!({"id": id, "body": text});
        match self.kind {
            Kind::GitLab if place.starts_with("commit") => {
                json!({"id": format!("d{id}"), "notes": [note]})
            }
            _ => note,
        }
    }
}

fn read(reader: &mut impl std::io::BufRead) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|it| *it > 0)?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|it| it.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let pairs = query.split('&').filter_map(|it| it.split_once('='));
    Some(Request {
        method,
        path: path.to_owned(),
        query: pairs.map(|(a, b)| (a.to_owned(), b.to_owned())).collect(),
        headers,
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
    })
}
