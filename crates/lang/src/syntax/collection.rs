//! What stands in brackets and braces: tuples, objects, `for` expressions.

use plumb_diag::{Diagnostic, Span};

use super::ast::Ident;
use super::expr::{Expr, ExprKind, For, ObjectItem, ObjectKey};
use super::expression::keyword;
use super::parser::Parser;
use super::token::TokenKind as T;

const NO_KEY: &str = "Key expression is required when building an object.";
const INVALID_FOR: &str = "Invalid 'for' expression";

impl Parser<'_> {
    pub(super) fn tuple(&mut self) -> Expr {
        self.read();
        let open = self.last_span();
        let newlines = self.newlines(false);
        let kind = if self.peek_word("for") {
            self.for_expression(open, T::CloseBracket)
        } else {
            ExprKind::Tuple(self.elements(open))
        };
        self.restore_newlines(newlines);
        Expr { kind, span: open.to(self.last_span()) }
    }

    fn elements(&mut self, open: Span) -> Vec<Expr> {
        let mut elements = Vec::new();
        while !self.eat(T::CloseBracket) {
            let mistakes = self.mistakes();
            elements.push(self.expression());
            if self.failed_since(mistakes) {
                self.recover(T::CloseBracket);
                break;
            }
            match self.peek() {
                T::CloseBracket => {}
                T::Comma => {
                    self.read();
                }
                T::End => {
                    self.guarded(
                        open,
                        "Unterminated tuple constructor expression",
                        "There is no corresponding closing bracket before the end of the file. \
                         This may be caused by incorrect bracket nesting elsewhere in this file.",
                    );
                    self.recover(T::CloseBracket);
                    break;
                }
                _ => {
                    self.guarded_in(
                        self.peek_span(),
                        open,
                        "Missing item separator",
                        "Expected a comma to mark the beginning of the next item.",
                    );
                    self.recover(T::CloseBracket);
                    break;
                }
            }
        }
        elements
    }

    pub(super) fn object(&mut self) -> Expr {
        self.read();
        let open = self.last_span();
        // `for` may stand on a line below, though line breaks end the entries of an object.
        let newlines = self.newlines(false);
        let kind = if self.peek_word("for") {
            self.for_expression(open, T::CloseBrace)
        } else {
            self.newlines(true);
            ExprKind::Object(self.entries(open))
        };
        self.restore_newlines(newlines);
        Expr { kind, span: open.to(self.last_span()) }
    }

    fn entries(&mut self, open: Span) -> Vec<ObjectItem> {
        let mut entries = Vec::new();
        loop {
            while self.eat(T::Newline) {}
            if self.eat(T::CloseBrace) {
                return entries;
            }
            let mistakes = self.mistakes();
            let key = self.expression();
            if self.failed_since(mistakes) {
                break;
            }
            if !matches!(self.peek(), T::Assign | T::Colon) {
                self.missing_value(open);
                break;
            }
            self.read();
            let value = self.expression();
            let failed = self.failed_since(mistakes);
            entries.push(ObjectItem { key: object_key(key), value });
            if failed {
                break;
            }
            match self.peek() {
                T::CloseBrace => {}
                T::Comma | T::Newline => {
                    self.read();
                }
                T::End => {
                    self.unterminated_object(open);
                    break;
                }
                _ => {
                    self.guarded_in(
                        self.peek_span(),
                        open,
                        "Missing attribute separator",
                        "Expected a newline or comma to mark the beginning of the next attribute.",
                    );
                    break;
                }
            }
        }
        self.recover(T::CloseBrace);
        entries
    }

    #[cold]
    fn missing_value(&mut self, open: Span) {
        let (summary, detail) = match self.peek() {
            T::Newline | T::Comma => (
                "Missing attribute value",
                "Expected an attribute value, introduced by an equals sign (\"=\").",
            ),
            T::Ident => (
                "Missing key/value separator",
                "Expected an equals sign (\"=\") to mark the beginning of the attribute value. If \
                 you intended to given an attribute name containing periods or spaces, write the \
                 name in quotes to create a string literal.",
            ),
            T::End => return self.unterminated_object(open),
            _ => (
                "Missing key/value separator",
                "Expected an equals sign (\"=\") to mark the beginning of the attribute value.",
            ),
        };
        self.guarded_in(self.peek_span(), open, summary, detail);
    }

    #[cold]
    fn unterminated_object(&mut self, open: Span) {
        self.guarded(
            open,
            "Unterminated object constructor expression",
            "There is no corresponding closing brace before the end of the file. This may be \
             caused by incorrect brace nesting elsewhere in this file.",
        );
    }

    /// After the bracket, with line breaks off.
    fn for_expression(&mut self, open: Span, close: T) -> ExprKind {
        self.read();
        match self.for_inside(open, close) {
            Ok(it) => ExprKind::For(Box::new(it)),
            Err(detail) => {
                if let Some(detail) = detail {
                    self.guarded_in(self.peek_span(), open, INVALID_FOR, detail);
                }
                self.recover(close);
                ExprKind::Invalid
            }
        }
    }

    /// After `for`. An error without a text was already reported.
    fn for_inside(&mut self, open_span: Span, close: T) -> Result<For, Option<&'static str>> {
        let mistakes = self.mistakes();
        let (key_var, value_var) = self.loop_variables().map_err(|missing| {
            Some(match missing {
                MissingVariable::First => "For expression requires variable name after 'for'.",
                MissingVariable::Second => {
                    "For expression requires value variable name after comma."
                }
                MissingVariable::In => {
                    "For expression requires the 'in' keyword after its name declarations."
                }
            })
        })?;
        let collection = self.expression();
        if self.failed_since(mistakes) {
            return Err(None);
        }
        if !self.eat(T::Colon) {
            return Err(Some("For expression requires a colon after the collection expression."));
        }
        let mut key = None;
        let mut value = self.expression();
        if !self.failed_since(mistakes) && self.eat(T::Arrow) {
            key = Some(value);
            value = self.expression();
        }
        if self.failed_since(mistakes) {
            return Err(None);
        }
        let group = self.eat(T::Ellipsis);
        let group_span = self.last_span();
        let mut condition = None;
        if self.peek_word("if") {
            self.read();
            condition = Some(self.expression());
            if self.failed_since(mistakes) {
                return Err(None);
            }
        }
        if !self.eat(close) {
            let (at, extra) =
                (self.peek_span(), "Extra characters after the end of the 'for' expression.");
            self.guarded_in(at, open_span, INVALID_FOR, extra);
            if key.is_none() && close == T::CloseBrace {
                // `{for x in y : k : v}`: what was meant may be `=>`.
                self.guarded_in(value.span, open_span, INVALID_FOR, NO_KEY);
            }
            return Err(None);
        }
        let close_span = self.last_span();
        let mut wrong = |span, detail: &str| {
            self.error(
                Diagnostic::error(INVALID_FOR, detail).at(span).within(open_span.to(close_span)),
            );
        };
        match (&key, close) {
            (None, T::CloseBrace) => {
                wrong(value.span, NO_KEY);
            }
            (Some(key), T::CloseBracket) => {
                wrong(key.span, "Key expression is not valid when building a tuple.");
            }
            _ => {}
        }
        if group && close == T::CloseBracket {
            wrong(group_span, "Grouping ellipsis (...) cannot be used when building a tuple.");
        }
        Ok(For {
            key_var,
            value_var,
            collection,
            key,
            value,
            condition,
            group,
            open_span,
            close_span,
        })
    }

    /// `k, v in`, after `for`.
    pub(super) fn loop_variables(&mut self) -> Result<(Option<Ident>, Ident), MissingVariable> {
        if !self.eat(T::Ident) {
            return Err(MissingVariable::First);
        }
        let mut key_var = None;
        let mut value_var = self.last_ident();
        if self.eat(T::Comma) {
            if !self.eat(T::Ident) {
                return Err(MissingVariable::Second);
            }
            key_var = Some(value_var);
            value_var = self.last_ident();
        }
        if !self.peek_word("in") {
            return Err(MissingVariable::In);
        }
        self.read();
        Ok((key_var, value_var))
    }
}

/// What a loop lacks.
pub(super) enum MissingVariable {
    First,
    Second,
    In,
}

/// A bare word stands for itself.
fn object_key(expr: Expr) -> ObjectKey {
    let span = expr.span;
    if let Some(text) = keyword(&expr.kind) {
        return ObjectKey::Name(Ident { text, span });
    }
    match expr.kind {
        ExprKind::Traversal(traversal) if traversal.steps.is_empty() => {
            ObjectKey::Name(traversal.root)
        }
        _ => ObjectKey::Expr(expr),
    }
}
