//! What the tests stand on: a folder with a configuration, the command, and the rig's engine.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value as Json;

/// One configuration with objects of its own on the engine. They go when it does.
pub(crate) struct World {
    folder: tempfile::TempDir,
    /// Before every name, so that tests run side by side.
    pub(crate) prefix: String,
    /// Options that every command gets that takes a plan's options.
    pub(crate) vars: Vec<String>,
    /// The engine that the command talks to.
    pub(crate) host: String,
}

/// A command that has ended.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// A running command.
pub(crate) struct Running(Option<Child>);

/// What the engine has of a world's, by name.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct There {
    pub(crate) containers: Vec<String>,
    pub(crate) networks: Vec<String>,
    pub(crate) volumes: Vec<String>,
    pub(crate) images: Vec<String>,
}

pub(crate) fn env(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!(
            "{name} is not set: start the engine with tests/rigs/docker/up and eval what it prints"
        )
    })
}

pub(crate) fn busybox() -> String {
    env("PLUMB_RIG_IMAGE_BUSYBOX")
}

/// The project's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

impl World {
    /// A world without files. What an earlier run left on the engine is taken away.
    pub(crate) fn empty(name: &str) -> World {
        assert!(!name.contains('-'), "{name}: all that begins with `NAME-` is one world's");
        let world = World {
            folder: tempfile::tempdir().unwrap(),
            prefix: format!("plumb-e2e-{name}"),
            vars: Vec::new(),
            host: env("DOCKER_HOST"),
        };
        world.clear();
        world
    }

    /// A world with a configuration. `PREFIX` and `BUSYBOX` in it are replaced.
    pub(crate) fn new(name: &str, config: &str) -> World {
        let world = World::empty(name);
        world.config(config);
        world
    }

    /// Another configuration. What is not changed on the way keeps its place.
    pub(crate) fn config(&self, config: &str) {
        let head = r#"
            terraform {
              required_providers {
                docker = { source = "kreuzwerker/docker" }
              }
            }
        "#;
        let config = match config.contains("required_providers") {
            true => config.to_owned(),
            false => head.to_owned() + config,
        };
        self.write("main.tf", &self.filled(&config));
    }

    fn filled(&self, text: &str) -> String {
        text.replace("PREFIX", &self.prefix).replace("BUSYBOX", &busybox())
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The name of something of this world's.
    pub(crate) fn name(&self, rest: &str) -> String {
        format!("{}-{rest}", self.prefix)
    }

    /// The command, not started yet. `inside`: in the rig's network, where its registries are.
    pub(crate) fn command(&self, args: &[&str], inside: bool) -> Command {
        let plumb = env!("CARGO_BIN_EXE_plumb");
        let mut command = match inside {
            true => {
                let mut command = Command::new("nsenter");
                command.arg(format!("--net={}", env("PLUMB_RIG_NETNS"))).arg(plumb);
                command
            }
            false => Command::new(plumb),
        };
        let planning = matches!(args[0], "plan" | "apply" | "destroy" | "refresh" | "drift")
            && !args.iter().any(|it| it.ends_with(".plan") && !it.starts_with('-'));
        let extra = self.vars.iter().filter(|_| planning || args[0] == "import");
        command
            .arg(args[0])
            .args(extra)
            .args(&args[1..])
            .current_dir(self.path())
            .env_clear()
            .env("PATH", env("PATH"))
            .env("HOME", self.path())
            .env("DOCKER_HOST", &self.host)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        Ran::from(self.command(args, false).output().unwrap())
    }

    /// Runs it in the rig's network.
    pub(crate) fn run_inside(&self, args: &[&str]) -> Ran {
        Ran::from(self.command(args, true).output().unwrap())
    }

    /// Runs it; it has to succeed.
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        self.run(args).expect(0, args)
    }

    pub(crate) fn spawn(&self, args: &[&str]) -> Running {
        Running(Some(self.command(args, false).spawn().unwrap()))
    }

    pub(crate) fn apply(&self) -> String {
        self.ok(&["apply", "-auto-approve", "-no-color"])
    }

    pub(crate) fn destroy(&self) -> String {
        self.ok(&["destroy", "-auto-approve", "-no-color"])
    }

    /// The plan has nothing to do.
    pub(crate) fn nothing_to_do(&self) {
        let args = ["plan", "-detailed-exitcode", "-no-color"];
        self.run(&args).expect(0, &args);
    }

    /// The plan has something to do; its text.
    pub(crate) fn plan(&self) -> String {
        let args = ["plan", "-detailed-exitcode", "-no-color"];
        self.run(&args).expect(2, &args)
    }

    /// Applies; nothing is left to do. What it said.
    pub(crate) fn settle(&self) -> String {
        let said = self.apply();
        self.nothing_to_do();
        self.at_rest();
        said
    }

    /// The state file.
    pub(crate) fn state(&self) -> Json {
        let text = std::fs::read_to_string(self.path().join("terraform.tfstate")).unwrap();
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e} in the state\n{text}"))
    }

    pub(crate) fn serial(&self) -> u64 {
        self.state()["serial"].as_u64().unwrap()
    }

    /// An attribute of an object without instance key, from the state file.
    pub(crate) fn attr(&self, addr: &str, name: &str) -> Json {
        let state = self.state();
        let (kind, label) = addr.split_once('.').unwrap();
        let resources = state["resources"].as_array().unwrap();
        let found = resources.iter().find(|it| it["type"] == kind && it["name"] == label);
        let found = found.unwrap_or_else(|| panic!("no {addr} in {state:#}"));
        found["instances"][0]["attributes"][name].clone()
    }

    pub(crate) fn id(&self, addr: &str) -> String {
        self.attr(addr, "id").as_str().unwrap().to_owned()
    }

    /// Addresses in the state, as `state list` gives them.
    pub(crate) fn listed(&self) -> Vec<String> {
        let ran = self.run(&["state", "list"]);
        // Without a state file there is nothing to list.
        if ran.code != Some(0) && !self.path().join("terraform.tfstate").exists() {
            return Vec::new();
        }
        ran.expect(0, &["state", "list"]).lines().map(str::to_owned).collect()
    }

    /// Nobody works on the state, and nothing waits for the next command.
    pub(crate) fn at_rest(&self) {
        let left: Vec<_> = std::fs::read_dir(self.path())
            .unwrap()
            .map(|it| it.unwrap().file_name().to_string_lossy().into_owned())
            .filter(|it| it.contains("journal") || it.contains("lock.info") || it.contains(".tmp"))
            .collect();
        assert!(left.is_empty(), "left beside the state: {left:?}");
    }

    /// The engine's own command line; it has to succeed.
    pub(crate) fn docker(&self, args: &[&str]) -> String {
        docker(args)
    }

    /// One field of an object, by its name without prefix.
    pub(crate) fn inspect(&self, name: &str, field: &str) -> String {
        let (name, format) = (self.name(name), format!("{{{{{field}}}}}"));
        docker(&["inspect", "--format", &format, &name]).trim().to_owned()
    }

    /// When each container was started: changes with every restart.
    pub(crate) fn starts(&self) -> Vec<(String, String)> {
        let names = self.there().containers;
        let started =
            |name: &String| docker(&["inspect", "--format", "{{.Id}} {{.State.StartedAt}}", name]);
        names.iter().map(|it| (it.clone(), started(it))).collect()
    }

    /// What the engine has of this world's.
    pub(crate) fn there(&self) -> There {
        let lines = |args: &[&str]| {
            let all = docker(args);
            let mut names: Vec<_> = all.lines().map(str::to_owned).collect();
            names.sort();
            names
        };
        let name = format!("name=^/?{}-", self.prefix);
        let images = lines(&["images", "--format", "{{.Repository}}:{{.Tag}}"]);
        let inner = format!("{}/", self.prefix);
        There {
            containers: lines(&["ps", "-a", "--format", "{{.Names}}", "--filter", &name]),
            networks: lines(&["network", "ls", "--format", "{{.Name}}", "--filter", &name]),
            volumes: lines(&["volume", "ls", "--format", "{{.Name}}", "--filter", &name]),
            images: images
                .into_iter()
                .filter(|it| it.starts_with(&inner) || it.contains(&format!("/{inner}")))
                .collect(),
        }
    }

    pub(crate) fn clear(&self) {
        let there = self.there();
        let remove = |verb: &[&str], names: &[String]| {
            if !names.is_empty() {
                let mut command = docker_command();
                command.args(verb).args(names).output().unwrap();
            }
        };
        remove(&["rm", "-f", "-v"], &there.containers);
        // By id: a name may be there twice, when a test finds that out.
        let name = format!("name=^{}-", self.prefix);
        let networks = docker(&["network", "ls", "-q", "--filter", &name]);
        let networks: Vec<_> = networks.lines().map(str::to_owned).collect();
        remove(&["network", "rm"], &networks);
        remove(&["volume", "rm", "-f"], &there.volumes);
        remove(&["rmi", "-f"], &there.images);
        // What was built and lost its name.
        let label = format!("label=plumb-e2e={}", self.prefix);
        let nameless = docker(&["images", "-q", "--filter", "dangling=true", "--filter", &label]);
        let nameless: Vec<_> = nameless.lines().map(str::to_owned).collect();
        remove(&["rmi", "-f"], &nameless);
    }

    /// Destroys what is left; the engine keeps nothing.
    pub(crate) fn end(&self) {
        self.destroy();
        assert_eq!(self.there(), There::default());
        assert_eq!(self.listed(), Vec::<String>::new());
        self.at_rest();
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() && std::env::var_os("PLUMB_E2E_KEEP").is_some() {
            let kept = self.path().with_extension("kept");
            let _ = std::fs::rename(self.path(), &kept);
            eprintln!("kept {}", kept.display());
        }
        self.clear();
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Ran {
        let text = |it: &[u8]| String::from_utf8_lossy(it).into_owned();
        Ran { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }
}

impl Ran {
    /// Its output, if it ended like this.
    #[track_caller]
    pub(crate) fn expect(self, code: i32, args: &[&str]) -> String {
        assert!(
            self.code == Some(code),
            "`plumb {}` ended with {:?}, not {code}\n{}\n{}",
            args.join(" "),
            self.code,
            self.err,
            self.out
        );
        self.out
    }

    /// Errors first: a report of a failing test may be cut off.
    pub(crate) fn all(&self) -> String {
        format!("{}{}", self.err, self.out)
    }
}

impl Running {
    /// Sends a signal: `KILL`, `INT`, `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.0.as_ref().unwrap().id().to_string();
        let _ = Command::new("kill").args([&format!("-{name}"), &pid]).output().unwrap();
    }

    pub(crate) fn over(&mut self) -> Option<ExitStatus> {
        self.0.as_mut().unwrap().try_wait().unwrap()
    }

    pub(crate) fn wait(mut self) -> Ran {
        Ran::from(self.0.take().unwrap().wait_with_output().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn docker_command() -> Command {
    let mut command = Command::new(env("PLUMB_RIG_DOCKER"));
    command.env("DOCKER_HOST", env("DOCKER_HOST"));
    command
}

/// The engine's own command line; it has to succeed.
#[track_caller]
pub(crate) fn docker(args: &[&str]) -> String {
    let ran = Ran::from(docker_command().args(args).output().unwrap());
    assert!(ran.code == Some(0), "docker {args:?}: {}", ran.err);
    ran.out
}

/// A command in the rig's network.
pub(crate) fn inside(args: &[&str]) -> Ran {
    let mut command = Command::new("nsenter");
    let command = command.arg(format!("--net={}", env("PLUMB_RIG_NETNS"))).args(args);
    Ran::from(command.output().unwrap())
}

/// Tries until it comes true.
#[track_caller]
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < Duration::from_secs(15), "not within 15 s: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The set of them, each once.
#[track_caller]
pub(crate) fn unique(names: &[String]) -> BTreeSet<String> {
    let set: BTreeSet<_> = names.iter().cloned().collect();
    assert_eq!(set.len(), names.len(), "something is there twice: {names:?}");
    set
}
