//! `state diff`, and how snapshots are named on the command line.

use plumb_diag::{Diagnostic, Diagnostics};
use plumb_model::state::State;
use plumb_report::{Named, StateDiff, state_diff_json, state_diff_text};
use plumb_state::{Store, v4};

use super::show::state_of;
use super::state::store_of;
use crate::args::{BackupFlags, StateDiffArgs};
use crate::context::{Context, store_error};

/// Shows what differs between two snapshots.
pub(crate) fn diff(context: &Context, args: &StateDiffArgs) -> Result<i32, Diagnostics> {
    let schemas = context.schemas();
    let store = store_of(context, args.state.as_deref(), &BackupFlags::default())?;
    let (before, after) =
        (find(context, &store, &args.a, None)?, find(context, &store, &args.b, None)?);
    let diff = StateDiff {
        before: Named { name: &title(&args.a), state: &before },
        after: Named { name: &title(&args.b), state: &after },
        schemas: &schemas,
    };
    if args.json {
        context.ui.print(&format!("{}\n", state_diff_json(diff)));
    } else {
        context.ui.print(&state_diff_text(diff, context.ui.out));
    }
    Ok(if args.detailed_exitcode && diff.differs() { 2 } else { 0 })
}

/// As a sentence calls it.
pub(super) fn title(name: &str) -> String {
    match name.parse::<u64>() {
        Ok(serial) => format!("serial {serial}"),
        Err(_) => name.to_owned(),
    }
}

/// The snapshot of this name: a serial that is kept, `current`, or a file. `current` is the state
/// as it is now, if that was read already.
pub(super) fn find(
    context: &Context,
    store: &Store,
    name: &str,
    current: Option<&State>,
) -> Result<State, Diagnostics> {
    let failed = |it: plumb_state::StoreError| vec![store_error(&it)];
    let now = || match current {
        Some(state) => Ok(state.clone()),
        None => store.read_only().map(|it| it.0).map_err(failed),
    };
    if name == "current" {
        return now();
    }
    let Ok(serial) = name.parse::<u64>() else { return from_file(context, name) };
    if let Some(state) = store.past_state(serial).map_err(failed)? {
        return Ok(state);
    }
    let now = now()?;
    if now.serial == serial {
        return Ok(now);
    }
    let kept: Vec<String> = store.past().map_err(failed)?.iter().map(u64::to_string).collect();
    let kept = match kept.len() {
        0 => "No earlier one is kept here; the path of a state file does as well.".to_owned(),
        _ => format!("These are kept: {}.", kept.join(", ")),
    };
    let detail = format!("The state is at serial {}. {kept}", now.serial);
    Err(vec![Diagnostic::error(format!("There is no snapshot with serial {serial}"), detail)])
}

fn from_file(context: &Context, path: &str) -> Result<State, Diagnostics> {
    let failed = |detail: String| {
        let summary = "Failed to read the snapshot";
        vec![Diagnostic::error(summary, detail)]
    };
    let bytes = std::fs::read(path).map_err(|error| {
        failed(format!(
            "{path:?} is neither a serial nor a file that can be read: {error}. Say a serial that \
             \"plumb state history\" shows, \"current\", or the path of a state file."
        ))
    })?;
    let bytes = state_of(context, path, bytes)?;
    let read = v4::read(&bytes, &context.schemas());
    read.map_err(|it| failed(format!("{path}: {} {}", it.summary, it.detail)))
}
