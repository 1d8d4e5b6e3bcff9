//! `terraform`: versions, providers, the backend, encryption.

use std::sync::Arc;

use plumb_diag::{Diagnostic, Diagnostics, Span};

use super::call::{is_local_name, provider_name};
use super::content::{Spec, content, duplicate};
use super::{Backend, Module, RequiredProvider, constant, encryption, reference, version};
use crate::syntax::{Block, Expr, ExprKind, Item, ObjectItem, ObjectKey};

/// What was seen once and must not be seen again.
#[derive(Default)]
pub(super) struct Seen {
    required_providers: Option<Span>,
}

pub(super) fn terraform(block: Block, seen: &mut Seen, module: &mut Module, out: &mut Diagnostics) {
    let spec = Spec {
        arguments: &["required_version", "experiments", "language"],
        required: &[],
        blocks: &[
            ("backend", &["type"]),
            ("cloud", &[]),
            ("encryption", &[]),
            ("required_providers", &[]),
            ("provider_meta", &["provider"]),
        ],
    };
    let mut inside = content(block.body, spec, out);
    if let Some((text, span)) = constant::string(inside.take("required_version"), out) {
        check_version(&text, span, out);
        module.required_versions.push((text, span));
    }
    for it in inside.blocks {
        let span = it.header_span();
        match &*it.kind.text {
            "required_providers" => match seen.required_providers {
                Some(first) => out.push(duplicate(
                    "Duplicate required providers configuration",
                    "A module may have only one required providers configuration.",
                    span,
                    first,
                )),
                None => {
                    seen.required_providers = Some(span);
                    for item in it.body.items {
                        required_provider(item, module, out);
                    }
                }
            },
            "backend" => match &module.backend {
                Some(first) => out.push(duplicate(
                    "Duplicate backend configuration",
                    "A module may have only one backend configuration.",
                    span,
                    first.span,
                )),
                None => {
                    let Some(label) = it.labels.first() else { continue };
                    let kind = Arc::clone(&label.text);
                    let body = Arc::new(it.body);
                    module.backend = Some(Backend { kind, body, span });
                }
            },
            "encryption" => match &module.encryption {
                Some(first) => out.push(duplicate(
                    "Duplicate encryption configuration",
                    "A module may have only one encryption configuration.",
                    span,
                    first.span,
                )),
                None => module.encryption = Some(encryption::encryption(it.body, span, out)),
            },
            "cloud" => out.push(
                Diagnostic::error(
                    "HCP Terraform is not supported",
                    "The state of this configuration cannot be kept in HCP Terraform. Use a \
                     \"backend\" block instead.",
                )
                .at(span),
            ),
            // For providers' statistics; nobody here keeps any.
            _ => {}
        }
    }
}

fn check_version(text: &str, span: Span, out: &mut Diagnostics) {
    if version::Constraints::parse(text).is_none() {
        out.push(
            Diagnostic::error(
                "Invalid version constraint",
                "This string does not use correct version constraint syntax.",
            )
            .at(span),
        );
    }
}

fn required_provider(item: Item, module: &mut Module, out: &mut Diagnostics) {
    let attribute = match item {
        Item::Attribute(attribute) => attribute,
        Item::Block(block) => {
            let summary = format!("Unexpected {:?} block", &*block.kind.text);
            out.push(
                Diagnostic::error(summary, "Blocks are not allowed here.").at(block.kind.span),
            );
            return;
        }
    };
    let span = attribute.span();
    let name = attribute.name.text;
    let name_span = attribute.name.span;
    if !is_local_name(&name) {
        out.push(
            Diagnostic::error(
                "Invalid provider local name",
                format!(
                    "{name} is an invalid provider local name: must contain only letters, digits, \
                     and dashes, and may not use leading or trailing dashes"
                ),
            )
            .at(name_span),
        );
        return;
    }
    let lower = name.to_lowercase();
    if *lower != *name {
        out.push(
            Diagnostic::error(
                "Invalid provider local name",
                format!(
                    "Provider names must be normalized. Replace {:?} with {lower:?} to fix this \
                     error.",
                    &*name
                ),
            )
            .at(name_span),
        );
        return;
    }
    let mut provider = RequiredProvider { source: None, version: None, aliases: Vec::new(), span };
    match attribute.expr.kind {
        ExprKind::Object(items) => {
            for item in items {
                argument(item, &name, &mut provider, out);
            }
        }
        // Before there were sources, there was only a version.
        ExprKind::String(text) => {
            check_version(&text, attribute.expr.span, out);
            provider.version = Some(text);
        }
        ExprKind::Invalid => {}
        _ => out.push(
            Diagnostic::error(
                "Invalid required_providers object",
                "required_providers entries must be strings or objects.",
            )
            .at(attribute.expr.span),
        ),
    }
    module.required_providers.insert(name, provider);
}

fn argument(
    item: ObjectItem,
    name: &Arc<str>,
    provider: &mut RequiredProvider,
    out: &mut Diagnostics,
) {
    let (key, span) = match &item.key {
        ObjectKey::Name(key) => (Arc::clone(&key.text), key.span),
        ObjectKey::Expr(Expr { kind: ExprKind::String(key), span }) => (Arc::clone(key), *span),
        ObjectKey::Expr(key) => ("".into(), key.span),
    };
    let value = match &item.value.kind {
        ExprKind::String(text) => Some(Arc::clone(text)),
        _ => None,
    };
    let mut bad = |summary: &str, detail: &str, span: Span| {
        out.push(Diagnostic::error(summary, detail).at(span));
    };
    match (&*key, value) {
        ("version", Some(version)) => {
            check_version(&version, item.value.span, out);
            provider.version = Some(version);
        }
        ("version", None) => bad(
            "Invalid version constraint",
            "Version must be specified as a string.",
            item.value.span,
        ),
        ("source", Some(source)) => {
            if !is_source(&source) {
                bad(
                    "Invalid provider source string",
                    "The \"source\" attribute must be in the format \
                     \"[hostname/][namespace/]name\"",
                    item.value.span,
                );
            }
            provider.source = Some(source);
        }
        ("source", None) => {
            bad("Invalid source", "Source must be specified as a string.", item.value.span);
        }
        ("configuration_aliases", _) => {
            let ExprKind::Tuple(items) = &item.value.kind else {
                bad("Invalid expression", "A static list expression is required.", item.value.span);
                return;
            };
            for alias in items {
                let Some(found) = reference::static_traversal(alias, out) else { continue };
                let summary = "Invalid configuration_aliases value";
                match provider_name(found) {
                    Some(alias) if alias.name == *name => provider.aliases.push(alias),
                    _ => out.push(
                        Diagnostic::error(
                            summary,
                            format!(
                                "Configuration aliases can only contain references to local \
                                 provider configuration names in the format of {name}.alias."
                            ),
                        )
                        .at(alias.span),
                    ),
                }
            }
        }
        _ => bad(
            "Invalid required_providers object",
            "required_providers objects can only contain \"version\", \"source\" and \
             \"configuration_aliases\" attributes. To configure a provider, use a \"provider\" \
             block.",
            span,
        ),
    }
}

/// `[hostname/][namespace/]name`
fn is_source(text: &str) -> bool {
    let parts: Vec<&str> = text.split('/').collect();
    parts.len() <= 3
        && parts.iter().all(|it| {
            !it.is_empty() && it.chars().all(|c| c.is_alphanumeric() || "-_.:".contains(c))
        })
}
