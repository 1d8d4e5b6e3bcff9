//! `exec`, `shell` and `logs` where they have to say no. What they do is in `netns/`.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod common;

use common::Lab;
use expect_test::{Expect, expect};

const MAIN: &str = r#"
    resource "terraform_data" "one" {}
    resource "terraform_data" "some" { count = 10 }
"#;

fn check(lab: &Lab, words: &str, want: Expect) {
    let words: Vec<&str> = words.split(' ').collect();
    let ran = lab.run(&words);
    assert_eq!((ran.code, &*ran.out), (1, ""), "{words:?} {}", ran.err);
    want.assert_eq(&ran.err);
}

#[test]
fn an_object_that_is_not_there() {
    let lab = Lab::new(MAIN);
    lab.ok(&["apply", "-auto-approve"]);
    check(
        &lab,
        "exec -no-color terraform_data.onne -- true",
        expect![[r#"

        Error: No such object

        terraform_data.onne is not in the state. Did you mean terraform_data.one?
    "#]],
    );
    check(
        &lab,
        "logs -no-color terraform_data.some",
        expect![[r#"

        Error: Resource has several instances

        terraform_data.some has instances; name one of them: terraform_data.some[0],
        terraform_data.some[1], terraform_data.some[2], terraform_data.some[3],
        terraform_data.some[4], terraform_data.some[5], terraform_data.some[6],
        terraform_data.some[7] and 2 more.
    "#]],
    );
    check(
        &lab,
        "shell -no-color terraform_data.some[10]",
        expect![[r#"

            Error: No such object

            terraform_data.some[10] is not in the state. The state has
            terraform_data.some[0], terraform_data.some[1], terraform_data.some[2],
            terraform_data.some[3], terraform_data.some[4], terraform_data.some[5],
            terraform_data.some[6], terraform_data.some[7] and 2 more.
        "#]],
    );
    check(
        &lab,
        "shell -no-color terraform_data.elsewhere",
        expect![[r#"

        Error: No such object

        terraform_data.elsewhere is not in the state. The state has
        terraform_data.one, terraform_data.some[0], terraform_data.some[1],
        terraform_data.some[2], terraform_data.some[3], terraform_data.some[4],
        terraform_data.some[5], terraform_data.some[6] and 3 more.
    "#]],
    );
    check(
        &lab,
        "shell -no-color netns_host.vm",
        expect![[r#"

        Error: No such object

        netns_host.vm is not in the state. The state has no object of this type;
        "plumb state list" shows what it has.
    "#]],
    );
    check(
        &lab,
        "exec -no-color module.m -- true",
        expect![[r#"

        Error: Invalid address

        "module.m" names a module; a resource instance is needed here.
    "#]],
    );
}

#[test]
fn an_object_that_has_no_inside() {
    let lab = Lab::new(MAIN);
    lab.ok(&["apply", "-auto-approve"]);
    check(
        &lab,
        "exec -no-color terraform_data.one -- true",
        expect![[r#"

        Error: A terraform_data cannot be entered

        That is what terraform_data.one is.
    "#]],
    );
    check(
        &lab,
        "shell -no-color terraform_data.some[3]",
        expect![[r#"

        Error: A terraform_data cannot be entered

        That is what terraform_data.some[3] is.
    "#]],
    );
    check(
        &lab,
        "logs -no-color terraform_data.one",
        expect![[r#"

        Error: A terraform_data keeps no log

        That is what terraform_data.one is.
    "#]],
    );
}

#[test]
fn a_command_line_that_is_not_one() {
    let lab = Lab::new(MAIN);
    check(
        &lab,
        "exec terraform_data.one",
        expect![[r#"

        Error: Failed to parse command-line flags

        An argument is missing: <COMMAND>...

        For more help on using this command, run:
          plumb exec -help
    "#]],
    );
    check(
        &lab,
        "exec terraform_data.one true",
        expect![[r#"

        Error: Failed to parse command-line flags

        Put "--" before the command: -- true

        For more help on using this command, run:
          plumb exec -help
    "#]],
    );
    check(
        &lab,
        "logs terraform_data.one -tail-bytes=all",
        expect![[r#"

        Error: Failed to parse command-line flags

        invalid value "all" for flag -tail-bytes

        For more help on using this command, run:
          plumb logs -help
    "#]],
    );
}

/// How to reach an object is in the configuration.
#[test]
fn no_configuration() {
    let lab = Lab::new(MAIN);
    lab.ok(&["apply", "-auto-approve"]);
    std::fs::remove_file(lab.path("main.tf")).unwrap();
    check(
        &lab,
        "exec -no-color terraform_data.one -- true",
        expect![[r#"

        Error: No configuration files

        How to reach an object is in the configuration of its provider. There is no
        configuration file (.tf file) in this directory.
    "#]],
    );
}

#[test]
fn help_says_where_the_command_stands() {
    let lab = Lab::new(MAIN);
    let help = lab.ok(&["exec", "-help"]);
    assert!(help.starts_with("Usage: plumb [global options] exec [options] ADDR -- COMMAND...\n"));
    // What is asked of the command is not asked of us; the verbs that we have for ourselves are no one's.
    let ran = lab.run(&["exec", "terraform_data.one", "--", "true", "-help"]);
    assert!(ran.code == 1 && ran.err.contains("terraform_data.one"), "{}", ran.err);
    assert!(!lab.ok(&["-help"]).contains("netns-"));
}
