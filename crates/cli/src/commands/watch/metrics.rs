//! Numbers for Prometheus, in its text format, and whether the process is well.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use plumb_drift::{Class, Counts};
use plumb_watch::Status;

use super::follow::Ear;
use crate::VERSION;

/// After so long without a sign of life the loop is stuck.
const STUCK: Duration = Duration::from_secs(30);

/// Everything that is counted.
#[derive(Debug)]
pub(crate) struct Metrics(Mutex<Numbers>);

/// As they are now.
#[derive(Debug)]
pub(crate) struct Numbers {
    pub(crate) status: Status,
    pub(crate) findings: Counts,
    pub(crate) looks: BTreeMap<&'static str, u64>,
    pub(crate) look_failures: u64,
    pub(crate) last_look: Option<f64>,
    pub(crate) last_look_seconds: f64,
    pub(crate) repairs: u64,
    pub(crate) repair_failures: u64,
    pub(crate) changes: u64,
    pub(crate) budget_left: u32,
    pub(crate) fights: usize,
    pub(crate) owed: usize,
    pub(crate) events: BTreeMap<String, u64>,
    pub(crate) ears: BTreeMap<String, Ear>,
    pub(crate) webhooks: BTreeMap<&'static str, u64>,
    pub(crate) repairing: bool,
    started: f64,
    alive: Instant,
}

impl Metrics {
    pub(crate) fn new() -> Metrics {
        Metrics(Mutex::new(Numbers {
            status: Status::Starting,
            findings: Counts::default(),
            looks: BTreeMap::from([("everything", 0), ("touched", 0)]),
            look_failures: 0,
            last_look: None,
            last_look_seconds: 0.0,
            repairs: 0,
            repair_failures: 0,
            changes: 0,
            budget_left: 0,
            fights: 0,
            owed: 0,
            events: BTreeMap::new(),
            ears: BTreeMap::new(),
            webhooks: BTreeMap::from([("delivered", 0), ("failed", 0), ("dropped", 0)]),
            repairing: false,
            started: unix_now(),
            alive: Instant::now(),
        }))
    }

    pub(crate) fn numbers(&self) -> MutexGuard<'_, Numbers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The loop turned once more.
    pub(crate) fn alive(&self) {
        self.numbers().alive = Instant::now();
    }

    /// What is wrong with the process, if anything.
    pub(crate) fn unhealthy(&self) -> Option<String> {
        let silent = self.numbers().alive.elapsed();
        (silent > STUCK).then(|| format!("nothing has happened for {} s", silent.as_secs()))
    }

    /// What is missing until it watches, if anything.
    pub(crate) fn unready(&self) -> Option<String> {
        let numbers = self.numbers();
        if numbers.last_look.is_none() {
            return Some("nothing was looked at yet".to_owned());
        }
        let deaf = numbers.ears.iter().find(|it| matches!(it.1, Ear::Connecting | Ear::Lost));
        deaf.map(|it| format!("{} is not heard yet", it.0))
    }
}

/// Seconds since 1970.
pub(crate) fn unix_now() -> f64 {
    chrono::Utc::now().timestamp_millis() as f64 / 1000.0
}

impl Numbers {
    /// As Prometheus reads it.
    pub(crate) fn text(&self) -> String {
        let mut out = String::new();
        let mut metric = |name: &str, kind: &str, help: &str, values: Vec<(String, f64)>| {
            let _ = writeln!(out, "# HELP plumb_{name} {help}\n# TYPE plumb_{name} {kind}");
            for (labels, value) in values {
                let _ = writeln!(out, "plumb_{name}{labels} {value}");
            }
        };
        let one = |value: f64| vec![(String::new(), value)];
        let flag = |it: bool| f64::from(u8::from(it));
        let build = vec![(labels(&[("version", VERSION)]), 1.0)];
        metric("build_info", "gauge", "The program.", build);
        metric("watch_start_time_seconds", "gauge", "When the watch began.", one(self.started));
        let statuses = Status::ALL.iter();
        let statuses = statuses
            .map(|it| (labels(&[("status", it.name())]), flag(*it == self.status)))
            .collect();
        metric("watch_status", "gauge", "1 for how things are, 0 for all else.", statuses);
        let classes = Class::ALL.iter();
        let classes = classes
            .map(|it| (labels(&[("class", it.name())]), self.findings.of(*it) as f64))
            .collect();
        metric("drift_findings", "gauge", "Drift that counts, by class.", classes);
        let accepted = one(self.findings.accepted as f64);
        metric("drift_accepted", "gauge", "Drift that is accepted or ignored.", accepted);
        let looks = self.looks.iter().map(|it| (labels(&[("at", it.0)]), *it.1 as f64)).collect();
        metric("watch_looks_total", "counter", "Looks, at everything or at what changed.", looks);
        let failures = one(self.look_failures as f64);
        metric("watch_look_failures_total", "counter", "Looks that failed.", failures);
        let last = self.last_look.map(one).unwrap_or_default();
        metric("watch_last_look_timestamp_seconds", "gauge", "When a look last succeeded.", last);
        let took = one(self.last_look_seconds);
        metric("watch_last_look_duration_seconds", "gauge", "How long that look took.", took);
        let repairs = one(self.repairs as f64);
        metric("watch_repairs_total", "counter", "Objects that were repaired.", repairs);
        let failures = one(self.repair_failures as f64);
        metric("watch_repair_failures_total", "counter", "Repairs that failed.", failures);
        let changes = one(self.changes as f64);
        metric("watch_changes_total", "counter", "Changes that repairs made.", changes);
        let left = one(f64::from(self.budget_left));
        metric("watch_budget_left", "gauge", "Changes that may still be made this hour.", left);
        metric("watch_repairing", "gauge", "1 while a repair is made.", one(flag(self.repairing)));
        let owed = one(self.owed as f64);
        metric("watch_owed", "gauge", "Objects whose repair was begun and is not done.", owed);
        let fights = one(self.fights as f64);
        metric("watch_fights", "gauge", "Objects that somebody else changes back.", fights);
        let events = self.events.iter();
        let events = events.map(|it| (labels(&[("provider", it.0)]), *it.1 as f64)).collect();
        metric("watch_events_total", "counter", "What the systems told of.", events);
        let ears = self.ears.iter();
        let ears =
            ears.map(|it| (labels(&[("provider", it.0)]), flag(*it.1 == Ear::Following))).collect();
        metric("watch_following", "gauge", "1 if the system tells what happens.", ears);
        let webhooks = self.webhooks.iter();
        let webhooks = webhooks.map(|it| (labels(&[("outcome", it.0)]), *it.1 as f64)).collect();
        metric("watch_webhooks_total", "counter", "Messages to the webhook.", webhooks);
        out
    }
}

fn labels(them: &[(&str, &str)]) -> String {
    let escaped = |it: &str| it.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let them: Vec<String> =
        them.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
    format!("{{{}}}", them.join(","))
}
