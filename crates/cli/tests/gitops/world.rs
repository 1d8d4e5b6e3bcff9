//! A repository, somebody who commits to it, keys, and the loop that follows it.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

pub(crate) struct World {
    dir: TempDir,
    /// Where the loop finds the repository.
    pub(crate) url: String,
    /// For every run of the loop.
    pub(crate) env: Vec<(String, String)>,
}

/// What a run of the loop left.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) said: String,
}

impl World {
    /// A repository with a first commit, followed in a mode.
    pub(crate) fn new(mode: &str, main: &str) -> World {
        let dir = TempDir::new().unwrap();
        let url = format!("file://{}", dir.path().join("origin.git").display());
        let world = World { dir, url, env: Vec::new() };
        run(world.command("git", &["init", "-q", "--bare", "-b", "main", "origin.git"]));
        run(world.command(
            "git",
            &["-C", "origin.git", "config", "receive.denyDeleteCurrent", "ignore"],
        ));
        run(world.command("git", &["clone", "-q", "origin.git", "work"]));
        run(world.git(&["checkout", "-q", "-b", "main"]));
        for who in ["ann", "bob", "eve"] {
            run(world.command("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", who]));
        }
        world.allow("signers", &["ann", "bob"]);
        world.allow("approvers", &["bob"]);
        world.config(&format!("policy {{\n mode = {mode:?}\n approvers = \"approvers\"\n}}"));
        world.commit(main);
        world
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// Whose keys a file has.
    pub(crate) fn allow(&self, file: &str, who: &[&str]) {
        let line = |it: &&str| {
            format!(
                "{it}@example.org {}",
                fs::read_to_string(self.path(&format!("{it}.pub"))).unwrap()
            )
        };
        self.write(file, &who.iter().map(line).collect::<String>());
    }

    /// The settings, with what is inside the block.
    pub(crate) fn config(&self, inside: &str) {
        let text = format!("gitops {{\n workdir = \"loop\"\n {inside}\n}}\n");
        self.write("gitops.plumb.hcl", &text);
    }

    pub(crate) fn command(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(args).current_dir(self.dir.path()).stdin(Stdio::null());
        command.env_clear().env("HOME", self.dir.path());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
        for role in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{role}_NAME"), "Somebody");
            command.env(format!("GIT_{role}_EMAIL"), "somebody@example.org");
        }
        command
    }

    pub(crate) fn git(&self, args: &[&str]) -> Command {
        let mut command = self.command("git", args);
        command.current_dir(self.path("work"));
        command
    }

    /// Git as somebody who signs.
    pub(crate) fn git_as(&self, who: &str, args: &[&str]) -> Command {
        let key = self.path(who).display().to_string();
        let key = format!("user.signingKey={key}");
        self.git(&[&["-c", "gpg.format=ssh", "-c", &key], args].concat())
    }

    /// Commits a configuration, unsigned, and pushes it. The commit.
    pub(crate) fn commit(&self, main: &str) -> String {
        fs::write(self.path("work/main.tf"), main).unwrap();
        self.commit_all(None)
    }

    pub(crate) fn commit_signed(&self, who: &str, main: &str) -> String {
        fs::write(self.path("work/main.tf"), main).unwrap();
        self.commit_all(Some(who))
    }

    /// Commits what is there.
    pub(crate) fn commit_all(&self, who: Option<&str>) -> String {
        run(self.git(&["add", "-A"]));
        match who {
            Some(who) => {
                run(self.git_as(who, &["commit", "-q", "--allow-empty", "-S", "-m", "A change"]))
            }
            None => run(self.git(&["commit", "-q", "--allow-empty", "-m", "A change"])),
        };
        run(self.git(&["push", "-q", "-f", "origin", "HEAD:main"]));
        self.head()
    }

    pub(crate) fn head(&self) -> String {
        run(self.git(&["rev-parse", "HEAD"])).trim().to_owned()
    }

    pub(crate) fn plumb(&self, args: &[&str]) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_plumb"), args);
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        let path = std::env::var("PATH").unwrap_or_default();
        // What must not be needed is not there.
        command.env("PATH", format!("{}:{path}", self.no_git().display()));
        command
    }

    /// A folder with a git that fails: the product starts none.
    fn no_git(&self) -> PathBuf {
        let folder = self.path("no-git");
        for name in ["git", "git-upload-pack", "ssh-keygen"] {
            let path = folder.join(name);
            if !path.exists() {
                fs::create_dir_all(&folder).unwrap();
                fs::write(&path, "#!/bin/sh\necho \"$0 was started\" >&2\nexit 99\n").unwrap();
                fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
            }
        }
        folder
    }

    pub(crate) fn loop_command(&self, args: &[&str]) -> Command {
        let common = ["gitops", "-config=gitops.plumb.hcl", "-no-color", "-repo", &self.url];
        self.plumb(&[&common[..], args].concat())
    }

    /// One round.
    pub(crate) fn once(&self, args: &[&str]) -> Ran {
        let done = self.loop_command(&[&["-once"], args].concat()).output().unwrap();
        Ran { code: done.status.code().unwrap_or(-1), said: all(&done) }
    }

    /// One round with an exit code.
    pub(crate) fn round(&self, code: i32) -> String {
        let ran = self.once(&[]);
        assert_eq!(ran.code, code, "{}", ran.said);
        assert!(!ran.said.contains("was started"), "{}", ran.said);
        ran.said
    }

    /// The loop, until it is dropped.
    pub(crate) fn start(&self, args: &[&str]) -> Running {
        let log = fs::File::create(self.path("log")).unwrap();
        let mut command = self.loop_command(&[&["-interval=1s"], args].concat());
        command.stdout(log.try_clone().unwrap()).stderr(log);
        Running { child: command.spawn().unwrap() }
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// Waits until the loop has said something.
    pub(crate) fn until(&self, what: &str) {
        self.until_so(what, || self.log().contains(what));
    }

    pub(crate) fn until_so(&self, what: &str, mut so: impl FnMut() -> bool) {
        let begun = Instant::now();
        while !so() {
            assert!(begun.elapsed() < Duration::from_secs(60), "not so: {what}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// What the loop remembers.
    pub(crate) fn record(&self) -> Value {
        let text = fs::read_to_string(self.path("loop/gitops.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// What was done, oldest first: the decision and the commit.
    pub(crate) fn history(&self) -> Vec<(String, String)> {
        let record = self.record();
        let entries = record["history"].as_array().unwrap().iter();
        let text = |it: &Value| it.as_str().unwrap().to_owned();
        entries.map(|it| (text(&it["decision"]), text(&it["commit"]))).collect()
    }

    /// The state.
    pub(crate) fn state(&self) -> Value {
        let text = fs::read_to_string(self.path("loop/tree/terraform.tfstate"));
        text.map_or(Value::Null, |it| serde_json::from_str(&it).unwrap())
    }

    /// What the resource `terraform_data.NAME` keeps.
    pub(crate) fn kept(&self, name: &str) -> Option<String> {
        let state = self.state();
        let found = state["resources"].as_array()?.iter().find(|it| it["name"] == name)?;
        found["instances"][0]["attributes"]["output"]["value"].as_str().map(str::to_owned)
    }

    /// The digest of the plan that is kept.
    pub(crate) fn digest(&self) -> String {
        self.record()["memory"]["pending"]["digest"].as_str().unwrap().to_owned()
    }
}

/// The loop, while it runs.
pub(crate) struct Running {
    child: Child,
}

impl Running {
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn interrupt(mut self) -> i32 {
        run(Command::new("kill").args(["-INT", &self.child.id().to_string()]).take());
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        std::mem::forget(self);
        code
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        std::mem::forget(self);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

trait Take {
    fn take(&mut self) -> Command;
}

impl Take for Command {
    fn take(&mut self) -> Command {
        std::mem::replace(self, Command::new("true"))
    }
}

/// Runs a command, which has to succeed. What it printed.
pub(crate) fn run(mut command: Command) -> String {
    let done = command.output().unwrap();
    assert!(done.status.success(), "{command:?}: {}", all(&done));
    String::from_utf8(done.stdout).unwrap()
}

pub(crate) fn all(done: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}{}", text(&done.stdout), text(&done.stderr))
}

/// A configuration that keeps a value under a name.
pub(crate) fn keep(name: &str, value: &str) -> String {
    format!("resource \"terraform_data\" \"{name}\" {{\n  input = \"{value}\"\n}}\n")
}

pub(crate) fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// The processes that hold clouds of the kernel in a folder.
pub(crate) fn clouds(folder: &Path) -> BTreeSet<u32> {
    let folder = folder.display().to_string();
    let all = fs::read_dir("/proc").unwrap().flatten();
    let ours = |it: &fs::DirEntry| {
        let line = fs::read(it.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(&folder)
    };
    all.filter_map(|it| it.file_name().to_str()?.parse().ok().filter(|_| ours(&it))).collect()
}

/// Ends what a test that failed has left in a folder.
pub(crate) struct Swept<'a>(pub(crate) &'a Path);

impl Drop for Swept<'_> {
    fn drop(&mut self) {
        for pid in clouds(self.0) {
            let _ = Command::new("kill").args(["-9", &pid.to_string()]).status();
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        drop(Swept(&self.path("loop/tree/.plumb")));
    }
}
