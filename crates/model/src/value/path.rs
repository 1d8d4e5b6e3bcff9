//! Where something is inside a value.

use std::fmt;
use std::sync::Arc;

use super::{Value, ValueKind};

/// Steps from a value to something in it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Path(Vec<Step>);

/// One step of a path.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// An attribute of an object.
    Attr(Arc<str>),
    /// An element of a list, map, tuple, or set (there, the element itself).
    Index(Value),
}

impl Path {
    /// The steps, outermost first.
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// Whether it leads to the value itself.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One step further.
    pub fn push(&mut self, step: Step) {
        self.0.push(step);
    }

    /// One step back.
    pub fn pop(&mut self) -> Option<Step> {
        self.0.pop()
    }

    /// The path with an attribute step added.
    pub fn attr(mut self, name: &str) -> Path {
        self.0.push(Step::Attr(name.into()));
        self
    }

    /// The path with an index step added.
    pub fn index(mut self, key: impl Into<Value>) -> Path {
        self.0.push(Step::Index(key.into()));
        self
    }

    /// Whether this path starts with all of `prefix`.
    pub fn starts_with(&self, prefix: &Path) -> bool {
        self.0.starts_with(&prefix.0)
    }

    /// What is at the path, if the way there is known and exists.
    pub fn get<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        self.0.iter().try_fold(value, |value, step| step.get(value))
    }
}

impl Step {
    /// What is one step into a known value.
    pub fn get<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        match self {
            Step::Attr(name) => value.get_attr(name),
            Step::Index(key) => match (key.kind(), value.kind()) {
                (ValueKind::String(name), _) if value.as_map().is_some() => value.get_attr(name),
                (_, ValueKind::Set(_)) => value.values().find(|item| *item == key),
                (ValueKind::Number(index), _) => value.get_index(index.to_usize()?),
                _ => None,
            },
        }
    }

    /// Whether this step leads to the element with that key.
    pub fn is_key(&self, key: &Value) -> bool {
        match self {
            Step::Attr(name) => key.as_str() == Some(name),
            Step::Index(index) => index == key,
        }
    }
}

impl From<Vec<Step>> for Path {
    fn from(steps: Vec<Step>) -> Path {
        Path(steps)
    }
}

impl FromIterator<Step> for Path {
    fn from_iter<I: IntoIterator<Item = Step>>(steps: I) -> Path {
        Path(steps.into_iter().collect())
    }
}

/// As in the language: `.a[0]["k"]`.
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|step| fmt::Display::fmt(step, f))
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Attr(name) => write!(f, ".{name}"),
            Step::Index(key) => match key.kind() {
                ValueKind::Number(number) => write!(f, "[{number}]"),
                ValueKind::String(text) => {
                    let mut quoted = String::new();
                    super::json::write_string(text, &mut quoted);
                    write!(f, "[{quoted}]")
                }
                _ => f.write_str("[...]"),
            },
        }
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
