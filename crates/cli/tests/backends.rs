//! Where states are kept, by the whole program: set up, moved, locked, unlocked, recovered, verified. Against
//! the rigs' PostgreSQL and S3 store (`tests/rigs/{postgres,s3}/up`).

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use plumb_model::event::{Event, Intended, Intent};
use plumb_model::schema::Schemas;
use plumb_model::state::Token;
use plumb_model::value::Value;
use plumb_state::{Backup, Folder, LockInfo, Store};

struct Place {
    folder: tempfile::TempDir,
    /// Nobody else has it.
    own: String,
}

fn rig(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: start the rigs first"))
}

impl Place {
    fn new() -> Place {
        let own = uuid::Uuid::new_v4().simple().to_string();
        Place { folder: tempfile::tempdir().unwrap(), own }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn configure(&self, backend: &str, input: &str) {
        let text = format!(
            "terraform {{\n{backend}\n}}\nresource \"terraform_data\" \"a\" {{\n  input = {input:?}\n}}\n"
        );
        std::fs::write(self.path().join("main.tf"), text).unwrap();
    }

    fn pg(&self) -> String {
        format!(
            "  backend \"pg\" {{\n    conn_str = {:?}\n    schema_name = \"cli_{}\"\n  }}",
            rig("PLUMB_PG_CONN_STR"),
            self.own
        )
    }

    fn s3(&self) -> String {
        format!(
            "  backend \"s3\" {{\n    bucket = {:?}\n    key = \"cli/{}.tfstate\"\n    region = {:?}\n    \
             use_lockfile = true\n    use_path_style = true\n    endpoints = {{ s3 = {:?} }}\n  }}",
            rig("PLUMB_S3_BUCKET"),
            self.own,
            rig("PLUMB_S3_REGION"),
            rig("PLUMB_S3_ENDPOINT")
        )
    }

    fn run(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_plumb"))
            .args(args)
            .current_dir(self.path())
            .env("NO_COLOR", "1")
            .env_remove("TF_WORKSPACE")
            .env("AWS_ACCESS_KEY_ID", std::env::var("PLUMB_S3_ACCESS_KEY").unwrap_or_default())
            .env("AWS_SECRET_ACCESS_KEY", std::env::var("PLUMB_S3_SECRET_KEY").unwrap_or_default())
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    fn ok(&self, args: &[&str]) -> String {
        let done = self.run(args);
        assert!(done.status.success(), "{args:?}: {}", all(&done));
        all(&done)
    }

    fn fails(&self, args: &[&str]) -> String {
        let done = self.run(args);
        assert_eq!(done.status.code(), Some(1), "{args:?}: {}", all(&done));
        all(&done)
    }

    fn local(&self) -> Store {
        let path = self.path().join("terraform.tfstate").to_str().unwrap().to_owned();
        Store::new(Arc::new(Folder::new(path, Backup::Beside)), Arc::new(Schemas::default()))
    }
}

/// All words, however the lines are broken.
fn all(done: &Output) -> String {
    let text = [&done.stdout, &done.stderr].map(|it| String::from_utf8_lossy(it).into_owned());
    let words = text.concat();
    let words = words.split_whitespace().filter(|it| !["│", "╷", "╵"].contains(it));
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn a_state_goes_from_a_file_to_a_database_to_a_bucket_and_back() {
    let place = Place::new();
    place.configure("", "one");
    place.ok(&["apply", "-auto-approve"]);

    place.configure(&place.pg(), "one");
    let error = place.fails(&["plan"]);
    assert!(error.contains("Backend initialization required"), "{error}");
    assert!(error.contains("Initial configuration of the requested backend \"pg\""), "{error}");
    let error = place.fails(&["init", "-input=false"]);
    assert!(error.contains("Input is disabled"), "{error}");
    let said = place.ok(&["init", "-force-copy"]);
    assert!(said.contains("Copied terraform.tfstate to postgres://"), "{said}");
    assert!(!said.contains("rig-secret"), "{said}");
    place.ok(&["plan", "-detailed-exitcode"]);

    place.configure(&place.pg(), "two");
    place.ok(&["plan", "-out=saved"]);
    place.ok(&["apply", "saved"]);
    let history = place.ok(&["state", "history"]);
    assert!(history.contains("0 added, 1 changed, 0 destroyed"), "{history}");
    place.ok(&["workspace", "new", "other"]);
    place.ok(&["apply", "-auto-approve"]);
    assert!(place.ok(&["workspace", "list"]).contains("default * other"));

    place.configure(&place.s3(), "two");
    let error = place.fails(&["plan"]);
    assert!(error.contains("Backend type changed from \"pg\" to \"s3\""), "{error}");
    let error = place.fails(&["init"]);
    assert!(error.contains("init -migrate-state"), "{error}");
    let said = place.ok(&["init", "-migrate-state", "-force-copy"]);
    assert_eq!(said.matches("Copied postgres://").count(), 2, "both workspaces: {said}");
    assert!(place.ok(&["workspace", "list"]).contains("default * other"));
    place.ok(&["plan", "-detailed-exitcode"]);
    place.ok(&["workspace", "select", "default"]);
    place.ok(&["plan", "-detailed-exitcode"]);
    let error = place.fails(&["workspace", "delete", "other"]);
    assert!(error.contains("Workspace is not empty"), "{error}");
    place.ok(&["workspace", "delete", "-force", "other"]);
    assert!(!place.ok(&["workspace", "list"]).contains("other"));

    // The file that it came from is as it was: what is copied to it is newer.
    place.configure("", "two");
    let error = place.fails(&["plan"]);
    assert!(error.contains("Unsetting the previously set backend \"s3\""), "{error}");
    place.ok(&["init", "-migrate-state", "-force-copy"]);
    place.ok(&["plan", "-detailed-exitcode"]);
    assert!(place.ok(&["state", "verify"]).contains("is whole"));
}

#[test]
fn what_a_block_leaves_out_is_given_to_init() {
    let place = Place::new();
    place.configure("  backend \"pg\" {\n  }", "one");
    let conn = format!("-backend-config=conn_str={}", rig("PLUMB_PG_CONN_STR"));
    let file = place.path().join("backend.hcl");
    std::fs::write(&file, format!("schema_name = \"cli_{}\"\n", place.own)).unwrap();
    let file = format!("-backend-config={}", file.display());
    place.ok(&["init", &conn, &file]);
    place.ok(&["apply", "-auto-approve"]);
    // Typed once; the next init does without.
    place.ok(&["init"]);
    assert!(place.ok(&["state", "list"]).contains("terraform_data.a"));
    // Other settings: said, and taken on demand. The state stays where it was.
    let other = format!("-backend-config=schema_name=cli_other_{}", place.own);
    let error = place.fails(&["init", &conn, &other]);
    assert!(error.contains("Backend configuration changed"), "{error}");
    place.ok(&["init", "-reconfigure", &conn, &other]);
    assert_eq!(place.ok(&["state", "list"]), "");
    let record = place.path().join(".terraform/terraform.tfstate");
    let mode = std::os::unix::fs::PermissionsExt::mode(&record.metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600, "it holds a password");
    for (block, want) in [
        ("backend \"pg\" {\n    schema = \"x\"\n  }", "Unsupported argument"),
        ("backend \"nowhere\" {\n  }", "Unsupported backend type"),
    ] {
        place.configure(&format!("  {block}"), "one");
        let error = place.fails(&["init", "-reconfigure"]);
        assert!(error.contains(want) && error.contains("main.tf line"), "{error}");
    }
}

#[test]
fn locks_are_shown_and_broken() {
    // A holder from elsewhere counts processes by other numbers, as one on another machine does.
    for (kind, far) in ["local", "pg", "s3"].into_iter().flat_map(|it| [(it, false), (it, true)]) {
        let place = Place::new();
        let block = match kind {
            "local" => String::new(),
            "pg" => place.pg(),
            _ => place.s3(),
        };
        place.configure(&block, "one");
        place.ok(&["init"]);
        place.ok(&["apply", "-auto-approve"]);
        assert!(place.ok(&["lock", "status"]).contains("is not locked"), "{kind}");

        // Somebody stands in the middle of a question, with the lock.
        let plumb = env!("CARGO_BIN_EXE_plumb");
        let mut holder = match far {
            false => Command::new(plumb),
            true => {
                let mut command = Command::new("unshare");
                let own = ["--user", "--map-root-user", "--pid", "--fork", "--mount-proc", "--"];
                command.args(own).arg(plumb);
                command
            }
        };
        let mut holder = holder
            .args(["destroy", "-lock-timeout=30s"])
            .current_dir(place.path())
            .env("AWS_ACCESS_KEY_ID", rig("PLUMB_S3_ACCESS_KEY"))
            .env("AWS_SECRET_ACCESS_KEY", rig("PLUMB_S3_SECRET_KEY"))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let status = loop {
            let done = place.run(&["lock", "status", "-json"]);
            assert!(matches!(done.status.code(), Some(0 | 2)), "{kind}: {}", all(&done));
            let status: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
            // Between the lock and the word of who has it there may be an instant.
            if !status["holder"]["Plumb"].is_null() {
                break status;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        };
        assert_eq!(status["holder"]["Operation"], "OperationTypeApply", "{kind}: {status}");
        if !far {
            assert_eq!(status["holder"]["Plumb"]["pid"], holder.id(), "{kind}: {status}");
        }
        let id = status["holder"]["ID"].as_str().unwrap().to_owned();
        let error = place.fails(&["plan"]);
        assert!(error.contains("Error acquiring the state lock"), "{kind}: {error}");
        assert!(error.contains(&id), "{kind}: {error}");
        let error = place.fails(&["force-unlock", "-force", "no-such-lock"]);
        assert!(error.contains(&id), "{kind}: whose lock it is: {error}");
        let said = place.ok(&["force-unlock", "-force", &id]);
        assert!(said.contains("has been successfully unlocked"), "{kind}: {said}");
        assert_eq!(said.contains("which held it, has been ended"), !far, "{kind}: {said}");
        place.ok(&["plan", "-detailed-exitcode"]);

        // Whoever lost it begins nothing.
        use std::io::Write;
        let answered = holder.stdin.take().unwrap().write_all(b"yes\n");
        assert_eq!(answered.is_ok(), far, "{kind}: {answered:?}");
        assert!(!holder.wait().unwrap().success(), "{kind}");
        assert!(place.ok(&["state", "list"]).contains("terraform_data.a"), "{kind}");
        place.ok(&["plan", "-detailed-exitcode"]);
    }
}

#[test]
fn what_an_interrupted_run_left_is_recovered() {
    let place = Place::new();
    place.configure("", "one");
    assert!(place.ok(&["recover"]).contains("There is nothing to recover"));
    place.ok(&["apply", "-auto-approve"]);
    let mut opened = place.local().open(Some(&LockInfo::new("test"))).unwrap();
    let provider = "provider[\"terraform.io/builtin/terraform\"]".parse().unwrap();
    let begun = Event::Started {
        token: Token { run: 7, step: 1 },
        intent: Intent {
            action: Intended::Create { addr: "terraform_data.b".parse().unwrap(), retire: None },
            provider: Arc::new(provider),
            planned: Value::object([("input", Value::string("x"))]),
            schema_version: 0,
            needs: Arc::from([].as_slice()),
            create_before_destroy: false,
        },
    };
    opened.lease.append(&[Event::RunStarted { run: 7 }, begun]).unwrap();
    drop(opened);
    let said = place.ok(&["state", "verify"]);
    assert!(said.contains("in doubt: terraform_data.b"), "{said}");
    let report: serde_json::Value =
        serde_json::from_slice(&place.run(&["recover", "-json"]).stdout).unwrap();
    assert_eq!(report["events"], 2, "{report}");
    let settled = &report["settled"][0];
    assert_eq!(settled["address"], "terraform_data.b", "{report}");
    assert_eq!(settled["outcome"], "did not happen", "{report}");
    assert_eq!(report["in_doubt"], serde_json::json!([]), "{report}");
    assert!(place.ok(&["recover"]).contains("There is nothing to recover"));
    assert!(!place.path().join(".terraform.tfstate.journal").exists());
}

#[test]
fn damage_is_found() {
    let place = Place::new();
    place.configure("", "one");
    place.ok(&["apply", "-auto-approve"]);
    place.configure("", "two");
    place.ok(&["apply", "-auto-approve"]);
    assert!(place.ok(&["state", "verify"]).contains("1 earlier snapshots are whole"));
    let past = place.path().join(".terraform.tfstate.past/1.tfstate");
    let text = std::fs::read_to_string(&past).unwrap();
    std::fs::write(&past, text.replace("\"serial\": 1", "\"serial\": 9")).unwrap();
    let said = place.fails(&["state", "verify"]);
    assert!(said.contains("what is kept as serial 1 says that it is 9"), "{said}");
    std::fs::write(place.path().join("terraform.tfstate"), "{").unwrap();
    let done = place.run(&["state", "verify", "-json"]);
    let report: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!((done.status.code(), &report["valid"]), (Some(1), &false.into()), "{report}");
}
