//! A session against a cloud on loopback.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use expect_test::{Expect, expect};
use serde_json::json;

use super::fake::{Fake, Reply, Seen, session, settings};
use super::services::COMPUTE_MAX;
use super::*;
use crate::auth::{Credential, Scope, Secret, Tls};

const NETWORK: &[(&str, &str)] = &[("network", "/v2.0")];

fn ok() -> Reply {
    Reply::Json(200, json!({}))
}

fn after(status: u16, seconds: &str) -> Reply {
    Reply::Whole(status, vec![("retry-after", seconds.to_owned())], String::new())
}

/// Says these in turn, then that all is well.
fn script(replies: Vec<fn() -> Reply>) -> impl Fn(&Seen) -> Reply + Send + Sync {
    let next = AtomicUsize::new(0);
    move |_| match replies.get(next.fetch_add(1, Ordering::SeqCst)) {
        Some(reply) => reply(),
        None => ok(),
    }
}

#[track_caller]
fn check_failure(failure: Failure, expected: Expect) {
    let passes = if failure.transient { " (may pass)" } else { "" };
    expected.assert_eq(&format!("{}{passes}\n{}\n", failure.summary, failure.detail));
}

#[tokio::test]
async fn a_token_is_used_again() {
    let fake = Fake::new(NETWORK, |_| ok()).await;
    let session = fake.session();
    assert_eq!((session.calls(), session.region()), (0, None));
    session.authenticate().await.unwrap();
    session.get(Service::Network, "/networks").await.unwrap();
    session.post(Service::Network, "/networks", &json!({ "a": 1 })).await.unwrap();
    session.delete(Service::Network, "/networks/1").await.unwrap();
    assert_eq!((session.calls(), fake.tokens()), (4, 1));
    assert_eq!(session.region().as_deref(), Some("One"));
    assert_eq!(
        fake.lines(),
        ["GET /v2.0/networks", "POST /v2.0/networks", "DELETE /v2.0/networks/1"]
    );
    let seen = fake.seen();
    assert!(!seen[0].headers.contains_key("x-auth-token"));
    assert!(seen[1..].iter().all(|seen| seen.token() == "token-1"));
    assert_eq!(seen[2].headers["content-type"], "application/json");
    assert_eq!(seen[2].json(), json!({ "a": 1 }));
    assert_eq!(
        seen[0].json(),
        json!({ "auth": {
            "identity": { "methods": ["password"], "password": { "user": {
                "name": "u", "domain": { "name": "d" }, "password": "right" } } },
            "scope": { "project": { "id": "p-id" } },
        } })
    );
    let identity = session.identity().await.unwrap();
    assert_eq!((&*identity.user_name, &*identity.project_id), ("u", "p-id"));
    assert_eq!(identity.roles, [("r-id".to_owned(), "member".to_owned())]);
    assert_eq!(identity.catalog[0].endpoints.len(), 2);
    assert_eq!(session.token_id().await.unwrap(), "token-1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_refused_tokens_are_replaced_by_one() {
    let fake = Fake::new(NETWORK, |seen| match seen.token() {
        "token-1" => Reply::Json(401, json!({ "error": { "message": "no", "code": 401 } })),
        _ => ok(),
    });
    let fake = fake.await;
    let session = Arc::new(fake.session());
    let calls = (0..20).map(|i| {
        let session = session.clone();
        tokio::spawn(async move { session.get(Service::Network, &format!("/ports/{i}")).await })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap().unwrap();
    }
    assert_eq!(fake.tokens(), 2);
}

#[tokio::test]
async fn a_token_that_is_never_taken_is_replaced_once() {
    let fake = Fake::new(NETWORK, |_| Reply::Json(401, json!({ "error": { "message": "no" } })));
    let fake = fake.await;
    let error = fake.session().get(Service::Network, "/ports").await.unwrap_err();
    assert_eq!((error.status(), fake.tokens()), (Some(401), 2));
}

#[tokio::test]
async fn a_token_is_replaced_before_it_ends() {
    let fake = Fake::with_tls(NETWORK, None, 1, |_| ok()).await;
    let session = fake.session();
    session.get(Service::Network, "/ports").await.unwrap();
    session.get(Service::Network, "/ports").await.unwrap();
    assert_eq!(fake.tokens(), 1);
    tokio::time::sleep(Duration::from_millis(600)).await;
    session.get(Service::Network, "/ports").await.unwrap();
    assert_eq!(fake.tokens(), 2);
}

#[tokio::test]
async fn a_wrong_password_is_tried_once() {
    let fake = Fake::new(NETWORK, |_| ok()).await;
    let mut settings = fake.settings();
    if let Credential::Password { password, .. } = &mut settings.credential {
        *password = Secret::new("wrong");
    }
    let url = settings.auth_url.to_string();
    let session = session(settings);
    let error = session.get(Service::Network, "/ports").await.unwrap_err();
    // It is not an answer to what was asked of the network service.
    assert!(matches!(error, ApiError::Unsent { transient: false, .. }), "{error:?}");
    let mut failure = session.authenticate().await.unwrap_err();
    assert_eq!(fake.tokens(), 1);
    failure.summary = failure.summary.replace(&url, "URL");
    check_failure(
        failure,
        expect![[r#"
            Cannot authenticate at URL
            The request you have made requires authentication. Check user_name, password, user_domain_name and the project.
        "#]],
    );
}

#[tokio::test]
async fn those_who_wait_share_a_failure() {
    let fake = Fake::new(NETWORK, |_| ok()).await;
    let mut settings = fake.settings();
    if let Credential::Password { password, .. } = &mut settings.credential {
        *password = Secret::new("busy");
    }
    let session = session(settings);
    let calls = (0..20).map(|_| session.get(Service::Network, "/ports"));
    for result in futures_util::future::join_all(calls).await {
        let error = result.unwrap_err();
        assert!(matches!(error, ApiError::Unsent { transient: true, .. }), "{error:?}");
    }
    assert_eq!(fake.tokens(), 6);
    // It may have passed since.
    let _ = session.authenticate().await.unwrap_err();
    assert_eq!(fake.tokens(), 12);
}

#[tokio::test]
async fn tokens_stay_on_the_host() {
    let fake = Fake::new(NETWORK, |_| ok()).await;
    let session = fake.session();
    let error = session.get(Service::Network, "http://127.0.0.1:1/v2.0/ports").await.unwrap_err();
    assert!(error.to_string().contains("is not on the service's host"), "{error}");
    session.get(Service::Network, "/ports?name=http://127.0.0.1:1/").await.unwrap();
    assert_eq!(fake.lines(), ["GET /v2.0/ports?name=http://127.0.0.1:1/"]);
}

#[tokio::test]
async fn a_given_token_is_taken_as_it_is_and_cannot_be_renewed() {
    let body = || {
        Reply::Json(
            200,
            json!({ "token": { "expires_at": "2999-01-01T00:00:00Z", "catalog": [
            { "type": "network", "endpoints": [
                { "interface": "public", "region": "r", "url": "http://127.0.0.1:1/v2.0" } ] } ] } }),
        )
    };
    let fake = Fake::new(&[], move |seen| match &*seen.line {
        "GET /v3/auth/tokens" => body(),
        _ => Reply::Json(401, json!({})),
    });
    let fake = fake.await;
    let mut settings = fake.settings();
    settings.credential = Credential::Token(Secret::new("given"));
    settings.scope = Scope::Unscoped;
    let url = format!("http://127.0.0.1:{}/v2.0", fake.port);
    settings.endpoint_overrides = [("network".to_owned(), url)].into();
    let session = session(settings);
    session.authenticate().await.unwrap();
    let seen = &fake.seen()[0];
    assert_eq!((seen.token(), &*seen.headers["x-subject-token"]), ("given", "given"));
    let error = session.get(Service::Network, "/ports").await.unwrap_err();
    let mut failure = error.failure("list ports");
    failure.detail = failure.detail.replace(&fake.port.to_string(), "PORT");
    check_failure(
        failure,
        expect![[r#"
            Cannot list ports
            Cannot authenticate at http://127.0.0.1:PORT/v3. The token has expired or was revoked. A token cannot be renewed: get a new one (`openstack token issue`) and set it as `token` or OS_TOKEN, or give a password or an application credential instead.
        "#]],
    );
    assert_eq!(fake.tokens(), 0);
}

#[tokio::test]
async fn a_token_is_not_replaced_where_that_is_forbidden() {
    let fake = Fake::new(NETWORK, |_| Reply::Json(401, json!({}))).await;
    let session = session(Settings { allow_reauth: false, ..fake.settings() });
    let error = session.get(Service::Network, "/ports").await.unwrap_err();
    let failure = error.failure("list ports");
    assert!(failure.detail.contains("because `allow_reauth` is false"), "{failure:?}");
    assert_eq!(fake.tokens(), 1);
}

#[tokio::test]
async fn too_many_requests_are_made_later() {
    let fake = Fake::new(NETWORK, script(vec![|| after(429, "0"), || after(429, "0")])).await;
    let session = fake.session();
    session.post(Service::Network, "/ports", &json!({})).await.unwrap();
    assert_eq!(fake.lines(), ["POST /v2.0/ports"; 3]);
    assert_eq!(session.limit.now(), 4);
    // It is told to wait longer than anybody would.
    let fake = Fake::new(NETWORK, |_| after(503, "100")).await;
    let error = fake.session().post(Service::Network, "/ports", &json!({})).await.unwrap_err();
    assert_eq!((error.status(), fake.lines().len()), (Some(503), 1));
    assert!(error.failure("x").transient);
}

#[tokio::test]
async fn retry_after_is_waited_for() {
    let fake = Fake::new(NETWORK, script(vec![|| after(429, "1")])).await;
    let begun = Instant::now();
    fake.session().get(Service::Network, "/ports").await.unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn reading_is_repeated_writing_is_not() {
    let gateway = || Reply::Json(502, json!({}));
    let fake = Fake::new(NETWORK, script(vec![gateway, || Reply::HangUp])).await;
    let session = fake.session();
    session.get(Service::Network, "/ports").await.unwrap();
    assert_eq!(fake.lines().len(), 3);
    let fake = Fake::new(NETWORK, script(vec![gateway])).await;
    let error = fake.session().post(Service::Network, "/ports", &json!({})).await.unwrap_err();
    assert_eq!((error.status(), fake.lines().len()), (Some(502), 1));
    // A conflict is for those who know what it is about.
    let fake = Fake::new(NETWORK, |_| after(409, "0")).await;
    let error = fake.session().get(Service::Network, "/ports").await.unwrap_err();
    assert!(error.is_conflict());
    assert_eq!(fake.lines().len(), 1);
    let mut settings = fake.settings();
    settings.max_retries = Some(0);
    let fake = Fake::new(NETWORK, |_| after(429, "0")).await;
    settings.auth_url.set_port(Some(fake.port)).unwrap();
    let error = super::fake::session(settings).get(Service::Network, "/ports").await.unwrap_err();
    assert_eq!((error.status(), fake.lines().len()), (Some(429), 1));
}

#[tokio::test]
async fn a_lost_reply_is_lost() {
    let fake = Fake::new(NETWORK, |_| Reply::HangUp).await;
    let session = fake.session();
    let error = session.post(Service::Network, "/ports", &json!({})).await.unwrap_err();
    assert!(error.is_lost());
    assert_eq!(fake.lines().len(), 1);
    check_failure(
        error.failure("create the port"),
        expect![[r#"
            Cannot create the port (may pass)
            The request was sent, but no proper reply came: connection closed before message completed. It is not known whether the cloud did it.
        "#]],
    );
    // Also when the status came and the rest did not.
    let fake = Fake::new(NETWORK, |_| Reply::Whole(200, vec![], "{".to_owned())).await;
    let error = fake.session().post(Service::Network, "/ports", &json!({})).await.unwrap_err();
    assert!(error.is_lost(), "{error:?}");
}

/// A port where nobody listens.
async fn closed_port() -> u16 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().port()
}

#[tokio::test]
async fn a_refused_connection_sends_nothing() {
    let port = closed_port().await;
    let session = session(settings(&format!("http://127.0.0.1:{port}/v3")));
    let mut failure = session.authenticate().await.unwrap_err();
    failure.summary = failure.summary.replace(&port.to_string(), "PORT");
    failure.detail = failure.detail.replace(&port.to_string(), "PORT");
    check_failure(
        failure,
        expect![[r#"
            Cannot authenticate at http://127.0.0.1:PORT/v3 (may pass)
            Cannot connect to 127.0.0.1:PORT: Connection refused (os error 111).
        "#]],
    );
    // Nothing ever answered: the address is probably wrong, and nobody has to wait for that.
    assert_eq!(session.calls(), 1);
    let fake = Fake::new(&[], |_| ok()).await;
    let mut settings = fake.settings();
    let url = format!("http://127.0.0.1:{port}/v2.0");
    settings.endpoint_overrides = [("network".to_owned(), url)].into();
    let session = super::fake::session(settings);
    let error = session.post(Service::Network, "/ports", &json!({})).await.unwrap_err();
    assert!(matches!(error, ApiError::Unsent { transient: true, .. }), "{error:?}");
    // Something answered before: it may come back.
    assert_eq!(session.calls(), 7);
}

#[tokio::test]
async fn lists_are_followed_to_their_end() {
    let page = |seen: &Seen| match &*seen.line {
        "GET /v2.0/networks?limit=2" => json!({
            "networks": [1, 2],
            "networks_links": [
                { "rel": "previous", "href": "http://elsewhere/v2.0/networks?marker=0" },
                { "rel": "next", "href": "http://elsewhere/v2.0/networks?limit=2&marker=2" } ] }),
        "GET /v2.0/networks?limit=2&marker=2" => json!({ "networks": [3] }),
        "GET /v2/images?limit=1" => {
            json!({ "images": [1], "next": "/v2/images?marker=1&limit=1" })
        }
        "GET /v2/images?marker=1&limit=1" => {
            json!({ "images": [], "next": "/v2/images?marker=1&limit=1" })
        }
        "GET /v3/users" => {
            json!({ "users": [1], "links": { "next": "http://elsewhere/identity/v3/users?m=1" } })
        }
        "GET /v3/users?m=1" => json!({ "users": [2], "links": { "next": null } }),
        "GET /circle/networks" => {
            json!({ "networks": [1], "networks_links": [{ "rel": "next", "href": "/x?m=1" }] })
        }
        "GET /circle/networks?m=1" => {
            json!({ "networks": [2], "networks_links": [{ "rel": "next", "href": "/x?m=1" }] })
        }
        line => panic!("{line}"),
    };
    let catalog = [("network", "/v2.0"), ("image", "/v2/"), ("identity", "")];
    let fake = Fake::new(&catalog, move |seen| Reply::Json(200, page(seen))).await;
    let session = fake.session();
    let list = async |service, path, key| session.list(service, path, key).await.unwrap();
    assert_eq!(list(Service::Network, "/networks?limit=2", "networks").await, [1, 2, 3]);
    assert_eq!(list(Service::Image, "/images?limit=1", "images").await, [1]);
    assert_eq!(list(Service::Identity, "/users", "users").await, [1, 2]);
    let circle = format!("http://127.0.0.1:{}/circle/networks", fake.port);
    assert_eq!(list(Service::Network, &circle, "networks").await, [1, 2]);
    let error = session.list(Service::Identity, "/users", "groups").await.unwrap_err();
    assert!(error.to_string().contains("has no `groups`"), "{error}");
}

#[tokio::test]
async fn versions_are_found_and_agreed_on() {
    let versions = |ids: &[(&str, &str)]| {
        let version = |(id, link): &(&str, &str)| json!({ "id": id, "links": [{ "rel": "self", "href": link }] });
        Reply::Json(300, json!({ "versions": ids.iter().map(version).collect::<Vec<_>>() }))
    };
    let answer = move |seen: &Seen| match &*seen.line {
        "GET /net/" => versions(&[("v2.0", "https://inside/v2.0/")]),
        "GET /glance/" => versions(&[("v2.9", "http://inside/v2/"), ("v1.0", "http://inside/v1/")]),
        "GET /cinder/" => versions(&[("v3.0", "http://inside/v3/")]),
        // It does not tell.
        "GET /nova/" => Reply::Json(404, json!({})),
        "GET /nova/v2.1/" => {
            Reply::Json(200, json!({ "version": { "id": "v2.1", "version": "2.79" } }))
        }
        _ => ok(),
    };
    let catalog = [
        ("network", "/net"),
        ("image", "/glance/"),
        ("compute", "/nova"),
        ("volumev2", "/cinder/v2/p-id"),
        ("volumev3", "/cinder"),
        ("identity", "/identity"),
        ("placement", "/placement/"),
    ];
    let fake = Fake::new(&catalog, answer).await;
    let session = fake.session();
    for _ in 0..2 {
        session.get(Service::Network, "/networks").await.unwrap();
        session.get(Service::Image, "/images").await.unwrap();
        session.get(Service::Volume, "/volumes").await.unwrap();
        session.get(Service::Compute, "/servers").await.unwrap();
        session.get(Service::Identity, "users").await.unwrap();
        session.get(Service::Placement, "/traits").await.unwrap();
    }
    assert_eq!(session.compute_version().await.unwrap(), (2, 79));
    let asked = [
        "GET /net/",
        "GET /net/v2.0/networks",
        "GET /glance/",
        "GET /glance/v2/images",
        "GET /cinder/",
        "GET /cinder/v3/p-id/volumes",
        "GET /nova/",
        "GET /nova/v2.1/",
        "GET /nova/v2.1/servers",
        "GET /identity/v3/users",
        "GET /placement/traits",
    ];
    let lines = fake.lines();
    assert_eq!(lines[..asked.len()], asked);
    assert!(lines[asked.len()..].iter().all(|line| !line.ends_with('/')), "{lines:?}");
    let version = |line: &str| {
        let seen = fake.seen().into_iter().rev().find(|seen| seen.line == line).unwrap();
        seen.headers.get("openstack-api-version").cloned()
    };
    assert_eq!(version("GET /nova/v2.1/servers").as_deref(), Some("compute 2.79"));
    assert_eq!(version("GET /nova/v2.1/"), None);
    assert_eq!(version("GET /net/v2.0/networks"), None);
    let request = Request::new(Method::GET, Service::Compute, "/flavors").version((2, 26));
    session.send(request).await.unwrap();
    assert_eq!(version("GET /nova/v2.1/flavors").as_deref(), Some("compute 2.26"));
    let url = session.endpoint(Service::Volume).await.unwrap();
    assert_eq!(url.path(), "/cinder/v3/p-id");
}

#[tokio::test]
async fn we_speak_no_newer_version_than_we_know() {
    let document = json!({ "version": { "id": "v2.1", "version": "2.100" } });
    let fake = Fake::new(&[("compute", "/v2.1/p-id")], move |seen| match &*seen.line {
        "GET /v2.1/" => Reply::Json(200, document.clone()),
        _ => ok(),
    });
    let fake = fake.await;
    let session = fake.session();
    assert_eq!(session.compute_version().await.unwrap(), COMPUTE_MAX);
    session.get(Service::Compute, "/servers").await.unwrap();
    assert_eq!(fake.lines(), ["GET /v2.1/", "GET /v2.1/p-id/servers"]);
}

#[tokio::test]
async fn endpoints_can_be_overridden() {
    let fake = Fake::new(&[("network", "/v2.0"), ("net2", "/other/v2.0")], |_| ok()).await;
    let mut settings = fake.settings();
    let url = format!("http://127.0.0.1:{}/mine/v3/x/", fake.port);
    let overrides = [("volumev3", &*url), ("network", "net2")];
    settings.endpoint_overrides =
        overrides.map(|(service, value)| (service.to_owned(), value.to_owned())).into();
    let session = session(settings);
    session.get(Service::Volume, "/volumes").await.unwrap();
    session.get(Service::Network, "/ports").await.unwrap();
    assert_eq!(fake.lines(), ["GET /mine/v3/x/volumes", "GET /other/v2.0/ports"]);
}

#[tokio::test]
async fn services_that_are_not_there() {
    let fake = Fake::new(&[("network", "/v2.0"), ("image", "/v2")], |_| ok()).await;
    let failure = fake.session().endpoint(Service::Volume).await.unwrap_err();
    check_failure(
        failure,
        expect![[r#"
            Cannot find the block-storage service
            The cloud's catalogue has no block-storage service. It has `image`, `network`. If the service is there all the same, set `endpoint_overrides = { block-storage = "https://…" }`.
        "#]],
    );
    let mut settings = fake.settings();
    settings.region = Some("Two".to_owned());
    let error = session(settings).get(Service::Network, "/ports").await.unwrap_err();
    check_failure(
        error.failure("list ports"),
        expect![[r#"
            Cannot list ports
            The network service is not in the region `Two`. It is in `One`. Correct `region`.
        "#]],
    );
    // Cinder is there, but only as it was long ago.
    let old = Fake::new(&[("volumev2", "/v2/p-id"), ("volume", "/v1/p-id")], |_| ok()).await;
    let failure = old.session().endpoint(Service::Volume).await.unwrap_err();
    assert!(failure.detail.contains("no public endpoint that we can use"), "{failure:?}");
    let mut settings = fake.settings();
    settings.interface = crate::auth::Interface::Internal;
    let failure = session(settings).endpoint(Service::Network).await.unwrap_err();
    assert_eq!(
        failure.detail,
        "The network service has no internal endpoint that we can use. It has `admin`, `public`. \
         Correct `endpoint_type`."
    );
    let fake = Fake::new(&[], |_| ok()).await;
    let failure = fake.session().endpoint(Service::Network).await.unwrap_err();
    assert!(failure.detail.contains("The catalogue is empty"), "{failure:?}");
}

#[tokio::test]
async fn files_are_sent_as_they_come() {
    let fake = Fake::new(&[("image", "/v2")], |_| Reply::Whole(204, vec![], String::new())).await;
    let session = fake.session();
    for length in [Some(5), None] {
        let parts = ["he", "llo"].map(|part| Ok::<_, std::io::Error>(part.as_bytes().to_vec()));
        let stream = futures_util::stream::iter(parts);
        let body = reqwest::Body::wrap_stream(stream);
        let kind = "application/octet-stream";
        session.upload(Service::Image, "/images/1/file", kind, body, length).await.unwrap();
        let seen = fake.seen().pop().unwrap();
        assert_eq!((&*seen.line, &*seen.body), ("PUT /v2/images/1/file", "hello"));
        assert_eq!(seen.headers["content-type"], kind);
        assert_eq!(seen.headers.contains_key("content-length"), length.is_some());
    }
}

#[tokio::test]
async fn redirections_are_not_followed() {
    let elsewhere = vec![("location", "http://127.0.0.1:1/".to_owned())];
    let fake = Fake::new(NETWORK, move |_| Reply::Whole(301, elsewhere.clone(), String::new()));
    let fake = fake.await;
    let error = fake.session().get(Service::Network, "/ports").await.unwrap_err();
    check_failure(
        error.failure("list ports"),
        expect![[r#"
            Cannot list ports
            The service answered 301 Moved Permanently. The service sends requests elsewhere, and tokens do not follow: correct auth_url or the endpoint (https instead of http, perhaps).
        "#]],
    );
}

#[tokio::test]
async fn loopback_needs_no_proxy() {
    let fake = Fake::new(NETWORK, |_| ok()).await;
    let mut settings = fake.settings();
    settings.proxies.http = Some(Secret::new("http://127.0.0.1:1"));
    session(settings).authenticate().await.unwrap();
    let mut settings = settings_of_nowhere();
    settings.proxies.http = Some(Secret::new(format!("http://127.0.0.1:{}", fake.port)));
    // The proxy is asked for a whole URL, which our cloud does not know.
    let _ = session(settings).authenticate().await.unwrap_err();
    assert_eq!(fake.seen().pop().unwrap().line, "POST http://cloud.invalid:5000/v3/auth/tokens");
}

fn settings_of_nowhere() -> Settings {
    settings("http://cloud.invalid:5000/v3")
}

/// An authority, and what it signed for loopback: `(authority, certificate, key)`, PEM.
fn keys() -> (String, String, String) {
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.distinguished_name.push(rcgen::DnType::CommonName, "authority");
    let key = rcgen::KeyPair::generate().unwrap();
    let authority = params.self_signed(&key).unwrap().pem();
    let issuer = rcgen::Issuer::new(params, key);
    let leaf = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = leaf.signed_by(&key, &issuer).unwrap();
    (authority, certificate.pem(), key.serialize_pem())
}

#[tokio::test]
async fn certificates_are_checked_unless_told_otherwise() {
    use rustls::pki_types::pem::PemObject as _;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let (ours, others) = (keys(), keys());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ours.0.as_bytes()).unwrap()).unwrap();
    let clients = rustls::server::WebPkiClientVerifier::builder_with_provider(
        Arc::new(roots),
        provider.clone(),
    );
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(clients.allow_unauthenticated().build().unwrap())
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(ours.1.as_bytes()).unwrap()],
            PrivateKeyDer::from_pem_slice(ours.2.as_bytes()).unwrap(),
        )
        .unwrap();
    let tls = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let fake = Fake::with_tls(&[], Some(tls), 3600, |_| ok()).await;
    let with = async |tls: Tls| {
        let url = format!("https://127.0.0.1:{}/v3", fake.port);
        let session = session(Settings { tls, ..settings(&url) });
        session.authenticate().await
    };
    let trusting = |ca: &str| Tls { ca: Some(ca.to_owned()), ..Tls::default() };
    with(trusting(&ours.0)).await.unwrap();
    with(Tls { insecure: true, ..Tls::default() }).await.unwrap();
    let identity = |keys: &(String, String, String)| Tls {
        identity: Some((keys.1.clone(), Secret::new(&*keys.2))),
        ..trusting(&ours.0)
    };
    with(identity(&ours)).await.unwrap();
    with(identity(&others)).await.unwrap_err();
    for tls in [trusting(&others.0), Tls::default()] {
        let failure = with(tls).await.unwrap_err();
        assert!(failure.detail.contains("Set `cacert_file`"), "{failure:?}");
        assert!(!failure.transient);
    }
    // TLS where there is none.
    let plain = Fake::new(&[], |_| ok()).await;
    let session = session(settings(&format!("https://127.0.0.1:{}/v3", plain.port)));
    let failure = session.authenticate().await.unwrap_err();
    assert!(failure.detail.contains("begins with http://"), "{failure:?}");
    let bad = Session::new(Settings {
        tls: trusting("-----BEGIN NOTHING-----"),
        ..settings("https://127.0.0.1:1/v3")
    });
    assert_eq!(bad.err().unwrap().summary, "`cacert_file` cannot be used");
}
