//! Data sources: read now, or in the run.

use super::*;

impl Walk<'_> {
    pub(super) fn data(
        &mut self,
        id: NodeId,
        instance: u32,
        index: usize,
        addr: &Addr,
    ) -> Option<Value> {
        let (resource, block) = nodes::resource_block(self.world(), id);
        let (resource, block) = (resource.clone(), block.clone());
        let each = self.known.resource(id, instance)?.instances.each(index);
        let mut diagnostics = Vec::new();
        nodes::conditions(self.world(), id, instance, each.clone(), None, &mut diagnostics);
        let config = nodes::config(self.world(), id, instance, each, &mut diagnostics);
        let failed = diagnostics.iter().any(Diagnostic::is_error);
        self.diagnostics.extend(diagnostics.into_iter().map(|it| it.about(addr.to_string())));
        if failed {
            return None;
        }
        let needs = self.input.program.node(id).needs.clone();
        let gated = !block.depends_on.is_empty()
            || self
                .input
                .program
                .node(id)
                .refs
                .iter()
                .any(|it| matches!(self.input.program.node(*it).kind, NodeKind::Gate(_)));
        let reason = if !config.is_wholly_known() {
            Some(Reason::ReadBecauseConfigUnknown)
        } else if gated && self.dirty[id.0 as usize] {
            Some(Reason::ReadBecauseDependencyPending)
        } else if !self.provider_of(&resource.provider, &addr.to_string()) {
            Some(Reason::ReadBecauseConfigUnknown)
        } else {
            None
        };
        let written = config.unmark_deep();
        if reason.is_some() {
            let after = marked_like(&propose(&resource.schema.block, &written, None), &config);
            // A refresh takes no steps, so nothing could be read later.
            if self.input.options.mode == PlanMode::RefreshOnly {
                return Some(self.prior.current(addr).map_or(after, |it| it.attrs.clone()));
            }
            self.dirty[id.0 as usize] = true;
            return Some(self.read_later(id, addr, after, reason));
        }
        let key = QuestionKey::Data(addr.clone(), written.clone());
        match self.input.seen.get(&key) {
            None => {
                self.asked.ask(Question {
                    key,
                    provider: Some(resource.provider.clone()),
                    kind: addr.resource.kind.clone(),
                    subject: written,
                    private: None,
                });
                None
            }
            Some(Answer::Value(value)) => {
                let object = Object {
                    attrs: marked_like(value, &config),
                    private: None,
                    schema_version: resource.schema.version,
                    provider: resource.provider.clone(),
                    needs,
                    tainted: false,
                    create_before_destroy: false,
                    unmanaged: None,
                };
                let attrs = object.attrs.clone();
                if block.check.is_some() {
                    nodes::check_data(self.world(), id, instance, None);
                    return Some(self.read_again(id, addr, attrs));
                }
                if self.prior.current(addr) != Some(&object) {
                    self.record(Event::Recorded { key: addr.current(), object });
                }
                Some(attrs)
            }
            Some(Answer::Failed { summary, detail }) => {
                let failure = Some((&**summary, &**detail));
                // A check that cannot look says so, and nothing else waits for it.
                if let Some(warning) = nodes::check_data(self.world(), id, instance, failure) {
                    self.check_notes.push(warning.about(addr.to_string()));
                    let after = propose(&resource.schema.block, &written, None);
                    return Some(self.read_again(id, addr, marked_like(&after, &config)));
                }
                let error = Diagnostic::error(&**summary, &**detail).at(block.span);
                self.diagnostics.push(error.about(addr.to_string()));
                None
            }
            Some(_) => {
                let detail =
                    format!("The provider answered for {addr} with something else than a value.");
                self.diagnostics
                    .push(Diagnostic::error("Unexpected answer", detail).at(block.span));
                None
            }
        }
    }

    /// The data source of a check is read in the run, too, for its verdict to be about what is then.
    pub(super) fn read_again(&mut self, id: NodeId, addr: &Addr, after: Value) -> Value {
        if self.input.options.mode == PlanMode::RefreshOnly {
            return after;
        }
        self.read_later(id, addr, after, Some(Reason::ReadBecauseCheckNested))
    }

    pub(super) fn read_later(
        &mut self,
        id: NodeId,
        addr: &Addr,
        after: Value,
        reason: Option<Reason>,
    ) -> Value {
        let (resource, _) = nodes::resource_block(self.world(), id);
        let change = Change {
            action: Action::Read,
            before: None,
            after: Some(after.clone()),
            reason,
            replace_paths: Vec::new(),
            says: Vec::new(),
            moved_from: None,
            importing: None,
            provider: resource.provider.clone(),
            needs: self.input.program.node(id).needs.clone(),
            create_before_destroy: false,
        };
        self.changes.insert(addr.current(), change);
        after
    }
}
