//! `plan -generate-config-out`: configuration for what `import` blocks bring in and no block names.
//!
//! In two goes: with a block of which nothing is known in place of each that is missing, to look at
//! the objects; then with what is generated from them, which is planned like any other.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use plumb_diag::{Diagnostic, Diagnostics};
use plumb_lang::compile::provider_source;
use plumb_lang::config::{Import, Module, free_name, is_module_file, is_override};
use plumb_lang::generate::literal::quoted;
use plumb_lang::generate::{Reader, placeholder, resource_text};
use plumb_model::addr::{Addr, Mode};
use plumb_model::plan::Plan;
use plumb_model::question::{Answer, Observations, QuestionKey};
use plumb_model::schema::{ResourceSchema, Schemas};
use plumb_model::state::State;
use plumb_model::value::Value;
use plumb_planner::PlanMode;

use crate::context::Context;
use crate::load::{self, Folder, Loaded};
use crate::planning::{self, Asked, Prepared, Tools};

/// What stands above everything.
const HEAD: &str = "# __generated__ by Plumb\n# Please review these resources and move them into \
                    your main configuration files.\n";

/// One block that is to be written.
struct Missing {
    addr: Addr,
    schema: Arc<ResourceSchema>,
    provider: Option<String>,
}

impl Missing {
    fn placeholder(&self) -> String {
        let block = placeholder(&self.addr.resource, &self.schema.block);
        with_provider(block, self.provider.as_deref())
    }
}

/// Refuses what can be refused before anything is read: a file that is there, and other modes.
pub(super) fn refuse(path: &str, mode: PlanMode) -> Result<(), Diagnostics> {
    if mode != PlanMode::Normal {
        return Err(vec![Diagnostic::error(
            "Invalid generate-config-out flag",
            "Config can only be generated during a normal plan operation, and not during a \
             refresh-only or destroy plan.",
        )]);
    }
    if std::fs::symlink_metadata(path).is_err() {
        return Ok(());
    }
    Err(vec![Diagnostic::error(
        "Target generated file already exists",
        "Plumb can only write generated config into a new file. Either choose a different target \
         location or move all existing configuration out of the target file, delete it and try \
         again.",
    )])
}

/// The configuration that stands in for the missing blocks.
pub(super) struct Standing {
    missing: Vec<Missing>,
    path: String,
    /// The configuration as it was read; what is generated is not in it, once it is written either.
    folders: BTreeMap<Arc<str>, Folder>,
}

impl Standing {
    /// Finds what is missing. None: no block is.
    pub(super) fn find(context: &Context, path: &str) -> Result<Option<Standing>, Diagnostics> {
        let loaded = load::load(&mut load::read_folder);
        context.ui.show_from(&loaded.sources);
        // In files that are wrong nothing is missing: the plan says what is wrong with them.
        let whole = !loaded.diagnostics.iter().any(Diagnostic::is_error);
        let Some(root) = loaded.root().filter(|_| whole) else { return Ok(None) };
        let schemas = context.schemas();
        let mut missing = Vec::new();
        let mut errors = Vec::new();
        for import in &root.imports {
            match of_import(root, &schemas, import) {
                // Two that bring in the same are for the plan to refuse.
                Ok(Some(it)) if missing.iter().any(|has: &Missing| has.addr == it.addr) => {}
                Ok(it) => missing.extend(it),
                Err(error) => errors.push(*error),
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let standing = Standing { missing, path: path.to_owned(), folders: loaded.folders };
        Ok((!standing.missing.is_empty()).then_some(standing))
    }

    /// The configuration with another file.
    fn with(&self, text: &str) -> Loaded {
        let name = Path::new(&self.path).file_name().and_then(|it| it.to_str()).unwrap_or_default();
        let fits = is_module_file(name) && !is_override(name);
        let mut folders = self.folders.clone();
        let root = folders.entry(".".into()).or_default();
        let name = free_name(if fits { name } else { "generated.tf" }, root);
        root.push((name, text.as_bytes().to_vec()));
        root.sort();
        load::load_from(&folders)
    }

    /// Everything to look at the objects with.
    pub(super) fn prepare(
        &self,
        context: &Context,
        asked: &Asked<'_>,
    ) -> Result<Prepared, Diagnostics> {
        let text: String = self.missing.iter().map(Missing::placeholder).collect();
        planning::prepare_loaded(context, asked, self.with(&text))
    }

    /// Looks at the objects, writes the file, and makes of `prepared` what is to be planned instead.
    /// What was seen comes along. None: it was interrupted.
    pub(super) async fn generate(
        &self,
        tools: Tools<'_>,
        prepared: Prepared,
        state: &State,
    ) -> Result<Option<(Prepared, Observations)>, Diagnostics> {
        let request = prepared.request(&prepared.options, state);
        let enough = |seen: &Observations| {
            self.missing
                .iter()
                .all(|it| answer(seen, &it.addr).is_some() || state.current(&it.addr).is_some())
        };
        let interrupt = tools.interrupt;
        let seen = match tools.engine.look(request, tools.screen, interrupt, &enough).await {
            Ok(seen) => seen,
            Err(diagnostics) if diagnostics.is_empty() && interrupt.level() > 0 => return Ok(None),
            Err(diagnostics) => return Err(diagnostics),
        };
        let mut text = HEAD.to_owned();
        let mut unseen = String::new();
        for it in &self.missing {
            let Some((id, attrs)) = found(&seen, state, &it.addr) else {
                // The plan says what is wrong with it.
                unseen += &it.placeholder();
                continue;
            };
            let block = resource_text(&it.addr.resource, &it.schema.block, attrs, Reader::Person);
            text += &format!("\n# __generated__ by Plumb from {}\n", quoted(id));
            text += &with_provider(block, it.provider.as_deref());
        }
        // Before it is planned: what is wrong with it is for a person to put right.
        if text != HEAD {
            write_new(&self.path, &text)?;
        }
        let again = with_configuration(tools.context, prepared, self.with(&(text + &unseen)))?;
        Ok(Some((again, seen)))
    }

    /// Has the plan say of which resources it was.
    pub(super) fn tell(&self, plan: &mut Plan) {
        for it in &self.missing {
            if let Some(change) = plan.changes.get_mut(&it.addr.current()) {
                change.says.push("config will be generated".into());
            }
        }
    }

    /// Where what is generated goes.
    pub(super) fn path(&self) -> &str {
        &self.path
    }
}

/// The same with another configuration, the variables of which are the same. Warnings were shown
/// already.
fn with_configuration(
    context: &Context,
    prepared: Prepared,
    mut loaded: Loaded,
) -> Result<Prepared, Diagnostics> {
    // Values of variables have their place in other files than the configuration's.
    loaded.sources.extend(&prepared.loaded.sources);
    context.ui.show_from(&loaded.sources);
    let program = load::checked(&mut loaded, &context.schemas())?;
    Ok(Prepared { loaded, program, ..prepared })
}

fn answer<'a>(seen: &'a Observations, addr: &Addr) -> Option<(&'a str, &'a Answer)> {
    seen.iter().find_map(|(key, answer)| match key {
        QuestionKey::Import(to, id) if to == addr => Some((&**id, answer)),
        _ => None,
    })
}

/// The id of an object and what it is. What is in the state already is not looked at again: without
/// a block it would be deleted.
fn found<'a>(
    seen: &'a Observations,
    state: &'a State,
    addr: &Addr,
) -> Option<(&'a str, &'a Value)> {
    if let Some((id, Answer::Object(remote))) = answer(seen, addr) {
        return Some((id, &remote.attrs));
    }
    let attrs = &state.current(addr)?.attrs;
    Some((attrs.as_map()?.get("id")?.as_str()?, attrs))
}

fn with_provider(block: String, provider: Option<&str>) -> String {
    match (provider, block.split_once('\n')) {
        (Some(name), Some((head, rest))) => format!("{head}\n  provider = {name}\n{rest}"),
        _ => block,
    }
}

/// The block that an `import` block lacks, if it lacks one.
fn of_import(
    root: &Module,
    schemas: &Schemas,
    import: &Import,
) -> Result<Option<Missing>, Box<Diagnostic>> {
    let refused = |detail: String| {
        let summary = "Configuration for import target does not exist";
        Err(Box::new(Diagnostic::error(summary, detail).at(import.to_expr.span)))
    };
    let fixed = import.to.as_ref();
    if fixed.is_some_and(|it| !it.module.is_root() || root.resources.contains_key(&it.resource)) {
        // Said elsewhere, if it is not there.
        return Ok(None);
    }
    let Some(addr) = fixed.filter(|it| it.key.is_none() && import.for_each.is_none()) else {
        // With keys that are not known yet it may well be there.
        if fixed.is_none() {
            return Ok(None);
        }
        return refused(
            "The given import block is not compatible with config generation. The \
             -generate-config-out option cannot be used with import blocks which use for_each, or \
             resources which use for_each or count."
                .to_owned(),
        );
    };
    let kind = &addr.resource.kind;
    let local = match &import.provider {
        Some(it) => it.name.name.to_string(),
        None => kind.provider_name().to_owned(),
    };
    let source = provider_source(root, schemas, &local);
    let Some(schema) = schemas.resource(&source, Mode::Managed, kind) else {
        return refused(format!("No provider here knows the resource type {:?}.", &**kind));
    };
    let provider = import.provider.as_ref().map(|it| match &it.name.alias {
        Some(alias) => format!("{}.{alias}", it.name.name),
        None => it.name.name.to_string(),
    });
    Ok(Some(Missing { addr: addr.clone(), schema: schema.clone(), provider }))
}

/// Writes a file that must not be there yet.
fn write_new(path: &str, text: &str) -> Result<(), Diagnostics> {
    let failed = |error: io::Error| {
        let detail = format!("Plumb could not create the generated file {path}: {error}.");
        vec![Diagnostic::error("Failed to create target generated file", detail)]
    };
    let mut file = File::create_new(path).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(|error| {
        // Half of it would be in the way of the next attempt.
        let _ = std::fs::remove_file(path);
        failed(error)
    })
}

/// What is said once it is there.
pub(super) fn warning() -> Diagnostic {
    Diagnostic::warning(
        "Config generation is experimental",
        "Generating configuration during import is currently experimental, and the generated \
         configuration format may change in future versions.",
    )
}
