//! Snapshot and journal as rows, and the checks that every write makes: on the session that holds
//! the lock, in the transaction that writes.

use plumb_state::backend::{Fold, Keep, Stored};
use tokio_postgres::types::Type;

use super::lock::{self, CREATION, is_held};
use super::past;
use super::session::Session;
use super::tables::Tables;
use super::trouble::Trouble;

/// A snapshot's row as it was seen last: its version, if there was one.
pub(crate) type Seen = Option<String>;

/// What writes hold on to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hold {
    /// The lock's key, if it was taken.
    pub(crate) key: Option<i64>,
    /// What was read or written last by this connection.
    pub(crate) seen: Option<Seen>,
}

/// Where to: which tables, which state.
#[derive(Clone, Copy)]
pub(crate) struct At<'a> {
    pub(crate) session: &'a Session,
    pub(crate) tables: &'a Tables,
    pub(crate) name: &'a str,
}

const READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
const WRITE: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";

/// Everything, as of one moment.
pub(crate) async fn read(at: At<'_>) -> Result<(Stored, Seen), Trouble> {
    at.session
        .transaction(READ, async {
            let there = at.tables.there(at.session).await?;
            let name = [(&at.name as _, Type::TEXT)];
            let mut stored = Stored::default();
            let mut seen = None;
            if there.states {
                let sql =
                    format!("SELECT data, xmin::text FROM {} WHERE name = $1", at.tables.states);
                if let Some(row) = at.session.row(&sql, &name).await? {
                    stored.snapshot = row.get::<_, Option<String>>(0).map(String::into_bytes);
                    seen = Some(row.get(1));
                }
            }
            if there.ours {
                stored.journal = journal(at).await?;
            }
            Ok((stored, seen))
        })
        .await
}

async fn journal(at: At<'_>) -> Result<Option<Vec<u8>>, Trouble> {
    let sql =
        format!("SELECT at, until, text FROM {} WHERE name = $1 ORDER BY at", at.tables.journal);
    let rows = at.session.rows(&sql, &[(&at.name, Type::TEXT)]).await?;
    let mut bytes = Vec::new();
    for row in &rows {
        let (from, until, text): (i64, i64, &str) = (row.get(0), row.get(1), row.get(2));
        if from != bytes.len() as i64 || until != from + text.len() as i64 {
            return Err(Trouble::Odd(format!(
                "the rows of {} do not follow each other at byte {from}: somebody changed them",
                at.tables.journal
            )));
        }
        bytes.extend_from_slice(text.as_bytes());
    }
    Ok(if rows.is_empty() { None } else { Some(bytes) })
}

/// Expressions: does the lock still guard this state ($1), held with the key $2 if there is one; where
/// does its journal end.
fn guard(tables: &Tables) -> [String; 2] {
    let Tables { states, journal, .. } = tables;
    let held = is_held("$2");
    [
        format!(
            "($2::bigint IS NULL OR {held} AND ($2 = {CREATION} \
             OR EXISTS (SELECT FROM {states} WHERE id = $2 AND name = $1)))"
        ),
        format!(
            "coalesce((SELECT until FROM {journal} WHERE name = $1 ORDER BY at DESC LIMIT 1), 0)"
        ),
    ]
}

/// Looks whether the lock still guards this state, and where its journal ends.
async fn check(at: At<'_>, hold: &Hold) -> Result<i64, Trouble> {
    let [is_guarded, end] = guard(at.tables);
    let sql = format!("SELECT {is_guarded}, {end}");
    let params = [(&at.name as _, Type::TEXT), (&hold.key as _, Type::INT8)];
    let row = at.session.row(&sql, &params).await?;
    let row = row.ok_or_else(|| Trouble::Odd("a SELECT without FROM gave no row".into()))?;
    if !row.get::<_, bool>(0) {
        return Err(Trouble::Fenced(
            "This session no longer holds the lock of the state's row: something between here and \
             PostgreSQL gave it back, or the state was deleted"
                .into(),
        ));
    }
    Ok(row.get(1))
}

/// Appends to the journal in one statement: one round trip, all or nothing, and durable.
pub(crate) async fn append(at: At<'_>, hold: &Hold, from: u64, text: &str) -> Result<(), Trouble> {
    let [is_guarded, end] = guard(at.tables);
    let sql = format!(
        "INSERT INTO {} (name, at, until, text) SELECT $1, $3, $4, $5 \
         WHERE {is_guarded} AND {end} = $3",
        at.tables.journal
    );
    let (from, until) = (from as i64, from as i64 + text.len() as i64);
    let params = [
        (&at.name as _, Type::TEXT),
        (&hold.key as _, Type::INT8),
        (&from as _, Type::INT8),
        (&until as _, Type::INT8),
        (&text as _, Type::TEXT),
    ];
    let written = match at.session.execute(&sql, &params).await {
        Ok(written) => written,
        // Somebody else wrote the same bytes in the same instant.
        Err(Trouble::Sql { code, .. }) if code == "23505" => 0,
        Err(trouble) => return Err(trouble),
    };
    if written == 1 {
        return Ok(());
    }
    let end = check(at, hold).await?;
    Err(Trouble::Fenced(format!(
        "The journal ends at byte {end}, not at {from} where this run left it: somebody else wrote"
    )))
}

/// Puts a snapshot in place, and the journal that follows it, in one transaction. Gives what is held
/// from then on.
pub(crate) async fn fold(at: At<'_>, hold: &Hold, fold: Fold<'_>) -> Result<Hold, Trouble> {
    let data = std::str::from_utf8(fold.snapshot)
        .map_err(|_| Trouble::Odd("the snapshot is no UTF-8".into()))?;
    let name = (&at.name as _, Type::TEXT);
    let states = &at.tables.states;
    let after = at.session.transaction(WRITE, async {
        check(at, hold).await?;
        let sql = format!("SELECT xmin::text FROM {states} WHERE name = $1 FOR UPDATE");
        let now = at.session.row(&sql, std::slice::from_ref(&name)).await?;
        let now: Seen = now.map(|it| it.get(0));
        if hold.seen.as_ref().is_some_and(|it| *it != now) {
            return Err(Trouble::Fenced(
                "Somebody wrote the state in between, without its lock".into(),
            ));
        }
        if let Some(serial) = fold.back_up {
            past::keep(at, serial).await?;
        }
        let sql = match now {
            Some(_) => {
                format!("UPDATE {states} SET data = $2 WHERE name = $1 RETURNING id, xmin::text")
            }
            None => format!(
                "INSERT INTO {states} (name, data) VALUES ($1, $2) RETURNING id, xmin::text"
            ),
        };
        let row = at.session.row(&sql, &[name.clone(), (&data, Type::TEXT)]).await?;
        let row = row.ok_or_else(|| Trouble::Odd("the snapshot's row was not written".into()))?;
        forget_journal(at).await?;
        if let Some(next) = fold.next.filter(|it| !it.is_empty()) {
            let sql = format!(
                "INSERT INTO {} (name, at, until, text) VALUES ($1, 0, $2, $3)",
                at.tables.journal
            );
            let until = next.len() as i64;
            let params = [name.clone(), (&until as _, Type::INT8), (&next as _, Type::TEXT)];
            at.session.execute(&sql, &params).await?;
        }
        // Nobody sees the row yet, so nobody else can have its lock.
        let id: i64 = row.get(0);
        let moves = hold.key == Some(CREATION) && lock::try_lock(at.session, id).await?;
        let key = if moves { Some(id) } else { hold.key };
        Ok(Hold { key, seen: Some(Some(row.get(1))) })
    });
    let after = after.await?;
    if after.key != hold.key {
        // It has a row now, and is locked by that: others may make theirs. If this fails the
        // connection is gone and the next write tells.
        _ = lock::unlock(at.session, CREATION).await;
    }
    Ok(after)
}

async fn forget_journal(at: At<'_>) -> Result<(), Trouble> {
    let sql = format!("DELETE FROM {} WHERE name = $1", at.tables.journal);
    at.session.execute(&sql, &[(&at.name, Type::TEXT)]).await.map(drop)
}

/// Takes the journal away.
pub(crate) async fn drop_journal(at: At<'_>, hold: &Hold) -> Result<(), Trouble> {
    at.session
        .transaction(WRITE, async {
            check(at, hold).await?;
            forget_journal(at).await
        })
        .await
}

/// Cuts the journal after `bytes`, or takes it away; what follows them is put aside. Tells whether
/// there was any.
pub(crate) async fn settle(
    at: At<'_>,
    hold: &Hold,
    keep: Keep,
    bytes: u64,
) -> Result<bool, Trouble> {
    if keep == Keep::Next {
        return Err(Trouble::Odd("there is never a journal that waits to follow".into()));
    }
    at.session
        .transaction(WRITE, async {
            check(at, hold).await?;
            let whole = journal(at).await?.unwrap_or_default();
            let cut = usize::try_from(bytes).unwrap_or(usize::MAX).min(whole.len());
            let is_torn = cut < whole.len();
            if is_torn {
                let sql =
                    format!("INSERT INTO {} (name, at, text) VALUES ($1, $2, $3)", at.tables.torn);
                let (from, torn) = (cut as i64, String::from_utf8_lossy(&whole[cut..]));
                let torn = torn.as_ref();
                let params = [
                    (&at.name as _, Type::TEXT),
                    (&from as _, Type::INT8),
                    (&torn as _, Type::TEXT),
                ];
                at.session.execute(&sql, &params).await?;
            }
            if keep == Keep::Neither || cut == 0 {
                forget_journal(at).await?;
            } else if is_torn {
                cut_after(at, &whole[..cut]).await?;
            }
            Ok(is_torn)
        })
        .await
}

/// Leaves of the journal only `good`, how it begins.
async fn cut_after(at: At<'_>, good: &[u8]) -> Result<(), Trouble> {
    let (name, end) = ((&at.name as _, Type::TEXT), good.len() as i64);
    let sql = format!("DELETE FROM {} WHERE name = $1 AND at >= $2", at.tables.journal);
    at.session.execute(&sql, &[name.clone(), (&end, Type::INT8)]).await?;
    let sql = format!("SELECT at FROM {} WHERE name = $1 AND until > $2", at.tables.journal);
    let Some(row) = at.session.row(&sql, &[name.clone(), (&end, Type::INT8)]).await? else {
        return Ok(());
    };
    let from: i64 = row.get(0);
    let rest = std::str::from_utf8(&good[from as usize..])
        .map_err(|_| Trouble::Odd("the journal would be cut within a character".into()))?;
    let sql = format!(
        "UPDATE {} SET until = $3, text = $4 WHERE name = $1 AND at = $2",
        at.tables.journal
    );
    let params =
        [name, (&from as _, Type::INT8), (&end as _, Type::INT8), (&rest as _, Type::TEXT)];
    at.session.execute(&sql, &params).await.map(drop)
}
