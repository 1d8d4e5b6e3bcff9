//! What an imported object starts from: nothing set but the schema's defaults.

use std::collections::{BTreeMap, HashMap};

use plumb_model::addr::Kind;
use plumb_model::schema::ProviderSchema;
use plumb_model::value::{Type, Value};

use crate::args::string_map;
use crate::provider::TOKEN_LABEL;

/// All attributes of a type, null or default.
pub(crate) fn empty(schema: &ProviderSchema, kind: &str) -> Value {
    let Some(resource) = schema.resources.get(&Kind::new(kind)) else { return Value::NULL };
    let attributes = resource.block.attributes().iter().map(|(name, it)| {
        let default = it.default.clone();
        (name.clone(), default.unwrap_or_else(|| Value::null(it.ty.clone())))
    });
    let blocks = resource.block.blocks().iter().map(|(name, it)| (name.clone(), it.none()));
    Value::object(attributes.chain(blocks))
}

/// Labels as `labels` blocks, our own left out.
pub(crate) fn labels(labels: Option<&HashMap<String, String>>) -> Value {
    let ty = Type::object([("label", Type::String), ("value", Type::String)]);
    let sorted: BTreeMap<_, _> = labels.into_iter().flatten().collect();
    let items = sorted.into_iter().filter(|(name, _)| *name != TOKEN_LABEL).map(|(name, value)| {
        Value::object([
            ("label", Value::string(name.as_str())),
            ("value", Value::string(value.as_str())),
        ])
    });
    Value::set(ty, items.collect())
}

/// A map, null when empty.
pub(crate) fn map(map: Option<&HashMap<String, String>>) -> Value {
    let sorted: BTreeMap<_, _> = map.into_iter().flatten().collect();
    match sorted.is_empty() {
        true => Value::null(Type::map(Type::String)),
        false => string_map(sorted),
    }
}
