//! `rollback`: plans the way back to an older snapshot, shows what it costs, and goes it once a
//! person has agreed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use plumb_diag::{Diagnostic, Diagnostics};
use plumb_engine::{Engine, Observer};
use plumb_lang::Program;
use plumb_lang::restore::{Restore, Restored, restore};
use plumb_model::addr::ConfigAddr;
use plumb_model::plan::Action;
use plumb_model::state::State;
use plumb_planner::PlanMode;
use plumb_planner::rollback::{Cost, Labelled, WayBack, labels};
use plumb_report::{rollback_lines, rollback_text, saved_text};
use plumb_state::{Lease, Opened, Store};

use super::apply::{Ready, approved, carry_out, close, judged};
use super::snapshots;
use crate::args::{ApplyArgs, BackupFlags, PlanFlags, RollbackArgs};
use crate::context::{Context, store_error};
use crate::load::{self, Folder, Loaded};
use crate::planning::{self, Asked, Prepared, Tools};
use crate::screen::Screen;
use crate::ui::now;
use crate::variables::Typed;
use crate::{INTERRUPTED, REFUSED, encryption, planfile, policy};

/// The configuration as it is now.
struct Present {
    loaded: Loaded,
    program: Program,
}

/// What is asked for, and what it is done with.
#[derive(Clone, Copy)]
struct Errand<'a> {
    tools: Tools<'a>,
    args: &'a RollbackArgs,
    typed: &'a [Typed],
    store: &'a Store,
}

/// A plan that leads back.
struct Way {
    ready: Ready,
    labels: Vec<Labelled>,
}

pub(crate) async fn rollback(
    context: &Context,
    args: &RollbackArgs,
    typed: &[Typed],
) -> Result<i32, Diagnostics> {
    context.ui.begin_json();
    if args.json && !args.auto_approve && args.out.is_none() {
        return Err(vec![Diagnostic::error(
            "Plan file or auto-approve required",
            "Plumb cannot ask for interactive approval when -json is set. Either save the plan \
             with -out, or say -auto-approve.",
        )]);
    }
    let engine = context.engine(args.parallelism);
    let interrupt = planning::interrupts();
    let screen: Arc<dyn Observer> = Screen::new(&context.ui);
    let policies = policy::read(context, &args.policy)?;
    let present = present(context, &engine)?;
    let root = present.loaded.root().cloned().unwrap_or_default();
    let mut backend = context.backend(Some(&root), args.state.state.as_deref())?;
    backend.sealer = encryption::sealer(context, Some(&root), typed)?;
    let store = context.store(&backend, &BackupFlags::default(), engine.schemas().clone())?;
    let Opened { state, lease, .. } =
        context.open_unless(&interrupt, &store, &args.state, "rollback")?;
    let tools = Tools { context, engine: &engine, screen: &screen, interrupt: &interrupt };
    let errand = Errand { tools, args, typed, store: &store };
    let Some(Way { ready, labels }) = way(errand, &present, state, lease).await? else {
        return Ok(INTERRUPTED);
    };
    show(context, args, &ready, &labels);
    if labels.iter().any(|it| it.cost == Cost::Impossible) {
        close(context, ready.lease);
        return Err(vec![impossible(&labels)]);
    }
    let Some(ready) = judged(context, &engine, policies, ready)? else { return Ok(REFUSED) };
    let apply = as_apply(args);
    if let Some(path) = &args.out {
        let written = planfile::write(path, &ready.prepared, &ready.state, &ready.outcome);
        close(context, ready.lease);
        written?;
        context.ui.say(&saved_text(Some(path), None, "plumb", context.ui.out));
        return Ok(0);
    }
    let ready = match approved(context, &apply, ready, &interrupt).await? {
        Ok(ready) => ready,
        Err(code) => return Ok(code),
    };
    let code = carry_out(context, &engine, &apply, ready, &screen, &interrupt).await?;
    if code == 0 {
        match compared(errand).await {
            Some(note) => context.ui.diagnostics(&[note]),
            None => context.ui.say("\nThe configuration files agree with the snapshot."),
        }
    }
    Ok(code)
}

/// Reads the configuration: how providers are reached is in it.
fn present(context: &Context, engine: &Engine) -> Result<Present, Diagnostics> {
    let mut loaded = load::load(&mut load::read_folder);
    context.ui.show_from(&loaded.sources);
    let program = load::checked(&mut loaded, engine.schemas())?;
    Ok(Present { loaded, program })
}

/// Plans. None: it was interrupted. In every case but a plan the lock is let go.
async fn way(
    errand: Errand<'_>,
    present: &Present,
    state: State,
    lease: Lease,
) -> Result<Option<Way>, Diagnostics> {
    let Errand { tools, args, typed, store } = errand;
    let Tools { context, engine, screen, interrupt } = tools;
    let made = async {
        let snapshot = snapshots::find(context, store, &args.to, Some(&state))?;
        refuse_stranger(&snapshot, &state)?;
        let restored = restore(Restore {
            snapshot: &snapshot,
            current: &state,
            program: &present.program,
            files: &files(&present.loaded),
            schemas: engine.schemas(),
        });
        let flags = plan_flags(args);
        let asked = asked(context, args, typed, &flags);
        let loaded = load::load_from(&folders(&restored));
        let prepared = planning::prepare_loaded(context, &asked, loaded)?;
        let Some(outcome) = planning::make(engine, &prepared, &state, screen, interrupt).await?
        else {
            return Ok(None);
        };
        let labels = labels(WayBack {
            plan: &outcome.planned.plan,
            snapshot: &snapshot,
            current: &outcome.planned.prior,
            schemas: engine.schemas(),
            refused: &restored.refused,
            protected: &protected(&present.program),
            targets: &prepared.options.targets,
        });
        Ok(Some((prepared, outcome, labels)))
    };
    match made.await {
        Ok(Some((prepared, outcome, labels))) => {
            Ok(Some(Way { ready: Ready { prepared, outcome, state, lease }, labels }))
        }
        Ok(None) => {
            close(context, lease);
            context.ui.say("\nInterrupted while planning. Nothing was changed.");
            Ok(None)
        }
        Err(diagnostics) => {
            close(context, lease);
            context.ui.say("\nThe way back could not be planned. Nothing was changed.\n");
            Err(diagnostics)
        }
    }
}

/// A snapshot of something else would have everything deleted.
fn refuse_stranger(snapshot: &State, state: &State) -> Result<(), Diagnostics> {
    let strange = !snapshot.lineage.is_empty()
        && !state.lineage.is_empty()
        && snapshot.lineage != state.lineage;
    if !strange {
        return Ok(());
    }
    let detail = format!(
        "Its lineage is {}, that of the state in use {}: it was never an earlier version of this \
         state. Choose a snapshot that \"plumb state history\" shows.",
        snapshot.lineage, state.lineage
    );
    Err(vec![Diagnostic::error("The snapshot is of another state", detail)])
}

/// The files of the root module, as text.
fn files(loaded: &Loaded) -> Vec<(Arc<str>, String)> {
    let files = loaded.folders.get(&loaded.tree.root).into_iter().flatten();
    files.map(|(name, bytes)| (name.clone(), String::from_utf8_lossy(bytes).into_owned())).collect()
}

/// The folders of a configuration that is on no disk.
fn folders(restored: &Restored) -> BTreeMap<Arc<str>, Folder> {
    let bytes = |files: &Vec<(Arc<str>, String)>| {
        files.iter().map(|(name, text)| (name.clone(), text.clone().into_bytes())).collect()
    };
    restored.folders.iter().map(|(dir, files)| (dir.clone(), bytes(files))).collect()
}

/// Blocks that the configuration protects from deletion.
fn protected(program: &Program) -> BTreeSet<ConfigAddr> {
    let blocks = program.resources().filter(|(id, resource)| {
        let config = &program.module(program.node(*id).module).config;
        let block = config.resources.get(&resource.addr.resource);
        block.is_some_and(|it| it.lifecycle.prevent_destroy)
    });
    blocks.map(|(_, it)| it.addr.clone()).collect()
}

fn plan_flags(args: &RollbackArgs) -> PlanFlags {
    PlanFlags {
        refresh: args.refresh,
        target: args.target.clone(),
        parallelism: args.parallelism,
        ..PlanFlags::default()
    }
}

fn asked<'a>(
    context: &Context,
    args: &'a RollbackArgs,
    typed: &'a [Typed],
    flags: &'a PlanFlags,
) -> Asked<'a> {
    Asked {
        verb: "rollback",
        flags,
        mode: PlanMode::Normal,
        typed,
        input: context.may_ask(args.vars.input) && !args.json,
        state: args.state.state.as_deref(),
    }
}

/// What carries out a plan wants to know.
fn as_apply(args: &RollbackArgs) -> ApplyArgs {
    ApplyArgs {
        plan_file: None,
        auto_approve: args.auto_approve,
        plan: plan_flags(args),
        policy: args.policy.clone(),
        vars: args.vars.clone(),
        json: args.json,
        reports: Default::default(),
        state: args.state.clone(),
        backup: BackupFlags::default(),
        view: args.view.clone(),
    }
}

fn show(context: &Context, args: &RollbackArgs, ready: &Ready, labels: &[Labelled]) {
    let Ready { prepared, outcome, .. } = ready;
    let plan = &outcome.planned.plan;
    planning::tell(context, plan);
    context.ui.event(|| rollback_lines(labels, &now()));
    if !args.json {
        planning::show(context, plan, &prepared.program, PlanMode::Normal);
        context.ui.print(&rollback_text(labels, context.ui.out));
    }
    let at_once = args.auto_approve && planning::changes_something(plan, PlanMode::Normal);
    context.ui.diagnostics(&planning::notes(plan, at_once));
}

fn impossible(labels: &[Labelled]) -> Diagnostic {
    let these = labels.iter().filter(|it| it.cost == Cost::Impossible);
    let list: String = these.map(|it| format!("\n - {}: {}", it.key, it.why)).collect();
    Diagnostic::error(
        "A part of the way back is impossible",
        format!(
            "Nothing was changed, as these cannot be brought back:{list}\n\nTo bring back the \
             rest, name it with -target."
        ),
    )
}

/// What a person should know of the configuration files; nothing if they agree with what is there.
async fn compared(errand: Errand<'_>) -> Option<Diagnostic> {
    let newer = |more: String| {
        Some(Diagnostic::warning(
            "The configuration still says the newer things",
            format!(
                "{more}The next apply would undo the way back. Bring the configuration files back \
                 to what they were, too."
            ),
        ))
    };
    match next(errand).await {
        Ok(Some(differing)) if differing.is_empty() => None,
        Ok(Some(differing)) => {
            let list: String = differing.iter().map(|it| format!("\n - {it}")).collect();
            newer(format!("By the configuration files these are otherwise:{list}\n\n"))
        }
        Ok(None) => newer("It was not compared to the end. ".to_owned()),
        Err(diagnostics) => {
            let why = diagnostics.iter().find(|it| it.is_error()).map_or("", |it| &*it.summary);
            newer(format!("Whether it does could not be found out ({why}). "))
        }
    }
}

/// What the next plan would change, by what is remembered now.
async fn next(errand: Errand<'_>) -> Result<Option<Vec<String>>, Diagnostics> {
    let Errand { tools, args, typed, store } = errand;
    let Tools { context, engine, screen, interrupt } = tools;
    let flags =
        PlanFlags { refresh: Some(false), parallelism: args.parallelism, ..PlanFlags::default() };
    let asked = Asked { input: false, ..asked(context, args, typed, &flags) };
    let prepared: Prepared =
        planning::prepare_loaded(context, &asked, load::load(&mut load::read_folder))?;
    let state = store.read_only().map_err(|it| vec![store_error(&it)])?.0;
    let Some(outcome) = planning::make(engine, &prepared, &state, screen, interrupt).await? else {
        return Ok(None);
    };
    let plan = &outcome.planned.plan;
    let changes = plan.changes.iter().filter(|it| it.1.action != Action::Keep);
    let outputs = plan.outputs.iter().filter(|it| !it.1.is_keep());
    let outputs = outputs.map(|(name, _)| format!("output.{name}"));
    Ok(Some(changes.map(|it| it.0.to_string()).chain(outputs).collect()))
}
