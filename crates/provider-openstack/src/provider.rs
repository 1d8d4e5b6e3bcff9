//! The provider, and one connection of it to a cloud.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use plumb_model::addr::Kind;
use plumb_model::event::Remote;
use plumb_model::schema::ProviderSchema;
use plumb_model::state::Token;
use plumb_model::value::{Path, Value};
use plumb_provider::{
    CallContext, Connection, Edge, Failure, Foreign, Ours, Outcome, Provider, ReadRequest, Touched,
};

use crate::cloud::{Cloud, id_of};
use crate::session::Session;
use crate::{around, config, data, kinds, nova};

/// How long a service may go on with what was asked of it before we were killed: nothing tells what
/// it is about to make.
const ON_ITS_WAY: Duration = Duration::from_secs(8);

/// OpenStack.
#[derive(Debug, Default)]
pub struct OpenStackProvider {
    schema: OnceLock<Arc<ProviderSchema>>,
}

#[async_trait]
impl Provider for OpenStackProvider {
    fn schema(&self) -> &Arc<ProviderSchema> {
        self.schema.get_or_init(|| Arc::new(schema()))
    }

    fn topology(&self, kind: &Kind, attrs: &Value) -> Vec<plumb_topology::Piece> {
        crate::topology::pieces(kind, attrs)
    }

    async fn connect(&self, config: &Value, edge: &Edge) -> Result<Arc<dyn Connection>, Failure> {
        let settings = config::settings(config, edge)?;
        let session = Session::new(settings)?;
        session.authenticate().await?;
        Ok(Arc::new(CloudConnection(Cloud::new(session, edge.directory.clone()))))
    }
}

/// Everything.
fn schema() -> ProviderSchema {
    let resources =
        kinds::ALL.iter().map(|it| (Kind::new((it.table)().kind), Arc::new((it.schema)())));
    let data = data::ALL.iter().map(|it| (Kind::new((it.table)().kind), Arc::new((it.schema)())));
    ProviderSchema {
        source: config::SOURCE.into(),
        name: "openstack".into(),
        config: config::block(),
        resources: resources.collect(),
        data: data.collect(),
    }
}

/// A cloud that let us in.
struct CloudConnection(Cloud);

#[async_trait]
impl Connection for CloudConnection {
    async fn read(&self, requests: &[ReadRequest]) -> Vec<Result<Option<Remote>, Failure>> {
        // All of a kind at once, the kinds beside each other.
        let mut by_kind = BTreeMap::<&Kind, Vec<usize>>::new();
        for (index, request) in requests.iter().enumerate() {
            by_kind.entry(&request.kind).or_default().push(index);
        }
        let reads = by_kind.into_iter().map(async |(kind, places)| {
            let stored: Vec<&Remote> = places.iter().map(|it| &requests[*it].prior).collect();
            let answers = match kinds::calls(kind) {
                Ok(calls) => calls.read(&self.0, &stored).await,
                Err(failure) => stored.iter().map(|_| Err(failure.clone())).collect(),
            };
            (places, answers)
        });
        let mut all: BTreeMap<usize, _> = BTreeMap::new();
        for (places, answers) in futures_util::future::join_all(reads).await {
            all.extend(places.into_iter().zip(answers));
        }
        assert_eq!(all.len(), requests.len(), "every object that is asked for is answered for");
        all.into_values().collect()
    }

    async fn find(
        &self,
        kind: &Kind,
        token: Token,
        planned: &Value,
    ) -> Result<Option<Remote>, Failure> {
        let calls = kinds::calls(kind)?;
        let begun = Instant::now();
        loop {
            let made = calls.find(&self.0, token, planned).await?;
            if made.is_some() || begun.elapsed() > ON_ITS_WAY {
                return Ok(made);
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    async fn import(&self, kind: &Kind, id: &str) -> Result<Option<Remote>, Failure> {
        kinds::calls(kind)?.import(&self.0, id).await
    }

    async fn data(&self, kind: &Kind, config: &Value) -> Result<Value, Failure> {
        here(&self.0, config)?;
        data::query(kind)?.look_up(&self.0, config).await
    }

    async fn create(&self, call: &CallContext, kind: &Kind, planned: &Value) -> Outcome {
        let calls = here(&self.0, planned).and_then(|()| kinds::calls(kind));
        match calls {
            Ok(calls) => calls.create(&self.0, call, planned).await,
            Err(failure) => Outcome::failed(failure),
        }
    }

    async fn update(
        &self,
        call: &CallContext,
        kind: &Kind,
        prior: &Remote,
        planned: &Value,
    ) -> Outcome {
        match kinds::calls(kind) {
            Ok(calls) => calls.update(&self.0, call, prior, planned).await,
            Err(failure) => Outcome::failed(failure),
        }
    }

    async fn delete(&self, call: &CallContext, kind: &Kind, prior: &Remote) -> Outcome {
        match kinds::calls(kind) {
            Ok(calls) => calls.delete(&self.0, call, prior).await,
            Err(failure) => Outcome::failed(failure),
        }
    }

    async fn beside(&self, ours: &[Ours]) -> Result<Vec<Foreign>, Failure> {
        around::beside(&self.0, ours).await
    }

    async fn follow(
        &self,
        ours: &[Ours],
        touched: &(dyn Fn(Touched) + Send + Sync),
    ) -> Result<(), Failure> {
        around::follow(&self.0, ours, touched).await
    }

    /// What a server wrote to its console.
    async fn logs(&self, kind: &Kind, object: &Remote, bytes_max: u64) -> Result<String, Failure> {
        if &**kind != "openstack_compute_instance_v2" {
            let detail = "Servers do: openstack_compute_instance_v2.";
            return Err(Failure::new(format!("A {} keeps no log", &**kind), detail));
        }
        nova::console(&self.0, id_of(object), bytes_max).await
    }
}

/// A connection is one to a region: nothing is made in another.
fn here(cloud: &Cloud, object: &Value) -> Result<(), Failure> {
    let wanted = object.get_attr("region").and_then(Value::as_str).unwrap_or_default();
    let ours = cloud.session.region().unwrap_or_default();
    if wanted.is_empty() || ours.is_empty() || wanted == ours {
        return Ok(());
    }
    let detail = format!(
        "The provider is that of the region {ours:?}. Write another `provider` block with \
         region = {wanted:?} and an alias, and name it in the argument `provider`."
    );
    Err(Failure::new("Another region", detail).at(Path::default().attr("region")))
}
