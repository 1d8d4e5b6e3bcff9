//! Where the pieces of each line go: how far in it begins, and which columns its equals sign and its
//! trailing comment stand in.

use std::ops::Range;

use super::Piece;
use super::spaces::space_between;
use crate::syntax::TokenKind;

/// Decides the blanks before every piece.
pub(super) fn lay_out(pieces: &mut [Piece<'_>]) {
    let lines = lines(pieces);
    indent(pieces, &lines);
    for line in &lines {
        space(&mut pieces[line.head()]);
        space(&mut pieces[line.value()]);
    }
    // In this order: where the equals signs stand moves the comments.
    align(pieces, &lines, |line| (line.head(), line.value()));
    align(pieces, &lines, |line| (line.start..line.comment, line.comment()));
}

/// The pieces of a line in three cells, the last two of which may be empty. Each boundary is an
/// index into all pieces.
#[derive(Clone, Copy, Debug)]
struct Line {
    start: usize,
    value: usize,
    comment: usize,
    end: usize,
}

impl Line {
    /// What stands before the equals sign, or everything.
    fn head(&self) -> Range<usize> {
        self.start..self.value
    }

    /// From the equals sign on.
    fn value(&self) -> Range<usize> {
        self.value..self.comment
    }

    /// A comment that something stands before.
    fn comment(&self) -> Range<usize> {
        self.comment..self.end
    }
}

fn lines(pieces: &[Piece<'_>]) -> Vec<Line> {
    let mut start = 0;
    let mut res = Vec::new();
    for line in pieces.split_inclusive(Piece::ends_line) {
        let end = start + line.len();
        res.push(cells(line, start, end));
        start = end;
    }
    res
}

fn cells(line: &[Piece<'_>], start: usize, end: usize) -> Line {
    let comment = match line {
        [_, .., last] if is_comment(last) => end - 1,
        _ => end,
    };
    let line = &line[..comment - start];
    let equals = line.iter().skip(1).position(|it| it.kind == TokenKind::Assign).map(|it| it + 1);
    // A value that goes on in the next line is not aligned with others.
    let whole = |at: &usize| line[*at..].iter().map(Piece::depth_change).sum::<isize>() == 0;
    let value = equals.filter(whole).map_or(comment, |it| start + it);
    Line { start, value, comment, end }
}

fn is_comment(piece: &Piece<'_>) -> bool {
    matches!(piece.kind, TokenKind::LineComment | TokenKind::BlockComment)
}

/// Indents every line by two blanks for each line that opened more brackets than it closed and has
/// not been closed since: brackets opened on one line count as one level, however many they are.
fn indent(pieces: &mut [Piece<'_>], lines: &[Line]) {
    let mut open: Vec<isize> = Vec::new();
    for line in lines {
        if pieces[line.start].kind == TokenKind::Newline {
            continue;
        }
        // A heredoc begins its lines where it wants to: what it leaves open does not count.
        let code = pieces[line.start..line.comment].iter();
        let change: isize =
            code.take_while(|it| it.kind != TokenKind::OpenHeredoc).map(Piece::depth_change).sum();
        let mut closed = -change;
        while closed > 0
            && let Some(last) = open.last_mut()
        {
            if closed < *last {
                *last -= closed;
                break;
            }
            closed -= *last;
            open.pop();
        }
        pieces[line.start].blanks = 2 * open.len();
        if change > 0 {
            open.push(change);
        }
    }
}

/// Decides on the blanks within a cell; those before its first piece stay.
fn space(cell: &mut [Piece<'_>]) {
    for at in 1..cell.len() {
        let before = at.checked_sub(2).map(|it| cell[it].kind);
        cell[at].blanks = usize::from(space_between(before, &cell[at - 1], cell[at].kind));
    }
}

/// Puts the second cells of neighbouring lines in one column, one blank after the longest first
/// cell.
fn align(
    pieces: &mut [Piece<'_>],
    lines: &[Line],
    cells: impl Fn(&Line) -> (Range<usize>, Range<usize>),
) {
    let aligned = |it: &Line| !cells(it).1.is_empty();
    for group in lines.chunk_by(|a, b| aligned(a) && aligned(b)).filter(|it| aligned(&it[0])) {
        let width = |line: &Line| pieces[cells(line).0].iter().map(Piece::columns).sum::<usize>();
        let widths: Vec<usize> = group.iter().map(width).collect();
        let width_max = widths.iter().max().copied().unwrap_or(0);
        for (line, width) in group.iter().zip(widths) {
            pieces[cells(line).1.start].blanks = width_max - width + 1;
        }
    }
}
