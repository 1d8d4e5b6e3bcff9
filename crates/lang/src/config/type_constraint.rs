//! `type = map(object({ size = optional(number, 1) }))` to a type and defaults.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use plumb_diag::{Diagnostic, Diagnostics, Span};
use plumb_model::value::{Defaults, Type, Value, convert};

use super::constant;
use crate::syntax::{Call, Expr, ExprKind, ObjectItem, ObjectKey};

const SUMMARY: &str = "Invalid type specification";
const NEITHER: &str = "A type specification is either a primitive type keyword (bool, number, \
                       string) or a complex type constructor call, like list(string).";

/// A type with the defaults in it. What is wrong was reported, and stands as `any`.
type Typed = (Type, Defaults);

const ANY: Typed = (Type::Dynamic, Defaults { attrs: BTreeMap::new(), children: BTreeMap::new() });

/// The type of a variable.
pub(super) fn variable_type(expr: &Expr, out: &mut Diagnostics) -> Typed {
    match &expr.kind {
        // Old files have the type in quotes.
        ExprKind::String(text) => {
            let diagnostic = match &**text {
                "string" => quoted("Remove the quotes around \"string\"."),
                "list" => quoted(
                    "Remove the quotes around \"list\" and write list(string) instead to \
                     explicitly indicate that the list elements are strings.",
                ),
                "map" => quoted(
                    "Remove the quotes around \"map\" and write map(string) instead to explicitly \
                     indicate that the map elements are strings.",
                ),
                _ => Diagnostic::error(
                    "Invalid legacy variable type hint",
                    "To provide a full type expression, remove the surrounding quotes and give the \
                     type expression directly.",
                ),
            };
            out.push(diagnostic.at(expr.span));
            ANY
        }
        // And these without an argument.
        _ => match keyword(expr) {
            Some("list") => (Type::list(Type::Dynamic), Defaults::default()),
            Some("map") => (Type::map(Type::Dynamic), Defaults::default()),
            _ => constraint(expr, out),
        },
    }
}

fn quoted(what_to_do: &str) -> Diagnostic {
    Diagnostic::error(
        "Invalid quoted type constraints",
        format!(
            "Terraform 0.11 and earlier required type constraints to be given in quotes, but that \
             form is now deprecated and will be removed in a future version of Terraform. \
             {what_to_do}"
        ),
    )
}

/// The word that `expr` is.
fn keyword(expr: &Expr) -> Option<&str> {
    match &expr.kind {
        ExprKind::Traversal(it) if it.steps.is_empty() => Some(&it.root.text),
        ExprKind::Null => Some("null"),
        ExprKind::Bool(value) => Some(if *value { "true" } else { "false" }),
        _ => None,
    }
}

/// A type constraint.
pub(super) fn constraint(expr: &Expr, out: &mut Diagnostics) -> Typed {
    let mut bad = |detail: String, span: Span| {
        out.push(Diagnostic::error(SUMMARY, detail).at(span).within(expr.span));
        ANY
    };
    if let Some(word) = keyword(expr) {
        let ty = match word {
            "bool" => Type::Bool,
            "number" => Type::Number,
            "string" => Type::String,
            "any" => Type::Dynamic,
            _ => {
                let detail = match (argument_of(word), word) {
                    (Some(argument), _) => {
                        format!("The {word} type constructor requires one argument {argument}.")
                    }
                    (_, "optional") => OPTIONAL_OUTSIDE.to_owned(),
                    _ => format!("The keyword {word:?} is not a valid type specification."),
                };
                return bad(detail, expr.span);
            }
        };
        return (ty, Defaults::default());
    }
    let call = match &expr.kind {
        ExprKind::Call(call) => call,
        ExprKind::Invalid => return ANY,
        _ => return bad(NEITHER.to_owned(), expr.span),
    };
    let name = &*call.name.text;
    let Some(argument) = argument_of(name) else {
        return match name {
            "bool" | "number" | "string" => bad(
                format!("Primitive type keyword {name:?} does not expect arguments."),
                parentheses(call),
            ),
            "any" => bad(
                "Type constraint keyword \"any\" does not expect arguments.".to_owned(),
                call.name.span,
            ),
            "optional" => bad(OPTIONAL_OUTSIDE.to_owned(), call.name.span),
            _ => bad(format!("Keyword {name:?} is not a valid type constructor."), expr.span),
        };
    };
    let [inner] = &call.args[..] else {
        let span = match call.args.get(1) {
            Some(extra) => extra.span,
            None => parentheses(call),
        };
        return bad(format!("The {name} type constructor requires one argument {argument}."), span);
    };
    match name {
        "object" => match &inner.kind {
            ExprKind::Object(items) => object(items, out),
            _ => bad(
                "Object type constructor requires a map whose keys are attribute names and whose \
                 values are the corresponding attribute types."
                    .to_owned(),
                inner.span,
            ),
        },
        "tuple" => match &inner.kind {
            ExprKind::Tuple(items) => tuple(items, out),
            _ => bad(
                "Tuple type constructor requires a list of element types.".to_owned(),
                inner.span,
            ),
        },
        _ => {
            let (elem, defaults) = constraint(inner, out);
            let ty = match name {
                "list" => Type::list(elem),
                "set" => Type::set(elem),
                _ => Type::map(elem),
            };
            (ty, children([("".into(), defaults)]))
        }
    }
}

const OPTIONAL_OUTSIDE: &str =
    "Keyword \"optional\" is valid only as a modifier for object type attributes.";

/// What a constructor takes.
fn argument_of(constructor: &str) -> Option<&'static str> {
    Some(match constructor {
        "list" | "set" | "map" => "specifying the element type",
        "object" => "specifying the attribute types and values as a map",
        "tuple" => "specifying the element types as a list",
        _ => return None,
    })
}

fn parentheses(call: &Call) -> Span {
    call.open_span.to(call.close_span)
}

fn children(all: impl IntoIterator<Item = (Arc<str>, Defaults)>) -> Defaults {
    let children = all.into_iter().filter(|(_, it)| !it.is_empty()).collect();
    Defaults { attrs: BTreeMap::new(), children }
}

fn tuple(items: &[Expr], out: &mut Diagnostics) -> Typed {
    let all: Vec<Typed> = items.iter().map(|it| constraint(it, out)).collect();
    let defaults =
        children(all.iter().enumerate().map(|(i, it)| (i.to_string().into(), it.1.clone())));
    (Type::tuple(all.into_iter().map(|it| it.0)), defaults)
}

fn object(items: &[ObjectItem], out: &mut Diagnostics) -> Typed {
    let mut attrs: BTreeMap<Arc<str>, Type> = BTreeMap::new();
    let mut optional: BTreeSet<Arc<str>> = BTreeSet::new();
    let mut defaults = Defaults::default();
    for item in items {
        let ObjectKey::Name(name) = &item.key else {
            let ObjectKey::Expr(key) = &item.key else { continue };
            let detail = "Object constructor map keys must be attribute names.";
            out.push(Diagnostic::error(SUMMARY, detail).at(key.span));
            continue;
        };
        if attrs.contains_key(&name.text) {
            let detail = "Object constructor map keys must be unique.";
            out.push(Diagnostic::error(SUMMARY, detail).at(name.span));
            continue;
        }
        let (ty, inner) = match &item.value.kind {
            ExprKind::Call(call) if &*call.name.text == "optional" => {
                optional.insert(Arc::clone(&name.text));
                let (ty, inner, default) = optional_attribute(call, out);
                if let Some(default) = default {
                    defaults.attrs.insert(Arc::clone(&name.text), default);
                }
                (ty, inner)
            }
            _ => constraint(&item.value, out),
        };
        attrs.insert(Arc::clone(&name.text), ty);
        if !inner.is_empty() {
            defaults.children.insert(Arc::clone(&name.text), inner);
        }
    }
    (Type::object_with_optional(attrs, optional), defaults)
}

/// `optional(type)`, `optional(type, default)`.
fn optional_attribute(call: &Call, out: &mut Diagnostics) -> (Type, Defaults, Option<Value>) {
    let bad = |detail: &str| Diagnostic::error(SUMMARY, detail).at(parentheses(call));
    let (ty, default) = match &call.args[..] {
        [] => {
            out.push(bad(
                "Optional attribute modifier requires the attribute type as its argument.",
            ));
            return (Type::Dynamic, Defaults::default(), None);
        }
        [ty] => (ty, None),
        [ty, default] => (ty, Some(default)),
        [ty, ..] => {
            out.push(bad(
                "Optional attribute modifier expects at most two arguments: the attribute type, \
                 and a default value.",
            ));
            (ty, None)
        }
    };
    let (ty, inner) = constraint(ty, out);
    let default = default.and_then(|it| default_value(it, &ty, &inner, out));
    (ty, inner, default)
}

fn default_value(expr: &Expr, ty: &Type, inner: &Defaults, out: &mut Diagnostics) -> Option<Value> {
    if !constant::check_constant(expr, out) {
        return None;
    }
    let incompatible = |why: String| {
        Diagnostic::error(
            "Invalid default value for optional attribute",
            format!(
                "This default value is not compatible with the attribute's type constraint: {why}."
            ),
        )
        .at(expr.span)
    };
    let Some(value) = constant::literal(expr) else {
        out.push(incompatible("a literal value is required".to_owned()));
        return None;
    };
    match convert(&inner.apply(&value), ty) {
        Ok(value) => Some(value),
        Err(error) => {
            out.push(incompatible(error.to_string()));
            None
        }
    }
}
