//! Where the files of hosts, snapshots and images are, below the cloud's folder.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::copy::copy;
use super::image;
use super::root::Layers;
use crate::holder::clear;
use crate::spec::{Host, Root};
use crate::wire::Refusal;

/// A command's output is cut to its last half beyond this, in bytes.
const LOG_MAX: u64 = 1 << 20;

pub(super) struct Layout {
    folder: PathBuf,
    rootless: bool,
}

/// What a layer lies on: never a snapshot. Kept beside it.
const BASE: &str = "base.json";

impl Layout {
    pub(super) fn new(folder: PathBuf, rootless: bool) -> Layout {
        Layout { folder, rootless }
    }

    fn host(&self, name: &str) -> PathBuf {
        self.folder.join("hosts").join(name)
    }

    fn snapshot(&self, name: &str) -> PathBuf {
        self.folder.join("snapshots").join(name)
    }

    /// What a host's root is made of; laid out where it is new.
    pub(super) fn layers(&self, host: &Host) -> Result<Layers, Refusal> {
        let at = self.host(&host.name);
        let failed = |it: io::Error| {
            Refusal::new("Host not made", format!("Its files cannot be laid out: {it}."))
        };
        if let (Root::Snapshot(name), false) = (&host.root, at.join("upper").exists()) {
            let from = self.snapshot(name);
            // Copied: the host goes on when the snapshot goes.
            let lay = || -> io::Result<()> {
                clear(&at)?;
                let new = self.folder.join("hosts.new");
                clear(&new)?;
                copy(&from, &new)?;
                fs::create_dir_all(self.folder.join("hosts"))?;
                fs::rename(&new, &at)
            };
            lay().map_err(|it| failed(it).at("snapshot"))?;
        }
        fs::create_dir_all(at.join("upper")).map_err(failed)?;
        let base = self.base_of(host).map_err(failed)?;
        fs::write(at.join(BASE), serde_json::to_string(&base).unwrap_or_default())
            .map_err(failed)?;
        Ok(Layers {
            lower: self.lower(&base)?,
            upper: at.join("upper"),
            work: at.join("work"),
            root: at.join("root"),
            hidden: self.folder.clone(),
            rootless: self.rootless,
        })
    }

    /// What a host's changes lie on.
    fn base_of(&self, host: &Host) -> io::Result<Root> {
        match &host.root {
            Root::Snapshot(_) => {
                let text = fs::read_to_string(self.host(&host.name).join(BASE))?;
                Ok(serde_json::from_str(&text)?)
            }
            other => Ok(other.clone()),
        }
    }

    /// The folder that a root begins with; none: the machine's.
    fn lower(&self, root: &Root) -> Result<Option<PathBuf>, Refusal> {
        match root {
            Root::Machine => Ok(None),
            Root::Folder(path) => {
                if Path::new(path).is_dir() {
                    return Ok(Some(path.into()));
                }
                let detail = format!("There is no folder {path:?}.");
                Err(Refusal::new("Unknown folder", detail).at("folder"))
            }
            Root::Image(path) => {
                image::unpack(&self.folder, self.rootless, Path::new(path)).map(Some)
            }
            Root::Snapshot(_) => Err(Refusal::new("Host not made", "A snapshot is no base.")),
        }
    }

    /// Copies what a host changed.
    pub(super) fn keep(&self, name: &str, host: &Host) -> io::Result<()> {
        let at = self.snapshot(name);
        let done = || -> io::Result<()> {
            clear(&at)?;
            fs::create_dir_all(&at)?;
            fs::write(at.join(BASE), serde_json::to_string(&self.base_of(host)?)?)?;
            let changed = self.host(&host.name).join("upper");
            // One that nobody ever entered.
            if !changed.exists() {
                return fs::create_dir(at.join("upper"));
            }
            copy(&changed, &at.join("upper"))
        };
        done().inspect_err(|_| {
            let _ = clear(&at);
        })
    }

    pub(super) fn forget(&self, name: &str) -> io::Result<()> {
        clear(&self.snapshot(name))
    }

    /// Takes away a host's files.
    pub(super) fn clear(&self, name: &str) -> io::Result<()> {
        clear(&self.host(name))?;
        // So that an empty cloud has an empty folder.
        let _ = fs::remove_dir(self.folder.join("hosts"));
        Ok(())
    }

    /// Where a host's command writes. What it wrote earlier stays.
    pub(super) fn log(&self, name: &str) -> io::Result<File> {
        let path = self.host(name).join("log");
        let file = File::options().create(true).append(true).read(true).mode(0o600).open(&path)?;
        if file.metadata()?.len() > LOG_MAX {
            let kept = tail(&file, LOG_MAX / 2)?;
            fs::write(&path, kept)?;
        }
        Ok(file)
    }

    pub(super) fn logs(&self, name: &str, limit: u64) -> Option<String> {
        let file = File::open(self.host(name).join("log")).ok()?;
        Some(String::from_utf8_lossy(&tail(&file, limit).ok()?).into_owned())
    }
}

fn tail(mut file: &File, limit: u64) -> io::Result<Vec<u8>> {
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(limit)))?;
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}
