//! The builtin provider: its laws, its plans, and what it reads.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use expect_test::{Expect, expect};
use plumb_model::addr::Kind;
use plumb_model::schema::ResourceSchema;
use plumb_model::state::Token;
use plumb_model::value::{Type, Value};
use plumb_provider::{CallContext, Connection, Edge, Failure, Provider, Resource, conformance};
use plumb_provider_builtin::{Builtin, RemoteState, TerraformData, schema};

/// Runs what never waits.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits"),
    }
}

fn connect(directory: &std::path::Path) -> Arc<dyn Connection> {
    let edge = Edge { directory: directory.into(), ..Edge::default() };
    now(Builtin.connect(&Value::object([] as [(&str, Value); 0]), &edge)).expect("it connects")
}

fn terraform_data() -> ResourceSchema {
    TerraformData::resource_schema()
}

fn config<const N: usize>(written: [(&str, Value); N]) -> Value {
    conformance::config(&terraform_data().block, written)
}

#[test]
fn keeps_the_laws() {
    assert_eq!(conformance::schema(schema()), Vec::<String>::new());
    let case = conformance::Case {
        kind: TerraformData::kind(),
        config: config([("input", Value::from("a")), ("triggers_replace", Value::TRUE)]),
        changed: Some(config([
            ("input", Value::tuple(vec![Value::from(1)])),
            ("triggers_replace", Value::TRUE),
        ])),
    };
    let here = connect(std::path::Path::new("."));
    let broken = now(conformance::connection(&*here, &terraform_data(), &case));
    assert_eq!(broken, Vec::<String>::new());
}

#[test]
fn plans_as_terraform_does() {
    let prior = || {
        let planned = conformance::plan(
            &terraform_data(),
            &config([("input", Value::from("one")), ("triggers_replace", Value::from("t"))]),
            None,
        );
        let mut made = planned.0.as_map().cloned().unwrap_or_default();
        made.insert("id".into(), Value::from("7"));
        made.insert("output".into(), Value::from("one"));
        Value::object(made)
    };
    let check = |input: Value, trigger: &str, prior: Option<Value>, expect: Expect| {
        let config = config([("input", input), ("triggers_replace", Value::from(trigger))]);
        let (planned, replace) = conformance::plan(&terraform_data(), &config, prior.as_ref());
        expect.assert_eq(&format!("{planned:?} {replace:?}"));
    };
    // Create; with an input that is null, or not known yet.
    check(
        Value::from("one"),
        "t",
        None,
        expect![[
            r#"{id = unknown(string, not null), input = "one", output = unknown(string), triggers_replace = "t"} []"#
        ]],
    );
    check(
        Value::NULL,
        "t",
        None,
        expect![[
            r#"{id = unknown(string, not null), input = null, output = null, triggers_replace = "t"} []"#
        ]],
    );
    check(
        Value::unknown(Type::String),
        "t",
        None,
        expect![[
            r#"{id = unknown(string, not null), input = unknown(string), output = unknown(string), triggers_replace = "t"} []"#
        ]],
    );
    // Nothing; a new input; one not known yet; none any more.
    check(
        Value::from("one"),
        "t",
        Some(prior()),
        expect![[r#"{id = "7", input = "one", output = "one", triggers_replace = "t"} []"#]],
    );
    check(
        Value::from("two"),
        "t",
        Some(prior()),
        expect![[
            r#"{id = "7", input = "two", output = unknown(string), triggers_replace = "t"} []"#
        ]],
    );
    check(
        Value::dynamic(),
        "t",
        Some(prior()),
        expect![[
            r#"{id = "7", input = unknown(any), output = unknown(any), triggers_replace = "t"} []"#
        ]],
    );
    check(
        Value::NULL,
        "t",
        Some(prior()),
        expect![[r#"{id = "7", input = null, output = unknown(any), triggers_replace = "t"} []"#]],
    );
    // Replace.
    check(
        Value::from("one"),
        "u",
        Some(prior()),
        expect![[
            r#"{id = unknown(string, not null), input = "one", output = unknown(string), triggers_replace = "u"} [.triggers_replace]"#
        ]],
    );
}

fn remote_state(
    directory: &std::path::Path,
    written: [(&str, Value); 3],
) -> Result<Value, Failure> {
    let config = conformance::config(&RemoteState::resource_schema().block, written);
    now(connect(directory).data(&Kind::new("terraform_remote_state"), &config))
}

#[test]
fn remote_state_reads_outputs() {
    let directory = tempfile::tempdir().expect("a directory");
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    };
    write(
        "terraform.tfstate",
        r#"{"version": 4, "serial": 3, "outputs": {
            "ip": {"value": "10.0.0.1", "type": "string"},
            "big": {"value": 123456789012345678901234567890, "type": "number"},
            "secret": {"value": ["a"], "type": ["list", "string"], "sensitive": true}
        }, "resources": []}"#,
    );
    write("terraform.tfstate.d/prod/terraform.tfstate", r#"{"version": 4}"#);
    write("torn.tfstate", r#"{"version": 4, "outputs"#);
    write("old.tfstate", r#"{"version": 3}"#);
    let object = |items: [(&str, &str); 1]| Value::object(items.map(|(k, v)| (k, Value::from(v))));
    let check = |backend: &str, config: Value, workspace: Option<&str>, expect: Expect| {
        let defaults = object([("ip", "none")]);
        let workspace = workspace.map_or(Value::null(Type::String), Value::from);
        let mut written =
            [("backend", Value::from(backend)), ("config", config), ("defaults", defaults)];
        let config = conformance::config(
            &RemoteState::resource_schema().block,
            written.iter_mut().map(|(k, v)| (*k, v.clone())).chain([("workspace", workspace)]),
        );
        let kind = Kind::new("terraform_remote_state");
        let text = match now(connect(directory.path()).data(&kind, &config)) {
            Ok(value) => format!("{:?}", value.get_attr("outputs")),
            Err(failure) => format!("{failure}\n{}", failure.detail),
        };
        let text = text.replace(&directory.path().display().to_string(), "DIR");
        expect.assert_eq(&text);
    };
    check(
        "local",
        Value::NULL,
        None,
        expect![[
            r#"Some({big = 123456789012345678901234567890, ip = "10.0.0.1", secret = list["a"]})"#
        ]],
    );
    check("local", Value::NULL, Some("prod"), expect![[r#"Some({ip = "none"})"#]]);
    check(
        "local",
        Value::NULL,
        Some("test"),
        expect![[r#"
        Unable to find remote state
        No stored state was found for the given workspace in the given backend."#]],
    );
    check(
        "local",
        object([("path", "torn.tfstate")]),
        None,
        expect![[r#"
        Error loading state error
        DIR/torn.tfstate: this is not a state file: EOF while parsing a string at line 1 column 23."#]],
    );
    check(
        "local",
        object([("path", "old.tfstate")]),
        None,
        expect![[r#"
        Error loading state error
        DIR/old.tfstate: its format has version 3; only 4 can be read."#]],
    );
    check(
        "local",
        object([("bucket", "b")]),
        None,
        expect![[r#"
        Invalid backend configuration
        An argument named "bucket" is not expected here."#]],
    );
    check(
        "s3",
        object([("bucket", "b")]),
        None,
        expect![[r#"
        Backend not supported yet
        The state of another configuration can be read from the "local" backend only; "s3" is not supported yet."#]],
    );
    check(
        "s4",
        object([("bucket", "b")]),
        None,
        expect![[r#"
        Invalid backend configuration
        There is no backend type named "s4"."#]],
    );
    assert!(
        remote_state(
            directory.path(),
            [("backend", Value::from("local")), ("config", Value::NULL), ("defaults", Value::NULL)]
        )
        .is_ok()
    );
}

#[test]
fn a_hundred_thousand_are_made_at_once() {
    let here = connect(std::path::Path::new("."));
    let schema = terraform_data();
    let (planned, _) = conformance::plan(&schema, &config([("input", Value::from("x"))]), None);
    let token = Token { run: 1, step: 1 };
    let call = CallContext { token, address: "".into(), progress: Arc::new(|_| {}) };
    let kind = TerraformData::kind();
    let ids: std::collections::BTreeSet<String> = (0..100_000)
        .map(|_| match now(here.create(&call, &kind, &planned)).left {
            plumb_model::event::Effect::Made(remote) => {
                remote.attrs.get_attr("id").and_then(Value::as_str).unwrap_or_default().to_owned()
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(ids.len(), 100_000);
}
