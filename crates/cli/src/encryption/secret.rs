//! Values that no message may show.

use plumb_lang::eval::{self, Names};
use plumb_lang::syntax::Expr;
use plumb_model::value::{Type, Value, convert};
use plumb_state::seal::Secret;

use super::early::UNKNOWN_NAME;

/// The text that `expr` is, or the texts of a list; or why not, in words that do not quote it.
pub(super) fn texts(expr: &Expr, names: &dyn Names) -> Result<Vec<Secret>, String> {
    let mut found = Vec::new();
    let value = eval::evaluate(expr, names, &mut found).unmark_deep();
    if let Some(first) = found.first() {
        // What `Early` says of a name has nothing secret in it; what a function says of its
        // arguments may.
        return Err(match first.summary == UNKNOWN_NAME {
            true => first.detail.trim_end_matches('.').to_owned(),
            false => first.summary.to_lowercase(),
        });
    }
    if !value.is_known() {
        return Err("it must be known".into());
    }
    if value.is_null() {
        return Err("it is null".into());
    }
    let text = |it: &Value| -> Option<Secret> {
        convert(it, &Type::String).ok()?.as_str().map(Secret::new)
    };
    if let Some(one) = text(&value) {
        return Ok(vec![one]);
    }
    let all: Option<Vec<Secret>> =
        value.as_slice().map(|it| it.iter().map(text).collect()).unwrap_or_default();
    all.ok_or_else(|| "it must be a string or a list of strings".into())
}
