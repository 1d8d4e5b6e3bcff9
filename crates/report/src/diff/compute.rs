//! Decides what of a value is shown as changed.

use std::collections::BTreeSet;
use std::sync::Arc;

use plumb_model::schema::{Block, NestedBlock, Nesting};
use plumb_model::value::{Marks, Path, Step, Type, Value, ValueKind};

use super::pair::{pair_list, pair_set};
use super::{BlockDiff, Diff, Shape, Sign};

/// What remains of the paths that force a replacement, seen from a part of the value.
#[derive(Clone, Default)]
pub(crate) struct Forcing<'a>(Vec<&'a [Step]>);

impl<'a> Forcing<'a> {
    pub(crate) fn new(paths: &'a [Path]) -> Forcing<'a> {
        Forcing(paths.iter().map(Path::steps).collect())
    }

    fn here(&self) -> bool {
        self.0.iter().any(|it| it.is_empty())
    }

    fn attr(&self, name: &str) -> Forcing<'a> {
        if self.0.is_empty() {
            return Forcing::default();
        }
        self.enter(|step| match step {
            Step::Attr(attr) => **attr == *name,
            Step::Index(key) => key.as_str() == Some(name),
        })
    }

    fn index(&self, before: Option<usize>, after: Option<usize>) -> Forcing<'a> {
        if self.0.is_empty() {
            return Forcing::default();
        }
        self.enter(|step| match step {
            Step::Attr(_) => false,
            Step::Index(key) => {
                let index = key.as_number().and_then(|it| it.to_usize());
                index.is_some() && (index == before || index == after)
            }
        })
    }

    fn enter(&self, leads_here: impl Fn(&Step) -> bool) -> Forcing<'a> {
        let rest = self.0.iter().filter_map(|steps| steps.split_first());
        Forcing(rest.filter(|(first, _)| leads_here(first)).map(|(_, rest)| rest).collect())
    }
}

/// The two sides of a part. A side that is absent is not there at all; one that is null is there.
#[derive(Clone, Copy)]
struct Sides<'a> {
    before: Option<&'a Value>,
    after: Option<&'a Value>,
}

/// The difference of an object with a schema. A null attribute is taken as absent.
pub(crate) fn block_diff(
    block: &Block,
    before: Option<&Value>,
    after: Option<&Value>,
    forcing: &Forcing<'_>,
) -> Diff {
    let sides = Sides {
        before: before.filter(|it| !it.is_null()),
        after: after.filter(|it| !it.is_null()),
    };
    if let Some(diff) =
        hidden(sides, forcing, &|sides| block_diff(block, sides.before, sides.after, forcing))
    {
        return diff;
    }
    let known = |side: Option<&Value>, name: &str| -> Option<Value> {
        side.and_then(|it| it.get_attr(name)).filter(|it| !it.is_null()).cloned()
    };
    let mut sign = Sign::of_sides(sides.before.is_some(), sides.after.is_some());
    let mut attributes = Vec::new();
    for (name, schema) in block.attributes() {
        let mut before = known(sides.before, name);
        let mut after = known(sides.after, name);
        if schema.sensitive {
            before = before.map(Value::sensitive);
            after = after.map(Value::sensitive);
        }
        if before.is_none() && after.is_none() {
            continue;
        }
        let forcing = forcing.attr(name);
        let diff = if schema.write_only {
            let sign = Sign::of_sides(before.is_some(), after.is_some());
            Diff { sign, forces: forcing.here(), shape: Shape::WriteOnly }
        } else {
            let sides = Sides { before: before.as_ref(), after: after.as_ref() };
            value_diff_of(sides, &schema.ty, &forcing)
        };
        sign = sign.and(diff.sign);
        attributes.push((name.clone(), diff));
    }
    let mut blocks = Vec::new();
    for (name, nested) in block.blocks() {
        let (before, after) = (known(sides.before, name), known(sides.after, name));
        if before.is_none() && after.is_none() {
            continue;
        }
        let sides = Sides { before: before.as_ref(), after: after.as_ref() };
        let diff = nested_diff(name, nested, sides, &forcing.attr(name));
        let whole = Sign::of_sides(before.is_some(), after.is_some());
        let parts = diff.each.iter().fold(whole, |sign, (_, part)| sign.and(part.sign));
        sign = if diff.each.is_empty() { sign } else { sign.and(parts) };
        blocks.push(diff);
    }
    Diff { sign, forces: forcing.here(), shape: Shape::Block { attributes, blocks } }
}

fn nested_diff(
    name: &Arc<str>,
    nested: &NestedBlock,
    sides: Sides<'_>,
    forcing: &Forcing<'_>,
) -> BlockDiff {
    let forces = forcing.here();
    let one = |before: Option<&Value>, after: Option<&Value>, forcing: &Forcing<'_>| {
        block_diff(&nested.block, before, after, forcing)
    };
    let whole = |it: Option<&Value>| it.is_some_and(|it| !it.is_known() || !it.marks().is_empty());
    let each = match nested.nesting {
        Nesting::Single | Nesting::Group => vec![(None, one(sides.before, sides.after, forcing))],
        // Hidden or unknown as a whole: one block stands for all.
        _ if whole(sides.before) || whole(sides.after) => {
            vec![(None, one(sides.before, sides.after, forcing))]
        }
        Nesting::List | Nesting::Set => {
            let before = sides.before.and_then(Value::as_slice).unwrap_or_default();
            let after = sides.after.and_then(Value::as_slice).unwrap_or_default();
            let is_list = nested.nesting == Nesting::List;
            let pairs = if is_list { pair_list(before, after) } else { pair_set(before, after) };
            let diff = |(b, a): (Option<usize>, Option<usize>)| {
                let forcing = forcing.index(b, a);
                (None, one(b.map(|at| &before[at]), a.map(|at| &after[at]), &forcing))
            };
            pairs.into_iter().map(diff).collect()
        }
        Nesting::Map => keys(sides)
            .into_iter()
            .map(|key| {
                let (before, after) = (child(sides.before, &key), child(sides.after, &key));
                let diff = one(before, after, &forcing.attr(&key));
                (Some(key), diff)
            })
            .collect(),
    };
    BlockDiff { name: name.clone(), forces, each }
}

/// The difference of a value of type `ty`, which says how maps and objects are written; `Dynamic`
/// for what has no schema, such as an output. Absent is not null.
pub(crate) fn value_diff(
    before: Option<&Value>,
    after: Option<&Value>,
    ty: &Type,
    forcing: &Forcing<'_>,
) -> Diff {
    value_diff_of(Sides { before, after }, ty, forcing)
}

fn value_diff_of(sides: Sides<'_>, ty: &Type, forcing: &Forcing<'_>) -> Diff {
    if let Some(diff) = hidden(sides, forcing, &|sides| value_diff_of(sides, ty, forcing)) {
        return diff;
    }
    let forces = forcing.here();
    let (before, after) = (sides.before.map(class), sides.after.map(class));
    let class = match (before, after) {
        (Some(before), Some(after)) if before != after => {
            let before = value_diff_of(Sides { after: None, ..sides }, ty, &Forcing::default());
            let after = value_diff_of(Sides { before: None, ..sides }, ty, &Forcing::default());
            let shape = Shape::Kinds { before: Box::new(before), after: Box::new(after) };
            return Diff { sign: Sign::Update, forces, shape };
        }
        (before, after) => before.or(after).unwrap_or(Class::Null),
    };
    let whole = Sign::of_sides(before.is_some(), after.is_some());
    let of_parts =
        |parts: &[(Arc<str>, Diff)]| parts.iter().fold(whole, |sign, (_, it)| sign.and(it.sign));
    match class {
        Class::Null | Class::Bool | Class::Number | Class::String => {
            let same = match (sides.before, sides.after) {
                (Some(before), Some(after)) => {
                    class == Class::Null || before.kind() == after.kind()
                }
                _ => true,
            };
            let shape = Shape::Leaf { before: sides.before.cloned(), after: sides.after.cloned() };
            Diff { sign: if same { whole } else { Sign::Update }, forces, shape }
        }
        Class::Sequence => {
            let before = sides.before.and_then(Value::as_slice).unwrap_or_default();
            let after = sides.after.and_then(Value::as_slice).unwrap_or_default();
            let is_set = [sides.before, sides.after]
                .into_iter()
                .flatten()
                .all(|it| matches!(it.kind(), ValueKind::Set(_)));
            let pairs = if is_set { pair_set(before, after) } else { pair_list(before, after) };
            let parts: Vec<Diff> = pairs
                .into_iter()
                .map(|(b, a)| {
                    let sides =
                        Sides { before: b.map(|at| &before[at]), after: a.map(|at| &after[at]) };
                    let ty = match ty {
                        Type::Tuple(types) => a.or(b).and_then(|at| types.get(at)),
                        ty => ty.element(),
                    };
                    value_diff_of(sides, ty.unwrap_or(&Type::Dynamic), &forcing.index(b, a))
                })
                .collect();
            let sign = parts.iter().fold(whole, |sign, it| sign.and(it.sign));
            Diff {
                sign,
                forces,
                shape: if is_set { Shape::Set(parts) } else { Shape::List(parts) },
            }
        }
        Class::Keyed => {
            let parts: Vec<(Arc<str>, Diff)> = keys(sides)
                .into_iter()
                .map(|key| {
                    let sides = Sides {
                        before: child(sides.before, &key),
                        after: child(sides.after, &key),
                    };
                    let ty = ty.attribute(&key).or_else(|| ty.element()).unwrap_or(&Type::Dynamic);
                    let diff = value_diff_of(sides, ty, &forcing.attr(&key));
                    (key, diff)
                })
                .collect();
            let sign = of_parts(&parts);
            let is_map = matches!(ty, Type::Map(_));
            Diff {
                sign,
                forces,
                shape: if is_map { Shape::Map(parts) } else { Shape::Object(parts) },
            }
        }
    }
}

/// The difference if it may not be shown or is not known yet; `inner` is what it would be otherwise.
fn hidden(
    sides: Sides<'_>,
    forcing: &Forcing<'_>,
    inner: &dyn Fn(Sides<'_>) -> Diff,
) -> Option<Diff> {
    let marked = |side: Option<&Value>| side.is_some_and(|it| it.has_mark(Marks::SENSITIVE));
    let (before_marked, after_marked) = (marked(sides.before), marked(sides.after));
    let forces = forcing.here();
    if before_marked || after_marked {
        let bare = |side: Option<&Value>| side.map(Value::unmark_deep);
        let (before, after) = (bare(sides.before), bare(sides.after));
        let sign = inner(Sides { before: before.as_ref(), after: after.as_ref() }).sign;
        let unchanged = sign == Sign::Keep;
        let both = sides.before.is_some() && sides.after.is_some();
        let sign =
            if unchanged && both && before_marked != after_marked { Sign::Update } else { sign };
        let shape = Shape::Sensitive { before: before_marked, after: after_marked, unchanged };
        return Some(Diff { sign, forces, shape });
    }
    if sides.after.is_some_and(|it| !it.is_known()) {
        let before = sides.before.map(|_| Box::new(inner(Sides { after: None, ..sides })));
        let sign = if before.is_some() { Sign::Update } else { Sign::Create };
        return Some(Diff { sign, forces, shape: Shape::Unknown { before } });
    }
    None
}

/// Kinds of values that can be compared part by part.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Null,
    Bool,
    Number,
    String,
    Sequence,
    Keyed,
}

fn class(value: &Value) -> Class {
    match value.kind() {
        ValueKind::Null(_) | ValueKind::Unknown(_) => Class::Null,
        ValueKind::Bool(_) => Class::Bool,
        ValueKind::Number(_) => Class::Number,
        ValueKind::String(_) => Class::String,
        ValueKind::List(_) | ValueKind::Set(_) | ValueKind::Tuple(_) => Class::Sequence,
        ValueKind::Map(_) | ValueKind::Object(_) => Class::Keyed,
    }
}

fn keys(sides: Sides<'_>) -> BTreeSet<Arc<str>> {
    let of = |side: Option<&Value>| -> Vec<Arc<str>> {
        side.and_then(Value::as_map).map(|it| it.keys().cloned().collect()).unwrap_or_default()
    };
    of(sides.before).into_iter().chain(of(sides.after)).collect()
}

fn child<'a>(side: Option<&'a Value>, key: &str) -> Option<&'a Value> {
    side.and_then(|it| it.get_attr(key))
}
