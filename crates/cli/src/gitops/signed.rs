//! Whether a commit is signed by somebody who may, and whether somebody approved a plan of it.

use plumb_gitops::{AllowedSigners, Approval, Standing};

use super::git::{SignedObject, View};
use super::sshsig::{Signed, signer};

/// What git signs for.
const GIT: &str = "git";
/// What a file with an approval is signed for.
pub(super) const APPROVAL: &str = "plumb-approval";
/// What tags with approvals are called.
pub(super) const APPROVAL_TAGS: &str = "refs/tags/plumb-approve/";

fn object_signer(object: &SignedObject, allowed: &AllowedSigners) -> Result<String, String> {
    let signature = object.signature.as_deref().ok_or("it is not signed")?;
    let (message, at) = (&*object.payload, object.seconds);
    signer(&Signed { signature, message, namespace: GIT, at }, allowed)
}

/// Who signed a commit, or the tag that leads to it.
pub(super) fn verify(
    view: &View,
    commit: &str,
    tag: Option<&str>,
    allowed: &AllowedSigners,
) -> Result<String, String> {
    let of_commit = view.commit(commit).and_then(|it| object_signer(&it, allowed));
    match tag.and_then(|it| view.tag(it)) {
        // Either counts: a release is signed as a tag by whom makes it.
        Some(tag) => object_signer(&tag, allowed).or(of_commit),
        None => of_commit,
    }
}

/// What there is of approvals of a plan of a commit: tags, and files on a branch.
pub(super) fn approval(
    view: &View,
    commit: &str,
    digest: &str,
    branch: Option<&str>,
    approvers: &AllowedSigners,
) -> Standing {
    let mut standing = Standing::None;
    let tags: Vec<&str> =
        view.refs().map(|it| it.0).filter(|it| it.starts_with(APPROVAL_TAGS)).collect();
    for name in tags {
        if view.commit_of(name).as_deref() != Some(commit) {
            continue;
        }
        let short = name.trim_start_matches("refs/tags/");
        let found = match view.tag(name) {
            Some(tag) => {
                let by = object_signer(&tag, approvers);
                judge(&tag.message, true, by, commit, digest, &format!("the tag {short}"))
            }
            None => Standing::Bad { why: format!("the tag {short} is not signed") },
        };
        standing = standing.or(found);
    }
    match branch.map(|it| from_branch(view, it, commit, digest, approvers)) {
        Some(Ok(found)) => standing.or(found),
        Some(Err(why)) => standing.or(Standing::Bad { why }),
        None => standing,
    }
}

/// `<commit>.approval` and `<commit>.approval.sig`, anywhere in the tree of the branch.
fn from_branch(
    view: &View,
    branch: &str,
    commit: &str,
    digest: &str,
    approvers: &AllowedSigners,
) -> Result<Standing, String> {
    let Some(head) = view.commit_of(branch) else { return Ok(Standing::None) };
    let at = view.commit(&head)?.seconds;
    let files = view.files(&head)?;
    let text = |path: &str| {
        let file = files.iter().find(|it| it.path == path)?;
        view.blob(file.id).ok()
    };
    let mut standing = Standing::None;
    // Several may approve: each in a file that begins with the commit.
    for file in &files {
        let name = file.path.rsplit('/').next().unwrap_or_default();
        if !name.starts_with(commit) || !name.ends_with(".approval") {
            continue;
        }
        let what = format!("the file {}", file.path);
        let found = match (text(&file.path), text(&format!("{}.sig", file.path))) {
            (Some(message), Some(signature)) => {
                let signature = String::from_utf8_lossy(&signature).into_owned();
                let signed =
                    Signed { signature: &signature, message: &message, namespace: APPROVAL, at };
                let by = signer(&signed, approvers);
                judge(&String::from_utf8_lossy(&message), false, by, commit, digest, &what)
            }
            _ => Standing::Bad { why: format!("{what} has no signature beside it") },
        };
        standing = standing.or(found);
    }
    Ok(standing)
}

fn judge(
    text: &str,
    names_commit: bool,
    by: Result<String, String>,
    commit: &str,
    digest: &str,
    what: &str,
) -> Standing {
    let by = match by {
        Ok(by) => by,
        Err(why) => return Standing::Bad { why: format!("{what} does not count: {why}") },
    };
    match Approval::read(text) {
        None => Standing::Bad { why: format!("{what} has no line \"plan: …\"") },
        Some(it)
            if it.commit.as_deref() != Some(commit) && (it.commit.is_some() || !names_commit) =>
        {
            Standing::Bad { why: format!("{what} is about another commit") }
        }
        Some(it) if it.plan == digest => Standing::Approved { by },
        Some(it) => Standing::Other { by, digest: it.plan },
    }
}
