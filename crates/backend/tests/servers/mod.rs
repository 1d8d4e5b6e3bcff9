//! Servers on loopback that the tests talk to, and that fail on demand.

#![allow(dead_code, missing_docs, unreachable_pub, reason = "each test uses a part of it")]

pub mod http;
pub mod objects;
pub mod process;

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// What arrived.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    pub path: String,
    pub query: String,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Asked {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

#[derive(Clone, Debug, Default)]
pub struct Told {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

pub fn told(status: u16, body: impl Into<Vec<u8>>) -> Told {
    Told { status, headers: Vec::new(), body: body.into() }
}

/// What goes wrong with a request.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// It is not carried out, and the answer has this status.
    Status(u16),
    /// It is not carried out, and the connection breaks.
    CutBefore,
    /// It is carried out, and the connection breaks before the answer.
    CutAfter,
    /// It is carried out late.
    Slow(Duration),
}

/// What was asked, and what is to go wrong: the first fault for a method hits its next request.
#[derive(Default)]
pub struct Wire {
    pub log: Vec<Asked>,
    pub faults: VecDeque<(&'static str, Fault)>,
}

impl Wire {
    pub fn count(&self, method: &str) -> usize {
        self.log.iter().filter(|it| it.method == method).count()
    }
}

type Handler = dyn Fn(&Asked) -> Told + Send + Sync;

/// A server that runs until it is dropped.
pub struct Listening {
    pub port: u16,
    wire: Arc<Mutex<Wire>>,
    _runtime: tokio::runtime::Runtime,
}

impl Listening {
    pub fn wire(&self) -> MutexGuard<'_, Wire> {
        self.wire.lock().unwrap()
    }

    pub fn start(
        tls: Option<rustls::ServerConfig>,
        handler: impl Fn(&Asked) -> Told + Send + Sync + 'static,
    ) -> Listening {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        let wire = Arc::new(Mutex::new(Wire::default()));
        let handler: Arc<Handler> = Arc::new(handler);
        let tls = tls.map(|it| tokio_rustls::TlsAcceptor::from(Arc::new(it)));
        let kept = wire.clone();
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (handler, wire, tls) = (handler.clone(), kept.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(TokioIo::new(stream), handler, wire).await,
                        // A client that is turned away is told so by TLS.
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(TokioIo::new(stream), handler, wire).await;
                            }
                        }
                    }
                });
            }
        });
        Listening { port, wire, _runtime: runtime }
    }
}

async fn serve<T>(io: TokioIo<T>, handler: Arc<Handler>, wire: Arc<Mutex<Wire>>)
where
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + 'static,
{
    let service = service_fn(move |request| answer(request, handler.clone(), wire.clone()));
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(io, service).await;
}

async fn answer(
    request: hyper::Request<Incoming>,
    handler: Arc<Handler>,
    wire: Arc<Mutex<Wire>>,
) -> Result<hyper::Response<Full<Bytes>>, &'static str> {
    let headers = request.headers().iter();
    let headers = headers.map(|(name, it)| (name.to_string(), it.to_str().unwrap().to_owned()));
    let mut asked = Asked {
        method: request.method().to_string(),
        path: request.uri().path().to_owned(),
        query: request.uri().query().unwrap_or_default().to_owned(),
        headers: headers.collect(),
        body: Vec::new(),
    };
    asked.body = request.into_body().collect().await.map_err(|_| "gone")?.to_bytes().to_vec();
    let fault = {
        let mut wire = wire.lock().unwrap();
        wire.log.push(asked.clone());
        let at = wire.faults.iter().position(|(method, _)| *method == asked.method);
        at.and_then(|it| wire.faults.remove(it)).map(|(_, fault)| fault)
    };
    let told = match fault {
        Some(Fault::Status(status)) => told(status, "on demand"),
        Some(Fault::CutBefore) => return Err("cut"),
        Some(Fault::CutAfter) => {
            handler(&asked);
            return Err("cut");
        }
        Some(Fault::Slow(time)) => {
            tokio::time::sleep(time).await;
            handler(&asked)
        }
        None => handler(&asked),
    };
    let mut response = hyper::Response::builder().status(told.status);
    for (name, value) in told.headers {
        response = response.header(name, value);
    }
    Ok::<_, Infallible>(response.body(Full::from(told.body)).unwrap()).map_err(|it| match it {})
}
