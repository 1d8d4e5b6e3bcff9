//! The piece of a file that a diagnostic points at.

use plumb_diag::{Diagnostic, Position, SourceFile, Sources, Span};

/// Lines of the file and where in them the fault is.
pub(crate) struct Snippet<'a> {
    pub(crate) file: &'a SourceFile,
    pub(crate) start: Position,
    /// Header of the block around, without the brace: `resource "docker_network" "lab"`.
    pub(crate) header: Option<String>,
    /// Whole lines, from `start.line` on, joined with line breaks.
    pub(crate) code: String,
    /// Bytes of `code` that are at fault.
    pub(crate) highlight: (usize, usize),
}

/// More lines than these help nobody.
const LINES_MAX: u32 = 20;

/// The snippet of `diagnostic`, if it has a place in one of these files.
pub(crate) fn snippet<'a>(diagnostic: &Diagnostic, sources: &'a Sources) -> Option<Snippet<'a>> {
    let span = diagnostic.span?;
    let file = sources.file(span.file)?;
    let mut snippet = lines_of(file, span);
    let from_context = diagnostic.context.and_then(|context| {
        (context.file == span.file).then(|| file.slice(context)).and_then(block_header)
    });
    snippet.header = from_context.or_else(|| enclosing_header(file, snippet.start));
    Some(snippet)
}

/// The lines under `span`, without a header.
pub(crate) fn lines_of(file: &SourceFile, span: Span) -> Snippet<'_> {
    let (start, mut end) = (file.position(span.start), file.position(span.end));
    // A span that ends with a line break does not reach into the next line.
    let mut end_line = end.line;
    if end.column == 1 && end.line > start.line {
        end_line -= 1;
    }
    if span.is_empty() && end.byte < narrow(file.text.len()) {
        let width = file.text[end.byte as usize..].chars().next().map_or(0, char::len_utf8);
        end.byte += narrow(width);
        end.column += 1;
    }
    let last = end_line.min(start.line.saturating_add(LINES_MAX - 1));
    let code: Vec<&str> = (start.line..=last).map(|line| file.line(line)).collect();
    let code = code.join("\n");
    let line_start = start.byte as usize - byte_column(file, start);
    let clamp = |byte: u32| (byte as usize).saturating_sub(line_start).min(code.len());
    let mut highlight = (clamp(start.byte), clamp(end.byte));
    for at in [&mut highlight.0, &mut highlight.1] {
        while !code.is_char_boundary(*at) {
            *at -= 1;
        }
    }
    Snippet { file, start, header: None, code, highlight }
}

fn byte_column(file: &SourceFile, position: Position) -> usize {
    let line = file.line(position.line);
    let characters = position.column as usize - 1;
    line.char_indices()
        .nth(characters)
        .map_or(line.len(), |(byte, _)| byte)
        .min(position.byte as usize)
}

/// The header of the block whose text starts here.
fn block_header(text: &str) -> Option<String> {
    let line = text.lines().next()?;
    let header = line.split('{').next()?.trim();
    let word = header.split([' ', '"']).next()?;
    (crate::quote::is_identifier(word) && !header.contains('=')).then(|| header.into())
}

/// The header of the top-level block that holds `position`, found by layout: blocks start at the
/// margin. Nothing if the place is in the header itself.
fn enclosing_header(file: &SourceFile, position: Position) -> Option<String> {
    for number in (1..=position.line).rev() {
        let line = file.line(number);
        let opens = line.starts_with(|c: char| c.is_alphabetic()) && line.contains('{');
        if opens {
            let header = block_header(line)?;
            let inside =
                number < position.line || position.column as usize > header.chars().count();
            return inside.then_some(header);
        }
        if number < position.line && line.starts_with('}') {
            return None;
        }
    }
    None
}

fn narrow(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
