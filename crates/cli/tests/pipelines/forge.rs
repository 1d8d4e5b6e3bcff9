//! As little of a forge and its runner as the steps of a pipeline can tell.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

pub(crate) const CONFIGURATION: &str = r#"
variable "size" {
  type    = number
  default = 2
}

resource "terraform_data" "node" {
  count = var.size
  input = "node ${count.index}"
}

check "enough" {
  assert {
    condition     = var.size > 1
    error_message = "One is not enough."
  }
}

output "nodes" {
  value = [for it in terraform_data.node : it.output]
}
"#;

/// A repository that was checked out, a state elsewhere, and tools that only note what they are
/// asked.
pub(crate) struct Forge {
    dir: TempDir,
    pub(crate) env: BTreeMap<String, String>,
}

/// What a step left.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Forge {
    pub(crate) fn new(configuration: &str) -> Forge {
        let dir = TempDir::new().unwrap();
        let path = |name: &str| dir.path().join(name);
        for name in ["repository", "home", "state", "tools", "temp"] {
            fs::create_dir(path(name)).unwrap();
        }
        fs::write(path("repository/main.tf"), configuration).unwrap();
        let asked = path("asked").display().to_string();
        tool(
            &path("tools/gh"),
            &format!("printf '%s\\n' \"$@\" >> {asked}; cat plan.md >> {asked}"),
        );
        // Only what is fetched from a file is fetched.
        let curl = format!(
            "case \"${{@: -1}}\" in\n  http*) printf '%s\\n' \"$@\" >> {asked}; cat comment.json >> \
             {asked} ;;\n  *) PATH=${{PATH#*:}} exec curl \"$@\" ;;\nesac"
        );
        tool(&path("tools/curl"), &curl);
        let plumb = env!("CARGO_BIN_EXE_plumb");
        let sum = Command::new("sha256sum").arg(plumb).output().unwrap();
        let sum = String::from_utf8(sum.stdout).unwrap();
        let system = std::env::var("PATH").unwrap();
        let env = [
            ("PATH", format!("{}:{system}", path("tools").display())),
            ("HOME", path("home").display().to_string()),
            ("PLUMB_URL", format!("file://{plumb}")),
            ("PLUMB_SHA256", sum.split(' ').next().unwrap().to_owned()),
            ("PLUMB_STATE", path("state/terraform.tfstate").display().to_string()),
        ];
        let env = env.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Forge { dir, env }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A file of the repository.
    pub(crate) fn read(&self, name: &str) -> String {
        let path = self.path("repository").join(name);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    pub(crate) fn json(&self, name: &str) -> Value {
        serde_json::from_str(&self.read(name)).unwrap()
    }

    /// What the tools were asked.
    pub(crate) fn asked(&self) -> String {
        fs::read_to_string(self.path("asked")).unwrap_or_default()
    }

    /// What the state holds of one kind.
    pub(crate) fn objects(&self) -> usize {
        let Ok(text) = fs::read_to_string(self.path("state/terraform.tfstate")) else { return 0 };
        let state: Value = serde_json::from_str(&text).unwrap();
        let resources = state["resources"].as_array().unwrap();
        resources.iter().map(|it| it["instances"].as_array().unwrap().len()).sum()
    }

    pub(crate) fn bash(&self, script: &str, more: &BTreeMap<String, String>) -> Step {
        let output = Command::new("bash")
            .args(["--noprofile", "--norc", "-eo", "pipefail", "-c", script])
            .current_dir(self.path("repository"))
            .env_clear()
            .envs(&self.env)
            .envs(more)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        Step {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The same, and expects it to go well.
    pub(crate) fn ok(&self, script: &str, more: &BTreeMap<String, String>) -> Step {
        let step = self.bash(script, more);
        assert_eq!(step.code, 0, "{script}\n{}{}", step.out, step.err);
        step
    }
}

fn tool(path: &Path, script: &str) {
    use std::os::unix::fs::PermissionsExt;
    fs::write(path, format!("#!/bin/bash\n{script}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// A pipeline of the examples.
pub(crate) fn pipeline(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/pipelines").join(name);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
    yaml_serde::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// A list of texts, or one text.
pub(crate) fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        other => {
            let items = other.as_array().into_iter().flatten();
            items.map(|it| it.as_str().unwrap().to_owned()).collect()
        }
    }
}
