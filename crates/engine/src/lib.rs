//! The engine: asks until there is a plan, and drives a run until it is over.
//!
//! The only home of tasks, timeouts, concurrency limits and retries. It does not know which
//! providers exist, nor terminals: what a person may want to see goes to an [`Observer`].

mod apply;
mod around;
mod ask;
mod awake;
mod call;
mod conform;
mod connections;
mod drive;
mod failures;
mod files;
mod journal;
mod local_exec;
mod observe;
mod patience;
mod plan;
mod timeout;

use std::collections::BTreeMap;
use std::sync::Arc;

use plumb_model::addr::ProviderAddr;
use plumb_model::schema::Schemas;
use plumb_model::value::Value;
use plumb_provider::{Connection, Edge, Failure, Provider};
use tokio::sync::{Semaphore, SemaphorePermit, watch};

pub use apply::{Applied, ApplyRequest};
pub use around::Providers;
pub use failures::store_error;
pub use journal::Journal;
pub use observe::{Notice, Observer, Provisioning, Silent};
pub use plan::{PlanOutcome, PlanRequest};

use connections::Connections;

/// Providers, and the limits under which they are called.
pub struct Engine {
    connections: Connections,
    schemas: Arc<Schemas>,
    parallelism: usize,
    /// For questions while planning; a run counts by itself.
    permits: Semaphore,
    /// By source: how much a provider takes at a time, where it says so.
    limits: BTreeMap<Arc<str>, usize>,
    permits_by_source: BTreeMap<Arc<str>, Semaphore>,
    /// What is read is read whole, see [`plumb_provider::ReadRequest::whole`].
    whole: bool,
}

/// How much a person wants the work to end. Shared between the engine and whoever hears signals.
#[derive(Clone, Debug)]
pub struct Interrupt(watch::Receiver<u8>);

/// Raises an [`Interrupt`].
#[derive(Debug)]
pub struct Interrupter(watch::Sender<u8>);

impl Interrupter {
    /// A pair: nobody wants anything to end yet.
    pub fn pair() -> (Interrupter, Interrupt) {
        let (sender, receiver) = watch::channel(0);
        (Interrupter(sender), Interrupt(receiver))
    }

    /// The first time: start nothing new. The second: do not wait either.
    pub fn raise(&self) {
        self.0.send_modify(|it| *it = it.saturating_add(1));
    }
}

impl Interrupt {
    /// How often it was raised.
    pub fn level(&self) -> u8 {
        *self.0.borrow()
    }

    /// Waits until it is raised above `level`. Never, if nobody can raise it any more.
    async fn above(&mut self, level: u8) {
        if self.0.wait_for(|it| *it > level).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Engine {
    /// An engine with these providers, that makes at most `parallelism` calls at a time, and to
    /// each provider at most as many as it takes.
    pub fn new(providers: Vec<Arc<dyn Provider>>, edge: Edge, parallelism: usize) -> Engine {
        let by_source: BTreeMap<Arc<str>, Arc<dyn Provider>> =
            providers.into_iter().map(|it| (it.schema().source.clone(), it)).collect();
        let schemas = by_source.iter().map(|(source, it)| (source.clone(), it.schema().clone()));
        let schemas = Arc::new(Schemas { providers: schemas.collect() });
        let parallelism = parallelism.max(1);
        let limits: BTreeMap<Arc<str>, usize> = (by_source.iter())
            .filter_map(|(source, it)| Some((source.clone(), it.concurrency()?.max(1))))
            .collect();
        Engine {
            connections: Connections::new(by_source, edge),
            schemas,
            parallelism,
            permits: Semaphore::new(parallelism),
            permits_by_source: (limits.iter())
                .map(|(source, limit)| (source.clone(), Semaphore::new(*limit)))
                .collect(),
            limits,
            whole: false,
        }
    }

    /// The same; objects are read with what the configuration leaves out.
    #[must_use]
    pub fn reading_whole(self) -> Engine {
        Engine { whole: true, ..self }
    }

    /// The right to ask a provider something, until it is dropped.
    async fn permit(&self, source: &str) -> (Option<SemaphorePermit<'_>>, SemaphorePermit<'_>) {
        let never = "the semaphores are never closed";
        let own = match self.permits_by_source.get(source) {
            Some(permits) => Some(permits.acquire().await.expect(never)),
            None => None,
        };
        (own, self.permits.acquire().await.expect(never))
    }

    /// The connection of a provider configuration, for what is neither planned nor applied.
    ///
    /// # Errors
    /// If the system cannot be reached.
    pub async fn connection(
        &self,
        addr: &Arc<ProviderAddr>,
        config: &Value,
    ) -> Result<Arc<dyn Connection>, Failure> {
        self.connections.get(addr, config).await
    }

    /// What the providers say of themselves.
    pub fn schemas(&self) -> &Arc<Schemas> {
        &self.schemas
    }
}
