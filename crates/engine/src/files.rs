//! Facts about files.

use std::io;
use std::path::Path;
use std::sync::Arc;

use globset::GlobBuilder;
use plumb_model::question::{Answer, FileQuestion};

/// Answers a question about files; relative paths start from `directory`.
pub(crate) fn answer(question: &FileQuestion, directory: &Path) -> Answer {
    match question {
        FileQuestion::Content(path) => match std::fs::read(directory.join(&**path)) {
            Ok(bytes) => Answer::Bytes(bytes.into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Answer::Gone,
            Err(error) => failed(path, &error),
        },
        FileQuestion::Exists(path) => match std::fs::metadata(directory.join(&**path)) {
            Ok(it) if it.is_dir() => Answer::Failed {
                summary: format!("{path} is a directory, not a file").into(),
                detail: "".into(),
            },
            Ok(it) => Answer::Bool(it.is_file()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Answer::Bool(false),
            Err(error) => failed(path, &error),
        },
        FileQuestion::Set(path, pattern) => set(&directory.join(&**path), pattern),
    }
}

fn set(root: &Path, pattern: &str) -> Answer {
    let glob = GlobBuilder::new(pattern).literal_separator(true).build();
    let glob = match glob {
        Ok(glob) => glob.compile_matcher(),
        Err(error) => {
            return Answer::Failed {
                summary: format!("failed to glob pattern {pattern:?}").into(),
                detail: error.to_string().into(),
            };
        }
    };
    let mut names: Vec<Arc<str>> = walkdir::WalkDir::new(root)
        .follow_links(true)
        .into_iter()
        .filter_map(Result::ok)
        .filter(|it| it.file_type().is_file())
        .filter_map(|it| {
            let name = it.path().strip_prefix(root).ok()?.to_str()?;
            glob.is_match(name).then(|| name.into())
        })
        .collect();
    names.sort();
    Answer::Names(names.into())
}

fn failed(path: &str, error: &io::Error) -> Answer {
    Answer::Failed {
        summary: format!("failed to read {path:?}").into(),
        detail: error.to_string().into(),
    }
}
