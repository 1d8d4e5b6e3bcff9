//! A folder with a configuration, a user, and the program run there by that user.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Root, and somebody who is nobody.
pub(crate) const USERS: [u32; 2] = [0, 23456];

/// A configuration with a private network behind a router, and whatever is given.
macro_rules! routed {
    ($rest:literal) => {
        concat!(
            r#"
resource "netns_network" "world" {
  name     = "world"
  subnet   = "198.51.100.0/24"
  external = "isolated"
}

resource "netns_network" "lan" {
  name   = "lan"
  subnet = "10.0.0.0/24"
}

resource "netns_router" "r" {
  name             = "r"
  external_network = netns_network.world.name
}

resource "netns_router_interface" "lan" {
  router  = netns_router.r.name
  network = netns_network.lan.name
}
"#,
            $rest
        )
    };
}
pub(crate) use routed;

/// The program, where everybody may run it.
static PROGRAM: LazyLock<(TempDir, PathBuf)> = LazyLock::new(|| {
    let everybody = fs::Permissions::from_mode(0o755);
    let dir = tempfile::Builder::new().permissions(everybody).tempdir().unwrap();
    let path = dir.path().join("plumb");
    fs::copy(env!("CARGO_BIN_EXE_plumb"), &path).unwrap();
    (dir, path)
});

/// Its path.
pub(crate) fn program() -> String {
    PROGRAM.1.to_string_lossy().into_owned()
}

pub(crate) struct World {
    dir: TempDir,
    user: u32,
}

impl World {
    pub(crate) fn new(user: u32, main: &str) -> World {
        let world = World { dir: TempDir::new().unwrap(), user };
        chown(world.path(), Some(user), Some(user)).unwrap();
        world.write(main);
        world
    }

    /// With an example's files.
    pub(crate) fn example(user: u32, name: &str) -> World {
        let world = World::new(user, "");
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name);
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.ends_with(".tf") || name == "prove" {
                fs::copy(entry.path(), world.path().join(&name)).unwrap();
            }
        }
        world
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Whose it is.
    pub(crate) fn user(&self) -> u32 {
        self.user
    }

    pub(crate) fn write(&self, main: &str) {
        fs::write(self.path().join("main.tf"), main).unwrap();
    }

    pub(crate) fn by_user(&self, program: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        let path = std::env::var("PATH").unwrap_or_default();
        command.args(args).current_dir(self.path()).stdin(Stdio::null());
        command.env_clear().env("PATH", format!("{path}:/usr/sbin:/sbin"));
        command.env("HOME", self.path());
        if self.user != 0 {
            command.uid(self.user).gid(self.user);
        }
        command
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        self.by_user(&PROGRAM.1, args)
    }

    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs it; it has to succeed. What it printed.
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        let done = self.run(args);
        assert!(done.status.success(), "plumb {args:?} (user {}): {}", self.user, all(&done));
        text(&done.stdout)
    }

    pub(crate) fn apply(&self) -> String {
        self.ok(&["apply", "-auto-approve", "-no-color"])
    }

    /// What a plan says, and whether there is something to do.
    pub(crate) fn plan(&self) -> (bool, String) {
        let done = self.run(&["plan", "-detailed-exitcode", "-no-color"]);
        let said = all(&done);
        assert!(matches!(done.status.code(), Some(0 | 2)), "{said}");
        (done.status.code() == Some(2), said)
    }

    pub(crate) fn at_rest(&self) {
        let (something, said) = self.plan();
        assert!(!something, "user {}: {said}", self.user);
    }

    /// Runs words in an object.
    pub(crate) fn exec(&self, address: &str, words: &str) -> Output {
        let words: Vec<&str> = words.split(' ').collect();
        self.run(&[&["exec", address, "--"], &words[..]].concat())
    }

    pub(crate) fn attribute(&self, address: &str, name: &str) -> String {
        let shown = self.ok(&["state", "show", "-no-color", address]);
        let prefix = format!("{name} ");
        let line = shown.lines().map(str::trim).find(|it| it.starts_with(&prefix));
        line.unwrap().split_once("= ").unwrap().1.trim_matches('"').to_owned()
    }

    /// The script that comes with an example.
    pub(crate) fn prove(&self) {
        let done = self.by_user(&self.path().join("prove"), &[PROGRAM.1.to_str().unwrap()]);
        let done = { done }.output().unwrap();
        assert!(done.status.success(), "user {}: {}", self.user, all(&done));
        assert!(text(&done.stdout).lines().count() > 10);
    }

    /// The processes that hold the cloud, and all its hosts'.
    pub(crate) fn processes(&self) -> Vec<u32> {
        let folder = self.path().join(".plumb/netns");
        let processes = fs::read_dir("/proc").unwrap().flatten();
        let ours = |it: &fs::DirEntry| {
            let line = fs::read(it.path().join("cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains(&*folder.to_string_lossy())
        };
        processes
            .filter_map(|it| it.file_name().to_str()?.parse().ok().filter(|_| ours(&it)))
            .collect()
    }

    /// Destroys everything, and looks whether something is left.
    pub(crate) fn end(&self) {
        let own = namespaces("self");
        let mut namespaces_of_it: BTreeSet<String> =
            self.processes().iter().flat_map(|it| namespaces(&it.to_string())).collect();
        namespaces_of_it.retain(|it| !own.contains(it));
        // Kept open: the kernel gives the number of one that is gone to the next, which may be another test's.
        let paths = self.processes().into_iter().flat_map(|it| namespace_paths(&it.to_string()));
        let kept: Vec<fs::File> = paths.filter_map(|it| fs::File::open(it).ok()).collect();
        self.ok(&["destroy", "-auto-approve", "-no-color"]);
        eventually("all processes are gone", || self.processes().is_empty());
        // Somebody may be in them who is not known by the folder.
        eventually("nobody is in its namespaces", || {
            let numbers = fs::read_dir("/proc").unwrap().flatten();
            let in_it = |it: &fs::DirEntry| {
                let all = namespaces(&it.file_name().to_string_lossy());
                all.iter().any(|it| namespaces_of_it.contains(it))
            };
            !numbers.into_iter().any(|it| in_it(&it))
        });
        drop(kept);
        let left: Vec<String> = fs::read_dir(self.path().join(".plumb/netns"))
            .unwrap()
            .map(|it| it.unwrap().file_name().to_string_lossy().into_owned())
            .filter(|it| !["lock", "holder.log"].contains(&it.as_str()))
            .collect();
        assert_eq!(left, Vec::<String>::new(), "files are left");
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        assert!(!mounts.contains(&*self.path().to_string_lossy()), "{mounts}");
    }
}

/// Another configuration of the same cloud.
pub(crate) fn another(world: &World, main: &str) -> World {
    let cloud = world.path().join(".plumb/netns");
    let provider = format!("provider \"netns\" {{\n  cloud = {cloud:?}\n}}\n");
    World::new(world.user(), &format!("{provider}{main}"))
}

/// Where a process's namespaces are to be seen.
fn namespace_paths(process: &str) -> impl Iterator<Item = String> + use<> {
    let process = process.to_owned();
    let kinds = ["net", "mnt", "pid", "user", "ipc", "uts"].into_iter();
    kinds.map(move |it| format!("/proc/{process}/ns/{it}"))
}

/// The namespaces that a process is in.
fn namespaces(process: &str) -> BTreeSet<String> {
    let links = namespace_paths(process).filter_map(|it| fs::read_link(it).ok());
    links.map(|it| it.to_string_lossy().into_owned()).collect()
}

impl Drop for World {
    fn drop(&mut self) {
        for pid in self.processes() {
            let _ = Command::new("kill").args(["-9", &pid.to_string()]).status();
        }
    }
}

/// What is in the machine's own network namespace.
pub(crate) fn machine() -> (String, String) {
    let run =
        |words: &[&str]| text(&Command::new(words[0]).args(&words[1..]).output().unwrap().stdout);
    (run(&["ip", "-o", "link"]), run(&["nft", "list", "tables"]))
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub(crate) fn all(done: &Output) -> String {
    format!("{}{}", text(&done.stdout), text(&done.stderr))
}

pub(crate) fn eventually(what: &str, mut so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !so() {
        assert!(begun.elapsed() < Duration::from_secs(10), "not so: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
