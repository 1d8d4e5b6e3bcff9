//! Text with holes.

use plumb_diag::{Diagnostic, Span};
use plumb_model::value::{Marks, Refinements, Type, Value, ValueKind, convert};

use super::expr::{Eval, Scope};
use super::loops::{Elements, for_each_element};
use super::message;
use crate::syntax::{Expr, Part, PartFor, PartIf};

/// Longest known beginning that is kept of text that is not known to its end.
const PREFIX_MAX: usize = 128;

/// Text that grows until something unknown comes.
struct Text {
    text: String,
    known: bool,
    failed: bool,
    marks: Marks,
}

impl Eval<'_> {
    /// The text of a template that began at `span`.
    #[inline(never)]
    pub(super) fn template(&mut self, parts: &[Part], span: Span, scope: Scope<'_>) -> Value {
        let mut out = Text { text: String::new(), known: true, failed: false, marks: Marks::NONE };
        self.parts(parts, span, scope, &mut out);
        out.finish()
    }

    fn parts(&mut self, parts: &[Part], span: Span, scope: Scope<'_>, out: &mut Text) {
        for part in parts {
            match part {
                Part::Literal { text, .. } => out.push(text),
                Part::Interpolation { expr, .. } => self.interpolation(expr, span, scope, out),
                Part::If(it) => self.part_if(it, scope, out),
                Part::For(it) => self.part_for(it, scope, out),
            }
        }
    }

    fn interpolation(&mut self, expr: &Expr, span: Span, scope: Scope<'_>, out: &mut Text) {
        let before = self.diagnostics.len();
        let value = self.value(expr, scope);
        if self.failed_since(before) {
            out.failed = true;
        }
        out.marks |= value.marks();
        let detail = match value.kind() {
            ValueKind::String(text) => return out.push(text),
            ValueKind::Unknown(_) => return out.stop(&value),
            ValueKind::Null(_) => {
                "The expression result is null. Cannot include a null value in a \
                 string template."
                    .to_owned()
            }
            _ => match convert(&value, &Type::String) {
                Ok(text) => {
                    return match text.as_str() {
                        Some(text) => out.push(text),
                        None => out.stop(&text),
                    };
                }
                Err(error) => format!(
                    "Cannot include the given value in a string template: {}.",
                    message(&error)
                ),
            },
        };
        out.failed = true;
        let diagnostic = Diagnostic::error("Invalid template interpolation value", detail)
            .at(expr.span)
            .within(span);
        self.fail(diagnostic, &[expr], scope);
    }

    fn part_if(&mut self, it: &PartIf, scope: Scope<'_>, out: &mut Text) {
        let before = self.diagnostics.len();
        let value = self.value(&it.condition, scope);
        let whole = Expr { kind: crate::syntax::ExprKind::Invalid, span: it.span };
        let condition = if self.failed_since(before) {
            None
        } else {
            self.condition(value, &it.condition, &whole, scope)
        };
        let Some(condition) = condition else {
            out.failed = true;
            return;
        };
        out.marks |= condition.marks();
        match condition.as_bool() {
            Some(true) => self.parts(&it.yes, it.span, scope, out),
            Some(false) => self.parts(&it.no, it.span, scope, out),
            None => out.stop(&condition),
        }
    }

    fn part_for(&mut self, it: &PartFor, scope: Scope<'_>, out: &mut Text) {
        match self.elements(&it.collection, it.span, scope) {
            Elements::Failed => out.failed = true,
            Elements::Unknown(marks) => {
                out.marks |= marks;
                out.known = false;
            }
            Elements::Known(collection, marks) => {
                out.marks |= marks;
                for_each_element(&collection, &it.key_var, &it.value_var, scope, |scope| {
                    self.parts(&it.body, it.span, scope, out);
                });
            }
        }
    }
}

impl Text {
    fn push(&mut self, text: &str) {
        if self.known && !self.failed {
            self.text.push_str(text);
        }
    }

    /// What follows is not known; at most how it begins.
    fn stop(&mut self, value: &Value) {
        if self.known
            && let Some(unknown) = value.as_unknown()
            && let Some(prefix) = &unknown.refinements.prefix
        {
            self.text.push_str(prefix);
        }
        self.known = false;
    }

    fn finish(self) -> Value {
        let value = if self.failed {
            Value::unknown(Type::String)
        } else if self.known {
            Value::from(self.text)
        } else if self.text.is_empty() {
            Value::unknown_refined(Type::String, Refinements::not_null())
        } else {
            let mut end = self.text.len().min(PREFIX_MAX);
            while !self.text.is_char_boundary(end) {
                end -= 1;
            }
            Value::unknown_refined(Type::String, Refinements::prefixed(&self.text[..end]))
        };
        value.with_marks(self.marks)
    }
}
