//! `resource`, `data` and `check`.

use std::sync::Arc;

use plumb_diag::{Diagnostic, Diagnostics, Span};
use plumb_model::addr::{Kind, Mode, Resource};

use super::content::{Spec, check_name, content, duplicate, is_first, partial_content};
use super::variable::{condition, conditions};
use super::{
    Check, IgnoreChanges, Lifecycle, Module, Repeat, ResourceBlock, When, constant, provisioner,
    reference,
};
use crate::syntax::{Attribute, Block, Body, ExprKind};

const META: [&str; 4] = ["count", "for_each", "provider", "depends_on"];

pub(super) fn resource(block: Block, mode: Mode, module: &mut Module, out: &mut Diagnostics) {
    if let Some((resource, decoded)) = decode(block, mode, out) {
        insert(resource, decoded, module, out);
    }
}

/// No provider has any; that is told once it is known which one is meant.
pub(super) fn ephemeral(block: Block, module: &mut Module, out: &mut Diagnostics) {
    if let Some((resource, decoded)) = decode(block, Mode::Data, out) {
        module.ephemerals.push((resource, decoded.span));
    }
}

fn insert(resource: Resource, decoded: ResourceBlock, module: &mut Module, out: &mut Diagnostics) {
    let (mode, span) = (resource.mode, decoded.span);
    if let Some(first) = module.resources.get(&resource) {
        let (kind, name) = (&*resource.kind, &*resource.name);
        let word = if mode == Mode::Data { "data" } else { "resource" };
        let detail = format!(
            "A {kind} {} named {name:?} was already declared. {} names must be unique per type in \
             each module.",
            if mode == Mode::Data { "data resource" } else { "resource" },
            if mode == Mode::Data { "Data resource" } else { "Resource" },
        );
        let summary = format!("Duplicate {word} {kind:?} configuration");
        out.push(duplicate(summary, detail, span, first.span));
        return;
    }
    module.resources.insert(resource, decoded);
}

fn decode(block: Block, mode: Mode, out: &mut Diagnostics) -> Option<(Resource, ResourceBlock)> {
    let span = block.header_span();
    let [kind, name] = &block.labels[..] else { return None };
    let (kind, name) = (kind.clone(), name.clone());
    let word = if mode == Mode::Data { "data source" } else { "resource" };
    let type_summary = if mode == Mode::Data {
        "Invalid data source name".to_owned()
    } else {
        "Invalid resource type name".to_owned()
    };
    let spec = Spec {
        arguments: &META,
        required: &[],
        blocks: if mode == Mode::Data {
            &[("lifecycle", &[]), ("locals", &[]), ("_", &[])]
        } else {
            &[
                ("lifecycle", &[]),
                ("connection", &[]),
                ("provisioner", &["type"]),
                ("locals", &[]),
                ("_", &[]),
            ]
        },
    };
    let mut inside = partial_content(block.body, spec, out);
    check_name(&kind.text, kind.span, &type_summary, out);
    check_name(&name.text, name.span, &format!("Invalid {word} name"), out);
    let repeat = repeat(inside.take("count"), inside.take("for_each"), out);
    let provider =
        inside.take("provider").and_then(|it| reference::provider(&it.expr, "provider", out));
    let depends_on = reference::traversals(inside.take("depends_on"), out);
    let (mut lifecycle_at, mut connection_at, mut escape_at) = (None, None, None);
    let mut lifecycle = Lifecycle::default();
    let mut connection: Option<Arc<Body>> = None;
    let mut provisioners = Vec::new();
    for it in std::mem::take(&mut inside.blocks) {
        let at = it.header_span();
        match &*it.kind.text {
            "lifecycle" => {
                let detail = "This resource already has a lifecycle block.";
                if is_first(&mut lifecycle_at, at, "Duplicate lifecycle block", detail, out) {
                    lifecycle = decode_lifecycle(it, mode, out);
                }
            }
            "connection" => {
                let detail = "This resource already has a connection block.";
                if is_first(&mut connection_at, at, "Duplicate connection block", detail, out) {
                    connection = Some(Arc::new(it.body));
                }
            }
            "provisioner" => provisioners.extend(provisioner::provisioner(it, out)),
            "_" => {
                let detail = "The special block type \"_\" can be used only once inside each \
                              resource block to group together resource-type-specific arguments \
                              that might otherwise conflict with meta-arguments.";
                if is_first(&mut escape_at, at, "Duplicate escaping block", detail, out) {
                    inside.rest.extend(it.body.items);
                }
            }
            reserved => {
                let word = if mode == Mode::Data { "data" } else { "resource" };
                out.push(reserved_block(reserved, word, it.kind.span));
            }
        }
    }
    if let Some(connection) = &connection
        && provisioners.iter().any(|it| it.when == When::Destroy)
    {
        provisioner::only_itself(connection, out);
    }
    let decoded = ResourceBlock {
        repeat,
        provider,
        depends_on,
        lifecycle,
        provisioners,
        connection,
        body: inside.into_rest(),
        check: None,
        span,
    };
    Some((Resource { mode, kind: Kind(kind.text), name: name.text }, decoded))
}

pub(super) fn reserved_block(kind: &str, place: &str, span: Span) -> Diagnostic {
    Diagnostic::error(
        format!("Reserved block type name in {place} block"),
        format!(
            "The block type name {kind:?} is reserved for use by Terraform in a future version."
        ),
    )
    .at(span)
}

/// `count` or `for_each`.
pub(super) fn repeat(
    count: Option<Attribute>,
    for_each: Option<Attribute>,
    out: &mut Diagnostics,
) -> Repeat {
    match (count, for_each) {
        (Some(count), Some(for_each)) => {
            out.push(
                Diagnostic::error(
                    "Invalid combination of \"count\" and \"for_each\"",
                    "The \"count\" and \"for_each\" meta-arguments are mutually-exclusive, only one \
                     should be used to be explicit about the number of resources to be created.",
                )
                .at(for_each.name.span)
                .related(count.name.span, "\"count\" is set here"),
            );
            Repeat::Count(Arc::new(count.expr))
        }
        (Some(count), None) => Repeat::Count(Arc::new(count.expr)),
        (None, Some(for_each)) => Repeat::ForEach(Arc::new(for_each.expr)),
        (None, None) => Repeat::One,
    }
}

fn decode_lifecycle(block: Block, mode: Mode, out: &mut Diagnostics) -> Lifecycle {
    let spec = Spec {
        arguments: &[
            "create_before_destroy",
            "prevent_destroy",
            "ignore_changes",
            "replace_triggered_by",
        ],
        required: &[],
        blocks: &[("precondition", &[]), ("postcondition", &[])],
    };
    let mut inside = content(block.body, spec, out);
    let mut lifecycle = Lifecycle::default();
    if mode == Mode::Data {
        for name in spec.arguments {
            if let Some(it) = inside.take(name) {
                out.push(
                    Diagnostic::error(
                        "Invalid data resource lifecycle argument",
                        format!(
                            "The lifecycle argument {name:?} is defined only for managed resources \
                             (\"resource\" blocks), and is not valid for data resources."
                        ),
                    )
                    .at(it.name.span),
                );
            }
        }
    }
    lifecycle.create_before_destroy = constant::bool(inside.take("create_before_destroy"), out);
    lifecycle.prevent_destroy =
        constant::bool(inside.take("prevent_destroy"), out).unwrap_or(false);
    lifecycle.replace_triggered_by = reference::list(inside.take("replace_triggered_by"), out)
        .into_iter()
        .filter(|it| is_reference(&it.kind, it.span, out))
        .map(Arc::new)
        .collect();
    lifecycle.ignore_changes = match inside.take("ignore_changes") {
        None => IgnoreChanges::None,
        Some(it) => match &it.expr.kind {
            ExprKind::Traversal(all) if all.steps.is_empty() && &*all.root.text == "all" => {
                IgnoreChanges::All
            }
            _ => IgnoreChanges::Some(reference::traversals(Some(it), out)),
        },
    };
    lifecycle.preconditions = conditions(&mut inside, "precondition", out);
    lifecycle.postconditions = conditions(&mut inside, "postcondition", out);
    lifecycle
}

fn is_reference(kind: &ExprKind, span: Span, out: &mut Diagnostics) -> bool {
    let good = matches!(kind, ExprKind::Traversal(_) | ExprKind::Access(_) | ExprKind::Invalid);
    if !good {
        out.push(
            Diagnostic::error(
                "Invalid replace_triggered_by expression",
                "Only references to resources, their instances and their attributes are allowed \
                 here.",
            )
            .at(span),
        );
    }
    good
}

pub(super) fn check(block: Block, module: &mut Module, out: &mut Diagnostics) {
    let span = block.header_span();
    let Some(label) = block.labels.first().cloned() else { return };
    let spec = Spec {
        arguments: &[],
        required: &[],
        blocks: &[("data", &["type", "name"]), ("assert", &[])],
    };
    let inside = content(block.body, spec, out);
    check_name(&label.text, label.span, "Invalid check block name", out);
    let mut check = Check { data: None, asserts: Vec::new(), span };
    let mut data_at = None;
    for it in inside.blocks {
        let at = it.header_span();
        if &*it.kind.text == "assert" {
            let before = out.len();
            let assert = condition(it, out);
            // One that is wrong does not count.
            check.asserts.extend(assert.filter(|_| out.len() == before));
            continue;
        }
        if let Some(first) = data_at {
            out.push(duplicate(
                "Multiple data resource blocks",
                "This check block already has a data resource defined.",
                at,
                first,
            ));
            continue;
        }
        data_at = Some(at);
        if let Some((resource, decoded)) = decode(it, Mode::Data, out) {
            check.data = Some(resource.clone());
            let decoded = ResourceBlock { check: Some(label.text.clone()), ..decoded };
            insert(resource, decoded, module, out);
        }
    }
    if check.asserts.is_empty() {
        out.push(
            Diagnostic::error(
                "Zero assert blocks",
                "Check blocks must have at least one assert block.",
            )
            .at(span),
        );
    }
    if let Some(first) = module.checks.get(&label.text) {
        let name = &*label.text;
        let detail = format!(
            "A check block named {name:?} was already declared. Check blocks must be unique within \
             each module."
        );
        let summary = format!("Duplicate check {name:?} configuration");
        out.push(duplicate(summary, detail, span, first.span));
        return;
    }
    module.checks.insert(label.text, check);
}
