//! What comes from outside besides files: variables, the workspace, the time.

use std::collections::BTreeMap;
use std::sync::Arc;

use plumb_diag::Span;
use plumb_model::value::Value;

/// What comes from outside. Two equal inputs give two equal plans.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// Values of the root module's variables.
    pub variables: BTreeMap<Arc<str>, InputValue>,
    /// `terraform.workspace`
    pub workspace: Arc<str>,
    /// Absolute; `path.cwd`, and where relative paths start.
    pub working_dir: Arc<str>,
    /// The user's home.
    pub home_dir: Option<Arc<str>>,
    /// When the plan is made, RFC 3339.
    pub plan_time: Arc<str>,
    /// When the plan is carried out, RFC 3339; none while planning.
    pub apply_time: Option<Arc<str>>,
    /// What `uuid()` and `bcrypt()` draw from while the plan is carried out.
    pub seed: u64,
}

/// The value of a variable and where it is from.
#[derive(Clone, Debug, PartialEq)]
pub struct InputValue {
    /// As given; not converted yet.
    pub value: Value,
    /// Where it is written, if in a file.
    pub span: Option<Span>,
    /// `-var`, the name of a file, `TF_VAR_x`: for messages.
    pub origin: Arc<str>,
}
