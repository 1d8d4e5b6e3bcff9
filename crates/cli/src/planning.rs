//! From options to a plan: what `plan`, `apply`, `destroy`, `refresh`, `drift` and `import` share.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::{self, Write};
use std::str::FromStr;
use std::sync::Arc;

use plumb_diag::{Diagnostic, Diagnostics};
use plumb_engine::{Engine, Interrupt, Interrupter, Observer, PlanOutcome, PlanRequest};
use plumb_lang::vars::merge;
use plumb_lang::{Inputs, NodeKind, Program, relevant_attributes, write_configuration};
use plumb_model::addr::Addr;
use plumb_model::plan::{Action, Plan};
use plumb_model::question::Observations;
use plumb_model::schema::Schemas;
use plumb_model::state::State;
use plumb_model::value::{Path, Value};
use plumb_planner::{Options, PlanMode, Planned};
use plumb_report::{
    Counts, Operation, PlanJson, PlanText, forgotten_warning, plan_lines, plan_text,
    planned_outputs_line, summary_json_line, write_plan_json,
};
use plumb_state::v4::with_all_needs;

use crate::TERRAFORM_VERSION;
use crate::args::PlanFlags;
use crate::backend::Backend;
use crate::context::Context;
use crate::encryption;
use crate::load::{self, Loaded};
use crate::ui::now;
use crate::variables::{self, Typed};

/// Everything that a plan is made from, besides the state.
pub(crate) struct Prepared {
    pub(crate) loaded: Loaded,
    pub(crate) program: Program,
    pub(crate) inputs: Inputs,
    pub(crate) options: Options,
    pub(crate) backend: Backend,
    pub(crate) run: u64,
}

impl Prepared {
    /// What the engine is to plan.
    pub(crate) fn request<'a>(&'a self, options: &'a Options, state: &'a State) -> PlanRequest<'a> {
        let Prepared { program, inputs, run, .. } = self;
        PlanRequest { program, inputs, state, options, run: *run }
    }
}

/// What plans are made with, whatever is planned.
#[derive(Clone, Copy)]
pub(crate) struct Tools<'a> {
    pub(crate) context: &'a Context,
    pub(crate) engine: &'a Arc<Engine>,
    pub(crate) screen: &'a Arc<dyn Observer>,
    pub(crate) interrupt: &'a Interrupt,
}

/// What a person asked for, before it is understood.
pub(crate) struct Asked<'a> {
    pub(crate) verb: &'static str,
    pub(crate) flags: &'a PlanFlags,
    pub(crate) mode: PlanMode,
    pub(crate) typed: &'a [Typed],
    pub(crate) input: bool,
    pub(crate) state: Option<&'a str>,
}

/// The mode that the options ask for.
pub(crate) fn mode(flags: &PlanFlags) -> Result<PlanMode, Diagnostics> {
    let bad = |detail: &str| Err(vec![Diagnostic::error("Incompatible plan mode options", detail)]);
    match (flags.destroy, flags.refresh_only) {
        (true, true) => bad("The -destroy and -refresh-only options are mutually-exclusive."),
        (_, true) if flags.refresh == Some(false) => {
            let detail = "It doesn't make sense to use -refresh-only at the same time as \
                          -refresh=false, because plumb would have nothing to do.";
            Err(vec![Diagnostic::error("Incompatible refresh options", detail)])
        }
        (true, false) => Ok(PlanMode::Destroy),
        (false, true) => Ok(PlanMode::RefreshOnly),
        (false, false) => Ok(PlanMode::Normal),
    }
}

/// Reads the configuration and everything that is given to it. Warnings are shown.
pub(crate) fn prepare(context: &Context, asked: &Asked<'_>) -> Result<Prepared, Diagnostics> {
    let loaded = load::load(&mut load::read_folder);
    if loaded.is_empty() && asked.mode != PlanMode::Destroy {
        options(asked)?;
        return Err(vec![no_configuration(asked.verb)]);
    }
    prepare_loaded(context, asked, loaded)
}

/// The same of files that are read already, if there are any.
pub(crate) fn prepare_loaded(
    context: &Context,
    asked: &Asked<'_>,
    mut loaded: Loaded,
) -> Result<Prepared, Diagnostics> {
    let options = options(asked)?;
    context.ui.show_from(&loaded.sources);
    let schemas = context.schemas();
    let program = load::check(&mut loaded, &schemas);
    let mut diagnostics = std::mem::take(&mut loaded.diagnostics);
    stop_on_error(&mut diagnostics, context)?;
    let root = loaded.root().cloned().unwrap_or_default();
    let mut backend = context.backend(Some(&root), asked.state)?;
    backend.sealer = encryption::sealer(context, Some(&root), asked.typed)?;
    let mut given =
        variables::gather(asked.typed, &context.env, &mut loaded.sources, &mut diagnostics);
    context.ui.show_from(&loaded.sources);
    stop_on_error(&mut diagnostics, context)?;
    if asked.input {
        variables::ask(&root, &mut given, &context.ui);
    }
    let (values, found) = merge(&root, given, &mut loaded.sources);
    context.ui.show_from(&loaded.sources);
    diagnostics.extend(found);
    if diagnostics.iter().any(Diagnostic::is_error) {
        return Err(diagnostics);
    }
    context.ui.diagnostics(&diagnostics);
    let inputs = Inputs {
        variables: values,
        workspace: backend.workspace.clone(),
        working_dir: context.started_in.as_str().into(),
        home_dir: context.home(),
        plan_time: seconds_now(),
        apply_time: None,
        seed: random(),
    };
    Ok(Prepared { loaded, program, inputs, options, backend, run: random() })
}

fn stop_on_error(diagnostics: &mut Diagnostics, context: &Context) -> Result<(), Diagnostics> {
    if diagnostics.iter().any(Diagnostic::is_error) {
        return Err(std::mem::take(diagnostics));
    }
    context.ui.diagnostics(diagnostics);
    diagnostics.clear();
    Ok(())
}

fn no_configuration(verb: &str) -> Diagnostic {
    let (title, doing, instead) = match verb {
        "plan" => ("Plan", "Planning", "run plan with the -destroy option"),
        "exec" => {
            return Diagnostic::error(
                "No configuration files",
                "How to reach an object is in the configuration of its provider. There is no \
                 configuration file (.tf file) in this directory.",
            );
        }
        "import" => ("Import", "Importing", "run \"plumb destroy\" instead"),
        _ => ("Apply", "Applying", "run \"plumb destroy\" instead"),
    };
    Diagnostic::error(
        "No configuration files",
        format!(
            "{title} requires configuration to be present. {doing} without a configuration would \
             mark everything for destruction, which is normally not what is desired. If you would \
             like to destroy everything, {instead}. Otherwise, create a configuration file (.tf \
             file) in this directory."
        ),
    )
}

/// What an option names each time that it is given; what cannot be read is told.
pub(crate) fn named<T>(texts: &[String], what: &str, errors: &mut Diagnostics) -> Vec<T>
where
    T: FromStr<Err: Display>,
{
    let mut read = |text: &String| match text.parse() {
        Ok(it) => Some(it),
        Err(error) => {
            let summary = format!("Invalid {what} {text:?}");
            errors.push(Diagnostic::error(summary, format!("{error}.")));
            None
        }
    };
    texts.iter().filter_map(&mut read).collect()
}

fn options(asked: &Asked<'_>) -> Result<Options, Diagnostics> {
    let mut errors = Vec::new();
    let targets = named(&asked.flags.target, "target", &mut errors);
    let replace: Vec<Addr> = named(&asked.flags.replace, "force-replace address", &mut errors);
    if !replace.is_empty() && asked.mode != PlanMode::Normal {
        errors.push(Diagnostic::error(
            "Unsupported plan mode",
            "Forcing resource instance replacement (with -replace=...) is allowed only in normal \
             planning mode.",
        ));
    }
    if asked.flags.drift_only
        && (asked.mode != PlanMode::Normal || asked.flags.refresh == Some(false))
    {
        errors.push(Diagnostic::error(
            "Incompatible plan mode options",
            "-drift-only repairs what drifted: it looks at the world, and it goes with none of \
             -destroy, -refresh-only and -refresh=false.",
        ));
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    Ok(Options {
        mode: asked.mode,
        skip_refresh: asked.flags.refresh == Some(false),
        targets,
        replace,
        imports: Vec::new(),
        drift_only: asked.flags.drift_only,
    })
}

/// Makes the plan. None: it was interrupted.
pub(crate) async fn make(
    engine: &Arc<Engine>,
    prepared: &Prepared,
    state: &State,
    observer: &Arc<dyn Observer>,
    interrupt: &Interrupt,
) -> Result<Option<PlanOutcome>, Diagnostics> {
    let (options, seen) = (&prepared.options, Observations::new());
    make_seen(engine, prepared, options, state, seen, observer, interrupt).await
}

/// Makes the plan, with these options. What was seen already is not looked for again.
pub(crate) async fn make_seen(
    engine: &Arc<Engine>,
    prepared: &Prepared,
    options: &Options,
    state: &State,
    seen: Observations,
    observer: &Arc<dyn Observer>,
    interrupt: &Interrupt,
) -> Result<Option<PlanOutcome>, Diagnostics> {
    let request = prepared.request(options, state);
    match engine.plan(request, seen, observer, interrupt).await {
        Ok(outcome) => Ok(Some(outcome)),
        Err(diagnostics) if diagnostics.is_empty() && interrupt.level() > 0 => Ok(None),
        Err(diagnostics) => Err(diagnostics),
    }
}

/// Raised by Ctrl-C and by SIGTERM.
pub(crate) fn interrupts() -> Interrupt {
    use tokio::signal::unix::{SignalKind, signal};
    let (interrupter, interrupt) = Interrupter::pair();
    let interrupter = Arc::new(interrupter);
    for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
        let Ok(mut signals) = signal(kind) else { continue };
        let interrupter = interrupter.clone();
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                interrupter.raise();
            }
        });
    }
    interrupt
}

/// The plan for machines that listen.
pub(crate) fn tell(context: &Context, plan: &Plan) {
    context.ui.event(|| {
        let outputs = planned_outputs_line(plan, &now()).unwrap_or_default();
        plan_lines(plan, &now())
            + &summary_json_line(counts(plan), Operation::Plan, plan, &now())
            + &outputs
    });
}

/// The plan as a person reviews it, with its notes.
pub(crate) fn show(context: &Context, plan: &Plan, program: &Program, mode: PlanMode) {
    let schemas = context.schemas();
    let relevant = if plan.drift.is_empty() { Vec::new() } else { relevant(program, plan) };
    let shown = PlanText {
        plan,
        schemas: &schemas,
        mode: report_mode(mode),
        relevant: Some(&relevant),
        style: context.ui.out,
    };
    context.ui.print(&plan_text(shown));
}

/// The plan as `show -json` gives it, to whoever reads it: programs, and policies.
pub(crate) fn write_json(
    prepared: &Prepared,
    planned: &Planned,
    schemas: &Schemas,
    to: &mut dyn Write,
) -> io::Result<()> {
    let Prepared { program, inputs, .. } = prepared;
    let variables = variables_of(program, &planned.known, inputs);
    let prior = with_all_needs(&planned.prior);
    let mut configuration = String::new();
    write_configuration(program, schemas, &mut configuration);
    let input = PlanJson {
        plan: &planned.plan,
        prior: &prior,
        schemas,
        version: TERRAFORM_VERSION,
        variables: &variables,
        configuration: &configuration,
        relevant: &relevant(program, &planned.plan),
        timestamp: &inputs.plan_time,
        errored: false,
    };
    write_plan_json(input, to)
}

/// What of which resource the changes of the plan come from.
pub(crate) fn relevant(program: &Program, plan: &Plan) -> Vec<(String, Path)> {
    let changed = plan.changes.iter().filter(|it| it.1.action != Action::Keep);
    let outputs = plan.outputs.iter().filter(|it| !it.1.is_keep());
    relevant_attributes(program, changed.map(|it| &it.0.addr), outputs.map(|it| it.0))
}

/// What a person should know of the plan besides the changes. What its checks said is left out if
/// the plan is carried out at once, as they are then asked again.
pub(crate) fn notes(plan: &Plan, at_once: bool) -> Diagnostics {
    let mut notes = plan.notes.clone();
    notes.extend(plan.check_notes.iter().filter(|_| !at_once).cloned());
    notes.extend(forgotten_warning(plan));
    notes
}

/// The mode, as reports call it.
pub(crate) fn report_mode(mode: PlanMode) -> plumb_report::PlanMode {
    match mode {
        PlanMode::Normal => plumb_report::PlanMode::Normal,
        PlanMode::Destroy => plumb_report::PlanMode::Destroy,
        PlanMode::RefreshOnly => plumb_report::PlanMode::RefreshOnly,
    }
}

/// Whether carrying out the plan would change anything that a person cares for.
pub(crate) fn changes_something(plan: &Plan, mode: PlanMode) -> bool {
    match mode {
        PlanMode::RefreshOnly => {
            !plan.drift.is_empty() || plan.outputs.values().any(|it| !it.is_keep())
        }
        PlanMode::Normal | PlanMode::Destroy => !plan.is_empty(),
    }
}

/// What a plan does, for summaries.
pub(crate) fn counts(plan: &Plan) -> Counts {
    Counts::of(plan)
}

/// Values of the root module's variables.
fn variables_of(
    program: &Program,
    known: &plumb_lang::Known,
    inputs: &Inputs,
) -> BTreeMap<Arc<str>, Value> {
    let Some(root) = program.modules.first() else { return BTreeMap::new() };
    let values = root.names.variables.iter().filter_map(|(name, id)| {
        debug_assert!(matches!(program.node(*id).kind, NodeKind::Variable(_)));
        // Of those that are not to be stored only the defaults, which are in the files anyway.
        let ephemeral = root.config.variables.get(name).is_some_and(|it| it.ephemeral)
            && inputs.variables.contains_key(name);
        let value = known.value(*id, 0).filter(|_| !ephemeral)?;
        Some((name.clone(), value.unmark_deep()))
    });
    values.collect()
}

/// A number that nobody else has.
pub(crate) fn random() -> u64 {
    let (high, _) = uuid::Uuid::new_v4().as_u64_pair();
    // Version bits are in the lower half of the upper number; they do not hurt.
    high
}

/// Now, to the second, as the language has it.
pub(crate) fn seconds_now() -> Arc<str> {
    chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true).into()
}
