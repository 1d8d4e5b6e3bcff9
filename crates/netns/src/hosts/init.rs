//! A host's first process: it puts the host together, starts its command when told to, and reaps whatever
//! loses its parent. When it dies, everything in the host does.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;

use nix::sched::{CloneFlags, setns};
use nix::sys::signal::{SigHandler, SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, WaitOptions};

use super::root::{self, Layers};
use super::user;
use crate::hosts::confine::confine;
use crate::hosts::fork::fork;
use crate::spec::Host;

/// What a process finds on its way up.
pub(crate) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Told to it: start the command.
pub(super) const START: u8 = b's';
/// Told to it: there is no command; go on.
pub(super) const IDLE: u8 = b'i';
/// Told to it: run the health check.
pub(super) const CHECK: u8 = b'h';
/// It tells: the command ended, and a raw wait status (32 bits).
pub(super) const ENDED: u8 = b'e';
/// It tells: the health check ended, and a raw wait status.
pub(super) const CHECKED: u8 = b'c';

/// What it is given.
pub(super) struct Gift<'a> {
    pub(super) host: &'a Host,
    pub(super) layers: &'a Layers,
    /// Its network namespace.
    pub(super) network: OwnedFd,
    /// By which it is told what to do.
    pub(super) control: OwnedFd,
    /// By which it tells what happened.
    pub(super) report: OwnedFd,
    /// By which it tells that it could not begin: argument, line break, words. Nothing: it has.
    pub(super) ready: OwnedFd,
    /// Where its command writes.
    pub(super) log: OwnedFd,
}

/// A step that failed: the argument at fault, and words.
struct Failed(&'static str, String);

/// Is the host until it ends; an exit code.
pub(super) fn run(gift: Gift<'_>) -> i32 {
    let Ok(ready) = gift.ready.try_clone() else { return 1 };
    let mut ready = File::from(ready);
    if let Err(Failed(argument, words)) = live(gift) {
        let _ = write!(ready, "{argument}\n{words}");
    }
    1
}

fn live(gift: Gift<'_>) -> Result<(), Failed> {
    let plain = |argument: &'static str| move |it: io::Error| Failed(argument, it.to_string());
    let Gift { host, layers, network, control, report, ready, log } = gift;
    let nix = |it: nix::Error| Failed("", it.to_string());
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
        .map_err(|it| Failed("", it.to_string()))?;
    rustix::process::setsid().map_err(|it| Failed("", it.to_string()))?;
    setns(network.as_fd(), CloneFlags::CLONE_NEWNET).map_err(nix)?;
    rustix::system::sethostname(host.name.as_bytes())
        .map_err(|it| Failed("name", it.to_string()))?;
    root::enter(layers).map_err(plain(""))?;
    furnish(host).map_err(plain("files"))?;
    drop(network);
    let mut files = Files {
        control: File::from(control),
        report: File::from(report),
        log: File::from(log),
        ready: Some(ready),
    };
    close_others(&files).map_err(plain(""))?;
    confine().map_err(|it| Failed("", format!("cannot give up its powers: {it}")))?;
    let mut mask = SigSet::empty();
    mask.add(Signal::SIGCHLD);
    mask.thread_block().map_err(nix)?;
    let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
    let children = SignalFd::with_flags(&mask, flags).map_err(nix)?;
    serve(host, &mut files, &children).map_err(plain(""))
}

struct Files {
    control: File,
    report: File,
    log: File,
    ready: Option<OwnedFd>,
}

/// What every machine says of itself, and the files that were asked for.
fn furnish(host: &Host) -> io::Result<()> {
    let name = &host.name;
    root::write("/etc/hostname", &format!("{name}\n"), 0o644)?;
    root::write("/etc/hosts", &format!("127.0.0.1 localhost\n127.0.1.1 {name}\n"), 0o644)?;
    root::write("/etc/resolv.conf", "", 0o644)?;
    for (path, content) in &host.files {
        // Whoever writes a script wants to run it.
        let mode = if content.starts_with("#!") { 0o755 } else { 0o644 };
        root::write(path, content, mode)?;
    }
    Ok(())
}

/// Whatever of the holder's came along.
fn close_others(files: &Files) -> io::Result<()> {
    use std::os::fd::AsRawFd as _;
    let ready = files.ready.as_ref().map(|it| it.as_raw_fd());
    let kept = [
        Some(files.control.as_raw_fd()),
        Some(files.report.as_raw_fd()),
        Some(files.log.as_raw_fd()),
        ready,
    ];
    let mut kept: Vec<u32> =
        kept.into_iter().flatten().filter_map(|it| u32::try_from(it).ok()).collect();
    kept.sort_unstable();
    let null = File::options().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&null)?;
    drop(null);
    let mut from = 3;
    for fd in kept {
        if fd > from {
            close_range(from, fd - 1)?;
        }
        from = fd + 1;
    }
    close_range(from, u32::MAX)
}

#[expect(
    unsafe_code,
    reason = "files that nobody in this process uses any more are closed by number"
)]
fn close_range(first: u32, last: u32) -> io::Result<()> {
    // SAFETY: this process was forked to be a host's init. Whatever of its memory owns one of these
    // numbers belongs to the holder's side of the code, which never runs here: `run` does not return.
    let done = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn serve(host: &Host, files: &mut Files, children: &SignalFd) -> io::Result<()> {
    let (mut command, mut check): (Option<Pid>, Option<Pid>) = (None, None);
    loop {
        let mut both = [
            PollFd::new(&files.control, PollFlags::IN),
            PollFd::from_borrowed_fd(children.as_fd(), PollFlags::IN),
        ];
        match poll(&mut both, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let told = !both[0].revents().is_empty();
        while let Ok(Some(_)) = children.read_signal() {}
        while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
            let what = match Some(pid) {
                it if it == command => ENDED,
                it if it == check => CHECKED,
                _ => continue,
            };
            if what == ENDED {
                command = None
            } else {
                check = None
            }
            let mut message = vec![what];
            message.extend(status.as_raw().to_ne_bytes());
            files.report.write_all(&message)?;
        }
        if !told {
            continue;
        }
        let mut word = [0];
        if files.control.read(&mut word)? == 0 {
            return Ok(());
        }
        match word[0] {
            START => command = Some(start(host, &host.command, files, files.ready.as_ref())?),
            CHECK => {
                // One that did not end in time failed.
                if let Some(late) = check {
                    let _ = rustix::process::kill_process(late, rustix::process::Signal::KILL);
                }
                if let Some(health) = &host.health {
                    check = Some(start(host, &health.command, files, None)?);
                }
            }
            _ => {}
        }
        files.ready = None;
    }
}

/// Starts a program of the host's.
fn start(
    host: &Host,
    command: &[String],
    files: &Files,
    ready: Option<&OwnedFd>,
) -> io::Result<Pid> {
    fork(CloneFlags::empty(), || {
        let _ = rustix::process::setsid();
        let _ = rustix::stdio::dup2_stdout(&files.log);
        let _ = rustix::stdio::dup2_stderr(&files.log);
        let (argument, words) = match confine().map_err(|it| ("", it.to_string())) {
            Err(failed) => failed,
            Ok(()) => match become_user(host) {
                Err(words) => ("user", words),
                Ok(home) => {
                    let more = home.iter().map(|it| (&it.0, &it.1)).chain(&host.env);
                    let error = become_program(&host.name, command, more);
                    let program = command.first().map_or("", String::as_str);
                    (
                        "command",
                        match error.kind() {
                            io::ErrorKind::NotFound => {
                                format!("there is no program {program:?} in it")
                            }
                            _ => format!("{program:?} cannot be run in it: {error}"),
                        },
                    )
                }
            },
        };
        if let Some(ready) = ready.and_then(|it| it.try_clone().ok()) {
            let _ = write!(File::from(ready), "{argument}\n{words}");
        }
        127
    })
}

/// Becomes the user that was asked for; where that one is at home.
fn become_user(host: &Host) -> Result<Option<(String, String)>, String> {
    let Some(name) = &host.user else { return Ok(None) };
    let text = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let account = user::find(name, &text("/etc/passwd"), &text("/etc/group"))?;
    user::become_it(&account).map_err(|it| it.to_string())?;
    Ok(Some(("HOME".to_owned(), account.home)))
}

/// The environment of a host's processes.
pub(crate) fn environment<'a>(
    name: &str,
    more: impl IntoIterator<Item = (&'a String, &'a String)>,
) -> std::collections::BTreeMap<String, String> {
    let mut all: std::collections::BTreeMap<String, String> =
        [("PATH", PATH), ("HOME", "/root"), ("HOSTNAME", name), ("LANG", "C.UTF-8")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into();
    all.extend(more.into_iter().map(|(key, value)| (key.clone(), value.clone())));
    all
}

/// Goes on as another program; comes back only with an error. Found as a shell would.
pub(crate) fn become_program<'a>(
    name: &str,
    command: &[String],
    more: impl IntoIterator<Item = (&'a String, &'a String)>,
) -> io::Error {
    let environment = environment(name, more);
    let become_it = || -> io::Result<std::convert::Infallible> {
        let plain = |it: &String| CString::new(it.as_bytes()).map_err(io::Error::from);
        let words = command.iter().map(plain).collect::<io::Result<Vec<_>>>()?;
        let settings = environment
            .iter()
            .map(|(key, value)| plain(&format!("{key}={value}")))
            .collect::<io::Result<Vec<_>>>()?;
        let program = command.first().ok_or(io::ErrorKind::NotFound)?;
        let folders = match program.contains('/') {
            true => vec![""],
            false => environment.get("PATH").map_or(PATH, |it| it).split(':').collect(),
        };
        default_signals();
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for folder in folders {
            let path = plain(&Path::new(folder).join(program).to_string_lossy().into_owned())?;
            let Err(error) = nix::unistd::execve(&path, &words, &settings);
            if error != nix::Error::ENOENT {
                last = error.into();
            }
        }
        Err(last)
    };
    match become_it() {
        Ok(never) => match never {},
        Err(error) => error,
    }
}

/// As a program expects them: what our own runtime or ours changed is inherited otherwise.
#[expect(unsafe_code, reason = "a signal's disposition is the whole process's")]
fn default_signals() {
    // SAFETY: the default disposition runs no code of ours.
    let _ = unsafe { nix::sys::signal::signal(Signal::SIGPIPE, SigHandler::SigDfl) };
    let _ = SigSet::empty().thread_set_mask();
}
