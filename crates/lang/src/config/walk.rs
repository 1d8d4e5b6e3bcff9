//! Everything an expression refers to.

use std::sync::Arc;

use crate::syntax::{AccessStep, Call, Expr, ExprKind, Ident, ObjectKey, Part, Traversal};

/// Something an expression needs from outside.
pub(super) enum Found<'a> {
    /// A name that the expression does not bind itself.
    Name(&'a Traversal),
    /// A function.
    Call(&'a Call),
}

/// Visits all of them, in source order.
pub(super) fn walk<'a>(expr: &'a Expr, visit: &mut dyn FnMut(Found<'a>)) {
    expression(expr, &mut Vec::new(), visit);
}

type Bound = Vec<Arc<str>>;

fn expression<'a>(expr: &'a Expr, bound: &mut Bound, visit: &mut dyn FnMut(Found<'a>)) {
    match &expr.kind {
        ExprKind::Invalid
        | ExprKind::Null
        | ExprKind::Bool(_)
        | ExprKind::Number(_)
        | ExprKind::String(_) => {}
        ExprKind::Template(it) => parts(&it.parts, bound, visit),
        ExprKind::Wrap(it) | ExprKind::Paren(it) => expression(it, bound, visit),
        ExprKind::Traversal(it) => {
            if !bound.contains(&it.root.text) {
                visit(Found::Name(it));
            }
        }
        ExprKind::Access(it) => {
            expression(&it.base, bound, visit);
            for step in &it.steps {
                if let AccessStep::Index { key, .. } = step {
                    expression(key, bound, visit);
                }
            }
        }
        ExprKind::Call(it) => {
            visit(Found::Call(it));
            for arg in &it.args {
                expression(arg, bound, visit);
            }
        }
        ExprKind::Unary(it) => expression(&it.operand, bound, visit),
        ExprKind::Binary(it) => {
            expression(&it.first, bound, visit);
            for operation in &it.rest {
                expression(&operation.operand, bound, visit);
            }
        }
        ExprKind::Conditional(it) => {
            for expr in [&it.condition, &it.yes, &it.no] {
                expression(expr, bound, visit);
            }
        }
        ExprKind::Tuple(items) => {
            for item in items {
                expression(item, bound, visit);
            }
        }
        ExprKind::Object(items) => {
            for item in items {
                if let ObjectKey::Expr(key) = &item.key {
                    expression(key, bound, visit);
                }
                expression(&item.value, bound, visit);
            }
        }
        ExprKind::For(it) => {
            expression(&it.collection, bound, visit);
            let outer = bind(&it.key_var, &it.value_var, bound);
            if let Some(key) = &it.key {
                expression(key, bound, visit);
            }
            expression(&it.value, bound, visit);
            if let Some(condition) = &it.condition {
                expression(condition, bound, visit);
            }
            bound.truncate(outer);
        }
    }
}

fn parts<'a>(all: &'a [Part], bound: &mut Bound, visit: &mut dyn FnMut(Found<'a>)) {
    for part in all {
        match part {
            Part::Literal { .. } => {}
            Part::Interpolation { expr, .. } => expression(expr, bound, visit),
            Part::If(it) => {
                expression(&it.condition, bound, visit);
                parts(&it.yes, bound, visit);
                parts(&it.no, bound, visit);
            }
            Part::For(it) => {
                expression(&it.collection, bound, visit);
                let outer = bind(&it.key_var, &it.value_var, bound);
                parts(&it.body, bound, visit);
                bound.truncate(outer);
            }
        }
    }
}

fn bind(key: &Option<Ident>, value: &Ident, bound: &mut Bound) -> usize {
    let outer = bound.len();
    bound.extend(key.iter().chain([value]).map(|it| Arc::clone(&it.text)));
    outer
}
