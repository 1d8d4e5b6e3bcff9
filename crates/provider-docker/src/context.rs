//! The build context: which files belong to it, their hash, and the archive the engine gets.
//!
//! Both hash and archive are functions of paths, modes and contents alone: the owner of a file and
//! its times say nothing about what is built.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures_util::Stream;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use crate::dockerignore::{BadRule, Ignore};

/// A build context that was walked and found readable.
#[derive(Debug)]
pub(crate) struct Context {
    entries: BTreeMap<String, Entry>,
    /// Path of the Dockerfile inside the archive.
    pub dockerfile: String,
}

#[derive(Debug)]
struct Entry {
    source: PathBuf,
    mode: u32,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Folder,
    File,
    Link(PathBuf),
}

/// Why there is no build context.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ContextError {
    /// The folder is not there, or is none.
    #[error("there is no folder `{0}` to build from")]
    NoFolder(String),
    /// The Dockerfile is not there.
    #[error("there is no Dockerfile `{0}`")]
    NoDockerfile(String),
    /// The rules cannot be read.
    #[error(transparent)]
    Ignore(#[from] BadRule),
    /// Devices and pipes cannot be sent.
    #[error("`{0}` is neither a file nor a folder nor a symbolic link; name it in .dockerignore")]
    Special(String),
    /// A path that the archive cannot carry.
    #[error("the name of `{0}` is not UTF-8")]
    Name(String),
    /// Reading failed.
    #[error("cannot read `{path}`: {source}")]
    Read {
        /// What.
        path: String,
        /// Why.
        source: io::Error,
    },
}

/// Walks the context at `root`. `dockerfile` is relative to it, or absolute, or outside.
pub(crate) fn open(root: &Path, dockerfile: &str) -> Result<Context, ContextError> {
    if !root.is_dir() {
        return Err(ContextError::NoFolder(root.display().to_string()));
    }
    let ignore = match fs::read_to_string(root.join(".dockerignore")) {
        Ok(text) => Ignore::parse(&text)?,
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ignore::default(),
        Err(e) => return Err(unreadable(&root.join(".dockerignore"), e)),
    };
    let mut entries = BTreeMap::new();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        let path = root.join(&folder);
        for item in fs::read_dir(&path).map_err(|e| unreadable(&path, e))? {
            let item = item.map_err(|e| unreadable(&path, e))?;
            let name = item.file_name();
            let Some(name) = name.to_str() else {
                return Err(ContextError::Name(item.path().display().to_string()));
            };
            let inside =
                if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
            let excluded = ignore.excludes(&inside);
            let is_folder = item.file_type().is_ok_and(|t| t.is_dir());
            if is_folder && (!excluded || ignore.may_keep_below()) {
                folders.push(inside.clone());
            }
            if excluded {
                continue;
            }
            if let Some(entry) = entry(item.path())? {
                entries.insert(inside, entry);
            }
        }
    }
    let mut context = Context { entries, dockerfile: String::new() };
    context.dockerfile = context.add_dockerfile(root, dockerfile)?;
    if context.entries.contains_key(".dockerignore") || root.join(".dockerignore").exists() {
        // The engine applies the rules once more to what it was sent for its own sake.
        if let Some(entry) = entry(root.join(".dockerignore"))? {
            context.entries.insert(".dockerignore".to_owned(), entry);
        }
    }
    Ok(context)
}

/// `None` for sockets, which Docker leaves out too.
fn entry(source: PathBuf) -> Result<Option<Entry>, ContextError> {
    let meta = fs::symlink_metadata(&source).map_err(|e| unreadable(&source, e))?;
    let kind = if meta.is_dir() {
        Kind::Folder
    } else if meta.is_file() {
        Kind::File
    } else if meta.is_symlink() {
        Kind::Link(fs::read_link(&source).map_err(|e| unreadable(&source, e))?)
    } else if meta.file_type().is_socket() {
        return Ok(None);
    } else {
        return Err(ContextError::Special(source.display().to_string()));
    };
    let mode = if meta.is_symlink() { 0o777 } else { meta.permissions().mode() & 0o7777 };
    Ok(Some(Entry { source, mode, kind }))
}

fn unreadable(path: &Path, source: io::Error) -> ContextError {
    ContextError::Read { path: path.display().to_string(), source }
}

impl Context {
    /// Sees to it that the Dockerfile is sent, even when ignored or outside; gives its path inside.
    fn add_dockerfile(&mut self, root: &Path, dockerfile: &str) -> Result<String, ContextError> {
        let path = root.join(dockerfile);
        let missing = |_| ContextError::NoDockerfile(path.display().to_string());
        let real = path.canonicalize().map_err(missing)?;
        let root = root.canonicalize().map_err(|e| unreadable(root, e))?;
        let inside = match real.strip_prefix(&root).ok().and_then(Path::to_str) {
            Some(inside) => inside.to_owned(),
            None => ".plumb.Dockerfile".to_owned(),
        };
        let Some(entry) = entry(real.clone())?.filter(|e| matches!(e.kind, Kind::File)) else {
            return Err(ContextError::NoDockerfile(real.display().to_string()));
        };
        self.entries.insert(inside.clone(), entry);
        Ok(inside)
    }

    /// `sha256:…` over every path, mode and content.
    pub(crate) fn hash(&self) -> Result<String, ContextError> {
        let mut all = Sha256::new();
        let mut buffer = vec![0; 64 * 1024];
        for (inside, entry) in &self.entries {
            let mut part = |bytes: &[u8]| {
                all.update((bytes.len() as u64).to_le_bytes());
                all.update(bytes);
            };
            part(inside.as_bytes());
            part(&entry.mode.to_le_bytes());
            match &entry.kind {
                Kind::Folder => part(b"folder"),
                Kind::Link(target) => {
                    part(b"link");
                    part(target.as_os_str().as_encoded_bytes());
                }
                Kind::File => {
                    let fail = |e| unreadable(&entry.source, e);
                    let mut file = File::open(&entry.source).map_err(fail)?;
                    let mut content = Sha256::new();
                    loop {
                        let read = file.read(&mut buffer).map_err(fail)?;
                        if read == 0 {
                            break;
                        }
                        content.update(&buffer[..read]);
                    }
                    part(b"file");
                    part(&content.finalize());
                }
            }
        }
        Ok(format!("sha256:{}", hex(&all.finalize())))
    }

    /// Writes the archive.
    pub(crate) fn write_to(&self, out: impl Write) -> io::Result<()> {
        let mut tar = tar::Builder::new(out);
        for (inside, entry) in &self.entries {
            let mut header = tar::Header::new_gnu();
            header.set_mode(entry.mode);
            header.set_mtime(0);
            header.set_uid(0);
            header.set_gid(0);
            header.set_size(0);
            match &entry.kind {
                Kind::Folder => {
                    header.set_entry_type(tar::EntryType::Directory);
                    tar.append_data(&mut header, format!("{inside}/"), io::empty())?;
                }
                Kind::Link(target) => {
                    header.set_entry_type(tar::EntryType::Symlink);
                    tar.append_link(&mut header, inside, target)?;
                }
                Kind::File => {
                    let file = File::open(&entry.source)?;
                    // A file that grows meanwhile must not break the archive.
                    let size = file.metadata()?.len();
                    header.set_size(size);
                    tar.append_data(&mut header, inside, file.take(size))?;
                }
            }
        }
        tar.finish()
    }

    /// The archive as it is written, a few pieces ahead of the reader.
    pub(crate) fn stream(self) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
        let (sender, mut receiver) = mpsc::channel(8);
        tokio::task::spawn_blocking(move || {
            let mut out = io::BufWriter::with_capacity(64 * 1024, Pieces(sender.clone()));
            let result = self.write_to(&mut out).and_then(|()| out.flush());
            if let Err(e) = result {
                // No receiver: the engine broke off, and its own answer is the better error.
                let _ = sender.blocking_send(Err(e));
            }
        });
        futures_util::stream::poll_fn(move |cx| receiver.poll_recv(cx))
    }
}

struct Pieces(mpsc::Sender<io::Result<Bytes>>);

impl Write for Pieces {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        match self.0.blocking_send(Ok(Bytes::copy_from_slice(piece))) {
            Ok(()) => Ok(piece.len()),
            Err(_) => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, b| {
        let _ = write!(text, "{b:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::StreamExt as _;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, content).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        }
        dir
    }

    fn listing(bytes: &[u8]) -> Vec<String> {
        let mut archive = tar::Archive::new(bytes);
        let entries = archive.entries().unwrap().map(|e| {
            let e = e.unwrap();
            assert_eq!((e.header().mtime().unwrap(), e.header().uid().unwrap()), (0, 0));
            e.path().unwrap().display().to_string()
        });
        entries.collect()
    }

    fn archive(context: &Context) -> Vec<u8> {
        let mut out = Vec::new();
        context.write_to(&mut out).unwrap();
        out
    }

    #[test]
    fn the_archive_is_sorted_and_obeys_dockerignore() {
        let dir = folder(&[
            ("Dockerfile", "FROM scratch"),
            ("z.txt", ""),
            ("a/b.txt", "b"),
            ("a/secret.key", "x"),
            ("node_modules/x/y.js", "x"),
            ("node_modules/keep/y.js", "x"),
            (
                ".dockerignore",
                "**/*.key\nnode_modules\n!node_modules/keep\nDockerfile\n.dockerignore\n",
            ),
        ]);
        std::os::unix::fs::symlink("a/b.txt", dir.path().join("link")).unwrap();
        let context = open(dir.path(), "Dockerfile").unwrap();
        assert_eq!(
            listing(&archive(&context)),
            [
                ".dockerignore",
                "Dockerfile",
                "a/",
                "a/b.txt",
                "link",
                "node_modules/keep/",
                "node_modules/keep/y.js",
                "z.txt"
            ]
        );
    }

    #[test]
    fn the_hash_follows_content_mode_and_name_only() {
        let files = [("Dockerfile", "FROM scratch"), ("run.sh", "exit 0"), ("junk.log", "1")];
        let files = [&files[..], &[(".dockerignore", "*.log")]].concat();
        let (one, two) = (folder(&files), folder(&files));
        let hash =
            |dir: &tempfile::TempDir| open(dir.path(), "Dockerfile").unwrap().hash().unwrap();
        let before = hash(&one);
        assert_eq!(before, hash(&two), "another place and time");
        fs::write(one.path().join("junk.log"), "2").unwrap();
        assert_eq!(before, hash(&one), "an ignored file");
        fs::set_permissions(one.path().join("run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
        let executable = hash(&one);
        assert_ne!(before, executable);
        fs::write(two.path().join("run.sh"), "exit 1").unwrap();
        assert_ne!(before, hash(&two));
        fs::rename(one.path().join("run.sh"), one.path().join("go.sh")).unwrap();
        assert_ne!(executable, hash(&one));
    }

    #[test]
    fn a_dockerfile_may_lie_outside() {
        let (dir, other) = (folder(&[("a", "")]), folder(&[("My.Dockerfile", "FROM scratch")]));
        let path = other.path().join("My.Dockerfile");
        let context = open(dir.path(), path.to_str().unwrap()).unwrap();
        assert_eq!(context.dockerfile, ".plumb.Dockerfile");
        assert_eq!(listing(&archive(&context)), [".plumb.Dockerfile", "a"]);
    }

    #[test]
    fn what_is_missing_is_named() {
        let dir = folder(&[("a", "")]);
        let error = open(dir.path(), "Dockerfile").unwrap_err().to_string();
        assert!(error.starts_with("there is no Dockerfile `/"), "{error}");
        let error = open(&dir.path().join("nowhere"), "Dockerfile").unwrap_err().to_string();
        assert!(error.ends_with("/nowhere` to build from"), "{error}");
    }

    #[tokio::test]
    async fn the_stream_is_the_archive() {
        let long = "x".repeat(300_000);
        let dir = folder(&[("Dockerfile", "FROM scratch"), ("big", &long)]);
        let context = open(dir.path(), "Dockerfile").unwrap();
        let whole = archive(&context);
        let pieces: Vec<_> = context.stream().collect().await;
        assert!(pieces.len() > 2);
        let joined: Vec<u8> = pieces.into_iter().flat_map(|p| p.unwrap()).collect();
        assert!(joined == whole);
    }
}
