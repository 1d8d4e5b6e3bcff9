//! What of a commit may be written into the working copy: no path and no symbolic link leads out of
//! it, and nothing takes the place of a state.

use std::collections::{BTreeMap, VecDeque};

/// What stands at a path of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A file.
    File,
    /// A symbolic link, and where it points.
    Link(String),
}

/// A link that leads out of the working copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Escape {
    /// The link.
    pub path: String,
    /// Where it points.
    pub target: String,
}

/// How many links are followed, one after another.
const LINKS_MAX: usize = 40;

/// Whether every part of a path is a plain name.
pub fn is_safe_path(path: &str) -> bool {
    let safe = |part: &str| {
        !matches!(part, "" | "." | "..")
            && !part.eq_ignore_ascii_case(".git")
            && !part.contains(['\0', '\\'])
    };
    path.split('/').all(safe)
}

/// Whether a path belongs to a state or to our own folder, and hence to the loop and not to a
/// commit.
pub fn is_state_file(path: &str) -> bool {
    path.split('/').any(|part| {
        part == ".terraform"
            || part == "terraform.tfstate"
            || part.starts_with("terraform.tfstate.")
            || (part.starts_with(".terraform.tfstate.") && part.ends_with(".lock.info"))
    })
}

/// Links that lead out, however many other links they go through.
pub fn escapes(entries: &BTreeMap<String, Entry>) -> Vec<Escape> {
    let links = entries.iter().filter_map(|(path, entry)| match entry {
        Entry::Link(target) => Some((path, target)),
        Entry::File => None,
    });
    links
        .filter(|(path, _)| !stays(entries, path))
        .map(|(path, target)| Escape { path: path.clone(), target: target.clone() })
        .collect()
}

/// Walks from the root to where a path leads.
fn stays(entries: &BTreeMap<String, Entry>, path: &str) -> bool {
    let mut here: Vec<String> = Vec::new();
    let mut left: VecDeque<String> = path.split('/').map(str::to_owned).collect();
    let mut followed = 0;
    while let Some(part) = left.pop_front() {
        match &*part {
            "" | "." => continue,
            ".." => {
                if here.pop().is_none() {
                    return false;
                }
                continue;
            }
            _ => here.push(part),
        }
        let Some(Entry::Link(target)) = entries.get(&here.join("/")) else { continue };
        followed += 1;
        if target.starts_with('/') || followed > LINKS_MAX {
            return false;
        }
        here.pop();
        for part in target.split('/').rev() {
            left.push_front(part.to_owned());
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Entries as `path` or `path>target`; which of them escape.
    fn check(tree: &[&str], want: &[&str]) {
        let entries = tree.iter().map(|it| match it.split_once('>') {
            Some((path, target)) => (path.to_owned(), Entry::Link(target.to_owned())),
            None => ((*it).to_owned(), Entry::File),
        });
        let found = escapes(&entries.collect());
        let paths: Vec<&str> = found.iter().map(|it| &*it.path).collect();
        assert_eq!(paths, want, "{tree:?}");
    }

    #[test]
    fn links_stay_inside() {
        check(&["a", "b>a", "c/d>../a", "e>c", "f>nowhere", "g>./c/../a"], &[]);
        check(&["a>/etc/passwd", "b>../x", "c/d>../../x"], &["a", "b", "c/d"]);
        // By its letters it stays; by what is there it does not.
        check(&["d/e/l>../..", "d/e/x>l/../etc"], &["d/e/x"]);
        check(&["up>d/e", "x>up/../../../etc"], &["x"]);
        // In a circle, and through one that leads out.
        check(&["a>b", "b>a"], &["a", "b"]);
        check(&["a>b/c", "b>/tmp"], &["a", "b"]);
    }

    #[test]
    fn paths() {
        for path in ["a", "a/b.tf", ".gitignore", "a b", "..a", "é"] {
            assert!(is_safe_path(path), "{path}");
        }
        for path in ["", "..", "a/../b", "/a", "a//b", ".git/config", "x/.GIT/hooks", "a\\b"] {
            assert!(!is_safe_path(path), "{path}");
        }
        for path in ["terraform.tfstate", "x/.terraform/environment", "terraform.tfstate.d/a/b"] {
            assert!(is_state_file(path), "{path}");
        }
        for path in ["main.tf", ".terraform.lock.hcl", "terraform.tfvars", "my.terraform/x"] {
            assert!(!is_state_file(path), "{path}");
        }
    }
}
