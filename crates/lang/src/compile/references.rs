//! What every node refers to.

use super::*;

/// Collects what one node refers to.
pub(super) struct References<'a, 'c> {
    pub(super) compiler: &'a Compiler<'c>,
    pub(super) module: ModuleId,
    /// The check that it is, which may refer to a data source of its own.
    pub(super) check: Option<Arc<str>>,
    pub(super) found: BTreeSet<u32>,
    /// Whether the arguments of a resource name it.
    pub(super) itself: bool,
    pub(super) dones: Vec<ModuleId>,
    pub(super) errors: Diagnostics,
}

impl References<'_, '_> {
    pub(super) fn node(&mut self, index: usize) {
        let compiler = self.compiler;
        let module = &compiler.modules[self.module.0 as usize];
        let config = module.config.clone();
        let scope = &compiler.scopes[self.module.0 as usize];
        if let Some((_, call)) = module.parent {
            self.found.insert(call.0);
        }
        match &compiler.nodes[index].kind {
            NodeKind::Variable(name) => {
                let variable = &config.variables[name];
                for it in &variable.validations {
                    self.condition(it);
                }
                self.found.remove(&(index as u32));
                if let Some((parent, call)) = module.parent {
                    let NodeKind::Call(call, _) = &compiler.nodes[call.0 as usize].kind else {
                        return;
                    };
                    let parent_config = &compiler.modules[parent.0 as usize].config;
                    let argument = parent_config.calls[call].body.attribute(name);
                    if let Some(argument) = argument {
                        self.module = parent;
                        self.expr(&argument.expr);
                    }
                }
            }
            NodeKind::Local(name) => {
                self.expr(&config.locals[name].expr);
                if self.found.remove(&(index as u32)) {
                    let expr = &config.locals[name].expr;
                    let itself = |it: &&Traversal| matches!(module.lookup(it), Ok((Name::Node(id), _)) if id.0 as usize == index);
                    let span = eval::references(expr).into_iter().find(itself).map(Traversal::span);
                    let detail = format!(
                        "Local value local.{name} cannot use its own result as part of its \
                         expression."
                    );
                    let error = Diagnostic::error("Self-referencing local value", detail);
                    self.errors.push(Diagnostic { span: span.or(Some(expr.span)), ..error });
                }
            }
            NodeKind::Output(name) => {
                let output = &config.outputs[name];
                self.expr(&output.expr);
                self.depends_on(&output.depends_on);
                output.preconditions.iter().for_each(|it| self.condition(it));
            }
            NodeKind::Call(name, _) => self.repeat(&config.calls[name].repeat),
            NodeKind::Gate(call) => {
                self.found.extend(scope.gate.map(|it| it.0));
                self.depends_on(&config.calls[call].depends_on);
            }
            NodeKind::Done(_) => {}
            NodeKind::Check(name) => {
                let check = &config.checks[name];
                self.check = Some(name.clone());
                check.asserts.iter().for_each(|it| self.condition(it));
                let data = check.data.as_ref().and_then(|it| module.names.resource(it));
                self.found.extend(data.map(|it| it.0));
            }
            NodeKind::Provider(provider) => {
                if let Some(block) = provider.block.as_ref().and_then(|it| config.providers.get(it))
                {
                    self.body(&block.body);
                }
            }
            NodeKind::Resource(resource) => {
                let block = &config.resources[&resource.addr.resource];
                self.found.insert(resource.provider_node.0);
                self.found.extend(scope.gate.map(|it| it.0));
                self.repeat(&block.repeat);
                self.body(&block.body);
                // Refused when it is planned, as there may be no instance of it.
                self.itself = self.found.remove(&(index as u32));
                self.depends_on(&block.depends_on);
                self.found.remove(&(index as u32));
                for it in &block.lifecycle.replace_triggered_by {
                    self.expr(it);
                }
                if self.found.remove(&(index as u32)) {
                    let mut spans = block.lifecycle.replace_triggered_by.iter().map(|it| it.span);
                    let summary = "Self-referential block";
                    self.errors.push(self_reference(
                        summary,
                        &resource.addr.resource,
                        spans.next_back(),
                    ));
                }
                self.conditions(index, resource, block);
                // Others look at nothing but the object itself.
                for it in block.provisioners.iter().filter(|it| it.when == When::Create) {
                    self.body(&it.body);
                    it.connection.iter().for_each(|it| self.body(it));
                }
                block.connection.iter().for_each(|it| self.body(it));
                // They run when it is there.
                self.found.remove(&(index as u32));
            }
        }
    }

    /// What a resource expects; of itself it is to speak as `self`.
    fn conditions(&mut self, index: usize, resource: &ResourceNode, block: &ResourceBlock) {
        let module = &self.compiler.modules[self.module.0 as usize];
        let lifecycle = &block.lifecycle;
        let all = [
            ("precondition", &lifecycle.preconditions),
            ("postcondition", &lifecycle.postconditions),
        ];
        for (what, conditions) in all {
            for it in conditions {
                self.condition(it);
                if !self.found.remove(&(index as u32)) {
                    continue;
                }
                for expr in [&it.condition, &it.error_message] {
                    let of_itself = eval::references(expr)
                        .into_iter()
                        .filter(|it| names_node(module, it, NodeId(index as u32)));
                    let summary = format!("Invalid reference in {what}");
                    self.errors.extend(of_itself.map(|it| {
                        self_reference(&summary, &resource.addr.resource, Some(it.span()))
                    }));
                }
            }
        }
    }

    fn repeat(&mut self, repeat: &Repeat) {
        match repeat {
            Repeat::One => {}
            Repeat::Count(expr) | Repeat::ForEach(expr) => self.expr(expr),
        }
    }

    fn condition(&mut self, condition: &Condition) {
        self.expr(&condition.condition);
        self.expr(&condition.error_message);
    }

    fn expr(&mut self, expr: &Expr) {
        eval::references(expr).into_iter().for_each(|it| self.traversal(it));
    }

    fn body(&mut self, body: &crate::syntax::Body) {
        eval::body_references(body).into_iter().for_each(|it| self.traversal(it));
    }

    fn depends_on(&mut self, traversals: &[Arc<Traversal>]) {
        for it in traversals {
            match self.compiler.modules[self.module.0 as usize].lookup(it) {
                Ok((Name::Call(node, module), 1)) if it.steps.len() == 1 => {
                    self.found.insert(node.0);
                    self.dones.push(module);
                }
                Ok((Name::Node(id), steps)) if self.has_attribute(id, it, steps) => {
                    let detail = "References in depends_on must be to a whole object (resource, \
                                  etc), not to an attribute of an object.";
                    let span = it.steps[steps..].iter().map(|it| it.span).reduce(Span::to);
                    let error = Diagnostic::error("Invalid depends_on reference", detail);
                    self.errors.push(Diagnostic { span, ..error });
                }
                Ok(_) => self.traversal(it),
                Err(error) => self.errors.push(*error),
            }
        }
    }

    /// Whether more than an instance of a resource is named.
    fn has_attribute(&self, id: NodeId, traversal: &Traversal, steps: usize) -> bool {
        let is_resource = matches!(self.compiler.nodes[id.0 as usize].kind, NodeKind::Resource(_));
        let attribute =
            |it: &crate::syntax::Step| matches!(it.kind, crate::syntax::StepKind::Attr(_));
        is_resource && traversal.steps[steps..].iter().any(attribute)
    }

    fn traversal(&mut self, traversal: &Traversal) {
        let module = &self.compiler.modules[self.module.0 as usize];
        match module.lookup(traversal) {
            Ok((Name::Node(id), steps)) => {
                self.found.insert(id.0);
                if let NodeKind::Resource(it) = &self.compiler.nodes[id.0 as usize].kind {
                    let resource = &it.addr.resource;
                    let block = &module.config.resources[resource];
                    self.errors.extend(wrong_key(traversal, steps, resource, &block.repeat));
                    if block.check.is_some() && block.check != self.check {
                        let detail = format!(
                            "The referenced data resource {:?} {:?} is not available from this \
                             context.",
                            &*resource.kind, &*resource.name
                        );
                        let error = Diagnostic::error("Reference to scoped resource", detail);
                        self.errors.push(error.at(traversal.span()));
                    }
                }
            }
            Ok((Name::Call(node, child), _)) => {
                self.found.insert(node.0);
                let names = &self.compiler.modules[child.0 as usize].names;
                match call_output(traversal) {
                    // The module may be missing; that is reported elsewhere.
                    _ if child == ModuleId(0) => {}
                    Some(output) => match names.outputs.get(output) {
                        Some(id) => {
                            self.found.insert(id.0);
                        }
                        None => {
                            let more = did_you_mean(output, names.outputs.keys());
                            let detail = format!(
                                "This object does not have an attribute named {output:?}.{}",
                                more.unwrap_or_default()
                            );
                            let span = traversal.steps.iter().find(|it| **it.text() == **output);
                            let error = Diagnostic::error("Unsupported attribute", detail);
                            let span = span.map(|it| it.span).or(Some(traversal.span()));
                            self.errors.push(Diagnostic { span, ..error });
                        }
                    },
                    None => self.found.extend(names.outputs.values().map(|it| it.0)),
                }
            }
            Ok(_) => {}
            Err(error) => self.errors.push(*error),
        }
    }
}

/// Whether a reference leads to that node.
pub(crate) fn names_node(module: &ProgramModule, traversal: &Traversal, id: NodeId) -> bool {
    matches!(module.lookup(traversal), Ok((Name::Node(it), _)) if it == id)
}

/// Refuses a block that speaks of itself.
pub(crate) fn self_reference(
    summary: &str,
    itself: &dyn std::fmt::Display,
    span: Option<Span>,
) -> Diagnostic {
    let detail = format!("Configuration for {itself} may not refer to itself.");
    Diagnostic { span, ..Diagnostic::error(summary, detail) }
}

/// Attributes belong to instances, and instances to blocks that have several.
pub(super) fn wrong_key(
    traversal: &Traversal,
    steps: usize,
    resource: &Resource,
    repeat: &Repeat,
) -> Option<Diagnostic> {
    use crate::syntax::StepKind;
    let next = traversal.steps.get(steps)?;
    let span = traversal.root.span.to(next.span);
    let (argument, example) = match (repeat, &next.kind) {
        (Repeat::One, StepKind::Key(_) | StepKind::Number(_)) => {
            let detail = format!(
                "Because {resource} does not have \"count\" or \"for_each\" set, references to it \
                 must not include an index key. Remove the bracketed index to refer to the single \
                 instance of this resource."
            );
            return Some(Diagnostic::error("Unexpected resource instance key", detail).at(span));
        }
        (Repeat::Count(_), StepKind::Attr(_)) => ("count", "count.index"),
        (Repeat::ForEach(_), StepKind::Attr(_)) => ("for_each", "each.key"),
        _ => return None,
    };
    let detail = format!(
        "Because {resource} has {argument:?} set, its attributes must be accessed on specific \
         instances.\n\nFor example, to correlate with indices of a referring resource, use:\n    \
         {resource}[{example}]"
    );
    Some(Diagnostic::error("Missing resource instance key", detail).at(span))
}

/// The output that `module.x.out` or `module.x["k"].out` names.
pub(crate) fn call_output(traversal: &Traversal) -> Option<&Arc<str>> {
    use crate::syntax::StepKind;
    match traversal.steps.get(1..)?.iter().map(|it| &it.kind).collect::<Vec<_>>()[..] {
        [StepKind::Attr(output), ..] => Some(output),
        [_, StepKind::Attr(output), ..] => Some(output),
        _ => None,
    }
}
