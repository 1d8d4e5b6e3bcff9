//! A host's file system: an overlay, and what every machine has on top. Runs in the host's first process.

use std::ffi::CString;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use crate::holder::clear;
use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind, mount_change,
    mount_remount, unmount,
};

/// What a host's root is made of.
#[derive(Clone, Debug)]
pub(super) struct Layers {
    /// What is below; none: the machine's own files.
    pub(super) lower: Option<PathBuf>,
    /// What it changes. Where the machine's files are laid folder by folder, a part for each, and one for
    /// the top.
    pub(super) upper: PathBuf,
    /// The overlays' own.
    pub(super) work: PathBuf,
    /// Where it is put together.
    pub(super) root: PathBuf,
    /// Hidden from the host: the cloud's own folder.
    pub(super) hidden: PathBuf,
    /// Whether the holder is in a user namespace.
    pub(super) rootless: bool,
}

/// The part of a layer that is the top of the file system.
const TOP: &str = "_";

/// Devices that every machine has.
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];
/// Hidden: they are the machine's, not the host's.
const MASKED: [&str; 6] = ["kcore", "kmsg", "keys", "sysrq-trigger", "timer_list", "sched_debug"];
/// Only to read.
const READ_ONLY: [&str; 5] = ["sys", "irq", "bus", "fs", "acpi"];

const PLAIN: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV).union(MountFlags::NOEXEC);

/// Puts the root together and goes there. In a mount namespace of its own.
pub(super) fn enter(layers: &Layers) -> io::Result<()> {
    mount_change("/", MountPropagationFlags::REC | MountPropagationFlags::PRIVATE)?;
    let root = &layers.root;
    for folder in [&layers.upper, root] {
        fs::create_dir_all(folder)?;
    }
    // An overlay that was not synced when it ended does not take its old working folder.
    clear(&layers.work)?;
    let laid = match &layers.lower {
        Some(lower) => overlay(layers, lower, TOP, root),
        None if layers.rootless => machine(layers),
        None => overlay(layers, Path::new("/"), TOP, root),
    };
    said("lay the host's file system", laid)?;
    let at = |path: &str| -> io::Result<PathBuf> {
        let path = root.join(path);
        fs::create_dir_all(&path)?;
        Ok(path)
    };
    let proc = at("proc")?;
    said("mount /proc", plain("proc", &proc, PLAIN, ""))?;
    // Everybody in it may ping, as nobody in it may send raw packets.
    let groups = if layers.rootless { "0 0" } else { "0 2147483647" };
    said("let it ping", fs::write(proc.join("sys/net/ipv4/ping_group_range"), groups))?;
    for name in MASKED {
        let path = proc.join(name);
        if path.exists() {
            mount_bind("/dev/null", &path)?;
        }
    }
    for name in READ_ONLY {
        let path = proc.join(name);
        if path.exists() {
            mount_bind(&path, &path)?;
            mount_remount(&path, MountFlags::BIND | MountFlags::RDONLY | PLAIN, "")?;
        }
    }
    let sys = at("sys")?;
    let read_only = PLAIN | MountFlags::RDONLY;
    if plain("sysfs", &sys, read_only, "").is_err() {
        plain("tmpfs", &sys, read_only, "size=4k")?;
    }
    said("make /dev", devices(&at("dev")?))?;
    for name in ["run", "tmp"] {
        // The machine's own hold the sockets of its services.
        let options = if name == "tmp" { "mode=1777" } else { "mode=755" };
        plain("tmpfs", &at(name)?, MountFlags::NOSUID | MountFlags::NODEV, options)?;
    }
    if let Ok(hidden) = layers.hidden.strip_prefix("/")
        && root.join(hidden).exists()
    {
        plain("tmpfs", &root.join(hidden), read_only, "size=4k,mode=0")?;
    }
    said("change into the host's file system", change_into(root))
}

fn said<T>(what: &str, result: io::Result<T>) -> io::Result<T> {
    result.map_err(|it| io::Error::new(it.kind(), format!("cannot {what}: {it}")))
}

fn plain(kind: &str, at: &Path, flags: MountFlags, options: &str) -> io::Result<()> {
    let options = CString::new(options)?;
    Ok(mount(kind, at, kind, flags, options.as_c_str())?)
}

/// The machine's files, copy on write, in a user namespace. Each folder at the top by itself: below `/` as a
/// whole there are mounts, which a user namespace may not uncover.
fn machine(layers: &Layers) -> io::Result<()> {
    let top = layers.upper.join(TOP);
    fs::create_dir_all(&top)?;
    mount_bind(&top, &layers.root)?;
    for entry in fs::read_dir("/")? {
        let entry = entry?;
        let (name, kind) = (entry.file_name(), entry.file_type()?);
        let at = layers.root.join(&name);
        if kind.is_symlink() {
            if at.symlink_metadata().is_err() {
                symlink(fs::read_link(entry.path())?, &at)?;
            }
            continue;
        }
        let Some(name) = name.to_str().filter(|_| kind.is_dir()) else { continue };
        // Made anew for each host, or nobody's business.
        if matches!(name, "proc" | "sys" | "dev" | "run" | "tmp" | "boot" | "lost+found" | "mnt") {
            continue;
        }
        fs::create_dir_all(&at)?;
        if closed(&entry.path()) {
            let own = layers.upper.join(name);
            fs::create_dir_all(&own)?;
            mount_bind(&own, &at)?;
            continue;
        }
        own_folders(&entry.path(), &layers.upper.join(name), name)?;
        match overlay(layers, &entry.path(), name, &at) {
            // With mounts of the machine's below it. It is empty in the host.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {}
            done => done?,
        }
    }
    for name in ["mnt", "root", "home"] {
        fs::create_dir_all(layers.root.join(name))?;
    }
    Ok(())
}

/// Whether a folder of the machine's is not for us, as the home of its root mostly is. An overlay could not look
/// into it either; the host has an empty one instead.
fn closed(folder: &Path) -> bool {
    use rustix::fs::{Access, AtFlags, CWD, accessat};
    accessat(CWD, folder, Access::READ_OK | Access::EXEC_OK, AtFlags::EACCESS).is_err()
}

fn overlay(layers: &Layers, lower: &Path, name: &str, at: &Path) -> io::Result<()> {
    let (upper, work) = (layers.upper.join(name), layers.work.join(name));
    fs::create_dir_all(&upper)?;
    fs::create_dir_all(&work)?;
    let escaped = |path: &Path| {
        let mut all = Vec::new();
        for byte in path.as_os_str().as_bytes() {
            if matches!(byte, b'\\' | b',' | b':') {
                all.push(b'\\');
            }
            all.push(*byte);
        }
        all
    };
    let mut options = Vec::new();
    for (name, path) in [("lowerdir=", lower), (",upperdir=", &upper), (",workdir=", &work)] {
        options.extend(name.as_bytes());
        options.extend(escaped(path));
    }
    // A host is as lasting as its cloud: without this the machine's disk would be synced whenever one ends.
    options.extend(b",volatile");
    if layers.rootless {
        options.extend(b",userxattr");
    }
    let options = CString::new(options)?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    Ok(mount("overlay", at, "overlay", flags, options.as_c_str())?)
}

/// A folder that is in both layers takes owner and mode from the upper one. A user namespace lacks the
/// machine's root; so a new upper layer has the folders that are to belong to the host's own.
fn own_folders(machine: &Path, upper: &Path, name: &str) -> io::Result<()> {
    if upper.exists() {
        return Ok(());
    }
    let depth = match name {
        "etc" => 1,
        "var" => 2,
        _ => 0,
    };
    let mut waiting = vec![(machine.to_owned(), upper.to_owned(), 0)];
    while let Some((from, to, at)) = waiting.pop() {
        fs::create_dir(&to)?;
        fs::set_permissions(&to, fs::metadata(&from)?.permissions())?;
        if at == depth {
            continue;
        }
        for entry in fs::read_dir(&from).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|it| it.is_dir()) {
                waiting.push((entry.path(), to.join(entry.file_name()), at + 1));
            }
        }
    }
    Ok(())
}

fn devices(dev: &Path) -> io::Result<()> {
    plain("tmpfs", dev, MountFlags::NOSUID, "mode=755,size=64k")?;
    for name in DEVICES {
        File::create(dev.join(name))?;
        mount_bind(Path::new("/dev").join(name), dev.join(name))?;
    }
    for (name, target) in [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
        ("ptmx", "pts/ptmx"),
    ] {
        symlink(target, dev.join(name))?;
    }
    for name in ["pts", "shm"] {
        fs::create_dir(dev.join(name))?;
    }
    let flags = MountFlags::NOSUID | MountFlags::NOEXEC;
    plain("devpts", &dev.join("pts"), flags, "newinstance,ptmxmode=0666,mode=620")?;
    plain("tmpfs", &dev.join("shm"), MountFlags::NOSUID | MountFlags::NODEV, "mode=1777")
}

fn change_into(root: &Path) -> io::Result<()> {
    rustix::process::chdir(root)?;
    // The old root ends up under the new one's own mount point, and is taken off it.
    rustix::process::pivot_root(".", ".")?;
    unmount(".", UnmountFlags::DETACH)?;
    Ok(rustix::process::chdir("/")?)
}

/// Writes a file, whatever is there, links included.
pub(super) fn write(path: &str, content: &str, mode: u32) -> io::Result<()> {
    let path = Path::new(path);
    let written = || {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        fs::write(path, content)?;
        fs::set_permissions(path, fs::Permissions::from_mode(mode))
    };
    said(&format!("write {}", path.display()), written())
}
