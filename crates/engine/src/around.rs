//! What happens around our objects: what stands beside them, and what the systems tell of.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::join_all;
use plumb_model::addr::{Mode, ProviderAddr};
use plumb_model::state::State;
use plumb_model::value::Value;
use plumb_provider::{Failure, Foreign, Ours, Touched};

use crate::Engine;
use crate::patience::{guarded, persist};
use crate::timeout::DEFAULT;

/// Configurations of the providers, as far as they are known.
pub type Providers = BTreeMap<Arc<ProviderAddr>, Value>;

impl Engine {
    /// What stands beside the objects of the state, by provider configuration. It only looks.
    pub async fn beside(
        &self,
        state: &State,
        providers: &Providers,
    ) -> BTreeMap<Arc<ProviderAddr>, Result<Vec<Foreign>, Failure>> {
        let looks = by_provider(state).into_iter().map(|(addr, ours)| async move {
            let found = self.beside_one(&addr, providers, &ours).await;
            (addr, found)
        });
        join_all(looks).await.into_iter().collect()
    }

    async fn beside_one(
        &self,
        addr: &Arc<ProviderAddr>,
        providers: &Providers,
        ours: &[Ours],
    ) -> Result<Vec<Foreign>, Failure> {
        let config = providers.get(addr).cloned().unwrap_or(Value::NULL);
        let connection = self.connections.get(addr, &config).await?;
        let _permit = self.permit(&addr.source).await;
        let mut found = persist(DEFAULT, || connection.beside(ours)).await?;
        found.sort();
        found.dedup();
        Ok(found)
    }

    /// Follows what happens in one system, until it is dropped. `Ok` is said at once by systems
    /// that tell nothing.
    ///
    /// # Errors
    /// If nothing can be heard (any more).
    pub async fn follow(
        &self,
        addr: &Arc<ProviderAddr>,
        config: &Value,
        state: &State,
        touched: &(dyn Fn(Touched) + Send + Sync),
    ) -> Result<(), Failure> {
        let connection = self.connections.get(addr, config).await?;
        let ours = by_provider(state).remove(addr).unwrap_or_default();
        guarded(connection.follow(&ours, touched)).await?
    }

    /// Whatever was connected is connected anew when it is needed: after a system went away.
    pub fn reconnect(&self) {
        self.connections.forget();
    }
}

/// Managed objects of the state, by the provider configuration that looks after them.
fn by_provider(state: &State) -> BTreeMap<Arc<ProviderAddr>, Vec<Ours>> {
    let mut all: BTreeMap<Arc<ProviderAddr>, Vec<Ours>> = BTreeMap::new();
    for (key, object) in &state.objects {
        if key.addr.resource.mode == Mode::Managed {
            let ours =
                Ours { kind: key.addr.resource.kind.clone(), attrs: object.attrs.unmark_deep() };
            all.entry(object.provider.clone()).or_default().push(ours);
        }
    }
    all
}
