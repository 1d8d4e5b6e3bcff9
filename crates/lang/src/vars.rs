//! Values of the root module's variables, from wherever they were given: which counts, and what a
//! text means that came without a type.
//!
//! Reading files and the environment is the caller's; here they are merged and parsed.

use std::collections::BTreeMap;
use std::sync::Arc;

use plumb_diag::{Diagnostic, Diagnostics, Sources, Span};
use plumb_model::value::{Type, Value};

use crate::config::{Module, Variable};
use crate::eval::{self, Constants};
use crate::inputs::InputValue;
use crate::syntax::{Expr, parse_expression};

/// One value that was given to a variable.
#[derive(Clone, Debug)]
pub struct Assigned {
    /// The variable.
    pub name: Arc<str>,
    /// What was given.
    pub given: Given,
    /// By what means.
    pub origin: Origin,
}

/// What was given.
#[derive(Clone, Debug)]
pub enum Given {
    /// A text that means a string or an expression, as the variable's type says.
    Text(Arc<str>),
    /// A constant expression of a file.
    Expr(Arc<Expr>),
    /// A value.
    Value(Value),
}

/// Where a value is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// `TF_VAR_name`
    Environment,
    /// `terraform.tfvars`, `*.auto.tfvars`, `-var-file`; the path.
    File(Arc<str>, Option<Span>),
    /// `-var`
    CommandLine,
    /// Typed when asked for.
    Asked,
    /// A saved plan.
    Plan,
}

/// More warnings than these about one thing are summed up.
const UNDECLARED_MAX: usize = 2;

/// Merges what was given, the strongest last. `sources` takes the texts that are parsed, so that
/// diagnostics can show them.
pub fn merge(
    module: &Module,
    given: Vec<Assigned>,
    sources: &mut Sources,
) -> (BTreeMap<Arc<str>, InputValue>, Diagnostics) {
    let mut diagnostics = Vec::new();
    let mut last: BTreeMap<Arc<str>, Assigned> = BTreeMap::new();
    for it in given {
        last.insert(it.name.clone(), it);
    }
    let mut values = BTreeMap::new();
    let mut undeclared = 0;
    for (name, assigned) in last {
        let Some(variable) = module.variables.get(&name) else {
            undeclared += usize::from(matches!(assigned.origin, Origin::File(..)));
            diagnostics.extend(
                not_declared(&assigned).filter(|it| it.is_error() || undeclared <= UNDECLARED_MAX),
            );
            continue;
        };
        let origin = match &assigned.origin {
            Origin::Environment => format!("the TF_VAR_{name} environment variable"),
            Origin::File(path, _) => path.to_string(),
            Origin::CommandLine => format!("-var=\"{name}=...\""),
            Origin::Asked => "interactive input".to_owned(),
            Origin::Plan => "the saved plan".to_owned(),
        };
        let span = match assigned.origin {
            Origin::File(_, span) => span,
            _ => None,
        };
        let value = match assigned.given {
            Given::Value(value) => value,
            Given::Expr(expr) => eval::evaluate(&expr, &Constants, &mut diagnostics),
            Given::Text(text) => match meant(&name, variable, &text, sources, &mut diagnostics) {
                Some(value) => value,
                None => continue,
            },
        };
        values.insert(name, InputValue { value, span, origin: origin.into() });
    }
    if undeclared > UNDECLARED_MAX {
        diagnostics.push(Diagnostic::warning(
            "Values for undeclared variables",
            format!(
                "In addition to the other similar warnings shown, {} other variable(s) defined \
                 without being declared.",
                undeclared - UNDECLARED_MAX
            ),
        ));
    }
    let required = module.variables.iter().filter(|it| it.1.default.is_none());
    for (name, variable) in required.filter(|it| !values.contains_key(it.0)) {
        let detail = format!(
            "The root module input variable {:?} is not set, and has no default value. Use a -var \
             or -var-file command line argument to provide a value for this variable.",
            &**name
        );
        let error = Diagnostic::error("No value for required variable", detail);
        diagnostics.push(error.at(variable.span));
    }
    (values, diagnostics)
}

/// Whether a text given to `variable` is its value as it stands.
pub fn is_literal(variable: &Variable) -> bool {
    match variable.ty {
        Type::String | Type::Number | Type::Bool => true,
        Type::Dynamic => !variable.has_type,
        _ => false,
    }
}

fn meant(
    name: &str,
    variable: &Variable,
    text: &Arc<str>,
    sources: &mut Sources,
    diagnostics: &mut Diagnostics,
) -> Option<Value> {
    if is_literal(variable) {
        return Some(Value::string(&**text));
    }
    let file = sources.add(format!("<value for var.{name}>"), text.clone());
    let parsed = parse_expression(file, text, 0);
    if !parsed.diagnostics.is_empty() {
        diagnostics.extend(parsed.diagnostics);
        return None;
    }
    Some(eval::evaluate(&parsed.expr, &Constants, diagnostics))
}

fn not_declared(assigned: &Assigned) -> Option<Diagnostic> {
    let name = &*assigned.name;
    match &assigned.origin {
        // Meant for other configurations, perhaps.
        Origin::Environment | Origin::Asked | Origin::Plan => None,
        Origin::File(path, _) => Some(Diagnostic::warning(
            "Value for undeclared variable",
            format!(
                "The root module does not declare a variable named {name:?} but a value was found \
                 in file {path:?}. If you meant to use this value, add a \"variable\" block to the \
                 configuration.\n\nTo silence these warnings, use TF_VAR_... environment variables \
                 to provide certain \"global\" settings to all configurations in your \
                 organization. To reduce the verbosity of these warnings, use the \
                 -compact-warnings option."
            ),
        )),
        Origin::CommandLine => Some(Diagnostic::error(
            "Value for undeclared variable",
            format!(
                "A variable named {name:?} was assigned on the command line, but the root module \
                 does not declare a variable of that name. To use this value, add a \"variable\" \
                 block to the configuration."
            ),
        )),
    }
}

/// `name=value`, as `-var` takes it.
pub fn split_option(text: &str) -> Result<(Arc<str>, Arc<str>), Box<Diagnostic>> {
    let Some((name, value)) = text.split_once('=') else {
        return Err(Box::new(Diagnostic::error(
            "Invalid -var option",
            format!(
                "The given -var option {text:?} is not correctly specified. Must be a variable \
                 name and value separated by an equals sign, like -var=\"key=value\"."
            ),
        )));
    };
    if name.ends_with(' ') {
        return Err(Box::new(Diagnostic::error(
            "Invalid -var option",
            format!(
                "Variable name {name:?} is invalid due to trailing space. Did you mean \
                 -var=\"{}={}\"?",
                name.trim_end(),
                value.trim_start()
            ),
        )));
    }
    Ok((name.into(), value.into()))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use expect_test::{Expect, expect};

    use super::*;
    use crate::config::decode_texts;

    fn check(declared: &str, given: &[(&str, &str, Origin)], expected: Expect) {
        let mut sources = Sources::default();
        let file = sources.add("main.tf", declared);
        let (module, diagnostics) = decode_texts([("main.tf", file, declared)]);
        assert_eq!(diagnostics, []);
        let given = given.iter().map(|(name, text, origin)| Assigned {
            name: (*name).into(),
            given: Given::Text((*text).into()),
            origin: origin.clone(),
        });
        let (values, diagnostics) = merge(&module, given.collect(), &mut sources);
        let mut out = String::new();
        for (name, it) in values {
            let _ = writeln!(out, "{name} = {:?} ({})", it.value, it.origin);
        }
        for it in diagnostics {
            let _ = writeln!(out, "{:?}: {}", it.severity, it.summary);
        }
        expected.assert_eq(&out);
    }

    #[test]
    fn the_type_says_what_a_text_means_and_the_last_one_counts() {
        let declared = r#"
            variable "any" { type = any }
            variable "bare" {}
            variable "list" { type = list(string) }
            variable "n" { type = number }
            variable "s" { type = string }
        "#;
        use Origin::*;
        check(
            declared,
            &[
                ("any", "[1, 2]", Environment),
                ("bare", "[1, 2]", Environment),
                ("list", "[", CommandLine),
                ("n", "1", Environment),
                ("n", "2", CommandLine),
                ("s", "${x", Environment),
            ],
            expect![[r#"
                any = [1, 2] (the TF_VAR_any environment variable)
                bare = "[1, 2]" (the TF_VAR_bare environment variable)
                n = "2" (-var="n=...")
                s = "${x" (the TF_VAR_s environment variable)
                Error: Missing expression
                Error: No value for required variable
            "#]],
        );
    }

    #[test]
    fn values_for_nobody_are_said_only_where_they_must_be_meant() {
        use Origin::*;
        let file = || File("a.tfvars".into(), None);
        check(
            "",
            &[("a", "1", Environment), ("b", "1", CommandLine)],
            expect![[r#"
            Error: Value for undeclared variable
        "#]],
        );
        check(
            "",
            &[("a", "1", file()), ("b", "1", file()), ("c", "1", file()), ("d", "1", file())],
            expect![[r#"
                Warning: Value for undeclared variable
                Warning: Value for undeclared variable
                Warning: Values for undeclared variables
            "#]],
        );
    }
}
