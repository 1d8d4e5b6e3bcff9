//! Values: what expressions evaluate to and what attributes hold.
//!
//! A [`Value`] is small and immutable; a clone shares. Anywhere in it there may be a null of some
//! type, an unknown (known only after apply, perhaps with [`Refinements`]), and [`Marks`]. Every
//! collection knows whether something unknown or marked is inside, so asking costs nothing.
//!
//! Left out here: operators and functions (the language's), and files (the state's).

pub mod convert;
mod defaults;
mod equals;
pub mod json;
mod marks;
mod number;
mod path;
mod refinements;
mod set;
pub mod tagged;
mod types;
mod unify;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

pub use convert::{ConvertError, can_convert, convert};
pub use defaults::Defaults;
pub use equals::equals;
pub use marks::Marks;
pub use number::Number;
pub use path::{Path, Step};
pub use refinements::{Refinements, Unknown};
pub use types::{ObjectType, Type};
pub use unify::{unify, unify_safe};

/// An immutable value. Equality and order are structural and include marks; the language's `==` is
/// [`equals`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Value {
    kind: ValueKind,
    marks: Marks,
}

/// The shapes of a value, to match on.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ValueKind {
    /// No value, of a type.
    Null(Type),
    /// A value that is known only later.
    Unknown(Arc<Unknown>),
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A string in normal form C.
    String(Arc<str>),
    /// Elements of one type, in order.
    List(Arc<List>),
    /// Distinct elements of one type, in canonical order.
    Set(Arc<List>),
    /// Elements of one type by key.
    Map(Arc<Map>),
    /// Elements of their own types.
    Tuple(Arc<Tuple>),
    /// Attributes of their own types.
    Object(Arc<Object>),
}

/// What is somewhere inside a collection.
#[derive(Clone, Copy, Default)]
struct Inside {
    marks: Marks,
    unknown: bool,
}

impl Inside {
    fn of<'a>(values: impl Iterator<Item = &'a Value>) -> Inside {
        values.fold(Inside::default(), |inside, value| Inside {
            marks: inside.marks | value.marks_deep(),
            unknown: inside.unknown || !value.is_wholly_known(),
        })
    }
}

macro_rules! collection {
    ($(#[$doc:meta])* $name:ident { $($field:ident : $ty:ty),* ; $($cache:ident)? }) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name {
            $($field: $ty,)*
            $($cache: OnceLock<Type>,)?
            inside: Inside,
        }
        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                std::ptr::eq(self, other) || ($(self.$field == other.$field)&&*)
            }
        }
        impl Eq for $name {}
        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
                Some(self.cmp(other))
            }
        }
        impl Ord for $name {
            fn cmp(&self, other: &Self) -> std::cmp::Ordering {
                std::cmp::Ordering::Equal$(.then_with(|| self.$field.cmp(&other.$field)))*
            }
        }
        impl std::hash::Hash for $name {
            fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
                $(self.$field.hash(state);)*
            }
        }
    };
}

collection! {
    /// The content of a list or set.
    List { items: Vec<Value>, elem: Type ; }
}
collection! {
    /// The content of a map.
    Map { items: BTreeMap<Arc<str>, Value>, elem: Type ; }
}
collection! {
    /// The content of a tuple.
    Tuple { items: Vec<Value> ; ty }
}
collection! {
    /// The content of an object.
    Object { items: BTreeMap<Arc<str>, Value> ; ty }
}

impl Value {
    /// `true`.
    pub const TRUE: Value = Value { kind: ValueKind::Bool(true), marks: Marks::NONE };
    /// `false`.
    pub const FALSE: Value = Value { kind: ValueKind::Bool(false), marks: Marks::NONE };
    /// The null whose type nothing has said yet.
    pub const NULL: Value = Value { kind: ValueKind::Null(Type::Dynamic), marks: Marks::NONE };

    fn of(kind: ValueKind) -> Value {
        Value { kind, marks: Marks::NONE }
    }

    /// A boolean.
    pub fn bool(value: bool) -> Value {
        Value::of(ValueKind::Bool(value))
    }

    /// A number.
    pub fn number(value: impl Into<Number>) -> Value {
        Value::of(ValueKind::Number(value.into()))
    }

    /// A string; it is put into normal form C.
    pub fn string<'a>(value: impl Into<Cow<'a, str>>) -> Value {
        let value = value.into();
        Value::of(ValueKind::String(match is_nfc_quick(value.chars()) {
            IsNormalized::Yes => value.into(),
            IsNormalized::No | IsNormalized::Maybe => value.nfc().collect::<String>().into(),
        }))
    }

    /// A string that is shared; it must be in normal form C (attribute names and keys of values are).
    pub fn shared_string(value: &Arc<str>) -> Value {
        Value::of(ValueKind::String(value.clone()))
    }

    /// A null of a type.
    pub fn null(ty: Type) -> Value {
        Value::of(ValueKind::Null(ty))
    }

    /// A value of a type that will be known later.
    pub fn unknown(ty: Type) -> Value {
        Value::unknown_refined(ty, Refinements::default())
    }

    /// A value of any type that will be known later.
    pub fn dynamic() -> Value {
        Value::unknown(Type::Dynamic)
    }

    /// A value that will be known later, and of which something is known already.
    pub fn unknown_refined(ty: Type, refinements: Refinements) -> Value {
        Value::of(ValueKind::Unknown(Arc::new(Unknown { ty, refinements })))
    }

    /// A list. The elements must be of the element type (or it is `Dynamic`, then the first one's).
    pub fn list(elem: Type, items: Vec<Value>) -> Value {
        let elem = element_type(elem, items.first());
        let inside = Inside::of(items.iter());
        Value::of(ValueKind::List(Arc::new(List { items, elem, inside })))
    }

    /// A set: sorted, without duplicates. Marks of elements move to the set, as it cannot tell them
    /// apart otherwise.
    pub fn set(elem: Type, items: Vec<Value>) -> Value {
        let elem = element_type(elem, items.first());
        let marks = Inside::of(items.iter()).marks;
        let mut items = items;
        if !marks.is_empty() {
            items = items.iter().map(Value::unmark_deep).collect();
        }
        let items = set::canonical(items);
        let inside = Inside::of(items.iter());
        Value::of(ValueKind::Set(Arc::new(List { items, elem, inside }))).with_marks(marks)
    }

    /// A map. The elements must be of the element type (or it is `Dynamic`, then the first one's).
    pub fn map<K: Into<Arc<str>>>(
        elem: Type,
        items: impl IntoIterator<Item = (K, Value)>,
    ) -> Value {
        let items: BTreeMap<Arc<str>, Value> =
            items.into_iter().map(|(key, value)| (key.into(), value)).collect();
        let elem = element_type(elem, items.values().next());
        let inside = Inside::of(items.values());
        Value::of(ValueKind::Map(Arc::new(Map { items, elem, inside })))
    }

    /// A tuple.
    pub fn tuple(items: Vec<Value>) -> Value {
        let inside = Inside::of(items.iter());
        Value::of(ValueKind::Tuple(Arc::new(Tuple { items, ty: OnceLock::new(), inside })))
    }

    /// An object.
    pub fn object<K: Into<Arc<str>>>(items: impl IntoIterator<Item = (K, Value)>) -> Value {
        let items: BTreeMap<Arc<str>, Value> =
            items.into_iter().map(|(name, value)| (name.into(), value)).collect();
        let inside = Inside::of(items.values());
        Value::of(ValueKind::Object(Arc::new(Object { items, ty: OnceLock::new(), inside })))
    }

    /// The shape, to match on. Marks are not part of it.
    pub fn kind(&self) -> &ValueKind {
        &self.kind
    }

    /// The type.
    pub fn ty(&self) -> Type {
        match &self.kind {
            ValueKind::Null(ty) => ty.clone(),
            ValueKind::Unknown(unknown) => unknown.ty.clone(),
            ValueKind::Bool(_) => Type::Bool,
            ValueKind::Number(_) => Type::Number,
            ValueKind::String(_) => Type::String,
            ValueKind::List(list) => Type::list(list.elem.clone()),
            ValueKind::Set(set) => Type::set(set.elem.clone()),
            ValueKind::Map(map) => Type::map(map.elem.clone()),
            ValueKind::Tuple(tuple) => {
                tuple.ty.get_or_init(|| Type::tuple(tuple.items.iter().map(Value::ty))).clone()
            }
            ValueKind::Object(object) => object
                .ty
                .get_or_init(|| {
                    Type::object(object.items.iter().map(|(name, v)| (name.clone(), v.ty())))
                })
                .clone(),
        }
    }

    /// The text of a known string.
    pub fn as_str(&self) -> Option<&str> {
        match &self.kind {
            ValueKind::String(text) => Some(text),
            _ => None,
        }
    }

    /// A known boolean.
    pub fn as_bool(&self) -> Option<bool> {
        match &self.kind {
            ValueKind::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// A known number.
    pub fn as_number(&self) -> Option<&Number> {
        match &self.kind {
            ValueKind::Number(number) => Some(number),
            _ => None,
        }
    }

    /// A known number that is an `i64`.
    pub fn as_i64(&self) -> Option<i64> {
        self.as_number().and_then(Number::to_i64)
    }

    /// The elements of a known list, set, or tuple.
    pub fn as_slice(&self) -> Option<&[Value]> {
        match &self.kind {
            ValueKind::List(list) | ValueKind::Set(list) => Some(&list.items),
            ValueKind::Tuple(tuple) => Some(&tuple.items),
            _ => None,
        }
    }

    /// The elements of a known map or object.
    pub fn as_map(&self) -> Option<&BTreeMap<Arc<str>, Value>> {
        match &self.kind {
            ValueKind::Map(map) => Some(&map.items),
            ValueKind::Object(object) => Some(&object.items),
            _ => None,
        }
    }

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        matches!(self.kind, ValueKind::Null(_))
    }

    /// Whether it is known (its elements may not be). A null is known.
    pub fn is_known(&self) -> bool {
        !matches!(self.kind, ValueKind::Unknown(_))
    }

    /// Whether it and everything in it is known. O(1).
    pub fn is_wholly_known(&self) -> bool {
        self.is_known() && !self.inside().unknown
    }

    /// Known and not null: there is something to look at.
    pub fn is_present(&self) -> bool {
        self.is_known() && !self.is_null()
    }

    /// Whether it can be told now that it is not null.
    pub fn is_definitely_not_null(&self) -> bool {
        match &self.kind {
            ValueKind::Null(_) => false,
            ValueKind::Unknown(unknown) => unknown.refinements.not_null,
            _ => true,
        }
    }

    /// The unknown's type and refinements.
    pub fn as_unknown(&self) -> Option<&Unknown> {
        match &self.kind {
            ValueKind::Unknown(unknown) => Some(unknown),
            _ => None,
        }
    }

    /// Number of elements of a known collection, tuple, or object.
    pub fn len(&self) -> Option<usize> {
        self.as_slice().map(<[Value]>::len).or_else(|| self.as_map().map(BTreeMap::len))
    }

    /// Whether it is a known collection, tuple, or object without elements.
    pub fn is_empty(&self) -> bool {
        self.len() == Some(0)
    }

    /// An attribute of a known object, or an element of a known map, without the parent's marks.
    pub fn get_attr(&self, name: &str) -> Option<&Value> {
        self.as_map()?.get(name)
    }

    /// An element of a known list or tuple, without the parent's marks.
    pub fn get_index(&self, index: usize) -> Option<&Value> {
        match &self.kind {
            ValueKind::Set(_) => None,
            _ => self.as_slice()?.get(index),
        }
    }

    /// Keys and elements of a known collection, tuple, or object, as `for` sees them: an index, a
    /// key, or, in a set, the element itself. Empty for everything else.
    pub fn elements(&self) -> impl Iterator<Item = (Value, &Value)> {
        let is_set = matches!(self.kind, ValueKind::Set(_));
        let slice = self
            .as_slice()
            .unwrap_or_default()
            .iter()
            .enumerate()
            .map(move |(i, v)| (if is_set { v.clone() } else { Value::number(i) }, v));
        let map = self.as_map().into_iter().flatten();
        slice.chain(map.map(|(key, value)| (Value::shared_string(key), value)))
    }

    /// The elements of a known collection, tuple, or object.
    pub fn values(&self) -> impl Iterator<Item = &Value> {
        let slice = self.as_slice().unwrap_or_default().iter();
        slice.chain(self.as_map().into_iter().flat_map(BTreeMap::values))
    }

    fn inside(&self) -> Inside {
        match &self.kind {
            ValueKind::List(list) | ValueKind::Set(list) => list.inside,
            ValueKind::Map(map) => map.inside,
            ValueKind::Tuple(tuple) => tuple.inside,
            ValueKind::Object(object) => object.inside,
            _ => Inside::default(),
        }
    }

    /// The same collection with every element replaced. Types of elements must stay as they are,
    /// except in tuples and objects.
    pub fn map_items(&self, change: impl FnMut(&Value) -> Value) -> Value {
        self.with_items(self.values().map(change).collect())
    }

    /// The same collection over other elements, in the order of [`Value::values`]; the marks stay.
    /// Types of elements must stay as they are, except in tuples and objects.
    fn with_items(&self, items: Vec<Value>) -> Value {
        let keyed = |old: &BTreeMap<Arc<str>, Value>,
                     items: Vec<Value>|
         -> Vec<(Arc<str>, Value)> { old.keys().cloned().zip(items).collect() };
        let value = match &self.kind {
            ValueKind::List(list) => Value::list(list.elem.clone(), items),
            ValueKind::Set(set) => Value::set(set.elem.clone(), items),
            ValueKind::Tuple(_) => Value::tuple(items),
            ValueKind::Map(map) => Value::map(map.elem.clone(), keyed(&map.items, items)),
            ValueKind::Object(object) => Value::object(keyed(&object.items, items)),
            _ => return self.clone(),
        };
        value.with_marks(self.marks)
    }
}

fn element_type(elem: Type, first: Option<&Value>) -> Type {
    match (elem, first) {
        (Type::Dynamic, Some(first)) => first.ty(),
        (elem, _) => elem,
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Value {
        Value::bool(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Value {
        Value::string(value)
    }
}

impl From<String> for Value {
    fn from(value: String) -> Value {
        Value::string(value)
    }
}

impl From<Number> for Value {
    fn from(value: Number) -> Value {
        Value::number(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Value {
        Value::number(value)
    }
}

/// Concise, close to the language: `{a = ["x", unknown(string)]}`; sensitive content is shown.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list =
            |f: &mut fmt::Formatter<'_>, items: &[Value]| f.debug_list().entries(items).finish();
        let map = |f: &mut fmt::Formatter<'_>, items: &BTreeMap<Arc<str>, Value>| {
            f.write_str("{")?;
            for (i, (key, value)) in items.iter().enumerate() {
                write!(f, "{}{key} = {value:?}", if i > 0 { ", " } else { "" })?;
            }
            f.write_str("}")
        };
        if !self.marks.is_empty() {
            write!(f, "{:?}(", self.marks)?;
        }
        match &self.kind {
            ValueKind::Null(Type::Dynamic) => f.write_str("null"),
            ValueKind::Null(ty) => write!(f, "null({ty})"),
            ValueKind::Unknown(unknown) => write!(f, "{unknown:?}"),
            ValueKind::Bool(value) => write!(f, "{value}"),
            ValueKind::Number(number) => write!(f, "{number}"),
            ValueKind::String(text) => write!(f, "{text:?}"),
            ValueKind::List(items) => {
                f.write_str("list")?;
                list(f, &items.items)
            }
            ValueKind::Set(items) => {
                f.write_str("set")?;
                list(f, &items.items)
            }
            ValueKind::Tuple(items) => list(f, &items.items),
            ValueKind::Map(items) => {
                f.write_str("map")?;
                map(f, &items.items)
            }
            ValueKind::Object(items) => map(f, &items.items),
        }?;
        if self.marks.is_empty() { Ok(()) } else { f.write_str(")") }
    }
}

const _: () = assert!(size_of::<Value>() <= 32, "values are copied everywhere: keep them small");

#[cfg(test)]
mod tests;
