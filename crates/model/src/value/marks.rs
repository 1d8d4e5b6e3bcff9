//! Marks: what must not happen to a value although it is an ordinary value otherwise.

use std::fmt;
use std::ops::{BitOr, BitOrAssign};

use super::{Path, Step, Value};

/// A set of marks. Results carry the marks of everything they were made from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Marks(u8);

impl Marks {
    /// No marks.
    pub const NONE: Marks = Marks(0);
    /// Must not be shown.
    pub const SENSITIVE: Marks = Marks(1);
    /// Must not be stored.
    pub const EPHEMERAL: Marks = Marks(2);

    /// Whether there are none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether all of `other` are among them.
    pub const fn contains(self, other: Marks) -> bool {
        self.0 & other.0 == other.0
    }

    /// These without those.
    pub const fn without(self, other: Marks) -> Marks {
        Marks(self.0 & !other.0)
    }
}

impl BitOr for Marks {
    type Output = Marks;
    fn bitor(self, other: Marks) -> Marks {
        Marks(self.0 | other.0)
    }
}

impl BitOrAssign for Marks {
    fn bitor_assign(&mut self, other: Marks) {
        self.0 |= other.0;
    }
}

impl fmt::Debug for Marks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [(Marks::SENSITIVE, "sensitive"), (Marks::EPHEMERAL, "ephemeral")];
        let names: Vec<_> =
            names.iter().filter(|(mark, _)| self.contains(*mark)).map(|(_, name)| *name).collect();
        f.write_str(&names.join("+"))
    }
}

impl Value {
    /// The marks of the value itself, not of what is in it.
    pub fn marks(&self) -> Marks {
        self.marks
    }

    /// The marks of the value and everything in it. O(1).
    pub fn marks_deep(&self) -> Marks {
        self.marks | self.inside().marks
    }

    /// Whether the value itself has all of these marks.
    pub fn has_mark(&self, marks: Marks) -> bool {
        self.marks.contains(marks)
    }

    /// Whether these marks occur on the value or in it. O(1).
    pub fn has_mark_deep(&self, marks: Marks) -> bool {
        self.marks_deep().contains(marks)
    }

    /// The value with these marks in addition.
    pub fn with_marks(mut self, marks: Marks) -> Value {
        self.marks |= marks;
        self
    }

    /// The value with the sensitive mark.
    pub fn sensitive(self) -> Value {
        self.with_marks(Marks::SENSITIVE)
    }

    /// The value without its own marks, and those.
    pub fn unmark(mut self) -> (Value, Marks) {
        let marks = std::mem::take(&mut self.marks);
        (self, marks)
    }

    /// The value without any marks. Shares when there are none.
    pub fn unmark_deep(&self) -> Value {
        self.without_marks_deep(Marks(u8::MAX))
    }

    /// The value without these marks, anywhere. Shares where there are none.
    pub fn without_marks_deep(&self, marks: Marks) -> Value {
        let mut value = self.clone();
        value.marks = value.marks.without(marks);
        if self.inside().marks.without(marks) == self.inside().marks {
            return value;
        }
        value.with_items(self.values().map(|item| item.without_marks_deep(marks)).collect())
    }

    /// The value without marks, and where they were, outermost first.
    pub fn unmark_deep_with_paths(&self) -> (Value, Vec<(Path, Marks)>) {
        let mut found = Vec::new();
        if !self.marks_deep().is_empty() {
            self.find_marks(&mut Path::default(), &mut found);
        }
        (self.unmark_deep(), found)
    }

    fn find_marks(&self, path: &mut Path, found: &mut Vec<(Path, Marks)>) {
        if !self.marks.is_empty() {
            found.push((path.clone(), self.marks));
        }
        if self.inside().marks.is_empty() {
            return;
        }
        let is_object = matches!(self.kind, super::ValueKind::Object(_));
        for (key, item) in self.elements() {
            if item.marks_deep().is_empty() {
                continue;
            }
            path.push(match (&key.kind, is_object) {
                (super::ValueKind::String(name), true) => Step::Attr(name.clone()),
                _ => Step::Index(key),
            });
            item.find_marks(path, found);
            path.pop();
        }
    }

    /// The value with marks at these places; a place that does not exist marks what is there of the
    /// way to it, so that no mark is lost.
    pub fn mark_with_paths<'a>(&self, paths: impl IntoIterator<Item = (&'a Path, Marks)>) -> Value {
        let all: Vec<(&[Step], Marks)> =
            paths.into_iter().map(|(path, marks)| (path.steps(), marks)).collect();
        self.mark_at(&all)
    }

    fn mark_at(&self, paths: &[(&[Step], Marks)]) -> Value {
        let mut here = Marks::NONE;
        let mut deeper: Vec<(&Step, &[Step], Marks)> = Vec::new();
        for (steps, marks) in paths {
            match steps.split_first() {
                None => here |= *marks,
                Some((first, rest)) => deeper.push((first, rest, *marks)),
            }
        }
        if deeper.is_empty() {
            return self.clone().with_marks(here);
        }
        let mut used = vec![false; deeper.len()];
        let is_set = matches!(self.kind, super::ValueKind::Set(_));
        let mut items = Vec::new();
        for (key, item) in self.elements().filter(|_| !is_set) {
            let mut inner = Vec::new();
            for (i, (step, rest, marks)) in deeper.iter().enumerate() {
                if step.is_key(&key) {
                    used[i] = true;
                    inner.push((*rest, *marks));
                }
            }
            items.push(if inner.is_empty() { item.clone() } else { item.mark_at(&inner) });
        }
        for (used, (_, _, marks)) in used.iter().zip(&deeper) {
            if !used {
                here |= *marks;
            }
        }
        let value = if used.contains(&true) { self.with_items(items) } else { self.clone() };
        value.with_marks(here)
    }
}
