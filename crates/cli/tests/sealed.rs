//! The program with states and plans encrypted: what lies in the folder, and the way there and back.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

mod common;

use common::{Lab, Ran};

const WORD: &str = "hunter2-swordfish";
const PASSPHRASE: &str = "a passphrase for tests";

/// `target` is what stands in `state` and `plan`.
fn config(count: usize, target: &str) -> String {
    format!(
        r#"
variable "word" {{
  type      = string
  sensitive = true
}}
variable "passphrase" {{
  type      = string
  sensitive = true
}}
terraform {{
  encryption {{
    key_provider "pbkdf2" "main" {{
      passphrase = var.passphrase
      iterations = 200000
    }}
    method "aes_gcm" "main" {{ keys = key_provider.pbkdf2.main }}
    method "unencrypted" "migrate" {{}}
    state {{
      {target}
    }}
    plan {{
      {target}
    }}
  }}
}}
resource "terraform_data" "a" {{
  count = {count}
  input = "${{var.word}}-${{count.index}}"
}}
"#
    )
}

const SEALED: &str = "method = method.aes_gcm.main";
const THERE: &str = "method = method.aes_gcm.main
      fallback { method = method.unencrypted.migrate }";
const BACK: &str = "method = method.unencrypted.migrate
      fallback { method = method.aes_gcm.main }";
const ENFORCED: &str = "method = method.aes_gcm.main
      enforced = true";

fn command(lab: &Lab, passphrase: &str, args: &[&str]) -> Command {
    let mut command = lab.command(args);
    command.env("TF_VAR_word", WORD).env("TF_VAR_passphrase", passphrase).stdin(Stdio::null());
    command
}

fn run(lab: &Lab, passphrase: &str, args: &[&str]) -> Ran {
    let ran = lab.ran(&command(lab, passphrase, args).output().unwrap());
    // What `output` of terraform_data was is shown when it goes, as Terraform does.
    assert!(!ran.out.contains(PASSPHRASE), "plumb {args:?}\n{}", ran.out);
    assert!(!ran.err.contains(PASSPHRASE) && !ran.err.contains(WORD), "{args:?}\n{}", ran.err);
    ran
}

fn ok(lab: &Lab, args: &[&str]) -> String {
    let ran = run(lab, PASSPHRASE, args);
    assert_eq!(ran.code, 0, "plumb {args:?}\n{}{}", ran.out, ran.err);
    ran.out
}

fn refused(lab: &Lab, passphrase: &str, args: &[&str]) -> String {
    let ran = run(lab, passphrase, args);
    assert_eq!(ran.code, 1, "plumb {args:?}\n{}{}", ran.out, ran.err);
    // As one line.
    let words = ran.err.split_whitespace().filter(|it| !"│╷╵".contains(it));
    words.collect::<Vec<_>>().join(" ")
}

/// Everything in the folder.
fn files(lab: &Lab) -> Vec<PathBuf> {
    let (mut all, mut folders) = (Vec::new(), vec![lab.path(".")]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => all.push(path),
            }
        }
    }
    all
}

/// No file has the secret, and nobody else may read those that the program made.
fn nothing_is_readable(lab: &Lab) {
    for path in files(lab) {
        let bytes = fs::read(&path).unwrap();
        let found = bytes.windows(WORD.len()).any(|it| it == WORD.as_bytes());
        assert!(!found, "the secret is in {}", path.display());
        if !path.ends_with("main.tf") {
            let mode = fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{} is of mode {mode:o}", path.display());
        }
    }
}

fn is_sealed(path: &Path) -> bool {
    let text = String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
    text.starts_with('{') && text.ends_with(r#""encryption_version":"v0"}"#)
}

#[test]
fn no_file_has_the_secret_whatever_happens() {
    let lab = Lab::new(&config(2, SEALED));
    ok(&lab, &["plan", "-out=p"]);
    assert!(is_sealed(&lab.path("p")));
    assert!(ok(&lab, &["show", "p"]).contains("2 to add"));
    ok(&lab, &["apply", "p"]);
    assert!(is_sealed(&lab.path("terraform.tfstate")));
    nothing_is_readable(&lab);

    // Killed while it works.
    lab.file("main.tf", &config(3000, SEALED));
    let mut child = command(&lab, PASSPHRASE, &["apply", "-auto-approve"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let journal = lab.path(".terraform.tfstate.journal");
    let begun = Instant::now();
    while fs::metadata(&journal).map_or(0, |it| it.len()) < 20_000 {
        assert!(begun.elapsed() < Duration::from_secs(120), "nothing is written");
        assert!(child.try_wait().unwrap().is_none(), "it was too fast");
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(journal.exists());
    nothing_is_readable(&lab);

    let listed = ok(&lab, &["state", "list"]);
    assert!(listed.lines().count() > 2, "{listed}");
    assert!(refused(&lab, "quite another passphrase", &["state", "list"]).contains("decrypted"));
    ok(&lab, &["apply", "-auto-approve"]);
    assert_eq!(ok(&lab, &["state", "list"]).lines().count(), 3000);
    assert!(lab.path("terraform.tfstate.backup").exists());
    nothing_is_readable(&lab);

    // Pulled in the clear, pushed sealed.
    lab.file("main.tf", &config(1, SEALED));
    ok(&lab, &["apply", "-auto-approve"]);
    let pulled = ok(&lab, &["state", "pull"]);
    assert!(pulled.contains(WORD) && pulled.contains("\"version\": 4"), "{pulled}");
    ok(&lab, &["apply", "-auto-approve", "-state-out=copy"]);
    assert!(is_sealed(&lab.path("copy")));
    ok(&lab, &["state", "push", "-force", "copy"]);
    assert!(is_sealed(&lab.path("terraform.tfstate")));
    nothing_is_readable(&lab);
}

#[test]
fn from_plain_to_sealed_and_back() {
    let lab = Lab::new(&config(1, "method = method.unencrypted.migrate"));
    ok(&lab, &["apply", "-auto-approve"]);
    assert!(lab.state().unwrap().contains(WORD));

    lab.file("main.tf", &config(1, SEALED));
    let said = refused(&lab, PASSPHRASE, &["plan"]);
    assert!(said.contains("not encrypted") && said.contains("fallback"), "{said}");
    lab.file("main.tf", &config(1, ENFORCED));
    let said = refused(&lab, PASSPHRASE, &["plan"]);
    assert!(said.contains("enforced"), "{said}");

    // Nothing but the encryption changes, and that only when something is applied.
    lab.file("main.tf", &config(1, THERE));
    ok(&lab, &["plan"]);
    assert!(lab.state().unwrap().contains(WORD));
    assert!(ok(&lab, &["apply", "-auto-approve"]).contains("0 added, 0 changed, 0 destroyed"));
    assert!(is_sealed(&lab.path("terraform.tfstate")));
    lab.file("main.tf", &config(1, ENFORCED));
    assert!(ok(&lab, &["plan"]).contains("No changes"));

    let said = refused(&lab, "quite another passphrase", &["plan"]);
    assert!(
        said.contains("the key is wrong") && said.contains("key_provider.pbkdf2.main"),
        "{said}"
    );
    let said = refused(&lab, "too short", &["plan"]);
    assert!(said.contains("fewer than 16 characters"), "{said}");
    lab.file("main.tf", "variable \"word\" {}\n");
    let said = refused(&lab, PASSPHRASE, &["state", "list"]);
    assert!(
        said.contains("no encryption is configured") && said.contains("PLUMB_ENCRYPTION"),
        "{said}"
    );

    lab.file("main.tf", &config(1, BACK));
    ok(&lab, &["apply", "-auto-approve"]);
    assert!(lab.state().unwrap().contains(WORD));
    lab.file("main.tf", &config(1, "method = method.unencrypted.migrate"));
    assert!(ok(&lab, &["plan"]).contains("No changes"));
}

#[test]
fn the_environment_is_enough() {
    let lab = Lab::new(
        "variable \"word\" {\n  sensitive = true\n}\nresource \"terraform_data\" \"a\" {\n  input = var.word\n}\n",
    );
    lab.file(
        "more.plumb.hcl",
        "terraform {\n  encryption {\n    state {\n      enforced = true\n    }\n  }\n}\n",
    );
    let said = refused(&lab, PASSPHRASE, &["apply", "-auto-approve"]);
    assert!(said.contains("\"method\" is required"), "{said}");
    let text = format!(
        "key_provider \"pbkdf2\" \"main\" {{\n  passphrase = \"{PASSPHRASE}\"\n}}\n\
         method \"aes_gcm\" \"main\" {{\n  keys = key_provider.pbkdf2.main\n}}\n\
         state {{\n  method = method.aes_gcm.main\n}}\n"
    );
    for name in ["TF_ENCRYPTION", "PLUMB_ENCRYPTION"] {
        let mut command = command(&lab, PASSPHRASE, &["apply", "-auto-approve"]);
        let ran = lab.ran(&command.env(name, &text).output().unwrap());
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        assert!(is_sealed(&lab.path("terraform.tfstate")));
    }
}

#[test]
fn the_way_back_to_a_sealed_snapshot() {
    let lab = Lab::new(&config(2, SEALED));
    ok(&lab, &["apply", "-auto-approve"]);
    let state: serde_json::Value = serde_json::from_str(&ok(&lab, &["state", "pull"])).unwrap();
    let serial = state["serial"].to_string();
    lab.file("main.tf", &config(1, SEALED));
    ok(&lab, &["apply", "-auto-approve"]);
    let diff = ok(&lab, &["state", "diff", &serial, "current"]);
    assert!(diff.contains("# terraform_data.a[1] was removed"), "{diff}");
    // A file may be sealed, too.
    let same = ok(&lab, &["state", "diff", "terraform.tfstate", "current"]);
    assert!(same.contains("No differences between terraform.tfstate and current."), "{same}");

    let to = format!("-to={serial}");
    refused(&lab, "another passphrase", &["rollback", &to, "-auto-approve"]);
    ok(&lab, &["rollback", &to, "-out=back.plan"]);
    ok(&lab, &["apply", "back.plan"]);
    assert!(ok(&lab, &["state", "list"]).contains("terraform_data.a[1]"));
    lab.file("main.tf", &config(1, SEALED));
    ok(&lab, &["apply", "-auto-approve"]);
    let said = ok(&lab, &["rollback", &to, "-auto-approve"]);
    assert!(said.contains("The configuration still says the newer things"), "{said}");
    for path in files(&lab).iter().filter(|it| !it.ends_with("main.tf")) {
        let bytes = fs::read(path).unwrap();
        let plain = bytes.windows(WORD.len()).any(|it| it == WORD.as_bytes());
        assert!(!plain, "{} holds what is to be secret", path.display());
    }
}
