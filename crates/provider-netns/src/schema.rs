//! The provider's schema: resources as they are written, and a data source for each.

use std::sync::{Arc, LazyLock};

use plumb_model::addr::Kind;
use plumb_model::schema::{
    Attribute, Block, NestedBlock, Nesting, Presence, ProviderSchema, ResourceSchema,
};
use plumb_model::value::{ObjectType, Type};
use plumb_provider::{Resource, entry};

use crate::resources as it;

pub(crate) fn provider() -> &'static Arc<ProviderSchema> {
    static SCHEMA: LazyLock<Arc<ProviderSchema>> = LazyLock::new(|| {
        let cloud = Attribute {
            description: "The folder of the cloud: its socket, its hosts' files. Relative to the \
                          configuration's; `.plumb/netns` when left out. One cloud for each folder."
                .into(),
            ..Attribute::new(Type::String, Presence::Optional)
        };
        Arc::new(ProviderSchema {
            source: "registry.terraform.io/plumb/netns".into(),
            name: "netns".into(),
            config: Block::new([("cloud".into(), cloud)].into(), Default::default()),
            resources: [
                entry::<it::FloatingIp>(),
                entry::<it::Host>(),
                entry::<it::Link>(),
                entry::<it::Network>(),
                entry::<it::Port>(),
                entry::<it::PortForward>(),
                entry::<it::Router>(),
                entry::<it::RouterInterface>(),
                entry::<it::SecurityGroup>(),
                entry::<it::SecurityGroupRule>(),
                entry::<it::Snapshot>(),
            ]
            .into(),
            data: [
                data::<it::FloatingIp>(&["name"]),
                data::<it::Host>(&["name"]),
                data::<it::Link>(&["name"]),
                data::<it::Network>(&["name"]),
                data::<it::Port>(&["name"]),
                data::<it::PortForward>(&["name"]),
                data::<it::Router>(&["name"]),
                data::<it::RouterInterface>(&["router", "network"]),
                data::<it::SecurityGroup>(&["name"]),
                data::<it::SecurityGroupRule>(&["name"]),
                data::<it::Snapshot>(&["name"]),
            ]
            .into(),
        })
    });
    &SCHEMA
}

/// The data source of a resource: everything that it has, found by these arguments.
fn data<R: Resource>(by: &[&str]) -> (Kind, Arc<ResourceSchema>) {
    let resource = R::resource_schema();
    let own = resource.block.attributes().iter().map(|(name, it)| {
        let presence = if by.contains(&&**name) { Presence::Required } else { Presence::Computed };
        (
            name.clone(),
            Attribute { presence, default: None, on_change: Default::default(), ..it.clone() },
        )
    });
    let blocks = resource.block.blocks().iter().map(|(name, it)| (name.clone(), flat(it)));
    let attributes = own.chain(blocks).collect();
    let description = resource.block.description().clone();
    let block = Block::new(attributes, Default::default()).described(&description);
    (R::kind(), Arc::new(ResourceSchema::new(block)))
}

/// Blocks as an attribute of the same value.
fn flat(nested: &NestedBlock) -> Attribute {
    let one = Type::Object(Arc::new(ObjectType {
        attrs: nested
            .block
            .attributes()
            .iter()
            .map(|(name, it)| (name.clone(), it.ty.clone()))
            .collect(),
        optional: Default::default(),
    }));
    let ty = match nested.nesting {
        Nesting::Set => Type::set(one),
        _ => Type::list(one),
    };
    let description = nested.block.description().clone();
    Attribute { description, ..Attribute::new(ty, Presence::Computed) }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    /// `UPDATE_EXPECT=1 cargo test -p plumb-provider-netns` writes it.
    #[test]
    fn the_reference_page_is_up_to_date() {
        let page = plumb_provider::reference::provider(super::provider());
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/providers/netns.md");
        expect_test::expect_file![path].assert_eq(&page);
    }
}
