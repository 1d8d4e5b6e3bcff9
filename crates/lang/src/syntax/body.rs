//! Bodies: attributes, blocks, and what to say when it is neither.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use plumb_diag::{Diagnostic, Span};

use super::ast::{Attribute, Block, Body, Ident, Item, Label};
use super::literal;
use super::parser::Parser;
use super::token::TokenKind as T;

const ITEM_REQUIRED: &str = "Argument or block definition required";

impl<'a> Parser<'a> {
    /// A whole file.
    pub(super) fn file(&mut self, span: Span) -> Body {
        let items = self.items(T::End, span);
        Body { items, span }
    }

    /// Items up to and with `end`. `open` is what the end belongs to.
    fn items(&mut self, end: T, open: Span) -> Vec<Item> {
        let mut items = Vec::new();
        let mut seen = Attributes::default();
        loop {
            let next = self.peek();
            if next == end {
                self.read();
                return items;
            }
            match next {
                T::Newline => {
                    self.read();
                }
                T::Ident => {
                    self.recovered();
                    match self.item() {
                        Some(Item::Attribute(attribute)) => {
                            if let Some(first) = seen.insert(&items, items.len(), &attribute.name) {
                                self.error(redefined(&attribute.name, first));
                            } else {
                                items.push(Item::Attribute(attribute));
                            }
                        }
                        Some(block) => items.push(block),
                        None => {}
                    }
                }
                _ => {
                    self.read();
                    let bad = self.last_span();
                    match next {
                        T::OpenQuote => self.guarded(
                            bad,
                            "Invalid argument name",
                            "Argument names must not be quoted.",
                        ),
                        T::End => self.guarded(
                            open,
                            "Unclosed configuration block",
                            "There is no closing brace for this block before the end of the file. \
                             This may be caused by incorrect brace nesting elsewhere in this file.",
                        ),
                        _ => self.guarded(
                            bad,
                            ITEM_REQUIRED,
                            "An argument or block definition is required here.",
                        ),
                    }
                    self.recover(end);
                    return items;
                }
            }
        }
    }

    /// An attribute or a block, after which the cursor is on the next line.
    fn item(&mut self) -> Option<Item> {
        self.read();
        let name = self.last_ident();
        match self.peek() {
            T::Assign => Some(Item::Attribute(self.attribute(name, false))),
            T::OpenQuote | T::OpenBrace | T::Ident => Some(Item::Block(self.block(name))),
            _ => {
                self.error(
                    Diagnostic::error(
                        ITEM_REQUIRED,
                        "An argument or block definition is required here. To set an argument, use \
                         the equals sign \"=\" to introduce the argument value.",
                    )
                    .at(name.span),
                );
                self.recover_after_item();
                None
            }
        }
    }

    fn attribute(&mut self, name: Ident, single_line: bool) -> Attribute {
        self.read();
        let eq_span = self.last_span();
        let mistakes = self.mistakes();
        let expr = self.expression();
        if self.failed_since(mistakes) {
            self.recover_after_item();
        } else if !single_line {
            match self.peek() {
                T::Newline | T::End => {
                    self.read();
                }
                other => {
                    let (summary, detail) = if other == T::Comma {
                        (
                            "Unexpected comma after argument",
                            "Argument definitions must be separated by newlines, not commas. An \
                             argument definition must end with a newline.",
                        )
                    } else {
                        (
                            "Missing newline after argument",
                            "An argument definition must end with a newline.",
                        )
                    };
                    self.guarded_in(self.peek_span(), name.span, summary, detail);
                    self.recover_after_item();
                }
            }
        }
        Attribute { name, eq_span, expr }
    }

    fn block(&mut self, kind: Ident) -> Block {
        let mut labels = Vec::new();
        loop {
            match self.peek() {
                T::OpenBrace => break,
                T::OpenQuote => labels.push(self.quoted_label()),
                T::Ident => {
                    self.read();
                    let Ident { text, span } = self.last_ident();
                    labels.push(Label { text, span, quoted: false });
                }
                other => {
                    let detail = match other {
                        T::Assign => {
                            "The equals sign \"=\" indicates an argument definition, and must not \
                             be used when defining a block."
                        }
                        T::Newline => {
                            "A block definition must have block content delimited by \"{\" and \
                             \"}\", starting on the same line as the block header."
                        }
                        _ => {
                            "Either a quoted string block label or an opening brace (\"{\") is \
                             expected here."
                        }
                    };
                    let summary = "Invalid block definition";
                    self.guarded_in(self.peek_span(), kind.span, summary, detail);
                    let here = self.here();
                    self.recover_after_item();
                    let body = Body { items: Vec::new(), span: here };
                    return Block { kind, labels, body, open_span: here, close_span: here };
                }
            }
        }
        self.read();
        let open_span = self.last_span();
        let items = if !self.descend() {
            self.recover(T::CloseBrace);
            Vec::new()
        } else {
            let items = match self.peek() {
                T::Newline | T::End | T::CloseBrace => self.items(T::CloseBrace, open_span),
                _ => self.single_line(),
            };
            self.ascend();
            items
        };
        let closed = self.last_text() == "}";
        let close_span = if closed { self.last_span() } else { self.here() };
        match self.peek() {
            T::Newline | T::End => {
                self.read();
            }
            _ => {
                self.guarded_in(
                    self.peek_span(),
                    kind.span,
                    "Missing newline after block definition",
                    "A block definition must end with a newline.",
                );
                self.recover_after_item();
            }
        }
        let body = Body { items, span: open_span.to(close_span) };
        Block { kind, labels, body, open_span, close_span }
    }

    /// `a = b }`: the inside of a block of one line.
    fn single_line(&mut self) -> Vec<Item> {
        const SUMMARY: &str = "Invalid single-argument block definition";
        let items: Vec<Item> = self.single_attribute().into_iter().map(Item::Attribute).collect();
        let detail = match self.peek() {
            T::CloseBrace => {
                self.read();
                return items;
            }
            T::Comma => {
                "Single-line block syntax can include only one argument definition. To define \
                 multiple arguments, use the multi-line block syntax with one argument definition \
                 per line."
            }
            T::Newline => {
                "An argument definition on the same line as its containing block creates a \
                 single-line block definition, which must also be closed on the same line. Place \
                 the block's closing brace immediately after the argument definition."
            }
            _ => {
                "A single-line block definition must end with a closing brace immediately after \
                 its single argument definition."
            }
        };
        self.guarded(self.peek_span(), SUMMARY, detail);
        self.recover(T::CloseBrace);
        items
    }

    fn single_attribute(&mut self) -> Option<Attribute> {
        let first = self.read();
        let span = self.last_span();
        if first != T::Ident {
            let detail = "An argument or block definition is required here.";
            self.error(Diagnostic::error(ITEM_REQUIRED, detail).at(span));
            self.set_recovering();
            return None;
        }
        let name = self.last_ident();
        let diagnostic = match self.peek() {
            T::Assign => return Some(self.attribute(name, true)),
            T::OpenQuote | T::OpenBrace | T::Ident => Diagnostic::error(
                "Argument definition required",
                format!(
                    "A single-line block definition can contain only a single argument. If you \
                     meant to define argument {:?}, use an equals sign to assign it a value. To \
                     define a nested block, place it on a line of its own within its parent block.",
                    &*name.text
                ),
            ),
            _ => Diagnostic::error(
                ITEM_REQUIRED,
                "An argument or block definition is required here. To set an argument, use the \
                 equals sign \"=\" to introduce the argument value.",
            ),
        };
        self.error(diagnostic.at(span));
        self.set_recovering();
        None
    }

    /// A label in quotes. Interpolation is not allowed in it.
    fn quoted_label(&mut self) -> Label {
        self.read();
        let open = self.last_span();
        let mut text: Arc<str> = self.name("");
        loop {
            let kind = self.peek_raw();
            match kind {
                T::CloseQuote => {
                    self.read_raw();
                    break;
                }
                T::QuotedText => {
                    self.read_raw();
                    let piece = self.quoted_text();
                    text = self.name(&piece);
                }
                T::Newline | T::End => {
                    self.guarded_in(
                        self.peek_raw_span(),
                        open,
                        "Invalid string literal",
                        "Quoted string ended before its closing quote.",
                    );
                    self.set_recovering();
                    if kind == T::Newline {
                        self.recover(T::CloseQuote);
                    }
                    break;
                }
                _ => {
                    let what = if matches!(kind, T::Interpolation | T::InterpolationStrip) {
                        '$'
                    } else {
                        '%'
                    };
                    self.guarded_in(
                        self.peek_raw_span(),
                        open,
                        "Invalid string literal",
                        &format!(
                            "Template sequences are not allowed in this string. To include a \
                             literal \"{what}\", double it (as \"{what}{what}\") to escape it."
                        ),
                    );
                    self.recover(T::CloseQuote);
                    break;
                }
            }
        }
        Label { text, span: open.to(self.last_span()), quoted: true }
    }

    /// The value of the quoted text that was just read.
    pub(super) fn quoted_text(&mut self) -> Cow<'a, str> {
        let (text, span) = (self.last_text(), self.last_span());
        let mut errors = Vec::new();
        let value = literal::unescape_quoted(text, &mut errors);
        for (range, detail) in errors {
            let start = span.start as usize;
            let at = Span::new(span.file, start + range.start, start + range.end);
            self.error(Diagnostic::error("Invalid escape sequence", detail).at(at).within(span));
        }
        value.map_or(Cow::Borrowed(text), Cow::Owned)
    }
}

/// The attributes of a body by name. Most bodies have few, so few are looked through.
#[derive(Default)]
struct Attributes {
    by_name: BTreeMap<Arc<str>, Span>,
}

const LOOKED_THROUGH_MAX: usize = 12;

impl Attributes {
    /// Notes an attribute that will be item `len`. Returns where one of the same name stands.
    fn insert(&mut self, items: &[Item], len: usize, name: &Ident) -> Option<Span> {
        fn ident(item: &Item) -> Option<&Ident> {
            match item {
                Item::Attribute(attribute) => Some(&attribute.name),
                Item::Block(_) => None,
            }
        }
        if len <= LOOKED_THROUGH_MAX {
            let same = |it: &&Ident| Arc::ptr_eq(&it.text, &name.text) || it.text == name.text;
            return items.iter().filter_map(ident).find(same).map(|it| it.span);
        }
        if self.by_name.is_empty() {
            let all = items.iter().filter_map(ident).map(|it| (Arc::clone(&it.text), it.span));
            self.by_name.extend(all);
        }
        if let Some(first) = self.by_name.get(&name.text) {
            return Some(*first);
        }
        self.by_name.insert(Arc::clone(&name.text), name.span);
        None
    }
}

fn redefined(name: &Ident, first: Span) -> Diagnostic {
    Diagnostic::error(
        "Attribute redefined",
        format!(
            "The argument {:?} was already set. Each argument may be set only once.",
            &*name.text
        ),
    )
    .at(name.span)
    .related(first, "first set here")
}
