//! Terraform's backend `pg`: a row of a PostgreSQL table for each workspace, and beside it what
//! Terraform does not have: the journal, so that it outlives this machine, and who holds a lock.
//!
//! A lock lives and dies with the session that took it; every write is made on that session, and
//! looks in the same transaction whether it still holds the lock.

mod backend;
mod dial;
mod dsn;
mod lock;
mod past;
mod rows;
mod session;
mod settings;
mod tables;
mod tls;
mod trouble;

use std::sync::Arc;
use std::time::Duration;

use plumb_state::StoreError;
use plumb_state::backend::{Backend, Place};
use tokio_postgres::types::Type;

use crate::worker::Worker;
use crate::{Configured, Mistake, Setting};
use backend::PgBackend;
use dial::Dial;
use session::Session;
pub(crate) use settings::ARGUMENTS;
use settings::Settings;
use tables::Tables;
use trouble::Trouble;

/// Understands a block `backend "pg"`.
///
/// # Errors
/// Everything that is wrong with it. Nobody is asked anything yet.
pub fn configure(setting: &Setting) -> Result<Arc<dyn Configured>, Vec<Mistake>> {
    let settings = settings::read(setting)?;
    let dial = Dial::new(&settings.params).map_err(|problem| {
        vec![Mistake {
            argument: Some("conn_str".into()),
            summary: "Invalid connection string".into(),
            detail: format!("{problem}. It may also come from a variable PG…"),
        }]
    })?;
    let tables = Tables::new(&settings.schema);
    Ok(Arc::new(Pg { common: Arc::new(Common { settings, dial, tables }) }))
}

/// What all connections of one configuration share.
struct Common {
    settings: Settings,
    dial: Dial,
    tables: Tables,
}

struct Pg {
    common: Arc<Common>,
}

/// A state.
#[derive(Clone)]
struct Where {
    common: Arc<Common>,
    workspace: String,
}

/// Longer than the server itself lets any statement take.
const PATIENCE: Duration = Duration::from_secs(120);

impl Common {
    /// A session that is ready for work.
    async fn connect(&self) -> Result<Session, Trouble> {
        let session = self.dial.connect().await?;
        session.prepare().await?;
        Ok(session)
    }
}

/// Waits for what is done on `worker`, not for ever.
fn wait<T, F>(worker: &Worker, work: F) -> Result<T, Trouble>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Trouble>> + Send + 'static,
{
    let answer = worker.run(async {
        let late = || Trouble::Lost(format!("no answer within {} s", PATIENCE.as_secs()));
        tokio::time::timeout(PATIENCE, work).await.unwrap_or_else(|_| Err(late()))
    });
    // A bug; whatever the connection was in the middle of, it cannot be used.
    answer.unwrap_or_else(|error| Err(Trouble::Lost(error.to_string())))
}

impl Pg {
    /// Does something on a connection of its own.
    fn run<T, F>(
        &self,
        what: &'static str,
        workspace: &str,
        work: impl FnOnce(Arc<Common>, Session) -> F + Send + 'static,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Trouble>> + Send + 'static,
    {
        let common = self.common.clone();
        let name = common.settings.name(workspace);
        let all = async move {
            let session = common.connect().await?;
            work(common, session).await
        };
        let worker = Worker::start().map_err(|error| Trouble::Lost(error.to_string()));
        let answer = worker.and_then(|worker| wait(&worker, all));
        answer.map_err(|trouble| trouble.told(what, &name))
    }
}

impl Configured for Pg {
    fn place(&self, workspace: &str) -> Result<Arc<dyn Place>, StoreError> {
        if workspace.is_empty() || workspace.contains('\0') {
            return Err(StoreError::Refused {
                summary: "Invalid workspace name".into(),
                detail: "A workspace's name is not empty and holds no NUL.".into(),
            });
        }
        Ok(Arc::new(Where { common: self.common.clone(), workspace: workspace.into() }))
    }

    fn workspaces(&self) -> Result<Vec<String>, StoreError> {
        self.run("list the workspaces at", "*", async |common, session| {
            let tables = &common.tables;
            let there = tables.there(&session).await?;
            // A run that broke off before its first snapshot has left a journal alone.
            let mut parts = Vec::new();
            if there.states {
                parts.push(format!("SELECT name FROM {} WHERE name IS NOT NULL", tables.states));
            }
            if there.ours {
                parts.push(format!("SELECT name FROM {}", tables.journal));
            }
            if parts.is_empty() {
                return Ok(vec!["default".into()]);
            }
            let rows = session.rows(&parts.join(" UNION "), &[]).await?;
            let names = rows.iter().map(|it| it.get::<_, String>(0));
            let mut names: Vec<String> = names.filter(|it| it != "default").collect();
            names.sort();
            names.insert(0, "default".into());
            Ok(names)
        })
    }

    fn delete(&self, workspace: &str) -> Result<(), StoreError> {
        if workspace == "default" {
            return Err(StoreError::Refused {
                summary: "The workspace `default` cannot be deleted".into(),
                detail: "It always exists. Destroy what is in it instead.".into(),
            });
        }
        let name = workspace.to_owned();
        self.run("delete the state at", workspace, async move |common, session| {
            let tables = &common.tables;
            let there = tables.there(&session).await?;
            let states = there.states.then_some(&tables.states);
            let ours = there.ours.then_some([&tables.journal, &tables.locks]);
            session
                .transaction("BEGIN", async {
                    for table in states.into_iter().chain(ours.into_iter().flatten()) {
                        let sql = format!("DELETE FROM {table} WHERE name = $1");
                        session.execute(&sql, &[(&name, Type::TEXT)]).await?;
                    }
                    Ok(())
                })
                .await
        })
    }
}

impl Place for Where {
    fn name(&self) -> String {
        self.common.settings.name(&self.workspace)
    }

    fn connect(&self) -> Result<Box<dyn Backend>, StoreError> {
        Ok(Box::new(PgBackend::new(self.clone())?))
    }
}
