//! What `init` wrote down of the backend: `.terraform/terraform.tfstate`, in the form in which Terraform
//! keeps it, so that either program goes on where the other one initialized.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use plumb_diag::{Diagnostic, Diagnostics};
use serde_json::{Value as Json, json};

use super::Config;
use crate::{TERRAFORM_VERSION, files};

/// A backend as it was initialized.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Record {
    /// `local`, `http`, `pg`, `s3`
    pub(crate) kind: String,
    /// All arguments, those of `-backend-config` too.
    pub(crate) config: Config,
    /// Which of them stood in the block. None if another program initialized.
    given: Option<BTreeSet<String>>,
}

impl Record {
    /// Of a block that gives `given`, together with what was typed.
    pub(crate) fn new(kind: &str, given: &Config, typed: &Config) -> Record {
        let mut config = given.clone();
        config.extend(typed.clone());
        let names = given.keys().cloned().collect();
        Record { kind: kind.to_owned(), config, given: Some(names) }
    }

    /// What is written down, if anything is.
    pub(crate) fn read(data_dir: &str) -> Result<Option<Record>, Diagnostics> {
        let path = path(data_dir);
        let bad = |detail: String| {
            let advice = "Run \"plumb init -reconfigure\" to write it anew.";
            vec![Diagnostic::error(
                "Error reading the backend's settings",
                format!("{path}: {detail}. {advice}"),
            )]
        };
        let text = match std::fs::read_to_string(&path) {
            Ok(text) if text.trim().is_empty() => return Ok(None),
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(bad(error.to_string())),
        };
        let json: Json = serde_json::from_str(&text).map_err(|it| bad(it.to_string()))?;
        let Some(backend) = json.get("backend").filter(|it| !it.is_null()) else {
            return Ok(None);
        };
        let kind = backend.get("type").and_then(Json::as_str);
        let kind = kind.ok_or_else(|| bad("it names no backend".to_owned()))?.to_owned();
        let config = backend.get("config").and_then(Json::as_object).into_iter().flatten();
        let config = config.filter(|it| !it.1.is_null()).map(|(k, v)| (k.clone(), v.clone()));
        let given = backend.get("plumb_given").and_then(Json::as_array);
        let given =
            given.map(|it| it.iter().filter_map(|it| Some(it.as_str()?.to_owned())).collect());
        Ok(Some(Record { kind, config: config.collect(), given }))
    }

    /// Writes it down. It may hold passwords, so that it is for its owner alone.
    pub(crate) fn write(&self, data_dir: &str) -> Result<(), Diagnostics> {
        // Terraform wants to see every argument it knows.
        let all = match &*self.kind {
            "local" => vec!["path", "workspace_dir"],
            kind => plumb_backend::arguments(kind),
        };
        let mut config: serde_json::Map<String, Json> =
            all.into_iter().map(|it| (it.to_owned(), Json::Null)).collect();
        config.extend(self.config.clone());
        let mut backend = json!({ "type": self.kind, "config": config, "hash": 0 });
        if let Some(given) = &self.given {
            backend["plumb_given"] = json!(given);
        }
        let record =
            json!({ "version": 3, "terraform_version": TERRAFORM_VERSION, "backend": backend });
        let text = serde_json::to_string_pretty(&record).unwrap_or_default();
        let path = path(data_dir);
        std::fs::create_dir_all(data_dir)
            .and_then(|()| files::replace_durably(Path::new(&path), text.as_bytes()))
            .map_err(|error| {
                let detail = format!("{path} could not be written: {error}.");
                vec![Diagnostic::error("Error saving the backend's settings", detail)]
            })
    }

    /// Forgets it: the state is in a file that needs no settings.
    pub(crate) fn remove(data_dir: &str) -> Result<(), Diagnostics> {
        match std::fs::remove_file(path(data_dir)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                let detail = format!("{} could not be removed: {error}.", path(data_dir));
                Err(vec![Diagnostic::error("Error saving the backend's settings", detail)])
            }
            _ => Ok(()),
        }
    }

    /// Whether a block that gives `given` is the one that was initialized. What was typed for it then is
    /// not typed again.
    pub(crate) fn agrees(&self, given: &Config) -> bool {
        let same = given.iter().all(|(name, value)| self.config.get(name) == Some(value));
        let gone = self.given.iter().flatten().any(|it| !given.contains_key(it));
        same && !gone
    }
}

fn path(data_dir: &str) -> String {
    format!("{data_dir}/terraform.tfstate")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(pairs: &[(&str, &str)]) -> Config {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect()
    }

    #[test]
    fn a_block_is_recognized() {
        let folder = tempfile::tempdir().expect("a folder");
        let dir = folder.path().to_str().expect("text");
        assert_eq!(Record::read(dir), Ok(None));
        let record =
            Record::new("http", &config(&[("address", "a")]), &config(&[("password", "p")]));
        record.write(dir).expect("written");
        let read = Record::read(dir).expect("readable").expect("there");
        assert_eq!(read, record);
        assert!(read.agrees(&config(&[("address", "a")])));
        assert!(!read.agrees(&config(&[("address", "b")])), "changed");
        assert!(!read.agrees(&config(&[])), "removed");
        assert!(!read.agrees(&config(&[("address", "a"), ("username", "u")])), "added");
        Record::remove(dir).expect("removed");
        assert_eq!(Record::read(dir), Ok(None));
    }

    #[test]
    fn what_terraform_wrote_is_understood() {
        let folder = tempfile::tempdir().expect("a folder");
        let dir = folder.path().to_str().expect("text");
        let text = r#"{"version": 3, "terraform_version": "1.11.4", "backend": {"type": "http",
            "config": {"address": "a", "password": null}, "hash": 4003026333}}"#;
        std::fs::write(folder.path().join("terraform.tfstate"), text).expect("written");
        let read = Record::read(dir).expect("readable").expect("there");
        assert_eq!((read.kind.as_str(), &read.config), ("http", &config(&[("address", "a")])));
        assert!(read.agrees(&config(&[("address", "a")])));
        std::fs::write(folder.path().join("terraform.tfstate"), "{").expect("written");
        let error = Record::read(dir).expect_err("damaged");
        assert!(error[0].detail.contains("-reconfigure"), "{error:?}");
    }
}
