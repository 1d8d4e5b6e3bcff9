//! Reads plan JSON that Terraform wrote into a plan of ours, so that both can be shown and compared.
#![allow(dead_code, unreachable_pub, reason = "each test takes a part")]

use std::collections::BTreeMap;
use std::sync::Arc;

use plumb_model::addr::{Addr, DeposedKey, ObjectKey, ProviderAddr};
use plumb_model::plan::{Action, Change, OutputChange, Plan, Reason, ReplaceOrder};
use plumb_model::schema::{Attribute, Block, Presence, ProviderSchema, ResourceSchema, Schemas};
use plumb_model::state::{CheckResult, CheckStatus, Object, State};
use plumb_model::value::json::from_json_implied;
use plumb_model::value::{Path, Step, Type, Value};
use serde_json::Value as Json;

/// A file under `tests/golden`.
pub fn golden(path: &str) -> String {
    let path = format!("{}/tests/golden/{path}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The schema of `terraform_data`.
pub fn schemas() -> Schemas {
    let attribute = |ty, presence| Attribute::new(ty, presence);
    let attributes = [
        ("id", attribute(Type::String, Presence::Computed)),
        ("input", attribute(Type::Dynamic, Presence::Optional)),
        ("output", attribute(Type::Dynamic, Presence::Computed)),
        ("triggers_replace", attribute(Type::Dynamic, Presence::Optional).replace()),
    ];
    let attributes = attributes.into_iter().map(|(name, it)| (name.into(), it)).collect();
    let schema = ResourceSchema::new(Block::new(attributes, BTreeMap::new()));
    let kind = plumb_model::addr::Kind::new("terraform_data");
    let source: Arc<str> = "terraform.io/builtin/terraform".into();
    let provider = ProviderSchema {
        source: source.clone(),
        name: "terraform".into(),
        config: Block::default(),
        resources: [(kind, Arc::new(schema))].into(),
        data: BTreeMap::new(),
    };
    Schemas { providers: [(source, Arc::new(provider))].into() }
}

/// The plan that `text` describes.
pub fn read_plan(text: &str) -> Plan {
    let json: Json = serde_json::from_str(text).expect("a plan");
    let mut plan = Plan::default();
    for resource in json["resource_changes"].as_array().into_iter().flatten() {
        let addr = text_of(&resource["address"]).parse::<Addr>().expect("an address");
        let deposed = resource["deposed"].as_str().map(|it| DeposedKey(it.into()));
        plan.changes.insert(ObjectKey { addr, deposed }, read_change(resource));
    }
    for (name, output) in json["output_changes"].as_object().into_iter().flatten() {
        let action = output["actions"][0].as_str();
        let before = (action != Some("create"))
            .then(|| value(&output["before"], &Json::Null, &output["before_sensitive"]));
        let after = (action != Some("delete"))
            .then(|| value(&output["after"], &output["after_unknown"], &output["after_sensitive"]));
        let sensitive = output["after_sensitive"] == Json::Bool(true);
        plan.outputs.insert(name.as_str().into(), OutputChange { before, after, sensitive });
    }
    plan.checks = json["checks"].as_array().into_iter().flatten().map(read_check).collect();
    plan
}

/// The state that `text` describes, without what plain values cannot say of types.
pub fn read_state(text: &str) -> State {
    let json: Json = serde_json::from_str(text).expect("a state");
    let mut state = State::default();
    for (name, output) in json["values"]["outputs"].as_object().into_iter().flatten() {
        let value = value(&output["value"], &Json::Null, &output["sensitive"]);
        state.outputs.insert(name.as_str().into(), value);
    }
    read_module(&json["values"]["root_module"], &mut state);
    state.checks = json["checks"].as_array().into_iter().flatten().map(read_check).collect();
    state
}

fn read_module(module: &Json, state: &mut State) {
    for resource in module["resources"].as_array().into_iter().flatten() {
        let addr: Addr = text_of(&resource["address"]).parse().expect("an address");
        let deposed = resource["deposed_key"].as_str().map(|it| DeposedKey(it.into()));
        let needs = resource["depends_on"].as_array().into_iter().flatten();
        let object = Object {
            attrs: value(&resource["values"], &Json::Null, &resource["sensitive_values"]),
            private: None,
            schema_version: resource["schema_version"].as_u64().expect("a version"),
            provider: Arc::new(ProviderAddr {
                module: Default::default(),
                source: text_of(&resource["provider_name"]).into(),
                alias: None,
            }),
            needs: needs.map(|it| text_of(it).parse().expect("an address")).collect(),
            tainted: resource["tainted"] == Json::Bool(true),
            create_before_destroy: false,
            unmanaged: None,
        };
        state.objects.insert(ObjectKey { addr, deposed }, object);
    }
    for child in module["child_modules"].as_array().into_iter().flatten() {
        read_module(child, state);
    }
}

/// One element of `checks`.
pub fn read_check(json: &Json) -> CheckResult {
    let status = |it: &Json| match text_of(it) {
        "pass" => CheckStatus::Pass,
        "fail" => CheckStatus::Fail,
        "error" => CheckStatus::Error,
        _ => CheckStatus::Unknown,
    };
    let kinds = ["resource", "output_value", "check", "var"];
    let kind = text_of(&json["address"]["kind"]);
    CheckResult {
        object_kind: kinds.into_iter().find(|it| *it == kind).expect("a kind"),
        config_addr: text_of(&json["address"]["to_display"]).into(),
        status: status(&json["status"]),
        objects: (json["instances"].as_array().into_iter().flatten())
            .map(|it| {
                let problems = it["problems"].as_array().into_iter().flatten();
                let problems = problems.map(|it| text_of(&it["message"]).into()).collect();
                (text_of(&it["address"]["to_display"]).into(), status(&it["status"]), problems)
            })
            .collect(),
    }
}

fn read_change(resource: &Json) -> Change {
    let change = &resource["change"];
    let actions: Vec<&str> =
        change["actions"].as_array().expect("actions").iter().map(text_of).collect();
    let action = match actions[..] {
        ["no-op"] => Action::Keep,
        ["create"] => Action::Create,
        ["read"] => Action::Read,
        ["update"] => Action::Update,
        ["delete", "create"] => Action::Replace(ReplaceOrder::DeleteFirst),
        ["create", "delete"] => Action::Replace(ReplaceOrder::CreateFirst),
        ["delete"] => Action::Delete,
        ["forget"] => Action::Forget,
        _ => panic!("unheard of: {actions:?}"),
    };
    let side = |it: Value| (!it.is_null()).then_some(it);
    let replace_paths = change["replace_paths"].as_array().into_iter().flatten();
    Change {
        action,
        before: side(value(&change["before"], &Json::Null, &change["before_sensitive"])),
        after: side(value(&change["after"], &change["after_unknown"], &change["after_sensitive"])),
        reason: resource["action_reason"].as_str().map(reason),
        replace_paths: replace_paths.map(path).collect(),
        says: Vec::new(),
        moved_from: resource["previous_address"]
            .as_str()
            .map(|it| it.parse::<Addr>().expect("an address")),
        importing: change["importing"]["id"].as_str().map(Into::into),
        provider: Arc::new(ProviderAddr {
            module: Default::default(),
            source: text_of(&resource["provider_name"]).into(),
            alias: None,
        }),
        needs: Arc::from([]),
        create_before_destroy: actions == ["create", "delete"],
    }
}

fn path(json: &Json) -> Path {
    let step = |it: &Json| match it {
        Json::String(name) => Step::Attr(name.as_str().into()),
        Json::Number(number) => Step::Index(Value::number(number.as_u64().expect("an index"))),
        other => panic!("not a step: {other}"),
    };
    json.as_array().expect("a path").iter().map(step).collect()
}

fn reason(name: &str) -> Reason {
    let all = [
        Reason::ReplaceBecauseTainted,
        Reason::ReplaceByRequest,
        Reason::ReplaceByTriggers,
        Reason::ReplaceBecauseCannotUpdate,
        Reason::DeleteBecauseNoResourceConfig,
        Reason::DeleteBecauseWrongRepetition,
        Reason::DeleteBecauseCountIndex,
        Reason::DeleteBecauseEachKey,
        Reason::DeleteBecauseNoModule,
        Reason::DeleteBecauseNoMoveTarget,
        Reason::ReadBecauseConfigUnknown,
        Reason::ReadBecauseDependencyPending,
        Reason::ReadBecauseCheckNested,
    ];
    all.into_iter().find(|it| it.name() == name).expect("a reason")
}

fn text_of(json: &Json) -> &str {
    json.as_str().expect("a string")
}

/// A value with the unknown and sensitive places of the plan JSON put back.
pub fn value(json: &Json, unknown: &Json, sensitive: &Json) -> Value {
    let value = match (json, unknown) {
        (_, Json::Bool(true)) => match sensitive {
            Json::Object(_) => Value::unknown(Type::object([] as [(&str, Type); 0])),
            Json::Array(_) => Value::unknown(Type::tuple([])),
            _ => Value::dynamic(),
        },
        (Json::Array(items), _) => Value::tuple(
            (0..items.len().max(unknown.as_array().map_or(0, Vec::len)))
                .map(|at| value(items.get(at).unwrap_or(&Json::Null), &unknown[at], &sensitive[at]))
                .collect(),
        ),
        (Json::Object(items), _) => {
            let mut names: Vec<&String> = items.keys().collect();
            names.extend(unknown.as_object().into_iter().flat_map(|it| it.keys()));
            Value::object(
                names.into_iter().map(|name| {
                    (name.as_str(), value(&json[name], &unknown[name], &sensitive[name]))
                }),
            )
        }
        (Json::Null, Json::Object(unknown)) if !unknown.is_empty() => {
            value(&Json::Object(Default::default()), &Json::Object(unknown.clone()), sensitive)
        }
        (scalar, _) => from_json_implied(&scalar.to_string()).expect("JSON"),
    };
    if *sensitive == Json::Bool(true) { value.sensitive() } else { value }
}
