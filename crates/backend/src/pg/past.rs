//! What is kept for people: the history, and snapshots that were replaced.

use tokio_postgres::types::Type;

use super::rows::At;
use super::trouble::Trouble;

/// Lines and snapshots that are kept of one state.
const LINES_MAX: i64 = 2000;
const PAST_MAX: i64 = 30;

/// Puts the snapshot that is about to be replaced away under its serial. Part of a transaction.
pub(crate) async fn keep(at: At<'_>, serial: u64) -> Result<(), Trouble> {
    let (past, states) = (&at.tables.past, &at.tables.states);
    let serial = i64::try_from(serial).unwrap_or(i64::MAX);
    let sql = format!(
        "INSERT INTO {past} (name, serial, data) SELECT name, $2, data FROM {states} \
         WHERE name = $1 AND data <> '' ON CONFLICT (name, serial) DO UPDATE SET data = EXCLUDED.data"
    );
    at.session.execute(&sql, &[(&at.name, Type::TEXT), (&serial, Type::INT8)]).await?;
    let sql = format!(
        "DELETE FROM {past} WHERE name = $1 AND serial NOT IN \
         (SELECT serial FROM {past} WHERE name = $1 ORDER BY serial DESC LIMIT $2)"
    );
    at.session.execute(&sql, &[(&at.name, Type::TEXT), (&PAST_MAX, Type::INT8)]).await.map(drop)
}

/// The serials of what was put away, rising.
pub(crate) async fn serials(at: At<'_>) -> Result<Vec<u64>, Trouble> {
    if !at.tables.there(at.session).await?.past {
        return Ok(Vec::new());
    }
    let sql = format!("SELECT serial FROM {} WHERE name = $1 ORDER BY serial", at.tables.past);
    let rows = at.session.rows(&sql, &[(&at.name, Type::TEXT)]).await?;
    Ok(rows.iter().filter_map(|it| u64::try_from(it.get::<_, i64>(0)).ok()).collect())
}

/// One of them.
pub(crate) async fn snapshot(at: At<'_>, serial: u64) -> Result<Option<Vec<u8>>, Trouble> {
    if !at.tables.there(at.session).await?.past {
        return Ok(None);
    }
    let serial = i64::try_from(serial).unwrap_or(i64::MAX);
    let sql = format!("SELECT data FROM {} WHERE name = $1 AND serial = $2", at.tables.past);
    let row = at.session.row(&sql, &[(&at.name, Type::TEXT), (&serial, Type::INT8)]).await?;
    Ok(row.map(|it| it.get::<_, String>(0).into_bytes()))
}

/// Adds a line to the history; the oldest go.
pub(crate) async fn tell(at: At<'_>, line: &str) -> Result<(), Trouble> {
    let history = &at.tables.history;
    let sql = format!("INSERT INTO {history} (name, line) VALUES ($1, $2)");
    at.session.execute(&sql, &[(&at.name, Type::TEXT), (&line, Type::TEXT)]).await?;
    let sql = format!(
        "DELETE FROM {history} WHERE name = $1 AND id <= \
         (SELECT id FROM {history} WHERE name = $1 ORDER BY id DESC OFFSET $2 LIMIT 1)"
    );
    at.session.execute(&sql, &[(&at.name, Type::TEXT), (&LINES_MAX, Type::INT8)]).await.map(drop)
}

/// The lines of the history, oldest first.
pub(crate) async fn told(at: At<'_>) -> Result<Vec<String>, Trouble> {
    if !at.tables.there(at.session).await?.past {
        return Ok(Vec::new());
    }
    let sql = format!("SELECT line FROM {} WHERE name = $1 ORDER BY id", at.tables.history);
    let rows = at.session.rows(&sql, &[(&at.name, Type::TEXT)]).await?;
    Ok(rows.iter().map(|it| it.get(0)).collect())
}
