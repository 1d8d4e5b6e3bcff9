//! The repository that is followed: its branches and tags as they are now, and its objects.
//!
//! What is on this machine is read where it is. Everything else is fetched into a bare copy of ours,
//! without the user's git configuration: what the loop does shall not depend on it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use gix::bstr::ByteSlice as _;
use gix::protocol::transport::client::blocking_io::http;

/// How long one exchange may take.
const EXCHANGE_MAX: Duration = Duration::from_secs(600);

/// Where a repository is, and who asks.
#[derive(Clone, Debug, Default)]
pub(super) struct Remote {
    /// As git writes it.
    pub(super) url: String,
    /// For HTTPS.
    pub(super) account: Option<Account>,
    /// The command that speaks SSH, with its options.
    pub(super) ssh_command: Option<String>,
}

/// For HTTPS.
#[derive(Clone)]
pub(super) struct Account {
    pub(super) username: String,
    pub(super) password: String,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account").field("username", &self.username).finish_non_exhaustive()
    }
}

/// A repository as it was when it was looked at.
pub(super) struct View {
    repo: gix::Repository,
    /// Full names, such as `refs/heads/main`, and what they name: a commit or a tag.
    refs: BTreeMap<String, gix::ObjectId>,
}

/// Something that was signed, or not.
pub(super) struct SignedObject {
    /// The signature, if there is one.
    pub(super) signature: Option<String>,
    /// What it covers.
    pub(super) payload: Vec<u8>,
    /// The message.
    pub(super) message: String,
    /// When, as it says itself.
    pub(super) seconds: i64,
}

/// One file of a commit.
pub(super) struct TreeFile {
    pub(super) path: String,
    pub(super) kind: FileKind,
    pub(super) id: gix::ObjectId,
}

/// What kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileKind {
    Plain,
    Executable,
    Link,
    Submodule,
}

/// Looks at a repository. `wanted` are full names; one may end with a star.
pub(super) fn look(remote: &Remote, mirror: &Path, wanted: &[String]) -> Result<View, String> {
    match local(&remote.url) {
        Some(path) => read(&path, wanted),
        None => fetch(remote, mirror, wanted),
    }
}

/// What was fetched before, without its names: they may be others by now.
pub(super) fn at_hand(remote: &Remote, mirror: &Path) -> Option<View> {
    if local(&remote.url).is_some() {
        return None;
    }
    let repo = gix::open_opts(mirror, gix::open::Options::isolated()).ok()?;
    Some(View { repo, refs: BTreeMap::new() })
}

/// The path of a repository on this machine: not a URL, and not `host:path` either.
pub(super) fn local(url: &str) -> Option<PathBuf> {
    if let Some(path) = url.strip_prefix("file://") {
        // A host before the path is of no use here.
        return Some(path.trim_start_matches("localhost").into());
    }
    let first = url.split('/').next().unwrap_or_default();
    (!url.contains("://") && !first.contains(':')).then(|| url.into())
}

fn read(path: &Path, wanted: &[String]) -> Result<View, String> {
    let repo = gix::open_opts(path, gix::open::Options::isolated())
        .map_err(|error| format!("{} cannot be opened: {}", path.display(), chain(&error)))?;
    let mut refs = BTreeMap::new();
    {
        let platform = repo.references().map_err(|error| chain(&error))?;
        for it in platform.all().map_err(|error| chain(&error))? {
            let it = it.map_err(|error| error.to_string())?;
            let name = it.name().as_bstr().to_str_lossy().into_owned();
            if let Some(id) = it.try_id().filter(|_| is_wanted(&name, wanted)) {
                refs.insert(name, id.detach());
            }
        }
    }
    Ok(View { repo, refs })
}

fn is_wanted(name: &str, wanted: &[String]) -> bool {
    wanted.iter().any(|it| match it.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => it == name,
    })
}

fn fetch(remote: &Remote, mirror: &Path, wanted: &[String]) -> Result<View, String> {
    // A second call finds the same provider installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut settings = vec![
        // Nobody is there to answer.
        format!(
            "core.sshCommand={}",
            remote.ssh_command.as_deref().unwrap_or("ssh -o BatchMode=yes")
        ),
        "gitoxide.userAgent=plumb".to_owned(),
    ];
    settings.push("ssh.variant=ssh".to_owned());
    let options =
        gix::open::Options::isolated().config_overrides(settings.iter().map(String::as_str));
    if !mirror.join("HEAD").exists() {
        gix::init_bare(mirror)
            .map_err(|error| format!("{} cannot be made: {}", mirror.display(), chain(&error)))?;
    }
    let repo = gix::open_opts(mirror, options)
        .map_err(|error| format!("{} cannot be opened: {}", mirror.display(), chain(&error)))?;
    let refs = {
        let specs = wanted.iter().map(|it| format!("+{it}:{it}"));
        let specs: Vec<gix::bstr::BString> = specs.map(Into::into).collect();
        let from = repo
            .remote_at(remote.url.as_str())
            .map_err(|error| format!("the address cannot be read: {}", chain(&error)))?
            .with_fetch_tags(gix::remote::fetch::Tags::None)
            .with_refspecs(specs.iter(), gix::remote::Direction::Fetch)
            .map_err(|error| chain(&error))?;
        let mut connection =
            from.connect(gix::remote::Direction::Fetch).map_err(|error| chain(&error))?;
        let account = remote.account.clone();
        connection.set_credentials(move |action| Ok(answer(action, account.as_ref())));
        let url = from.url(gix::remote::Direction::Fetch).map(|it| it.to_bstring());
        if let Some(url) = url
            && let Some(mut options) =
                repo.transport_options(url.as_bstr(), None).map_err(|error| chain(&error))?
        {
            if let Some(options) = options.downcast_mut::<http::Options>() {
                patience(options);
            }
            connection.set_transport_options(options);
        }
        let prepared = connection
            .prepare_fetch(gix::progress::Discard, gix::remote::ref_map::Options::default())
            .map_err(|error| chain(&error))?;
        let refs = advertised(&prepared.ref_map().remote_refs, wanted);
        // To fetch what is not there is an error, and to be told that is not.
        let complete = wanted.iter().all(|it| it.ends_with('*') || refs.contains_key(it));
        if complete && !refs.is_empty() {
            prepared
                .with_write_packed_refs_only(true)
                .receive(gix::progress::Discard, &AtomicBool::new(false))
                .map_err(|error| chain(&error))?;
        }
        refs
    };
    Ok(View { repo, refs })
}

/// The client's own limit of 30 seconds is for the whole of an answer, however long that is.
fn patience(options: &mut http::Options) {
    let configure = http::reqwest::Options {
        configure_client: Some(Box::new(|builder| Ok(builder.timeout(EXCHANGE_MAX)))),
        configure_request: None,
    };
    options.backend = Some(std::sync::Arc::new(std::sync::Mutex::new(configure)));
}

fn answer(
    action: gix::credentials::helper::Action,
    account: Option<&Account>,
) -> Option<gix::credentials::protocol::Outcome> {
    let gix::credentials::helper::Action::Get(context) = action else { return None };
    let account = account?;
    Some(gix::credentials::protocol::Outcome {
        identity: gix::sec::identity::Account {
            username: account.username.clone(),
            password: account.password.clone(),
            oauth_refresh_token: None,
        },
        next: context.into(),
    })
}

fn advertised(
    refs: &[gix::protocol::handshake::Ref],
    wanted: &[String],
) -> BTreeMap<String, gix::ObjectId> {
    use gix::protocol::handshake::Ref;
    let named = refs.iter().filter_map(|it| match it {
        Ref::Peeled { full_ref_name, tag, .. } => Some((full_ref_name, *tag)),
        Ref::Direct { full_ref_name, object } => Some((full_ref_name, *object)),
        Ref::Symbolic { full_ref_name, tag, object, .. } => {
            Some((full_ref_name, tag.unwrap_or(*object)))
        }
        Ref::Unborn { .. } => None,
    });
    named
        .map(|(name, id)| (name.to_str_lossy().into_owned(), id))
        .filter(|it| is_wanted(&it.0, wanted))
        .collect()
}

impl View {
    /// Full names, and what they name.
    pub(super) fn refs(&self) -> impl Iterator<Item = (&str, gix::ObjectId)> {
        self.refs.iter().map(|(name, id)| (name.as_str(), *id))
    }

    /// The commit that a name stands for, through tags.
    pub(super) fn commit_of(&self, name: &str) -> Option<String> {
        let object = self.repo.find_object(*self.refs.get(name)?).ok()?;
        Some(object.peel_to_kind(gix::object::Kind::Commit).ok()?.id.to_string())
    }

    /// A commit as it was signed.
    pub(super) fn commit(&self, id: &str) -> Result<SignedObject, String> {
        let commit = self.find(id)?;
        let text = |it: &gix::bstr::BStr| it.to_str_lossy().into_owned();
        let message = commit.message_raw().map(text).map_err(|error| chain(&error))?;
        let seconds = commit.time().map_err(|error| chain(&error))?.seconds;
        let signature = commit.signature().map_err(|error| chain(&error))?;
        Ok(match signature {
            Some((signature, data)) => SignedObject {
                signature: Some(text(signature.as_ref())),
                payload: data.to_bstring().into(),
                message,
                seconds,
            },
            None => SignedObject { signature: None, payload: Vec::new(), message, seconds },
        })
    }

    /// The tag itself behind a name, if it is more than a name for a commit.
    pub(super) fn tag(&self, name: &str) -> Option<SignedObject> {
        let tag = self.repo.find_object(*self.refs.get(name)?).ok()?.try_into_tag().ok()?;
        let decoded = tag.decode().ok()?;
        let seconds = decoded.tagger().ok().flatten().and_then(|it| it.time().ok());
        let parts = gix::objs::TagRefIter::signature(&tag.data);
        let signature = parts.as_ref().map(|it| it.0.data.to_str_lossy().into_owned());
        let payload = parts.map_or_else(Vec::new, |it| it.1.to_bstring().into());
        Some(SignedObject {
            signature,
            payload,
            message: decoded.message.to_str_lossy().into_owned(),
            seconds: seconds.map_or(0, |it| it.seconds),
        })
    }

    /// Whether `from` is `to` or an ancestor of it.
    pub(super) fn descends(&self, from: &str, to: &str) -> Result<bool, String> {
        let Ok(from) = gix::ObjectId::from_hex(from.as_bytes()) else { return Ok(false) };
        let to = self.find(to)?;
        for it in to.ancestors().all().map_err(|error| chain(&error))? {
            if it.map_err(|error| chain(&error))?.id == from {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Every file of a commit.
    pub(super) fn files(&self, id: &str) -> Result<Vec<TreeFile>, String> {
        use gix::objs::tree::EntryKind;
        let tree = self.find(id)?.tree().map_err(|error| chain(&error))?;
        let entries = tree.traverse().breadthfirst.files().map_err(|error| chain(&error))?;
        let mut files = Vec::new();
        for it in entries {
            let kind = match it.mode.kind() {
                EntryKind::Tree => continue,
                EntryKind::Blob => FileKind::Plain,
                EntryKind::BlobExecutable => FileKind::Executable,
                EntryKind::Link => FileKind::Link,
                EntryKind::Commit => FileKind::Submodule,
            };
            let path = it.filepath.to_str().map_err(|_| {
                format!("the commit has a path that is not UTF-8: {:?}", it.filepath)
            })?;
            files.push(TreeFile { path: path.to_owned(), kind, id: it.oid });
        }
        Ok(files)
    }

    /// What is in a file.
    pub(super) fn blob(&self, id: gix::ObjectId) -> Result<Vec<u8>, String> {
        self.repo.find_blob(id).map(|mut it| it.take_data()).map_err(|error| chain(&error))
    }

    fn find(&self, id: &str) -> Result<gix::Commit<'_>, String> {
        let id = gix::ObjectId::from_hex(id.as_bytes()).map_err(|error| chain(&error))?;
        self.repo.find_commit(id).map_err(|error| chain(&error))
    }
}

/// An error with what caused it.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        let cause = error.to_string();
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
        next = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_on_this_machine() {
        for (url, want) in [
            ("file:///srv/net.git", Some("/srv/net.git")),
            ("file://localhost/srv/net.git", Some("/srv/net.git")),
            ("net.git", Some("net.git")),
            ("./a:b/net.git", Some("./a:b/net.git")),
            ("git@example.org:net.git", None),
            ("example.org:/srv/net.git", None),
            ("https://example.org/net.git", None),
            ("ssh://git@example.org/net.git", None),
        ] {
            assert_eq!(local(url).as_deref(), want.map(Path::new), "{url}");
        }
    }
}
