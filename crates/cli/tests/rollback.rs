//! `state diff`, `rollback` and `plan -generate-config-out` on the real binary.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod common;

use common::Lab;
use serde_json::Value;

const FIRST: &str = r#"
variable "secret" {
  default   = "hush"
  sensitive = true
}
resource "terraform_data" "same" {
  input = "same"
}
resource "terraform_data" "changed" {
  input = { size = 1, text = "one\ntwo\n" }
}
resource "terraform_data" "gone" {
  for_each = toset(["x", "y"])
  input    = "${each.key} of ${terraform_data.same.id}"
}
resource "terraform_data" "hidden" {
  input = var.secret
}
output "gone" {
  value = terraform_data.gone["x"].id
}
output "secret" {
  value     = var.secret
  sensitive = true
}
"#;

const SECOND: &str = r#"
variable "secret" {
  default   = "other"
  sensitive = true
}
resource "terraform_data" "same" {
  input = "same"
}
resource "terraform_data" "changed" {
  input = { size = 2, text = "one\n" }
}
resource "terraform_data" "hidden" {
  input = var.secret
}
resource "terraform_data" "made" {
  input = "made"
}
output "secret" {
  value     = var.secret
  sensitive = true
}
"#;

/// Both applied, one after the other; the serial of the first.
fn two() -> (Lab, u64) {
    let lab = Lab::new(FIRST);
    lab.ok(&["apply", "-auto-approve"]);
    let serial = serial(&lab);
    lab.file("main.tf", SECOND);
    lab.ok(&["apply", "-auto-approve"]);
    (lab, serial)
}

fn state(lab: &Lab) -> Value {
    serde_json::from_str(&lab.state().unwrap()).unwrap()
}

fn serial(lab: &Lab) -> u64 {
    state(lab)["serial"].as_u64().unwrap()
}

/// The attribute of an instance in the state.
fn attribute(lab: &Lab, name: &str, key: Option<&str>, attribute: &str) -> Option<Value> {
    let state = state(lab);
    let resource = state["resources"].as_array()?.iter().find(|it| it["name"] == name)?.clone();
    let key = key.map_or(Value::Null, |it| it.into());
    let instance = resource["instances"].as_array()?.iter().find(|it| it["index_key"] == key)?;
    Some(instance["attributes"][attribute].clone())
}

#[test]
fn a_diff_shows_what_became_of_each_object() {
    let (lab, first) = two();
    let first = first.to_string();
    let text = lab.ok(&["state", "diff", &first, "current"]);
    for part in [
        "# terraform_data.changed was changed",
        "~ size = 1 -> 2",
        "# terraform_data.gone[\"x\"] was removed",
        "# terraform_data.made was added",
        "# terraform_data.hidden was changed",
        "1 added, 2 changed, 2 removed.",
        "- gone   = ",
        // What it mirrors in `output` is no secret to Terraform either.
        "~ input  = (sensitive value)",
        "~ secret = (sensitive value)",
    ] {
        assert!(text.contains(part), "{part:?} in {text}");
    }
    assert!(!text.contains("terraform_data.same"), "{text}");
    // Nothing is written, and the other way round it is the other way round.
    let back = lab.ok(&["state", "diff", "current", &first]);
    assert!(back.contains("2 added, 2 changed, 1 removed."), "{back}");
}

#[test]
fn a_diff_for_machines_is_one_document_without_secrets() {
    let (lab, first) = two();
    lab.file("old.tfstate", FIRST);
    let ran =
        lab.run(&["state", "diff", "-json", "-detailed-exitcode", &first.to_string(), "current"]);
    assert_eq!(ran.code, 2, "{}", ran.err);
    let json: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(json["before"]["serial"], first);
    assert_eq!(json["differs"], true);
    let secret = &json["output_changes"]["secret"];
    assert_eq!((&secret["before"], &secret["after"]), (&Value::Null, &Value::Null));
    let changes = json["resource_changes"].as_array().unwrap();
    let hidden = changes.iter().find(|it| it["address"] == "terraform_data.hidden").unwrap();
    assert_eq!(hidden["change"]["actions"][0], "update");
    assert_eq!(hidden["change"]["before"]["input"], Value::Null);
    assert_eq!(hidden["change"]["before_sensitive"]["input"], true);
    assert_eq!(hidden["changed_attributes"], serde_json::json!(["input", "output"]));
    let same = lab.run(&["state", "diff", "-detailed-exitcode", "current", "terraform.tfstate"]);
    assert_eq!(
        (same.code, &*same.out),
        (0, "No differences between current and terraform.tfstate.\n")
    );
}

#[test]
fn what_is_no_snapshot_is_told_with_those_that_are() {
    let (lab, first) = two();
    let ran = lab.run(&["state", "diff", "999", "current"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("There is no snapshot with serial 999"), "{}", ran.err);
    assert!(ran.err.contains(&first.to_string()), "{}", ran.err);
    let ran = lab.run(&["rollback", "-to=nowhere", "-auto-approve"]);
    assert!(ran.err.contains("neither a serial nor a file"), "{}", ran.err);
    let lab = Lab::new(FIRST);
    lab.ok(&["apply", "-auto-approve"]);
    let ran = lab.run(&["rollback", "-to=7", "-auto-approve"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("No earlier one is kept here"), "{}", ran.err);
}

#[test]
fn the_way_back_is_planned_labelled_and_gone() {
    let (lab, first) = two();
    let to = format!("-to={first}");
    let same = attribute(&lab, "same", None, "id");
    // Unseen, nothing happens.
    let before = lab.state();
    let ran = lab.run(&["rollback", &to]);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    assert_eq!(lab.state(), before);
    for part in [
        "lossless    terraform_data.changed",
        "lossy       terraform_data.gone[\"x\"]",
        "lossy       terraform_data.made",
        "Rollback: 2 lossless, 3 lossy, 0 impossible.",
    ] {
        assert!(ran.out.contains(part), "{part:?} in {}", ran.out);
    }
    let text = lab.ok(&["rollback", &to, "-auto-approve"]);
    assert!(text.contains("Resources: 2 added, 2 changed, 1 destroyed."), "{text}");
    assert!(text.contains("The configuration still says the newer things"), "{text}");
    assert!(!text.contains("hush"), "{text}");
    assert_eq!(attribute(&lab, "same", None, "id"), same);
    assert_eq!(attribute(&lab, "made", None, "id"), None);
    let gone = attribute(&lab, "gone", Some("y"), "input").unwrap();
    let id = same.unwrap();
    assert_eq!(
        gone["value"].as_str().unwrap_or(gone.as_str().unwrap_or_default()),
        format!("y of {}", id.as_str().unwrap())
    );
    assert_eq!(
        state(&lab)["outputs"]["gone"]["value"],
        attribute(&lab, "gone", Some("x"), "id").unwrap()
    );
    // The old files have nothing more to do.
    lab.file("main.tf", FIRST);
    let plan = lab.run(&["plan", "-detailed-exitcode"]);
    assert_eq!(plan.code, 0, "{}{}", plan.out, plan.err);
    // And once they are back, going there again is nothing, and is said to agree.
    let again = lab.ok(&["rollback", &to, "-auto-approve"]);
    assert!(again.contains("The configuration files agree with the snapshot."), "{again}");
}

#[test]
fn a_saved_way_back_is_applied_later() {
    let (lab, first) = two();
    lab.ok(&["rollback", &format!("-to={first}"), "-out=back.plan"]);
    lab.ok(&["apply", "back.plan"]);
    let input = attribute(&lab, "changed", None, "input").unwrap();
    assert!(input.to_string().contains("\"size\":1"), "{input}");
}

#[test]
fn what_is_protected_stays_and_the_rest_can_be_named() {
    let (lab, first) = two();
    let guarded = SECOND.replace(
        "input = \"made\"",
        "input = \"made\"\n  lifecycle {\n    prevent_destroy = true\n  }",
    );
    lab.file("main.tf", &guarded);
    lab.ok(&["apply", "-auto-approve"]);
    let to = format!("-to={first}");
    let before = lab.state();
    let ran = lab.run(&["rollback", &to, "-auto-approve"]);
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(
        ran.err.contains("terraform_data.made: the configuration says prevent_destroy"),
        "{}",
        ran.err
    );
    assert_eq!(lab.state(), before);
    let json =
        lab.run(&["rollback", &to, "-auto-approve", "-json", "-target=terraform_data.changed"]);
    assert_eq!(json.code, 0, "{}{}", json.out, json.err);
    let steps: Vec<Value> = json
        .out
        .lines()
        .map(|it| serde_json::from_str(it).unwrap())
        .filter(|it: &Value| it["type"] == "rollback_step")
        .collect();
    assert_eq!(steps.len(), 1, "{steps:?}");
    assert_eq!(steps[0]["step"]["label"], "lossless");
    assert!(attribute(&lab, "made", None, "id").is_some());
}

#[test]
fn a_state_of_something_else_is_refused() {
    let (lab, _) = two();
    let other = Lab::new(FIRST);
    other.ok(&["apply", "-auto-approve"]);
    lab.file("other.tfstate", &other.state().unwrap());
    let ran = lab.run(&["rollback", "-to=other.tfstate", "-auto-approve"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("The snapshot is of another state"), "{}", ran.err);
}

const IMPORTS: &str = r#"
import {
  to = terraform_data.a
  id = "abc"
}
import {
  to = terraform_data.b
  id = "b\"c"
}
"#;

#[test]
fn configuration_is_generated_for_what_is_brought_in() {
    let lab = Lab::new(IMPORTS);
    let text = lab.ok(&["plan", "-generate-config-out=gen.tf"]);
    assert!(text.contains("Plan: 2 to import, 0 to add, 0 to change, 0 to destroy."), "{text}");
    assert!(text.contains("written it to gen.tf"), "{text}");
    assert_eq!(text.matches("# (config will be generated)").count(), 2, "{text}");
    assert!(!text.contains("following symbols"), "there is none: {text}");
    let generated = lab.read("gen.tf").unwrap();
    assert_eq!(
        generated,
        "# __generated__ by Plumb\n\
         # Please review these resources and move them into your main configuration files.\n\n\
         # __generated__ by Plumb from \"abc\"\nresource \"terraform_data\" \"a\" {\n}\n\n\
         # __generated__ by Plumb from \"b\\\"c\"\nresource \"terraform_data\" \"b\" {\n}\n"
    );
    assert_eq!(lab.state(), None, "a plan writes no state");
    // It is never written over.
    let ran = lab.run(&["plan", "-generate-config-out=gen.tf"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("Target generated file already exists"), "{}", ran.err);
    assert_eq!(lab.read("gen.tf").unwrap(), generated);
    let done = lab.ok(&["apply", "-auto-approve"]);
    assert!(done.contains("2 imported, 0 added, 0 changed, 0 destroyed"), "{done}");
}

#[test]
fn what_is_brought_in_already_gets_its_block_again() {
    let lab = Lab::new(IMPORTS);
    lab.ok(&["plan", "-generate-config-out=gen.tf"]);
    lab.ok(&["apply", "-auto-approve"]);
    let generated = lab.read("gen.tf");
    std::fs::remove_file(lab.path("gen.tf")).unwrap();
    let text = lab.ok(&["plan", "-generate-config-out=gen.tf"]);
    assert!(text.contains("No changes."), "{text}");
    assert_eq!(lab.read("gen.tf"), generated);
}

#[test]
fn what_is_said_of_values_is_shown_where_they_are_and_once() {
    let lab = Lab::new(&format!("variable \"x\" {{\n  type = number\n}}\n{IMPORTS}"));
    lab.file("terraform.tfvars", "x    = 1\nnone = 2\n");
    let text = lab.ok(&["plan", "-generate-config-out=gen.tf"]);
    assert_eq!(text.matches("Value for undeclared variable").count(), 1, "{text}");
    std::fs::remove_file(lab.path("gen.tf")).unwrap();
    lab.file("terraform.tfvars", "x = \"no\"\n");
    let ran = lab.run(&["plan", "-generate-config-out=gen.tf"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("on terraform.tfvars line 1"), "{}", ran.err);
}

#[test]
fn only_a_normal_plan_generates() {
    let lab = Lab::new(IMPORTS);
    for mode in ["-destroy", "-refresh-only"] {
        let ran = lab.run(&["plan", mode, "-generate-config-out=gen.tf"]);
        assert_eq!(ran.code, 1, "{}", ran.out);
        assert!(ran.err.contains("Invalid generate-config-out flag"), "{}", ran.err);
    }
    let ran = lab.run(&["plan", "-generate-config-out=nowhere/gen.tf"]);
    assert!(ran.err.contains("Failed to create target generated file"), "{}", ran.err);
}

#[test]
fn a_plan_with_generated_configuration_can_be_saved() {
    let lab = Lab::new(IMPORTS);
    lab.ok(&["plan", "-generate-config-out=gen.txt", "-out=p"]);
    // The plan has what it was made from.
    lab.file("gen.txt", "");
    let done = lab.ok(&["apply", "p"]);
    assert!(done.contains("2 imported"), "{done}");
}

#[test]
fn what_cannot_be_generated_is_refused() {
    for (to, what) in [
        ("terraform_data.a[0]", "not compatible with config generation"),
        ("module.x.terraform_data.a", "does not exist"),
        ("nobody_knows.a", "nobody_knows"),
    ] {
        let lab = Lab::new(&format!("import {{\n  to = {to}\n  id = \"abc\"\n}}\n"));
        let ran = lab.run(&["plan", "-generate-config-out=gen.tf"]);
        assert_eq!(ran.code, 1, "{}", ran.out);
        let words =
            ran.err.split_whitespace().filter(|it| *it != "│").collect::<Vec<_>>().join(" ");
        assert!(words.contains(what), "{words}");
        assert_eq!(lab.read("gen.tf"), None);
    }
}
