//! Source files held in memory, addressed by small ids.

use std::sync::{Arc, LazyLock};

/// Names a file in a [`Sources`]. Cheap to copy; means nothing without the `Sources` it came from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u32);

/// A half-open range of bytes in one file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// A span of `file` from byte `start` up to, not including, byte `end`.
    pub fn new(file: FileId, start: usize, end: usize) -> Span {
        let narrow = |it| u32::try_from(it).expect("files are below 4 GiB");
        Span { file, start: narrow(start), end: narrow(end) }
    }

    /// The smallest span that holds both. Both must lie in one file.
    #[must_use]
    pub fn to(self, other: Span) -> Span {
        assert_eq!(self.file, other.file, "a span lies in one file");
        Span { file: self.file, start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// Length in bytes.
    pub fn len(self) -> usize {
        (self.end - self.start) as usize
    }

    /// Whether the span holds no byte.
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }
}

/// A place as people count: lines and columns from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Line, from 1.
    pub line: u32,
    /// Column in Unicode scalar values, from 1.
    pub column: u32,
    /// Byte offset in the file, from 0.
    pub byte: u32,
}

/// One file: the path it is known by and its text.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// Path as it is shown to a person, relative to the root module where possible.
    pub path: Arc<str>,
    /// The whole text.
    pub text: Arc<str>,
    line_starts: Vec<u32>,
}

impl SourceFile {
    /// The text of line `line` (from 1), without its line break. Empty past the end.
    pub fn line(&self, line: u32) -> &str {
        let index = line.saturating_sub(1) as usize;
        let Some(&start) = self.line_starts.get(index) else { return "" };
        let end = self.line_starts.get(index + 1).map_or(self.text.len(), |it| *it as usize);
        self.text[start as usize..end].trim_end_matches(['\n', '\r'])
    }

    /// Where byte `byte` stands. Past the end it is the end.
    pub fn position(&self, byte: u32) -> Position {
        let mut byte = (byte as usize).min(self.text.len());
        while !self.text.is_char_boundary(byte) {
            byte -= 1;
        }
        let line = self.line_starts.partition_point(|it| *it as usize <= byte);
        let start = self.line_starts[line - 1] as usize;
        let column = self.text[start..byte].chars().count() + 1;
        let narrow = |it| u32::try_from(it).expect("files are below 4 GiB");
        Position { line: narrow(line), column: narrow(column), byte: narrow(byte) }
    }

    /// The text under `span`.
    pub fn slice(&self, span: Span) -> &str {
        self.text.get(span.start as usize..span.end as usize).unwrap_or("")
    }
}

/// Every file read so far.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Vec<SourceFile>,
}

impl Sources {
    /// Adds a file. The same path may be added twice; each addition is a file of its own.
    pub fn add(&mut self, path: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> FileId {
        let text: Arc<str> = text.into();
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let narrow = |it| u32::try_from(it).expect("files are below 4 GiB");
        let line_starts =
            std::iter::once(0).chain(breaks.map(|(index, _)| narrow(index + 1))).collect();
        let id = FileId(narrow(self.files.len()));
        self.files.push(SourceFile { path: path.into(), text, line_starts });
        id
    }

    /// The file named by `id`, which must come from this `Sources`. If it does not, and is not the number
    /// of another file by chance, it is an empty one.
    pub fn file(&self, id: FileId) -> &SourceFile {
        static NONE: LazyLock<SourceFile> = LazyLock::new(|| SourceFile {
            path: "?".into(),
            text: "".into(),
            line_starts: vec![0],
        });
        self.files.get(id.0 as usize).unwrap_or(&NONE)
    }

    /// Every file with its id, in order of addition.
    pub fn files(&self) -> impl Iterator<Item = (FileId, &SourceFile)> {
        (0..).map(FileId).zip(&self.files)
    }

    /// Start and end of `span` as people count.
    pub fn range(&self, span: Span) -> (Position, Position) {
        let file = self.file(span.file);
        (file.position(span.start), file.position(span.end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_lines_and_characters_from_one() {
        let mut sources = Sources::default();
        let id = sources.add("main.tf", "a = 1\nß = 2\r\n");
        let file = sources.file(id);
        assert_eq!(file.position(0), Position { line: 1, column: 1, byte: 0 });
        assert_eq!(file.position(8), Position { line: 2, column: 2, byte: 8 });
        assert_eq!(file.position(99).line, 3);
        assert_eq!(file.line(2), "ß = 2");
        assert_eq!(file.line(9), "");
    }
}
