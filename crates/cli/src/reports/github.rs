//! A runner of GitHub Actions, or one that speaks its language, such as Forgejo's and Gitea's.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;

use plumb_diag::{Diagnostic, Diagnostics};
use plumb_report::step_output;

/// What a runner takes for the summary of a step: 1 MiB, with room for what stands there already.
pub(crate) const SUMMARY_BYTES_MAX: usize = 900_000;

/// The files of a step.
pub(crate) struct Runner {
    summary: Option<String>,
    outputs: Option<String>,
}

impl Runner {
    /// The runner that we are in: as the option says, else as it says of itself.
    pub(crate) fn find(flag: Option<bool>, env: &BTreeMap<String, String>) -> Option<Runner> {
        let says = || env.get("GITHUB_ACTIONS").is_some_and(|it| it == "true");
        let file = |name: &str| env.get(name).filter(|it| !it.is_empty()).cloned();
        flag.unwrap_or_else(says).then(|| Runner {
            summary: file("GITHUB_STEP_SUMMARY"),
            outputs: file("GITHUB_OUTPUT"),
        })
    }

    /// Adds to the summary of the step.
    pub(crate) fn summary(&self, markdown: &str) -> Result<(), Diagnostics> {
        match &self.summary {
            Some(path) if !markdown.is_empty() => append(path, &format!("{markdown}\n")),
            _ => Ok(()),
        }
    }

    /// Sets outputs of the step.
    pub(crate) fn outputs(&self, outputs: &[(&str, String)]) -> Result<(), Diagnostics> {
        let Some(path) = &self.outputs else { return Ok(()) };
        let text: String = outputs.iter().map(|(name, value)| step_output(name, value)).collect();
        append(path, &text)
    }
}

/// Earlier commands of the same step may have written there.
fn append(path: &str, text: &str) -> Result<(), Diagnostics> {
    let file = OpenOptions::new().create(true).append(true).open(path);
    file.and_then(|mut it| it.write_all(text.as_bytes())).map_err(|error| {
        let detail = format!("{path} could not be written: {error}.");
        vec![Diagnostic::error("A report could not be written", detail)]
    })
}
