//! What differs between two values, as a tree that is ready to be drawn.
//!
//! Two steps: `compute` decides what is shown as changed, `draw` lays it out.

mod compute;
mod draw;
mod pair;

use std::sync::Arc;

use plumb_model::value::Value;

pub(crate) use compute::{Forcing, block_diff, value_diff};
pub(crate) use draw::{Options, draw, line_start};

/// What happens to one part of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    Keep,
    Create,
    Update,
    Delete,
}

/// One part of a value, before and after.
#[derive(Clone, Debug)]
pub(crate) struct Diff {
    pub(crate) sign: Sign,
    /// Whether this is why a new object is needed.
    pub(crate) forces: bool,
    pub(crate) shape: Shape,
}

/// How a part is laid out.
#[derive(Clone, Debug)]
pub(crate) enum Shape {
    /// A null, bool, number or string on each side that there is.
    Leaf { before: Option<Value>, after: Option<Value> },
    /// Known after apply; what it is now, as a deletion.
    Unknown { before: Option<Box<Diff>> },
    /// Not shown. Whether each side is marked, and whether it would be equal if shown.
    Sensitive { before: bool, after: bool, unchanged: bool },
    /// Sent to the provider, never stored.
    WriteOnly,
    /// Two kinds of values.
    Kinds { before: Box<Diff>, after: Box<Diff> },
    /// Elements in order.
    List(Vec<Diff>),
    /// Elements without order.
    Set(Vec<Diff>),
    /// Elements by key.
    Map(Vec<(Arc<str>, Diff)>),
    /// Attributes.
    Object(Vec<(Arc<str>, Diff)>),
    /// Attributes and nested blocks.
    Block { attributes: Vec<(Arc<str>, Diff)>, blocks: Vec<BlockDiff> },
}

/// The nested blocks of one name.
#[derive(Clone, Debug)]
pub(crate) struct BlockDiff {
    pub(crate) name: Arc<str>,
    /// Whether any change of them needs a new object.
    pub(crate) forces: bool,
    /// Each, with its label if they are kept by label.
    pub(crate) each: Vec<(Option<Arc<str>>, Diff)>,
}

impl Sign {
    /// What becomes of a whole, given that of its parts so far and that of one more part.
    fn and(self, part: Sign) -> Sign {
        match part {
            Sign::Keep => self,
            part if part == self => self,
            _ => Sign::Update,
        }
    }

    /// Of a whole before its parts are looked at.
    fn of_sides(before: bool, after: bool) -> Sign {
        match (before, after) {
            (false, true) => Sign::Create,
            (true, false) => Sign::Delete,
            (true, true) | (false, false) => Sign::Keep,
        }
    }
}
