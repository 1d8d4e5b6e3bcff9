//! The provider of clouds in the Linux kernel: what is declared of one is asked of its holder.

mod connection;
mod convert;
mod refine;
mod resources;
mod schema;
mod validate;

use std::sync::Arc;

use async_trait::async_trait;
use plumb_model::schema::ProviderSchema;
use plumb_model::value::Value;
use plumb_provider::{Connection, Edge, Failure, Provider};

use connection::Cloud;

/// Where a cloud is kept when nobody says.
const FOLDER: &str = ".plumb/netns";

/// Clouds in the kernel.
#[derive(Clone, Copy, Debug, Default)]
pub struct NetnsProvider;

#[async_trait]
impl Provider for NetnsProvider {
    fn schema(&self) -> &Arc<ProviderSchema> {
        schema::provider()
    }

    async fn connect(&self, config: &Value, edge: &Edge) -> Result<Arc<dyn Connection>, Failure> {
        if !cfg!(target_os = "linux") {
            let detail = "A netns cloud is made of parts of the Linux kernel. Elsewhere, use the Docker \
                          provider.";
            return Err(Failure::new("Not on Linux", detail));
        }
        let folder = config.get_attr("cloud").and_then(Value::as_str).unwrap_or(FOLDER);
        Ok(Arc::new(Cloud::new(edge.directory.join(folder), edge.directory.clone())))
    }
}
