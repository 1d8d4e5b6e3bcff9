//! The arrows between crates are those of ARCHITECTURE.md, and the pure crates stay pure.
#![expect(clippy::unwrap_used, reason = "a test says what it was by failing")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The rows of the table: crate, and what it may depend on.
fn table() -> Vec<(String, String)> {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let rows = text.lines().filter(|it| it.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        (cells[1].trim_matches('`').to_owned(), cells[3].to_owned())
    })
    .collect()
}

#[test]
fn arrows_point_as_in_the_map() {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let table = table();
    assert!(table.len() > 10, "the table is there");
    let mut wrong = Vec::new();
    for package in metadata["packages"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap().strip_prefix("plumb-").unwrap().to_owned();
        let row = table.iter().find(|it| it.0 == name).or_else(|| {
            let is_provider = name.starts_with("provider-") && name != "provider-macros";
            table.iter().find(|it| is_provider && it.0 == "provider-*")
        });
        let allowed: BTreeSet<&str> = match row {
            Some(row) => row.1.split(',').map(str::trim).collect(),
            None if name == "provider-macros" => BTreeSet::new(),
            None => panic!("{name} is not in the table of ARCHITECTURE.md"),
        };
        for dependency in package["dependencies"].as_array().unwrap() {
            let to = dependency["name"].as_str().unwrap();
            let Some(to) = to.strip_prefix("plumb-") else { continue };
            let is_macro = (&*name, to) == ("provider", "provider-macros");
            let is_test = dependency["kind"].as_str() == Some("dev");
            if !is_macro && !is_test && !allowed.contains("everything") && !allowed.contains(to) {
                wrong.push(format!("{name} -> {to}"));
            }
        }
    }
    assert!(wrong.is_empty(), "arrows that are not in ARCHITECTURE.md: {wrong:?}");
}

#[test]
fn the_middle_is_pure() {
    // Iterating over hash maps is denied by a lint.
    let forbidden = [
        "tokio",
        "std::fs",
        "std::net",
        "std::env",
        "std::process",
        "SystemTime",
        "Instant::now",
        "thread::spawn",
        "rand::",
    ];
    let mut found = Vec::new();
    for name in ["diag", "model", "lang", "planner", "executor", "drift", "gitops", "watch"] {
        let mut queue = vec![root().join("crates").join(name).join("src")];
        while let Some(path) = queue.pop() {
            if path.is_dir() {
                queue.extend(fs::read_dir(&path).unwrap().map(|it| it.unwrap().path()));
                continue;
            }
            if path.components().any(|it| it.as_os_str() == "tests")
                || path.file_name().is_some_and(|it| it == "tests.rs")
            {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            // What follows is tests, which may do as they like.
            let text = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
            for (index, line) in text.lines().enumerate() {
                let code = line.split("//").next().unwrap_or_default();
                for word in forbidden.iter().filter(|it| code.contains(**it)) {
                    found.push(format!("{}:{}: {word}", path.display(), index + 1));
                }
            }
        }
    }
    assert!(found.is_empty(), "I/O in the pure crates:\n{}", found.join("\n"));
}
