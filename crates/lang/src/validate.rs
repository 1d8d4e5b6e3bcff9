//! What can be said about a program without values: every block is evaluated once, with everything
//! that comes from outside unknown.

use std::collections::BTreeSet;
use std::sync::Arc;

use plumb_diag::{Diagnostic, Diagnostics, Span};
use plumb_model::question::{Answer, FileQuestion};
use plumb_model::value::{Marks, Path, Step, Type, Value, convert};

use crate::compile::call_output;
use crate::config::{Condition, Repeat};
use crate::eval::{self, Constants, Names, WhenUnknown};
use crate::nodes::{
    check_connection, check_provisioner, check_removed_provisioner, refuse_ephemeral,
    without_ephemeral,
};
use crate::program::{ModuleId, Name, Node, NodeId, NodeKind, Program};
use crate::scope::{no_count, no_each, no_self};
use crate::suggest::suggest;
use crate::syntax::{Block, Body, Traversal};

/// Reports what is wrong with the blocks of a program, whatever its inputs will be.
pub fn validate(program: &Program) -> Diagnostics {
    let mut validator = Validator {
        program,
        values: vec![Value::dynamic(); program.nodes.len()],
        diagnostics: Vec::new(),
    };
    for (id, node) in program.nodes() {
        let value = validator.node(node);
        validator.values[id.0 as usize] = value;
    }
    for (resource, span) in program.modules.iter().flat_map(|it| &it.config.ephemerals) {
        let provider = resource.kind.provider_name();
        let detail = format!(
            "The provider {provider} does not support ephemeral resource {:?}.",
            &*resource.kind
        );
        let error = Diagnostic::error("Invalid ephemeral resource", detail);
        validator.diagnostics.push(error.at(*span));
    }
    for removed in program.modules.iter().flat_map(|it| &it.config.removed) {
        for it in &removed.provisioners {
            check_removed_provisioner(it, &mut validator.diagnostics);
        }
    }
    // A module that is called twice has its mistakes twice.
    let mut seen = BTreeSet::new();
    let key = |it: &Diagnostic| (it.span, it.summary.clone(), it.detail.clone());
    validator.diagnostics.retain(|it| it.span.is_none() || seen.insert(key(it)));
    validator.diagnostics
}

struct Validator<'a> {
    program: &'a Program,
    /// By node; only smaller ones are looked at.
    values: Vec<Value>,
    diagnostics: Diagnostics,
}

/// What names mean in a module when nothing is known.
struct Place<'a> {
    program: &'a Program,
    values: &'a [Value],
    module: ModuleId,
    repeat: &'a Repeat,
    itself: Option<&'a Value>,
    /// A variable that its own validations may look at.
    variable: Option<(&'a str, &'a Value)>,
}

impl<'a> Validator<'a> {
    fn place<'v>(&'v self, module: ModuleId) -> Place<'v>
    where
        'a: 'v,
    {
        Place {
            program: self.program,
            values: &self.values,
            module,
            repeat: &Repeat::One,
            itself: None,
            variable: None,
        }
    }

    /// Looks at one node; returns what may be said of its value.
    fn node(&mut self, node: &'a Node) -> Value {
        let mut found = Vec::new();
        let config = &self.program.module(node.module).config;
        let value = match &node.kind {
            NodeKind::Variable(name) => self.variable(node, name, &mut found),
            NodeKind::Local(name) => {
                eval::evaluate(&config.locals[name].expr, &self.place(node.module), &mut found)
            }
            NodeKind::Output(name) => {
                let output = &config.outputs[name];
                let place = self.place(node.module);
                conditions(&output.preconditions, &place, &mut found);
                let value = eval::evaluate(&output.expr, &place, &mut found);
                let root = self.program.module(node.module).path.is_root();
                if !found.iter().any(Diagnostic::is_error) {
                    crate::nodes::check_output(output, root, &value, &mut found);
                }
                if output.sensitive && root { value.with_marks(Marks::SENSITIVE) } else { value }
            }
            NodeKind::Call(name, child) => {
                self.call(node, name, *child, &mut found);
                Value::dynamic()
            }
            NodeKind::Gate(_) | NodeKind::Done(_) => Value::dynamic(),
            NodeKind::Check(name) => {
                conditions(&config.checks[name].asserts, &self.place(node.module), &mut found);
                Value::dynamic()
            }
            NodeKind::Provider(provider) => {
                let block = provider.block.as_ref().and_then(|it| config.providers.get(it));
                if let Some(block) = block {
                    eval::check(&block.body, &provider.schema.config, &mut found);
                    let place = self.place(node.module);
                    let body = eval::body(&block.body, &provider.schema.config, &place, &mut found);
                    drop(body);
                }
                Value::dynamic()
            }
            NodeKind::Resource(resource) => {
                let block = &config.resources[&resource.addr.resource];
                let place = self.place(node.module);
                repeat(&block.repeat, &place, &mut found);
                let inside = Place { repeat: &block.repeat, ..place };
                eval::check(&block.body, &resource.schema.block, &mut found);
                let written = eval::body(&block.body, &resource.schema.block, &inside, &mut found);
                refuse_ephemeral(&resource.schema.block, &block.body, &written, &mut found);
                let sound = !found.iter().any(Diagnostic::is_error);
                if let Some(validate) = resource.schema.validate.filter(|_| sound) {
                    found.extend(validate(&written.unmark_deep()).into_iter().map(|problem| {
                        Diagnostic::error(problem.summary, problem.detail)
                            .at(argument_span(&block.body, &problem.path).unwrap_or(block.span))
                            .about(resource.addr.to_string())
                    }));
                }
                let one = Value::unknown(resource.schema.block.ty().clone()).refine_not_null();
                conditions(&block.lifecycle.preconditions, &inside, &mut found);
                let inside = Place { itself: Some(&one), ..inside };
                conditions(&block.lifecycle.postconditions, &inside, &mut found);
                for it in &block.provisioners {
                    check_provisioner(it, &inside, &mut found);
                    let (own, shared) = (it.connection.as_deref(), block.connection.as_deref());
                    check_connection(own, shared, &inside, &mut found);
                }
                match block.repeat {
                    Repeat::One => one,
                    Repeat::Count(_) | Repeat::ForEach(_) => Value::dynamic(),
                }
            }
        };
        self.diagnostics.append(&mut found);
        value
    }

    fn variable(&self, node: &Node, name: &Arc<str>, found: &mut Diagnostics) -> Value {
        let module = self.program.module(node.module);
        let variable = &module.config.variables[name];
        let unknown = Value::unknown(variable.ty.without_optional());
        let mut value = unknown.clone();
        let mut given_at = None;
        if let Some(default) = &variable.default {
            let mut given = eval::evaluate(default, &Constants, found);
            if let Some(defaults) = &variable.defaults {
                given = defaults.apply(&given);
            }
            if module.parent.is_some() {
                value = convert(&given, &variable.ty).unwrap_or_else(|_| unknown.clone());
            }
        }
        if let Some((parent, call)) = module.parent
            && let NodeKind::Call(call, _) = &self.program.node(call).kind
        {
            let call = &self.program.module(parent).config.calls[call];
            if let Some(argument) = call.body.attribute(name) {
                let place = Place { repeat: &call.repeat, ..self.place(parent) };
                let before = found.len();
                given_at = Some(argument.expr.span);
                let given = eval::evaluate(&argument.expr, &place, found);
                let given = match &variable.defaults {
                    Some(defaults) => defaults.apply(&given),
                    None => given,
                };
                value = match convert(&given, &variable.ty) {
                    Ok(it) if it.is_null() && !variable.nullable && variable.default.is_none() => {
                        found.push(
                            Diagnostic::error(
                                "Required variable not set",
                                format!(
                                    "The given value is not suitable for {}.var.{name}: required \
                                     variable may not be set to null.",
                                    module.path
                                ),
                            )
                            .at(argument.expr.span),
                        );
                        unknown
                    }
                    Ok(it) if it.is_null() && !variable.nullable => value,
                    Ok(it) => it,
                    Err(error) if found.len() == before => {
                        let detail = format!(
                            "The given value is not suitable for {}.var.{name}: {}.",
                            module.path,
                            eval::message(&error)
                        );
                        let error = Diagnostic::error("Invalid value for input variable", detail);
                        found.push(error.at(argument.expr.span));
                        unknown
                    }
                    Err(_) => unknown,
                };
            }
        }
        if let Some(span) = given_at.filter(|_| !variable.ephemeral) {
            value = without_ephemeral(name, value, span, found);
        }
        if variable.sensitive {
            value = value.with_marks(Marks::SENSITIVE);
        }
        if variable.ephemeral {
            value = value.with_marks(Marks::EPHEMERAL);
        }
        let place = Place { variable: Some((name, &value)), ..self.place(node.module) };
        let before = found.len();
        conditions(&variable.validations, &place, found);
        if found.len() == before && module.parent.is_some() {
            let span = given_at.unwrap_or(variable.span);
            for it in &variable.validations {
                found.extend(violated(name, it, &place, &value, span));
            }
        }
        value
    }

    fn call(&self, node: &Node, name: &Arc<str>, child: ModuleId, found: &mut Diagnostics) {
        let call = &self.program.module(node.module).config.calls[name];
        repeat(&call.repeat, &self.place(node.module), found);
        // The module that is called is not there; that is said elsewhere.
        if child == ModuleId(0) {
            return;
        }
        let variables = &self.program.module(child).config.variables;
        for argument in call.body.attributes() {
            let given = &*argument.name.text;
            if variables.contains_key(given) {
                continue;
            }
            let detail = format!("An argument named {given:?} is not expected here.");
            let mut error =
                Diagnostic::error("Unsupported argument", detail).at(argument.name.span);
            if let Some(near) = suggest(given, variables.keys().map(|it| &**it)) {
                error = error.hint(format!("Did you mean {near:?}?"));
            }
            found.push(error);
        }
        for block in call.body.blocks() {
            let detail = format!("Blocks of type {:?} are not expected here.", &*block.kind.text);
            found.push(Diagnostic::error("Unsupported block type", detail).at(block.kind.span));
        }
        for (name, variable) in variables {
            if variable.default.is_none() && call.body.attribute(name).is_none() {
                let detail =
                    format!("The argument {:?} is required, but no definition was found.", &**name);
                found.push(Diagnostic::error("Missing required argument", detail).at(call.span));
            }
        }
    }
}

fn repeat(repeat: &Repeat, place: &Place<'_>, found: &mut Diagnostics) {
    match repeat {
        Repeat::One => {}
        Repeat::Count(expr) => {
            eval::count(expr, place, WhenUnknown::Keep, found);
        }
        Repeat::ForEach(expr) => {
            eval::for_each(expr, place, WhenUnknown::Keep, found);
        }
    }
}

fn conditions(conditions: &[Condition], place: &Place<'_>, found: &mut Diagnostics) {
    for it in conditions {
        let before = found.len();
        let value = eval::evaluate(&it.condition, place, found);
        if found.len() == before
            && let Err(error) = convert(&value.unmark_deep(), &Type::Bool)
        {
            let detail = format!("Invalid condition result value: {}.", eval::message(&error));
            found.push(Diagnostic::error("Invalid condition result", detail).at(it.condition.span));
        }
        eval::evaluate(&it.error_message, place, found);
    }
}

/// What is said if the value is known to be against a validation rule.
fn violated(
    name: &str,
    rule: &Condition,
    place: &Place<'_>,
    value: &Value,
    span: Span,
) -> Option<Diagnostic> {
    let mut ignored = Vec::new();
    let holds = eval::evaluate(&rule.condition, place, &mut ignored).unmark_deep();
    if convert(&holds, &Type::Bool).ok()?.as_bool() != Some(false) {
        return None;
    }
    let message = eval::evaluate(&rule.error_message, place, &mut ignored);
    let message = message.as_str()?;
    let detail = format!(
        "{}\n\nThis was checked by the validation rule at the place shown below.",
        message.trim()
    );
    let mut error = Diagnostic::error("Invalid value for variable", detail)
        .at(span)
        .related(rule.span, "the validation rule");
    error.values = vec![(format!("var.{name}"), eval::describe(value))];
    Some(error)
}

/// Where the first step of `path` is written.
pub(crate) fn argument_span(body: &Body, path: &Path) -> Option<Span> {
    let Some(Step::Attr(name)) = path.steps().first() else { return None };
    if let Some(argument) = body.attribute(name) {
        return Some(argument.expr.span);
    }
    body.blocks().find(|it| it.kind.text == *name).map(Block::header_span)
}

impl Place<'_> {
    fn value(&self, id: NodeId) -> Value {
        self.values.get(id.0 as usize).cloned().unwrap_or_else(Value::dynamic)
    }
}

impl Names for Place<'_> {
    fn resolve(&self, traversal: &Traversal) -> Result<(Value, usize), Box<Diagnostic>> {
        let module = self.program.module(self.module);
        let (name, steps) = module.lookup(traversal)?;
        let text = || Value::unknown(Type::String).refine_not_null();
        let value = match name {
            Name::Node(id) => match (&self.program.node(id).kind, self.variable) {
                (NodeKind::Variable(name), Some((own, value))) if **name == *own => value.clone(),
                _ => self.value(id),
            },
            Name::Call(call, child) => {
                let NodeKind::Call(call, _) = &self.program.node(call).kind else {
                    return Ok((Value::dynamic(), 1));
                };
                let output = call_output(traversal)
                    .filter(|_| matches!(module.config.calls[call].repeat, Repeat::One))
                    .and_then(|it| self.program.module(child).names.outputs.get(it));
                return Ok(match output {
                    // What is ephemeral of a module is looked at when it is planned.
                    Some(id) if child != ModuleId(0) => {
                        let (value, marks) = self.value(*id).unmark();
                        (value.with_marks(marks.without(Marks::EPHEMERAL)), 2)
                    }
                    _ => (Value::dynamic(), 1),
                });
            }
            Name::EachKey | Name::EachValue if !matches!(self.repeat, Repeat::ForEach(_)) => {
                return Err(no_each(name, traversal.span()));
            }
            Name::EachKey => text(),
            Name::EachValue => Value::dynamic(),
            Name::CountIndex => match self.repeat {
                Repeat::Count(_) => Value::unknown(Type::Number).refine_not_null(),
                _ => return Err(no_count(traversal.span())),
            },
            Name::SelfObject => match self.itself {
                Some(value) => value.clone(),
                None => return Err(no_self(traversal.span())),
            },
            Name::PathModule => Value::string(&*module.dir),
            Name::PathRoot => Value::string("."),
            Name::PathCwd | Name::Workspace => text(),
        };
        Ok((value, steps))
    }

    fn file(&self, _: &FileQuestion) -> Option<Answer> {
        None
    }
}
