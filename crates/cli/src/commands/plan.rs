//! `plan`.

use std::sync::Arc;

use plumb_diag::Diagnostics;
use plumb_engine::Observer;
use plumb_model::question::Observations;
use plumb_report::saved_text;

use super::generate::{self, Standing};
use crate::args::{BackupFlags, PlanArgs};
use crate::context::{Context, store_error};
use crate::planning::{self, Asked, Tools};
use crate::screen::Screen;
use crate::variables::Typed;
use crate::{INTERRUPTED, REFUSED, html, planfile, policy};

/// Shows what would be done.
pub(crate) async fn plan(
    context: &Context,
    args: &PlanArgs,
    typed: &[Typed],
) -> Result<i32, Diagnostics> {
    context.ui.begin_json();
    let mode = planning::mode(&args.plan)?;
    if let Some(path) = &args.generate_config_out {
        generate::refuse(path, mode)?;
    }
    let policies = policy::read(context, &args.policy)?;
    let asked = Asked {
        verb: "plan",
        flags: &args.plan,
        mode,
        typed,
        input: context.may_ask(args.vars.input) && !args.json,
        state: args.state.state.as_deref(),
    };
    let engine = context.engine(args.plan.parallelism);
    let schemas = engine.schemas().clone();
    let standing = match &args.generate_config_out {
        Some(path) => Standing::find(context, path)?,
        None => None,
    };
    let prepared = match &standing {
        Some(standing) => standing.prepare(context, &asked)?,
        None => planning::prepare(context, &asked)?,
    };
    let store = context.store(&prepared.backend, &BackupFlags::default(), schemas.clone())?;
    let opened = context.open(&store, &args.state, "OperationTypePlan")?;
    let interrupt = planning::interrupts();
    let screen: Arc<dyn Observer> = Screen::new(&context.ui);
    let tools = Tools { context, engine: &engine, screen: &screen, interrupt: &interrupt };
    let state = &opened.state;
    let made = async {
        let (prepared, seen) = match &standing {
            Some(standing) => match standing.generate(tools, prepared, state).await? {
                Some(generated) => generated,
                None => return Ok(None),
            },
            None => (prepared, Observations::new()),
        };
        let options = &prepared.options;
        let outcome =
            planning::make_seen(&engine, &prepared, options, state, seen, &screen, &interrupt);
        Ok(outcome.await?.map(|outcome| (prepared, outcome)))
    };
    let made = made.await;
    opened.lease.close().map_err(|it| vec![store_error(&it)])?;
    let (prepared, mut outcome) = match made {
        Ok(Some(made)) => made,
        Ok(None) => {
            context.ui.say("\nInterrupted while planning. Nothing was changed.");
            return Ok(INTERRUPTED);
        }
        Err(diagnostics) => {
            context
                .ui
                .say("\nPlanning failed. Plumb encountered an error while generating this plan.\n");
            return Err(diagnostics);
        }
    };
    if let Some(standing) = &standing {
        standing.tell(&mut outcome.planned.plan);
    }
    let plan = &outcome.planned.plan;
    let changes = planning::changes_something(plan, mode);
    planning::tell(context, plan);
    if !args.json {
        planning::show(context, plan, &prepared.program, mode);
    }
    let mut notes = planning::notes(plan, false);
    notes.extend(standing.as_ref().map(|_| generate::warning()));
    context.reports.planned(context, plan, &prepared, mode, &notes);
    context.ui.diagnostics(&notes);
    // What is refused is not saved: nobody is to carry it out later.
    if policy::refuses(context, policies, &prepared, &outcome.planned, &schemas)? {
        return Ok(REFUSED);
    }
    if let Some(path) = &args.out {
        planfile::write(path, &prepared, &opened.state, &outcome)?;
    }
    if let Some(path) = &args.html {
        html::write_plan(path, context, &prepared, &outcome)?;
    }
    if !args.json && (changes || args.out.is_some()) && !context.in_automation() {
        let generated = standing.as_ref().map(Standing::path);
        context.ui.print(&saved_text(args.out.as_deref(), generated, "plumb", context.ui.out));
    }
    Ok(if args.detailed_exitcode && changes { 2 } else { 0 })
}
