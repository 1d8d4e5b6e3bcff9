//! Text to tree: lossless tokens, a tree with spans, and diagnostics, always all three.
//!
//! The syntax is HCL's as Terraform 1.11 reads it. [`Tokens`] hold every byte of the text, comments
//! and blanks included, for the formatter and the language server; [`Body`] and [`Expr`] hold what
//! has meaning, for the evaluator. What cannot be read is reported and left out, and reading goes
//! on after it: one mistake is one diagnostic.
//!
//! This module does not know blocks or arguments by name, references, or values.

mod ast;
mod expr;
mod token;

use plumb_diag::{Diagnostics, FileId, Span};

pub use ast::{Attribute, Block, Body, Ident, Item, Label};
pub use expr::{
    Access, AccessStep, Binary, BinaryOp, Call, Conditional, Expr, ExprKind, For, ObjectItem,
    ObjectKey, Operation, Part, PartFor, PartIf, Step, StepKind, Template, Traversal, Unary,
    UnaryOp,
};
pub use token::{TokenKind, Tokens};

/// How deep expressions, templates and blocks may be nested in each other.
pub const NESTING_MAX: usize = 500;

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
    let body = Body { items: Vec::new(), span };
    Parse { tokens: Tokens::default(), body, diagnostics: Vec::new() }
}

/// Reads one expression that fills `text`, which begins at byte `offset` of `file`: line breaks
/// mean nothing, as in parentheses.
pub fn parse_expression(file: FileId, text: &str, offset: usize) -> ParseExpr {
    invalid(Span::new(file, offset, offset + text.len()))
}

/// Reads `text` as a template without quotes around it, as `templatefile` does. The result is a
/// [`ExprKind::String`], [`ExprKind::Template`] or [`ExprKind::Wrap`].
pub fn parse_template(file: FileId, text: &str) -> ParseExpr {
    invalid(Span::new(file, 0, text.len()))
}

/// Reads `text` as an address or a similar chain of constant steps: `module.a["k"].b.c[0]`.
pub fn parse_traversal(file: FileId, text: &str) -> (Option<Traversal>, Diagnostics) {
    let _ = (file, text);
    (None, Vec::new())
}

fn invalid(span: Span) -> ParseExpr {
    let expr = Expr { kind: ExprKind::Invalid, span };
    ParseExpr { tokens: Tokens::default(), expr, diagnostics: Vec::new() }
}
