//! What a block `backend` says, and what `-backend-config` adds to it.

use std::collections::BTreeMap;

use plumb_backend::{Mistake, Setting};
use plumb_diag::{Diagnostic, Diagnostics};
use plumb_lang::config::{Backend as Block, decode_assignments};
use plumb_lang::eval::{self, Constants};
use plumb_lang::syntax::parse;
use plumb_model::value::{Value, json};
use serde_json::Value as Json;

use super::{Home, Local, Remote};
use crate::context::Context;

/// Arguments of a backend by name; none of them null.
pub(crate) type Config = BTreeMap<String, Json>;

/// What a block says.
pub(crate) fn given(block: &Block) -> Result<Config, Diagnostics> {
    let mut found = Vec::new();
    let mut config = Config::new();
    for it in block.body.attributes() {
        let value = eval::evaluate(&it.expr, &Constants, &mut found);
        if let Some(value) = plain(&value) {
            config.insert(it.name.text.to_string(), value);
        }
    }
    if let Some(it) = block.body.blocks().next() {
        let detail = format!(
            "Blocks of type {:?} are not expected here. Arguments of a backend are written with an \
             equals sign.",
            &*it.kind.text
        );
        found.push(Diagnostic::error("Unsupported block type", detail).at(it.kind.span));
    }
    if found.iter().any(Diagnostic::is_error) { Err(found) } else { Ok(config) }
}

/// As JSON; none of null. What is marked as secret stays what it is.
fn plain(value: &Value) -> Option<Json> {
    let value = value.unmark_deep();
    if !value.is_wholly_known() {
        return None;
    }
    serde_json::from_str::<Json>(&json::to_json(&value)).ok().filter(|it| !it.is_null())
}

/// What was typed after `-backend-config`: assignments, and files of them.
pub(crate) fn overrides(context: &Context, typed: &[String]) -> Result<Config, Diagnostics> {
    let mut config = Config::new();
    for it in typed {
        if let Some((name, value)) = it.split_once('=')
            && !name.is_empty()
            && !name.contains(['/', '.'])
        {
            config.insert(name.trim().to_owned(), Json::String(value.to_owned()));
            continue;
        }
        let text = std::fs::read_to_string(it).map_err(|error| {
            let detail = format!("{it} cannot be read: {error}.");
            vec![Diagnostic::error("Failed to read file", detail)]
        })?;
        let mut sources = plumb_diag::Sources::default();
        let file = sources.add(it.as_str(), text.as_str());
        let parsed = parse(file, &text);
        let (assignments, more) = decode_assignments(parsed.body);
        let mut found = parsed.diagnostics;
        found.extend(more);
        for it in assignments {
            let value = eval::evaluate(&it.expr, &Constants, &mut found);
            if let Some(value) = plain(&value) {
                config.insert(it.name.to_string(), value);
            }
        }
        if found.iter().any(Diagnostic::is_error) {
            context.ui.show_from(&sources);
            return Err(found);
        }
    }
    Ok(config)
}

/// Understands a configuration. Diagnostics are without a place.
pub(crate) fn configure(
    context: &Context,
    kind: &str,
    config: &Config,
) -> Result<Home, Diagnostics> {
    if kind == "local" {
        return local(config).map(Home::Local);
    }
    let folder = camino::Utf8PathBuf::from(context.data_dir()).join("plumb");
    let setting =
        Setting { config: config.clone(), env: context.env.clone(), folder: folder.clone() };
    let configured = plumb_backend::configure(kind, &setting)
        .map_err(|mistakes| mistakes.into_iter().map(diagnostic).collect::<Vec<_>>())?;
    Ok(Home::Remote(Remote { kind: kind.to_owned(), config: config.clone(), configured, folder }))
}

fn diagnostic(mistake: Mistake) -> Diagnostic {
    Diagnostic::error(mistake.summary, mistake.detail)
}

fn local(config: &Config) -> Result<Local, Diagnostics> {
    let mut local = Local::default();
    let mut found = Vec::new();
    for (name, value) in config {
        let text = match value {
            Json::String(text) => text.clone(),
            other => other.to_string(),
        };
        match name.as_str() {
            "path" if !text.is_empty() => local.path = text.into(),
            "workspace_dir" if !text.is_empty() => local.folder = text.into(),
            "path" | "workspace_dir" => {
                let detail = format!("The argument {name:?} must not be empty.");
                found.push(Diagnostic::error("Invalid backend configuration", detail));
            }
            _ => found.push(Diagnostic::error(
                "Unsupported argument",
                format!("An argument named {name:?} is not expected here."),
            )),
        }
    }
    if found.is_empty() { Ok(local) } else { Err(found) }
}

/// Points mistakes at the arguments that a block has, else at its header.
pub(crate) fn located(found: Diagnostics, block: &Block) -> Diagnostics {
    let place = |it: Diagnostic| {
        let attribute = (block.body.attributes())
            .find(|attribute| it.detail.contains(&format!("{:?}", &*attribute.name.text)));
        let span = attribute.map_or(block.span, |it| it.name.span);
        if it.span.is_some() { it } else { it.at(span) }
    };
    found.into_iter().map(place).collect()
}
