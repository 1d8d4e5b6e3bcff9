//! A connection string, `postgres://…` or `key=value …`, as pairs. What is wrong with one is said
//! without quoting it: it may hold a password.

use std::collections::BTreeMap;

/// Parameters by name, as libpq names them.
pub(crate) type Params = BTreeMap<String, String>;

/// Splits a connection string.
///
/// # Errors
/// What is wrong, as one line that quotes no value.
pub(crate) fn parse(text: &str) -> Result<Params, String> {
    let text = text.trim();
    for scheme in ["postgres://", "postgresql://"] {
        if let Some(rest) = text.strip_prefix(scheme) {
            return url(rest);
        }
    }
    pairs(text)
}

/// `user:password@host:port/database?name=value&…`, without the scheme.
fn url(text: &str) -> Result<Params, String> {
    let mut params = Params::new();
    let mut set = |name: &str, value: &str| -> Result<(), String> {
        if !value.is_empty() {
            params.insert(name.to_owned(), decode(value, name)?);
        }
        Ok(())
    };
    let (text, query) = text.split_once('?').unwrap_or((text, ""));
    let (authority, database) = text.split_once('/').unwrap_or((text, ""));
    // A password may hold an `@` that nobody escaped.
    let (login, place) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    set("user", user)?;
    set("password", password)?;
    let (mut hosts, mut ports) = (Vec::new(), Vec::new());
    for place in place.split(',') {
        let (host, port) = match place.strip_prefix('[').and_then(|it| it.split_once(']')) {
            Some((host, rest)) => (host, rest.strip_prefix(':').unwrap_or(rest)),
            None if place.starts_with('[') => return Err("a `[` of a host is not closed".into()),
            None => place.rsplit_once(':').unwrap_or((place, "")),
        };
        hosts.push(host);
        ports.push(port);
    }
    set("host", &hosts.join(","))?;
    if ports.iter().any(|it| !it.is_empty()) {
        set("port", &ports.join(","))?;
    }
    set("dbname", database)?;
    for pair in query.split('&').filter(|it| !it.is_empty()) {
        let Some((name, value)) = pair.split_once('=') else {
            return Err("a parameter after the `?` has no `=`".into());
        };
        set(&decode(name, "a parameter's name")?, value)?;
    }
    Ok(params)
}

/// Resolves `%xx`.
fn decode(text: &str, name: &str) -> Result<String, String> {
    let bad = || format!("`{name}` has a `%` that two hexadecimal digits of UTF-8 must follow");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digit = |at: usize| tail.get(at).and_then(|it| (*it as char).to_digit(16));
        let (Some(high), Some(low)) = (digit(0), digit(1)) else { return Err(bad()) };
        bytes.push((high * 16 + low) as u8);
        rest = &tail[2..];
    }
    String::from_utf8(bytes).map_err(|_| bad())
}

/// `name = value` with blanks between; a value with blanks in single quotes; `\` before what is
/// meant as it is.
fn pairs(text: &str) -> Result<Params, String> {
    let mut params = Params::new();
    let mut chars = text.chars().peekable();
    loop {
        while chars.next_if(|it| it.is_whitespace()).is_some() {}
        if chars.peek().is_none() {
            return Ok(params);
        }
        let mut name = String::new();
        while let Some(char) = chars.next_if(|it| *it != '=' && !it.is_whitespace()) {
            name.push(char);
        }
        while chars.next_if(|it| it.is_whitespace()).is_some() {}
        if chars.next_if_eq(&'=').is_none() {
            return Err("it is neither a URL `postgres://…` nor a list of `name=value`".into());
        }
        while chars.next_if(|it| it.is_whitespace()).is_some() {}
        let quoted = chars.next_if_eq(&'\'').is_some();
        let mut value = String::new();
        loop {
            match chars.next() {
                Some('\'') if quoted => break,
                Some('\\') => value.extend(chars.next()),
                Some(char) if char.is_whitespace() && !quoted => break,
                Some(char) => value.push(char),
                None if quoted => return Err(format!("the quote of `{name}` is not closed")),
                None => break,
            }
        }
        params.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[(&str, &str)]) {
        let expected = expected.iter().map(|it| (it.0.to_owned(), it.1.to_owned())).collect();
        assert_eq!(parse(text), Ok(expected), "{text}");
    }

    #[test]
    fn urls() {
        check("postgres://", &[]);
        check(
            "postgres://me:p%40ss@db.example.com:5433/states?sslmode=disable&application_name=a%20b",
            &[
                ("user", "me"),
                ("password", "p@ss"),
                ("host", "db.example.com"),
                ("port", "5433"),
                ("dbname", "states"),
                ("sslmode", "disable"),
                ("application_name", "a b"),
            ],
        );
        check("postgresql:///d?host=/run/x", &[("dbname", "d"), ("host", "/run/x")]);
        check("postgres://u:a@b@h/", &[("user", "u"), ("password", "a@b"), ("host", "h")]);
        check("postgres://[::1]:7/d", &[("host", "::1"), ("port", "7"), ("dbname", "d")]);
        check("postgres://a:1,b/d", &[("host", "a,b"), ("port", "1,"), ("dbname", "d")]);
    }

    #[test]
    fn pairs_with_quotes() {
        check("", &[]);
        check(
            r"host=localhost  user = me password='a \'b\\ c' dbname=x\ y",
            &[("host", "localhost"), ("user", "me"), ("password", r"a 'b\ c"), ("dbname", "x y")],
        );
    }

    #[test]
    fn mistakes_quote_no_secret() {
        for text in [
            "postgres://u:secret%zz@h/d",
            "postgres://u:secret%ff@h/d",
            "postgres://u:secret@[h/d",
            "postgres://u:secret@h/d?x",
            "secret",
            "password='secret",
        ] {
            let error = parse(text).expect_err(text);
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
