//! `condition ? yes : no`: the type both agree on, then one of them.

use plumb_diag::Diagnostic;
use plumb_model::value::{Number, Refinements, Type, Value, ValueKind, convert, unify};

use super::expr::{Eval, Scope};
use super::message;
use crate::syntax::{Conditional, Expr};

impl Eval<'_> {
    /// Both sides are evaluated, because both have a say in the type; what goes wrong on the side
    /// that is not chosen does not matter.
    #[inline(never)]
    pub(super) fn conditional(&mut self, it: &Conditional, expr: &Expr, scope: Scope<'_>) -> Value {
        let start = self.diagnostics.len();
        let yes = self.value(&it.yes, scope);
        let middle = self.diagnostics.len();
        let no = self.value(&it.no, scope);
        let mut yes_diagnostics = Vec::new();
        let mut no_diagnostics = Vec::new();
        if self.diagnostics.len() > start {
            no_diagnostics = self.diagnostics.split_off(middle);
            yes_diagnostics = self.diagnostics.split_off(start);
        }
        let Some(ty) = common_type(&yes, &no) else {
            let detail = format!(
                "The true and false result expressions must have consistent types. {}.",
                mismatch(&yes.ty(), &no.ty())
            );
            let diagnostic = Diagnostic::error("Inconsistent conditional result types", detail)
                .at(it.yes.span.to(it.no.span))
                .within(expr.span);
            self.fail(diagnostic, &[&it.yes, &it.no], scope);
            return Value::dynamic();
        };
        let before = self.diagnostics.len();
        let condition = self.value(&it.condition, scope);
        let condition = match self.condition(condition, &it.condition, expr, scope) {
            Some(condition) => condition,
            None => return unknown(ty),
        };
        let marks = condition.marks_deep();
        let (chosen, side, diagnostics) = match condition.as_bool() {
            Some(true) => (yes, "true", yes_diagnostics),
            Some(false) => (no, "false", no_diagnostics),
            None if self.failed_since(before) => return unknown(ty),
            None => return either(&yes, &no, ty).with_marks(marks | yes.marks() | no.marks()),
        };
        self.diagnostics.extend(diagnostics);
        let Some(ty) = ty else { return chosen.with_marks(marks) };
        match convert(&chosen, &ty) {
            Ok(value) => value.with_marks(marks),
            Err(error) => {
                let detail =
                    format!("The {side} result value has the wrong type: {}.", message(&error));
                let chosen = if side == "true" { &it.yes } else { &it.no };
                let diagnostic = Diagnostic::error("Inconsistent conditional result types", detail)
                    .at(chosen.span)
                    .within(expr.span);
                self.fail(diagnostic, &[chosen], scope);
                Value::unknown(ty)
            }
        }
    }

    /// A condition as a boolean, perhaps unknown; none after an error.
    pub(super) fn condition(
        &mut self,
        value: Value,
        condition: &Expr,
        whole: &Expr,
        scope: Scope<'_>,
    ) -> Option<Value> {
        let (summary, detail) = if value.as_bool().is_some() {
            return Some(value);
        } else if value.is_null() {
            (
                "Null condition",
                "The condition value is null. Conditions must either be true or false.",
            )
        } else {
            match convert(&value, &Type::Bool) {
                Ok(value) => return Some(value),
                Err(_) if !value.is_known() => {
                    return Some(Value::unknown(Type::Bool).with_marks(value.marks()));
                }
                Err(_) => {
                    ("Incorrect condition type", "The condition expression must be of type bool.")
                }
            }
        };
        let diagnostic = Diagnostic::error(summary, detail).at(condition.span).within(whole.span);
        self.fail(diagnostic, &[condition], scope);
        None
    }
}

/// The type both values convert to: `Some(None)` if they are of it already, none if there is none.
fn common_type(yes: &Value, no: &Value) -> Option<Option<Type>> {
    let bare_null = |it: &Value| it.is_null() && *it == Value::NULL;
    match (yes.kind(), no.kind()) {
        (ValueKind::String(_), ValueKind::String(_))
        | (ValueKind::Number(_), ValueKind::Number(_))
        | (ValueKind::Bool(_), ValueKind::Bool(_)) => Some(None),
        _ if bare_null(yes) => Some(Some(no.ty())),
        _ if bare_null(no) => Some(Some(yes.ty())),
        _ => {
            let (yes, no) = (yes.ty(), no.ty());
            if yes == no { Some(Some(yes)) } else { unify(&[yes, no]).map(Some) }
        }
    }
}

fn unknown(ty: Option<Type>) -> Value {
    // Without a type of its own, the two were equal primitives; which does not matter any more.
    Value::unknown(ty.unwrap_or(Type::Dynamic))
}

/// One of two values, nobody knows which: what is true of both is true of it.
fn either(yes: &Value, no: &Value, ty: Option<Type>) -> Value {
    let ty = ty.unwrap_or_else(|| yes.ty());
    if yes.is_null() && no.is_null() {
        return Value::null(ty);
    }
    let not_null = yes.is_definitely_not_null() && no.is_definitely_not_null();
    let mut refinements = Refinements { not_null, ..Refinements::default() };
    if ty == Type::Number && yes.ty() == Type::Number && no.ty() == Type::Number {
        refinements.min = bound(yes, no, |it| &it.min, |a, b| a <= b);
        refinements.max = bound(yes, no, |it| &it.max, |a, b| a >= b);
        if let (true, Some((min, true)), Some((max, true))) =
            (not_null, &refinements.min, &refinements.max)
            && min == max
        {
            return Value::number(min.clone());
        }
    }
    if ty.is_collection() && yes.ty() == no.ty() {
        let (a, b) = (lengths(yes), lengths(no));
        refinements.len_min = a.0.zip(b.0).map(|(a, b)| a.min(b));
        refinements.len_max = a.1.zip(b.1).map(|(a, b)| a.max(b));
    }
    if ty == Type::Dynamic { Value::dynamic() } else { Value::unknown_refined(ty, refinements) }
}

/// The weaker of two bounds, if both have one.
fn bound(
    a: &Value,
    b: &Value,
    which: fn(&Refinements) -> &Option<(Number, bool)>,
    weaker: fn(&Number, &Number) -> bool,
) -> Option<(Number, bool)> {
    let of = |it: &Value| match it.as_number() {
        Some(number) => Some((number.clone(), true)),
        None => it.as_unknown().and_then(|it| which(&it.refinements).clone()),
    };
    let (a, b) = (of(a)?, of(b)?);
    Some(if a.0 == b.0 {
        (a.0, a.1 || b.1)
    } else if weaker(&a.0, &b.0) {
        a
    } else {
        b
    })
}

fn lengths(value: &Value) -> (Option<u64>, Option<u64>) {
    match value.as_unknown() {
        Some(it) => (it.refinements.len_min, it.refinements.len_max),
        None => {
            let len = value.len().map(|len| len as u64);
            (len, len)
        }
    }
}

/// Where two types part.
fn mismatch(yes: &Type, no: &Type) -> String {
    match (yes, no) {
        (Type::Object(a), Type::Object(b)) => {
            if let Some(name) = a.attrs.keys().find(|it| !b.attrs.contains_key(*it)) {
                return format!(
                    "The 'true' value includes object attribute {name:?}, which is absent in the \
                     'false' value"
                );
            }
            if let Some(name) = b.attrs.keys().find(|it| !a.attrs.contains_key(*it)) {
                return format!(
                    "The 'false' value includes object attribute {name:?}, which is absent in the \
                     'true' value"
                );
            }
            let differing = a.attrs.iter().zip(b.attrs.values()).find(|((_, a), b)| a != b);
            if let Some(((name, a), b)) = differing {
                return format!("Type mismatch for object attribute {name:?}: {}", mismatch(a, b));
            }
        }
        (Type::Tuple(a), Type::Tuple(b)) => {
            if a.len() != b.len() {
                return format!(
                    "The 'true' tuple has length {}, but the 'false' tuple has length {}",
                    a.len(),
                    b.len()
                );
            }
            if let Some((i, (a, b))) = a.iter().zip(b.iter()).enumerate().find(|(_, (a, b))| a != b)
            {
                return format!("Type mismatch for tuple element {i}: {}", mismatch(a, b));
            }
        }
        (Type::List(a), Type::List(b)) if nested(a, b) => {
            return format!("Mismatched list element types: {}", mismatch(a, b));
        }
        (Type::Set(a), Type::Set(b)) if nested(a, b) => {
            return format!("Mismatched set element types: {}", mismatch(a, b));
        }
        (Type::Map(a), Type::Map(b)) if nested(a, b) => {
            return format!("Mismatched map element types: {}", mismatch(a, b));
        }
        _ => {}
    }
    let (yes, no) = (yes.friendly_name(), no.friendly_name());
    if yes == no {
        return "At least one deeply-nested attribute or element is not compatible across both the \
                'true' and the 'false' value"
            .into();
    }
    format!("The 'true' value is {yes}, but the 'false' value is {no}")
}

/// Whether there is more to say about elements than the names of their types.
fn nested(a: &Type, b: &Type) -> bool {
    matches!((a, b), (Type::Object(_), Type::Object(_)) | (Type::Tuple(_), Type::Tuple(_)))
}
