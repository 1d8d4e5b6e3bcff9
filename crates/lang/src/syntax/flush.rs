//! The indentation that `<<-` takes away.

use std::borrow::Cow;

use unicode_segmentation::UnicodeSegmentation;

use super::template::Piece;

/// Takes the indentation that all lines share from every line.
///
/// Lines are counted in pieces, as strip markers left them: after `~}` the rest of the line has
/// lost its line break, and then what follows does not begin a line. A line that begins with a
/// sequence has no indentation. Blank lines have no say and stay as they are.
pub(super) fn dedent(pieces: &mut [Piece<'_>]) {
    let mut shared = usize::MAX;
    let mut indented = Vec::new();
    let mut line_start = true;
    for (index, piece) in pieces.iter().enumerate() {
        let Piece::Text { text, .. } = piece else {
            if line_start {
                shared = 0;
            }
            line_start = false;
            continue;
        };
        if line_start {
            let blanks = text.len() - text.trim_start().len();
            if blanks < text.len() || !text.ends_with('\n') {
                shared = shared.min(text[..blanks].graphemes(true).count());
                indented.push(index);
            }
        }
        line_start = text.ends_with('\n');
    }
    for index in indented {
        if let Piece::Text { text, .. } = &mut pieces[index] {
            let cut = text.graphemes(true).take(shared).map(str::len).sum();
            match text {
                Cow::Borrowed(text) => *text = &text[cut..],
                Cow::Owned(text) => *text = text[cut..].to_owned(),
            }
        }
    }
}
