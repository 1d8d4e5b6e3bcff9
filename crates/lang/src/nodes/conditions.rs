//! Conditions and checks.

use super::*;

/// Judges the conditions of a resource, before (`itself` none) or after it is there. What fails is
/// in `diagnostics`.
pub fn conditions(
    world: World<'_>,
    id: NodeId,
    instance: u32,
    each: Each,
    itself: Option<&Value>,
    diagnostics: &mut Diagnostics,
) -> Vec<Judged> {
    let (resource, block) = resource_block(world, id);
    let (conditions, what) = match itself {
        None => (&block.lifecycle.preconditions, "precondition"),
        Some(_) => (&block.lifecycle.postconditions, "postcondition"),
    };
    if conditions.is_empty() {
        return Vec::new();
    }
    let module = world.program.node(id).module;
    let addr = address_of(world, id, instance, each.key());
    let mut scope = Scope::new(world, module, instance);
    scope.each = each;
    scope.itself = itself.cloned();
    let judged = conditions.iter().map(|condition| {
        let judged = judge(condition, &scope, what, diagnostics);
        if let Judged::Fails(message) = &judged {
            let mut error = Diagnostic::error(format!("Resource {what} failed"), &**message);
            error.values = eval::values_of(&condition.condition, &scope);
            diagnostics.push(error.at(condition.condition.span));
        }
        judged
    });
    let judged: Vec<Judged> = judged.collect();
    let phase = if itself.is_some() { Phase::After } else { Phase::Before };
    let block = resource.addr.to_string();
    world.asked.judged("resource", &block, &addr.to_string(), phase, &judged);
    judged
}

/// Judges the assertions of a check. What does not hold is a warning.
pub fn check(world: World<'_>, id: NodeId, instance: u32, diagnostics: &mut Diagnostics) {
    let node = world.program.node(id);
    let NodeKind::Check(name) = &node.kind else { unreachable!("not a check") };
    let (block, object) = named(world, node.module, instance, "check", name);
    // Its data source could not be read: that is what the check says.
    if world.asked.has_failed("check", &block, &object) {
        return;
    }
    let scope = Scope::new(world, node.module, instance);
    let asserts = &world.program.module(node.module).config.checks[name].asserts;
    let judged: Vec<Judged> = asserts
        .iter()
        .map(|it| {
            let judged = judge(it, &scope, "assertion", diagnostics);
            let (summary, detail) = match &judged {
                Judged::Fails(message) => ("Check block assertion failed", &**message),
                Judged::Unknown => (
                    "Check block assertion known after apply",
                    "The condition could not be evaluated at this time, a result will be known \
                     when this plan is applied.",
                ),
                Judged::Holds | Judged::Broken => return judged,
            };
            let mut warning = Diagnostic::warning(summary, detail).at(it.condition.span);
            warning.values = eval::values_of(&it.condition, &scope);
            diagnostics.push(warning);
            judged
        })
        .collect();
    world.asked.judged("check", &block, &object, Phase::After, &judged);
}

/// Notes whether the data source of a check could be read. Returns what is to be said if not.
pub fn check_data(
    world: World<'_>,
    id: NodeId,
    instance: u32,
    failure: Option<(&str, &str)>,
) -> Option<Diagnostic> {
    let (_, block) = resource_block(world, id);
    let name = block.check.as_ref()?;
    let (check, object) = named(world, world.program.node(id).module, instance, "check", name);
    let judged = failure.map(|(summary, detail)| {
        let text = if detail.is_empty() { summary.into() } else { format!("{summary}: {detail}") };
        Judged::Fails(text.into())
    });
    world.asked.judged("check", &check, &object, Phase::Before, judged.as_slice());
    failure.map(|(summary, detail)| Diagnostic::warning(summary, detail).at(block.span))
}

pub(super) fn judge(
    condition: &Condition,
    scope: &Scope<'_>,
    what: &str,
    diagnostics: &mut Diagnostics,
) -> Judged {
    let before = diagnostics.len();
    let value = eval::evaluate(&condition.condition, scope, diagnostics);
    if diagnostics[before..].iter().any(Diagnostic::is_error) {
        return Judged::Broken;
    }
    let span = condition.condition.span;
    let bad = |detail: &str| Diagnostic::error("Invalid condition result", detail).at(span);
    match convert(&value.unmark_deep(), &Type::Bool) {
        Ok(value) => match value.kind() {
            ValueKind::Bool(true) => Judged::Holds,
            ValueKind::Bool(false) => {
                let message = eval::evaluate(&condition.error_message, scope, diagnostics);
                Judged::Fails(said(&message, what, condition, diagnostics))
            }
            ValueKind::Null(_) => {
                diagnostics
                    .push(bad("Condition expression must return either true or false, not null."));
                Judged::Broken
            }
            _ => Judged::Unknown,
        },
        Err(error) => {
            diagnostics
                .push(bad(&format!("Invalid condition result value: {}.", eval::message(&error))));
            Judged::Broken
        }
    }
}

pub(super) fn said(
    message: &Value,
    what: &str,
    condition: &Condition,
    diagnostics: &mut Diagnostics,
) -> Arc<str> {
    if message.has_mark_deep(Marks::SENSITIVE) {
        let make = if what == "validation" { Diagnostic::error } else { Diagnostic::warning };
        diagnostics.push(
            make(
                "Error message refers to sensitive values",
                "The error expression used to explain this condition refers to sensitive values, \
                 so Terraform will not display the resulting message.\n\nYou can correct this by \
                 removing references to sensitive values, or by carefully using the nonsensitive() \
                 function if the expression will not reveal the sensitive data.",
            )
            .at(condition.error_message.span),
        );
        return "The error message included a sensitive value, so it will not be displayed.".into();
    }
    if message.has_mark_deep(Marks::EPHEMERAL) {
        let make = if what == "validation" { Diagnostic::error } else { Diagnostic::warning };
        let warning = make(
            "Error message refers to ephemeral values",
            "The error expression used to explain this condition refers to ephemeral values, so \
             Terraform will not display the resulting message.\n\nYou can correct this by removing \
             references to ephemeral values, or by using the ephemeralasnull() function on the \
             references to not reveal ephemeral data.",
        );
        diagnostics.push(warning.at(condition.error_message.span));
        return "The error message included an ephemeral value, so it will not be displayed."
            .into();
    }
    match convert(&message.unmark_deep(), &Type::String).ok().as_ref().and_then(Value::as_str) {
        Some(text) => text.trim().into(),
        None => format!("The {what} does not hold, and its error message is not known.").into(),
    }
}
