//! Rust types as attribute types.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use plumb_model::value::{Number, Path, Type, Value};

use crate::DecodeError;

/// A type that an attribute can have.
pub trait Attr: Sized {
    /// The attribute's type.
    fn ty() -> Type;

    /// Reads a known value of that type.
    fn from_value(value: &Value) -> Result<Self, DecodeError>;

    /// The value, of that type.
    fn to_value(&self) -> Value;

    /// What stands for this null, if anything does. Also asked of what is not known yet.
    fn absent(null: &Value) -> Option<Self> {
        let _ = null;
        None
    }
}

/// Fails with what was found.
fn mismatch<T>(wanted: &str, value: &Value) -> Result<T, DecodeError> {
    let found = match (value.is_known(), value.is_null()) {
        (false, _) => "a value that is not known yet".to_owned(),
        (true, true) => "null".to_owned(),
        (true, false) => value.ty().friendly_name(),
    };
    Err(DecodeError::new(format!("{wanted} is required, found {found}")))
}

impl Attr for bool {
    fn ty() -> Type {
        Type::Bool
    }
    fn from_value(value: &Value) -> Result<bool, DecodeError> {
        value.as_bool().map_or_else(|| mismatch("a bool", value), Ok)
    }
    fn to_value(&self) -> Value {
        Value::bool(*self)
    }
}

macro_rules! integers {
    ($($int:ty)*) => {$(
        impl Attr for $int {
            fn ty() -> Type {
                Type::Number
            }
            fn from_value(value: &Value) -> Result<$int, DecodeError> {
                let Some(number) = value.as_number() else { return mismatch("a number", value) };
                let small = number.to_i64().and_then(|it| <$int>::try_from(it).ok());
                small.or_else(|| number.to_u64().and_then(|it| <$int>::try_from(it).ok())).ok_or_else(
                    || DecodeError::new(format!(
                        "a whole number from {} to {} is required, found {number}",
                        <$int>::MIN,
                        <$int>::MAX,
                    )),
                )
            }
            fn to_value(&self) -> Value {
                Value::number(*self)
            }
        }
    )*};
}
integers!(i64 u64 i32 u32 u16 u8);

impl Attr for f64 {
    fn ty() -> Type {
        Type::Number
    }
    fn from_value(value: &Value) -> Result<f64, DecodeError> {
        value.as_number().map(Number::to_f64).map_or_else(|| mismatch("a number", value), Ok)
    }
    fn to_value(&self) -> Value {
        // The language has no NaN; there is nothing truer to say than that it has no value.
        Number::from_f64(*self).map_or_else(|| Value::null(Type::Number), Value::number)
    }
}

impl Attr for String {
    fn ty() -> Type {
        Type::String
    }
    fn from_value(value: &Value) -> Result<String, DecodeError> {
        value.as_str().map(str::to_owned).map_or_else(|| mismatch("a string", value), Ok)
    }
    fn to_value(&self) -> Value {
        Value::string(self.as_str())
    }
}

impl Attr for Arc<str> {
    fn ty() -> Type {
        Type::String
    }
    fn from_value(value: &Value) -> Result<Arc<str>, DecodeError> {
        value.as_str().map(Arc::from).map_or_else(|| mismatch("a string", value), Ok)
    }
    fn to_value(&self) -> Value {
        Value::string(&**self)
    }
}

/// An attribute of any type. Null and unknown are passed on as they are.
impl Attr for Value {
    fn ty() -> Type {
        Type::Dynamic
    }
    fn from_value(value: &Value) -> Result<Value, DecodeError> {
        Ok(value.clone())
    }
    fn to_value(&self) -> Value {
        self.clone()
    }
    fn absent(null: &Value) -> Option<Value> {
        Some(null.clone())
    }
}

impl<T: Attr> Attr for Option<T> {
    fn ty() -> Type {
        T::ty()
    }
    fn from_value(value: &Value) -> Result<Option<T>, DecodeError> {
        if value.is_null() { Ok(None) } else { T::from_value(value).map(Some) }
    }
    fn to_value(&self) -> Value {
        self.as_ref().map_or_else(|| Value::null(T::ty()), T::to_value)
    }
    fn absent(_: &Value) -> Option<Option<T>> {
        Some(None)
    }
}

impl<T: Attr> Attr for Vec<T> {
    fn ty() -> Type {
        Type::list(T::ty())
    }
    fn from_value(value: &Value) -> Result<Vec<T>, DecodeError> {
        let Some(items) = value.as_slice() else { return mismatch("a list", value) };
        let items = items.iter().enumerate().map(|(index, item)| {
            let within = |error: DecodeError| error.within(Path::default().index(index as i64));
            T::from_value(item).map_err(within)
        });
        items.collect()
    }
    fn to_value(&self) -> Value {
        Value::list(T::ty(), self.iter().map(T::to_value).collect())
    }
    fn absent(_: &Value) -> Option<Vec<T>> {
        Some(Vec::new())
    }
}

impl<T: Attr + Ord> Attr for BTreeSet<T> {
    fn ty() -> Type {
        Type::set(T::ty())
    }
    fn from_value(value: &Value) -> Result<BTreeSet<T>, DecodeError> {
        let Some(items) = value.as_slice() else { return mismatch("a set", value) };
        let within =
            |item: &Value, error: DecodeError| error.within(Path::default().index(item.clone()));
        let items =
            items.iter().map(|item| T::from_value(item).map_err(|error| within(item, error)));
        items.collect()
    }
    fn to_value(&self) -> Value {
        Value::set(T::ty(), self.iter().map(T::to_value).collect())
    }
    fn absent(_: &Value) -> Option<BTreeSet<T>> {
        Some(BTreeSet::new())
    }
}

impl<T: Attr> Attr for BTreeMap<String, T> {
    fn ty() -> Type {
        Type::map(T::ty())
    }
    fn from_value(value: &Value) -> Result<BTreeMap<String, T>, DecodeError> {
        let Some(items) = value.as_map() else { return mismatch("a map", value) };
        let items = items.iter().map(|(key, item)| {
            let within = |error: DecodeError| error.within(Path::default().index(&**key));
            Ok((key.to_string(), T::from_value(item).map_err(within)?))
        });
        items.collect()
    }
    fn to_value(&self) -> Value {
        let items = self.iter().map(|(key, item)| (key.as_str(), item.to_value()));
        Value::map(T::ty(), items)
    }
    fn absent(_: &Value) -> Option<BTreeMap<String, T>> {
        Some(BTreeMap::new())
    }
}
