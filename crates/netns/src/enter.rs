//! A program run inside a host, or in the network namespace of a network or router: in a process of its
//! own that is about to become it, and has no other thread.

use std::fs;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};

use nix::sched::{CloneFlags, setns};
use rustix::process::{WaitOptions, getuid};

use crate::hosts::{become_program, confine, fork};

/// The hidden verb of plumb that is this: followed by a file's number, `--`, and the command.
pub const ENTER: &str = "netns-exec";

/// Enters by `file`, a host's pidfd or a network namespace, and becomes `command`. Comes back only with an
/// error: of this process, or of the one that it waits for.
pub fn exec(file: &OwnedFd, command: &[String]) -> io::Error {
    match enter(file, command) {
        Ok(never) => match never {},
        Err(error) => error,
    }
}

fn enter(file: &OwnedFd, command: &[String]) -> io::Result<std::convert::Infallible> {
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", file.as_raw_fd()))?;
    let pid =
        info.lines().find_map(|it| it.strip_prefix("Pid:")).and_then(|it| it.trim().parse().ok());
    let Some(pid) = pid.filter(|it: &i32| *it > 0) else {
        if info.lines().any(|it| it.starts_with("Pid:")) {
            return Err(io::Error::other("it does not run any more"));
        }
        return network(file, command);
    };
    let here = fs::metadata("/proc/self/ns/user")?;
    let there = fs::metadata(format!("/proc/{pid}/ns/user"))?;
    use std::os::unix::fs::MetadataExt as _;
    if here.ino() != there.ino() {
        setns(file.as_fd(), CloneFlags::CLONE_NEWUSER)?;
    }
    let all = CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWNET
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWIPC;
    setns(file.as_fd(), all)?;
    rustix::process::chdir("/")?;
    let name = fs::read_to_string("/proc/sys/kernel/hostname")?;
    let terminal = std::env::var("TERM").ok();
    let more: Vec<(String, String)> =
        terminal.into_iter().map(|it| ("TERM".to_owned(), it)).collect();
    inside(|| {
        if let Err(error) = confine() {
            return error;
        }
        become_program(name.trim(), command, more.iter().map(|(key, value)| (key, value)))
    })
}

/// A network's or router's namespace has no processes and no files of its own: the machine's are used.
fn network(file: &OwnedFd, command: &[String]) -> io::Result<std::convert::Infallible> {
    if let Err(error) = setns(file.as_fd(), CloneFlags::CLONE_NEWNET) {
        if getuid().is_root() {
            return Err(error.into());
        }
        // It belongs to the user namespace of the cloud's holder.
        let owner = user_namespace_of(file)?;
        setns(owner.as_fd(), CloneFlags::CLONE_NEWUSER)?;
        setns(file.as_fd(), CloneFlags::CLONE_NEWNET)?;
    }
    let path = std::env::var("PATH").unwrap_or_default();
    let mut all: Vec<(String, String)> = std::env::vars().collect();
    all.push(("PATH".to_owned(), format!("{path}:{}", crate::hosts::PATH)));
    Err(become_program("", command, all.iter().map(|(key, value)| (key, value))))
}

/// The user namespace that a namespace belongs to (`NS_GET_USERNS`, ioctl_nsfs(2)).
#[expect(unsafe_code, reason = "no library asks for it")]
fn user_namespace_of(file: &OwnedFd) -> io::Result<OwnedFd> {
    use std::os::fd::FromRawFd as _;
    const NS_GET_USERNS: libc::c_ulong = 0xb701;
    // SAFETY: the call takes no argument and gives a new file, which nobody else has.
    unsafe {
        let found = libc::ioctl(file.as_raw_fd(), NS_GET_USERNS as _);
        if found < 0 { Err(io::Error::last_os_error()) } else { Ok(OwnedFd::from_raw_fd(found)) }
    }
}

/// Does it in a child, which alone is in the new pid namespace, and ends as that does.
fn inside(work: impl FnOnce() -> io::Error) -> io::Result<std::convert::Infallible> {
    let child = fork(CloneFlags::empty(), || {
        // Whoever waits for it may be killed: then it hears what it would of a terminal that goes.
        let hangup = Some(rustix::process::Signal::HUP);
        let _ = rustix::process::set_parent_process_death_signal(hangup);
        let error = work();
        eprintln!("plumb: {error}");
        if error.kind() == io::ErrorKind::NotFound { 127 } else { 126 }
    })?;
    ignore_interrupts();
    loop {
        match rustix::process::waitpid(Some(child), WaitOptions::empty()) {
            Ok(Some((_, status))) => {
                let code = status.exit_status();
                let signal = status.terminating_signal().map(|it| 128 + it);
                std::process::exit(code.or(signal).unwrap_or(1))
            }
            Ok(None) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// A terminal sends its signals to both of us; the child decides what they mean.
#[expect(unsafe_code, reason = "a signal's disposition is the whole process's")]
fn ignore_interrupts() {
    for it in [nix::sys::signal::SIGINT, nix::sys::signal::SIGQUIT] {
        // SAFETY: to ignore a signal runs no code of ours.
        let _ = unsafe { nix::sys::signal::signal(it, nix::sys::signal::SigHandler::SigIgn) };
    }
}
