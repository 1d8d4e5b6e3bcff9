//! What was seen, as a saved plan keeps it.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use plumb_model::addr::{DeposedKey, ObjectKey};
use plumb_model::event::Remote;
use plumb_model::question::{Answer, FileQuestion, Observations, QuestionKey};
use plumb_model::state::Token;
use plumb_model::value::Value;
use serde::{Deserialize, Serialize};

pub(super) type Pair = (Key, Reply);

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Key {
    Current(String, Option<String>),
    Made(String),
    Data(String, Value),
    Import(String, String),
    Content(String),
    Exists(String),
    Set(String, String),
    Fact(String, String, Value),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Reply {
    Object { attrs: Value, private: Option<String>, complete: bool },
    Gone,
    Value(Value),
    Bytes(String),
    Bool(bool),
    Names(Vec<String>),
    Failed(String, String),
}

pub(super) fn save(seen: &Observations) -> Vec<Pair> {
    seen.iter().map(|(key, answer)| (save_key(key), save_answer(answer))).collect()
}

fn save_key(key: &QuestionKey) -> Key {
    let text = ToString::to_string;
    match key {
        QuestionKey::Current(ObjectKey { addr, deposed }) => {
            Key::Current(addr.to_string(), deposed.as_ref().map(|it| it.0.to_string()))
        }
        QuestionKey::Made(token) => Key::Made(token.to_string()),
        QuestionKey::Data(addr, query) => Key::Data(addr.to_string(), query.clone()),
        QuestionKey::Import(addr, id) => Key::Import(addr.to_string(), text(id)),
        QuestionKey::File(FileQuestion::Content(path)) => Key::Content(text(path)),
        QuestionKey::File(FileQuestion::Exists(path)) => Key::Exists(text(path)),
        QuestionKey::File(FileQuestion::Set(path, pattern)) => Key::Set(text(path), text(pattern)),
        QuestionKey::Fact { source, kind, query } => {
            Key::Fact(text(source), text(kind), query.clone())
        }
    }
}

fn save_answer(answer: &Answer) -> Reply {
    match answer {
        Answer::Object(Remote { attrs, private, complete }) => Reply::Object {
            attrs: attrs.clone(),
            private: private.as_ref().map(|it| STANDARD.encode(it)),
            complete: *complete,
        },
        Answer::Gone => Reply::Gone,
        Answer::Value(value) => Reply::Value(value.clone()),
        Answer::Bytes(bytes) => Reply::Bytes(STANDARD.encode(bytes)),
        Answer::Bool(value) => Reply::Bool(*value),
        Answer::Names(names) => Reply::Names(names.iter().map(ToString::to_string).collect()),
        Answer::Failed { summary, detail } => {
            Reply::Failed(summary.to_string(), detail.to_string())
        }
    }
}

pub(super) fn restore(pairs: Vec<Pair>) -> Result<Observations, String> {
    pairs.into_iter().map(|(key, reply)| Ok((key_of(key)?, answer_of(reply)?))).collect()
}

fn key_of(key: Key) -> Result<QuestionKey, String> {
    let addr = |text: &str| text.parse().map_err(|it: plumb_model::BadAddr| it.to_string());
    Ok(match key {
        Key::Current(text, deposed) => QuestionKey::Current(ObjectKey {
            addr: addr(&text)?,
            deposed: deposed.map(|it| DeposedKey(it.into())),
        }),
        Key::Made(text) => QuestionKey::Made(Token::parse(&text).ok_or("a token is damaged")?),
        Key::Data(text, query) => QuestionKey::Data(addr(&text)?, query),
        Key::Import(text, id) => QuestionKey::Import(addr(&text)?, id.into()),
        Key::Content(path) => QuestionKey::File(FileQuestion::Content(path.into())),
        Key::Exists(path) => QuestionKey::File(FileQuestion::Exists(path.into())),
        Key::Set(path, pattern) => {
            QuestionKey::File(FileQuestion::Set(path.into(), pattern.into()))
        }
        Key::Fact(source, kind, query) => {
            QuestionKey::Fact { source: source.into(), kind: kind.into(), query }
        }
    })
}

fn answer_of(reply: Reply) -> Result<Answer, String> {
    let bytes = |text: &str| -> Result<Arc<[u8]>, String> {
        STANDARD.decode(text).map(Into::into).map_err(|it| it.to_string())
    };
    Ok(match reply {
        Reply::Object { attrs, private, complete } => Answer::Object(Remote {
            attrs,
            private: private.map(|it| bytes(&it)).transpose()?,
            complete,
        }),
        Reply::Gone => Answer::Gone,
        Reply::Value(value) => Answer::Value(value),
        Reply::Bytes(text) => Answer::Bytes(bytes(&text)?),
        Reply::Bool(value) => Answer::Bool(value),
        Reply::Names(names) => Answer::Names(names.into_iter().map(Arc::from).collect()),
        Reply::Failed(summary, detail) => {
            Answer::Failed { summary: summary.into(), detail: detail.into() }
        }
    })
}
