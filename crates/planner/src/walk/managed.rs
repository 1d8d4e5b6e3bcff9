//! Resources: instance by instance, what will be.

use super::*;

impl Walk<'_> {
    /// One resource block in one instance of its module.
    pub(super) fn resource(&mut self, id: NodeId, instance: u32) {
        let world = self.world();
        let (resource, block) = nodes::resource_block(world, id);
        let Some(slot) = world.known.resource(id, instance) else { return };
        let instances = slot.instances.clone();
        let module = world.known.module_info(world.program.node(id).module, instance).addr.clone();
        let (resource, block) = (resource.clone(), block.clone());
        if let IgnoreChanges::Some(ignored) = &block.lifecycle.ignore_changes {
            check_ignored(&resource.schema, ignored, &mut self.diagnostics);
        }
        let mut wanted: Vec<Addr> = Vec::with_capacity(instances.len());
        for index in 0..instances.len() {
            let addr = nodes::address(self.world(), id, instance, &instances, index);
            if index == 0
                && let Some(event) = moves::implied(&self.prior, &addr)
            {
                if let Err(error) = self.prior.record(&event) {
                    self.diagnostics.push(Diagnostic::error("Cannot move", error.to_string()));
                } else {
                    self.moved(vec![event]);
                }
            }
            wanted.push(addr);
        }
        self.warn_of_keyless(&resource.addr, &module, &wanted);
        if resource.addr.resource.mode == Mode::Managed {
            self.refresh(&module, &resource.addr.resource);
        }
        let questions = self.asked.len();
        for (index, addr) in wanted.into_iter().enumerate() {
            let value = if !self.included.instance(id.0 as usize, &addr) {
                self.prior.current(&addr).map(|it| it.attrs.clone())
            } else {
                match addr.resource.mode {
                    Mode::Managed => self.managed(id, instance, index, &addr),
                    Mode::Data => self.data(id, instance, index, &addr),
                }
            };
            let value = value.map(|it| mark_sensitive(&resource.schema.block, &it).into_owned());
            if let Some(value) = &value
                && self.asked.len() == questions
            {
                let mut diagnostics = Vec::new();
                let each = instances.each(index);
                nodes::conditions(self.world(), id, instance, each, Some(value), &mut diagnostics);
                self.diagnostics
                    .extend(diagnostics.into_iter().map(|it| it.about(addr.to_string())));
            }
            self.known.set_instance(id, instance, index, value);
        }
    }

    /// Says which requests to replace name a block where an instance is needed.
    pub(super) fn warn_of_keyless(
        &mut self,
        block: &plumb_model::addr::ConfigAddr,
        module: &plumb_model::addr::ModuleInstance,
        wanted: &[Addr],
    ) {
        for asked in &self.input.options.replace {
            let here = asked.resource == block.resource && asked.module == *module;
            if here && asked.key.is_none() && !wanted.contains(asked) {
                let options = wanted.iter().map(|it| format!("\n  -replace={:?}", it.to_string()));
                let detail = format!(
                    "Your force-replace request for {asked} doesn't match any resource instances \
                     because it lacks an instance key.\n\nTo force replacement of particular \
                     instances, use one or more of the following options instead:{}",
                    options.collect::<String>()
                );
                self.diagnostics.push(Diagnostic::warning(
                    "Incompletely-matched force-replace resource instance",
                    detail,
                ));
            }
        }
    }

    pub(super) fn managed(
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
        let config = nodes::config(self.world(), id, instance, each.clone(), &mut diagnostics);
        let triggers = nodes::replace_triggers(self.world(), id, instance, each, &mut diagnostics);
        let failed = diagnostics.iter().any(Diagnostic::is_error);
        self.diagnostics.extend(diagnostics.into_iter().map(|it| it.about(addr.to_string())));
        if failed {
            return None;
        }
        let importing = self.import(id, addr, &config)?;
        let prior = self.prior.current(addr).cloned();
        if self.input.options.mode == PlanMode::RefreshOnly {
            return prior.map(|it| it.attrs);
        }
        let forced = if self.input.options.replace.contains(addr) {
            Some(Reason::ReplaceByRequest)
        } else if triggers.iter().any(|it| self.triggered(it, instance)) {
            Some(Reason::ReplaceByTriggers)
        } else {
            None
        };
        let order = match resource.create_before_destroy {
            true => ReplaceOrder::CreateFirst,
            false => ReplaceOrder::DeleteFirst,
        };
        let source = &resource.provider.source;
        let replaced = match resource.schema.refine {
            Some(_) => self.replaced.among(&self.input.program.node(id).needs),
            None => Arc::new([]),
        };
        let (seen, asked) = (self.input.seen, &self.asked);
        let mut failures = Vec::new();
        let mut facts = |kind: &str, query: &Value| {
            let key = QuestionKey::Fact {
                source: source.clone(),
                kind: kind.into(),
                query: query.clone(),
            };
            match seen.get(&key) {
                Some(Answer::Value(value)) => Some(value.clone()),
                Some(Answer::Failed { summary, detail }) => {
                    failures.push(Diagnostic::error(&**summary, &**detail));
                    None
                }
                Some(_) => None,
                None => {
                    asked.ask(Question {
                        key,
                        provider: Some(resource.provider.clone()),
                        kind: addr.resource.kind.clone(),
                        subject: query.clone(),
                        private: None,
                    });
                    None
                }
            }
        };
        let mut diagnostics = Vec::new();
        let compared = compare(
            Comparison {
                addr,
                schema: &resource.schema,
                place: &|path| self.input.program.argument(&resource.addr, Some(path)),
                config: &config,
                prior: prior.as_ref(),
                ignore: &block.lifecycle.ignore_changes,
                forced,
                order,
                replaced: &replaced,
                facts: &mut facts,
            },
            &mut diagnostics,
        );
        diagnostics.extend(failures);
        self.diagnostics.extend(diagnostics.into_iter().map(|mut it| {
            it.span = it.span.or(Some(block.span));
            it.about(addr.to_string())
        }));
        if matches!(compared.action, Action::Replace(_)) && block.lifecycle.prevent_destroy {
            self.diagnostics.push(prevented(addr, block.span));
        }
        if compared.action != Action::Keep {
            self.dirty[id.0 as usize] = true;
        }
        let change = Change {
            action: compared.action,
            before: prior.map(|it| it.attrs),
            after: Some(compared.after.clone()),
            reason: compared.reason,
            replace_paths: compared.replace_paths,
            says: if compared.action == Action::Keep { Vec::new() } else { compared.says },
            moved_from: self.moved_from.get(addr).cloned(),
            importing,
            provider: resource.provider.clone(),
            needs: self.input.program.node(id).needs.clone(),
            create_before_destroy: resource.create_before_destroy,
        };
        self.replaced.add(addr, &change);
        self.changes.insert(addr.current(), change);
        Some(compared.after)
    }

    /// Brings in the object that is to be imported at `addr`, if one is. None: it cannot go on.
    #[expect(clippy::option_option, reason = "the outer says whether to go on")]
    pub(super) fn import(
        &mut self,
        id: NodeId,
        addr: &Addr,
        config: &Value,
    ) -> Option<Option<Arc<str>>> {
        let Some((remote_id, span)) = self.imports.get(addr).cloned() else { return Some(None) };
        if self.prior.current(addr).is_some() {
            return Some(None);
        }
        let (resource, _) = nodes::resource_block(self.world(), id);
        let resource = resource.clone();
        let key = QuestionKey::Import(addr.clone(), remote_id.clone());
        let fail = |me: &mut Self, summary: &str, detail: String| {
            let error = Diagnostic::error(summary, detail).about(addr.to_string());
            me.diagnostics.push(Diagnostic { span, ..error });
            None
        };
        match self.input.seen.get(&key) {
            None => {
                if self.provider_of(&resource.provider, &addr.to_string()) {
                    self.asked.ask(Question {
                        key,
                        provider: Some(resource.provider.clone()),
                        kind: addr.resource.kind.clone(),
                        subject: config.unmark_deep(),
                        private: None,
                    });
                }
                None
            }
            Some(Answer::Object(remote)) => {
                let mut object = imported(&resource.schema, config, remote, &resource.provider);
                object.needs = self.input.program.node(id).needs.clone();
                self.record(Event::Recorded { key: addr.current(), object });
                Some(Some(remote_id))
            }
            Some(Answer::Failed { summary, detail }) => {
                let (summary, detail) = (summary.to_string(), detail.to_string());
                fail(self, &summary, detail)
            }
            Some(_) => fail(
                self,
                "Cannot import non-existent remote object",
                format!(
                    "While attempting to import an existing object to \"{addr}\", the provider \
                     detected that no object exists with the given id {remote_id:?}. Only \
                     pre-existing objects can be imported; check that the id is correct and that \
                     it is associated with the provider's configured region or endpoint, or use \
                     \"plumb apply\" to create a new remote object for this resource."
                ),
            ),
        }
    }

    /// Whether what a trigger names changes in this plan.
    pub(super) fn triggered(&self, trigger: &nodes::Trigger, instance: u32) -> bool {
        let Some(slot) = self.known.resource(trigger.node, instance) else { return false };
        let positions = match trigger.index {
            Some(index) => index..index + 1,
            None => 0..slot.instances.len(),
        };
        positions.into_iter().any(|index| {
            let addr = nodes::address(self.world(), trigger.node, instance, &slot.instances, index);
            let Some(change) = self.changes.get(&addr.current()) else { return false };
            if !matches!(change.action, Action::Update | Action::Replace(_)) {
                return false;
            }
            let Some(name) = &trigger.attr else { return true };
            let at = |it: &Option<Value>| it.as_ref().and_then(|it| it.get_attr(name).cloned());
            at(&change.before) != at(&change.after)
        })
    }
}
