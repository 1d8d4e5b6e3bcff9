//! Where values of variables come from: the environment, files, options, a person.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal};
use std::sync::Arc;

use clap::ArgMatches;
use plumb_diag::{Diagnostic, Diagnostics, Sources};
use plumb_lang::config::{Module, decode_assignments};
use plumb_lang::syntax::parse;
use plumb_lang::vars::{Assigned, Given, Origin, split_option};
use plumb_model::value::json::from_json_implied;

use crate::ui::Ui;

/// `-var` and `-var-file`, in the order they were typed.
#[derive(Clone, Debug)]
pub(crate) enum Typed {
    /// `name=value`
    Var(String),
    /// A file.
    File(String),
}

/// What was typed, in order.
pub(crate) fn typed(matches: &ArgMatches) -> Vec<Typed> {
    let of = |id: &str, make: fn(String) -> Typed| -> Vec<(usize, Typed)> {
        // Not every verb takes variables.
        if matches.try_contains_id(id).is_err() {
            return Vec::new();
        }
        let values = matches.try_get_many::<String>(id).ok().flatten().into_iter().flatten();
        let indices = matches.indices_of(id).into_iter().flatten();
        indices.zip(values.cloned().map(make)).collect()
    };
    let mut all = of("var", Typed::Var);
    all.extend(of("var_file", Typed::File));
    all.sort_by_key(|it| it.0);
    all.into_iter().map(|it| it.1).collect()
}

/// Everything that was given, the weakest first.
pub(crate) fn gather(
    typed: &[Typed],
    env: &BTreeMap<String, String>,
    sources: &mut Sources,
    diagnostics: &mut Diagnostics,
) -> Vec<Assigned> {
    let mut given = Vec::new();
    for (name, value) in env {
        if let Some(name) = name.strip_prefix("TF_VAR_") {
            given.push(Assigned {
                name: name.into(),
                given: Given::Text(value.as_str().into()),
                origin: Origin::Environment,
            });
        }
    }
    for name in automatic() {
        file(&name, sources, &mut given, diagnostics);
    }
    for it in typed {
        match it {
            Typed::Var(text) => match split_option(text) {
                Ok((name, value)) => given.push(Assigned {
                    name,
                    given: Given::Text(value),
                    origin: Origin::CommandLine,
                }),
                Err(error) => diagnostics.push(*error),
            },
            Typed::File(path) => file(path, sources, &mut given, diagnostics),
        }
    }
    given
}

/// The files that are read without being named, the weakest first.
fn automatic() -> Vec<String> {
    let mut names: Vec<String> = ["terraform.tfvars", "terraform.tfvars.json"]
        .into_iter()
        .filter(|it| std::fs::metadata(it).is_ok())
        .map(str::to_owned)
        .collect();
    let mut auto: Vec<String> = std::fs::read_dir(".")
        .into_iter()
        .flatten()
        .filter_map(|it| it.ok()?.file_name().into_string().ok())
        .filter(|it| it.ends_with(".auto.tfvars") || it.ends_with(".auto.tfvars.json"))
        .filter(|it| !it.starts_with('.') && !it.ends_with('~'))
        .collect();
    auto.sort();
    names.extend(auto);
    names
}

fn file(
    path: &str,
    sources: &mut Sources,
    given: &mut Vec<Assigned>,
    diagnostics: &mut Diagnostics,
) {
    let bad = |detail: String| Diagnostic::error("Failed to read variables file", detail);
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return diagnostics.push(bad(format!("Given variables file {path} does not exist.")));
        }
        Err(error) => {
            return diagnostics.push(bad(format!("Error while reading {path}: {error}.")));
        }
    };
    if path.ends_with(".json") {
        match from_json_implied(&text) {
            Ok(value) => {
                given.extend(value.as_map().into_iter().flatten().map(|(name, value)| Assigned {
                    name: name.clone(),
                    given: Given::Value(value.clone()),
                    origin: Origin::File(path.into(), None),
                }));
            }
            Err(error) => diagnostics.push(bad(format!("{path} is not valid JSON: {error}."))),
        }
        return;
    }
    let id = sources.add(path, text.as_str());
    let parsed = parse(id, &text);
    let failed = !parsed.diagnostics.is_empty();
    diagnostics.extend(parsed.diagnostics);
    let (assignments, found) = decode_assignments(parsed.body);
    if !failed {
        diagnostics.extend(found);
    }
    given.extend(assignments.into_iter().map(|it| Assigned {
        name: it.name,
        origin: Origin::File(path.into(), Some(it.expr.span)),
        given: Given::Expr(it.expr),
    }));
}

/// Asks for the required variables that nobody gave a value, if there is somebody to ask.
pub(crate) fn ask(module: &Module, given: &mut Vec<Assigned>, ui: &Ui) {
    if !io::stdin().is_terminal() {
        return;
    }
    for (name, variable) in &module.variables {
        if variable.default.is_some() || given.iter().any(|it| it.name == *name) {
            continue;
        }
        let mut question = format!("var.{name}");
        if let Some(description) = &variable.description {
            question += &format!("\n  {}", description.replace('\n', "\n  "));
        }
        let Some(answer) = ui.ask(&question, variable.sensitive) else { return };
        let text: Arc<str> = answer.into();
        given.push(Assigned {
            name: name.clone(),
            given: Given::Text(text),
            origin: Origin::Asked,
        });
    }
}
