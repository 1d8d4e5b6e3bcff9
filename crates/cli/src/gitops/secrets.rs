//! Passwords and tokens: where they are, and from whom they are hidden.

use std::path::{Path, PathBuf};

use plumb_diag::{Diagnostic, Diagnostics};
use plumb_gitops::Mask;

use crate::context::Context;

/// What was read so far.
pub(super) struct Secrets<'a> {
    pub(super) context: &'a Context,
    /// Where paths start from.
    pub(super) home: &'a Option<PathBuf>,
    /// They are hidden in all that is said.
    pub(super) mask: Mask,
    /// Variables of the environment that runs must not see.
    pub(super) without: Vec<String>,
}

impl Secrets<'_> {
    /// One of the loop's own: no run of a configuration gets to know it.
    pub(super) fn own(&mut self, secret: &Secret, found: &mut Diagnostics) -> Option<String> {
        let value = self.hide(secret, found)?;
        self.without.extend(secret.env.clone());
        Some(value)
    }

    /// One that nobody may read.
    pub(super) fn hide(&mut self, secret: &Secret, found: &mut Diagnostics) -> Option<String> {
        let read = secret.read(self.context, self.home);
        let value = match read {
            Ok(value) => value?,
            Err(why) => {
                found.push(Diagnostic::error("Missing secret", why));
                return None;
            }
        };
        if !self.mask.add(&value) {
            let detail = format!("What {} has is too short to be a secret.", secret.name());
            found.push(Diagnostic::error("Invalid secret", detail));
        }
        Some(value)
    }
}

/// Where a secret is. Never on the command line, where everybody reads it.
pub(super) struct Secret {
    pub(super) env: Option<String>,
    pub(super) file: Option<String>,
}

impl Secret {
    fn name(&self) -> &str {
        self.env.as_deref().or(self.file.as_deref()).unwrap_or("it")
    }

    fn read(&self, context: &Context, home: &Option<PathBuf>) -> Result<Option<String>, String> {
        if let Some(name) = &self.env {
            let value = context.env.get(name).map(|it| it.trim()).filter(|it| !it.is_empty());
            return match value {
                Some(value) => Ok(Some(value.to_owned())),
                None => Err(format!("The environment has no {name}.")),
            };
        }
        let Some(file) = &self.file else { return Ok(None) };
        let path = home.as_deref().unwrap_or(Path::new("")).join(file);
        let text = std::fs::read_to_string(&path)
            .map_err(|error| format!("{} cannot be read: {error}.", path.display()))?;
        match text.trim() {
            "" => Err(format!("{} is empty.", path.display())),
            text => Ok(Some(text.to_owned())),
        }
    }
}
