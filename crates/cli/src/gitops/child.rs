//! Runs of the program itself: what one of them does wrong does not end the loop.

use std::path::PathBuf;
use std::process::Stdio;

use plumb_engine::Interrupt;
use plumb_gitops::{Counts, Mask};
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader};

/// How the program is started.
#[derive(Clone, Debug)]
pub(super) struct Runner {
    /// Itself.
    pub(super) program: PathBuf,
    /// The folder with the configuration.
    pub(super) dir: PathBuf,
    /// Of the environment, what it must not know: the tokens of the loop.
    pub(super) without: Vec<String>,
    /// What is hidden in what it says.
    pub(super) mask: Mask,
}

/// What a run left.
pub(super) struct Ran {
    pub(super) code: i32,
    pub(super) out: String,
    pub(super) err: String,
}

/// What is said, as it comes.
type Say<'a> = &'a (dyn Fn(&str) + Sync);

impl Runner {
    /// Runs it and shows every line it writes.
    pub(super) async fn aloud(
        &self,
        commit: &str,
        args: &[String],
        interrupt: &Interrupt,
        say: Say<'_>,
    ) -> Result<Ran, String> {
        self.run(commit, args, interrupt, Some(say)).await
    }

    /// Runs it and keeps what it writes.
    pub(super) async fn silently(
        &self,
        commit: &str,
        args: &[String],
        interrupt: &Interrupt,
    ) -> Result<Ran, String> {
        self.run(commit, args, interrupt, None).await
    }

    async fn run(
        &self,
        commit: &str,
        args: &[String],
        interrupt: &Interrupt,
        say: Option<Say<'_>>,
    ) -> Result<Ran, String> {
        let mut command = tokio::process::Command::new(&self.program);
        command
            .arg(format!("-chdir={}", self.dir.display()))
            .args(args)
            .env("PLUMB_COMMIT", commit)
            .env("TF_IN_AUTOMATION", "1")
            .env("TF_INPUT", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A terminal's Ctrl-C would reach it twice: from there, and from us.
            .process_group(0);
        for name in &self.without {
            command.env_remove(name);
        }
        let mut child =
            command.spawn().map_err(|error| format!("plumb cannot be started: {error}"))?;
        let pid = child.id().and_then(|it| i32::try_from(it).ok()).and_then(Pid::from_raw);
        let out = child.stdout.take();
        let err = child.stderr.take();
        let reading = async { tokio::join!(self.read(out, say), self.read(err, say)) };
        tokio::pin!(reading);
        let mut passed_on = interrupt.level();
        let mut read = None;
        let status = loop {
            tokio::select! {
                both = &mut reading, if read.is_none() => read = Some(both),
                status = child.wait(), if read.is_some() => break status,
                () = tokio::time::sleep(std::time::Duration::from_millis(50)) => {
                    // It is waited for: an apply ends what it has begun.
                    while passed_on < interrupt.level() {
                        passed_on += 1;
                        if let Some(pid) = pid {
                            let _ = kill_process(pid, Signal::INT);
                        }
                    }
                }
            }
        };
        let status = status.map_err(|error| format!("plumb was lost: {error}"))?;
        let (out, err) = read.unwrap_or_default();
        Ok(Ran { code: status.code().unwrap_or(-1), out, err })
    }

    async fn read(&self, from: Option<impl AsyncRead + Unpin>, say: Option<Say<'_>>) -> String {
        let Some(from) = from else { return String::new() };
        let mut lines = BufReader::new(from);
        let mut all = String::new();
        let Some(say) = say else {
            let mut bytes = Vec::new();
            let _ = lines.read_to_end(&mut bytes).await;
            return String::from_utf8_lossy(&bytes).into_owned();
        };
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line).await.is_ok_and(|it| it > 0) {
            let text = self.mask.hide(&String::from_utf8_lossy(&line));
            say(text.trim_end_matches('\n'));
            all += &text;
            line.clear();
        }
        all
    }
}

/// What of a plan's JSON counts here.
#[derive(Debug, Default, Deserialize)]
pub(super) struct PlanJson {
    #[serde(default)]
    resource_changes: Vec<ResourceChange>,
    #[serde(default)]
    output_changes: std::collections::BTreeMap<String, Change>,
}

#[derive(Debug, Deserialize)]
struct ResourceChange {
    #[serde(default)]
    previous_address: Option<String>,
    change: Change,
}

#[derive(Debug, Deserialize)]
struct Change {
    actions: Vec<String>,
    #[serde(default)]
    importing: Option<serde_json::Value>,
}

impl PlanJson {
    /// How much it changes.
    pub(super) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for it in &self.resource_changes {
            let actions: Vec<&str> = it.change.actions.iter().map(String::as_str).collect();
            match actions[..] {
                ["create"] => counts.create += 1,
                ["update"] => counts.update += 1,
                ["delete"] => counts.destroy += 1,
                ["delete", "create"] | ["create", "delete"] => counts.replace += 1,
                ["no-op"] if it.change.importing.is_some() => counts.other += 1,
                ["no-op"] if it.previous_address.is_some() => counts.other += 1,
                ["no-op" | "read"] => {}
                _ => counts.other += 1,
            }
        }
        let outputs = self.output_changes.values();
        counts.other += outputs.filter(|it| it.actions != ["no-op"]).count() as u64;
        counts
    }
}
