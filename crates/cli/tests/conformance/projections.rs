//! What of plans and states is compared: what they say, not how it is arranged.

use std::collections::BTreeMap;

use crate::json::{Json, sorted};

const MARKS: [&str; 4] =
    ["after_unknown", "before_sensitive", "after_sensitive", "sensitive_values"];

/// Marks that say nothing are all `false`.
fn marks(mut change: Json) -> Json {
    for key in MARKS {
        if change.get(key).is_some_and(Json::says_nothing) {
            change.set(key, Json::Bool(false));
        }
    }
    change
}

fn or_empty(json: &Json) -> Json {
    if *json == Json::Null { Json::object([]) } else { json.clone() }
}

fn or_nothing(json: Option<&Json>) -> Json {
    json.cloned().unwrap_or(Json::Null)
}

/// By address; the checks of one block by theirs.
fn by_address(mut items: Vec<Json>) -> Json {
    items.sort_by_key(|it| it.at("address").str().to_owned());
    Json::List(items)
}

fn checks(all: &Json) -> Json {
    let display = |it: &Json| or_nothing(it.at("address").get("to_display"));
    let instance = |it: &Json| {
        let problems = it.at("problems").items().iter();
        Json::object([
            ("address", display(it)),
            ("status", or_nothing(it.get("status"))),
            ("problems", sorted(problems.map(|it| Json::text(it.at("message").str())))),
        ])
    };
    let check = |it: &Json| {
        Json::object([
            ("address", display(it)),
            ("kind", or_nothing(it.at("address").get("kind"))),
            ("status", or_nothing(it.get("status"))),
            ("instances", by_address(it.at("instances").items().iter().map(instance).collect())),
        ])
    };
    by_address(all.items().iter().map(check).collect())
}

/// `show -json` of a plan.
pub fn plan(document: &Json) -> Json {
    let mut out = Json::object([]);
    for list in ["resource_changes", "resource_drift"] {
        let mut changes = BTreeMap::new();
        for one in document.at(list).items() {
            let mut address = one.at("address").str().to_owned();
            if one.get("deposed").is_some() {
                address.push_str(" deposed");
            }
            changes.insert(address, change(one));
        }
        out.set(list, Json::Object(changes));
    }
    let output = |it: &Json| {
        let keys =
            ["actions", "before", "after", "after_unknown", "before_sensitive", "after_sensitive"];
        marks(it.only(&keys))
    };
    let outputs = document.at("output_changes").pairs();
    let outputs = outputs.map(|(name, it)| (name.clone(), output(it))).collect();
    out.set("output_changes", Json::Object(outputs));
    out.set("variables", or_empty(document.at("variables")));
    out.set("checks", checks(document.at("checks")));
    for key in ["errored", "applyable", "complete"] {
        if let Some(value) = document.get(key) {
            out.set(key, value.clone());
        }
    }
    out
}

fn change(one: &Json) -> Json {
    let mut change = marks(one.at("change").only(&[
        "actions",
        "before",
        "after",
        "after_unknown",
        "before_sensitive",
        "after_sensitive",
        "replace_paths",
        "importing",
    ]));
    if let Some(paths) = change.get("replace_paths") {
        let paths = sorted(paths.items().to_vec());
        change.set("replace_paths", paths);
    }
    if let Some(importing) = change.get("importing") {
        let id = Json::object([("id", or_nothing(importing.get("id")))]);
        change.set("importing", id);
    }
    let mut out = one.only(&[
        "address",
        "previous_address",
        "module_address",
        "mode",
        "type",
        "name",
        "index",
        "action_reason",
    ]);
    out.set("change", change);
    out
}

/// A state file, version 4.
pub fn state(document: &Json) -> Json {
    let mut resources = BTreeMap::new();
    for block in document.at("resources").items() {
        let mode = if block.at("mode").str() == "data" { "data" } else { "" };
        let parts =
            [block.at("module").str(), mode, block.at("type").str(), block.at("name").str()];
        let parts: Vec<&str> = parts.into_iter().filter(|it| !it.is_empty()).collect();
        for one in block.at("instances").items() {
            let mut address = parts.join(".");
            match one.at("index_key") {
                Json::Null => {}
                key => address.push_str(&format!("[{key}]")),
            }
            if one.get("deposed").is_some_and(|it| !it.str().is_empty()) {
                address.push_str(" deposed");
            }
            let mut out = Json::object([
                ("attributes", or_nothing(one.get("attributes"))),
                ("provider", or_nothing(block.get("provider"))),
                ("dependencies", sorted(one.at("dependencies").items().to_vec())),
                ("sensitive_attributes", sorted(one.at("sensitive_attributes").items().to_vec())),
            ]);
            if let Some(status) = one.get("status") {
                out.set("status", status.clone());
            }
            if one.at("create_before_destroy").is_true() {
                out.set("create_before_destroy", Json::Bool(true));
            }
            resources.insert(address, out);
        }
    }
    let check = |it: &Json| {
        let object = |it: &Json| it.only(&["object_addr", "status", "failure_messages"]);
        Json::object([
            ("config_addr", or_nothing(it.get("config_addr"))),
            ("object_kind", or_nothing(it.get("object_kind"))),
            ("status", or_nothing(it.get("status"))),
            ("objects", sorted(it.at("objects").items().iter().map(object))),
        ])
    };
    Json::object([
        ("version", or_nothing(document.get("version"))),
        ("outputs", or_empty(document.at("outputs"))),
        ("resources", Json::Object(resources)),
        ("check_results", sorted(document.at("check_results").items().iter().map(check))),
    ])
}

/// `show -json` of a state.
pub fn shown_state(document: &Json) -> Json {
    let values = document.at("values");
    let mut resources = BTreeMap::new();
    let mut modules = vec![values.at("root_module")];
    while let Some(module) = modules.pop() {
        for one in module.at("resources").items() {
            let mut out = one.only(&[
                "mode",
                "type",
                "name",
                "index",
                "provider_name",
                "values",
                "tainted",
                "depends_on",
                "sensitive_values",
            ]);
            if let Some(needs) = out.get("depends_on") {
                let needs = sorted(needs.items().to_vec());
                out.set("depends_on", needs);
            }
            if one.at("sensitive_values").says_nothing() {
                out.set("sensitive_values", Json::Bool(false));
            }
            let deposed = if one.get("deposed_key").is_some() { " deposed" } else { "" };
            resources.insert(format!("{}{deposed}", one.at("address").str()), out);
        }
        modules.extend(module.at("child_modules").items());
    }
    Json::object([
        ("outputs", or_empty(values.at("outputs"))),
        ("resources", Json::Object(resources)),
        ("checks", checks(document.at("checks"))),
    ])
}

/// A whole document, but for versions and times.
pub fn as_whole(document: &Json) -> Json {
    fn part(json: &Json) -> Json {
        match json {
            Json::Object(pairs) => {
                let said = |key: &&str| {
                    !matches!(*key, "terraform_version" | "timestamp" | "format_version")
                };
                let pairs = pairs.iter().filter(|(key, _)| said(&&***key));
                let pairs =
                    pairs.map(|(key, it)| match MARKS.contains(&&**key) && it.says_nothing() {
                        true => (key.clone(), Json::Bool(false)),
                        false => (key.clone(), part(it)),
                    });
                Json::Object(pairs.collect())
            }
            Json::List(items) => Json::List(items.iter().map(part).collect()),
            _ => json.clone(),
        }
    }
    let mut out = part(document);
    if let Some(attributes) = out.get("relevant_attributes") {
        let attributes = sorted(attributes.items().to_vec());
        out.set("relevant_attributes", attributes);
    }
    out
}
