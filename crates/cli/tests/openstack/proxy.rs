//! Between plumb and one of the cloud's services: counts what is asked, and lets things go wrong.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use crate::api::Api;

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is passed on, and so is the answer.
    Pass,
    /// The connection is cut before the service hears of it.
    Cut,
    /// The service does it; nobody hears the answer.
    Mute,
    /// The answer is this status with a word about it, and the service hears of nothing. With 503
    /// comes a wish for another try, in a second.
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

    /// Before a service of the rig's; of the requests that have one of these words in them, the
    /// first with each is done, but nobody hears the answer.
    pub(crate) fn mute(service: &str, words: &[&str]) -> Proxy {
        let left: Mutex<Vec<String>> =
            Mutex::new(words.iter().map(|it| (*it).to_owned()).collect());
        Proxy::before(&address(service), move |asked| {
            let mut left = left.lock().unwrap();
            match left.iter().position(|it| asked.contains(it)) {
                Some(place) => {
                    left.remove(place);
                    Fate::Mute
                }
                None => Fate::Pass,
            }
        })
    }

    /// Forgets what was asked, and tells it: `GET /v2.0/ports?…`.
    pub(crate) fn seen(&self) -> Vec<String> {
        std::mem::take(&mut *self.shared.seen.lock().unwrap())
    }
}

/// Where a service of the rig's is, with its version and without a project.
pub(crate) fn address(service: &str) -> String {
    let admin = Api::admin();
    let kind = if service == "volume" { "volumev3" } else { service };
    let url = admin.service(kind).trim_end_matches(&admin.project);
    url.trim_end_matches('/').to_owned()
}

/// A configuration's head with these services elsewhere, and more of the provider's arguments.
pub(crate) fn through(proxies: &[(&str, &Proxy)], more: &str) -> String {
    let overrides: String =
        proxies.iter().map(|(service, it)| format!("    {service} = \"{}/\"\n", it.url)).collect();
    format!(
        r#"
        terraform {{
          required_providers {{
            openstack = {{ source = "terraform-provider-openstack/openstack" }}
          }}
        }}
        provider "openstack" {{
          endpoint_overrides = {{
        {overrides}
          }}
          {more}
        }}
        "#
    )
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
            let later = if status == 503 { "Retry-After: 1\r\n" } else { "" };
            let answer = format!(
                "HTTP/1.1 {status} Said\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n{later}Connection: close\r\n\r\n{body}"
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
