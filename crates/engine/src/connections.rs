//! Connections to systems, one for each provider configuration.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use plumb_model::addr::ProviderAddr;
use plumb_model::value::Value;
use plumb_provider::{Connection, Edge, Failure, Provider};
use tokio::sync::OnceCell;

use crate::patience::persist;
use crate::timeout::DEFAULT;

type Connected = Result<Arc<dyn Connection>, Failure>;

/// With the configuration that each was made with.
type Open = BTreeMap<Arc<ProviderAddr>, (Value, Arc<OnceCell<Connected>>)>;

/// Connections so far.
pub(crate) struct Connections {
    providers: BTreeMap<Arc<str>, Arc<dyn Provider>>,
    pub(crate) edge: Edge,
    open: Mutex<Open>,
}

impl Connections {
    pub(crate) fn new(providers: BTreeMap<Arc<str>, Arc<dyn Provider>>, edge: Edge) -> Connections {
        Connections { providers, edge, open: Mutex::default() }
    }

    pub(crate) fn provider(&self, source: &str) -> Result<&Arc<dyn Provider>, Failure> {
        self.providers.get(source).ok_or_else(|| {
            let known: Vec<&str> = self.providers.keys().map(|it| &**it).collect();
            let detail = format!("It has: {}.", known.join(", "));
            Failure::new(format!("The provider {source} is not compiled into plumb"), detail)
        })
    }

    /// The connection with this configuration; made once, a failure is remembered too. Others do
    /// not wait for it.
    pub(crate) async fn get(&self, addr: &Arc<ProviderAddr>, config: &Value) -> Connected {
        let cell = {
            let mut open = self.open();
            match open.get(addr) {
                Some((with, cell)) if with == config => cell.clone(),
                _ => {
                    let cell = Arc::<OnceCell<Connected>>::default();
                    open.insert(addr.clone(), (config.clone(), cell.clone()));
                    cell
                }
            }
        };
        if let Some(connected) = cell.get() {
            return connected.clone();
        }
        let connect = || async {
            let provider = self.provider(&addr.source)?;
            persist(DEFAULT, || provider.connect(config, &self.edge)).await
        };
        cell.get_or_init(connect).await.clone()
    }

    /// What could not be reached, and why.
    pub(crate) fn failures(&self) -> Vec<(Arc<ProviderAddr>, Failure)> {
        let open = self.open();
        let failed = open.iter().filter_map(|(addr, (_, cell))| {
            let failure = cell.get()?.as_ref().err()?;
            Some((addr.clone(), failure.clone()))
        });
        failed.collect()
    }

    /// What was reached is reached anew when it is needed.
    pub(crate) fn forget(&self) {
        self.open().clear();
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
