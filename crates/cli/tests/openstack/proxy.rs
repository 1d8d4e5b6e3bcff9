//! Between plumb and one of the cloud's services: counts what is asked, and lets things go wrong.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is passed on, and so is the answer.
    Pass,
    /// The connection is cut before the service hears of it.
    Cut,
    /// The service does it; nobody hears the answer.
    Mute,
    /// The answer is this status with a word about it, and the service hears of nothing.
    Answer(u16),
}

/// A service with something in between.
pub(crate) struct Proxy {
    /// Where plumb is to find the service.
    pub(crate) url: String,
    shared: Arc<Shared>,
}

struct Shared {
    upstream: String,
    seen: Mutex<Vec<String>>,
    decide: Box<dyn Fn(&str) -> Fate + Send + Sync>,
}

impl Proxy {
    /// Before the service at `url` (`http://host:port/path`). `decide` sees `POST /v2.0/ports`.
    pub(crate) fn before(
        url: &str,
        decide: impl Fn(&str) -> Fate + Send + Sync + 'static,
    ) -> Proxy {
        let rest = url.strip_prefix("http://").unwrap();
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/{path}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            upstream: host.to_owned(),
            seen: Mutex::default(),
            decide: Box::new(decide),
        });
        let serving = shared.clone();
        // Ends with the test's process: nobody connects after its test.
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let shared = serving.clone();
                std::thread::spawn(move || serve(client, &shared));
            }
        });
        Proxy { url, shared }
    }

    /// Forgets what was asked, and tells it: `GET /v2.0/ports?…`.
    pub(crate) fn seen(&self) -> Vec<String> {
        std::mem::take(&mut *self.shared.seen.lock().unwrap())
    }
}

/// One request a connection.
fn serve(mut client: TcpStream, shared: &Shared) -> Option<()> {
    let mut request = Vec::new();
    let head = loop {
        let mut buffer = [0; 4096];
        let count = client.read(&mut buffer).ok().filter(|it| *it > 0)?;
        request.extend(&buffer[..count]);
        if let Some(end) = request.windows(4).position(|it| it == b"\r\n\r\n") {
            break end + 4;
        }
    };
    let text = String::from_utf8_lossy(&request[..head]).into_owned();
    let length = text.lines().find_map(|it| {
        let (name, value) = it.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let missing = (head + length.unwrap_or(0)).saturating_sub(request.len());
    let mut rest = vec![0; missing];
    client.read_exact(&mut rest).ok()?;
    request.extend(rest);
    let asked = text.lines().next()?.rsplit_once(' ')?.0.to_owned();
    let fate = (shared.decide)(&asked);
    shared.seen.lock().unwrap().push(asked);
    match fate {
        Fate::Cut => return None,
        Fate::Answer(status) => {
            let body = r#"{"message": "said by the test"}"#;
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 {status} Said\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            );
            return client.write_all(answer.as_bytes()).ok();
        }
        Fate::Pass | Fate::Mute => {}
    }
    let mut service = TcpStream::connect(&shared.upstream).ok()?;
    let lines: Vec<&str> = text
        .lines()
        .filter(|it| !it.is_empty() && !it.to_lowercase().starts_with("connection:"))
        .collect();
    let head_again = format!("{}\r\nConnection: close\r\n\r\n", lines.join("\r\n"));
    service.write_all(head_again.as_bytes()).ok()?;
    service.write_all(&request[head..]).ok()?;
    let mut answer = Vec::new();
    service.read_to_end(&mut answer).ok()?;
    if fate == Fate::Pass {
        client.write_all(&answer).ok()?;
    }
    Some(())
}
