//! What is to become of an object, with what it was.

use plumb_model::value::Value;

/// A change, or a creation where there is no prior.
#[derive(Clone, Copy)]
pub(crate) struct Change<'a> {
    pub(crate) planned: &'a Value,
    pub(crate) prior: Option<&'a Value>,
}

impl<'a> Change<'a> {
    /// Whether an argument is to be told: it changes, or is given to something new.
    pub(crate) fn of(&self, name: &str) -> bool {
        match self.prior {
            Some(prior) => prior.get_attr(name) != self.planned.get_attr(name),
            None => self.get(name).is_some(),
        }
    }

    /// The value that is wanted, if any.
    pub(crate) fn get(&self, name: &str) -> Option<&'a Value> {
        self.planned.get_attr(name).filter(|it| it.is_present())
    }

    pub(crate) fn str(&self, name: &str) -> Option<&'a str> {
        self.get(name)?.as_str().filter(|it| !it.is_empty())
    }

    pub(crate) fn is(&self, name: &str) -> bool {
        self.get(name).and_then(Value::as_bool) == Some(true)
    }

    /// Nested blocks, or the items of a collection.
    pub(crate) fn items(&self, name: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
        self.get(name).into_iter().flat_map(Value::values)
    }

    /// The items of a map of strings.
    pub(crate) fn strings_of(
        &self,
        name: &str,
    ) -> impl Iterator<Item = (String, String)> + use<'a> {
        let items = self.get(name).and_then(Value::as_map).into_iter().flatten();
        items.filter_map(|(key, it)| Some((key.to_string(), it.as_str()?.to_owned())))
    }
}
