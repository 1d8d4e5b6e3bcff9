//! `state history`: who changed the state, when, and what came of it.

use plumb_diag::{Diagnostic, Diagnostics};
use plumb_state::history::{Entry, read};

use crate::args::StateHistoryArgs;
use crate::context::Context;
use crate::load;

/// Shows the snapshots of the state, the newest first.
pub(crate) fn history(context: &Context, args: &StateHistoryArgs) -> Result<i32, Diagnostics> {
    let module = match &args.state {
        Some(_) => None,
        None => load::load(&mut load::read_folder).root().cloned(),
    };
    let backend = context.backend(module.as_deref(), args.state.as_deref())?;
    let entries = read(&backend.path).map_err(|error| {
        let detail = format!("What is kept beside {} cannot be read: {error}.", backend.path);
        vec![Diagnostic::error("Cannot read the history", detail)]
    })?;
    if args.json {
        let text = serde_json::to_string_pretty(&entries).unwrap_or_default();
        context.ui.print(&format!("{text}\n"));
        return Ok(0);
    }
    if entries.is_empty() {
        context.ui.say("There is no history of this state yet.");
    }
    entries.iter().rev().for_each(|it| context.ui.say(&line(it)));
    Ok(0)
}

fn line(entry: &Entry) -> String {
    let Entry { time, serial, who, made, changed, deleted, .. } = entry;
    let time = time.get(..19).unwrap_or(time).replace('T', " ");
    let operation = entry.operation.strip_prefix("OperationType").unwrap_or(&entry.operation);
    let mut text = format!(
        "{serial:>5}  {time}  {who}  {}  {made} added, {changed} changed, {deleted} destroyed",
        operation.to_lowercase()
    );
    if !entry.drifted.is_empty() {
        text += &format!(", {} drifted", entry.drifted.len());
    }
    if !entry.info.is_empty() {
        text += &format!("  ({})", entry.info);
    }
    text
}
