//! The program on trial: what it is given to do, how it is run, and what its state file says.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::database::Database;

/// Which program, and where.
#[derive(Clone, Debug)]
pub struct Tool {
    /// The file to run.
    pub program: PathBuf,
    /// How it is made to act upon the world.
    pub kind: Kind,
}

/// How a program is made to act upon the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Plumb, through its Docker provider.
    Plumb,
    /// Terraform, through provisioners that make a request each: it has no provider for the world
    /// built in.
    Terraform,
}

/// Where the state is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Backend {
    /// In files beside the configuration.
    Local,
    /// In a PostgreSQL database.
    Pg,
}

impl Backend {
    /// Its name on the command line and in Terraform's language.
    pub fn name(self) -> &'static str {
        match self {
            Backend::Local => "local",
            Backend::Pg => "pg",
        }
    }

    /// A place that the trial `name` has for itself alone.
    pub fn place(self, name: &str) -> io::Result<Place> {
        Ok(match self {
            Backend::Local => Place::Folder,
            Backend::Pg => Place::Database(Arc::new(Database::new(&name.replace('-', "_"))?)),
        })
    }
}

/// Where the state of one trial is kept.
#[derive(Clone, Debug)]
pub enum Place {
    /// In its folder.
    Folder,
    /// In a database of its own.
    Database(Arc<Database>),
}

impl Place {
    /// The block that says so.
    fn block(&self) -> String {
        match self {
            Place::Folder => String::new(),
            Place::Database(database) => database.block(),
        }
    }
}

/// The name of the state file.
pub const STATE: &str = "terraform.tfstate";

/// The journal beside it.
pub const JOURNAL: &str = ".terraform.tfstate.journal";

/// A folder with a configuration, and a world to act upon.
#[derive(Clone, Debug)]
pub struct Site {
    /// The program.
    pub tool: Tool,
    /// Where its state is kept.
    pub place: Place,
    /// The folder with configuration and state.
    pub folder: PathBuf,
    /// What the program says goes to files here.
    pub logs: PathBuf,
    /// Where the world listens.
    pub socket: PathBuf,
    /// Calls at once.
    pub parallelism: u32,
}

/// What a configuration asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// So many objects.
    pub resources: usize,
    /// Every fifth of them has this number in its name; another number replaces it.
    pub generation: u32,
}

impl Wanted {
    /// The names of all objects.
    pub fn names(self) -> impl Iterator<Item = String> {
        (0..self.resources).map(move |index| match index % 5 {
            0 => format!("n-{index}-{}", self.generation),
            _ => format!("n-{index}"),
        })
    }
}

/// How a command ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// Its exit status.
    pub status: ExitStatus,
    /// What it said, both streams.
    pub said: String,
    /// How long it took.
    pub took: Duration,
}

impl Ended {
    /// Whether it ended well.
    pub fn well(&self) -> bool {
        self.status.success()
    }

    /// How it ended and the first error that it told of, for a person.
    pub fn summary(&self) -> String {
        let status = match (self.status.code(), self.status.signal()) {
            (Some(code), _) => format!("exit {code}"),
            (None, signal) => format!("signal {}", signal.unwrap_or_default()),
        };
        let mut lines = self.said.lines().skip_while(|it| !it.contains("Error: "));
        let error: Vec<&str> = lines.by_ref().take(12).map(str::trim).collect();
        format!("{status}: {}", error.join(" "))
    }
}

/// A running command.
#[derive(Debug)]
pub struct Running {
    child: Child,
    log: PathBuf,
    began: Instant,
}

impl Site {
    /// Writes the configuration that asks for `wanted`, and has the tool make ready for it.
    pub fn configure(&self, wanted: Wanted) -> io::Result<()> {
        let Wanted { resources, generation } = wanted;
        let name = format!(
            "count.index % 5 == 0 ? \"n-${{count.index}}-{generation}\" : \"n-${{count.index}}\""
        );
        let backend = self.place.block();
        let text = match self.tool.kind {
            Kind::Plumb => format!(
                r#"terraform {{
  required_providers {{
    docker = {{ source = "kreuzwerker/docker" }}
  }}
  {backend}
}}

resource "docker_network" "n" {{
  count = {resources}
  name  = {name}
}}
"#
            ),
            Kind::Terraform => {
                let curl = format!(
                    "curl -sf -o /dev/null --unix-socket {} http://world/ledger?id=",
                    self.socket.display()
                );
                format!(
                    r#"terraform {{
  {backend}
}}

resource "terraform_data" "n" {{
  count            = {resources}
  input            = {name}
  triggers_replace = {name}

  provisioner "local-exec" {{
    command = "exec {curl}${{self.id}}'&'name=${{self.output}} -X POST"
  }}

  provisioner "local-exec" {{
    when    = destroy
    command = "exec {curl}${{self.id}} -X DELETE"
  }}
}}
"#
                )
            }
        };
        fs::write(self.folder.join("main.tf"), text)?;
        if matches!(self.place, Place::Folder) || self.file(".terraform").exists() {
            return Ok(());
        }
        let ended = self.run(&["init", "-no-color", "-input=false"], "init")?;
        match ended.well() {
            true => Ok(()),
            false => Err(io::Error::other(format!("init failed: {}", ended.summary()))),
        }
    }

    /// A command of the tool, to be run in the folder. It leads a process group of its own, as a
    /// shell would have it.
    pub fn command(&self, words: &[&str]) -> Command {
        self.command_of(Command::new(&self.tool.program), words)
    }

    /// The same for a process to which the others of this machine are as those of another one: it has
    /// numbers of processes of its own.
    pub fn far(&self, words: &[&str]) -> Command {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--pid", "--fork", "--mount-proc", "--"]);
        command.arg(&self.tool.program);
        self.command_of(command, words)
    }

    fn command_of(&self, mut command: Command, words: &[&str]) -> Command {
        command.args(words);
        if matches!(words.first(), Some(&("apply" | "destroy"))) {
            command.args(["-auto-approve", &format!("-parallelism={}", self.parallelism)]);
        }
        if matches!(words.first(), Some(&("apply" | "destroy" | "plan"))) {
            command.args(["-no-color", "-input=false"]);
        }
        self.dress(&mut command);
        command
    }

    /// Gives a command the folder, environment and streams of one of the tool's.
    pub fn dress(&self, command: &mut Command) {
        command
            .current_dir(&self.folder)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &self.logs)
            .env("DOCKER_HOST", format!("unix://{}", self.socket.display()))
            .env("CHECKPOINT_DISABLE", "1")
            .stdin(Stdio::null())
            .process_group(0);
    }

    /// Starts a command that writes what it says to a log.
    pub fn start(&self, mut command: Command, log: &str) -> io::Result<Running> {
        let log = self.logs.join(format!("{log}.log"));
        let file = File::create(&log)?;
        let child = command.stdout(file.try_clone()?).stderr(file).spawn()?;
        Ok(Running { child, log, began: Instant::now() })
    }

    /// Runs a command to its end.
    pub fn run(&self, words: &[&str], log: &str) -> io::Result<Ended> {
        self.start(self.command(words), log)?.wait()
    }

    /// A file in the folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// What the state says that is kept.
    pub fn state(&self) -> Result<Snapshot, String> {
        match &self.place {
            Place::Folder => Snapshot::read(&self.file(STATE)),
            Place::Database(_) => {
                let told = self.tell(&["state", "pull"]).map_err(|it| it.to_string())?;
                Snapshot::parse(told.as_bytes())
            }
        }
    }

    /// Whether there is a journal that knows more than the state.
    pub fn has_journal(&self) -> io::Result<bool> {
        match &self.place {
            Place::Folder => Ok(self.file(JOURNAL).exists()),
            Place::Database(database) => database.has_journal(),
        }
    }

    /// Who holds the lock, as the tool calls it. None if nobody does.
    pub fn lock_id(&self) -> io::Result<Option<String>> {
        let note = match self.tool.kind {
            Kind::Plumb => {
                // Exit code 2: it is held.
                let done = self.command(&["lock", "status", "-json"]).output()?;
                let status: Value = serde_json::from_slice(&done.stdout).map_err(|error| {
                    let said = String::from_utf8_lossy(&done.stderr);
                    io::Error::other(format!("lock status: {error}: {said}"))
                })?;
                status["holder"]["ID"].clone()
            }
            Kind::Terraform => {
                let path = self.file(&format!(".{STATE}.lock.info"));
                let bytes = fs::read(path).unwrap_or_default();
                serde_json::from_slice::<Value>(&bytes).unwrap_or_default()["ID"].clone()
            }
        };
        Ok(note.as_str().map(ToOwned::to_owned))
    }

    /// Runs a command that answers on its standard output.
    fn tell(&self, words: &[&str]) -> io::Result<String> {
        let done = self.command(words).output()?;
        match done.status.success() {
            true => Ok(String::from_utf8_lossy(&done.stdout).into_owned()),
            false => {
                let said = String::from_utf8_lossy(&done.stderr);
                Err(io::Error::other(format!("{} failed: {}", words.join(" "), said.trim())))
            }
        }
    }
}

/// No command of a trial takes longer, unless it hangs.
const PATIENCE: Duration = Duration::from_secs(300);

impl Running {
    /// Its process id.
    pub fn pid(&self) -> nix::unistd::Pid {
        nix::unistd::Pid::from_raw(self.child.id().cast_signed())
    }

    /// Whether it has ended.
    pub fn ended(&mut self) -> io::Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// Waits for `time` or the end of the command, and tells whether it still runs.
    pub fn runs_after(&mut self, time: Duration) -> io::Result<bool> {
        while let Some(left) = time.checked_sub(self.began.elapsed()) {
            if self.ended()? {
                return Ok(false);
            }
            std::thread::sleep(left.min(Duration::from_millis(5)));
        }
        Ok(!self.ended()?)
    }

    /// How long it has been running.
    pub fn age(&self) -> Duration {
        self.began.elapsed()
    }

    /// Waits for its end. One that hangs is killed, and its trial counts as failed.
    pub fn wait(mut self) -> io::Result<Ended> {
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait()? {
                break status;
            }
            if begun.elapsed() > PATIENCE {
                self.child.kill()?;
                break self.child.wait()?;
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        let took = self.began.elapsed();
        let said = String::from_utf8_lossy(&fs::read(&self.log)?).into_owned();
        Ok(Ended { status, said, took })
    }
}

/// What a state file of format 4 says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Its serial.
    pub serial: u64,
    /// Its lineage.
    pub lineage: String,
    /// The objects, by id: whether each is the one that its address stands for, whole.
    pub objects: BTreeMap<String, bool>,
}

impl Snapshot {
    /// Reads one. An error is a sentence.
    pub fn read(path: &Path) -> Result<Snapshot, String> {
        let bytes = fs::read(path).map_err(|e| format!("the state file cannot be read: {e}"))?;
        Snapshot::parse(&bytes)
    }

    /// Reads what is in one. An error is a sentence.
    pub fn parse(bytes: &[u8]) -> Result<Snapshot, String> {
        if bytes.is_empty() {
            return Err("the state file is empty".to_owned());
        }
        let json: Value = serde_json::from_slice(bytes)
            .map_err(|e| format!("the state file is not JSON: {e}"))?;
        Snapshot::of(&json).ok_or_else(|| "the state file is not of format 4".to_owned())
    }

    fn of(json: &Value) -> Option<Snapshot> {
        if json["version"].as_u64()? != 4 {
            return None;
        }
        let mut objects = BTreeMap::new();
        for resource in json["resources"].as_array()? {
            for instance in resource["instances"].as_array()? {
                let whole = instance.get("status").is_none() && instance.get("deposed").is_none();
                let id = instance["attributes"]["id"].as_str()?.to_owned();
                objects.insert(id, whole);
            }
        }
        Some(Snapshot {
            serial: json["serial"].as_u64()?,
            lineage: json["lineage"].as_str()?.to_owned(),
            objects,
        })
    }
}
