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

/// Understands a configuration.
pub(crate) fn configure(context: &Context, kind: &str, config: &Config) -> Result<Home, Mistakes> {
    if kind == "local" {
        return local(config).map(Home::Local);
    }
    let folder = camino::Utf8PathBuf::from(context.data_dir()).join("plumb");
    let setting =
        Setting { config: config.clone(), env: context.env.clone(), folder: folder.clone() };
    let configured = plumb_backend::configure(kind, &setting).map_err(Mistakes)?;
    Ok(Home::Remote(Remote { kind: kind.to_owned(), config: config.clone(), configured, folder }))
}

/// What is wrong with a configuration.
#[derive(Debug)]
pub(crate) struct Mistakes(Vec<Mistake>);

impl Mistakes {
    /// Where no block is at fault.
    pub(crate) fn nowhere(self) -> Diagnostics {
        self.0.into_iter().map(|it| Diagnostic::error(it.summary, it.detail)).collect()
    }

    /// At the arguments of a block, or at its header where it lacks them.
    pub(crate) fn in_block(self, block: &Block) -> Diagnostics {
        let span = |it: &Mistake| {
            let argument = it.argument.as_deref()?;
            block.body.attributes().find(|it| *it.name.text == *argument).map(|it| it.name.span)
        };
        let place = |it: Mistake| {
            let span = span(&it).unwrap_or(block.span);
            Diagnostic::error(it.summary, it.detail).at(span)
        };
        self.0.into_iter().map(place).collect()
    }

    /// Those that stay whatever is given besides `config`.
    pub(crate) fn of(self, config: &Config) -> Mistakes {
        let stays = |it: &Mistake| it.argument.as_ref().is_none_or(|it| config.contains_key(it));
        Mistakes(self.0.into_iter().filter(stays).collect())
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn local(config: &Config) -> Result<Local, Mistakes> {
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
            "path" | "workspace_dir" => found.push(Mistake {
                argument: Some(name.clone()),
                summary: "Invalid backend configuration".into(),
                detail: format!("The argument {name:?} must not be empty."),
            }),
            _ => found.push(Mistake {
                argument: Some(name.clone()),
                summary: "Unsupported argument".into(),
                detail: format!("An argument named {name:?} is not expected here."),
            }),
        }
    }
    if found.is_empty() { Ok(local) } else { Err(Mistakes(found)) }
}
