//! Which attributes of which resources the changes of a plan come from.
//!
//! From each changed block to what its body refers to, and on through locals, outputs, arguments and
//! other resources' arguments. Instances of one block refer to the same, so they count once.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use plumb_model::addr::{Addr, InstanceKey, ModuleInstance, ModuleStep};
use plumb_model::value::{Number, Path, Step, Value};

use crate::eval;
use crate::program::{ModuleId, Name, NodeKind, Program};
use crate::syntax::{self, Expr, StepKind, Traversal};

/// The resource (an instance where the reference names one, else the block) and the path into it,
/// sorted: everything that the given resources and outputs of the root module come from.
pub fn relevant_attributes<'a>(
    program: &Program,
    resources: impl IntoIterator<Item = &'a Addr>,
    outputs: impl IntoIterator<Item = &'a Arc<str>>,
) -> Vec<(String, Path)> {
    let mut search = Search { program, found: BTreeSet::new(), queue: VecDeque::new() };
    let mut last = None;
    for addr in resources {
        // Instances of one block come in a row.
        let block = (&addr.module, &addr.resource);
        if last.replace(block) != Some(block)
            && let Some(module) = search.module(&addr.module)
            && let Some(block) = program.module(module).config.resources.get(&addr.resource)
        {
            search.all(module, &addr.module, eval::body_references(&block.body));
        }
    }
    if let Some(root) = program.modules.first() {
        for output in outputs.into_iter().filter_map(|it| root.config.outputs.get(it)) {
            search.expr(ModuleId(0), &ModuleInstance::default(), &output.expr);
        }
    }
    let mut seen = BTreeSet::new();
    let mut res = Vec::new();
    while let Some(it) = search.queue.pop_front() {
        search.follow(it, &mut seen, &mut res);
    }
    res.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.cmp(&b.1)));
    res
}

/// A reference in one instance of a module.
struct Reference<'a> {
    module: ModuleId,
    instance: ModuleInstance,
    traversal: &'a Traversal,
}

struct Search<'a> {
    program: &'a Program,
    /// Expressions that were looked at, by where they are written and in which instance.
    found: BTreeSet<(plumb_diag::Span, String)>,
    queue: VecDeque<Reference<'a>>,
}

impl<'a> Search<'a> {
    fn module(&self, addr: &ModuleInstance) -> Option<ModuleId> {
        let mut id = ModuleId(0);
        for step in addr.0.iter() {
            id = self.program.module(id).names.calls.get(&step.name)?.1;
        }
        Some(id)
    }

    fn expr(&mut self, module: ModuleId, instance: &ModuleInstance, expr: &'a Expr) {
        self.all(module, instance, eval::references(expr));
    }

    fn all(&mut self, module: ModuleId, instance: &ModuleInstance, all: Vec<&'a Traversal>) {
        for traversal in all {
            if self.found.insert((traversal.span(), instance.to_string())) {
                let instance = instance.clone();
                self.queue.push_back(Reference { module, instance, traversal });
            }
        }
    }

    fn follow(
        &mut self,
        it: Reference<'a>,
        seen: &mut BTreeSet<(String, String)>,
        res: &mut Vec<(String, Path)>,
    ) {
        let Reference { module: id, instance, traversal } = it;
        let program = self.program;
        let module = program.module(id);
        let Ok((name, steps)) = module.lookup(traversal) else { return };
        let config = &module.config;
        let rest = &traversal.steps[steps..];
        match name {
            Name::Node(node) => match &program.node(node).kind {
                NodeKind::Local(name) => self.expr(id, &instance, &config.locals[name].expr),
                NodeKind::Variable(name) => {
                    let Some((parent, call)) = module.parent else { return };
                    let NodeKind::Call(call, _) = &program.node(call).kind else { return };
                    let body = &program.module(parent).config.calls[call].body;
                    let above = instance.0.split_last().map_or(&[][..], |it| it.1);
                    if let Some(argument) = body.attribute(name) {
                        self.expr(parent, &ModuleInstance(above.into()), &argument.expr);
                    }
                }
                NodeKind::Resource(resource) => {
                    let key = rest.first().and_then(key);
                    let rest = &rest[usize::from(key.is_some())..];
                    let resource = &resource.addr.resource;
                    let addr = Addr { module: instance.clone(), resource: resource.clone(), key };
                    let path = Path::from(rest.iter().filter_map(step).collect::<Vec<_>>());
                    let new = (addr.to_string(), path.to_string());
                    if !seen.insert(new.clone()) {
                        return;
                    }
                    res.push((new.0, path));
                    let body = &config.resources[resource].body;
                    let attr = match rest.first().map(|it| &it.kind) {
                        Some(StepKind::Attr(name)) => Some(name),
                        _ => None,
                    };
                    match attr {
                        None => self.all(id, &instance, eval::body_references(body)),
                        Some(name) => {
                            if let Some(argument) = body.attribute(name) {
                                self.expr(id, &instance, &argument.expr);
                            }
                            for block in body.blocks().filter(|it| it.kind.text == *name) {
                                self.all(id, &instance, eval::body_references(&block.body));
                            }
                        }
                    }
                }
                _ => {}
            },
            Name::Call(_, child) if child != ModuleId(0) => {
                let Some(StepKind::Attr(call)) = traversal.steps.first().map(|it| &it.kind) else {
                    return;
                };
                let key = rest.first().and_then(key);
                let inside = ModuleStep { name: call.clone(), key };
                let steps: Vec<ModuleStep> = instance.0.iter().cloned().chain([inside]).collect();
                let inside = ModuleInstance(steps.into());
                let outputs = &program.module(child).config.outputs;
                match crate::compile::call_output(traversal) {
                    Some(name) => {
                        if let Some(output) = outputs.get(name) {
                            self.expr(child, &inside, &output.expr);
                        }
                    }
                    None => outputs.values().for_each(|it| self.expr(child, &inside, &it.expr)),
                }
            }
            _ => {}
        }
    }
}

fn key(step: &syntax::Step) -> Option<InstanceKey> {
    match &step.kind {
        StepKind::Attr(_) => None,
        StepKind::Key(key) => Some(InstanceKey::Str(key.clone())),
        StepKind::Number(text) | StepKind::Legacy(text) => text.parse().ok().map(InstanceKey::Int),
    }
}

fn step(step: &syntax::Step) -> Option<Step> {
    Some(match &step.kind {
        StepKind::Attr(name) => Step::Attr(name.clone()),
        StepKind::Key(key) => Step::Index(Value::shared_string(key)),
        StepKind::Number(text) | StepKind::Legacy(text) => {
            Step::Index(Value::number(Number::parse(text)?))
        }
    })
}
