//! What a host may use, by control groups: of version 2 where that has the controllers, else of version 1.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::process::Pid;

use crate::spec::Limits;

/// Where limits can be set.
#[derive(Clone, Debug, Default)]
pub(super) struct Groups {
    /// Controller and the folder in which groups are made for it.
    memory: Option<Place>,
    pids: Option<Place>,
    cpu: Option<Place>,
    /// Sets the groups of this cloud apart.
    prefix: String,
}

#[derive(Clone, Debug, PartialEq)]
struct Place {
    folder: PathBuf,
    unified: bool,
}

/// A length of time of which a host may have a part, in microseconds.
const PERIOD: u64 = 100_000;

impl Groups {
    /// What this machine lets us write to. Takes away what a killed holder of the same cloud left.
    pub(super) fn find(prefix: String) -> Groups {
        let mut groups = Groups { prefix, ..Groups::default() };
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        for line in mounts.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let [_, folder, kind, options, ..] = words[..] else { continue };
            let unified = kind == "cgroup2";
            let here = Path::new(folder);
            let controllers = match (kind, unified) {
                (_, true) => fs::read_to_string(here.join("cgroup.subtree_control")),
                ("cgroup", _) => Ok(options.replace(',', " ")),
                _ => continue,
            };
            let controllers = controllers.unwrap_or_default();
            let has = |name: &str| controllers.split_whitespace().any(|it| it == name);
            let probe = here.join(format!("{}probe", groups.prefix));
            if !["memory", "pids", "cpu"].into_iter().any(has) || fs::create_dir(&probe).is_err() {
                continue;
            }
            let _ = fs::remove_dir(&probe);
            let place = Place { folder: here.to_owned(), unified };
            for (name, slot) in [
                ("memory", &mut groups.memory),
                ("pids", &mut groups.pids),
                ("cpu", &mut groups.cpu),
            ] {
                if has(name) && slot.as_ref().is_none_or(|it| !it.unified) {
                    *slot = Some(place.clone());
                }
            }
        }
        groups.clear();
        groups
    }

    /// What cannot be limited here.
    pub(super) fn missing(&self) -> Vec<String> {
        [("memory", &self.memory), ("pids", &self.pids), ("cpu", &self.cpu)]
            .into_iter()
            .filter(|(_, place)| place.is_none())
            .map(|(name, _)| {
                format!(
                    "The limit {name} does nothing: there is no control group to write to. As root \
                     there is one, or where a cgroup is delegated to the user."
                )
            })
            .collect()
    }

    /// Puts a host's processes, and so all that they start, under its limits.
    pub(super) fn put(&self, host: &str, pids: &[Pid], limits: &Limits) -> io::Result<()> {
        for place in self.places() {
            let group = place.folder.join(format!("{}{host}", self.prefix));
            match fs::create_dir(&group) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
            for pid in pids {
                fs::write(group.join("cgroup.procs"), pid.as_raw_nonzero().to_string())?;
            }
        }
        self.set(host, limits)
    }

    /// Changes the limits of a host.
    pub(super) fn set(&self, host: &str, limits: &Limits) -> io::Result<()> {
        let write = |place: &Option<Place>, (unified, other): (&str, &str), text: [String; 2]| {
            let Some(place) = place else { return Ok(()) };
            let group = place.folder.join(format!("{}{host}", self.prefix));
            let [of_unified, of_other] = text;
            match place.unified {
                true => fs::write(group.join(unified), of_unified),
                false => fs::write(group.join(other), of_other),
            }
        };
        let number = |it: Option<u64>, none: &str| it.map_or(none.to_owned(), |it| it.to_string());
        let memory = [number(limits.memory, "max"), number(limits.memory, "-1")];
        write(&self.memory, ("memory.max", "memory.limit_in_bytes"), memory)?;
        let pids = [number(limits.pids, "max"), number(limits.pids, "max")];
        write(&self.pids, ("pids.max", "pids.max"), pids)?;
        let quota = limits.cpu.map(|it| (it * PERIOD / 1000).max(1000));
        let cpu = [format!("{} {PERIOD}", number(quota, "max")), number(quota, "-1")];
        write(&self.cpu, ("cpu.max", "cpu.cfs_quota_us"), cpu)
    }

    /// A host is gone.
    pub(super) fn remove(&self, host: &str) {
        for place in self.places() {
            let _ = fs::remove_dir(place.folder.join(format!("{}{host}", self.prefix)));
        }
    }

    fn clear(&self) {
        for place in self.places() {
            for entry in fs::read_dir(&place.folder).into_iter().flatten().flatten() {
                if entry.file_name().to_string_lossy().starts_with(&self.prefix) {
                    let _ = fs::remove_dir(entry.path());
                }
            }
        }
    }

    fn places(&self) -> Vec<&Place> {
        let mut all: Vec<&Place> =
            [&self.memory, &self.pids, &self.cpu].into_iter().flatten().collect();
        all.dedup();
        all
    }
}
