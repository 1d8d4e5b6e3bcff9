//! A folder of a machine that may lose its power: what was not synced may then be there or not, each
//! write and each name for itself.

use std::collections::BTreeMap;

use crate::rng::Rng;

/// A file, whatever it is called by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileId(usize);

/// The name of a file.
pub(crate) type Name = &'static str;

/// One folder.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    files: Vec<File>,
    names: BTreeMap<Name, FileId>,
    /// What outlives a power cut for certain.
    durable: BTreeMap<Name, FileId>,
    /// What was done to names since.
    renamings: Vec<Renaming>,
    /// How many bytes may be written until the disk is full. None: enough.
    pub(crate) room: Option<usize>,
}

#[derive(Debug, Default)]
struct File {
    now: Vec<u8>,
    durable: Vec<u8>,
    /// What was written since.
    writes: Vec<Write>,
}

#[derive(Debug)]
enum Write {
    At(usize, Vec<u8>),
    Cut(usize),
}

#[derive(Clone, Copy, Debug)]
enum Renaming {
    Made(Name, FileId),
    Moved(Name, Name, FileId),
    Removed(Name),
}

/// Nothing more fits.
#[derive(Debug)]
pub(crate) struct Full;

impl Disk {
    pub(crate) fn find(&self, name: Name) -> Option<FileId> {
        self.names.get(name).copied()
    }

    pub(crate) fn read(&self, name: Name) -> Option<Vec<u8>> {
        self.find(name).map(|it| self.files[it.0].now.clone())
    }

    /// A new empty file of that name, in place of any other.
    pub(crate) fn make(&mut self, name: Name) -> FileId {
        let file = FileId(self.files.len());
        self.files.push(File::default());
        self.names.insert(name, file);
        self.renamings.push(Renaming::Made(name, file));
        file
    }

    /// Makes `at` the end of the file.
    pub(crate) fn cut(&mut self, file: FileId, at: usize) {
        self.files[file.0].write(Write::Cut(at));
    }

    /// Writes as much as fits.
    pub(crate) fn write(&mut self, file: FileId, at: usize, bytes: &[u8]) -> Result<(), Full> {
        let fits = self.room.map_or(bytes.len(), |it| it.min(bytes.len()));
        if let Some(room) = &mut self.room {
            *room -= fits;
        }
        self.files[file.0].write(Write::At(at, bytes[..fits].to_vec()));
        if fits == bytes.len() { Ok(()) } else { Err(Full) }
    }

    pub(crate) fn sync(&mut self, file: FileId) {
        let file = &mut self.files[file.0];
        if !file.writes.is_empty() {
            file.durable.clone_from(&file.now);
            file.writes.clear();
        }
    }

    pub(crate) fn rename(&mut self, from: Name, to: Name) -> bool {
        let Some(file) = self.names.remove(from) else { return false };
        self.names.insert(to, file);
        self.renamings.push(Renaming::Moved(from, to, file));
        true
    }

    pub(crate) fn remove(&mut self, name: Name) {
        if self.names.remove(name).is_some() {
            self.renamings.push(Renaming::Removed(name));
        }
    }

    pub(crate) fn sync_names(&mut self) {
        if !self.renamings.is_empty() {
            self.durable.clone_from(&self.names);
            self.renamings.clear();
        }
    }

    /// The power goes and comes back.
    pub(crate) fn lose_power(&mut self, rng: &mut Rng) {
        for file in &mut self.files {
            for mut write in std::mem::take(&mut file.writes) {
                match &mut write {
                    _ if rng.one_in(3) => continue,
                    Write::At(_, bytes) if rng.one_in(3) => {
                        bytes.truncate(rng.below(bytes.len() as u64 + 1) as usize);
                    }
                    _ => {}
                }
                write.apply(&mut file.durable);
            }
            file.now.clone_from(&file.durable);
        }
        for renaming in std::mem::take(&mut self.renamings) {
            if rng.one_in(3) {
                continue;
            }
            match renaming {
                Renaming::Made(name, file) => {
                    self.durable.insert(name, file);
                }
                Renaming::Moved(from, to, file) => {
                    if self.durable.get(from) == Some(&file) {
                        self.durable.remove(from);
                    }
                    self.durable.insert(to, file);
                }
                Renaming::Removed(name) => {
                    self.durable.remove(name);
                }
            }
        }
        self.names.clone_from(&self.durable);
    }
}

impl File {
    fn write(&mut self, write: Write) {
        write.apply(&mut self.now);
        self.writes.push(write);
    }
}

impl Write {
    fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Write::At(at, bytes) => {
                if to.len() < at + bytes.len() {
                    to.resize(at + bytes.len(), 0);
                }
                to[*at..at + bytes.len()].copy_from_slice(bytes);
            }
            Write::Cut(at) => to.resize(*at, 0),
        }
    }
}
