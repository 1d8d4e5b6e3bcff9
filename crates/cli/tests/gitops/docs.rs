//! `docs/gitops.md` is true: its commands are run as they stand there, and settings that are examples are read.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::world::{Swept, World, all, keep};

fn root() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn ten_minutes() {
    let text = std::fs::read_to_string(root().join("docs/gitops.md")).unwrap();
    let blocks = text.split("```sh\n").skip(1).map(|it| it.split("```").next().unwrap());
    let script: String = blocks.collect();
    assert!(script.matches("plumb gitops").count() >= 4, "{script}");
    let home = tempfile::tempdir().unwrap();
    let _swept = Swept(home.path());
    let plumb = Path::new(env!("CARGO_BIN_EXE_plumb")).parent().unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    let done = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &script])
        .current_dir(root())
        .env_clear()
        .env("HOME", home.path())
        .env("PATH", format!("{}:{path}:/usr/sbin:/sbin", plumb.display()))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = all(&done);
    assert!(done.status.success(), "{said}");
    for want in [
        "is signed by ann@example.org",
        "it waits for approval of plan",
        "is approved by ann@example.org",
        "1 packets transmitted, 1 received",
        "is not accepted: it is not signed; it stays with",
        "it destroys 3 objects, and no more than 1 may be destroyed at once",
        "nothing to do",
        "\"approved_by\": \"ann@example.org\"",
        "Destroy complete! Resources: 3 destroyed.",
    ] {
        assert!(said.contains(want), "{want}\n{said}");
    }
    assert_eq!(said.matches("exit code 2").count(), 3, "{said}");
}

#[test]
fn every_setting() {
    let mut world = World::new("auto", &keep("a", "1"));
    let text = std::fs::read_to_string(root().join("examples/gitops/github.plumb.hcl")).unwrap();
    // It goes nowhere: only whether it is understood counts here.
    let text = text.replace("/var/lib/plumb/net", "loop").replace("https://github.com", "/nowhere");
    world.write("gitops.plumb.hcl", &text);
    world.url = "/nowhere/acme/net.git".to_owned();
    world.env = ["GIT_TOKEN", "FORGE_TOKEN", "OS_PASSWORD"]
        .map(|it| (it.to_owned(), format!("secret-{it}")))
        .to_vec();
    let said = world.round(1);
    assert!(said.contains("Following branch main"), "{said}");
    assert!(said.contains("The repository could not be asked"), "{said}");
}
