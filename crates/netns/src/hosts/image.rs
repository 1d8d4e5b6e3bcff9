//! Image archives, as `docker save` and OCI tools write them: unpacked once per content.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek as _, SeekFrom};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Component, Path, PathBuf};

use nix::sched::CloneFlags;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use super::fork::fork;
use crate::holder::clear;
use crate::wire::Refusal;

/// The folder of an archive's files, below the cloud's `folder`; unpacked there if it is new.
pub(super) fn unpack(folder: &Path, rootless: bool, path: &Path) -> Result<PathBuf, Refusal> {
    let wrong = |it: io::Error| {
        let detail = format!("{} is not a whole image archive: {it}.", path.display());
        Refusal::new("Image cannot be used", detail).at("image")
    };
    if !path.is_absolute() {
        return Err(wrong(io::Error::other("its path is not absolute")));
    }
    let mut file = File::open(path).map_err(|it| {
        let detail = format!("{} cannot be read: {it}.", path.display());
        Refusal::new("Image cannot be read", detail).at("image")
    })?;
    let sum = digest(&mut file).map_err(wrong)?;
    let images = folder.join("images");
    let unpacked = images.join(&sum);
    if unpacked.is_dir() {
        return Ok(unpacked);
    }
    let making = images.join(format!("{sum}~"));
    clear(&making).map_err(wrong)?;
    let make = |it: &Path, mode| fs::DirBuilder::new().recursive(true).mode(mode).create(it);
    make(&images, 0o700).and_then(|()| make(&making, 0o755)).map_err(wrong)?;
    let done = Archive::open(file)
        .and_then(|mut archive| archive.layers().map(|layers| (archive, layers)))
        .and_then(|(archive, layers)| in_root(&making, || archive.unpack(&layers, rootless)))
        .and_then(|()| fs::rename(&making, &unpacked));
    if done.is_err() {
        let _ = clear(&making);
    }
    done.map_err(wrong)?;
    Ok(unpacked)
}

fn digest(file: &mut File) -> io::Result<String> {
    file.seek(SeekFrom::Start(0))?;
    sum(file)
}

fn sum(mut reader: impl Read) -> io::Result<String> {
    let (mut hash, mut bytes) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        match reader.read(&mut bytes) {
            Ok(0) => break,
            Ok(n) => hash.update(bytes.get(..n).unwrap_or_default()),
            Err(it) if it.kind() == io::ErrorKind::Interrupted => {}
            Err(it) => return Err(it),
        }
    }
    Ok(hash.finalize().iter().map(|it| format!("{it:02x}")).collect())
}

/// Does it in a process whose root is `root`: however links lead, nothing outside is reached.
fn in_root(root: &Path, work: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    let (mut said, mut say) = io::pipe()?;
    // In the child its own copy of the reading end harms nobody.
    let child = move || {
        let work = || {
            std::env::set_current_dir(root)?;
            std::os::unix::fs::chroot(".")?;
            work()
        };
        match work() {
            Ok(()) => 0,
            Err(error) => {
                let _ = io::Write::write_all(&mut say, error.to_string().as_bytes());
                1
            }
        }
    };
    let pid = fork(CloneFlags::empty(), child)?;
    let mut error = String::new();
    said.read_to_string(&mut error)?;
    let status = loop {
        match rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty()) {
            Err(rustix::io::Errno::INTR) => {}
            other => break other?,
        }
    };
    match status {
        Some((_, it)) if it.exit_status() == Some(0) => Ok(()),
        _ if error.is_empty() => Err(io::Error::other("unpacking it was broken off")),
        _ => Err(io::Error::other(error)),
    }
}

/// An archive, and where the files in it are.
struct Archive {
    file: File,
    parts: BTreeMap<String, (u64, u64)>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    layers: Vec<String>,
}

/// An OCI index or manifest.
#[derive(Default, Deserialize)]
struct Manifest {
    #[serde(default)]
    manifests: Vec<Descriptor>,
    #[serde(default)]
    layers: Vec<Descriptor>,
}

#[derive(Clone, Deserialize)]
struct Descriptor {
    digest: String,
    #[serde(default, rename = "mediaType")]
    media_type: String,
    platform: Option<Platform>,
}

#[derive(Clone, Deserialize)]
struct Platform {
    architecture: String,
}

impl Archive {
    fn open(file: File) -> io::Result<Archive> {
        let size = file.metadata()?.len();
        let mut parts = BTreeMap::new();
        let mut links = Vec::new();
        let mut reader = &file;
        reader.seek(SeekFrom::Start(0))?;
        for entry in tar::Archive::new(BufReader::new(reader)).entries_with_seek()? {
            let entry = entry?;
            let name = plain(&entry.path()?)?;
            if let Some(to) = entry.link_name()? {
                // Older `docker save` writes a layer once, and links to it.
                let base =
                    if entry.header().entry_type().is_symlink() { name.parent() } else { None };
                links.push((name.clone(), base.unwrap_or(Path::new("")).join(to)));
                continue;
            }
            let at = (entry.raw_file_position(), entry.size());
            if at.0 + at.1 > size {
                return Err(io::Error::other(format!("it ends within {}", name.display())));
            }
            parts.insert(name.to_string_lossy().into_owned(), at);
        }
        for (name, to) in links {
            let mut path = PathBuf::new();
            for part in to.components() {
                match part {
                    Component::Normal(it) => path.push(it),
                    Component::ParentDir => drop(path.pop()),
                    _ => {}
                }
            }
            if let Some(at) = parts.get(&*path.to_string_lossy()).copied() {
                parts.insert(name.to_string_lossy().into_owned(), at);
            }
        }
        Ok(Archive { file, parts })
    }

    fn part(&self, name: &str) -> io::Result<impl Read + use<'_>> {
        let missing = || io::Error::other(format!("it lacks {name}"));
        let (at, size) = *self.parts.get(name).ok_or_else(missing)?;
        let mut file = &self.file;
        file.seek(SeekFrom::Start(at))?;
        Ok(BufReader::new(file.take(size)))
    }

    fn json<T: DeserializeOwned>(&self, name: &str) -> io::Result<T> {
        Ok(serde_json::from_reader(self.part(name)?)?)
    }

    /// Its layers, lowest first: names of parts.
    fn layers(&mut self) -> io::Result<Vec<String>> {
        if self.parts.contains_key("manifest.json") {
            let saved: Vec<Saved> = self.json("manifest.json")?;
            let first = saved.into_iter().next();
            return Ok(first.ok_or_else(|| io::Error::other("it has no image"))?.layers);
        }
        if !self.parts.contains_key("index.json") {
            return Err(io::Error::other("it has neither manifest.json nor index.json"));
        }
        let mut manifest: Manifest = self.json("index.json")?;
        // An index may lead to an index, with one manifest per kind of machine.
        for _ in 0..4 {
            let here = match std::env::consts::ARCH {
                "x86_64" => "amd64",
                "aarch64" => "arm64",
                other => other,
            };
            let fits =
                |it: &&Descriptor| it.platform.as_ref().is_none_or(|it| it.architecture == here);
            let Some(next) = manifest.manifests.iter().find(fits) else { break };
            manifest = self.json(&self.blob(next)?)?;
        }
        if manifest.layers.is_empty() {
            return Err(io::Error::other("it has no image for this machine"));
        }
        if let Some(it) = manifest.layers.iter().find(|it| it.media_type.ends_with("zstd")) {
            return Err(io::Error::other(format!(
                "layer {} is packed by zstd, not gzip",
                it.digest
            )));
        }
        manifest.layers.iter().map(|it| self.blob(it)).collect()
    }

    /// The part that has a digest, which is checked.
    fn blob(&self, of: &Descriptor) -> io::Result<String> {
        let name = format!("blobs/{}", of.digest.replacen(':', "/", 1));
        if let Some(wanted) = of.digest.strip_prefix("sha256:")
            && sum(self.part(&name)?)? != wanted
        {
            return Err(io::Error::other(format!("{name} is not what its name says")));
        }
        Ok(name)
    }

    /// Into the root of this process.
    fn unpack(&self, layers: &[String], rootless: bool) -> io::Result<()> {
        for layer in layers {
            let mut start = [0; 2];
            let zipped = self.part(layer)?.read_exact(&mut start).is_ok() && start == [0x1f, 0x8b];
            let part = self.part(layer)?;
            let reader: Box<dyn Read> = if zipped {
                Box::new(flate2::read::MultiGzDecoder::new(part))
            } else {
                Box::new(part)
            };
            lay(reader, rootless).map_err(|it| io::Error::other(format!("layer {layer}: {it}")))?;
        }
        Ok(())
    }
}

/// Unpacks one layer over those below.
fn lay(reader: impl Read, rootless: bool) -> io::Result<()> {
    let root = Path::new("/");
    let mut archive = tar::Archive::new(reader);
    archive.set_preserve_permissions(true);
    // One number is all there is in the user namespace of an ordinary user.
    archive.set_preserve_ownerships(!rootless);
    archive.set_overwrite(true);
    // A folder's mode may forbid to fill it, and what is of this layer is not taken away by its whiteouts.
    let mut here = std::collections::BTreeSet::new();
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = plain(&entry.path()?)?;
        let (Some(name), Some(parent)) =
            (path.file_name().and_then(|it| it.to_str()), path.parent())
        else {
            continue;
        };
        if name == ".wh..wh..opq" {
            for below in fs::read_dir(root.join(parent)).into_iter().flatten().flatten() {
                if !here.contains(&parent.join(below.file_name())) {
                    remove(&below.path())?;
                }
            }
            continue;
        }
        if let Some(gone) = name.strip_prefix(".wh.") {
            // Others that begin so are an older tool's notes to itself.
            if !gone.starts_with(".wh.") && !matches!(gone, "" | "." | "..") {
                remove(&root.join(parent).join(gone))?;
            }
            continue;
        }
        let kind = entry.header().entry_type();
        if kind.is_block_special() || kind.is_character_special() || kind.is_fifo() {
            continue;
        }
        if kind.is_hard_link() {
            plain(&entry.link_name()?.unwrap_or_default())?;
        }
        fs::create_dir_all(root.join(parent))?;
        let target = root.join(&path);
        let found = fs::symlink_metadata(&target);
        if found.is_ok_and(|it| it.is_dir() != kind.is_dir()) {
            remove(&target)?;
        }
        entry.unpack_in(root)?;
        here.extend(path.ancestors().map(Path::to_owned));
    }
    Ok(())
}

fn remove(path: &Path) -> io::Result<()> {
    let done = match fs::symlink_metadata(path) {
        Ok(it) if it.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(it) => Err(it),
    };
    match done {
        Err(it) if it.kind() != io::ErrorKind::NotFound => Err(it),
        _ => Ok(()),
    }
}

/// A path without a leading slash; one with `..` is refused.
fn plain(path: &Path) -> io::Result<PathBuf> {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(it) => plain.push(it),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
            Component::ParentDir => {
                return Err(io::Error::other(format!("{} leads out of it", path.display())));
            }
        }
    }
    Ok(plain)
}
