//! One connection to a server, on the worker's thread.

use std::sync::{Arc, OnceLock};

use tokio::task::JoinHandle;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

use super::trouble::Trouble;

/// A session of the server. It ends when this is dropped, and its locks with it.
pub(crate) struct Session {
    client: Client,
    task: JoinHandle<()>,
    /// Why it ended by itself.
    ended: Arc<OnceLock<Trouble>>,
}

/// A value and its type: statements need no round trip to be understood then.
pub(crate) type Param<'a> = (&'a (dyn ToSql + Sync), Type);

/// Settings of every session of ours, where the server has them: a vanished machine's session, and
/// its lock, goes within half a minute or so; an idle one stays; nothing waits for ever; and what
/// was committed is on disk. Stricter ways to be durable stay as they are.
const PREPARE: &str = "
    SELECT set_config(name, wanted, false)
    FROM (VALUES
        ('tcp_keepalives_idle', '15'),
        ('tcp_keepalives_interval', '5'),
        ('tcp_keepalives_count', '3'),
        ('tcp_user_timeout', '30000'),
        ('idle_session_timeout', '0'),
        ('idle_in_transaction_session_timeout', '60000'),
        ('lock_timeout', '20000'),
        ('statement_timeout', '60000'),
        ('default_transaction_isolation', 'read committed'),
        ('synchronous_commit', CASE current_setting('synchronous_commit')
            WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END)
    ) AS ours (name, wanted) JOIN pg_settings USING (name)";

impl Session {
    /// Lets a new connection live. Runs on the thread where it is to.
    pub(crate) fn new<F>(client: Client, connection: F) -> Session
    where
        F: Future<Output = Result<(), tokio_postgres::Error>> + Send + 'static,
    {
        let ended = Arc::new(OnceLock::new());
        let note = ended.clone();
        let task = tokio::spawn(async move {
            if let Err(error) = connection.await {
                _ = note.set(error.into());
            }
        });
        Session { client, task, ended }
    }

    /// Makes it one of ours.
    pub(crate) async fn prepare(&self) -> Result<(), Trouble> {
        self.rows(PREPARE, &[]).await.map(drop)
    }

    /// Runs a statement, gives its rows.
    pub(crate) async fn rows(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, Trouble> {
        self.client.query_typed(sql, params).await.map_err(|error| self.explain(error))
    }

    /// Runs a statement that gives one row at most.
    pub(crate) async fn row(
        &self,
        sql: &str,
        params: &[Param<'_>],
    ) -> Result<Option<Row>, Trouble> {
        Ok(self.rows(sql, params).await?.into_iter().next())
    }

    /// Runs a statement, tells how many rows it touched.
    pub(crate) async fn execute(&self, sql: &str, params: &[Param<'_>]) -> Result<u64, Trouble> {
        self.client.execute_typed(sql, params).await.map_err(|error| self.explain(error))
    }

    /// Runs statements without parameters.
    pub(crate) async fn batch(&self, sql: &str) -> Result<(), Trouble> {
        self.client.batch_execute(sql).await.map_err(|error| self.explain(error))
    }

    /// Runs statements as one transaction: all of them happen, or, after an error, none. `begin` is
    /// what starts it.
    pub(crate) async fn transaction<T>(
        &self,
        begin: &str,
        statements: impl Future<Output = Result<T, Trouble>>,
    ) -> Result<T, Trouble> {
        self.batch(begin).await?;
        let result = statements.await;
        match result {
            Ok(value) => {
                // A commit that fails has rolled back, unless the connection went with it.
                self.batch("COMMIT").await?;
                Ok(value)
            }
            Err(trouble @ Trouble::Lost(_)) => Err(trouble),
            Err(trouble) => {
                self.batch("ROLLBACK").await?;
                Err(trouble)
            }
        }
    }

    /// Whether it is over.
    pub(crate) fn is_over(&self) -> bool {
        self.client.is_closed() || self.task.is_finished()
    }

    /// Why it is over, as far as anybody told.
    pub(crate) fn last_words(&self) -> String {
        self.ended.get().map_or_else(|| "the connection was closed".into(), ToString::to_string)
    }

    fn explain(&self, error: tokio_postgres::Error) -> Trouble {
        match self.ended.get() {
            Some(trouble) if error.is_closed() => trouble.clone(),
            _ => error.into(),
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Closes the socket even if the server no longer answers.
        self.task.abort();
    }
}
