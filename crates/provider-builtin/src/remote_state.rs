//! `terraform_remote_state`: the outputs in another configuration's state file.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use plumb_model::schema::Problem;
use plumb_model::value::{Path, Type, Value, json};
use plumb_provider::{Block, Failure, Resource};
use serde::Deserialize;
use serde_json::value::RawValue;

/// Reads the outputs of another configuration from where its state is kept.
#[derive(Resource, Clone, Debug, PartialEq)]
#[resource(kind = "terraform_remote_state", validate = validate)]
pub struct RemoteState {
    /// How the state is kept: `local`.
    pub backend: String,
    /// The arguments of the backend. For `local`: `path` of the state file and `workspace_dir`.
    #[attr(optional)]
    pub config: Value,
    /// Values for outputs that the state does not have.
    #[attr(optional)]
    pub defaults: Value,
    /// The outputs of the root module.
    #[attr(computed)]
    pub outputs: Value,
    /// The workspace; `default` when left out.
    pub workspace: Option<String>,
}

/// Other configurations' backends: we know that they exist.
const OTHER_BACKENDS: [&str; 12] = [
    "azurerm",
    "cloud",
    "consul",
    "cos",
    "gcs",
    "http",
    "kubernetes",
    "oci",
    "oss",
    "pg",
    "remote",
    "s3",
];

fn validate(config: &Value) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut say = |name: &str, failure: Failure| {
        let (summary, detail) = (failure.summary, failure.detail);
        problems.push(Problem { path: Path::default().attr(name), summary, detail });
    };
    if let Some(backend) = config.get_attr("backend").and_then(Value::as_str)
        && let Err(failure) = known_backend(backend)
    {
        say("backend", failure);
    }
    for name in ["config", "defaults"] {
        let value = config.get_attr(name).filter(|it| it.is_present());
        if value.is_some_and(|it| it.as_map().is_none()) {
            let summary = format!("Invalid {name} value");
            say(name, Failure::new(summary, format!("\"{name}\" must be an object or a map.")));
        }
    }
    if config.get_attr("backend").and_then(Value::as_str) == Some("local")
        && let Some(given) = config.get_attr("config").filter(|it| it.is_wholly_known())
        && let Err(failure) = state_file(given, "default")
    {
        say("config", failure);
    }
    problems
}

fn known_backend(backend: &str) -> Result<(), Failure> {
    let at = Path::default().attr("backend");
    match backend {
        "local" => Ok(()),
        other if OTHER_BACKENDS.contains(&other) => Err(Failure::new(
            "Backend not supported yet",
            format!("The state of another configuration can be read from the \"local\" backend only; \"{other}\" is not supported yet."),
        )
        .at(at)),
        other => Err(Failure::new(
            "Invalid backend configuration",
            format!("There is no backend type named \"{other}\"."),
        )
        .at(at)),
    }
}

/// All attributes of the data source.
pub(crate) fn read(directory: &FilePath, config: &Value) -> Result<Value, Failure> {
    let mut state = <RemoteState as Block>::from_value(config)?;
    known_backend(&state.backend)?;
    let path = state_file(&state.config, state.workspace.as_deref().unwrap_or("default"))?;
    let mut outputs: BTreeMap<Arc<str>, Value> =
        state.defaults.as_map().cloned().unwrap_or_default();
    outputs.extend(read_outputs(&directory.join(path))?);
    state.outputs = Value::object(outputs);
    Ok(Block::to_value(&state))
}

/// Where the `local` backend keeps the state of a workspace.
fn state_file(config: &Value, workspace: &str) -> Result<PathBuf, Failure> {
    let at = Path::default().attr("config");
    let mut texts: BTreeMap<&str, &str> = BTreeMap::new();
    for (name, value) in config.as_map().into_iter().flatten() {
        if !matches!(&**name, "path" | "workspace_dir") {
            let detail = format!("An argument named \"{name}\" is not expected here.");
            return Err(Failure::new("Invalid backend configuration", detail).at(at.attr(name)));
        }
        match value.as_str() {
            Some(text) => _ = texts.insert(name, text),
            None if value.is_null() => {}
            None => {
                let detail = format!("The argument \"{name}\" must be a string.");
                return Err(Failure::new("Invalid backend configuration", detail).at(at.attr(name)));
            }
        }
    }
    let text = |name: &str, default: &'static str| texts.get(name).copied().unwrap_or(default);
    if workspace == "default" {
        return Ok(text("path", "terraform.tfstate").into());
    }
    let workspaces = FilePath::new(text("workspace_dir", "terraform.tfstate.d"));
    Ok(workspaces.join(workspace).join("terraform.tfstate"))
}

/// Of a state file, what is read.
#[derive(Deserialize)]
struct StateFile {
    version: u64,
    #[serde(default)]
    outputs: BTreeMap<String, Output>,
}

#[derive(Deserialize)]
struct Output {
    value: Box<RawValue>,
    #[serde(rename = "type")]
    ty: Box<RawValue>,
}

fn read_outputs(path: &FilePath) -> Result<Vec<(Arc<str>, Value)>, Failure> {
    let broken = |detail: String| {
        Failure::new("Error loading state error", format!("{}: {detail}", path.display()))
            .at(Path::default().attr("config"))
    };
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(Failure::new(
                "Unable to find remote state",
                "No stored state was found for the given workspace in the given backend.",
            ));
        }
        Err(error) => return Err(broken(format!("{error}."))),
    };
    let file: StateFile = serde_json::from_str(&text)
        .map_err(|error| broken(format!("this is not a state file: {error}.")))?;
    if file.version != 4 {
        let version = file.version;
        return Err(broken(format!("its format has version {version}; only 4 can be read.")));
    }
    let read = |output: &Output| {
        let ty = Type::from_json(output.ty.get())?;
        json::from_json_typed(output.value.get(), &ty)
    };
    let outputs = file.outputs.iter().map(|(name, output)| match read(output) {
        Ok(value) => Ok((Arc::from(name.as_str()), value)),
        Err(error) => Err(broken(format!("output \"{name}\" cannot be read: {error}."))),
    });
    outputs.collect()
}
