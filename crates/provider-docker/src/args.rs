//! Reading arguments out of values: what is null is absent.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use plumb_model::value::{Type, Value};

/// The attributes of one object or nested block.
#[derive(Clone, Copy)]
pub(crate) struct Args<'a>(pub(crate) &'a Value);

impl<'a> Args<'a> {
    pub(crate) fn get(self, name: &str) -> Option<&'a Value> {
        self.0.get_attr(name).filter(|value| value.is_present())
    }

    /// A string that is there and says something: the kreuzwerker provider takes `""` for absent.
    pub(crate) fn str(self, name: &str) -> Option<&'a str> {
        self.get(name)?.as_str().filter(|text| !text.is_empty())
    }

    pub(crate) fn string(self, name: &str) -> Option<String> {
        self.str(name).map(str::to_owned)
    }

    pub(crate) fn int(self, name: &str) -> Option<i64> {
        self.get(name)?.as_i64()
    }

    pub(crate) fn bool(self, name: &str) -> Option<bool> {
        self.get(name)?.as_bool()
    }

    pub(crate) fn is(self, name: &str) -> bool {
        self.bool(name) == Some(true)
    }

    /// A list or set of strings; absent when empty.
    pub(crate) fn strings(self, name: &str) -> Option<Vec<String>> {
        let items = self.get(name)?.values().filter_map(|item| item.as_str().map(str::to_owned));
        Some(items.collect::<Vec<_>>()).filter(|items| !items.is_empty())
    }

    /// A map of strings; absent when empty.
    pub(crate) fn map(self, name: &str) -> Option<HashMap<String, String>> {
        let items = self.get(name)?.as_map()?.iter();
        let items = items.filter_map(|(key, it)| Some((key.to_string(), it.as_str()?.to_owned())));
        Some(items.collect::<HashMap<_, _>>()).filter(|items| !items.is_empty())
    }

    /// The nested blocks of one name.
    pub(crate) fn blocks(self, name: &str) -> impl Iterator<Item = Args<'a>> + use<'a> {
        self.get(name).into_iter().flat_map(Value::values).map(Args)
    }

    /// The nested block of a name that has at most one.
    pub(crate) fn block(self, name: &str) -> Option<Args<'a>> {
        self.blocks(name).next()
    }

    /// `labels { label = … value = … }` blocks.
    pub(crate) fn labels(self, name: &str) -> HashMap<String, String> {
        let pair =
            |it: Args<'_>| Some((it.string("label")?, it.string("value").unwrap_or_default()));
        self.blocks(name).filter_map(pair).collect()
    }
}

/// An object like `base`, with some attributes set otherwise. Those that `base` lacks are left out.
pub(crate) fn with<'n>(base: &Value, changes: impl IntoIterator<Item = (&'n str, Value)>) -> Value {
    let mut attrs: BTreeMap<Arc<str>, Value> = base.as_map().cloned().unwrap_or_default();
    for (name, value) in changes {
        if let Some(slot) = attrs.get_mut(name) {
            *slot = value;
        }
    }
    Value::object(attrs)
}

pub(crate) fn text(value: Option<impl AsRef<str>>) -> Value {
    value.map_or_else(|| Value::null(Type::String), |text| Value::string(text.as_ref()))
}

pub(crate) fn number(value: Option<i64>) -> Value {
    value.map_or_else(|| Value::null(Type::Number), Value::number)
}

pub(crate) fn flag(value: Option<bool>) -> Value {
    value.map_or_else(|| Value::null(Type::Bool), Value::bool)
}

pub(crate) fn string_list<S: AsRef<str>>(items: impl IntoIterator<Item = S>) -> Value {
    let items = items.into_iter().map(|it| Value::string(it.as_ref())).collect();
    Value::list(Type::String, items)
}

pub(crate) fn string_set<S: AsRef<str>>(items: impl IntoIterator<Item = S>) -> Value {
    let items = items.into_iter().map(|it| Value::string(it.as_ref())).collect();
    Value::set(Type::String, items)
}

pub(crate) fn string_map<'a>(items: impl IntoIterator<Item = (&'a String, &'a String)>) -> Value {
    let items = items.into_iter();
    Value::map(Type::String, items.map(|(key, it)| (key.as_str(), Value::string(it.as_str()))))
}
