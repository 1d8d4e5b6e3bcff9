//! `drift`: tells what moved away, and changes nothing: it opens the state for reading, takes no
//! lock, and asks providers nothing but how things are. `-accept` alone writes, to the baseline.

mod accept;
mod args;
mod look;

use std::sync::Arc;

use plumb_diag::{Diagnostic, Diagnostics};
use plumb_drift::{DriftReport, Previous};
use plumb_engine::{Observer, Silent};
use plumb_model::question::Observations;
use plumb_report::{
    drift_json, drift_junit, drift_markdown, drift_prometheus, drift_sarif, drift_text,
    read_previous,
};

use crate::args::BackupFlags;
use crate::context::{Context, store_error};
use crate::planning::{self, Prepared};
use crate::reports::COMMENT_BYTES_MAX;
use crate::variables::Typed;
use crate::{INTERRUPTED, VERSION, files, html};

pub(crate) use args::{DriftArgs, LookFlags};
pub(crate) use look::{Looked, Wanted, look};

/// Tells what moved away.
pub(crate) async fn drift(
    context: &Context,
    args: &DriftArgs,
    typed: &[Typed],
) -> Result<i32, Diagnostics> {
    let excluded = args.look.excluded()?;
    let until = accept::last_day(args.expires.as_deref(), chrono::Utc::now().date_naive())?;
    if !args.accept.is_empty() && args.reason.as_deref().is_none_or(|it| it.trim().is_empty()) {
        let detail = "Whoever reads this later needs to know why the drift was let be: say it \
                      with -reason.";
        return Err(vec![Diagnostic::error("Missing reason", detail)]);
    }
    let previous = previous(args.previous.as_deref())?;
    let input = context.may_ask(args.look.vars.input) && !to_stdout(args);
    let prepared = args.look.prepare(context, typed, input)?;
    let engine = context.engine_reading_whole(args.look.parallelism);
    let schemas = engine.schemas().clone();
    let store = context.store(&prepared.backend, &BackupFlags::default(), schemas)?;
    let (state, _) = store.read_only().map_err(|it| vec![store_error(&it)])?;
    let interrupt = planning::interrupts();
    let observer: Arc<dyn Observer> = Arc::new(Silent);
    let wanted = Wanted {
        ignored: &args.look.ignore,
        excluded: &excluded,
        previous: &previous,
        foreign: (args.look.foreign == Some(false)).then_some(&[]),
    };
    let seen = Observations::new();
    let looked = look(&engine, &prepared, &state, seen, wanted, &observer, &interrupt).await?;
    let Some(Looked { report, outcome, .. }) = looked else {
        context.ui.say("\nInterrupted while looking. Nothing was changed.");
        return Ok(INTERRUPTED);
    };
    if !args.accept.is_empty() {
        let said = accept::Said {
            reason: args.reason.as_deref().unwrap_or_default(),
            expires: until.as_deref(),
        };
        return accept(context, &report, &args.accept, said);
    }
    if let Some(path) = &args.html {
        let page = html::drift(context, &prepared, &outcome, &report);
        files::replace(path, &page)?;
    }
    tell(context, args, &prepared, &report)?;
    Ok(code(&report, args.detailed))
}

/// What the process ends with.
fn code(report: &DriftReport, detailed: bool) -> i32 {
    let drift = if report.has_drift() { 2 } else { 0 };
    let pending = if detailed && !report.pending.is_empty() { 4 } else { 0 };
    drift + pending
}

/// What an earlier run found. A first run has none.
fn previous(path: Option<&str>) -> Result<Previous, Diagnostics> {
    let Some(path) = path else { return Ok(Previous::default()) };
    let bad = |why: String| vec![Diagnostic::error(format!("Cannot use the report {path}"), why)];
    match std::fs::read_to_string(path) {
        Ok(text) if text.trim().is_empty() => Ok(Previous::default()),
        Ok(text) => read_previous(&text).map_err(bad),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Previous::default()),
        Err(error) => Err(bad(format!("It cannot be read: {error}."))),
    }
}

/// Whether a report takes the place of what people read.
fn to_stdout(args: &DriftArgs) -> bool {
    let options = [&args.json, &args.markdown, &args.junit_xml, &args.sarif, &args.json_into];
    options.iter().chain([&&args.prometheus]).any(|it| it.as_deref() == Some("-"))
}

/// Writes every report that was asked for, and the one for people unless another takes its place.
fn tell(
    context: &Context,
    args: &DriftArgs,
    prepared: &Prepared,
    report: &DriftReport,
) -> Result<(), Diagnostics> {
    let sources = &prepared.loaded.sources;
    context.reports.drifted(context, report, sources);
    let mut errors = Diagnostics::new();
    let mut write = |to: &Option<String>, text: &dyn Fn() -> String| match to.as_deref() {
        None => {}
        Some("-") => context.ui.print(&text()),
        Some(path) => errors.extend(files::replace(path, &text()).err().into_iter().flatten()),
    };
    let json = || drift_json(report, sources);
    write(&args.json, &json);
    write(&args.json_into, &json);
    write(&args.markdown, &|| drift_markdown(report, sources, COMMENT_BYTES_MAX));
    write(&args.junit_xml, &|| drift_junit(report, sources));
    write(&args.sarif, &|| drift_sarif(report, sources, VERSION));
    write(&args.prometheus, &|| drift_prometheus(report));
    if !to_stdout(args) {
        context.ui.print(&drift_text(report, sources, context.ui.out));
        context.ui.diagnostics(&report.notes);
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

fn accept(
    context: &Context,
    report: &DriftReport,
    addresses: &[String],
    said: accept::Said<'_>,
) -> Result<i32, Diagnostics> {
    let findings = accept::chosen(report, addresses)?;
    let old = match std::fs::read_to_string(accept::FILE) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => {
            let detail = format!("{} cannot be read: {error}.", accept::FILE);
            return Err(vec![Diagnostic::error("Cannot accept drift", detail)]);
        }
    };
    let new = accept::accepted(&old, &findings, said);
    files::replace(accept::FILE, &new)?;
    let until = said.expires.map_or_else(|| "for good".to_owned(), |it| format!("until {it}"));
    for it in &findings {
        context.ui.say(&format!("Accepted {until}: {} ({})", it.address, it.class.name()));
    }
    if findings.is_empty() {
        context.ui.say("All of it is accepted already.");
    }
    Ok(0)
}
