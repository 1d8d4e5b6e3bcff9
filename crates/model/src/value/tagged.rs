//! A lossless form for the journal and saved plans: unknowns, marks, and types of nulls included.
//!
//! One line of JSON. What JSON says by itself is written plainly: tuples are arrays, objects are
//! objects, strings, booleans, small integers, and the null of no type. Everything else is an object
//! with one name that starts with `$`:
//! `$n` number, `$z` null, `$u` unknown, `$l` list, `$s` set, `$m` map, `$o` object with such a name
//! of its own, `$!` marked value. `Serialize` and `Deserialize` of [`Value`] and [`Type`] use it too.

use std::fmt::Write;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use super::json::JsonKind;
use super::json::{
    Json, JsonError, parse, type_of, write_array, write_object, write_string, write_type,
};
use super::{Marks, Number, Refinements, Type, Value, ValueKind};

/// The lossless form, one line of JSON.
pub fn to_tagged(value: &Value) -> String {
    let mut out = String::new();
    write_tagged(value, &mut out);
    out
}

/// Appends the lossless form.
pub fn write_tagged(value: &Value, out: &mut String) {
    let marks = value.marks();
    if !marks.is_empty() {
        out.push_str("{\"$!\":[\"");
        out.push_str(&letters(marks));
        out.push_str("\",");
        write_tagged(&value.clone().unmark().0, out);
        out.push_str("]}");
        return;
    }
    // `["type", items…]` of a homogeneous collection.
    let typed =
        |tag: &str, elem: &Type, items: &mut dyn Iterator<Item = &Value>, out: &mut String| {
            let _ = write!(out, "{{\"{tag}\":[");
            write_type(elem, out);
            for item in items {
                out.push(',');
                write_tagged(item, out);
            }
            out.push_str("]}");
        };
    match value.kind() {
        ValueKind::Null(Type::Dynamic) => out.push_str("null"),
        ValueKind::Null(ty) => {
            out.push_str("{\"$z\":");
            write_type(ty, out);
            out.push('}');
        }
        ValueKind::Unknown(unknown) => {
            out.push_str("{\"$u\":[");
            write_type(&unknown.ty, out);
            if !unknown.refinements.is_empty() {
                out.push(',');
                write_refinements(&unknown.refinements, out);
            }
            out.push_str("]}");
        }
        ValueKind::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        ValueKind::Number(number) => match plain_int(number) {
            Some(int) => {
                let _ = write!(out, "{int}");
            }
            None => {
                let _ = write!(out, "{{\"$n\":\"{number}\"}}");
            }
        },
        ValueKind::String(text) => write_string(text, out),
        ValueKind::List(list) => typed("$l", &list.elem, &mut list.items.iter(), out),
        ValueKind::Set(set) => typed("$s", &set.elem, &mut set.items.iter(), out),
        ValueKind::Map(map) => {
            out.push_str("{\"$m\":[");
            write_type(&map.elem, out);
            out.push(',');
            write_object(&map.items, out, |_, item, out| write_tagged(item, out));
            out.push_str("]}");
        }
        ValueKind::Tuple(tuple) => write_array(tuple.items.iter(), out, write_tagged),
        ValueKind::Object(object) => {
            let clash = object.items.len() == 1 && object.items.keys().any(|k| k.starts_with('$'));
            if clash {
                out.push_str("{\"$o\":");
            }
            write_object(&object.items, out, |_, item, out| write_tagged(item, out));
            if clash {
                out.push('}');
            }
        }
    }
}

/// Integers that every JSON reader keeps exact.
fn plain_int(number: &Number) -> Option<i64> {
    let int = number.to_i64()?;
    (int.unsigned_abs() < (1 << 53) && !(int == 0 && number.to_string() == "-0")).then_some(int)
}

fn letters(marks: Marks) -> String {
    let mut letters = String::new();
    if marks.contains(Marks::SENSITIVE) {
        letters.push('s');
    }
    if marks.contains(Marks::EPHEMERAL) {
        letters.push('e');
    }
    letters
}

fn write_refinements(r: &Refinements, out: &mut String) {
    let mut fields: Vec<(Arc<str>, String)> = Vec::new();
    if r.not_null {
        fields.push(("nn".into(), "true".into()));
    }
    if let Some(prefix) = &r.prefix {
        let mut quoted = String::new();
        write_string(prefix, &mut quoted);
        fields.push(("pre".into(), quoted));
    }
    for (name, bound) in [("min", &r.min), ("max", &r.max)] {
        if let Some((number, inclusive)) = bound {
            fields.push((name.into(), format!("[\"{number}\",{inclusive}]")));
        }
    }
    for (name, bound) in [("lmin", r.len_min), ("lmax", r.len_max)] {
        if let Some(bound) = bound {
            fields.push((name.into(), bound.to_string()));
        }
    }
    write_object(fields.iter().map(|(k, v)| (k, v)), out, |_, text, out| out.push_str(text));
}

/// Reads the lossless form.
pub fn from_tagged(text: &str) -> Result<Value, JsonError> {
    value_of(&parse(text)?)
}

fn value_of(json: &Json) -> Result<Value, JsonError> {
    match &json.kind {
        JsonKind::Null => Ok(Value::NULL),
        JsonKind::Bool(value) => Ok(Value::bool(*value)),
        JsonKind::Number(number) => Ok(Value::number(number.clone())),
        JsonKind::String(text) => Ok(Value::string(text.as_str())),
        JsonKind::Array(items) => {
            Ok(Value::tuple(items.iter().map(value_of).collect::<Result<_, _>>()?))
        }
        JsonKind::Object(items) => match &items[..] {
            [(tag, content)] if tag.starts_with('$') => of_tag(tag, content),
            _ => Ok(Value::object(named(items)?)),
        },
    }
}

fn named(items: &[(String, Json)]) -> Result<Vec<(Arc<str>, Value)>, JsonError> {
    items.iter().map(|(name, item)| Ok((name.as_str().into(), value_of(item)?))).collect()
}

fn of_tag(tag: &str, content: &Json) -> Result<Value, JsonError> {
    match (tag, &content.kind) {
        ("$n", JsonKind::String(text)) => match Number::parse(text) {
            Some(number) => Ok(Value::number(number)),
            None => content.error("not a number"),
        },
        ("$z", _) => Ok(Value::null(type_of(content)?)),
        ("$o", JsonKind::Object(items)) => Ok(Value::object(named(items)?)),
        (_, JsonKind::Array(parts)) => match (tag, &parts[..]) {
            ("$!", [Json { kind: JsonKind::String(letters), .. }, value]) => {
                let mut marks = Marks::NONE;
                for letter in letters.chars() {
                    marks |= match letter {
                        's' => Marks::SENSITIVE,
                        'e' => Marks::EPHEMERAL,
                        _ => return content.error(format!("unknown mark {letter:?}")),
                    };
                }
                Ok(value_of(value)?.with_marks(marks))
            }
            ("$u", [ty]) => Ok(Value::unknown(type_of(ty)?)),
            ("$u", [ty, refinements]) => {
                Ok(Value::unknown_refined(type_of(ty)?, refinements_of(refinements)?))
            }
            ("$l" | "$s", [elem, items @ ..]) => {
                let elem = type_of(elem)?;
                let items: Vec<Value> = items.iter().map(value_of).collect::<Result<_, _>>()?;
                Ok(if tag == "$l" { Value::list(elem, items) } else { Value::set(elem, items) })
            }
            ("$m", [elem, Json { kind: JsonKind::Object(items), .. }]) => {
                Ok(Value::map(type_of(elem)?, named(items)?))
            }
            _ => content.error(format!("malformed value after {tag:?}")),
        },
        _ => content.error(format!("malformed value after {tag:?}")),
    }
}

fn refinements_of(json: &Json) -> Result<Refinements, JsonError> {
    let JsonKind::Object(items) = &json.kind else {
        return json.error("refinements are an object");
    };
    let mut r = Refinements::default();
    for (name, item) in items {
        let bound = || match &item.kind {
            JsonKind::Array(parts) => match &parts[..] {
                [
                    Json { kind: JsonKind::String(text), .. },
                    Json { kind: JsonKind::Bool(inclusive), .. },
                ] => Number::parse(text).map(|number| (number, *inclusive)),
                _ => None,
            },
            _ => None,
        };
        let len = || match &item.kind {
            JsonKind::Number(number) => number.to_u64(),
            _ => None,
        };
        match (&**name, &item.kind) {
            ("nn", JsonKind::Bool(not_null)) => r.not_null = *not_null,
            ("pre", JsonKind::String(prefix)) => r.prefix = Some(prefix.as_str().into()),
            ("min", _) => r.min = bound(),
            ("max", _) => r.max = bound(),
            ("lmin", _) => r.len_min = len(),
            ("lmax", _) => r.len_max = len(),
            _ => return item.error(format!("unknown refinement {name:?}")),
        }
    }
    Ok(r)
}

/// Parsed JSON passed to any serde format, so that values sit inside derived types.
impl Serialize for Json {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match &self.kind {
            JsonKind::Null => to.serialize_unit(),
            JsonKind::Bool(value) => to.serialize_bool(*value),
            JsonKind::Number(number) => match number.to_i64() {
                Some(int) => to.serialize_i64(int),
                None => to.serialize_f64(number.to_f64()),
            },
            JsonKind::String(text) => to.serialize_str(text),
            JsonKind::Array(items) => {
                let mut seq = to.serialize_seq(Some(items.len()))?;
                items.iter().try_for_each(|item| seq.serialize_element(item))?;
                seq.end()
            }
            JsonKind::Object(items) => {
                let mut map = to.serialize_map(Some(items.len()))?;
                items.iter().try_for_each(|(name, item)| map.serialize_entry(name, item))?;
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Json, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = JsonKind;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a value in the tagged form")
            }
            fn visit_unit<E>(self) -> Result<JsonKind, E> {
                Ok(JsonKind::Null)
            }
            fn visit_none<E>(self) -> Result<JsonKind, E> {
                Ok(JsonKind::Null)
            }
            fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<JsonKind, D::Error> {
                from.deserialize_any(Any)
            }
            fn visit_bool<E>(self, value: bool) -> Result<JsonKind, E> {
                Ok(JsonKind::Bool(value))
            }
            fn visit_i64<E>(self, value: i64) -> Result<JsonKind, E> {
                Ok(JsonKind::Number(value.into()))
            }
            fn visit_u64<E>(self, value: u64) -> Result<JsonKind, E> {
                Ok(JsonKind::Number(value.into()))
            }
            fn visit_str<E>(self, text: &str) -> Result<JsonKind, E> {
                Ok(JsonKind::String(text.into()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<JsonKind, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(JsonKind::Array(items))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<JsonKind, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = map.next_entry()? {
                    items.push(item);
                }
                Ok(JsonKind::Object(items))
            }
        }
        Ok(Json { offset: 0, kind: from.deserialize_any(Any)? })
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        parse(&to_tagged(self)).map_err(serde::ser::Error::custom)?.serialize(to)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Value, D::Error> {
        value_of(&Json::deserialize(from)?).map_err(|e| D::Error::custom(e.message))
    }
}

impl Serialize for Type {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        parse(&self.to_json()).map_err(serde::ser::Error::custom)?.serialize(to)
    }
}

impl<'de> Deserialize<'de> for Type {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Type, D::Error> {
        type_of(&Json::deserialize(from)?).map_err(|e| D::Error::custom(e.message))
    }
}
