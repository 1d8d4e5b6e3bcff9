//! Lists made from lists.

use std::collections::BTreeSet;

use plumb_model::value::{Marks, Type, Value, ValueKind, convert, unify};

use super::arguments::{any, int_blamed, int_named, number};
use super::{Function, Kind, Outcome, Param, Returns, blame, fail};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(
        "concat",
        &[],
        Some(any("seqs").partial().marks()),
        Returns::Present(|a| list_types(a).unwrap_or_default()),
        concat,
    ),
    Function::new(
        "flatten",
        &[any("list").partial().marks()],
        None,
        Returns::Present(|_| Type::Dynamic),
        flatten,
    ),
    Function::new(
        "distinct",
        &[Param::new("list", Kind::List)],
        None,
        Returns::Present(|a| a[0].ty()),
        |a| {
            let mut seen = BTreeSet::new();
            let items = a[0].values().filter(|item| seen.insert(*item)).cloned().collect();
            Ok(Value::list(elem(&a[0]), items))
        },
    ),
    Function::new(
        "reverse",
        &[any("list").partial().marks()],
        None,
        Returns::Present(|a| match a[0].ty() {
            Type::List(elem) | Type::Set(elem) => Type::List(elem),
            Type::Tuple(elems) => Type::tuple(elems.iter().rev().cloned()),
            _ => Type::Dynamic,
        }),
        reverse,
    ),
    Function::new(
        "slice",
        &[any("list").partial().marks(), number("start_index"), number("end_index")],
        None,
        Returns::Present(|a| match a[0].ty() {
            ty @ Type::List(_) => ty,
            _ => Type::Dynamic,
        }),
        slice,
    ),
    Function::new(
        "chunklist",
        &[Param::new("list", Kind::List).partial().marks(), number("size")],
        None,
        Returns::Present(|a| Type::list(a[0].ty())),
        chunk_list,
    ),
];

fn elem(list: &Value) -> Type {
    list.ty().element().cloned().unwrap_or_default()
}

/// The common type of arguments that are all lists.
fn list_types(args: &[Value]) -> Option<Type> {
    let types: Vec<Type> = args.iter().map(Value::ty).collect();
    types.iter().all(|ty| matches!(ty, Type::List(_))).then(|| unify(&types)).flatten()
}

fn concat(args: &[Value]) -> Outcome {
    if args.is_empty() {
        return fail("at least one argument is required");
    }
    let mut marks = Marks::NONE;
    for (i, arg) in args.iter().enumerate() {
        marks |= arg.marks();
        if !matches!(arg.kind(), ValueKind::List(_) | ValueKind::Tuple(_)) {
            let ty = arg.ty().friendly_name();
            return blame(i, format!("all arguments must be lists or tuples; got {ty}"));
        }
    }
    let mut items = Vec::new();
    let result = match list_types(args) {
        Some(common) => {
            for (i, arg) in args.iter().enumerate() {
                match convert(arg, &common) {
                    Ok(list) => items.extend(list.values().cloned()),
                    Err(error) => return blame(i, error.message),
                }
            }
            Value::list(common.element().cloned().unwrap_or_default(), items)
        }
        None => Value::tuple(args.iter().flat_map(|arg| arg.values().cloned()).collect()),
    };
    Ok(result.with_marks(marks))
}

fn flatten(args: &[Value]) -> Outcome {
    if args[0].as_slice().is_none() {
        return fail("can only flatten lists, sets and tuples");
    }
    let (mut items, mut marks) = (Vec::new(), Marks::NONE);
    let known = flatten_into(&args[0], &mut items, &mut marks);
    let result = if known { Value::tuple(items) } else { Value::dynamic() };
    Ok(result.with_marks(marks))
}

/// False when an element may turn out to be a list.
fn flatten_into(value: &Value, items: &mut Vec<Value>, marks: &mut Marks) -> bool {
    *marks |= value.marks();
    let mut known = true;
    for item in value.values() {
        match item.kind() {
            ValueKind::List(_) | ValueKind::Set(_) | ValueKind::Tuple(_) => {
                known &= flatten_into(item, items, marks);
            }
            ValueKind::Unknown(unknown)
                if matches!(
                    unknown.ty,
                    Type::Dynamic | Type::List(_) | Type::Set(_) | Type::Tuple(_)
                ) =>
            {
                *marks |= item.marks();
                known = false;
            }
            _ => items.push(item.clone()),
        }
    }
    known
}

fn reverse(args: &[Value]) -> Outcome {
    let items: Vec<Value> = args[0].as_slice().unwrap_or_default().iter().rev().cloned().collect();
    let result = match args[0].kind() {
        ValueKind::List(_) | ValueKind::Set(_) => Value::list(elem(&args[0]), items),
        ValueKind::Tuple(_) => Value::tuple(items),
        _ => {
            let ty = args[0].ty().friendly_name();
            return blame(0, format!("can only reverse list or tuple values, not {ty}"));
        }
    };
    Ok(result.with_marks(args[0].marks()))
}

fn slice(args: &[Value]) -> Outcome {
    let list = &args[0];
    let items = match list.kind() {
        ValueKind::List(_) | ValueKind::Tuple(_) => list.as_slice().unwrap_or_default(),
        ValueKind::Set(_) => {
            return blame(
                0,
                "cannot slice a set, because its elements do not have indices; explicitly convert \
                 to a list if the ordering of the result is not important",
            );
        }
        _ => return blame(0, "must be a list or tuple value"),
    };
    let (start, end) = (int_blamed(args, 1)?, int_blamed(args, 2)?);
    let len = items.len() as i64;
    if start < 0 {
        return blame(1, "start index must not be less than zero");
    }
    if start > len {
        return blame(1, "start index must not be greater than the length of the list");
    }
    if end > len {
        return blame(2, "end index must not be greater than the length of the list");
    }
    if start > end {
        return blame(1, "start index must not be greater than end index");
    }
    let items = items[start as usize..end as usize].to_vec();
    let result = match list.kind() {
        ValueKind::List(_) => Value::list(elem(list), items),
        _ => Value::tuple(items),
    };
    Ok(result.with_marks(list.marks()))
}

fn chunk_list(args: &[Value]) -> Outcome {
    let list = &args[0];
    let Ok(size) = usize::try_from(int_named(args, 1, "invalid size")?) else {
        return fail("the size argument must be positive");
    };
    let items = list.as_slice().unwrap_or_default();
    let size = if size == 0 { items.len().max(1) } else { size };
    let chunks = items.chunks(size).map(|chunk| Value::list(elem(list), chunk.to_vec())).collect();
    Ok(Value::list(list.ty(), chunks).with_marks(list.marks()))
}
