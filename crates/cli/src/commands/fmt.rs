//! `fmt`: the files to lay out, and what becomes of what they should look like.

use std::fs;
use std::io::{self, Read, Write};

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};
use plumb_diag::{Diagnostic, Diagnostics, Sources};
use plumb_lang::format::format;
use plumb_report::unified_diff;

use crate::args::FmtArgs;
use crate::context::Context;

/// Some file is not laid out as it should be, and nobody was to change that.
const UNFORMATTED: i32 = 3;
/// Some file could not be read.
const FAILED: i32 = 2;

const ENDINGS: [&str; 5] = [".tf", ".tfvars", ".tftest.hcl", ".tfmock.hcl", ".plumb.hcl"];

/// Lays out what the targets name. The exit code.
pub(crate) fn fmt(context: &Context, args: &FmtArgs) -> i32 {
    let mut seen = Seen::default();
    let is_stdin = args.targets.first().is_some_and(|it| it == "-");
    if is_stdin {
        let mut text = Vec::new();
        match io::stdin().lock().read_to_end(&mut text) {
            Ok(_) => file(context, args, "<stdin>", text, Mode::Stdin, &mut seen),
            Err(error) => seen.fail("Failed to read from the standard input", error.to_string()),
        }
    } else {
        let all = &args.targets[..];
        let targets = if all.is_empty() { &[".".to_owned()] } else { all };
        targets.iter().for_each(|it| target(context, args, it, &mut seen));
    }
    context.ui.show_from(&seen.sources);
    context.ui.diagnostics(&seen.diagnostics);
    match () {
        () if seen.diagnostics.iter().any(Diagnostic::is_error) => FAILED,
        () if args.check && seen.differs => UNFORMATTED,
        () => 0,
    }
}

/// What was met so far.
#[derive(Default)]
struct Seen {
    sources: Sources,
    diagnostics: Diagnostics,
    differs: bool,
}

impl Seen {
    fn fail(&mut self, summary: impl Into<String>, detail: impl Into<String>) {
        self.diagnostics.push(Diagnostic::error(summary, detail));
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Stdin,
    File,
}

fn target(context: &Context, args: &FmtArgs, target: &str, seen: &mut Seen) {
    let path = clean(target);
    match fs::metadata(&path) {
        Err(_) => seen.fail(format!("No file or directory at {target}"), ""),
        Ok(it) if it.is_dir() => directory(context, args, &path, seen),
        Ok(_) if !is_ours(&path) => seen.fail(
            "Only .tf, .tfvars, and .tftest.hcl files can be processed with plumb fmt",
            "Their JSON variants have no canonical layout.",
        ),
        Ok(_) => read(context, args, &path, seen),
    }
}

/// The path as seen from the working directory, so that files are listed in one way however a
/// person names them.
fn clean(path: &str) -> Utf8PathBuf {
    let here = std::env::current_dir().ok().and_then(|it| Utf8PathBuf::from_path_buf(it).ok());
    let here = normal(&here.unwrap_or_default());
    let there = normal(&here.join(path));
    let shared = here.iter().zip(&there).take_while(|(a, b)| a == b).count();
    let up = std::iter::repeat_n("..", here.iter().count() - shared);
    let path: Utf8PathBuf = up.chain(there.iter().skip(shared)).collect();
    if path.as_str().is_empty() { ".".into() } else { path }
}

/// Without `.` and `..`.
fn normal(path: &Utf8Path) -> Utf8PathBuf {
    let mut res = Utf8PathBuf::new();
    for part in path.components() {
        match part {
            Utf8Component::CurDir => {}
            Utf8Component::ParentDir => _ = res.pop(),
            part => res.push(part),
        }
    }
    res
}

fn is_ours(path: &Utf8Path) -> bool {
    ENDINGS.iter().any(|it| path.as_str().ends_with(it))
}

/// The files of a folder and, if asked for, of those below it, in the order of their names. A list
/// of folders to do instead of recursion: how deep they are nested is not ours to bound.
fn directory(context: &Context, args: &FmtArgs, root: &Utf8Path, seen: &mut Seen) {
    let mut waiting = vec![(root.to_owned(), true)];
    while let Some((path, is_folder)) = waiting.pop() {
        if !is_folder {
            read(context, args, &path, seen);
            continue;
        }
        let entries = match fs::read_dir(&path) {
            Ok(it) => it,
            Err(error) => {
                seen.fail(format!("Cannot read the directory {path}"), error.to_string());
                continue;
            }
        };
        let mut below: Vec<(Utf8PathBuf, bool)> = entries
            .flatten()
            .filter_map(|it| {
                let is_folder = it.file_type().ok()?.is_dir();
                Some((it.file_name().into_string().ok()?, is_folder))
            })
            .filter(|(name, _)| !is_ignored(name))
            .map(|(name, is_folder)| {
                (if path == "." { name.into() } else { path.join(name) }, is_folder)
            })
            .filter(|(path, is_folder)| if *is_folder { args.recursive } else { is_ours(path) })
            .collect();
        below.sort_by(|a, b| b.cmp(a));
        waiting.extend(below);
    }
}

/// Files that are hidden, or that editors leave behind.
fn is_ignored(name: &str) -> bool {
    name.starts_with('.') || name.ends_with('~') || (name.starts_with('#') && name.ends_with('#'))
}

fn read(context: &Context, args: &FmtArgs, path: &Utf8Path, seen: &mut Seen) {
    match fs::read(path) {
        Ok(text) => file(context, args, path.as_str(), text, Mode::File, seen),
        Err(error) => seen.fail(format!("Failed to read {path}"), error.to_string()),
    }
}

fn file(context: &Context, args: &FmtArgs, name: &str, text: Vec<u8>, mode: Mode, seen: &mut Seen) {
    let old = match String::from_utf8(text) {
        Ok(it) => it,
        Err(_) => {
            let detail = format!("All of {name} must be UTF-8.");
            return seen.fail("Invalid character encoding", detail);
        }
    };
    let id = seen.sources.add(name, old.as_str());
    let new = match format(id, &old) {
        Ok(it) => it,
        Err(why) => return seen.diagnostics.extend(why),
    };
    let changed = old != new;
    seen.differs |= changed;
    let is_file = mode == Mode::File;
    if changed && is_file && args.list.unwrap_or(true) {
        context.ui.print(&format!("{name}\n"));
    }
    if changed && is_file && args.write.unwrap_or(true) && !args.check {
        // In place: the file keeps its owner, its mode, and links to it.
        let written = fs::OpenOptions::new().write(true).truncate(true).open(name);
        if let Err(error) = written.and_then(|mut it| it.write_all(new.as_bytes())) {
            seen.fail(format!("Failed to write {name}"), error.to_string());
        }
    }
    if changed && args.diff {
        context.ui.print(&unified_diff(name, &old, &new));
    }
    if !is_file && !args.check && !args.diff {
        let end = if new.ends_with('\n') { "" } else { "\n" };
        context.ui.print(&format!("{new}{end}"));
    }
}
