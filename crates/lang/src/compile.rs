//! Modules to a [`Program`]: names are resolved, providers assigned, nodes put in order.

mod order;
mod providers;
mod references;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use petgraph::algo::{kosaraju_scc, toposort};
use petgraph::graph::{DiGraph, NodeIndex};
use plumb_diag::{Diagnostic, Diagnostics, Span};
use plumb_model::addr::{ConfigAddr, Mode, ModulePath, ProviderAddr, Resource};
use plumb_model::schema::Schemas;

use crate::config::{Condition, Module, ProviderName, ProviderRef, Repeat, ResourceBlock, When};
use crate::eval;
use crate::program::*;
use crate::syntax::{Expr, Traversal};

use order::order;
use references::References;
pub(crate) use references::{call_output, names_node, self_reference};

/// The modules of a configuration: the root, and for every module the directories that its calls
/// lead to.
#[derive(Clone, Debug, Default)]
pub struct ModuleTree {
    /// By directory, relative to the working directory; the root is `.`.
    pub dirs: BTreeMap<Arc<str>, Arc<Module>>,
    /// Where the root is.
    pub root: Arc<str>,
}

/// How deep modules may call each other. A module that calls itself ends here.
const DEPTH_MAX: usize = 100;

/// Resolves names and puts everything in order. The program is whole only if no diagnostic is an
/// error.
pub fn compile(tree: &ModuleTree, schemas: &Schemas) -> (Program, Diagnostics) {
    let adapted = crate::json::with_blocks(tree, schemas);
    let mut compiler = Compiler {
        tree: adapted.as_ref().unwrap_or(tree),
        schemas,
        modules: Vec::new(),
        scopes: Vec::new(),
        nodes: Vec::new(),
        providers: BTreeMap::new(),
        diagnostics: Vec::new(),
    };
    compiler.modules();
    compiler.references();
    let Compiler { modules, nodes, diagnostics, .. } = compiler;
    order(modules, nodes, diagnostics)
}

/// A node whose references are still being collected.
struct Draft {
    module: ModuleId,
    kind: NodeKind,
    refs: BTreeSet<u32>,
    span: Option<Span>,
}

/// What a module sees of providers, and the gate it stands behind.
#[derive(Clone, Default)]
struct ModuleScope {
    /// Local provider names to configurations.
    providers: BTreeMap<ProviderName, Arc<ProviderAddr>>,
    gate: Option<NodeId>,
    done: Option<NodeId>,
}

struct Compiler<'a> {
    tree: &'a ModuleTree,
    schemas: &'a Schemas,
    modules: Vec<ProgramModule>,
    scopes: Vec<ModuleScope>,
    nodes: Vec<Draft>,
    providers: BTreeMap<Arc<ProviderAddr>, NodeId>,
    diagnostics: Diagnostics,
}

impl Compiler<'_> {
    fn add(&mut self, module: ModuleId, kind: NodeKind, span: Option<Span>) -> NodeId {
        let id = NodeId(u32::try_from(self.nodes.len()).expect("fewer than 2^32 blocks"));
        self.nodes.push(Draft { module, kind, refs: BTreeSet::new(), span });
        id
    }

    /// Makes the modules and their nodes, parents first.
    fn modules(&mut self) {
        let root = self.tree.root.clone();
        let Some(config) = self.tree.dirs.get(&root) else { return };
        let mut queue = std::collections::VecDeque::new();
        queue.push_back((
            ModulePath::default(),
            None,
            root,
            config.clone(),
            ModuleScope::default(),
        ));
        while let Some((path, parent, dir, config, scope)) = queue.pop_front() {
            let id = ModuleId(self.modules.len() as u32);
            if let Some((ModuleId(parent), NodeId(call))) = parent {
                // The call was made before its module had a number.
                if let NodeKind::Call(name, module) = &mut self.nodes[call as usize].kind {
                    *module = id;
                    let name = name.clone();
                    self.modules[parent as usize].names.calls.insert(name, (NodeId(call), id));
                }
            }
            let module = ProgramModule { path, parent, dir, config, names: Names::default() };
            self.modules.push(module);
            self.scopes.push(scope);
            for (call, child) in self.module(id) {
                if child.0.0.len() > DEPTH_MAX {
                    let span = self.nodes[call.0 as usize].span;
                    let error = Diagnostic::error(
                        "Module nesting too deep",
                        format!(
                            "Modules call each other more than {DEPTH_MAX} levels deep; a module cannot call itself."
                        ),
                    );
                    self.diagnostics.push(Diagnostic { span, ..error });
                    continue;
                }
                queue.push_back((child.0, Some((id, call)), child.1, child.2, child.3));
            }
        }
    }

    /// Makes the nodes of one module; returns the modules it calls.
    #[expect(clippy::type_complexity, reason = "local to the queue above")]
    fn module(
        &mut self,
        id: ModuleId,
    ) -> Vec<(NodeId, (ModulePath, Arc<str>, Arc<Module>, ModuleScope))> {
        let config = self.modules[id.0 as usize].config.clone();
        self.provider_scope(id, &config);
        let mut names = Names::default();
        for (name, it) in &config.variables {
            let node = self.add(id, NodeKind::Variable(name.clone()), Some(it.span));
            names.variables.insert(name.clone(), node);
        }
        for (name, it) in &config.locals {
            let node = self.add(id, NodeKind::Local(name.clone()), Some(it.span));
            names.locals.insert(name.clone(), node);
        }
        for (name, it) in &config.outputs {
            let node = self.add(id, NodeKind::Output(name.clone()), Some(it.span));
            names.outputs.insert(name.clone(), node);
        }
        for (resource, block) in &config.resources {
            if let Some(node) = self.resource(id, resource, block) {
                let by_kind = match resource.mode {
                    Mode::Managed => &mut names.managed,
                    Mode::Data => &mut names.data,
                };
                by_kind
                    .entry(resource.kind.0.clone())
                    .or_default()
                    .insert(resource.name.clone(), node);
            }
        }
        let mut children = Vec::new();
        let scope = self.scopes[id.0 as usize].clone();
        for (name, call) in &config.calls {
            let node = self.add(id, NodeKind::Call(name.clone(), ModuleId(0)), Some(call.span));
            names.calls.insert(name.clone(), (node, ModuleId(0)));
            let module = &self.modules[id.0 as usize];
            let Some(dir) = local_dir(&module.dir, &call.source) else {
                self.diagnostics.push(unsupported_source(&call.source).at(call.source_span));
                continue;
            };
            // Not there: the loader has said so.
            let Some(child) = self.tree.dirs.get(&dir).cloned() else { continue };
            let mut inner = ModuleScope { gate: scope.gate, ..ModuleScope::default() };
            if !call.depends_on.is_empty() || scope.gate.is_some() {
                inner.gate = Some(self.add(id, NodeKind::Gate(name.clone()), Some(call.span)));
            }
            // Configurations are handed down by name; those without alias by themselves.
            for (provider, addr) in &scope.providers {
                if provider.alias.is_none() {
                    inner.providers.insert(provider.clone(), addr.clone());
                }
            }
            for (theirs, ours) in &call.providers {
                if let Some(error) = self.other_provider(id, &child, name, theirs, ours) {
                    self.diagnostics.push(error);
                    continue;
                }
                match scope.providers.get(&ours.name) {
                    Some(addr) => {
                        inner.providers.insert(theirs.name.clone(), addr.clone());
                    }
                    None => match self.implied_provider(id, &ours.name, ours.span) {
                        Some(addr) => {
                            inner.providers.insert(theirs.name.clone(), addr);
                        }
                        None => {
                            let detail = format!(
                                "The provider configuration {} is not declared in {}.",
                                display(&ours.name),
                                self.modules[id.0 as usize].title()
                            );
                            let error =
                                Diagnostic::error("Provider configuration not present", detail);
                            self.diagnostics.push(error.at(ours.span));
                        }
                    },
                }
            }
            let path = self.modules[id.0 as usize].path.child(name);
            children.push((node, (path, dir, child, inner)));
        }
        for (name, check) in &config.checks {
            self.add(id, NodeKind::Check(name.clone()), Some(check.span));
        }
        self.modules[id.0 as usize].names = names;
        children
    }

    /// Collects what every node refers to.
    fn references(&mut self) {
        for index in 0..self.nodes.len() {
            let mut refs = References {
                compiler: self,
                module: self.nodes[index].module,
                check: None,
                found: BTreeSet::new(),
                itself: false,
                dones: Vec::new(),
                errors: Vec::new(),
            };
            refs.node(index);
            let References { found, itself, dones, errors, .. } = refs;
            if let (true, NodeKind::Resource(it)) = (itself, &mut self.nodes[index].kind) {
                Arc::make_mut(it).refers_to_itself = true;
            }
            self.diagnostics.extend(errors);
            self.nodes[index].refs.extend(found);
            for module in dones {
                let done = self.done(module);
                self.nodes[index].refs.insert(done.0);
            }
        }
    }

    /// The node that waits for everything inside `module`.
    fn done(&mut self, module: ModuleId) -> NodeId {
        if let Some(done) = self.scopes[module.0 as usize].done {
            return done;
        }
        let inside = &self.modules[module.0 as usize].path.0;
        let within = |it: &ModuleId| self.modules[it.0 as usize].path.0.starts_with(inside);
        let refs: BTreeSet<u32> = (self.nodes.iter().enumerate())
            .filter(|(_, it)| within(&it.module) && !matches!(it.kind, NodeKind::Done(_)))
            .map(|(index, _)| index as u32)
            .collect();
        let parent = self.modules[module.0 as usize].parent.map_or(ModuleId(0), |it| it.0);
        let done = self.add(parent, NodeKind::Done(module), None);
        self.nodes[done.0 as usize].refs = refs;
        self.scopes[module.0 as usize].done = Some(done);
        done
    }
}

/// The full source address behind a local provider name.
pub fn provider_source(config: &Module, schemas: &Schemas, local: &str) -> Arc<str> {
    match config.required_providers.get(local).and_then(|it| it.source.as_ref()) {
        Some(source) => full_source(source),
        None if local == "terraform" => "terraform.io/builtin/terraform".into(),
        None => {
            let named = schemas.providers.values().find(|it| *it.name == *local);
            named.map_or_else(|| full_source(local), |it| it.source.clone())
        }
    }
}

/// As it is written: `docker.west`.
pub(crate) fn display(name: &ProviderName) -> String {
    match &name.alias {
        Some(alias) => format!("{}.{alias}", name.name),
        None => name.name.to_string(),
    }
}

/// `kreuzwerker/docker` as Terraform spells it out.
pub fn full_source(source: &str) -> Arc<str> {
    match source.matches('/').count() {
        0 => format!("registry.terraform.io/hashicorp/{source}").into(),
        1 => format!("registry.terraform.io/{source}").to_lowercase().into(),
        _ => source.to_lowercase().into(),
    }
}

/// The directory that a local source leads to, from `dir`. None: not a local source.
pub fn local_dir(dir: &str, source: &str) -> Option<Arc<str>> {
    if !(source.starts_with("./") || source.starts_with("../") || source == "." || source == "..") {
        return None;
    }
    let mut parts: Vec<&str> = dir.split('/').filter(|it| !matches!(*it, "" | ".")).collect();
    for part in source.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|it| *it != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let prefix = if dir.starts_with('/') { "/" } else { "" };
    let joined = parts.join("/");
    Some(if joined.is_empty() { ".".into() } else { format!("{prefix}{joined}").into() })
}

fn unsupported_source(source: &str) -> Diagnostic {
    Diagnostic::error(
        "Unsupported module source",
        format!(
            "The module source {source:?} is not a local path. Local paths begin with \"./\" or \
             \"../\"; registries, archives and version control are not supported yet."
        ),
    )
}
