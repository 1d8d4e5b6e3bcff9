//! The pieces of a text, with spellings of long ago replaced by today's: `"${x}"` by `x`, the types
//! `"string"` and `list` by `string` and `list(any)`, block labels without quotes by quoted ones.

use std::ops::Range;

use super::Piece;
use crate::eval::write_quoted;
use crate::syntax::{Attribute, Block, Body, Item, Parse, TokenKind as T};

/// Cuts a text that could be read.
pub(super) fn pieces<'a>(parse: &Parse, text: &'a str) -> Vec<Piece<'a>> {
    let source = parse.tokens.iter().filter(|it| !matches!(it.0, T::Blank | T::End));
    let mut source = source.peekable();
    let mut pieces = Vec::with_capacity(parse.tokens.len());
    let mut take = |end: usize, pieces: &mut Vec<Piece<'a>>| {
        while let Some((kind, range)) = source.next_if(|it| it.1.start < end) {
            pieces.push(Piece::new(kind, &text[range]));
        }
    };
    let mut places = Vec::new();
    collect(&parse.body, None, 0, &mut places);
    for place in places {
        take(place.range().start, &mut pieces);
        let start = pieces.len();
        take(place.range().end, &mut pieces);
        let old = pieces.split_off(start);
        pieces.extend(match place {
            Place::Value(_) => value(old),
            Place::Type(_) => variable_type(old),
            Place::Labels(_, block) => labels(block, old),
        });
    }
    take(text.len(), &mut pieces);
    pieces
}

/// What may have to be written in another way, and where it stands.
enum Place<'a> {
    Value(Range<usize>),
    Type(Range<usize>),
    Labels(Range<usize>, &'a Block),
}

impl Place<'_> {
    fn range(&self) -> Range<usize> {
        let (Place::Value(it) | Place::Type(it) | Place::Labels(it, _)) = self;
        it.clone()
    }
}

/// Lists the places of a body in source order.
fn collect<'a>(body: &'a Body, within: Option<&str>, depth: usize, places: &mut Vec<Place<'a>>) {
    for item in &body.items {
        match item {
            Item::Attribute(Attribute { name, expr, .. }) => {
                let range = expr.span.start as usize..expr.span.end as usize;
                let is_type = depth == 1 && within == Some("variable") && &*name.text == "type";
                places.push(if is_type { Place::Type(range) } else { Place::Value(range) });
            }
            Item::Block(block) => {
                if let Some(last) = block.labels.last() {
                    let range = block.kind.span.end as usize..last.span.end as usize;
                    places.push(Place::Labels(range, block));
                }
                collect(&block.body, Some(&block.kind.text), depth + 1, places);
            }
        }
    }
}

/// Takes `"${` and `}"` off, if there is one interpolation and nothing else.
fn value(pieces: Vec<Piece<'_>>) -> Vec<Piece<'_>> {
    let inside = match &pieces[..] {
        [open, begin, inside @ .., end, close]
            if open.kind == T::OpenQuote
                && matches!(begin.kind, T::Interpolation | T::InterpolationStrip)
                && matches!(end.kind, T::SequenceEnd | T::SequenceEndStrip)
                && close.kind == T::CloseQuote
                && !inside.is_empty() =>
        {
            inside
        }
        _ => return pieces,
    };
    let mut quotes = 0_usize;
    for piece in inside {
        match piece.kind {
            T::OpenQuote => quotes += 1,
            T::CloseQuote => quotes = quotes.saturating_sub(1),
            _ if quotes > 0 => {}
            // The `}` at the end is not the one that belongs to the `${` at the beginning.
            T::Interpolation | T::InterpolationStrip => return pieces,
            T::SequenceEnd | T::SequenceEndStrip | T::QuotedText => return pieces,
            _ => {}
        }
    }
    let is_text = |it: &Piece<'_>| it.kind != T::Newline;
    let (Some(first), Some(last)) =
        (inside.iter().position(is_text), inside.iter().rposition(is_text))
    else {
        return pieces;
    };
    let trimmed = &inside[first..=last];
    let mut res = trimmed.to_vec();
    // Line breaks would end the argument where they meant nothing before.
    let many_lines = trimmed.iter().any(|it| it.kind == T::Newline);
    let closed = trimmed.last().is_some_and(|it| it.kind == T::CloseParen);
    if many_lines && !(trimmed[0].kind == T::OpenParen && closed) {
        res.insert(0, Piece::new(T::OpenParen, "("));
        res.push(Piece::new(T::CloseParen, ")"));
    }
    res
}

/// Completes and unquotes the type of a variable.
fn variable_type(pieces: Vec<Piece<'_>>) -> Vec<Piece<'_>> {
    let texts: Vec<&str> = pieces.iter().map(|it| &*it.text).collect();
    let of = |collection: &'static str, element: &'static str| {
        vec![
            Piece::new(T::Ident, collection),
            Piece::new(T::OpenParen, "("),
            Piece::new(T::Ident, element),
            Piece::new(T::CloseParen, ")"),
        ]
    };
    match texts[..] {
        ["list"] => of("list", "any"),
        ["set"] => of("set", "any"),
        ["map"] => of("map", "any"),
        ["\"", "string", "\""] => vec![Piece::new(T::Ident, "string")],
        ["\"", "list", "\""] => of("list", "string"),
        ["\"", "map", "\""] => of("map", "string"),
        _ => pieces,
    }
}

/// Quotes labels; comments between them go.
fn labels<'a>(block: &Block, old: Vec<Piece<'a>>) -> Vec<Piece<'a>> {
    // Terraform 1.11 drops a label in which `$` or `%` stands; that changes what the file means.
    if block.labels.iter().any(|it| it.text.contains(['$', '%'])) {
        return old;
    }
    let mut res = Vec::with_capacity(3 * block.labels.len());
    for label in &block.labels {
        let mut quoted = String::new();
        write_quoted(&label.text, &mut quoted);
        let text = quoted[1..quoted.len() - 1].to_owned();
        res.push(Piece::new(T::OpenQuote, "\""));
        res.push(Piece::new(T::QuotedText, text));
        res.push(Piece::new(T::CloseQuote, "\""));
    }
    res
}
