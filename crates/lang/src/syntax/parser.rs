//! The cursor that the parsers of bodies, expressions and templates share: looking ahead,
//! reporting, and finding the way back after a mistake.

use std::sync::Arc;

use plumb_diag::{Diagnostic, Diagnostics, FileId, Span};

use super::ast::Ident;
use super::expr::{Expr, ExprKind};
use super::names::Names;
use super::token::{TokenKind, Tokens};
use super::{NESTING_MAX, lexer};

/// A place in the tokens, and what was found wrong so far.
pub(super) struct Parser<'a> {
    text: &'a str,
    tokens: &'a Tokens,
    file: FileId,
    offset: usize,
    /// The next token that was not read.
    pos: usize,
    /// The last one that was, blanks aside.
    last: Span,
    /// Whether line breaks mean something here.
    newlines: bool,
    depth: usize,
    /// After a mistake, until the next item of a body: what else seems wrong may only follow from
    /// it.
    recovering: bool,
    /// Mistakes found, whether or not they were reported.
    mistakes: usize,
    diagnostics: Diagnostics,
    names: Names,
}

/// One mistake a line is plenty; a text that is not configuration at all has more.
const DIAGNOSTICS_MAX: usize = 1_000;

impl<'a> Parser<'a> {
    /// Cuts `text` into tokens and hands them to `read`.
    pub(super) fn run<T>(
        file: FileId,
        text: &str,
        offset: usize,
        start: lexer::Start,
        read: impl FnOnce(&mut Parser<'_>) -> T,
    ) -> (Tokens, T, Diagnostics) {
        let (tokens, mut diagnostics) = lexer::lex(file, text, offset, start);
        let mut parser = Parser {
            text,
            tokens: &tokens,
            file,
            offset,
            pos: 0,
            last: Span::new(file, offset, offset),
            newlines: start == lexer::Start::Code,
            depth: 0,
            recovering: false,
            mistakes: 0,
            diagnostics: Vec::new(),
            names: Names::default(),
        };
        let value = read(&mut parser);
        diagnostics.append(&mut parser.diagnostics);
        (tokens, value, diagnostics)
    }

    /// The index of the next token with a meaning here.
    fn next(&self) -> usize {
        use TokenKind as T;
        let mut at = self.pos;
        loop {
            match self.tokens.kind(at) {
                T::Blank | T::BlockComment => at += 1,
                T::Newline | T::LineComment if !self.newlines => at += 1,
                _ => return at,
            }
        }
    }

    /// What comes next. A line comment ends a line, so it looks like a line break.
    pub(super) fn peek(&self) -> TokenKind {
        match self.tokens.kind(self.next()) {
            TokenKind::LineComment => TokenKind::Newline,
            kind => kind,
        }
    }

    /// Where what comes next stands.
    pub(super) fn peek_span(&self) -> Span {
        self.span(self.next())
    }

    /// The text of what comes next.
    pub(super) fn peek_text(&self) -> &'a str {
        &self.text[self.tokens.range(self.next())]
    }

    /// Whether the word `word` comes next.
    pub(super) fn peek_word(&self, word: &str) -> bool {
        self.peek() == TokenKind::Ident && self.peek_text() == word
    }

    /// Takes what comes next. The end can be taken again and again.
    pub(super) fn read(&mut self) -> TokenKind {
        let at = self.next();
        self.last = self.span(at);
        match self.tokens.kind(at) {
            TokenKind::End => TokenKind::End,
            TokenKind::LineComment => {
                self.pos = at + 1;
                TokenKind::Newline
            }
            kind => {
                self.pos = at + 1;
                kind
            }
        }
    }

    /// Takes what comes next if it is `kind`.
    pub(super) fn eat(&mut self, kind: TokenKind) -> bool {
        let found = self.peek() == kind;
        if found {
            self.read();
        }
        found
    }

    /// What comes next inside a template, where blanks are text.
    pub(super) fn peek_raw(&self) -> TokenKind {
        self.tokens.kind(self.pos)
    }

    /// Where that stands.
    pub(super) fn peek_raw_span(&self) -> Span {
        self.span(self.pos)
    }

    /// Takes what comes next inside a template.
    pub(super) fn read_raw(&mut self) -> TokenKind {
        let kind = self.tokens.kind(self.pos);
        self.last = self.span(self.pos);
        if kind != TokenKind::End {
            self.pos += 1;
        }
        kind
    }

    /// Where the last token that was read stands.
    pub(super) fn last_span(&self) -> Span {
        self.last
    }

    /// The text of the last token that was read.
    pub(super) fn last_text(&self) -> &'a str {
        &self.text[self.last.start as usize - self.offset..self.last.end as usize - self.offset]
    }

    /// The last token that was read, a name.
    pub(super) fn last_ident(&mut self) -> Ident {
        let text = self.last_text();
        Ident { text: self.names.get(text), span: self.last }
    }

    /// `text`, shared.
    pub(super) fn name(&mut self, text: &str) -> Arc<str> {
        self.names.get(text)
    }

    fn span(&self, token: usize) -> Span {
        let range = self.tokens.range(token);
        Span::new(self.file, self.offset + range.start, self.offset + range.end)
    }

    /// An empty span at the end of what was read.
    pub(super) fn here(&self) -> Span {
        Span { start: self.last.end, ..self.last }
    }

    /// Turns the meaning of line breaks on or off; give what is returned to
    /// [`Parser::restore_newlines`].
    pub(super) fn newlines(&mut self, meant: bool) -> bool {
        std::mem::replace(&mut self.newlines, meant)
    }

    pub(super) fn restore_newlines(&mut self, meant: bool) {
        self.newlines = meant;
    }

    /// Goes one level deeper, unless that would be too deep: that is then reported.
    pub(super) fn descend(&mut self) -> bool {
        if self.depth >= NESTING_MAX {
            self.guarded(self.peek_span(), "Nesting too deep", "Expressions, templates and blocks cannot be nested this deep. Move some of it to local values.");
            self.recovering = true;
            return false;
        }
        self.depth += 1;
        true
    }

    pub(super) fn ascend(&mut self) {
        self.depth -= 1;
    }

    /// Reports a mistake. It cannot be the consequence of another one.
    #[cold]
    pub(super) fn error(&mut self, diagnostic: Diagnostic) {
        self.mistakes += 1;
        if self.diagnostics.len() < DIAGNOSTICS_MAX {
            self.diagnostics.push(diagnostic);
        }
    }

    /// Reports a mistake, unless it may be the consequence of another one.
    #[cold]
    pub(super) fn guarded(&mut self, span: Span, summary: &str, detail: &str) {
        self.mistakes += 1;
        if !self.recovering {
            self.error(Diagnostic::error(summary, detail).at(span));
        }
    }

    /// The same, inside the larger construct `context`.
    #[cold]
    pub(super) fn guarded_in(&mut self, span: Span, context: Span, summary: &str, detail: &str) {
        self.mistakes += 1;
        if !self.recovering {
            self.error(Diagnostic::error(summary, detail).at(span).within(context.to(span)));
        }
    }

    /// From here on, mistakes may follow from an earlier one.
    pub(super) fn set_recovering(&mut self) {
        self.recovering = true;
    }

    /// A new item begins: mistakes in it are its own.
    pub(super) fn recovered(&mut self) {
        self.recovering = false;
    }

    /// Give this to [`Parser::failed_since`].
    pub(super) fn mistakes(&self) -> usize {
        self.mistakes
    }

    /// Whether something went so wrong since then that the cursor is in a strange place.
    pub(super) fn failed_since(&self, mistakes: usize) -> bool {
        self.recovering && self.mistakes > mistakes
    }

    /// Skips to after the `end` that closes what is open here.
    pub(super) fn recover(&mut self, end: TokenKind) {
        self.recovering = true;
        let mut nested = 0_usize;
        loop {
            let kind = self.read();
            if kind == TokenKind::End {
                return;
            }
            if closes(kind, end) {
                if nested == 0 {
                    return;
                }
                nested -= 1;
            } else if opens(kind, end) {
                nested += 1;
            }
        }
    }

    /// Skips to after the line break that ends an item of a body.
    pub(super) fn recover_after_item(&mut self) {
        self.recovering = true;
        let newlines = self.newlines(true);
        let mut open: Vec<TokenKind> = Vec::new();
        loop {
            let kind = self.read();
            match kind {
                TokenKind::Newline if open.is_empty() => break,
                TokenKind::End => break,
                _ if CLOSERS.iter().any(|end| opens(kind, *end)) => open.push(kind),
                _ => {
                    let Some(end) = CLOSERS.into_iter().find(|end| closes(kind, *end)) else {
                        continue;
                    };
                    while open.pop().is_some_and(|it| !opens(it, end)) {}
                }
            }
        }
        self.restore_newlines(newlines);
    }

    /// The stand-in for an expression that could not be read.
    pub(super) fn invalid(&self, span: Span) -> Expr {
        Expr { kind: ExprKind::Invalid, span }
    }
}

const CLOSERS: [TokenKind; 6] = [
    TokenKind::CloseBrace,
    TokenKind::CloseBracket,
    TokenKind::CloseParen,
    TokenKind::CloseQuote,
    TokenKind::CloseHeredoc,
    TokenKind::SequenceEnd,
];

/// Whether `kind` opens what `end` closes.
fn opens(kind: TokenKind, end: TokenKind) -> bool {
    use TokenKind as T;
    match end {
        T::CloseBrace => kind == T::OpenBrace,
        T::CloseBracket => kind == T::OpenBracket,
        T::CloseParen => kind == T::OpenParen,
        T::CloseQuote => kind == T::OpenQuote,
        T::CloseHeredoc => kind == T::OpenHeredoc,
        T::SequenceEnd => matches!(
            kind,
            T::Interpolation | T::InterpolationStrip | T::Directive | T::DirectiveStrip
        ),
        _ => false,
    }
}

/// Whether `kind` is `end` or its strip form.
fn closes(kind: TokenKind, end: TokenKind) -> bool {
    kind == end || (end == TokenKind::SequenceEnd && kind == TokenKind::SequenceEndStrip)
}
