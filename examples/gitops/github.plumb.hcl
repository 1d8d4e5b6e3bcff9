# Every setting there is, for a repository on GitHub. Paths are from where this file stands.
gitops {
  repository = "https://github.com/acme/net.git"
  branch     = "main" # or: tag = "v*", the newest by version
  path       = "live" # the folder that has the configuration
  workdir    = "/var/lib/plumb/net"

  interval     = "30s" # from one look to the next
  resync       = "10m" # from one look for drift to the next; or "never"
  history      = "forward-only" # or "any", which follows a rewritten history
  lock_timeout = "2m"
  var_files    = ["prod.tfvars"] # in the folder that has the configuration
  mask         = ["OS_PASSWORD"] # variables of the environment that are hidden in all that is said

  credentials {
    username     = "oauth2"
    password_env = "GIT_TOKEN" # or: password_file = "git-token"
    # For ssh://git@github.com/acme/net.git:
    # ssh_key         = "deploy_key"
    # ssh_known_hosts = "known_hosts"
  }

  signatures {
    required        = true
    allowed_signers = "signers"
  }

  policy {
    mode             = "approve" # or "auto", "drift-only", "plan-only"
    approvers        = "approvers"
    approvals_branch = "approvals" # where approvals may stand as files
    windows          = ["Mon-Fri 08:00-18:00 +01:00", "Sun 02:00-04:00 UTC"]
    freeze           = ["2026-12-20..2027-01-03 UTC"]
    freeze_file      = "/etc/plumb/freeze" # nothing is changed as long as it is there
    max_destroy      = 0
    max_changes      = 50
  }

  forge {
    kind       = "github" # or "gitlab", "gitea", "forgejo"
    project    = "acme/net"
    token_env  = "FORGE_TOKEN" # or: token_file = "forge-token"
    context    = "plumb/net"
    target_url = "https://ci.example.org/plumb"
    # url    = "https://git.example.org/api/v3", of a forge of your own
    # thread = 12, the pull request to comment on, instead of that of the commit
  }
}
