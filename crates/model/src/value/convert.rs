//! Conversion between types, by the language's rules and with its messages.
//!
//! Safe conversions cannot fail or lose anything that matters (number to string, tuple to list);
//! unsafe ones may fail for single values (string to number) or lose order or attributes.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::unify::unify_with;
use super::{Number, ObjectType, Path, Refinements, Step, Type, Value, ValueKind};

/// Why a value does not convert.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConvertError {
    /// Where in the value.
    pub path: Path,
    /// What is wrong there: `a number is required`.
    pub message: String,
}

impl fmt::Display for ConvertError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ConvertError {}

/// The value as one of the type, if the language converts it. Marks stay where they are; optional
/// attributes that are missing become null.
pub fn convert(value: &Value, to: &Type) -> Result<Value, ConvertError> {
    if conforms(value, to) {
        return Ok(value.clone());
    }
    // Building the type of a structure costs more than converting it; only a failure needs it.
    converted(value, to, &mut Path::default()).map_err(|error| {
        let from = value.ty();
        if convertible(&from, to, true) {
            return error;
        }
        ConvertError { path: Path::default(), message: mismatch(&from, to) }
    })
}

/// Whether conversion would change nothing.
fn conforms(value: &Value, to: &Type) -> bool {
    match (&value.kind, to) {
        (_, Type::Dynamic)
        | (ValueKind::String(_), Type::String)
        | (ValueKind::Bool(_), Type::Bool)
        | (ValueKind::Number(_), Type::Number) => true,
        (ValueKind::Null(ty), to) => ty == to,
        (ValueKind::Unknown(unknown), to) => unknown.ty == *to,
        (ValueKind::List(list), Type::List(to)) | (ValueKind::Set(list), Type::Set(to)) => {
            **to == Type::Dynamic || list.elem == **to
        }
        (ValueKind::Map(map), Type::Map(to)) => **to == Type::Dynamic || map.elem == **to,
        (ValueKind::Tuple(tuple), Type::Tuple(to)) => {
            tuple.items.len() == to.len()
                && tuple.items.iter().zip(to.iter()).all(|(item, to)| conforms(item, to))
        }
        (ValueKind::Object(object), Type::Object(to)) => {
            object.items.len() == to.attrs.len()
                && object
                    .items
                    .iter()
                    .zip(&to.attrs)
                    .all(|((name, item), (wanted, to))| name == wanted && conforms(item, to))
        }
        _ => false,
    }
}

/// Whether values of one type can convert to the other; single values may still fail to.
pub fn can_convert(from: &Type, to: &Type) -> bool {
    convertible(from, to, true)
}

/// Whether a conversion exists; if not `lossy`, one that succeeds for every value.
pub(super) fn convertible(from: &Type, to: &Type, lossy: bool) -> bool {
    let go = |from: &Type, to: &Type| convertible(from, to, lossy);
    match (from, to) {
        (_, Type::Dynamic) | (Type::Dynamic, _) => true,
        (Type::Number | Type::Bool | Type::String, Type::String) => true,
        (Type::String, Type::Number | Type::Bool) => lossy,
        (Type::Bool, Type::Bool) | (Type::Number, Type::Number) => true,
        (Type::List(from) | Type::Set(from), Type::List(to)) => go(from, to),
        (Type::Set(from), Type::Set(to)) | (Type::Map(from), Type::Map(to)) => go(from, to),
        (Type::List(from), Type::Set(to)) => lossy && go(from, to),
        (Type::Tuple(elems), Type::List(to)) => all_convert(elems.iter(), to, lossy),
        (Type::Tuple(elems), Type::Set(to)) => lossy && all_convert(elems.iter(), to, lossy),
        (Type::Object(object), Type::Map(to)) => all_convert(object.attrs.values(), to, lossy),
        (Type::Map(from), Type::Object(to)) => lossy && to.attrs.values().all(|to| go(from, to)),
        (Type::Tuple(from), Type::Tuple(to)) => {
            from.len() == to.len() && from.iter().zip(to.iter()).all(|(from, to)| go(from, to))
        }
        (Type::Object(from), Type::Object(to)) => {
            to.attrs.iter().all(|(name, to_attr)| match from.attrs.get(name) {
                Some(from_attr) => go(from_attr, to_attr),
                None => to.optional.contains(name),
            })
        }
        _ => false,
    }
}

fn all_convert<'a>(elems: impl Iterator<Item = &'a Type> + Clone, to: &Type, lossy: bool) -> bool {
    if *to == Type::Dynamic {
        let elems: Vec<Type> = elems.cloned().collect();
        return match unify_with(&elems, lossy) {
            None => elems.is_empty(),
            Some(Type::Dynamic) => elems.iter().all(|elem| *elem == Type::Dynamic),
            Some(_) => true,
        };
    }
    elems.into_iter().all(|elem| convertible(elem, to, lossy))
}

/// Converts, and fails wherever [`convertible`] says that the types do not allow it.
fn converted(value: &Value, to: &Type, path: &mut Path) -> Result<Value, ConvertError> {
    let fail = |path: &Path, message: &str| {
        Err(ConvertError { path: path.clone(), message: message.into() })
    };
    // What stands for values that are not here is checked by its type.
    let absent = match &value.kind {
        ValueKind::Null(from) => convertible(from, to, true),
        ValueKind::Unknown(unknown) => convertible(&unknown.ty, to, true),
        ValueKind::List(list) | ValueKind::Set(list) => {
            to.element().is_none_or(|to| convertible(&list.elem, to, true))
        }
        ValueKind::Map(map) => match to {
            Type::Map(to) => convertible(&map.elem, to, true),
            Type::Object(to) => to.attrs.values().all(|to| convertible(&map.elem, to, true)),
            _ => true,
        },
        _ => true,
    };
    if !absent {
        return fail(path, &mismatch(&value.ty(), to));
    }
    let result = match (&value.kind, to) {
        (_, Type::Dynamic) => return Ok(value.clone()),
        (ValueKind::Null(from), _) => Value::null(replace_dynamic(from, &to.without_optional())),
        (ValueKind::Unknown(unknown), _) => {
            let to = replace_dynamic(&unknown.ty, &to.without_optional());
            let refinements = refinements_after(&unknown.refinements, &unknown.ty, &to);
            Value::unknown_refined(to, refinements)
        }
        (ValueKind::String(_), Type::String)
        | (ValueKind::Bool(_), Type::Bool)
        | (ValueKind::Number(_), Type::Number) => return Ok(value.clone()),
        (ValueKind::Number(number), Type::String) => Value::string(number.to_string()),
        (ValueKind::Bool(value), Type::String) => {
            Value::string(if *value { "true" } else { "false" })
        }
        (ValueKind::String(text), Type::Number) => match Number::parse(text) {
            Some(number) => Value::number(number),
            None => return fail(path, "a number is required"),
        },
        (ValueKind::String(text), Type::Bool) => match &**text {
            "true" | "1" => Value::TRUE,
            "false" | "0" => Value::FALSE,
            "True" | "TRUE" => {
                return fail(
                    path,
                    "a bool is required; to convert from string, use lowercase \"true\"",
                );
            }
            "False" | "FALSE" => {
                return fail(
                    path,
                    "a bool is required; to convert from string, use lowercase \"false\"",
                );
            }
            _ => return fail(path, "a bool is required"),
        },
        (
            ValueKind::List(_) | ValueKind::Set(_) | ValueKind::Tuple(_),
            Type::List(elem) | Type::Set(elem),
        ) => {
            let is_list = matches!(to, Type::List(_));
            let items = value.as_slice().unwrap_or_default();
            let (elem, items) = homogeneous(value, items.iter(), elem, path, || {
                let noun = if is_list { "list" } else { "set" };
                format!("all {noun} elements must have the same type")
            })?;
            if is_list { Value::list(elem, items) } else { Value::set(elem, items) }
        }
        (ValueKind::Map(_) | ValueKind::Object(_), Type::Map(elem)) => {
            let old = value.as_map().cloned().unwrap_or_default();
            let (elem, items) = homogeneous(value, old.values(), elem, path, || {
                "all map elements must have the same type".into()
            })?;
            Value::map(elem, old.into_keys().zip(items))
        }
        (ValueKind::Tuple(tuple), Type::Tuple(to)) if tuple.items.len() == to.len() => {
            let mut items = Vec::with_capacity(tuple.items.len());
            for (i, (item, to)) in tuple.items.iter().zip(to.iter()).enumerate() {
                path.push(Step::Index(Value::number(i)));
                items.push(converted(item, to, path)?);
                path.pop();
            }
            Value::tuple(items)
        }
        (ValueKind::Map(_) | ValueKind::Object(_), Type::Object(to)) => {
            let is_map = matches!(value.kind, ValueKind::Map(_));
            let mut attrs: BTreeMap<Arc<str>, Value> = BTreeMap::new();
            for (name, to_attr) in &to.attrs {
                let attr = match value.get_attr(name) {
                    Some(attr) => {
                        path.push(if is_map {
                            Step::Index(Value::shared_string(name))
                        } else {
                            Step::Attr(name.clone())
                        });
                        let attr = converted(attr, to_attr, path)?;
                        path.pop();
                        attr
                    }
                    None if to.optional.contains(name) => Value::null(to_attr.without_optional()),
                    None => {
                        return fail(
                            path,
                            &format!("map has no element for required attribute {name:?}"),
                        );
                    }
                };
                attrs.insert(name.clone(), attr);
            }
            Value::object(attrs)
        }
        _ => return fail(path, &mismatch(&value.ty(), to)),
    };
    Ok(result.with_marks(value.marks))
}

/// Converts elements to one element type; where that leaves something open, unifies what they are.
fn homogeneous<'a>(
    parent: &Value,
    items: impl Iterator<Item = &'a Value>,
    elem: &Type,
    path: &mut Path,
    mixed: impl Fn() -> String,
) -> Result<(Type, Vec<Value>), ConvertError> {
    let in_set = matches!(parent.kind, ValueKind::Set(_));
    let keys = parent.as_map().map(|map| map.keys().collect::<Vec<_>>());
    let mut out = Vec::with_capacity(items.size_hint().0);
    for (i, item) in items.enumerate() {
        path.push(Step::Index(match &keys {
            Some(keys) => Value::shared_string(keys[i]),
            None if in_set => item.clone(),
            None => Value::number(i),
        }));
        out.push(match &item.kind {
            // What an element is not told now may be told by its siblings.
            ValueKind::Null(Type::Dynamic) if *elem == Type::Dynamic => item.clone(),
            _ => converted(item, elem, path)?,
        });
        path.pop();
    }
    let elem = elem.without_optional();
    if !elem.has_dynamic() {
        return Ok((elem, out));
    }
    if out.is_empty() {
        let from = parent.ty();
        let elem = from.element().map_or(elem.clone(), |from| replace_dynamic(from, &elem));
        return Ok((elem, out));
    }
    let mut types: Vec<Type> = out.iter().map(Value::ty).collect();
    types.sort_unstable();
    types.dedup();
    let Some(common) =
        unify_with(&types, true).filter(|common| *common != Type::Dynamic || types.len() == 1)
    else {
        return Err(ConvertError { path: path.clone(), message: mixed() });
    };
    if types.len() > 1 {
        for item in &mut out {
            *item = converted(item, &common, path)?;
        }
    }
    Ok((common, out))
}

/// `to` with its open parts filled in from what is being converted.
fn replace_dynamic(from: &Type, to: &Type) -> Type {
    let elem = |from: &Type| -> Type {
        match from {
            Type::Tuple(elems) => unify_with(elems, true).unwrap_or_default(),
            Type::Object(object) => {
                let attrs: Vec<Type> = object.attrs.values().cloned().collect();
                unify_with(&attrs, true).unwrap_or_default()
            }
            _ => from.element().cloned().unwrap_or_default(),
        }
    };
    match (from, to) {
        (Type::Dynamic, _) => to.clone(),
        (_, Type::Dynamic) => from.clone(),
        _ if !to.has_dynamic() => to.clone(),
        (_, Type::List(to)) => Type::list(replace_dynamic(&elem(from), to)),
        (_, Type::Set(to)) => Type::set(replace_dynamic(&elem(from), to)),
        (_, Type::Map(to)) => Type::map(replace_dynamic(&elem(from), to)),
        (Type::Tuple(from), Type::Tuple(to)) => {
            Type::tuple(from.iter().zip(to.iter()).map(|(from, to)| replace_dynamic(from, to)))
        }
        (_, Type::Object(to)) => Type::object(to.attrs.iter().map(|(name, to)| {
            let from = from.attribute(name).or_else(|| from.element()).cloned();
            (name.clone(), replace_dynamic(&from.unwrap_or_default(), to))
        })),
        _ => to.clone(),
    }
}

fn refinements_after(refinements: &Refinements, from: &Type, to: &Type) -> Refinements {
    let not_null = Refinements { not_null: refinements.not_null, ..Refinements::default() };
    match (from, to) {
        _ if refinements.is_empty() || from == to => refinements.clone(),
        (Type::List(_), Type::List(_))
        | (Type::Set(_), Type::Set(_) | Type::List(_))
        | (Type::Map(_), Type::Map(_)) => refinements.clone(),
        (Type::List(_), Type::Set(_)) => Refinements {
            len_min: refinements.len_min.map(|min| min.min(1)),
            len_max: refinements.len_max,
            ..not_null
        },
        _ => not_null,
    }
}

/// Why there is no conversion between two types.
pub fn mismatch(got: &Type, want: &Type) -> String {
    let required = || format!("{} required", want.friendly_name_for_constraint());
    match (got, want) {
        (Type::Object(got), Type::Object(want)) => mismatch_objects(got, want),
        (Type::Tuple(_), Type::List(elem)) if **elem == Type::Dynamic => {
            "all list elements must have the same type".into()
        }
        (Type::Tuple(_), Type::Set(elem)) if **elem == Type::Dynamic => {
            "all set elements must have the same type".into()
        }
        (Type::Object(_), Type::Map(elem)) if **elem == Type::Dynamic => {
            "all map elements must have the same type".into()
        }
        (Type::Tuple(elems), Type::List(want) | Type::Set(want)) => {
            match elems.iter().position(|elem| !convertible(elem, want, true)) {
                Some(i) => format!("element {i}: {}", mismatch(&elems[i], want)),
                None => format!("all elements must be {}", want.friendly_name_for_constraint()),
            }
        }
        (Type::Object(object), Type::Map(want)) => {
            match object.attrs.iter().find(|(_, attr)| !convertible(attr, want, true)) {
                Some((name, attr)) => format!("element {name:?}: {}", mismatch(attr, want)),
                None => format!("all elements must be {}", want.friendly_name_for_constraint()),
            }
        }
        (Type::List(got) | Type::Set(got), Type::List(want)) => {
            format!("incorrect list element type: {}", mismatch(got, want))
        }
        (Type::List(got) | Type::Set(got), Type::Set(want)) => {
            format!("incorrect set element type: {}", mismatch(got, want))
        }
        (Type::Map(got), Type::Map(want)) => {
            format!("incorrect map element type: {}", mismatch(got, want))
        }
        _ => required(),
    }
}

fn mismatch_objects(got: &ObjectType, want: &ObjectType) -> String {
    let missing: Vec<String> = want
        .attrs
        .keys()
        .filter(|name| !got.attrs.contains_key(*name) && !want.optional.contains(*name))
        .map(|name| format!("{name:?}"))
        .collect();
    match &missing[..] {
        [] => {}
        [one] => return format!("attribute {one} is required"),
        [one, two] => return format!("attributes {one} and {two} are required"),
        [rest @ .., last] => {
            return format!("attributes {}, and {last} are required", rest.join(", "));
        }
    }
    for lossy in [true, false] {
        for (name, want) in &want.attrs {
            if let Some(got) = got.attrs.get(name)
                && !convertible(got, want, lossy)
            {
                return format!("attribute {name:?}: {}", mismatch(got, want));
            }
        }
    }
    "incorrect object attributes".into()
}
