//! A file's JSON to blocks and arguments, by the language's own words.

use std::sync::Arc;

use plumb_diag::{Diagnostic, Diagnostics, Span};

use super::read::{Json, Kind, Property};
use crate::config::{extraneous_property, is_name};
use crate::syntax::{
    Attribute, Block, Body, Expr, ExprKind, Ident, Item, Label, ObjectItem, ObjectKey,
    parse_expression, parse_template_at,
};

/// A block type of the language.
struct Word {
    name: &'static str,
    /// The names of its labels.
    labels: &'static [&'static str],
    /// Arguments that hold references or keywords.
    references: &'static [&'static str],
    /// Blocks inside it.
    inside: &'static [Word],
}

const fn word(
    name: &'static str,
    labels: &'static [&'static str],
    references: &'static [&'static str],
    inside: &'static [Word],
) -> Word {
    Word { name, labels, references, inside }
}

const CONDITIONS: [Word; 2] =
    [word("precondition", &[], &[], &[]), word("postcondition", &[], &[], &[])];
const LIFECYCLE: Word =
    word("lifecycle", &[], &["ignore_changes", "replace_triggered_by"], &CONDITIONS);
const CONNECTION: Word = word("connection", &[], &[], &[]);
const PROVISIONER: Word = word("provisioner", &["type"], &["when", "on_failure"], &[CONNECTION]);
const RESOURCE: &[Word] = &[LIFECYCLE, CONNECTION, PROVISIONER];
const FALLBACK: &[Word] = &[word("fallback", &[], &["method"], &[])];
const ENCRYPTION: &[Word] = &[
    word("key_provider", &["type", "name"], &[], &[]),
    word("method", &["type", "name"], &["keys"], &[]),
    word("state", &[], &["method"], FALLBACK),
    word("plan", &[], &["method"], FALLBACK),
];

static TOP: &[Word] = &[
    word(
        "terraform",
        &[],
        &[],
        &[
            word("required_providers", &[], &[], &[]),
            word("backend", &["type"], &[], &[]),
            word("cloud", &[], &[], &[word("workspaces", &[], &[], &[])]),
            word("provider_meta", &["provider"], &[], &[]),
            word("encryption", &[], &[], ENCRYPTION),
        ],
    ),
    word("provider", &["name"], &[], &[]),
    word("variable", &["name"], &["type"], &[word("validation", &[], &[], &[])]),
    word("locals", &[], &[], &[]),
    word("output", &["name"], &["depends_on"], &[word("precondition", &[], &[], &[])]),
    word("module", &["name"], &["depends_on", "providers"], &[]),
    word("resource", &["type", "name"], &["depends_on", "provider"], RESOURCE),
    word("data", &["type", "name"], &["depends_on", "provider"], &[LIFECYCLE]),
    word("ephemeral", &["type", "name"], &["depends_on", "provider"], &[LIFECYCLE]),
    word("moved", &[], &["from", "to"], &[]),
    word("removed", &[], &["from"], RESOURCE),
    word("import", &[], &["to", "provider"], &[]),
    word(
        "check",
        &["name"],
        &[],
        &[
            word("data", &["type", "name"], &["depends_on", "provider"], &[LIFECYCLE]),
            word("assert", &[], &[], &[]),
        ],
    ),
];

/// The whole file.
pub(super) fn top(root: &Json, span: Span, out: &mut Diagnostics) -> Body {
    let mut items = Vec::new();
    for object in objects(root) {
        let Kind::Object(properties) = &object.kind else {
            out.push(super::not_an_object(object.span));
            continue;
        };
        for it in properties.iter().filter(|it| it.name != "//") {
            match TOP.iter().find(|word| word.name == it.name) {
                Some(word) => blocks(word, it, &it.value, &mut Vec::new(), &mut items, out),
                None => out.push(extraneous_property(&ident(it))),
            }
        }
    }
    Body { items, span }
}

/// One object, or those of an array.
fn objects(value: &Json) -> &[Json] {
    match &value.kind {
        Kind::Array(items) => items,
        _ => std::slice::from_ref(value),
    }
}

/// The blocks of one type; the labels that are left are the names of properties.
fn blocks(
    word: &Word,
    kind: &Property,
    value: &Json,
    labels: &mut Vec<Label>,
    items: &mut Vec<Item>,
    out: &mut Diagnostics,
) {
    for object in objects(value) {
        let Kind::Object(properties) = &object.kind else {
            let unlabelled = word.labels.get(labels.len());
            if matches!(object.kind, Kind::Null) {
                if let Some(label) = unlabelled {
                    let detail = format!(
                        "At least one object property is required, whose name represents the {} \
                         block's {label}.",
                        word.name
                    );
                    let error = Diagnostic::error("Missing block label", detail);
                    out.push(error.at(object.span));
                }
                continue;
            }
            let detail = match unlabelled.is_some() {
                true => "Either a JSON object or JSON array of objects is required here, to \
                         specify name labels for this block."
                    .to_owned(),
                false => format!(
                    "Either a JSON object or a JSON array is required, representing the contents \
                     of one or more {:?} blocks.",
                    word.name
                ),
            };
            out.push(Diagnostic::error("Incorrect JSON value type", detail).at(object.span));
            continue;
        };
        if word.labels.len() > labels.len() {
            for it in properties.iter().filter(|it| it.name != "//") {
                labels.push(Label { text: (&*it.name).into(), span: it.span, quoted: true });
                blocks(word, kind, &it.value, labels, items, out);
                labels.pop();
            }
            continue;
        }
        let edge = |at: u32| Span { start: at, end: at + 1, ..object.span };
        items.push(Item::Block(Block {
            kind: Ident { text: word.name.into(), span: kind.span },
            labels: labels.clone(),
            body: body(word, properties, object.span, out),
            open_span: edge(object.span.start),
            close_span: edge(object.span.end.saturating_sub(1)),
        }));
    }
}

fn body(word: &Word, properties: &[Property], span: Span, out: &mut Diagnostics) -> Body {
    let mut items: Vec<Item> = Vec::new();
    for it in properties.iter().filter(|it| it.name != "//") {
        if let Some(inside) = word.inside.iter().find(|inside| inside.name == it.name) {
            blocks(inside, it, &it.value, &mut Vec::new(), &mut items, out);
            continue;
        }
        let same =
            |item: &Item| matches!(item, Item::Attribute(first) if *first.name.text == *it.name);
        if items.iter().any(same) {
            let detail = format!("The argument {:?} was already set.", it.name);
            out.push(Diagnostic::error("Duplicate attribute definition", detail).at(it.span));
            continue;
        }
        let expr = if is_constant(word, &it.name) {
            constant(&it.value, out)
        } else if word.references.contains(&&*it.name) {
            reference(&it.value, out)
        } else if word.name == "required_providers" {
            required_provider(&it.value, out)
        } else {
            expression(&it.value, out)
        };
        items.push(Item::Attribute(attribute(ident(it), expr)));
    }
    Body { items, span }
}

/// Whether an argument is read before anything can be evaluated. Then strings are what they are.
fn is_constant(word: &Word, argument: &str) -> bool {
    match word.name {
        "variable" => argument != "type",
        "output" => matches!(argument, "description" | "sensitive" | "ephemeral"),
        "module" => matches!(argument, "source" | "version"),
        "lifecycle" => {
            matches!(argument, "create_before_destroy" | "prevent_destroy" | "destroy")
        }
        "terraform" | "backend" => true,
        _ => false,
    }
}

fn constant(value: &Json, out: &mut Diagnostics) -> Expr {
    let literal = |text: &str, span: Span, _: &mut Diagnostics| Expr {
        kind: ExprKind::String(text.into()),
        span,
    };
    convert(value, literal, out)
}

/// An argument as JSON has it: without an equals sign.
pub(super) fn attribute(name: Ident, expr: Expr) -> Attribute {
    let eq_span = Span { start: name.span.end, ..name.span };
    Attribute { name, eq_span, expr }
}

fn ident(property: &Property) -> Ident {
    Ident { text: (&*property.name).into(), span: property.span }
}

/// A value; strings are templates.
fn expression(value: &Json, out: &mut Diagnostics) -> Expr {
    convert(value, template, out)
}

/// A value whose strings hold references, keywords or types.
fn reference(value: &Json, out: &mut Diagnostics) -> Expr {
    let read = |text: &str, span: Span, out: &mut Diagnostics| {
        let parsed = parse_expression(span.file, text, span.start as usize + 1);
        out.extend(parsed.diagnostics);
        Expr { span, ..parsed.expr }
    };
    convert(value, read, out)
}

fn required_provider(value: &Json, out: &mut Diagnostics) -> Expr {
    let Kind::Object(properties) = &value.kind else { return expression(value, out) };
    let items = properties.iter().filter(|it| it.name != "//").map(|it| ObjectItem {
        key: ObjectKey::Name(ident(it)),
        value: match &*it.name {
            "configuration_aliases" => reference(&it.value, out),
            _ => expression(&it.value, out),
        },
    });
    Expr { kind: ExprKind::Object(items.collect()), span: value.span }
}

fn template(text: &str, span: Span, out: &mut Diagnostics) -> Expr {
    let parsed = parse_template_at(span.file, text, span.start as usize + 1);
    out.extend(parsed.diagnostics);
    Expr { span, ..parsed.expr }
}

fn convert(
    value: &Json,
    string: fn(&str, Span, &mut Diagnostics) -> Expr,
    out: &mut Diagnostics,
) -> Expr {
    let kind = match &value.kind {
        Kind::Null => ExprKind::Null,
        Kind::Bool(value) => ExprKind::Bool(*value),
        Kind::Number(text) => number(text, value.span),
        Kind::String(text) => return string(text, value.span, out),
        Kind::Array(items) => {
            ExprKind::Tuple(items.iter().map(|it| convert(it, string, out)).collect())
        }
        Kind::Object(properties) => {
            let items = properties.iter().map(|it| ObjectItem {
                key: match is_name(&it.name) {
                    true => ObjectKey::Name(ident(it)),
                    false => ObjectKey::Expr(template(&it.name, it.span, out)),
                },
                value: convert(&it.value, string, out),
            });
            ExprKind::Object(items.collect())
        }
    };
    Expr { kind, span: value.span }
}

/// Literals have no sign.
fn number(text: &Arc<str>, span: Span) -> ExprKind {
    use crate::syntax::{Unary, UnaryOp};
    let Some(digits) = text.strip_prefix('-') else { return ExprKind::Number(text.clone()) };
    let after = Span { start: span.start + 1, ..span };
    let operand = Expr { kind: ExprKind::Number(digits.into()), span: after };
    let op_span = Span { end: span.start + 1, ..span };
    ExprKind::Unary(Box::new(Unary { op: UnaryOp::Negate, op_span, operand }))
}
