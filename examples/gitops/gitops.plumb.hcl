# What docs/gitops.md walks through: a repository beside this file, signed commits, signed approvals.
gitops {
  repository = "net.git"
  branch     = "main"
  workdir    = "loop"

  signatures {
    required        = true
    allowed_signers = "signers"
  }

  policy {
    mode        = "approve"
    approvers   = "signers"
    max_destroy = 1
  }
}
