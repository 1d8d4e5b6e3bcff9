//! `accept`: drift that somebody knows of. Terraform has no word for it.

use std::sync::Arc;

use plumb_diag::{Diagnostic, Diagnostics, Span};

use super::content::{Spec, content};
use super::{Accept, Module, ModuleFile, constant};
use crate::functions::days_in;
use crate::syntax::{Attribute, Block, ExprKind, Item};

/// The classes that drift has.
const CLASSES: [&str; 4] = ["changed", "deleted", "foreign", "undeclared"];

/// Takes the blocks out of the files that only we read. In others they stay, and are reported as
/// what nobody knows.
pub(super) fn taken_from(files: &mut [ModuleFile]) -> Vec<Block> {
    let is_accept = |it: &Item| matches!(it, Item::Block(it) if &*it.kind.text == "accept");
    let ours = files.iter_mut().filter(|it| it.ours);
    let items = ours.flat_map(|it| it.body.items.extract_if(.., |it| is_accept(it)));
    items
        .filter_map(|it| match it {
            Item::Block(block) => Some(block),
            Item::Attribute(_) => None,
        })
        .collect()
}

pub(super) fn accept(block: Block, module: &mut Module, out: &mut Diagnostics) {
    let span = block.header_span();
    let Some(label) = block.labels.first().filter(|_| block.labels.len() == 1) else {
        let detail = "An accept block has one label: the address of what moved, or type and name \
                      of something foreign, such as \"docker_container:stray\".";
        out.push(Diagnostic::error("Wrong labels for accept", detail).at(span));
        return;
    };
    let address = label.text.clone();
    let spec = Spec {
        arguments: &["classes", "attributes", "reason", "expires"],
        required: &["reason"],
        blocks: &[],
    };
    let mut inside = content(block.body, spec, out);
    let classes = strings(inside.take("classes"), out);
    for (class, span) in &classes {
        if !CLASSES.contains(&&**class) {
            let detail = format!("Drift is one of {}.", CLASSES.join(", "));
            out.push(Diagnostic::error("Unknown class of drift", detail).at(*span));
        }
    }
    let attributes = strings(inside.take("attributes"), out);
    let reason = constant::string(inside.take("reason"), out);
    if let Some((text, span)) = &reason
        && text.trim().is_empty()
    {
        let detail = "Whoever reads this later needs to know why the drift was let be.";
        out.push(Diagnostic::error("Missing reason", detail).at(*span));
    }
    let expires = constant::string(inside.take("expires"), out);
    if let Some((text, span)) = &expires
        && !is_day(text)
    {
        let detail = format!("{text:?} is not a day such as \"2026-12-31\".");
        out.push(Diagnostic::error("Invalid expiry", detail).at(*span));
    }
    let Some((reason, _)) = reason else { return };
    let texts = |them: Vec<(Arc<str>, Span)>| them.into_iter().map(|it| it.0).collect();
    module.accepts.push(Accept {
        address,
        classes: texts(classes),
        attributes: texts(attributes),
        reason,
        expires: expires.map(|it| it.0),
        span,
    });
}

/// The strings of a list.
fn strings(attribute: Option<Attribute>, out: &mut Diagnostics) -> Vec<(Arc<str>, Span)> {
    let Some(attribute) = attribute else { return Vec::new() };
    let ExprKind::Tuple(items) = &attribute.expr.kind else {
        let detail = "A list of strings is expected here.";
        out.push(Diagnostic::error("Unsuitable value type", detail).at(attribute.expr.span));
        return Vec::new();
    };
    items.iter().filter_map(|it| constant::string_of(it, out)).collect()
}

/// Whether a text is a day of the Gregorian calendar, as ISO 8601 writes it.
fn is_day(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts[..] else { return false };
    let digits =
        |it: &str, count: usize| it.len() == count && it.bytes().all(|it| it.is_ascii_digit());
    if !(digits(year, 4) && digits(month, 2) && digits(day, 2)) {
        return false;
    }
    let number = |it: &str| it.parse::<i64>().unwrap_or(0);
    let (year, month, day) = (number(year), number(month), number(day));
    (1..=12).contains(&month) && (1..=days_in(year, month)).contains(&day)
}

#[cfg(test)]
mod tests {
    use super::is_day;

    #[test]
    fn days_of_the_calendar() {
        for day in ["2026-12-31", "2028-02-29", "2000-02-29"] {
            assert!(is_day(day), "{day}");
        }
        for day in ["2026-2-1", "2026-02-29", "2100-02-29", "2026-13-01", "2026-00-10", "soon", ""]
        {
            assert!(!is_day(day), "{day}");
        }
    }
}
