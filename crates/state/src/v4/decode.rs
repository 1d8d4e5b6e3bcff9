//! Attributes of a type out of JSON, straight into values.
//!
//! Unlike configurations, stored objects may be older or newer than the schema: what it lacks is
//! dropped, what the file lacks is null.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use plumb_model::value::json::{from_json_typed, parse_type};
use plumb_model::value::{Number, Type, Value};
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// Types that were read already, by their spelling: a state spells the same few again and again.
#[derive(Default)]
pub(super) struct Types(RefCell<HashMap<Box<str>, Type>>);

/// Reads `json`, of type `ty`.
pub(super) fn decode(json: &str, ty: &Type, types: &Types) -> Result<Value, String> {
    let mut from = serde_json::Deserializer::from_str(json);
    Typed { ty, types }.deserialize(&mut from).map_err(|error| {
        // Lines and columns are those of a piece that nobody sees.
        let text = error.to_string();
        text.split(" at line ").next().unwrap_or_default().to_owned()
    })
}

impl Types {
    fn get(&self, json: &str) -> Result<Type, String> {
        if let Some(ty) = self.0.borrow().get(json) {
            return Ok(ty.clone());
        }
        let ty = parse_type(json).map_err(|error| error.message)?;
        self.0.borrow_mut().insert(json.into(), ty.clone());
        Ok(ty)
    }
}

#[derive(Clone, Copy)]
struct Typed<'t> {
    ty: &'t Type,
    types: &'t Types,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Dynamic<'a> {
    #[serde(borrow)]
    value: &'a RawValue,
    #[serde(borrow, rename = "type")]
    ty: &'a RawValue,
}

impl<'de> DeserializeSeed<'de> for Typed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        match self.ty {
            // Numbers are taken from their text: floats would round them.
            Type::Number => {
                let raw = <&RawValue>::deserialize(from)?.get();
                if raw == "null" {
                    return Ok(Value::null(Type::Number));
                }
                let text = raw.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
                let number = Number::parse(text.unwrap_or(raw));
                number.map(Value::number).ok_or_else(|| D::Error::custom("a number is required"))
            }
            Type::Dynamic => {
                let raw = <&RawValue>::deserialize(from)?.get();
                if raw == "null" {
                    return Ok(Value::NULL);
                }
                let Dynamic { value, ty } = serde_json::from_str(raw).map_err(|_| {
                    D::Error::custom("a value of any type needs both `value` and `type`")
                })?;
                let ty = self.types.get(ty.get()).map_err(D::Error::custom)?;
                if ty.is_primitive() {
                    return decode(value.get(), &ty, self.types).map_err(D::Error::custom);
                }
                if ty == Type::Dynamic {
                    return Ok(Value::NULL);
                }
                from_json_typed(value.get(), &ty).map_err(|it| D::Error::custom(it.message))
            }
            _ => from.deserialize_any(self),
        }
    }
}

impl<'de> Visitor<'de> for Typed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.ty.friendly_name())
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::null(self.ty.clone()))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        match self.ty {
            Type::Bool => Ok(Value::bool(value)),
            Type::String => Ok(Value::string(if value { "true" } else { "false" })),
            _ => Err(E::invalid_type(serde::de::Unexpected::Bool(value), &self)),
        }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        match (self.ty, text) {
            (Type::String, _) => Ok(Value::string(text)),
            (Type::Bool, "true" | "1") => Ok(Value::TRUE),
            (Type::Bool, "false" | "0") => Ok(Value::FALSE),
            _ => Err(E::invalid_type(serde::de::Unexpected::Str(text), &self)),
        }
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value, E> {
        match self.ty {
            Type::String => Ok(Value::string(number.to_string())),
            _ => Err(E::invalid_type(serde::de::Unexpected::Unsigned(number), &self)),
        }
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Value, E> {
        match self.ty {
            Type::String => Ok(Value::string(number.to_string())),
            _ => Err(E::invalid_type(serde::de::Unexpected::Signed(number), &self)),
        }
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Value, E> {
        match self.ty {
            Type::String => Ok(Value::string(number.to_string())),
            _ => Err(E::invalid_type(serde::de::Unexpected::Float(number), &self)),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        match self.ty {
            Type::List(elem) | Type::Set(elem) => {
                while let Some(item) = seq.next_element_seed(Typed { ty: elem, ..self })? {
                    items.push(item);
                }
                let elem = (**elem).clone();
                Ok(match self.ty {
                    Type::List(_) => Value::list(elem, items),
                    _ => Value::set(elem, items),
                })
            }
            Type::Tuple(elems) => {
                for elem in elems.iter() {
                    let item = seq.next_element_seed(Typed { ty: elem, ..self })?;
                    items.push(item.ok_or_else(|| A::Error::invalid_length(items.len(), &self))?);
                }
                if seq.next_element::<IgnoredAny>()?.is_some() {
                    return Err(A::Error::invalid_length(elems.len() + 1, &self));
                }
                Ok(Value::tuple(items))
            }
            _ => Err(A::Error::invalid_type(serde::de::Unexpected::Seq, &self)),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        match self.ty {
            Type::Map(elem) => {
                let mut items: Vec<(Arc<str>, Value)> = Vec::new();
                while let Some(key) = map.next_key_seed(Key)? {
                    items.push((key, map.next_value_seed(Typed { ty: elem, ..self })?));
                }
                Ok(Value::map((**elem).clone(), items))
            }
            Type::Object(object) => {
                let mut items: BTreeMap<Arc<str>, Value> = BTreeMap::new();
                while let Some(found) = map.next_key_seed(Name { among: &object.attrs })? {
                    let Some((name, ty)) = found else {
                        map.next_value::<IgnoredAny>()?;
                        continue;
                    };
                    let item = map.next_value_seed(Typed { ty, ..self });
                    let item =
                        item.map_err(|error| A::Error::custom(format!("{name}: {error}")))?;
                    items.insert(name.clone(), item);
                }
                for (name, ty) in &object.attrs {
                    if !items.contains_key(name) {
                        items.insert(name.clone(), Value::null(ty.clone()));
                    }
                }
                Ok(Value::object(items))
            }
            _ => Err(A::Error::invalid_type(serde::de::Unexpected::Map, &self)),
        }
    }
}

/// A key of a map, in the normal form that strings have.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Arc<str>;
    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Arc<str>, D::Error> {
        from.deserialize_str(self)
    }
}

impl Visitor<'_> for Key {
    type Value = Arc<str>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<Arc<str>, E> {
        Ok(match Value::string(text).kind() {
            plumb_model::value::ValueKind::String(key) => key.clone(),
            _ => text.into(),
        })
    }
}

/// The name of an attribute, shared with the schema; none if the schema lacks it.
struct Name<'t> {
    among: &'t BTreeMap<Arc<str>, Type>,
}

impl<'de, 't> DeserializeSeed<'de> for Name<'t> {
    type Value = Option<(&'t Arc<str>, &'t Type)>;
    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_str(self)
    }
}

impl<'t> Visitor<'_> for Name<'t> {
    type Value = Option<(&'t Arc<str>, &'t Type)>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(self.among.get_key_value(text))
    }
}
