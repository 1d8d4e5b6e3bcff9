//! `*.tf.json`: the same language in another spelling, read into the same tree.
//!
//! Strings are templates. Where the language wants a reference or a keyword, a string holds that.
//! What is a block is said by the language for its own words ([`body`]), and by schemas for the
//! rest, which [`with_blocks`] sees to once they are known.

mod blocks;
mod body;
mod read;

use plumb_diag::{Diagnostic, Diagnostics, FileId, Span};

use crate::syntax::Body;

pub(crate) use blocks::with_blocks;
use read::Kind;

/// Reads a file.
pub(crate) fn parse(file: FileId, text: &str) -> (Body, Diagnostics) {
    let mut out = Diagnostics::new();
    let whole = Span::new(file, 0, text.len());
    let Some(root) = read::read(file, text, &mut out) else {
        out.push(not_an_object(whole));
        return (Body { items: Vec::new(), span: whole }, out);
    };
    let body = match &root.kind {
        Kind::Object(_) | Kind::Array(_) => body::top(&root, whole, &mut out),
        _ => {
            out.push(not_an_object(root.span));
            Body { items: Vec::new(), span: whole }
        }
    };
    (body, out)
}

fn not_an_object(span: Span) -> Diagnostic {
    let detail = "The root value in a JSON-based configuration must be either a JSON object or a \
                  JSON array of objects.";
    Diagnostic::error("Root value must be object", detail).at(span)
}

#[cfg(test)]
mod tests;
