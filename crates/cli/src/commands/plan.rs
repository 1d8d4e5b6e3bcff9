//! `plan` and `drift`.

use std::sync::Arc;

use plumb_diag::{Diagnostic, Diagnostics};
use plumb_engine::Observer;
use plumb_planner::PlanMode;
use plumb_report::{Operation, plan_lines, planned_outputs_line, saved_text, summary_json_line};

use crate::args::{BackupFlags, PlanArgs};
use crate::context::{Context, store_error};
use crate::planning::{self, Asked};
use crate::screen::Screen;
use crate::ui::now;
use crate::variables::Typed;
use crate::{INTERRUPTED, REFUSED, planfile, policy};

/// Shows what would be done.
pub(crate) async fn plan(
    context: &Context,
    args: &PlanArgs,
    typed: &[Typed],
) -> Result<i32, Diagnostics> {
    context.ui.begin_json();
    if args.generate_config_out.is_some() {
        return Err(vec![Diagnostic::error(
            "-generate-config-out is not supported yet",
            "Write the resource blocks of what is to be imported by hand.",
        )]);
    }
    let mode = planning::mode(&args.plan)?;
    let policies = policy::read(context, &args.policy)?;
    let asked = Asked {
        verb: "plan",
        flags: &args.plan,
        mode,
        typed,
        input: context.may_ask(args.vars.input) && !args.json,
        state: args.state.state.as_deref(),
    };
    let prepared = planning::prepare(context, &asked)?;
    let engine = context.engine(args.plan.parallelism);
    let schemas = engine.schemas().clone();
    let store = context.store(&prepared.backend, &BackupFlags::default(), schemas.clone());
    let opened = context.open(&store, &args.state, "OperationTypePlan")?;
    let interrupt = planning::interrupts();
    let screen: Arc<dyn Observer> = Screen::new(&context.ui);
    let made = planning::make(&engine, &prepared, &opened.state, &screen, &interrupt).await;
    opened.lease.close().map_err(|it| vec![store_error(&it)])?;
    let outcome = match made {
        Ok(Some(outcome)) => outcome,
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
    let plan = &outcome.planned.plan;
    let changes = planning::changes_something(plan, mode);
    if args.json {
        context.ui.print(&plan_lines(plan, &now()));
        let counts = planning::counts(plan);
        context.ui.print(&summary_json_line(counts, Operation::Plan, plan, &now()));
        if let Some(line) = planned_outputs_line(plan, &now()) {
            context.ui.print(&line);
        }
    } else {
        planning::show(context, plan, &prepared.program, mode);
    }
    context.ui.diagnostics(&planning::notes(plan, false));
    // What is refused is not saved: nobody is to carry it out later.
    if policy::refuses(context, policies, &prepared, &outcome.planned, &schemas)? {
        return Ok(REFUSED);
    }
    if let Some(path) = &args.out {
        planfile::write(path, &prepared, &opened.state, &outcome)?;
    }
    if !args.json && (changes || args.out.is_some()) && !context.in_automation() {
        context.ui.print(&saved_text(args.out.as_deref(), "plumb", context.ui.out));
    }
    Ok(if args.detailed_exitcode && changes { 2 } else { 0 })
}

/// Tells whether the world still is as remembered.
pub(crate) async fn drift(
    context: &Context,
    mut args: PlanArgs,
    typed: &[Typed],
) -> Result<i32, Diagnostics> {
    args.plan.refresh_only = true;
    args.detailed_exitcode = true;
    debug_assert_eq!(planning::mode(&args.plan).ok(), Some(PlanMode::RefreshOnly));
    plan(context, &args, typed).await
}
