//! What is taken from the configuration as it is now: how providers are reached and where the state
//! is. Cut out of the files, block by block; nothing is written anew.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use plumb_diag::FileId;
use plumb_model::addr::{Mode, ModulePath, ProviderAddr};

use super::Restore;
use crate::compile::{display, full_source};
use crate::config::{Module, ProviderName};
use crate::syntax::{Block, Item, parse};
use crate::{ModuleId, NodeId, NodeKind, Program};

/// The parts of the root module that stay.
pub(super) struct Kept {
    /// Files with what is left of them.
    pub(super) files: Vec<(Arc<str>, String)>,
    /// Local names in the root module by provider configuration; or why there is none.
    names: BTreeMap<Arc<ProviderAddr>, Result<ProviderName, String>>,
    /// Local names by source, and the sources that need saying.
    locals: BTreeMap<Arc<str>, Arc<str>>,
    /// `required_providers` for modules inside.
    pub(super) required: String,
}

impl Kept {
    /// What the provider configuration is called in the root module.
    pub(super) fn name(&self, addr: &ProviderAddr) -> Result<ProviderName, String> {
        if let Some(known) = self.names.get(addr) {
            return known.clone();
        }
        if !addr.module.is_root() {
            return Err(format!("its provider was configured inside {}", addr.module));
        }
        if addr.alias.is_some() {
            return Err(format!("no provider block configures {addr} any more"));
        }
        match self.locals.get(&addr.source) {
            Some(name) => Ok(ProviderName { name: name.clone(), alias: None }),
            None => Err(format!("the configuration has no name for the provider {}", addr.source)),
        }
    }

    /// Every usable configuration with an alias: those are handed to modules by name.
    pub(super) fn aliased(&self) -> impl Iterator<Item = &ProviderName> {
        self.names.values().filter_map(|it| it.as_ref().ok()).filter(|it| it.alias.is_some())
    }
}

pub(super) fn kept(input: Restore<'_>) -> Kept {
    let program = input.program;
    let empty = Module::default();
    let root = program.modules.first().map_or(&empty, |it| &*it.config);
    let mut nodes: BTreeSet<NodeId> = BTreeSet::new();
    let mut names = BTreeMap::new();
    for (id, node) in program.nodes() {
        match &node.kind {
            NodeKind::Provider(provider) => {
                let Some(block) = &provider.block else { continue };
                let found = match provider.addr.module.is_root() {
                    true => behind(input, id).map(|found| nodes.extend(found)),
                    false => {
                        Err(format!("its provider is configured inside {}", provider.addr.module))
                    }
                };
                names.insert(provider.addr.clone(), found.map(|()| block.clone()));
            }
            NodeKind::Variable(_) if node.module == ModuleId(0) => {
                // What its conditions refer to.
                if let Ok(found) = behind(input, id) {
                    nodes.extend(found);
                }
            }
            _ => {}
        }
    }
    let wanted = Wanted::of(program, &nodes);
    let files = input.files.iter().map(|(name, text)| (name.clone(), cut(text, &wanted))).collect();
    let mut locals: BTreeMap<Arc<str>, Arc<str>> = BTreeMap::new();
    for provider in input.schemas.providers.values() {
        if !root.required_providers.contains_key(&provider.name) {
            locals.insert(provider.source.clone(), provider.name.clone());
        }
    }
    let mut required = String::new();
    for (name, it) in &root.required_providers {
        let Some(source) = &it.source else { continue };
        locals.insert(full_source(source), name.clone());
        required += &format!("{name} = {{ source = {source:?} }}\n");
    }
    if !required.is_empty() {
        required = format!("terraform {{\nrequired_providers {{\n{required}}}\n}}\n");
    }
    Kept { files, names, locals, required }
}

/// Everything that a node of the root module refers to, in turn; or what of it is not to be had.
fn behind(input: Restore<'_>, start: NodeId) -> Result<BTreeSet<NodeId>, String> {
    let program = input.program;
    let mut found = BTreeSet::new();
    let mut queue = vec![start];
    while let Some(id) = queue.pop() {
        let node = program.node(id);
        if !found.insert(id) {
            continue;
        }
        if node.module != ModuleId(0) || matches!(node.kind, NodeKind::Call(..)) {
            let module = &program.module(node.module).path;
            let what = match &node.kind {
                NodeKind::Call(name, _) => ModulePath::default().child(name).to_string(),
                _ => module.to_string(),
            };
            return Err(format!("the configuration of its provider refers to {what}"));
        }
        if let NodeKind::Resource(resource) = &node.kind
            && resource.addr.resource.mode == Mode::Managed
        {
            let there = |it: &plumb_model::addr::ObjectKey| it.addr.config() == resource.addr;
            if !input.snapshot.objects.keys().any(there) {
                return Err(format!(
                    "the configuration of its provider refers to {}, which was not there",
                    resource.addr
                ));
            }
            continue;
        }
        queue.extend(node.refs.iter().copied());
    }
    Ok(found)
}

/// The blocks of the root module that stay.
#[derive(Default)]
struct Wanted {
    providers: BTreeSet<String>,
    locals: BTreeSet<Arc<str>>,
    data: BTreeSet<(Arc<str>, Arc<str>)>,
}

impl Wanted {
    fn of(program: &Program, nodes: &BTreeSet<NodeId>) -> Wanted {
        let mut res = Wanted::default();
        for id in nodes {
            match &program.node(*id).kind {
                NodeKind::Provider(it) => {
                    res.providers.extend(it.block.as_ref().map(display));
                }
                NodeKind::Local(name) => {
                    res.locals.insert(name.clone());
                }
                NodeKind::Resource(it) if it.addr.resource.mode == Mode::Data => {
                    let resource = &it.addr.resource;
                    res.data.insert((resource.kind.0.clone(), resource.name.clone()));
                }
                _ => {}
            }
        }
        res
    }

    fn has(&self, block: &Block) -> bool {
        let label = |index: usize| block.labels.get(index).map(|it| &it.text);
        match &*block.kind.text {
            "terraform" | "variable" => true,
            "provider" => {
                let alias = block.body.attribute("alias").and_then(|it| match &it.expr.kind {
                    crate::syntax::ExprKind::String(it) => Some(it.clone()),
                    _ => None,
                });
                let name = label(0).cloned().unwrap_or_else(|| "".into());
                self.providers.contains(&display(&ProviderName { name, alias }))
            }
            "data" => match (label(0), label(1)) {
                (Some(kind), Some(name)) => self.data.contains(&(kind.clone(), name.clone())),
                _ => false,
            },
            _ => false,
        }
    }
}

/// What is left of a file.
fn cut(text: &str, wanted: &Wanted) -> String {
    let parsed = parse(FileId::default(), text);
    let mut out = String::new();
    for item in &parsed.body.items {
        let Item::Block(block) = item else { continue };
        if &*block.kind.text == "locals" {
            let stays = block.body.items.iter().filter_map(|it| match it {
                Item::Attribute(it) if wanted.locals.contains(&it.name.text) => {
                    let span = it.span();
                    text.get(span.start as usize..span.end as usize)
                }
                _ => None,
            });
            let lines: String = stays.map(|it| format!("{}\n", it.trim_end())).collect();
            if !lines.is_empty() {
                out += &format!("locals {{\n{lines}}}\n");
            }
        } else if wanted.has(block) {
            let span = block.span();
            out += text.get(span.start as usize..span.end as usize).unwrap_or_default();
            out.push('\n');
        }
    }
    out
}
