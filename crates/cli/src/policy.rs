//! `-policy`: policies are read before anything else is done, and asked once there is a plan.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use plumb_diag::{Diagnostic, Diagnostics, Sources, Span};
use plumb_lang::Program;
use plumb_model::addr::ConfigAddr;
use plumb_model::plan::Plan;
use plumb_model::schema::Schemas;
use plumb_planner::Planned;
use plumb_policy::{Case, DataText, Fault, Namespaces, Ruling, Text, Verdict};

use crate::args::PolicyFlags;
use crate::context::Context;
use crate::planning::{self, Prepared};

/// Policies, and their texts as diagnostics show them.
pub(crate) struct Policies {
    policies: plumb_policy::Policies,
    sources: Sources,
}

/// Reads the policies that the options name. None: they name none.
pub(crate) fn read(
    context: &Context,
    flags: &PolicyFlags,
) -> Result<Option<Policies>, Diagnostics> {
    if flags.policy.is_empty() {
        if flags.policy_namespace.is_empty() {
            return Ok(None);
        }
        let detail = "The -policy-namespace option says which policies are asked; there are none \
                      without the -policy option.";
        return Err(vec![Diagnostic::error("Incompatible command line options", detail)]);
    }
    let mut found = Found::default();
    for dir in &flags.policy {
        let before = found.policies.len();
        walk(Utf8Path::new(dir), &mut found).map_err(|(path, error)| {
            let detail = format!("{path} cannot be read: {error}.");
            vec![Diagnostic::error("Failed to read policies", detail)]
        })?;
        if found.policies.len() == before {
            let detail = format!(
                "There is no file in {dir} that ends with .rego (and not with _test.rego)."
            );
            return Err(vec![Diagnostic::error("No policies", detail)]);
        }
    }
    let mut sources = Sources::default();
    for it in found.policies.iter().chain(found.data.iter().map(|it| &it.text)) {
        sources.add(it.path.as_str(), it.text.as_str());
    }
    let namespaces = Namespaces::of(&flags.policy_namespace);
    match plumb_policy::Policies::read(found.policies, &found.data, &namespaces) {
        Ok(policies) => Ok(Some(Policies { policies, sources })),
        Err(faults) => Err(broken(context, &sources, &faults)),
    }
}

/// Holds the plan against the policies and says what they say of it. Whether they refuse it.
pub(crate) fn refuses(
    context: &Context,
    policies: Option<Policies>,
    prepared: &Prepared,
    planned: &Planned,
    schemas: &Schemas,
) -> Result<bool, Diagnostics> {
    let Some(Policies { mut policies, sources }) = policies else { return Ok(false) };
    let mut input = Vec::new();
    let text = planning::write_json(prepared, planned, schemas, &mut input)
        .and_then(|()| String::from_utf8(input).map_err(io::Error::other));
    let input = text.map_err(|error| {
        vec![Diagnostic::error("The plan cannot be given to policies", format!("{error}."))]
    })?;
    let blocks = blocks(&planned.plan);
    let addresses: BTreeSet<String> = blocks.keys().cloned().collect();
    let verdicts = policies
        .judge(Case { input: &input, addresses: &addresses })
        .map_err(|faults| broken(context, &sources, &faults))?;
    let said: Diagnostics =
        verdicts.iter().map(|it| diagnostic(it, &blocks, &prepared.program)).collect();
    context.ui.diagnostics(&said);
    let refused = said.iter().any(Diagnostic::is_error);
    if refused {
        context.ui.say("\nThe plan is refused by policy. Nothing was changed.");
    }
    Ok(refused)
}

/// What a verdict may be about: instances of the plan and their blocks, by how they are written.
fn blocks(plan: &Plan) -> BTreeMap<String, ConfigAddr> {
    let changed = plan.changes.keys().chain(plan.drift.keys()).map(|it| &it.addr);
    changed
        .flat_map(|addr| {
            let block = addr.config();
            [(addr.to_string(), block.clone()), (block.to_string(), block)]
        })
        .collect()
}

fn diagnostic(
    verdict: &Verdict,
    blocks: &BTreeMap<String, ConfigAddr>,
    program: &Program,
) -> Diagnostic {
    let mut detail = format!("{}\n", verdict.message);
    for (name, value) in &verdict.details {
        detail += &format!("\n  {name}: {value}");
    }
    if !verdict.details.is_empty() {
        detail.push('\n');
    }
    detail += &format!("\nThe rule is in {}.", verdict.file);
    let diagnostic = match verdict.ruling {
        Ruling::Refused => Diagnostic::error(format!("Refused by policy {}", verdict.rule), detail),
        Ruling::Warned => {
            Diagnostic::warning(format!("Noticed by policy {}", verdict.rule), detail)
        }
    };
    let Some(address) = &verdict.address else { return diagnostic };
    let diagnostic = diagnostic.about(address.as_str());
    match blocks.get(address).and_then(|it| program.argument(it, None)) {
        Some(span) => diagnostic.at(span),
        None => diagnostic,
    }
}

/// Faults are shown in the texts of the policies.
fn broken(context: &Context, sources: &Sources, faults: &[Fault]) -> Diagnostics {
    context.ui.show_from(sources);
    let place = |(path, byte): &(String, usize)| {
        let (file, text) = sources.files().find(|it| *it.1.path == **path)?;
        let rest = text.text.get(*byte..).unwrap_or_default();
        let end = byte + rest.chars().next().map_or(0, char::len_utf8);
        Some(Span::new(file, *byte, end))
    };
    let said = |it: &Fault| {
        let error = Diagnostic::error("Broken policy", sentence(&it.message));
        match it.place.as_ref().and_then(place) {
            Some(span) => error.at(span),
            None => error,
        }
    };
    faults.iter().map(said).collect()
}

/// What the interpreter says begins with a small letter and ends without a full stop.
fn sentence(text: &str) -> String {
    let mut text = text.to_owned();
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    if !text.ends_with(['.', '!', '?']) {
        text.push('.');
    }
    text
}

#[derive(Default)]
struct Found {
    policies: Vec<Text>,
    data: Vec<DataText>,
}

/// The files of a folder and of those below it, in the order of their names. A file alone is one, too. Data lies below
/// the names of its folders. A link to a folder is not followed: it may lead back.
fn walk(root: &Utf8Path, found: &mut Found) -> Result<(), (Utf8PathBuf, io::Error)> {
    let is_folder = std::fs::metadata(root).map_err(|it| (root.to_owned(), it))?.is_dir();
    let mut waiting = vec![(root.to_owned(), Vec::<String>::new(), is_folder)];
    while let Some((path, below, is_folder)) = waiting.pop() {
        if !is_folder {
            take(path, below, found)?;
            continue;
        }
        let below = match path == root {
            true => Vec::new(),
            false => [&below[..], &[path.file_name().unwrap_or_default().to_owned()]].concat(),
        };
        let failed = |it| (path.clone(), it);
        let mut inside = Vec::new();
        for entry in std::fs::read_dir(&path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            // Names that are not text, and hidden files, are nobody's policies.
            let Ok(name) = entry.file_name().into_string() else { continue };
            if !name.starts_with('.') {
                let is_folder = entry.file_type().map_err(failed)?.is_dir();
                inside.push((path.join(name), below.clone(), is_folder));
            }
        }
        inside.sort_by(|a, b| b.0.cmp(&a.0));
        waiting.extend(inside);
    }
    Ok(())
}

fn take(
    path: Utf8PathBuf,
    below: Vec<String>,
    found: &mut Found,
) -> Result<(), (Utf8PathBuf, io::Error)> {
    let is_policy = path.extension() == Some("rego") && !path.as_str().ends_with("_test.rego");
    let is_data = matches!(path.extension(), Some("json" | "yaml" | "yml"));
    // A link that leads to a folder has the name of a file, perhaps.
    if !(is_policy || is_data) || path.is_dir() {
        return Ok(());
    }
    let text = std::fs::read_to_string(&path).map_err(|it| (path.clone(), it))?;
    let text = Text { path: path.into_string(), text };
    match is_policy {
        true => found.policies.push(text),
        false => found.data.push(DataText { text, below }),
    }
    Ok(())
}
