//! The working copy: the files of a commit, exactly, and whatever else lies there.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _, symlink};
use std::path::Path;

use plumb_gitops::{Entry, escapes, is_safe_path, is_state_file};

use crate::files::replace_durably;

use super::git::{FileKind, TreeFile, View};

/// The commit that is checked out, and which files are ours.
pub(super) type Manifest = BTreeMap<String, String>;

/// Makes `dir` hold the files of a commit. What was written before and is no longer there goes;
/// what somebody else put there stays, and is never written over. What a person should know.
pub(super) fn checkout(
    view: &View,
    commit: &str,
    dir: &Path,
    manifest_path: &Path,
) -> Result<Vec<String>, String> {
    let mut notes = Vec::new();
    let files = sorted(view, commit, &mut notes)?;
    let before = read_manifest(manifest_path)?;
    fs::create_dir_all(dir).map_err(|error| at(dir, &error))?;
    // All that may be ours from now on, before it is: a process may end at any time.
    let after: Manifest = files.iter().map(|it| (it.path.clone(), it.id.to_string())).collect();
    let strangers: Vec<&str> = after
        .keys()
        .filter(|path| !before.contains_key(*path) && exists(&dir.join(path)))
        .map(String::as_str)
        .collect();
    if !strangers.is_empty() {
        return Err(format!(
            "the working copy has files that the commit has too and that did not come from the \
             repository: {}; move them away",
            strangers.join(", ")
        ));
    }
    let both: Manifest = before.iter().chain(&after).map(|(a, b)| (a.clone(), b.clone())).collect();
    write_manifest(manifest_path, &both)?;
    for path in before.keys().filter(|it| !after.contains_key(*it)) {
        remove(dir, path).map_err(|error| at(&dir.join(path), &error))?;
    }
    for file in &files {
        let path = dir.join(&file.path);
        write(view, dir, file).map_err(|error| match error {
            Trouble::Io(error) => at(&path, &error),
            Trouble::Git(why) => format!("{}: {why}", file.path),
        })?;
    }
    write_manifest(manifest_path, &after)?;
    Ok(notes)
}

/// What is to be written, none of which leads out of the working copy.
fn sorted(view: &View, commit: &str, notes: &mut Vec<String>) -> Result<Vec<TreeFile>, String> {
    let mut entries = BTreeMap::new();
    let mut files = Vec::new();
    for file in view.files(commit)? {
        if !is_safe_path(&file.path) {
            return Err(format!("the commit has the path {:?}, which is not safe", file.path));
        }
        if is_state_file(&file.path) {
            notes.push(format!("{} is left out: the state is the loop's own", file.path));
            continue;
        }
        match file.kind {
            FileKind::Submodule => {
                notes.push(format!("{} is a submodule and is left out", file.path));
                continue;
            }
            FileKind::Link => {
                let target = String::from_utf8(view.blob(file.id)?)
                    .map_err(|_| format!("{} points to a path that is not UTF-8", file.path))?;
                entries.insert(file.path.clone(), Entry::Link(target));
            }
            FileKind::Plain | FileKind::Executable => {
                entries.insert(file.path.clone(), Entry::File);
            }
        }
        files.push(file);
    }
    if let Some(escape) = escapes(&entries).first() {
        return Err(format!(
            "the commit has a symbolic link that leads out of the repository: {} -> {}",
            escape.path, escape.target
        ));
    }
    Ok(files)
}

enum Trouble {
    Io(io::Error),
    Git(String),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Trouble {
        Trouble::Io(error)
    }
}

fn write(view: &View, dir: &Path, file: &TreeFile) -> Result<(), Trouble> {
    let path = dir.join(&file.path);
    parents(dir, &file.path)?;
    let data = view.blob(file.id).map_err(Trouble::Git)?;
    if file.kind == FileKind::Link {
        let target = String::from_utf8_lossy(&data).into_owned();
        if fs::read_link(&path).is_ok_and(|it| it == Path::new(&target)) {
            return Ok(());
        }
        clear(&path)?;
        return Ok(symlink(target, &path)?);
    }
    let mode = if file.kind == FileKind::Executable { 0o755 } else { 0o644 };
    let same = fs::symlink_metadata(&path).is_ok_and(|it| {
        it.is_file() && it.len() == data.len() as u64 && it.permissions().mode() & 0o777 == mode
    });
    if same && fs::read(&path)? == data {
        return Ok(());
    }
    clear(&path)?;
    let mut open = fs::OpenOptions::new();
    // Nothing is there: whatever took its place in the meantime is not followed.
    let mut out = open.write(true).create_new(true).mode(mode).open(&path)?;
    out.write_all(&data)?;
    Ok(fs::set_permissions(&path, fs::Permissions::from_mode(mode))?)
}

/// Makes the folders of a path. What stands in the way and is not a folder, goes: it was ours.
fn parents(dir: &Path, path: &str) -> io::Result<()> {
    let mut here = dir.to_owned();
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    for part in parts {
        here.push(part);
        match fs::symlink_metadata(&here) {
            Ok(it) if it.is_dir() => continue,
            Ok(_) => fs::remove_file(&here)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        fs::create_dir(&here)?;
    }
    Ok(())
}

/// Makes room for a file. A folder with something in it stays, and is an error.
fn clear(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(it) if it.is_dir() => fs::remove_dir(path),
        Ok(_) => fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Removes a file of ours, and folders that are empty then.
fn remove(dir: &Path, path: &str) -> io::Result<()> {
    // Through a link, it would be another file.
    let mut here = dir.to_owned();
    for part in path.split('/') {
        if !fs::symlink_metadata(&here).is_ok_and(|it| it.is_dir()) {
            return Ok(());
        }
        here.push(part);
    }
    clear(&here).or_else(|error| match error.kind() {
        io::ErrorKind::DirectoryNotEmpty => Ok(()),
        _ => Err(error),
    })?;
    let mut parent = here.parent();
    while let Some(folder) = parent.filter(|it| *it != dir) {
        if fs::remove_dir(folder).is_err() {
            break;
        }
        parent = folder.parent();
    }
    Ok(())
}

fn exists(path: &Path) -> bool {
    // A folder of ours may become a file; whether it is empty is seen then.
    fs::symlink_metadata(path).is_ok_and(|it| !it.is_dir())
}

fn read_manifest(path: &Path) -> Result<Manifest, String> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map_err(|error| format!("{} cannot be read: {error}", path.display())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Manifest::new()),
        Err(error) => Err(at(path, &error)),
    }
}

fn write_manifest(path: &Path, manifest: &Manifest) -> Result<(), String> {
    let text = serde_json::to_vec_pretty(manifest).map_err(|error| error.to_string())?;
    replace_durably(path, &text).map_err(|error| at(path, &error))
}

fn at(path: &Path, error: &io::Error) -> String {
    format!("{}: {error}", path.display())
}
