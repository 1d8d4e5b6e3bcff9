//! JSON beside what it stands for.

use std::sync::Arc;

use expect_test::{Expect, expect};
use plumb_diag::{FileId, Sources};

use crate::config::decode_texts;

/// What is wrong with a file, line by line.
fn check(json: &str, expected: Expect) {
    let mut sources = Sources::default();
    let file = sources.add("main.tf.json", json);
    let (_, found) = decode_texts([("main.tf.json", file, json)]);
    let mut out = String::new();
    for it in found {
        let at = it.span.and_then(|it| sources.range(it)).map(|it| it.0);
        let at = at.map_or("-".to_owned(), |at| format!("{}:{}", at.line, at.column));
        out += &format!("{at} {}\n", it.summary);
    }
    expected.assert_eq(&out);
}

#[test]
fn mistakes_are_told_where_they_stand() {
    check(
        r#"{"locals": {"a": 1}, "nope": 1}"#,
        expect![[r#"
        1:22 Extraneous JSON object property
    "#]],
    );
    check(
        "{\"locals\": {\"a\": \"${1 +}\"},\n \"locals\": 1}",
        expect![[r#"
        1:24 Invalid expression
        2:12 Incorrect JSON value type
    "#]],
    );
    check(
        r#"{"locals": {"a": 1},}"#,
        expect![[r#"
        1:20 Trailing comma in object
        1:1 Root value must be object
    "#]],
    );
    check(
        "",
        expect![[r#"
        1:1 Missing value
        1:1 Root value must be object
    "#]],
    );
    check(
        r#"{"locals": {"a": tru}}"#,
        expect![[r#"
        1:18 Invalid JSON keyword
    "#]],
    );
    check(
        r#"{"locals": {"a": "x"#,
        expect![[r#"
        1:18 Invalid JSON string
        1:1 Root value must be object
    "#]],
    );
    check(
        r#"{"locals": {"a": 1}} {}"#,
        expect![[r#"
        1:22 Extraneous data after value
    "#]],
    );
    check(
        r#"{"locals": {"a": 1, "a": 2}, "output": {"o": {}}}"#,
        expect![[r#"
        1:21 Duplicate attribute definition
        1:46 Missing required argument
    "#]],
    );
    check(
        r#"{"variable": {"v": {"type": "list(strin)"}}}"#,
        expect![[r#"
        1:35 Invalid type specification
    "#]],
    );
    check(
        r#"{"resource": {"terraform_data": "x"}}"#,
        expect![[r#"
        1:33 Incorrect JSON value type
    "#]],
    );
    check(
        r#"{"output": {"o": {"value": 1, "valeu": 2}}}"#,
        expect![[r#"
        1:31 Extraneous JSON object property
    "#]],
    );
}

#[test]
fn a_mistake_hides_only_what_comes_after_it() {
    check(
        r#"{"locals": {"a": [1 2]}, "variable": null}"#,
        expect![[r#"
            1:21 Missing attribute seperator comma
        "#]],
    );
    check(
        r#"{"variable": null}"#,
        expect![[r#"
            1:14 Missing block label
        "#]],
    );
}

#[test]
fn what_is_read_early_is_no_template() {
    let json = r#"{"variable": {"v": {"default": "${1 + 1}"}}, "output": {"o": {"value": 1, "description": "${"}}}"#;
    let (module, found) = decode_texts([("main.tf.json", FileId::default(), json)]);
    assert!(found.is_empty(), "{found:?}");
    let default = module.variables["v"].default.as_ref().map(|it| &it.kind);
    assert_eq!(default, Some(&crate::syntax::ExprKind::String("${1 + 1}".into())));
    assert_eq!(module.outputs["o"].description.as_deref(), Some("${"));
}

#[test]
fn no_input_is_too_much() {
    let deep = "[".repeat(100_000);
    for text in [
        "{\"a",
        "\"\\",
        "{\"a\\",
        "[1,",
        "-",
        "{\"é\": \"\\u00e9é${",
        &deep,
        "{\"locals\":{\"a\":\"\\\"é${x.é}\"}}",
    ] {
        let (_, found) = super::parse(FileId::default(), text);
        assert!(!found.is_empty() || text.starts_with("{\"locals"), "{text}");
    }
}

#[test]
fn the_same_as_in_the_other_spelling() {
    let json = r#"[{
        "//": "said to people",
        "terraform": {
            "required_version": ">= 1.0",
            "required_providers": {"docker": {"source": "kreuzwerker/docker", "configuration_aliases": ["docker.west"]}},
            "backend": {"local": {"path": "x"}}
        },
        "variable": {"size": {"type": "list(string)", "default": ["a"], "validation": [
            {"condition": "${length(var.size) > 0}", "error_message": "Some."}
        ]}},
        "resource": {"a_thing": {"one": {
            "for_each": "${toset(var.size)}",
            "provider": "a.west",
            "depends_on": ["b_thing.two"],
            "lifecycle": {"ignore_changes": ["name"], "create_before_destroy": true},
            "provisioner": [{"local-exec": {"command": "x", "when": "destroy"}}],
            "name": "${each.key}-\"x\"",
            "size": -1
        }}},
        "data": [{"a_thing": [{"two": {}}, {"three": {}}]}],
        "moved": {"from": "a_thing.old", "to": "a_thing.one"}
    }]"#;
    let native = r#"
        terraform {
          required_version = ">= 1.0"
          required_providers {
            docker = { source = "kreuzwerker/docker", configuration_aliases = [docker.west] }
          }
          backend "local" { path = "x" }
        }
        variable "size" {
          type = list(string)
          default = ["a"]
          validation {
            condition = length(var.size) > 0
            error_message = "Some."
          }
        }
        resource "a_thing" "one" {
          for_each = toset(var.size)
          provider = a.west
          depends_on = [b_thing.two]
          lifecycle {
            ignore_changes = [name]
            create_before_destroy = true
          }
          provisioner "local-exec" {
            command = "x"
            when = destroy
          }
          name = "${each.key}-\"x\""
          size = -1
        }
        data "a_thing" "two" {}
        data "a_thing" "three" {}
        moved {
          from = a_thing.old
          to = a_thing.one
        }
    "#;
    let shape = |name: &str, text: &str| {
        let (module, found) = decode_texts([(name, FileId::default(), text)]);
        assert!(found.is_empty(), "{found:?}");
        // Where things stand differs, and a string around an expression is one more layer.
        let resources: Vec<String> = module.resources.keys().map(ToString::to_string).collect();
        let one = module.resources.values().find(|it| it.provider.is_some()).unwrap();
        let names: Vec<Arc<str>> = one.body.attributes().map(|it| it.name.text.clone()).collect();
        let variable = &module.variables["size"];
        format!(
            "{resources:?} {names:?} {:?} {:?} {:?} {} {:?} {:?} {:?} {} {:?} {:?}",
            one.provider.as_ref().map(|it| &it.name),
            one.depends_on.iter().map(|it| it.root.text.clone()).collect::<Vec<_>>(),
            one.lifecycle.create_before_destroy,
            one.provisioners.len(),
            one.provisioners[0].when,
            variable.ty,
            variable.default.is_some(),
            variable.validations.len(),
            module.required_providers["docker"].aliases,
            module
                .moved
                .iter()
                .map(|it| (it.from.to_string(), it.to.to_string()))
                .collect::<Vec<_>>(),
        )
    };
    assert_eq!(shape("main.tf.json", json), shape("main.tf", native));
}
