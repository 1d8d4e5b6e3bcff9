//! What the block and the environment say, made into one thing, with Terraform's names and defaults.

use serde_json::Value;

use super::dsn::{self, Params};
use crate::{Mistake, Setting};

/// A configuration that was understood.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    /// How to connect. Holds a password: no `Debug`.
    pub(crate) params: Params,
    pub(crate) schema: String,
    pub(crate) skip_schema: bool,
    pub(crate) skip_table: bool,
    pub(crate) skip_index: bool,
}

/// Arguments, and the variable that stands in for each.
pub(crate) const ARGUMENTS: [(&str, &str); 5] = [
    ("conn_str", "PG_CONN_STR"),
    ("schema_name", "PG_SCHEMA_NAME"),
    ("skip_schema_creation", "PG_SKIP_SCHEMA_CREATION"),
    ("skip_table_creation", "PG_SKIP_TABLE_CREATION"),
    ("skip_index_creation", "PG_SKIP_INDEX_CREATION"),
];

/// libpq's variables, and the parameter that each gives unless the connection string does.
const LIBPQ: [(&str, &str); 17] = [
    ("PGHOST", "host"),
    ("PGPORT", "port"),
    ("PGUSER", "user"),
    ("PGPASSWORD", "password"),
    ("PGPASSFILE", "passfile"),
    ("PGDATABASE", "dbname"),
    ("PGOPTIONS", "options"),
    ("PGAPPNAME", "application_name"),
    ("PGSSLMODE", "sslmode"),
    ("PGSSLCERT", "sslcert"),
    ("PGSSLKEY", "sslkey"),
    ("PGSSLROOTCERT", "sslrootcert"),
    ("PGSSLNEGOTIATION", "sslnegotiation"),
    ("PGCONNECT_TIMEOUT", "connect_timeout"),
    ("PGTARGETSESSIONATTRS", "target_session_attrs"),
    ("PGTZ", "timezone"),
    ("PGDATESTYLE", "datestyle"),
];

/// Understands a configuration, or says everything that is wrong with it.
pub(crate) fn read(setting: &Setting) -> Result<Settings, Vec<Mistake>> {
    let mut reader = Reader { setting, mistakes: Vec::new() };
    for name in setting.config.keys() {
        if !ARGUMENTS.iter().any(|it| it.0 == name) {
            let known: Vec<&str> = ARGUMENTS.iter().map(|it| it.0).collect();
            reader.mistake(
                name,
                "Unsupported argument",
                format!(
                    "The backend `pg` has no argument named `{name}`. It has {}.",
                    known.join(", ")
                ),
            );
        }
    }
    let text = reader.text("conn_str").unwrap_or_default();
    let mut params = dsn::parse(&text).unwrap_or_else(|problem| {
        let detail = format!("{problem}. {FORM}");
        reader.mistake("conn_str", "Invalid connection string", detail);
        Params::new()
    });
    for (variable, name) in LIBPQ {
        let value = setting.env.get(variable).filter(|it| !it.is_empty());
        if let Some(value) = value {
            params.entry(name.into()).or_insert_with(|| value.clone());
        }
    }
    if let Some(home) = setting.env.get("HOME") {
        params.entry("passfile".into()).or_insert_with(|| format!("{home}/.pgpass"));
        params.insert("home".into(), home.clone());
    }
    if let Some(user) = setting.env.get("USER").filter(|it| !it.is_empty()) {
        params.entry("user".into()).or_insert_with(|| user.clone());
    }
    let schema = reader.text("schema_name").filter(|it| !it.is_empty());
    let settings = Settings {
        schema: schema.unwrap_or_else(|| "terraform_remote_state".into()),
        skip_schema: reader.flag("skip_schema_creation"),
        skip_table: reader.flag("skip_table_creation"),
        skip_index: reader.flag("skip_index_creation"),
        params,
    };
    if settings.schema.contains('\0') {
        reader.mistake("schema_name", "Invalid schema name", "It holds a NUL.".into());
    }
    if reader.mistakes.is_empty() { Ok(settings) } else { Err(reader.mistakes) }
}

const FORM: &str = "Write a URL such as `postgres://user@db.example.com/states`, or \
                    `host=db.example.com user=… dbname=states`; a password is better left to \
                    PGPASSWORD or ~/.pgpass.";

struct Reader<'a> {
    setting: &'a Setting,
    mistakes: Vec<Mistake>,
}

impl Reader<'_> {
    fn mistake(&mut self, argument: &str, summary: &str, detail: String) {
        self.mistakes.push(Mistake {
            argument: Some(argument.into()),
            summary: summary.into(),
            detail,
        });
    }

    /// What is given: by the block, else by the environment.
    fn given(&self, name: &str) -> Option<Value> {
        let given = self.setting.config.get(name).filter(|it| !it.is_null());
        given.cloned().or_else(|| {
            let variable = ARGUMENTS.iter().find(|it| it.0 == name)?.1;
            let value = self.setting.env.get(variable).filter(|it| !it.is_empty())?;
            Some(Value::String(value.clone()))
        })
    }

    fn text(&mut self, name: &str) -> Option<String> {
        match self.given(name)? {
            Value::String(text) => Some(text),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(flag) => Some(flag.to_string()),
            Value::Null => None,
            Value::Array(_) | Value::Object(_) => {
                let detail = format!("`{name}` takes a text.");
                self.mistake(name, "Invalid argument", detail);
                None
            }
        }
    }

    fn flag(&mut self, name: &str) -> bool {
        match self.given(name) {
            None => false,
            Some(Value::Bool(flag)) => flag,
            Some(Value::String(text))
                if ["true", "True", "TRUE", "t", "T", "1"].contains(&&*text) =>
            {
                true
            }
            Some(Value::String(text))
                if ["false", "False", "FALSE", "f", "F", "0"].contains(&&*text) =>
            {
                false
            }
            Some(_) => {
                let detail = format!("`{name}` takes `true` or `false`.");
                self.mistake(name, "Invalid argument", detail);
                false
            }
        }
    }
}

impl Settings {
    /// What messages call the state of a workspace: no user, no password.
    pub(crate) fn name(&self, workspace: &str) -> String {
        let get = |name| self.params.get(name).map(String::as_str);
        let host = get("host").or(get("hostaddr")).unwrap_or("localhost");
        let port = get("port").map(|it| format!(":{it}")).unwrap_or_default();
        let database = get("dbname").or(get("user")).unwrap_or_default();
        format!("postgres://{host}{port}/{database}#{}/{workspace}", self.schema)
    }
}

/// A name as SQL wants it.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Whom a file of passwords has one for: `host:port:database:user:password`, `*` for any, `\` before
/// `:` and `\`.
pub(crate) fn password_in(file: &str, wanted: [&str; 4]) -> Option<String> {
    for line in file.lines().filter(|it| !it.starts_with('#')) {
        let mut fields = vec![String::new()];
        let mut chars = line.chars();
        while let Some(char) = chars.next() {
            let last = fields.len() - 1;
            match char {
                '\\' => fields[last].extend(chars.next()),
                ':' if fields.len() < 5 => fields.push(String::new()),
                _ => fields[last].push(char),
            }
        }
        let fits = |(field, wanted): (&String, &str)| field == "*" || field == wanted;
        if fields.len() == 5 && fields.iter().zip(wanted).all(fits) {
            return fields.pop();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(config: &[(&str, Value)], env: &[(&str, &str)]) -> Setting {
        Setting {
            config: config.iter().map(|it| (it.0.to_owned(), it.1.clone())).collect(),
            env: env.iter().map(|it| (it.0.to_owned(), it.1.to_owned())).collect(),
            ..Setting::default()
        }
    }

    #[test]
    fn the_block_comes_before_the_environment() {
        let env = [
            ("PG_CONN_STR", "postgres://env/d"),
            ("PG_SCHEMA_NAME", "from_env"),
            ("PG_SKIP_TABLE_CREATION", "1"),
            ("PGHOST", "not this one"),
            ("PGUSER", "me"),
        ];
        let read_env = read(&setting(&[], &env)).map_err(|it| format!("{it:?}")).expect("fine");
        assert_eq!(read_env.name("default"), "postgres://env/d#from_env/default");
        assert_eq!(read_env.params["user"], "me");
        assert!(read_env.skip_table && !read_env.skip_schema && !read_env.skip_index);
        let block = [
            ("conn_str", "host=block password=secret".into()),
            ("schema_name", "s".into()),
            ("skip_table_creation", Value::Bool(false)),
            ("skip_index_creation", Value::Bool(true)),
        ];
        let both = read(&setting(&block, &env)).map_err(|it| format!("{it:?}")).expect("fine");
        assert_eq!(both.name("w"), "postgres://block/me#s/w");
        assert!(!both.skip_table && both.skip_index);
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once_without_secrets() {
        let block = [
            ("conn_str", "password='hush".into()),
            ("skip_index_creation", "maybe".into()),
            ("schema_name", Value::Array(vec![])),
            ("bucket", "b".into()),
        ];
        let mistakes = read(&setting(&block, &[])).err().expect("mistakes");
        let said = format!("{mistakes:?}");
        assert!(!said.contains("hush"), "{said}");
        let arguments: Vec<_> = mistakes.iter().filter_map(|it| it.argument.as_deref()).collect();
        assert_eq!(arguments, ["bucket", "conn_str", "schema_name", "skip_index_creation"]);
    }

    #[test]
    fn passwords_are_found_in_a_file() {
        let file = "# h:1:d:u:no\nh:1:d:other:no\nh:*:d:u:a:b\\\\\n*:*:*:*:last";
        assert_eq!(password_in(file, ["h", "1", "d", "u"]).as_deref(), Some("a:b\\"));
        assert_eq!(password_in(file, ["x", "1", "d", "u"]).as_deref(), Some("last"));
        assert_eq!(password_in("h:1:d", ["h", "1", "d", "u"]), None);
    }
}
