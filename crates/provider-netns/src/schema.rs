//! What the provider takes: a resource of each kind, and a data source that finds one by name.

use std::collections::BTreeMap;
use std::sync::Arc;

use plumb_model::addr::Kind;
use plumb_model::schema::{Attribute, Block, Presence, ProviderSchema, ResourceSchema};
use plumb_provider::Block as _;

use crate::kinds;

pub(crate) const SOURCE: &str = "registry.terraform.io/plumb/netns";

/// Where the cloud is.
#[derive(plumb_provider::Block, Clone, Debug)]
pub(crate) struct Config {
    /// Folder of the cloud, relative to the configuration. Left out, `.plumb/netns`. Configurations
    /// that name the same folder share a cloud.
    pub(crate) cloud: Option<String>,
}

/// Everything.
pub(crate) fn provider() -> ProviderSchema {
    let mut resources = BTreeMap::new();
    let mut data = BTreeMap::new();
    for it in &kinds::ALL {
        let schema = (it.schema)();
        let found = found_by(&schema.block, it.found_by);
        data.insert(Kind::new(it.name), Arc::new(ResourceSchema::new(found)));
        resources.insert(Kind::new(it.name), Arc::new(schema));
    }
    ProviderSchema {
        source: SOURCE.into(),
        name: "netns".into(),
        config: Config::schema().clone(),
        resources,
        data,
    }
}

/// The same attributes, all computed but those that say which one is meant.
fn found_by(block: &Block, arguments: &[&str]) -> Block {
    let attributes = block.attributes().iter().map(|(name, it)| {
        let presence = match arguments.contains(&&**name) {
            true => Presence::Required,
            false => Presence::Computed,
        };
        let description = it.description.clone();
        (name.clone(), Attribute { description, ..Attribute::new(it.ty.clone(), presence) })
    });
    let blocks = block.blocks().iter().map(|(name, it)| {
        let description = it.block.description().clone();
        let attribute = Attribute::new(it.ty(), Presence::Computed);
        (name.clone(), Attribute { description, ..attribute })
    });
    Block::new(attributes.chain(blocks).collect(), BTreeMap::new()).described(block.description())
}
