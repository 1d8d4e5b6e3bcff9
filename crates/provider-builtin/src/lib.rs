//! The provider that every configuration has: `terraform_data`, which keeps a value, and
//! `terraform_remote_state`, which reads what another configuration says.

mod data;
mod remote_state;

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use plumb_model::addr::Kind;
use plumb_model::event::Remote;
use plumb_model::schema::{Block as SchemaBlock, ProviderSchema};
use plumb_model::state::Token;
use plumb_model::value::Value;
use plumb_provider::{
    CallContext, Connection, Edge, Failure, Outcome, Provider, ReadRequest, Resource, entry,
};

pub use data::TerraformData;
pub use remote_state::RemoteState;

/// Full source address.
pub const SOURCE: &str = "terraform.io/builtin/terraform";

/// The provider.
#[derive(Clone, Copy, Debug, Default)]
pub struct Builtin;

/// Its schema, without the provider.
pub fn schema() -> &'static Arc<ProviderSchema> {
    static SCHEMA: OnceLock<Arc<ProviderSchema>> = OnceLock::new();
    SCHEMA.get_or_init(|| {
        Arc::new(ProviderSchema {
            source: SOURCE.into(),
            name: "terraform".into(),
            config: SchemaBlock::new(Default::default(), Default::default()),
            resources: [entry::<TerraformData>()].into(),
            data: [entry::<RemoteState>()].into(),
        })
    })
}

#[async_trait]
impl Provider for Builtin {
    fn schema(&self) -> &Arc<ProviderSchema> {
        schema()
    }

    async fn connect(&self, _: &Value, edge: &Edge) -> Result<Arc<dyn Connection>, Failure> {
        Ok(Arc::new(Here { directory: edge.directory.clone() }))
    }
}

/// The connection: there is nothing to connect to.
struct Here {
    directory: PathBuf,
}

#[async_trait]
impl Connection for Here {
    async fn read(&self, requests: &[ReadRequest]) -> Vec<Result<Option<Remote>, Failure>> {
        // What the state says is all there is.
        requests.iter().map(|it| Ok(Some(it.prior.clone()))).collect()
    }

    async fn find(&self, _: &Kind, _: Token, _: &Value) -> Result<Option<Remote>, Failure> {
        // What was never recorded does not exist.
        Ok(None)
    }

    async fn import(&self, kind: &Kind, id: &str) -> Result<Option<Remote>, Failure> {
        managed(kind)?;
        Ok(Some(Remote { attrs: data::imported(id), private: None, complete: true }))
    }

    async fn data(&self, kind: &Kind, config: &Value) -> Result<Value, Failure> {
        match &**kind == RemoteState::KIND {
            true => remote_state::read(&self.directory, config),
            false => Err(no_such(kind)),
        }
    }

    async fn create(&self, _: &CallContext, kind: &Kind, planned: &Value) -> Outcome {
        managed(kind).and_then(|()| data::made(planned)).map_or_else(Outcome::failed, Outcome::made)
    }

    async fn update(&self, _: &CallContext, kind: &Kind, _: &Remote, planned: &Value) -> Outcome {
        managed(kind).and_then(|()| data::made(planned)).map_or_else(Outcome::failed, Outcome::made)
    }

    async fn delete(&self, _: &CallContext, _: &Kind, _: &Remote) -> Outcome {
        Outcome::deleted()
    }
}

fn managed(kind: &Kind) -> Result<(), Failure> {
    if &**kind == TerraformData::KIND { Ok(()) } else { Err(no_such(kind)) }
}

fn no_such(kind: &Kind) -> Failure {
    Failure::new("Unknown resource type", format!("{SOURCE} has no {:?}.", &**kind))
}
