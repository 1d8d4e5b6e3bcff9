//! What plan JSON says of a configuration, against what Terraform said of the same files.

use std::collections::BTreeMap;
use std::sync::Arc;

use plumb_diag::Sources;
use plumb_lang::config::decode_texts;
use plumb_lang::{ModuleTree, compile, relevant_attributes, write_configuration};
use plumb_model::addr::{Addr, Kind};
use plumb_model::schema::{Attribute, Block, Presence, ProviderSchema, ResourceSchema, Schemas};
use plumb_model::value::json::to_json;
use plumb_model::value::{Step, Type};
use serde_json::{Value, json};

const EXPECTED: &str = include_str!("data/configuration/expected.json");

fn schemas() -> Schemas {
    let resource = |attrs: &[(&str, Type, Presence)]| {
        let attrs = attrs
            .iter()
            .map(|(name, ty, presence)| (Arc::from(*name), Attribute::new(ty.clone(), *presence)));
        Arc::new(ResourceSchema::new(Block::new(attrs.collect(), BTreeMap::new())))
    };
    let data = resource(&[
        ("id", Type::String, Presence::Computed),
        ("input", Type::Dynamic, Presence::Optional),
        ("output", Type::Dynamic, Presence::Computed),
        ("triggers_replace", Type::Dynamic, Presence::Optional),
    ]);
    let state = resource(&[
        ("backend", Type::String, Presence::Required),
        ("config", Type::Dynamic, Presence::Optional),
        ("defaults", Type::Dynamic, Presence::Optional),
        ("outputs", Type::Dynamic, Presence::Computed),
        ("workspace", Type::String, Presence::Optional),
    ]);
    let provider = ProviderSchema {
        source: "terraform.io/builtin/terraform".into(),
        name: "terraform".into(),
        config: Block::default(),
        resources: BTreeMap::from([(Kind::new("terraform_data"), data)]),
        data: BTreeMap::from([(Kind::new("terraform_remote_state"), state)]),
    };
    Schemas { providers: BTreeMap::from([(provider.source.clone(), Arc::new(provider))]) }
}

#[test]
fn as_terraform_describes_it() {
    let mut sources = Sources::default();
    let mut tree = ModuleTree { root: ".".into(), ..ModuleTree::default() };
    for (dir, text) in [
        (".", include_str!("data/configuration/main.tf")),
        ("m", include_str!("data/configuration/m/main.tf")),
        ("m/n", include_str!("data/configuration/m/n/main.tf")),
    ] {
        let id = sources.add(dir, text);
        let (module, diagnostics) = decode_texts([("main.tf", id, text)]);
        assert!(diagnostics.is_empty(), "{diagnostics:?}");
        tree.dirs.insert(dir.into(), Arc::new(module));
    }
    let schemas = schemas();
    let (program, diagnostics) = compile(&tree, &schemas);
    assert!(diagnostics.is_empty(), "{diagnostics:?}");

    let expected: Value = serde_json::from_str(EXPECTED).expect("JSON");
    let mut text = String::new();
    write_configuration(&program, &schemas, &mut text);
    let found: Value = serde_json::from_str(&text).expect("JSON");
    pretty_assert(&found, &expected["configuration"]);
    assert_eq!(text.matches("\"schema_version\"").count(), 17, "one for each block");

    let blocks = program.resources().map(|(_, it)| &it.addr);
    let instance = |module: &str| module.parse::<Addr>().expect("an address");
    let mut changed: Vec<Addr> = blocks
        .map(|it| it.to_string().replace("module.k.", "module.k[\"x\"]."))
        .map(|it| instance(&it))
        .collect();
    changed.sort();
    let outputs = [Arc::from("o"), Arc::from("p")];
    let found = relevant_attributes(&program, &changed, &outputs);
    let found: Vec<Value> = found
        .into_iter()
        .map(|(resource, path)| {
            let steps = path.steps().iter().map(|it| match it {
                Step::Attr(name) => json!(&**name),
                Step::Index(key) => serde_json::from_str(&to_json(key)).expect("JSON"),
            });
            json!({ "resource": resource, "attribute": steps.collect::<Vec<_>>() })
        })
        .collect();
    pretty_assert(&Value::Array(found), &expected["relevant_attributes"]);
}

fn pretty_assert(found: &Value, expected: &Value) {
    let text = |it: &Value| serde_json::to_string_pretty(it).expect("JSON");
    similar_asserts(&text(found), &text(expected));
}

/// Shows the first lines that differ.
fn similar_asserts(found: &str, expected: &str) {
    for (index, (a, b)) in found.lines().zip(expected.lines()).enumerate() {
        let around: Vec<&str> = found.lines().skip(index.saturating_sub(8)).take(12).collect();
        assert_eq!(a, b, "line {index}:\n{}", around.join("\n"));
    }
    assert_eq!(found.lines().count(), expected.lines().count());
}
