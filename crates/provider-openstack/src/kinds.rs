//! The resource types.

pub(crate) mod address_group;
pub(crate) mod application_credential;
pub(crate) mod flavor;
pub(crate) mod floatingip;
pub(crate) mod floatingip_associate;
pub(crate) mod image;
pub(crate) mod instance;
pub(crate) mod interface_attach;
pub(crate) mod keypair;
pub(crate) mod network;
pub(crate) mod port;
pub(crate) mod portforwarding;
pub(crate) mod project;
pub(crate) mod route;
pub(crate) mod router;
pub(crate) mod router_interface;
pub(crate) mod secgroup;
pub(crate) mod secgroup_rule;
pub(crate) mod servergroup;
pub(crate) mod snapshot;
pub(crate) mod subnet;
pub(crate) mod subnetpool;
pub(crate) mod trunk;
pub(crate) mod volume;
pub(crate) mod volume_attach;

use plumb_model::addr::Kind;
use plumb_model::schema::ResourceSchema;
use plumb_provider::Failure;

use crate::cloud::Calls;
use crate::plan::{self, Rules};
use crate::table::Table;

/// A resource type.
pub(crate) struct Of {
    pub(crate) table: fn() -> &'static Table,
    pub(crate) schema: fn() -> ResourceSchema,
    pub(crate) calls: &'static dyn Calls,
}

/// All of them.
pub(crate) static ALL: &[Of] = &[
    of(&address_group::AddressGroup),
    of(&application_credential::ApplicationCredential),
    of(&flavor::Flavor),
    of(&floatingip::FloatingIp),
    of(&floatingip_associate::FloatingIpAssociate),
    of(&image::Image),
    of(&instance::Instance),
    of(&interface_attach::InterfaceAttach),
    of(&keypair::KeyPair),
    of(&network::Network),
    of(&port::Port),
    of(&portforwarding::PortForwarding),
    of(&project::Project),
    of(&route::Route(route::OfRouter)),
    of(&route::Route(route::OfSubnet)),
    of(&router::Router),
    of(&router_interface::RouterInterface),
    of(&secgroup::SecurityGroup),
    of(&secgroup_rule::SecurityGroupRule),
    of(&servergroup::ServerGroup),
    of(&snapshot::Snapshot),
    of(&subnet::Subnet),
    of(&subnetpool::SubnetPool),
    of(&trunk::Trunk),
    of(&volume::Volume),
    of(&volume_attach::VolumeAttach),
];

const fn of<K: Rules + Calls>(calls: &'static K) -> Of {
    Of { table: K::table, schema: plan::schema::<K>, calls }
}

/// What is done with a resource type.
pub(crate) fn calls(kind: &Kind) -> Result<&'static dyn Calls, Failure> {
    let found = ALL.iter().find(|it| (it.table)().kind == &**kind);
    found.map(|it| it.calls).ok_or_else(|| {
        let detail = format!("The OpenStack provider has no `{}`.", &**kind);
        Failure::new("Invalid resource type", detail)
    })
}
