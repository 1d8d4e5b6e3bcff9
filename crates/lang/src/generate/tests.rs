//! What is generated says what the object is.

use std::collections::BTreeMap;
use std::sync::Arc;

use expect_test::{Expect, expect};
use plumb_diag::{Diagnostic, FileId};
use plumb_model::addr::{Kind, Mode, Resource};
use plumb_model::schema::{Attribute, Block, NestedBlock, Nesting, OnChange, Presence};
use plumb_model::value::{Type, Value};
use proptest::prelude::*;
use unicode_normalization::UnicodeNormalization;

use super::literal::Links;
use super::{Reader, placeholder, resource_text};
use crate::eval::{self, Names};
use crate::syntax::{Item, Traversal, parse};

struct Nothing;

impl Names for Nothing {
    fn resolve(&self, _: &Traversal) -> Result<(Value, usize), Box<Diagnostic>> {
        Err(Box::new(Diagnostic::error("Nothing", "There is nothing to refer to.")))
    }
}

fn resource() -> Resource {
    Resource { mode: Mode::Managed, kind: Kind::new("lab_thing"), name: "a".into() }
}

fn attribute(ty: Type, presence: Presence) -> Attribute {
    Attribute::new(ty, presence)
}

fn nested(nesting: Nesting, block: Block) -> NestedBlock {
    NestedBlock { nesting, block, min: 0, max: 0, on_change: OnChange::Update }
}

fn block(attributes: Vec<(&str, Attribute)>, blocks: Vec<(&str, NestedBlock)>) -> Block {
    let attributes = attributes.into_iter().map(|(name, it)| (name.into(), it)).collect();
    Block::new(attributes, blocks.into_iter().map(|(name, it)| (name.into(), it)).collect())
}

fn schema() -> Block {
    use Presence::*;
    let secret = Attribute { sensitive: true, ..attribute(Type::String, Optional) };
    let sized = Attribute { default: Some(Value::number(3)), ..attribute(Type::Number, Optional) };
    let port = block(
        vec![
            ("number", attribute(Type::Number, Required)),
            ("mac", attribute(Type::String, Computed)),
        ],
        vec![],
    );
    block(
        vec![
            ("id", attribute(Type::String, OptionalComputed)),
            ("name", attribute(Type::String, Required)),
            ("note", attribute(Type::String, Optional)),
            ("size", sized),
            ("secret", secret),
            ("address", attribute(Type::String, OptionalComputed)),
            ("status", attribute(Type::String, Computed)),
            ("labels", attribute(Type::Map(Arc::new(Type::String)), Optional)),
            ("tags", attribute(Type::Set(Arc::new(Type::String)), Optional)),
            ("more", attribute(Type::Dynamic, Optional)),
        ],
        vec![
            ("port", nested(Nesting::List, port.clone())),
            ("host", nested(Nesting::Map, port.clone())),
            ("peer", nested(Nesting::Set, port.clone())),
            ("limits", nested(Nesting::Single, port)),
        ],
    )
}

fn object(schema: &Block, given: Vec<(&str, Value)>) -> Value {
    let given: BTreeMap<&str, Value> = given.into_iter().collect();
    let attributes = schema.attributes().iter().map(|(name, it)| {
        (name.clone(), given.get(&**name).cloned().unwrap_or_else(|| Value::null(it.ty.clone())))
    });
    let blocks = schema
        .blocks()
        .iter()
        .map(|(name, it)| (name.clone(), given.get(&**name).cloned().unwrap_or_else(|| it.none())));
    Value::object(attributes.chain(blocks))
}

fn port(schema: &Block, name: &str, number: i64) -> Value {
    let nested = &schema.blocks()[name].block;
    object(nested, vec![("number", Value::number(number)), ("mac", Value::string("00:01"))])
}

fn check(given: Vec<(&str, Value)>, expected: Expect) {
    let schema = schema();
    let attrs = object(&schema, given);
    expected.assert_eq(&resource_text(&resource(), &schema, &attrs, Reader::Person));
}

#[test]
fn a_person_gets_what_can_be_said() {
    let schema = schema();
    let element = schema.blocks()["port"].block.ty().clone();
    check(
        vec![
            ("id", Value::string("x-1")),
            ("name", Value::string("web")),
            ("note", Value::string("one ${x}\n  two\nEOT\n")),
            ("size", Value::number(3)),
            ("secret", Value::string("hunter2")),
            ("address", Value::string("10.0.0.1")),
            ("status", Value::string("up")),
            (
                "labels",
                Value::map(
                    Type::String,
                    [("a b", Value::string("1")), ("c", Value::string("\"2"))],
                ),
            ),
            (
                "port",
                Value::list(
                    element.clone(),
                    vec![port(&schema, "port", 80), port(&schema, "port", 81)],
                ),
            ),
            ("host", Value::map(element, [("h", port(&schema, "host", 1))])),
        ],
        expect![[r#"
            resource "lab_thing" "a" {
              address = "10.0.0.1"
              labels = {
                "a b" = "1"
                c     = "\"2"
              }
              name   = "web"
              note   = <<EOT_
            one $${x}
              two
            EOT
            EOT_
              secret = null # sensitive
              host "h" {
                number = 1
              }
              port {
                number = 80
              }
              port {
                number = 81
              }
            }
        "#]],
    );
}

#[test]
fn what_has_to_be_said_and_is_not_there_is_marked() {
    check(
        vec![],
        expect![[r#"
        resource "lab_thing" "a" {
          name = null # required
        }
    "#]],
    );
}

#[test]
fn a_placeholder_says_that_it_does_not_know() {
    expect![[r#"
        resource "lab_thing" "a" {
        name = uuid()
        }
    "#]]
    .assert_eq(&placeholder(&resource(), &schema()));
}

/// What the text evaluates to.
fn evaluated(text: &str, schema: &Block) -> Value {
    let parsed = parse(FileId::default(), text);
    assert!(parsed.diagnostics.is_empty(), "{:?}\n{text}", parsed.diagnostics);
    let Some(Item::Block(block)) = parsed.body.items.first() else { panic!("no block: {text}") };
    let mut diagnostics = Vec::new();
    eval::check(&block.body, schema, &mut diagnostics);
    let value = eval::body(&block.body, schema, &Nothing, &mut diagnostics);
    assert!(diagnostics.is_empty(), "{diagnostics:?}\n{text}");
    value
}

/// As values have it: normalized.
fn text() -> impl Strategy<Value = String> {
    raw().prop_map(|it| it.nfc().collect())
}

fn raw() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[a-z$%{}\"\\\\ \t\n]{0,12}",
        "([ \t]{0,3}[a-zEOT${%~}]{0,6}\n){1,4}",
        "[\u{200b}\u{a0}a\r\n]{0,5}\n",
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        text().prop_map(Value::string),
        any::<i64>().prop_map(Value::number),
        any::<bool>().prop_map(Value::bool),
        Just(Value::NULL),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::tuple),
            proptest::collection::btree_map(text(), inner, 0..4).prop_map(Value::object),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn it_evaluates_to_the_same_arguments(
        name in text(),
        note in proptest::option::of(text()),
        size in proptest::option::of(any::<i64>()),
        labels in proptest::collection::btree_map(text(), text(), 0..4),
        tags in proptest::collection::vec(text(), 0..4),
        more in value(),
        ports in proptest::collection::vec(any::<i64>(), 0..3),
        hosts in proptest::collection::btree_map(text(), any::<i64>(), 0..3),
        hidden in any::<bool>(),
    ) {
        let schema = schema();
        let element = schema.blocks()["port"].block.ty().clone();
        let texts = |it: Vec<String>| it.into_iter().map(Value::string).collect();
        let name = if hidden { Value::string(name).sensitive() } else { Value::string(name) };
        let mut given = vec![
            ("name", name),
            ("labels", Value::map(Type::String, labels.into_iter().map(|it| (it.0, Value::string(it.1))))),
            ("tags", Value::set(Type::String, texts(tags))),
            ("more", more),
            ("port", Value::list(element.clone(), ports.iter().map(|it| port(&schema, "port", *it)).collect())),
            ("peer", Value::set(element.clone(), ports.iter().map(|it| port(&schema, "peer", *it)).collect())),
            ("host", Value::map(element, hosts.iter().map(|it| (it.0.as_str(), port(&schema, "host", *it.1))))),
            ("status", Value::string("up")),
        ];
        given.extend(note.map(|it| ("note", Value::string(it))));
        given.extend(size.map(|it| ("size", Value::number(it))));
        let attrs = object(&schema, given);
        let reader = Reader::Planner { links: Links::NONE, left_out: &|_| false };
        let text = resource_text(&resource(), &schema, &attrs, reader);
        let laid_out = crate::format::format(FileId::default(), &text);
        prop_assert_eq!(laid_out.as_deref(), Ok(&*text));
        let proposed = |config: &Value| {
            plumb_model::propose::propose(&schema, &config.unmark_deep(), Some(&attrs.unmark_deep()))
        };
        let back = evaluated(&text, &schema);
        prop_assert_eq!(proposed(&back), proposed(&attrs), "{}", text);
        prop_assert_eq!(
            back.get_attr("name").map(Value::marks),
            attrs.get_attr("name").map(Value::marks)
        );
    }
}
