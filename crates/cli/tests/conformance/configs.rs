//! Whole configurations, taken through steps; after each step its outcome is compared.

use std::fs;
use std::path::Path;

use crate::json::Json;
use crate::projections::{as_whole, plan, shown_state, state};
use crate::tool::{Names, Ran, Tool};
use crate::{Job, Verdict, copy_folder};

pub fn jobs<'a>(
    tool: &'a Tool,
    data: &'a Path,
    strict: bool,
    wanted: impl Fn(&str) -> bool,
) -> Vec<Job<'a>> {
    let mut jobs: Vec<Job<'a>> = Vec::new();
    for entry in fs::read_dir(data.join("configs")).unwrap() {
        let dir = entry.unwrap().path();
        let read = |name| Json::parse(&fs::read_to_string(dir.join(name)).unwrap()).unwrap();
        let case = read("case.json");
        let name = dir.file_name().unwrap().to_string_lossy();
        let path = format!("configs/{}/{name}", case.at("group").str());
        if wanted(&path) {
            let want = read("expected.json");
            jobs.push(Box::new(move || {
                vec![(path, check(tool, &dir.join("files"), &case, &want, strict))]
            }));
        }
    }
    jobs
}

fn check(tool: &Tool, files: &Path, case: &Json, want: &Json, strict: bool) -> Verdict {
    let folder = tool.folder();
    copy_folder(files, folder.path());
    let mut names = tool.names(folder.path());
    let mut wrong = Vec::new();
    for (at, (step, want)) in case.at("steps").items().iter().zip(want.items()).enumerate() {
        let got = take(tool, folder.path(), &mut names, step);
        for (key, want) in want.pairs() {
            let got = got.get(key).cloned().unwrap_or(Json::Null);
            let (want, got) = match &**key {
                "lines" if !strict => continue,
                "errors" => (errors(want, strict), errors(&got, strict)),
                _ => (want.clone(), got),
            };
            if let Some(why) = want.difference(&got) {
                let (op, args) = (step.at("op").str(), step.at("args").strings().join(" "));
                wrong.push(format!("step {at} ({op} {args}) {key}: {why}"));
            }
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n    ")) }
}

/// What of errors is compared.
fn errors(all: &Json, strict: bool) -> Json {
    let suggestion = regex::Regex::new(r#"\s*Did you mean "[^"]*"\?"#).unwrap();
    let one = |it: &Json| {
        let mut error = it.only(&["summary"]);
        error.set("file", Json::text(it.at("file").str()));
        error.set("line", Json::number(it.at("line").int()));
        if strict {
            error.set("end_line", Json::number(it.at("end_line").int()));
            error.set("detail", Json::text(suggestion.replace_all(it.at("detail").str(), "")));
        }
        error
    };
    crate::json::sorted(all.items().iter().map(one))
}

/// Takes one step and returns what was seen.
fn take(tool: &Tool, dir: &Path, names: &mut Names<'_>, step: &Json) -> Json {
    let mut seen = Json::object([]);
    let op = match step.at("op").str() {
        "" => "run",
        op => op,
    };
    if op == "write" {
        step.at("files").pairs().for_each(|(name, text)| write(&dir.join(name), text));
        return seen;
    }
    let given: Vec<String> = (step.at("args").strings().iter())
        .map(|it| it.replace("{{WORKDIR}}", &dir.to_string_lossy()))
        .collect();
    let first: &[&str] = match op {
        "run" => &[],
        "plan" => &["plan", "-out=p.tfplan", "-no-color"],
        "planerr" => &["plan", "-json"],
        "apply" | "applyerr" => &["apply", "-auto-approve", "-no-color"],
        "destroy" => &["destroy", "-auto-approve", "-no-color"],
        "init" => &["init", "-no-color"],
        "validate" => &["validate", "-json"],
        other => panic!("a step `{other}`"),
    };
    let given: Vec<&str> = given.iter().map(|it| &**it).collect();
    let run = |args: &[&str]| tool.run(args, dir, step.at("env"), step.at("stdin").str());
    let mut ran = run(&[first, &given].concat());
    if op == "planerr" && !matches!(ran.code, 0 | 2) && tool.told(&ran).is_empty() {
        ran = run(&[&["plan", "-no-color"], &*given].concat());
    }
    seen.set("rc", Json::number(ran.code));
    let checks = step.at("check").strings();
    let checked = |what: &str| checks.iter().any(|it| it == what);
    let kept = matches!(op, "apply" | "destroy" | "applyerr") && !checked("nostate");
    if op != "run" || checked("diags") {
        tell(tool, &ran, names, &mut seen);
    }
    if matches!(op, "plan" | "apply" | "destroy") {
        let starts = ["Plan: ", "No changes.", "Apply complete!", "Destroy complete!", "Success! "];
        let lines = tool.lines(&ran.out).into_iter();
        let lines = lines.filter(|line| starts.iter().any(|it| line.starts_with(it)));
        seen.set("lines", Json::List(lines.map(|it| Json::Text(names.text(&it))).collect()));
    }
    if op == "validate" {
        let document = Json::parse(&ran.out).unwrap_or_else(|_| Json::text("not JSON"));
        seen.set("valid", document.at("valid").clone());
    }
    let mut document = |key: &str, text: &str, of: fn(&Json) -> Json| {
        let json = match Json::parse(text) {
            Ok(json) => names.json(&of(&json)),
            Err(why) => Json::text(format!("not JSON: {why}")),
        };
        seen.set(key, json);
    };
    if op == "plan" && matches!(ran.code, 0 | 2) {
        document("plan", &run(&["show", "-json", "p.tfplan"]).out, plan);
    }
    if checked("planfull") {
        document("planfull", &run(&["show", "-json", "p.tfplan"]).out, as_whole);
    }
    if kept || checked("state") {
        let file = step.get("statefile").map_or("terraform.tfstate", Json::str);
        match fs::read_to_string(dir.join(file)) {
            Ok(text) => document("state", &text, state),
            Err(_) => document("state", "\"no state file\"", Json::clone),
        }
    }
    if kept || checked("show") {
        let ran = run(&["show", "-json"]);
        match ran.code {
            0 => document("show", &ran.out, shown_state),
            _ => document("show", "\"show -json failed\"", Json::clone),
        }
    }
    if checked("json") {
        document("json", &ran.out, Json::clone);
    }
    if checked("fulljson") {
        document("json", &ran.out, as_whole);
    }
    printed(tool, &ran, names, &checked, &mut seen);
    let after = step.at("files_after").strings();
    if !after.is_empty() {
        let mut files = Json::object([]);
        for name in after {
            let text = fs::read_to_string(dir.join(&name)).ok();
            files.set(&name, text.map_or(Json::Null, |it| Json::Text(names.text(&it))));
        }
        seen.set("files", files);
    }
    seen
}

/// Null deletes the file.
fn write(path: &Path, text: &Json) {
    match text {
        Json::Null => drop(fs::remove_file(path)),
        text => {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text.str()).unwrap();
        }
    }
}

fn tell(tool: &Tool, ran: &Ran, names: &mut Names<'_>, seen: &mut Json) {
    let (errors, warnings): (Vec<_>, Vec<_>) = tool.told(ran).into_iter().partition(|it| it.error);
    let error = |it: &crate::tool::Told| {
        let mut error = Json::object([
            ("summary", Json::Text(names.text(&it.summary))),
            ("detail", Json::Text(names.text(&it.detail))),
            ("line", Json::number(it.line)),
            ("end_line", Json::number(it.end_line)),
        ]);
        if let Some(file) = &it.file {
            error.set("file", Json::text(&**file));
        }
        error
    };
    // Only the frame around what it then says.
    let frame = "Terraform encountered problems during init";
    let errors = errors.iter().filter(|it| !it.summary.starts_with(frame)).map(error);
    seen.set("errors", Json::List(errors.collect()));
    let warnings = warnings.into_iter().map(|it| Json::Text(it.summary));
    seen.set("warnings", crate::json::sorted(warnings));
}

fn printed(
    tool: &Tool,
    ran: &Ran,
    names: &mut Names<'_>,
    checked: &dyn Fn(&str) -> bool,
    seen: &mut Json,
) {
    if checked("stdout") {
        let text = names.text(&tool.plain(&ran.out));
        seen.set("stdout", Json::text(text.trim_end_matches('\n')));
    }
    if checked("lines") {
        let text = names.text(&tool.plain(&ran.out));
        let mut lines: Vec<&str> =
            text.lines().map(str::trim).filter(|it| !it.is_empty()).collect();
        lines.sort_unstable();
        let lines = lines.into_iter().map(Json::text).collect();
        seen.set("stdout_lines", Json::List(lines));
    }
    if checked("dot") {
        let edge = regex::Regex::new(r#"(?m)^\s*("(?:[^"\\]|\\.)*")\s*->\s*("(?:[^"\\]|\\.)*")"#);
        let edges: std::collections::BTreeSet<String> = (edge.unwrap())
            .captures_iter(&ran.out)
            .map(|it| format!("{} -> {}", &it[1], &it[2]))
            .collect();
        seen.set("dot", Json::List(edges.into_iter().map(Json::Text).collect()));
    }
}
