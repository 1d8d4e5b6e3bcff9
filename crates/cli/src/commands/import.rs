//! `import`: brings an object in, and changes nothing else.

use std::sync::Arc;

use plumb_diag::{Diagnostic, Diagnostics};
use plumb_engine::Observer;
use plumb_model::Target;
use plumb_model::addr::Addr;
use plumb_model::event::Event;
use plumb_planner::PlanMode;
use plumb_state::Opened;

use crate::INTERRUPTED;
use crate::args::{ImportArgs, PlanFlags};
use crate::context::{Context, store_error};
use crate::planning::{self, Asked};
use crate::screen::Screen;
use crate::variables::Typed;

pub(crate) async fn import(
    context: &Context,
    args: &ImportArgs,
    typed: &[Typed],
) -> Result<i32, Diagnostics> {
    let error = |summary: &str, detail: String| vec![Diagnostic::error(summary, detail)];
    let addr: Addr = args
        .addr
        .parse()
        .map_err(|it: plumb_model::BadAddr| error("Invalid address", format!("{it}.")))?;
    let flags = PlanFlags { parallelism: args.parallelism, ..PlanFlags::default() };
    let asked = Asked {
        verb: "import",
        flags: &flags,
        mode: PlanMode::Normal,
        typed,
        input: context.may_ask(args.vars.input),
        state: args.state.state.as_deref(),
    };
    let mut prepared = planning::prepare(context, &asked)?;
    if prepared.program.find(&addr.config()).is_none() {
        let resource = &addr.resource;
        return Err(error(
            &format!("Resource address {:?} does not exist in the configuration", args.addr),
            format!(
                "Before importing this resource, please create its configuration in {}. For \
                 example:\n\nresource {:?} {:?} {{\n  # (resource arguments)\n}}",
                if addr.module.is_root() {
                    "the root module".to_owned()
                } else {
                    addr.module.path().to_string()
                },
                &*resource.kind,
                &*resource.name
            ),
        ));
    }
    prepared.options.imports = vec![(addr.clone(), args.id.as_str().into())];
    prepared.options.targets = vec![Target::Resource(addr.clone())];
    let engine = context.engine(args.parallelism);
    let store = context.store(&prepared.backend, &args.backup, engine.schemas().clone())?;
    let Opened { mut state, mut lease, .. } =
        context.open(&store, &args.state, "OperationTypeApply")?;
    let interrupt = planning::interrupts();
    let screen: Arc<dyn Observer> = Screen::new(&context.ui);
    let result = async {
        if state.current(&addr).is_some() {
            let detail = format!(
                "Plumb is already managing a remote object for {addr}. To import to this address \
                 you must first remove the existing object from the state."
            );
            return Err(error("Resource already managed by Plumb", detail));
        }
        context.ui.say(&format!("{addr}: Importing from ID {:?}...", args.id));
        let made = planning::make(&engine, &prepared, &state, &screen, &interrupt).await?;
        let Some(outcome) = made else { return Ok(false) };
        // Only what brings it in; what the configuration wants of it is for the next apply.
        let is_ours = |it: &&Event| matches!(it, Event::Recorded { key, .. } if key.addr == addr);
        let events: Vec<Event> =
            outcome.planned.plan.refresh.iter().filter(is_ours).cloned().collect();
        if events.is_empty() {
            let detail = format!("The provider found no object with the id {:?}.", args.id);
            return Err(error("Cannot import non-existent remote object", detail));
        }
        for event in &events {
            state.record(event).map_err(|it| error("Import failed", it.to_string()))?;
        }
        let written = lease.append(&events).and_then(|()| lease.checkpoint(&state));
        written.map(|_| true).map_err(|it| vec![store_error(&it)])
    }
    .await;
    let closed = lease.close().map_err(|it| vec![store_error(&it)]);
    if !result? {
        context.ui.say("\nInterrupted. Nothing was changed.");
        return Ok(INTERRUPTED);
    }
    closed?;
    context.ui.say(&format!(
        "{addr}: Import complete!\n\nImport successful!\n\nThe resources that were imported are \
         shown above. These resources are now in\nyour Plumb state and will henceforth be managed \
         by Plumb.\n"
    ));
    Ok(0)
}
