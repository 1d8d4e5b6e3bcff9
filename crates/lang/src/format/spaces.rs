//! Whether a blank goes between two pieces of a line.

use super::Piece;
use crate::syntax::TokenKind as T;

/// Whether a blank goes between `left` and a piece of kind `right`, given what stands before `left`
/// in the same cell.
pub(super) fn space_between(before: Option<T>, left: &Piece<'_>, right: T) -> bool {
    match (left.kind, right) {
        (_, T::Newline) => false,
        // A call, a namespace, an attribute.
        (T::Ident, T::OpenParen) => false,
        (T::Ident, T::DoubleColon) | (T::DoubleColon, T::Ident) => false,
        (T::Dot, _) | (_, T::Dot) => false,
        (_, T::Comma | T::Ellipsis) => false,
        (T::Comma, _) => true,
        // What stands inside quotes is text.
        (T::QuotedText | T::TemplateText | T::OpenQuote | T::OpenHeredoc, _) => false,
        (_, T::QuotedText | T::TemplateText | T::CloseQuote | T::CloseHeredoc) => false,
        // `for x in [1]`: not an index into something called `in`.
        (T::Ident, _) if left.text == "in" && before == Some(T::Ident) => true,
        (T::Ident | T::Number, T::OpenBracket) => false,
        (_, T::OpenBracket) if left.depth_change() < 0 => false,
        (T::Bang, _) => false,
        (T::Minus, _) => !before.is_none_or(awaits_operand),
        (T::OpenBrace, T::CloseBrace) => false,
        (T::OpenBrace, _) | (_, T::CloseBrace) => true,
        // Braces directly inside of `${` and `}` would be hard to tell from it.
        (T::Interpolation | T::InterpolationStrip, T::OpenBrace) => true,
        (T::Directive | T::DirectiveStrip, T::OpenBrace) => true,
        (T::CloseBrace, T::SequenceEnd | T::SequenceEndStrip) => true,
        (T::SequenceEnd | T::SequenceEndStrip, T::Interpolation | T::InterpolationStrip) => false,
        (T::SequenceEnd | T::SequenceEndStrip, T::Directive | T::DirectiveStrip) => false,
        _ if left.depth_change() > 0 => false,
        _ => Piece::new(right, "").depth_change() >= 0,
    }
}

/// Whether a minus after it is a sign, not a subtraction.
fn awaits_operand(kind: T) -> bool {
    let opens = matches!(kind, T::OpenParen | T::OpenBrace | T::OpenBracket);
    let separates = matches!(kind, T::Assign | T::Colon | T::Comma | T::Question);
    let counts = matches!(kind, T::Plus | T::Minus | T::Star | T::Slash | T::Percent);
    let orders = matches!(kind, T::Less | T::LessOrEqual | T::Greater | T::GreaterOrEqual);
    let equates = matches!(kind, T::EqualEqual | T::NotEqual);
    let joins = matches!(kind, T::AndAnd | T::OrOr | T::Bang);
    opens || separates || counts || orders || equates || joins
}
