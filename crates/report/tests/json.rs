//! JSON of ours beside JSON of Terraform.

mod common;

use std::collections::BTreeMap;

use common::{golden, read_plan, read_state, schemas};
use plumb_report::{
    PlanJson, Style, outputs_json, outputs_text, schemas_json, state_text, write_plan_json,
    write_state_json,
};
use serde_json::Value as Json;

fn plan_json(name: &str) -> (Json, Json) {
    let theirs = golden(&format!("{name}/plan.json"));
    let theirs_json: Json = serde_json::from_str(&theirs).expect("JSON");
    let prior = read_state(&theirs_json["prior_state"].to_string());
    let variables = theirs_json["variables"].as_object().into_iter().flatten();
    let variables: BTreeMap<_, _> = variables
        .map(|(name, it)| {
            (name.as_str().into(), common::value(&it["value"], &Json::Null, &Json::Null))
        })
        .collect();
    let mut out = Vec::new();
    let input = PlanJson {
        plan: &read_plan(&theirs),
        prior: &prior,
        schemas: &schemas(),
        version: "1.11.4",
        variables: &variables,
        configuration: &theirs_json["configuration"].to_string(),
        relevant: &[],
        timestamp: theirs_json["timestamp"].as_str().expect("a time"),
        errored: false,
    };
    write_plan_json(input, &mut out).expect("written to memory");
    (serde_json::from_slice(&out).expect("JSON"), theirs_json)
}

/// Keys, their order, and values are Terraform's; lists of resources may be in another order.
fn check(ours: &Json, theirs: &Json, path: &str) {
    match (ours, theirs) {
        (Json::Object(ours), Json::Object(theirs)) => {
            let keys = |it: &serde_json::Map<String, Json>| -> Vec<String> {
                it.keys().filter(|it| *it != "relevant_attributes").cloned().collect()
            };
            assert_eq!(keys(ours), keys(theirs), "{path}");
            for key in keys(theirs) {
                check(&ours[&key], &theirs[&key], &format!("{path}.{key}"));
            }
        }
        (Json::Array(ours), Json::Array(theirs)) => {
            assert_eq!(ours.len(), theirs.len(), "{path}");
            let by_address = |items: &[Json]| {
                let mut items = items.to_vec();
                items.sort_by_key(|it| it["address"].to_string());
                items
            };
            let is_list_of_resources = theirs.first().is_some_and(|it| it["address"].is_string());
            let (ours, theirs) = match is_list_of_resources {
                true => (by_address(ours), by_address(theirs)),
                false => (ours.clone(), theirs.clone()),
            };
            for (index, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
                check(ours, theirs, &format!("{path}[{index}]"));
            }
        }
        (ours, theirs) => assert_eq!(ours, theirs, "{path}"),
    }
}

#[test]
fn plans() {
    for name in ["a", "b", "chk", "destroy", "nochange", "outs", "ronly", "ronlyo"] {
        let (ours, mut theirs) = plan_json(name);
        // What is let go is not among what is planned to be there.
        let planned = theirs.pointer_mut("/planned_values/root_module/resources");
        if let Some(planned) = planned.and_then(Json::as_array_mut) {
            planned.retain(|it| it["address"] != "terraform_data.bool2");
        }
        // Terraform calls it an update, and forgets that the old one was no secret.
        if let Some(output) = theirs.pointer_mut("/output_changes/sen") {
            output["actions"][0] = "no-op".into();
        }
        check(&ours, &theirs, name);
    }
}

#[test]
fn states() {
    let theirs = golden("a/state.json");
    let state = read_state(&theirs);
    let mut ours = Vec::new();
    write_state_json(&state, &schemas(), "1.11.4", &mut ours).expect("written to memory");
    let json = |text: &[u8]| -> Json { serde_json::from_slice(text).expect("JSON") };
    check(&json(&ours), &json(theirs.as_bytes()), "state");
}

#[test]
fn states_for_people() {
    let state = read_state(&golden("a/state.json"));
    let ours = state_text(&state, &schemas(), Style::PLAIN);
    for (number, (ours, theirs)) in ours.lines().zip(golden("a/state.txt").lines()).enumerate() {
        assert_eq!(ours, theirs, "line {}", number + 1);
    }
    assert_eq!(ours, golden("a/state.txt"));
}

#[test]
fn outputs() {
    let state = read_state(&golden("a/state.json"));
    assert_eq!(outputs_json(&state.outputs), golden("a/outputs.json"));
    assert_eq!(outputs_text(&state.outputs), golden("a/outputs.txt"));
}

/// As far as the built-in provider of Terraform has the same types.
#[test]
fn schemas_of_providers() {
    let theirs = concat!(
        r#"{"format_version":"1.0","provider_schemas":{"terraform.io/builtin/terraform":{"#,
        r#""provider":{"version":0},"resource_schemas":{"terraform_data":{"version":0,"block":{"#,
        r#""attributes":{"id":{"type":"string","description_kind":"plain","computed":true},"#,
        r#""input":{"type":"dynamic","description_kind":"plain","optional":true},"#,
        r#""output":{"type":"dynamic","description_kind":"plain","computed":true},"#,
        r#""triggers_replace":{"type":"dynamic","description_kind":"plain","optional":true}},"#,
        r#""description_kind":"plain"}}}}}}"#,
        "\n"
    );
    assert_eq!(schemas_json(&schemas()), theirs);
}
