//! What came of all trials, as a table and as JSON.

use std::time::Duration;

use serde_json::{Value, json};

use crate::scenario::Scenario;
use crate::trial::Outcome;

/// The trials of one scenario, added up.
#[derive(Clone, Debug)]
pub struct Row {
    /// What happened.
    pub scenario: Scenario,
    /// Trials in which it did.
    pub trials: usize,
    /// See [`Outcome::made`].
    pub made: usize,
    /// See [`Outcome::lost`].
    pub lost: usize,
    /// See [`Outcome::twice`].
    pub twice: usize,
    /// See [`Outcome::invalid`].
    pub invalid: usize,
    /// See [`Outcome::refusals`].
    pub refusals: usize,
    /// Trials in which anything else was not as promised.
    pub broken: usize,
    /// Median time to recover.
    pub median: Duration,
    /// Longest time to recover.
    pub max: Duration,
    /// All of them, rising: rows of several runs can be added up.
    pub times: Vec<Duration>,
    /// What was not as promised, the first few.
    pub complaints: Vec<String>,
}

impl Row {
    /// Adds up.
    pub fn of(scenario: Scenario, outcomes: &[Outcome]) -> Row {
        let sum = |of: fn(&Outcome) -> usize| outcomes.iter().map(of).sum();
        let mut times: Vec<Duration> = outcomes.iter().map(|it| it.recovery).collect();
        times.sort();
        let complaints = outcomes.iter().flat_map(|outcome| {
            let folder = outcome.folder.as_deref().map(|it| it.display().to_string());
            let folder = folder.unwrap_or_default();
            outcome.broken.iter().map(move |it| format!("{}: {it} ({folder})", scenario.name()))
        });
        Row {
            scenario,
            trials: outcomes.len(),
            made: sum(|it| it.made),
            lost: sum(|it| it.lost),
            twice: sum(|it| it.twice),
            invalid: sum(|it| it.invalid),
            refusals: sum(|it| it.refusals),
            broken: outcomes.iter().filter(|it| !it.broken.is_empty()).count(),
            median: times.get(times.len() / 2).copied().unwrap_or_default(),
            max: times.last().copied().unwrap_or_default(),
            times,
            complaints: complaints.take(10).collect(),
        }
    }

    /// Whether everything was as promised.
    pub fn good(&self) -> bool {
        self.lost + self.twice + self.invalid + self.broken == 0
    }

    /// As JSON.
    pub fn json(&self) -> Value {
        json!({
            "scenario": self.scenario.name(),
            "trials": self.trials,
            "made": self.made,
            "lost": self.lost,
            "made_twice": self.twice,
            "invalid_states": self.invalid,
            "refusals": self.refusals,
            "otherwise_broken": self.broken,
            "recovery_seconds_median": self.median.as_secs_f64(),
            "recovery_seconds_max": self.max.as_secs_f64(),
            "recovery_seconds": self.times.iter().map(Duration::as_secs_f64).collect::<Vec<_>>(),
            "complaints": self.complaints,
        })
    }
}

/// A table in Markdown.
pub fn markdown(rows: &[Row]) -> String {
    let mut text = String::from(
        "| scenario | trials | made | lost | made twice | invalid states | refusals | otherwise \
         broken | s to recover, median | max |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n",
    );
    for row in rows {
        text.push_str(&format!(
            "| {} | {} | {} | {} | {} | {} | {} | {} | {:.1} | {:.1} |\n",
            row.scenario.name(),
            row.trials,
            row.made,
            row.lost,
            row.twice,
            row.invalid,
            row.refusals,
            row.broken,
            row.median.as_secs_f64(),
            row.max.as_secs_f64(),
        ));
    }
    text
}
