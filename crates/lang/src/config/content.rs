//! Taking a body apart by the names that belong in it.

use std::collections::BTreeMap;
use std::sync::Arc;

use plumb_diag::{Diagnostic, Diagnostics, Span};

use crate::suggest::suggest;
use crate::syntax::{Attribute, Block, Body, Ident, Item};

/// What belongs in a body.
#[derive(Clone, Copy)]
pub(super) struct Spec<'a> {
    /// Arguments that may be set.
    pub(super) arguments: &'a [&'a str],
    /// Those of them that must be.
    pub(super) required: &'a [&'a str],
    /// Block types, each with the names of its labels.
    pub(super) blocks: &'a [(&'a str, &'a [&'a str])],
}

/// A body taken apart.
pub(super) struct Content {
    arguments: BTreeMap<Arc<str>, Attribute>,
    /// Blocks of known types with the right number of labels, in order.
    pub(super) blocks: Vec<Block>,
    /// Everything else, in order.
    pub(super) rest: Vec<Item>,
    /// The braces of the body.
    pub(super) span: Span,
}

impl Content {
    /// The argument `name`, once.
    pub(super) fn take(&mut self, name: &str) -> Option<Attribute> {
        self.arguments.remove(name)
    }

    /// What is left, as a body.
    pub(super) fn into_rest(self) -> Arc<Body> {
        Arc::new(Body { items: self.rest, span: self.span })
    }
}

/// Takes apart a body that holds nothing but what `spec` says. Anything else is reported.
pub(super) fn content(body: Body, spec: Spec<'_>, out: &mut Diagnostics) -> Content {
    let content = partial_content(body, spec, out);
    for item in &content.rest {
        if let Item::Attribute(it) = item {
            out.push(unsupported_argument(&it.name, it.is_json(), spec, &content));
        }
    }
    for item in &content.rest {
        if let Item::Block(it) = item {
            out.push(unsupported_block(&it.kind, spec));
        }
    }
    content
}

/// Takes out of a body what `spec` says; the rest is somebody else's.
pub(super) fn partial_content(body: Body, spec: Spec<'_>, out: &mut Diagnostics) -> Content {
    for name in spec.required {
        if body.attribute(name).is_none() {
            let detail = format!("The argument {name:?} is required, but no definition was found.");
            out.push(
                Diagnostic::error("Missing required argument", detail).at(body.missing_span()),
            );
        }
    }
    let mut content = Content {
        arguments: BTreeMap::new(),
        blocks: Vec::new(),
        rest: Vec::new(),
        span: body.span,
    };
    for item in body.items {
        match item {
            Item::Attribute(it) if spec.arguments.contains(&&*it.name.text) => {
                content.arguments.insert(Arc::clone(&it.name.text), it);
            }
            Item::Block(it) => match spec.blocks.iter().find(|(kind, _)| **kind == *it.kind.text) {
                Some((_, labels)) => {
                    if labels_fit(&it, labels, out) {
                        content.blocks.push(it);
                    }
                }
                None => content.rest.push(Item::Block(it)),
            },
            other @ Item::Attribute(_) => content.rest.push(other),
        }
    }
    content
}

fn labels_fit(block: &Block, labels: &[&str], out: &mut Diagnostics) -> bool {
    let kind = &block.kind.text;
    let (count, names) = (labels.len(), labels.join(", "));
    if let Some(missing) = labels.get(block.labels.len()) {
        let detail = format!("All {kind} blocks must have {count} labels ({names}).");
        out.push(
            Diagnostic::error(format!("Missing {missing} for {kind}"), detail)
                .at(block.open_span)
                .within(block.header_span().to(block.open_span)),
        );
        return false;
    }
    let Some(extra) = block.labels.get(count) else { return true };
    let detail = if count == 0 {
        format!("No labels are expected for {kind} blocks.")
    } else {
        format!("Only {count} labels ({names}) are expected for {kind} blocks.")
    };
    out.push(
        Diagnostic::error(format!("Extraneous label for {kind}"), detail)
            .at(extra.span)
            .within(block.header_span().to(block.open_span)),
    );
    false
}

/// What JSON's word for an unknown argument or block is.
pub(crate) fn extraneous_property(name: &Ident) -> Diagnostic {
    let detail = format!("No argument or block type is named {:?}.", &*name.text);
    Diagnostic::error("Extraneous JSON object property", detail).at(name.span)
}

fn unsupported_argument(name: &Ident, json: bool, spec: Spec<'_>, content: &Content) -> Diagnostic {
    if json {
        return extraneous_property(name);
    }
    let detail = format!("An argument named {:?} is not expected here.", &*name.text);
    let diagnostic = Diagnostic::error("Unsupported argument", detail).at(name.span);
    if spec.blocks.iter().any(|(kind, _)| **kind == *name.text) {
        return diagnostic
            .hint(format!("Did you mean to define a block of type {:?}?", &*name.text));
    }
    let free = spec.arguments.iter().copied().filter(|it| !content.arguments.contains_key(*it));
    match suggest(&name.text, free) {
        Some(meant) => diagnostic.hint(format!("Did you mean {meant:?}?")),
        None => diagnostic,
    }
}

fn unsupported_block(kind: &Ident, spec: Spec<'_>) -> Diagnostic {
    let detail = format!("Blocks of type {:?} are not expected here.", &*kind.text);
    let diagnostic = Diagnostic::error("Unsupported block type", detail).at(kind.span);
    if spec.arguments.contains(&&*kind.text) {
        return diagnostic.hint(format!(
            "Did you mean to define argument {:?}? If so, use the equals sign to assign it a value.",
            &*kind.text
        ));
    }
    match suggest(&kind.text, spec.blocks.iter().map(|(kind, _)| *kind)) {
        Some(meant) => diagnostic.hint(format!("Did you mean {meant:?}?")),
        None => diagnostic,
    }
}

/// Whether a block that stands at `at` is the first of its kind; reports a second one.
pub(super) fn is_first(
    first: &mut Option<Span>,
    at: Span,
    summary: &str,
    detail: &str,
    out: &mut Diagnostics,
) -> bool {
    let Some(before) = *first else {
        *first = Some(at);
        return true;
    };
    out.push(duplicate(summary, detail, at, before));
    false
}

/// Reports a second block where one may be.
pub(super) fn duplicate(
    summary: impl Into<String>,
    detail: impl Into<String>,
    span: Span,
    first: Span,
) -> Diagnostic {
    Diagnostic::error(summary, detail).at(span).related(first, "first declared here")
}

/// Whether `text` can be referred to; reports `summary` if not.
pub(super) fn check_name(text: &str, span: Span, summary: &str, out: &mut Diagnostics) -> bool {
    let good = is_name(text);
    if !good {
        out.push(Diagnostic::error(summary, BAD_NAME).at(span));
    }
    good
}

const BAD_NAME: &str = "A name must start with a letter or underscore and may contain only \
                        letters, digits, underscores, and dashes.";

/// Whether `text` is a name.
pub fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c == '_' || unicode_ident::is_xid_start(c))
        && chars.all(|c| c == '-' || unicode_ident::is_xid_continue(c))
}
