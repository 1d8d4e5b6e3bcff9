//! The lock, as Terraform takes it: an advisory lock of a session, whose key is the number of the
//! state's row. A state that has no row yet is locked by the key [`CREATION`], which whoever locks
//! any state looks at.

use plumb_state::LockInfo;
use plumb_state::backend::{Attempt, Held};
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::session::Session;
use super::tables::Tables;
use super::trouble::Trouble;

/// Held by who makes a new row.
pub(crate) const CREATION: i64 = -1;

/// Others hold [`CREATION`] for an instant while they lock a state: so often is it tried.
const TRIES: u32 = 10;
const PAUSE: std::time::Duration = std::time::Duration::from_millis(20);

/// Which rows of `pg_locks` are an advisory lock with a key of one number in this database.
const ADVISORY: &str = "l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted \
                        AND l.mode = 'ExclusiveLock' AND l.database = \
                        (SELECT oid FROM pg_database WHERE datname = current_database())";

/// The key of such a row.
const KEY: &str = "((l.classid::bigint << 32) | l.objid::bigint)";

/// An expression: whether this session holds the lock whose key is `parameter`.
pub(crate) fn is_held(parameter: &str) -> String {
    format!(
        "EXISTS (SELECT FROM pg_locks l \
         WHERE {ADVISORY} AND l.pid = pg_backend_pid() AND {KEY} = {parameter})"
    )
}

/// Finds out whether this session holds it still.
pub(crate) async fn confirm(session: &Session, key: i64) -> Result<(), Trouble> {
    let sql = format!("SELECT {}", is_held("$1"));
    match session.row(&sql, &[(&key, Type::INT8)]).await?.is_some_and(|it| it.get(0)) {
        true => Ok(()),
        false => Err(Trouble::Fenced("The session does not hold it any more.".into())),
    }
}

/// What trying gave.
pub(crate) enum Tried {
    /// It is ours. With its key, and who held it last and did not give it back.
    Taken(i64, Option<Box<LockInfo>>),
    Held(Option<Box<LockInfo>>),
}

impl From<&Tried> for Attempt {
    fn from(tried: &Tried) -> Attempt {
        match tried {
            Tried::Taken(_, left) => Attempt::Taken { from_the_dead: left.clone() },
            Tried::Held(holder) => Attempt::Held(holder.clone()),
        }
    }
}

/// Tries to take the lock of the state called `name`.
pub(crate) async fn take(
    session: &Session,
    tables: &Tables,
    name: &str,
    info: &LockInfo,
) -> Result<Tried, Trouble> {
    let mut tries = TRIES;
    let key = loop {
        let id = row_id(session, tables, name).await?;
        let key = id.unwrap_or(CREATION);
        if try_lock(session, key).await? {
            // It is the right one if the row did not come, go or change meanwhile; and nobody may
            // be making rows.
            let is_quiet = key == CREATION || try_share(session).await?;
            if is_quiet && row_id(session, tables, name).await? == id {
                break key;
            }
            unlock(session, key).await?;
        } else if key != CREATION {
            let holder = holder(session, tables, name).await?;
            return Ok(Tried::Held(holder.map(|it| Box::new(it.info))));
        }
        tries -= 1;
        if tries == 0 {
            let holder = holder(session, tables, name).await?;
            return Ok(Tried::Held(holder.map(|it| Box::new(it.info))));
        }
        tokio::time::sleep(PAUSE).await;
    };
    let left = note(session, tables, name, info).await;
    match left {
        Ok(left) => Ok(Tried::Taken(key, left)),
        Err(trouble) => {
            if !matches!(trouble, Trouble::Lost(_)) {
                unlock(session, key).await?;
            }
            Err(trouble)
        }
    }
}

/// The number of a state's row.
async fn row_id(session: &Session, tables: &Tables, name: &str) -> Result<Option<i64>, Trouble> {
    let sql = format!("SELECT id FROM {} WHERE name = $1", tables.states);
    Ok(session.row(&sql, &[(&name, Type::TEXT)]).await?.map(|it| it.get(0)))
}

pub(crate) async fn try_lock(session: &Session, key: i64) -> Result<bool, Trouble> {
    let row = session.row("SELECT pg_try_advisory_lock($1)", &[(&key, Type::INT8)]).await?;
    Ok(row.is_some_and(|it| it.get(0)))
}

/// Whether nobody holds [`CREATION`]. Others that ask the same do not hear each other.
async fn try_share(session: &Session) -> Result<bool, Trouble> {
    let sql = "SELECT CASE WHEN pg_try_advisory_lock_shared($1) \
               THEN pg_advisory_unlock_shared($1) ELSE false END";
    let row = session.row(sql, &[(&CREATION, Type::INT8)]).await?;
    Ok(row.is_some_and(|it| it.get(0)))
}

/// Gives it back; it may be gone already.
pub(crate) async fn unlock(session: &Session, key: i64) -> Result<(), Trouble> {
    session.rows("SELECT pg_advisory_unlock($1)", &[(&key, Type::INT8)]).await.map(drop)
}

/// Writes down who holds it; gives who held it before and did not come to its end.
async fn note(
    session: &Session,
    tables: &Tables,
    name: &str,
    info: &LockInfo,
) -> Result<Option<Box<LockInfo>>, Trouble> {
    let locks = &tables.locks;
    let info = LockInfo { path: name.into(), ..info.clone() };
    let text = serde_json::to_string(&info).map_err(|it| Trouble::Odd(it.to_string()))?;
    let sql = format!(
        "WITH left_behind AS (SELECT info::text FROM {locks} k WHERE name = $1 AND NOT EXISTS \
             (SELECT FROM pg_stat_activity a WHERE a.pid = k.pid AND a.backend_start = k.began)), \
         noted AS (INSERT INTO {locks} AS k (name, info, pid, began) \
             SELECT $1, $2::text::jsonb, pid, backend_start FROM pg_stat_activity \
             WHERE pid = pg_backend_pid() \
             ON CONFLICT (name) DO UPDATE \
             SET info = excluded.info, pid = excluded.pid, began = excluded.began) \
         SELECT info FROM left_behind"
    );
    let row = session.row(&sql, &[(&name, Type::TEXT), (&text, Type::TEXT)]).await?;
    Ok(row.and_then(|it| serde_json::from_str(it.get(0)).ok()))
}

/// Gives the lock back, and takes away what says who holds it.
pub(crate) async fn give_back(
    session: &Session,
    tables: &Tables,
    name: &str,
    key: i64,
) -> Result<(), Trouble> {
    let sql = format!("DELETE FROM {} WHERE name = $1 AND pid = pg_backend_pid()", tables.locks);
    session.execute(&sql, &[(&name, Type::TEXT)]).await?;
    unlock(session, key).await
}

/// A session that holds a lock.
struct Holder {
    pid: i32,
    key: i64,
    info: LockInfo,
}

/// Who keeps others from the state called `name`.
async fn holder(session: &Session, tables: &Tables, name: &str) -> Result<Option<Holder>, Trouble> {
    let there = tables.there(session).await?;
    if !there.states {
        return Ok(None);
    }
    // Of what a session holds for another state, and is in the middle of making, this one is free.
    let ours = if there.ours { &tables.locks } else { NO_LOCKS };
    let sql = format!(
        "SELECT l.pid, {KEY} AS key, k.info::text, a.application_name::text, a.usename::text, \
             coalesce(host(a.client_addr), ''), coalesce(to_char(a.backend_start AT TIME ZONE \
             'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), '') \
         FROM pg_locks l \
         LEFT JOIN pg_stat_activity a ON a.pid = l.pid \
         LEFT JOIN {ours} k ON k.pid = l.pid \
             AND (a.backend_start IS NULL OR a.backend_start = k.began) \
         WHERE {ADVISORY} AND {KEY} IN ($2, (SELECT id FROM {} WHERE name = $1)) \
             AND (k.name IS NULL OR k.name = $1) \
         ORDER BY key DESC LIMIT 1",
        tables.states
    );
    let row = session.row(&sql, &[(&name, Type::TEXT), (&CREATION, Type::INT8)]).await?;
    Ok(row.map(|row| described(&row, name)))
}

/// In place of our table where there is none.
const NO_LOCKS: &str = "(SELECT NULL::text AS name, NULL::jsonb AS info, NULL::integer AS pid, \
                        NULL::timestamptz AS began WHERE false)";

fn described(row: &Row, name: &str) -> Holder {
    let (pid, key): (i32, i64) = (row.get(0), row.get(1));
    let info = row.get::<_, Option<&str>>(2).and_then(|it| serde_json::from_str(it).ok());
    let info = info.unwrap_or_else(|| {
        // Terraform tells nobody who it is; its session shows a little.
        let get = |at: usize| row.get::<_, Option<&str>>(at).unwrap_or_default();
        let (application, user, address) = (get(3), get(4), get(5));
        let program = if application.is_empty() { "a program without a name" } else { application };
        let place = if address.is_empty() { "the server's own machine" } else { address };
        LockInfo {
            id: key.to_string(),
            info: format!("session {pid} of {program}"),
            who: format!("{user}@{place}"),
            created: get(6).into(),
            path: name.into(),
            ..LockInfo::default()
        }
    });
    Holder { pid, key, info }
}

/// Whether somebody holds the lock of the state called `name`.
pub(crate) async fn held(session: &Session, tables: &Tables, name: &str) -> Result<Held, Trouble> {
    let holder = holder(session, tables, name).await?;
    Ok(holder.map_or(Held::Free, |it| Held::By(Some(Box::new(it.info)))))
}

/// Ends the session that holds the lock `id`, and waits until it is gone.
pub(crate) async fn break_it(
    session: &Session,
    tables: &Tables,
    name: &str,
    id: &str,
) -> Result<(), Trouble> {
    let refuse =
        |detail: String| Trouble::Refused { summary: "Failed to unlock state".into(), detail };
    let Some(holder) = holder(session, tables, name).await? else {
        return Err(refuse("Nobody holds it.".into()));
    };
    if holder.info.id != id {
        let text = format!("Lock `{id}` is not the one that is held.\n{}", holder.info);
        return Err(refuse(text));
    }
    let params = [(&holder.pid as _, Type::INT4), (&holder.key as _, Type::INT8)];
    let end = format!(
        "SELECT pg_terminate_backend(l.pid) FROM pg_locks l \
         WHERE {ADVISORY} AND l.pid = $1 AND {KEY} = $2"
    );
    session.rows(&end, &params).await.map_err(|trouble| match trouble {
        Trouble::Sql { code, text } if code == "42501" => refuse(format!(
            "PostgreSQL says `{text}`. To end session {} takes its role, {}, or a member of \
             pg_signal_backend.",
            holder.pid, holder.info.who
        )),
        other => other,
    })?;
    let look = format!("SELECT FROM pg_locks l WHERE {ADVISORY} AND l.pid = $1 AND {KEY} = $2");
    for _ in 0..500 {
        if session.rows(&look, &params).await?.is_empty() {
            return Ok(());
        }
        tokio::time::sleep(PAUSE / 2).await;
    }
    Err(refuse(format!("PostgreSQL was told to end session {}, which did not.", holder.pid)))
}
