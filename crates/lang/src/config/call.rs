//! `module` and `provider`.

use std::sync::Arc;

use plumb_diag::{Diagnostic, Diagnostics};

use super::content::{Spec, check_name, duplicate, is_name, partial_content};
use super::resource::{repeat, reserved_block};
use super::{Module, ModuleCall, ProviderBlock, ProviderName, ProviderRef, constant, reference};
use crate::syntax::{Attribute, Block, ExprKind, ObjectKey, Traversal};

pub(super) fn call(block: Block, module: &mut Module, out: &mut Diagnostics) {
    let span = block.header_span();
    let Some(label) = block.labels.first().cloned() else { return };
    let spec = Spec {
        arguments: &["source", "version", "count", "for_each", "depends_on", "providers"],
        required: &["source"],
        blocks: &[("_", &[]), ("lifecycle", &[]), ("locals", &[]), ("provider", &["type"])],
    };
    let mut inside = partial_content(block.body, spec, out);
    check_name(&label.text, label.span, "Invalid module instance name", out);
    let source = constant::string(inside.take("source"), out);
    let version = constant::string(inside.take("version"), out);
    let repeat = repeat(inside.take("count"), inside.take("for_each"), out);
    let providers = inside.take("providers").map(|it| providers(&it, out)).unwrap_or_default();
    let depends_on = reference::traversals(inside.take("depends_on"), out);
    for it in std::mem::take(&mut inside.blocks) {
        match &*it.kind.text {
            "_" => inside.rest.extend(it.body.items),
            kind => out.push(reserved_block(kind, "module", it.kind.span)),
        }
    }
    let Some((source, source_span)) = source else { return };
    if source.is_empty() {
        out.push(
            Diagnostic::error(
                "Invalid module source address",
                "Failed to parse module source address: invalid source address: .",
            )
            .at(source_span),
        );
    }
    if let Some(first) = module.calls.get(&label.text) {
        let detail = format!(
            "A module call named {:?} was already defined. Module calls must have unique names \
             within a module.",
            &*label.text
        );
        out.push(duplicate("Duplicate module call", detail, span, first.span));
        return;
    }
    let body = inside.into_rest();
    let call =
        ModuleCall { source, source_span, version, repeat, providers, depends_on, body, span };
    module.calls.insert(label.text, call);
}

/// `{ docker = docker.west }`
fn providers(attribute: &Attribute, out: &mut Diagnostics) -> Vec<(ProviderRef, ProviderRef)> {
    let ExprKind::Object(items) = &attribute.expr.kind else {
        let detail = "A static map expression is required.";
        out.push(Diagnostic::error("Invalid expression", detail).at(attribute.expr.span));
        return Vec::new();
    };
    let mut pairs: Vec<(ProviderRef, ProviderRef)> = Vec::new();
    for item in items {
        let inside = match &item.key {
            ObjectKey::Name(name) => Some(ProviderRef {
                name: ProviderName { name: Arc::clone(&name.text), alias: None },
                span: name.span,
            }),
            ObjectKey::Expr(key) => reference::provider(key, "providers", out),
        };
        let outside = reference::provider(&item.value, "providers", out);
        let (Some(inside), Some(outside)) = (inside, outside) else { continue };
        if let Some((first, _)) = pairs.iter().find(|it| it.0.name == inside.name) {
            out.push(duplicate(
                "Duplicate provider address",
                "A provider configuration was already passed to this one. Each child provider \
                 configuration can be assigned only once.",
                inside.span,
                first.span,
            ));
            continue;
        }
        pairs.push((inside, outside));
    }
    pairs
}

pub(super) fn provider(block: Block, module: &mut Module, out: &mut Diagnostics) {
    let span = block.header_span();
    let Some(label) = block.labels.first().cloned() else { return };
    let spec = Spec {
        arguments: &["version", "alias", "count", "depends_on", "for_each", "source"],
        required: &[],
        blocks: &[("_", &[]), ("lifecycle", &[]), ("locals", &[])],
    };
    let mut inside = partial_content(block.body, spec, out);
    let name = label.text;
    let alias = constant::string(inside.take("alias"), out);
    if let Some((alias, at)) = &alias
        && !is_name(alias)
    {
        out.push(
            Diagnostic::error(
                "Invalid provider configuration alias",
                "An alias must be a valid name. A name must start with a letter or underscore \
                     and may contain only letters, digits, underscores, and dashes.",
            )
            .at(*at),
        );
    }
    if let Some(it) = inside.take("version") {
        out.push(
            Diagnostic::warning(
                "Version constraints inside provider configuration blocks are deprecated",
                "Terraform 0.13 and earlier allowed provider version constraints inside the \
                 provider configuration block, but that is now deprecated and will be removed in a \
                 future version of Terraform. To silence this warning, move the provider version \
                 constraint into the required_providers block.",
            )
            .at(it.expr.span),
        );
    }
    for reserved in ["count", "depends_on", "for_each", "source"] {
        if let Some(it) = inside.take(reserved) {
            out.push(
                Diagnostic::error(
                    "Reserved argument name in provider block",
                    format!(
                        "The provider argument name {reserved:?} is reserved for use by Terraform \
                         in a future version."
                    ),
                )
                .at(it.name.span),
            );
        }
    }
    for it in std::mem::take(&mut inside.blocks) {
        match &*it.kind.text {
            "_" => inside.rest.extend(it.body.items),
            kind => out.push(reserved_block(kind, "provider", it.kind.span)),
        }
    }
    if !is_local_name(&name) {
        out.push(
            Diagnostic::error(
                "Invalid provider local name",
                format!(
                    "{name} is an invalid provider local name: must contain only letters, digits, \
                     and dashes, and may not use leading or trailing dashes"
                ),
            )
            .at(label.span),
        );
        return;
    }
    let key = ProviderName { name, alias: alias.map(|it| it.0) };
    if let Some(first) = module.providers.get(&key) {
        let name = &*key.name;
        let detail = match &key.alias {
            None => format!(
                "A default (non-aliased) provider configuration for {name:?} was already given. If \
                 multiple configurations are required, set the \"alias\" argument for alternative \
                 configurations."
            ),
            Some(alias) => format!(
                "A provider configuration for {name:?} with alias {:?} was already given. Each \
                 configuration for the same provider must have a distinct alias.",
                &**alias
            ),
        };
        out.push(duplicate("Duplicate provider configuration", detail, span, first.span));
        return;
    }
    module.providers.insert(key, ProviderBlock { body: inside.into_rest(), span });
}

/// Whether `name` can be the local name of a provider.
pub(super) fn is_local_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('-')
        && !name.ends_with('-')
        && name.chars().all(|c| c.is_alphanumeric() || c == '-')
}

/// `name.alias` as a provider configuration.
pub(super) fn provider_name(traversal: &Traversal) -> Option<ProviderName> {
    let [step] = &traversal.steps[..] else { return None };
    Some(ProviderName {
        name: Arc::clone(&traversal.root.text),
        alias: Some(Arc::clone(step.text())),
    })
}
