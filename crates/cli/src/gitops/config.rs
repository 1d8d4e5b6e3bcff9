//! What is followed and how: a `gitops` block and the options of the command line.

use std::path::{Path, PathBuf};

use plumb_diag::{Diagnostic, Diagnostics, Sources};
use plumb_gitops::{AllowedSigners, Freeze, Mask, Mode, Pace, Policy, Window, is_safe_path};
use plumb_lang::syntax::{self, Body};

use super::args::GitopsArgs;
use super::forge::{ForgeSettings, Kind};
use super::git::{Account, Remote, local};
use super::hcl::Settings;
use super::secrets::{Secret, Secrets};
use crate::context::{Context, duration};

/// Everything that the loop is told.
#[derive(Debug)]
pub(super) struct Config {
    pub(super) remote: Remote,
    pub(super) follow: Follow,
    /// The folder in the repository; empty is its root.
    pub(super) path: String,
    pub(super) workdir: PathBuf,
    pub(super) pace: Pace,
    pub(super) policy: Policy,
    /// Frozen by the flag.
    pub(super) freeze: bool,
    /// Frozen as long as this file is there.
    pub(super) freeze_file: Option<PathBuf>,
    /// Whose commits count; none: signatures are not looked at.
    pub(super) signers: Option<PathBuf>,
    /// Whose approvals count.
    pub(super) approvers: Option<PathBuf>,
    /// The branch that approvals may stand on, in full.
    pub(super) approvals: Option<String>,
    pub(super) var_files: Vec<String>,
    pub(super) lock_timeout: String,
    pub(super) forge: Option<ForgeSettings>,
    pub(super) mask: Mask,
    /// Variables of the environment that runs must not see.
    pub(super) without: Vec<String>,
}

/// What of the repository is followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Follow {
    /// The commit of a branch.
    Branch(String),
    /// The commit of the newest tag that matches.
    Tag(String),
}

/// Reads the options and the file that they name.
pub(super) fn read(context: &Context, args: &GitopsArgs) -> Result<Config, Diagnostics> {
    let mut sources = Sources::default();
    let mut found = Vec::new();
    let mut body = None;
    if let Some(path) = &args.config {
        let text = std::fs::read_to_string(path).map_err(|error| {
            vec![Diagnostic::error("Cannot read the gitops settings", format!("{path}: {error}."))]
        })?;
        let file = sources.add(path.as_str(), text.as_str());
        context.ui.show_from(&sources);
        let parsed = syntax::parse(file, &text);
        found.extend(parsed.diagnostics);
        body = Some(parsed.body);
    }
    let config = build(context, args, body.as_ref(), &mut found);
    match config {
        Some(config) if !found.iter().any(Diagnostic::is_error) => Ok(config),
        _ => Err(found),
    }
}

fn build(
    context: &Context,
    args: &GitopsArgs,
    body: Option<&Body>,
    found: &mut Diagnostics,
) -> Option<Config> {
    let mut file = Settings::new(body, found);
    let block = file.block("gitops").map(|it| &it.body);
    file.end();
    let home = args.config.as_deref().and_then(|it| Path::new(it).parent()).map(Path::to_owned);

    let mut top = Settings::new(block, found);
    let url = args.repo.clone().or(top.text("repository").map(|it| match local(&it) {
        Some(path) if !it.starts_with("file:") => {
            from(&home, &path.to_string_lossy()).display().to_string()
        }
        _ => it,
    }));
    let branch = args.branch.clone().or(top.text("branch"));
    let tag = args.tag.clone().or(top.text("tag"));
    let path = args.path.clone().or(top.text("path")).unwrap_or_default();
    let workdir = top.text("workdir").map(|it| from(&home, &it));
    let interval = top.parsed("interval", seconds);
    let resync = top.parsed("resync", |it| match it {
        "never" => Ok(None),
        it => seconds(it).map(Some),
    });
    let history = top.parsed("history", |it| match it {
        "forward-only" => Ok(true),
        "any" => Ok(false),
        _ => Err("it is \"forward-only\" or \"any\"".to_owned()),
    });
    let lock_timeout = top.parsed("lock_timeout", |it| seconds(it).map(|_| it.to_owned()));
    let var_files = top.list("var_files", |it| match is_safe_path(it) {
        true => Ok(it.to_owned()),
        false => Err("it is not a path inside the configuration's folder".to_owned()),
    });
    let mask_names = top.list("mask", |it| Ok(it.to_owned()));
    let blocks = ["credentials", "signatures", "policy", "forge"].map(|it| top.block(it));
    let [credentials, signatures, policy, forge] = blocks.map(|it| it.map(|it| &it.body));
    top.end();

    let mut secrets = Secrets { context, home: &home, mask: Mask::default(), without: Vec::new() };
    let (account, ssh_command) = self::credentials(credentials, &mut secrets, found);
    for name in mask_names {
        // Runs may need it: a provider's password, for one.
        secrets.hide(&Secret { env: Some(name), file: None }, found);
    }
    let signers = self::signatures(args, signatures, &home, found);
    let policy = self::policy(args, policy, &home, found)?;
    let forge = forge.and_then(|it| self::forge(it, &mut secrets, found));
    for path in signers.iter().chain(&policy.approvers) {
        if let Err(why) = read_signers(path) {
            found.push(Diagnostic::error("Cannot read whose signatures count", format!("{why}.")));
        }
    }
    if !path.is_empty() && !is_safe_path(&path) {
        let detail = format!("{path:?} does not name a folder in the repository.");
        found.push(Diagnostic::error("Invalid path", detail));
    }
    let interval = match args.interval.as_deref().map(seconds) {
        Some(Err(why)) => {
            found.push(Diagnostic::error("Invalid value for -interval", format!("{why}.")));
            None
        }
        Some(Ok(it)) => Some(it),
        None => interval,
    };
    let Some(url) = url else {
        let detail =
            "Name what is to be followed with -repo, or with repository in a gitops block.";
        found.push(Diagnostic::error("No repository", detail));
        return None;
    };
    if url.split_once("://").is_some_and(|it| it.1.split('/').next().is_some_and(has_password)) {
        let detail = "Its URL has a password, which others on this machine can read. Use a \
                      credentials block.";
        found.push(Diagnostic::error("Password in the repository's URL", detail));
    }
    let follow = match (branch, tag, args.branch.is_some()) {
        (_, Some(tag), false) => Follow::Tag(tag),
        (branch, _, _) => Follow::Branch(branch.unwrap_or_else(|| "main".to_owned())),
    };
    Some(Config {
        remote: Remote { url, account, ssh_command },
        follow,
        path,
        workdir: args
            .workdir
            .as_ref()
            .map(PathBuf::from)
            .or(workdir)
            .unwrap_or_else(|| "plumb-gitops".into()),
        pace: Pace {
            interval: interval.unwrap_or(30),
            resync: resync.unwrap_or(Some(600)),
            once: args.once,
            forward_only: history.unwrap_or(true),
        },
        policy: policy.policy,
        freeze: args.freeze,
        freeze_file: policy.freeze_file,
        signers,
        approvers: policy.approvers,
        approvals: policy.approvals,
        var_files,
        lock_timeout: lock_timeout.unwrap_or_else(|| "2m".to_owned()),
        forge,
        mask: secrets.mask,
        without: secrets.without,
    })
}

/// The account for HTTPS, and the command for SSH.
fn credentials(
    body: Option<&Body>,
    secrets: &mut Secrets<'_>,
    found: &mut Diagnostics,
) -> (Option<Account>, Option<String>) {
    let mut it = Settings::new(body, found);
    let username = it.text("username");
    let password = Secret { env: it.text("password_env"), file: it.text("password_file") };
    let key = it.text("ssh_key").map(|it| from(secrets.home, &it));
    let hosts = it.text("ssh_known_hosts").map(|it| from(secrets.home, &it));
    it.end();
    let account = secrets.own(&password, found).map(|password| Account {
        // What GitHub and GitLab take with a token; Gitea takes anything.
        username: username.unwrap_or_else(|| "oauth2".to_owned()),
        password,
    });
    (account, ssh(key, hosts))
}

/// Whose signatures count; none: nobody's are looked at.
fn signatures(
    args: &GitopsArgs,
    body: Option<&Body>,
    home: &Option<PathBuf>,
    found: &mut Diagnostics,
) -> Option<PathBuf> {
    let mut it = Settings::new(body, found);
    let required = it.flag("required");
    let allowed = it.text("allowed_signers").map(|it| from(home, &it));
    it.end();
    let signers = args.allowed_signers.as_ref().map(PathBuf::from);
    if required == Some(false) {
        return signers;
    }
    let signers = signers.or(allowed);
    if required == Some(true) && signers.is_none() {
        found.push(Diagnostic::error(
            "Signatures of nobody",
            "Commits have to be signed, and nobody is named whose signature counts. Name a file \
             with allowed_signers.",
        ));
    }
    signers
}

/// A policy, and where its facts come from.
struct Sourced {
    policy: Policy,
    freeze_file: Option<PathBuf>,
    approvers: Option<PathBuf>,
    approvals: Option<String>,
}

fn policy(
    args: &GitopsArgs,
    body: Option<&Body>,
    home: &Option<PathBuf>,
    found: &mut Diagnostics,
) -> Option<Sourced> {
    let mut it = Settings::new(body, found);
    let mode = it.parsed("mode", str::parse::<Mode>);
    let windows = it.list("windows", str::parse::<Window>);
    let freezes = it.list("freeze", str::parse::<Freeze>);
    let freeze_file = it.text("freeze_file").map(|it| from(home, &it));
    let destroy_max = it.number("max_destroy");
    let changes_max = it.number("max_changes");
    let approvers = it.text("approvers").map(|it| from(home, &it));
    let approvals = it.text("approvals_branch").map(|it| format!("refs/heads/{it}"));
    it.end();
    let approvers = args.approvers.as_ref().map(PathBuf::from).or(approvers);
    let mode = match args.policy_mode.as_deref().map(str::parse::<Mode>) {
        Some(Ok(mode)) => mode,
        Some(Err(why)) => {
            found.push(Diagnostic::error("Invalid value for -policy-mode", format!("{why}.")));
            return None;
        }
        None => mode.unwrap_or(Mode::PlanOnly),
    };
    if mode == Mode::Approve && approvers.is_none() {
        found.push(Diagnostic::error(
            "Approval of nobody",
            "Plans have to be approved, and nobody is named whose approval counts. Name a file with \
             approvers.",
        ));
    }
    let policy = Policy { mode, windows, freezes, destroy_max, changes_max };
    Some(Sourced { policy, freeze_file, approvers, approvals })
}

fn forge(body: &Body, secrets: &mut Secrets<'_>, found: &mut Diagnostics) -> Option<ForgeSettings> {
    let mut it = Settings::new(Some(body), found);
    let kind = it.parsed("kind", str::parse::<Kind>);
    let api = it.text("url").or_else(|| kind?.usual_api().map(str::to_owned));
    let project = it.text("project");
    let token = Secret { env: it.text("token_env"), file: it.text("token_file") };
    let context = it.text("context").unwrap_or_else(|| "plumb".to_owned());
    let target_url = it.text("target_url");
    let thread = it.number("thread");
    it.end();
    let token = secrets.own(&token, found);
    if let (Some(kind), Some(api), Some(project), Some(token)) = (kind, api, project, token) {
        return Some(ForgeSettings { kind, api, project, token, context, target_url, thread });
    }
    if !found.iter().any(Diagnostic::is_error) {
        let detail = "A forge needs kind, project, and a token by token_env or token_file; a Gitea \
                      needs its url as well.";
        found.push(Diagnostic::error("Incomplete forge", detail));
    }
    None
}

/// Paths in the file are from where it stands: it may be run from anywhere.
fn from(home: &Option<PathBuf>, path: &str) -> PathBuf {
    home.as_deref().unwrap_or(Path::new("")).join(path)
}

/// The keys of a file, read anew each time: they may be taken away while the loop runs.
pub(super) fn read_signers(path: &Path) -> Result<AllowedSigners, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    AllowedSigners::read(&text).map_err(|why| format!("{}: {why}", path.display()))
}

fn has_password(authority: &str) -> bool {
    authority.rsplit_once('@').is_some_and(|it| it.0.contains(':'))
}

fn seconds(text: &str) -> Result<i64, String> {
    let wrong = || format!("{text:?} is not a duration such as \"30s\" or \"10m\"");
    let parsed = duration(text).ok_or_else(wrong)?;
    i64::try_from(parsed.as_secs().max(1)).map_err(|_| wrong())
}

fn ssh(key: Option<PathBuf>, hosts: Option<PathBuf>) -> Option<String> {
    if key.is_none() && hosts.is_none() {
        return None;
    }
    // The command is split by a shell.
    let quoted = |it: &Path| format!("'{}'", it.display().to_string().replace('\'', "'\\''"));
    let mut command = "ssh -o BatchMode=yes".to_owned();
    if let Some(key) = key {
        command += &format!(" -o IdentitiesOnly=yes -i {}", quoted(&key));
    }
    if let Some(hosts) = hosts {
        let hosts = quoted(&hosts);
        command += &format!(" -o StrictHostKeyChecking=yes -o UserKnownHostsFile={hosts}");
    }
    Some(command)
}
