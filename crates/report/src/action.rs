//! What is done to an object, in words.

use plumb_model::plan::{Action, ReplaceOrder};

/// As JSON and Markdown call it.
pub(crate) fn action_name(action: Action) -> &'static str {
    match action {
        Action::Keep => "keep",
        Action::Create => "create",
        Action::Read => "read",
        Action::Update => "update",
        Action::Replace(ReplaceOrder::DeleteFirst | ReplaceOrder::CreateFirst) => "replace",
        Action::Delete => "delete",
        Action::Forget => "forget",
    }
}

/// What is said behind an address.
pub(crate) fn will_be(action: Action) -> &'static str {
    match action {
        Action::Keep => "stays as it is",
        Action::Create => "will be created",
        Action::Read => "will be read",
        Action::Update => "will be updated in-place",
        Action::Replace(_) => "must be replaced",
        Action::Delete => "will be destroyed",
        Action::Forget => "will no longer be managed",
    }
}
