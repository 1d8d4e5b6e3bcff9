//! The `configuration` part of plan JSON: what is written, as references and constants.
//!
//! One pass over the modules; nothing is evaluated but what is constant as a whole. The shape, down
//! to the order of references, is the one that readers of Terraform's plan JSON know.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use plumb_model::addr::{InstanceKey, Mode, ModulePath, Resource};
use plumb_model::schema::{self, Nesting, Schemas};
use plumb_model::value::json::{write_json, write_string};
use plumb_model::value::{Number, convert};

use crate::compile::{display, provider_source};
use crate::config::{Module, ModuleCall, Output, ProviderName, Repeat, ResourceBlock, Variable};
use crate::eval::{self, Constants};
use crate::nodes::LOCAL_EXEC;
use crate::program::{ModuleId, NodeKind, Program, ProgramModule};
use crate::syntax::{Block, Body, Expr, Step, StepKind, Traversal};

/// Appends the JSON object that describes the whole configuration.
pub fn write_configuration(program: &Program, schemas: &Schemas, out: &mut String) {
    let Some(root) = program.modules.first() else { return out.push_str("{\"root_module\":{}}") };
    let mut providers = Providers { program, schemas, entries: BTreeMap::new() };
    providers.module(root);
    let mut json = Json::new(out);
    let shown = || providers.entries.iter().filter(|(_, it)| it.parent.is_none());
    if shown().next().is_some() {
        let mut all = Json::new(json.key("provider_config"));
        for (key, entry) in shown() {
            entry.write(all.key(key));
        }
        all.end();
    }
    module(&providers, root, json.key("root_module"));
    json.end();
}

/// An object that is being written; of optional parts nothing is left when they are empty.
struct Json<'a> {
    out: &'a mut String,
    first: bool,
}

impl<'a> Json<'a> {
    fn new(out: &'a mut String) -> Json<'a> {
        out.push('{');
        Json { out, first: true }
    }

    fn key(&mut self, key: &str) -> &mut String {
        if !std::mem::take(&mut self.first) {
            self.out.push(',');
        }
        write_string(key, self.out);
        self.out.push(':');
        self.out
    }

    fn text(&mut self, key: &str, text: &str) {
        if !text.is_empty() {
            write_string(text, self.key(key));
        }
    }

    fn flag(&mut self, key: &str, flag: bool) {
        if flag {
            self.key(key).push_str("true");
        }
    }

    /// What `write` appends, unless it says that it is empty.
    fn part(&mut self, key: &str, write: impl FnOnce(&mut String) -> bool) {
        let (before, first) = (self.out.len(), self.first);
        if !write(self.key(key)) {
            self.out.truncate(before);
            self.first = first;
        }
    }

    /// Whether anything was written.
    fn end(self) -> bool {
        self.out.push('}');
        !self.first
    }
}

fn array<T>(
    items: impl IntoIterator<Item = T>,
    out: &mut String,
    mut write: impl FnMut(T, &mut String),
) -> bool {
    out.push('[');
    let mut any = false;
    for item in items {
        if std::mem::replace(&mut any, true) {
            out.push(',');
        }
        write(item, out);
    }
    out.push(']');
    any
}

/// Every provider configuration by the key that resources name it by.
struct Providers<'a> {
    program: &'a Program,
    schemas: &'a Schemas,
    entries: BTreeMap<String, Entry<'a>>,
}

#[derive(Default)]
struct Entry<'a> {
    name: String,
    source: Arc<str>,
    alias: Option<Arc<str>>,
    version: String,
    module: String,
    block: Option<(&'a Body, &'a schema::Block)>,
    /// Handed down from there, which is where resources point instead.
    parent: Option<String>,
}

impl Entry<'_> {
    fn write(&self, out: &mut String) {
        let mut json = Json::new(out);
        json.text("name", &self.name);
        json.text("full_name", &self.source);
        json.text("alias", self.alias.as_deref().unwrap_or_default());
        json.text("version_constraint", &self.version);
        json.text("module_address", &self.module);
        if let Some((block, schema)) = self.block {
            json.part("expressions", |out| body(block, schema, out));
        }
        json.end();
    }
}

fn key(provider: &str, module: &ModulePath) -> String {
    if module.is_root() { provider.to_owned() } else { format!("{module}:{provider}") }
}

fn children(module: &ProgramModule) -> impl Iterator<Item = (&Arc<str>, ModuleId)> {
    // A call of a module that is not there leads nowhere.
    module.names.calls.iter().map(|(name, it)| (name, it.1)).filter(|it| it.1 != ModuleId(0))
}

impl<'a> Providers<'a> {
    fn module(&mut self, module: &'a ProgramModule) {
        let (config, path) = (&*module.config, &module.path);
        let address = if path.is_root() { String::new() } else { path.to_string() };
        let entry = |name: String, source: &Arc<str>| {
            let source = source.clone();
            let version = versions(config, self.schemas, &source);
            Entry { name, source, version, module: address.clone(), ..Entry::default() }
        };
        let parent = module.parent.map(|it| &self.program.module(it.0).path);
        let mut found = Vec::new();
        for (name, block) in &config.providers {
            let source = provider_source(config, self.schemas, &name.name);
            let schema = self.schemas.providers.get(&source);
            let block = schema.map(|it| (&*block.body, &it.config));
            let alias = name.alias.clone();
            let entry = Entry { alias, block, ..entry(name.name.to_string(), &source) };
            found.push((key(&display(name), path), entry, false));
        }
        for (local, required) in &config.required_providers {
            let source = provider_source(config, self.schemas, local);
            for alias in &required.aliases {
                found.push((key(&display(alias), path), entry(local.to_string(), &source), false));
            }
            found.push((key(local, path), entry(local.to_string(), &source), true));
        }
        let used: BTreeSet<&str> =
            config.resources.iter().map(|(it, block)| local(it, block)).collect();
        for local in used {
            let source = provider_source(config, self.schemas, local);
            let ty = source.rsplit('/').next().unwrap_or(local).to_owned();
            found.push((key(&ty, path), entry(ty.clone(), &source), true));
        }
        for (key, mut entry, inherits) in found {
            if self.entries.contains_key(&key) {
                continue;
            }
            if let Some(parent) = parent.filter(|_| inherits) {
                entry.parent = self.origin(self::key(&entry.name, parent), &entry.source);
            }
            self.entries.insert(key, entry);
        }
        for (name, id) in children(module) {
            let child = self.program.module(id);
            for (theirs, ours) in &config.calls[name].providers {
                let source = provider_source(&child.config, self.schemas, &theirs.name.name);
                let parent = self.origin(key(&display(&ours.name), path), &source);
                let entry = Entry {
                    name: display(&theirs.name),
                    source,
                    module: child.path.to_string(),
                    parent,
                    ..Entry::default()
                };
                self.entries.insert(key(&display(&theirs.name), &child.path), entry);
            }
            self.module(child);
        }
    }

    /// Where a configuration that is handed down comes from.
    fn origin(&self, start: String, source: &str) -> Option<String> {
        let mut found = None;
        let mut next = Some(start);
        while let Some(key) = next {
            let Some(entry) = self.entries.get(&key).filter(|it| *it.source == *source) else {
                break;
            };
            next = entry.parent.clone();
            found = Some(key);
        }
        found
    }

    /// The key of the configuration that a resource uses.
    fn of(&self, local: &ProviderName, module: &ModulePath) -> String {
        let own = key(&display(local), module);
        self.entries.get(&own).and_then(|it| it.parent.clone()).unwrap_or(own)
    }
}

fn local<'a>(resource: &'a Resource, block: &'a ResourceBlock) -> &'a str {
    block.provider.as_ref().map_or(resource.kind.provider_name(), |it| &it.name.name)
}

/// Everything that the module demands of the version of a provider.
fn versions(config: &Module, schemas: &Schemas, source: &str) -> String {
    let all = config.required_providers.iter().filter_map(|(local, it)| {
        let version = it.version.as_deref()?;
        (*provider_source(config, schemas, local) == *source).then_some(version)
    });
    let all: Vec<&str> = all.filter(|it| !it.is_empty()).collect();
    crate::config::version::Constraints::parse(&all.join(", "))
        .map(|it| it.to_string())
        .unwrap_or_default()
}

fn module(providers: &Providers<'_>, module: &ProgramModule, out: &mut String) {
    let config = &module.config;
    let mut json = Json::new(out);
    json.part("outputs", |out| named(&config.outputs, out, output));
    let blocks = || {
        [Mode::Managed, Mode::Data]
            .into_iter()
            .flat_map(|mode| config.resources.iter().filter(move |it| it.0.mode == mode))
    };
    json.part("resources", |out| {
        array(blocks(), out, |(addr, block), out| {
            let provider = match &block.provider {
                Some(it) => it.name.clone(),
                None => ProviderName { name: addr.kind.provider_name().into(), alias: None },
            };
            let mut json = Json::new(out);
            json.text("address", &addr.to_string());
            json.text("mode", if addr.mode == Mode::Data { "data" } else { "managed" });
            json.text("type", &addr.kind);
            json.text("name", &addr.name);
            json.text("provider_config_key", &providers.of(&provider, &module.path));
            let schema =
                module.names.resource(addr).and_then(|id| match &providers.program.node(id).kind {
                    NodeKind::Resource(it) => Some(&it.schema),
                    _ => None,
                });
            json.part("provisioners", |out| {
                array(&block.provisioners, out, |it, out| {
                    let mut json = Json::new(out);
                    json.text("type", &it.kind);
                    if &*it.kind == "local-exec" {
                        json.part("expressions", |out| body(&it.body, &LOCAL_EXEC, out));
                    }
                    json.end();
                })
            });
            if let Some(schema) = schema {
                json.part("expressions", |out| body(&block.body, &schema.block, out));
            }
            let version = schema.map_or(0, |it| it.version);
            json.key("schema_version").push_str(&version.to_string());
            repeat(&block.repeat, &mut json);
            json.part("depends_on", |out| subjects(&block.depends_on, out));
            json.end();
        })
    });
    json.part("module_calls", |out| {
        let mut calls = Json::new(out);
        for (name, id) in children(module) {
            call(providers, &config.calls[name], providers.program.module(id), calls.key(name));
        }
        calls.end()
    });
    json.part("variables", |out| named(&config.variables, out, variable));
    json.end();
}

fn named<T>(items: &BTreeMap<Arc<str>, T>, out: &mut String, write: fn(&T, &mut String)) -> bool {
    let mut json = Json::new(out);
    for (name, item) in items {
        write(item, json.key(name));
    }
    json.end()
}

fn output(output: &Output, out: &mut String) {
    let mut json = Json::new(out);
    json.flag("sensitive", output.sensitive);
    expression(&output.expr, json.key("expression"));
    json.part("depends_on", |out| subjects(&output.depends_on, out));
    json.text("description", output.description.as_deref().unwrap_or_default());
    json.end();
}

fn variable(variable: &Variable, out: &mut String) {
    let mut json = Json::new(out);
    if let Some(default) = &variable.default {
        let mut value = eval::evaluate(default, &Constants, &mut Vec::new());
        if let Some(defaults) = &variable.defaults {
            value = defaults.apply(&value);
        }
        write_json(&convert(&value, &variable.ty).unwrap_or(value), json.key("default"));
    }
    json.text("description", variable.description.as_deref().unwrap_or_default());
    json.flag("sensitive", variable.sensitive);
    json.end();
}

fn call(providers: &Providers<'_>, call: &ModuleCall, child: &ProgramModule, out: &mut String) {
    let mut json = Json::new(out);
    json.text("source", &call.source);
    json.part("expressions", |out| {
        let variables = &child.config.variables;
        let given = call.body.attributes().filter(|it| variables.contains_key(&it.name.text));
        let given: BTreeMap<_, _> = given.map(|it| (&it.name.text, &it.expr)).collect();
        let mut json = Json::new(out);
        for (name, expr) in given {
            expression(expr, json.key(name));
        }
        json.end()
    });
    repeat(&call.repeat, &mut json);
    module(providers, child, json.key("module"));
    if let Some((version, _)) = &call.version {
        json.text("version_constraint", version);
    }
    json.part("depends_on", |out| subjects(&call.depends_on, out));
    json.end();
}

fn repeat(repeat: &Repeat, json: &mut Json<'_>) {
    match repeat {
        Repeat::One => {}
        Repeat::Count(expr) => json.part("count_expression", |out| expression(expr, out)),
        Repeat::ForEach(expr) => json.part("for_each_expression", |out| expression(expr, out)),
    }
}

/// What the schema knows of a body; `dynamic` blocks are not among it.
fn body(body: &Body, schema: &schema::Block, out: &mut String) -> bool {
    let mut attributes: BTreeMap<&str, &Expr> = BTreeMap::new();
    let mut blocks: BTreeMap<&str, Vec<&Block>> = BTreeMap::new();
    for it in body.attributes().filter(|it| schema.attributes().contains_key(&it.name.text)) {
        attributes.insert(&it.name.text, &it.expr);
    }
    for it in body.blocks().filter(|it| schema.blocks().contains_key(&it.kind.text)) {
        blocks.entry(&it.kind.text).or_default().push(it);
    }
    let names: BTreeSet<&str> = attributes.keys().chain(blocks.keys()).copied().collect();
    let mut json = Json::new(out);
    for name in names {
        if let Some(expr) = attributes.get(name) {
            expression(expr, json.key(name));
            continue;
        }
        let (Some(found), Some(nested)) = (blocks.get(name), schema.blocks().get(name)) else {
            continue;
        };
        let one = |it: &Block, out: &mut String| {
            self::body(&it.body, &nested.block, out);
        };
        let out = json.key(name);
        match nested.nesting {
            Nesting::Single | Nesting::Group => match found.last() {
                Some(last) => one(last, out),
                None => out.push_str("{}"),
            },
            Nesting::List | Nesting::Set => {
                array(found.iter(), out, |it, out| one(it, out));
            }
            Nesting::Map => {
                let mut json = Json::new(out);
                for it in found {
                    if let Some(label) = it.labels.first() {
                        one(it, json.key(&label.text));
                    }
                }
                json.end();
            }
        }
    }
    json.end()
}

/// A constant, or what is referred to. Calls are neither.
fn expression(expr: &Expr, out: &mut String) -> bool {
    let mut json = Json::new(out);
    let names = eval::references(expr);
    if names.is_empty() {
        let value = eval::evaluate(expr, &Constants, &mut Vec::new());
        if value.is_wholly_known() {
            write_json(&value, json.key("constant_value"));
        }
    } else {
        json.part("references", |out| {
            let all = names.into_iter().flat_map(spelled_out);
            array(all, out, |it, out| write_string(&it, out))
        });
    }
    json.end()
}

/// What `depends_on` names, without anything behind it.
fn subjects(traversals: &[Arc<Traversal>], out: &mut String) -> bool {
    let all = traversals.iter().filter_map(|it| Some(subject(it)?.0));
    array(all, out, |it, out| write_string(&it, out))
}

/// A reference from its full length down to what it is about, and what holds that.
fn spelled_out(traversal: &Traversal) -> Vec<String> {
    let Some((subject, rest, above)) = subject(traversal) else { return Vec::new() };
    let mut res = Vec::new();
    let mut lengths = Vec::with_capacity(rest.len());
    let mut text = subject.clone();
    for step in rest {
        step_text(step, &mut text);
        lengths.push(text.len());
    }
    res.extend(lengths.into_iter().rev().map(|it| text[..it].to_owned()));
    res.push(subject);
    res.extend(above);
    res
}

/// What a traversal is about, the steps behind that, and what holds it.
fn subject(traversal: &Traversal) -> Option<(String, &[Step], Option<String>)> {
    let root = &*traversal.root.text;
    let steps = &traversal.steps[..];
    let attr = |index: usize| match steps.get(index).map(|it| &it.kind) {
        Some(StepKind::Attr(name)) => Some(&**name),
        _ => None,
    };
    let is_key =
        |index: usize| steps.get(index).is_some_and(|it| !matches!(it.kind, StepKind::Attr(_)));
    Some(match root {
        "self" => ("self".to_owned(), steps, None),
        "var" | "local" | "each" | "count" | "path" | "terraform" => {
            (format!("{root}.{}", attr(0)?), &steps[1..], None)
        }
        "module" => {
            let mut call = format!("module.{}", attr(0)?);
            let bare = call.clone();
            let mut next = 1;
            if is_key(1) {
                step_text(&steps[1], &mut call);
                next = 2;
            }
            match steps.get(next) {
                None => {
                    let above = (next == 2).then_some(bare);
                    (call, &[], above)
                }
                Some(_) => {
                    let output = attr(next)?;
                    (format!("{call}.{output}"), &steps[next + 1..], Some(call))
                }
            }
        }
        _ => {
            let (mut text, next) = match root {
                "data" => (format!("data.{}.{}", attr(0)?, attr(1)?), 2),
                "resource" => (format!("{}.{}", attr(0)?, attr(1)?), 2),
                _ => (format!("{root}.{}", attr(0)?), 1),
            };
            if !is_key(next) {
                return Some((text, &steps[next..], None));
            }
            let bare = text.clone();
            step_text(&steps[next], &mut text);
            (text, &steps[next + 1..], Some(bare))
        }
    })
}

fn step_text(step: &Step, out: &mut String) {
    match &step.kind {
        StepKind::Attr(name) => {
            out.push('.');
            out.push_str(name);
        }
        StepKind::Key(key) => out.push_str(&InstanceKey::Str(key.clone()).to_string()),
        StepKind::Number(text) | StepKind::Legacy(text) => {
            let number = Number::parse(text).map(|it| it.to_string());
            out.push_str(&format!("[{}]", number.as_deref().unwrap_or(text)));
        }
    }
}
