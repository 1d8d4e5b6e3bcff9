//! The attributes of an object as a service tells of it, and of what it never tells, as written.

use plumb_model::value::Value;
use serde_json::Value as Json;

use crate::cloud::Cloud;
use crate::json::{self, Attrs};
use crate::table::Table;

/// Attributes from an answer. `base` is how the object was written, if it is ours.
pub(crate) fn told(table: &Table, cloud: &Cloud, json: &Json, base: Option<&Value>) -> Attrs {
    let mut attrs = with_base(table, json, base);
    json::set(&mut attrs, "region", cloud.region());
    attrs
}

/// The same, all but the region.
pub(crate) fn with_base(table: &Table, json: &Json, base: Option<&Value>) -> Attrs {
    let mut attrs = table.read(json);
    table.keep_written(base, &mut attrs);
    // What is left to the service and it never tells of, nobody knows.
    for value in attrs.values_mut().filter(|it| !it.is_known()) {
        *value = Value::null(value.ty());
    }
    attrs
}

/// Lets attributes be as they were written.
pub(crate) fn keep<'a>(
    attrs: &mut Attrs,
    base: Option<&Value>,
    names: impl IntoIterator<Item = &'a str>,
) {
    for name in names {
        if let Some(value) = base.and_then(|it| it.get_attr(name)).filter(|it| it.is_known()) {
            json::set(attrs, name, value.clone());
        }
    }
}

/// The text of an attribute; nothing where it is empty.
pub(crate) fn text<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object.get_attr(name).and_then(Value::as_str).filter(|it| !it.is_empty())
}

/// Whether a flag is set.
pub(crate) fn is(object: &Value, name: &str) -> bool {
    object.get_attr(name).and_then(Value::as_bool) == Some(true)
}
