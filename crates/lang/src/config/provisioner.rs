//! `provisioner` blocks, of resources and of `removed` blocks.

use std::sync::Arc;

use plumb_diag::{Diagnostic, Diagnostics};

use super::content::{Spec, is_first, partial_content};
use super::resource::reserved_block;
use super::{OnFailure, Provisioner, When};
use crate::eval;
use crate::syntax::{Attribute, Block, Body, ExprKind, StepKind, Traversal};

/// Those that Terraform had once.
const REMOVED: [&str; 4] = ["chef", "habitat", "puppet", "salt-masterless"];

/// Decodes one block. `connection` is that of the whole resource.
pub(super) fn provisioner(block: Block, out: &mut Diagnostics) -> Option<Provisioner> {
    let span = block.header_span();
    let open_span = block.open_span;
    let kind = block.labels.first().cloned()?;
    let spec = Spec {
        arguments: &["when", "on_failure"],
        required: &[],
        blocks: &[("connection", &[]), ("lifecycle", &[]), ("_", &[])],
    };
    let mut inside = partial_content(block.body, spec, out);
    if REMOVED.contains(&&*kind.text) {
        let name = &kind.text;
        let detail = format!(
            "Terraform has no {name:?} provisioner since version 0.15. Do what it did by other \
             means, such as an image that is ready to use, or cloud-init."
        );
        let summary = format!("The {name:?} provisioner has been removed");
        out.push(Diagnostic::error(summary, detail).at(kind.span));
        return None;
    }
    let mut when = When::Create;
    if let Some(it) = inside.take("when") {
        match keyword(&it, out) {
            Some("create") => {}
            Some("destroy") => when = When::Destroy,
            _ => out.push(wrong_keyword("when", "create or destroy", &it)),
        }
    }
    let mut on_failure = OnFailure::Fail;
    if let Some(it) = inside.take("on_failure") {
        match keyword(&it, out) {
            Some("fail") => {}
            Some("continue") => on_failure = OnFailure::Continue,
            _ => out.push(wrong_keyword("on_failure", "continue or fail", &it)),
        }
    }
    let (mut connection_at, mut escape_at) = (None, None);
    let mut connection: Option<Arc<Body>> = None;
    for it in std::mem::take(&mut inside.blocks) {
        let at = it.header_span();
        match &*it.kind.text {
            "connection" => {
                let detail = "This provisioner already has a connection block.";
                if is_first(&mut connection_at, at, "Duplicate connection block", detail, out) {
                    connection = Some(Arc::new(it.body));
                }
            }
            "_" => {
                let detail = "The special block type \"_\" can be used only once inside each \
                              provisioner block to group together arguments that might otherwise \
                              conflict with meta-arguments.";
                if is_first(&mut escape_at, at, "Duplicate escaping block", detail, out) {
                    inside.rest.extend(it.body.items);
                }
            }
            reserved => out.push(reserved_block(reserved, "provisioner", it.kind.span)),
        }
    }
    let body = inside.into_rest();
    if when == When::Destroy {
        let bodies = std::iter::once(&body).chain(&connection);
        bodies.for_each(|it| only_itself(it, out));
    }
    Some(Provisioner { kind: kind.text, when, on_failure, body, connection, span, open_span })
}

/// Refuses what is not known any more when an object is deleted.
pub(super) fn only_itself(body: &Body, out: &mut Diagnostics) {
    for it in eval::body_references(body).into_iter().filter(|it| !is_own(it)) {
        let detail = "Destroy-time provisioners and their connection configurations may only \
                      reference attributes of the related resource, via 'self', 'count.index', or \
                      'each.key'.\n\nReferences to other resources during the destroy phase can \
                      cause dependency cycles and interact poorly with create_before_destroy.";
        let error = Diagnostic::error("Invalid reference from destroy provisioner", detail);
        out.push(error.at(it.span()));
    }
}

fn is_own(traversal: &Traversal) -> bool {
    let first = match traversal.steps.first().map(|it| &it.kind) {
        Some(StepKind::Attr(name)) => &**name,
        _ => "",
    };
    match &*traversal.root.text {
        "self" | "path" | "terraform" => true,
        "count" => first == "index",
        "each" => first == "key",
        _ => false,
    }
}

fn keyword<'a>(attribute: &'a Attribute, out: &mut Diagnostics) -> Option<&'a str> {
    match &attribute.expr.kind {
        ExprKind::Traversal(it) if it.steps.is_empty() => Some(&it.root.text),
        ExprKind::String(text) => {
            let detail = "In this context, keywords are expected literally rather than in quotes. \
                          Remove the quotes.";
            let warning = Diagnostic::warning("Quoted keywords are deprecated", detail);
            out.push(warning.at(attribute.expr.span));
            Some(text)
        }
        _ => None,
    }
}

fn wrong_keyword(name: &str, keywords: &str, attribute: &Attribute) -> Diagnostic {
    let detail =
        format!("The {name:?} argument requires one of the following keywords: {keywords}.");
    Diagnostic::error(format!("Invalid {name:?} keyword"), detail).at(attribute.expr.span)
}
