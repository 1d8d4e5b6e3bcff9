//! The tables: Terraform's, made as Terraform makes them, and ours beside them.

use tokio_postgres::types::Type;

use super::session::Session;
use super::settings::{Settings, quoted};
use super::trouble::Trouble;

/// Our tables' versions, each a file of SQL.
const MIGRATIONS: [(i32, &str); 2] = [
    (1, include_str!("../../../../state/migrations/pg/0001_journal_and_locks.sql")),
    (2, include_str!("../../../../state/migrations/pg/0002_history_and_past.sql")),
];

/// Two numbers, and so no state's lock: those have one.
const MAKING: &str = "SELECT pg_advisory_xact_lock(1886153069, 1651535460)";

/// The tables' names as SQL wants them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tables {
    pub(crate) states: String,
    pub(crate) journal: String,
    pub(crate) torn: String,
    pub(crate) locks: String,
    pub(crate) history: String,
    pub(crate) past: String,
    migrations: String,
}

/// What there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct There {
    pub(crate) states: bool,
    /// Journal and locks.
    pub(crate) ours: bool,
    /// History and snapshots that were replaced.
    pub(crate) past: bool,
}

impl Tables {
    pub(crate) fn new(schema: &str) -> Tables {
        let table = |name| format!("{}.{name}", quoted(schema));
        Tables {
            states: table("states"),
            journal: table("plumb_journal"),
            torn: table("plumb_torn"),
            locks: table("plumb_locks"),
            history: table("plumb_history"),
            past: table("plumb_past"),
            migrations: table("plumb_migrations"),
        }
    }

    /// Looks, without making anything.
    pub(crate) async fn there(&self, session: &Session) -> Result<There, Trouble> {
        let sql = "SELECT to_regclass($1) IS NOT NULL, to_regclass($2) IS NOT NULL \
                   AND to_regclass($3) IS NOT NULL, to_regclass($4) IS NOT NULL \
                   AND to_regclass($5) IS NOT NULL";
        let names = [&self.states, &self.journal, &self.locks, &self.history, &self.past];
        let params = names.map(|it| (it as _, Type::TEXT));
        let row = session.row(sql, &params).await?;
        let get = |at| row.as_ref().is_some_and(|it| it.get(at));
        Ok(There { states: get(0), ours: get(1), past: get(2) })
    }
}

/// Makes what is missing, if it may.
pub(crate) async fn make(session: &Session, settings: &Settings) -> Result<(), Trouble> {
    let tables = Tables::new(&settings.schema);
    let newest = MIGRATIONS.iter().map(|it| it.0).max().unwrap_or_default();
    let missing = missing(session, settings, &tables).await?;
    let version = version(session, &tables).await?;
    if version > newest {
        return Err(Trouble::Refused {
            summary: "The state's tables were made by a newer Plumb".into(),
            detail: format!(
                "Schema `{}` has version {version} of the tables plumb_…, this Plumb knows \
                 {newest}. Use a version of Plumb that is at least as new as that one.",
                settings.schema
            ),
        });
    }
    if missing.is_empty() && version == newest {
        return Ok(());
    }
    let lacks_theirs = missing.iter().any(|it| it.is_table);
    if settings.skip_table && (lacks_theirs || version < newest) {
        let theirs = lacks_theirs.then_some("the table states");
        let ours = (version < newest).then_some("Plumb's tables plumb_…");
        let lacks: Vec<&str> = theirs.into_iter().chain(ours).collect();
        return Err(Trouble::Refused {
            summary: "Tables of the state are missing".into(),
            detail: format!(
                "`skip_table_creation` is set, but schema `{}` lacks {}. Have somebody who may \
                 make tables leave the argument out once, or run the files in \
                 `state/migrations/pg` there by hand.",
                settings.schema,
                lacks.join(" and ")
            ),
        });
    }
    let run = async || {
        let statements = run(session, settings, &tables, &missing);
        session.transaction("BEGIN", statements).await
    };
    let made = match run().await {
        // Terraform made one of them in the same instant.
        Err(Trouble::Sql { code, .. }) if ["23505", "42P06", "42P07"].contains(&&*code) => {
            run().await
        }
        other => other,
    };
    made.map_err(|trouble| match trouble {
        Trouble::Sql { code, text } if code == "42501" => Trouble::Refused {
            summary: "Tables of the state cannot be made".into(),
            detail: format!(
                "PostgreSQL says `{text}`. Let a role that may do it run this once, or grant \
                 CREATE on the database, and on its schemas `public` and `{}`.",
                settings.schema
            ),
        },
        other => other,
    })
}

async fn run(
    session: &Session,
    settings: &Settings,
    tables: &Tables,
    missing: &[Step],
) -> Result<(), Trouble> {
    session.rows(MAKING, &[]).await?;
    for step in missing {
        session.batch(&step.sql).await?;
    }
    let version = version(session, tables).await?;
    let path = format!("SET LOCAL search_path TO {}", quoted(&settings.schema));
    session.batch(&path).await?;
    for (_, sql) in MIGRATIONS.iter().filter(|it| it.0 > version) {
        session.batch(sql).await?;
    }
    Ok(())
}

/// Something to be made.
struct Step {
    sql: String,
    is_table: bool,
}

/// What Terraform would make. Asking first, since making takes rights that using does not.
async fn missing(
    session: &Session,
    settings: &Settings,
    tables: &Tables,
) -> Result<Vec<Step>, Trouble> {
    let schema = quoted(&settings.schema);
    let index = format!("{schema}.states_by_name");
    let sql = "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1), \
               to_regclass('public.global_states_id_seq') IS NOT NULL, \
               to_regclass($2) IS NOT NULL, to_regclass($3) IS NOT NULL";
    let params = [&settings.schema, &tables.states, &index].map(|it| (it as _, Type::TEXT));
    let row = session.row(sql, &params).await?;
    let is_there = |at| row.as_ref().is_some_and(|it| it.get(at));
    let mut steps = Vec::new();
    let mut step = |is_wanted: bool, is_table, sql: String| {
        if is_wanted {
            steps.push(Step { sql, is_table });
        }
    };
    let states = &tables.states;
    step(
        !is_there(0) && !settings.skip_schema,
        false,
        format!("CREATE SCHEMA IF NOT EXISTS {schema}"),
    );
    step(
        !is_there(1) && !is_there(2),
        true,
        "CREATE SEQUENCE IF NOT EXISTS public.global_states_id_seq AS bigint".into(),
    );
    step(
        !is_there(2),
        true,
        format!(
            "CREATE TABLE IF NOT EXISTS {states} (
                id bigint NOT NULL DEFAULT nextval('public.global_states_id_seq') PRIMARY KEY,
                name text UNIQUE,
                data text
            )"
        ),
    );
    step(
        !is_there(3) && !settings.skip_index,
        false,
        format!("CREATE UNIQUE INDEX IF NOT EXISTS states_by_name ON {states} (name)"),
    );
    Ok(steps)
}

/// Which of our tables' versions is there: 0 for none.
async fn version(session: &Session, tables: &Tables) -> Result<i32, Trouble> {
    let sql = "SELECT to_regclass($1) IS NOT NULL";
    let row = session.row(sql, &[(&tables.migrations, Type::TEXT)]).await?;
    if !row.is_some_and(|it| it.get(0)) {
        return Ok(0);
    }
    let sql = format!("SELECT coalesce(max(version), 0) FROM {}", tables.migrations);
    Ok(session.row(&sql, &[]).await?.map_or(0, |it| it.get(0)))
}
