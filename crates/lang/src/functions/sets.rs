//! Sets combined.

use std::collections::BTreeSet;

use plumb_model::value::{Type, Value, ValueKind, convert, unify};

use super::arguments::any;
use super::{Function, Kind, Outcome, Param, Returns, blame, fail};

const FIRST: Param = Param::new("first_set", Kind::Set);
const OTHERS: Option<Param> = Some(Param::new("other_sets", Kind::Set));
const RESULT: Returns = Returns::Present(|a| common(a).unwrap_or_else(|| Type::set(Type::Dynamic)));

/// A product of more elements than this is taken for a mistake.
const PRODUCT_MAX: usize = 1 << 20;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(
        "setunion",
        &[Param::new("first_set", Kind::Set).partial()],
        Some(Param::new("other_sets", Kind::Set).partial()),
        RESULT,
        |a| combine(a, |all, other| all.extend(other)),
    ),
    Function::new("setintersection", &[FIRST], OTHERS, RESULT, |a| {
        combine(a, |all, other| all.retain(|item| other.contains(item)))
    }),
    Function::new(
        "setsubtract",
        &[Param::new("a", Kind::Set), Param::new("b", Kind::Set)],
        None,
        RESULT,
        |a| combine(a, |all, other| all.retain(|item| !other.contains(item))),
    ),
    Function::new(
        "setproduct",
        &[],
        Some(any("sets").partial()),
        Returns::Present(|_| Type::Dynamic),
        product,
    ),
];

fn common(args: &[Value]) -> Option<Type> {
    unify(&args.iter().map(Value::ty).collect::<Vec<_>>())
}

fn combine(args: &[Value], step: fn(&mut BTreeSet<Value>, BTreeSet<Value>)) -> Outcome {
    let Some(common) = common(args) else {
        return fail("given sets must all have compatible element types");
    };
    let mut sets = Vec::new();
    for (i, arg) in args.iter().enumerate() {
        match convert(arg, &common) {
            Ok(set) => sets.push(set.values().cloned().collect::<BTreeSet<Value>>()),
            Err(error) => return blame(i, error.message),
        }
    }
    let mut sets = sets.into_iter();
    let mut all = sets.next().unwrap_or_default();
    for other in sets {
        step(&mut all, other);
    }
    Ok(Value::set(common.element().cloned().unwrap_or_default(), all.into_iter().collect()))
}

fn product(args: &[Value]) -> Outcome {
    if args.len() < 2 {
        return fail("at least two arguments are required");
    }
    let mut factors: Vec<(Vec<Value>, Type)> = Vec::new();
    let mut unknown = false;
    for (i, arg) in args.iter().enumerate() {
        if arg.as_slice().is_none() {
            return blame(i, "a set or a list is required");
        }
        let list = match convert(arg, &Type::list(Type::Dynamic)) {
            Ok(list) => list,
            Err(_) => return blame(i, "all elements must be of the same type"),
        };
        unknown |= matches!(arg.kind(), ValueKind::Set(_)) && !arg.is_wholly_known();
        let elem = list.ty().element().cloned().unwrap_or_default();
        factors.push((list.values().cloned().collect(), elem));
    }
    let elem = Type::tuple(factors.iter().map(|(_, elem)| elem.clone()));
    let any_set = args.iter().any(|arg| matches!(arg.kind(), ValueKind::Set(_)));
    if unknown {
        // Elements that turn out equal make the result smaller.
        let ty = if any_set { Type::set(elem) } else { Type::list(elem) };
        return Ok(Value::unknown(ty).refine_not_null());
    }
    let size = factors.iter().try_fold(1usize, |size, (items, _)| size.checked_mul(items.len()));
    let Some(size) = size.filter(|size| *size <= PRODUCT_MAX) else {
        return fail(format!("the product would have more than {PRODUCT_MAX} elements"));
    };
    let mut rows: Vec<Vec<Value>> = vec![Vec::new()];
    for (items, _) in &factors {
        if size == 0 {
            rows.clear();
            break;
        }
        rows = rows
            .into_iter()
            .flat_map(|row| {
                items.iter().map(move |item| {
                    let mut row = row.clone();
                    row.push(item.clone());
                    row
                })
            })
            .collect();
    }
    let rows: Vec<Value> = rows.into_iter().map(Value::tuple).collect();
    let elem = rows.first().map_or(elem, Value::ty);
    Ok(if any_set { Value::set(elem, rows) } else { Value::list(elem, rows) })
}
