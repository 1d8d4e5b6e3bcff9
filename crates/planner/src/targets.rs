//! Which part of a configuration a person asked for.

use plumb_lang::{NodeKind, Program};
use plumb_model::Target;
use plumb_model::addr::{Addr, ConfigAddr};

/// The part of a program that targets name, with everything it needs.
pub(crate) struct Included {
    /// By node: everything, if none is targeted.
    nodes: Option<Vec<Reach>>,
    targets: Vec<Target>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    Out,
    /// Named: the instances that the targets name.
    Named,
    /// Needed by something named: all instances.
    Needed,
}

impl Included {
    pub(crate) fn new(program: &Program, targets: &[Target]) -> Included {
        if targets.is_empty() {
            return Included { nodes: None, targets: Vec::new() };
        }
        let mut nodes = vec![Reach::Out; program.nodes.len()];
        for index in (0..nodes.len()).rev() {
            let node = &program.nodes[index];
            if let NodeKind::Resource(resource) = &node.kind
                && nodes[index] == Reach::Out
                && targets.iter().any(|it| may_contain(it, &resource.addr))
            {
                nodes[index] = Reach::Named;
            }
            if nodes[index] != Reach::Out {
                for id in &node.refs {
                    nodes[id.0 as usize] = Reach::Needed;
                }
            }
        }
        // Checks and outputs of the root are brought up to date when everything they refer to is in.
        for index in 0..nodes.len() {
            let node = &program.nodes[index];
            if let NodeKind::Output(_) | NodeKind::Check(_) = node.kind
                && node.refs.iter().all(|id| nodes[id.0 as usize] != Reach::Out)
            {
                nodes[index] = Reach::Needed;
            }
        }
        Included { nodes: Some(nodes), targets: targets.to_vec() }
    }

    pub(crate) fn is_partial(&self) -> bool {
        self.nodes.is_some()
    }

    pub(crate) fn node(&self, index: usize) -> bool {
        self.nodes.as_ref().is_none_or(|it| it[index] != Reach::Out)
    }

    pub(crate) fn instance(&self, index: usize, addr: &Addr) -> bool {
        match self.nodes.as_ref().map(|it| it[index]) {
            None | Some(Reach::Needed) => true,
            Some(Reach::Out) => false,
            Some(Reach::Named) => self.named(addr),
        }
    }

    /// Whether a target names the address itself.
    pub(crate) fn named(&self, addr: &Addr) -> bool {
        self.nodes.is_none() || self.targets.iter().any(|it| it.contains(addr))
    }
}

/// Whether some instance of the block can be what the target names.
fn may_contain(target: &Target, addr: &ConfigAddr) -> bool {
    let path = &addr.module.0;
    let prefix = |steps: &[plumb_model::addr::ModuleStep]| {
        steps.len() <= path.len()
            && steps.iter().zip(path.iter()).all(|(step, name)| step.name == *name)
    };
    match target {
        Target::Module(module) => prefix(&module.0),
        Target::Resource(it) => {
            it.module.0.len() == path.len() && prefix(&it.module.0) && it.resource == addr.resource
        }
    }
}
