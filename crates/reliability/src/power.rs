//! A power cut: what a folder holds when everything that was not synced may or may not be there.
//!
//! `strace` records what a program does to the files of its state (data included). From the record a
//! model is built of files and names: what an `fsync` or `fdatasync` of the file made durable of its
//! content, and an `fsync` of the folder of its names, is there after the cut. Of everything later
//! chance decides, each write and each name for itself, so also in another order than it was done:
//! a write may be there, be missing, be there up to some sector, or have left zeros.
//!
//! This is harsher than any journaling file system, which keeps the order of names at least.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use crate::trace::{Call, Record};

/// What is synced counts in units of this.
const SECTOR: usize = 512;

/// Every file that was seen, and what its names are.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    files: Vec<Content>,
    /// Names whose last change was synced.
    durable: BTreeMap<String, usize>,
    /// Changes of names since, in order.
    pending: Vec<Naming>,
}

/// Which files names stand for from now on, if any. Happens as a whole or not at all: a rename is one.
type Naming = Vec<(String, Option<usize>)>;

/// The content of a file.
#[derive(Clone, Debug, Default)]
struct Content {
    durable: Vec<u8>,
    pending: Vec<Change>,
}

#[derive(Clone, Debug)]
enum Change {
    Length(usize),
    Write(usize, Vec<u8>),
}

impl Content {
    fn now(&self) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        self.pending.iter().for_each(|it| it.apply(&mut bytes));
        bytes
    }
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Change::Length(length) => bytes.resize(*length, 0),
            Change::Write(at, data) => {
                let end = at + data.len();
                if bytes.len() < end {
                    bytes.resize(end, 0);
                }
                bytes[*at..end].copy_from_slice(data);
            }
        }
    }

    /// What may be left of it.
    fn cut(&self, chance: &mut fastrand::Rng, bytes: &mut Vec<u8>) {
        match (self, chance.u8(..4)) {
            (_, 0) => {}
            (Change::Write(at, data), 1) => Change::Write(*at, vec![0; data.len()]).apply(bytes),
            (Change::Write(at, data), 2) => {
                let end = at + chance.usize(..=data.len());
                // Up to the end of a sector, or of what there was to write.
                let end = end.next_multiple_of(SECTOR).min(at + data.len());
                Change::Write(*at, data[..end - at].to_vec()).apply(bytes);
            }
            _ => self.apply(bytes),
        }
    }
}

/// An open file.
#[derive(Clone, Copy, Debug)]
struct Handle {
    what: What,
    at: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Folder,
    File(usize),
}

impl Disk {
    /// A disk on which the named files are, durably.
    pub fn new(files: impl IntoIterator<Item = (String, Vec<u8>)>) -> Disk {
        let mut disk = Disk::default();
        for (name, durable) in files {
            disk.durable.insert(name, disk.files.len());
            disk.files.push(Content { durable, pending: Vec::new() });
        }
        disk
    }

    /// Does what a record says was done, and what was under way. Tells whether `seen` is what that
    /// comes to, with or without the latter: if not, the record is not to be trusted.
    pub fn replay(&mut self, record: &Record, seen: &BTreeMap<String, Vec<u8>>) -> bool {
        let mut handles: BTreeMap<i64, Handle> = BTreeMap::new();
        for call in &record.calls {
            self.act(&mut handles, call);
        }
        let before = self.now() == *seen;
        for call in &record.under_way {
            self.act(&mut handles, call);
        }
        before || self.now() == *seen
    }

    fn act(&mut self, handles: &mut BTreeMap<i64, Handle>, call: &Call) -> bool {
        let mut write = |disk: &mut Disk, fd: i64, at: Option<usize>, data: &[u8]| {
            let Some(Handle { what: What::File(file), at: here }) = handles.get_mut(&fd) else {
                return false;
            };
            let begin = at.unwrap_or(*here);
            disk.files[*file].pending.push(Change::Write(begin, data.to_vec()));
            if at.is_none() {
                *here = begin + data.len();
            }
            true
        };
        match call {
            Call::Open { name, truncate, create, append, fd } => {
                let what = match name {
                    None => What::Folder,
                    Some(name) => {
                        let there = self.named(name);
                        let file = match there {
                            Some(file) => file,
                            None if *create => {
                                self.files.push(Content::default());
                                self.pending.push(vec![(name.clone(), Some(self.files.len() - 1))]);
                                self.files.len() - 1
                            }
                            None => return false,
                        };
                        if *truncate && there.is_some() {
                            self.files[file].pending.push(Change::Length(0));
                        }
                        What::File(file)
                    }
                };
                let at = match what {
                    What::File(file) if *append => self.files[file].now().len(),
                    _ => 0,
                };
                handles.insert(*fd, Handle { what, at });
                true
            }
            Call::Write { fd, at, data } => write(self, *fd, *at, data),
            Call::Copy { from, to, length } => {
                let Some(Handle { what: What::File(source), at }) = handles.get_mut(from) else {
                    return false;
                };
                let bytes = self.files[*source].now();
                let end = (*at + length).min(bytes.len());
                let data = bytes[(*at).min(end)..end].to_vec();
                *at = end;
                let Some(Handle { what: What::File(file), at }) = handles.get_mut(to) else {
                    return false;
                };
                let begin = *at;
                *at += data.len();
                self.files[*file].pending.push(Change::Write(begin, data));
                true
            }
            Call::Read { fd, length } => match handles.get_mut(fd) {
                Some(handle) => {
                    handle.at += length;
                    true
                }
                None => false,
            },
            Call::Seek { fd, at } => match handles.get_mut(fd) {
                Some(handle) => {
                    handle.at = *at;
                    true
                }
                None => false,
            },
            Call::Truncate { fd, length } => match handles.get(fd) {
                Some(Handle { what: What::File(file), .. }) => {
                    self.files[*file].pending.push(Change::Length(*length));
                    true
                }
                _ => false,
            },
            Call::Sync { fd } => match handles.get(fd).map(|it| it.what) {
                Some(What::File(file)) => {
                    let content = &mut self.files[file];
                    content.durable = content.now();
                    content.pending.clear();
                    true
                }
                Some(What::Folder) => {
                    for naming in std::mem::take(&mut self.pending) {
                        name(&mut self.durable, &naming);
                    }
                    true
                }
                None => false,
            },
            Call::Duplicate { fd, to } => match handles.get(fd).copied() {
                Some(handle) => {
                    handles.insert(*to, handle);
                    true
                }
                None => false,
            },
            Call::Close { fd } => handles.remove(fd).is_some(),
            Call::Rename { from, to } => match self.named(from) {
                Some(file) => {
                    self.pending.push(vec![(to.clone(), Some(file)), (from.clone(), None)]);
                    true
                }
                None => false,
            },
            Call::Remove { name } => {
                self.pending.push(vec![(name.clone(), None)]);
                true
            }
        }
    }

    /// Which file a name stands for now.
    fn named(&self, name: &str) -> Option<usize> {
        match self.pending.iter().flatten().rev().find(|it| it.0 == name) {
            Some((_, file)) => *file,
            None => self.durable.get(name).copied(),
        }
    }

    /// What everybody saw before the cut.
    pub fn now(&self) -> BTreeMap<String, Vec<u8>> {
        let mut names = self.durable.clone();
        self.pending.iter().for_each(|it| name(&mut names, it));
        names.into_iter().map(|(name, file)| (name, self.files[file].now())).collect()
    }

    /// What is there after the cut.
    pub fn cut(&self, chance: &mut fastrand::Rng) -> BTreeMap<String, Vec<u8>> {
        let mut names = self.durable.clone();
        // Half of the time names keep their order, as journaling file systems have it.
        let kept = chance.bool().then(|| chance.usize(..=self.pending.len()));
        for (index, change) in self.pending.iter().enumerate() {
            if kept.map_or_else(|| chance.bool(), |kept| index < kept) {
                name(&mut names, change);
            }
        }
        let mut survive = |file: usize| {
            let mut bytes = self.files[file].durable.clone();
            self.files[file].pending.iter().for_each(|it| it.cut(chance, &mut bytes));
            bytes
        };
        names.into_iter().map(|(name, file)| (name, survive(file))).collect()
    }
}

fn name(names: &mut BTreeMap<String, usize>, naming: &Naming) {
    for (name, file) in naming {
        match file {
            Some(file) => names.insert(name.clone(), *file),
            None => names.remove(name),
        };
    }
}

/// Whether a file of the folder belongs to the state.
pub fn belongs(name: &str) -> bool {
    name.trim_start_matches('.').starts_with(crate::tool::STATE)
}

/// The files of the state in a folder.
pub fn files(folder: &Path) -> io::Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if belongs(&name) && entry.file_type()?.is_file() {
            files.insert(name, fs::read(entry.path())?);
        }
    }
    Ok(files)
}

/// Puts other files of the state in place of those in a folder.
pub fn replace(folder: &Path, files: &BTreeMap<String, Vec<u8>>) -> io::Result<()> {
    for name in self::files(folder)?.keys() {
        fs::remove_file(folder.join(name))?;
    }
    files.iter().try_for_each(|(name, bytes)| fs::write(folder.join(name), bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(name: &str, fd: i64) -> Call {
        Call::Open { name: Some(name.into()), truncate: true, create: true, append: false, fd }
    }

    fn write(fd: i64, data: &[u8]) -> Call {
        Call::Write { fd, at: None, data: data.to_vec() }
    }

    fn done(disk: &mut Disk, calls: &[Call]) {
        let record = Record { calls: calls.to_vec(), under_way: Vec::new() };
        disk.replay(&record, &BTreeMap::new());
    }

    fn cuts(disk: &Disk) -> std::collections::BTreeSet<BTreeMap<String, Vec<u8>>> {
        (0..200).map(|seed| disk.cut(&mut fastrand::Rng::with_seed(seed))).collect()
    }

    #[test]
    fn what_was_synced_is_there() {
        let folder =
            Call::Open { name: None, truncate: false, create: false, append: false, fd: 9 };
        let sync = |fd| Call::Sync { fd };
        let mut disk = Disk::new([("old".to_owned(), b"o".to_vec())]);
        done(&mut disk, &[open("a", 3), write(3, b"one"), sync(3), folder, sync(9)]);
        let only =
            BTreeMap::from([("a".to_owned(), b"one".to_vec()), ("old".to_owned(), b"o".to_vec())]);
        assert_eq!(cuts(&disk), [only].into());
    }

    #[test]
    fn what_was_not_synced_may_be_there_or_not_or_half() {
        let mut disk = Disk::new([("s".to_owned(), b"old".to_vec())]);
        let rename = Call::Rename { from: "n".into(), to: "s".into() };
        done(&mut disk, &[open("n", 3), write(3, &[b'x'; 1500]), rename]);
        let lengths: std::collections::BTreeSet<usize> =
            cuts(&disk).iter().filter_map(|it| it.get("s").map(Vec::len)).collect();
        assert_eq!(lengths, [0, 3, 512, 1024, 1500].into(), "the old one, or any part of the new");
        assert!(cuts(&disk).iter().any(|it| it.get("s").is_some_and(|it| it == &[0; 1500])));
        assert_eq!(disk.now(), [("s".to_owned(), vec![b'x'; 1500])].into());
    }
}
