//! Who is let in, over which kind of connection, and what is said of it.

use plumb_backend::{Setting, pg};

use crate::{Database, configure, rig, said};

/// Whether a connection comes about, as `user`, with these parameters.
fn connects(user: &str, host: &str, parameters: &str) -> Result<(), String> {
    let conn_str = format!("postgres://{user}:rig-secret@{host}:15432/plumb?{parameters}");
    let configured = configure([("conn_str".to_owned(), conn_str.into())].into());
    let configured = configured.map_err(|it| it[0].detail.clone())?;
    let mut backend = configured.place("default").unwrap().connect().unwrap();
    backend.read().map(drop).map_err(|error| {
        let text = format!("{} {error:?}", said(&error));
        assert!(!text.contains("rig-secret"), "{text}");
        text
    })
}

#[test]
fn as_much_tls_as_was_asked_for() {
    let ca = format!("sslrootcert={}/tls/ca.pem", rig("PLUMB_PG_RIG"));
    let server = format!("sslrootcert={}/tls/server.pem", rig("PLUMB_PG_RIG"));
    let (both, tls, plain) = ("plumb", "tls-only", "plain-only");
    let cases = [
        (both, "localhost", "sslmode=disable", true),
        (tls, "localhost", "sslmode=disable", false),
        (tls, "localhost", "sslmode=allow", true),
        (plain, "localhost", "sslmode=allow", true),
        (tls, "localhost", "sslmode=prefer", true),
        (plain, "localhost", "sslmode=prefer", true),
        (tls, "localhost", "sslmode=require", true),
        (plain, "localhost", "sslmode=require", false),
        // Without a word about it there must be TLS.
        (tls, "localhost", "", true),
        (plain, "localhost", "", false),
        // The machine's authorities do not know the rig's.
        (tls, "localhost", "sslmode=verify-ca", false),
        (tls, "localhost", "sslmode=verify-full", false),
        (tls, "localhost", &format!("sslmode=require&{ca}"), true),
        (tls, "localhost", &format!("sslmode=verify-ca&{ca}"), true),
        (tls, "localhost", &format!("sslmode=verify-full&{ca}"), true),
        (tls, "localhost", &format!("sslmode=verify-full&{server}"), true),
        // Its certificate is for `localhost`.
        (tls, "127.0.0.1", &format!("sslmode=verify-ca&{ca}"), true),
        (tls, "127.0.0.1", &format!("sslmode=verify-full&{ca}"), false),
        (tls, "127.0.0.1", &format!("sslmode=verify-full&{server}"), false),
        (plain, "localhost", &format!("sslmode=verify-full&{ca}"), false),
    ];
    for (user, host, parameters, expected) in cases {
        let result = connects(user, host, parameters);
        assert_eq!(result.is_ok(), expected, "{user} {host} {parameters}: {result:?}");
    }
    let error = connects(tls, "127.0.0.1", &format!("sslmode=verify-full&{ca}")).unwrap_err();
    assert!(error.contains("certificate"), "{error}");
    let other = format!("sslmode=verify-ca&sslrootcert={}/env", rig("PLUMB_PG_RIG"));
    let error = connects(tls, "localhost", &other).unwrap_err();
    assert!(error.contains("/env"), "{error}");
}

#[test]
fn the_environment_stands_in() {
    let database = Database::new("env");
    database.with_snapshot("default", "{}");
    let env = |more: &[(&str, &str)]| {
        let fixed = [
            ("PGHOST", "localhost"),
            ("PGPORT", "15432"),
            ("PGUSER", "plumb"),
            ("PGDATABASE", &*database.name),
            ("PGSSLMODE", "disable"),
        ];
        let all = fixed.iter().chain(more);
        Setting {
            env: all.map(|it| (it.0.to_owned(), it.1.to_owned())).collect(),
            ..Setting::default()
        }
    };
    let reads = |setting: &Setting| {
        let place = pg::configure(setting).unwrap().place("default").unwrap();
        place.connect().unwrap().read().map(|it| it.snapshot)
    };
    let snapshot = Some(b"{}".to_vec());
    assert_eq!(reads(&env(&[("PGPASSWORD", "rig-secret")])).unwrap(), snapshot);
    let passwords = std::env::temp_dir().join(&database.name);
    std::fs::write(&passwords, format!("localhost:15432:{}:*:rig-secret\n", database.name))
        .unwrap();
    assert_eq!(reads(&env(&[("PGPASSFILE", passwords.to_str().unwrap())])).unwrap(), snapshot);
    std::fs::remove_file(&passwords).unwrap();
    // The socket, on which the rig trusts everybody.
    let socket = format!("{}/run", rig("PLUMB_PG_RIG"));
    let mut on_socket = env(&[]);
    on_socket.env.insert("PGHOST".into(), socket);
    on_socket.env.remove("PGSSLMODE");
    assert_eq!(reads(&on_socket).unwrap(), snapshot);
    let error = reads(&env(&[("PGPASSWORD", "wrong-hush")])).unwrap_err();
    let text = format!("{} {error:?}", said(&error));
    assert!(text.contains("password authentication failed") && !text.contains("hush"), "{text}");
    let all = [("PG_CONN_STR", &*database.conn_str), ("PG_SCHEMA_NAME", "elsewhere")];
    assert_eq!(reads(&env(&all)).unwrap(), None);
}

#[test]
fn mistakes_are_found_before_anybody_is_asked() {
    for (conn_str, word) in [
        ("postgres://u:hush@h/d?sslmode=maybe", "sslmode"),
        ("postgres://u:hush@h:port/d", "port"),
        ("postgres://u:hush@h/d?service=x", "service"),
        ("u:hush", "URL"),
    ] {
        let mistakes = configure([("conn_str".to_owned(), conn_str.into())].into()).err().unwrap();
        let text = format!("{mistakes:?}");
        assert!(text.contains(word) && !text.contains("hush"), "{text}");
    }
}
