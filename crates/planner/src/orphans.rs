//! Objects that nothing in the configuration asks for any more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use plumb_lang::config::RemovedFrom;
use plumb_model::addr::{Addr, ConfigAddr, InstanceKey, Mode, ObjectKey};
use plumb_model::event::Event;
use plumb_model::plan::{Action, Change, Reason};
use plumb_model::state::Object;

use crate::PlanMode;
use crate::refresh::is_seen;
use crate::walk::{Walk, prevented};

impl Walk<'_> {
    /// Decides what becomes of objects that the walk did not come by.
    pub(crate) fn orphans(&mut self) {
        if self.input.options.mode == PlanMode::RefreshOnly {
            return self.refresh_orphans();
        }
        let prevents = self.prevents();
        let wanted = self.dependents();
        let mut orphans: Vec<(ObjectKey, Object)> = Vec::new();
        for (key, object) in &self.prior.objects {
            let named = match &wanted {
                Some(wanted) => {
                    wanted.contains(&key.addr.config()) || self.included.named(&key.addr)
                }
                None => self.included.named(&key.addr),
            };
            if !self.changes.contains_key(key) && named {
                orphans.push((key.clone(), object.clone()));
            }
        }
        for (key, object) in orphans {
            self.orphan(key, object, &prevents);
        }
    }

    fn refresh_orphans(&mut self) {
        let objects: Vec<_> = (self.prior.objects.iter())
            .filter(|(key, object)| {
                is_seen(self.input, key, object) && self.known_block(&key.addr.config()).is_none()
            })
            .map(|(key, object)| (key.clone(), object.clone()))
            .collect();
        for (key, object) in objects {
            self.refresh_object(&key, &object);
        }
    }

    fn orphan(&mut self, key: ObjectKey, object: Object, prevents: &BTreeSet<ConfigAddr>) {
        let config = key.addr.config();
        let block = self.known_block(&config);
        let destroy = self.input.options.mode == PlanMode::Destroy;
        if key.addr.resource.mode == Mode::Data {
            // Nothing is there to be deleted; a data source that still stands was read anew.
            if destroy || self.known_position(&key.addr).is_none() {
                self.record(Event::Forgotten { key });
            }
            return;
        }
        // Those of blocks that were walked have been looked at.
        if is_seen(self.input, &key, &object) && (block.is_none() || destroy) {
            let questions = self.asked.len();
            self.refresh_object(&key, &object);
            if self.asked.len() > questions {
                return;
            }
        }
        let Some(object) = self.prior.objects.get(&key).cloned() else { return };
        let removed = self.removed(&config);
        if !destroy && removed == Some(false) {
            let reason = Some(self.reason(&key.addr));
            return self.drop_change(key, object, Action::Forget, reason);
        }
        if key.deposed.is_none()
            && prevents.contains(&config)
            && let Some(span) = block
        {
            self.diagnostics.push(prevented(&key.addr, span));
        }
        let reason = match (destroy, &key.deposed) {
            (false, None) => Some(self.reason(&key.addr)),
            _ => None,
        };
        self.drop_change(key, object, Action::Delete, reason);
    }

    fn drop_change(
        &mut self,
        key: ObjectKey,
        object: Object,
        action: Action,
        reason: Option<Reason>,
    ) {
        let moved_from = self.moved_to(&key.addr);
        self.changes.insert(
            key,
            Change {
                action,
                before: Some(object.attrs),
                after: None,
                reason,
                replace_paths: Vec::new(),
                says: Vec::new(),
                moved_from,
                importing: None,
                provider: object.provider,
                needs: object.needs,
                create_before_destroy: object.create_before_destroy,
            },
        );
    }

    fn known_block(&self, config: &ConfigAddr) -> Option<plumb_diag::Span> {
        let program = self.input.program;
        let id = program.find(config)?;
        Some(program.node(id).span.unwrap_or_default())
    }

    fn known_position(&self, addr: &Addr) -> Option<usize> {
        let program = self.input.program;
        let id = program.find(&addr.config())?;
        let infos = self.known.module(program.node(id).module);
        let instance = infos.iter().position(|it| it.addr == addr.module)?;
        self.known.position(id, instance as u32, addr)
    }

    fn reason(&self, addr: &Addr) -> Reason {
        let program = self.input.program;
        let path = addr.module.path();
        let Some(module) = program.modules.iter().position(|it| it.path == path) else {
            return Reason::DeleteBecauseNoResourceConfig;
        };
        let id = plumb_lang::ModuleId(module as u32);
        let infos = self.known.module(id);
        let Some(instance) = infos.iter().position(|it| it.addr == addr.module) else {
            return Reason::DeleteBecauseNoModule;
        };
        let Some(node) = program.modules[module].names.resource(&addr.resource) else {
            return Reason::DeleteBecauseNoResourceConfig;
        };
        let Some(slot) = self.known.resource(node, instance as u32) else {
            return Reason::DeleteBecauseNoResourceConfig;
        };
        match (&slot.instances, &addr.key) {
            (plumb_lang::Instances::Count(_), Some(InstanceKey::Int(_))) => {
                Reason::DeleteBecauseCountIndex
            }
            (plumb_lang::Instances::Each(_), Some(InstanceKey::Str(_))) => {
                Reason::DeleteBecauseEachKey
            }
            _ => Reason::DeleteBecauseWrongRepetition,
        }
    }

    /// What a `removed` block says of the block: whether to delete its objects.
    fn removed(&self, config: &ConfigAddr) -> Option<bool> {
        let modules = self.input.program.modules.iter();
        modules
            .flat_map(|module| module.config.removed.iter().map(move |it| (&module.path, it)))
            .find(|(base, removed)| {
                let base = &base.0;
                match &removed.from {
                    RemovedFrom::Resource(from) => {
                        let path: Vec<&Arc<str>> =
                            base.iter().chain(from.module.0.iter()).collect();
                        from.resource == config.resource
                            && path.into_iter().eq(config.module.0.iter())
                    }
                    RemovedFrom::Module(from) => {
                        let path: Vec<Arc<str>> =
                            base.iter().chain(from.0.iter()).cloned().collect();
                        config.module.0.starts_with(&path)
                    }
                }
            })
            .map(|(_, removed)| removed.destroy)
    }

    /// For a destruction of named parts: the blocks whose objects lean on what is named, in turn.
    fn dependents(&self) -> Option<BTreeSet<ConfigAddr>> {
        if self.input.options.mode != PlanMode::Destroy || !self.included.is_partial() {
            return None;
        }
        let mut leaning: BTreeMap<&ConfigAddr, BTreeSet<ConfigAddr>> = BTreeMap::new();
        let mut queue = Vec::new();
        for (key, object) in &self.prior.objects {
            for need in object.needs.iter() {
                leaning.entry(need).or_default().insert(key.addr.config());
            }
            if self.included.named(&key.addr) {
                queue.push(key.addr.config());
            }
        }
        let mut found = BTreeSet::new();
        let mut visited = BTreeSet::new();
        while let Some(addr) = queue.pop() {
            if !visited.insert(addr.clone()) {
                continue;
            }
            for dependent in leaning.get(&addr).into_iter().flatten() {
                found.insert(dependent.clone());
                queue.push(dependent.clone());
            }
        }
        Some(found)
    }
}
