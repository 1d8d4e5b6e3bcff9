//! Operators: conversion of operands, arithmetic, comparison, logic.

use std::cmp::Ordering;

use plumb_diag::{Diagnostic, Span};
use plumb_model::value::{Number, Refinements, Type, Value, ValueKind, convert, equals};

use super::expr::{Eval, Scope};
use super::message;
use crate::syntax::{Binary, BinaryOp, Expr, Unary, UnaryOp};

impl Eval<'_> {
    #[inline(never)]
    pub(super) fn unary(&mut self, unary: &Unary, expr: &Expr, scope: Scope<'_>) -> Value {
        let ty = match unary.op {
            UnaryOp::Not => Type::Bool,
            UnaryOp::Negate => Type::Number,
        };
        let given = self.value(&unary.operand, scope);
        let value = match operand(given, &ty) {
            Ok(value) => value,
            Err(error) => {
                let detail = format!("Unsuitable value for unary operand: {error}.");
                let diagnostic = Diagnostic::error("Invalid operand", detail)
                    .at(unary.operand.span)
                    .within(expr.span);
                self.fail(diagnostic, &[&unary.operand], scope);
                return Value::unknown(ty);
            }
        };
        let marks = value.marks();
        let result = match value.kind() {
            ValueKind::Bool(value) => Value::bool(!value),
            ValueKind::Number(number) => Value::number(number.neg()),
            ValueKind::Null(_) => {
                let diagnostic = operation_failed(NULL_ARGUMENT, expr.span);
                self.fail(diagnostic, &[&unary.operand], scope);
                Value::unknown(ty)
            }
            _ => not_null_unknown(ty),
        };
        result.with_marks(marks)
    }

    /// Operators of one precedence, from left to right.
    #[inline(never)]
    pub(super) fn binary(&mut self, binary: &Binary, scope: Scope<'_>) -> Value {
        let mut left = self.value(&binary.first, scope);
        let mut left_span = binary.first.span;
        let mut left_expr = &binary.first;
        for operation in &binary.rest {
            let right = self.value(&operation.operand, scope);
            let place = Place {
                left: left_span,
                right: operation.operand.span,
                exprs: [left_expr, &operation.operand],
                scope,
            };
            left = self.apply(operation.op, left, right, &place);
            left_span = left_span.to(operation.operand.span);
            left_expr = &operation.operand;
        }
        left
    }

    fn apply(&mut self, op: BinaryOp, left: Value, right: Value, place: &Place<'_>) -> Value {
        let ty = match op {
            BinaryOp::Equal => return equals(&left, &right),
            BinaryOp::NotEqual => return not(equals(&left, &right)),
            BinaryOp::And | BinaryOp::Or => Type::Bool,
            _ => Type::Number,
        };
        let result_ty = || match op {
            BinaryOp::Add
            | BinaryOp::Subtract
            | BinaryOp::Multiply
            | BinaryOp::Divide
            | BinaryOp::Modulo => Type::Number,
            _ => Type::Bool,
        };
        let left = self.operand(left, &ty, "left", place.left, place, 0);
        let right = self.operand(right, &ty, "right", place.right, place, 1);
        let (Some(left), Some(right)) = (left, right) else { return Value::unknown(result_ty()) };
        let marks = left.marks() | right.marks();
        let result = match (left.kind(), right.kind()) {
            (ValueKind::Null(_), _) | (_, ValueKind::Null(_)) => Err(NULL_ARGUMENT),
            (ValueKind::Number(a), ValueKind::Number(b)) => numbers(op, a, b),
            (ValueKind::Bool(a), ValueKind::Bool(b)) => Ok(match op {
                BinaryOp::And => Value::bool(*a && *b),
                _ => Value::bool(*a || *b),
            }),
            _ if ty == Type::Number && result_ty() == Type::Bool => {
                Ok(by_bounds(op, &left, &right))
            }
            _ => Ok(not_null_unknown(result_ty())),
        };
        match result {
            Ok(value) => value.with_marks(marks),
            Err(why) => {
                let diagnostic = operation_failed(why, place.left.to(place.right));
                self.fail(diagnostic, &place.exprs, place.scope);
                Value::unknown(result_ty())
            }
        }
    }

    fn operand(
        &mut self,
        value: Value,
        ty: &Type,
        side: &str,
        span: Span,
        place: &Place<'_>,
        which: usize,
    ) -> Option<Value> {
        match operand(value, ty) {
            Ok(value) => Some(value),
            Err(error) => {
                let detail = format!("Unsuitable value for {side} operand: {error}.");
                let diagnostic = Diagnostic::error("Invalid operand", detail)
                    .at(span)
                    .within(place.left.to(place.right));
                self.fail(diagnostic, &[place.exprs[which]], place.scope);
                None
            }
        }
    }
}

/// Where the operands of one operation stand.
struct Place<'e> {
    left: Span,
    right: Span,
    exprs: [&'e Expr; 2],
    scope: Scope<'e>,
}

const NULL_ARGUMENT: &str = "argument must not be null";

fn operation_failed(why: &str, span: Span) -> Diagnostic {
    Diagnostic::error("Operation failed", format!("Error during operation: {why}.")).at(span)
}

fn operand(value: Value, ty: &Type) -> Result<Value, String> {
    match (value.kind(), ty) {
        (ValueKind::Number(_), Type::Number) | (ValueKind::Bool(_), Type::Bool) => Ok(value),
        _ => convert(&value, ty).map_err(|error| message(&error)),
    }
}

fn numbers(op: BinaryOp, a: &Number, b: &Number) -> Result<Value, &'static str> {
    Ok(match op {
        BinaryOp::Add => Value::number(a.add(b)),
        BinaryOp::Subtract => Value::number(a.sub(b)),
        BinaryOp::Multiply => Value::number(a.mul(b)),
        BinaryOp::Divide => match a.div(b) {
            Some(number) => Value::number(number),
            None if a.is_zero() => {
                return Err("can't divide zero by zero or infinity by infinity");
            }
            None => return Err("division by zero"),
        },
        // The remainder of a division by an infinitely small number: nothing was taken away.
        BinaryOp::Modulo => Value::number(a.rem(b).unwrap_or_else(|| a.clone())),
        BinaryOp::Less => Value::bool(a < b),
        BinaryOp::LessOrEqual => Value::bool(a <= b),
        BinaryOp::Greater => Value::bool(a > b),
        BinaryOp::GreaterOrEqual => Value::bool(a >= b),
        BinaryOp::Or | BinaryOp::And | BinaryOp::Equal | BinaryOp::NotEqual => {
            unreachable!("logic and equality are not of numbers")
        }
    })
}

/// Compares by what is known of the operands. Bounds are taken as exclusive, so that a result is
/// never promised that Terraform would not promise.
fn by_bounds(op: BinaryOp, left: &Value, right: &Value) -> Value {
    let below = |a: &Value, b: &Value| match (bounds(a).1, bounds(b).0) {
        (Some(max), Some(min)) => max.cmp(min) == Ordering::Less,
        _ => false,
    };
    let less = match (below(left, right), below(right, left)) {
        (true, _) => true,
        (_, true) => false,
        _ => return not_null_unknown(Type::Bool),
    };
    Value::bool(less == matches!(op, BinaryOp::Less | BinaryOp::LessOrEqual))
}

/// The least and the greatest that a number can be.
fn bounds(value: &Value) -> (Option<&Number>, Option<&Number>) {
    match value.kind() {
        ValueKind::Number(number) => (Some(number), Some(number)),
        ValueKind::Unknown(it) => {
            let (min, max) = (&it.refinements.min, &it.refinements.max);
            (min.as_ref().map(|it| &it.0), max.as_ref().map(|it| &it.0))
        }
        _ => (None, None),
    }
}

fn not(value: Value) -> Value {
    match value.as_bool() {
        Some(it) => Value::bool(!it).with_marks(value.marks()),
        None => value,
    }
}

fn not_null_unknown(ty: Type) -> Value {
    Value::unknown_refined(ty, Refinements::not_null())
}
