//! What a holder stands on: its own user and mount namespaces.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::render::Site;
use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use rustix::mount::{MountPropagationFlags, mount_change};
use rustix::process::{Resource, getgid, getrlimit, getuid, setrlimit};

/// How it stands.
pub(super) struct Ground {
    /// In a user namespace, its own or that of a container, in which not all ids exist, as root.
    pub(super) rootless: bool,
    /// Where the cloud is.
    pub(super) site: Site,
}

/// Enters the namespaces. What is missing, in words for the person at the terminal.
pub(super) fn take(folder: &Path) -> Result<Ground, String> {
    let mut files = getrlimit(Resource::Nofile);
    files.current = files.maximum;
    // Every namespace takes three; where there are fewer, the one too many is refused.
    let _ = setrlimit(Resource::Nofile, files);
    // A descendant that lost its parent is ours.
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
    let direct = getuid().is_root() && unshare(CloneFlags::CLONE_NEWNS).is_ok() && may_network();
    if !direct {
        user_namespace()?;
        unshare(CloneFlags::CLONE_NEWNS).map_err(|it| denied("mount namespaces", it))?;
    }
    mount_change("/", MountPropagationFlags::REC | MountPropagationFlags::PRIVATE)
        .map_err(|it| format!("the mounts cannot be made private: {it}"))?;
    let site = match direct {
        true => Site { machine: Some(machine(folder)) },
        false => Site { machine: None },
    };
    // Root of a container may be nobody outside it; the kernel then treats overlays as it treats nobody's.
    Ok(Ground { rootless: !direct || !every_id(), site })
}

/// Whether this user namespace has all ids that there are: only the first one does.
fn every_id() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    map.split_whitespace().eq(["0", "0", "4294967295"])
}

/// A few letters that are this cloud's in the machine's namespace: the same for the same folder, so
/// that what a killed holder left there is replaced by the next.
fn machine(folder: &Path) -> String {
    let bytes = folder.as_os_str().as_encoded_bytes();
    let hash = bytes
        .iter()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    format!("{:04x}n", hash & 0xffff)
}

/// Whether root may make network namespaces: in a container it often may not.
fn may_network() -> bool {
    let try_it = || unshare(CloneFlags::CLONE_NEWNET).is_ok();
    // A thread that ends: the process itself stays where it is.
    std::thread::scope(|scope| scope.spawn(try_it).join().unwrap_or(false))
}

fn user_namespace() -> Result<(), String> {
    let (user, group) = (getuid().as_raw(), getgid().as_raw());
    unshare(CloneFlags::CLONE_NEWUSER).map_err(|it| denied("user namespaces", it))?;
    let write = |path: &str, text: String| {
        fs::write(path, text).map_err(|it| format!("{path} cannot be written: {it}{}", apparmor()))
    };
    write("/proc/self/setgroups", "deny".to_owned())?;
    write("/proc/self/uid_map", format!("0 {user} 1\n"))?;
    write("/proc/self/gid_map", format!("0 {group} 1\n"))
}

/// Why a namespace was refused, and what would allow it.
fn denied(what: &str, error: Errno) -> String {
    let setting = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    let mut all = format!("this machine does not allow {what} here ({error}).");
    let zero = |path: &str| setting(path) == "0";
    if zero("/proc/sys/kernel/unprivileged_userns_clone") {
        all += " Allow them with `sysctl kernel.unprivileged_userns_clone=1`.";
    }
    if zero("/proc/sys/user/max_user_namespaces") {
        all += " Allow them with `sysctl user.max_user_namespaces=10000`.";
    }
    all += apparmor();
    if setting("/proc/self/status").lines().any(|it| it.starts_with("Seccomp:\t2")) {
        all += " A seccomp filter is active: a container may need `--security-opt seccomp=unconfined` \
                or the capability SYS_ADMIN.";
    }
    all + " The Docker provider needs none of this."
}

fn apparmor() -> &'static str {
    let path = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns";
    match fs::read_to_string(path).is_ok_and(|it| it.trim() == "1") {
        true => {
            " AppArmor restricts user namespaces: allow them with `sysctl \
             kernel.apparmor_restrict_unprivileged_userns=0` or a profile for plumb."
        }
        false => "",
    }
}

/// Removes a folder whatever its parts' modes are, if it is there.
pub(crate) fn clear(folder: &Path) -> io::Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    open_up(folder)?;
    fs::remove_dir_all(folder)
}

fn open_up(folder: &Path) -> io::Result<()> {
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        // The working folder of an overlay may be entered by nobody.
        let _ = fs::set_permissions(&folder, fs::Permissions::from_mode(0o700));
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                waiting.push(entry.path());
            }
        }
    }
    Ok(())
}
