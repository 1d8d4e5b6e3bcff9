//! Questions about collections, and choosing among several.

use plumb_model::value::{Refinements, Type, Value, ValueKind, convert, equals, unify};
use unicode_segmentation::UnicodeSegmentation;

use super::arguments::any;
use super::{Function, Kind, Outcome, Param, Returns, blame, fail};

const BOOL: Returns = Returns::Always(Kind::Bool);

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(
        "length",
        &[any("value").unknown().marks().dynamic()],
        None,
        Returns::Always(Kind::Number),
        length,
    ),
    Function::new("alltrue", &[Param::new("list", Kind::Bools).partial()], None, BOOL, all_true),
    Function::new("anytrue", &[Param::new("list", Kind::Bools).partial()], None, BOOL, any_true),
    Function::new(
        "contains",
        &[any("list").partial(), any("value").partial()],
        None,
        BOOL,
        contains,
    ),
    Function::new(
        "index",
        &[any("list").partial(), any("value").partial()],
        None,
        Returns::Always(Kind::Number),
        index,
    ),
    Function::new(
        "one",
        &[any("list").partial().marks()],
        None,
        Returns::From(|a| a[0].ty().element().cloned().unwrap_or_default()),
        one,
    ),
    Function::new(
        "coalesce",
        &[],
        Some(any("vals").null().unknown().dynamic()),
        Returns::From(|a| unify(&types(a)).unwrap_or_default()),
        coalesce,
    ),
    Function::new(
        "coalescelist",
        &[],
        Some(any("vals").null().unknown().dynamic()),
        Returns::From(|_| Type::Dynamic),
        coalesce_list,
    ),
];

fn types(args: &[Value]) -> Vec<Type> {
    args.iter().map(Value::ty).collect()
}

fn unknown_bool() -> Value {
    Value::unknown(Type::Bool).refine_not_null()
}

fn length(args: &[Value]) -> Outcome {
    let value = &args[0];
    let unknown = |min: Option<u64>, max: Option<u64>| {
        let refinements = Refinements {
            min: Some((min.unwrap_or(0).into(), true)),
            max: max.map(|max| (max.into(), true)),
            ..Refinements::not_null()
        };
        Value::unknown_refined(Type::Number, refinements)
    };
    let count = match (value.kind(), value.ty()) {
        (_, Type::Tuple(elems)) => Value::number(elems.len()),
        (_, Type::Object(object)) => Value::number(object.attrs.len()),
        (ValueKind::String(text), _) => Value::number(text.graphemes(true).count()),
        (ValueKind::Set(_), _) if !value.is_wholly_known() => {
            let max = value.len().unwrap_or(0) as u64;
            unknown(Some(1.min(max)), Some(max))
        }
        (ValueKind::Unknown(known), Type::String) => {
            let prefix = known.refinements.prefix.as_deref().unwrap_or_default();
            unknown(Some(prefix.graphemes(true).count() as u64), None)
        }
        (ValueKind::Unknown(known), ty) if ty == Type::Dynamic || ty.is_collection() => {
            unknown(known.refinements.len_min, known.refinements.len_max)
        }
        _ => match value.len() {
            Some(len) => Value::number(len),
            None => {
                return fail("argument must be a string, a collection type, or a structural type");
            }
        },
    };
    Ok(count.with_marks(value.marks()))
}

fn all_true(args: &[Value]) -> Outcome {
    for item in args[0].values() {
        match item.as_bool() {
            Some(true) => {}
            _ if !item.is_known() => return Ok(unknown_bool()),
            _ => return Ok(Value::FALSE),
        }
    }
    Ok(Value::TRUE)
}

fn any_true(args: &[Value]) -> Outcome {
    let mut unknown = false;
    for item in args[0].values() {
        match item.as_bool() {
            Some(true) => return Ok(Value::TRUE),
            _ => unknown |= !item.is_known(),
        }
    }
    Ok(if unknown { unknown_bool() } else { Value::FALSE })
}

fn contains(args: &[Value]) -> Outcome {
    let Some(items) = args[0].as_slice() else {
        return fail("argument must be list, tuple, or set");
    };
    let mut unknown = false;
    for item in items {
        match equals(&args[1], item).as_bool() {
            Some(true) => return Ok(Value::TRUE),
            Some(false) => {}
            None => unknown = true,
        }
    }
    Ok(if unknown { unknown_bool() } else { Value::FALSE })
}

fn index(args: &[Value]) -> Outcome {
    let Some(items) = args[0].as_slice().filter(|_| !matches!(args[0].kind(), ValueKind::Set(_)))
    else {
        return fail("argument must be a list or tuple");
    };
    if items.is_empty() {
        return fail("cannot search an empty list");
    }
    for (i, item) in items.iter().enumerate() {
        match equals(item, &args[1]).as_bool() {
            Some(true) => return Ok(Value::number(i)),
            Some(false) => {}
            None => return Ok(Value::unknown(Type::Number).refine_not_null()),
        }
    }
    fail("item not found")
}

fn one(args: &[Value]) -> Outcome {
    let result = match args[0].as_slice() {
        Some([]) => Value::null(args[0].ty().element().cloned().unwrap_or_default()),
        Some([one]) => one.clone(),
        _ => {
            return blame(
                0,
                "must be a list, set, or tuple value with either zero or one elements",
            );
        }
    };
    Ok(result.with_marks(args[0].marks()))
}

fn coalesce(args: &[Value]) -> Outcome {
    let Some(common) = unify(&types(args)) else {
        return fail("all arguments must have the same type");
    };
    for (i, arg) in args.iter().enumerate() {
        let Ok(value) = convert(arg, &common) else {
            return blame(i, format!("{} required", common.friendly_name_for_constraint()));
        };
        if !value.is_known() {
            return Ok(Value::unknown(common).refine_not_null());
        }
        if !value.is_null() && value.as_str() != Some("") {
            return Ok(value);
        }
    }
    fail("no non-null, non-empty-string arguments")
}

fn coalesce_list(args: &[Value]) -> Outcome {
    if args.is_empty() {
        return fail("at least one argument is required");
    }
    let unknown = args.iter().any(|arg| !arg.is_known() && arg.ty() == Type::Dynamic);
    if unknown {
        return Ok(Value::dynamic());
    }
    if !args.iter().all(|arg| matches!(arg.ty(), Type::List(_) | Type::Tuple(_))) {
        return fail("coalescelist arguments must be lists or tuples");
    }
    for arg in args {
        if !arg.is_known() {
            return Ok(Value::dynamic());
        }
        if arg.len().is_some_and(|len| len > 0) {
            return Ok(arg.clone());
        }
    }
    fail("no non-null arguments")
}
