//! Walks over the program in dependency order, feeding what each node will be to what refers to it.

mod data;
mod doubts;
mod look;
mod managed;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use plumb_diag::{Diagnostic, Diagnostics, Span};
use plumb_lang::config::IgnoreChanges;
use plumb_lang::proposal::check_ignored;
use plumb_lang::{Asked, Known, NodeId, NodeKind, World, nodes};
use plumb_model::addr::{Addr, ConfigAddr, Mode, ObjectKey, ProviderAddr};
use plumb_model::event::{Event, marked_like};
use plumb_model::plan::{Action, Change, OutputChange, Reason, ReplaceOrder, Replaced};
use plumb_model::propose::{mark_sensitive, propose};
use plumb_model::question::{Answer, Question, QuestionKey};
use plumb_model::state::{CheckResult, Object, State};
use plumb_model::value::{Marks, Value};

use crate::instance::{Comparison, compare};
use crate::refresh::{Looked, Settled, aside, imported, is_seen, look, settle};
use crate::targets::Included;
use crate::{Blocked, Input, PlanMode, moves};

/// What came of the walk.
pub(crate) struct Walked {
    pub(crate) prior: State,
    pub(crate) events: Vec<Event>,
    pub(crate) known: Known,
    pub(crate) changes: BTreeMap<ObjectKey, Change>,
    pub(crate) drift: BTreeMap<ObjectKey, (Value, Option<Value>)>,
    pub(crate) outputs: BTreeMap<Arc<str>, OutputChange>,
    pub(crate) notes: Diagnostics,
    pub(crate) providers: BTreeMap<Arc<ProviderAddr>, Value>,
    pub(crate) included: Included,
    pub(crate) checks: Vec<CheckResult>,
    pub(crate) check_notes: Diagnostics,
}

/// Whether the nodes that refer to a node can look at it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Status {
    Done,
    /// A question has to be answered first.
    Pending,
    /// It has an error.
    Broken,
}

pub(crate) struct Walk<'a> {
    pub(crate) input: Input<'a>,
    pub(crate) prior: State,
    pub(crate) events: Vec<Event>,
    pub(crate) known: Known,
    pub(crate) asked: Asked,
    pub(crate) changes: BTreeMap<ObjectKey, Change>,
    pub(crate) diagnostics: Diagnostics,
    check_notes: Diagnostics,
    pub(crate) providers: BTreeMap<Arc<ProviderAddr>, Value>,
    pub(crate) included: Included,
    drift: BTreeMap<ObjectKey, (Value, Option<Value>)>,
    outputs: BTreeMap<Arc<str>, OutputChange>,
    moved_from: BTreeMap<Addr, Addr>,
    imports: BTreeMap<Addr, (Arc<str>, Option<Span>)>,
    status: Vec<Status>,
    replaced: Replaced,
    /// By node: whether it, or something it refers to, changes in this plan.
    dirty: Vec<bool>,
}

pub(crate) fn walk(input: Input<'_>) -> Result<Walked, Box<Blocked>> {
    let mut walk = Walk {
        input,
        prior: input.state.clone(),
        events: Vec::new(),
        known: Known::new(input.program),
        asked: Asked::default(),
        changes: BTreeMap::new(),
        diagnostics: Vec::new(),
        check_notes: Vec::new(),
        providers: BTreeMap::new(),
        included: Included::new(input.program, &input.options.targets),
        drift: BTreeMap::new(),
        outputs: BTreeMap::new(),
        moved_from: BTreeMap::new(),
        imports: BTreeMap::new(),
        status: vec![Status::Done; input.program.nodes.len()],
        replaced: Replaced::default(),
        dirty: vec![false; input.program.nodes.len()],
    };
    if !input.state.in_doubt.is_empty() {
        walk.doubts()?;
    }
    walk.moves();
    walk.adopted();
    walk.imports();
    for index in 0..input.program.nodes.len() {
        walk.node(NodeId(index as u32));
    }
    walk.unasked();
    walk.blocked()?;
    walk.orphans();
    walk.dropped_outputs();
    walk.blocked()?;
    let checks = match input.options.mode {
        PlanMode::Destroy => Vec::new(),
        PlanMode::Normal | PlanMode::RefreshOnly => walk.asked.checks(&[]),
    };
    walk.providers_to_begin_with();
    Ok(Walked {
        checks,
        check_notes: walk.check_notes,
        prior: walk.prior,
        events: walk.events,
        known: walk.known,
        changes: walk.changes,
        drift: walk.drift,
        outputs: walk.outputs,
        notes: walk.diagnostics,
        providers: walk.providers,
        included: walk.included,
    })
}

impl Walk<'_> {
    pub(crate) fn world(&self) -> World<'_> {
        World {
            program: self.input.program,
            inputs: self.input.inputs,
            seen: self.input.seen,
            known: &self.known,
            asked: &self.asked,
        }
    }

    /// Errors first, then questions, else nothing is in the way.
    fn blocked(&mut self) -> Result<(), Box<Blocked>> {
        if self.diagnostics.iter().any(Diagnostic::is_error) {
            return Err(Box::new(Blocked::Invalid(std::mem::take(&mut self.diagnostics))));
        }
        if self.asked.is_empty() {
            return Ok(());
        }
        let questions = self.asked.take().into_values().collect();
        Err(Box::new(Blocked::Needs { questions, providers: self.providers.clone() }))
    }

    pub(crate) fn record(&mut self, event: Event) {
        match self.prior.record(&event) {
            Ok(()) => self.events.push(event),
            Err(error) => self.diagnostics.push(Diagnostic::error(
                "The state contradicts what was seen",
                format!("This is a bug in plumb: {error}."),
            )),
        }
    }

    fn moved(&mut self, events: Vec<Event>) {
        for event in events {
            if let Event::Moved { from, to } = &event {
                let first = self.moved_from.remove(from).unwrap_or_else(|| from.clone());
                self.moved_from.insert(to.clone(), first);
            }
            self.events.push(event);
        }
    }

    /// Carries out `moved` blocks. The records of what leans on a moved object come first: were
    /// they lost after the move, nobody would know any more.
    fn moves(&mut self) {
        if self.input.program.modules.iter().all(|it| it.config.moved.is_empty()) {
            return;
        }
        let before = self.prior.clone();
        let moved = moves::moved(self.input.program, &mut self.prior, &mut self.diagnostics);
        let leaning = moves::leaning(&before, &moved);
        if !leaning.is_empty() {
            self.prior = before;
            leaning.into_iter().for_each(|it| self.record(it));
            for event in &moved {
                self.prior.record(event).expect("what was moved once moves again");
            }
        }
        self.moved(moved);
    }

    /// What the configuration still has is looked after by the provider that its block names now:
    /// the one that made it may be configured from the object itself by now.
    fn adopted(&mut self) {
        let program = self.input.program;
        let mut block: Option<(ConfigAddr, Option<Arc<ProviderAddr>>)> = None;
        let mut adopted = Vec::new();
        for (key, object) in &self.prior.objects {
            let same = |it: &ConfigAddr| {
                it.resource == key.addr.resource
                    && it.module.0.len() == key.addr.module.0.len()
                    && it.module.0.iter().eq(key.addr.module.0.iter().map(|it| &it.name))
            };
            if !block.as_ref().is_some_and(|it| same(&it.0)) {
                let config = key.addr.config();
                let provider = program.find(&config).and_then(|id| match &program.node(id).kind {
                    NodeKind::Resource(resource) => Some(resource.provider.clone()),
                    _ => None,
                });
                block = Some((config, provider));
            }
            if let Some((_, Some(provider))) = &block
                && *provider != object.provider
                && provider.source == object.provider.source
            {
                let object = Object { provider: provider.clone(), ..object.clone() };
                adopted.push(Event::Recorded { key: key.clone(), object });
            }
        }
        adopted.into_iter().for_each(|it| self.record(it));
    }

    /// Which addresses are to be brought in.
    fn imports(&mut self) {
        for (addr, id) in &self.input.options.imports {
            self.imports.insert(addr.clone(), (id.clone(), None));
        }
        let Some(root) = self.input.program.modules.first() else { return };
        if root.config.imports.is_empty() {
            return;
        }
        // What to bring in may be said by variables, locals, and what is remembered.
        let mut ignored = Vec::new();
        for index in 0..self.input.program.nodes.len() {
            self.remembered(NodeId(index as u32), &mut ignored);
        }
        let mut errors = Vec::new();
        for import in &root.config.imports {
            for (addr, id) in nodes::import(self.world(), import, &mut errors) {
                if self.input.program.find(&addr.config()).is_none() {
                    let detail = format!(
                        "The configuration for the given import target {addr} does not exist. All \
                         target instances must have an associated configuration to be imported."
                    );
                    let summary = "Configuration for import target does not exist";
                    errors.push(Diagnostic::error(summary, detail).at(import.to_expr.span));
                    continue;
                }
                self.imports.insert(addr, (id, Some(import.span)));
            }
        }
        self.diagnostics.extend(errors);
        self.known = Known::new(self.input.program);
        self.providers.clear();
        // Asked too early, with what is only remembered.
        self.asked.take();
    }

    fn node(&mut self, id: NodeId) {
        let program = self.input.program;
        let node = program.node(id);
        let index = id.0 as usize;
        self.dirty[index] = node.refs.iter().any(|it| self.dirty[it.0 as usize]);
        let worst = |a: Status, b: Status| match (a, b) {
            (Status::Broken, _) | (_, Status::Broken) => Status::Broken,
            (Status::Pending, _) | (_, Status::Pending) => Status::Pending,
            _ => Status::Done,
        };
        let refs = node.refs.iter().map(|it| self.status[it.0 as usize]);
        self.status[index] = refs.fold(Status::Done, worst);
        if self.status[index] != Status::Done {
            return;
        }
        // What is taken away, or left out, need not be whole; it is what it was.
        let left_out = !self.included.node(index);
        let destroyed = self.input.options.mode == PlanMode::Destroy
            && !matches!(node.kind, NodeKind::Variable(_));
        if left_out || destroyed {
            let mut ignored = Vec::new();
            return self.remembered(id, &mut ignored);
        }
        for instance in 0..self.known.module(node.module).len() as u32 {
            let errors = self.errors();
            let questions = self.asked.len();
            self.in_instance(id, instance);
            if self.errors() > errors {
                self.status[index] = Status::Broken;
            } else if self.asked.len() > questions {
                self.status[index] = worst(self.status[index], Status::Pending);
            }
        }
    }

    fn errors(&self) -> usize {
        self.diagnostics.iter().filter(|it| it.is_error()).count()
    }

    fn in_instance(&mut self, id: NodeId, instance: u32) {
        let program = self.input.program;
        let node = program.node(id);
        let mut diagnostics = std::mem::take(&mut self.diagnostics);
        match &node.kind {
            NodeKind::Gate(_) | NodeKind::Done(_) => {}
            NodeKind::Check(_) => {
                if self.included.node(id.0 as usize) {
                    let mut found = Vec::new();
                    nodes::check(self.world(), id, instance, &mut found);
                    let (errors, notes): (Vec<_>, Vec<_>) =
                        found.into_iter().partition(Diagnostic::is_error);
                    self.check_notes.extend(notes);
                    diagnostics.extend(errors);
                }
            }
            NodeKind::Variable(_) | NodeKind::Local(_) => {
                let value = nodes::value(self.world(), id, instance, &mut diagnostics);
                self.known.set(program, id, instance, value);
            }
            NodeKind::Output(name) => {
                let value = if self.included.node(id.0 as usize)
                    || !program.module(node.module).path.is_root()
                {
                    nodes::value(self.world(), id, instance, &mut diagnostics)
                } else {
                    self.prior.outputs.get(name).cloned().unwrap_or(Value::NULL)
                };
                if program.module(node.module).path.is_root() {
                    self.output(name, value.clone());
                }
                self.known.set(program, id, instance, value);
            }
            NodeKind::Provider(provider) => {
                let value = nodes::value(self.world(), id, instance, &mut diagnostics);
                self.providers.insert(provider.addr.clone(), value.unmark_deep());
            }
            NodeKind::Call(name, child) => {
                let instances = nodes::instances(self.world(), id, instance, &mut diagnostics);
                self.known.set_call(id, node.module, *child, instance, name, instances);
            }
            NodeKind::Resource(_) => {
                let instances = nodes::instances(self.world(), id, instance, &mut diagnostics);
                self.known.set_resource(id, instance, instances);
                std::mem::swap(&mut self.diagnostics, &mut diagnostics);
                self.resource(id, instance);
                std::mem::swap(&mut self.diagnostics, &mut diagnostics);
            }
        }
        let found = std::mem::replace(&mut self.diagnostics, diagnostics);
        self.diagnostics.extend(found);
    }

    fn output(&mut self, name: &Arc<str>, value: Value) {
        let root = &self.input.program.modules[0].config;
        let declared = root.outputs.get(name);
        if declared.is_some_and(|it| it.ephemeral) {
            return;
        }
        let before = self.prior.outputs.get(name).cloned();
        let after = Some(value).filter(|it| !it.is_null());
        let sensitive = declared.is_some_and(|it| it.sensitive);
        self.outputs.insert(name.clone(), OutputChange { before, after, sensitive });
    }

    /// Outputs that the configuration no longer has.
    fn dropped_outputs(&mut self) {
        if self.included.is_partial() {
            return;
        }
        let root = self.input.program.modules.first();
        let destroy = self.input.options.mode == PlanMode::Destroy;
        for (name, value) in &self.prior.outputs {
            if destroy || !root.is_some_and(|it| it.config.outputs.contains_key(name)) {
                let sensitive = value.has_mark(Marks::SENSITIVE);
                let gone = OutputChange { before: Some(value.clone()), after: None, sensitive };
                self.outputs.insert(name.clone(), gone);
            }
        }
    }

    /// Addresses of the program that this plan looked at.
    pub(crate) fn moved_to(&self, addr: &Addr) -> Option<Addr> {
        self.moved_from.get(addr).cloned()
    }

    /// The resource blocks that must not be deleted, with their place.
    pub(crate) fn prevents(&self) -> BTreeSet<plumb_model::addr::ConfigAddr> {
        let program = self.input.program;
        let blocks = program.resources().filter(|(id, resource)| {
            let config = &program.module(program.node(*id).module).config;
            config.resources[&resource.addr.resource].lifecycle.prevent_destroy
        });
        blocks.map(|(_, it)| it.addr.clone()).collect()
    }
}

/// The refusal to delete what must not be deleted.
pub(crate) fn prevented(addr: &Addr, span: Span) -> Diagnostic {
    let detail = format!(
        "Resource {addr} has lifecycle.prevent_destroy set, but the plan calls for this resource \
         to be destroyed. To avoid this error and continue with the plan, either disable \
         lifecycle.prevent_destroy or reduce the scope of the plan using the -target option."
    );
    Diagnostic::error("Instance cannot be destroyed", detail).at(span).about(addr.to_string())
}
