//! The data sources.

pub(crate) mod addresses;
pub(crate) mod collection;
pub(crate) mod compute;
pub(crate) mod identity;
pub(crate) mod ids;
pub(crate) mod images;
pub(crate) mod networking;
pub(crate) mod ports;

use async_trait::async_trait;
use plumb_model::addr::Kind;
use plumb_model::schema::ResourceSchema;
use plumb_model::value::Value;
use plumb_provider::Failure;

use crate::cloud::Cloud;
use crate::plan::{self, Rules};
use crate::table::Table;

/// A data source.
pub(crate) struct Of {
    pub(crate) table: fn() -> &'static Table,
    pub(crate) schema: fn() -> ResourceSchema,
    query: &'static dyn Query,
}

/// What is asked of a cloud for a data source.
#[async_trait]
pub(crate) trait Query: Send + Sync {
    /// All attributes.
    async fn look_up(&self, cloud: &Cloud, config: &Value) -> Result<Value, Failure>;
}

/// All of them.
pub(crate) static ALL: &[Of] = &[
    of(&networking::Network),
    of(&networking::Subnet),
    of(&networking::Router),
    of(&networking::SecurityGroup),
    of(&addresses::FloatingIp),
    of(&addresses::SubnetPool),
    of(&addresses::Trunk),
    of(&compute::AvailabilityZones),
    of(&compute::Flavor),
    of(&compute::Instance),
    of(&compute::KeyPair),
    of(&identity::AuthScope),
    of(&identity::Endpoint),
    of(&identity::Project),
    of(&ids::SubnetIds),
    of(&images::Image),
    of(&images::ImageIds),
    of(&ports::Port),
    of(&ports::PortIds),
];

const fn of<Q: Rules + Query>(query: &'static Q) -> Of {
    Of { table: Q::table, schema: plan::schema::<Q>, query }
}

/// What is asked for a data source.
pub(crate) fn query(kind: &Kind) -> Result<&'static dyn Query, Failure> {
    let found = ALL.iter().find(|it| (it.table)().kind == &**kind);
    found.map(|it| it.query).ok_or_else(|| {
        let detail = format!("The OpenStack provider has no data source `{}`.", &**kind);
        Failure::new("Invalid data source", detail)
    })
}
