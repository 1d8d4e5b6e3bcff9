//! `.pre-commit-hooks.yaml`: each hook run as pre-commit runs it, with the names of changed files behind its entry.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value as Json;

mod common;

use common::Lab;

const TIDY: &str = "output \"a\" {\n  value = 1\n}\n";
const UNTIDY: &str = "output \"a\" {\nvalue=1\n}\n";
const WRONG: &str = "output \"a\" {\n  value = var.nothing\n}\n";

fn hooks() -> BTreeMap<String, Json> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.pre-commit-hooks.yaml");
    let hooks: Vec<Json> = yaml_serde::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    hooks.into_iter().map(|it| (it["id"].as_str().unwrap().to_owned(), it)).collect()
}

/// Runs a hook on those of the files that it asks for. Its exit code, and what it said.
fn run(lab: &Lab, id: &str, files: &[&str]) -> (i32, String) {
    let hook = &hooks()[id];
    assert_eq!(hook["language"], "system");
    let wanted = regex::Regex::new(hook["files"].as_str().unwrap()).unwrap();
    let files: Vec<_> = files.iter().filter(|it| wanted.is_match(it)).collect();
    if files.is_empty() {
        return (0, "no files to check".to_owned());
    }
    // The entry is split into words as a shell does it; no shell reads the names of files.
    let script = format!("exec {} \"$@\"", hook["entry"].as_str().unwrap());
    let program = Path::new(env!("CARGO_BIN_EXE_plumb")).parent().unwrap().display().to_string();
    let path = format!("{program}:{}", std::env::var("PATH").unwrap());
    let output = Command::new("sh")
        .args(["-c", &script, "pre-commit"])
        .args(files)
        .current_dir(lab.path(""))
        .env("PATH", path)
        .output()
        .unwrap();
    let ran = lab.ran(&output);
    (ran.code, ran.out + &ran.err)
}

#[test]
fn every_hook_is_whole_and_tried_here() {
    let hooks = hooks();
    let ids: Vec<_> = hooks.keys().collect();
    assert_eq!(ids, ["plumb-fmt", "plumb-fmt-check", "plumb-validate"]);
    for (id, hook) in hooks {
        for key in ["name", "description", "entry", "language", "files"] {
            assert!(hook[key].as_str().is_some_and(|it| !it.is_empty()), "{id}: {key}");
        }
    }
}

#[test]
fn fmt_lays_out_what_it_is_given() {
    let lab = Lab::new(UNTIDY);
    lab.file("a b/x.tf", UNTIDY);
    lab.file("other.tf", UNTIDY);
    lab.file("notes.md", UNTIDY);
    let (code, said) = run(&lab, "plumb-fmt", &["main.tf", "a b/x.tf", "notes.md"]);
    assert_eq!(code, 0, "{said}");
    assert_eq!(lab.read("main.tf").unwrap(), TIDY);
    assert_eq!(lab.read("a b/x.tf").unwrap(), TIDY);
    for name in ["other.tf", "notes.md"] {
        assert_eq!(lab.read(name).unwrap(), UNTIDY, "{name} was not handed over");
    }
}

#[test]
fn fmt_check_only_looks() {
    let lab = Lab::new(UNTIDY);
    lab.file("tidy.tf", TIDY);
    let (code, said) = run(&lab, "plumb-fmt-check", &["main.tf", "tidy.tf"]);
    assert_ne!(code, 0);
    assert!(said.contains("+  value = 1") && !said.contains("tidy.tf"), "{said}");
    assert_eq!(lab.read("main.tf").unwrap(), UNTIDY);
    assert_eq!(run(&lab, "plumb-fmt-check", &["tidy.tf"]).0, 0);
}

#[test]
fn validate_checks_every_folder_of_the_files() {
    let lab = Lab::new(TIDY);
    lab.file("a b/x.tf", WRONG);
    lab.file("a b/y.tf", "");
    lab.file("-c/x.tf", TIDY);
    lab.file("unseen/x.tf", WRONG);
    let files = ["-c/x.tf", "a b/x.tf", "a b/y.tf", "main.tf"];
    let (code, said) = run(&lab, "plumb-validate", &files);
    assert_eq!(code, 1, "{said}");
    assert_eq!(said.matches("Success!").count(), 2, "{said}");
    assert_eq!(said.matches("Reference to undeclared input variable").count(), 1, "{said}");
    lab.file("a b/x.tf", "");
    let (code, said) = run(&lab, "plumb-validate", &files);
    assert_eq!((code, said.matches("Success!").count()), (0, 3), "{said}");
    assert_eq!(run(&lab, "plumb-validate", &["notes.md"]).1, "no files to check");
}
