//! `clouds.yaml` and the files beside it: where they are, and what they say about one cloud.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use plumb_provider::Failure;

use super::yaml::{self, Content, Node};
use super::{Places, at, nearest};

/// What the files say about a cloud.
pub(super) struct Cloud {
    /// The entry; files and profile are merged.
    pub entry: Node,
    /// The file that has it, for messages.
    pub file: PathBuf,
}

/// A file and what is in it.
struct File {
    path: PathBuf,
    /// The mapping from names to clouds.
    clouds: BTreeMap<String, Node>,
}

/// The entry of the cloud `name`. Parts that stand in `secure.yaml` win, those of a profile lose.
pub(super) fn find(name: &str, places: &Places<'_>) -> Result<Cloud, Failure> {
    let clouds = load("clouds", "OS_CLIENT_CONFIG_FILE", "clouds", places)?;
    let secure = load("secure", "OS_CLIENT_SECURE_FILE", "clouds", places)?;
    let entry = |file: &Option<File>| file.as_ref().and_then(|file| file.clouds.get(name).cloned());
    let (main, secret) = (entry(&clouds), entry(&secure));
    if main.is_none() && secret.is_none() {
        return Err(unknown(name, clouds.as_ref(), secure.as_ref(), places));
    }
    let from_main = main.is_some();
    let file = if from_main { &clouds } else { &secure };
    let file = file.as_ref().map(|file| file.path.clone()).unwrap_or_default();
    let mut entry = main.unwrap_or_else(Node::null);
    if let Some(profile) = ["profile", "cloud"].iter().find_map(|key| entry.get(key)?.text()) {
        let profile = profile.to_owned();
        let public = load("clouds-public", "", "public-clouds", places)?;
        match public.as_ref().and_then(|file| file.clouds.get(&profile)) {
            Some(base) => entry = base.clone().merged(entry),
            None => return Err(no_profile(name, &profile, &file, public.as_ref(), places)),
        }
    }
    if let Some(secret) = secret {
        entry = entry.merged(secret);
    }
    Ok(Cloud { entry, file })
}

/// The names of all clouds, for messages.
pub(super) fn names(places: &Places<'_>) -> Vec<String> {
    match load("clouds", "OS_CLIENT_CONFIG_FILE", "clouds", places) {
        Ok(Some(file)) => file.clouds.into_keys().collect(),
        Ok(None) | Err(_) => Vec::new(),
    }
}

/// Where a file is looked for, in this order; the first that is there counts.
fn candidates(stem: &str, variable: &str, places: &Places<'_>) -> Vec<PathBuf> {
    let named = places.env.get(variable).filter(|path| !path.is_empty());
    let mut paths: Vec<PathBuf> = named.map(|path| places.path(path)).into_iter().collect();
    let mut folders = vec![places.directory.to_path_buf()];
    folders.extend(places.home.map(|home| home.join(".config/openstack")));
    folders.push("/etc/openstack".into());
    for folder in folders {
        paths.extend(["yaml", "yml"].map(|end| folder.join(format!("{stem}.{end}"))));
    }
    paths
}

fn load(
    stem: &str,
    variable: &str,
    key: &str,
    places: &Places<'_>,
) -> Result<Option<File>, Failure> {
    for path in candidates(stem, variable, places) {
        let text = match (places.read)(&path) {
            Ok(text) => text,
            Err(error) if is_missing(&error) => continue,
            Err(error) => {
                let summary = format!("Cannot read `{}`", path.display());
                return Err(Failure::new(summary, format!("{error}.")));
            }
        };
        let wrong = |line: usize, message: &str| {
            Failure::new(
                format!("`{}:{line}` cannot be understood", path.display()),
                format!("{message}."),
            )
        };
        let root = yaml::parse(&text)
            .map_err(|error| wrong(error.line, &crate::session::capital(&error.message)))?;
        let clouds = match root.get(key) {
            None if matches!(root.content, Content::Map(_) | Content::Null) => BTreeMap::new(),
            None => return Err(wrong(root.line, &format!("A mapping with `{key}:` belongs here"))),
            Some(node) => match node.map() {
                Some(map) => map.clone(),
                None => {
                    let message = format!("`{key}` is a mapping from names to clouds");
                    return Err(wrong(node.line, &message));
                }
            },
        };
        for (name, cloud) in &clouds {
            let parts = [Some(cloud), cloud.get("auth")];
            let bad = parts
                .into_iter()
                .flatten()
                .find(|node| !matches!(node.content, Content::Map(_) | Content::Null));
            if let Some(node) = bad {
                let message = format!("The cloud `{name}` and its `auth` are mappings");
                return Err(wrong(node.line, &message));
            }
        }
        return Ok(Some(File { path, clouds }));
    }
    Ok(None)
}

/// A folder in the way of a path counts as nothing there.
fn is_missing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory
    )
}

fn unknown(
    name: &str,
    clouds: Option<&File>,
    secure: Option<&File>,
    places: &Places<'_>,
) -> Failure {
    let summary = format!("There is no cloud `{name}`");
    let variable = "OS_CLIENT_CONFIG_FILE";
    let named = places.env.get(variable).filter(|path| !path.is_empty());
    let mut detail = match clouds.or(secure) {
        None => {
            let looked: Vec<String> = candidates("clouds", variable, places)
                .iter()
                .filter(|path| path.extension().is_none_or(|end| end != "yml"))
                .map(|path| format!("`{}`", path.display()))
                .collect();
            format!("No clouds.yaml was found; looked for {}.", looked.join(", "))
        }
        Some(file) => {
            let mut names: Vec<&str> = file.clouds.keys().map(String::as_str).collect();
            names.extend(secure.iter().flat_map(|file| file.clouds.keys()).map(String::as_str));
            names.sort_unstable();
            names.dedup();
            let hint = nearest(name, &names)
                .map(|near| format!(" Did you mean `{near}`?"))
                .unwrap_or_default();
            format!("`{}` {}.{hint}", file.path.display(), listed(&names))
        }
    };
    if let Some(path) = named.map(|path| places.path(path))
        && clouds.is_none_or(|file| file.path != path)
    {
        detail += &format!(" {variable} names `{}`, which is not there.", path.display());
    }
    at(Failure::new(summary, detail), "cloud")
}

fn no_profile(
    name: &str,
    profile: &str,
    file: &Path,
    public: Option<&File>,
    places: &Places<'_>,
) -> Failure {
    let summary = format!("The profile `{profile}` of the cloud `{name}` is not known");
    let detail = match public {
        Some(public) => {
            let names: Vec<&str> = public.clouds.keys().map(String::as_str).collect();
            let hint = nearest(profile, &names)
                .map(|near| format!(" Did you mean `{near}`?"))
                .unwrap_or_default();
            format!("`{}` {}.{hint}", public.path.display(), listed(&names))
        }
        None => format!(
            "`{}` takes it from a clouds-public.yaml, and there is none in `{}` or \
             ~/.config/openstack or /etc/openstack. Built-in profiles are not known here; write \
             the cloud's auth_url into its entry.",
            file.display(),
            places.directory.display(),
        ),
    };
    Failure::new(summary, detail)
}

fn listed(names: &[&str]) -> String {
    match names {
        [] => "names no clouds".to_owned(),
        [only] => format!("has only `{only}`"),
        many => {
            let many: Vec<String> = many.iter().map(|name| format!("`{name}`")).collect();
            format!("has {}", many.join(", "))
        }
    }
}
