//! Which provider configuration a module or resource uses.

use super::*;

impl Compiler<'_> {
    /// The configurations that the module's own `provider` blocks declare.
    pub(super) fn provider_scope(&mut self, id: ModuleId, config: &Module) {
        let path = self.modules[id.0 as usize].path.clone();
        for (name, block) in &config.providers {
            let Some(source) = self.source(config, &name.name, Some(block.span)) else { continue };
            let addr =
                Arc::new(ProviderAddr { module: path.clone(), source, alias: name.alias.clone() });
            self.provider_node(id, &addr, Some(name.clone()), Some(block.span));
            self.scopes[id.0 as usize].providers.insert(name.clone(), addr);
        }
        for (local, required) in &config.required_providers {
            self.source(config, local, Some(required.span));
        }
    }

    pub(super) fn provider_node(
        &mut self,
        module: ModuleId,
        addr: &Arc<ProviderAddr>,
        block: Option<ProviderName>,
        span: Option<Span>,
    ) -> Option<NodeId> {
        if let Some(node) = self.providers.get(addr) {
            return Some(*node);
        }
        let schema = self.schemas.providers.get(&addr.source)?.clone();
        let node = ProviderNode { addr: addr.clone(), block, schema };
        let id = self.add(module, NodeKind::Provider(Arc::new(node)), span);
        self.providers.insert(addr.clone(), id);
        Some(id)
    }

    /// The full source address behind a local provider name.
    pub(super) fn source(
        &mut self,
        config: &Module,
        local: &str,
        span: Option<Span>,
    ) -> Option<Arc<str>> {
        let source = provider_source(config, self.schemas, local);
        if self.schemas.providers.contains_key(&source) {
            return Some(source);
        }
        // Said once for each name of a module.
        let known: Vec<&str> = self
            .schemas
            .providers
            .keys()
            .map(|it| it.strip_prefix("registry.terraform.io/").unwrap_or(it))
            .collect();
        let detail = format!(
            "The provider {source} is not compiled into plumb. It has: {}.",
            known.join(", ")
        );
        let error = Diagnostic { span, ..Diagnostic::error("Unknown provider", detail) };
        if !self
            .diagnostics
            .iter()
            .any(|it| it.summary == error.summary && it.detail == error.detail)
        {
            self.diagnostics.push(error);
        }
        None
    }

    /// The configuration that a module uses without naming one: the root's, without arguments.
    pub(super) fn implied_provider(
        &mut self,
        id: ModuleId,
        name: &ProviderName,
        span: Span,
    ) -> Option<Arc<ProviderAddr>> {
        if name.alias.is_some() {
            return None;
        }
        let config = self.modules[id.0 as usize].config.clone();
        let source = self.source(&config, &name.name, Some(span))?;
        let addr = Arc::new(ProviderAddr { module: ModulePath::default(), source, alias: None });
        // The root may have a block for it under another local name.
        self.provider_node(ModuleId(0), &addr, None, None)?;
        self.scopes[id.0 as usize].providers.insert(name.clone(), addr.clone());
        Some(addr)
    }

    /// Refuses to hand down a configuration to a name that means another provider.
    pub(super) fn other_provider(
        &self,
        id: ModuleId,
        child: &Module,
        call: &Arc<str>,
        theirs: &ProviderRef,
        ours: &ProviderRef,
    ) -> Option<Diagnostic> {
        let module = &self.modules[id.0 as usize];
        let given = match self.scopes[id.0 as usize].providers.get(&ours.name) {
            Some(addr) => addr.source.clone(),
            // An alias that nothing declares says nothing of its provider, but for the name.
            None if ours.name.alias.is_some()
                && !module.config.required_providers.contains_key(&ours.name.name) =>
            {
                full_source(&ours.name.name)
            }
            None => provider_source(&module.config, self.schemas, &ours.name.name),
        };
        let wanted = provider_source(child, self.schemas, &theirs.name.name);
        if given == wanted {
            return None;
        }
        let (title, path) = (module.title(), module.path.child(call));
        let (local, inner) = (display(&ours.name), display(&theirs.name));
        let short = |it: &str| it.trim_start_matches("registry.terraform.io/").to_owned();
        let (given, wanted) = (short(&given), short(&wanted));
        let detail = format!(
            "The local name {local:?} in {title} represents provider {given:?}, but {inner:?} in \
             {path} represents {wanted:?}.\n\nEach provider has its own arguments and resource \
             types, so this module's {inner:?} can be given only a configuration of {wanted}."
        );
        Some(Diagnostic::error("Provider type mismatch", detail).at(ours.span))
    }

    pub(super) fn resource(
        &mut self,
        id: ModuleId,
        resource: &Resource,
        block: &ResourceBlock,
    ) -> Option<NodeId> {
        let name = match &block.provider {
            Some(it) => it.name.clone(),
            None => ProviderName { name: resource.kind.provider_name().into(), alias: None },
        };
        let found = self.scopes[id.0 as usize].providers.get(&name).cloned();
        let found = match found {
            Some(addr) => Some(addr),
            None => self.implied_provider(id, &name, block.span),
        };
        let Some(provider) = found else {
            let unknown = self.diagnostics.iter().any(|it| it.summary == "Unknown provider");
            if let Some(written) = &block.provider
                && !(unknown && written.name.alias.is_none())
            {
                let detail = format!(
                    "The resource {resource} refers to the provider configuration {}, which is not \
                     declared in {}.",
                    display(&name),
                    self.modules[id.0 as usize].title()
                );
                let error = Diagnostic::error("Provider configuration not present", detail);
                self.diagnostics.push(error.at(written.span));
            }
            return None;
        };
        let provider_node = self.providers.get(&provider).copied()?;
        let Some(schema) = self.schemas.resource(&provider.source, resource.mode, &resource.kind)
        else {
            self.diagnostics.push(self.unknown_kind(&provider, resource, block.span));
            return None;
        };
        eval::check(&block.body, &schema.block, &mut self.diagnostics);
        let addr = ConfigAddr {
            module: self.modules[id.0 as usize].path.clone(),
            resource: resource.clone(),
        };
        let node = ResourceNode {
            addr,
            provider,
            provider_node,
            schema: schema.clone(),
            create_before_destroy: block
                .lifecycle
                .create_before_destroy
                .unwrap_or(schema.create_first),
            refers_to_itself: false,
        };
        Some(self.add(id, NodeKind::Resource(Arc::new(node)), Some(block.span)))
    }

    pub(super) fn unknown_kind(
        &self,
        provider: &ProviderAddr,
        resource: &Resource,
        span: Span,
    ) -> Diagnostic {
        let schema = &self.schemas.providers[&provider.source];
        let source = provider.source.strip_prefix("registry.terraform.io/");
        let source = source.unwrap_or(&provider.source);
        let (what, here, there) = match resource.mode {
            Mode::Managed => ("resource type", &schema.resources, &schema.data),
            Mode::Data => ("data source", &schema.data, &schema.resources),
        };
        let summary = match resource.mode {
            Mode::Managed => "Invalid resource type",
            Mode::Data => "Invalid data source",
        };
        let mut detail =
            format!("The provider {source} does not support {what} {:?}.", &*resource.kind);
        let names = here.keys().map(|it| &it.0);
        if let Some(more) = did_you_mean(&resource.kind, names) {
            detail += &more;
        } else if there.contains_key(&resource.kind) {
            detail += match resource.mode {
                Mode::Managed => {
                    "\n\nDid you intend to use the data source? If so, declare this using a \"data\" block instead of a \"resource\" block."
                }
                Mode::Data => {
                    "\n\nDid you intend to use the managed resource type? If so, declare this using a \"resource\" block instead of a \"data\" block."
                }
            };
        }
        Diagnostic::error(summary, detail).at(span)
    }
}
