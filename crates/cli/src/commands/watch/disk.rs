//! Whether files have changed: configuration, values of variables, the state. They are looked at
//! once in a second; unlike notifications of the kernel that also works on network file systems and
//! with volumes whose files are swapped as a whole.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use plumb_lang::config::is_module_file;

/// What files look like from outside, by path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks(BTreeMap<PathBuf, Option<Mark>>);

/// Device, inode, size, and when it was written, to the nanosecond.
type Mark = (u64, u64, u64, i64, i64);

fn mark(path: &Path) -> Option<Mark> {
    let it = std::fs::metadata(path).ok()?;
    Some((it.dev(), it.ino(), it.size(), it.mtime(), it.mtime_nsec()))
}

/// These files, and those of the configuration in these folders.
pub(crate) fn marks<'a>(
    folders: impl Iterator<Item = &'a str>,
    files: impl Iterator<Item = &'a str>,
) -> Marks {
    let mut res = BTreeMap::new();
    for folder in folders {
        res.extend(std::fs::read_dir(folder).into_iter().flatten().flatten().filter_map(|it| {
            let name = it.file_name();
            let name = name.to_str()?;
            let values = name.ends_with(".tfvars") || name.ends_with(".tfvars.json");
            let path = Path::new(folder).join(name);
            (values || is_module_file(name)).then(|| (path.clone(), mark(&path)))
        }));
    }
    res.extend(files.map(|it| (PathBuf::from(it), mark(Path::new(it)))));
    Marks(res)
}
