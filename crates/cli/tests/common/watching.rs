//! A running `plumb watch`, and what it says.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

/// What is promised of systems that tell what happens.
pub(crate) const PROMISED: Duration = Duration::from_secs(2);

/// Long enough for anything that happens at all.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Watcher {
    child: Child,
    said: Arc<(Mutex<Vec<Value>>, Condvar)>,
    /// What was waited for already.
    read: usize,
}

impl Watcher {
    /// Starts it, and waits until it has looked and listens.
    pub(crate) fn of(command: &mut Command) -> Watcher {
        let mut it = Watcher::begin(command);
        it.hears("watch_status", |it| it["watch"]["from"] == "starting");
        // It listens right after the first look.
        std::thread::sleep(Duration::from_millis(500));
        it
    }

    /// Starts it.
    pub(crate) fn begin(command: &mut Command) -> Watcher {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let said = Arc::new((Mutex::new(Vec::new()), Condvar::new()));
        let (lines, heard) = (BufReader::new(child.stdout.take().unwrap()), said.clone());
        // Ends with the process.
        std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                let line =
                    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
                heard.0.lock().unwrap().push(line);
                heard.1.notify_all();
            }
        });
        Watcher { child, said, read: 0 }
    }

    /// Waits for a line of this type, after those that were waited for before.
    #[track_caller]
    pub(crate) fn hears(&mut self, kind: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        self.hears_within(PATIENCE, kind, wanted)
    }

    #[track_caller]
    pub(crate) fn hears_within(
        &mut self,
        limit: Duration,
        kind: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> Value {
        let begun = Instant::now();
        let mut said = self.said.0.lock().unwrap();
        loop {
            let fresh = said[self.read..].iter();
            if let Some(place) = fresh.clone().position(|it| it["type"] == kind && wanted(it)) {
                let found = said[self.read + place].clone();
                self.read += place + 1;
                return found;
            }
            let left = limit.checked_sub(begun.elapsed());
            let Some(left) = left else {
                let fresh: Vec<String> = fresh.map(ToString::to_string).collect();
                drop(said);
                panic!("no {kind} within {limit:?}, but:\n{}", fresh.join("\n"));
            };
            said = self.said.1.wait_timeout(said, left).unwrap().0;
        }
    }

    /// Drift of this object is told within the time that is promised.
    #[track_caller]
    pub(crate) fn finds(&mut self, address: &str) -> Value {
        self.finds_within(PROMISED, address)
    }

    /// Drift of this object is told within this time.
    #[track_caller]
    pub(crate) fn finds_within(&mut self, limit: Duration, address: &str) -> Value {
        self.hears_within(limit, "watch_drifted", |it| it["watch"]["finding"]["address"] == address)
    }

    #[track_caller]
    pub(crate) fn repairs(&mut self, address: &str) {
        self.hears("watch_repaired", |it| it["watch"]["address"] == address);
        self.hears("watch_status", |it| it["watch"]["to"] == "in_sync");
    }

    /// Everything that was said, of this type.
    pub(crate) fn all(&self, kind: &str) -> Vec<Value> {
        let said = self.said.0.lock().unwrap();
        said.iter().filter(|it| it["type"] == kind).cloned().collect()
    }

    /// Whatever is said from now on is waited for.
    pub(crate) fn skip(&mut self) {
        self.read = self.said.0.lock().unwrap().len();
    }

    /// Sends a signal: `TERM`, `HUP`, `KILL`.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
    }

    /// Waits for its end.
    pub(crate) fn over(&mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "it does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// It was told to end.
    #[track_caller]
    pub(crate) fn end_of(mut self) {
        assert_eq!(self.over().code(), Some(0));
    }

    /// Ends it as a service manager does.
    #[track_caller]
    pub(crate) fn end(mut self) {
        self.signal("TERM");
        assert_eq!(self.over().code(), Some(0));
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
