//! JSON whose numbers keep every digit.

use std::collections::BTreeMap;

use plumb_model::value::Number;
use plumb_model::value::json::write_string;
use serde_json::value::RawValue;

#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    Null,
    Bool(bool),
    /// As it is written.
    Number(String),
    Text(String),
    List(Vec<Json>),
    Object(BTreeMap<String, Json>),
}

pub const NULL: Json = Json::Null;

impl Json {
    pub fn parse(text: &str) -> Result<Json, serde_json::Error> {
        let raw: &RawValue = serde_json::from_str(text)?;
        from_raw(raw)
    }

    pub fn object<const N: usize>(pairs: [(&str, Json); N]) -> Json {
        Json::Object(pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
    }

    pub fn text(text: impl Into<String>) -> Json {
        Json::Text(text.into())
    }

    pub fn number(number: impl ToString) -> Json {
        Json::Number(number.to_string())
    }

    /// What an object has there.
    pub fn get(&self, key: &str) -> Option<&Json> {
        match self {
            Json::Object(pairs) => pairs.get(key),
            _ => None,
        }
    }

    /// The same, null where there is nothing.
    pub fn at(&self, key: &str) -> &Json {
        self.get(key).unwrap_or(&NULL)
    }

    pub fn str(&self) -> &str {
        match self {
            Json::Text(text) => text,
            _ => "",
        }
    }

    pub fn int(&self) -> i64 {
        match self {
            Json::Number(text) => text.parse().unwrap_or(0),
            _ => 0,
        }
    }

    /// The items of a list; none of anything else.
    pub fn items(&self) -> &[Json] {
        match self {
            Json::List(items) => items,
            _ => &[],
        }
    }

    pub fn strings(&self) -> Vec<String> {
        self.items().iter().map(|it| it.str().to_owned()).collect()
    }

    pub fn pairs(&self) -> impl Iterator<Item = (&String, &Json)> {
        match self {
            Json::Object(pairs) => Some(pairs.iter()),
            _ => None,
        }
        .into_iter()
        .flatten()
    }

    pub fn is_true(&self) -> bool {
        *self == Json::Bool(true)
    }

    /// `{}`, `[]` and trees of nothing but false say as little as `false`.
    pub fn says_nothing(&self) -> bool {
        match self {
            Json::Null | Json::Bool(false) => true,
            Json::List(items) => items.iter().all(Json::says_nothing),
            Json::Object(pairs) => pairs.values().all(Json::says_nothing),
            Json::Bool(true) | Json::Number(_) | Json::Text(_) => false,
        }
    }

    /// Those of an object's keys that are there.
    pub fn only(&self, keys: &[&str]) -> Json {
        let pairs = keys.iter().filter_map(|key| Some(((*key).to_owned(), self.get(key)?.clone())));
        Json::Object(pairs.collect())
    }

    pub fn set(&mut self, key: &str, value: Json) {
        if let Json::Object(pairs) = self {
            pairs.insert(key.to_owned(), value);
        }
    }

    /// The first difference, as words; None when equal.
    pub fn difference(&self, got: &Json) -> Option<String> {
        difference("$", self, got)
    }
}

/// A list in the order of its items' texts.
pub fn sorted(items: impl IntoIterator<Item = Json>) -> Json {
    let mut items: Vec<Json> = items.into_iter().collect();
    items.sort_by_cached_key(Json::to_string);
    Json::List(items)
}

impl std::fmt::Display for Json {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let quoted = |text: &str| {
            let mut out = String::new();
            write_string(text, &mut out);
            out
        };
        match self {
            Json::Null => f.write_str("null"),
            Json::Bool(it) => write!(f, "{it}"),
            Json::Number(it) => f.write_str(it),
            Json::Text(it) => f.write_str(&quoted(it)),
            Json::List(items) => {
                let items: Vec<String> = items.iter().map(Json::to_string).collect();
                write!(f, "[{}]", items.join(","))
            }
            Json::Object(pairs) => {
                let pairs: Vec<String> =
                    pairs.iter().map(|(key, it)| format!("{}:{it}", quoted(key))).collect();
                write!(f, "{{{}}}", pairs.join(","))
            }
        }
    }
}

fn from_raw(raw: &RawValue) -> Result<Json, serde_json::Error> {
    let text = raw.get();
    Ok(match text.as_bytes().first() {
        Some(b'{') => {
            let pairs: BTreeMap<String, &RawValue> = serde_json::from_str(text)?;
            let pairs = pairs.into_iter().map(|(key, it)| Ok((key, from_raw(it)?)));
            Json::Object(pairs.collect::<Result<_, serde_json::Error>>()?)
        }
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(text)?;
            Json::List(items.into_iter().map(from_raw).collect::<Result<_, _>>()?)
        }
        Some(b'"') => Json::Text(serde_json::from_str(text)?),
        Some(b't' | b'f') => Json::Bool(text == "true"),
        Some(b'n') => Json::Null,
        _ => Json::Number(text.to_owned()),
    })
}

fn difference(path: &str, want: &Json, got: &Json) -> Option<String> {
    let differ = || Some(format!("{path}: want {} got {}", short(want), short(got)));
    match (want, got) {
        (Json::Number(a), Json::Number(b)) => match (Number::parse(a), Number::parse(b)) {
            (Some(a), Some(b)) if a == b => None,
            _ => differ(),
        },
        (Json::Object(a), Json::Object(b)) => {
            let keys: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            keys.into_iter().find_map(|key| match (a.get(key), b.get(key)) {
                (Some(a), Some(b)) => difference(&format!("{path}.{key}"), a, b),
                (Some(a), None) => Some(format!("{path}.{key}: missing, want {}", short(a))),
                (None, b) => {
                    Some(format!("{path}.{key}: unexpected, got {}", short(b.unwrap_or(&NULL))))
                }
            })
        }
        (Json::List(a), Json::List(b)) if a.len() == b.len() => (a.iter().zip(b).enumerate())
            .find_map(|(at, (a, b))| difference(&format!("{path}[{at}]"), a, b)),
        _ if want == got => None,
        _ => differ(),
    }
}

pub fn short(json: &Json) -> String {
    let text = json.to_string();
    match text.char_indices().nth(900) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
