//! What is remembered, brought up to what was seen.

use super::*;

impl Walk<'_> {
    /// Brings what is remembered of one block up to what was seen.
    pub(super) fn refresh(
        &mut self,
        module: &plumb_model::addr::ModuleInstance,
        resource: &plumb_model::addr::Resource,
    ) {
        let objects: Vec<(ObjectKey, Object)> = self
            .prior
            .block(module, resource)
            .filter(|(key, object)| is_seen(self.input, key, object))
            .map(|(key, object)| (key.clone(), object.clone()))
            .collect();
        for (key, object) in objects {
            self.refresh_object(&key, &object);
        }
    }

    pub(crate) fn refresh_object(&mut self, key: &ObjectKey, object: &Object) {
        match look(self.input, key, object) {
            Looked::Same => {}
            Looked::Ask(question) => {
                if self.provider_of(&object.provider, &key.to_string()) {
                    self.asked.ask(*question);
                }
            }
            Looked::Failed(error) => return self.diagnostics.push(*error),
            Looked::Changed(event) => {
                let after = match &*event {
                    Event::Drifted { attrs, .. } => Some(attrs.clone()),
                    _ => None,
                };
                self.drift.insert(key.clone(), (object.attrs.clone(), after));
                self.record(*event);
            }
        }
        if let Some(event) = aside(self.input, key, object)
            && self.prior.objects.contains_key(key)
        {
            self.record(event);
        }
    }

    /// Whether the provider can be asked. One that is configured from what is not known yet cannot;
    /// what is remembered then stands.
    pub(crate) fn provider_of(&mut self, provider: &Arc<ProviderAddr>, whose: &str) -> bool {
        if let Some(config) = self.providers.get(provider) {
            return config.is_wholly_known();
        }
        let schema = self.input.schemas.providers.get(&provider.source);
        match schema {
            Some(schema) if provider.module.is_root() && provider.alias.is_none() => {
                let empty = nodes::empty_config(schema);
                self.providers.insert(provider.clone(), empty);
                true
            }
            _ => {
                let detail = format!(
                    "To work with {whose} its original provider configuration at {provider} is \
                     required, but it has been removed. This occurs when a provider configuration \
                     is removed while objects created by that provider still exist in the state. \
                     Re-add the provider configuration to destroy {whose}, after which you can \
                     remove the provider configuration again."
                );
                self.diagnostics
                    .push(Diagnostic::error("Provider configuration not present", detail));
                false
            }
        }
    }

    /// Asks about every object at once: what has to wait for an answer should wait only once.
    pub(super) fn unasked(&mut self) {
        if self.asked.is_empty() {
            return;
        }
        let objects: Vec<(ObjectKey, Object)> = self
            .prior
            .objects
            .iter()
            .filter(|(key, object)| {
                is_seen(self.input, key, object)
                    && self.providers.get(&object.provider).is_some_and(Value::is_wholly_known)
            })
            .map(|(key, object)| (key.clone(), object.clone()))
            .collect();
        for (key, object) in objects {
            if let Looked::Ask(question) = look(self.input, &key, &object) {
                self.asked.ask(*question);
            }
        }
    }
}
