//! The backend `http` against a server that keeps to what Terraform expects, and that fails on demand.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod servers;

use std::time::Duration;

use plumb_backend::Setting;
use plumb_backend::http::{Http, configure};
use plumb_state::backend::{Attempt, Held, Place, Remote};
use plumb_state::{LockInfo, StoreError};
use servers::http::{StateServer, World};
use servers::process::{Holder, hold, role};
use servers::{Fault, told};
use tempfile::TempDir;

const TERRAFORMS: &str = r#"{"ID":"3e6cadcd-b7c8-aef8-01f2-e5f6deb37936","Operation":"OperationTypeApply","Info":"","Who":"root@vm","Version":"1.11.4","Created":"2026-11-22T23:27:59.016007069Z","Path":""}"#;

struct Bench {
    server: StateServer,
    folder: TempDir,
}

impl Bench {
    fn new(world: World) -> Bench {
        Bench { server: StateServer::with(world, None), folder: TempDir::new().unwrap() }
    }

    fn setting(&self) -> Setting {
        let mut setting = self.without_lock();
        for name in ["lock_address", "unlock_address"] {
            setting.config.insert(name.into(), self.server.lock_url().into());
        }
        setting
    }

    fn without_lock(&self) -> Setting {
        let folder = self.folder.path().to_str().unwrap().into();
        let mut setting = Setting { folder, ..Setting::default() };
        setting.config.insert("address".into(), self.server.url().into());
        setting.config.insert("retry_wait_min".into(), 0.into());
        setting
    }

    fn remote(&self) -> Box<dyn Remote> {
        remote(&self.setting())
    }

    fn count(&self, method: &str) -> usize {
        self.server.listening.wire().count(method)
    }

    fn fail(&self, method: &'static str, fault: Fault) {
        self.server.listening.wire().faults.push_back((method, fault));
    }
}

fn remote(setting: &Setting) -> Box<dyn Remote> {
    Http::new(setting).unwrap().remote().unwrap()
}

fn info() -> LockInfo {
    LockInfo::new("OperationTypeApply")
}

fn take(remote: &mut Box<dyn Remote>) -> String {
    let info = info();
    let attempt = remote.lock(&info).unwrap();
    assert!(matches!(attempt, Attempt::Taken { from_the_dead: None }), "{attempt:?}");
    info.id
}

/// Everything that an error says, however it is asked.
fn said(error: &dyn std::error::Error) -> String {
    let mut out = format!("{error} {error:?}");
    let mut cause = error.source();
    while let Some(error) = cause {
        out += &format!(" {error} {error:?}");
        cause = error.source();
    }
    out
}

#[test]
fn a_state_goes_there_and_back_as_it_is() {
    let bench = Bench::new(World::default());
    let mut remote = bench.remote();
    assert_eq!(remote.get().unwrap(), None);
    let id = take(&mut remote);
    assert_eq!(bench.server.world().holder(), Some(id.clone()));
    remote.put(b"{\"version\": 4}\n", 1).unwrap();
    assert_eq!(remote.get().unwrap().unwrap(), b"{\"version\": 4}\n");
    remote.unlock().unwrap();
    assert_eq!(bench.server.world().lock, None);
    let wire = bench.server.listening.wire();
    let calls: Vec<_> =
        wire.log.iter().map(|it| format!("{} {}?{}", it.method, it.path, it.query)).collect();
    let write = format!("POST /state?ID={id}");
    assert_eq!(
        calls,
        ["GET /state?", "LOCK /state/lock?", &write, "GET /state?", "UNLOCK /state/lock?"]
    );
    for asked in wire.log.iter().filter(|it| it.method != "GET") {
        assert_eq!(asked.header("content-type"), Some("application/json"));
        assert!(asked.header("content-md5").is_some());
    }
    // What Terraform sends, and one object more.
    let body = String::from_utf8(wire.log[1].body.clone()).unwrap();
    assert!(body.starts_with(&format!("{{\"ID\":\"{id}\",\"Operation\":\"OperationTypeApply\",")));
}

#[test]
fn methods_and_addresses_come_from_the_environment_too() {
    let world = World {
        lock_method: Some("POST"),
        unlock_method: Some("DELETE"),
        authorization: Some("Basic bWU6c2VjcmV0".into()),
        ..World::default()
    };
    let bench = Bench::new(world);
    let mut setting = bench.without_lock();
    setting.config.remove("address");
    let url = bench.server.url();
    let lock = bench.server.lock_url();
    for (name, value) in [
        ("TF_HTTP_ADDRESS", url.replace("//", "//me:secret@").as_str()),
        ("TF_HTTP_UPDATE_METHOD", "PUT"),
        ("TF_HTTP_LOCK_ADDRESS", lock.as_str()),
        ("TF_HTTP_LOCK_METHOD", "POST"),
        ("TF_HTTP_UNLOCK_ADDRESS", lock.as_str()),
        ("TF_HTTP_UNLOCK_METHOD", "DELETE"),
        ("TF_HTTP_USERNAME", "me"),
        ("TF_HTTP_PASSWORD", "secret"),
    ] {
        setting.env.insert(name.into(), value.into());
    }
    let mut remote = remote(&setting);
    take(&mut remote);
    remote.put(b"x", 1).unwrap();
    remote.unlock().unwrap();
    assert_eq!((bench.count("PUT"), bench.count("POST"), bench.count("DELETE")), (1, 1, 1));
}

#[test]
fn a_lock_of_terraform_is_respected_until_it_is_broken() {
    let bench = Bench::new(World { lock: Some(TERRAFORMS.into()), ..World::default() });
    let mut remote = bench.remote();
    let Attempt::Held(Some(holder)) = remote.lock(&info()).unwrap() else { panic!("it is held") };
    assert_eq!((holder.who.as_str(), holder.version.as_str()), ("root@vm", "1.11.4"));
    assert_eq!(remote.held().unwrap(), Held::Unknown);
    let refused = remote.break_lock("another").unwrap_err();
    let advice = refused.advice().unwrap_or_default();
    assert!(
        matches!(refused, StoreError::Refused { .. }) && advice.contains("root@vm"),
        "{advice}"
    );
    remote.break_lock(&holder.id).unwrap();
    take(&mut remote);
}

#[test]
fn of_two_writers_the_one_whose_lock_was_broken_is_fenced() {
    let bench = Bench::new(World::default());
    let (mut slow, mut fast) = (bench.remote(), bench.remote());
    let id = take(&mut slow);
    slow.get().unwrap();
    assert!(matches!(fast.lock(&info()).unwrap(), Attempt::Held(Some(it)) if it.id == id));
    fast.break_lock(&id).unwrap();
    take(&mut fast);
    fast.put(b"fast", 1).unwrap();
    let fenced = slow.put(b"slow", 1).unwrap_err();
    assert!(matches!(fenced, StoreError::Fenced { .. }), "{fenced:?}");
    assert!(matches!(slow.check(), Err(StoreError::Fenced { .. })));
    slow.unlock().unwrap();
    fast.put(b"fast again", 2).unwrap();
    assert_eq!(bench.server.world().state.as_deref(), Some(&b"fast again"[..]));
    // Another one later starts afresh.
    fast.unlock().unwrap();
    take(&mut slow);
    slow.put(b"slow", 3).unwrap();
}

#[test]
fn what_passes_is_tried_again() {
    let bench = Bench::new(World::default());
    let mut remote = bench.remote();
    for fault in [Fault::Status(503), Fault::CutBefore] {
        for method in ["LOCK", "POST", "GET", "UNLOCK"] {
            bench.fail(method, fault);
        }
        take(&mut remote);
        remote.put(b"x", 1).unwrap();
        remote.get().unwrap();
        remote.unlock().unwrap();
    }
    assert_eq!(bench.server.world().lock, None);
    bench.fail("GET", Fault::Slow(Duration::from_millis(50)));
    assert_eq!(remote.get().unwrap().as_deref(), Some(&b"x"[..]));
    // But not for ever: once, and two more attempts.
    for _ in 0..3 {
        bench.fail("GET", Fault::Status(502));
    }
    let before = bench.count("GET");
    let error = remote.get().unwrap_err();
    assert!(said(&error).contains("it answered 502 Bad Gateway"), "{}", said(&error));
    assert_eq!(bench.count("GET") - before, 3);
    // What a server means is not asked twice.
    bench.fail("GET", Fault::Status(403));
    let before = bench.count("GET");
    remote.get().unwrap_err();
    assert_eq!(bench.count("GET") - before, 1);
}

#[test]
fn an_answer_that_was_lost_is_made_out() {
    let bench = Bench::new(World::default());
    let mut remote = bench.remote();
    bench.fail("LOCK", Fault::CutAfter);
    let id = take(&mut remote);
    assert_eq!((bench.count("LOCK"), bench.server.world().holder()), (2, Some(id)));
    bench.fail("POST", Fault::CutAfter);
    remote.put(b"x", 1).unwrap();
    assert_eq!(bench.count("POST"), 2);
    bench.fail("UNLOCK", Fault::CutAfter);
    remote.unlock().unwrap();
    assert_eq!(bench.server.world().lock, None);
}

#[test]
fn without_a_lock_nothing_is_written_twice() {
    let bench = Bench::new(World::default());
    let mut remote = remote(&bench.without_lock());
    take(&mut remote);
    assert_eq!(remote.held().unwrap(), Held::Free);
    for fault in [Fault::CutAfter, Fault::CutBefore, Fault::Status(502)] {
        bench.fail("POST", fault);
        let before = bench.count("POST");
        let error = remote.put(b"x", 1).unwrap_err();
        assert!(matches!(error, StoreError::Remote { .. }), "{error:?}");
        assert_eq!(bench.count("POST") - before, 1);
    }
    // It was turned away at the door.
    bench.fail("POST", Fault::Status(429));
    remote.put(b"y", 1).unwrap();
    remote.unlock().unwrap();
    assert_eq!((bench.count("LOCK"), bench.count("UNLOCK")), (0, 0));
}

#[test]
fn a_dead_holder_of_this_machine_is_succeeded() {
    if let Some(setting) = role() {
        return hold(remote(&setting));
    }
    // As little as a server can tell.
    let bench = Bench::new(World { terse: true, ..World::default() });
    let test = "a_dead_holder_of_this_machine_is_succeeded";
    let mut holder = Holder::start(test, &bench.setting());
    let mut next = bench.remote();
    assert!(matches!(next.lock(&info()).unwrap(), Attempt::Held(Some(it)) if it.id == holder.id));
    holder.signal(nix::sys::signal::Signal::SIGKILL);
    let Attempt::Taken { from_the_dead: Some(dead) } = next.lock(&info()).unwrap() else {
        panic!("it was not taken over");
    };
    assert_eq!(dead.id, holder.id);
    next.put(b"after", 1).unwrap();
    next.unlock().unwrap();
    // Nothing is left of either.
    let left = walk(bench.folder.path()).into_iter().filter(|it| it.ends_with(".json"));
    assert_eq!(left.collect::<Vec<_>>(), Vec::<String>::new());
}

fn walk(folder: &std::path::Path) -> Vec<String> {
    let mut out = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        match entry.path() {
            path if path.is_dir() => out.extend(walk(&path)),
            path => out.push(path.display().to_string()),
        }
    }
    out
}

#[test]
fn a_dead_holder_of_another_machine_is_not() {
    let bench = Bench::new(World::default());
    let mut lock: serde_json::Value = serde_json::from_str(TERRAFORMS).unwrap();
    lock["Plumb"] = serde_json::json!({
        "host": "elsewhere", "pid": 1, "boot": "another", "space": "pid:[1]", "started": 1
    });
    bench.server.world().lock = Some(lock.to_string().into());
    assert!(matches!(bench.remote().lock(&info()).unwrap(), Attempt::Held(Some(_))));
}

#[test]
fn a_connection_that_is_dropped_gives_its_lock_back() {
    let bench = Bench::new(World::default());
    let mut remote = bench.remote();
    take(&mut remote);
    drop(remote);
    assert_eq!(bench.server.world().lock, None);
}

#[test]
fn passwords_are_never_told() {
    let bench = Bench::new(World { authorization: Some("another".into()), ..World::default() });
    let secrets = ["pass-in-url", "token-in-query", "pass-by-argument"];
    let mut setting = bench.setting();
    let with = |url: String| url.replace("//", "//user:pass-in-url@") + "?token=token-in-query";
    for (name, url) in [
        ("address", bench.server.url()),
        ("lock_address", bench.server.lock_url()),
        ("unlock_address", bench.server.lock_url()),
    ] {
        setting.config.insert(name.into(), with(url).into());
    }
    let mut texts = Vec::new();
    let mut ask = |setting: &Setting| {
        let http = Http::new(setting).unwrap();
        let mut remote = http.remote().unwrap();
        texts.push(Place::name(&http));
        texts.push(said(&remote.get().unwrap_err()));
        texts.push(said(&remote.put(b"x", 1).unwrap_err()));
        texts.push(said(&remote.lock(&info()).unwrap_err()));
        texts.push(said(&remote.break_lock("x").unwrap_err()));
    };
    ask(&setting);
    setting.config.insert("password".into(), "pass-by-argument".into());
    setting.config.insert("username".into(), "user".into());
    ask(&setting);
    // A server that repeats what it was told.
    let echo = servers::Listening::start(None, |it| {
        told(
            400,
            format!("{:?} pass-by-argument pass-in-url", it.query.replace("token-in-query", "")),
        )
    });
    let address = with(format!("http://127.0.0.1:{}/state", echo.port));
    for name in ["address", "lock_address", "unlock_address"] {
        setting.config.insert(name.into(), address.clone().into());
    }
    ask(&setting);
    // Nobody there.
    for name in ["address", "lock_address", "unlock_address"] {
        setting.config.insert(name.into(), with("http://127.0.0.1:1/state".into()).into());
    }
    ask(&setting);
    // Not even a URL.
    setting.config.insert("address".into(), "htp://u:pass-in-url@x?token-in-query".into());
    texts.push(format!("{:?}", Http::new(&setting).err().unwrap()));
    for text in &texts {
        assert!(secrets.iter().all(|it| !text.contains(it)), "{text}");
    }
    assert!(texts.iter().any(|it| it.contains("it answered 401")));
    assert!(texts.iter().any(|it| it.contains("no answer")));
}

#[test]
fn a_redirection_is_told_and_not_followed() {
    let elsewhere = StateServer::start();
    let to = elsewhere.url();
    let moved = servers::Listening::start(None, move |_| servers::Told {
        status: 302,
        headers: vec![("location", format!("{to}?token=secret"))],
        body: Vec::new(),
    });
    let mut setting = Setting::default();
    let address = format!("http://127.0.0.1:{}/state", moved.port);
    setting.config.insert("address".into(), address.into());
    let text = said(&remote(&setting).get().unwrap_err());
    assert!(text.contains(&elsewhere.url()) && !text.contains("secret"), "{text}");
    assert!(elsewhere.listening.wire().log.is_empty());
}

#[test]
fn what_was_garbled_on_its_way_is_not_taken_for_the_state() {
    let garbled = servers::Listening::start(None, |_| servers::Told {
        status: 200,
        headers: vec![("content-md5", "rL0Y20zC+Fzt72VPzMSk2A==".into())],
        body: b"not foo".into(),
    });
    let mut setting = Setting::default();
    setting.config.insert("address".into(), format!("http://127.0.0.1:{}", garbled.port).into());
    let text = said(&remote(&setting).get().unwrap_err());
    assert!(text.contains("Content-MD5"), "{text}");
}

#[test]
fn client_and_server_prove_who_they_are() {
    let ca_key = rcgen::KeyPair::generate().unwrap();
    let mut ca = rcgen::CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca_pem = ca.self_signed(&ca_key).unwrap();
    let issuer = rcgen::Issuer::new(ca, ca_key);
    let made = |name: &str| {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &issuer).unwrap(), key)
    };
    let (server, server_key) = made("127.0.0.1");
    let (client, client_key) = made("client");
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = rustls::RootCertStore::empty();
    roots.add(ca_pem.der().clone()).unwrap();
    let verifier =
        rustls::server::WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone());
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(server_key.serialize_der());
    let tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(vec![server.der().clone()], key.into())
        .unwrap();
    let server = StateServer::with(World::default(), Some(tls));
    let mut setting = Setting::default();
    let mut set = |name: &str, value: String| {
        setting.config.insert(name.into(), value.into());
        setting.config.insert("retry_max".into(), 0.into());
        setting.clone()
    };
    set("address", server.url().replace("http:", "https:"));
    let trusting = set("client_ca_certificate_pem", ca_pem.pem());
    set("client_certificate_pem", client.pem());
    let both = set("client_private_key_pem", client_key.serialize_pem());
    assert_eq!(remote(&both).get().unwrap(), None);
    let text = said(&remote(&trusting).get().unwrap_err());
    assert!(text.contains("no answer"), "a client that does not say who it is: {text}");
    let mut blind = both.clone();
    blind.config.remove("client_ca_certificate_pem");
    let text = said(&remote(&blind).get().unwrap_err());
    assert!(text.contains("certificate"), "a server that nobody vouches for: {text}");
    blind.config.insert("skip_cert_verification".into(), true.into());
    assert_eq!(remote(&blind).get().unwrap(), None);
}

#[test]
fn mistakes_are_told_in_terraforms_words() {
    let check = |config: &[(&str, &str)], want: &[&str]| {
        let config = config.iter().map(|(name, it)| ((*name).to_owned(), (*it).into())).collect();
        let mistakes = Http::new(&Setting { config, ..Setting::default() }).err().unwrap();
        let got: Vec<_> = mistakes.iter().map(|it| it.summary.as_str()).collect();
        assert_eq!(got, want);
    };
    check(&[], &["address argument is required"]);
    let address = ("address", "http://127.0.0.1/");
    check(&[("address", "ftp://x")], &["address must be HTTP or HTTPS"]);
    check(&[address, ("lock_address", "foo")], &["lock_address must be HTTP or HTTPS"]);
    let alone = "client_certificate_pem is set but client_private_key_pem is not";
    check(&[address, ("client_certificate_pem", "x")], &[alone]);
    check(&[address, ("retry_max", "x")], &["Incorrect attribute value type"]);
    check(&[address, ("lock_methods", "x")], &["Unsupported argument"]);
}

#[test]
fn there_is_one_workspace() {
    let bench = Bench::new(World::default());
    let http = configure(&bench.setting()).unwrap();
    assert_eq!(http.place("default").unwrap().name(), bench.server.url());
    let text = http.place("other").err().unwrap().to_string();
    assert_eq!(text, "workspaces not supported");
    assert!(http.workspaces().is_err() && http.delete("other").is_err());
}
