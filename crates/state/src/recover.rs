//! What the files of a state say together: the decision, without touching any of them.

use plumb_model::event::{Effect, Event};
use plumb_model::state::State;

use crate::backend::{Keep, Names};
use crate::error::StoreError;
use crate::journal::{Contents, Folding, Header};

/// What was found on disk.
#[derive(Default)]
pub(crate) struct Found {
    /// The snapshot and its measure. None if it is missing or empty.
    pub(crate) snapshot: Option<(State, Folding)>,
    /// The journal.
    pub(crate) journal: Option<Contents>,
    /// The journal that was to follow a snapshot in the making.
    pub(crate) next: Option<Contents>,
    /// Whether the backup holds objects.
    pub(crate) backup_has_objects: bool,
}

/// What to make of it.
pub(crate) struct Decision {
    /// What is remembered. Without a lineage if it is new.
    pub(crate) state: State,
    /// What becomes of the journal.
    pub(crate) journal: Keep,
    /// The journal that counts: what its events come to is in `state`.
    pub(crate) contents: Option<Contents>,
}

/// Decides. The names are only for the explanation of a refusal.
pub(crate) fn decide(found: Found, names: &Names) -> Result<Decision, StoreError> {
    let Names { state, journal, backup } = names;
    let backup = backup.as_deref().unwrap_or_default();
    let refuse = |summary: &str, detail: String| {
        Err(StoreError::Refused { summary: summary.into(), detail })
    };
    let Found { snapshot, journal: current, next, backup_has_objects } = found;
    let measure = snapshot.as_ref().map(|(_, measure)| *measure);
    let header = snapshot
        .as_ref()
        .map(|(state, _)| Header { lineage: state.lineage.clone(), serial: state.serial });
    let current = current.filter(|it| it.header.is_some());
    // The rename that makes the new snapshot is what makes its journal valid, too.
    if let Some(next) = next.filter(|it| it.header.is_some() && it.header == header)
        && current.as_ref().is_none_or(|it| it.folding == measure)
    {
        return replay(snapshot, next, Keep::Next, journal);
    }
    let Some(current) = current else {
        return match snapshot {
            Some((state, _)) => Ok(Decision { state, journal: Keep::Neither, contents: None }),
            None if backup_has_objects => refuse(
                "State file is empty",
                format!(
                    "`{state}` is missing or empty, but its backup `{backup}` lists objects: the \
                     program that wrote the state last was probably interrupted. To go on from the \
                     backup, copy it to `{state}`. To start anew and forget those objects, move \
                     the backup away."
                ),
            ),
            None => {
                Ok(Decision { state: State::default(), journal: Keep::Neither, contents: None })
            }
        };
    };
    let follows = match &current.header {
        Some(header) => header.clone(),
        None => unreachable!("journals without a header were left aside"),
    };
    let folded = measure.is_some() && current.folding == measure;
    let idle = current.events.iter().all(|it| matches!(it, Event::RunStarted { .. }));
    if snapshot.is_some() && header.as_ref() != Some(&follows) && (folded || idle) {
        let state = snapshot.map(|(state, _)| state).unwrap_or_default();
        return Ok(Decision { state, journal: Keep::Neither, contents: None });
    }
    let events = current.events.len();
    let serial = follows.serial;
    let what_to_do = format!(
        "To go on without what the journal says, move `{journal}` away; objects that were made in \
         that run are then unknown. To use it, bring back the state file as of serial {serial}: it \
         is then replayed."
    );
    match &header {
        None if serial == 0 => replay(snapshot, current, Keep::Journal, journal),
        None => refuse(
            "State file is empty",
            format!(
                "`{state}` is missing or empty, but the journal beside it follows serial {serial} \
                 of it ({events} events). {what_to_do}"
            ),
        ),
        Some(header) if *header == follows => replay(snapshot, current, Keep::Journal, journal),
        Some(header) if header.lineage != follows.lineage => refuse(
            "State and journal do not belong together",
            format!(
                "`{state}` has lineage \"{}\", but the journal beside it, of {events} events, \
                 follows a state of lineage \"{}\". {what_to_do}",
                header.lineage, follows.lineage
            ),
        ),
        Some(header) if header.serial > serial => refuse(
            "State and journal do not belong together",
            format!(
                "A run was interrupted after serial {serial} of `{state}`, and its journal holds \
                 {events} events. Before they were taken over, another program changed the state \
                 file: it is at serial {} now. {what_to_do}",
                header.serial
            ),
        ),
        Some(header) => refuse(
            "State and journal do not belong together",
            format!(
                "`{state}` is at serial {}, older than serial {serial} that the journal beside it \
                 follows ({events} events): it was probably restored from a copy. {what_to_do}",
                header.serial
            ),
        ),
    }
}

fn replay(
    snapshot: Option<(State, Folding)>,
    contents: Contents,
    keep: Keep,
    path: &str,
) -> Result<Decision, StoreError> {
    let mut state = snapshot.map(|(state, _)| state).unwrap_or_default();
    if let Some(header) = &contents.header {
        state.lineage = header.lineage.clone();
    }
    for (event, number) in contents.events.iter().zip(1..) {
        state.record(event).map_err(|error| StoreError::Refused {
            summary: "State and journal do not belong together".into(),
            detail: format!(
                "Event {number} of `{path}` does not fit the state that it follows: {}. The state \
                 file was probably changed by hand after a run was interrupted. Undo that, or move \
                 the journal away; objects that were made in that run are then unknown.",
                error.message
            ),
        })?;
    }
    Ok(Decision { state, journal: keep, contents: Some(contents) })
}

/// Whether an event changes what a snapshot holds.
pub(crate) fn is_news(event: &Event) -> bool {
    match event {
        Event::RunStarted { .. } => false,
        // As long as it is in doubt it is news as well, but none that a snapshot could hold.
        Event::Started { .. } => false,
        Event::Finished { left, .. } | Event::Settled { left, .. } => *left != Effect::Nothing,
        Event::Moved { .. }
        | Event::Drifted { .. }
        | Event::Vanished { .. }
        | Event::Seen { .. }
        | Event::Recorded { .. }
        | Event::Forgotten { .. }
        | Event::Output { .. }
        | Event::Checked { .. } => true,
    }
}
