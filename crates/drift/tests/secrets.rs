//! What a schema calls sensitive stays hidden in a finding, although nothing remembered says so.

use std::collections::BTreeMap;
use std::sync::Arc;

use plumb_drift::{Input, Previous, classify};
use plumb_lang::compile;
use plumb_model::addr::{Addr, Kind, ModulePath, ProviderAddr};
use plumb_model::plan::Plan;
use plumb_model::question::Observations;
use plumb_model::schema::{Attribute, Block, Presence, ProviderSchema, ResourceSchema, Schemas};
use plumb_model::state::{Object, State};
use plumb_model::value::{Type, Value};

fn schemas() -> Schemas {
    let text = |presence| Attribute::new(Type::String, presence);
    let password = Attribute { sensitive: true, ..text(Presence::Optional) };
    let attributes = [("password", password), ("size", text(Presence::Optional))];
    let attributes = attributes.into_iter().map(|(name, it)| (name.into(), it)).collect();
    let schema = ResourceSchema::new(Block::new(attributes, BTreeMap::new()));
    let source: Arc<str> = "example.com/a/lab".into();
    let provider = ProviderSchema {
        source: source.clone(),
        name: "lab".into(),
        config: Block::default(),
        resources: [(Kind::new("lab_box"), Arc::new(schema))].into(),
        data: BTreeMap::new(),
    };
    Schemas { providers: [(source, Arc::new(provider))].into() }
}

#[test]
fn the_schema_says_what_is_secret() {
    let schemas = schemas();
    let (program, _) = compile(&Default::default(), &schemas);
    let key = "lab_box.a".parse::<Addr>().unwrap().current();
    let attrs =
        |it: &str| Value::object([("password", Value::string(it)), ("size", Value::string(it))]);
    let source = "example.com/a/lab".into();
    let object = Object {
        attrs: attrs("old"),
        private: None,
        schema_version: 0,
        provider: Arc::new(ProviderAddr { module: ModulePath::default(), source, alias: None }),
        needs: Arc::new([]),
        tainted: false,
        create_before_destroy: false,
        unmanaged: None,
    };
    let state = State { objects: [(key.clone(), object)].into(), ..State::default() };
    let drift = [(key, (attrs("old"), Some(attrs("new"))))].into();
    let plan = Plan { drift, ..Plan::default() };
    let report = classify(Input {
        program: &program,
        schemas: &schemas,
        state: &state,
        plan: &plan,
        pending: &Plan::default(),
        seen: &Observations::new(),
        foreign: &[],
        accepts: &[],
        ignored: &[],
        targets: &[],
        excluded: &[],
        previous: &Previous::default(),
        now: "2026-11-05T12:00:00Z",
        workspace: "default",
    });
    let attributes = &report.findings[0].attributes;
    let told: Vec<(&str, bool)> = attributes.iter().map(|it| (&*it.path, it.sensitive)).collect();
    assert_eq!(told, [("password", true), ("size", false)]);
}
