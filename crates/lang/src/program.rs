//! A checked configuration: modules, and everything in them as nodes in dependency order.
//!
//! One node stands for all instances of a block. References are resolved once, by name; what a
//! node refers to has a smaller number. [`crate::compile`] makes it.

use std::collections::BTreeMap;
use std::sync::Arc;

use plumb_diag::{Diagnostic, Span};
use plumb_model::addr::{ConfigAddr, Kind, Mode, ModulePath, ProviderAddr, Resource};
use plumb_model::schema::{ProviderSchema, ResourceSchema};
use plumb_model::value::Path;

use crate::config::Module;
use crate::suggest::suggest;
use crate::syntax::{StepKind, Traversal};
use crate::validate::argument_span;

/// A checked configuration.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// Modules; the root is the first, and parents come before their children.
    pub modules: Vec<ProgramModule>,
    /// In dependency order: a node refers only to smaller numbers.
    pub nodes: Vec<Node>,
}

/// Index of a module in its program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ModuleId(pub u32);

/// Index of a node in its program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeId(pub u32);

/// One module of the tree: a directory, as called from one place.
#[derive(Clone, Debug)]
pub struct ProgramModule {
    /// The names of the calls that lead here.
    pub path: ModulePath,
    /// The module that calls this one, and the call.
    pub parent: Option<(ModuleId, NodeId)>,
    /// Its directory, relative to the working directory: `.` for the root.
    pub dir: Arc<str>,
    /// What its files declare.
    pub config: Arc<Module>,
    /// Nodes by name.
    pub names: Names,
}

/// The nodes of a module by name.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "each is the block type of that name")]
pub struct Names {
    pub variables: BTreeMap<Arc<str>, NodeId>,
    pub locals: BTreeMap<Arc<str>, NodeId>,
    pub outputs: BTreeMap<Arc<str>, NodeId>,
    /// The node of a call, and the module that it calls.
    pub calls: BTreeMap<Arc<str>, (NodeId, ModuleId)>,
    pub managed: BTreeMap<Arc<str>, BTreeMap<Arc<str>, NodeId>>,
    pub data: BTreeMap<Arc<str>, BTreeMap<Arc<str>, NodeId>>,
}

/// One block.
#[derive(Clone, Debug)]
pub struct Node {
    /// The module that holds it.
    pub module: ModuleId,
    /// What it is.
    pub kind: NodeKind,
    /// What it refers to, in any way; smaller numbers, sorted.
    pub refs: Box<[NodeId]>,
    /// The resource blocks that it leans on: those it refers to, directly or through nodes that are
    /// not managed.
    pub needs: Arc<[ConfigAddr]>,
    /// Where it is declared.
    pub span: Option<Span>,
}

/// What a node is.
#[derive(Clone, Debug)]
pub enum NodeKind {
    /// An input variable.
    Variable(Arc<str>),
    /// A local value.
    Local(Arc<str>),
    /// An output.
    Output(Arc<str>),
    /// A module call: its instances.
    Call(Arc<str>, ModuleId),
    /// What everything inside the called module waits for, because the call says `depends_on`.
    Gate(Arc<str>),
    /// Everything inside a module: what `depends_on = [module.x]` waits for.
    Done(ModuleId),
    /// A provider configuration.
    Provider(Arc<ProviderNode>),
    /// A resource or data source.
    Resource(Arc<ResourceNode>),
    /// A check.
    Check(Arc<str>),
}

/// A provider configuration.
#[derive(Clone, Debug)]
pub struct ProviderNode {
    /// Its address.
    pub addr: Arc<ProviderAddr>,
    /// Its key in [`Module::providers`]; none when no block configures it.
    pub block: Option<crate::config::ProviderName>,
    /// What it can do.
    pub schema: Arc<ProviderSchema>,
}

/// A resource block.
#[derive(Clone, Debug)]
pub struct ResourceNode {
    /// Its address.
    pub addr: ConfigAddr,
    /// The provider configuration it uses.
    pub provider: Arc<ProviderAddr>,
    /// The node of that.
    pub provider_node: NodeId,
    /// Its arguments and attributes.
    pub schema: Arc<ResourceSchema>,
    /// Asked for here, or by something that depends on this.
    pub create_before_destroy: bool,
    /// Whether its arguments name it, which is refused when it is planned.
    pub refers_to_itself: bool,
}

/// What the leading part of a traversal names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the language's")]
pub enum Name {
    Node(NodeId),
    Call(NodeId, ModuleId),
    EachKey,
    EachValue,
    CountIndex,
    SelfObject,
    PathModule,
    PathRoot,
    PathCwd,
    Workspace,
}

impl Program {
    /// A node.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0 as usize]
    }

    /// A module.
    pub fn module(&self, id: ModuleId) -> &ProgramModule {
        &self.modules[id.0 as usize]
    }

    /// The nodes with their numbers, in dependency order.
    pub fn nodes(&self) -> impl DoubleEndedIterator<Item = (NodeId, &Node)> + ExactSizeIterator {
        self.nodes.iter().enumerate().map(|(index, it)| (NodeId(index as u32), it))
    }

    /// The resource nodes with their numbers.
    pub fn resources(&self) -> impl Iterator<Item = (NodeId, &Arc<ResourceNode>)> {
        self.nodes().filter_map(|(id, it)| match &it.kind {
            NodeKind::Resource(resource) => Some((id, resource)),
            _ => None,
        })
    }

    /// The node of a resource block.
    pub fn find(&self, addr: &ConfigAddr) -> Option<NodeId> {
        let module = self.modules.iter().find(|it| it.path == addr.module)?;
        module.names.resource(&addr.resource)
    }
}

impl Program {
    /// Where an argument of a resource block is written; the block's head if it is not.
    pub fn argument(&self, addr: &ConfigAddr, path: Option<&Path>) -> Option<Span> {
        let module = self.modules.iter().find(|it| it.path == addr.module)?;
        let block = module.config.resources.get(&addr.resource)?;
        let argument = path.and_then(|it| argument_span(&block.body, it));
        Some(argument.unwrap_or(block.span))
    }

    /// The same of the block of a provider configuration.
    pub fn provider_argument(&self, addr: &ProviderAddr, path: Option<&Path>) -> Option<Span> {
        let mut nodes = self.nodes.iter().filter_map(|node| match &node.kind {
            NodeKind::Provider(it) if *it.addr == *addr => Some((node, it)),
            _ => None,
        });
        let (node, provider) = nodes.next()?;
        let config = &self.module(node.module).config;
        let block = provider.block.as_ref().and_then(|it| config.providers.get(it));
        let argument = block.zip(path).and_then(|(block, path)| argument_span(&block.body, path));
        argument.or(node.span)
    }
}

impl Names {
    /// The node of a resource block of this module.
    pub fn resource(&self, resource: &Resource) -> Option<NodeId> {
        let by_kind = match resource.mode {
            Mode::Managed => &self.managed,
            Mode::Data => &self.data,
        };
        by_kind.get(&resource.kind.0)?.get(&resource.name).copied()
    }
}

impl ProgramModule {
    /// `the root module` or `module.a`, for messages.
    pub fn title(&self) -> String {
        if self.path.is_root() { "the root module".to_owned() } else { self.path.to_string() }
    }

    /// What the leading part of `traversal` names, and how many of its steps belong to the name.
    pub fn lookup(&self, traversal: &Traversal) -> Result<(Name, usize), Box<Diagnostic>> {
        let root = &*traversal.root.text;
        let step = |index: usize| match traversal.steps.get(index).map(|it| &it.kind) {
            Some(StepKind::Attr(name)) => Some(name),
            _ => None,
        };
        let span = |steps: usize| {
            let end = traversal.steps.get(..steps).and_then(<[_]>::last);
            end.map_or(traversal.root.span, |it| traversal.root.span.to(it.span))
        };
        let error = |summary: &str, detail: String, steps: usize| {
            Err(Box::new(Diagnostic::error(summary, detail).at(span(steps))))
        };
        let needs_name = |what: &str| {
            let detail = format!(
                "The {root:?} object cannot be accessed directly. Instead, access one of its \
                 attributes{what}."
            );
            error("Invalid reference", detail, 0)
        };
        match root {
            "var" => {
                let Some(name) = step(0) else { return needs_name("") };
                if let Some(id) = self.names.variables.get(name) {
                    return Ok((Name::Node(*id), 1));
                }
                let known = self.names.variables.keys();
                let more = did_you_mean(name, known).unwrap_or_else(|| {
                    format!(" This variable can be declared with a variable {name:?} {{}} block.")
                });
                let detail = format!(
                    "An input variable with the name {name:?} has not been declared.{more}"
                );
                error("Reference to undeclared input variable", detail, 1)
            }
            "local" => {
                let Some(name) = step(0) else { return needs_name("") };
                if let Some(id) = self.names.locals.get(name) {
                    return Ok((Name::Node(*id), 1));
                }
                let more = did_you_mean(name, self.names.locals.keys()).unwrap_or_default();
                let detail =
                    format!("A local value with the name {name:?} has not been declared.{more}");
                error("Reference to undeclared local value", detail, 1)
            }
            "module" => {
                let Some(name) = step(0) else { return needs_name("") };
                if let Some((node, module)) = self.names.calls.get(name) {
                    return Ok((Name::Call(*node, *module), 1));
                }
                let more = did_you_mean(name, self.names.calls.keys()).unwrap_or_default();
                let title = self.title();
                let detail = format!("No module call named {name:?} is declared in {title}.{more}");
                error("Reference to undeclared module", detail, 1)
            }
            "each" => match step(0).map(|it| &**it) {
                Some("key") => Ok((Name::EachKey, 1)),
                Some("value") => Ok((Name::EachValue, 1)),
                Some(other) => {
                    let detail = format!(
                        "The \"each\" object does not have an attribute named {other:?}. The \
                         supported attributes are each.key and each.value, the current key and \
                         value pair of the \"for_each\" attribute set."
                    );
                    error("Invalid \"each\" attribute", detail, 1)
                }
                None => needs_name(""),
            },
            "count" => match step(0).map(|it| &**it) {
                Some("index") => Ok((Name::CountIndex, 1)),
                Some(other) => {
                    let detail = format!(
                        "The \"count\" object does not have an attribute named {other:?}. The only \
                         supported attribute is count.index, which is the index of each instance \
                         of a resource block that has the \"count\" argument set."
                    );
                    error("Invalid \"count\" attribute", detail, 1)
                }
                None => needs_name(""),
            },
            "self" => Ok((Name::SelfObject, 0)),
            "path" => match step(0).map(|it| &**it) {
                Some("module") => Ok((Name::PathModule, 1)),
                Some("root") => Ok((Name::PathRoot, 1)),
                Some("cwd") => Ok((Name::PathCwd, 1)),
                Some(other) => {
                    let detail =
                        format!("The \"path\" object does not have an attribute named {other:?}.");
                    error("Invalid \"path\" attribute", detail, 1)
                }
                None => needs_name(""),
            },
            "terraform" => match step(0).map(|it| &**it) {
                Some("workspace") => Ok((Name::Workspace, 1)),
                Some(other) => {
                    let detail = format!(
                        "The \"terraform\" object does not have an attribute named {other:?}."
                    );
                    error("Invalid \"terraform\" attribute", detail, 1)
                }
                None => needs_name(""),
            },
            "data" => {
                let (Some(kind), Some(name)) = (step(0), step(1)) else {
                    let detail = "The \"data\" object must be followed by two attribute names: the \
                                  data source type and the resource name.";
                    return error("Invalid reference", detail.into(), traversal.steps.len().min(2));
                };
                match self.names.data.get(kind).and_then(|it| it.get(name)) {
                    Some(id) => Ok((Name::Node(*id), 2)),
                    None => self.undeclared_resource(Mode::Data, kind, name, span(2)),
                }
            }
            _ => {
                let kind = &traversal.root.text;
                let kind: &str =
                    if kind.as_ref() == "resource" { step(0).map_or(root, |it| it) } else { kind };
                let skip = usize::from(root == "resource");
                let Some(name) = step(skip) else {
                    let detail = "A reference to a resource type must be followed by at least one \
                                  attribute access, specifying the resource name.";
                    return error("Invalid reference", detail.into(), 0);
                };
                match self.names.managed.get(kind).and_then(|it| it.get(name)) {
                    Some(id) => Ok((Name::Node(*id), 1 + skip)),
                    None => self.undeclared_resource(Mode::Managed, kind, name, span(1 + skip)),
                }
            }
        }
    }

    fn undeclared_resource(
        &self,
        mode: Mode,
        kind: &str,
        name: &str,
        span: Span,
    ) -> Result<(Name, usize), Box<Diagnostic>> {
        let (what, here, other) = match mode {
            Mode::Managed => ("managed", &self.names.managed, &self.names.data),
            Mode::Data => ("data", &self.names.data, &self.names.managed),
        };
        let mut detail = format!(
            "A {what} resource {kind:?} {name:?} has not been declared in {}.",
            self.title()
        );
        if other.get(kind).is_some_and(|it| it.contains_key(name)) {
            let written = Resource {
                mode: if mode == Mode::Managed { Mode::Data } else { Mode::Managed },
                kind: Kind::new(kind),
                name: name.into(),
            };
            detail += &format!(
                "\n\nDid you mean the {} resource {written}?",
                if mode == Mode::Managed { "data" } else { "managed" }
            );
        } else if let Some(more) = here.get(kind).and_then(|it| did_you_mean(name, it.keys())) {
            detail += &more;
        } else if let Some(more) = did_you_mean(kind, here.keys()) {
            detail += &more;
        }
        Err(Box::new(Diagnostic::error("Reference to undeclared resource", detail).at(span)))
    }
}

/// ` Did you mean "…"?`, with the space before it.
pub(crate) fn did_you_mean<'a>(
    name: &str,
    known: impl IntoIterator<Item = &'a Arc<str>>,
) -> Option<String> {
    suggest(name, known.into_iter().map(|it| &**it)).map(|it| format!(" Did you mean {it:?}?"))
}
