//! `plan -generate-config-out`: configuration for what `import` blocks bring in and no block names.
//!
//! In two goes: with a block of which nothing is known in place of each that is missing, to look at
//! the objects; then with what is generated from them, which is planned like any other.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use plumb_diag::{Diagnostic, Diagnostics};
use plumb_engine::{Engine, Interrupt, Observer, PlanRequest};
use plumb_lang::compile::provider_source;
use plumb_lang::config::{Import, Module, is_module_file, is_override};
use plumb_lang::generate::literal::quoted;
use plumb_lang::generate::{Reader, placeholder, resource_text};
use plumb_model::addr::{Addr, Mode};
use plumb_model::question::{Answer, Observations, QuestionKey};
use plumb_model::schema::{ResourceSchema, Schemas};
use plumb_model::state::State;

use crate::context::Context;
use crate::load::{self, Folder, Loaded};
use crate::planning::{self, Asked, Prepared};

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

/// Refuses a file that is there.
pub(super) fn refuse_existing(path: &str) -> Result<(), Diagnostics> {
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

/// The configuration that stands in for the missing blocks. None: no block is missing.
pub(super) struct Standing {
    missing: Vec<Missing>,
    /// What the other file is called.
    file: String,
    /// The files of the root module without it: by the second go it may be among those on disk.
    root: Folder,
}

impl Standing {
    /// Finds what is missing.
    pub(super) fn find(
        context: &Context,
        schemas: &Schemas,
        path: &str,
    ) -> Result<Option<Standing>, Diagnostics> {
        let loaded = load::load(&mut load::read_folder);
        context.ui.show_from(&loaded.sources);
        let Some(root) = loaded.root() else { return Ok(None) };
        let mut missing = Vec::new();
        let mut errors = Vec::new();
        for import in &root.imports {
            match of_import(root, schemas, import) {
                // Two that bring in the same are for the plan to refuse.
                Ok(Some(it)) if missing.iter().any(|has: &Missing| has.addr == it.addr) => {}
                Ok(it) => missing.extend(it),
                Err(error) => errors.push(*error),
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let name = Path::new(path).file_name().and_then(|it| it.to_str()).unwrap_or_default();
        let fits = is_module_file(name) && !is_override(name);
        let file = if fits { name.to_owned() } else { "generated.tf".to_owned() };
        let files = loaded.folders.get(&loaded.tree.root).cloned().unwrap_or_default();
        Ok((!missing.is_empty()).then_some(Standing { missing, file, root: files }))
    }

    /// The configuration with another file.
    fn with(&self, text: &str) -> Loaded {
        let mut files = self.root.clone();
        let mut name = self.file.clone();
        while files.iter().any(|it| *it.0 == *name) {
            name.insert(0, '_');
        }
        files.push((name.into(), text.as_bytes().to_vec()));
        files.sort();
        load::load(&mut |dir| if dir == "." { Ok(files.clone()) } else { load::read_folder(dir) })
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

    /// Looks at the objects, writes the file, and prepares what is to be planned instead. What was
    /// seen comes along. None: it was interrupted.
    #[expect(clippy::too_many_arguments, reason = "what a plan is made from, and where to write")]
    pub(super) async fn generate(
        &self,
        context: &Context,
        engine: &Engine,
        asked: &Asked<'_>,
        prepared: &Prepared,
        state: &State,
        path: &str,
        screen: &Arc<dyn Observer>,
        interrupt: &Interrupt,
    ) -> Result<Option<(Prepared, Observations)>, Diagnostics> {
        let request = PlanRequest {
            program: &prepared.program,
            inputs: &prepared.inputs,
            state,
            options: &prepared.options,
            run: prepared.run,
        };
        let enough = |seen: &Observations| {
            self.missing.iter().all(|it| answer(seen, &it.addr).is_some() || is_owned(state, it))
        };
        let seen = match engine.look(request, screen, interrupt, &enough).await {
            Ok(seen) => seen,
            Err(diagnostics) if diagnostics.is_empty() && interrupt.level() > 0 => return Ok(None),
            Err(diagnostics) => return Err(diagnostics),
        };
        let mut text = HEAD.to_owned();
        let mut unseen = String::new();
        for it in &self.missing {
            let Some((id, Answer::Object(remote))) = answer(&seen, &it.addr) else {
                // The plan says what is wrong with it.
                unseen += &it.placeholder();
                continue;
            };
            let block =
                resource_text(&it.addr.resource, &it.schema.block, &remote.attrs, Reader::Person);
            text += &format!("\n# __generated__ by Plumb from {}\n", quoted(id));
            text += &with_provider(block, it.provider.as_deref());
        }
        // Before it is planned: what is wrong with it is for a person to put right.
        if text != HEAD {
            write_new(path, &text)?;
        }
        let again = planning::prepare_loaded(context, asked, self.with(&(text + &unseen)))?;
        Ok(Some((again, seen)))
    }
}

fn answer<'a>(seen: &'a Observations, addr: &Addr) -> Option<(&'a str, &'a Answer)> {
    seen.iter().find_map(|(key, answer)| match key {
        QuestionKey::Import(to, id) if to == addr => Some((&**id, answer)),
        _ => None,
    })
}

/// What is in the state already is not brought in.
fn is_owned(state: &State, missing: &Missing) -> bool {
    state.current(&missing.addr).is_some()
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
    let file = std::fs::OpenOptions::new().write(true).create_new(true).open(path);
    let written = file.and_then(|mut it| it.write_all(text.as_bytes()));
    written.map_err(|error| {
        let summary = "Failed to write generated config";
        let detail = format!("{path:?} could not be written: {error}. Nothing was changed.");
        vec![Diagnostic::error(summary, detail)]
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

/// What stands below the plan.
pub(super) fn done_text(path: &str) -> String {
    format!(
        "\nPlumb has generated configuration and written it to {path}. Please review\nthe \
         configuration and edit it as necessary before adding it to version\ncontrol.\n"
    )
}
