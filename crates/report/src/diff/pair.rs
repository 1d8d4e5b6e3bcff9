//! Which element before is which element after.

use std::collections::BTreeMap;

use plumb_model::value::{Value, ValueKind};
use similar::{Algorithm, DiffOp, capture_diff_slices};

/// An element before, after, or on both sides, by index.
pub(super) type Pair = (Option<usize>, Option<usize>);

/// Pairs the elements of two lists. Lists of one length are compared place by place; else equal
/// elements are paired, as many as possible in order, and between them objects with objects.
pub(super) fn pair_list(before: &[Value], after: &[Value]) -> Vec<Pair> {
    if before.len() == after.len() {
        return (0..before.len()).map(|at| (Some(at), Some(at))).collect();
    }
    let (before_ids, after_ids) = ids(before, after);
    let is_object = |it: &Value| matches!(it.kind(), ValueKind::Object(_) | ValueKind::Map(_));
    pair_ids(&before_ids, &after_ids, |b, a| is_object(&before[b]) && is_object(&after[a]))
}

/// Pairs the lines of two texts.
pub(super) fn pair_lines(before: &[&str], after: &[&str]) -> Vec<Pair> {
    pair_ids(before, after, |_, _| false)
}

/// Pairs equal elements of two sets, the rest stays single: first all of before, then the new.
pub(super) fn pair_set(before: &[Value], after: &[Value]) -> Vec<Pair> {
    let (before_ids, after_ids) = ids(before, after);
    let mut places: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (place, id) in after_ids.iter().enumerate().rev() {
        places.entry(*id).or_default().push(place);
    }
    let mut taken = vec![false; after.len()];
    let mut pairs = Vec::with_capacity(before.len());
    for (place, id) in before_ids.iter().enumerate() {
        let other = places.get_mut(id).and_then(Vec::pop);
        if let Some(other) = other {
            taken[other] = true;
        }
        pairs.push((Some(place), other));
    }
    pairs.extend((0..after.len()).filter(|it| !taken[*it]).map(|it| (None, Some(it))));
    pairs
}

/// Equal values get equal numbers; marks do not count. Unknown values are equal to nothing.
fn ids(before: &[Value], after: &[Value]) -> (Vec<usize>, Vec<usize>) {
    let mut known: BTreeMap<Value, usize> = BTreeMap::new();
    let mut next = 0;
    let mut id = |value: &Value| {
        next += 1;
        if !value.is_wholly_known() {
            return next;
        }
        *known.entry(value.unmark_deep()).or_insert(next)
    };
    let before = before.iter().map(&mut id).collect();
    let after = after.iter().map(&mut id).collect();
    (before, after)
}

fn pair_ids<T: Ord + std::hash::Hash + Eq>(
    before: &[T],
    after: &[T],
    may_pair: impl Fn(usize, usize) -> bool,
) -> Vec<Pair> {
    // The longest common subsequence proper is quadratic; large lists get the nearly linear one.
    let small = before.len().saturating_mul(after.len()) <= 1 << 18;
    let algorithm = if small { Algorithm::Lcs } else { Algorithm::Myers };
    let mut pairs = Vec::new();
    let (mut gone, mut new) = (Vec::new(), Vec::new());
    for op in capture_diff_slices(algorithm, before, after) {
        match op {
            DiffOp::Equal { old_index, new_index, len } => {
                close_gap(&mut gone, &mut new, &may_pair, &mut pairs);
                pairs.extend((0..len).map(|at| (Some(old_index + at), Some(new_index + at))));
            }
            DiffOp::Delete { old_index, old_len, .. } => {
                gone.extend(old_index..old_index + old_len)
            }
            DiffOp::Insert { new_index, new_len, .. } => new.extend(new_index..new_index + new_len),
            DiffOp::Replace { old_index, old_len, new_index, new_len } => {
                gone.extend(old_index..old_index + old_len);
                new.extend(new_index..new_index + new_len);
            }
        }
    }
    close_gap(&mut gone, &mut new, &may_pair, &mut pairs);
    pairs
}

fn close_gap(
    gone: &mut Vec<usize>,
    new: &mut Vec<usize>,
    may_pair: &impl Fn(usize, usize) -> bool,
    pairs: &mut Vec<Pair>,
) {
    let mut new = new.drain(..).peekable();
    for old in gone.drain(..) {
        let partner = new.next_if(|it| may_pair(old, *it));
        pairs.push((Some(old), partner));
    }
    pairs.extend(new.map(|it| (None, Some(it))));
}
