//! Text to tokens.
//!
//! The lexer knows what is nested in what (braces, quotes, heredocs, interpolations) because the
//! same byte means different things inside them. It keeps that on the heap, so no nesting is too
//! deep for it, and never looks back, so it is linear.

use plumb_diag::{Diagnostic, Diagnostics, FileId, Span};

use super::token::{TokenKind, Tokens};

/// What a text as a whole is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// A body or an expression.
    Code,
    /// A template without quotes around it.
    Template,
}

/// Cuts `text`, which begins at byte `offset` of `file`, into tokens, and reports what no rule of
/// the language allows.
pub(super) fn lex(file: FileId, text: &str, offset: usize, start: Start) -> (Tokens, Diagnostics) {
    let mut lexer = Lexer {
        file,
        offset,
        text,
        bytes: text.as_bytes(),
        pos: 0,
        modes: vec![match start {
            Start::Code => Mode::Code { braces: 0 },
            Start::Template => Mode::Bare,
        }],
        tokens: Tokens::with_capacity(text.len() / 4 + 2),
        diagnostics: Vec::new(),
        told: 0,
    };
    if start == Start::Code && text.starts_with('\u{feff}') {
        lexer.token(TokenKind::Blank, '\u{feff}'.len_utf8());
    }
    while lexer.pos < lexer.bytes.len() {
        match lexer.mode() {
            Mode::Code { .. } => lexer.code(),
            Mode::Quoted => lexer.quoted(),
            Mode::Heredoc { .. } => lexer.heredoc(),
            Mode::Bare => lexer.bare(),
        }
    }
    lexer.tokens.push(TokenKind::End, text.len());
    (lexer.tokens, lexer.diagnostics)
}

/// What the lexer is inside of.
#[derive(Clone, Copy, Debug)]
enum Mode {
    /// Expressions and bodies, with this many open braces.
    Code { braces: usize },
    /// A quoted string.
    Quoted,
    /// A heredoc whose name stands in these bytes.
    Heredoc { name: (usize, usize), line_start: bool },
    /// A template without an end.
    Bare,
}

struct Lexer<'a> {
    file: FileId,
    offset: usize,
    text: &'a str,
    bytes: &'a [u8],
    pos: usize,
    /// Never empty: the first mode is never left.
    modes: Vec<Mode>,
    tokens: Tokens,
    diagnostics: Diagnostics,
    /// A bit for each kind of mistake that is told once a file.
    told: u8,
}

/// A text that is not configuration at all would otherwise be reported byte by byte.
const DIAGNOSTICS_MAX: usize = 100;

const TOLD_APOSTROPHE: u8 = 1;
const TOLD_BACKTICK: u8 = 2;
const TOLD_SEMICOLON: u8 = 4;

impl Lexer<'_> {
    fn mode(&self) -> Mode {
        *self.modes.last().expect("the first mode is never left")
    }

    fn at(&self, ahead: usize) -> u8 {
        // No rule cares about NUL, so it can stand for the end.
        self.bytes.get(self.pos + ahead).copied().unwrap_or(0)
    }

    fn token(&mut self, kind: TokenKind, len: usize) {
        debug_assert!(len > 0, "a token has text, or the lexer would not move");
        self.tokens.push(kind, self.pos);
        self.pos += len;
    }

    fn token_to(&mut self, kind: TokenKind, end: usize) {
        self.token(kind, end - self.pos);
    }

    /// The next token of code.
    fn code(&mut self) {
        use TokenKind as T;
        let (one, two, three) = (self.at(0), self.at(1), self.at(2));
        match one {
            b' ' | b'\t' => {
                let end = self.while_from(1, |it| it == b' ' || it == b'\t');
                self.token_to(T::Blank, end);
            }
            b'\n' => self.token(T::Newline, 1),
            b'\r' if two == b'\n' => self.token(T::Newline, 2),
            b'#' => self.line_comment(),
            b'/' if two == b'/' => self.line_comment(),
            b'/' if two == b'*' => self.block_comment(),
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                let end = self.ident_end(self.pos);
                self.token_to(T::Ident, end);
            }
            b'0'..=b'9' => self.number(),
            b'"' => {
                self.token(T::OpenQuote, 1);
                self.modes.push(Mode::Quoted);
            }
            b'{' => {
                self.token(T::OpenBrace, 1);
                if let Some(Mode::Code { braces }) = self.modes.last_mut() {
                    *braces += 1;
                }
            }
            b'}' => self.close_brace(T::CloseBrace, T::SequenceEnd, 1),
            b'~' if two == b'}' => self.close_brace(T::Invalid, T::SequenceEndStrip, 2),
            b'[' => self.token(T::OpenBracket, 1),
            b']' => self.token(T::CloseBracket, 1),
            b'(' => self.token(T::OpenParen, 1),
            b')' => self.token(T::CloseParen, 1),
            b'=' => match two {
                b'=' => self.token(T::EqualEqual, 2),
                b'>' => self.token(T::Arrow, 2),
                _ => self.token(T::Assign, 1),
            },
            b'!' if two == b'=' => self.token(T::NotEqual, 2),
            b'!' => self.token(T::Bang, 1),
            b'<' => match two {
                b'=' => self.token(T::LessOrEqual, 2),
                b'<' => self.open_heredoc(),
                _ => self.token(T::Less, 1),
            },
            b'>' if two == b'=' => self.token(T::GreaterOrEqual, 2),
            b'>' => self.token(T::Greater, 1),
            b'&' if two == b'&' => self.token(T::AndAnd, 2),
            b'|' if two == b'|' => self.token(T::OrOr, 2),
            b'+' => self.token(T::Plus, 1),
            b'-' => self.token(T::Minus, 1),
            b'*' => self.token(T::Star, 1),
            b'/' => self.token(T::Slash, 1),
            b'%' => self.token(T::Percent, 1),
            b'.' if two == b'.' && three == b'.' => self.token(T::Ellipsis, 3),
            b'.' => self.token(T::Dot, 1),
            b',' => self.token(T::Comma, 1),
            b':' if two == b':' => self.token(T::DoubleColon, 2),
            b':' => self.token(T::Colon, 1),
            b'?' => self.token(T::Question, 1),
            _ => self.unusual(),
        }
    }

    /// The first byte from `self.pos + ahead` on that is not `wanted`.
    fn while_from(&self, ahead: usize, wanted: impl Fn(u8) -> bool) -> usize {
        let from = self.pos + ahead;
        let rest = &self.bytes[from..];
        from + rest.iter().position(|it| !wanted(*it)).unwrap_or(rest.len())
    }

    fn line_comment(&mut self) {
        let end = self.line_end(self.pos);
        self.token_to(TokenKind::LineComment, end);
    }

    /// One past the line break of the line that `from` is on.
    fn line_end(&self, from: usize) -> usize {
        let rest = &self.bytes[from..];
        from + rest.iter().position(|it| *it == b'\n').map_or(rest.len(), |it| it + 1)
    }

    fn block_comment(&mut self) {
        match self.text[self.pos + 2..].find("*/") {
            Some(len) => self.token(TokenKind::BlockComment, len + 4),
            None => self.token(TokenKind::Slash, 1),
        }
    }

    /// One past the name that starts at `from`.
    fn ident_end(&self, from: usize) -> usize {
        let mut end = from;
        loop {
            end = end
                + self.bytes[end..]
                    .iter()
                    .position(|it| !(it.is_ascii_alphanumeric() || *it == b'_' || *it == b'-'))
                    .unwrap_or(self.bytes.len() - end);
            match self.text[end..].chars().next() {
                Some(c) if !c.is_ascii() && unicode_ident::is_xid_continue(c) => {
                    end += c.len_utf8();
                }
                _ => return end,
            }
        }
    }

    /// Digits, dots and exponents, ending with a digit; whether that is a number, the parser says.
    fn number(&mut self) {
        let mut end = self.pos + 1;
        let mut at = end;
        let byte = |at: usize| self.bytes.get(at).copied().unwrap_or(0);
        loop {
            match byte(at) {
                b'0'..=b'9' => {
                    at += 1;
                    end = at;
                }
                b'.' => at += 1,
                b'e' | b'E' => {
                    let sign = usize::from(matches!(byte(at + 1), b'+' | b'-'));
                    if !byte(at + 1 + sign).is_ascii_digit() {
                        break;
                    }
                    at += 2 + sign;
                    end = at;
                }
                _ => break,
            }
        }
        self.token_to(TokenKind::Number, end);
    }

    fn close_brace(&mut self, plain: TokenKind, sequence: TokenKind, len: usize) {
        let nested = self.modes.len() > 1;
        let Some(Mode::Code { braces }) = self.modes.last_mut() else {
            unreachable!("braces close in code only");
        };
        if *braces > 0 {
            *braces -= 1;
            self.token(plain, len);
        } else if nested {
            self.modes.pop();
            self.token(sequence, len);
        } else {
            self.token(plain, len);
        }
    }

    fn open_heredoc(&mut self) {
        let name_start = self.pos + 2 + usize::from(self.at(2) == b'-');
        let starts = |c: char| c == '_' || unicode_ident::is_xid_start(c);
        let named = self.text[name_start..].chars().next().is_some_and(starts);
        let name_end = if named { self.ident_end(name_start) } else { name_start };
        let break_len = match self.bytes[name_end..] {
            [b'\n', ..] => 1,
            [b'\r', b'\n', ..] => 2,
            _ => 0,
        };
        if !named || break_len == 0 {
            self.token(TokenKind::Less, 1);
            return;
        }
        self.token_to(TokenKind::OpenHeredoc, name_end + break_len);
        self.modes.push(Mode::Heredoc { name: (name_start, name_end), line_start: true });
    }

    /// Inside quotes.
    fn quoted(&mut self) {
        match self.at(0) {
            b'"' => {
                self.token(TokenKind::CloseQuote, 1);
                self.modes.pop();
            }
            b'\n' => self.quoted_newline(1),
            b'\r' if self.at(1) == b'\n' => self.quoted_newline(2),
            _ if self.open_sequence() => {}
            _ => {
                let end = self.literal_end(Literal::Quoted);
                self.token_to(TokenKind::QuotedText, end);
            }
        }
    }

    fn quoted_newline(&mut self, len: usize) {
        self.report(
            len,
            "Invalid multi-line string",
            "Quoted strings may not be split over multiple lines. To produce a multi-line string, \
             either use the \\n escape to represent a newline character or use the \"heredoc\" \
             multi-line template syntax.",
        );
        self.token(TokenKind::Newline, len);
    }

    /// Inside a heredoc.
    fn heredoc(&mut self) {
        let Mode::Heredoc { name, line_start } = self.mode() else {
            unreachable!("called in this mode only");
        };
        if line_start {
            // The closing name counts only with a line break after it.
            let line_end = self.line_end(self.pos);
            let line = &self.text[self.pos..line_end];
            if line.ends_with('\n') && line.trim() == &self.text[name.0..name.1] {
                let break_len = if line.ends_with("\r\n") { 2 } else { 1 };
                self.modes.pop();
                self.token(TokenKind::CloseHeredoc, line.len() - break_len);
                self.token(TokenKind::Newline, break_len);
                return;
            }
        }
        let next_line = if self.open_sequence() {
            false
        } else {
            let end = self.literal_end(Literal::Line);
            self.token_to(TokenKind::TemplateText, end);
            self.bytes[end - 1] == b'\n'
        };
        // An interpolation has put its own mode on top.
        let heredoc = self.modes.iter_mut().rev().find(|it| matches!(it, Mode::Heredoc { .. }));
        if let Some(Mode::Heredoc { line_start, .. }) = heredoc {
            *line_start = next_line;
        }
    }

    /// In a template without an end.
    fn bare(&mut self) {
        if !self.open_sequence() {
            let end = self.literal_end(Literal::Line);
            self.token_to(TokenKind::TemplateText, end);
        }
    }

    /// Takes `${` or `%{`, if one is here.
    fn open_sequence(&mut self) -> bool {
        use TokenKind as T;
        let strip = self.at(2) == b'~';
        let kind = match (self.at(0), self.at(1)) {
            (b'$', b'{') if strip => T::InterpolationStrip,
            (b'$', b'{') => T::Interpolation,
            (b'%', b'{') if strip => T::DirectiveStrip,
            (b'%', b'{') => T::Directive,
            _ => return false,
        };
        self.token(kind, 2 + usize::from(strip));
        self.modes.push(Mode::Code { braces: 0 });
        true
    }

    /// Where the text that starts here ends: before a sequence; in quotes before the quote or a
    /// line break, else after a line break.
    fn literal_end(&self, literal: Literal) -> usize {
        let bytes = self.bytes;
        let mut at = self.pos;
        while at < bytes.len() {
            match (bytes[at], literal) {
                (b'"', Literal::Quoted) => return at,
                (b'\n', Literal::Quoted) => {
                    // The break may be of two bytes, unless it is escaped.
                    return if at > self.pos && bytes[at - 1] == b'\r' { at - 1 } else { at };
                }
                (b'\n', Literal::Line) => return at + 1,
                (b'\\', Literal::Quoted) => {
                    at += 1;
                    // Not over a line break; a longer character is stepped over by its other bytes.
                    if at < bytes.len() && bytes[at] != b'\n' && bytes[at] != b'\r' {
                        at += 1;
                    }
                }
                (sign @ (b'$' | b'%'), _) => match bytes[at + 1..] {
                    [b'{', ..] => return at,
                    [second, b'{', ..] if second == sign => at += 3,
                    _ => at += 1,
                },
                _ => at += 1,
            }
        }
        bytes.len()
    }

    /// Names in other scripts, and what is not part of the language.
    #[cold]
    fn unusual(&mut self) {
        let c = self.text[self.pos..].chars().next().expect("called before the end");
        if unicode_ident::is_xid_start(c) {
            let end = self.ident_end(self.pos);
            self.token_to(TokenKind::Ident, end);
            return;
        }
        let len = c.len_utf8();
        match c {
            '&' => self.bitwise("AND", "&&"),
            '|' => self.bitwise("OR", "||"),
            '~' => self.bitwise("NOT", "!"),
            '^' => self.report(1, "Unsupported operator", "Bitwise operators are not supported."),
            '\'' => self.once(
                TOLD_APOSTROPHE,
                "Invalid character",
                "Single quotes are not valid. Use double quotes (\") to enclose strings.",
            ),
            '`' => self.once(
                TOLD_BACKTICK,
                "Invalid character",
                "The \"`\" character is not valid. To create a multi-line string, use the \
                 \"heredoc\" syntax, like \"<<EOT\".",
            ),
            ';' => self.once(
                TOLD_SEMICOLON,
                "Invalid character",
                "The \";\" character is not valid. Use newlines to separate arguments and blocks, \
                 and commas to separate items in collection values.",
            ),
            '\u{201c}' | '\u{201d}' => self.report(
                len,
                "Invalid character",
                "\"Curly quotes\" are not valid here. These can sometimes be inadvertently \
                 introduced when sharing code via documents or discussion forums. It might help to \
                 replace the character with a \"straight quote\".",
            ),
            _ => self.report(
                len,
                "Invalid character",
                "This character is not used within the language.",
            ),
        }
        self.token(TokenKind::Invalid, len);
    }

    fn bitwise(&mut self, name: &str, sign: &str) {
        let detail = format!(
            "Bitwise operators are not supported. Did you mean boolean {name} (\"{sign}\")?"
        );
        self.report(1, "Unsupported operator", &detail);
    }

    fn once(&mut self, bit: u8, summary: &str, detail: &str) {
        if self.told & bit == 0 {
            self.told |= bit;
            self.report(1, summary, detail);
        }
    }

    fn report(&mut self, len: usize, summary: &str, detail: &str) {
        if self.diagnostics.len() < DIAGNOSTICS_MAX {
            let start = self.offset + self.pos;
            let span = Span::new(self.file, start, start + len);
            self.diagnostics.push(Diagnostic::error(summary, detail).at(span));
        }
    }
}

/// Where literal text may end.
#[derive(Clone, Copy, Debug)]
enum Literal {
    Quoted,
    Line,
}
