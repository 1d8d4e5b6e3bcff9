//! The program under test, run with nothing of the caller's around it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use regex::Regex;
use tempfile::TempDir;

use crate::json::{Json, NULL};

const LONGEST: Duration = Duration::from_secs(60);

pub struct Tool {
    program: PathBuf,
    /// `HOME`, and where every case has its folder.
    pub home: TempDir,
    diagnostic: Regex,
    place: Regex,
    colours: Regex,
    uuid: Regex,
}

/// What one run left.
pub struct Ran {
    /// -1: it was killed or took too long.
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// A diagnostic, read from JSON or from the text for people.
#[derive(Clone, Debug, Default)]
pub struct Told {
    pub error: bool,
    pub summary: String,
    pub detail: String,
    pub file: Option<String>,
    pub line: i64,
    pub end_line: i64,
}

impl Tool {
    pub fn new(program: PathBuf) -> Tool {
        let regex = |text| Regex::new(text).unwrap();
        Tool {
            program,
            home: TempDir::new().unwrap(),
            diagnostic: regex(r"^(Error|Warning): (.*)$"),
            place: regex(r"^on (\S+) line (\d+)"),
            colours: regex(r"\x1b\[[0-9;]*m"),
            uuid: regex(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
        }
    }

    pub fn folder(&self) -> TempDir {
        TempDir::new_in(self.home.path()).unwrap()
    }

    pub fn run(&self, args: &[&str], dir: &Path, env: &Json, stdin: &str) -> Ran {
        // Files instead of pipes: nobody has to read them while it runs.
        let beside = self.folder();
        let path = |name: &str| beside.path().join(name);
        fs::write(path("in"), stdin).unwrap();
        let mut command = Command::new(&self.program);
        command
            .args(args)
            .current_dir(dir)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home.path())
            .env("TMPDIR", self.home.path())
            .env("TZ", "UTC")
            .env("LANG", "C.UTF-8")
            .env("CHECKPOINT_DISABLE", "1")
            .env("TF_INPUT", "0")
            .envs(env.pairs().map(|(name, value)| (name, value.str())))
            .stdin(File::open(path("in")).unwrap())
            .stdout(File::create(path("out")).unwrap())
            .stderr(Stdio::from(File::create(path("err")).unwrap()));
        let mut child = command.spawn().unwrap();
        let end = Instant::now() + LONGEST;
        let code = loop {
            match child.try_wait().unwrap() {
                Some(status) => break status.code().unwrap_or(-1),
                None if Instant::now() > end => {
                    let _ = child.kill();
                    let _ = child.wait();
                    break -1;
                }
                None => std::thread::sleep(Duration::from_millis(2)),
            }
        };
        let read = |name| String::from_utf8_lossy(&fs::read(path(name)).unwrap()).into_owned();
        Ran { code, out: read("out"), err: read("err") }
    }

    /// Without colours.
    pub fn plain(&self, text: &str) -> String {
        self.colours.replace_all(text, "").into_owned()
    }

    /// Without colours and the frame around diagnostics.
    pub fn lines(&self, text: &str) -> Vec<String> {
        let frame = |it: char| matches!(it, '╷' | '│' | '╵' | ' ');
        self.plain(text)
            .lines()
            .map(|line| line.trim_start_matches(frame).trim_end().to_owned())
            .collect()
    }

    /// The diagnostics of a run: lines of JSON, the document of `validate -json`, or text.
    pub fn told(&self, ran: &Ran) -> Vec<Told> {
        let mut told = Vec::new();
        let mut json = false;
        for line in ran.out.lines().filter(|it| it.starts_with('{') && it.ends_with('}')) {
            let Ok(line) = Json::parse(line) else { continue };
            json |= line.get("@level").is_some() || line.get("type").is_some();
            if line.at("type").str() == "diagnostic" {
                told.push(Told::from_json(line.at("diagnostic")));
            }
        }
        if !json
            && let Ok(document) = Json::parse(&ran.out)
            && let Some(all) = document.get("diagnostics")
        {
            json = true;
            told = all.items().iter().map(Told::from_json).collect();
        }
        // What is said before `-json` is known is text even then.
        let text = if json { ran.err.clone() } else { format!("{}\n{}", ran.out, ran.err) };
        let mut last: Option<usize> = None;
        for line in self.lines(&text) {
            if let Some(found) = self.diagnostic.captures(&line) {
                let (error, summary) = (&found[1] == "Error", found[2].to_owned());
                told.push(Told { error, summary, ..Told::default() });
                last = Some(told.len() - 1);
            } else if let Some(found) = self.place.captures(&line)
                && let Some(last) = last
                && told[last].file.is_none()
            {
                told[last].file = Some(found[1].to_owned());
                told[last].line = found[2].parse().unwrap();
            }
        }
        told
    }

    /// The summaries of a run's errors, sorted.
    pub fn summaries(&self, ran: &Ran) -> Vec<String> {
        let mut all: Vec<String> =
            self.told(ran).into_iter().filter(|it| it.error).map(|it| it.summary).collect();
        all.sort();
        all
    }

    pub fn names(&self, dir: &Path) -> Names<'_> {
        let dir = dir.to_string_lossy().into_owned();
        Names { tool: self, dir, seen: BTreeMap::new() }
    }
}

impl Told {
    fn from_json(json: &Json) -> Told {
        let range = json.at("range");
        Told {
            error: json.at("severity").str() == "error",
            summary: steady(json.at("summary").str()),
            detail: json.at("detail").str().to_owned(),
            file: range.get("filename").map(|it| it.str().to_owned()),
            line: range.at("start").at("line").int(),
            end_line: range.at("end").at("line").int(),
        }
    }
}

/// The members of a cycle are told in no order of their own.
pub fn steady(summary: &str) -> String {
    match summary.strip_prefix("Cycle: ") {
        Some(members) => {
            let mut members: Vec<&str> = members.split(", ").collect();
            members.sort_unstable();
            format!("Cycle: {}", members.join(", "))
        }
        None => summary.to_owned(),
    }
}

/// Gives what differs from run to run a name, in order of sight: `<uuid-1>`, `{{WORKDIR}}`.
pub struct Names<'a> {
    tool: &'a Tool,
    dir: String,
    seen: BTreeMap<String, usize>,
}

impl Names<'_> {
    pub fn text(&mut self, text: &str) -> String {
        let text = text
            .replace(&self.dir, "{{WORKDIR}}")
            .replace(&*self.tool.home.path().to_string_lossy(), "{{HOME}}");
        let seen = &mut self.seen;
        let named = self.tool.uuid.replace_all(&text, |found: &regex::Captures<'_>| {
            let next = seen.len() + 1;
            format!("<uuid-{}>", seen.entry(found[0].to_owned()).or_insert(next))
        });
        named.into_owned()
    }

    pub fn json(&mut self, json: &Json) -> Json {
        match json {
            Json::Text(text) => Json::Text(self.text(text)),
            Json::List(items) => Json::List(items.iter().map(|it| self.json(it)).collect()),
            Json::Object(pairs) => {
                let pairs = pairs.iter().map(|(key, it)| (self.text(key), self.json(it)));
                Json::Object(pairs.collect())
            }
            Json::Null | Json::Bool(_) | Json::Number(_) => json.clone(),
        }
    }
}

/// No environment of its own.
pub const NO_ENV: &Json = &NULL;
