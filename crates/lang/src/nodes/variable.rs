//! The value of an input variable.

use super::*;

pub(super) fn variable(
    world: World<'_>,
    id: NodeId,
    node: &Node,
    name: &Arc<str>,
    instance: u32,
    diagnostics: &mut Diagnostics,
) -> Value {
    let module = world.program.module(node.module);
    let variable = &module.config.variables[name];
    let before = diagnostics.len();
    // What was given: by the calling module, or from outside.
    let (given, span, origin) = match module.parent {
        Some((parent, call)) => {
            let NodeKind::Call(call, _) = &world.program.node(call).kind else { unreachable!() };
            let body = &world.program.module(parent).config.calls[call].body;
            match body.attribute(name) {
                Some(argument) => {
                    let info = world.known.module_info(node.module, instance);
                    let mut scope = Scope::new(world, parent, info.parent);
                    scope.each = info.each.clone();
                    let value = eval::evaluate(&argument.expr, &scope, diagnostics);
                    (Some(value), Some(argument.expr.span), None)
                }
                None => (None, None, None),
            }
        }
        None => match world.inputs.variables.get(name) {
            Some(input) => (Some(input.value.clone()), input.span, Some(input.origin.clone())),
            None => (None, None, None),
        },
    };
    let defaulted = |diagnostics: &mut Diagnostics| {
        let expr = variable.default.as_ref()?;
        Some(eval::evaluate(expr, &Constants, diagnostics))
    };
    let given = match given {
        Some(value) if value.is_null() && !variable.nullable => {
            defaulted(diagnostics).or(Some(value))
        }
        Some(value) => Some(value),
        None => defaulted(diagnostics),
    };
    let Some(mut value) = given else {
        let detail = format!(
            "The root module input variable {name:?} is not set, and has no default value. Use a \
             -var or -var-file command line argument to provide a value for this variable."
        );
        let error = Diagnostic::error("No value for required variable", detail).at(variable.span);
        diagnostics.push(error);
        return Value::unknown(variable.ty.without_optional());
    };
    if let Some(defaults) = &variable.defaults {
        value = defaults.apply(&value);
    }
    let at = span.unwrap_or(variable.span);
    match convert(&value, &variable.ty) {
        Ok(converted) => value = converted,
        Err(error) => {
            let error = bad_variable(name, &variable.ty, &error, origin.as_deref(), span.is_some());
            diagnostics.push(if span.is_some() {
                error.at(at).within(variable.span)
            } else {
                error.at(variable.span)
            });
            return Value::unknown(variable.ty.without_optional());
        }
    }
    if value.is_null() && !variable.nullable {
        let detail = format!(
            "The given value is not suitable for {} declared at {}: required variable may not be \
             set to null.",
            full_name(world, node.module, name),
            "its block"
        );
        let summary = match module.parent {
            Some(_) => "Required variable not set",
            None => "Invalid value for input variable",
        };
        diagnostics.push(Diagnostic::error(summary, detail).at(at));
        return Value::unknown(variable.ty.without_optional());
    }
    if !variable.ephemeral && module.parent.is_some() {
        value = without_ephemeral(name, value, at, diagnostics);
    }
    if variable.sensitive {
        value = value.with_marks(Marks::SENSITIVE);
    }
    if variable.ephemeral {
        value = value.with_marks(Marks::EPHEMERAL);
    }
    if diagnostics.len() > before {
        return value;
    }
    let mut scope = Scope::new(world, node.module, instance);
    scope.variable = Some((id, value.clone()));
    let mut judged = Vec::with_capacity(variable.validations.len());
    for validation in &variable.validations {
        judged.push(judge(validation, &scope, "validation", diagnostics));
        if let Some(Judged::Fails(message)) = judged.last() {
            let detail = format!(
                "{message}\n\nThis was checked by the validation rule at {}.",
                "the place shown below"
            );
            let mut error = Diagnostic::error("Invalid value for variable", detail)
                .at(if module.parent.is_some() { at } else { variable.span })
                .related(validation.span, "the validation rule");
            error.values = vec![(format!("var.{name}"), eval::describe(&value))];
            diagnostics.push(error);
        }
    }
    if !judged.is_empty() {
        let (block, object) = named(world, node.module, instance, "var", name);
        world.asked.judged("var", &block, &object, Phase::Before, &judged);
    }
    value
}

/// `module.m.var.x` and `module.m[0].var.x`
pub(super) fn named(
    world: World<'_>,
    module: ModuleId,
    instance: u32,
    word: &str,
    name: &str,
) -> (String, String) {
    let path = &world.program.module(module).path;
    if path.is_root() {
        return (format!("{word}.{name}"), format!("{word}.{name}"));
    }
    let addr = &world.known.module_info(module, instance).addr;
    (format!("{path}.{word}.{name}"), format!("{addr}.{word}.{name}"))
}

pub(super) fn full_name(world: World<'_>, module: ModuleId, name: &str) -> String {
    let path = &world.program.module(module).path;
    if path.is_root() { format!("var.{name}") } else { format!("{path}.var.{name}") }
}

pub(super) fn bad_variable(
    name: &str,
    ty: &Type,
    error: &ConvertError,
    origin: Option<&str>,
    in_file: bool,
) -> Diagnostic {
    let _ = ty;
    let message = eval::message(error);
    match origin {
        Some(origin) if !in_file => Diagnostic::error(
            "Invalid value for input variable",
            format!("Unsuitable value for var.{name} set using {origin}: {message}."),
        ),
        _ => Diagnostic::error(
            "Invalid value for input variable",
            format!("The given value is not suitable for var.{name}: {message}."),
        ),
    }
}
