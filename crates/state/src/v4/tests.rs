//! Files of Terraform read and written again, byte by byte; what is no state file refused.

use std::fs;
use std::sync::Arc;

use expect_test::{Expect, expect, expect_file};
use plumb_model::addr::ProviderAddr;
use plumb_model::schema::Schemas;
use plumb_model::state::{Object, State};
use plumb_model::value::{Marks, Value};

use crate::testing::schemas;

pub(crate) fn samples(writer: &str) -> Vec<(String, Vec<u8>)> {
    let folder = format!("{}/../../state/samples/{writer}", env!("CARGO_MANIFEST_DIR"));
    let entries = fs::read_dir(&folder).expect("samples are there");
    let mut samples: Vec<_> = entries
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|it| it == "tfstate"))
        .map(|path| (path.display().to_string(), fs::read(&path).expect("readable")))
        .collect();
    samples.sort();
    assert!(!samples.is_empty(), "{folder} holds none");
    samples
}

#[test]
fn terraforms_files_come_back_byte_by_byte() {
    for (name, bytes) in samples("terraform-1.11.4") {
        let state = super::read(&bytes, &schemas()).expect(&name);
        let again = String::from_utf8(super::write(&state, &schemas())).expect("text");
        let bytes = String::from_utf8(bytes).expect("text");
        assert!(again == bytes, "{name} differs:\n{}", first_difference(&bytes, &again));
    }
}

#[test]
fn objects_without_a_schema_keep_everything() {
    for (name, bytes) in samples("terraform-1.11.4") {
        let state = super::read(&bytes, &Schemas::default()).expect(&name);
        assert!(state.objects.values().all(|it| it.attrs.as_map().is_some_and(|it| it.len() > 3)));
        let again = super::write(&state, &Schemas::default());
        assert_eq!(super::read(&again, &Schemas::default()).expect("our own"), state, "{name}");
    }
}

#[test]
fn our_files_come_back_byte_by_byte() {
    for (name, bytes) in samples("plumb-0.1.0") {
        let state = super::read(&bytes, &schemas()).expect(&name);
        assert_eq!(super::write(&state, &schemas()), bytes, "{name}");
    }
}

fn first_difference(a: &str, b: &str) -> String {
    let at = a.lines().zip(b.lines()).position(|(a, b)| a != b).unwrap_or_default();
    let part =
        |text: &str| text.lines().skip(at.saturating_sub(3)).take(8).collect::<Vec<_>>().join("\n");
    format!("line {}:\n{}\n--- ours:\n{}", at + 1, part(a), part(b))
}

fn object(attrs: Value, needs: &[&str]) -> Object {
    Object {
        attrs,
        private: None,
        schema_version: 0,
        provider: Arc::new(
            r#"provider["terraform.io/builtin/terraform"]"#.parse::<ProviderAddr>().expect("provider"),
        ),
        needs: needs.iter().map(|it| it.parse().expect(it)).collect(),
        tainted: false,
        create_before_destroy: false,
        unmanaged: None,
    }
}

fn data(input: Value) -> Value {
    Value::object([
        ("id", Value::string("i")),
        ("input", input),
        ("output", Value::NULL),
        ("triggers_replace", Value::NULL),
    ])
}

fn state(objects: &[(&str, Object)]) -> State {
    let mut state = State { lineage: "L".into(), serial: 7, ..State::default() };
    for (addr, object) in objects {
        let addr: plumb_model::addr::Addr = addr.parse().expect(addr);
        state.objects.insert(addr.current(), object.clone());
    }
    state
}

#[test]
fn what_is_written_is_read() {
    let mut state = state(&[
        ("terraform_data.a[10]", object(data(Value::number(1)), &[])),
        (
            "terraform_data.a[9]",
            object(data(Value::string("<x>").with_marks(Marks::SENSITIVE)), &[]),
        ),
        ("module.m[\"k\"].terraform_data.b", object(data(Value::NULL), &["terraform_data.a"])),
        (
            "data.unknown_kind.c",
            object(Value::object([("x", Value::tuple(vec![]))]), &["module.m.terraform_data.b"]),
        ),
        (
            "terraform_data.d",
            object(data(Value::NULL), &["data.unknown_kind.c", "terraform_data.a"]),
        ),
    ]);
    state.objects.values_mut().next().expect("some").private = Some([0, 255, 3].as_slice().into());
    state.outputs.insert(
        "o".into(),
        Value::list(plumb_model::value::Type::String, vec!["a".into()])
            .with_marks(Marks::SENSITIVE),
    );
    let bytes = super::write(&state, &schemas());
    let again = super::read(&bytes, &schemas()).expect("our own");
    assert_eq!(again, state);
    let text = String::from_utf8(bytes).expect("text");
    expect_file!["../../../../state/samples/plumb-0.1.0/everything.tfstate"].assert_eq(&text);
}

#[test]
fn a_long_chain_lists_direct_dependencies_only() {
    let objects: Vec<(String, Object)> = (0..30_000)
        .map(|i| {
            let before = (i > 0).then(|| format!("terraform_data.n{}", i - 1));
            let needs: Vec<&str> = before.iter().map(String::as_str).collect();
            (format!("terraform_data.n{i}"), object(data(Value::NULL), &needs))
        })
        .collect();
    let objects: Vec<(&str, Object)> =
        objects.iter().map(|(addr, object)| (addr.as_str(), object.clone())).collect();
    let state = state(&objects);
    let bytes = super::write(&state, &schemas());
    assert!(bytes.len() < 600 * objects.len(), "{} bytes", bytes.len());
    assert_eq!(super::read(&bytes, &schemas()).expect("our own"), state);
}

#[test]
fn blocks_that_need_each_other_do_not_hang() {
    let state = state(&[
        ("terraform_data.a", object(data(Value::NULL), &["terraform_data.b"])),
        ("terraform_data.b", object(data(Value::NULL), &["terraform_data.a", "terraform_data.b"])),
    ]);
    let bytes = super::write(&state, &schemas());
    assert_eq!(super::read(&bytes, &schemas()).expect("our own"), state);
}

#[test]
fn attributes_follow_the_schema() {
    let text = r#"{"version":4,"serial":1,"lineage":"l","resources":[{"mode":"managed",
        "type":"terraform_data","name":"a","provider":"provider[\"terraform.io/builtin/terraform\"]",
        "instances":[{"schema_version":0,"attributes":{"id":5,"newer":[1],"input":{"value":[1e30],"type":["list","number"]}}}]}]}"#;
    let state = super::read(text.as_bytes(), &schemas()).expect("fine");
    let object = state.objects.values().next().expect("one");
    expect![[r#"{id = "5", input = list[1000000000000000000000000000000], output = null, triggers_replace = null}"#]]
        .assert_eq(&format!("{:?}", object.attrs));
}

fn refused(text: &str, expect: Expect) {
    let error = super::read(text.as_bytes(), &schemas()).expect_err(text);
    expect.assert_eq(&error.to_string());
}

#[test]
fn what_is_no_state_file_is_refused() {
    let resource = |instance: &str| {
        format!(
            r#"{{"version":4,"resources":[{{"mode":"managed","type":"terraform_data","name":"a","provider":"provider[\"terraform.io/builtin/terraform\"]","instances":[{instance}]}}]}}"#
        )
    };
    refused("", expect!["Invalid state file: The state file is empty."]);
    refused(
        "{\"version\":4,\"terr",
        expect![
            "Unsupported state file format: The state file could not be parsed as JSON: syntax error: EOF while parsing a string at line 1 column 18. The file ends too early, as if whoever wrote it was interrupted."
        ],
    );
    refused(
        "[1]",
        expect![
            "Unsupported state file format: The state file is JSON, but not an object with a version."
        ],
    );
    refused(
        "{}",
        expect![[
            r#"Unsupported state file format: The state file does not have a "version" attribute, which is required to identify the format version."#
        ]],
    );
    refused(
        r#"{"version":5,"terraform_version":"2.0.0"}"#,
        expect![
            "Unsupported state file format: The state file uses format version 5, which is not supported by Plumb. This state snapshot was created by Terraform v2.0.0, which is newer than any that Plumb knows."
        ],
    );
    refused(
        r#"{"version":3,"modules":[]}"#,
        expect![[
            r#"Unsupported state file format: The state file uses format version 3, which Plumb does not read. Run "terraform apply -refresh-only" with any Terraform 1.x once: it writes version 4."#
        ]],
    );
    refused(
        r#"{"version":0}"#,
        expect![
            "Unsupported state file format: The state file uses JSON syntax but has a version number of zero. There was never a JSON-based state format zero, so this state file is invalid and cannot be processed."
        ],
    );
    refused(
        r#"{"version":"4"}"#,
        expect![[
            r#"Unsupported state file format: The version in the state file is "4". A positive whole number is required."#
        ]],
    );
    refused(
        r#"{"version":4,"resources":3}"#,
        expect![
            "Invalid state file: The state file is not as format version 4 demands: invalid type: integer `3`, expected a sequence at line 1 column 26."
        ],
    );
    refused(
        &resource(r#"{"attributes":{"id":{}}}"#),
        expect!["Invalid state file: terraform_data.a: id: invalid type: map, expected string."],
    );
    refused(
        &resource(r#"{"attributes":{"input":{"value":1}}}"#),
        expect![
            "Invalid state file: terraform_data.a: input: a value of any type needs both `value` and `type`."
        ],
    );
    refused(
        &resource(r#"{"attributes":{},"status":"odd"}"#),
        expect![[r#"Invalid state file: terraform_data.a: the status "odd" is not known."#]],
    );
    refused(
        &resource(r#"{"attributes":{},"dependencies":["x"]}"#),
        expect![[
            r#"Invalid state file: terraform_data.a: "x" is not an address: a resource is a type, a dot and a name."#
        ]],
    );
    refused(
        &resource(r#"{"attributes":{}},{"attributes":{}}"#),
        expect![
            "Duplicate resource instance in state: Instance terraform_data.a appears multiple times in the state file."
        ],
    );
    refused(
        &resource(r#"{"attributes":{},"index_key":1.5}"#),
        expect![
            "Invalid state file: terraform_data.a: an index key is a whole number or a string, not 1.5."
        ],
    );
    refused(
        &resource(r#"{"attributes":{},"private":"***"}"#),
        expect!["Invalid state file: terraform_data.a: `private` is not base64."],
    );
}
