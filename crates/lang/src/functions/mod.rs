//! The function library: pure functions over values.
//!
//! A function's body sees plain values: converted to the parameters' types, known, not null, and
//! without marks, unless a parameter says that it deals with those itself. What needs files, the
//! clock, or randomness, and what decides whether its arguments are evaluated at all (`try`, `can`,
//! `templatestring`), is the evaluator's; it looks its own names up first.

mod arguments;
mod collections;
mod conversion;
mod encoding;
mod format;
mod hashes;
mod lookup;
mod network;
mod numbers;
mod regexes;
mod rsa;
mod sequences;
mod sets;
mod strings;
mod time;
mod yaml;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use plumb_model::value::{Marks, Refinements, Type, Value, ValueKind, convert};

pub use arguments::{Kind, Param};
pub use strings::{base_name, dir_name};
pub(crate) use time::days_in;

/// A function of the language.
pub struct Function {
    /// The name it is called by.
    pub name: &'static str,
    /// The parameters that are always given.
    pub params: &'static [Param],
    /// The parameter that takes all further arguments.
    pub variadic: Option<Param>,
    returns: Returns,
    body: fn(&[Value]) -> Outcome,
}

/// The type of the result before the arguments are known.
enum Returns {
    /// Always this; the result is never null.
    Always(Kind),
    /// Depends on the arguments (which have passed the checks of their parameters).
    From(fn(&[Value]) -> Type),
    /// As `From`, and the result is never null.
    Present(fn(&[Value]) -> Type),
}

type Outcome = Result<Value, Fault>;

/// Why a body cannot give a result.
#[derive(Debug)]
struct Fault {
    /// The argument that is to blame, if it is one.
    arg: Option<usize>,
    message: String,
}

fn fail<T>(message: impl Into<String>) -> Result<T, Fault> {
    Err(Fault { arg: None, message: message.into() })
}

fn blame<T>(arg: usize, message: impl Into<String>) -> Result<T, Fault> {
    Err(Fault { arg: Some(arg), message: message.into() })
}

/// Why a call failed, ready for a diagnostic.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CallError {
    /// What kind of mistake: `Invalid function argument`.
    pub summary: &'static str,
    /// The sentence that explains it.
    pub detail: String,
    /// The argument that is to blame, if it is one.
    pub arg: Option<usize>,
}

/// The function of that name (also as `core::name`), if the library has it.
pub fn lookup(name: &str) -> Option<&'static Function> {
    ALL.get(name.strip_prefix("core::").unwrap_or(name)).copied()
}

/// The names of all functions of the library, in order.
pub fn names() -> impl Iterator<Item = &'static str> {
    ALL.keys().copied()
}

static ALL: LazyLock<BTreeMap<&'static str, &'static Function>> = LazyLock::new(|| {
    [
        collections::FUNCTIONS,
        conversion::FUNCTIONS,
        encoding::FUNCTIONS,
        format::FUNCTIONS,
        hashes::FUNCTIONS,
        lookup::FUNCTIONS,
        network::FUNCTIONS,
        numbers::FUNCTIONS,
        regexes::FUNCTIONS,
        rsa::FUNCTIONS,
        sequences::FUNCTIONS,
        sets::FUNCTIONS,
        strings::FUNCTIONS,
        time::FUNCTIONS,
        yaml::FUNCTIONS,
    ]
    .into_iter()
    .flatten()
    .map(|function| (function.name, function))
    .collect()
});

/// Whether nothing is known of its type. (Asking a long tuple for its type would cost.)
fn is_untyped(value: &Value) -> bool {
    match value.kind() {
        ValueKind::Null(ty) => *ty == Type::Dynamic,
        ValueKind::Unknown(unknown) => unknown.ty == Type::Dynamic,
        _ => false,
    }
}

impl Function {
    const fn new(
        name: &'static str,
        params: &'static [Param],
        variadic: Option<Param>,
        returns: Returns,
        body: fn(&[Value]) -> Outcome,
    ) -> Function {
        Function { name, params, variadic, returns, body }
    }

    /// The parameter that takes the argument of that index.
    pub fn param(&self, index: usize) -> Option<&Param> {
        self.params.get(index).or(self.variadic.as_ref())
    }

    /// Checks the number of arguments, converts them, calls the function, and carries marks over.
    /// Unknown arguments give an unknown result of the right type.
    pub fn call(&self, args: &[Value]) -> Result<Value, CallError> {
        self.check_count(args.len())?;
        let mut marks = Marks::NONE;
        let mut plain = Vec::with_capacity(args.len());
        let (mut waits, mut waits_for_type) = (false, false);
        for (i, arg) in args.iter().enumerate() {
            let param = self.param(i).unwrap_or_else(|| unreachable!("the count was checked"));
            let arg = match param.kind {
                Kind::Any => arg.clone(),
                kind => convert(arg, &kind.ty()).map_err(|e| self.invalid(i, &e.message))?,
            };
            let arg = if param.takes_marks || arg.marks_deep().is_empty() {
                arg
            } else {
                marks |= arg.marks_deep();
                arg.unmark_deep()
            };
            if arg.is_null() && !param.takes_null {
                return Err(self.invalid(i, "argument must not be null"));
            }
            // Of a null, or an unknown, of no type nothing can be said that will stay true.
            waits_for_type |= is_untyped(&arg) && !param.takes_dynamic;
            waits |= !param.takes_unknown
                && if param.takes_partial { !arg.is_known() } else { !arg.is_wholly_known() };
            plain.push(arg);
        }
        let result = if waits_for_type {
            Value::dynamic()
        } else if waits {
            match &self.returns {
                Returns::Always(kind) => Value::unknown_refined(kind.ty(), Refinements::not_null()),
                Returns::From(ty) => Value::unknown(ty(&plain)),
                Returns::Present(ty) => Value::unknown(ty(&plain)).refine_not_null(),
            }
        } else {
            (self.body)(&plain).map_err(|fault| match fault.arg {
                Some(arg) => self.invalid(arg, &fault.message),
                None => CallError {
                    summary: "Error in function call",
                    detail: format!(
                        "Call to function \"{}\" failed: {}.",
                        self.name, fault.message
                    ),
                    arg: None,
                },
            })?
        };
        Ok(result.with_marks(marks))
    }

    fn check_count(&self, count: usize) -> Result<(), CallError> {
        let want = self.params.len();
        if count < want {
            let at_least = if self.variadic.is_some() { " at least" } else { "" };
            return Err(CallError {
                summary: "Not enough function arguments",
                detail: format!(
                    "Function \"{}\" expects{at_least} {want} argument(s). Missing value for \"{}\".",
                    self.name, self.params[count].name
                ),
                arg: None,
            });
        }
        if count > want && self.variadic.is_none() {
            return Err(CallError {
                summary: "Too many function arguments",
                detail: format!("Function \"{}\" expects only {want} argument(s).", self.name),
                arg: Some(want),
            });
        }
        Ok(())
    }

    fn invalid(&self, arg: usize, message: &str) -> CallError {
        let name = self.param(arg).map_or("?", |param| param.name);
        CallError {
            summary: "Invalid function argument",
            detail: format!("Invalid value for \"{name}\" parameter: {message}."),
            arg: Some(arg),
        }
    }
}

#[cfg(test)]
mod tests;
