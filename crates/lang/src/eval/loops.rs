//! `for` expressions, and what `for` directives share with them.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use plumb_diag::{Diagnostic, Span};
use plumb_model::value::{Marks, Type, Value, ValueKind, convert};

use super::expr::{AsArc, Eval, Local, Scope};
use super::message;
use crate::syntax::{Expr, For, Ident};

/// What is looped over, as far as one can tell.
pub(super) enum Elements {
    /// Known, without its marks.
    Known(Value, Marks),
    /// Nothing can be said yet.
    Unknown(Marks),
    /// It was reported.
    Failed,
}

/// What the `if` of a loop says about an element.
enum Include {
    Yes,
    No,
    /// Unknown, or wrong and reported: the result as a whole is unknown.
    Unclear,
}

impl Eval<'_> {
    /// Evaluates and checks what is to be looped over.
    pub(super) fn elements(
        &mut self,
        collection: &Expr,
        whole: Span,
        scope: Scope<'_>,
    ) -> Elements {
        let (value, marks) = self.value(collection, scope).unmark();
        let iterable = |ty: &Type| !ty.is_primitive();
        match value.kind() {
            ValueKind::Null(_) => {
                let detail = "A null value cannot be used as the collection in a 'for' expression.";
                let diagnostic = Diagnostic::error("Iteration over null value", detail)
                    .at(collection.span)
                    .within(whole);
                self.fail(diagnostic, &[collection], scope);
                return Elements::Failed;
            }
            ValueKind::Unknown(it) if iterable(&it.ty) => return Elements::Unknown(marks),
            ValueKind::List(_)
            | ValueKind::Set(_)
            | ValueKind::Map(_)
            | ValueKind::Tuple(_)
            | ValueKind::Object(_) => return Elements::Known(value, marks),
            ValueKind::Unknown(_)
            | ValueKind::Bool(_)
            | ValueKind::Number(_)
            | ValueKind::String(_) => {}
        }
        let detail = format!(
            "A value of type {} cannot be used as the collection in a 'for' expression.",
            value.ty().friendly_name()
        );
        let diagnostic = Diagnostic::error("Iteration over non-iterable value", detail)
            .at(collection.span)
            .within(whole);
        self.fail(diagnostic, &[collection], scope);
        Elements::Failed
    }

    #[inline(never)]
    pub(super) fn for_expr(&mut self, it: &For, expr: &Expr, scope: Scope<'_>) -> Value {
        let (collection, mut marks) = match self.elements(&it.collection, expr.span, scope) {
            Elements::Known(value, marks) => (value, marks),
            Elements::Unknown(marks) => return Value::dynamic().with_marks(marks),
            Elements::Failed => return Value::dynamic(),
        };
        if let Some(condition) = &it.condition
            && !self.condition_can_hold(it, condition, expr, scope)
        {
            return Value::dynamic();
        }
        let known = match &it.key {
            Some(key) => self.object_for(it, key, expr, scope, &collection, &mut marks),
            None => self.tuple_for(it, expr, scope, &collection, &mut marks),
        };
        known.unwrap_or_else(Value::dynamic).with_marks(marks)
    }

    fn tuple_for(
        &mut self,
        it: &For,
        expr: &Expr,
        scope: Scope<'_>,
        collection: &Value,
        marks: &mut Marks,
    ) -> Option<Value> {
        let mut items = Vec::new();
        if it.condition.is_none() {
            items.reserve_exact(collection.len().unwrap_or(0));
        }
        let mut known = true;
        for_each_element(collection, &it.key_var, &it.value_var, scope, |scope| {
            if let Some(condition) = &it.condition {
                match self.included(condition, expr, scope, marks, known) {
                    Include::Yes => {}
                    Include::No => return,
                    Include::Unclear => return known = false,
                }
            }
            items.push(self.value(&it.value, scope));
        });
        known.then(|| Value::tuple(items))
    }

    fn object_for(
        &mut self,
        it: &For,
        key: &Expr,
        expr: &Expr,
        scope: Scope<'_>,
        collection: &Value,
        marks: &mut Marks,
    ) -> Option<Value> {
        let mut single: BTreeMap<Arc<str>, Value> = BTreeMap::new();
        let mut groups: BTreeMap<Arc<str>, Vec<Value>> = BTreeMap::new();
        let mut known = true;
        for_each_element(collection, &it.key_var, &it.value_var, scope, |scope| {
            if let Some(condition) = &it.condition {
                match self.included(condition, expr, scope, marks, known) {
                    Include::Yes => {}
                    Include::No => return,
                    Include::Unclear => return known = false,
                }
            }
            let Some(name) = self.for_key(key, expr, scope, marks, known) else {
                known = false;
                return;
            };
            let value = self.value(&it.value, scope);
            if it.group {
                groups.entry(name).or_default().push(value);
                return;
            }
            match single.entry(name) {
                Entry::Vacant(entry) => {
                    entry.insert(value);
                }
                Entry::Occupied(entry) => {
                    let detail = format!(
                        "Two different items produced the key {:?} in this 'for' expression. If \
                         duplicates are expected, use the ellipsis (...) after the value \
                         expression to enable grouping by key.",
                        &**entry.key()
                    );
                    let diagnostic = Diagnostic::error("Duplicate object key", detail)
                        .at(key.span)
                        .within(expr.span);
                    self.fail(diagnostic, &[key], scope);
                }
            }
        });
        known.then(|| {
            if it.group {
                Value::object(groups.into_iter().map(|(key, items)| (key, Value::tuple(items))))
            } else {
                Value::object(single)
            }
        })
    }

    /// The key of one element; none if it is unknown or wrong. Only the first mistake is reported.
    fn for_key(
        &mut self,
        key: &Expr,
        expr: &Expr,
        scope: Scope<'_>,
        marks: &mut Marks,
        report: bool,
    ) -> Option<Arc<str>> {
        let before = self.diagnostics.len();
        let (value, key_marks) = self.value(key, scope).unmark();
        *marks |= key_marks;
        if let Some(text) = value.as_arc() {
            return Some(text);
        }
        if self.failed_since(before) || !value.is_known() {
            return None;
        }
        let detail = if value.is_null() {
            "Key expression in 'for' expression must not produce a null value.".to_owned()
        } else {
            match convert(&value, &Type::String) {
                Ok(value) => return value.as_arc(),
                Err(error) => {
                    format!("The key expression produced an invalid result: {}.", message(&error))
                }
            }
        };
        if report {
            let diagnostic =
                Diagnostic::error("Invalid object key", detail).at(key.span).within(expr.span);
            self.fail(diagnostic, &[key], scope);
        }
        None
    }

    fn included(
        &mut self,
        condition: &Expr,
        expr: &Expr,
        scope: Scope<'_>,
        marks: &mut Marks,
        report: bool,
    ) -> Include {
        let before = self.diagnostics.len();
        let (value, condition_marks) = self.value(condition, scope).unmark();
        *marks |= condition_marks;
        match value.as_bool() {
            Some(true) => return Include::Yes,
            Some(false) => return Include::No,
            None if self.failed_since(before) || !value.is_known() => return Include::Unclear,
            None => {}
        }
        let detail = if value.is_null() {
            "The value of the 'if' clause must not be null.".to_owned()
        } else {
            match convert(&value, &Type::Bool).map(|it| it.as_bool()) {
                Ok(Some(true)) => return Include::Yes,
                Ok(_) => return Include::No,
                Err(error) => format!("The 'if' clause value is invalid: {}.", message(&error)),
            }
        };
        if report {
            let diagnostic = Diagnostic::error("Invalid 'for' condition", detail)
                .at(condition.span)
                .within(expr.span);
            self.fail(diagnostic, &[condition], scope);
        }
        Include::Unclear
    }

    /// Tries the `if` once with unknown variables: what is wrong whatever the element is reported
    /// once, not once for every element.
    fn condition_can_hold(
        &mut self,
        it: &For,
        condition: &Expr,
        expr: &Expr,
        scope: Scope<'_>,
    ) -> bool {
        let unknown = Value::dynamic();
        let key_name = it.key_var.as_ref().map_or("", |it| &it.text);
        let key = Local::new(key_name, &unknown, scope);
        let value = Local::new(&it.value_var.text, &unknown, key.scope());
        let before = self.diagnostics.len();
        let result = self.value(condition, value.scope());
        if self.failed_since(before) {
            return false;
        }
        let (summary, detail) = if result.is_null() {
            ("Condition is null", "The value of the 'if' clause must not be null.".to_owned())
        } else {
            match convert(&result, &Type::Bool) {
                Ok(_) => return true,
                Err(error) => (
                    "Invalid 'for' condition",
                    format!("The 'if' clause value is invalid: {}.", message(&error)),
                ),
            }
        };
        let diagnostic = Diagnostic::error(summary, detail).at(condition.span).within(expr.span);
        self.fail(diagnostic, &[condition], value.scope());
        false
    }
}

/// Runs `each` for every element with the loop's variables bound. Keys are made only if wanted.
pub(super) fn for_each_element(
    collection: &Value,
    key_var: &Option<Ident>,
    value_var: &Ident,
    scope: Scope<'_>,
    mut each: impl FnMut(Scope<'_>),
) {
    match key_var {
        None => {
            for item in collection.values() {
                each(Local::new(&value_var.text, item, scope).scope());
            }
        }
        Some(key_var) => {
            for (key, item) in collection.elements() {
                let key = Local::new(&key_var.text, &key, scope);
                each(Local::new(&value_var.text, item, key.scope()).scope());
            }
        }
    }
}
