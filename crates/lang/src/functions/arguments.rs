//! Parameters, and taking arguments apart.

use plumb_model::value::{Number, Type, Value};

use super::{Fault, blame, fail};

/// One parameter: what it converts to, and which special values its function deals with.
pub struct Param {
    /// The name messages use.
    pub name: &'static str,
    /// What arguments are converted to.
    pub kind: Kind,
    /// Null is not refused.
    pub takes_null: bool,
    /// An unknown argument does not make the result unknown at once.
    pub takes_unknown: bool,
    /// Neither does a known collection with unknown elements.
    pub takes_partial: bool,
    /// The function sees marks and puts them where they belong.
    pub takes_marks: bool,
    /// Neither does an argument whose type is not known.
    pub takes_dynamic: bool,
}

/// The types that parameters and results have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Anything, as it is.
    Any,
    /// `bool`.
    Bool,
    /// `number`.
    Number,
    /// `string`.
    String,
    /// `list(any)`.
    List,
    /// `list(bool)`.
    Bools,
    /// `list(number)`.
    Numbers,
    /// `list(string)`.
    Strings,
    /// `set(any)`.
    Set,
    /// `map(list(string))`.
    StringsByKey,
}

impl Kind {
    /// The type.
    pub fn ty(self) -> Type {
        match self {
            Kind::Any => Type::Dynamic,
            Kind::Bool => Type::Bool,
            Kind::Number => Type::Number,
            Kind::String => Type::String,
            Kind::List => Type::list(Type::Dynamic),
            Kind::Bools => Type::list(Type::Bool),
            Kind::Numbers => Type::list(Type::Number),
            Kind::Strings => Type::list(Type::String),
            Kind::Set => Type::set(Type::Dynamic),
            Kind::StringsByKey => Type::map(Type::list(Type::String)),
        }
    }
}

impl Param {
    pub(super) const fn new(name: &'static str, kind: Kind) -> Param {
        Param {
            name,
            kind,
            takes_null: false,
            takes_unknown: false,
            takes_partial: false,
            takes_marks: false,
            takes_dynamic: false,
        }
    }

    pub(super) const fn null(self) -> Param {
        Param { takes_null: true, ..self }
    }

    pub(super) const fn partial(self) -> Param {
        Param { takes_partial: true, ..self }
    }

    pub(super) const fn unknown(self) -> Param {
        Param { takes_unknown: true, takes_partial: true, ..self }
    }

    pub(super) const fn marks(self) -> Param {
        Param { takes_marks: true, ..self }
    }

    pub(super) const fn dynamic(self) -> Param {
        Param { takes_dynamic: true, ..self }
    }

    /// Sees whatever is given.
    pub(super) const fn anything(self) -> Param {
        self.null().unknown().marks().dynamic()
    }
}

pub(super) const fn any(name: &'static str) -> Param {
    Param::new(name, Kind::Any)
}

pub(super) const fn string(name: &'static str) -> Param {
    Param::new(name, Kind::String)
}

pub(super) const fn number(name: &'static str) -> Param {
    Param::new(name, Kind::Number)
}

/// A string argument; the wrapper has converted it.
pub(super) fn text(args: &[Value], i: usize) -> &str {
    args[i].as_str().unwrap_or_else(|| unreachable!("a string parameter holds a string"))
}

/// A number argument; the wrapper has converted it.
pub(super) fn num(args: &[Value], i: usize) -> &Number {
    args[i].as_number().unwrap_or_else(|| unreachable!("a number parameter holds a number"))
}

const WHOLE: &str =
    "value must be a whole number, between -9223372036854775808 and 9223372036854775807";

/// A number argument that must be an `i64`.
pub(super) fn int(args: &[Value], i: usize) -> Result<i64, Fault> {
    match num(args, i).to_i64() {
        Some(int) => Ok(int),
        None => fail(WHOLE),
    }
}

/// As [`int`], with a word for the argument in front of the message.
pub(super) fn int_named(args: &[Value], i: usize, what: &str) -> Result<i64, Fault> {
    match num(args, i).to_i64() {
        Some(int) => Ok(int),
        None => fail(format!("{what}: {WHOLE}")),
    }
}

/// As [`int`], blaming the argument.
pub(super) fn int_blamed(args: &[Value], i: usize) -> Result<i64, Fault> {
    match num(args, i).to_i64() {
        Some(int) => Ok(int),
        None => blame(i, WHOLE),
    }
}

/// A list of strings; the wrapper has converted it, but its elements may be null.
pub(super) fn strings(value: &Value) -> impl Iterator<Item = Option<&str>> {
    value.as_slice().unwrap_or_default().iter().map(Value::as_str)
}

/// `list(string)`.
pub(super) fn list_of_strings<T: Into<String>>(items: impl IntoIterator<Item = T>) -> Value {
    Value::list(Type::String, items.into_iter().map(|item| Value::string(item.into())).collect())
}
