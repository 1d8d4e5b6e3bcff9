//! The machines of a cloud: processes in namespaces of their own, on a file system of their own.

mod confine;
mod copy;
mod fork;
mod image;
mod init;
mod layout;
mod limits;
mod root;
mod user;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::sched::CloneFlags;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, WaitOptions};

pub(crate) use confine::confine;
pub(crate) use fork::fork;
pub(crate) use init::{PATH, become_program};

use crate::spec::{Health, Host, Limits, Restart, Root};
use crate::wire::Refusal;
use init::{CHECK, CHECKED, ENDED, Gift, IDLE, START};
use layout::Layout;
use limits::Groups;

/// The shortest wait before a command is started again; each is twice the last.
const PAUSE: Duration = Duration::from_millis(100);
/// The longest.
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// A command that ran so long gets the shortest wait again.
const SETTLED: Duration = Duration::from_secs(10);

/// The hosts of a cloud. What runs ends with the process that has this.
pub struct Hosts {
    layout: Layout,
    groups: Groups,
    running: BTreeMap<String, Running>,
    /// Those in which nothing runs: they are started when somebody enters.
    idle: BTreeMap<String, Host>,
    /// Of which something else is to be said than before.
    changed: BTreeSet<String>,
}

/// How a host is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Its first process, as the holder numbers it.
    pub pid: Option<u32>,
    /// See [`crate::wire::Given::status`].
    pub state: String,
    /// What its command ended with.
    pub exit_code: Option<i32>,
    /// The signal that ended its command.
    pub killed_by: Option<i32>,
}

/// A host that is there.
struct Running {
    spec: Host,
    pid: Pid,
    file: OwnedFd,
    control: File,
    report: File,
    heard: Vec<u8>,
    command: Command,
    since: Instant,
    pause: Duration,
    /// When the next health check begins, and how many failed in a row.
    check: Option<Instant>,
    failures: u32,
    well: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Command {
    None,
    Running,
    /// A raw wait status, and when it is started again.
    Ended(i32, Option<Instant>),
}

impl Hosts {
    /// Without a host yet. `folder` is the cloud's; `rootless`: in a user namespace that has one id.
    pub fn new(folder: PathBuf, rootless: bool) -> Hosts {
        let hash =
            folder.as_os_str().as_encoded_bytes().iter().fold(0x811c_9dc5_u32, |hash, it| {
                (hash ^ u32::from(*it)).wrapping_mul(0x0100_0193)
            });
        let groups = Groups::find(format!("plumb-{hash:08x}-"));
        Hosts {
            layout: Layout::new(folder, rootless),
            groups,
            running: BTreeMap::new(),
            idle: BTreeMap::new(),
            changed: BTreeSet::new(),
        }
    }

    /// What this machine does not allow, and what would.
    pub fn missing(&self) -> Vec<String> {
        self.groups.missing()
    }

    /// Makes a host so, in its network namespace. One that runs goes on where it can: only another root,
    /// command, environment or other files start it anew, and only another root takes away what it wrote.
    ///
    /// # Errors
    /// If it cannot be so; it then is not there, or as it was.
    pub fn put(
        &mut self,
        spec: &Host,
        namespace: BorrowedFd<'_>,
        before: Option<&Host>,
    ) -> Result<(), Refusal> {
        self.hear(Instant::now());
        let another_root = before.is_some_and(|it| it.root != spec.root);
        if let Some(host) = self.running.get_mut(&spec.name)
            && host.goes_on_as(spec)
        {
            if host.spec.limits != spec.limits {
                limit(&self.groups, host.pid, &spec.name, &host.spec.limits, &spec.limits)?;
            }
            if host.spec.health != spec.health {
                host.check = first_check(spec.health.as_ref());
                (host.failures, host.well) = (0, None);
            }
            host.spec = spec.clone();
            return Ok(());
        }
        let was_idle = self.idle.remove(&spec.name).is_some();
        self.stop(&spec.name);
        if before.is_none() || another_root {
            self.layout.clear(&spec.name).map_err(|it| not_made(&it))?;
        }
        let started = match spec.command.is_empty() && spec.health.is_none() {
            true => {
                // Laid out all the same, so that what is wrong with its files is known.
                let laid = match spec.root {
                    Root::Machine => Ok(()),
                    _ => self.layout.layers(spec).map(drop),
                };
                laid.map(|()| {
                    self.idle.insert(spec.name.clone(), spec.clone());
                })
            }
            false => self.start(spec, namespace),
        };
        if started.is_err() {
            self.stop(&spec.name);
            self.idle.extend(before.filter(|_| was_idle).map(|it| (it.name.clone(), it.clone())));
            if before.is_none() {
                let _ = self.layout.clear(&spec.name);
            }
        }
        started
    }

    /// Ends a host and everything in it, and takes away its files.
    ///
    /// # Errors
    /// If files stay.
    pub fn remove(&mut self, name: &str) -> Result<(), Refusal> {
        self.stop(name);
        self.idle.remove(name);
        self.layout.clear(name).map_err(|it| {
            Refusal::new("Host not removed", format!("Its files cannot be removed: {it}."))
        })
    }

    /// Starts a host in which nothing runs yet, to enter it.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn wake(&mut self, name: &str, namespace: BorrowedFd<'_>) -> Result<(), Refusal> {
        let Some(spec) = self.idle.get(name).filter(|_| !self.running.contains_key(name)) else {
            return Ok(());
        };
        let spec = spec.clone();
        self.changed.insert(name.to_owned());
        self.start(&spec, namespace).inspect_err(|_| self.stop(name))
    }

    /// The hosts of which something else is to be said than when this was last asked, without those
    /// that were put or removed.
    pub fn changed(&mut self) -> BTreeSet<String> {
        std::mem::take(&mut self.changed)
    }

    /// How a host is; none: it does not run.
    pub fn status(&self, name: &str) -> Option<Status> {
        if self.idle.contains_key(name) && !self.running.contains_key(name) {
            let (pid, state) = (None, "idle".to_owned());
            return Some(Status { pid, state, exit_code: None, killed_by: None });
        }
        let host = self.running.get(name)?;
        let (exit_code, killed_by) = match host.command {
            Command::Ended(status, _) => ended(status),
            _ => (None, None),
        };
        let state = match (host.command, &host.spec.health, host.well) {
            (Command::Ended(_, Some(_)), _, _) => "starting",
            (Command::Ended(..), _, _) => "exited",
            (Command::None, None, _) => "idle",
            (_, None, _) => "running",
            (_, Some(_), Some(true)) => "healthy",
            (_, Some(_), Some(false)) => "unhealthy",
            (_, Some(_), None) => "starting",
        };
        // One that is started again by itself needs nobody.
        let killed_by = killed_by.filter(|_| !matches!(host.command, Command::Ended(_, Some(_))));
        let pid = u32::try_from(host.pid.as_raw_nonzero().get()).ok();
        Some(Status { pid, state: state.to_owned(), exit_code, killed_by })
    }

    /// Starts commands again and checks health, where it is time to. When there is more to do.
    pub fn tick(&mut self, now: Instant) -> Option<Instant> {
        let mut next = None;
        for (name, host) in &mut self.running {
            let before = host.command;
            let at = host.next(now);
            if host.command != before {
                self.changed.insert(name.clone());
            }
            next = next.into_iter().chain(at).min();
        }
        next
    }

    /// Hears what happened in hosts.
    pub fn hear(&mut self, now: Instant) {
        let mut gone = Vec::new();
        for (name, host) in &mut self.running {
            let before = (host.command, host.well);
            host.hear(now);
            if (host.command, host.well) != before {
                self.changed.insert(name.clone());
            }
            if matches!(host.gone(), Ok(true)) {
                gone.push(name.clone());
            }
        }
        for name in gone {
            self.stop(&name);
            self.changed.insert(name);
        }
        while let Ok(true) = orphan(&self.running) {}
    }

    /// Files that say something when there is something for [`Hosts::hear`].
    pub fn fds(&self) -> Vec<BorrowedFd<'_>> {
        self.running.values().flat_map(|it| [it.report.as_fd(), it.file.as_fd()]).collect()
    }

    /// A pidfd of a host's first process, to enter it.
    pub fn pidfd(&self, name: &str) -> Option<BorrowedFd<'_>> {
        self.running.get(name).map(|it| it.file.as_fd())
    }

    /// The last bytes that a host's command wrote.
    pub fn logs(&self, host: &str, limit: u64) -> Option<String> {
        self.layout.logs(host, limit)
    }

    /// Keeps a host's changed files. It stands still meanwhile.
    ///
    /// # Errors
    /// If they cannot be copied; nothing is then kept.
    pub fn snapshot(&mut self, name: &str, host: &Host) -> Result<(), Refusal> {
        let still = self.running.get(&host.name).map(|it| Still::new(it.pid));
        let kept = self.layout.keep(name, host);
        drop(still);
        kept.map_err(|it| {
            Refusal::new("Snapshot not kept", format!("Its files cannot be copied: {it}."))
        })
    }

    /// Forgets a snapshot.
    ///
    /// # Errors
    /// If files stay.
    pub fn remove_snapshot(&mut self, name: &str) -> Result<(), Refusal> {
        self.layout.forget(name).map_err(|it| {
            Refusal::new("Snapshot not removed", format!("Its files cannot be removed: {it}."))
        })
    }

    fn start(&mut self, spec: &Host, namespace: BorrowedFd<'_>) -> Result<(), Refusal> {
        let layers = self.layout.layers(spec)?;
        let wrong = |it: io::Error| not_made(&it);
        let pipe = || pipe_with(PipeFlags::CLOEXEC).map_err(|it| not_made(&it));
        let (control, told) = (pipe()?, pipe()?);
        let ready = pipe()?;
        let log = self.layout.log(&spec.name).map_err(wrong)?;
        let gift = Gift {
            host: spec,
            layers: &layers,
            network: namespace.try_clone_to_owned().map_err(wrong)?,
            control: control.0,
            report: told.1,
            ready: ready.1,
            log: log.into(),
        };
        let namespaces = CloneFlags::CLONE_NEWNS
            | CloneFlags::CLONE_NEWPID
            | CloneFlags::CLONE_NEWUTS
            | CloneFlags::CLONE_NEWIPC;
        let pid = fork(namespaces, || init::run(gift)).map_err(wrong)?;
        let file = rustix::process::pidfd_open(pid, PidfdFlags::empty());
        let file = file.map_err(|it| not_made(&it))?;
        let (control, report) = (File::from(control.1), File::from(told.0));
        rustix::io::ioctl_fionbio(&report, true).map_err(|it| not_made(&it))?;
        let now = Instant::now();
        let command = if spec.command.is_empty() { Command::None } else { Command::Running };
        let mut host = Running {
            spec: spec.clone(),
            pid,
            file,
            control,
            report,
            heard: Vec::new(),
            command,
            since: now,
            pause: PAUSE,
            check: first_check(spec.health.as_ref()),
            failures: 0,
            well: None,
        };
        // From here on it is stopped by whoever sees that it failed.
        let limited = limit(&self.groups, pid, &spec.name, &Limits::default(), &spec.limits);
        let word = if command == Command::None { IDLE } else { START };
        host.tell(word);
        self.running.insert(spec.name.clone(), host);
        limited?;
        let mut words = String::new();
        File::from(ready.0).read_to_string(&mut words).map_err(wrong)?;
        match words.split_once('\n') {
            None => Ok(()),
            Some((argument, words)) => {
                let refusal = match argument {
                    "command" => Refusal::new("Command not found", sentence(words)),
                    "user" => Refusal::new("Invalid user", sentence(words)),
                    _ => not_made(&words),
                };
                Err(if argument.is_empty() { refusal } else { refusal.at(argument) })
            }
        }
    }

    /// Kills a host, if it runs.
    fn stop(&mut self, name: &str) {
        let Some(host) = self.running.remove(name) else { return };
        let _ = rustix::process::pidfd_send_signal(&host.file, Signal::KILL);
        // Its namespace goes when the last of its processes is gone, and only then this returns.
        let _ = rustix::process::waitpid(Some(host.pid), WaitOptions::empty());
        self.groups.remove(name);
    }
}

impl Running {
    /// Whether it can become so without being started anew. One whose command was killed cannot.
    fn goes_on_as(&self, spec: &Host) -> bool {
        let killed = match self.command {
            Command::Ended(status, None) => ended(status).1.is_some(),
            _ => false,
        };
        let start = |it: &Host| {
            let what = (it.root.clone(), it.command.clone(), it.user.clone());
            (what, it.env.clone(), it.files.clone())
        };
        let check = |it: &Host| it.health.as_ref().map(|it| it.command.clone());
        !killed && start(&self.spec) == start(spec) && check(&self.spec) == check(spec)
    }

    fn tell(&mut self, word: u8) {
        // If nobody listens, it is dead, and that is seen elsewhere.
        let _ = self.control.write_all(&[word]);
    }

    fn gone(&self) -> io::Result<bool> {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let mut files = [PollFd::new(&self.file, PollFlags::IN)];
        Ok(poll(&mut files, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))? > 0)
    }

    fn hear(&mut self, now: Instant) {
        let mut chunk = [0; 64];
        while let Ok(count) = self.report.read(&mut chunk) {
            if count == 0 {
                break;
            }
            self.heard.extend(&chunk[..count]);
        }
        while let Some((message, rest)) = self.heard.split_first_chunk::<5>() {
            let [what, status @ ..] = *message;
            self.heard = rest.to_vec();
            let status = i32::from_ne_bytes(status);
            match what {
                ENDED => self.command_ended(status, now),
                CHECKED => {
                    self.failures = if status == 0 { 0 } else { self.failures + 1 };
                    let retries = self.spec.health.as_ref().map_or(1, |it| it.retries.max(1));
                    if status == 0 {
                        self.well = Some(true);
                    } else if self.failures >= retries {
                        self.well = Some(false);
                    }
                }
                _ => {}
            }
        }
    }

    fn command_ended(&mut self, status: i32, now: Instant) {
        let again = match self.spec.restart {
            Restart::No => false,
            Restart::OnFailure => status != 0,
            Restart::Always => true,
        };
        if now.saturating_duration_since(self.since) > SETTLED {
            self.pause = PAUSE;
        }
        self.command = Command::Ended(status, again.then(|| now + self.pause));
        self.pause = (self.pause * 2).min(PAUSE_MAX);
    }

    /// Does what it is time for; when the next is.
    fn next(&mut self, now: Instant) -> Option<Instant> {
        if let Command::Ended(_, Some(at)) = self.command
            && at <= now
        {
            self.tell(START);
            (self.command, self.since) = (Command::Running, now);
        }
        if let (Some(at), Some(health)) = (self.check, &self.spec.health)
            && at <= now
        {
            self.check = Some(now + Duration::from_secs(u64::from(health.interval.max(1))));
            self.tell(CHECK);
        }
        let again = match self.command {
            Command::Ended(_, at) => at,
            _ => None,
        };
        [again, self.check].into_iter().flatten().min()
    }
}

/// A host whose processes stand still while this is there.
struct Still(Vec<Pid>);

impl Still {
    fn new(init: Pid) -> Still {
        let all: Vec<Pid> = descendants(init).into_iter().filter(|it| *it != init).collect();
        for pid in &all {
            let _ = rustix::process::kill_process(*pid, Signal::STOP);
        }
        Still(all)
    }
}

impl Drop for Still {
    fn drop(&mut self) {
        for pid in &self.0 {
            let _ = rustix::process::kill_process(*pid, Signal::CONT);
        }
    }
}

/// A process and all that it started.
fn descendants(init: Pid) -> Vec<Pid> {
    let mut parents = BTreeMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<i32>() else { continue };
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        // The name, in brackets, may have anything in it.
        let rest = stat.rsplit_once(')').map_or("", |it| it.1);
        let parent = rest.split_whitespace().nth(1).and_then(|it| it.parse::<i32>().ok());
        parents.insert(pid, parent.unwrap_or(0));
    }
    let mut all = vec![init];
    let mut at = 0;
    while let Some(parent) = all.get(at).copied() {
        let of = |(pid, its): (&i32, &i32)| (*its == parent.as_raw_nonzero().get()).then_some(*pid);
        all.extend(parents.iter().filter_map(of).filter_map(Pid::from_raw));
        at += 1;
    }
    all
}

/// Waits for a process that lost its parent and so came to us; whether there was one.
fn orphan(running: &BTreeMap<String, Running>) -> io::Result<bool> {
    // Those of a host are waited for where it is stopped: looked at first, not taken.
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    if rustix::process::waitid(WaitId::All, options)?.is_none() {
        return Ok(false);
    }
    for child in fs::read_to_string("/proc/thread-self/children")?.split_whitespace() {
        let Some(pid) = child.parse().ok().and_then(Pid::from_raw) else { continue };
        if running.values().all(|it| it.pid != pid)
            && rustix::process::waitpid(Some(pid), WaitOptions::NOHANG)?.is_some()
        {
            return Ok(true);
        }
    }
    Ok(false)
}

fn limit(
    groups: &Groups,
    pid: Pid,
    name: &str,
    before: &Limits,
    limits: &Limits,
) -> Result<(), Refusal> {
    let none = Limits::default();
    let done = match (*before == none, *limits == none) {
        (true, true) => Ok(()),
        (true, false) => groups.put(name, &descendants(pid), limits),
        (false, _) => groups.set(name, limits),
    };
    done.map_err(|it| {
        Refusal::new("Limits not set", format!("The control group refused them: {it}."))
            .at("limits")
    })
}

fn first_check(health: Option<&Health>) -> Option<Instant> {
    health.map(|_| Instant::now())
}

/// Exit code, or signal, of a raw wait status.
fn ended(status: i32) -> (Option<i32>, Option<i32>) {
    match status & 0x7f {
        0 => (Some(status >> 8 & 0xff), None),
        signal => (None, Some(signal)),
    }
}

fn not_made(words: &impl ToString) -> Refusal {
    Refusal::new("Host not made", sentence(&words.to_string()))
}

fn sentence(words: &str) -> String {
    let mut chars = words.chars();
    let first = chars.next().map(|it| it.to_uppercase().collect::<String>()).unwrap_or_default();
    let dot = if words.ends_with('.') { "" } else { "." };
    format!("{first}{}{dot}", chars.as_str())
}

/// Whether something can be called so: it becomes a part of paths and of other names.
///
/// # Errors
/// If it cannot.
pub fn check_name(name: &str) -> Result<(), Refusal> {
    let plain = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'.' | b'_' | b'-');
    let good = name.bytes().all(plain)
        && name.bytes().next().is_some_and(|it| it.is_ascii_alphanumeric())
        && name.len() <= 64;
    if good {
        return Ok(());
    }
    let detail = format!(
        "{name:?} is no name: letters, digits, \".\", \"_\" and \"-\", a letter or digit first, at most 64."
    );
    Err(Refusal::new("Invalid name", detail).at("name"))
}
