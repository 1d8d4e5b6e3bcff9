//! The tree: bodies, attributes and blocks. Expressions are in [`super::expr`].
//!
//! The tree keeps what has meaning and where it stands; comments, blanks and the exact spelling
//! of literals are in [`super::Tokens`]. Names are shared `Arc<str>`s: equal names of one file are
//! one allocation.

use std::sync::Arc;

use plumb_diag::Span;

use super::expr::Expr;

/// A name and where it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ident {
    /// The name.
    pub text: Arc<str>,
    /// Where.
    pub span: Span,
}

/// The inside of a file or of a block.
#[derive(Clone, Debug, PartialEq)]
pub struct Body {
    /// Attributes and blocks as they follow each other in the text. Of attributes with one name
    /// only the first is here; the others were reported.
    pub items: Vec<Item>,
    /// From the opening to the closing brace, both included; of a file all of it.
    pub span: Span,
}

/// One thing in a body.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// `name = expression`
    Attribute(Attribute),
    /// `type "label" { … }`
    Block(Block),
}

/// `name = expression`
#[derive(Clone, Debug, PartialEq)]
pub struct Attribute {
    /// The name.
    pub name: Ident,
    /// The equals sign; empty in JSON, which has none.
    pub eq_span: Span,
    /// The value. [`super::ExprKind::Invalid`] where it could not be read.
    pub expr: Expr,
}

/// `type "label" label { … }`
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// The first word.
    pub kind: Ident,
    /// What stands between the first word and the brace.
    pub labels: Vec<Label>,
    /// The inside.
    pub body: Body,
    /// The opening brace.
    pub open_span: Span,
    /// The closing brace; empty, at the end of what was read, where it is missing.
    pub close_span: Span,
}

/// A label of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The label, without quotes and with escapes resolved.
    pub text: Arc<str>,
    /// Where, quotes included.
    pub span: Span,
    /// `"label"`, not `label`.
    pub quoted: bool,
}

impl Body {
    /// The attributes, in source order.
    pub fn attributes(&self) -> impl Iterator<Item = &Attribute> {
        self.items.iter().filter_map(|it| match it {
            Item::Attribute(attribute) => Some(attribute),
            Item::Block(_) => None,
        })
    }

    /// The blocks, in source order.
    pub fn blocks(&self) -> impl Iterator<Item = &Block> {
        self.items.iter().filter_map(|it| match it {
            Item::Block(block) => Some(block),
            Item::Attribute(_) => None,
        })
    }

    /// The attribute `name`.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes().find(|it| &*it.name.text == name)
    }

    /// Where Terraform points when something is missing from this body: before its opening brace.
    pub fn missing_span(&self) -> Span {
        Span { end: self.span.start, ..self.span }
    }
}

impl Attribute {
    /// Whether it is a property of JSON: only a schema tells whether that is an argument or blocks.
    pub fn is_json(&self) -> bool {
        self.eq_span.is_empty()
    }

    /// From the name to the end of the value.
    pub fn span(&self) -> Span {
        self.name.span.to(self.expr.span)
    }
}

impl Block {
    /// From the first word to the last label: what a diagnostic about the block shows.
    pub fn header_span(&self) -> Span {
        self.labels.last().map_or(self.kind.span, |it| self.kind.span.to(it.span))
    }

    /// From the first word to the closing brace.
    pub fn span(&self) -> Span {
        self.kind.span.to(self.close_span)
    }
}
