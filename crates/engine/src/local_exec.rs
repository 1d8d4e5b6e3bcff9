//! Runs the command of a `local-exec` provisioner.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, PipeReader};
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use plumb_diag::Diagnostic;
use plumb_executor::ProvisionWork;
use plumb_lang::nodes::LocalExec;
use plumb_model::addr::ObjectKey;
use tokio::process::Command;
use tokio::time::timeout;

use crate::observe::{Notice, Observer, Provisioning};

/// So much of the end of the output is kept for the message of a failure.
const KEPT_MAX: usize = 8 * 1024;
/// What the command left behind in the background may keep the output open: it is waited for so
/// long.
const LINGER: Duration = Duration::from_secs(1);

/// The end of what a command said.
type Said = Arc<Mutex<VecDeque<u8>>>;

/// Runs it to its end. Returns what went wrong.
pub(crate) async fn local_exec(
    work: &ProvisionWork,
    observer: &Arc<dyn Observer>,
) -> Option<Diagnostic> {
    let (key, command) = (&work.key, &work.command);
    let notice = |it| observer.notice(Notice::Provisioner(key, it));
    notice(Provisioning::Started);
    let said = Said::default();
    let result = run(key, command, observer, &said).await;
    let Err(why) = result else {
        notice(Provisioning::Done);
        return None;
    };
    notice(Provisioning::Failed);
    let detail = if command.sensitive {
        format!("Error running a command that has sensitive values in it: {why}.")
    } else {
        let said = said.lock().unwrap_or_else(PoisonError::into_inner);
        let said = String::from_utf8_lossy(&said.iter().copied().collect::<Vec<u8>>()).into_owned();
        format!("Error running command '{}': {why}. Output: {said}", command.command)
    };
    let error = Diagnostic::error("local-exec provisioner error", detail);
    Some(error.at(command.span).about(key.to_string()))
}

async fn run(
    key: &ObjectKey,
    command: &LocalExec,
    observer: &Arc<dyn Observer>,
    said: &Said,
) -> Result<(), String> {
    let mut words: Vec<&str> = command.interpreter.iter().map(|it| &**it).collect();
    if words.is_empty() {
        words = vec!["/bin/sh", "-c"];
    }
    words.push(&command.command);
    let shown = match (command.sensitive, command.quiet) {
        (true, _) => SUPPRESSED.to_owned(),
        (false, true) => "local-exec: Executing: Suppressed by quiet=true".to_owned(),
        (false, false) => {
            let quoted: Vec<String> = words.iter().map(|it| format!("{it:?}")).collect();
            format!("Executing: [{}]", quoted.join(" "))
        }
    };
    observer.notice(Notice::Provisioner(key, Provisioning::Output(&shown)));
    let (reader, writer) = io::pipe().map_err(|it| it.to_string())?;
    let other = writer.try_clone().map_err(|it| it.to_string())?;
    let mut process = Command::new(words[0]);
    process
        .args(&words[1..])
        .envs(command.environment.iter().map(|(name, value)| (&**name, &**value)))
        .stdin(Stdio::null())
        .stdout(writer)
        .stderr(other)
        .kill_on_drop(true);
    if let Some(dir) = &command.working_dir {
        process.current_dir(&**dir);
    }
    let mut child = process.spawn().map_err(|it| not_started(&it, words[0], command))?;
    // Its ends of the pipe are to be open no longer than the command's.
    drop(process);
    let (key, hidden) = (key.clone(), command.sensitive);
    let (observer, said) = (observer.clone(), said.clone());
    let read = tokio::task::spawn_blocking(move || {
        listen(reader, &key, hidden, &observer, &said);
    });
    let status = child.wait().await.map_err(|it| it.to_string())?;
    let _ = timeout(LINGER, read).await;
    if status.success() { Ok(()) } else { Err(ended(status)) }
}

const SUPPRESSED: &str = "(output suppressed due to sensitive value in config)";

fn listen(
    reader: PipeReader,
    key: &ObjectKey,
    hidden: bool,
    observer: &Arc<dyn Observer>,
    said: &Said,
) {
    let mut lines = BufReader::new(reader);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line).is_ok_and(|it| it > 0) {
        {
            let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
            said.extend(&line);
            let more = said.len().saturating_sub(KEPT_MAX);
            said.drain(..more);
        }
        let text = String::from_utf8_lossy(&line);
        let text = if hidden { SUPPRESSED } else { text.trim_end_matches(['\n', '\r']) };
        observer.notice(Notice::Provisioner(key, Provisioning::Output(text)));
        line.clear();
    }
}

fn not_started(error: &io::Error, program: &str, command: &LocalExec) -> String {
    let dir = command.working_dir.as_deref();
    if let Some(dir) = dir.filter(|it| !Path::new(it).is_dir()) {
        return format!("chdir {dir}: no such file or directory");
    }
    match error.kind() {
        io::ErrorKind::NotFound => format!("exec: {program:?}: executable file not found in $PATH"),
        _ => format!("exec: {program:?}: {error}"),
    }
}

fn ended(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("exit status {code}"),
        // `signal: 9 (SIGKILL)`
        None => status.to_string(),
    }
}
