//! What `import` blocks bring in.

use super::*;

/// What an `import` block of the root module brings in: where to, and the id.
pub fn import(
    world: World<'_>,
    import: &Import,
    diagnostics: &mut Diagnostics,
) -> Vec<(Addr, Arc<str>)> {
    let mut scope = Scope::new(world, ModuleId(0), 0);
    let each = match &import.for_each {
        None => vec![Each::None],
        Some(expr) => match eval::for_each(expr, &scope, WhenUnknown::Refuse, diagnostics) {
            Instances::Each(each) => {
                each.iter().map(|it| Each::Each(it.0.clone(), it.1.clone())).collect()
            }
            _ => Vec::new(),
        },
    };
    let mut res = Vec::new();
    for each in each {
        scope.each = each;
        let id = eval::evaluate_as(&import.id, &Type::String, &scope, diagnostics);
        let id = id.unmark_deep();
        let Some(id) = id.as_str().filter(|it| !it.is_empty()) else {
            let detail =
                "The import id must be a string that is known while planning, and not empty.";
            diagnostics
                .push(Diagnostic::error("Invalid import id argument", detail).at(import.id.span));
            continue;
        };
        let to = match &import.to {
            Some(to) => Some(to.clone()),
            None => dynamic_address(&scope, &import.to_expr, diagnostics),
        };
        res.extend(to.map(|to| (to, Arc::from(id))));
    }
    res
}

/// An address with keys that refer to `each`: `docker_volume.v[each.key]`.
pub(super) fn dynamic_address(
    scope: &Scope<'_>,
    expr: &Expr,
    diagnostics: &mut Diagnostics,
) -> Option<Addr> {
    let mut text = String::new();
    let (base, steps): (&Expr, &[AccessStep]) = match &expr.kind {
        ExprKind::Access(access) => (&access.base, &access.steps),
        _ => (expr, &[]),
    };
    let ExprKind::Traversal(traversal) = &base.kind else { return None };
    text += &traversal.root.text;
    let write = |step: &crate::syntax::Step, text: &mut String| match &step.kind {
        StepKind::Attr(name) => *text += &format!(".{name}"),
        StepKind::Key(key) => *text += &InstanceKey::Str(key.clone()).to_string(),
        StepKind::Number(index) | StepKind::Legacy(index) => *text += &format!("[{index}]"),
    };
    traversal.steps.iter().for_each(|it| write(it, &mut text));
    for step in steps {
        match step {
            AccessStep::Step(step) => write(step, &mut text),
            AccessStep::Index { key, .. } => {
                let key = eval::evaluate(key, scope, diagnostics).unmark_deep();
                match (key.as_str(), key.as_i64()) {
                    (Some(key), _) => text += &InstanceKey::Str(key.into()).to_string(),
                    (_, Some(index)) => text += &format!("[{index}]"),
                    _ => return None,
                }
            }
            AccessStep::AttrSplat { .. } | AccessStep::FullSplat { .. } => return None,
        }
    }
    match text.parse() {
        Ok(addr) => Some(addr),
        Err(error) => {
            let error = Diagnostic::error("Invalid import address", format!("{error}."));
            diagnostics.push(error.at(expr.span));
            None
        }
    }
}
