//! How text may look: colours, frames, and the width to which prose is wrapped.

use anstyle::AnsiColor;
use unicode_width::UnicodeWidthStr;

/// What the place that the text goes to can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Whether to write ANSI escape codes.
    pub colour: bool,
    /// Whether diagnostics have a frame on their left. Terraform draws none with `-no-color`.
    pub frame: bool,
    /// Columns to wrap prose to.
    pub width: usize,
}

impl Style {
    /// No escape codes, no frames: what `-no-color` gives.
    pub const PLAIN: Style = Style { colour: false, frame: false, width: 77 };
    /// Colours and frames.
    pub const COLOUR: Style = Style { colour: true, frame: true, width: 77 };

    pub(crate) fn red(self, text: &str) -> String {
        self.paint(AnsiColor::Red.on_default(), text)
    }

    pub(crate) fn green(self, text: &str) -> String {
        self.paint(AnsiColor::Green.on_default(), text)
    }

    pub(crate) fn yellow(self, text: &str) -> String {
        self.paint(AnsiColor::Yellow.on_default(), text)
    }

    pub(crate) fn cyan(self, text: &str) -> String {
        self.paint(AnsiColor::Cyan.on_default(), text)
    }

    pub(crate) fn grey(self, text: &str) -> String {
        self.paint(AnsiColor::BrightBlack.on_default(), text)
    }

    pub(crate) fn bold(self, text: &str) -> String {
        self.paint(anstyle::Style::new().bold(), text)
    }

    pub(crate) fn bold_red(self, text: &str) -> String {
        self.paint(AnsiColor::Red.on_default().bold(), text)
    }

    pub(crate) fn bold_green(self, text: &str) -> String {
        self.paint(AnsiColor::Green.on_default().bold(), text)
    }

    pub(crate) fn bold_yellow(self, text: &str) -> String {
        self.paint(AnsiColor::Yellow.on_default().bold(), text)
    }

    pub(crate) fn underline(self, text: &str) -> String {
        self.paint(anstyle::Style::new().underline(), text)
    }

    fn paint(self, style: anstyle::Style, text: &str) -> String {
        if self.colour && !text.is_empty() {
            format!("{style}{text}{style:#}")
        } else {
            text.into()
        }
    }

    /// The line between the parts of a plan.
    pub(crate) fn rule(self) -> String {
        self.grey(&"─".repeat(self.width.clamp(1, 200)))
    }
}

/// Breaks lines at spaces so that they fit into `width`. A line that starts with a space is laid
/// out already and stays; a word that is too long stands alone.
pub(crate) fn wrap(text: &str, width: usize) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for (index, line) in text.lines().enumerate() {
        if index > 0 {
            out.push('\n');
        }
        if line.starts_with([' ', '\t']) || line.width() <= width {
            out.push_str(line);
            continue;
        }
        let mut column = 0;
        for word in line.split(' ') {
            let word_width = word.width();
            if column > 0 && column + 1 + word_width > width {
                out.push('\n');
                column = 0;
            } else if column > 0 {
                out.push(' ');
                column += 1;
            }
            out.push_str(word);
            column += word_width;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_wraps_and_laid_out_lines_stay() {
        assert_eq!(
            wrap("one two three\n  indented and long\nfour", 8),
            "one two\nthree\n  indented and long\nfour"
        );
        assert_eq!(wrap("averyveryverylongword b", 5), "averyveryverylongword\nb");
    }
}
