//! Configuration in its canonical layout: text to text, with the bytes that `terraform fmt` gives.
//!
//! The text is cut into pieces (tokens, without the blanks between them), spellings of long ago
//! are replaced, and then only one thing is decided about each piece: how many blanks go before it.
//! Line breaks and comments stay where they are.

mod layout;
mod modern;
mod spaces;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use plumb_diag::{Diagnostics, FileId};
use unicode_segmentation::UnicodeSegmentation;

use crate::syntax::{TokenKind, parse};

/// The canonical layout of `text`, or why it cannot be read. Text that already is laid out so comes
/// back equal.
pub fn format(file: FileId, text: &str) -> Result<String, Diagnostics> {
    let parse = parse(file, text);
    if parse.diagnostics.iter().any(plumb_diag::Diagnostic::is_error) {
        return Err(parse.diagnostics);
    }
    let mut pieces = modern::pieces(&parse, text);
    layout::lay_out(&mut pieces);
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for piece in &pieces {
        out.extend(std::iter::repeat_n(' ', piece.blanks));
        out.push_str(&piece.text);
    }
    Ok(out)
}

/// A token and the blanks before it.
#[derive(Clone, Debug)]
struct Piece<'a> {
    kind: TokenKind,
    text: Cow<'a, str>,
    blanks: usize,
}

impl<'a> Piece<'a> {
    fn new(kind: TokenKind, text: impl Into<Cow<'a, str>>) -> Piece<'a> {
        Piece { kind, text: text.into(), blanks: 0 }
    }

    /// How many columns it takes, with the blanks before it.
    fn columns(&self) -> usize {
        // A line break of two bytes is one grapheme cluster.
        let simple = self.text.bytes().all(|it| it.is_ascii() && it != b'\r');
        self.blanks + if simple { self.text.len() } else { self.text.graphemes(true).count() }
    }

    /// Whether nothing follows on the same line.
    fn ends_line(&self) -> bool {
        match self.kind {
            TokenKind::Newline => true,
            TokenKind::LineComment => self.text.ends_with('\n'),
            _ => false,
        }
    }

    /// How many brackets it opens, less those it closes.
    fn depth_change(&self) -> isize {
        use TokenKind as T;
        match self.kind {
            T::OpenBrace | T::OpenBracket | T::OpenParen => 1,
            T::Interpolation | T::InterpolationStrip | T::Directive | T::DirectiveStrip => 1,
            T::CloseBrace | T::CloseBracket | T::CloseParen => -1,
            T::SequenceEnd | T::SequenceEndStrip => -1,
            _ => 0,
        }
    }
}
