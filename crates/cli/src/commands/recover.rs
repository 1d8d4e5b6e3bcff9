//! `recover`: what an interrupted run left, looked into and written down; nothing else is changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use plumb_diag::{Diagnostic, Diagnostics};
use plumb_engine::Observer;
use plumb_model::event::{Effect, Event, Intended};
use plumb_model::state::Token;
use plumb_planner::PlanMode;
use plumb_state::Opened;
use serde_json::json;

use crate::INTERRUPTED;
use crate::args::{PlanFlags, RecoverArgs};
use crate::context::{Context, store_error};
use crate::planning::{self, Asked};
use crate::screen::Screen;
use crate::variables::Typed;

/// One call that was never heard back from.
struct Doubt {
    address: String,
    /// `create`, `update`, `delete`
    operation: &'static str,
    /// What became of it, for a person.
    found: String,
    /// The same in a word: `adopted`, `applied`, `deleted`, `did not happen`.
    outcome: &'static str,
}

pub(crate) async fn recover(
    context: &Context,
    args: &RecoverArgs,
    typed: &[Typed],
) -> Result<i32, Diagnostics> {
    let flags = PlanFlags { parallelism: args.parallelism, ..PlanFlags::default() };
    let asked = Asked {
        verb: "recover",
        flags: &flags,
        mode: PlanMode::RefreshOnly,
        typed,
        input: context.may_ask(args.vars.input),
        state: args.state.state.as_deref(),
    };
    let mut prepared = planning::prepare(context, &asked)?;
    // Only what is in doubt is looked at.
    prepared.options.skip_refresh = true;
    let engine = context.engine(args.parallelism);
    let store = context.store(&prepared.backend, &args.backup, engine.schemas().clone())?;
    let opened = context.open_silently(&store, &args.state, "recover")?;
    let Opened { mut state, mut lease, recovery } = opened;
    let intents: BTreeMap<Token, _> =
        state.in_doubt.iter().map(|(token, it)| (*token, it.action.clone())).collect();
    let interrupt = planning::interrupts();
    let screen: Arc<dyn Observer> = Screen::new(&context.ui);
    let result = async {
        let mut doubts = Vec::new();
        if !intents.is_empty() {
            let made = planning::make(&engine, &prepared, &state, &screen, &interrupt).await?;
            let Some(outcome) = made else { return Ok::<_, Diagnostics>(None) };
            let settled = outcome.planned.plan.refresh.iter();
            let events: Vec<Event> =
                settled.filter(|it| matches!(it, Event::Settled { .. })).cloned().collect();
            for event in &events {
                doubts.extend(doubt(&intents, event));
                state.record(event).map_err(|it| {
                    vec![Diagnostic::error("Cannot take over what was found", it.to_string())]
                })?;
            }
            lease.append(&events).map_err(|it| vec![store_error(&it)])?;
        }
        // What the journal held is in the state file from here on.
        lease.checkpoint(&state).map_err(|it| vec![store_error(&it)])?;
        Ok(Some(doubts))
    }
    .await;
    let closed = lease.close().map_err(|it| vec![store_error(&it)]);
    let Some(doubts) = result? else {
        context.ui.say("\nInterrupted. Nothing was changed.");
        return Ok(INTERRUPTED);
    };
    closed?;
    let left: Vec<String> =
        state.in_doubt.values().map(|it| it.action.addr().to_string()).collect();
    match args.json {
        true => {
            let doubts: Vec<_> = (doubts.iter())
                .map(|it| {
                    json!({"address": it.address, "operation": it.operation, "outcome": it.outcome})
                })
                .collect();
            let report = json!({
                "events": recovery.events,
                "torn_bytes": recovery.torn_bytes,
                "torn": recovery.torn,
                "settled": doubts,
                "in_doubt": left,
            });
            context.ui.print(&format!("{report:#}\n"));
        }
        false => tell(context, recovery.events, &doubts, &left),
    }
    Ok(i32::from(!left.is_empty()))
}

fn tell(context: &Context, events: usize, doubts: &[Doubt], left: &[String]) {
    if events == 0 && doubts.is_empty() {
        context.ui.say("There is nothing to recover: the last run ended well.");
        return;
    }
    for it in doubts {
        context
            .ui
            .say(&format!("{}: {} of an interrupted run {}", it.address, it.operation, it.found));
    }
    for address in left {
        context.ui.say(&format!("{address}: still in doubt, see above"));
    }
    context.ui.say(&format!(
        "\nRecovered: {events} events were taken over from the journal, {} doubts settled, {} left.",
        doubts.len(),
        left.len()
    ));
}

fn doubt(intents: &BTreeMap<Token, Intended>, event: &Event) -> Option<Doubt> {
    let Event::Settled { token, left } = event else { return None };
    let intended = intents.get(token)?;
    let operation = match intended {
        Intended::Create { .. } => "create",
        Intended::Update { .. } => "update",
        Intended::Delete { .. } => "delete",
    };
    let (outcome, found) = match (left, intended) {
        (Effect::Made(remote), Intended::Create { .. }) => {
            let id = remote.attrs.get_attr("id").and_then(|it| it.as_str()).unwrap_or("no id");
            ("adopted", format!("had made an object ({id}): adopted"))
        }
        (Effect::Made(_), _) => {
            ("applied", "was looked up: what is there was taken over".to_owned())
        }
        (Effect::Deleted, _) => ("deleted", "had deleted the object: forgotten".to_owned()),
        (Effect::Nothing, _) => ("did not happen", "had not happened".to_owned()),
    };
    Some(Doubt { address: intended.addr().to_string(), operation, found, outcome })
}
