//! Pipelines of GitLab, Woodpecker and Atlantis.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::forge::{CONFIGURATION, Forge, pipeline, texts};

/// The commands of a job of GitLab: all in one shell, as its runner does.
fn gitlab(forge: &Forge, pipeline: &Value, job: &str) -> String {
    let mut script = texts(&pipeline["default"]["before_script"]);
    script.extend(texts(&pipeline[job]["script"]));
    let directory = forge.path("repository").display().to_string();
    let env = [
        ("CI", "true".to_owned()),
        ("CI_PROJECT_DIR", directory),
        ("GITLAB_CI", "true".to_owned()),
    ];
    let env = env.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    forge.ok(&script.join("\n"), &env).out
}

#[test]
fn gitlab_plans_applies_and_looks() {
    let forge = Forge::new(CONFIGURATION);
    let file = pipeline("gitlab/gitlab-ci.yml");
    gitlab(&forge, &file, "plan");
    let artifacts = &file["plan"]["artifacts"];
    let numbers = forge.json(artifacts["reports"]["terraform"].as_str().unwrap());
    assert_eq!(numbers, serde_json::json!({"create": 2, "update": 0, "delete": 0}));
    assert!(forge.read(artifacts["reports"]["junit"].as_str().unwrap()).contains("check.enough"));
    texts(&artifacts["paths"]).iter().for_each(|it| {
        assert!(forge.path("repository").join(it).exists(), "{it}");
    });
    gitlab(&forge, &file, "apply");
    assert_eq!(forge.objects(), 2);
    gitlab(&forge, &file, "drift");
    assert!(forge.read("drift.md").contains("### No drift"));
    assert_eq!(file["drift"]["allow_failure"]["exit_codes"], 2);
}

/// The steps of Woodpecker that an event causes, each in a shell of its own.
fn woodpecker(forge: &Forge, event: &str) {
    let file = pipeline("woodpecker/plumb.yml");
    for step in file["steps"].as_array().unwrap() {
        let when = step["when"].as_array().map_or(&[][..], |it| it.as_slice());
        let concerned = when.iter().any(|it| texts(&it["event"]).iter().any(|it| it == event));
        if when.is_empty() || concerned {
            let env = [("CI".to_owned(), "woodpecker".to_owned())].into();
            forge.ok(&texts(&step["commands"]).join("\n"), &env);
        }
    }
}

#[test]
fn woodpecker_plans_applies_and_looks() {
    let forge = Forge::new(CONFIGURATION);
    woodpecker(&forge, "pull_request");
    assert_eq!(forge.objects(), 0);
    assert!(forge.read("plan.md").contains("### Plan: 2 to add"));
    woodpecker(&forge, "push");
    assert_eq!(forge.objects(), 2);
    woodpecker(&forge, "cron");
    assert!(forge.path("state/terraform.tfstate.drift.json").exists());
}

#[test]
fn atlantis_plans_shows_and_applies() {
    let mut forge = Forge::new(CONFIGURATION);
    let path = format!("{}:{}", forge.path("bin").display(), forge.env["PATH"]);
    forge.env.insert("PATH".to_owned(), path);
    std::fs::create_dir(forge.path("bin")).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_plumb"), forge.path("bin/plumb")).unwrap();
    let file = pipeline("atlantis/atlantis.yaml");
    assert_eq!(file["version"], 3);
    let name = file["projects"][0]["workflow"].as_str().unwrap();
    let workflow = &file["workflows"][name];
    let env: BTreeMap<String, String> = [
        ("PLANFILE", forge.path("repository/root-default.tfplan").display().to_string()),
        ("SHOWFILE", forge.path("repository/root-default.json").display().to_string()),
        ("WORKSPACE", "default".to_owned()),
        ("ATLANTIS_TERRAFORM_VERSION", "1.11.4".to_owned()),
        ("TF_IN_AUTOMATION", "true".to_owned()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    let run = |stage: &str| {
        let steps = workflow[stage]["steps"].as_array().unwrap();
        let ran = steps.iter().map(|it| forge.ok(it["run"].as_str().unwrap(), &env).out);
        ran.collect::<String>()
    };
    let said = run("plan");
    // It counts what this line says.
    assert!(said.contains("\nPlan: 2 to add, 0 to change, 0 to destroy.\n"), "{said}");
    let shown = forge.json("root-default.json");
    assert_eq!(shown["resource_changes"].as_array().unwrap().len(), 2);
    assert_eq!(shown["format_version"], "1.2");
    let said = run("apply");
    assert!(said.contains("Apply complete! Resources: 2 added"), "{said}");
    assert_eq!(forge.objects(), 2);
    let said = run("plan");
    assert!(said.contains("No changes."), "{said}");
    let repos = pipeline("atlantis/repos.yaml");
    assert_eq!(repos["repos"][0]["allow_custom_workflows"], true);
}
