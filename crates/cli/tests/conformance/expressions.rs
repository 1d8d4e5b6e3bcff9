//! One expression a case, in an output of a configuration or typed into the console.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::json::{Json, short};
use crate::tool::{NO_ENV, Ran, Tool, steady};
use crate::{Job, Verdict, copy_folder};

/// So many cases share a run, as most of them come out right.
const TOGETHER: usize = 40;

pub fn jobs<'a>(tool: &'a Tool, data: &'a Path, wanted: impl Fn(&str) -> bool) -> Vec<Job<'a>> {
    let dir = data.join("expressions");
    let text = fs::read_to_string(dir.join("cases.jsonl")).unwrap();
    let cases: Vec<Json> = text.lines().map(|line| Json::parse(line).unwrap()).collect();
    let mut jobs: Vec<Job<'a>> = Vec::new();
    let mut values = Vec::new();
    let mut unknowns = Vec::new();
    for case in cases {
        let path = path(&case);
        if !wanted(&path) {
            continue;
        }
        let dir = dir.clone();
        match case.at("kind").str() {
            "value" => values.push(case),
            "unknown" => unknowns.push(case),
            "error" => jobs.push(Box::new(move || vec![(path, error(tool, &dir, &case))])),
            "console" => jobs.push(Box::new(move || vec![(path, console(tool, &dir, &case))])),
            other => panic!("{path}: a case of kind {other:?}"),
        }
    }
    for (cases, unknown) in [(values, false), (unknowns, true)] {
        for batch in cases.chunks(TOGETHER) {
            let (batch, dir) = (batch.to_vec(), dir.clone());
            jobs.push(Box::new(move || together(tool, &dir, &batch, unknown)));
        }
    }
    jobs
}

fn path(case: &Json) -> String {
    format!("expressions/{}/{}", case.at("group").str(), case.at("id").str())
}

fn source(case: &Json, name: &str) -> String {
    let setup = case.at("setup").str().replace("{{ID}}", name);
    let expr = case.at("expr").str().replace("{{ID}}", name);
    let sensitive = if case.at("sensitive").is_true() { "  sensitive = true\n" } else { "" };
    let setup = match setup.trim_end_matches('\n') {
        "" => String::new(),
        setup => format!("{setup}\n"),
    };
    format!("{setup}output \"{name}\" {{\n  value = {expr}\n{sensitive}}}\n")
}

fn folder(tool: &Tool, data: &Path, files: &[(String, String)], unknown: bool) -> TempDir {
    let folder = tool.folder();
    let dir = folder.path();
    fs::copy(data.join("common.tf"), dir.join("common.tf")).unwrap();
    if unknown {
        fs::copy(data.join("unknown.tf"), dir.join("unknown.tf")).unwrap();
    }
    copy_folder(&data.join("fixtures"), &dir.join("fx"));
    for (name, text) in files {
        fs::write(dir.join(name), text).unwrap();
    }
    folder
}

/// Several cases in one configuration; if that fails as a whole, in smaller ones.
fn together(tool: &Tool, data: &Path, cases: &[Json], unknown: bool) -> Vec<(String, Verdict)> {
    let names: Vec<String> = (0..cases.len()).map(|at| format!("c{at:04}")).collect();
    let files: Vec<(String, String)> = (cases.iter().zip(&names))
        .map(|(case, name)| (format!("{name}.tf"), source(case, name)))
        .collect();
    let folder = folder(tool, data, &files, unknown);
    let got = if unknown { planned(tool, folder.path()) } else { applied(tool, folder.path()) };
    match got {
        Ok(got) => (cases.iter().zip(&names))
            .map(|(case, name)| {
                let verdict = match got.get(name) {
                    None => Err("no such output".to_owned()),
                    Some(got) => {
                        let got = match unknown {
                            true => got.only(&["after", "after_unknown", "after_sensitive"]),
                            false => got.clone(),
                        };
                        case.at("expected").difference(&got).map_or(Ok(()), Err)
                    }
                };
                (path(case), verdict.map_err(|why| format!("{}: {why}", case.at("expr").str())))
            })
            .collect(),
        Err(why) if cases.len() == 1 => vec![(path(&cases[0]), Err(why))],
        Err(_) => {
            let size = if cases.len() > 8 { 8 } else { 1 };
            cases.chunks(size).flat_map(|it| together(tool, data, it, unknown)).collect()
        }
    }
}

fn applied(tool: &Tool, dir: &Path) -> Result<Json, String> {
    well(&tool.run(&["apply", "-auto-approve", "-no-color"], dir, NO_ENV, ""))?;
    let ran = tool.run(&["output", "-json"], dir, NO_ENV, "");
    document(tool, dir, &ran)
}

fn planned(tool: &Tool, dir: &Path) -> Result<Json, String> {
    well(&tool.run(&["plan", "-out=p.tfplan", "-no-color"], dir, NO_ENV, ""))?;
    let ran = tool.run(&["show", "-json", "p.tfplan"], dir, NO_ENV, "");
    Ok(document(tool, dir, &ran)?.at("output_changes").clone())
}

fn document(tool: &Tool, dir: &Path, ran: &Ran) -> Result<Json, String> {
    well(ran)?;
    let text = ran
        .out
        .replace(&*dir.to_string_lossy(), "{{WORKDIR}}")
        .replace(&*tool.home.path().to_string_lossy(), "{{HOME}}");
    Json::parse(&text).map_err(|why| format!("not JSON: {why}"))
}

fn well(ran: &Ran) -> Result<(), String> {
    match ran.code {
        0 => Ok(()),
        code => Err(format!("exit code {code}: {}{}", ran.out, ran.err)),
    }
}

fn error(tool: &Tool, data: &Path, case: &Json) -> Verdict {
    let files = [("main.tf".to_owned(), source(case, "c0000"))];
    let folder = folder(tool, data, &files, case.at("unknown").is_true());
    let mut ran = tool.run(&["plan", "-json"], folder.path(), NO_ENV, "");
    if ran.code != 0 && tool.summaries(&ran).is_empty() {
        ran = tool.run(&["plan", "-no-color"], folder.path(), NO_ENV, "");
    }
    let expr = case.at("expr").str();
    let mut want: Vec<String> =
        case.at("summaries").strings().iter().map(|it| steady(it)).collect();
    want.sort();
    let got = tool.summaries(&ran);
    match ran.code {
        ..0 => Err(format!("{expr}: crashed or hung: {}", ran.err)),
        0 => Err(format!("{expr}: went well, want {want:?}")),
        _ if got != want => Err(format!("{expr}: want {want:?} got {got:?}")),
        _ => Ok(()),
    }
}

fn console(tool: &Tool, data: &Path, case: &Json) -> Verdict {
    let setup = case.at("setup").str().replace("{{ID}}", "c0000");
    let folder = folder(tool, data, &[("main.tf".to_owned(), setup)], false);
    let expr = case.at("expr").str();
    let input = format!("{expr}\n");
    let ran = tool.run(&["console", "-no-color"], folder.path(), NO_ENV, &input);
    let want = case.at("expected");
    if ran.code < 0 || (ran.code == 0) != (want.at("rc").int() == 0) {
        return Err(format!("{expr}: exit code {}, want {}", ran.code, want.at("rc")));
    }
    let got = if ran.code == 0 {
        let out = ran.out.replace(&*folder.path().to_string_lossy(), "{{WORKDIR}}");
        Json::object([("stdout", Json::text(out.trim_end_matches('\n')))])
    } else {
        let told = tool.summaries(&ran).into_iter().map(Json::Text).collect();
        Json::object([("summaries", Json::List(told))])
    };
    let want = match want.get("stdout").filter(|_| ran.code == 0) {
        Some(out) => Json::object([("stdout", Json::text(out.str().trim_end_matches('\n')))]),
        None => want.only(&["summaries"]),
    };
    if want == got {
        Ok(())
    } else {
        Err(format!("{expr}: want {} got {}", short(&want), short(&got)))
    }
}
