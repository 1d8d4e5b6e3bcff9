//! Reports beside what people read: what goes where, and what becomes of them when something fails.

use std::collections::BTreeMap;
use std::fs;

use crate::forge::{CONFIGURATION, Forge};

const PLUMB: &str = env!("CARGO_BIN_EXE_plumb");

fn run(forge: &Forge, args: &str) -> crate::forge::Step {
    forge.bash(&format!("{PLUMB} {args}"), &BTreeMap::new())
}

#[test]
fn a_report_that_cannot_be_written_fails_after_the_work() {
    let forge = Forge::new(CONFIGURATION);
    let ran = run(
        &forge,
        "apply -auto-approve -state=$PLUMB_STATE -markdown=nowhere/plan.md -sarif=a.sarif",
    );
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(ran.err.contains("A report could not be written"), "{}", ran.err);
    assert!(ran.out.contains("Apply complete!"));
    assert_eq!(forge.objects(), 2);
    assert_eq!(forge.json("a.sarif")["runs"][0]["results"], serde_json::json!([]));
    // A record that cannot be begun: nothing is begun.
    let ran = run(&forge, "destroy -auto-approve -state=$PLUMB_STATE -json-into=nowhere/e.jsonl");
    assert_eq!(ran.code, 1);
    assert_eq!(forge.objects(), 2);
    // One that cannot be continued: all is done, and said.
    let ran = run(&forge, "destroy -auto-approve -state=$PLUMB_STATE -json-into=/dev/full");
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(ran.err.contains("/dev/full could not be written"), "{}", ran.err);
    assert_eq!(forge.objects(), 0);
}

#[test]
fn a_report_to_standard_output_stands_alone() {
    let forge = Forge::new(CONFIGURATION);
    let ran = run(&forge, "plan -markdown");
    assert!(ran.out.starts_with("### Plan: 2 to add"), "{}", ran.out);
    let ran = run(&forge, "plan -markdown -junit-xml");
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    assert!(ran.err.contains("More than one report to standard output"), "{}", ran.err);
    let ran = run(&forge, "plan -json -sarif=-");
    assert_eq!(ran.code, 1);
    let ran = run(&forge, "plan -json -markdown=plan.md");
    assert!(ran.out.lines().all(|it| it.starts_with('{')), "{}", ran.out);
    assert!(forge.read("plan.md").contains("### Plan: 2 to add"));
}

#[test]
fn lines_for_machines_are_the_same_beside_and_instead() {
    let forge = Forge::new(CONFIGURATION);
    let beside = run(&forge, "plan -json-into=e.jsonl");
    assert!(beside.out.contains("Plan: 2 to add"));
    let instead = run(&forge, "plan -json");
    let bare = |text: &str| -> Vec<serde_json::Value> {
        let lines = text.lines().map(|it| serde_json::from_str::<serde_json::Value>(it).unwrap());
        lines
            .map(|mut it| {
                it.as_object_mut().unwrap().remove("@timestamp");
                it
            })
            .collect()
    };
    assert_eq!(bare(&forge.read("e.jsonl")), bare(&instead.out));
}

#[test]
fn failed_checks_and_warnings_are_told() {
    let forge = Forge::new(CONFIGURATION);
    let args = "apply -auto-approve -state=$PLUMB_STATE -var size=1 -github -junit-xml=c.xml -markdown=p.md";
    let ran = run(&forge, args);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let warning = "::warning file=main.tf,line=14,endLine=14,";
    assert!(ran.err.lines().any(|it| it.starts_with(warning)), "{}", ran.err);
    let checks = forge.read("c.xml");
    assert!(checks.contains("failures=\"1\"") && checks.contains("One is not enough."), "{checks}");
    // Off on request, even inside a runner.
    let env = [("GITHUB_ACTIONS".to_owned(), "true".to_owned())].into();
    let ran = forge.bash(&format!("{PLUMB} plan -var size=1 -github=false"), &env);
    assert!(!ran.err.contains("::warning") && !ran.out.contains("::warning"));
}

#[test]
fn paths_are_those_of_the_repository() {
    let forge = Forge::new("");
    fs::create_dir_all(forge.path("repository/infra/prod")).unwrap();
    fs::create_dir_all(forge.path("repository/.git")).unwrap();
    fs::write(forge.path("repository/infra/prod/main.tf"), "output \"a\" {\n  value = x.y\n}\n")
        .unwrap();
    let ran = run(&forge, "-chdir=infra/prod validate -sarif=v.sarif -github");
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("::error file=infra/prod/main.tf,line=2,"), "{}", ran.err);
    let sarif = forge.json("infra/prod/v.sarif");
    let place = &sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "infra/prod/main.tf");
}

#[test]
fn secrets_stay_out_of_every_report() {
    let forge = Forge::new(
        "variable \"secret\" {\n  sensitive = true\n  default   = \"hunter2\"\n}\n\
         resource \"terraform_data\" \"a\" {\n  input = var.secret\n}\n\
         output \"a\" {\n  value     = var.secret\n  sensitive = true\n}\n",
    );
    let ran = run(
        &forge,
        "apply -auto-approve -state=$PLUMB_STATE -markdown=r.md -sarif=r.sarif -junit-xml=r.xml \
         -gitlab-report=r.json -json-into=r.jsonl -github",
    );
    assert_eq!(ran.code, 0, "{}", ran.err);
    for name in ["r.md", "r.sarif", "r.xml", "r.json", "r.jsonl"] {
        assert!(!forge.read(name).contains("hunter2"), "{name}");
    }
    assert!(forge.read("r.md").contains("(sensitive value)"));
    assert!(!ran.err.contains("hunter2") && !ran.out.contains("hunter2"));
}
