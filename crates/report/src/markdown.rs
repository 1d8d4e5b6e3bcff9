//! Markdown for the comments and summaries of forges, which take only so many bytes.

/// What is kept free for saying what was left out.
const RESERVE: usize = 160;

/// A document that never grows beyond a number of bytes.
pub(crate) struct Limited {
    text: String,
    bytes_max: usize,
    left_out: usize,
    /// Of the next item: a heading is there only if something stands under it.
    heading: String,
}

impl Limited {
    /// An empty one.
    pub(crate) fn new(bytes_max: usize) -> Limited {
        Limited { text: String::new(), bytes_max, left_out: 0, heading: String::new() }
    }

    /// Adds a part that belongs to no item. Whether there was room for it.
    pub(crate) fn part(&mut self, text: &str) -> bool {
        let fits = self.text.len() + text.len() + RESERVE <= self.bytes_max;
        if fits {
            self.text.push_str(text);
        }
        fits
    }

    /// Adds an item, in short if there is no room for the whole of it. Once one is left out, so are
    /// all behind it, whatever their size: what is shown is the beginning of what there is.
    pub(crate) fn item(&mut self, whole: impl FnOnce() -> String, short: impl FnOnce() -> String) {
        let heading = std::mem::take(&mut self.heading);
        let fits = self.left_out == 0
            && (self.part(&(heading.clone() + &whole())) || self.part(&(heading + &short())));
        self.left_out += usize::from(!fits);
    }

    /// What stands above the items that follow.
    pub(crate) fn heading(&mut self, text: &str) {
        self.heading = format!("\n**{text}**\n\n");
    }

    /// The document, which says how many items are not in it.
    pub(crate) fn finish(mut self, one: &str, many: &str) -> String {
        let noun = if self.left_out == 1 { one } else { many };
        if self.left_out > 0 {
            let note = format!(
                "\n> **{} more {noun} not shown**: this text may have at most {} bytes.\n",
                self.left_out, self.bytes_max
            );
            if self.text.len() + note.len() <= self.bytes_max {
                self.text.push_str(&note);
            }
        }
        self.text
    }
}
