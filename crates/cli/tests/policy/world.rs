//! What the tests of policies share.

use std::path::Path;

use crate::common::{Lab, Ran};

/// When policies refuse.
pub(crate) const REFUSED: i32 = 3;

/// The option for policies that come with the project.
pub(crate) fn example(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/policies").join(name);
    format!("-policy={}", path.canonicalize().unwrap().display())
}

/// A plan, with options.
pub(crate) fn plan(lab: &Lab, options: &[&str]) -> Ran {
    lab.run(&[&["plan", "-no-color"], options].concat())
}

/// What policies said, a line each: the severity, the rule, the address and its line, the first line of the message.
pub(crate) fn said(lab: &Lab, options: &[&str]) -> (i32, Vec<String>) {
    let ran = lab.run(&[&["plan", "-json"], options].concat());
    (ran.code, ran.out.lines().filter_map(line).collect())
}

fn line(line: &str) -> Option<String> {
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    let found = line.get("diagnostic")?;
    let text = |it: &serde_json::Value| it.as_str().unwrap_or("-").to_owned();
    let message = text(&found["detail"]);
    let place = &found["range"]["start"]["line"];
    Some(format!(
        "{} [{}] {}:{place} {}",
        text(&found["severity"]),
        text(&found["summary"]),
        text(&found["address"]),
        message.lines().next().unwrap_or_default()
    ))
}
