//! Templates: in quotes, in heredocs, and bare.
//!
//! A template is first cut into pieces, one for each token of text and each sequence, because
//! strip markers and the indentation of flush heredocs are about those; the pieces are then folded
//! into a tree.

use std::borrow::Cow;

use plumb_diag::{Diagnostic, Span};

use super::ast::Ident;
use super::collection::MissingVariable;
use super::expr::{Expr, ExprKind, Part, PartFor, PartIf, Template};
use super::parser::Parser;
use super::token::TokenKind as T;
use super::{flush, literal};

/// A token of text or a sequence.
#[derive(Debug)]
pub(super) enum Piece<'a> {
    /// Text, escapes resolved.
    Text {
        text: Cow<'a, str>,
        span: Span,
    },
    Interpolation {
        expr: Expr,
        span: Span,
    },
    If {
        condition: Expr,
        span: Span,
    },
    Else {
        span: Span,
    },
    EndIf {
        span: Span,
    },
    For {
        key_var: Option<Ident>,
        value_var: Ident,
        collection: Expr,
        span: Span,
    },
    EndFor {
        span: Span,
    },
}

impl<'a> Parser<'a> {
    /// A template that fills the rest of the text.
    pub(super) fn bare_template(&mut self) -> Expr {
        let start = self.here();
        self.template(T::End, start, false)
    }

    pub(super) fn quoted_template(&mut self) -> Expr {
        self.read();
        let open = self.last_span();
        match self.peek_raw() {
            T::CloseQuote => {
                self.read_raw();
                let span = open.to(self.last_span());
                return Expr { kind: ExprKind::String(self.name("")), span };
            }
            T::QuotedText => {
                self.read_raw();
                let text = self.quoted_text();
                let piece = Piece::Text { text, span: self.last_span() };
                if self.peek_raw() != T::CloseQuote {
                    return self.template_after(vec![piece], T::CloseQuote, open, false);
                }
                self.read_raw();
                let Piece::Text { text, .. } = piece else { unreachable!("made above") };
                let span = open.to(self.last_span());
                return Expr { kind: ExprKind::String(self.name(&text)), span };
            }
            _ => {}
        }
        self.template(T::CloseQuote, open, false)
    }

    pub(super) fn heredoc(&mut self) -> Expr {
        self.read();
        let flush = self.last_text().starts_with("<<-");
        self.template(T::CloseHeredoc, self.last_span(), flush)
    }

    fn template(&mut self, end: T, open: Span, flush: bool) -> Expr {
        self.template_after(Vec::new(), end, open, flush)
    }

    /// The rest of a template, after `pieces`, up to and with `end`.
    fn template_after(
        &mut self,
        mut pieces: Vec<Piece<'a>>,
        end: T,
        open: Span,
        flush: bool,
    ) -> Expr {
        self.pieces(&mut pieces, end, open);
        let end_span = self.last_span();
        if flush {
            flush::dedent(&mut pieces);
        }
        let wrap = matches!(pieces[..], [Piece::Interpolation { .. }]);
        let mut parts = self.fold(pieces, end_span);
        let kind = match &mut parts[..] {
            [] => ExprKind::String(self.name("")),
            [Part::Literal { text, .. }] => ExprKind::String(text.clone()),
            [Part::Interpolation { .. }] if wrap => match parts.pop() {
                Some(Part::Interpolation { expr, .. }) => ExprKind::Wrap(Box::new(expr)),
                _ => unreachable!("matched above"),
            },
            _ => ExprKind::Template(Template { parts }),
        };
        Expr { kind, span: open.to(end_span) }
    }

    fn pieces(&mut self, pieces: &mut Vec<Piece<'a>>, end: T, open: Span) {
        let mut strip_next = false;
        let mut can_strip = !pieces.is_empty();
        let mut depth = 0_usize;
        loop {
            let kind = self.read_raw();
            let start = self.last_span();
            if kind == end {
                break;
            }
            let strip = std::mem::take(&mut strip_next);
            let can_strip_last = std::mem::take(&mut can_strip);
            if can_strip_last
                && matches!(kind, T::InterpolationStrip | T::DirectiveStrip)
                && let Some(Piece::Text { text, .. }) = pieces.last_mut()
            {
                trim_end(text);
            }
            match kind {
                T::QuotedText | T::TemplateText => {
                    let mut text = if kind == T::QuotedText {
                        self.quoted_text()
                    } else {
                        literal::unescape_template(self.last_text())
                    };
                    if strip {
                        trim_start(&mut text);
                    }
                    pieces.push(Piece::Text { text, span: start });
                    can_strip = true;
                }
                T::Interpolation | T::InterpolationStrip => {
                    let newlines = self.newlines(false);
                    let expr = self.expression();
                    if !self.sequence_end(&mut strip_next) {
                        self.unclosed_interpolation(open, end);
                        self.recover(T::SequenceEnd);
                    }
                    self.restore_newlines(newlines);
                    pieces.push(Piece::Interpolation { expr, span: start.to(self.last_span()) });
                }
                T::Directive | T::DirectiveStrip => {
                    let newlines = self.newlines(false);
                    let piece = self.directive(start, &mut strip_next);
                    self.restore_newlines(newlines);
                    match &piece {
                        Some(Piece::If { .. } | Piece::For { .. }) => {
                            if !self.descend() {
                                // Without their ends they would only be reported again.
                                pieces.clear();
                                self.recover(end);
                                break;
                            }
                            depth += 1;
                        }
                        Some(Piece::EndIf { .. } | Piece::EndFor { .. }) if depth > 0 => {
                            self.ascend();
                            depth -= 1;
                        }
                        _ => {}
                    }
                    pieces.extend(piece);
                }
                _ => {
                    self.guarded_in(
                        start,
                        open,
                        "Unterminated template string",
                        "No closing marker was found for the string.",
                    );
                    self.recover(end);
                    break;
                }
            }
        }
        for _ in 0..depth {
            self.ascend();
        }
    }

    /// Takes the end of a sequence, if it is here.
    fn sequence_end(&mut self, strip_next: &mut bool) -> bool {
        *strip_next = self.peek() == T::SequenceEndStrip;
        *strip_next && self.eat(T::SequenceEndStrip) || self.eat(T::SequenceEnd)
    }

    #[cold]
    fn unclosed_interpolation(&mut self, open: Span, end: T) {
        const UNCLOSED: &str = "Unclosed template interpolation sequence";
        const EXTRA: &str = "Extra characters after interpolation expression";
        let at = self.peek_span();
        match self.peek() {
            T::End => self.guarded(
                open,
                UNCLOSED,
                "There is no closing brace for this interpolation sequence before the end of the \
                 file. This might be caused by incorrect nesting inside the given expression.",
            ),
            T::Colon => self.guarded_in(
                at,
                open,
                EXTRA,
                "Template interpolation doesn't expect a colon at this location. Did you intend \
                 this to be a literal sequence to be processed as part of another language? If so, \
                 you can escape it by starting with \"$${\" instead of just \"${\".",
            ),
            T::OpenQuote | T::CloseQuote if end == T::CloseQuote => self.guarded(
                open,
                UNCLOSED,
                "There is no closing brace for this interpolation sequence before the end of the \
                 quoted template. This might be caused by incorrect nesting inside the given \
                 expression.",
            ),
            _ => self.guarded_in(
                at,
                open,
                EXTRA,
                "Expected a closing brace to end the interpolation expression, but found extra \
                 characters.\n\nThis can happen when you include interpolation syntax for another \
                 language, such as shell scripting, but forget to escape the interpolation start \
                 token. If this is an embedded sequence for another language, escape it by \
                 starting with \"$${\" instead of just \"${\".",
            ),
        }
    }

    /// After `%{`, up to and with its end.
    fn directive(&mut self, open: Span, strip_next: &mut bool) -> Option<Piece<'a>> {
        if self.peek() != T::Ident {
            self.guarded_in(
                self.peek_span(),
                open,
                "Invalid template directive",
                "A template directive keyword (\"if\", \"for\", etc) is expected at the beginning \
                 of a %{ sequence.",
            );
            self.recover(T::SequenceEnd);
            return None;
        }
        self.read();
        let word = self.last_text();
        let word_span = self.last_span();
        let mut piece = match word {
            "if" => Piece::If { condition: self.expression(), span: open },
            "else" => Piece::Else { span: open },
            "endif" => Piece::EndIf { span: open },
            "endfor" => Piece::EndFor { span: open },
            "for" => match self.loop_variables() {
                Ok((key_var, value_var)) => {
                    let collection = self.expression();
                    Piece::For { key_var, value_var, collection, span: open }
                }
                Err(missing) => {
                    let detail = match missing {
                        MissingVariable::First => {
                            "For directive requires variable name after 'for'."
                        }
                        MissingVariable::Second => {
                            "For directive requires value variable name after comma."
                        }
                        MissingVariable::In => "For directive requires 'in' keyword after names.",
                    };
                    self.guarded_in(self.peek_span(), open, "Invalid 'for' directive", detail);
                    self.recover(T::SequenceEnd);
                    return None;
                }
            },
            _ => {
                let words = ["if", "for", "else", "endif", "endfor"];
                let meant =
                    words.into_iter().find(|it| it.starts_with(word) || word.starts_with(it));
                let meant = meant.map(|it| format!(" Did you mean {it:?}?")).unwrap_or_default();
                self.guarded_in(
                    word_span,
                    open,
                    "Invalid template control keyword",
                    &format!("{word:?} is not a valid template control keyword.{meant}"),
                );
                self.recover(T::SequenceEnd);
                return None;
            }
        };
        if !self.sequence_end(strip_next) {
            let summary = format!("Extra characters in {word} marker");
            let detail =
                "Expected a closing brace to end the sequence, but found extra characters.";
            self.guarded_in(self.peek_span(), open, &summary, detail);
            self.recover(T::SequenceEnd);
        }
        let all = open.to(self.last_span());
        match &mut piece {
            Piece::Text { span, .. }
            | Piece::Interpolation { span, .. }
            | Piece::If { span, .. }
            | Piece::Else { span }
            | Piece::EndIf { span }
            | Piece::For { span, .. }
            | Piece::EndFor { span } => *span = all,
        }
        Some(piece)
    }

    /// Pieces to a tree.
    fn fold(&mut self, pieces: Vec<Piece<'a>>, end: Span) -> Vec<Part> {
        let mut open: Vec<Open> = Vec::new();
        let mut parts: Vec<Part> = Vec::new();
        let mut pieces = pieces.into_iter().peekable();
        while let Some(piece) = pieces.next() {
            match piece {
                Piece::Text { text, mut span } => {
                    let mut text = text;
                    while let Some(Piece::Text { text: next, span: next_span }) =
                        pieces.next_if(|it| matches!(it, Piece::Text { .. }))
                    {
                        text.to_mut().push_str(&next);
                        span = span.to(next_span);
                    }
                    if !text.is_empty() {
                        parts.push(Part::Literal { text: self.name(&text), span });
                    }
                }
                Piece::Interpolation { expr, span } => {
                    parts.push(Part::Interpolation { expr, span });
                }
                Piece::If { condition, span } => {
                    let directive = OpenDirective::If { condition, yes: None };
                    open.push(Open { directive, span, outer: std::mem::take(&mut parts) });
                }
                Piece::For { key_var, value_var, collection, span } => {
                    let directive = OpenDirective::For { key_var, value_var, collection };
                    open.push(Open { directive, span, outer: std::mem::take(&mut parts) });
                }
                Piece::Else { span } => match open.last_mut() {
                    Some(Open { directive: OpenDirective::If { yes: yes @ None, .. }, .. }) => {
                        *yes = Some(std::mem::take(&mut parts));
                    }
                    _ => self.misplaced("else", span, &mut open, &mut parts),
                },
                Piece::EndIf { span } => match open.pop_if(|it| it.is_if()) {
                    Some(Open {
                        directive: OpenDirective::If { condition, yes },
                        span: start,
                        outer,
                    }) => {
                        let last = std::mem::replace(&mut parts, outer);
                        let (yes, no) = match yes {
                            Some(yes) => (yes, last),
                            None => (last, Vec::new()),
                        };
                        let span = start.to(span);
                        parts.push(Part::If(Box::new(PartIf { condition, yes, no, span })));
                    }
                    _ => self.misplaced("endif", span, &mut open, &mut parts),
                },
                Piece::EndFor { span } => match open.pop_if(|it| !it.is_if()) {
                    Some(Open {
                        directive: OpenDirective::For { key_var, value_var, collection },
                        span: start,
                        outer,
                    }) => {
                        let body = std::mem::replace(&mut parts, outer);
                        let span = start.to(span);
                        parts.push(Part::For(Box::new(PartFor {
                            key_var,
                            value_var,
                            collection,
                            body,
                            span,
                        })));
                    }
                    _ => self.misplaced("endfor", span, &mut open, &mut parts),
                },
            }
        }
        while let Some(last) = open.pop() {
            let (word, close) = if last.is_if() { ("if", "endif") } else { ("for", "endfor") };
            self.error(
                Diagnostic::error(
                    "Unexpected end of template",
                    format!("The {word} directive is missing its corresponding {close} directive."),
                )
                .at(end)
                .related(last.span, format!("this {word} directive")),
            );
            parts = last.give_up(&self.invalid(end));
        }
        parts
    }

    /// A directive that nothing waits for. What is open where it stands is given up.
    #[cold]
    fn misplaced(&mut self, word: &str, span: Span, open: &mut Vec<Open>, parts: &mut Vec<Part>) {
        let summary = format!("Unexpected {word} directive");
        let Some(last) = open.pop() else {
            let detail = "The control directives within this template are unbalanced.";
            self.error(Diagnostic::error(summary, detail).at(span));
            return;
        };
        let detail = match (word, last.is_if()) {
            ("else", true) => "Already in the else clause for the if that is open here.",
            ("else", false) => "An else clause is not expected for a for directive.",
            (_, true) => "Expecting an endif directive for the if that is open here.",
            (_, false) => "Expecting an endfor directive for the for directive that is open here.",
        };
        self.error(Diagnostic::error(summary, detail).at(span).related(last.span, "opened here"));
        *parts = last.give_up(&self.invalid(span));
    }
}

/// A directive whose end was not seen yet.
struct Open {
    directive: OpenDirective,
    span: Span,
    /// The parts before it.
    outer: Vec<Part>,
}

enum OpenDirective {
    If { condition: Expr, yes: Option<Vec<Part>> },
    For { key_var: Option<Ident>, value_var: Ident, collection: Expr },
}

impl Open {
    fn is_if(&self) -> bool {
        matches!(self.directive, OpenDirective::If { .. })
    }

    /// The parts before it, and `invalid` in its place.
    fn give_up(self, invalid: &Expr) -> Vec<Part> {
        let mut parts = self.outer;
        parts.push(Part::Interpolation { expr: invalid.clone(), span: self.span });
        parts
    }
}

fn trim_end(text: &mut Cow<'_, str>) {
    match text {
        Cow::Borrowed(text) => *text = text.trim_end(),
        Cow::Owned(text) => text.truncate(text.trim_end().len()),
    }
}

fn trim_start(text: &mut Cow<'_, str>) {
    match text {
        Cow::Borrowed(text) => *text = text.trim_start(),
        Cow::Owned(text) => *text = text.trim_start().to_owned(),
    }
}
