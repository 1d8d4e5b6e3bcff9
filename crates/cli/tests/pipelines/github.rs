//! Workflows of GitHub and Forgejo: every step with a `run` is run; the actions that they use are
//! known by name.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use crate::forge::{CONFIGURATION, Forge, Step, pipeline};

/// The steps of a workflow that were not skipped, by name.
struct Job {
    steps: BTreeMap<String, Step>,
    outputs: BTreeMap<String, BTreeMap<String, String>>,
    summary: String,
    failed: bool,
}

fn run(forge: &Forge, workflow: &str) -> Job {
    let workflow = pipeline(workflow);
    let jobs = workflow["jobs"].as_object().unwrap();
    assert_eq!(jobs.len(), 1);
    let job = jobs.values().next().unwrap();
    let mut done = Job {
        steps: BTreeMap::new(),
        outputs: BTreeMap::new(),
        summary: String::new(),
        failed: false,
    };
    let mut outcomes: BTreeMap<String, &str> = BTreeMap::new();
    let mut path = forge.env["PATH"].clone();
    for step in job["steps"].as_array().unwrap() {
        let id = step["id"].as_str().unwrap_or_default().to_owned();
        if !wanted(step["if"].as_str(), &done, &outcomes) {
            outcomes.insert(id, "skipped");
            continue;
        }
        if let Some(action) = step["uses"].as_str() {
            use_action(forge, action, &step["with"]);
            continue;
        }
        let files = ["output", "summary", "path"].map(|it| forge.path("temp").join(it));
        files.iter().for_each(|it| fs::write(it, "").unwrap());
        let mut env: BTreeMap<String, String> = [
            ("CI", "true"),
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_REPOSITORY", "us/infra"),
            ("GITHUB_API_URL", "http://forge.invalid/api/v1"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        env.insert("PATH".to_owned(), path.clone());
        for (name, path) in [
            ("GITHUB_WORKSPACE", forge.path("repository")),
            ("RUNNER_TEMP", forge.path("temp")),
            ("GITHUB_OUTPUT", files[0].clone()),
            ("GITHUB_STEP_SUMMARY", files[1].clone()),
            ("GITHUB_PATH", files[2].clone()),
        ] {
            env.insert(name.to_owned(), path.display().to_string());
        }
        for (name, value) in
            [&job["env"], &step["env"]].iter().flat_map(|it| it.as_object()).flatten()
        {
            env.insert(name.clone(), expanded(value.as_str().unwrap(), forge));
        }
        let script = step["run"].as_str().expect("a step runs or uses something");
        assert!(!script.contains("${{"), "expressions in scripts are an injection: {script}");
        let ran = forge.bash(script, &env);
        done.failed |= ran.code != 0;
        outcomes.insert(id.clone(), if ran.code == 0 { "success" } else { "failure" });
        done.outputs.insert(id, outputs(&fs::read_to_string(&files[0]).unwrap()));
        done.summary += &fs::read_to_string(&files[1]).unwrap();
        for more in fs::read_to_string(&files[2]).unwrap().lines() {
            path = format!("{more}:{path}");
        }
        done.steps.insert(step["name"].as_str().unwrap().to_owned(), ran);
    }
    done
}

fn use_action(forge: &Forge, action: &str, with: &Value) {
    match action {
        "actions/checkout@v4" => {}
        "github/codeql-action/upload-sarif@v3" => {
            let sarif = forge.json(with["sarif_file"].as_str().unwrap());
            assert_eq!(sarif["version"], "2.1.0");
        }
        other => panic!("nobody knows what {other} does"),
    }
}

/// What an expression in an `env` comes to.
fn expanded(text: &str, forge: &Forge) -> String {
    let Some(expression) = text.strip_prefix("${{ ").and_then(|it| it.strip_suffix(" }}")) else {
        assert!(!text.contains("${{"), "{text}");
        return text.to_owned();
    };
    match expression {
        "github.token" => "token".to_owned(),
        "github.event.pull_request.number" => "17".to_owned(),
        other => forge.env[other.strip_prefix("vars.").unwrap()].clone(),
    }
}

/// What a condition comes to.
fn wanted(condition: Option<&str>, job: &Job, outcomes: &BTreeMap<String, &str>) -> bool {
    let condition = condition.unwrap_or("true");
    let term = |term: &str| {
        if matches!(term, "always()" | "true") {
            return true;
        }
        let (left, equal, right) = match (term.split_once(" == "), term.split_once(" != ")) {
            (Some((left, right)), None) => (left, true, right),
            (None, Some((left, right))) => (left, false, right),
            _ => panic!("{term}"),
        };
        let parts: Vec<&str> = left.split('.').collect();
        let value = match parts.as_slice() {
            ["steps", id, "outcome"] => outcomes.get(*id).copied().unwrap_or("skipped"),
            ["steps", id, "outputs", name] => {
                job.outputs.get(*id).and_then(|it| it.get(*name)).map_or("", |it| it)
            }
            _ => panic!("{left}"),
        };
        (value == right.trim_matches('\'')) == equal
    };
    let goes_on = !job.failed || condition.contains("always()");
    goes_on && condition.split(" && ").all(term)
}

/// What a step wrote to the file of its outputs.
fn outputs(text: &str) -> BTreeMap<String, String> {
    let mut res = BTreeMap::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let (name, end) = line.split_once("<<").expect("a delimiter");
        let value: Vec<&str> = lines.by_ref().take_while(|it| *it != end).collect();
        res.insert(name.to_owned(), value.join("\n"));
    }
    res
}

#[test]
fn a_pull_request_is_planned() {
    let forge = Forge::new(CONFIGURATION);
    let job = run(&forge, "github/plan.yml");
    assert!(!job.failed, "{:?}", job.steps);
    let plan = &job.outputs["plan"];
    for (name, value) in [
        ("changes", "true"),
        ("add", "2"),
        ("change", "0"),
        ("destroy", "0"),
        ("exitcode", "0"),
        ("drift", "false"),
    ] {
        assert_eq!(plan[name], value, "{name}");
    }
    assert!(job.steps["Plan"].out.contains("Plan: 2 to add"), "people read it as always");
    assert!(job.summary.contains("### Plan: 2 to add, 0 to change, 0 to destroy."));
    assert!(job.summary.contains("<details>"));
    assert!(forge.asked().starts_with("pr\ncomment\n17\n--edit-last\n"), "{}", forge.asked());
    assert!(forge.asked().contains("### Plan: 2 to add"));
    let events = forge.read("plan.jsonl");
    let events: Vec<Value> = events.lines().map(|it| serde_json::from_str(it).unwrap()).collect();
    assert_eq!(events[0]["type"], "version");
    assert_eq!(events.iter().filter(|it| it["type"] == "planned_change").count(), 2);
    assert!(
        forge.read("checks.xml").contains("<testcase classname=\"check\" name=\"check.enough\"/>")
    );
    assert_eq!(forge.objects(), 0);
}

#[test]
fn mistakes_are_shown_where_they_are() {
    let forge = Forge::new("resource \"terraform_data\" \"a\" {\n  inpt = 1\n}\n");
    let job = run(&forge, "github/plan.yml");
    assert_eq!(job.steps["Plan"].code, 1);
    let commands: Vec<&str> =
        job.steps["Plan"].err.lines().filter(|it| it.starts_with("::")).collect();
    assert_eq!(commands.len(), 1, "{commands:?}");
    let expected =
        "::error file=main.tf,line=2,endLine=2,col=3,endColumn=7,title=Unsupported argument::";
    assert!(commands[0].starts_with(expected), "{}", commands[0]);
    let said = forge.asked();
    assert!(said.contains("### Failed") && said.contains("Unsupported argument"), "{said}");
    let sarif = forge.json("plumb.sarif");
    let result = &sarif["runs"][0]["results"][0];
    assert_eq!(result["ruleId"], "diagnostic/unsupported-argument");
    assert_eq!(job.outputs["plan"]["exitcode"], "1");
    assert_eq!(job.outputs["plan"].get("add"), None);
}

#[test]
fn what_is_merged_is_applied_once_and_does_not_drift() {
    let forge = Forge::new(CONFIGURATION);
    let job = run(&forge, "github/apply.yml");
    assert!(!job.failed, "{:?}", job.steps);
    assert_eq!(forge.objects(), 2);
    assert!(forge.read("apply.jsonl").contains("\"type\":\"apply_complete\""));
    let job = run(&forge, "github/apply.yml");
    assert_eq!(job.outputs["plan"]["changes"], "false");
    assert!(!job.failed && !job.steps.contains_key("Apply"));
    let job = run(&forge, "github/drift.yml");
    assert!(!job.failed, "{:?}", job.steps);
    assert_eq!(job.outputs["drift"]["drift"], "false");
    assert!(job.summary.contains("### No drift"), "{}", job.summary);
    assert!(forge.path("state/terraform.tfstate.drift.json").exists());
    assert!(forge.read("drift.xml").contains("tests=\"1\" failures=\"0\""));
}

#[test]
fn forgejo_does_the_same() {
    let forge = Forge::new(CONFIGURATION);
    let job = run(&forge, "forgejo/plan.yml");
    assert!(!job.failed, "{:?}", job.steps);
    let asked = forge.asked();
    assert!(
        asked.contains("http://forge.invalid/api/v1/repos/us/infra/issues/17/comments"),
        "{asked}"
    );
    assert!(asked.contains("{\"body\": \"### Plan: 2 to add"), "{asked}");
    let job = run(&forge, "forgejo/apply.yml");
    assert!(!job.failed, "{:?}", job.steps);
    assert_eq!(forge.objects(), 2);
}

#[test]
fn a_binary_that_is_not_the_one_is_not_run() {
    let mut forge = Forge::new(CONFIGURATION);
    forge.env.insert("PLUMB_SHA256".to_owned(), "0".repeat(64));
    let job = run(&forge, "github/apply.yml");
    assert!(job.failed && !job.steps.contains_key("Plan"));
}
