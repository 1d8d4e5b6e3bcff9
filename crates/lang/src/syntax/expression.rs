//! Expressions without their brackets: conditionals, operators, steps, terms.
//!
//! Operators are read with a stack of their own and steps with a loop, so that only brackets,
//! quotes, signs and conditionals cost depth.

use std::sync::Arc;

use plumb_diag::{Diagnostic, Span};

use super::ast::Ident;
use super::expr::{
    Binary, BinaryOp, Call, Conditional, Expr, ExprKind, Operation, Traversal, Unary, UnaryOp,
};
use super::literal;
use super::parser::Parser;
use super::token::TokenKind as T;

impl Parser<'_> {
    /// An expression that fills the rest of the text.
    pub(super) fn whole_expression(&mut self) -> Expr {
        let expr = self.expression();
        if self.peek() != T::End {
            self.guarded(
                self.peek_span(),
                "Extra characters after expression",
                "An expression was successfully parsed, but extra characters were found after it.",
            );
        }
        expr
    }

    /// An expression. After a mistake the cursor may be anywhere; see [`Parser::failed_since`].
    pub(super) fn expression(&mut self) -> Expr {
        if !self.descend() {
            return self.invalid(self.here());
        }
        let expr = self.conditional();
        self.ascend();
        expr
    }

    fn conditional(&mut self) -> Expr {
        let mistakes = self.mistakes();
        let condition = self.operations();
        if self.failed_since(mistakes) || self.peek() != T::Question {
            return condition;
        }
        self.read();
        let yes = self.expression();
        if self.failed_since(mistakes) {
            return self.invalid(condition.span.to(self.last_span()));
        }
        if self.peek() != T::Colon {
            let (at, context) = (self.peek_span(), condition.span);
            self.missing_no(at, context);
            return self.invalid(condition.span.to(yes.span));
        }
        self.read();
        let no = self.expression();
        let span = condition.span.to(no.span);
        Expr { kind: ExprKind::Conditional(Box::new(Conditional { condition, yes, no })), span }
    }

    #[cold]
    fn missing_no(&mut self, at: Span, condition: Span) {
        self.error(
            Diagnostic::error(
                "Missing false expression in conditional",
                "The conditional operator (...?...:...) requires a false expression, delimited by \
                 a colon.",
            )
            .at(at)
            .within(condition.to(at)),
        );
    }

    fn operations(&mut self) -> Expr {
        let mistakes = self.mistakes();
        let first = self.operand();
        match binary_op(self.peek()) {
            Some(op) if !self.failed_since(mistakes) => self.operations_after(first, op, mistakes),
            _ => first,
        }
    }

    fn operations_after(&mut self, first: Expr, op: BinaryOp, mistakes: usize) -> Expr {
        let mut operand = first;
        let mut op = Some(op);
        // Each looser than the one after it, waiting for a right operand.
        let mut open: Vec<(Binary, BinaryOp, Span)> = Vec::new();
        loop {
            let precedence = op.map_or(0, BinaryOp::precedence);
            while let Some((mut binary, last, op_span)) =
                open.pop_if(|it| it.1.precedence() > precedence)
            {
                let span = binary.first.span.to(operand.span);
                binary.rest.push(Operation { op: last, op_span, operand });
                operand = Expr { kind: ExprKind::Binary(Box::new(binary)), span };
            }
            let Some(next) = op else {
                return operand;
            };
            self.read();
            let op_span = self.last_span();
            match open.last_mut() {
                Some((binary, last, last_span)) if last.precedence() == precedence => {
                    let op = std::mem::replace(last, next);
                    let op_span = std::mem::replace(last_span, op_span);
                    binary.rest.push(Operation { op, op_span, operand });
                }
                _ => open.push((Binary { first: operand, rest: Vec::new() }, next, op_span)),
            }
            operand = self.operand();
            op = if self.failed_since(mistakes) { None } else { binary_op(self.peek()) };
        }
    }

    /// A value with signs before it or steps after it.
    fn operand(&mut self) -> Expr {
        let op = match self.peek() {
            T::Bang => UnaryOp::Not,
            T::Minus => UnaryOp::Negate,
            _ => {
                let mistakes = self.mistakes();
                let term = self.term();
                return match self.peek() {
                    T::Dot | T::OpenBracket if !self.failed_since(mistakes) => self.steps(term),
                    _ => term,
                };
            }
        };
        if !self.descend() {
            return self.invalid(self.here());
        }
        self.read();
        let op_span = self.last_span();
        let operand = self.operand();
        self.ascend();
        let span = op_span.to(operand.span);
        Expr { kind: ExprKind::Unary(Box::new(Unary { op, op_span, operand })), span }
    }

    fn term(&mut self) -> Expr {
        let kind = match self.peek() {
            T::Ident => return self.name_term(),
            T::OpenQuote => return self.quoted_template(),
            T::OpenHeredoc => return self.heredoc(),
            T::OpenBracket => return self.tuple(),
            T::OpenBrace => return self.object(),
            T::OpenParen => return self.parenthesized(),
            T::Number => {
                self.read();
                let text = self.last_text();
                if self.check_number(text) {
                    ExprKind::Number(self.name(text))
                } else {
                    ExprKind::Invalid
                }
            }
            _ => return self.no_term(),
        };
        Expr { kind, span: self.last_span() }
    }

    #[cold]
    fn no_term(&mut self) -> Expr {
        let span = self.peek_span();
        if self.peek() == T::End {
            let detail = "Expected the start of an expression, but found the end of the file.";
            self.guarded(span, "Missing expression", detail);
        } else {
            let detail = "Expected the start of an expression, but found an invalid expression \
                          token.";
            self.guarded(span, "Invalid expression", detail);
        }
        self.set_recovering();
        // Nothing was read, so the stand-in takes no room.
        let here = self.here();
        self.invalid(here)
    }

    /// Reports digits that are no number.
    pub(super) fn check_number(&mut self, text: &str) -> bool {
        let good = literal::is_number(text);
        if !good {
            self.error(
                Diagnostic::error(
                    "Invalid number literal",
                    "Failed to recognize the value of this number literal.",
                )
                .at(self.last_span()),
            );
        }
        good
    }

    fn name_term(&mut self) -> Expr {
        self.read();
        let span = self.last_span();
        if matches!(self.peek(), T::OpenParen | T::DoubleColon) {
            return self.call();
        }
        let kind = match self.last_text() {
            "true" => ExprKind::Bool(true),
            "false" => ExprKind::Bool(false),
            "null" => ExprKind::Null,
            _ => {
                let root = self.last_ident();
                ExprKind::Traversal(Box::new(Traversal { root, steps: Vec::new() }))
            }
        };
        Expr { kind, span }
    }

    /// A call whose name, or its first part, was read.
    fn call(&mut self) -> Expr {
        let mut name = self.last_ident();
        while self.eat(T::DoubleColon) {
            let context = name.span;
            if self.peek() != T::Ident {
                self.guarded_in(
                    self.peek_span(),
                    context,
                    "Missing function name",
                    "Function scope resolution symbol :: must be followed by a function name in \
                     this scope.",
                );
                self.set_recovering();
                return self.invalid(name.span.to(self.last_span()));
            }
            self.read();
            let text = format!("{}::{}", name.text, self.last_text());
            name = Ident { text: self.name(&text), span: name.span.to(self.last_span()) };
        }
        if !self.eat(T::OpenParen) {
            self.guarded_in(
                self.peek_span(),
                name.span,
                "Missing open parenthesis",
                "Function selector must be followed by an open parenthesis to begin the function \
                 call.",
            );
            self.set_recovering();
            return self.invalid(name.span);
        }
        let open_span = self.last_span();
        let newlines = self.newlines(false);
        let (args, expand) = self.arguments(name.span, open_span);
        self.restore_newlines(newlines);
        let closed = self.last_text() == ")";
        let close_span = if closed { self.last_span() } else { self.here() };
        let span = name.span.to(close_span);
        let call = Call { name, args, expand, open_span, close_span };
        Expr { kind: ExprKind::Call(Box::new(call)), span }
    }

    /// Arguments and the closing parenthesis; whether the last is to be expanded.
    fn arguments(&mut self, name: Span, open: Span) -> (Vec<Expr>, bool) {
        let mut args = Vec::new();
        while !self.eat(T::CloseParen) {
            let mistakes = self.mistakes();
            args.push(self.expression());
            if self.failed_since(mistakes) {
                self.recover(T::CloseParen);
                break;
            }
            match self.peek() {
                T::Comma => {
                    self.read();
                }
                T::CloseParen => {}
                T::Ellipsis => {
                    self.read();
                    if !self.eat(T::CloseParen) {
                        self.guarded_in(
                            self.last_span(),
                            name,
                            "Missing closing parenthesis",
                            "An expanded function argument (with ...) must be immediately followed \
                             by closing parentheses.",
                        );
                        self.recover(T::CloseParen);
                    }
                    return (args, true);
                }
                T::End => {
                    self.guarded(
                        name.to(open),
                        "Unterminated function call",
                        "There is no closing parenthesis for this function call before the end of \
                         the file. This may be caused by incorrect parenthesis nesting elsewhere \
                         in this file.",
                    );
                    self.recover(T::CloseParen);
                    break;
                }
                _ => {
                    self.guarded_in(
                        self.peek_span(),
                        name,
                        "Missing argument separator",
                        "A comma is required to separate each function argument from the next.",
                    );
                    self.recover(T::CloseParen);
                    break;
                }
            }
        }
        (args, false)
    }

    fn parenthesized(&mut self) -> Expr {
        self.read();
        let open = self.last_span();
        let newlines = self.newlines(false);
        let mistakes = self.mistakes();
        let inner = self.expression();
        if self.failed_since(mistakes) {
            self.recover(T::CloseParen);
        } else if !self.eat(T::CloseParen) {
            self.guarded_in(
                self.peek_span(),
                open,
                "Unbalanced parentheses",
                "Expected a closing parenthesis to terminate the expression.",
            );
            self.set_recovering();
        }
        self.restore_newlines(newlines);
        Expr { kind: ExprKind::Paren(Box::new(inner)), span: open.to(self.last_span()) }
    }
}

fn binary_op(kind: T) -> Option<BinaryOp> {
    Some(match kind {
        T::OrOr => BinaryOp::Or,
        T::AndAnd => BinaryOp::And,
        T::EqualEqual => BinaryOp::Equal,
        T::NotEqual => BinaryOp::NotEqual,
        T::Less => BinaryOp::Less,
        T::LessOrEqual => BinaryOp::LessOrEqual,
        T::Greater => BinaryOp::Greater,
        T::GreaterOrEqual => BinaryOp::GreaterOrEqual,
        T::Plus => BinaryOp::Add,
        T::Minus => BinaryOp::Subtract,
        T::Star => BinaryOp::Multiply,
        T::Slash => BinaryOp::Divide,
        T::Percent => BinaryOp::Modulo,
        _ => return None,
    })
}

/// `text` as an [`Arc`] if it is `true`, `false` or `null`.
pub(super) fn keyword(expr: &ExprKind) -> Option<Arc<str>> {
    match expr {
        ExprKind::Bool(true) => Some("true".into()),
        ExprKind::Bool(false) => Some("false".into()),
        ExprKind::Null => Some("null".into()),
        _ => None,
    }
}
