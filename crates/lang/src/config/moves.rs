//! `moved`, `removed` and `import`.

use std::sync::Arc;

use plumb_diag::{Diagnostic, Diagnostics, Span};
use plumb_model::Target;
use plumb_model::addr::Mode;

use super::content::{Spec, content};
use super::reference::{provider, static_traversal, target};
use super::{Import, Module, Moved, Removed, RemovedFrom, When, constant, provisioner};
use crate::syntax::{Attribute, Block, ExprKind, StepKind, Traversal};

pub(super) fn moved(block: Block, module: &mut Module, out: &mut Diagnostics) {
    let span = block.header_span();
    let spec = Spec { arguments: &["from", "to"], required: &["from", "to"], blocks: &[] };
    let mut inside = content(block.body, spec, out);
    let mut end = |name: &str| {
        let attribute = inside.take(name)?;
        address(&attribute, out).map(|it| it.0)
    };
    let (from, to) = (end("from"), end("to"));
    let (Some(from), Some(to)) = (from, to) else { return };
    if matches!(from, Target::Module(_)) != matches!(to, Target::Module(_)) {
        out.push(
            Diagnostic::error(
                "Invalid \"moved\" addresses",
                "The \"from\" and \"to\" addresses must either both refer to resources or both \
                 refer to modules.",
            )
            .at(span),
        );
        return;
    }
    module.moved.push(Moved { from, to, span });
}

fn address(attribute: &Attribute, out: &mut Diagnostics) -> Option<(Target, Traversal)> {
    let found = static_traversal(&attribute.expr, out)?;
    match target(found) {
        Ok(target) => Some((target, found.clone())),
        Err(diagnostic) => {
            out.push(*diagnostic);
            None
        }
    }
}

pub(super) fn removed(block: Block, module: &mut Module, out: &mut Diagnostics) {
    let span = block.header_span();
    let spec = Spec {
        arguments: &["from"],
        required: &["from"],
        blocks: &[("lifecycle", &[]), ("connection", &[]), ("provisioner", &["type"])],
    };
    let mut inside = content(block.body, spec, out);
    let from = inside.take("from").and_then(|it| removed_from(&it, out));
    let mut destroy = true;
    let mut provisioners = Vec::new();
    for it in inside.blocks {
        match &*it.kind.text {
            "lifecycle" => {}
            "provisioner" => {
                let (at, provisioner) = (it.header_span(), provisioner::provisioner(it, out));
                if provisioner.as_ref().is_some_and(|it| it.when == When::Create) {
                    let detail = "Only destroy-time provisioners are valid in \"removed\" blocks. \
                                  To declare a destroy-time provisioner, use:\n    when = destroy";
                    out.push(Diagnostic::error("Invalid provisioner block", detail).at(at));
                }
                provisioners.extend(provisioner);
                continue;
            }
            _ => {
                provisioner::only_itself(&it.body, out);
                continue;
            }
        }
        let spec = Spec { arguments: &["destroy"], required: &[], blocks: &[] };
        let mut lifecycle = content(it.body, spec, out);
        destroy = constant::bool(lifecycle.take("destroy"), out).unwrap_or(destroy);
    }
    if let Some(from) = from {
        module.removed.push(Removed { from, destroy, provisioners, span });
    }
}

fn removed_from(attribute: &Attribute, out: &mut Diagnostics) -> Option<RemovedFrom> {
    let (target, traversal) = address(attribute, out)?;
    let key: Option<Span> =
        traversal.steps.iter().find(|it| !matches!(it.kind, StepKind::Attr(_))).map(|it| it.span);
    let in_module = match &target {
        Target::Module(_) => true,
        Target::Resource(addr) => addr.key.is_none(),
    };
    let (summary, detail, at) = match (target, key) {
        (Target::Module(module), None) => return Some(RemovedFrom::Module(module.path())),
        (Target::Resource(addr), None) if addr.resource.mode == Mode::Managed => {
            return Some(RemovedFrom::Resource(addr.config()));
        }
        (_, Some(key)) if in_module => (
            "Module instance keys not allowed",
            "Module address must be a module (e.g. \"module.foo\"), not a module instance (e.g. \
             \"module.foo[1]\").",
            key,
        ),
        (_, Some(key)) => (
            "Resource instance keys not allowed",
            "Resource address must be a resource (e.g. \"test_instance.foo\"), not a resource \
             instance (e.g. \"test_instance.foo[1]\").",
            key,
        ),
        (_, None) => (
            "Data source address not allowed",
            "Data sources are never destroyed, so they are not valid targets of removed blocks. To \
             remove the data source from state, remove the data source block from configuration.",
            traversal.span(),
        ),
    };
    out.push(Diagnostic::error(summary, detail).at(at));
    None
}

pub(super) fn import(block: Block, module: &mut Module, out: &mut Diagnostics) {
    let span = block.header_span();
    let spec = Spec {
        arguments: &["id", "to", "for_each", "provider"],
        required: &["id", "to"],
        blocks: &[],
    };
    let mut inside = content(block.body, spec, out);
    let (to, id) = (inside.take("to"), inside.take("id"));
    let for_each = inside.take("for_each").map(|it| Arc::new(it.expr));
    let provider = inside.take("provider").and_then(|it| provider(&it.expr, "provider", out));
    let (Some(to), Some(id)) = (to, id) else { return };
    let address = match &to.expr.kind {
        ExprKind::Traversal(it) => match target(it) {
            Ok(Target::Resource(addr)) if addr.resource.mode == Mode::Managed => Some(addr),
            Ok(Target::Resource(_)) => {
                out.push(
                    Diagnostic::error(
                        "Invalid import address",
                        "Only managed resources can be imported.",
                    )
                    .at(to.expr.span),
                );
                return;
            }
            Ok(Target::Module(_)) => {
                out.push(
                    Diagnostic::error(
                        "Invalid address",
                        "A resource instance address is required here. The module path must be \
                         followed by a resource instance specification.",
                    )
                    .at(to.expr.span),
                );
                return;
            }
            Err(diagnostic) => {
                out.push(*diagnostic);
                return;
            }
        },
        // A key that has to be evaluated.
        _ => None,
    };
    module.imports.push(Import {
        to: address,
        to_expr: Arc::new(to.expr),
        id: Arc::new(id.expr),
        for_each,
        provider,
        span,
    });
}
