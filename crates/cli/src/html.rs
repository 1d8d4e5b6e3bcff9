//! `-html=FILE`: a plan, or what drifted, as a file to look at.

use std::path::Path;

use plumb_diag::Diagnostics;
use plumb_drift::DriftReport;
use plumb_engine::PlanOutcome;
use plumb_model::plan::Plan;
use plumb_planner::PlanMode;
use plumb_report::{
    HtmlHistory, HtmlPlan, HtmlReport, PlanText, Style, html_findings, html_report,
};

use crate::args::BackupFlags;
use crate::context::Context;
use crate::planning::{self, Prepared};
use crate::{files, picture};

/// Variables in which runners say which commit they work on.
const COMMIT: [&str; 3] = ["GITHUB_SHA", "CI_COMMIT_SHA", "CI_COMMIT_ID"];

/// How much of the history a report shows.
const HISTORY_MAX: usize = 100;

/// Writes the plan.
pub(crate) fn write_plan(
    path: &str,
    context: &Context,
    prepared: &Prepared,
    outcome: &PlanOutcome,
) -> Result<(), Diagnostics> {
    let plan: &Plan = &outcome.planned.plan;
    let mode = prepared.options.mode;
    let schemas = context.schemas();
    let relevant = planning::relevant(&prepared.program, plan);
    let notes = planning::notes(plan, false);
    let network = picture::of_plan(prepared, outcome);
    let text = PlanText {
        plan,
        schemas: &schemas,
        mode: planning::report_mode(mode),
        relevant: Some(&relevant),
        style: Style::PLAIN,
    };
    let title = match mode {
        PlanMode::Normal => "Plan",
        PlanMode::Destroy => "Plan to destroy everything",
        PlanMode::RefreshOnly => "What has changed outside",
    };
    let report = HtmlReport {
        title: title.to_owned(),
        facts: facts(context, prepared),
        plan: Some(HtmlPlan { text, notes: &notes, sources: &prepared.loaded.sources }),
        network: Some(&network),
        ..HtmlReport::default()
    };
    files::replace(path, &html_report(&report))
}

/// What drifted.
pub(crate) fn drift(
    context: &Context,
    prepared: &Prepared,
    outcome: &PlanOutcome,
    report: &DriftReport,
) -> String {
    let findings = html_findings(report);
    let network = picture::of_drift(prepared, outcome);
    html_report(&HtmlReport {
        title: "Drift".to_owned(),
        facts: facts(context, prepared),
        network: Some(&network),
        findings: Some(&findings),
        history: &history(context, prepared),
        ..HtmlReport::default()
    })
}

/// What earlier runs found to have moved, the newest first.
fn history(context: &Context, prepared: &Prepared) -> Vec<HtmlHistory> {
    // Told for people: one that cannot be read is left out.
    let schemas = context.schemas();
    let store = context.store(&prepared.backend, &BackupFlags::default(), schemas);
    let entries = store.ok().and_then(|it| it.history().ok()).unwrap_or_default();
    let told = entries.iter().rev().flat_map(|entry| {
        let mut detail = format!("taken in by {} as serial {}", entry.who, entry.serial);
        if !entry.info.is_empty() {
            detail += &format!(", {}", entry.info);
        }
        entry.drifted.iter().map(move |it| HtmlHistory {
            when: entry.time.clone(),
            what: it.class.clone(),
            address: it.address.clone(),
            detail: detail.clone(),
        })
    });
    told.take(HISTORY_MAX).collect()
}

/// What every report says of where it comes from.
fn facts(context: &Context, prepared: &Prepared) -> Vec<(String, String)> {
    let mut facts = vec![("Workspace".to_owned(), prepared.inputs.workspace.to_string())];
    let folder = Path::new(&*prepared.inputs.working_dir).file_name();
    facts.extend(folder.map(|it| ("Folder".to_owned(), it.to_string_lossy().into_owned())));
    facts.push(("Time".to_owned(), prepared.inputs.plan_time.to_string()));
    let commit = COMMIT.iter().find_map(|it| context.env.get(*it).filter(|it| !it.is_empty()));
    facts.extend(commit.map(|it| ("Commit".to_owned(), it.clone())));
    facts
}
