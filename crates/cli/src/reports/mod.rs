//! What pipelines are told beside people: gathered while a verb works, written when it is done and
//! the state is safe.

mod flags;
mod github;
mod into;
mod place;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use plumb_diag::{Diagnostic, Diagnostics, Sources};
use plumb_model::plan::Plan;
use plumb_model::state::CheckResult;
use plumb_planner::PlanMode;
use plumb_report::{
    Counts, PlanMarkdown, PlanText, checks_junit, gitlab_report, plan_markdown, problems_markdown,
    sarif_diagnostics,
};

use crate::args::Verb;
use crate::context::Context;
use crate::planning::{self, Prepared};
use crate::ui::{Said, Ui, now};
use crate::{INTERRUPTED, VERSION, files};

pub(crate) use flags::{DiagnosticReportFlags, ReportFlags};
use github::Runner;
pub(crate) use into::EventFile;

/// What GitHub takes for a comment, with room for a few words around.
pub(crate) const COMMENT_BYTES_MAX: usize = 60_000;

/// The reports that were asked for, and what is known for them so far.
#[derive(Default)]
pub(crate) struct Reports {
    flags: ReportFlags,
    /// Of a verb that is known to pipelines.
    runner: Option<Runner>,
    gathered: Mutex<Gathered>,
}

#[derive(Default)]
struct Gathered {
    planned: Option<Planned>,
    checks: Option<Vec<CheckResult>>,
    /// Whether something drifted, and all about it.
    drift: Option<bool>,
    drift_summary: String,
    drift_annotations: String,
}

/// A plan, as far as reports need it.
struct Planned {
    counts: Counts,
    changes: bool,
    drift: bool,
    comment: String,
    summary: String,
    gitlab: String,
}

/// The reports of a verb, and the view changed so that it serves them.
pub(crate) fn begin(
    verb: &Verb,
    ui: &mut Ui,
    env: &BTreeMap<String, String>,
) -> Result<Reports, Diagnostics> {
    let Some(flags) = flags::of(verb) else { return Ok(Reports::default()) };
    let to_stdout = flags.to_stdout();
    if to_stdout + usize::from(ui.json) > 1 {
        let detail = "Each would be in the middle of the other. Give all but one a file.";
        return Err(vec![Diagnostic::error("More than one report to standard output", detail)]);
    }
    let events = flags.json_into.as_deref().map(EventFile::create).transpose()?;
    let runner = Runner::find(flags.diagnostics.github, env);
    let reports = Reports { flags, runner, gathered: Mutex::default() };
    ui.beside(events, to_stdout > 0, reports.wanted());
    Ok(reports)
}

impl Reports {
    fn gathered(&self) -> MutexGuard<'_, Gathered> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether somebody is to be told anything.
    fn wanted(&self) -> bool {
        self.flags.any() || self.runner.is_some()
    }

    /// A plan was made.
    pub(crate) fn planned(
        &self,
        context: &Context,
        plan: &Plan,
        prepared: &Prepared,
        mode: PlanMode,
        notes: &[Diagnostic],
    ) {
        if !self.wanted() {
            return;
        }
        let schemas = context.schemas();
        let relevant = planning::relevant(&prepared.program, plan);
        let sources = place::in_repository(&prepared.loaded.sources, &context.env);
        let text = PlanText {
            plan,
            schemas: &schemas,
            mode: planning::report_mode(mode),
            relevant: Some(&relevant),
            style: context.ui.out,
        };
        let workspace = &*prepared.backend.workspace;
        let markdown = PlanMarkdown { text, notes, sources: &sources, workspace };
        let of = |wanted: bool, bytes_max: usize| match wanted {
            true => plan_markdown(markdown, bytes_max),
            false => String::new(),
        };
        let mut gathered = self.gathered();
        gathered.checks = Some(plan.checks.clone());
        gathered.planned = Some(Planned {
            counts: Counts::of(plan),
            changes: planning::changes_something(plan, mode),
            drift: !plan.drift.is_empty(),
            comment: of(self.flags.markdown.is_some(), self.flags.comment_bytes_max()),
            summary: of(self.runner.is_some(), github::SUMMARY_BYTES_MAX / 2),
            gitlab: gitlab_report(plan),
        });
    }

    /// A plan was carried out; the checks were asked again.
    pub(crate) fn applied(&self, checks: &[CheckResult]) {
        if self.wanted() {
            self.gathered().checks = Some(checks.to_vec());
        }
    }

    /// It was looked for drift.
    pub(crate) fn drifted(
        &self,
        context: &Context,
        report: &plumb_drift::DriftReport,
        sources: &Sources,
    ) {
        if self.runner.is_none() {
            return;
        }
        let sources = place::in_repository(sources, &context.env);
        let mut gathered = self.gathered();
        gathered.drift = Some(report.has_drift());
        gathered.drift_summary =
            plumb_report::drift_markdown(report, &sources, github::SUMMARY_BYTES_MAX / 2);
        gathered.drift_annotations = plumb_report::drift_annotations(report, &sources);
    }

    /// Writes all of them. The exit code of the process, given that of the work.
    pub(crate) fn finish(&self, context: &Context, code: i32) -> i32 {
        let mut errors = Diagnostics::new();
        if self.wanted() {
            self.write(context, code, &mut errors);
        }
        errors.extend(context.ui.close_events().err().into_iter().flatten());
        if errors.is_empty() {
            return code;
        }
        context.ui.diagnostics(&errors);
        if code == INTERRUPTED { code } else { 1 }
    }

    fn write(&self, context: &Context, code: i32, errors: &mut Diagnostics) {
        let Said { diagnostics: said, sources } = context.ui.said();
        let sources = place::in_repository(&sources, &context.env);
        let gathered = self.gathered();
        let mut write = |to: &Option<String>, text: &dyn Fn() -> Option<String>| {
            let Some(path) = to.as_deref() else { return };
            match (path, text()) {
                (_, None) => {}
                ("-", Some(text)) => context.ui.deliver(&text),
                (path, Some(text)) => {
                    errors.extend(files::replace(path, &text).err().into_iter().flatten())
                }
            }
        };
        let planned = gathered.planned.as_ref();
        let problems = |bytes_max: usize| problems(&said, &sources, code, bytes_max);
        write(&self.flags.markdown, &|| {
            let bytes_max = self.flags.comment_bytes_max();
            let problems = problems(bytes_max / 4);
            let plan = planned.map(|it| it.comment.as_str()).unwrap_or_default();
            // Both have room: the plan gives way.
            let rest = bytes_max.saturating_sub(plan.len());
            Some(if problems.len() <= rest { problems + plan } else { problems })
        });
        // Without a plan there are no numbers, and no numbers are not zeros.
        write(&self.flags.gitlab_report, &|| planned.map(|it| it.gitlab.clone()));
        write(&self.flags.junit_xml, &|| {
            Some(checks_junit(gathered.checks.as_deref().unwrap_or_default(), &now()))
        });
        write(&self.flags.diagnostics.sarif, &|| Some(sarif_diagnostics(&said, &sources, VERSION)));
        if let Some(runner) = &self.runner {
            let mut summary = problems(github::SUMMARY_BYTES_MAX / 4);
            summary += planned.map(|it| it.summary.as_str()).unwrap_or_default();
            summary += &gathered.drift_summary;
            let annotations =
                plumb_report::annotations(&said, &sources) + &gathered.drift_annotations;
            context.ui.command(&annotations);
            errors.extend(runner.summary(&summary).err().into_iter().flatten());
            let outputs = runner.outputs(&outputs(&gathered, code));
            errors.extend(outputs.err().into_iter().flatten());
        }
    }
}

/// What the verb says at its end, if it did not go well.
fn problems(said: &[Diagnostic], sources: &Sources, code: i32, bytes_max: usize) -> String {
    let title = match code {
        INTERRUPTED => "Interrupted",
        1 => "Failed",
        _ => return String::new(),
    };
    let errors: Diagnostics = said.iter().filter(|it| it.is_error()).cloned().collect();
    problems_markdown(title, &errors, sources, bytes_max) + "\n"
}

/// The outputs of a step.
fn outputs(gathered: &Gathered, code: i32) -> Vec<(&'static str, String)> {
    let mut res = vec![("exitcode", code.to_string())];
    if let Some(planned) = &gathered.planned {
        let Counts { add, change, remove, import, forget } = planned.counts;
        res.push(("changes", planned.changes.to_string()));
        for (name, count) in [
            ("add", add),
            ("change", change),
            ("destroy", remove),
            ("import", import),
            ("forget", forget),
        ] {
            res.push((name, count.to_string()));
        }
    }
    let planned = gathered.planned.as_ref().map(|it| it.drift);
    if let Some(drift) = gathered.drift.or(planned) {
        res.push(("drift", drift.to_string()));
    }
    res
}
