//! The pipelines against the schemas of their forges.

use std::path::Path;

use crate::forge::pipeline;

fn check(schema: &str, file: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/schemas").join(schema);
    let text = std::fs::read_to_string(path).unwrap();
    let mut schemas = boon::Schemas::new();
    let mut compiler = boon::Compiler::new();
    compiler.add_resource("file:///schema.json", serde_json::from_str(&text).unwrap()).unwrap();
    let index = compiler.compile("file:///schema.json", &mut schemas).unwrap();
    let mut document = pipeline(file);
    if let Err(why) = schemas.validate(&document, index) {
        panic!("{file}: {why:#}");
    }
    // It would notice.
    document["stepz"] = serde_json::json!([1]);
    assert!(schemas.validate(&document, index).is_err(), "{schema} takes anything");
}

#[test]
fn of_github() {
    for file in [
        "github/plan.yml",
        "github/apply.yml",
        "github/drift.yml",
        "forgejo/plan.yml",
        "forgejo/apply.yml",
    ] {
        check("github-workflows.json", file);
    }
}

#[test]
fn of_gitlab() {
    check("gitlab-ci.json", "gitlab/gitlab-ci.yml");
}

#[test]
fn of_woodpecker() {
    check("woodpecker-ci.json", "woodpecker/plumb.yml");
}
