//! Between the services' JSON and values.

use std::collections::BTreeMap;
use std::sync::Arc;

use plumb_model::value::{Number, Type, Value, ValueKind};
use serde_json::{Map, Value as Json};

/// A value of `ty`. What does not fit is null: a service that says something else than its own
/// documentation is not worth failing for.
pub(crate) fn from_json(json: &Json, ty: &Type) -> Value {
    let some = match (ty, json) {
        (_, Json::Null) => None,
        (Type::Dynamic, _) => Some(implied(json)),
        (Type::Bool, Json::Bool(it)) => Some(Value::bool(*it)),
        (Type::Bool, Json::String(it)) => it.to_lowercase().parse().ok().map(Value::bool),
        (Type::Number, Json::Number(it)) => Number::parse(&it.to_string()).map(Value::number),
        (Type::Number, Json::String(it)) => Number::parse(it).map(Value::number),
        (Type::String, _) => Some(Value::string(text(json))),
        (Type::List(elem), Json::Array(items)) => Some(Value::list(
            (**elem).clone(),
            items.iter().map(|it| from_json(it, elem)).collect(),
        )),
        (Type::Set(elem), Json::Array(items)) => {
            Some(Value::set((**elem).clone(), items.iter().map(|it| from_json(it, elem)).collect()))
        }
        (Type::Map(elem), Json::Object(items)) => {
            let items = items.iter().map(|(key, it)| (key.as_str(), from_json(it, elem)));
            Some(Value::map((**elem).clone(), items))
        }
        (Type::Object(object), Json::Object(items)) => {
            let attrs = object.attrs.iter().map(|(name, ty)| {
                (name.clone(), from_json(items.get(&**name).unwrap_or(&Json::Null), ty))
            });
            Some(Value::object(attrs))
        }
        _ => None,
    };
    some.unwrap_or_else(|| Value::null(ty.clone()))
}

/// A string as it is, anything else as JSON writes it.
pub(crate) fn text(json: &Json) -> String {
    match json {
        Json::String(it) => it.clone(),
        other => other.to_string(),
    }
}

fn implied(json: &Json) -> Value {
    match json {
        Json::Null => Value::NULL,
        Json::Bool(it) => Value::bool(*it),
        Json::Number(it) => Number::parse(&it.to_string()).map_or(Value::NULL, Value::number),
        Json::String(it) => Value::string(it.as_str()),
        Json::Array(items) => Value::tuple(items.iter().map(implied).collect()),
        Json::Object(items) => {
            Value::object(items.iter().map(|(key, it)| (key.as_str(), implied(it))))
        }
    }
}

/// What a known value is in JSON.
pub(crate) fn to_json(value: &Value) -> Json {
    match value.kind() {
        ValueKind::Bool(it) => Json::Bool(*it),
        ValueKind::Number(it) => number(it),
        ValueKind::String(it) => Json::String(it.to_string()),
        ValueKind::List(_) | ValueKind::Set(_) | ValueKind::Tuple(_) => {
            Json::Array(value.values().map(to_json).collect())
        }
        ValueKind::Map(_) | ValueKind::Object(_) => {
            let items = value.as_map().into_iter().flatten();
            Json::Object(items.map(|(key, it)| (key.to_string(), to_json(it))).collect())
        }
        ValueKind::Null(_) | ValueKind::Unknown(_) => Json::Null,
    }
}

fn number(it: &Number) -> Json {
    match it.to_i64() {
        Some(whole) => whole.into(),
        None => it.to_f64().into(),
    }
}

/// The attributes of an object on their way.
pub(crate) type Attrs = BTreeMap<Arc<str>, Value>;

/// Sets an attribute that the type has; others stay away.
pub(crate) fn set(attrs: &mut Attrs, name: &str, value: Value) {
    if let Some(slot) = attrs.get_mut(name) {
        *slot = value;
    }
}

/// What is at a path of keys; null where nothing is.
pub(crate) fn at<'a>(json: &'a Json, path: &[&str]) -> &'a Json {
    path.iter().fold(json, |json, key| json.get(key).unwrap_or(&Json::Null))
}

/// The string at a key; empty where there is none.
pub(crate) fn str_at<'a>(json: &'a Json, key: &str) -> &'a str {
    json.get(key).and_then(Json::as_str).unwrap_or_default()
}

/// The list at a key; empty where there is none.
pub(crate) fn list_at<'a>(json: &'a Json, key: &str) -> &'a [Json] {
    json.get(key).and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// One member: `{"network": …}`.
pub(crate) fn wrapped(key: &str, body: Map<String, Json>) -> Json {
    Json::Object(Map::from_iter([(key.to_owned(), Json::Object(body))]))
}
