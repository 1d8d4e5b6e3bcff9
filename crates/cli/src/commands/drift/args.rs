//! The options of `drift`, and those that `watch` has in common with it.

use clap::Args;
use plumb_diag::Diagnostics;
use plumb_model::Target;
use plumb_planner::PlanMode;

use crate::args::{PlanFlags, VarFlags, ViewFlags};
use crate::context::Context;
use crate::planning::{Asked, Prepared, named, prepare};
use crate::variables::Typed;

/// Where a report goes: standard output, or a file.
const TO: &str = "FILE";

/// What is looked at: once, or all the time.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct LookFlags {
    /// Limit the look to the given module, resource, or resource instance. May be given more than once
    #[arg(long, value_name = "RESOURCE")]
    pub(crate) target: Vec<String>,
    /// Leave out the given module, resource, or resource instance. May be given more than once
    #[arg(long, value_name = "RESOURCE")]
    pub(crate) exclude: Vec<String>,
    /// Let the drift at this address not count; "*" stands for any text. May be given more than once
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) ignore: Vec<String>,
    /// Do not look for what stands beside our objects (-foreign=false)
    #[arg(long, value_name = "BOOL")]
    pub(crate) foreign: Option<bool>,
    /// Limit the number of concurrent operations
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(crate) parallelism: usize,
    #[command(flatten)]
    pub(crate) vars: VarFlags,
    /// Path to the state file, "terraform.tfstate" unless said otherwise
    #[arg(long, value_name = "PATH")]
    pub(crate) state: Option<String>,
}

impl LookFlags {
    /// What is left out.
    pub(crate) fn excluded(&self) -> Result<Vec<Target>, Diagnostics> {
        let mut errors = Diagnostics::new();
        let excluded = named(&self.exclude, "exclude", &mut errors);
        if errors.is_empty() { Ok(excluded) } else { Err(errors) }
    }

    /// Reads the configuration that is looked after. `input`: a person may be asked.
    pub(crate) fn prepare(
        &self,
        context: &Context,
        typed: &[Typed],
        input: bool,
    ) -> Result<Prepared, Diagnostics> {
        let flags = PlanFlags {
            target: self.target.clone(),
            parallelism: self.parallelism,
            ..PlanFlags::default()
        };
        let asked = Asked {
            verb: "plan",
            flags: &flags,
            mode: PlanMode::Normal,
            typed,
            input,
            state: self.state.as_deref(),
        };
        prepare(context, &asked)
    }
}

#[derive(Args, Clone, Debug, Default)]
pub(crate) struct DriftArgs {
    /// Tell drift from what the configuration asks for by itself: exit code 0 for neither, 2 for drift, 4 for pending changes, 6 for both
    #[arg(long)]
    pub(crate) detailed: bool,
    /// Accepted for compatibility: 0 without drift, 2 with drift, 1 for errors is what is returned anyway
    #[arg(long)]
    pub(crate) detailed_exitcode: bool,
    #[command(flatten)]
    pub(crate) look: LookFlags,
    /// Write the drift that is found at this address into drift.plumb.hcl as accepted; "*" stands for any text. Needs -reason
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) accept: Vec<String>,
    /// Why the drift is accepted
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// The last day on which it is accepted, such as 2026-12-31, or "never"; in 30 days if left out
    #[arg(long, value_name = "DAY")]
    pub(crate) expires: Option<String>,
    /// The JSON report of an earlier run: what it found already keeps the time at which it was first seen. A file that does not exist yet counts as empty
    #[arg(long, value_name = TO)]
    pub(crate) previous: Option<String>,
    /// Write the report as JSON, to standard output or to a file
    #[arg(long, value_name = TO, num_args = 0..=1, require_equals = true, default_missing_value = "-")]
    pub(crate) json: Option<String>,
    /// Write the report as JSON to a file, beside what people read
    #[arg(long, value_name = TO)]
    pub(crate) json_into: Option<String>,
    /// Write the report as Markdown, to standard output or to a file
    #[arg(long, value_name = TO, num_args = 0..=1, require_equals = true, default_missing_value = "-")]
    pub(crate) markdown: Option<String>,
    /// Write the report as JUnit XML, to standard output or to a file
    #[arg(long, value_name = TO, num_args = 0..=1, require_equals = true, default_missing_value = "-")]
    pub(crate) junit_xml: Option<String>,
    /// Write the report as SARIF 2.1.0, to standard output or to a file
    #[arg(long, value_name = TO, num_args = 0..=1, require_equals = true, default_missing_value = "-")]
    pub(crate) sarif: Option<String>,
    /// Write metrics for the textfile collector of Prometheus
    #[arg(long, value_name = TO)]
    pub(crate) prometheus: Option<String>,
    /// Tell a runner of GitHub Actions, Forgejo or Gitea: annotations, the summary and the outputs of the step. On by itself inside such a runner (-github=false)
    #[arg(long, value_name = "BOOL")]
    pub(crate) github: Option<bool>,
    /// Write a report to look at with a browser: what drifted, and the network as it was left and as it is
    #[arg(long, value_name = TO)]
    pub(crate) html: Option<String>,
    /// Accepted for compatibility: a look takes no lock
    #[arg(long, value_name = "BOOL")]
    pub(crate) lock: Option<bool>,
    #[command(flatten)]
    pub(crate) view: ViewFlags,
}
