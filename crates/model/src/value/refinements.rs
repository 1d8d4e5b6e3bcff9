//! What is known already of a value that is not known yet.

use std::fmt;
use std::sync::Arc;

use super::{Number, Type, Value, ValueKind};

/// An unknown value: its type, and what else is known of it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Unknown {
    /// The type; `Dynamic` if even that is not known.
    pub ty: Type,
    /// What else is known.
    pub refinements: Refinements,
}

/// Promises about an unknown value. The default promises nothing.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Refinements {
    /// It will not be null.
    pub not_null: bool,
    /// A string will start with this.
    pub prefix: Option<Arc<str>>,
    /// A number will not be below this (above, if the flag is false).
    pub min: Option<(Number, bool)>,
    /// A number will not be above this (below, if the flag is false).
    pub max: Option<(Number, bool)>,
    /// A collection will have at least this many elements.
    pub len_min: Option<u64>,
    /// A collection will have at most this many elements.
    pub len_max: Option<u64>,
}

impl Refinements {
    /// The promise not to be null.
    pub fn not_null() -> Refinements {
        Refinements { not_null: true, ..Refinements::default() }
    }

    /// Not null and starting with a prefix.
    pub fn prefixed(prefix: &str) -> Refinements {
        Refinements { prefix: Some(prefix.into()), ..Refinements::not_null() }
    }

    /// Whether nothing is promised.
    pub fn is_empty(&self) -> bool {
        *self == Refinements::default()
    }

    /// Whether a known, unmarked value keeps the promises.
    pub fn admits(&self, value: &Value) -> bool {
        match value.kind() {
            ValueKind::Unknown(_) => true,
            ValueKind::Null(_) => !self.not_null,
            ValueKind::String(text) => {
                self.prefix.as_ref().is_none_or(|prefix| text.starts_with(&**prefix))
            }
            ValueKind::Number(number) => {
                self.min.as_ref().is_none_or(|(min, incl)| number > min || (*incl && number == min))
                    && self
                        .max
                        .as_ref()
                        .is_none_or(|(max, incl)| number < max || (*incl && number == max))
            }
            _ => {
                let len = value.len().map(|len| len as u64);
                // A set with unknown elements may still shrink.
                let exact = value.is_wholly_known() || !matches!(value.kind(), ValueKind::Set(_));
                len.is_none_or(|len| {
                    self.len_min.is_none_or(|min| len >= min)
                        && (!exact || self.len_max.is_none_or(|max| len <= max))
                })
            }
        }
    }
}

impl Value {
    /// The same unknown with the promise not to be null; everything else stays as it is.
    pub fn refine_not_null(&self) -> Value {
        match self.kind() {
            ValueKind::Unknown(unknown)
                if !unknown.refinements.not_null && unknown.ty != Type::Dynamic =>
            {
                let refinements = Refinements { not_null: true, ..unknown.refinements.clone() };
                Value::unknown_refined(unknown.ty.clone(), refinements).with_marks(self.marks())
            }
            _ => self.clone(),
        }
    }
}

impl fmt::Debug for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown({}", self.ty)?;
        let r = &self.refinements;
        if r.not_null {
            f.write_str(", not null")?;
        }
        if let Some(prefix) = &r.prefix {
            write!(f, ", {prefix:?}…")?;
        }
        for (name, bound) in [(">", &r.min), ("<", &r.max)] {
            if let Some((number, inclusive)) = bound {
                write!(f, ", {name}{} {number}", if *inclusive { "=" } else { "" })?;
            }
        }
        if r.len_min.is_some() || r.len_max.is_some() {
            write!(
                f,
                ", length {}..{}",
                r.len_min.unwrap_or(0),
                r.len_max.map_or(String::new(), |m| m.to_string())
            )?;
        }
        f.write_str(")")
    }
}
