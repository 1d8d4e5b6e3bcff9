//! Expressions that are constant because nothing is known yet where they stand.

use std::sync::Arc;

use plumb_diag::{Diagnostic, Diagnostics, Span};
use plumb_model::value::{Number, Value, ValueKind};

use super::walk::{Found, walk};
use crate::syntax::{Attribute, Expr, ExprKind, ObjectKey, UnaryOp};

/// Reports references and calls in `expr`. Returns whether there are none.
pub(super) fn check_constant(expr: &Expr, out: &mut Diagnostics) -> bool {
    let before = out.len();
    walk(expr, &mut |found| {
        out.push(match found {
            Found::Name(traversal) => {
                Diagnostic::error("Variables not allowed", "Variables may not be used here.")
                    .at(traversal.root.span)
            }
            Found::Call(call) => {
                Diagnostic::error("Function calls not allowed", "Functions may not be called here.")
                    .at(call.name.span.to(call.close_span))
            }
        });
    });
    out.len() == before
}

/// The value of a literal: of text, numbers, and collections of such.
pub(super) fn literal(expr: &Expr) -> Option<Value> {
    Some(match &expr.kind {
        ExprKind::Null => Value::NULL,
        ExprKind::Bool(value) => Value::bool(*value),
        ExprKind::Number(text) => Value::number(Number::parse(text)?),
        ExprKind::String(text) => Value::string(&**text),
        ExprKind::Paren(inner) | ExprKind::Wrap(inner) => literal(inner)?,
        ExprKind::Unary(it) => match (it.op, literal(&it.operand)?.kind()) {
            (UnaryOp::Negate, ValueKind::Number(number)) => Value::number(number.neg()),
            (UnaryOp::Not, ValueKind::Bool(value)) => Value::bool(!value),
            _ => return None,
        },
        ExprKind::Tuple(items) => Value::tuple(items.iter().map(literal).collect::<Option<_>>()?),
        ExprKind::Object(items) => {
            let mut attrs = Vec::new();
            for item in items {
                let key: Arc<str> = match &item.key {
                    ObjectKey::Name(name) => Arc::clone(&name.text),
                    ObjectKey::Expr(key) => text_of(&literal(key)?)?,
                };
                attrs.push((key, literal(&item.value)?));
            }
            Value::object(attrs)
        }
        _ => return None,
    })
}

/// The text of a string, number or bool.
fn text_of(value: &Value) -> Option<Arc<str>> {
    match value.kind() {
        ValueKind::String(text) => Some(Arc::clone(text)),
        ValueKind::Number(number) => Some(number.to_string().into()),
        ValueKind::Bool(value) => Some(value.to_string().into()),
        _ => None,
    }
}

/// The string that `attribute` is set to; none if it is not there, or wrong and reported.
pub(super) fn string(
    attribute: Option<Attribute>,
    out: &mut Diagnostics,
) -> Option<(Arc<str>, Span)> {
    string_of(&attribute?.expr, out)
}

/// The string that an expression is; none if it is wrong, and reported.
pub(super) fn string_of(expr: &Expr, out: &mut Diagnostics) -> Option<(Arc<str>, Span)> {
    constant(expr, "string", text_of, out).map(|it| (it, expr.span))
}

/// The same for a bool.
pub(super) fn bool(attribute: Option<Attribute>, out: &mut Diagnostics) -> Option<bool> {
    let of = |value: &Value| match value.kind() {
        ValueKind::Bool(value) => Some(*value),
        ValueKind::String(text) if &**text == "true" => Some(true),
        ValueKind::String(text) if &**text == "false" => Some(false),
        _ => None,
    };
    constant(&attribute?.expr, "bool", of, out)
}

fn constant<T>(
    expr: &Expr,
    wanted: &str,
    of: impl Fn(&Value) -> Option<T>,
    out: &mut Diagnostics,
) -> Option<T> {
    if matches!(expr.kind, ExprKind::Invalid) {
        return None;
    }
    let constant = check_constant(expr, out);
    let value = literal(expr);
    if let Some(known) = value.as_ref().and_then(of) {
        return Some(known);
    }
    let why = match value {
        _ if !constant => "value must be known".to_owned(),
        Some(value) if value.is_null() => "null value is not allowed".to_owned(),
        Some(value) if wanted == "bool" && value.as_str().is_some() => {
            "a bool is required".to_owned()
        }
        Some(_) => format!("{wanted} required"),
        None => format!("a literal {wanted} is required"),
    };
    out.push(
        Diagnostic::error("Unsuitable value type", format!("Unsuitable value: {why}"))
            .at(expr.span),
    );
    None
}
