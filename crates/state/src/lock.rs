//! Who works on a state: a lock on the file that Terraform respects too, and a note beside it that
//! says who holds it.
//!
//! The lock is an open file description lock: unlike the process-wide kind that Terraform takes, it
//! is not lost when something else in this process opens and closes the state file, and yet the two
//! exclude each other. Locks die with their holder, so a note alone means nothing.

use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::time::{SystemTime, UNIX_EPOCH};

use camino::{Utf8Path, Utf8PathBuf};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

use crate::backend::Held;
use crate::files::disk::is_at;

/// Who holds a lock, in Terraform's form.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct LockInfo {
    /// Names this lock.
    #[serde(rename = "ID")]
    pub id: String,
    /// `OperationTypeApply` and the like.
    pub operation: String,
    /// Anything else the holder wants to say.
    pub info: String,
    /// `user@host`.
    pub who: String,
    /// Version of the program.
    pub version: String,
    /// When it was taken, RFC 3339.
    pub created: String,
    /// The state file, as the holder calls it.
    pub path: String,
    /// Which process of ours it is. None of another program.
    #[serde(rename = "Plumb", skip_serializing_if = "Option::is_none")]
    pub process: Option<Process>,
}

/// A process that no other one is taken for, on any machine.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Process {
    /// The machine's name.
    pub host: String,
    /// The process, as it is called in `space`.
    pub pid: u32,
    /// Names this run of the machine's kernel.
    pub boot: String,
    /// The namespace of process numbers: in another one (a container) they mean something else.
    pub space: String,
    /// When it started, in ticks since the machine did.
    pub started: u64,
}

impl Process {
    /// This process. None where the system does not tell.
    pub fn this() -> Option<Process> {
        let (boot, space) = here()?;
        let pid = std::process::id();
        let host = nix::unistd::gethostname().ok()?.to_string_lossy().into_owned();
        Some(Process { host, pid, boot, space, started: started(pid)? })
    }

    /// Whether it is certain that this process is no more.
    pub fn is_gone(&self) -> bool {
        here().is_some_and(|(boot, space)| self.is_dead(&boot, &space, started(self.pid)))
    }

    /// Ends this process at once and waits until it is gone. False if it is not known to run here, or is
    /// the one that asks: then nothing was done.
    ///
    /// # Errors
    /// If this process may not do it, or it is still there after some seconds.
    #[cfg(target_os = "linux")]
    pub(crate) fn end(&self) -> io::Result<bool> {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        let Some(pid) = pid.filter(|_| self.pid != std::process::id()) else { return Ok(false) };
        // Opened before looking who it is: from here on the number means no other one.
        let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else { return Ok(false) };
        let here = here().is_some_and(|(boot, space)| self.boot == boot && self.space == space);
        if !here || started(self.pid) != Some(self.started) {
            return Ok(false);
        }
        pidfd_send_signal(&process, Signal::KILL)?;
        let mut gone = [PollFd::new(&process, PollFlags::IN)];
        match poll(&mut gone, Some(&Timespec { tv_sec: 10, tv_nsec: 0 }))? {
            0 => Err(io::Error::other("it is still there")),
            _ => Ok(true),
        }
    }

    /// As on Linux, where alone it can be told for certain which process it is.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn end(&self) -> io::Result<bool> {
        Ok(false)
    }

    /// Whether it is dead, on a machine that runs `boot`, where in `space` the process with its
    /// number started at `started`. Of other machines and other spaces nothing is known.
    pub fn is_dead(&self, boot: &str, space: &str, started: Option<u64>) -> bool {
        self.boot == boot && self.space == space && started != Some(self.started)
    }
}

/// Which run of the kernel this is, and which namespace of process numbers.
fn here() -> Option<(String, String)> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let space = std::fs::read_link("/proc/self/ns/pid").ok()?;
    Some((boot.trim().to_owned(), space.to_string_lossy().into_owned()))
}

/// When a process of this machine started. None if there is none.
fn started(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold anything.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    // A zombie holds nothing any more.
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

impl LockInfo {
    /// For this process, now. `operation` is `OperationTypeApply`, `OperationTypePlan`,
    /// `state-mv` and so on.
    pub fn new(operation: &str) -> LockInfo {
        LockInfo {
            id: uuid::Uuid::new_v4().to_string(),
            operation: operation.into(),
            info: String::new(),
            who: who(),
            version: env!("CARGO_PKG_VERSION").into(),
            created: rfc3339(SystemTime::now()),
            path: String::new(),
            process: Process::this(),
        }
    }
}

/// Who this process is: `user@host`.
pub(crate) fn who() -> String {
    let user = nix::unistd::User::from_uid(nix::unistd::geteuid()).ok().flatten();
    let user = user.map_or_else(|| nix::unistd::geteuid().to_string(), |it| it.name);
    let host = nix::unistd::gethostname().unwrap_or_default();
    format!("{user}@{}", host.to_string_lossy())
}

/// As Terraform prints it below "Lock Info:".
impl fmt::Display for LockInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let created = match self.created.strip_suffix('Z') {
            Some(time) => format!("{} +0000 UTC", time.replace('T', " ")),
            None => self.created.clone(),
        };
        writeln!(f, "Lock Info:")?;
        writeln!(f, "  ID:        {}", self.id)?;
        writeln!(f, "  Path:      {}", self.path)?;
        writeln!(f, "  Operation: {}", self.operation)?;
        writeln!(f, "  Who:       {}", self.who)?;
        writeln!(f, "  Version:   {}", self.version)?;
        writeln!(f, "  Created:   {created}")?;
        writeln!(f, "  Info:      {}", self.info)
    }
}

/// What to print under "Error acquiring the state lock".
pub fn locked_detail(holder: Option<&LockInfo>) -> String {
    let mut out = String::from("Error message: resource temporarily unavailable\n");
    if let Some(holder) = holder {
        out.push_str(&holder.to_string());
    }
    out.push_str(
        "\nPlumb acquires a state lock to protect the state from being written\n\
         by multiple users at the same time. Please resolve the issue above and try\n\
         again. For most commands, you can disable locking with the \"-lock=false\"\n\
         flag, but this is not recommended.",
    );
    out
}

/// A held lock. Dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Lock {
    /// What is locked: the file that the path names, and before it those that it named earlier
    /// under this lock. The order matters: the newest is freed last.
    files: Vec<File>,
    /// The state file.
    path: Utf8PathBuf,
    /// The note that says who we are.
    note: Utf8PathBuf,
    /// Which lock it is.
    id: String,
    /// The state file was made to be locked.
    created: bool,
}

/// What came of trying.
pub(crate) enum Attempt {
    Taken {
        lock: Lock,
        /// Who held it and left a note without giving it back.
        from_the_dead: Option<Box<LockInfo>>,
    },
    Held(Option<Box<LockInfo>>),
}

/// Left in a file that is no longer the state, for a program that waited for its lock without
/// looking again at what the path names.
const REPLACED: &[u8] = b"This file was replaced while you waited for its lock. Run again.\n";

impl Lock {
    /// Tries to lock the state at `path`, making an empty one if there is none, as Terraform does.
    pub(crate) fn attempt(
        path: &Utf8Path,
        note: Utf8PathBuf,
        info: &LockInfo,
    ) -> io::Result<Attempt> {
        let (file, created) = loop {
            let existed = path.exists();
            let file =
                (File::options().read(true).write(true).create(true).truncate(false).mode(0o600))
                    .open(path)?;
            if !exclusive(&file)? {
                return Ok(Attempt::Held(holder(&note)));
            }
            // Whoever held it may have put another file in its place.
            if is_at(&file, path)? {
                break (file, !existed);
            }
            unlock(&file);
        };
        let from_the_dead = holder(&note);
        let id = info.id.clone();
        let mut lock = Lock { files: vec![file], path: path.into(), note, id, created };
        let info = LockInfo { path: path.to_string(), ..info.clone() };
        let text = serde_json::to_vec(&info)?;
        let written = (File::options().write(true).create(true).truncate(true).mode(0o600))
            .open(&lock.note)
            .and_then(|mut file| file.write_all(&text));
        match written {
            Ok(()) => Ok(Attempt::Taken { lock, from_the_dead }),
            Err(error) => {
                let _ = lock.release();
                Err(error)
            }
        }
    }

    /// Locks the file that is about to take the place of the state, so that there is no moment
    /// without a lock.
    pub(crate) fn extend(&mut self, next: &File) -> io::Result<()> {
        let next = next.try_clone()?;
        if !exclusive(&next)? {
            return Err(Errno::EAGAIN.into());
        }
        self.files.push(next);
        Ok(())
    }

    /// Whether the path still names the file that is locked.
    pub(crate) fn is_ours(&self) -> io::Result<bool> {
        // The newest may have been locked to take its place and then did not.
        for file in self.files.iter().rev() {
            if is_at(file, &self.path)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Takes the note away and gives the lock back.
    pub(crate) fn release(&mut self) -> io::Result<()> {
        if self.files.is_empty() {
            return Ok(());
        }
        // The note of whoever broke the lock and took it is not ours to remove.
        let removed = match holder(&self.note).is_none_or(|it| it.id == self.id) {
            true => std::fs::remove_file(&self.note),
            false => Ok(()),
        };
        let empty = std::fs::metadata(&self.path).is_ok_and(|it| it.len() == 0);
        if self.created && empty {
            let _ = std::fs::remove_file(&self.path);
        }
        for mut file in self.files.drain(..) {
            // Not if it goes by another name still.
            if file.metadata().is_ok_and(|it| it.nlink() == 0) {
                let _ = file.set_len(0).and_then(|()| {
                    io::Seek::rewind(&mut file)?;
                    file.write_all(REPLACED)
                });
            }
            unlock(&file);
        }
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.release();
    }
}

/// Whether somebody holds the lock of the state at `path`. Takes nothing and changes nothing.
pub(crate) fn held(path: &Utf8Path, note: &Utf8Path) -> io::Result<Held> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Held::Free),
        Err(error) => return Err(error),
    };
    let mut whole = whole(libc::F_WRLCK);
    #[cfg(target_os = "linux")]
    let request = FcntlArg::F_OFD_GETLK(&mut whole);
    #[cfg(not(target_os = "linux"))]
    let request = FcntlArg::F_GETLK(&mut whole);
    fcntl(&file, request)?;
    Ok(match whole.l_type == libc::F_UNLCK as libc::c_short {
        true => Held::Free,
        false => Held::By(holder(note)),
    })
}

/// What a note says.
fn holder(note: &Utf8Path) -> Option<Box<LockInfo>> {
    serde_json::from_slice(&std::fs::read(note).ok()?).ok()
}

/// Locks the whole file for writing, unless somebody else did.
fn exclusive(file: &File) -> io::Result<bool> {
    set(file, libc::F_WRLCK)
}

/// Gives a lock back. Closing the file is not enough: a process that is just being started holds a
/// copy of it until it runs its own program.
fn unlock(file: &File) {
    let _ = set(file, libc::F_UNLCK);
}

fn whole(kind: libc::c_int) -> libc::flock {
    libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    }
}

fn set(file: &File, kind: libc::c_int) -> io::Result<bool> {
    let whole = whole(kind);
    #[cfg(target_os = "linux")]
    let request = FcntlArg::F_OFD_SETLK(&whole);
    #[cfg(not(target_os = "linux"))]
    let request = FcntlArg::F_SETLK(&whole);
    match fcntl(file, request) {
        Ok(_) => Ok(true),
        Err(Errno::EAGAIN | Errno::EACCES) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

/// A time in UTC with nanoseconds, trailing zeros left out.
pub(crate) fn rfc3339(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    // Years that begin in March put the leap day last: 400 of them are one era of 146,097 days.
    let shifted = days + 719_468;
    let (era, day) = (shifted / 146_097, shifted % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = era * 400 + year + carry;
    let fraction = format!(".{:09}", since.subsec_nanos());
    let fraction = fraction.trim_end_matches('0').trim_end_matches('.');
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use expect_test::expect;

    use super::*;

    #[test]
    fn times_are_spelled_as_terraform_does() {
        let at = |seconds, nanos| rfc3339(UNIX_EPOCH + Duration::new(seconds, nanos));
        assert_eq!(at(0, 0), "1970-01-01T00:00:00Z");
        assert_eq!(at(951_782_400, 1_000), "2000-02-29T00:00:00.000001Z");
        assert_eq!(at(1_795_473_274, 98_795_867), "2026-11-23T22:34:34.098795867Z");
        assert_eq!(at(4_107_542_399, 0), "2100-02-28T23:59:59Z");
    }

    #[test]
    fn the_holder_is_named_as_terraform_does() {
        let json = r#"{"ID":"77574c2d","Operation":"OperationTypeApply","Info":"","Who":"root@vm","Version":"1.11.4","Created":"2026-11-23T22:34:34.098795867Z","Path":"terraform.tfstate"}"#;
        let info: LockInfo = serde_json::from_str(json).expect("Terraform's");
        assert_eq!(serde_json::to_string(&info).expect("JSON"), json);
        expect![[r#"
            Error message: resource temporarily unavailable
            Lock Info:
              ID:        77574c2d
              Path:      terraform.tfstate
              Operation: OperationTypeApply
              Who:       root@vm
              Version:   1.11.4
              Created:   2026-11-23 22:34:34.098795867 +0000 UTC
              Info:      

            Plumb acquires a state lock to protect the state from being written
            by multiple users at the same time. Please resolve the issue above and try
            again. For most commands, you can disable locking with the "-lock=false"
            flag, but this is not recommended.
        "#]]
        .assert_eq(&format!("{}\n", locked_detail(Some(&info))));
    }

    fn process() -> Process {
        let (host, boot, space) = ("h".into(), "b".into(), "pid:[1]".into());
        Process { host, pid: 7, boot, space, started: 100 }
    }

    #[test]
    fn only_a_process_of_this_machine_is_known_to_be_dead() {
        let process = process();
        assert!(process.is_dead("b", "pid:[1]", None));
        assert!(process.is_dead("b", "pid:[1]", Some(101)), "its number was given to another one");
        assert!(!process.is_dead("b", "pid:[1]", Some(100)));
        assert!(!process.is_dead("another", "pid:[1]", None));
        assert!(!process.is_dead("b", "pid:[2]", None));
    }

    #[test]
    fn this_process_is_alive_and_a_child_that_ended_is_not() {
        let this = Process::this().expect("procfs");
        assert!(!this.is_gone());
        let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("sleep");
        let started = started(child.id()).expect("running");
        let other = Process { pid: child.id(), started, ..this };
        assert!(!other.is_gone());
        child.kill().expect("ours");
        child.wait().expect("ours");
        assert!(other.is_gone());
    }

    #[test]
    fn only_the_very_process_that_is_meant_is_ended() {
        let this = Process::this().expect("procfs");
        assert!(!this.end().expect("left alone"), "the one that asks");
        let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("sleep");
        let started = started(child.id()).expect("running");
        let other = Process { pid: child.id(), started, ..this };
        for not_it in [
            Process { started: started + 1, ..other.clone() },
            Process { boot: "another".into(), ..other.clone() },
            Process { space: "pid:[1]".into(), ..other.clone() },
            Process { pid: u32::MAX, ..other.clone() },
        ] {
            assert!(!not_it.end().expect("left alone"), "{not_it:?}");
        }
        assert!(child.try_wait().expect("ours").is_none(), "it runs");
        assert!(other.end().expect("ours"));
        assert!(!child.wait().expect("ours").success());
        assert!(!other.end().expect("there is none"));
    }
}
