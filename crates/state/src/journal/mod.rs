//! The journal: what happened since the snapshot was written, one line of JSON each.
//!
//! ```text
//! {"plumb_journal":1,"lineage":"…","serial":7,"crc":"…"}
//! {"n":1,"event":{"run_started":{"run":"…"}},"crc":"…"}
//! {"n":2,"batch":1,"event":{"started":{"token":"…","intent":{…}}},"crc":"…"}
//! ```
//!
//! The first line names the snapshot that the rest follows. Each checksum covers its line and all
//! lines before it. Lines that were made durable together carry the number of the first of them.
//! So a bad line is either of a batch that nobody was told of, and is cut off, or the file was
//! damaged afterwards, and a person must look.
//!
//! Where states are encrypted, the header has `"encryption":{…}`, and lines have `"sealed":"…"` in
//! place of `"event":{…}`.

mod decode;
mod encode;

use std::sync::Arc;

use plumb_model::event::Event;

use decode::{Line, Names};

use crate::seal::{LineSealer, SealError, Sealer};

/// The format that we write.
const FORMAT: u64 = 1;

/// `,"crc":"01234567"}`
const CRC_BYTES: usize = 18;

/// Which snapshot a journal follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The snapshot's lineage.
    pub lineage: Arc<str>,
    /// The snapshot's serial; 0 when there was none.
    pub serial: u64,
}

/// Where a journal ends: what the next line is chained to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tail {
    /// Bytes up to here.
    pub bytes: u64,
    /// Number of the next line; 0 is the header.
    pub next: u64,
    /// Checksum of all lines.
    pub crc: u32,
}

/// Says that the journal is about to be folded into this snapshot. The rename that follows does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Folding {
    /// Its serial.
    pub serial: u64,
    /// Its length.
    pub bytes: u64,
    /// Its CRC-32.
    pub crc: u32,
}

/// A journal, read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Contents {
    /// What it follows. None if not even the first line was ever durable.
    pub header: Option<Header>,
    /// What happened.
    pub events: Vec<Event>,
    /// The folding that it ends with.
    pub folding: Option<Folding>,
    /// The end of what counts.
    pub tail: Tail,
    /// What follows the end: of a write that was interrupted.
    pub torn_bytes: u64,
}

/// Why a journal cannot be used.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum JournalError {
    /// A newer program wrote it.
    #[error("it is in format {0}, and this version of Plumb knows only format 1")]
    Newer(u64),
    /// Damaged after it was written.
    #[error("line {line} is damaged, and durable lines follow it")]
    Damaged {
        /// Which, from 1.
        line: u64,
    },
    /// It is encrypted and cannot be opened, or is not and has to be.
    #[error(transparent)]
    Sealed(#[from] SealError),
    /// Its checksum is right, but it says nothing that we understand.
    #[error("line {line} cannot be understood: {why}")]
    Strange {
        /// Which, from 1.
        line: u64,
        /// Why.
        why: String,
    },
}

/// Reads a journal that is not encrypted.
pub fn read(bytes: &[u8]) -> Result<Contents, JournalError> {
    Ok(read_with(bytes, &Sealer::default())?.0)
}

/// Reads a journal that may be encrypted, and says what its next line is to be sealed with.
pub fn read_with(
    bytes: &[u8],
    sealer: &Sealer,
) -> Result<(Contents, Option<LineSealer>), JournalError> {
    let mut lines = None;
    let mut contents = Contents::default();
    let mut names = Names::default();
    let mut rest = bytes;
    while !rest.is_empty() {
        let number = contents.tail.next;
        let end = rest.iter().position(|it| *it == b'\n');
        let good = end.and_then(|end| Some((end, checked(&rest[..end], contents.tail.crc)?)));
        let Some((end, (text, crc))) = good else {
            // Of a batch that was never acknowledged, unless something durable follows.
            let follows = rest.split(|it| *it == b'\n').skip(1);
            if follows.filter_map(batch_of).any(|batch| batch > number) {
                return Err(JournalError::Damaged { line: number + 1 });
            }
            contents.torn_bytes = rest.len() as u64;
            return Ok((contents, lines));
        };
        if number == 0 {
            let (header, meta) = decode::header(text)?;
            lines = sealer.resume_journal(meta, &header.lineage, header.serial)?;
            contents.header = Some(header);
        } else {
            match decode::line(text, number, lines.as_ref(), &mut names)? {
                Line::Event(event) => {
                    contents.events.push(*event);
                    // It goes on: that folding came to nothing.
                    contents.folding = None;
                }
                Line::Folding(folding) => contents.folding = Some(folding),
            }
        }
        contents.tail.bytes += end as u64 + 1;
        contents.tail.next += 1;
        contents.tail.crc = crc;
        rest = &rest[end + 1..];
    }
    Ok((contents, lines))
}

/// The line as text and the checksum so far, if the checksum is right.
fn checked(line: &[u8], crc: u32) -> Option<(&str, u32)> {
    let (content, suffix) = line.split_at_checked(line.len().checked_sub(CRC_BYTES)?)?;
    let stated = suffix.strip_prefix(b",\"crc\":\"")?.strip_suffix(b"\"}")?;
    let stated = u32::from_str_radix(std::str::from_utf8(stated).ok()?, 16).ok()?;
    let mut hasher = crc32fast::Hasher::new_with_initial(crc);
    hasher.update(content);
    let crc = hasher.finalize();
    (crc == stated).then_some(())?;
    Some((std::str::from_utf8(line).ok()?, crc))
}

/// The batch that a line after a damaged one belongs to, if it looks like a line at all.
fn batch_of(line: &[u8]) -> Option<u64> {
    #[derive(serde::Deserialize)]
    struct Numbers {
        n: u64,
        batch: Option<u64>,
    }
    let numbers: Numbers = serde_json::from_slice(line).ok()?;
    Some(numbers.batch.unwrap_or(numbers.n))
}

impl Tail {
    /// Appends the header and moves the end.
    pub fn header(&mut self, header: &Header, out: &mut String) {
        assert_eq!(self.next, 0, "the header is the first line");
        self.line(0, out, |out| encode::header(header, out));
    }

    /// The same of a journal whose lines are sealed.
    pub fn sealed_header(&mut self, header: &Header, sealer: &LineSealer, out: &mut String) {
        assert_eq!(self.next, 0, "the header is the first line");
        self.line(0, out, |out| {
            encode::header(header, out);
            out.push_str(",\"encryption\":");
            out.push_str(sealer.header_meta());
        });
    }

    /// Appends events that are made durable together with what was appended since line `batch`,
    /// and moves the end.
    pub fn events(&mut self, batch: u64, events: &[Event], out: &mut String) {
        for event in events {
            self.line(batch, out, |out| {
                out.push_str(",\"event\":");
                encode::event(event, out);
            });
        }
    }

    /// The same, sealed.
    ///
    /// # Errors
    /// If they could not be; nothing that was appended counts then.
    pub fn sealed_events(
        &mut self,
        batch: u64,
        events: &[Event],
        sealer: &LineSealer,
        out: &mut String,
    ) -> Result<(), SealError> {
        let mut plain = String::new();
        for event in events {
            plain.clear();
            encode::event(event, &mut plain);
            let sealed = sealer.seal_line(self.next, &plain)?;
            self.line(batch, out, |out| {
                out.push_str(",\"sealed\":\"");
                out.push_str(&sealed);
                out.push('"');
            });
        }
        Ok(())
    }

    /// Appends the mark of a folding and moves the end.
    pub fn folding(&mut self, folding: Folding, out: &mut String) {
        self.line(self.next, out, |out| encode::folding(folding, out));
    }

    fn line(&mut self, batch: u64, out: &mut String, content: impl FnOnce(&mut String)) {
        use std::fmt::Write;
        let start = out.len();
        match self.next {
            0 => {}
            n if n == batch => {
                let _ = write!(out, "{{\"n\":{n}");
            }
            n => {
                let _ = write!(out, "{{\"n\":{n},\"batch\":{batch}");
            }
        }
        content(out);
        let mut hasher = crc32fast::Hasher::new_with_initial(self.crc);
        hasher.update(&out.as_bytes()[start..]);
        self.crc = hasher.finalize();
        let _ = writeln!(out, ",\"crc\":\"{:08x}\"}}", self.crc);
        self.next += 1;
        self.bytes += (out.len() - start) as u64;
    }
}

#[cfg(test)]
mod tests;
