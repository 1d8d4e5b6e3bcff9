//! What differs between two values, place by place.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::Arc;

use plumb_model::value::json::write_string;
use plumb_model::value::{Marks, Value};

use crate::finding::MovedAttribute;

/// The places where `after` differs from `before`, sorted. Objects, maps and lists of one length
/// are looked into; what is marked as sensitive in either stays closed.
pub(crate) fn moved(before: &Value, after: &Value) -> Vec<MovedAttribute> {
    let mut res = Vec::new();
    walk(String::new(), Some(before), Some(after), false, &mut res);
    res.sort_by(|a, b| a.path.cmp(&b.path));
    res
}

fn walk(
    path: String,
    before: Option<&Value>,
    after: Option<&Value>,
    hidden: bool,
    res: &mut Vec<MovedAttribute>,
) {
    let secret = |it: Option<&Value>| it.is_some_and(|it| it.has_mark(Marks::SENSITIVE));
    let hidden = hidden || secret(before) || secret(after);
    let plain = |it: Option<&Value>| it.map(Value::unmark_deep);
    let (bare_before, bare_after) = (plain(before), plain(after));
    if bare_before == bare_after {
        return;
    }
    if let (Some(before), Some(after), false) = (before, after, hidden) {
        if let (Some(old), Some(new)) = (before.as_map(), after.as_map()) {
            let names: BTreeSet<&Arc<str>> = old.keys().chain(new.keys()).collect();
            for name in names {
                walk(step(&path, name), old.get(name), new.get(name), false, res);
            }
            return;
        }
        let is_set = |it: &Value| matches!(it.ty(), plumb_model::value::Type::Set(_));
        if let (Some(old), Some(new)) = (before.as_slice(), after.as_slice())
            && old.len() == new.len()
            && !is_set(before)
            && !is_set(after)
        {
            for (index, (old, new)) in old.iter().zip(new).enumerate() {
                walk(format!("{path}[{index}]"), Some(old), Some(new), false, res);
            }
            return;
        }
    }
    let deep = |it: Option<&Value>| it.is_some_and(|it| it.has_mark_deep(Marks::SENSITIVE));
    res.push(MovedAttribute {
        path: path.into(),
        sensitive: hidden || deep(before) || deep(after),
        before: bare_before,
        after: bare_after,
    });
}

/// One name further, as the language writes it.
fn step(path: &str, name: &str) -> String {
    let plain = name.starts_with(|it: char| it.is_ascii_alphabetic() || it == '_')
        && name.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'_' || it == b'-');
    let mut res = path.to_owned();
    if plain {
        let _ = write!(res, "{}{name}", if path.is_empty() { "" } else { "." });
    } else {
        res.push('[');
        write_string(name, &mut res);
        res.push(']');
    }
    res
}

#[cfg(test)]
mod tests {
    use plumb_model::value::{Type, Value};

    use super::moved;

    #[test]
    fn place_by_place() {
        let text = |it: &str| Value::string(it);
        let labels = |tier: &str| Value::map(Type::String, [("a.b", text(tier)), ("x", text("1"))]);
        let value = |tier: &str, secret: &str, dns: Vec<Value>| {
            Value::object([
                ("dns", Value::list(Type::String, dns)),
                ("labels", labels(tier)),
                ("password", text(secret).sensitive()),
                ("same", text("same")),
            ])
        };
        let before = value("web", "one", vec![text("8.8.8.8")]);
        let after = value("db", "two", vec![text("9.9.9.9")]);
        let found: Vec<(String, bool)> =
            moved(&before, &after).iter().map(|it| (it.path.to_string(), it.sensitive)).collect();
        let expected = [("dns[0]", false), ("labels[\"a.b\"]", false), ("password", true)];
        assert_eq!(found, expected.map(|(path, hidden)| (path.to_owned(), hidden)));
        assert!(moved(&before, &before).is_empty());
        let shorter = value("web", "one", vec![]);
        assert_eq!(&*moved(&before, &shorter)[0].path, "dns");
    }
}
