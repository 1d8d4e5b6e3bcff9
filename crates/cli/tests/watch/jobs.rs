//! The jobs under `examples/jobs` are what their managers accept, and what they call exists.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::world::{all, program};

fn jobs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/jobs")
}

/// The options of a call are options of the verb.
fn understood(words: &[&str]) {
    let help = Command::new(program()).args([words[0], "-help"]).output().unwrap();
    let help = all(&help);
    for word in &words[1..] {
        let name = word.split('=').next().unwrap();
        assert!(
            help.contains(&format!("{name}=")) || help.contains(&format!("{name} ")),
            "{word}: {help}"
        );
    }
}

#[test]
fn units_are_verified_by_systemd() {
    let folder = tempfile::tempdir().unwrap();
    let from = jobs().join("systemd");
    let copy = |name: &str, drop_in: bool| {
        let text = fs::read_to_string(from.join(name)).unwrap();
        // It has to be there to be verified.
        assert!(
            drop_in || name.ends_with("timer") || text.contains("ExecStart=/usr/local/bin/plumb ")
        );
        let text = text.replace("/usr/local/bin/plumb", &program());
        let to = folder.path().join(name);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::write(&to, text).unwrap();
    };
    for (name, drop_in) in [
        ("plumb-watch@.service", false),
        ("plumb-watch@.service.d/netns.conf", true),
        ("plumb-drift@.service", false),
        ("plumb-drift@.timer", false),
    ] {
        copy(name, drop_in);
    }
    let verify = |name: &str| {
        let name = folder.path().join(name);
        let done = Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(name).output();
        all(&done.expect("systemd-analyze"))
    };
    for name in ["plumb-watch@lab.service", "plumb-drift@lab.service", "plumb-drift@lab.timer"] {
        let said = verify(name);
        let ours: Vec<&str> = said.lines().filter(|it| it.contains("plumb")).collect();
        assert!(ours.is_empty(), "{name}: {said}");
    }
    // It would notice.
    let unit = folder.path().join("plumb-drift@.timer");
    fs::write(
        &unit,
        fs::read_to_string(&unit).unwrap().replace("OnCalendar=hourly", "OnCalendar=never"),
    )
    .unwrap();
    assert!(verify("plumb-drift@lab.timer").contains("calendar specification"));
    understood(&["watch", "-no-color", "-listen=x", "-repair", "-budget=1"]);
    understood(&["drift", "-no-color", "-prometheus=x"]);
}

#[test]
fn manifests_follow_the_schemas_of_kubernetes() {
    let schema =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/schemas/kubernetes-1.33.json");
    let schema: Value = serde_json::from_slice(&fs::read(schema).unwrap()).unwrap();
    let mut schemas = boon::Schemas::new();
    let mut compiler = boon::Compiler::new();
    compiler.add_resource("file:///schema.json", schema).unwrap();
    let index = compiler.compile("file:///schema.json", &mut schemas).unwrap();
    let mut kinds = Vec::new();
    for name in ["watch.yaml", "drift.yaml"] {
        let text = fs::read_to_string(jobs().join("kubernetes").join(name)).unwrap();
        for part in text.split("\n---\n") {
            let mut document: Value = yaml_serde::from_str(part).unwrap();
            if let Err(why) = schemas.validate(&document, index) {
                panic!("{name}: {why:#}");
            }
            kinds.push(document["kind"].as_str().unwrap().to_owned());
            let template = match document.pointer("/spec/jobTemplate/spec/template") {
                Some(_) => "/spec/jobTemplate/spec/template",
                None => "/spec/template",
            };
            if let Some(containers) = document.pointer(&format!("{template}/spec/containers")) {
                let args = containers[0]["args"].as_array().unwrap();
                understood(&args.iter().map(|it| it.as_str().unwrap()).collect::<Vec<_>>());
                let context = &containers[0]["securityContext"];
                assert_eq!(context["readOnlyRootFilesystem"], true);
                // It would notice.
                let path = format!("{template}/spec/containers/0");
                document.pointer_mut(&path).unwrap()["imagee"] = "x".into();
                assert!(schemas.validate(&document, index).is_err());
            }
        }
    }
    assert_eq!(kinds, ["PersistentVolumeClaim", "Deployment", "Service", "CronJob"]);
}
