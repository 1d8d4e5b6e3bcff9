//! The backend `s3` against the real store of `tests/rigs/s3`, and against small ones that do what a
//! good one does not.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod servers;

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use plumb_backend::s3::S3;
use plumb_backend::{Configured, Setting};
use plumb_state::backend::{Attempt, Held, Remote};
use plumb_state::{LockInfo, StoreError};
use serde_json::{Value, json};
use servers::Fault;
use servers::objects::ObjectServer;
use servers::process::{Holder, hold, role};

const BOTH: &[&str] = &["if-match", "if-none-match"];

fn env(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: start a store with `eval \"$(tests/rigs/s3/up)\"`")
    })
}

/// A block `backend "s3"` for the rig, with a key that nobody else has.
fn setting() -> Setting {
    let key = format!("{}/terraform.tfstate", LockInfo::new("").id);
    setting_at(&env("PLUMB_S3_ENDPOINT"), &key)
}

fn setting_at(endpoint: &str, key: &str) -> Setting {
    let config = json!({
        "bucket": std::env::var("PLUMB_S3_BUCKET").unwrap_or_else(|_| "plumb".into()),
        "key": key,
        "region": "us-east-1",
        "endpoints": { "s3": endpoint },
        "use_path_style": true,
        "use_lockfile": true,
        "access_key": std::env::var("PLUMB_S3_ACCESS_KEY").unwrap_or_else(|_| "key".into()),
        "secret_key": std::env::var("PLUMB_S3_SECRET_KEY").unwrap_or_else(|_| "secret".into()),
        "skip_credentials_validation": true,
        "max_retries": 2,
    });
    let Value::Object(config) = config else { unreachable!() };
    Setting { config: config.into_iter().collect(), ..Setting::default() }
}

fn with(setting: &Setting, changes: Value) -> Setting {
    let mut setting = setting.clone();
    for (name, value) in changes.as_object().unwrap() {
        setting.config.insert(name.clone(), value.clone());
    }
    setting
}

fn lease(setting: &Setting, seconds: u64) -> Setting {
    let mut setting = setting.clone();
    setting.env.insert("PLUMB_LEASE_SECONDS".into(), seconds.to_string());
    setting
}

fn remote(setting: &Setting) -> Box<dyn Remote> {
    S3::new(setting).unwrap().remote("default").unwrap()
}

/// Objects as they are, past locks: under another key of the same bucket a state is any bytes.
fn object(setting: &Setting, key: &str) -> Box<dyn Remote> {
    remote(&with(setting, json!({ "key": key, "use_lockfile": false })))
}

fn key(setting: &Setting) -> String {
    setting.config["key"].as_str().unwrap().to_owned()
}

fn lock_object(setting: &Setting) -> Option<Value> {
    let bytes = object(setting, &format!("{}.tflock", key(setting))).get().unwrap()?;
    Some(serde_json::from_slice(&bytes).unwrap())
}

fn put_lock_object(setting: &Setting, lock: &Value) {
    let mut object = object(setting, &format!("{}.tflock", key(setting)));
    object.get().unwrap();
    object.put(lock.to_string().as_bytes(), 0).unwrap();
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

fn is_fenced<T: std::fmt::Debug>(result: Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Fenced { .. }))
}

fn said(error: &dyn std::error::Error) -> String {
    let mut out = format!("{error} {error:?}");
    let mut cause = error.source();
    while let Some(error) = cause {
        out += &format!(" {error} {error:?}");
        cause = error.source();
    }
    out
}

/// Until it is so: a heartbeat comes when it comes.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(60), "{what}: not in a minute");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn states_and_locks_lie_where_terraform_has_them() {
    let setting = setting();
    let s3 = S3::new(&setting).unwrap();
    let key = key(&setting);
    let mut remote = s3.remote("default").unwrap();
    assert_eq!(remote.get().unwrap(), None);
    let id = take(&mut remote);
    let lock = lock_object(&setting).unwrap();
    assert_eq!(lock["ID"], id.as_str());
    assert_eq!(lock["Path"], format!("{}/{key}", setting.config["bucket"].as_str().unwrap()));
    assert_eq!(lock["Plumb"]["pid"], std::process::id());
    let Held::By(Some(holder)) = remote.held().unwrap() else { panic!("we hold it") };
    assert_eq!(holder.id, id);
    remote.put(b"{\"version\": 4}\n", 1).unwrap();
    remote.put(b"{\"version\": 4 }\n", 2).unwrap();
    remote.unlock().unwrap();
    assert_eq!((lock_object(&setting), remote.held().unwrap()), (None, Held::Free));
    assert_eq!(object(&setting, &key).get().unwrap().unwrap(), b"{\"version\": 4 }\n");
    // Workspaces.
    for name in ["beta", "alpha"] {
        let mut other = s3.remote(name).unwrap();
        take(&mut other);
        other.put(name.as_bytes(), 1).unwrap();
        other.unlock().unwrap();
        let there = object(&setting, &format!("env:/{name}/{key}")).get().unwrap();
        assert_eq!(there.unwrap(), name.as_bytes());
        assert!(s3.place(name).unwrap().name().ends_with(&format!("/env:/{name}/{key}")));
    }
    assert_eq!(s3.workspaces().unwrap(), ["default", "alpha", "beta"]);
    s3.delete("alpha").unwrap();
    assert_eq!(s3.workspaces().unwrap(), ["default", "beta"]);
    // Under another prefix, others.
    let other = S3::new(&with(&setting, json!({ "workspace_key_prefix": "w/s" }))).unwrap();
    assert_eq!(other.workspaces().unwrap(), ["default"]);
    other.remote("x").unwrap().put(b"x", 1).unwrap();
    assert_eq!(object(&setting, &format!("w/s/x/{key}")).get().unwrap().unwrap(), b"x");
    assert_eq!(other.workspaces().unwrap(), ["default", "x"]);
}

#[test]
fn of_two_writers_without_a_lock_the_second_is_fenced() {
    let setting = with(&setting(), json!({ "use_lockfile": false }));
    let (mut one, mut two) = (remote(&setting), remote(&setting));
    take(&mut one);
    take(&mut two);
    assert_eq!((one.get().unwrap(), two.get().unwrap()), (None, None));
    one.put(b"one", 1).unwrap();
    assert!(is_fenced(two.put(b"two", 1)), "there was none when it was read");
    assert_eq!(two.get().unwrap().unwrap(), b"one");
    assert!(is_fenced(two.put(b"two", 1)), "to look at it now does not help");
    take(&mut two);
    assert_eq!(two.get().unwrap().unwrap(), b"one");
    one.put(b"one again", 2).unwrap();
    assert!(is_fenced(two.put(b"two", 2)), "it was another one when it was read");
    // Nor does it before anything was written.
    take(&mut two);
    two.get().unwrap();
    one.put(b"one once more", 3).unwrap();
    assert_eq!(two.get().unwrap().unwrap(), b"one once more");
    assert!(is_fenced(two.check()) && is_fenced(two.put(b"two", 2)));
    take(&mut two);
    two.get().unwrap();
    two.put(b"two", 4).unwrap();
}

#[test]
fn of_many_that_ask_for_the_lock_one_has_it() {
    let setting = setting();
    let taken: Vec<_> = (0..8)
        .map(|_| {
            let setting = setting.clone();
            std::thread::spawn(move || {
                let mut remote = remote(&setting);
                let attempt = remote.lock(&info()).unwrap();
                (matches!(attempt, Attempt::Taken { .. }), remote)
            })
        })
        .collect();
    let taken: Vec<_> = taken.into_iter().map(|it| it.join().unwrap()).collect();
    assert_eq!(taken.iter().filter(|(taken, _)| *taken).count(), 1);
    drop(taken);
    assert_eq!(lock_object(&setting), None, "given back");
}

#[test]
fn a_holder_whose_lock_was_broken_is_fenced() {
    let setting = lease(&setting(), 1);
    let (mut slow, mut fast) = (remote(&setting), remote(&setting));
    let id = take(&mut slow);
    slow.get().unwrap();
    assert!(matches!(fast.lock(&info()).unwrap(), Attempt::Held(Some(it)) if it.id == id));
    assert!(matches!(fast.break_lock("another"), Err(StoreError::Refused { .. })));
    fast.break_lock(&id).unwrap();
    assert!(is_fenced(slow.put(b"slow", 1)), "at once, before anybody else has written");
    assert!(is_fenced(slow.check()));
    assert_eq!(fast.get().unwrap(), None);
    // By itself, when the heartbeat misses it.
    let id = take(&mut fast);
    remote(&setting).break_lock(&id).unwrap();
    until("the heartbeat misses the lock", || is_fenced(fast.check()));
    fast.unlock().unwrap();
    slow.unlock().unwrap();
    take(&mut slow);
    slow.put(b"slow", 1).unwrap();
}

#[test]
fn a_lock_in_use_is_renewed() {
    let setting = lease(&setting(), 1);
    let mut remote = remote(&setting);
    take(&mut remote);
    let expires = |setting| lock_object(setting).unwrap()["Plumb"]["expires"].to_string();
    let first = expires(&setting);
    until("it is renewed", || expires(&setting) != first);
    let second = expires(&setting);
    until("it is renewed again", || expires(&setting) != second);
    remote.check().unwrap();
    remote.put(b"x", 1).unwrap();
    remote.unlock().unwrap();
    assert_eq!(lock_object(&setting), None);
}

#[test]
fn a_dead_holder_of_this_machine_is_succeeded() {
    if let Some(setting) = role() {
        return hold(remote(&setting));
    }
    let setting = setting();
    let mut holder = Holder::start("a_dead_holder_of_this_machine_is_succeeded", &setting);
    let mut next = remote(&setting);
    assert!(matches!(next.lock(&info()).unwrap(), Attempt::Held(Some(it)) if it.id == holder.id));
    assert_eq!(holder.write("before"), "wrote");
    holder.signal(Signal::SIGKILL);
    let Attempt::Taken { from_the_dead: Some(dead) } = next.lock(&info()).unwrap() else {
        panic!("it was not taken over");
    };
    assert_eq!(dead.id, holder.id);
    assert_eq!(next.get().unwrap().unwrap(), b"before");
    next.put(b"after", 2).unwrap();
    next.unlock().unwrap();
}

#[test]
fn a_process_that_slept_through_its_lease_is_fenced() {
    if let Some(setting) = role() {
        return hold(remote(&setting));
    }
    let setting = lease(&setting(), 1);
    let mut holder = Holder::start("a_process_that_slept_through_its_lease_is_fenced", &setting);
    assert_eq!(holder.write("before"), "wrote");
    holder.signal(Signal::SIGSTOP);
    let mut next = remote(&setting);
    until("its lock is forfeit", || match next.lock(&info()).unwrap() {
        Attempt::Taken { from_the_dead } => {
            assert_eq!(from_the_dead.unwrap().id, holder.id);
            true
        }
        Attempt::Held(by) => {
            assert_eq!(by.unwrap().id, holder.id);
            false
        }
    });
    holder.signal(Signal::SIGCONT);
    let text = holder.write("too late");
    assert!(text.starts_with("Err(Fenced") && text.contains("/ Err(Fenced"), "{text}");
    assert_eq!(next.get().unwrap().unwrap(), b"before");
    next.put(b"after", 2).unwrap();
}

/// A lock of a process of another machine, that ends so many seconds from now.
fn lock_of_elsewhere(seconds: i64) -> Value {
    let expires = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds);
    json!({
        "ID": "elsewhere", "Operation": "OperationTypeApply", "Info": "", "Who": "a@b",
        "Version": "1", "Created": "2026-11-22T23:27:59Z", "Path": "",
        "Plumb": {
            "host": "b", "pid": 1, "boot": "x", "space": "pid:[1]", "started": 1,
            "expires": expires.to_string(), "seconds": 60,
        },
    })
}

#[test]
fn a_lock_is_taken_over_when_its_lease_is_long_over() {
    let setting = setting();
    let mut remote = remote(&setting);
    for seconds in [30, -30] {
        put_lock_object(&setting, &lock_of_elsewhere(seconds));
        let held = remote.lock(&info()).unwrap();
        assert!(matches!(held, Attempt::Held(Some(it)) if it.id == "elsewhere"), "{seconds}");
    }
    put_lock_object(&setting, &lock_of_elsewhere(-90));
    let taken = remote.lock(&info()).unwrap();
    assert!(
        matches!(&taken, Attempt::Taken { from_the_dead: Some(it) } if it.id == "elsewhere"),
        "{taken:?}"
    );
    remote.put(b"x", 1).unwrap();
}

#[test]
fn a_lock_of_terraform_is_never_taken_over() {
    let setting = setting();
    let mut lock = lock_of_elsewhere(-1_000_000);
    lock.as_object_mut().unwrap().remove("Plumb");
    put_lock_object(&setting, &lock);
    let mut remote = remote(&setting);
    assert!(matches!(remote.lock(&info()).unwrap(), Attempt::Held(Some(it)) if it.who == "a@b"));
    remote.break_lock("elsewhere").unwrap();
    take(&mut remote);
}

#[test]
fn a_store_that_ignores_conditions_is_refused() {
    for heeds in [&[][..], &["if-none-match"], &["if-match"]] {
        let server = ObjectServer::start(heeds);
        let mut remote = remote(&setting_at(&server.url(), "k"));
        let refused = remote.lock(&info()).unwrap_err();
        let advice = refused.advice().unwrap_or_default();
        assert!(matches!(refused, StoreError::Refused { .. }), "{heeds:?}: {refused:?}");
        assert!(advice.contains("use_lockfile = false"), "{advice}");
        assert!(server.objects().is_empty(), "the lock is given back");
    }
    let server = ObjectServer::start(BOTH);
    let setting = setting_at(&server.url(), "k");
    let s3 = S3::new(&setting).unwrap();
    let mut remote = s3.remote("default").unwrap();
    take(&mut remote);
    let asked = server.listening.wire().count("PUT");
    remote.unlock().unwrap();
    // It is found out once.
    take(&mut s3.remote("default").unwrap());
    assert_eq!((asked, server.listening.wire().count("PUT")), (3, 4));
    // One that says so itself.
    server.listening.wire().faults.push_back(("PUT", Fault::Status(501)));
    let text = said(&s3.remote("default").unwrap().lock(&info()).unwrap_err());
    assert!(text.contains("does not know conditional writes"), "{text}");
}

#[test]
fn an_answer_that_was_lost_is_made_out() {
    let server = ObjectServer::start(BOTH);
    let fail = |method, fault| server.listening.wire().faults.push_back((method, fault));
    let mut remote = remote(&setting_at(&server.url(), "k"));
    fail("PUT", Fault::CutAfter);
    take(&mut remote);
    assert_eq!(remote.get().unwrap(), None);
    // The renewal before the write, then the write.
    fail("PUT", Fault::CutAfter);
    remote.put(b"one", 1).unwrap();
    fail("PUT", Fault::Slow(Duration::from_millis(20)));
    fail("PUT", Fault::CutAfter);
    remote.put(b"two", 2).unwrap();
    fail("GET", Fault::Status(503));
    assert_eq!(remote.get().unwrap().unwrap(), b"two");
    fail("DELETE", Fault::CutAfter);
    remote.unlock().unwrap();
    assert_eq!(server.objects().keys().collect::<Vec<_>>(), ["/plumb/k"]);
    // Somebody else's write in between is not taken for ours.
    let setting = with(&setting_at(&server.url(), "k"), json!({ "use_lockfile": false }));
    let mut remote = self::remote(&setting);
    remote.get().unwrap();
    fail("PUT", Fault::CutBefore);
    server.objects().insert("/plumb/k".into(), b"theirs".into());
    assert!(is_fenced(remote.put(b"ours", 3)));
    assert_eq!(server.objects()["/plumb/k"], b"theirs");
}

#[test]
fn what_cannot_be_asked_is_told_without_secrets() {
    let bench = setting();
    let secret = "another-secret";
    let wrong = with(&bench, json!({ "secret_key": secret }));
    let nobody = with(
        &bench,
        json!({ "endpoints": { "s3": "http://127.0.0.1:1" }, "max_retries": 0, "secret_key": secret }),
    );
    let no_bucket = with(&bench, json!({ "bucket": "no-such-bucket" }));
    let mut all = String::new();
    for (setting, want) in [
        (wrong, "it answered 403 Forbidden: SignatureDoesNotMatch"),
        (nobody, "no answer"),
        (no_bucket, "S3 bucket \"no-such-bucket\" does not exist"),
    ] {
        let mut remote = remote(&setting);
        for error in [
            remote.get().unwrap_err(),
            remote.put(b"x", 1).unwrap_err(),
            remote.lock(&info()).unwrap_err(),
            remote.break_lock("x").unwrap_err(),
            remote.held().unwrap_err(),
            S3::new(&setting).unwrap().workspaces().unwrap_err(),
        ] {
            let text = said(&error);
            assert!(text.contains(want), "{text}");
            all += &text;
        }
    }
    let rig = env("PLUMB_S3_SECRET_KEY");
    for secret in [secret, &rig, "X-Amz-Signature", "X-Amz-Credential"] {
        assert!(!all.contains(secret), "{all}");
    }
}

#[test]
fn objects_are_encrypted_over_there() {
    let plain = setting();
    let theirs = with(&plain, json!({ "encrypt": true }));
    let mut remote = remote(&theirs);
    take(&mut remote);
    remote.put(b"theirs", 1).unwrap();
    remote.unlock().unwrap();
    assert_eq!(self::remote(&plain).get().unwrap().unwrap(), b"theirs");
    let key = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
    let ours = with(&setting(), json!({ "encrypt": true, "sse_customer_key": key }));
    let mut remote = self::remote(&ours);
    take(&mut remote);
    remote.put(b"ours", 1).unwrap();
    remote.put(b"ours again", 2).unwrap();
    assert_eq!(remote.get().unwrap().unwrap(), b"ours again");
    remote.unlock().unwrap();
    let without = with(&ours, json!({ "encrypt": false }));
    let text = said(&self::remote(&without).get().unwrap_err());
    assert!(text.contains("it answered 400"), "{text}");
}

#[test]
fn credentials_come_from_the_files_of_other_tools() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("credentials");
    let (access, secret) = (env("PLUMB_S3_ACCESS_KEY"), env("PLUMB_S3_SECRET_KEY"));
    let text = format!(
        "[default]\naws_access_key_id = x\naws_secret_access_key = y\n\n[rig]\n\
         aws_access_key_id = {access}\naws_secret_access_key = {secret}\n"
    );
    std::fs::write(&path, text).unwrap();
    let mut setting = setting();
    for name in ["access_key", "secret_key", "endpoints", "region"] {
        setting.config.remove(name);
    }
    setting.env.insert("AWS_ENDPOINT_URL".into(), env("PLUMB_S3_ENDPOINT"));
    setting.env.insert("AWS_DEFAULT_REGION".into(), "us-east-1".into());
    let mistakes = S3::new(&setting).err().unwrap();
    assert_eq!(mistakes[0].summary, "No valid credential sources found");
    setting.config.insert("shared_credentials_files".into(), json!([path]));
    assert!(remote(&setting).get().is_err(), "the default profile is not allowed in");
    setting.env.insert("AWS_PROFILE".into(), "rig".into());
    assert_eq!(remote(&setting).get().unwrap(), None);
    setting.env.insert("AWS_ACCESS_KEY_ID".into(), "x".into());
    setting.env.insert("AWS_SECRET_ACCESS_KEY".into(), "y".into());
    assert!(remote(&setting).get().is_err(), "the environment's keys come before its profile");
    setting.config.insert("profile".into(), "rig".into());
    assert_eq!(remote(&setting).get().unwrap(), None);
}

#[test]
fn mistakes_are_told_in_terraforms_words() {
    let check = |changes: Value, want: &[(&str, &str)]| {
        let setting = with(&setting_at("http://127.0.0.1:1", "k"), changes);
        let mistakes = S3::new(&setting).err().unwrap();
        let got: Vec<_> = (mistakes.iter())
            .map(|it| (it.summary.as_str(), it.detail.lines().next().unwrap_or_default()))
            .collect();
        assert_eq!(got, want);
    };
    let required = |name: &'static str| ("Missing Required Value", name);
    check(
        json!({ "bucket": null, "key": null }),
        &[
            required("The attribute \"bucket\" is required by the backend."),
            required("The attribute \"key\" is required by the backend."),
        ],
    );
    let empty = ("Invalid Value", "The value cannot be empty or all whitespace");
    check(json!({ "bucket": "" }), &[empty]);
    check(
        json!({ "key": "a/" }),
        &[("Invalid Value", "The value must not start or end with \"/\"")],
    );
    check(
        json!({ "key": "a/../b" }),
        &[("Invalid Value", "A URL cannot name an object with \".\" or \"..\" between slashes.")],
    );
    check(
        json!({ "region": null }),
        &[(
            "Missing region value",
            "The \"region\" attribute or the \"AWS_REGION\" or \"AWS_DEFAULT_REGION\" environment \
         variables must be set.",
        )],
    );
    check(
        json!({ "use_lock_file": true }),
        &[(
            "Unsupported argument",
            "An argument named \"use_lock_file\" is not expected here. Did you mean \"use_lockfile\"?",
        )],
    );
    check(
        json!({ "dynamodb_table": "x" }),
        &[(
            "Unsupported argument",
            "The argument \"dynamodb_table\" is not supported. Set use_lockfile = true: the lock is \
         then an object beside the state, which Terraform 1.10 and later respect, too.",
        )],
    );
    check(
        json!({ "kms_key_id": "x", "sse_customer_key": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=" }),
        &[(
            "Invalid Attribute Combination",
            "Only one of kms_key_id, sse_customer_key can be set.",
        )],
    );
    // Nothing is said of what a skipped argument would do.
    let setting = with(
        &setting_at("http://127.0.0.1:1", "k"),
        json!({ "skip_s3_checksum": true, "assume_role": null }),
    );
    assert!(S3::new(&setting).is_ok());
}
