//! Doubts of earlier runs, and what everything is if nothing is planned.

use super::*;

impl Walk<'_> {
    /// Settles what earlier runs never heard back from, before anything else is looked at.
    pub(super) fn doubts(&mut self) -> Result<(), Box<Blocked>> {
        // Providers may be configured from resources: as they were when last seen.
        let mut ignored = Vec::new();
        for index in 0..self.input.program.nodes.len() {
            self.remembered(NodeId(index as u32), &mut ignored);
        }
        let doubts: Vec<_> = self.input.state.in_doubt.iter().collect();
        for (token, intent) in doubts {
            match settle(self.input, *token, intent) {
                Settled::Ask(question) => {
                    let addr = intent.action.addr().to_string();
                    let errors = self.errors();
                    if self.provider_of(&intent.provider, &addr) {
                        self.asked.ask(*question);
                    } else if self.errors() == errors {
                        let detail = format!(
                            "An operation on {addr} was interrupted, and whether it was done is to \
                             be looked into first. That takes {}, whose configuration depends on \
                             something that does not exist yet. Configure the provider from what \
                             is known and apply, then change it.",
                            intent.provider
                        );
                        let error =
                            Diagnostic::error("Cannot look into an interrupted operation", detail);
                        self.diagnostics.push(error.about(addr));
                    }
                }
                Settled::Event(event) => self.record(*event),
                Settled::Failed(error) => self.diagnostics.push(*error),
            }
        }
        self.blocked()?;
        self.known = Known::new(self.input.program);
        self.providers.clear();
        Ok(())
    }

    /// A provider whose configuration is not known yet begins the run as it was when last seen:
    /// what is deleted need not wait for what is made.
    pub(super) fn providers_to_begin_with(&mut self) {
        if self.providers.values().all(Value::is_wholly_known) {
            return;
        }
        let known = std::mem::replace(&mut self.known, Known::new(self.input.program));
        let planned = std::mem::take(&mut self.providers);
        let diagnostics = std::mem::take(&mut self.diagnostics);
        for index in 0..self.input.program.nodes.len() {
            self.remembered(NodeId(index as u32), &mut Vec::new());
        }
        let remembered = std::mem::replace(&mut self.providers, planned);
        self.known = known;
        self.diagnostics = diagnostics;
        for (addr, config) in &mut self.providers {
            if let Some(remembered) = remembered.get(addr)
                && !config.is_wholly_known()
                && remembered.is_wholly_known()
            {
                *config = remembered.clone();
            }
        }
    }

    /// What a node is if nothing is planned: resources as remembered.
    pub(super) fn remembered(&mut self, id: NodeId, ignored: &mut Diagnostics) {
        let program = self.input.program;
        let node = program.node(id);
        for instance in 0..self.known.module(node.module).len() as u32 {
            match &node.kind {
                NodeKind::Gate(_) | NodeKind::Done(_) | NodeKind::Check(_) => {}
                NodeKind::Variable(_) | NodeKind::Local(_) | NodeKind::Output(_) => {
                    let value = nodes::value(self.world(), id, instance, ignored);
                    self.known.set(program, id, instance, value);
                }
                NodeKind::Provider(provider) => {
                    let before = self.diagnostics.len();
                    let mut errors = Vec::new();
                    let value = nodes::value(self.world(), id, instance, &mut errors);
                    self.diagnostics.extend(errors);
                    if self.diagnostics.len() == before {
                        self.providers.insert(provider.addr.clone(), value.unmark_deep());
                    }
                }
                NodeKind::Call(name, child) => {
                    let instances = nodes::instances(self.world(), id, instance, ignored);
                    self.known.set_call(id, node.module, *child, instance, name, instances);
                }
                NodeKind::Resource(resource) => {
                    let instances = nodes::instances(self.world(), id, instance, ignored);
                    self.known.set_resource(id, instance, instances.clone());
                    for index in 0..instances.len() {
                        let addr = nodes::address(self.world(), id, instance, &instances, index);
                        let value = self.prior.current(&addr).map(|it| {
                            mark_sensitive(&resource.schema.block, &it.attrs).into_owned()
                        });
                        self.known.set_instance(id, instance, index, value);
                    }
                }
            }
        }
    }
}
