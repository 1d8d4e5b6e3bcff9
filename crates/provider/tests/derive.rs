//! Structs to schemas and values, and back.

use std::collections::{BTreeMap, BTreeSet};

use expect_test::expect;
use plumb_model::addr::Mode;
use plumb_model::schema::{OnChange, Presence};
use plumb_model::value::{Type, Value};
use plumb_provider::{Block, Resource, reference};
use proptest::prelude::*;

/// A thing with everything
/// in it.
///
/// Second paragraph.
#[derive(Resource, Clone, Debug, PartialEq)]
#[resource(kind = "test_thing", version = 3, local)]
struct Thing {
    /// The identifier.
    #[attr(computed)]
    id: Option<String>,
    /// The name.
    #[attr(replace)]
    name: String,
    size: Option<i64>,
    #[attr(default = 8080)]
    port: u16,
    #[attr(default = "bridge")]
    driver: Option<String>,
    #[attr(optional)]
    ratio: Option<f64>,
    #[attr(optional, sensitive)]
    secrets: BTreeMap<String, String>,
    tags: BTreeSet<String>,
    #[attr(optional, set)]
    ports: Vec<u64>,
    #[attr(optional_computed)]
    big: Option<u64>,
    #[attr(optional)]
    anything: Value,
    #[attr(computed)]
    addresses: Vec<Address>,
    #[attr(name = "type", deprecated = "Use `driver`.")]
    kind: Option<bool>,
    /// Where it hangs.
    #[attr(block, replace)]
    mount: Vec<Mount>,
    #[attr(block, list)]
    check: Option<Mount>,
    #[attr(block, set, min = 1, max = 4)]
    route: Vec<Mount>,
    #[attr(block)]
    zone: BTreeMap<String, Address>,
    #[attr(block)]
    single: Option<Address>,
    #[attr(block)]
    group: Address,
}

/// A mount.
#[derive(Block, Clone, Debug, PartialEq)]
struct Mount {
    /// In the container.
    target: String,
    #[attr(computed)]
    source: Option<String>,
}

#[derive(Block, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Address {
    ip: String,
    prefix: Option<u32>,
}

prop_compose! {
    fn mount()(target in "[a-z]{0,3}", source in prop::option::of("[a-z]{0,3}")) -> Mount {
        Mount { target, source }
    }
}

prop_compose! {
    fn address()(ip in "[0-9.]{0,3}", prefix in prop::option::of(any::<u32>())) -> Address {
        Address { ip, prefix }
    }
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::NULL),
        any::<i64>().prop_map(Value::from),
        Just(Value::tuple(vec![Value::TRUE, Value::from("a")])),
    ]
}

fn thing() -> impl Strategy<Value = Thing> {
    let plain = (
        (
            prop::option::of("[a-z]{1,3}"),
            "[a-z]{0,3}",
            prop::option::of(any::<i64>()),
            any::<u16>(),
            prop::option::of("[a-z]{0,3}"),
        ),
        (
            prop::option::of(-1e300..1e300f64),
            prop::collection::btree_map("[a-z]{0,2}", "[a-z]{0,2}", 0..3),
        ),
        (prop::collection::btree_set("[a-z]{0,2}", 0..3), prop::option::of(any::<u64>()), value()),
        (prop::collection::btree_set(any::<u64>(), 0..3), prop::option::of(any::<bool>())),
    );
    let nested = (
        prop::collection::vec(address(), 0..3),
        prop::collection::vec(mount(), 0..3),
        prop::option::of(mount()),
        prop::collection::btree_map("[a-z]{0,2}", address(), 0..3),
        prop::option::of(address()),
        address(),
        mount(),
    );
    (plain, nested).prop_map(|(plain, nested)| {
        let ((id, name, size, port, driver), (ratio, secrets), (tags, big, anything), more) = plain;
        let (addresses, mount, check, zone, single, group, route) = nested;
        Thing {
            id,
            name,
            size,
            port,
            driver,
            ratio,
            secrets,
            tags,
            ports: more.0.into_iter().collect(),
            big,
            anything,
            addresses,
            kind: more.1,
            mount,
            check,
            route: vec![route],
            zone,
            single,
            group,
        }
    })
}

proptest! {
    #[test]
    fn a_struct_survives_its_value(mut thing in thing()) {
        let value = thing.to_value();
        let schema = Thing::resource_schema();
        let Type::Object(want) = schema.block.ty() else { panic!("not an object type") };
        let Type::Object(found) = value.ty() else { panic!("not an object") };
        for (name, ty) in &want.attrs {
            if *ty != Type::Dynamic {
                prop_assert_eq!(found.attrs.get(name), Some(ty), "{}", name);
            }
        }
        let mut back = Thing::from_value(&value).map_err(|it| TestCaseError::fail(it.to_string()))?;
        // A set has its own order.
        back.ports.sort_unstable();
        thing.ports.sort_unstable();
        prop_assert_eq!(&back, &thing);
        prop_assert_eq!(back.to_value(), value);
    }
}

#[test]
fn flags_reach_the_schema() {
    let schema = Thing::resource_schema();
    assert_eq!((Thing::KIND, schema.version, schema.local), ("test_thing", 3, true));
    let attribute = |name: &str| &schema.block.attributes()[name];
    assert_eq!(attribute("name").on_change, OnChange::Replace);
    assert_eq!(attribute("name").presence, Presence::Required);
    assert_eq!(attribute("size").presence, Presence::Optional);
    assert_eq!(attribute("big").presence, Presence::OptionalComputed);
    assert_eq!(attribute("port").default, Some(Value::number(8080)));
    assert_eq!(attribute("driver").default, Some(Value::from("bridge")));
    assert!(attribute("secrets").sensitive && schema.block.has_sensitive());
    assert_eq!(attribute("type").deprecated.as_deref(), Some("Use `driver`."));
    assert_eq!(attribute("anything").ty, Type::Dynamic);
    assert_eq!(
        &**schema.block.description(),
        "A thing with everything in it.\n\nSecond paragraph."
    );
}

#[test]
fn null_and_not_yet_known_are_none() -> Result<(), plumb_provider::DecodeError> {
    let mount = Mount { target: "/x".into(), source: Some("y".into()) };
    let replaced = |name: &'static str, value: Value| {
        let mut attrs = mount.to_value().as_map().cloned().unwrap_or_default();
        attrs.insert(name.into(), value);
        Value::object(attrs)
    };
    let unknown = replaced("source", Value::unknown(Type::String));
    assert_eq!(Mount::from_value(&unknown)?.source, None);
    let errors = [
        Mount::from_value(&replaced("target", Value::unknown(Type::String))),
        Mount::from_value(&replaced("target", Value::null(Type::String))),
        Mount::from_value(&replaced("target", Value::from(5))),
        Mount::from_value(&Value::from(5)),
    ];
    let errors: Vec<String> = errors
        .iter()
        .map(|it| it.as_ref().map_or_else(|it| it.to_string(), |_| "fine".into()))
        .collect();
    expect![[r#"
        the value at .target does not fit the schema: a string is required, found a value that is not known yet
        the value at .target does not fit the schema: a value is required, found none
        the value at .target does not fit the schema: a string is required, found number
        the value does not fit the schema: an object is required, found number"#]]
    .assert_eq(&errors.join("\n"));
    Ok(())
}

#[test]
fn reference_says_what_the_schema_does() {
    let text = reference::resource(&Thing::kind(), Mode::Managed, &Thing::resource_schema());
    expect![[r###"
        ## Resource `test_thing`

        A thing with everything in it.

        Second paragraph.

        ### Arguments

        - `name` (string, required, a change needs a new object): The name.
        - `tags` (set(string), required)
        - `anything` (any)
        - `big` (number, chosen by the system when left out)
        - `driver` (string, default `"bridge"`)
        - `port` (number, default `8080`)
        - `ports` (set(number))
        - `ratio` (number)
        - `secrets` (map(string), sensitive)
        - `size` (number)
        - `type` (bool) **Deprecated:** Use `driver`.
        - `check` (list of blocks, at most 1): A mount.
        - `group` (block)
        - `mount` (list of blocks, a change needs a new object): Where it hangs.
        - `route` (set of blocks, 1 to 4): A mount.
        - `single` (block)
        - `zone` (blocks by label)

        ### Attributes

        - `addresses` (list(object({ip=string,prefix=number})))
        - `id` (string): The identifier.

        ### Arguments of `check`

        - `target` (string, required): In the container.

        ### Attributes of `check`

        - `source` (string)

        ### Arguments of `group`

        - `ip` (string, required)
        - `prefix` (number)

        ### Arguments of `mount`

        - `target` (string, required): In the container.

        ### Attributes of `mount`

        - `source` (string)

        ### Arguments of `route`

        - `target` (string, required): In the container.

        ### Attributes of `route`

        - `source` (string)

        ### Arguments of `single`

        - `ip` (string, required)
        - `prefix` (number)

        ### Arguments of `zone`

        - `ip` (string, required)
        - `prefix` (number)

    "###]]
    .assert_eq(&text);
}
