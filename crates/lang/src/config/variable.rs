//! `variable`, `locals` and `output`.

use std::sync::Arc;

use plumb_diag::{Diagnostic, Diagnostics};
use plumb_model::value::{Defaults, Type, convert};

use super::content::{Content, Spec, check_name, content, duplicate};
use super::walk::{Found, walk};
use super::{Condition, Local, Module, Output, Variable, constant, reference, type_constraint};
use crate::syntax::{Block, Expr, ExprKind, Item, StepKind, Traversal};

/// These mean something in a `module` block.
const RESERVED: [&str; 8] =
    ["source", "version", "providers", "count", "for_each", "lifecycle", "depends_on", "locals"];

/// Whether a condition has to refer to something, which is then called so in diagnostics.
pub(super) const CONDITION: Spec<'_> = Spec {
    arguments: &["condition", "error_message"],
    required: &["condition", "error_message"],
    blocks: &[],
};

pub(super) fn variable(block: Block, module: &mut Module, out: &mut Diagnostics) {
    let span = block.header_span();
    let Some(label) = block.labels.first().cloned() else { return };
    let name = label.text;
    let spec = Spec {
        arguments: &[
            "description",
            "type",
            "default",
            "sensitive",
            "ephemeral",
            "nullable",
            "deprecated",
        ],
        required: &[],
        blocks: &[("validation", &[])],
    };
    let mut content = content(block.body, spec, out);
    if check_name(&name, label.span, "Invalid variable name", out) && RESERVED.contains(&&*name) {
        let detail = format!(
            "The variable name {:?} is reserved due to its special meaning inside module blocks.",
            &*name
        );
        out.push(Diagnostic::error("Invalid variable name", detail).at(label.span));
    }
    let description = constant::string(content.take("description"), out).map(|it| it.0);
    let written = content.take("type");
    let has_type = written.is_some();
    let (ty, defaults) = match written {
        Some(it) => type_constraint::variable_type(&it.expr, out),
        None => Default::default(),
    };
    let sensitive = constant::bool(content.take("sensitive"), out).unwrap_or(false);
    let ephemeral = constant::bool(content.take("ephemeral"), out).unwrap_or(false);
    let nullable = constant::bool(content.take("nullable"), out).unwrap_or(true);
    let default = content.take("default").map(|it| it.expr);
    if let Some(expr) = &default {
        check_default(expr, &ty, &defaults, nullable, out);
    }
    let validations = conditions(&mut content, "validation", out);
    for it in &validations {
        let refers_to_it = refers(&it.condition, |it| {
            matches!((&*it.root.text, it.steps.first().map(|it| &it.kind)),
                ("var", Some(StepKind::Attr(step) | StepKind::Key(step))) if *step == name)
        });
        if !refers_to_it {
            let name = &*name;
            out.push(
                Diagnostic::error(
                    "Invalid variable validation condition",
                    format!(
                        "The condition for variable {name:?} must refer to var.{name} in order to \
                         test incoming values."
                    ),
                )
                .at(it.condition.span),
            );
        }
    }
    let defaults = (!defaults.is_empty()).then(|| Arc::new(defaults));
    let variable = Variable {
        ty,
        has_type,
        defaults,
        default: default.map(Arc::new),
        description,
        sensitive,
        ephemeral,
        nullable,
        validations,
        span,
    };
    if let Some(first) = module.variables.get(&name) {
        let detail = format!(
            "A variable named {:?} was already declared. Variable names must be unique within a \
             module.",
            &*name
        );
        out.push(duplicate("Duplicate variable declaration", detail, span, first.span));
        return;
    }
    module.variables.insert(name, variable);
}

/// Reports a default that is not constant or does not fit. What is no literal has to be evaluated
/// to know.
fn check_default(
    expr: &Expr,
    ty: &Type,
    defaults: &Defaults,
    nullable: bool,
    out: &mut Diagnostics,
) {
    if !constant::check_constant(expr, out) {
        return;
    }
    let Some(value) = constant::literal(expr) else { return };
    let detail = match convert(&defaults.apply(&value), ty) {
        Ok(value) if value.is_null() && !nullable => {
            "A null default value is not valid when nullable=false.".to_owned()
        }
        Ok(_) => return,
        Err(error) => format!(
            "This default value is not compatible with the variable's type constraint: {error}."
        ),
    };
    out.push(Diagnostic::error("Invalid default value for variable", detail).at(expr.span));
}

pub(super) fn locals(block: Block, module: &mut Module, out: &mut Diagnostics) {
    for item in block.body.items {
        let attribute = match item {
            Item::Attribute(attribute) => attribute,
            Item::Block(block) => {
                out.push(
                    Diagnostic::error(
                        format!("Unexpected {:?} block", &*block.kind.text),
                        "Blocks are not allowed here.",
                    )
                    .at(block.kind.span),
                );
                continue;
            }
        };
        let span = attribute.span();
        let name = attribute.name.text;
        if let Some(first) = module.locals.get(&name) {
            let detail = format!(
                "A local value named {:?} was already defined. Local value names must be unique \
                 within a module.",
                &*name
            );
            out.push(duplicate("Duplicate local value definition", detail, span, first.span));
            continue;
        }
        module.locals.insert(name, Local { expr: Arc::new(attribute.expr), span });
    }
}

pub(super) fn output(block: Block, module: &mut Module, out: &mut Diagnostics) {
    let span = block.header_span();
    let Some(label) = block.labels.first().cloned() else { return };
    let name = label.text;
    let spec = Spec {
        arguments: &["description", "value", "depends_on", "sensitive", "ephemeral", "deprecated"],
        required: &["value"],
        blocks: &[("precondition", &[]), ("postcondition", &[])],
    };
    let mut content = content(block.body, spec, out);
    check_name(&name, label.span, "Invalid output name", out);
    let description = constant::string(content.take("description"), out).map(|it| it.0);
    let sensitive = constant::bool(content.take("sensitive"), out).unwrap_or(false);
    let ephemeral = constant::bool(content.take("ephemeral"), out).unwrap_or(false);
    let depends_on = reference::traversals(content.take("depends_on"), out);
    for it in content.blocks.iter().filter(|it| &*it.kind.text == "postcondition") {
        out.push(
            Diagnostic::error(
                "Postconditions are not allowed",
                "Output values can only have preconditions, not postconditions.",
            )
            .at(it.kind.span),
        );
    }
    let preconditions = conditions(&mut content, "precondition", out);
    // Without a value it was reported.
    let missing = Expr { kind: ExprKind::Invalid, span };
    let expr = Arc::new(content.take("value").map_or(missing, |it| it.expr));
    if let Some(first) = module.outputs.get(&name) {
        let detail = format!(
            "An output named {:?} was already defined. Output names must be unique within a \
             module.",
            &*name
        );
        out.push(duplicate("Duplicate output definition", detail, span, first.span));
        return;
    }
    let output =
        Output { expr, description, sensitive, ephemeral, depends_on, preconditions, span };
    module.outputs.insert(name, output);
}

/// The conditions in blocks of type `kind`, each of which must test something.
pub(super) fn conditions(
    content: &mut Content,
    kind: &str,
    out: &mut Diagnostics,
) -> Vec<Condition> {
    let (found, rest): (Vec<Block>, Vec<Block>) =
        content.blocks.drain(..).partition(|it| &*it.kind.text == kind);
    content.blocks = rest;
    found.into_iter().filter_map(|it| condition(it, out)).collect()
}

/// A block with a condition.
pub(super) fn condition(block: Block, out: &mut Diagnostics) -> Option<Condition> {
    let span = block.header_span();
    let mut inside = content(block.body, CONDITION, out);
    let condition = inside.take("condition")?.expr;
    if !refers(&condition, |_| true) {
        out.push(
            Diagnostic::error(
                format!("Invalid {} expression", block.kind.text),
                "The condition expression must refer to at least one object from elsewhere in the \
                 configuration, or else its result would not be checking anything.",
            )
            .at(condition.span),
        );
    }
    let error_message = inside.take("error_message")?.expr;
    Some(Condition { condition: Arc::new(condition), error_message: Arc::new(error_message), span })
}

fn refers(expr: &Expr, to: impl Fn(&Traversal) -> bool) -> bool {
    let mut found = false;
    walk(expr, &mut |it| {
        if let Found::Name(it) = it {
            found |= to(it);
        }
    });
    // What could not be read was reported already.
    found || matches!(expr.kind, ExprKind::Invalid)
}
