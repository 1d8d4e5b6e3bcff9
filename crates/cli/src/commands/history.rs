//! `state history`: who changed the state, when, and what came of it.

use plumb_diag::Diagnostics;
use plumb_state::history::Entry;

use crate::args::{BackupFlags, StateLookArgs};
use crate::context::{Context, store_error};

/// Shows the snapshots of the state, the newest first.
pub(crate) fn history(context: &Context, args: &StateLookArgs) -> Result<i32, Diagnostics> {
    let store = super::state::store_of(context, args.state.as_deref(), &BackupFlags::default())?;
    let entries = store.history().map_err(|it| vec![store_error(&it)])?;
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
