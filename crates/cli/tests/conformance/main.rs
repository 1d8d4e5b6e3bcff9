//! What Terraform 1.11.4 answered, asked of plumb: `tests/conformance` says how it was recorded.
//!
//! Every case must pass but those that `docs/compatibility.md` lists with their reasons, and those
//! must fail, or the list tells of what is no longer so.
//!
//! `CONFORMANCE_ONLY=configs/moved,fmt` runs some, `CONFORMANCE_TOOL=…` asks another program,
//! `CONFORMANCE_STRICT=1` compares the configurations' details and summary lines, too.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]
#![expect(clippy::print_stdout, reason = "the table is what it is run for")]
#![expect(unreachable_pub, reason = "parts of one test binary")]

mod configs;
mod expressions;
mod fmt;
mod json;
mod projections;
mod tool;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use tool::Tool;

/// How many of a hundred must pass.
const BARS: [(&str, usize); 3] = [("expressions", 98), ("configs", 97), ("fmt", 100)];

/// What was different, if anything.
type Verdict = Result<(), String>;

/// Some cases that are run at once.
type Job<'a> = Box<dyn FnOnce() -> Vec<(String, Verdict)> + Send + 'a>;

#[test]
fn like_terraform() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let data = root.join("tests/conformance");
    let known = known(&fs::read_to_string(root.join("docs/compatibility.md")).unwrap());
    let variable = |name| std::env::var(name).ok().filter(|it| !it.is_empty());
    let only = variable("CONFORMANCE_ONLY");
    let wanted = |path: &str| match &only {
        Some(only) => only.split(',').any(|it| path.starts_with(it) || path.ends_with(it)),
        None => true,
    };
    let program = variable("CONFORMANCE_TOOL");
    let tool = Tool::new(program.map_or(env!("CARGO_BIN_EXE_plumb").into(), PathBuf::from));
    let strict = variable("CONFORMANCE_STRICT").is_some();
    let mut jobs = expressions::jobs(&tool, &data, wanted);
    jobs.extend(configs::jobs(&tool, &data, strict, wanted));
    jobs.extend(fmt::jobs(&tool, &data, wanted));
    let verdicts = run(jobs);

    print_table(&verdicts);
    let failed: BTreeMap<&String, &String> =
        verdicts.iter().filter_map(|(path, it)| Some((path, it.as_ref().err()?))).collect();
    for (path, why) in &failed {
        let known = if known.contains(*path) { "known to fail" } else { "FAILED" };
        println!("{known}: {path}: {why}");
    }
    let mut wrong: Vec<String> = Vec::new();
    for path in failed.keys().filter(|it| !known.contains(**it)) {
        wrong.push(format!("{path} fails, and docs/compatibility.md does not know it"));
    }
    for path in known.iter().filter(|it| wanted(it) && !failed.contains_key(it)) {
        wrong.push(match verdicts.contains_key(path) {
            true => format!("{path} passes, and docs/compatibility.md says that it fails"),
            false => format!("docs/compatibility.md lists {path}: there is no such case"),
        });
    }
    for (part, bar) in BARS {
        let (good, all) = count(&verdicts, &format!("{part}/"));
        if good * 100 < all * bar {
            wrong.push(format!("{part}: {good} of {all} pass, at least {bar} % must"));
        }
    }
    assert!(!verdicts.is_empty(), "no case is called {only:?}");
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// The cases in the first column of the document's tables.
fn known(document: &str) -> BTreeSet<String> {
    let rows = document.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let cases = rows.map(|(case, _)| case);
    let ours = |case: &&str| BARS.iter().any(|(part, _)| case.starts_with(&format!("{part}/")));
    cases.filter(ours).map(str::to_owned).collect()
}

/// All of them, by as many threads as there are processors.
fn run(jobs: Vec<Job<'_>>) -> BTreeMap<String, Verdict> {
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let jobs = Mutex::new(jobs);
    let verdicts = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let Some(job) = jobs.lock().unwrap().pop() else { break };
                    let found = job();
                    verdicts.lock().unwrap().extend(found);
                }
            });
        }
    });
    verdicts.into_inner().unwrap()
}

fn print_table(verdicts: &BTreeMap<String, Verdict>) {
    let groups: BTreeSet<&str> = verdicts.keys().map(|path| group(path)).collect();
    let parts = BARS.iter().map(|(part, _)| *part).filter(|it| !groups.contains(it));
    for name in groups.iter().copied().chain(parts) {
        let (good, all) = count(verdicts, &format!("{name}/"));
        if all > 0 {
            let percent = good as f64 * 100.0 / all as f64;
            println!("{name:<32} {good:>4} of {all:>4}  {percent:>6.2} %");
        }
    }
}

/// `expressions/fn`, `configs/moved`, `fmt`
fn group(path: &str) -> &str {
    let mut slashes = path.match_indices('/').map(|it| it.0);
    let first = slashes.next().unwrap_or(path.len());
    &path[..slashes.next().unwrap_or(first)]
}

/// How many pass, of how many.
fn count(verdicts: &BTreeMap<String, Verdict>, start: &str) -> (usize, usize) {
    let ours = || verdicts.iter().filter(|(path, _)| path.starts_with(start));
    (ours().filter(|(_, it)| it.is_ok()).count(), ours().count())
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}
