//! Elements by index and key, and maps made from others.

use std::collections::BTreeMap;
use std::sync::Arc;

use plumb_model::value::{Marks, Type, Value, ValueKind, convert, equals, unify};

use super::arguments::{any, int_named, list_of_strings, number, string, strings, text};
use super::{Function, Kind, Outcome, Param, Returns, blame, fail};

fn element_type(args: &[Value]) -> Type {
    args[0].ty().element().cloned().unwrap_or_default()
}

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(
        "element",
        &[any("list").partial().marks(), number("index")],
        None,
        Returns::From(element_type),
        element,
    ),
    Function::new(
        "lookup",
        &[any("inputMap").partial().marks(), string("key")],
        Some(any("default").anything()),
        Returns::From(element_type),
        lookup,
    ),
    Function::new(
        "keys",
        &[any("inputMap").unknown().marks()],
        None,
        Returns::Present(|_| Type::Dynamic),
        keys,
    ),
    Function::new(
        "values",
        &[any("mapping").partial().marks()],
        None,
        Returns::Present(|a| match a[0].ty() {
            Type::Map(elem) => Type::List(elem),
            Type::Object(object) => Type::tuple(object.attrs.values().cloned()),
            _ => Type::Dynamic,
        }),
        values,
    ),
    Function::new(
        "zipmap",
        &[Param::new("keys", Kind::Strings), any("values").partial().marks()],
        None,
        Returns::Present(|a| match a[1].ty() {
            Type::List(elem) => Type::Map(elem),
            _ => Type::Dynamic,
        }),
        zipmap,
    ),
    Function::new(
        "merge",
        &[],
        Some(any("maps").anything()),
        Returns::Present(|_| Type::Dynamic),
        merge,
    ),
    Function::new(
        "transpose",
        &[Param::new("values", Kind::StringsByKey)],
        None,
        Returns::Always(Kind::StringsByKey),
        transpose,
    ),
    Function::new(
        "matchkeys",
        &[
            Param::new("values", Kind::List).partial(),
            Param::new("keys", Kind::List).partial(),
            Param::new("searchset", Kind::List).partial(),
        ],
        None,
        Returns::Present(|a| a[0].ty()),
        match_keys,
    ),
];

fn element(args: &[Value]) -> Outcome {
    let list = &args[0];
    let Some(items) = list.as_slice().filter(|_| !matches!(list.kind(), ValueKind::Set(_))) else {
        return fail(format!("cannot read elements from {}", list.ty().friendly_name()));
    };
    let index = int_named(args, 1, "invalid index")?;
    if items.is_empty() {
        return fail("cannot use element function with an empty list");
    }
    let Ok(index) = usize::try_from(index) else {
        return fail("cannot use element function with a negative index");
    };
    Ok(items[index % items.len()].clone().with_marks(list.marks()))
}

fn lookup(args: &[Value]) -> Outcome {
    if args.len() > 3 {
        return fail(format!("lookup() takes two or three arguments, got {}", args.len()));
    }
    let (map, key) = (&args[0], text(args, 1));
    let default = match (map.kind(), args.get(2)) {
        (ValueKind::Map(_), Some(default)) => match convert(default, &element_type(args)) {
            Ok(default) => Some(default),
            Err(_) => {
                return blame(2, "the default value must have the same type as the map elements");
            }
        },
        (_, default) => default.cloned(),
    };
    let found = map.get_attr(key).cloned().or(default);
    match (found, map.kind()) {
        (Some(found), ValueKind::Map(_) | ValueKind::Object(_)) => {
            Ok(found.with_marks(map.marks()))
        }
        (None, ValueKind::Map(_)) => fail(format!("lookup failed to find key {key:?}")),
        (None, ValueKind::Object(_)) => {
            blame(0, format!("the given object has no attribute {key:?}"))
        }
        _ => blame(0, "lookup() requires a map as the first argument"),
    }
}

fn keys(args: &[Value]) -> Outcome {
    let names = |names: Vec<Arc<str>>| names.iter().map(Value::shared_string).collect::<Vec<_>>();
    let result = match (args[0].kind(), args[0].ty()) {
        (ValueKind::Map(_), _) => {
            let keys = args[0].as_map().map(|map| map.keys().cloned().collect());
            Value::list(Type::String, names(keys.unwrap_or_default()))
        }
        (_, Type::Map(_)) => Value::unknown(Type::list(Type::String)).refine_not_null(),
        (_, Type::Object(object)) => Value::tuple(names(object.attrs.keys().cloned().collect())),
        _ => return blame(0, "must have map or object type"),
    };
    Ok(result.with_marks(args[0].marks()))
}

fn values(args: &[Value]) -> Outcome {
    let items = args[0].values().cloned().collect();
    let result = match args[0].kind() {
        ValueKind::Map(_) => Value::list(element_type(args), items),
        ValueKind::Object(_) => Value::tuple(items),
        _ => return fail("values() requires a map as the first argument"),
    };
    Ok(result.with_marks(args[0].marks()))
}

fn zipmap(args: &[Value]) -> Outcome {
    let Some(items) = args[1].as_slice() else {
        return fail("values argument must be a list or tuple value");
    };
    let mut keys = Vec::new();
    for (index, key) in strings(&args[0]).enumerate() {
        match key {
            Some(key) => keys.push(key),
            None => return fail(format!("keys list has null value at index {index}")),
        }
    }
    if keys.len() != items.len() {
        return fail(format!(
            "number of keys ({}) does not match number of values ({})",
            keys.len(),
            items.len()
        ));
    }
    let pairs = keys.into_iter().zip(items.iter().cloned());
    let result = match args[1].kind() {
        ValueKind::List(_) => {
            Value::map(args[1].ty().element().cloned().unwrap_or_default(), pairs)
        }
        ValueKind::Tuple(_) => Value::object(pairs),
        _ => return fail("values argument must be a list or tuple value"),
    };
    Ok(result.with_marks(args[1].marks()))
}

fn merge(args: &[Value]) -> Outcome {
    let mut marks = Marks::NONE;
    let mut unknown = false;
    let mut types: Vec<Type> = Vec::new();
    let mut merged: BTreeMap<Arc<str>, Value> = BTreeMap::new();
    for arg in args {
        marks |= arg.marks();
        match arg.ty() {
            Type::Dynamic => unknown |= !arg.is_known(),
            ty @ (Type::Map(_) | Type::Object(_)) => types.push(ty),
            ty => {
                let name = ty.friendly_name();
                let name = name.split(' ').next().unwrap_or_default();
                return fail(format!("arguments must be maps or objects, got {name:?}"));
            }
        }
        unknown |= !arg.is_known();
        for (name, value) in arg.as_map().into_iter().flatten() {
            merged.insert(name.clone(), value.clone());
        }
    }
    let map = match &types[..] {
        [first @ Type::Map(elem), rest @ ..] if rest.iter().all(|ty| ty == first) => Some(elem),
        _ => None,
    };
    let result = match map {
        Some(elem) if unknown => Value::unknown(Type::Map(elem.clone())).refine_not_null(),
        _ if unknown => Value::dynamic(),
        Some(elem) => Value::map((**elem).clone(), merged),
        None => Value::object(merged),
    };
    Ok(result.with_marks(marks))
}

fn transpose(args: &[Value]) -> Outcome {
    let mut turned: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (key, list) in args[0].as_map().into_iter().flatten() {
        for item in strings(list) {
            let Some(item) = item else {
                return fail("input must not contain null values");
            };
            turned.entry(item.to_owned()).or_default().push(key.to_string());
        }
    }
    let lists = turned.into_iter().map(|(key, items)| (key, list_of_strings(items)));
    Ok(Value::map(Type::list(Type::String), lists))
}

fn match_keys(args: &[Value]) -> Outcome {
    let (values, keys) = (args[0].as_slice().unwrap_or_default(), &args[1]);
    let Some(common) = unify(&[keys.ty(), args[2].ty()]) else {
        return fail("keys and searchset must be of the same type");
    };
    let as_common = |i: usize| convert(&args[i], &common);
    let (Ok(keys), Ok(wanted)) = (as_common(1), as_common(2)) else {
        return fail("keys and searchset must be of the same type");
    };
    if Some(values.len()) != keys.len() {
        return fail("length of keys and values should be equal");
    }
    let mut found = Vec::new();
    for (value, key) in values.iter().zip(keys.values()) {
        for want in wanted.values() {
            match equals(key, want).as_bool() {
                Some(false) => {}
                Some(true) => {
                    found.push(value.clone());
                    break;
                }
                None => return Ok(Value::unknown(args[0].ty()).refine_not_null()),
            }
        }
    }
    Ok(Value::list(element_type(args), found))
}
