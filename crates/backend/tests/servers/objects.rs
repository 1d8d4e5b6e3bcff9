//! The least of a store of objects that a state needs. It can ignore conditions, as some do; whoever
//! wants to know how a good one behaves asks the real one of `tests/rigs/s3`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use md5::Digest;

use super::{Asked, Listening, Told, told};

pub type Objects = BTreeMap<String, Vec<u8>>;

pub struct ObjectServer {
    pub listening: Listening,
    objects: Arc<Mutex<Objects>>,
}

impl ObjectServer {
    /// `heeds`: which conditions it looks at.
    pub fn start(heeds: &'static [&'static str]) -> ObjectServer {
        let objects = Arc::new(Mutex::new(Objects::new()));
        let kept = objects.clone();
        let answer = move |it: &Asked| answer(&mut kept.lock().unwrap(), heeds, it);
        ObjectServer { listening: Listening::start(None, answer), objects }
    }

    pub fn objects(&self) -> MutexGuard<'_, Objects> {
        self.objects.lock().unwrap()
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.listening.port)
    }
}

fn answer(objects: &mut Objects, heeds: &[&str], asked: &Asked) -> Told {
    let there = objects.get(&asked.path);
    let etag = there.map(|it| etag(it));
    let condition = |name: &str| asked.header(name).filter(|_| heeds.contains(&name));
    if condition("if-none-match").is_some() && etag.is_some() {
        return told(412, "<Error><Code>PreconditionFailed</Code></Error>");
    }
    if let Some(wanted) = condition("if-match")
        && etag.as_deref() != Some(wanted)
    {
        return told(412, "<Error><Code>PreconditionFailed</Code></Error>");
    }
    match asked.method.as_str() {
        "GET" => match there {
            None => told(404, "<Error><Code>NoSuchKey</Code></Error>"),
            Some(bytes) => {
                let headers = vec![("etag", etag.unwrap_or_default())];
                Told { status: 200, headers, body: bytes.clone() }
            }
        },
        "PUT" => {
            let headers = vec![("etag", self::etag(&asked.body))];
            objects.insert(asked.path.clone(), asked.body.clone());
            Told { status: 200, headers, body: Vec::new() }
        }
        "DELETE" => {
            objects.remove(&asked.path);
            told(204, "")
        }
        _ => told(405, ""),
    }
}

fn etag(bytes: &[u8]) -> String {
    let sum: String = md5::Md5::digest(bytes).iter().map(|it| format!("{it:02x}")).collect();
    format!("\"{sum}\"")
}
