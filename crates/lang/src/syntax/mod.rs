//! Text to tree: lossless tokens, a tree with spans, and diagnostics, always all three.
//!
//! The syntax is HCL's as Terraform 1.11 reads it. [`Tokens`] hold every byte of the text, comments
//! and blanks included, for the formatter and the language server; [`Body`] and [`Expr`] hold what
//! has meaning, for the evaluator. What cannot be read is reported and left out, and reading goes
//! on after it: one mistake is one diagnostic.
//!
//! This module does not know blocks or arguments by name, references, or values.

mod ast;
mod body;
mod collection;
mod expr;
mod expression;
mod flush;
mod lexer;
mod literal;
mod names;
mod parser;
mod steps;
mod template;
mod token;

#[cfg(test)]
mod tests;

use plumb_diag::{Diagnostics, FileId, Span};

pub use ast::{Attribute, Block, Body, Ident, Item, Label};
pub use expr::{
    Access, AccessStep, Binary, BinaryOp, Call, Conditional, Expr, ExprKind, For, ObjectItem,
    ObjectKey, Operation, Part, PartFor, PartIf, Step, StepKind, Template, Traversal, Unary,
    UnaryOp,
};
use lexer::Start;
use parser::Parser;
pub use token::{TokenKind, Tokens};

/// How deep expressions, templates and blocks may be nested in each other.
pub const NESTING_MAX: usize = 200;

/// What became of the text of a configuration file.
#[derive(Clone, Debug)]
pub struct Parse {
    /// Every byte of the text.
    pub tokens: Tokens,
    /// What could be read.
    pub body: Body,
    /// What could not.
    pub diagnostics: Diagnostics,
}

/// What became of the text of an expression or template.
#[derive(Clone, Debug)]
pub struct ParseExpr {
    /// Every byte of the text.
    pub tokens: Tokens,
    /// What could be read.
    pub expr: Expr,
    /// What could not.
    pub diagnostics: Diagnostics,
}

/// Reads a configuration file.
pub fn parse(file: FileId, text: &str) -> Parse {
    let span = Span::new(file, 0, text.len());
    let (tokens, body, diagnostics) =
        Parser::run(file, text, 0, Start::Code, |parser| parser.file(span));
    Parse { tokens, body, diagnostics }
}

/// Reads one expression that fills `text`, which begins at byte `offset` of `file`: line breaks
/// mean nothing, as in parentheses.
pub fn parse_expression(file: FileId, text: &str, offset: usize) -> ParseExpr {
    let (tokens, expr, diagnostics) = Parser::run(file, text, offset, Start::Code, |parser| {
        parser.newlines(false);
        parser.whole_expression()
    });
    ParseExpr { tokens, expr, diagnostics }
}

/// Reads `text` as a template without quotes around it, as `templatefile` does. The result is a
/// [`ExprKind::String`], [`ExprKind::Template`] or [`ExprKind::Wrap`].
pub fn parse_template(file: FileId, text: &str) -> ParseExpr {
    parse_template_at(file, text, 0)
}

/// The same of a text that begins at byte `offset` of `file`.
pub fn parse_template_at(file: FileId, text: &str, offset: usize) -> ParseExpr {
    let (tokens, expr, diagnostics) =
        Parser::run(file, text, offset, Start::Template, |parser| parser.bare_template());
    ParseExpr { tokens, expr, diagnostics }
}

/// Reads `text` as an address or a similar chain of constant steps: `module.a["k"].b.c[0]`.
pub fn parse_traversal(file: FileId, text: &str) -> (Option<Traversal>, Diagnostics) {
    let (_, traversal, diagnostics) =
        Parser::run(file, text, 0, Start::Code, |parser| parser.whole_traversal());
    (traversal, diagnostics)
}
