//! `fmt`: from standard input, again on what came out, and on a file.

use std::fs;
use std::path::Path;

use crate::json::Json;
use crate::tool::{NO_ENV, Tool};
use crate::{Job, Verdict};

pub fn jobs<'a>(tool: &'a Tool, data: &'a Path, wanted: impl Fn(&str) -> bool) -> Vec<Job<'a>> {
    let dir = data.join("fmt");
    let names = fs::read_dir(&dir).unwrap().filter_map(|entry| {
        let name = entry.unwrap().file_name().into_string().unwrap();
        name.strip_suffix(".in.txt").map(str::to_owned)
    });
    let mut jobs: Vec<Job<'a>> = Vec::new();
    for name in names {
        let (path, dir) = (format!("fmt/{name}"), dir.clone());
        if wanted(&path) {
            jobs.push(Box::new(move || vec![(path, check(tool, &dir, &name))]));
        }
    }
    jobs
}

fn check(tool: &Tool, data: &Path, name: &str) -> Verdict {
    let source = fs::read_to_string(data.join(format!("{name}.in.txt"))).unwrap();
    let want = fs::read_to_string(data.join(format!("{name}.expected.json"))).unwrap();
    let want = Json::parse(&want).unwrap();
    let folder = tool.folder();
    let dir = folder.path();
    let pipe = |text: &str| tool.run(&["fmt", "-no-color", "-"], dir, NO_ENV, text);
    let ran = pipe(&source);
    if want.at("rc").int() != 0 {
        let got = tool.summaries(&ran);
        equal("failed", &true, &(ran.code > 0))?;
        return equal("summaries", &want.at("summaries").strings(), &got);
    }
    equal("exit code", &0, &ran.code)?;
    equal("text", &want.at("out").str(), &&*ran.out)?;
    let again = want.get("again").unwrap_or(want.at("out"));
    equal("second pass", &again.str(), &&*pipe(&ran.out).out)?;
    let file = dir.join("x.tf");
    fs::write(&file, &source).unwrap();
    let ran = tool.run(&["fmt", "-check", "-no-color"], dir, NO_ENV, "");
    equal("exit code of -check", &want.at("check_rc").int(), &i64::from(ran.code))?;
    let ran = tool.run(&["fmt", "-no-color"], dir, NO_ENV, "");
    equal("exit code", &0, &ran.code)?;
    let listed: Vec<String> = ran.out.split_whitespace().map(str::to_owned).collect();
    equal("listed", &want.at("listed").strings(), &listed)?;
    equal("file", &want.at("file").str(), &&*fs::read_to_string(file).unwrap())
}

fn equal<T: PartialEq + std::fmt::Debug>(what: &str, want: &T, got: &T) -> Verdict {
    if want == got { Ok(()) } else { Err(format!("{what}: want {want:?} got {got:?}")) }
}
