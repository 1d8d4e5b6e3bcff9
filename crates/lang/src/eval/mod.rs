//! Expressions and bodies to values.
//!
//! What names mean is the caller's ([`Names`]): the evaluator cannot tell whether it is planning or
//! applying. A problem is a diagnostic, and the result then an unknown of any type, so that one
//! mistake does not become many. Recursion follows the nesting of the text, which the parser
//! bounds; chains of operators and steps, however long, are loops.

mod access;
mod block;
mod call;
mod check;
mod conditional;
mod describe;
mod dynamic;
mod edge;
mod expr;
mod hcl;
mod loops;
mod operator;
mod provider;
mod references;
mod repeat;
mod template;

use std::sync::Arc;

use plumb_diag::{Diagnostic, Diagnostics};
use plumb_model::question::{Answer, FileQuestion};
use plumb_model::value::{ConvertError, Type, Value, convert};

use crate::syntax::{Expr, Traversal};

pub use access::{get_attr, index};
pub use block::body;
pub use check::check;
pub use describe::{compact, describe};
pub use hcl::{is_identifier, write_attributes, write_quoted, write_value};
pub use references::{body_references, calls, references};
pub use repeat::{Instances, WhenUnknown, count, for_each};

use expr::{Eval, Scope};

/// What names mean where an expression stands, and what only the edge can say.
pub trait Names {
    /// The value of the longest leading part of `traversal` that names something (`var.x`,
    /// `docker_network.lab`, `each.key`), and how many steps after the root belong to the name.
    /// The evaluator takes the steps that are left.
    fn resolve(&self, traversal: &Traversal) -> Result<(Value, usize), Box<Diagnostic>>;

    /// A fact about a file; none while it is not known yet (then it should be asked for).
    fn file(&self, question: &FileQuestion) -> Option<Answer> {
        let _ = question;
        None
    }

    /// The folder that relative paths start from, absolute.
    fn working_dir(&self) -> Option<Arc<str>> {
        None
    }

    /// The user's home folder.
    fn home_dir(&self) -> Option<Arc<str>> {
        None
    }

    /// What `timestamp()` says, RFC 3339; none while planning.
    fn now(&self) -> Option<Arc<str>> {
        None
    }

    /// What `plantimestamp()` says, RFC 3339; none before there is a plan.
    fn plan_time(&self) -> Option<Arc<str>> {
        None
    }

    /// Random bytes for `uuid()` and `bcrypt()`; none while planning.
    fn random(&self) -> Option<[u8; 16]> {
        None
    }

    /// Whether functions may be called.
    fn functions(&self) -> bool {
        true
    }
}

/// No names and no functions: variable files, defaults, backend settings.
pub struct Constants;

impl Names for Constants {
    fn resolve(&self, traversal: &Traversal) -> Result<(Value, usize), Box<Diagnostic>> {
        let detail = "Variables may not be used here.";
        Err(Box::new(Diagnostic::error("Variables not allowed", detail).at(traversal.span())))
    }

    fn functions(&self) -> bool {
        false
    }
}

/// The value of an expression. After an error: diagnostics and an unknown.
pub fn evaluate(expr: &Expr, names: &dyn Names, diagnostics: &mut Diagnostics) -> Value {
    Eval::new(names, diagnostics).value(expr, Scope::NONE)
}

/// The value of an expression, converted to a type.
pub fn evaluate_as(
    expr: &Expr,
    ty: &Type,
    names: &dyn Names,
    diagnostics: &mut Diagnostics,
) -> Value {
    let value = evaluate(expr, names, diagnostics);
    match convert(&value, ty) {
        Ok(value) => value,
        Err(error) => {
            let detail = format!("Invalid expression value: {}.", message(&error));
            diagnostics.push(Diagnostic::error("Incorrect value type", detail).at(expr.span));
            Value::unknown(ty.without_optional())
        }
    }
}

/// What an expression refers to and what that is, in a few words: for a diagnostic about it.
pub(crate) fn values_of(expr: &Expr, names: &dyn Names) -> Vec<(String, String)> {
    Eval::new(names, &mut Vec::new()).values_of(&[expr], Scope::NONE, false)
}

/// The error with the place in the value, if it is not the value itself.
pub(crate) fn message(error: &ConvertError) -> String {
    if error.path.is_empty() {
        error.message.clone()
    } else {
        format!("{}: {}", error.path, error.message)
    }
}

#[cfg(test)]
mod tests;
