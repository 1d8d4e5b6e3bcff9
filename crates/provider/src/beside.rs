//! What happens around our objects: what stands beside them, and what the system tells of.

use std::sync::Arc;

use plumb_model::addr::Kind;
use plumb_model::value::Value;

/// An object that we own, as it is remembered.
#[derive(Clone, Debug, PartialEq)]
pub struct Ours {
    /// Its type.
    pub kind: Kind,
    /// Its attributes, unmarked.
    pub attrs: Value,
}

/// An object that nobody declared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Foreign {
    /// The resource type that would declare it.
    pub kind: Kind,
    /// What an `import` block takes as its id.
    pub id: Arc<str>,
    /// What people call it.
    pub name: Arc<str>,
    /// The id of the object of ours that it stands beside, if it is one.
    pub beside: Option<Arc<str>>,
    /// How, as the end of a sentence that begins with its name: `is attached to network lab`.
    pub how: Arc<str>,
}

/// What may have changed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Touched {
    /// Objects of this type that have this id; an id that we do not own is something foreign.
    Object {
        /// The type.
        kind: Kind,
        /// The value of the attribute `id`.
        id: Arc<str>,
    },
    /// Something that stands beside our objects.
    Beside,
    /// Anything.
    All,
}

impl Ours {
    /// The attribute `id`.
    pub fn id(&self) -> Option<&str> {
        self.attrs.get_attr("id").and_then(Value::as_str)
    }
}
