//! Lives of objects in front of a holder that is only a registry.

mod around;
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

/// What the reference says that no schema knows.
const AROUND: &str = "\
## What is changed by hand

What somebody did to the kernel's part of an object is in its attribute `drift`, in words, and an apply takes it back: \
links, addresses, routes, settings and rules that are gone or were added, other tables of nftables, addresses of the \
loopback link, a host or a command that was killed. IPv6 addresses, other routing tables and policy rules are not \
looked at.

## What stands beside

Foreign are objects in the same cloud that the configuration does not have, made by another configuration, by hand, or \
left over:

- networks, routers and security groups of the cloud,
- ports and hosts in a network of ours, and hosts that are plugged into a port of ours,
- router interfaces of a router or in a network of ours,
- rules of a security group of ours,
- port forwards of a router of ours, and floating IPs that lead in by one, lead to a port or host of ours, or have an \
address of a network of ours,
- snapshots of a host of ours, and cables that are plugged into one.

What is foreign in a namespace of ours, such as a link in a network's bridge, is no object: it is `drift`.

## What is heard

The process that holds the cloud hears of changes as they are made, as root and as an ordinary user, and tells those \
who follow:

- in every namespace, of the kernel: links, addresses, routes, forwarding, queueing disciplines and tables of nftables,
- objects that are made, changed or deleted, by whichever configuration,
- commands and hosts that end, start anew, or become healthy or unhealthy.

Other settings below `/proc/sys` are not told of by the kernel. To look, to plan and to follow starts no process and \
writes nothing: where nobody holds the cloud, it is empty but for its snapshots, whose records are read.
";

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
    let text = reference::provider(&schema::provider()) + AROUND;
    expect_test::expect_file![path].assert_eq(&text);
}
