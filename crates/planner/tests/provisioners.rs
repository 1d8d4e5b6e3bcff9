//! Commands beside objects: when they run, and what becomes of the object if they fail.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod common;

use common::Lab;
use expect_test::{Expect, expect};

fn apply(lab: &mut Lab, config: &str, expected: Expect) {
    expected.assert_eq(&lab.apply(config));
}

/// An object `a` with a provisioner, and `b` that leans on it.
fn config(name: &str, provisioner: &str) -> String {
    format!(
        r#"
        resource "test_thing" "a" {{
            fixed = "{name}"
            {provisioner}
        }}
        resource "test_thing" "b" {{ name = test_thing.a.id }}
        "#
    )
}

fn local_exec(command: &str, more: &str) -> String {
    format!("provisioner \"local-exec\" {{\n command = \"{command}\"\n {more} \n}}\n")
}

fn is_tainted(lab: &Lab) -> bool {
    lab.state.objects.iter().any(|(key, it)| key.to_string() == "test_thing.a" && it.tainted)
}

#[test]
fn they_run_once_the_object_is_there_and_before_what_leans_on_it() {
    let both =
        local_exec("first ${self.fixed}", "") + &local_exec("second ${test_thing.a.fixed}", "");
    let mut lab = Lab::new();
    apply(
        &mut lab,
        &config("x", &both),
        expect![[r#"
            create test_thing.a
            run first x beside test_thing.a (tainted)
            run second x beside test_thing.a (tainted)
            create test_thing.b
        "#]],
    );
    assert!(!is_tainted(&lab));
    apply(&mut lab, &config("x", &both), expect![""]);
}

#[test]
fn an_object_whose_provisioner_fails_is_tainted_and_replaced() {
    let mut lab = Lab::new();
    let failing = local_exec("fail", "") + &local_exec("never", "");
    apply(
        &mut lab,
        &config("x", &failing),
        expect![[r#"
            create test_thing.a
            run fail beside test_thing.a (tainted)
            : it failed
            skipped test_thing.b
        "#]],
    );
    assert!(is_tainted(&lab));
    apply(
        &mut lab,
        &config("x", &local_exec("well", "")),
        expect![[r#"
            delete test_thing.a
            create test_thing.a
            run well beside test_thing.a (tainted)
            create test_thing.b
        "#]],
    );
    assert!(!is_tainted(&lab));
}

#[test]
fn a_failure_that_does_not_matter() {
    let mut lab = Lab::new();
    apply(
        &mut lab,
        &config("x", &local_exec("fail", "on_failure = continue")),
        expect![[r#"
            create test_thing.a
            run fail beside test_thing.a (tainted)
            create test_thing.b
        "#]],
    );
    assert!(!is_tainted(&lab));
}

#[test]
fn what_runs_before_a_deletion_can_prevent_it() {
    let leaving = |command: &str| local_exec(command, "when = destroy");
    let mut lab = Lab::new();
    lab.apply(&config("x", &leaving("fail ${self.fixed}")));
    let alone = |name: &str, command: &str| {
        config(name, &leaving(command))
            .split("resource \"test_thing\" \"b\"")
            .next()
            .unwrap()
            .to_owned()
    };
    apply(
        &mut lab,
        &alone("y", "fail ${self.fixed}"),
        expect![[r#"
            delete test_thing.b
            run fail x beside test_thing.a
            : it failed
            skipped test_thing.a
        "#]],
    );
    assert!(!is_tainted(&lab));
    apply(
        &mut lab,
        &alone("y", "bye ${self.fixed}"),
        expect![[r#"
            run bye x beside test_thing.a
            delete test_thing.a
            create test_thing.a
        "#]],
    );
    apply(
        &mut lab,
        "removed {\n from = test_thing.a\n provisioner \"local-exec\" {\n when = destroy\n command = \"gone ${self.fixed}\"\n}\n}\n",
        expect![[r#"
            run gone y beside test_thing.a
            delete test_thing.a
        "#]],
    );
}

#[test]
fn what_cannot_be_evaluated_is_not_run() {
    let mut lab = Lab::new();
    apply(
        &mut lab,
        &config("x", &local_exec("${jsondecode(self.fixed)}", "")),
        expect![[r#"
            create test_thing.a
            test_thing.a: Error in function call
            skipped test_thing.b
        "#]],
    );
    assert!(is_tainted(&lab));
}
