//! Where in a file something is, as reports for machines say it.

use plumb_diag::{Sources, Span};

/// A place in a file, as people count: from 1.
pub(crate) struct Place<'a> {
    pub(crate) path: &'a str,
    pub(crate) line: u32,
    pub(crate) column: u32,
    pub(crate) line_end: u32,
    /// One past the last character.
    pub(crate) column_end: u32,
}

/// The place of a span. None if its file is not among these.
pub(crate) fn place(span: Span, sources: &Sources) -> Option<Place<'_>> {
    let file = sources.file(span.file)?;
    let (start, end) = (file.position(span.start), file.position(span.end));
    Some(Place {
        path: &file.path,
        line: start.line,
        column: start.column,
        line_end: end.line,
        column_end: end.column,
    })
}
