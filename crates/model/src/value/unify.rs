//! The common type of several: for conditionals, for lists of mixed elements, for `coalesce`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Type;
use super::convert::convertible;

/// The type that values of all these types convert to, losing as little as possible. None when
/// there is none, or no type is given.
pub fn unify(types: &[Type]) -> Option<Type> {
    unify_with(types, true)
}

/// As [`unify`], but only by conversions that cannot fail for any value.
pub fn unify_safe(types: &[Type]) -> Option<Type> {
    unify_with(types, false)
}

pub(super) fn unify_with(types: &[Type], lossy: bool) -> Option<Type> {
    let (first, rest) = types.split_first()?;
    if rest.iter().all(|ty| ty == first) {
        return Some(first.clone());
    }
    // Kinds first: an object could otherwise convert to another with fewer attributes, and lose some.
    let count = |is: fn(&Type) -> bool| types.iter().filter(|ty| is(ty)).count();
    let dynamics = count(|ty| *ty == Type::Dynamic);
    let maps = count(|ty| matches!(ty, Type::Map(_)));
    let lists = count(|ty| matches!(ty, Type::List(_)));
    let sets = count(|ty| matches!(ty, Type::Set(_)));
    let objects = count(|ty| matches!(ty, Type::Object(_)));
    let tuples = count(|ty| matches!(ty, Type::Tuple(_)));
    let all = types.len();
    // What a value of unknown type will turn out to be may change the answer: then it is unknown too.
    let settle = |common: Option<Type>| if dynamics > 0 { Some(Type::Dynamic) } else { common };
    if maps > 0 && maps + dynamics == all {
        return settle(unify_elements(types, lossy).map(Type::map));
    }
    if maps > 0 && maps + objects + dynamics == all {
        if dynamics > 0 {
            return Some(Type::Dynamic);
        }
        let maps: Option<Vec<Type>> = types.iter().map(|ty| as_map(ty, lossy)).collect();
        if let Some(elem) = maps.and_then(|maps| unify_elements(&maps, lossy))
            && let common = Type::map(elem)
            && all_convert(types, &common, lossy)
        {
            return Some(common);
        }
    } else if lists > 0 && lists + dynamics == all {
        return settle(unify_elements(types, lossy).map(Type::list));
    } else if lists > 0 && lists + tuples + dynamics == all {
        if dynamics > 0 {
            return Some(Type::Dynamic);
        }
        let lists: Option<Vec<Type>> = types.iter().map(|ty| as_list(ty, lossy)).collect();
        if let Some(elem) = lists.and_then(|lists| unify_elements(&lists, lossy))
            && let common = Type::list(elem)
            && all_convert(types, &common, lossy)
        {
            return Some(common);
        }
    } else if sets > 0 && sets + dynamics == all {
        return settle(unify_elements(types, lossy).map(Type::set));
    } else if objects > 0 && objects + dynamics == all {
        return settle(if dynamics > 0 { None } else { unify_objects(types, lossy) });
    } else if tuples > 0 && tuples + dynamics == all {
        return settle(if dynamics > 0 { None } else { unify_tuples(types, lossy) });
    } else if objects > 0 && tuples > 0 {
        return None;
    }
    let mut candidates: Vec<&Type> = types.iter().collect();
    candidates.sort_by_key(|ty| preference(ty));
    candidates.into_iter().find(|want| all_convert(types, want, lossy)).cloned()
}

/// A type that two steps lead to may be out of reach in one: numbers are strings, and strings may
/// be bools, but numbers are not.
fn all_convert(types: &[Type], to: &Type, lossy: bool) -> bool {
    types.iter().all(|ty| ty == to || convertible(ty, to, lossy))
}

/// Smaller is preferred: what loses least of the others.
fn preference(ty: &Type) -> u8 {
    match ty {
        Type::String | Type::List(_) | Type::Map(_) => 0,
        Type::Number | Type::Bool | Type::Set(_) => 1,
        Type::Tuple(_) | Type::Object(_) => 2,
        Type::Dynamic => 3,
    }
}

fn unify_elements(types: &[Type], lossy: bool) -> Option<Type> {
    let elems: Vec<Type> = types.iter().filter_map(|ty| ty.element().cloned()).collect();
    unify_with(&elems, lossy)
}

fn as_map(ty: &Type, lossy: bool) -> Option<Type> {
    match ty {
        Type::Object(object) if object.attrs.is_empty() => Some(Type::map(Type::Dynamic)),
        Type::Object(object) => {
            let attrs: Vec<Type> = object.attrs.values().cloned().collect();
            unify_with(&attrs, lossy).map(Type::map)
        }
        _ => Some(ty.clone()),
    }
}

fn as_list(ty: &Type, lossy: bool) -> Option<Type> {
    match ty {
        Type::Tuple(elems) if elems.is_empty() => Some(Type::list(Type::Dynamic)),
        Type::Tuple(elems) => unify_with(elems, lossy).map(Type::list),
        _ => Some(ty.clone()),
    }
}

/// The same attributes: an object of their common types; otherwise a map, if all attributes agree.
fn unify_objects(types: &[Type], lossy: bool) -> Option<Type> {
    let objects: Vec<_> = types
        .iter()
        .filter_map(|ty| if let Type::Object(object) = ty { Some(&object.attrs) } else { None })
        .collect();
    let first = objects.first()?;
    if objects.iter().all(|attrs| attrs.keys().eq(first.keys())) {
        let attrs: Option<BTreeMap<Arc<str>, Type>> = first
            .keys()
            .map(|name| {
                let of_name: Vec<Type> =
                    objects.iter().filter_map(|attrs| attrs.get(name).cloned()).collect();
                unify_with(&of_name, lossy).map(|ty| (name.clone(), ty))
            })
            .collect();
        if let Some(attrs) = attrs {
            return Some(Type::object(attrs));
        }
    }
    let every: Vec<Type> = objects.iter().flat_map(|attrs| attrs.values().cloned()).collect();
    unify_with(&every, lossy).map(Type::map)
}

/// The same length: a tuple of the common types; otherwise a list, if all elements agree.
fn unify_tuples(types: &[Type], lossy: bool) -> Option<Type> {
    let tuples: Vec<_> = types
        .iter()
        .filter_map(|ty| if let Type::Tuple(elems) = ty { Some(elems) } else { None })
        .collect();
    let first = tuples.first()?;
    if tuples.iter().all(|elems| elems.len() == first.len()) {
        let elems: Option<Vec<Type>> = (0..first.len())
            .map(|i| {
                let at_i: Vec<Type> = tuples.iter().map(|elems| elems[i].clone()).collect();
                unify_with(&at_i, lossy)
            })
            .collect();
        if let Some(elems) = elems {
            return Some(Type::tuple(elems));
        }
    }
    let every: Vec<Type> = tuples.iter().flat_map(|elems| elems.iter().cloned()).collect();
    unify_with(&every, lossy).map(Type::list)
}
