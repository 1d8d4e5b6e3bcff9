//! The way to the engine: one transport for sockets, TCP, TLS and ssh.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bollard::{BollardRequest, Docker};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::auth::url_safe;
use crate::endpoint::{Endpoint, Tls};

/// What keeps us from talking to the engine at all. Travels inside the client library's I/O error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Cannot connect to the Docker engine at {endpoint}: {reason}; is it running?")]
pub(crate) struct Unreachable {
    /// Where.
    pub endpoint: String,
    /// What happened there.
    pub reason: String,
}

/// Makes a client for the engine at `endpoint`. Nothing is sent yet.
pub(crate) fn client(endpoint: &Endpoint, timeout: Duration) -> Result<Docker, Unreachable> {
    let display = endpoint.to_string();
    let unreachable = |reason: String| Unreachable { endpoint: display.clone(), reason };
    let said = Arc::new(Mutex::new(String::new()));
    let connector = Connector {
        way: Arc::new(match endpoint {
            Endpoint::Unix(path) => Way::Unix(path.clone()),
            Endpoint::Tcp { host, port, tls } => Way::Tcp {
                host: host.clone(),
                port: *port,
                tls: match tls {
                    Some(tls) => Some(secure(host, tls).map_err(unreachable)?),
                    None => None,
                },
            },
            Endpoint::Ssh { command, .. } => Way::Ssh(command.clone()),
        }),
        said: said.clone(),
    };
    // Opening a socket costs nothing, and a kept one may be dead; ssh takes a second to open.
    let idle_max = if matches!(endpoint, Endpoint::Ssh { .. }) { 4 } else { 0 };
    let http = Client::builder(TokioExecutor::new())
        .pool_max_idle_per_host(idle_max)
        .pool_idle_timeout(Duration::from_secs(20))
        .pool_timer(TokioTimer::new())
        .retry_canceled_requests(false)
        .build(connector);
    let transport = move |mut request: BollardRequest| {
        url_safe(request.headers_mut());
        let (sent, display, said) = (http.request(request), display.clone(), said.clone());
        async move {
            sent.await.map_err(|e| {
                let words = said.lock().map(|said| said.trim().to_owned()).unwrap_or_default();
                if !e.is_connect() && words.is_empty() {
                    return bollard::errors::Error::from(e);
                }
                let reason = if words.is_empty() { innermost(&e) } else { words };
                let error = Unreachable { endpoint: display, reason };
                bollard::errors::Error::from(io::Error::other(error))
            })
        }
    };
    let version = bollard::API_DEFAULT_VERSION;
    let address = Some("http://docker");
    Docker::connect_with_custom_transport(transport, address, timeout.as_secs(), version)
        .map_err(|e| Unreachable { endpoint: endpoint.to_string(), reason: e.to_string() })
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

struct Secure {
    connector: tokio_rustls::TlsConnector,
    name: ServerName<'static>,
}

fn secure(host: &str, tls: &Tls) -> Result<Secure, String> {
    let mut roots = rustls::RootCertStore::empty();
    match &tls.ca {
        Some(ca) => {
            for certificate in CertificateDer::pem_slice_iter(ca.as_bytes()) {
                let certificate = certificate.map_err(|e| format!("bad ca_material: {e}"))?;
                roots.add(certificate).map_err(|e| format!("bad ca_material: {e}"))?;
            }
            if roots.is_empty() {
                return Err("ca_material holds no certificate".to_owned());
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?
        .with_root_certificates(roots);
    let config = match &tls.identity {
        None => config.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain: Result<Vec<_>, _> =
                CertificateDer::pem_slice_iter(certificate.as_bytes()).collect();
            let chain = chain.map_err(|e| format!("bad cert_material: {e}"))?;
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes());
            let key = key.map_err(|e| format!("bad key_material: {e}"))?;
            config.with_client_auth_cert(chain, key).map_err(|e| e.to_string())?
        }
    };
    let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let name = ServerName::try_from(bare).map_err(|e| e.to_string())?;
    Ok(Secure { connector: Arc::new(config).into(), name })
}

enum Way {
    Unix(std::path::PathBuf),
    Tcp { host: String, port: u16, tls: Option<Secure> },
    Ssh(Vec<String>),
}

#[derive(Clone)]
struct Connector {
    way: Arc<Way>,
    /// The latest words of ssh, which are the reason when it hangs up.
    said: Arc<Mutex<String>>,
}

impl tower_service::Service<http::Uri> for Connector {
    type Response = Line;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Line>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: http::Uri) -> Self::Future {
        let (way, said) = (self.way.clone(), self.said.clone());
        Box::pin(async move {
            let opening = open(&way, said);
            match tokio::time::timeout(Duration::from_secs(30), opening).await {
                Ok(both) => Ok(Line(TokioIo::new(both?))),
                Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "no answer within 30 s")),
            }
        })
    }
}

async fn open(way: &Way, said: Arc<Mutex<String>>) -> io::Result<Box<dyn Both>> {
    match way {
        Way::Unix(path) => Ok(Box::new(tokio::net::UnixStream::connect(path).await?)),
        Way::Tcp { host, port, tls } => {
            let address = format!("{host}:{port}");
            let stream = tokio::net::TcpStream::connect(&address).await?;
            stream.set_nodelay(true)?;
            match tls {
                None => Ok(Box::new(stream)),
                Some(tls) => {
                    let name = tls.name.clone();
                    Ok(Box::new(tls.connector.connect(name, stream).await?))
                }
            }
        }
        Way::Ssh(words) => {
            let (program, arguments) = words.split_first().ok_or(io::ErrorKind::InvalidInput)?;
            let mut command = tokio::process::Command::new(program);
            command.args(arguments).kill_on_drop(true);
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut child = command.spawn()?;
            let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
            let (Some(stdin), Some(stdout)) = (stdin, stdout) else {
                return Err(io::Error::other("ssh has no pipes"));
            };
            if let Some(mut stderr) = child.stderr.take() {
                tokio::spawn(async move {
                    use tokio::io::AsyncReadExt as _;
                    let mut piece = [0; 1024];
                    while let Ok(n) = stderr.read(&mut piece).await
                        && n > 0
                    {
                        if let Ok(mut said) = said.lock() {
                            // Enough for a reason; a chatty login banner must not grow for ever.
                            if said.len() > 4096 {
                                said.clear();
                            }
                            said.push_str(&String::from_utf8_lossy(&piece[..n]));
                        }
                    }
                });
            }
            Ok(Box::new(Pipes { both: tokio::io::join(stdout, stdin), _child: child }))
        }
    }
}

trait Both: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Both for T {}

/// The pipes of a child that lives as long as they are used.
struct Pipes {
    both: tokio::io::Join<tokio::process::ChildStdout, tokio::process::ChildStdin>,
    _child: tokio::process::Child,
}

impl AsyncRead for Pipes {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut tokio::io::ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.both).poll_read(cx, buf)
    }
}

impl AsyncWrite for Pipes {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.both).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.both).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.both).poll_shutdown(cx)
    }
}

/// An open connection of any kind, in hyper's terms.
struct Line(TokioIo<Box<dyn Both>>);

impl Connection for Line {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Read for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl Write for Line {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt as _;

    use super::*;

    async fn ping(endpoint: &Endpoint) -> String {
        let docker = match client(endpoint, Duration::from_secs(10)) {
            Ok(docker) => docker,
            Err(e) => return e.to_string(),
        };
        docker.ping().await.unwrap_or_else(|e| e.to_string())
    }

    #[tokio::test]
    async fn an_engine_that_is_down_is_named() {
        assert_eq!(
            ping(&Endpoint::Unix("/nowhere/docker.sock".into())).await,
            "Cannot connect to the Docker engine at unix:///nowhere/docker.sock: \
             No such file or directory (os error 2); is it running?"
        );
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = closed.local_addr().unwrap().port();
        drop(closed);
        let endpoint = Endpoint::Tcp { host: "127.0.0.1".into(), port, tls: None };
        let said = ping(&endpoint).await;
        assert!(said.contains("Connection refused"), "{said}");
    }

    /// Sooner or later, at any point of a request.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn an_engine_that_hangs_up_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("engine.sock");
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        std::thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let Ok(mut stream) = stream else { return };
                let pause = Duration::from_micros((number as u64 % 17) * 20);
                std::thread::spawn(move || {
                    use std::io::Read as _;
                    if number % 3 > 0 {
                        let _ = stream.read(&mut [0; 4096]);
                    }
                    std::thread::sleep(pause);
                    if number % 2 == 0 {
                        let _ = stream.shutdown(std::net::Shutdown::Both);
                    }
                });
            }
        });
        let docker = client(&Endpoint::Unix(path), Duration::from_secs(1800)).unwrap();
        let requests = (0..10_000).map(|_| {
            let docker = docker.clone();
            async move { tokio::time::timeout(Duration::from_secs(20), docker.ping()).await }
        });
        let mut answers = futures_util::stream::iter(requests).buffer_unordered(10);
        while let Some(answer) = answers.next().await {
            assert!(answer.expect("in time").is_err());
        }
    }

    fn ssh(command: &[&str]) -> Endpoint {
        let command = command.iter().map(|it| (*it).to_owned()).collect();
        Endpoint::Ssh { command, display: "ssh://lab".to_owned() }
    }

    #[tokio::test]
    async fn the_pipes_of_a_command_are_a_connection() {
        let answer = "read line; printf 'HTTP/1.1 200 OK\\r\\ncontent-length: 4\\r\\n\\r\\nhere'";
        assert_eq!(ping(&ssh(&["sh", "-c", answer])).await, "here");
    }

    #[tokio::test]
    async fn the_words_of_ssh_are_the_reason() {
        let said = ping(&ssh(&["sh", "-c", "echo Permission denied >&2; exit 255"])).await;
        assert_eq!(
            said,
            "Cannot connect to the Docker engine at ssh://lab: Permission denied; is it running?"
        );
        let said = ping(&ssh(&["no-such-ssh"])).await;
        assert!(said.contains("No such file or directory"), "{said}");
    }

    /// An authority, and what it signed: `(authority, certificate, key)`, PEM.
    fn keys(name: &str) -> (String, String, String) {
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let key = rcgen::KeyPair::generate().unwrap();
        let authority = params.self_signed(&key).unwrap().pem();
        let issuer = rcgen::Issuer::new(params, key);
        let leaf = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = leaf.signed_by(&key, &issuer).unwrap();
        (authority, certificate.pem(), key.serialize_pem())
    }

    /// An engine that takes only clients whose certificate `authority` signed.
    async fn tls_engine(authority: &str, certificate: &str, key: &str) -> u16 {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority.as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let clients = rustls::server::WebPkiClientVerifier::builder_with_provider(
            Arc::new(roots),
            provider.clone(),
        );
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(clients.build().unwrap())
            .with_single_cert(
                vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()],
                PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
            )
            .unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                let _ = stream.read(&mut [0; 4096]).await;
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nsecret";
                let _ = stream.write_all(answer).await;
                let _ = stream.flush().await;
            }
        });
        port
    }

    #[tokio::test]
    async fn both_sides_show_their_certificates() {
        let (ours, theirs) = (keys("ours"), keys("theirs"));
        let port = tls_engine(&ours.0, &ours.1, &ours.2).await;
        let with = |ca: &str, identity: Option<(&str, &str)>| Endpoint::Tcp {
            host: "localhost".into(),
            port,
            tls: Some(Tls {
                ca: Some(ca.to_owned()),
                identity: identity.map(|(cert, key)| (cert.to_owned(), key.to_owned())),
            }),
        };
        assert_eq!(ping(&with(&ours.0, Some((&ours.1, &ours.2)))).await, "secret");
        let said = ping(&with(&theirs.0, Some((&ours.1, &ours.2)))).await;
        assert!(said.contains("certificate"), "{said}");
        for identity in [None, Some((theirs.1.as_str(), theirs.2.as_str()))] {
            let said = ping(&with(&ours.0, identity)).await;
            assert!(said != "secret", "{said}");
        }
    }

    #[test]
    fn bad_keys_are_found_before_connecting() {
        let tls = Tls { ca: Some("not PEM".into()), identity: None };
        let endpoint = Endpoint::Tcp { host: "127.0.0.1".into(), port: 1, tls: Some(tls) };
        let error = client(&endpoint, Duration::from_secs(1)).err().unwrap();
        assert_eq!(error.reason, "ca_material holds no certificate");
    }
}
