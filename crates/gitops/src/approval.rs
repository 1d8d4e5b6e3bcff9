//! What somebody signs to let a plan be applied.
//!
//! A text with a line `commit: …` and a line `plan: …`. It is the message of a signed tag on the
//! commit, or a file with a signature beside it.

/// What a signed text approves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// The commit, in full. A tag's own target counts if its message names none.
    pub commit: Option<String>,
    /// The digest of the plan, in full.
    pub plan: String,
}

impl Approval {
    /// Reads it out of a text, in which other lines may stand as well.
    pub fn read(text: &str) -> Option<Approval> {
        let line = |name: &str| {
            let mut found = text.lines().filter_map(|it| {
                let (key, value) = it.split_once(':')?;
                key.trim().eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
            });
            // Two would leave open which one was meant.
            found.next().filter(|it| !it.is_empty() && found.next().is_none())
        };
        Some(Approval { commit: line("commit"), plan: line("plan")? })
    }
}

/// What there is of approvals for a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing that speaks of this commit.
    None,
    /// This plan of this commit was approved.
    Approved {
        /// By whom.
        by: String,
    },
    /// Another plan of this commit was approved.
    Other {
        /// By whom.
        by: String,
        /// Which.
        digest: String,
    },
    /// Only approvals that do not count.
    Bad {
        /// Why not.
        why: String,
    },
}

impl Standing {
    /// The better of two: one good approval is enough, whatever else lies about.
    pub fn or(self, other: Standing) -> Standing {
        let rank = |it: &Standing| match it {
            Standing::Approved { .. } => 3,
            Standing::Other { .. } => 2,
            Standing::Bad { .. } => 1,
            Standing::None => 0,
        };
        if rank(&other) > rank(&self) { other } else { self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn approvals_are_read() {
        let text = "Looks fine.\n\ncommit: abc\nPlan:  sha256 \n";
        let want = Approval { commit: Some("abc".into()), plan: "sha256".into() };
        assert_eq!(Approval::read(text), Some(want));
        assert_eq!(Approval::read("plan: x").map(|it| it.commit), Some(None));
        assert_eq!(Approval::read("commit: abc"), None);
        assert_eq!(Approval::read("plan: a\nplan: b"), None, "which of them?");
        assert_eq!(Approval::read("plan:"), None);
    }

    #[test]
    fn a_good_one_outweighs_the_rest() {
        let good = Standing::Approved { by: "a".into() };
        let bad = Standing::Bad { why: "b".into() };
        assert_eq!(bad.clone().or(good.clone()), good);
        assert_eq!(good.clone().or(bad.clone()), good);
        assert_eq!(Standing::None.or(bad.clone()), bad);
    }
}
