//! The evaluator: one match over the forms of an expression.

use std::sync::Arc;

use plumb_diag::{Diagnostic, Diagnostics};
use plumb_model::value::{Marks, Number, Type, Value, convert};

use super::{Names, message};
use crate::syntax::{Expr, ExprKind, ObjectItem, ObjectKey, Traversal};

/// Evaluates expressions against names, and reports.
pub(super) struct Eval<'a> {
    pub(super) names: &'a dyn Names,
    pub(super) diagnostics: &'a mut Diagnostics,
    /// Above zero, diagnostics are only looked at, never shown: no need to make them pretty.
    pub(super) quiet: u32,
    /// Templates that render templates.
    pub(super) template_depth: u32,
}

/// Variables bound inside an expression, innermost first. Lives on the stack; copies nothing.
#[derive(Clone, Copy)]
pub(super) struct Scope<'s>(Option<&'s Local<'s>>);

/// One such variable.
pub(super) struct Local<'s> {
    name: &'s str,
    value: &'s Value,
    outer: Scope<'s>,
}

impl<'s> Scope<'s> {
    pub(super) const NONE: Scope<'static> = Scope(None);

    pub(super) fn get(self, name: &str) -> Option<&'s Value> {
        let mut scope = self;
        while let Some(local) = scope.0 {
            if local.name == name {
                return Some(local.value);
            }
            scope = local.outer;
        }
        None
    }
}

impl<'s> Local<'s> {
    pub(super) fn new(name: &'s str, value: &'s Value, outer: Scope<'s>) -> Local<'s> {
        Local { name, value, outer }
    }

    pub(super) fn scope(&'s self) -> Scope<'s> {
        Scope(Some(self))
    }
}

impl<'a> Eval<'a> {
    pub(super) fn new(names: &'a dyn Names, diagnostics: &'a mut Diagnostics) -> Eval<'a> {
        Eval { names, diagnostics, quiet: 0, template_depth: 0 }
    }

    /// The value of an expression.
    pub(super) fn value(&mut self, expr: &Expr, scope: Scope<'_>) -> Value {
        match &expr.kind {
            ExprKind::Invalid => Value::dynamic(),
            ExprKind::Null => Value::NULL,
            ExprKind::Bool(value) => Value::bool(*value),
            ExprKind::Number(digits) => self.number(digits, expr),
            ExprKind::String(text) => literal(text),
            ExprKind::Template(template) => self.template(&template.parts, expr.span, scope),
            ExprKind::Wrap(inner) | ExprKind::Paren(inner) => self.value(inner, scope),
            ExprKind::Traversal(traversal) => self.traversal(traversal, Some(expr), scope),
            ExprKind::Access(access) => self.access(access, expr, scope),
            ExprKind::Call(call) => self.call(call, expr, scope),
            ExprKind::Unary(unary) => self.unary(unary, expr, scope),
            ExprKind::Binary(binary) => self.binary(binary, scope),
            ExprKind::Conditional(conditional) => self.conditional(conditional, expr, scope),
            ExprKind::Tuple(items) => {
                Value::tuple(items.iter().map(|it| self.value(it, scope)).collect())
            }
            ExprKind::Object(items) => self.object(items, scope),
            ExprKind::For(it) => self.for_expr(it, expr, scope),
        }
    }

    #[inline(never)]
    fn number(&mut self, digits: &str, expr: &Expr) -> Value {
        match Number::parse(digits) {
            Some(number) => Value::number(number),
            None => {
                let detail = "Failed to recognize the value of this number literal.";
                self.report(Diagnostic::error("Invalid number literal", detail).at(expr.span));
                Value::unknown(Type::Number)
            }
        }
    }

    /// A name and the constant steps after it. `whole` is the expression it is, if it is one.
    #[inline(never)]
    pub(super) fn traversal(
        &mut self,
        traversal: &Traversal,
        whole: Option<&Expr>,
        scope: Scope<'_>,
    ) -> Value {
        let result = match scope.get(&traversal.root.text) {
            Some(local) => super::access::walk_local(local, &traversal.steps),
            None => match self.names.resolve(traversal) {
                Ok((value, used)) => {
                    super::access::walk(value, traversal.steps.get(used..).unwrap_or_default())
                }
                Err(diagnostic) => {
                    self.diagnostics.push(*diagnostic);
                    return Value::dynamic();
                }
            },
        };
        result.unwrap_or_else(|diagnostic| {
            self.fail(*diagnostic, whole.as_slice(), scope);
            Value::dynamic()
        })
    }

    #[inline(never)]
    fn object(&mut self, items: &[ObjectItem], scope: Scope<'_>) -> Value {
        let mut attrs: Vec<(Arc<str>, Value)> = Vec::with_capacity(items.len());
        let mut marks = Marks::NONE;
        let mut known = true;
        for item in items {
            let key = self.object_key(&item.key, scope);
            let value = self.value(&item.value, scope);
            match key {
                Some((Some(name), key_marks)) => {
                    marks |= key_marks;
                    attrs.push((name, value));
                }
                Some((None, key_marks)) => {
                    marks |= key_marks;
                    known = false;
                }
                None => known = false,
            }
        }
        if known { Value::object(attrs).with_marks(marks) } else { Value::dynamic() }
    }

    /// The key, if it is known, and its marks. None after an error.
    fn object_key(
        &mut self,
        key: &ObjectKey,
        scope: Scope<'_>,
    ) -> Option<(Option<Arc<str>>, Marks)> {
        let expr = match key {
            ObjectKey::Name(name) => return Some((Some(normal(&name.text)), Marks::NONE)),
            ObjectKey::Expr(expr) => expr,
        };
        if matches!(&expr.kind, ExprKind::Traversal(_)) {
            let detail = "If this expression is intended to be a reference, wrap it in \
                parentheses. If it's instead intended as a literal name containing periods, wrap \
                it in quotes to create a string literal.";
            self.report(Diagnostic::error("Ambiguous attribute key", detail).at(expr.span));
            return None;
        }
        let before = self.diagnostics.len();
        let value = self.value(expr, scope);
        if self.failed_since(before) {
            return None;
        }
        if value.is_null() {
            let detail = "Can't use a null value as a key.";
            self.fail(Diagnostic::error("Null value as key", detail).at(expr.span), &[expr], scope);
            return None;
        }
        match convert(&value, &Type::String) {
            Ok(key) => Some((key.as_arc(), key.marks())),
            Err(error) => {
                let detail = format!("Can't use this value as a key: {}.", message(&error));
                let diagnostic = Diagnostic::error("Incorrect key type", detail).at(expr.span);
                self.fail(diagnostic, &[expr], scope);
                None
            }
        }
    }

    /// Reports without looking at values.
    pub(super) fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Whether errors were added after the first `before` diagnostics.
    pub(super) fn failed_since(&self, before: usize) -> bool {
        self.diagnostics[before..].iter().any(Diagnostic::is_error)
    }

    /// Runs a part of the evaluation and takes its diagnostics back if it failed.
    pub(super) fn attempt(
        &mut self,
        run: impl FnOnce(&mut Self) -> Value,
    ) -> Result<Value, Diagnostics> {
        let before = self.diagnostics.len();
        self.quiet += 1;
        let value = run(self);
        self.quiet -= 1;
        if self.failed_since(before) { Err(self.diagnostics.split_off(before)) } else { Ok(value) }
    }
}

/// Text of the program as a string value; shared unless it must be normalized.
pub(super) fn literal(text: &Arc<str>) -> Value {
    if text.is_ascii() { Value::shared_string(text) } else { Value::string(&**text) }
}

/// The name in normal form C.
pub(super) fn normal(text: &Arc<str>) -> Arc<str> {
    if text.is_ascii() {
        return text.clone();
    }
    Value::string(&**text).as_arc().unwrap_or_else(|| text.clone())
}

/// The shared text of a known string.
pub(super) trait AsArc {
    fn as_arc(&self) -> Option<Arc<str>>;
}

impl AsArc for Value {
    fn as_arc(&self) -> Option<Arc<str>> {
        match self.kind() {
            plumb_model::value::ValueKind::String(text) => Some(text.clone()),
            _ => None,
        }
    }
}
