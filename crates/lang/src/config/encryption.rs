//! `terraform { encryption {} }`: how states and saved plans are kept from who reads the files.
//! OpenTofu's block; Terraform has none.

use std::sync::Arc;

use plumb_diag::{Diagnostic, Diagnostics, FileId, Span};

use super::content::{Content, Spec, content, duplicate};
use super::{Encryption, EncryptionPart, EncryptionTarget, PartRef, constant, reference};
use crate::syntax::{Block, Body, Expr, ExprKind, Item, StepKind};

/// What an environment variable says: the inside of the block.
pub fn decode_encryption(file: FileId, text: &str) -> (Encryption, Diagnostics) {
    let parsed = crate::syntax::parse(file, text);
    let mut out = parsed.diagnostics;
    let span = parsed.body.span;
    let encryption = encryption(parsed.body, span, &mut out);
    (encryption, out)
}

pub(super) fn encryption(body: Body, span: Span, out: &mut Diagnostics) -> Encryption {
    let spec = Spec {
        arguments: &[],
        required: &[],
        blocks: &[
            ("key_provider", &["type", "name"]),
            ("method", &["type", "name"]),
            ("state", &[]),
            ("plan", &[]),
            ("remote_state_data_sources", &[]),
        ],
    };
    let mut all = Encryption { span, ..Encryption::default() };
    for block in content(body, spec, out).blocks {
        match &*block.kind.text {
            "key_provider" => part(block, &mut all.key_providers, out),
            "method" => part(block, &mut all.methods, out),
            "state" => once(target(block, true, out), &mut all.state, "state", out),
            "plan" => once(target(block, true, out), &mut all.plan, "plan", out),
            _ => remote_states(block, &mut all, out),
        }
    }
    all
}

fn part(block: Block, parts: &mut Vec<EncryptionPart>, out: &mut Diagnostics) {
    let span = block.header_span();
    let [kind, name] = &block.labels[..] else { return };
    let (kind, name) = (Arc::clone(&kind.text), Arc::clone(&name.text));
    if let Some(first) = parts.iter().find(|it| it.kind == kind && it.name == name) {
        let summary = format!("Duplicate {} {:?} {:?}", block.kind.text, &*kind, &*name);
        let detail = "Within one encryption block each is declared once.";
        return out.push(duplicate(summary, detail, span, first.span));
    }
    parts.push(EncryptionPart { kind, name, body: Arc::new(block.body), span });
}

fn once(
    new: EncryptionTarget,
    target: &mut Option<EncryptionTarget>,
    kind: &str,
    out: &mut Diagnostics,
) {
    match target {
        Some(first) => {
            let summary = format!("Duplicate {kind} block");
            let detail = "An encryption block has at most one of them.";
            out.push(duplicate(summary, detail, new.span, first.span));
        }
        None => *target = Some(new),
    }
}

fn target(block: Block, may_enforce: bool, out: &mut Diagnostics) -> EncryptionTarget {
    let span = block.header_span();
    let arguments: &[&str] = if may_enforce { &["method", "enforced"] } else { &["method"] };
    let spec = Spec { arguments, required: &[], blocks: &[("fallback", &[])] };
    let mut inside = content(block.body, spec, out);
    let method = inside.take("method").and_then(|it| part_ref(&it.expr, "method", out));
    let enforced = constant::bool(inside.take("enforced"), out).unwrap_or(false);
    let mut fallback = None;
    for block in inside.blocks {
        once(target(block, false, out), &mut fallback, "fallback", out);
    }
    EncryptionTarget { method, fallback: fallback.map(Box::new), enforced, span }
}

fn remote_states(block: Block, all: &mut Encryption, out: &mut Diagnostics) {
    let spec = Spec {
        arguments: &[],
        required: &[],
        blocks: &[("default", &[]), ("remote_state_data_source", &["name"])],
    };
    for block in content(block.body, spec, out).blocks {
        let name = block.labels.first().map(|it| Arc::clone(&it.text));
        let new = target(block, false, out);
        match name {
            None => once(new, &mut all.remote_default, "default", out),
            Some(name) => match all.remote.iter().find(|it| it.0 == name) {
                Some((_, first)) => {
                    let summary = format!("Duplicate remote_state_data_source {:?}", &*name);
                    let detail = "Within one encryption block each is declared once.";
                    out.push(duplicate(summary, detail, new.span, first.span));
                }
                None => all.remote.push((name, new)),
            },
        }
    }
}

/// The key provider or method that an expression names: `root.type.name`.
pub fn part_ref(expr: &Expr, root: &str, out: &mut Diagnostics) -> Option<PartRef> {
    // JSON has references in strings, and so have texts that were JSON once.
    if let ExprKind::Wrap(inner) | ExprKind::Paren(inner) = &expr.kind {
        return part_ref(inner, root, out);
    }
    let found = reference::static_traversal(expr, out)?;
    if *found.root.text == *root
        && let [kind, name] = &found.steps[..]
        && let (StepKind::Attr(kind), StepKind::Attr(name)) = (&kind.kind, &name.kind)
    {
        return Some(PartRef { kind: kind.clone(), name: name.clone(), span: expr.span });
    }
    let detail = format!("A reference of the form {root}.type.name is expected here.");
    out.push(Diagnostic::error(format!("Invalid {root} reference"), detail).at(expr.span));
    None
}

/// The arguments of a key provider or method: those that are there, and what does not belong there
/// is reported.
pub fn part_arguments(part: &EncryptionPart, names: &[&str], out: &mut Diagnostics) -> Arguments {
    let spec = Spec { arguments: names, required: &[], blocks: &[] };
    Arguments(content((*part.body).clone(), spec, out))
}

/// Arguments, to take out one by one.
pub struct Arguments(Content);

impl Arguments {
    /// The value of `name`, once.
    pub fn take(&mut self, name: &str) -> Option<Expr> {
        self.0.take(name).map(|it| it.expr)
    }
}

impl Encryption {
    /// With what `over` says in place of what this one says of the same.
    #[must_use]
    pub fn overridden_by(mut self, over: Encryption) -> Encryption {
        parts_overridden(&mut self.key_providers, over.key_providers);
        parts_overridden(&mut self.methods, over.methods);
        target_overridden(&mut self.state, over.state);
        target_overridden(&mut self.plan, over.plan);
        target_overridden(&mut self.remote_default, over.remote_default);
        for (name, new) in over.remote {
            match self.remote.iter_mut().find(|it| it.0 == name) {
                Some((_, old)) => {
                    let mut slot = Some(old.clone());
                    target_overridden(&mut slot, Some(new));
                    slot.into_iter().for_each(|it| *old = it);
                }
                None => self.remote.push((name, new)),
            }
        }
        self
    }
}

fn parts_overridden(parts: &mut Vec<EncryptionPart>, over: Vec<EncryptionPart>) {
    for new in over {
        match parts.iter_mut().find(|it| it.kind == new.kind && it.name == new.name) {
            Some(old) => {
                let mut body = (*old.body).clone();
                for item in &new.body.items {
                    if let Item::Attribute(new) = item {
                        body.items.retain(
                            |it| !matches!(it, Item::Attribute(it) if it.name.text == new.name.text),
                        );
                    }
                    body.items.push(item.clone());
                }
                old.body = Arc::new(body);
            }
            None => parts.push(new),
        }
    }
}

fn target_overridden(target: &mut Option<EncryptionTarget>, over: Option<EncryptionTarget>) {
    let Some(over) = over else { return };
    match target {
        Some(target) => {
            target.enforced |= over.enforced;
            target.method = over.method.or(target.method.take());
            target.fallback = over.fallback.or(target.fallback.take());
        }
        None => *target = Some(over),
    }
}
