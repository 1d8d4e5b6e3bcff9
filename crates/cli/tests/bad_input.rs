//! Bad input gets a diagnostic and a non-zero exit, and leaves the state as it was.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod common;

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use common::Lab;
use expect_test::{Expect, expect};

/// Something to lose.
const GOOD: &str = r#"
resource "terraform_data" "kept" {
  input = "precious"
}
"#;

/// Applies something good, then `bad` beside it: every verb refuses it and nothing changes.
fn check(bad: &str, expected: Expect) {
    let lab = Lab::new(GOOD);
    lab.ok(&["apply", "-auto-approve"]);
    let before = lab.state();
    lab.file("bad.tf", bad);
    let plan = lab.run(&["plan", "-no-color"]);
    assert_eq!(plan.code, 1, "{}", plan.out);
    expected.assert_eq(plan.err.trim_start());
    let apply = lab.run(&["apply", "-auto-approve", "-no-color"]);
    assert_eq!(apply.code, 1, "{}", apply.out);
    assert_eq!(apply.err, plan.err);
    assert_eq!(lab.state(), before);
    assert!(before.is_some());
}

#[test]
fn syntax_errors() {
    check(
        "resource \"terraform_data\" \"x\" {\n  input = [1, 2\n}\nlocals { a == 1 }\n",
        expect![[r#"
            Error: Missing item separator

              on bad.tf line 3, in resource "terraform_data" "x":
               3: }

            Expected a comma to mark the beginning of the next item.
        "#]],
    );
}

#[test]
fn undeclared_references() {
    check(
        "resource \"terraform_data\" \"x\" {\n  input = [var.nope, terraform_data.kep.id, local.no]\n}\n",
        expect![[r#"
            Error: Reference to undeclared input variable

              on bad.tf line 2, in resource "terraform_data" "x":
               2:   input = [var.nope, terraform_data.kep.id, local.no]
                             ^^^^^^^^

            An input variable with the name "nope" has not been declared. This variable
            can be declared with a variable "nope" {} block.

            Error: Reference to undeclared resource

              on bad.tf line 2, in resource "terraform_data" "x":
               2:   input = [var.nope, terraform_data.kep.id, local.no]
                                       ^^^^^^^^^^^^^^^^^^

            A managed resource "terraform_data" "kep" has not been declared in the root
            module. Did you mean "kept"?

            Error: Reference to undeclared local value

              on bad.tf line 2, in resource "terraform_data" "x":
               2:   input = [var.nope, terraform_data.kep.id, local.no]
                                                              ^^^^^^^^

            A local value with the name "no" has not been declared.
        "#]],
    );
}

#[test]
fn cycles_name_their_members() {
    check(
        "resource \"terraform_data\" \"a\" {\n  input = terraform_data.b.id\n}\n\
         resource \"terraform_data\" \"b\" {\n  input = local.c\n}\n\
         locals {\n  c = terraform_data.a.id\n}\n",
        expect![[r#"
            Error: Cycle: local.c, terraform_data.a, terraform_data.b

              bad.tf line 8: local.c
               8:   c = terraform_data.a.id

              bad.tf line 1: terraform_data.a
               1: resource "terraform_data" "a" {
                  ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

              bad.tf line 4: terraform_data.b
               4: resource "terraform_data" "b" {
                  ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

            Each of these needs another one of them first. Break the circle by taking one
            of the references out.
        "#]],
    );
}

#[test]
fn wrong_types() {
    check(
        "variable \"n\" {\n  type    = number\n  default = \"many\"\n}\n\
         resource \"terraform_data\" \"x\" {\n  count = \"some\"\n}\n",
        expect![[r#"
            Error: Invalid default value for variable

              on bad.tf line 3, in variable "n":
               3:   default = "many"
                              ^^^^^^

            This default value is not compatible with the variable's type constraint: a
            number is required.
        "#]],
    );
    check(
        "resource \"docker_network\" \"x\" {\n  name     = [1]\n  internal = \"maybe\"\n}\n",
        expect![[r#"
            Error: Incorrect attribute value type

              on bad.tf line 2, in resource "docker_network" "x":
               2:   name     = [1]
                               ^^^

            Inappropriate value for attribute "name": string required.

            Error: Incorrect attribute value type

              on bad.tf line 3, in resource "docker_network" "x":
               3:   internal = "maybe"
                               ^^^^^^^

            Inappropriate value for attribute "internal": a bool is required.
        "#]],
    );
}

#[test]
fn duplicate_addresses() {
    check(
        "resource \"terraform_data\" \"kept\" {\n  input = 2\n}\n",
        expect![[r#"
        Error: Duplicate resource "terraform_data" configuration

          on main.tf line 2:
           2: resource "terraform_data" "kept" {
              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

          bad.tf line 1: first declared here
           1: resource "terraform_data" "kept" {
              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

        A terraform_data resource named "kept" was already declared. Resource names
        must be unique per type in each module.
    "#]],
    );
}

#[test]
fn unknown_and_missing_arguments() {
    check(
        "resource \"terraform_data\" \"x\" {\n  inpt = 1\n}\n\
         resource \"docker_network\" \"y\" {\n  drivr = \"bridge\"\n  ipam_confg {}\n}\n",
        expect![[r#"
            Error: Unsupported argument

              on bad.tf line 2, in resource "terraform_data" "x":
               2:   inpt = 1
                    ^^^^

            An argument named "inpt" is not expected here. Did you mean "input"?

            Error: Missing required argument

              on bad.tf line 4, in resource "docker_network" "y":
               4: resource "docker_network" "y" {
                                                ^

            The argument "name" is required, but no definition was found.

            Error: Unsupported argument

              on bad.tf line 5, in resource "docker_network" "y":
               5:   drivr = "bridge"
                    ^^^^^

            An argument named "drivr" is not expected here. Did you mean "driver"?

            Error: Unsupported block type

              on bad.tf line 6, in resource "docker_network" "y":
               6:   ipam_confg {}
                    ^^^^^^^^^^

            Blocks of type "ipam_confg" are not expected here. Did you mean
            "ipam_config"?
        "#]],
    );
}

#[test]
fn unknown_types_and_providers() {
    check(
        "resource \"terraform_dat\" \"x\" {}\nresource \"docker_netwrk\" \"y\" {}\n\
         resource \"aws_instance\" \"z\" {}\n",
        expect![[r#"
            Error: Invalid resource type

              on bad.tf line 1:
               1: resource "terraform_dat" "x" {}
                  ^^^^^^^^^^^^^^^^^^^^^^^^^^^^

            The provider terraform.io/builtin/terraform does not support resource type
            "terraform_dat". Did you mean "terraform_data"?

            Error: Invalid resource type

              on bad.tf line 2:
               2: resource "docker_netwrk" "y" {}
                  ^^^^^^^^^^^^^^^^^^^^^^^^^^^^

            The provider kreuzwerker/docker does not support resource type
            "docker_netwrk". Did you mean "docker_network"?

            Error: Unknown provider

              on bad.tf line 3:
               3: resource "aws_instance" "z" {}
                  ^^^^^^^^^^^^^^^^^^^^^^^^^^^

            The provider registry.terraform.io/hashicorp/aws is not compiled into plumb.
            It has: kreuzwerker/docker, plumb/netns,
            terraform-provider-openstack/openstack, terraform.io/builtin/terraform.
        "#]],
    );
}

#[test]
fn unknown_for_each_keys() {
    check(
        "resource \"terraform_data\" \"a\" {}\n\
         resource \"terraform_data\" \"x\" {\n  for_each = toset([terraform_data.a.id])\n}\n",
        expect![[r#"
            Error: Invalid for_each argument

              on bad.tf line 3, in resource "terraform_data" "x":
               3:   for_each = toset([terraform_data.a.id])
                               ^^^^^^^^^^^^^^^^^^^^^^^^^^^^
                ├────────────────
                │ terraform_data.a.id is a string, known only after apply

            The "for_each" set includes values derived from resource attributes that
            cannot be determined until apply, and so the full set of keys that will
            identify the instances of this resource cannot be determined.

            When working with unknown values in for_each, it's better to use a map value
            where the keys are defined statically in your configuration and where only
            the values contain apply-time results.

            Alternatively, you could use the -target planning option to first apply only
            the resources that the for_each value depends on, and then apply a second
            time to fully converge.
        "#]],
    );
}

#[test]
fn invalid_index() {
    check(
        "locals {\n  l = [1, 2]\n}\nresource \"terraform_data\" \"x\" {\n  input = local.l[5]\n}\n\
         output \"o\" {\n  value = terraform_data.kept.nope\n}\n",
        expect![[r#"
            Error: Invalid index

              on bad.tf line 5, in resource "terraform_data" "x":
               5:   input = local.l[5]
                                   ^^^
                ├────────────────
                │ local.l is tuple with 2 elements

            The given key does not identify an element in this collection value.

            Error: Unsupported attribute

              on bad.tf line 8, in output "o":
               8:   value = terraform_data.kept.nope
                                               ^^^^^

            This object does not have an attribute named "nope".
        "#]],
    );
}

#[test]
fn a_module_that_is_not_there() {
    check(
        "module \"m\" {\n  source = \"./nope\"\n}\n",
        expect![[r#"
        Error: Unreadable module directory

        Unable to evaluate directory symlink: lstat nope: no such file or directory

        Error: Unreadable module directory

        The directory nope could not be read for module "m" at bad.tf:2.
    "#]],
    );
}

#[test]
fn values_that_nobody_gave_and_values_for_nobody() {
    check(
        "variable \"needed\" {\n  type = string\n}\n",
        expect![[r#"
        Error: No value for required variable

          on bad.tf line 1:
           1: variable "needed" {
              ^^^^^^^^^^^^^^^^^

        The root module input variable "needed" is not set, and has no default value.
        Use a -var or -var-file command line argument to provide a value for this
        variable.
    "#]],
    );
    let lab = Lab::new(GOOD);
    let ran = lab.run(&["plan", "-no-color", "-var", "other=1", "-var-file=no.tfvars"]);
    assert_eq!(ran.code, 1);
    expect![[r#"
        Error: Failed to read variables file

        Given variables file no.tfvars does not exist.
    "#]]
    .assert_eq(ran.err.trim_start());
}

#[test]
fn options_that_make_no_sense() {
    let lab = Lab::new(GOOD);
    for (args, expected) in [
        (
            &["plan", "-otu=p"][..],
            expect![[r#"
            Error: Failed to parse command-line flags

            flag provided but not defined: -otu. Did you mean -out?

            For more help on using this command, run:
              plumb plan -help
        "#]],
        ),
        (
            &["plna"][..],
            expect![[r#"
            Plumb has no command named "plna". Did you mean "plan"?

            To see all of Plumb's commands, run:
              plumb -help

        "#]],
        ),
        (
            &["plan", "-destroy", "-refresh-only"][..],
            expect![[r#"
            ╷
            │ Error: Incompatible plan mode options
            │ 
            │ The -destroy and -refresh-only options are mutually-exclusive.
            ╵
        "#]],
        ),
        (
            &["plan", "-parallelism=many"][..],
            expect![[r#"
            Error: Failed to parse command-line flags

            invalid value "many" for flag -parallelism

            For more help on using this command, run:
              plumb plan -help
        "#]],
        ),
        (
            &["plan", "-target=1x"][..],
            expect![[r#"
            ╷
            │ Error: Invalid target "1x"
            │ 
            │ "1x" is not an address: a name is missing.
            ╵
        "#]],
        ),
        (
            &["plan", "there"][..],
            expect![[r#"
            Error: Failed to parse command-line flags

            Too many command line arguments: "there" is not expected. To work in another directory, use the global -chdir option.

            For more help on using this command, run:
              plumb plan -help
        "#]],
        ),
        (
            &["apply", "no-such-plan"][..],
            expect![[r#"
            ╷
            │ Error: Failed to load "no-such-plan" as a plan file
            │ 
            │ Error: stat no-such-plan: no such file or directory
            ╵
        "#]],
        ),
        (
            &["state", "mv", "a.b"][..],
            expect![[r#"
            Error: Failed to parse command-line flags

            An argument is missing: <TO>

            For more help on using this command, run:
              plumb state mv -help
        "#]],
        ),
        (
            &["-chdir=nowhere", "plan"][..],
            expect![[r#"
            Error handling -chdir option: chdir nowhere: No such file or directory (os error 2)
        "#]],
        ),
    ] {
        let ran = lab.run(args);
        assert_eq!(ran.code, 1, "{args:?}");
        expected.assert_eq(ran.err.trim_start());
    }
    assert_eq!(lab.state(), None);
}

/// A state file that cannot be used is left alone by every verb.
fn check_state(text: &str, expected: Expect) {
    let lab = Lab::new(GOOD);
    lab.ok(&["apply", "-auto-approve"]);
    lab.ok(&["apply", "-auto-approve", "-replace=terraform_data.kept"]);
    lab.file("terraform.tfstate", text);
    let plan = lab.run(&["plan", "-no-color"]);
    assert_eq!(plan.code, 1, "{}", plan.out);
    expected.assert_eq(plan.err.trim_start());
    let apply = lab.run(&["apply", "-auto-approve", "-no-color"]);
    assert_eq!(apply.code, 1, "{}", apply.out);
    assert_eq!(apply.err, plan.err);
    assert_eq!(lab.state().as_deref(), Some(text));
}

#[test]
fn an_empty_state_file_is_not_a_new_one() {
    check_state(
        "",
        expect![[r#"
        Error: State file is empty

        `terraform.tfstate` is missing or empty, but its backup
        `terraform.tfstate.backup` lists objects: the program that wrote the state
        last was probably interrupted. To go on from the backup, copy it to
        `terraform.tfstate`. To start anew and forget those objects, move the backup
        away.
    "#]],
    );
}

#[test]
fn a_torn_state_file() {
    check_state(
        "{\n  \"version\": 4,\n  \"terraform_version\": \"1.1",
        expect![[r#"
            Error: Cannot use the state file `terraform.tfstate`

            Unsupported state file format: The state file could not be parsed as JSON:
            syntax error: EOF while parsing a string at line 3 column 27. The file ends
            too early, as if whoever wrote it was interrupted.
            Nothing was changed. `terraform.tfstate.backup` holds the state before the
            last run, if there is one.
        "#]],
    );
}

#[test]
fn a_state_file_of_a_newer_version() {
    check_state(
        "{\"version\": 5, \"serial\": 1, \"lineage\": \"x\"}",
        expect![[r#"
            Error: Cannot use the state file `terraform.tfstate`

            Unsupported state file format: The state file uses format version 5, which is
            not supported by Plumb. This state file may have been created by a newer
            version of Terraform.
            Nothing was changed. `terraform.tfstate.backup` holds the state before the
            last run, if there is one.
        "#]],
    );
}

#[test]
fn a_state_of_another_lineage_is_not_pushed_over_ours() {
    let lab = Lab::new(GOOD);
    lab.ok(&["apply", "-auto-approve"]);
    let before = lab.state();
    let other = before.clone().unwrap();
    let at = other.find("\"lineage\": \"").unwrap() + 12;
    let other = format!("{}00000000{}", &other[..at], &other[at + 8..]);
    lab.file("other.tfstate", &other);
    let ran = lab.run(&["state", "push", "-no-color", "other.tfstate"]);
    assert_eq!(ran.code, 1);
    let said = ran.err.split(" with lineage").next().unwrap_or_default();
    expect![[r#"
        Error: Failed to write state

        cannot import state"#]]
    .assert_eq(said.trim_start());
    assert_eq!(lab.state(), before);
}

/// A journal that a run left behind when it was killed.
fn with_journal(lab: &Lab) -> std::path::PathBuf {
    use plumb_model::event::Event;
    let schemas = plumb_model::schema::Schemas::default();
    let state = camino::Utf8PathBuf::from_path_buf(lab.path("terraform.tfstate")).unwrap();
    let store = plumb_state::Store::new(
        std::sync::Arc::new(plumb_state::Folder::new(state, plumb_state::Backup::Off)),
        schemas.into(),
    );
    let mut opened = store.open(None).unwrap();
    for run in 1..4 {
        opened.lease.append(&[Event::RunStarted { run }]).unwrap();
        let value = Some(plumb_model::value::Value::string(format!("run {run}")));
        opened.lease.append(&[Event::Output { name: "o".into(), value }]).unwrap();
    }
    drop(opened);
    let journals = std::fs::read_dir(lab.path(".")).unwrap();
    let mut journals = journals.map(|it| it.unwrap().path());
    journals.find(|it| it.to_string_lossy().contains("journal")).unwrap()
}

#[test]
fn a_journal_with_a_torn_last_line_is_taken_over_without_it() {
    let lab = Lab::new(&format!("{GOOD}\noutput \"o\" {{\n  value = \"run 3\"\n}}\n"));
    lab.ok(&["apply", "-auto-approve"]);
    let journal = with_journal(&lab);
    let mut file = std::fs::OpenOptions::new().append(true).open(&journal).unwrap();
    file.write_all(b"{\"n\":7,\"event\":{\"outp").unwrap();
    drop(file);
    let ran = lab.run(&["plan", "-no-color", "-detailed-exitcode"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    expect![[r#"
        An earlier run did not end well. 6 events are taken over from its journal.
        A write to the journal had been interrupted: its last 21 bytes count for nothing and are kept in .terraform.tfstate.journal.torn.

        No changes. Your infrastructure matches the configuration.

        Plumb has compared your real infrastructure against your configuration and
        found no differences, so no changes are needed.
    "#]].assert_eq(ran.out.trim_start());
    lab.ok(&["apply", "-auto-approve"]);
    assert!(!journal.exists());
    assert_eq!(lab.ok(&["output", "-raw", "o"]), "run 3");
}

#[test]
fn a_journal_that_is_damaged_in_the_middle_needs_a_person() {
    let lab = Lab::new(GOOD);
    lab.ok(&["apply", "-auto-approve"]);
    let before = lab.state();
    let journal = with_journal(&lab);
    let text = std::fs::read_to_string(&journal).unwrap();
    let damaged = text.replacen("run 1", "run 9", 1);
    assert_ne!(text, damaged);
    std::fs::write(&journal, &damaged).unwrap();
    let ran = lab.run(&["apply", "-auto-approve", "-no-color"]);
    assert_eq!(ran.code, 1);
    expect![[r#"
        Error: Cannot use the journal `.terraform.tfstate.journal`

        line 3 is damaged, and durable lines follow it
        It was damaged after it was written, by the disk or by hand. Restore it from
        a copy. Or move `.terraform.tfstate.journal` away: the state file is then as
        it was before that run, and objects that the run made are unknown.
    "#]]
    .assert_eq(ran.err.trim_start());
    assert_eq!(lab.state(), before);
    assert_eq!(std::fs::read_to_string(&journal).unwrap(), damaged);
}

#[test]
fn an_engine_that_is_down() {
    let lab = Lab::new(
        "provider \"docker\" {\n  host = \"unix:///no/such/docker.sock\"\n}\n\
         resource \"docker_network\" \"x\" {\n  name = \"x\"\n}\n",
    );
    let ran = lab.run(&["apply", "-auto-approve", "-no-color"]);
    assert_eq!(ran.code, 1, "{}", ran.out);
    expect![[r#"
        Error: Cannot connect to the Docker engine

          with provider["registry.terraform.io/kreuzwerker/docker"],
          on main.tf line 1:
           1: provider "docker" {
              ^^^^^^^^^^^^^^^^^

        While trying to get a sign of life from the engine: Cannot connect to the
        Docker engine at unix:///no/such/docker.sock: No such file or directory (os
        error 2); is it running?

        Needed by docker_network.x.
    "#]]
    .assert_eq(ran.err.trim_start());
    assert_eq!(lab.ok(&["state", "list"]), "");
}

#[test]
fn two_applies_at_once() {
    let lab = Lab::new(GOOD);
    lab.ok(&["apply", "-auto-approve"]);
    lab.file("more.tf", "resource \"terraform_data\" \"more\" {}\n");
    let before = lab.state();
    // The first one holds the lock while it waits for an answer.
    let mut first =
        lab.command(&["apply"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = Vec::new();
    let mut output = first.stdout.take().unwrap();
    while !String::from_utf8_lossy(&said).contains("Enter a value:") {
        let mut byte = [0];
        assert_eq!(output.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&said));
        said.push(byte[0]);
    }
    let second = lab.run(&["apply", "-auto-approve", "-no-color"]);
    assert_eq!(second.code, 1, "{}", second.out);
    let lines = second.err.lines().map(|line| match line.trim_start() {
        it if it.starts_with("Who:") => "  Who:       {who}",
        it if it.starts_with("Created:") => "  Created:   {time}",
        _ => line,
    });
    let said: String = lines.map(|it| format!("{it}\n")).collect();
    expect![[r#"
        Error: Error acquiring the state lock

        Error message: resource temporarily unavailable
        Lock Info:
          ID:        {uuid}
          Path:      terraform.tfstate
          Operation: OperationTypeApply
          Who:       {who}
          Version:   0.1.0
          Created:   {time}
          Info:      

        Plumb acquires a state lock to protect the state from being written
        by multiple users at the same time. Please resolve the issue above and try
        again. For most commands, you can disable locking with the "-lock=false"
        flag, but this is not recommended.
    "#]]
    .assert_eq(said.trim_start());
    first.stdin.take().unwrap().write_all(b"no\n").unwrap();
    let mut rest = String::new();
    output.read_to_string(&mut rest).unwrap();
    assert_eq!(first.wait().unwrap().code(), Some(1));
    assert!(rest.ends_with("Apply cancelled.\n"), "{rest}");
    assert_eq!(lab.state(), before);
    lab.ok(&["apply", "-auto-approve"]);
}

/// Runs a shell script in a mount namespace of its own, where `$PLUMB` is the program and `$LAB` a
/// file system of 256 KiB with the configuration.
fn on_a_small_disk(script: &str) -> String {
    let lab = Lab::new(GOOD);
    let script = format!(
        "set -e; mkdir d; mount -t tmpfs -o size=256k tmpfs d; cp main.tf d; cd d; {script}"
    );
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", &script])
        .current_dir(lab.path("."))
        .env("PLUMB", env!("CARGO_BIN_EXE_plumb"))
        .output()
        .expect("unshare runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    lab.ran(&output).out
}

#[test]
fn a_full_disk() {
    let said = on_a_small_disk(
        "$PLUMB apply -auto-approve >/dev/null; cp terraform.tfstate before; \
         dd if=/dev/zero of=fill bs=1k 2>/dev/null || true; \
         $PLUMB apply -auto-approve -no-color -replace=terraform_data.kept 2>&1 >/dev/null && exit 9; \
         cmp terraform.tfstate before; rm fill; $PLUMB plan -detailed-exitcode | tail -4",
    );
    expect![[r#"
        Error: Cannot lock `terraform.tfstate`

        No space left on device (os error 28)
        No changes. Your infrastructure matches the configuration.

        Plumb has compared your real infrastructure against your configuration and
        found no differences, so no changes are needed.
    "#]]
    .assert_eq(said.trim_start());
}

#[test]
fn a_read_only_folder() {
    let said = on_a_small_disk(
        "$PLUMB apply -auto-approve >/dev/null; cp terraform.tfstate before; \
         mount -o remount,ro \"$PWD\"; \
         $PLUMB apply -auto-approve -no-color -replace=terraform_data.kept 2>&1 >/dev/null && exit 9; \
         $PLUMB apply -auto-approve -no-color -lock=false -replace=terraform_data.kept 2>&1 >/dev/null && exit 9; \
         cmp terraform.tfstate before",
    );
    expect![[r#"
        Error: Cannot lock `terraform.tfstate`

        Read-only file system (os error 30)

        Error: cannot write `.terraform.tfstate.journal`

        Read-only file system (os error 30)

        What was done to these objects could not be written down; the next plan looks
        into it: terraform_data.kept, terraform_data.kept.
    "#]]
    .assert_eq(said.trim_start());
}

#[test]
fn commands_on_a_state_show_what_is_wrong_with_where_it_is_kept() {
    let lab = Lab::new("terraform {\n  backend \"pg\" {\n    conn_string = \"x\"\n  }\n}\n");
    let commands: [&[&str]; 4] = [
        &["lock", "status"],
        &["force-unlock", "-force", "x"],
        &["state", "pull"],
        &["workspace", "list"],
    ];
    for words in commands {
        let done = lab.run(words);
        assert_eq!(done.code, 1, "{words:?}: {}", done.err);
        assert!(done.err.contains("on main.tf line 3"), "{words:?}: {}", done.err);
    }
}
