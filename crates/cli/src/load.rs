//! Files to a program: the root folder, and every folder that module calls lead to, each once.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Arc;

use plumb_diag::Sources;
use plumb_diag::{Diagnostic, Diagnostics, Span};
use plumb_lang::compile::local_dir;
use plumb_lang::config::version::{Constraints, Version};
use plumb_lang::config::{Module, decode_texts, is_module_file};
use plumb_lang::{ModuleTree, Program, compile, validate};
use plumb_model::schema::Schemas;

use crate::TERRAFORM_VERSION;

/// Name and bytes of the files of one folder, sorted by name.
pub(crate) type Folder = Vec<(Arc<str>, Vec<u8>)>;

/// A configuration as its files have it.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    /// Texts of all files.
    pub(crate) sources: Sources,
    /// Modules by folder.
    pub(crate) tree: ModuleTree,
    /// The files as they were read, by folder: what a saved plan keeps.
    pub(crate) folders: BTreeMap<Arc<str>, Folder>,
    /// What is wrong so far.
    pub(crate) diagnostics: Diagnostics,
}

impl Loaded {
    /// The root module.
    pub(crate) fn root(&self) -> Option<&Arc<Module>> {
        self.tree.dirs.get(&self.tree.root)
    }

    /// Whether there is nothing to read in the root folder.
    pub(crate) fn is_empty(&self) -> bool {
        self.folders.get(&self.tree.root).is_none_or(Vec::is_empty)
    }

    fn failed(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }
}

/// Reads everything from `.` on. `folder` reads one folder.
pub(crate) fn load(folder: &mut dyn FnMut(&str) -> io::Result<Folder>) -> Loaded {
    let mut loaded = Loaded::default();
    loaded.tree.root = ".".into();
    let mut queue: VecDeque<(Arc<str>, Option<(Arc<str>, Span)>)> =
        [(loaded.tree.root.clone(), None)].into();
    while let Some((dir, call)) = queue.pop_front() {
        if loaded.tree.dirs.contains_key(&dir) {
            continue;
        }
        let files = match folder(&dir) {
            Ok(files) => files,
            Err(error) => {
                let place =
                    call.and_then(|(name, span)| Some((name, place(&loaded.sources, span)?)));
                loaded.diagnostics.extend(unreadable(&dir, &error, place));
                continue;
            }
        };
        let module = decode(&dir, &files, &mut loaded);
        for (name, call) in &module.calls {
            if let Some(child) = local_dir(&dir, &call.source) {
                queue.push_back((child, Some((name.clone(), call.source_span))));
            }
        }
        loaded.folders.insert(dir.clone(), files);
        loaded.tree.dirs.insert(dir, Arc::new(module));
    }
    // Another version of the language explains every other mistake.
    let wrong: Diagnostics = loaded.tree.dirs.values().flat_map(|it| wrong_version(it)).collect();
    if !wrong.is_empty() {
        loaded.diagnostics = wrong;
    }
    loaded
}

/// The same of files that were read already.
pub(crate) fn load_from(folders: &BTreeMap<Arc<str>, Folder>) -> Loaded {
    load(&mut |dir| folders.get(dir).cloned().ok_or_else(|| io::ErrorKind::NotFound.into()))
}

/// The files of a folder on disk.
pub(crate) fn read_folder(dir: &str) -> io::Result<Folder> {
    let mut files = Folder::new();
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if is_module_file(&name) && !entry.path().is_dir() {
            files.push((name.into(), std::fs::read(entry.path())?));
        }
    }
    files.sort();
    Ok(files)
}

/// Order of the program's parts and static mistakes. The program is whole only if no diagnostic of
/// `loaded` is an error afterwards.
pub(crate) fn check(loaded: &mut Loaded, schemas: &Schemas) -> Program {
    let whole = !loaded.failed();
    let (program, found) = compile(&loaded.tree, schemas);
    // Missing parts make names missing: that would be said twice.
    if whole {
        loaded.diagnostics.extend(found);
        if !loaded.failed() {
            loaded.diagnostics.extend(validate(&program));
        }
        // As a person reads the files.
        loaded.diagnostics.sort_by_key(|it| it.span);
    }
    program
}

/// The same where what is not an error is of no interest, or was told already.
pub(crate) fn checked(loaded: &mut Loaded, schemas: &Schemas) -> Result<Program, Diagnostics> {
    let program = check(loaded, schemas);
    let failed = loaded.failed();
    let found = std::mem::take(&mut loaded.diagnostics);
    if failed { Err(found) } else { Ok(program) }
}

fn decode(dir: &str, files: &Folder, loaded: &mut Loaded) -> Module {
    let mut texts = Vec::new();
    for (name, bytes) in files {
        let path = if dir == "." { name.to_string() } else { format!("{dir}/{name}") };
        let text: Arc<str> = String::from_utf8_lossy(bytes).into();
        let file = loaded.sources.add(path, text.clone());
        if std::str::from_utf8(bytes).is_err() {
            let start = text.find(char::REPLACEMENT_CHARACTER).unwrap_or(0);
            let detail = "All input files must be UTF-8 encoded. Ensure that UTF-8 encoding is \
                          selected in your editor.";
            let error = Diagnostic::error("Invalid character encoding", detail);
            loaded.diagnostics.push(error.at(Span::new(file, start, start)));
        }
        texts.push((name, file, text));
    }
    let (module, found) =
        decode_texts(texts.iter().map(|(name, file, text)| (&***name, *file, &**text)));
    loaded.diagnostics.extend(found);
    module
}

fn place(sources: &Sources, span: Span) -> Option<String> {
    let file = sources.file(span.file)?;
    Some(format!("{}:{}", file.path, file.position(span.start).line))
}

fn unreadable(dir: &str, error: &io::Error, call: Option<(Arc<str>, String)>) -> Diagnostics {
    let summary = "Unreadable module directory";
    let error = match error.kind() {
        io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        _ => error.to_string(),
    };
    let Some((name, place)) = call else {
        return vec![Diagnostic::error(
            summary,
            format!("The directory {dir} could not be read: {error}."),
        )];
    };
    vec![
        Diagnostic::error(
            summary,
            format!("Unable to evaluate directory symlink: lstat {dir}: {error}"),
        ),
        Diagnostic::error(
            summary,
            format!("The directory {dir} could not be read for module {:?} at {place}.", &*name),
        ),
    ]
}

fn wrong_version(module: &Module) -> Diagnostics {
    let ours = Version::parse(TERRAFORM_VERSION);
    let refused = |text: &str| match (Constraints::parse(text), &ours) {
        (Some(constraints), Some(ours)) => !constraints.allow(ours),
        _ => false,
    };
    let wrong = module.required_versions.iter().filter(|(text, _)| refused(text));
    wrong
        .map(|(_, span)| {
            let detail = format!(
                "This configuration does not support Terraform version {TERRAFORM_VERSION}, whose \
                 language this version of plumb speaks. To proceed, either choose another \
                 supported version or update this version constraint. Version constraints are \
                 normally set for good reason, so updating the constraint may lead to other errors \
                 or unexpected behavior."
            );
            Diagnostic::error("Unsupported Terraform Core version", detail).at(*span)
        })
        .collect()
}
