//! Why something cannot be sealed or opened, and what to do then.

/// What was to be opened: for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A snapshot.
    State,
    /// A saved plan.
    Plan,
    /// A journal.
    Journal,
}

impl std::fmt::Display for What {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            What::State => "state",
            What::Plan => "plan",
            What::Journal => "journal",
        })
    }
}

/// Why something cannot be sealed or opened. No secret is in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The configuration asks for what cannot be.
    #[error("{0}")]
    Configuration(String),
    /// It is encrypted, and nothing says how to open it.
    #[error("the {what} is encrypted, and no encryption is configured for it")]
    NotConfigured {
        /// What.
        what: What,
        /// The key providers that it names.
        providers: Vec<String>,
    },
    /// It is not encrypted, but has to be.
    #[error("the {what} is not encrypted, and the configuration does not allow that")]
    Plain {
        /// What.
        what: What,
        /// Whether the configuration says `enforced`.
        enforced: bool,
    },
    /// It was sealed with key providers that are not configured.
    #[error("the {what} was encrypted with a key provider that is not configured")]
    OtherProvider {
        /// What.
        what: What,
        /// The key providers that it names.
        providers: Vec<String>,
        /// Those that are configured for it.
        configured: Vec<String>,
    },
    /// No configured key opens it.
    #[error("the {what} cannot be decrypted: the key is wrong, or it was changed")]
    WrongKey {
        /// What.
        what: What,
        /// What each key provider said.
        tried: Vec<String>,
    },
    /// It breaks off, or is not what it claims to be.
    #[error("the encrypted {what} is damaged: {why}")]
    Damaged {
        /// What.
        what: What,
        /// How that shows.
        why: String,
    },
    /// Another program's, or a newer one's.
    #[error("the {what} is encrypted in format {version:?}, and only \"v0\" is known")]
    Version {
        /// What.
        what: What,
        /// Its format.
        version: String,
    },
    /// A line of a journal is not the one that was written there.
    #[error("line {line} of the journal cannot be decrypted: it was changed or moved")]
    Line {
        /// Its number.
        line: u64,
    },
    /// The operating system gave no random bytes, or the input is larger than the cipher allows.
    #[error("the {what} could not be encrypted: {why}")]
    Sealing {
        /// What.
        what: What,
        /// Why.
        why: &'static str,
    },
}

impl SealError {
    /// What a person can do about it.
    pub fn advice(&self) -> Option<String> {
        Some(match self {
            SealError::Configuration(_) => return None,
            SealError::NotConfigured { what, providers } => format!(
                "It names {}. Configure the same key provider, with the passphrase or identity \
                 that belongs to it, in an `encryption` block of `terraform`, or in the \
                 environment variable PLUMB_ENCRYPTION, with a `{}` block that uses it.",
                list(providers),
                target(*what)
            ),
            SealError::Plain { what, enforced: true } => format!(
                "The `{0}` block says `enforced`. To encrypt what is there, take `enforced` out \
                 for one run, with `fallback {{ method = method.unencrypted.NAME }}` in its \
                 place, apply, and put it back.",
                target(*what)
            ),
            SealError::Plain { what, enforced: false } => format!(
                "To encrypt what is there, add `method \"unencrypted\" \"migrate\" {{}}` to the \
                 `encryption` block and `fallback {{ method = method.unencrypted.migrate }}` to \
                 its `{}` block, and apply. Otherwise somebody else wrote it: find out who.",
                target(*what)
            ),
            SealError::OtherProvider { providers, configured, .. } => format!(
                "It names {}; configured is {}. If only the name changed, set \
                 `encrypted_metadata_alias` to the name in the file.",
                list(providers),
                list(configured)
            ),
            SealError::WrongKey { tried, .. } => format!(
                "{}\nCheck the passphrase or the identity. If it was changed on purpose, put the \
                 old one in a `fallback`. If it is right, the file was changed after it was \
                 written: restore it from a copy.",
                tried.join("\n")
            ),
            SealError::Damaged { .. } | SealError::Line { .. } => {
                "It was changed after it was written, or only a part of it is there. Restore it \
                 from a copy."
                    .into()
            }
            SealError::Version { .. } => {
                "A newer version of the program that wrote it is needed to read it.".into()
            }
            SealError::Sealing { .. } => "Nothing was written. Try again.".into(),
        })
    }
}

fn list(names: &[String]) -> String {
    match names {
        [] => "no key provider".into(),
        names => names.iter().map(|it| format!("`{it}`")).collect::<Vec<_>>().join(", "),
    }
}

/// The block that says how it is sealed.
fn target(what: What) -> &'static str {
    match what {
        What::Plan => "plan",
        What::State | What::Journal => "state",
    }
}
