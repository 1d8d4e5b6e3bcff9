//! A saved plan: everything that the plan was made from, so that it can be made again, and a digest
//! to tell that it came out the same. See `docs/decisions/saved-plans.md`.

mod digest;
mod seen;

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::sync::Arc;

use plumb_diag::{Diagnostic, Diagnostics};
use plumb_engine::PlanOutcome;
use plumb_lang::{InputValue, Inputs};
use plumb_model::question::Observations;
use plumb_model::schema::Schemas;
use plumb_model::state::State;
use plumb_model::value::Value;
use plumb_planner::{Input, Options, PlanMode};
use plumb_state::journal::{self, Header, Tail};
use plumb_state::seal::{Sealer, What, sealed_kind};
use serde::{Deserialize, Serialize};

use crate::backend::{self, Backend, Config, Home, Local};
use crate::context::Context;
use crate::load::{self, Folder};
use crate::planning::Prepared;
use crate::{VERSION, encryption, files};

pub(crate) use digest::digest;

/// The format that we write, and the newest that we read.
const FORMAT: u64 = 1;

#[derive(Serialize, Deserialize)]
struct Saved {
    plumb_plan: u64,
    version: String,
    run: u64,
    plan_time: String,
    seed: u64,
    workspace: String,
    working_dir: String,
    home_dir: Option<String>,
    backend: SavedBackend,
    options: SavedOptions,
    variables: BTreeMap<String, SavedVariable>,
    /// Folder, then name and text of its files.
    folders: BTreeMap<String, Vec<(String, String)>>,
    /// The state as a journal that makes it.
    state: String,
    seen: Vec<seen::Pair>,
    digest: String,
}

/// Where the state is.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SavedBackend {
    File(String),
    Local { path: String, folder: String },
    Remote { kind: String, config: Config },
}

impl SavedBackend {
    fn of(home: &Home) -> SavedBackend {
        match home {
            Home::File(path) => SavedBackend::File(path.to_string()),
            Home::Local(Local { path, folder }) => {
                SavedBackend::Local { path: path.to_string(), folder: folder.to_string() }
            }
            Home::Remote(it) => {
                SavedBackend::Remote { kind: it.kind.clone(), config: it.config.clone() }
            }
        }
    }

    fn home(self, context: &Context) -> Result<Home, Diagnostics> {
        match self {
            SavedBackend::File(path) => Ok(Home::File(path.into())),
            SavedBackend::Local { path, folder } => {
                Ok(Home::Local(Local { path: path.into(), folder: folder.into() }))
            }
            SavedBackend::Remote { kind, config } => {
                backend::configure(context, &kind, &config).map_err(|it| it.nowhere())
            }
        }
    }
}

#[derive(Serialize, Deserialize)]
struct SavedOptions {
    mode: String,
    skip_refresh: bool,
    #[serde(default)]
    drift_only: bool,
    targets: Vec<String>,
    replace: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct SavedVariable {
    value: Value,
    origin: String,
}

/// A saved plan, read; the plan is yet to be made again.
pub(crate) struct SavedPlan {
    pub(crate) prepared: Prepared,
    /// The state that it was made from.
    pub(crate) state: State,
    seen: Observations,
    digest: String,
}

/// Writes a plan to a file that nobody else may read.
pub(crate) fn write(
    path: &str,
    prepared: &Prepared,
    state: &State,
    outcome: &PlanOutcome,
) -> Result<(), Diagnostics> {
    let Prepared { inputs, options, backend, .. } = prepared;
    let text = |it: &Arc<str>| it.to_string();
    let folders = prepared.loaded.folders.iter().map(|(dir, files)| {
        let files = files
            .iter()
            .map(|(name, bytes)| (name.to_string(), String::from_utf8_lossy(bytes).into_owned()));
        (dir.to_string(), files.collect())
    });
    let variables = inputs.variables.iter().map(|(name, it)| {
        let saved = SavedVariable { value: it.value.clone(), origin: text(&it.origin) };
        (name.to_string(), saved)
    });
    let saved = Saved {
        plumb_plan: FORMAT,
        version: VERSION.to_owned(),
        run: prepared.run,
        plan_time: text(&inputs.plan_time),
        seed: inputs.seed,
        workspace: text(&inputs.workspace),
        working_dir: text(&inputs.working_dir),
        home_dir: inputs.home_dir.as_ref().map(text),
        backend: SavedBackend::of(&backend.home),
        options: SavedOptions {
            mode: mode_name(options.mode).to_owned(),
            skip_refresh: options.skip_refresh,
            drift_only: options.drift_only,
            targets: options.targets.iter().map(ToString::to_string).collect(),
            replace: options.replace.iter().map(ToString::to_string).collect(),
        },
        variables: variables.collect(),
        folders: folders.collect(),
        state: snapshot(state),
        seen: seen::save(&outcome.seen),
        digest: digest(&outcome.planned.plan, state),
    };
    let packed = pack(&saved).map_err(|error| {
        let detail = format!("The plan could not be packed: {error}.");
        vec![Diagnostic::error("Failed to write plan file", detail)]
    })?;
    let sealed = (backend.sealer)
        .seal_plan(packed.into())
        .map_err(|error| encryption::refusal("Failed to write plan file", path, &error))?;
    // Values of variables and what was seen may be secret.
    files::write_private(path, &sealed).map_err(|error| {
        let detail = format!("The plan could not be written to {path}: {error}.");
        vec![Diagnostic::error("Failed to write plan file", detail)]
    })
}

fn pack(saved: &Saved) -> io::Result<Vec<u8>> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    // At once: packing many small pieces costs more than all of planning.
    packed.write_all(&serde_json::to_vec(saved)?)?;
    packed.finish()
}

/// The lines of a journal that makes `state` from nothing.
fn snapshot(state: &State) -> String {
    let (mut tail, mut out) = (Tail::default(), String::new());
    tail.header(&Header { lineage: state.lineage.clone(), serial: state.serial }, &mut out);
    tail.events(1, &state.events(), &mut out);
    out
}

/// Whether the bytes begin like a saved plan, or are one that is sealed.
pub(crate) fn is_plan(bytes: &[u8]) -> bool {
    is_packed(bytes) || sealed_kind(bytes) == Some(What::Plan)
}

fn is_packed(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x1f, 0x8b])
}

/// Which plan a file has, and of which state.
#[derive(Debug)]
pub(crate) struct Stamp {
    /// Of the plan and the state; the same for a plan that is made again from the same.
    pub(crate) digest: String,
    pub(crate) lineage: String,
    pub(crate) serial: u64,
}

/// Reads which plan a file has, and not the plan.
pub(crate) fn stamp(path: &str, sealer: &Sealer) -> Result<Stamp, String> {
    #[derive(Deserialize)]
    struct Part {
        state: String,
        digest: String,
    }
    let wrong = |error: &dyn std::fmt::Display| format!("{path} cannot be read: {error}");
    let bytes = std::fs::read(path).map_err(|error| wrong(&error))?;
    let bytes = sealer.open_plan(&bytes).map_err(|error| wrong(&error))?.bytes;
    let mut text = String::new();
    flate2::read::GzDecoder::new(&*bytes)
        .read_to_string(&mut text)
        .map_err(|error| wrong(&error))?;
    let part: Part = serde_json::from_str(&text).map_err(|error| wrong(&error))?;
    let contents = journal::read(part.state.as_bytes()).map_err(|error| wrong(&error))?;
    let header = contents.header.ok_or_else(|| wrong(&"its state is cut off"))?;
    let lineage = header.lineage.to_string();
    Ok(Stamp { digest: part.digest, lineage, serial: header.serial })
}

/// Reads a saved plan.
pub(crate) fn read(
    context: &Context,
    path: &str,
    schemas: &Schemas,
) -> Result<SavedPlan, Diagnostics> {
    let bad = |detail: String| vec![Diagnostic::error("Failed to read plan file", detail)];
    let bytes = std::fs::read(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => vec![Diagnostic::error(
            format!("Failed to load {path:?} as a plan file"),
            format!("Error: stat {path}: no such file or directory"),
        )],
        _ => bad(format!("{path} could not be read: {error}.")),
    })?;
    let sealer = encryption::sealer_here(context)?;
    let opened = sealer
        .open_plan(&bytes)
        .map_err(|error| encryption::refusal("Failed to read plan file", path, &error))?;
    let bytes = opened.bytes;
    if !is_packed(&bytes) {
        let detail = format!(
            "{path} is not a saved plan of plumb. Plans that Terraform saved cannot be read; make \
             the plan again."
        );
        return Err(bad(detail));
    }
    let mut text = String::new();
    flate2::read::GzDecoder::new(&*bytes)
        .read_to_string(&mut text)
        .map_err(|error| bad(format!("{path} is damaged: {error}.")))?;
    #[derive(Deserialize)]
    struct Version {
        plumb_plan: u64,
    }
    match serde_json::from_str::<Version>(&text) {
        Ok(Version { plumb_plan: FORMAT }) => {}
        Ok(Version { plumb_plan: other }) => {
            let detail = format!(
                "{path} is in format {other}; this version knows only format {FORMAT}. Make the \
                 plan again."
            );
            return Err(bad(detail));
        }
        Err(error) => return Err(bad(format!("{path} is not a saved plan of plumb: {error}."))),
    }
    let saved: Saved =
        serde_json::from_str(&text).map_err(|error| bad(format!("{path} is damaged: {error}.")))?;
    restore(context, saved, schemas, &sealer)
        .map_err(|why| bad(format!("{path} cannot be used: {why}.")))?
}

fn restore(
    context: &Context,
    saved: Saved,
    schemas: &Schemas,
    sealer: &Arc<Sealer>,
) -> Result<Result<SavedPlan, Diagnostics>, String> {
    let contents = journal::read(saved.state.as_bytes()).map_err(|it| it.to_string())?;
    let header = contents.header.ok_or("the state in it is cut off")?;
    let mut state = State::replay(&contents.events).map_err(|it| it.to_string())?;
    state.lineage = header.lineage;
    state.serial = header.serial;
    let seen = seen::restore(saved.seen)?;
    let folders: BTreeMap<Arc<str>, Folder> = saved
        .folders
        .into_iter()
        .map(|(dir, files)| {
            let files = files.into_iter().map(|(name, text)| (name.into(), text.into_bytes()));
            (dir.into(), files.collect())
        })
        .collect();
    let mut loaded = load::load_from(&folders);
    let program = match load::checked(&mut loaded, schemas) {
        Ok(program) => program,
        Err(found) => return Ok(Err(found)),
    };
    let options = Options {
        mode: mode_of(&saved.options.mode).ok_or("it is of an unknown kind")?,
        skip_refresh: saved.options.skip_refresh,
        drift_only: saved.options.drift_only,
        targets: parsed(&saved.options.targets)?,
        replace: parsed(&saved.options.replace)?,
        imports: Vec::new(),
    };
    let variables = saved.variables.into_iter().map(|(name, it)| {
        let value = InputValue { value: it.value, span: None, origin: it.origin.into() };
        (name.into(), value)
    });
    let inputs = Inputs {
        variables: variables.collect(),
        workspace: saved.workspace.as_str().into(),
        working_dir: saved.working_dir.into(),
        home_dir: saved.home_dir.map(Into::into),
        plan_time: saved.plan_time.into(),
        apply_time: None,
        seed: saved.seed,
    };
    let home = match saved.backend.home(context) {
        Ok(home) => home,
        Err(diagnostics) => return Ok(Err(diagnostics)),
    };
    let workspace = saved.workspace.as_str().into();
    let backend = Backend { home, workspace, sealer: sealer.clone() };
    let prepared = Prepared { loaded, program, inputs, options, backend, run: saved.run };
    Ok(Ok(SavedPlan { prepared, state, seen, digest: saved.digest }))
}

fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(
    texts: &[String],
) -> Result<Vec<T>, String> {
    texts.iter().map(|it| it.parse().map_err(|error: T::Err| error.to_string())).collect()
}

impl SavedPlan {
    /// Makes the plan again, without asking anybody anything.
    pub(crate) fn plan(
        &self,
        state: &State,
        schemas: &Schemas,
    ) -> Result<PlanOutcome, Diagnostics> {
        let input = Input {
            program: &self.prepared.program,
            inputs: &self.prepared.inputs,
            schemas,
            state,
            seen: &self.seen,
            options: &self.prepared.options,
            run: self.prepared.run,
        };
        let planned = plumb_planner::plan(input);
        match planned {
            Ok(planned) if digest(&planned.plan, state) == self.digest => {
                Ok(PlanOutcome { planned, seen: self.seen.clone() })
            }
            _ => Err(vec![Diagnostic::error(
                "Saved plan cannot be made again",
                "Made again from what was saved, the plan is not the one that was shown: it was \
                 saved by another version of plumb, or the file was changed. Make a new plan.",
            )]),
        }
    }

    /// Whether `state` is the one that the plan was made from.
    pub(crate) fn check(&self, state: &State) -> Result<(), Diagnostics> {
        let fresh = |it: &State| it.serial == 0;
        if !fresh(&self.state) && self.state.lineage != state.lineage {
            return Err(vec![Diagnostic::error(
                "Saved plan does not match the given state",
                "The given plan file can not be applied because it was created from a different \
                 state lineage.",
            )]);
        }
        if self.state.serial == state.serial
            && digest::of_state(&self.state) == digest::of_state(state)
        {
            return Ok(());
        }
        Err(vec![Diagnostic::error(
            "Saved plan is stale",
            "The given plan file can no longer be applied because the state was changed by another \
             operation after the plan was created.",
        )])
    }
}

fn mode_name(mode: PlanMode) -> &'static str {
    match mode {
        PlanMode::Normal => "normal",
        PlanMode::Destroy => "destroy",
        PlanMode::RefreshOnly => "refresh-only",
    }
}

fn mode_of(name: &str) -> Option<PlanMode> {
    [PlanMode::Normal, PlanMode::Destroy, PlanMode::RefreshOnly]
        .into_iter()
        .find(|it| mode_name(*it) == name)
}
