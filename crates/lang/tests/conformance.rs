//! Everything in the conformance suite that Terraform could read can be read.

use std::fs;
use std::path::{Path, PathBuf};

use plumb_diag::FileId;
use plumb_lang::format::format;
use plumb_lang::syntax::{parse, parse_expression, parse_template};

/// Files that are wrong on purpose.
const WRONG: [&str; 6] = [
    "commands-fmt-diff-error/files/a.tf",
    "errors-reserved-resource-args/files/main.tf",
    "errors-syntax/files/main.tf",
    "errors-two-files/files/a.tf",
    "errors-two-files/files/b.tf",
    "files-multi-file/files/.hidden.tf",
];

fn suite() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/conformance")
}

fn files_under(folder: &Path, all: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files_under(&path, all);
        } else {
            all.push(path);
        }
    }
}

#[test]
fn configurations() {
    let mut files = Vec::new();
    files_under(&suite().join("configs"), &mut files);
    let mut read = 0;
    for path in files {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let name = path.to_string_lossy();
        let diagnostics = match path.extension().and_then(|it| it.to_str()) {
            Some("tf" | "tfvars") => parse(FileId::default(), &text).diagnostics,
            Some("tftpl" | "tmpl") => parse_template(FileId::default(), &text).diagnostics,
            _ => continue,
        };
        // Files in folders of no call are read by nobody.
        let wrong = WRONG.iter().any(|it| name.ends_with(it)) || name.contains("/sub/");
        assert!(diagnostics.is_empty() || wrong, "{name}: {diagnostics:?}");
        read += 1;
    }
    assert!(read > 50, "the suite is here");
}

#[test]
fn expressions() {
    let cases = fs::read_to_string(suite().join("expressions/cases.jsonl")).expect("the cases");
    let mut read = 0;
    for line in cases.lines() {
        let case: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let Some(text) = case["expr"].as_str().filter(|_| case["kind"] != "error") else {
            continue;
        };
        if case["kind"] == "console" {
            continue;
        }
        let text = &(text.replace("{{ID}}", "id") + "\n");
        let diagnostics = parse_expression(FileId::default(), text, 0).diagnostics;
        assert!(diagnostics.is_empty(), "{text}: {diagnostics:?}");
        read += 1;
    }
    assert!(read > 500, "the suite is here");
}

#[test]
fn formats() {
    let mut files = Vec::new();
    files_under(&suite().join("fmt"), &mut files);
    let mut read = 0;
    for path in files {
        let name = path.to_string_lossy();
        let Some(name) = name.strip_suffix(".in.txt") else { continue };
        let text = fs::read_to_string(&path).expect("a text");
        let expected = fs::read_to_string(format!("{name}.expected.json")).expect("an answer");
        let expected: serde_json::Value = serde_json::from_str(&expected).expect("JSON");
        let laid_out = format(FileId::default(), &text).map_err(|all| {
            let mut summaries: Vec<_> = all.into_iter().map(|it| it.summary.to_string()).collect();
            summaries.sort();
            summaries
        });
        match (laid_out, expected["file"].as_str()) {
            (Ok(out), Some(expected)) => assert_eq!(out, expected, "{name}"),
            (Err(summaries), None) => {
                assert_eq!(serde_json::json!(summaries), expected["summaries"], "{name}");
            }
            (it, expected) => panic!("{name}: {it:?}, not {expected:?}"),
        }
        read += 1;
    }
    assert!(read >= 20, "the suite is here");
}
