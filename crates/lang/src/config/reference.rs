//! References that are read without being evaluated: in `depends_on`, `provider`, `moved` and so on.

use std::borrow::Cow;
use std::sync::Arc;

use plumb_diag::{Diagnostic, Diagnostics, Span};
use plumb_model::Target;
use plumb_model::addr::{Addr, InstanceKey, Kind, Mode, ModuleInstance, ModuleStep, Resource};

use super::{ProviderName, ProviderRef};
use crate::syntax::{Attribute, Expr, ExprKind, Step, StepKind, Traversal, parse_traversal};

const NOT_STATIC: &str = "A single static variable reference is required: only attribute access \
                      and indexing with constant keys. No calculations, function calls, \
                      template expressions, etc are allowed here.";

/// The traversal that `expr` is.
pub(super) fn static_traversal<'a>(expr: &'a Expr, out: &mut Diagnostics) -> Option<&'a Traversal> {
    match &expr.kind {
        ExprKind::Traversal(it) => return Some(it),
        ExprKind::Invalid => {}
        _ => out.push(Diagnostic::error("Invalid expression", NOT_STATIC).at(expr.span)),
    }
    None
}

/// The same where quotes around it are still accepted.
pub(super) fn traversal<'a>(expr: &'a Expr, out: &mut Diagnostics) -> Option<Cow<'a, Traversal>> {
    if let ExprKind::String(text) = &expr.kind {
        // An old habit. What is in the quotes stands after the first of them.
        let (found, errors) = parse_traversal(expr.span.file, text);
        let errors = errors.into_iter().map(|it| it.at(expr.span));
        out.extend(errors);
        out.push(
            Diagnostic::warning(
                "Quoted references are deprecated",
                "In this context, references are expected literally rather than in quotes. \
                 Terraform 0.11 and earlier required quotes, but quoted references are now \
                 deprecated and will be removed in a future version of Terraform. Remove the \
                 quotes surrounding this reference to silence this warning.",
            )
            .at(expr.span),
        );
        if let Some(mut found) = found {
            found.root.span = expr.span;
            for step in &mut found.steps {
                step.span = expr.span;
            }
            return Some(Cow::Owned(found));
        }
        return None;
    }
    static_traversal(expr, out).map(Cow::Borrowed)
}

/// The elements of the list that `attribute` is set to.
pub(super) fn list(attribute: Option<Attribute>, out: &mut Diagnostics) -> Vec<Expr> {
    let Some(attribute) = attribute else { return Vec::new() };
    match attribute.expr.kind {
        ExprKind::Tuple(items) => items,
        ExprKind::Invalid => Vec::new(),
        _ => {
            let detail = "A static list expression is required.";
            out.push(Diagnostic::error("Invalid expression", detail).at(attribute.expr.span));
            Vec::new()
        }
    }
}

/// `depends_on` and such: a list of references.
pub(super) fn traversals(
    attribute: Option<Attribute>,
    out: &mut Diagnostics,
) -> Vec<Arc<Traversal>> {
    list(attribute, out)
        .iter()
        .filter_map(|it| traversal(it, out))
        .map(|it| Arc::new(it.into_owned()))
        .collect()
}

/// `docker` or `docker.west`, as the value of `argument`.
pub(super) fn provider(expr: &Expr, argument: &str, out: &mut Diagnostics) -> Option<ProviderRef> {
    let found = traversal(expr, out)?;
    let name = Arc::clone(&found.root.text);
    let alias = match &found.steps[..] {
        [] => None,
        [Step { kind: StepKind::Attr(alias), .. }] => Some(Arc::clone(alias)),
        _ => {
            out.push(
                Diagnostic::error(
                    "Invalid provider configuration reference",
                    format!(
                        "The {argument} argument requires a provider type name, optionally \
                     followed by a period and then a configuration alias."
                    ),
                )
                .at(expr.span),
            );
            return None;
        }
    };
    Some(ProviderRef { name: ProviderName { name, alias }, span: expr.span })
}

/// The module, block or instance that `traversal` names.
pub fn target(traversal: &Traversal) -> Result<Target, Box<Diagnostic>> {
    let invalid = |detail: &str, span: Span| {
        Box::new(Diagnostic::error("Invalid address", detail).at(span).within(traversal.span()))
    };
    let all = traversal.span();
    // The root is a name like the others.
    let root =
        Step { kind: StepKind::Attr(Arc::clone(&traversal.root.text)), span: traversal.root.span };
    let mut steps = std::iter::once(&root).chain(&traversal.steps).peekable();
    let mut modules = Vec::new();
    while steps.next_if(|it| is_name(it, "module")).is_some() {
        let Some(name) = steps.next().and_then(name_of) else {
            return Err(invalid("Prefix \"module.\" must be followed by a module name.", all));
        };
        let key = steps.next_if(|it| !matches!(it.kind, StepKind::Attr(_))).map(|it| key(it));
        let key = key.transpose().map_err(|(detail, span)| invalid(detail, span))?;
        modules.push(ModuleStep { name, key });
    }
    let module = ModuleInstance(modules.into());
    if steps.peek().is_none() {
        return Ok(Target::Module(module));
    }
    let mode = match steps.next_if(|it| is_name(it, "data")) {
        Some(_) => Mode::Data,
        None => Mode::Managed,
    };
    let (Some(kind), Some(name)) = (steps.next().and_then(name_of), steps.next().and_then(name_of))
    else {
        let detail = "Resource specification must include a resource type and name.";
        return Err(invalid(detail, all));
    };
    let key = steps.next().map(key).transpose().map_err(|(detail, span)| invalid(detail, span))?;
    if let Some(extra) = steps.next() {
        return Err(invalid("Unexpected extra operators after address.", extra.span));
    }
    let resource = Resource { mode, kind: Kind(kind), name };
    Ok(Target::Resource(Addr { module, resource, key }))
}

fn is_name(step: &Step, name: &str) -> bool {
    matches!(&step.kind, StepKind::Attr(text) if &**text == name)
}

fn name_of(step: &Step) -> Option<Arc<str>> {
    match &step.kind {
        StepKind::Attr(name) => Some(Arc::clone(name)),
        _ => None,
    }
}

fn key(step: &Step) -> Result<InstanceKey, (&'static str, Span)> {
    match &step.kind {
        StepKind::Key(text) => Ok(InstanceKey::Str(Arc::clone(text))),
        StepKind::Number(text) | StepKind::Legacy(text) => text
            .parse()
            .map(InstanceKey::Int)
            .map_err(|_| ("Resource instance key must be a whole number.", step.span)),
        StepKind::Attr(_) => {
            Err(("Resource instance key must be given in square brackets.", step.span))
        }
    }
}
