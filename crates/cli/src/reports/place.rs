//! Paths as a forge knows them: from the root of the repository.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use plumb_diag::Sources;

/// The same files with the paths that they have in the repository that we are in, if we are in one.
pub(crate) fn in_repository(sources: &Sources, env: &BTreeMap<String, String>) -> Sources {
    let here = std::env::current_dir().unwrap_or_default();
    let Some(prefix) = root(&here, env).and_then(|it| Some(here.strip_prefix(it).ok()?.to_owned()))
    else {
        return sources.clone();
    };
    let mut res = Sources::default();
    for (id, file) in sources.files() {
        let mut file = file.clone();
        file.path = under(&prefix, &file.path).into();
        res.keep(id, file);
    }
    res
}

/// As the forge's runner says, else the nearest folder with a `.git`.
fn root(here: &Path, env: &BTreeMap<String, String>) -> Option<PathBuf> {
    let said = ["GITHUB_WORKSPACE", "CI_PROJECT_DIR", "CI_WORKSPACE"].iter();
    let said = said.filter_map(|it| std::fs::canonicalize(env.get(*it)?).ok());
    let nearest = || here.ancestors().find(|it| it.join(".git").exists()).map(Path::to_owned);
    said.into_iter().find(|it| here.starts_with(it)).or_else(nearest)
}

/// `path`, which is seen from `prefix`, with `..` resolved as far as that leads.
fn under(prefix: &Path, path: &str) -> String {
    let mut parts: Vec<String> = Vec::new();
    for part in prefix.join(path).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if parts.last().is_some_and(|it| it != "..") => {
                parts.pop();
            }
            Component::ParentDir => parts.push("..".to_owned()),
            Component::RootDir => parts.push(String::new()),
            Component::Normal(name) => parts.push(name.to_string_lossy().into_owned()),
            Component::Prefix(_) => {}
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::under;
    use std::path::Path;

    #[test]
    fn paths_of_a_repository() {
        let check = |prefix: &str, path: &str, expected: &str| {
            assert_eq!(under(Path::new(prefix), path), expected);
        };
        check("", "main.tf", "main.tf");
        check("infra/prod", "main.tf", "infra/prod/main.tf");
        check("infra/prod", "../modules/a/./main.tf", "infra/modules/a/main.tf");
        check("infra", "../../x.tf", "../x.tf");
        check("infra", "/etc/x.tf", "/etc/x.tf");
    }
}
