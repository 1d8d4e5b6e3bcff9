//! Before a call: the step is evaluated once more, now with real values. If nothing differs there
//! is no call.

use std::sync::Arc;

use plumb_diag::Diagnostic;
use plumb_lang::proposal::{ignore_changes, proposal};
use plumb_lang::{Each, NodeId, NodeKind, nodes};
use plumb_model::addr::{Addr, ObjectKey};
use plumb_model::event::{Event, Intended, Intent, Remote, marked_like};
use plumb_model::plan::{Op, Reason, Site, Step};
use plumb_model::propose::{admits, mark_sensitive};
use plumb_model::question::{Answer, Question, QuestionKey};
use plumb_model::state::Object;
use plumb_model::value::{Value, ValueKind};

use crate::judge::Verdict;
use crate::run::{Call, Run};

/// What a step comes to.
pub(crate) enum Prepared {
    /// Nothing is left to do.
    Done,
    /// It cannot be done; diagnostics say why.
    Failed,
    /// A record, and nothing else.
    Record(Event),
    /// Facts are missing; they are in `asked`.
    Ask,
    /// A call.
    Call(Call, Box<Intent>),
}

impl Run<'_> {
    pub(crate) fn prepare(&mut self, step: &Step) -> Prepared {
        match &step.op {
            Op::Join => Prepared::Done,
            Op::Evaluate => self.evaluate(site(step)),
            Op::Create { addr, retire } => {
                let action = Intended::Create { addr: addr.clone(), retire: retire.clone() };
                self.make(site(step), addr, action)
            }
            Op::Update { addr } => {
                self.make(site(step), addr, Intended::Update { addr: addr.clone() })
            }
            Op::Rebind { addr } => self.rebind(addr),
            Op::Read { addr } => self.read(site(step), addr),
            Op::Delete { key } => self.delete(key),
            Op::Forget { key } => match self.state.objects.contains_key(key) {
                true => Prepared::Record(Event::Forgotten { key: key.clone() }),
                false => Prepared::Done,
            },
        }
    }

    /// Evaluates what the step's site is, for whoever refers to it.
    fn evaluate(&mut self, site: Site) -> Prepared {
        let id = NodeId(site.node);
        let mut diagnostics = Vec::new();
        let program = self.input.program;
        match &program.node(id).kind {
            NodeKind::Call(..) | NodeKind::Resource(_) => {
                let instances = nodes::instances(self.world(), id, site.module, &mut diagnostics);
                if !self.known.update_instances(program, id, site.module, instances) {
                    diagnostics.push(changed(program.node(id).span));
                }
            }
            NodeKind::Check(_) => {
                nodes::check(self.world(), id, site.module, &mut diagnostics);
            }
            NodeKind::Provider(provider) => {
                let value = nodes::value(self.world(), id, site.module, &mut diagnostics);
                self.providers.insert(provider.addr.clone(), value.unmark_deep());
            }
            _ => {
                let value = nodes::value(self.world(), id, site.module, &mut diagnostics);
                self.known.set(program, id, site.module, value);
            }
        }
        if !self.asked.is_empty() {
            return Prepared::Ask;
        }
        let failed = diagnostics.iter().any(Diagnostic::is_error);
        self.diagnostics.extend(diagnostics);
        if failed { Prepared::Failed } else { Prepared::Done }
    }

    pub(crate) fn each(&self, site: Site, addr: &Addr) -> Option<(usize, Each)> {
        let slot = self.known.resource(NodeId(site.node), site.module)?;
        let index = slot.instances.position(addr.key.as_ref())?;
        Some((index, slot.instances.each(index)))
    }

    /// What the configuration of an instance says, wholly known. None: see `asked`, diagnostics.
    fn config(&mut self, site: Site, addr: &Addr) -> Option<Value> {
        let id = NodeId(site.node);
        let Some((_, each)) = self.each(site, addr) else {
            let error = changed(self.input.program.node(id).span);
            self.diagnostics.push(error.about(addr.to_string()));
            return None;
        };
        let mut diagnostics = Vec::new();
        nodes::conditions(self.world(), id, site.module, each.clone(), None, &mut diagnostics);
        let config = nodes::config(self.world(), id, site.module, each, &mut diagnostics);
        if !self.asked.is_empty() {
            return None;
        }
        let mut failed = diagnostics.iter().any(Diagnostic::is_error);
        if !failed && !config.is_wholly_known() {
            failed = true;
            let detail = format!(
                "Plumb expected the configuration of {addr} to be known by now, but some of it is \
                 not. This is a bug in plumb, or in a provider that did not say what it made."
            );
            diagnostics.push(Diagnostic::error("Configuration contains unknown value", detail));
        }
        self.diagnostics.extend(diagnostics.into_iter().map(|it| it.about(addr.to_string())));
        (!failed).then_some(config)
    }

    fn blocked(&self) -> Prepared {
        if self.asked.is_empty() { Prepared::Failed } else { Prepared::Ask }
    }

    fn make(&mut self, site: Site, addr: &Addr, action: Intended) -> Prepared {
        let Some(config) = self.config(site, addr) else { return self.blocked() };
        let (resource, block) = nodes::resource_block(self.world(), NodeId(site.node));
        let (resource, ignore) = (resource.clone(), block.lifecycle.ignore_changes.clone());
        let is_update = matches!(action, Intended::Update { .. });
        let object = if is_update { self.state.current(addr).cloned() } else { None };
        let stored = object.as_ref().map(|it| it.attrs.unmark_deep());
        // What is replaced may be gone by now; what is ignored is as it was.
        let before = self.input.plan.changes[&addr.current()].before.as_ref();
        let written = match before {
            Some(before) => ignore_changes(&config.unmark_deep(), &before.unmark_deep(), &ignore),
            None => config.unmark_deep(),
        };
        let mut failure = None;
        let change = &self.input.plan.changes[&addr.current()];
        let replaced = match resource.schema.refine {
            Some(_) => self.replaced.among(&change.needs),
            None => Arc::new([]),
        };
        let refined = {
            let (seen, asked) = (&self.seen, &self.asked);
            let source = &resource.provider.source;
            let mut facts = |kind: &str, query: &Value| {
                let key = QuestionKey::Fact {
                    source: source.clone(),
                    kind: kind.into(),
                    query: query.clone(),
                };
                match seen.get(&key) {
                    Some(Answer::Value(value)) => Some(value.clone()),
                    Some(Answer::Failed { summary, detail }) => {
                        failure = Some(Diagnostic::error(&**summary, &**detail));
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
            proposal(&resource.schema, &written, stored.as_ref(), &replaced, &mut facts)
        };
        if let Some(failure) = failure {
            self.diagnostics.push(failure.about(addr.to_string()));
            return Prepared::Failed;
        }
        if !self.asked.is_empty() {
            return Prepared::Ask;
        }
        if let Some(promised) = &change.after
            && !admits(&promised.unmark_deep(), &refined.planned)
            && refined.planned.is_wholly_known()
        {
            let detail = format!(
                "When {addr} was planned it was to be something else than its configuration now \
                 comes to, with everything known. This is a bug in plumb or in the provider."
            );
            let error = Diagnostic::error("Provider produced inconsistent final plan", detail);
            self.diagnostics.push(error.about(addr.to_string()));
            return Prepared::Failed;
        }
        let planned = settled(&refined.planned);
        let marked = marked_like(&planned, &config);
        if let Some(object) = object.filter(|_| refined.planned.is_wholly_known())
            && stored.as_ref() == Some(&refined.planned)
        {
            // Nothing differs over there; what we remember does.
            let object = Object {
                attrs: marked,
                needs: change.needs.clone(),
                provider: change.provider.clone(),
                create_before_destroy: change.create_before_destroy,
                schema_version: resource.schema.version,
                ..object
            };
            self.know(site, addr, &object.attrs);
            return Prepared::Record(Event::Recorded { key: addr.current(), object });
        }
        let intent = Intent {
            action,
            provider: resource.provider.clone(),
            planned: marked,
            schema_version: resource.schema.version,
            needs: change.needs.clone(),
            create_before_destroy: change.create_before_destroy,
        };
        let call = match self.state.current(addr).filter(|_| is_update) {
            Some(object) => Call::Update { prior: remote(object), planned },
            None => Call::Create { planned },
        };
        Prepared::Call(call, Box::new(intent))
    }

    fn rebind(&mut self, addr: &Addr) -> Prepared {
        let change = &self.input.plan.changes[&addr.current()];
        let Some(object) = self.state.current(addr) else { return Prepared::Done };
        let object = Object {
            needs: change.needs.clone(),
            provider: change.provider.clone(),
            create_before_destroy: change.create_before_destroy,
            ..object.clone()
        };
        Prepared::Record(Event::Recorded { key: addr.current(), object })
    }

    fn read(&mut self, site: Site, addr: &Addr) -> Prepared {
        let Some(config) = self.config(site, addr) else { return self.blocked() };
        let (resource, _) = nodes::resource_block(self.world(), NodeId(site.node));
        let resource = resource.clone();
        let written = config.unmark_deep();
        let key = QuestionKey::Data(addr.clone(), written.clone());
        match self.seen.get(&key) {
            None => {
                self.asked.ask(Question {
                    key,
                    provider: Some(resource.provider.clone()),
                    kind: addr.resource.kind.clone(),
                    subject: written,
                    private: None,
                });
                Prepared::Ask
            }
            Some(Answer::Value(value)) => {
                let change = &self.input.plan.changes[&addr.current()];
                let object = Object {
                    attrs: marked_like(value, &config),
                    private: None,
                    schema_version: resource.schema.version,
                    provider: resource.provider.clone(),
                    needs: change.needs.clone(),
                    tainted: false,
                    create_before_destroy: false,
                    unmanaged: None,
                };
                self.know(site, addr, &object.attrs);
                nodes::check_data(self.world(), NodeId(site.node), site.module, None);
                match self.postconditions(site, addr) {
                    Verdict::Kept => {}
                    Verdict::Failed => return Prepared::Failed,
                    Verdict::Asks => return Prepared::Ask,
                }
                Prepared::Record(Event::Recorded { key: addr.current(), object })
            }
            Some(Answer::Failed { summary, detail }) => {
                let failure = Some((&**summary, &**detail));
                let id = NodeId(site.node);
                if let Some(warning) = nodes::check_data(self.world(), id, site.module, failure) {
                    let change = &self.input.plan.changes[&addr.current()];
                    let object = Object {
                        attrs: change.after.as_ref().map_or(Value::NULL, settled),
                        private: None,
                        schema_version: resource.schema.version,
                        provider: resource.provider.clone(),
                        needs: change.needs.clone(),
                        tainted: false,
                        create_before_destroy: false,
                        unmanaged: None,
                    };
                    let planned = change.reason == Some(Reason::ReadBecauseCheckNested);
                    self.diagnostics.push(warning.about(addr.to_string()));
                    self.know(site, addr, &object.attrs);
                    return match planned {
                        true => Prepared::Record(Event::Recorded { key: addr.current(), object }),
                        false => Prepared::Done,
                    };
                }
                let error = Diagnostic::error(&**summary, &**detail).about(addr.to_string());
                self.diagnostics.push(error);
                Prepared::Failed
            }
            Some(_) => {
                let error = Diagnostic::error("Unexpected answer", "This is a bug in plumb.");
                self.diagnostics.push(error.about(addr.to_string()));
                Prepared::Failed
            }
        }
    }

    fn delete(&mut self, key: &ObjectKey) -> Prepared {
        let Some(object) = self.state.objects.get(key) else { return Prepared::Done };
        if self.providers.get(&object.provider).is_some_and(|it| !it.is_wholly_known()) {
            let detail = format!(
                "{key} cannot be deleted in this run: the configuration of {} depends on something \
                 that is made only after the deletion. Configure the provider from what is known, \
                 or give it to a provider that is.",
                object.provider
            );
            let error = Diagnostic::error("Provider configuration not known", detail);
            self.diagnostics.push(error.about(key.to_string()));
            return Prepared::Failed;
        }
        let intent = Intent {
            action: Intended::Delete { key: key.clone() },
            provider: object.provider.clone(),
            planned: Value::NULL,
            schema_version: object.schema_version,
            needs: object.needs.clone(),
            create_before_destroy: object.create_before_destroy,
        };
        Prepared::Call(Call::Delete { prior: remote(object) }, Box::new(intent))
    }

    /// Lets whoever refers to the instance see what it is now.
    pub(crate) fn know(&mut self, site: Site, addr: &Addr, attrs: &Value) {
        let id = NodeId(site.node);
        let NodeKind::Resource(resource) = &self.input.program.node(id).kind else { return };
        let value = mark_sensitive(&resource.schema.block, attrs).into_owned();
        if let Some((index, _)) = self.each(site, addr) {
            self.known.set_instance(id, site.module, index, Some(value));
        }
    }

    /// Whether what an instance came to be is as its postconditions want it.
    pub(crate) fn postconditions(&mut self, site: Site, addr: &Addr) -> Verdict {
        let id = NodeId(site.node);
        let Some((index, each)) = self.each(site, addr) else { return Verdict::Kept };
        let Some(value) =
            self.known.resource(id, site.module).and_then(|it| it.get(index)).cloned()
        else {
            return Verdict::Kept;
        };
        let mut diagnostics = Vec::new();
        nodes::conditions(self.world(), id, site.module, each, Some(&value), &mut diagnostics);
        if !self.asked.is_empty() {
            return Verdict::Asks;
        }
        let failed = diagnostics.iter().any(Diagnostic::is_error);
        self.diagnostics.extend(diagnostics.into_iter().map(|it| it.about(addr.to_string())));
        if failed { Verdict::Failed } else { Verdict::Kept }
    }
}

pub(crate) fn site(step: &Step) -> Site {
    step.site.unwrap_or_else(|| panic!("{:?} has a site", step.op))
}

fn remote(object: &Object) -> Remote {
    Remote {
        attrs: object.attrs.unmark_deep(),
        private: object.private.clone(),
        complete: !object.tainted,
    }
}

/// The value with null for everything unknown: what the provider is to choose.
fn settled(value: &Value) -> Value {
    if value.is_wholly_known() {
        return value.clone();
    }
    match value.kind() {
        ValueKind::Unknown(unknown) => Value::null(unknown.ty.clone()),
        ValueKind::Object(_) => {
            let items = value.as_map().into_iter().flatten();
            Value::object(items.map(|(name, it)| (name.clone(), settled(it))))
        }
        ValueKind::Map(_) => {
            let items = value.as_map().into_iter().flatten();
            let items: Vec<(Arc<str>, Value)> =
                items.map(|(name, it)| (name.clone(), settled(it))).collect();
            Value::map(element(value), items)
        }
        ValueKind::List(_) => Value::list(element(value), value.values().map(settled).collect()),
        ValueKind::Set(_) => Value::set(element(value), value.values().map(settled).collect()),
        ValueKind::Tuple(_) => Value::tuple(value.values().map(settled).collect()),
        ValueKind::Null(_) | ValueKind::Bool(_) | ValueKind::Number(_) | ValueKind::String(_) => {
            value.clone()
        }
    }
}

fn element(value: &Value) -> plumb_model::value::Type {
    use plumb_model::value::Type;
    match value.ty() {
        Type::List(elem) | Type::Set(elem) | Type::Map(elem) => (*elem).clone(),
        _ => Type::Dynamic,
    }
}

fn changed(span: Option<plumb_diag::Span>) -> Diagnostic {
    let error = Diagnostic::error(
        "Instances changed after the plan",
        "With everything known, there would be other instances than were planned. Plan again.",
    );
    Diagnostic { span, ..error }
}
