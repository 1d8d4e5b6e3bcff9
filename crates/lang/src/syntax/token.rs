//! Tokens: the whole text, cut into pieces that leave no gap.

use std::ops::Range;

/// What a piece of text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum TokenKind {
    /// Blanks and tabs; a byte order mark at the start of the text.
    Blank,
    /// A line break, `\n` or `\r\n`.
    Newline,
    /// `# …` or `// …`, with its line break; a line comment ends a line.
    LineComment,
    /// `/* … */`
    BlockComment,
    /// A name.
    Ident,
    /// A number, never signed.
    Number,
    /// `"` that opens a string.
    OpenQuote,
    /// `"` that closes a string.
    CloseQuote,
    /// Text inside quotes, escapes and all.
    QuotedText,
    /// `<<NAME` or `<<-NAME` with its line break.
    OpenHeredoc,
    /// The closing name of a heredoc with the blanks before it, without its line break.
    CloseHeredoc,
    /// Text inside a heredoc or a bare template, up to one line of it.
    TemplateText,
    /// `${`
    Interpolation,
    /// `${~`
    InterpolationStrip,
    /// `%{`
    Directive,
    /// `%{~`
    DirectiveStrip,
    /// `}` that ends an interpolation or directive.
    SequenceEnd,
    /// `~}`
    SequenceEndStrip,
    /// `{`
    OpenBrace,
    /// `}`
    CloseBrace,
    /// `[`
    OpenBracket,
    /// `]`
    CloseBracket,
    /// `(`
    OpenParen,
    /// `)`
    CloseParen,
    /// `=`
    Assign,
    /// `=>`
    Arrow,
    /// `==`
    EqualEqual,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `&&`
    AndAnd,
    /// `||`
    OrOr,
    /// `!`
    Bang,
    /// `+`
    Plus,
    /// `-`
    Minus,
    /// `*`
    Star,
    /// `/`
    Slash,
    /// `%`
    Percent,
    /// `.`
    Dot,
    /// `...`
    Ellipsis,
    /// `,`
    Comma,
    /// `:`
    Colon,
    /// `::`
    DoubleColon,
    /// `?`
    Question,
    /// Something no rule of the language allows; reported.
    Invalid,
    /// The end of the text; empty.
    End,
}

/// All tokens of a text, in five bytes each. The last is [`TokenKind::End`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    kinds: Vec<TokenKind>,
    starts: Vec<u32>,
}

impl Tokens {
    pub(super) fn with_capacity(capacity: usize) -> Tokens {
        Tokens { kinds: Vec::with_capacity(capacity), starts: Vec::with_capacity(capacity) }
    }

    pub(super) fn push(&mut self, kind: TokenKind, start: usize) {
        self.kinds.push(kind);
        self.starts.push(u32::try_from(start).expect("files are below 4 GiB"));
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.kinds.len()
    }

    /// Whether there is none at all, not even an end.
    pub fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }

    /// What token `index` is; the end for any index past it.
    pub fn kind(&self, index: usize) -> TokenKind {
        self.kinds.get(index).copied().unwrap_or(TokenKind::End)
    }

    /// The bytes of token `index`.
    pub fn range(&self, index: usize) -> Range<usize> {
        let at = |index: usize| {
            self.starts.get(index).or(self.starts.last()).map_or(0, |it| *it as usize)
        };
        at(index)..at(index + 1)
    }

    /// Every token with its bytes. The ranges follow each other without a gap, so that the pieces
    /// of the text put together are the text.
    pub fn iter(&self) -> impl Iterator<Item = (TokenKind, Range<usize>)> + '_ {
        (0..self.len()).map(|index| (self.kind(index), self.range(index)))
    }
}
