//! A test that runs itself once more as another process, which then holds a lock.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use plumb_backend::Setting;
use plumb_state::LockInfo;
use plumb_state::backend::{Attempt, Remote};

const ROLE: &str = "PLUMB_TEST_HOLDS";

/// The configuration under which this process is to hold a lock, if it is the other one.
pub fn role() -> Option<Setting> {
    let text = std::env::var(ROLE).ok()?;
    let (config, env, folder): (_, _, String) = serde_json::from_str(&text).unwrap();
    Some(Setting { config, env, folder: folder.into() })
}

/// Takes the lock, reads the state, says so, and then writes once for each line that it is sent.
pub fn hold(mut remote: Box<dyn Remote>) {
    let info = LockInfo::new("OperationTypeApply");
    assert!(matches!(remote.lock(&info), Ok(Attempt::Taken { .. })));
    remote.get().unwrap();
    say(&format!("holds {}", info.id));
    for line in std::io::stdin().lines() {
        let text = line.unwrap();
        say(&match (remote.check(), remote.put(text.as_bytes(), 1)) {
            (Ok(()), Ok(())) => "wrote".into(),
            (check, put) => format!("{check:?} / {put:?}"),
        });
    }
}

fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n>> {text}").unwrap();
    out.flush().unwrap();
}

/// The other process.
pub struct Holder {
    child: Child,
    /// The lock that it holds.
    pub id: String,
}

impl Holder {
    pub fn start(test: &str, setting: &Setting) -> Holder {
        let role = serde_json::to_string(&(&setting.config, &setting.env, setting.folder.as_str()))
            .unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture"])
            .env(ROLE, role)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut holder = Holder { child, id: String::new() };
        let heard = holder.hear();
        holder.id = heard.strip_prefix("holds ").expect("it says which").to_owned();
        holder
    }

    pub fn write(&mut self, text: &str) -> String {
        writeln!(self.child.stdin.as_mut().unwrap(), "{text}").unwrap();
        self.hear()
    }

    pub fn signal(&mut self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
        if signal == Signal::SIGKILL {
            self.child.wait().unwrap();
        }
    }

    fn hear(&mut self) -> String {
        // Byte by byte: nothing may be read ahead, as the next call begins anew.
        let out = BufReader::with_capacity(1, self.child.stdout.as_mut().unwrap());
        let mut lines = out.lines().map(Result::unwrap);
        lines.find_map(|it| it.strip_prefix(">> ").map(str::to_owned)).expect("it lives")
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
