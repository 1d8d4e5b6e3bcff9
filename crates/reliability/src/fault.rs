//! Faults, struck at a running command or at the files that it left.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, kill, killpg};

use crate::power::{self, Disk};
use crate::scenario::Scenario;
use crate::tool::{Place, Running, STATE, Site};
use crate::trace;
use crate::world::World;

/// Everything that a fault is made of.
pub(crate) struct Strike<'a> {
    pub(crate) scenario: Scenario,
    pub(crate) site: &'a Site,
    pub(crate) world: &'a World,
    /// The command that it strikes.
    pub(crate) words: &'a [&'a str],
    /// When.
    pub(crate) instant: Duration,
    /// The files of the state before.
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    pub(crate) chance: &'a mut fastrand::Rng,
}

/// What came of it.
pub(crate) enum Struck {
    /// The command was through before.
    Missed,
    /// It hit.
    Hit,
    /// It hit, and a command refused because of it, as it should.
    Refused,
    /// It hit, and something was done that should not have been.
    Broke(String),
}

impl Strike<'_> {
    fn start(&self) -> io::Result<Running> {
        let command = match self.scenario {
            Scenario::StopUnlockFar => self.site.far(self.words),
            _ => self.site.command(self.words),
        };
        self.site.start(command, "struck")
    }

    /// Starts the command and waits for the instant. None if it was through before.
    fn await_instant(&self) -> io::Result<Option<Running>> {
        let mut running = self.start()?;
        if running.runs_after(self.instant)? {
            return Ok(Some(running));
        }
        running.wait()?;
        Ok(None)
    }
}

/// Runs the command and lets the fault strike it.
pub(crate) fn strike(strike: Strike<'_>) -> io::Result<Struck> {
    match strike.scenario {
        Scenario::PowerCut => return power_cut(strike),
        Scenario::ReadOnly => return read_only(&strike),
        Scenario::Hiccups => {
            let ended = strike.start()?.wait()?;
            return Ok(if ended.well() { Struck::Missed } else { Struck::Hit });
        }
        _ => {}
    }
    let Some(mut running) = strike.await_instant()? else { return Ok(Struck::Missed) };
    let pid = running.pid();
    match strike.scenario {
        Scenario::Sigint => killpg(pid, Signal::SIGINT)?,
        Scenario::Sigterm => kill(pid, Signal::SIGTERM)?,
        Scenario::CiCancel => {
            strike.world.doze(true);
            let steps = [(Signal::SIGINT, 7_500), (Signal::SIGTERM, 2_500), (Signal::SIGKILL, 0)];
            for (signal, wait) in steps {
                if running.ended()? {
                    break;
                }
                kill(pid, signal)?;
                let until = running.age() + Duration::from_millis(wait);
                running.runs_after(until)?;
            }
            strike.world.doze(false);
        }
        Scenario::Stop | Scenario::StopUnlock | Scenario::StopUnlockFar => {
            return stop(&strike, running);
        }
        Scenario::SessionEnded => {
            let Place::Database(database) = &strike.site.place else {
                return Err(io::Error::other("there is no database to end a session of"));
            };
            database.end_sessions()?;
            // It had none yet, or needed none any more.
            let ended = running.wait()?;
            strike.world.rest();
            return Ok(if ended.well() { Struck::Missed } else { Struck::Hit });
        }
        Scenario::Enospc => {
            let ballast = fill(&strike.site.folder)?;
            let ended = running.wait()?;
            strike.world.rest();
            let refusal = refusal(strike.site, strike.world, "full")?;
            fs::remove_file(ballast)?;
            return Ok(match refusal {
                _ if ended.well() => Struck::Missed,
                Refusal::None => Struck::Broke("an apply went through on a full disk".to_owned()),
                Refusal::Clean => Struck::Refused,
                Refusal::Touched(what) => Struck::Broke(what),
            });
        }
        Scenario::Eio => {
            let spoil = trace::spoil(strike.site, pid, "EIO");
            let strace = strike.site.start(spoil, "spoil")?;
            let ended = running.wait()?;
            let said = strace.wait()?;
            if !said.well() && !said.said.is_empty() && ended.well() {
                return Err(io::Error::other(format!("strace cannot be used: {}", said.said)));
            }
            return Ok(if ended.well() { Struck::Missed } else { Struck::Hit });
        }
        _ => kill(pid, Signal::SIGKILL)?,
    }
    running.wait()?;
    Ok(Struck::Hit)
}

/// Stops a run; another apply has to refuse. In one of the scenarios a person then breaks the lock and
/// applies; the first run, when it goes on, must find that it may not.
fn stop(strike: &Strike<'_>, running: Running) -> io::Result<Struck> {
    let pid = running.pid();
    killpg(pid, Signal::SIGSTOP)?;
    let others = others(strike);
    let effects = strike.world.ledger().effects();
    killpg(pid, Signal::SIGCONT)?;
    let ended = running.wait()?;
    let others = others?;
    strike.world.rest();
    let more = strike.world.ledger().effects() - effects;
    Ok(match others {
        Others::NoLock => Struck::Missed,
        Others::Wrong(what) => Struck::Broke(what),
        Others::Refused if !ended.well() => {
            Struck::Broke(format!("it did not go on after SIGCONT: {}", ended.summary()))
        }
        Others::Applied(_) if more > 0 => Struck::Broke(format!(
            "the first made or deleted {more} although its lock was broken: {}",
            ended.summary()
        )),
        Others::Applied(0) if ended.well() => Struck::Missed,
        Others::Applied(_) if ended.well() => {
            Struck::Broke("the first says that all is well although its lock was broken".to_owned())
        }
        Others::Refused | Others::Applied(_) => Struck::Refused,
    })
}

/// What others came to while a run was stopped.
enum Others {
    /// It was stopped before it had the lock, or after it gave it back.
    NoLock,
    /// They were refused.
    Refused,
    /// They were refused, broke the lock and applied, so many effects. If there were none the first
    /// had done everything and was about to give the lock back.
    Applied(usize),
    /// Not as promised.
    Wrong(String),
}

fn others(strike: &Strike<'_>) -> io::Result<Others> {
    let Strike { site, world, .. } = strike;
    // What it asked a database for happens, too.
    world.rest();
    let Some(id) = site.lock_id()? else { return Ok(Others::NoLock) };
    match refusal(site, world, "second")? {
        Refusal::Touched(what) => return Ok(Others::Wrong(what)),
        Refusal::None => {
            let why = "two applies had the same state at the same time";
            return Ok(Others::Wrong(why.to_owned()));
        }
        Refusal::Clean if strike.scenario == Scenario::Stop => return Ok(Others::Refused),
        Refusal::Clean => {}
    }
    let before = world.ledger().effects();
    // An identifier may look like a flag.
    for words in [&["force-unlock", "-force", "--", &id][..], &["apply"]] {
        let ended = site.run(words, &format!("{}-forced", words[0]))?;
        if !ended.well() {
            let why = format!("{} did not go through: {}", words[0], ended.summary());
            return Ok(Others::Wrong(why));
        }
    }
    Ok(Others::Applied(world.ledger().effects() - before))
}

/// Whether and how an apply refused.
pub(crate) enum Refusal {
    /// It went through.
    None,
    /// It said why, and changed neither the world nor a file.
    Clean,
    /// Not quite.
    Touched(String),
}

/// Applies where a refusal is to be expected.
pub(crate) fn refusal(site: &Site, world: &World, log: &str) -> io::Result<Refusal> {
    let look = || -> io::Result<BTreeMap<String, Vec<u8>>> {
        let mut files = power::files(&site.folder)?;
        // Who tried last is no secret.
        files.retain(|name, _| !name.ends_with(".lock.info"));
        if let Place::Database(database) = &site.place {
            files.insert("the database".to_owned(), database.content()?.into_bytes());
        }
        Ok(files)
    };
    let (files, effects) = (look()?, world.ledger().effects());
    let ended = site.run(&["apply"], log)?;
    if ended.well() {
        return Ok(Refusal::None);
    }
    let said = ended.summary();
    if world.ledger().effects() != effects {
        return Ok(Refusal::Touched(format!("it refused, but the world is another: {said}")));
    }
    let after = look()?;
    let names = files.keys().chain(after.keys());
    let others: BTreeSet<&str> =
        names.filter(|it| files.get(*it) != after.get(*it)).map(String::as_str).collect();
    if !others.is_empty() {
        return Ok(Refusal::Touched(format!("it refused, but {others:?} changed: {said}")));
    }
    if !ended.said.contains("Error: ") {
        return Ok(Refusal::Touched(format!("it refused without a word: {said}")));
    }
    Ok(Refusal::Clean)
}

/// Changes the state file behind the tool's back. Tells whether there was anything to change.
pub(crate) fn tamper(
    scenario: Scenario,
    site: &Site,
    chance: &mut fastrand::Rng,
) -> io::Result<bool> {
    let path = site.file(STATE);
    let bytes = fs::read(&path)?;
    let edit = |change: &dyn Fn(&mut serde_json::Value)| -> io::Result<bool> {
        let Ok(mut json) = serde_json::from_slice(&bytes) else { return Ok(false) };
        change(&mut json);
        let mut text = serde_json::to_vec_pretty(&json)?;
        text.push(b'\n');
        fs::write(&path, text)?;
        Ok(true)
    };
    match scenario {
        Scenario::Edited => edit(&|json| {
            let scope = json.pointer_mut("/resources/0/instances/1/attributes/scope");
            if let Some(scope) = scope {
                *scope = "by hand".into();
            }
        }),
        Scenario::Serial => edit(&|json| {
            let serial = json["serial"].as_u64().unwrap_or_default();
            json["serial"] = (serial + 1).into();
        }),
        Scenario::Lineage => {
            edit(&|json| json["lineage"] = "00000000-0000-4000-8000-000000000000".into())
        }
        Scenario::Restored => {
            fs::copy(site.file(&format!("{STATE}.backup")), &path)?;
            Ok(true)
        }
        Scenario::Truncated => {
            let half = bytes.len() / 2 + chance.usize(..bytes.len() / 4 + 1);
            fs::write(&path, &bytes[..half])?;
            Ok(!bytes.is_empty())
        }
        Scenario::Emptied => {
            fs::write(&path, [])?;
            Ok(!bytes.is_empty())
        }
        _ => Ok(false),
    }
}

/// Kills the command and puts in place what is left of its files if the power goes at that instant.
fn power_cut(strike: Strike<'_>) -> io::Result<Struck> {
    let site = strike.site;
    let path = site.logs.join("calls");
    let command = trace::record(site, &site.command(strike.words), &path);
    let mut running = site.start(command, "struck")?;
    if !running.runs_after(strike.instant)? {
        running.wait()?;
        return Ok(Struck::Missed);
    }
    let pid = running.pid();
    kill(pid, Signal::SIGKILL)?;
    let ended = running.wait()?;
    if ended.status.code().is_some() {
        // Through in the very moment.
        return Ok(Struck::Missed);
    }
    let begun = Instant::now();
    let record = loop {
        let record = fs::read_to_string(&path).unwrap_or_default();
        if trace::is_complete(&record, pid) {
            break record;
        }
        // So early that strace had not even taken hold of it.
        if record.is_empty() && begun.elapsed() > Duration::from_secs(5) {
            killpg(pid, Signal::SIGKILL)?;
            return Ok(Struck::Missed);
        }
        if begun.elapsed() > Duration::from_secs(60) {
            let why = format!("strace left no whole record: {}", ended.summary());
            return Err(io::Error::other(why));
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let watched = |files: BTreeMap<String, Vec<u8>>| -> BTreeMap<String, Vec<u8>> {
        files.into_iter().filter(|it| !it.0.ends_with(".lock.info")).collect()
    };
    let mut disk = Disk::new(watched(strike.files));
    let seen = watched(power::files(&site.folder)?);
    if !disk.replay(&trace::read(&record), &seen) {
        let why = format!("the record `{}` does not explain the folder", path.display());
        return Err(io::Error::other(why));
    }
    power::replace(&site.folder, &disk.cut(strike.chance))?;
    Ok(Struck::Hit)
}

/// Applies in a folder that cannot be written to, then in one that can again.
fn read_only(strike: &Strike<'_>) -> io::Result<Struck> {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = &strike.site.folder;
    let root = nix::unistd::geteuid().is_root();
    let none: Option<&str> = None;
    if root {
        own_mounts()?;
        let bind = MsFlags::MS_BIND;
        mount(Some(folder), folder, none, bind, none)?;
        mount(none, folder, none, bind | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY, none)?;
    } else {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o555))?;
    }
    let refusal = refusal(strike.site, strike.world, "read-only")?;
    if root {
        unmount(folder)?;
    } else {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
    }
    Ok(match refusal {
        Refusal::Clean => Struck::Refused,
        Refusal::Touched(what) => Struck::Broke(what),
        Refusal::None => Struck::Broke("it went through, and nothing was written".to_owned()),
    })
}

/// What this thread and its children mount from here on, nobody else sees.
fn own_mounts() -> io::Result<()> {
    let none: Option<&str> = None;
    unshare(CloneFlags::CLONE_NEWNS)?;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
    Ok(())
}

/// Mounts a small file system at a folder, for this thread and its children.
pub(crate) fn mount_small(folder: &Path) -> io::Result<()> {
    own_mounts()?;
    let (kind, none) = (Some("tmpfs"), MsFlags::empty());
    mount(kind, folder, kind, none, Some("size=16m,mode=0755"))?;
    Ok(())
}

/// Takes a mount away.
pub(crate) fn unmount(folder: &Path) -> io::Result<()> {
    Ok(umount2(folder, MntFlags::MNT_DETACH)?)
}

/// Fills a file system to the last byte. Returns what with.
fn fill(folder: &Path) -> io::Result<std::path::PathBuf> {
    let path = folder.join("ballast");
    let mut file = fs::File::create(&path)?;
    let mut size = 1 << 20;
    while size > 0 {
        match file.write(&vec![b'.'; size]) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::StorageFull => size /= 2,
            Err(error) => return Err(error),
        }
    }
    Ok(path)
}

/// Whether a program can be run, to say so before anything begins.
pub fn is_installed(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}
