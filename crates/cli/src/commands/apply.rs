//! `apply`, `destroy` and `refresh`.

use std::sync::Arc;

use plumb_diag::{Diagnostic, Diagnostics};
use plumb_engine::{ApplyRequest, Engine, Interrupt, Observer, PlanOutcome};
use plumb_lang::Inputs;
use plumb_model::state::State;
use plumb_planner::PlanMode;

use plumb_report::{
    Counts, Operation, complete_text, outputs_line, outputs_text, summary_json_line,
};
use plumb_state::{Lease, Opened};

use super::ended::{incomplete, remains, skipped};
use crate::args::ApplyArgs;
use crate::backend::Home;
use crate::context::{Context, store_error};
use crate::planning::{self, Asked, Prepared};
use crate::policy::Policies;
use crate::screen::Screen;
use crate::ui::now;
use crate::variables::Typed;
use crate::{INTERRUPTED, REFUSED, encryption, files, planfile, policy};

/// What is there to work with once a plan is made.
pub(super) struct Ready {
    pub(super) prepared: Prepared,
    pub(super) outcome: PlanOutcome,
    pub(super) state: State,
    pub(super) lease: Lease,
}

/// Plans, asks, and carries out. `forced` is the mode of the verb, if it has one.
pub(crate) async fn apply(
    context: &Context,
    args: &ApplyArgs,
    typed: &[Typed],
    forced: Option<PlanMode>,
) -> Result<i32, Diagnostics> {
    context.ui.begin_json();
    let engine = match forced == Some(PlanMode::RefreshOnly) || args.plan.refresh_only {
        true => context.engine_reading_whole(args.plan.parallelism),
        false => context.engine(args.plan.parallelism),
    };
    let interrupt = planning::interrupts();
    let screen: Arc<dyn Observer> = Screen::new(&context.ui);
    let policies = policy::read(context, &args.policy)?;
    let made = match &args.plan_file {
        Some(path) => {
            refuse_with_file(args, typed, forced)?;
            Ok(from_file(context, &engine, args, path, &interrupt)?)
        }
        None => fresh(context, &engine, args, typed, forced, &screen, &interrupt).await?,
    };
    let ready = match made {
        Ok(ready) => ready,
        Err(code) => return Ok(code),
    };
    let Some(ready) = judged(context, &engine, policies, ready)? else { return Ok(REFUSED) };
    let approved = match &args.plan_file {
        Some(_) => Ok(ready),
        None => approved(context, args, ready, &interrupt).await?,
    };
    let ready = match approved {
        Ok(ready) => ready,
        Err(code) => return Ok(code),
    };
    carry_out(context, &engine, args, ready, &screen, &interrupt).await
}

fn refuse_with_file(
    args: &ApplyArgs,
    typed: &[Typed],
    forced: Option<PlanMode>,
) -> Result<(), Diagnostics> {
    if forced.is_some() {
        let detail = "This command makes a plan of its own; it takes no saved one.";
        return Err(vec![Diagnostic::error("Too many command line arguments", detail)]);
    }
    if args.plan.destroy {
        return Err(vec![Diagnostic::error(
            "Destroy can't be called with a plan file",
            format!(
                "If this plan was created using plan -destroy, apply it using:\n  plumb apply {:?}",
                args.plan_file.as_deref().unwrap_or_default()
            ),
        )]);
    }
    if !typed.is_empty() {
        return Err(vec![Diagnostic::error(
            "Can't set variables when applying a saved plan",
            "The -var and -var-file options cannot be used when applying a saved plan file, \
             because a saved plan includes the variable values that were set when it was created.",
        )]);
    }
    let other = args.plan.refresh_only
        || args.plan.drift_only
        || args.plan.refresh.is_some()
        || !args.plan.target.is_empty()
        || !args.plan.replace.is_empty();
    if other {
        return Err(vec![Diagnostic::error(
            "Incompatible command line options",
            "Planning options cannot be used when applying a saved plan file, because the plan is \
             made already.",
        )]);
    }
    Ok(())
}

fn from_file(
    context: &Context,
    engine: &Engine,
    args: &ApplyArgs,
    path: &str,
    interrupt: &Interrupt,
) -> Result<Ready, Diagnostics> {
    let mut saved = planfile::read(context, path, engine.schemas())?;
    context.ui.show_from(&saved.prepared.loaded.sources);
    if let Some(state) = &args.state.state {
        saved.prepared.backend.home = Home::File(state.as_str().into());
    }
    let store = context.store(&saved.prepared.backend, &args.backup, engine.schemas().clone())?;
    let Opened { state, lease, .. } =
        context.open_unless(interrupt, &store, &args.state, "OperationTypeApply")?;
    let outcome = saved.check(&state).and_then(|()| saved.plan(&state, engine.schemas()));
    match outcome {
        Ok(outcome) => Ok(Ready { prepared: saved.prepared, outcome, state, lease }),
        Err(diagnostics) => {
            close(context, lease);
            Err(diagnostics)
        }
    }
}

/// Holds the plan against the policies. None: they refuse it, and nobody holds the lock any more.
pub(super) fn judged(
    context: &Context,
    engine: &Engine,
    policies: Option<Policies>,
    ready: Ready,
) -> Result<Option<Ready>, Diagnostics> {
    let Ready { prepared, outcome, .. } = &ready;
    match policy::refuses(context, policies, prepared, &outcome.planned, engine.schemas()) {
        Ok(false) => Ok(Some(ready)),
        refused => {
            close(context, ready.lease);
            refused.map(|_| None)
        }
    }
}

/// Makes a plan and shows it. The inner error is an exit code.
async fn fresh(
    context: &Context,
    engine: &Arc<Engine>,
    args: &ApplyArgs,
    typed: &[Typed],
    forced: Option<PlanMode>,
    screen: &Arc<dyn Observer>,
    interrupt: &Interrupt,
) -> Result<Result<Ready, i32>, Diagnostics> {
    if args.json && !args.auto_approve {
        return Err(vec![Diagnostic::error(
            "Plan file or auto-approve required",
            "Plumb cannot ask for interactive approval when -json is set. You can either apply a \
             saved plan file, or enable the -auto-approve option.",
        )]);
    }
    let mode = match forced {
        Some(PlanMode::Destroy) if args.plan.refresh_only => {
            planning::mode(&crate::args::PlanFlags { destroy: true, ..args.plan.clone() })?
        }
        Some(mode) => mode,
        None => planning::mode(&args.plan)?,
    };
    let asked = Asked {
        verb: "apply",
        flags: &args.plan,
        mode,
        typed,
        input: context.may_ask(args.vars.input) && !args.json,
        state: args.state.state.as_deref(),
    };
    let prepared = planning::prepare(context, &asked)?;
    let store = context.store(&prepared.backend, &args.backup, engine.schemas().clone())?;
    let Opened { state, lease, .. } =
        context.open_unless(interrupt, &store, &args.state, "OperationTypeApply")?;
    let outcome = match planning::make(engine, &prepared, &state, screen, interrupt).await {
        Ok(Some(outcome)) => outcome,
        Ok(None) => {
            close(context, lease);
            context.ui.say("\nInterrupted while planning. Nothing was changed.");
            return Ok(Err(INTERRUPTED));
        }
        Err(diagnostics) => {
            close(context, lease);
            context
                .ui
                .say("\nPlanning failed. Plumb encountered an error while generating this plan.\n");
            return Err(diagnostics);
        }
    };
    let plan = &outcome.planned.plan;
    planning::tell(context, plan);
    if !args.json && (forced != Some(PlanMode::RefreshOnly) || !plan.is_empty()) {
        planning::show(context, plan, &prepared.program, mode);
    }
    let at_once = args.auto_approve && planning::changes_something(plan, mode);
    let notes = planning::notes(plan, at_once);
    context.reports.planned(context, plan, &prepared, mode, &notes);
    context.ui.diagnostics(&notes);
    Ok(Ok(Ready { prepared, outcome, state, lease }))
}

/// Asks whether the plan is to be carried out, if somebody is to be asked. The inner error is an exit code.
pub(super) async fn approved(
    context: &Context,
    args: &ApplyArgs,
    ready: Ready,
    interrupt: &Interrupt,
) -> Result<Result<Ready, i32>, Diagnostics> {
    let mode = ready.prepared.options.mode;
    if args.auto_approve || !planning::changes_something(&ready.outcome.planned.plan, mode) {
        return Ok(Ok(ready));
    }
    if !context.may_ask(args.vars.input) {
        close(context, ready.lease);
        return Err(vec![Diagnostic::error(
            "Approval is needed",
            "There is nobody to ask, as input is turned off. Apply a saved plan, or say \
             -auto-approve.",
        )]);
    }
    confirm(context, ready, mode, interrupt.clone()).await
}

async fn confirm(
    context: &Context,
    ready: Ready,
    mode: PlanMode,
    interrupt: Interrupt,
) -> Result<Result<Ready, i32>, Diagnostics> {
    let workspace = match &*ready.prepared.backend.workspace {
        "default" => String::new(),
        name => format!(" in workspace {name:?}"),
    };
    let (question, what) = match mode {
        PlanMode::Normal => (
            format!(
                "\nDo you want to perform these actions{workspace}?\n  Plumb will perform the \
                 actions described above.\n  Only 'yes' will be accepted to approve."
            ),
            "Apply",
        ),
        PlanMode::Destroy => (
            format!(
                "\nDo you really want to destroy all resources{workspace}?\n  Plumb will destroy \
                 all your managed infrastructure, as shown above.\n  There is no undo. Only 'yes' \
                 will be accepted to confirm."
            ),
            "Destroy",
        ),
        PlanMode::RefreshOnly => (
            "\nWould you like to update the Plumb state to reflect these detected changes?\n  \
             Plumb will write these changes to the state without modifying any real \
             infrastructure.\n  There is no undo. Only 'yes' will be accepted to confirm."
                .to_owned(),
            "Apply",
        ),
    };
    let ui = context.ui.clone();
    let asking = tokio::task::spawn_blocking(move || ui.ask(&question, false));
    let interrupted = async {
        while interrupt.level() == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    let answer = tokio::select! {
        answer = asking => answer.ok().flatten(),
        () = interrupted => {
            close(context, ready.lease);
            context.ui.say("\n\nInterrupted. Nothing was changed.");
            return Ok(Err(INTERRUPTED));
        }
    };
    match answer.as_deref() {
        Some("yes") => Ok(Ok(ready)),
        Some(_) => {
            close(context, ready.lease);
            context.ui.say(&format!("{what} cancelled."));
            Ok(Err(1))
        }
        None => {
            close(context, ready.lease);
            Err(vec![Diagnostic::error("Error asking for approval", "There is no input: EOF.")])
        }
    }
}

pub(super) async fn carry_out(
    context: &Context,
    engine: &Arc<Engine>,
    args: &ApplyArgs,
    ready: Ready,
    screen: &Arc<dyn Observer>,
    interrupt: &Interrupt,
) -> Result<i32, Diagnostics> {
    let Ready { prepared, outcome, state, mut lease } = ready;
    let inputs = Inputs { apply_time: Some(planning::seconds_now()), ..prepared.inputs.clone() };
    let plan = outcome.planned.plan.clone();
    let request = ApplyRequest { program: &prepared.program, inputs: &inputs, outcome, state };
    let applied = engine.apply(request, &mut lease, screen, interrupt).await;
    let closed = lease.close();
    let mut diagnostics = applied.diagnostics.clone();
    diagnostics.extend(closed.err().map(|it| store_error(&it)));
    if let Some(path) = &args.backup.state_out {
        diagnostics
            .extend(copy_to(&prepared, engine, path, &applied.state).err().into_iter().flatten());
    }
    context.reports.applied(&applied.state.checks);
    let failed = diagnostics.iter().any(Diagnostic::is_error);
    if plan.partial {
        diagnostics.push(incomplete(prepared.options.drift_only));
    }
    context.ui.diagnostics(&diagnostics);
    let operation = match prepared.options.mode {
        PlanMode::Destroy => Operation::Destroy,
        PlanMode::Normal | PlanMode::RefreshOnly => Operation::Apply,
    };
    let counts = Counts {
        add: applied.summary.added,
        change: applied.summary.changed,
        remove: applied.summary.destroyed,
        import: applied.summary.imported,
        forget: applied.summary.forgotten,
    };
    if applied.interrupted > 0 {
        context.ui.say(&remains(&applied));
        return Ok(INTERRUPTED);
    }
    context.ui.event(|| {
        let outputs = outputs_line(&applied.state.outputs, &now()).filter(|_| !failed);
        summary_json_line(counts, operation, &plan, &now()) + &outputs.unwrap_or_default()
    });
    if context.ui.json {
        return Ok(i32::from(failed));
    }
    if failed {
        context.ui.say(&skipped(&applied));
        return Ok(1);
    }
    context.ui.say(&format!("\n{}", complete_text(counts, operation, context.ui.out)));
    if operation == Operation::Apply && !applied.state.outputs.is_empty() {
        context.ui.print(&format!("\nOutputs:\n\n{}", outputs_text(&applied.state.outputs)));
    }
    Ok(0)
}

/// `-state-out`
fn copy_to(
    prepared: &Prepared,
    engine: &Engine,
    path: &str,
    state: &State,
) -> Result<(), Diagnostics> {
    let bytes = plumb_state::v4::write(state, engine.schemas());
    let bytes = (prepared.backend.sealer)
        .seal_state(bytes.into(), &state.lineage, state.serial)
        .map_err(|error| encryption::refusal("Failed to write the state", path, &error))?;
    files::write_private(path, &bytes).map_err(|error| {
        let detail = format!("{path} could not be written: {error}.");
        vec![Diagnostic::error("Failed to write the state", detail)]
    })
}

pub(super) fn close(context: &Context, lease: Lease) {
    if let Err(error) = lease.close() {
        context.ui.diagnostics(&[store_error(&error)]);
    }
}
