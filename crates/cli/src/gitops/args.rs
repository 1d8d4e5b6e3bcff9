//! The options of `gitops`.

use clap::Args;

use crate::args::ViewFlags;

#[derive(Args, Debug)]
pub(crate) struct GitopsArgs {
    /// A file with a "gitops" block; options win over what it says
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<String>,
    /// The repository: a path, or a URL of https, ssh or file
    #[arg(long, value_name = "URL")]
    pub(crate) repo: Option<String>,
    /// The branch to follow, "main" unless said otherwise
    #[arg(long, value_name = "NAME", conflicts_with = "tag")]
    pub(crate) branch: Option<String>,
    /// Follow the newest tag that matches, such as "v*"
    #[arg(long, value_name = "PATTERN")]
    pub(crate) tag: Option<String>,
    /// The folder in the repository that has the configuration
    #[arg(long, value_name = "DIR")]
    pub(crate) path: Option<String>,
    /// Where the loop keeps its copy of the repository, the state and what it remembers; "plumb-gitops" unless said otherwise
    #[arg(long, value_name = "DIR")]
    pub(crate) workdir: Option<String>,
    /// Look once, do what is to be done, and end: 0 if all is well, 2 if something waits or was refused, 1 if something failed
    #[arg(long)]
    pub(crate) once: bool,
    /// From one look at the repository to the next, "30s" unless said otherwise
    #[arg(long, value_name = "DURATION")]
    pub(crate) interval: Option<String>,
    /// What is done with plans: "auto", "approve", "drift-only" or "plan-only", which it is unless said otherwise
    #[arg(long, value_name = "MODE")]
    pub(crate) policy_mode: Option<String>,
    /// Change nothing for now; plan and tell
    #[arg(long)]
    pub(crate) freeze: bool,
    /// Accept only commits that are signed with a key of this file, in the format of OpenSSH's allowed_signers
    #[arg(long, value_name = "FILE")]
    pub(crate) allowed_signers: Option<String>,
    /// Whose approvals count, in the same format
    #[arg(long, value_name = "FILE")]
    pub(crate) approvers: Option<String>,
    #[command(flatten)]
    pub(crate) view: ViewFlags,
}
