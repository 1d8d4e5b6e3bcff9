//! One instance: what is written and what is there, to what will be.

use std::sync::Arc;

use plumb_diag::{Diagnostic, Diagnostics, Span};
use plumb_lang::config::IgnoreChanges;
use plumb_lang::proposal::{ignore_changes, proposal};
use plumb_model::addr::{Addr, Kind};
use plumb_model::event::marked_like;
use plumb_model::plan::{Action, Reason, ReplaceOrder};
use plumb_model::propose::replacing;
use plumb_model::schema::{Refined, ResourceSchema};
use plumb_model::state::Object;
use plumb_model::value::{Path, Value};

/// What one instance is compared by.
pub(crate) struct Comparison<'a> {
    pub(crate) addr: &'a Addr,
    pub(crate) schema: &'a ResourceSchema,
    /// Where its arguments are written.
    pub(crate) place: &'a dyn Fn(&Path) -> Option<Span>,
    /// As written, marked.
    pub(crate) config: &'a Value,
    pub(crate) prior: Option<&'a Object>,
    pub(crate) ignore: &'a IgnoreChanges,
    /// A reason from outside to make it anew.
    pub(crate) forced: Option<Reason>,
    pub(crate) order: ReplaceOrder,
    /// What it refers to that is made anew.
    pub(crate) replaced: &'a [(Kind, Value)],
    /// Answers of the provider's facts.
    pub(crate) facts: &'a mut dyn FnMut(&str, &Value) -> Option<Value>,
}

/// What comes of the comparison.
pub(crate) struct Compared {
    pub(crate) action: Action,
    /// The promise, marked as the configuration is.
    pub(crate) after: Value,
    pub(crate) reason: Option<Reason>,
    pub(crate) replace_paths: Vec<Path>,
    /// What it means for those who use the object.
    pub(crate) says: Vec<Arc<str>>,
}

/// Compares one instance. Reads only its arguments.
pub(crate) fn compare(it: Comparison<'_>, diagnostics: &mut Diagnostics) -> Compared {
    let Comparison { addr, schema, place, config, prior, ignore, .. } = it;
    let Comparison { forced, order, replaced, facts, .. } = it;
    let stored = prior.map(|it| it.attrs.unmark_deep());
    let written = config.unmark_deep();
    let written = match &stored {
        Some(stored) => ignore_changes(&written, stored, ignore),
        None => written,
    };
    if let Some(validate) = schema.validate {
        for problem in validate(&written) {
            let detail = format!("{}\n\nArgument: {}", problem.detail, problem.path);
            let span = place(&problem.path);
            let error = Diagnostic { span, ..Diagnostic::error(problem.summary, detail) };
            diagnostics.push(error.about(addr.to_string()));
        }
    }
    let mut refine = |prior: Option<&Value>| proposal(schema, &written, prior, replaced, facts);
    let marked = |planned: &Value| marked_like(planned, config);
    let Some((object, stored)) = prior.zip(stored.as_ref()) else {
        let Refined { planned, says, .. } = refine(None);
        return Compared {
            action: Action::Create,
            after: marked(&planned),
            reason: None,
            replace_paths: Vec::new(),
            says,
        };
    };
    let Refined { planned, mut replace, delete_first, says } = refine(Some(stored));
    replace.extend(replacing(&schema.block, stored, &planned));
    replace.sort();
    replace.dedup();
    let reason = if object.tainted {
        Some(Reason::ReplaceBecauseTainted)
    } else if !replace.is_empty() {
        Some(Reason::ReplaceBecauseCannotUpdate)
    } else {
        forced
    };
    if reason.is_some() {
        let Refined { planned, says, .. } = refine(None);
        let order = if delete_first { ReplaceOrder::DeleteFirst } else { order };
        return Compared {
            action: Action::Replace(order),
            after: marked(&planned),
            reason,
            replace_paths: replace,
            says,
        };
    }
    let after = marked(&planned);
    let action =
        if planned == *stored && after == object.attrs { Action::Keep } else { Action::Update };
    Compared { action, after, reason: None, replace_paths: Vec::new(), says }
}
