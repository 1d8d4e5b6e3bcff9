//! Lives of objects in front of a holder that is only a registry.

mod holder;
mod lives;
mod planning;

use std::path::Path as FilePath;
use std::sync::Arc;

use plumb_model::addr::Kind;
use plumb_model::schema::ResourceSchema;
use plumb_model::state::Token;
use plumb_model::value::{Path, Type, Value};
use plumb_provider::{CallContext, conformance, reference};

use crate::schema;

/// A whole configuration of a kind.
fn config(kind: &str, written: Vec<(&'static str, Value)>) -> Value {
    let schema = schema_of(kind);
    let nested = written.into_iter().map(|(name, value)| {
        let value = match schema.block.blocks().get(name) {
            Some(nested) => {
                let filled = value.values().map(|it| {
                    let written = it.as_map().into_iter().flatten();
                    let written = written.map(|(name, it)| (name.clone(), it.clone()));
                    conformance::config(&nested.block, written.collect::<Vec<_>>())
                });
                let filled: Vec<_> = filled.collect();
                match nested.ty() {
                    Type::List(elem) => Value::list((*elem).clone(), filled),
                    Type::Set(elem) => Value::set((*elem).clone(), filled),
                    _ => filled.into_iter().next().unwrap(),
                }
            }
            None => value,
        };
        (name, value)
    });
    conformance::config(&schema.block, nested.collect::<Vec<_>>())
}

fn schema_of(kind: &str) -> Arc<ResourceSchema> {
    schema::provider().resources[&Kind::new(kind)].clone()
}

fn text(it: &str) -> Value {
    Value::string(it)
}

fn texts(all: &[&str]) -> Value {
    Value::list(Type::String, all.iter().map(|it| text(it)).collect())
}

fn text_set(all: &[&str]) -> Value {
    Value::set(Type::String, all.iter().map(|it| text(it)).collect())
}

/// Nested blocks, each by what is written in it.
fn blocks(all: Vec<Vec<(&'static str, Value)>>) -> Value {
    Value::tuple(all.into_iter().map(Value::object).collect())
}

/// A place as a person writes it.
fn at(path: &Path) -> String {
    path.to_string().trim_start_matches('.').to_owned()
}

fn call(step: u32) -> CallContext {
    let token = Token { run: 1, step };
    CallContext { token, address: "netns.test".into(), progress: Arc::new(|_| {}) }
}

#[test]
fn the_schema_is_one() {
    assert_eq!(conformance::schema(&schema::provider()), Vec::<String>::new());
}

#[test]
fn the_reference_is_up_to_date() {
    let path = FilePath::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/providers/netns.md");
    expect_test::expect_file![path].assert_eq(&reference::provider(&schema::provider()));
}
