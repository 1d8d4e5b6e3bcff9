//! Events out of JSON.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use plumb_model::addr::{Addr, ConfigAddr, DeposedKey, ObjectKey, ProviderAddr};
use plumb_model::event::{Effect, Event, Intended, Intent, Remote};
use plumb_model::state::{CheckResult, CheckStatus, Object, Token};
use plumb_model::value::Value;
use plumb_model::value::tagged::from_tagged;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{FORMAT, Folding, Header, JournalError};
use crate::seal::LineSealer;
use crate::v4::KINDS;

/// What a line says.
pub(super) enum Line {
    Event(Box<Event>),
    Folding(Folding),
}

/// What is said again and again, and kept once.
#[derive(Default)]
pub(super) struct Names {
    providers: HashMap<String, Arc<ProviderAddr>>,
    needs: HashMap<String, Arc<[ConfigAddr]>>,
}

#[derive(Deserialize)]
struct HeaderLine<'a> {
    plumb_journal: u64,
    #[serde(default)]
    lineage: String,
    #[serde(default)]
    serial: u64,
    #[serde(borrow)]
    encryption: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct RawLine<'a> {
    n: u64,
    #[serde(borrow)]
    event: Option<RawEvent<'a>>,
    #[serde(borrow)]
    sealed: Option<Cow<'a, str>>,
    #[serde(borrow)]
    folding: Option<RawFolding<'a>>,
}

#[derive(Deserialize)]
struct RawFolding<'a> {
    serial: u64,
    bytes: u64,
    #[serde(borrow)]
    crc32: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum RawEvent<'a> {
    RunStarted {
        #[serde(borrow)]
        run: Cow<'a, str>,
    },
    Moved {
        #[serde(borrow)]
        from: Cow<'a, str>,
        #[serde(borrow)]
        to: Cow<'a, str>,
    },
    Drifted {
        #[serde(borrow)]
        addr: Cow<'a, str>,
        deposed: Option<String>,
        #[serde(borrow)]
        attrs: &'a RawValue,
    },
    Seen {
        #[serde(borrow)]
        addr: Cow<'a, str>,
        deposed: Option<String>,
        #[serde(borrow)]
        unmanaged: Option<&'a RawValue>,
    },
    #[serde(borrow)]
    Vanished(RawKey<'a>),
    #[serde(borrow)]
    Settled(RawLeft<'a>),
    Started {
        #[serde(borrow)]
        token: Cow<'a, str>,
        #[serde(borrow)]
        intent: RawIntent<'a>,
    },
    #[serde(borrow)]
    Finished(RawLeft<'a>),
    Recorded {
        #[serde(borrow)]
        addr: Cow<'a, str>,
        deposed: Option<String>,
        #[serde(borrow)]
        object: RawObject<'a>,
    },
    #[serde(borrow)]
    Forgotten(RawKey<'a>),
    Output {
        #[serde(borrow)]
        name: Cow<'a, str>,
        #[serde(borrow, default, deserialize_with = "present")]
        value: Option<&'a RawValue>,
    },
    Checked {
        #[serde(borrow)]
        results: Vec<RawCheck<'a>>,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawKey<'a> {
    #[serde(borrow)]
    addr: Cow<'a, str>,
    deposed: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLeft<'a> {
    #[serde(borrow)]
    token: Cow<'a, str>,
    #[serde(borrow)]
    left: RawEffect<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum RawEffect<'a> {
    Nothing,
    Deleted,
    #[serde(borrow)]
    Made(RawRemote<'a>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRemote<'a> {
    #[serde(borrow)]
    attrs: &'a RawValue,
    #[serde(borrow)]
    private: Option<Cow<'a, str>>,
    #[serde(default)]
    complete: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawIntent<'a> {
    #[serde(borrow)]
    action: RawAction<'a>,
    #[serde(borrow)]
    provider: Cow<'a, str>,
    #[serde(borrow)]
    planned: &'a RawValue,
    schema_version: u64,
    #[serde(borrow)]
    needs: Option<&'a RawValue>,
    #[serde(default)]
    create_before_destroy: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum RawAction<'a> {
    Create {
        #[serde(borrow)]
        addr: Cow<'a, str>,
        retire: Option<String>,
    },
    Update {
        #[serde(borrow)]
        addr: Cow<'a, str>,
    },
    #[serde(borrow)]
    Delete(RawKey<'a>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawObject<'a> {
    #[serde(borrow)]
    attrs: &'a RawValue,
    #[serde(borrow)]
    private: Option<Cow<'a, str>>,
    schema_version: u64,
    #[serde(borrow)]
    provider: Cow<'a, str>,
    #[serde(borrow)]
    needs: Option<&'a RawValue>,
    #[serde(default)]
    tainted: bool,
    #[serde(default)]
    create_before_destroy: bool,
    #[serde(borrow)]
    unmanaged: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCheck<'a> {
    #[serde(borrow)]
    object_kind: Cow<'a, str>,
    #[serde(borrow)]
    config_addr: Cow<'a, str>,
    #[serde(borrow)]
    status: Cow<'a, str>,
    #[serde(borrow)]
    objects: Vec<RawCheckObject<'a>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCheckObject<'a> {
    #[serde(borrow)]
    addr: Cow<'a, str>,
    #[serde(borrow)]
    status: Cow<'a, str>,
    #[serde(default)]
    messages: Vec<String>,
}

/// The header, and what it says of encryption.
pub(super) fn header(text: &str) -> Result<(Header, Option<&str>), JournalError> {
    let line: HeaderLine<'_> = serde_json::from_str(text)
        .map_err(|error| JournalError::Strange { line: 1, why: error.to_string() })?;
    if line.plumb_journal != FORMAT {
        return Err(JournalError::Newer(line.plumb_journal));
    }
    let header = Header { lineage: line.lineage.into(), serial: line.serial };
    Ok((header, line.encryption.map(RawValue::get)))
}

/// One line; `sealer` opens it if the header says that lines are sealed.
pub(super) fn line(
    text: &str,
    number: u64,
    sealer: Option<&LineSealer>,
    names: &mut Names,
) -> Result<Line, JournalError> {
    let strange = |why: String| JournalError::Strange { line: number + 1, why };
    let line: RawLine<'_> = serde_json::from_str(text).map_err(|it| strange(it.to_string()))?;
    if line.n != number {
        return Err(strange(format!("it says that it is number {}", line.n)));
    }
    match (line.event, line.sealed, line.folding, sealer) {
        (Some(raw), None, None, None) => {
            Ok(Line::Event(Box::new(event(raw, names).map_err(strange)?)))
        }
        (None, Some(sealed), None, Some(sealer)) => {
            let text = sealer.open_line(number, &sealed)?;
            let raw: RawEvent<'_> =
                serde_json::from_str(&text).map_err(|it| strange(it.to_string()))?;
            Ok(Line::Event(Box::new(event(raw, names).map_err(strange)?)))
        }
        (None, None, Some(RawFolding { serial, bytes, crc32 }), _) => {
            let crc = u32::from_str_radix(&crc32, 16).map_err(|it| strange(it.to_string()))?;
            Ok(Line::Folding(Folding { serial, bytes, crc }))
        }
        (Some(_), None, None, Some(_)) => {
            Err(strange("it is not encrypted, and the journal is".into()))
        }
        _ => Err(strange("it holds neither an event nor a folding".into())),
    }
}

fn event(raw: RawEvent<'_>, names: &mut Names) -> Result<Event, String> {
    Ok(match raw {
        RawEvent::RunStarted { run } => Event::RunStarted {
            run: u64::from_str_radix(&run, 16).map_err(|error| error.to_string())?,
        },
        RawEvent::Moved { from, to } => Event::Moved { from: addr(&from)?, to: addr(&to)? },
        RawEvent::Drifted { addr, deposed, attrs } => {
            Event::Drifted { key: RawKey { addr, deposed }.read()?, attrs: value(attrs)? }
        }
        RawEvent::Seen { addr, deposed, unmanaged } => Event::Seen {
            key: RawKey { addr, deposed }.read()?,
            unmanaged: unmanaged.map(value).transpose()?,
        },
        RawEvent::Vanished(key) => Event::Vanished { key: key.read()? },
        RawEvent::Settled(RawLeft { token, left }) => {
            Event::Settled { token: self::token(&token)?, left: effect(left)? }
        }
        RawEvent::Started { token, intent } => {
            Event::Started { token: self::token(&token)?, intent: intent.read(names)? }
        }
        RawEvent::Finished(RawLeft { token, left }) => {
            Event::Finished { token: self::token(&token)?, left: effect(left)? }
        }
        RawEvent::Recorded { addr, deposed, object } => {
            Event::Recorded { key: RawKey { addr, deposed }.read()?, object: object.read(names)? }
        }
        RawEvent::Forgotten(key) => Event::Forgotten { key: key.read()? },
        RawEvent::Output { name, value } => {
            Event::Output { name: name.as_ref().into(), value: value.map(self::value).transpose()? }
        }
        RawEvent::Checked { results } => Event::Checked {
            results: results.iter().map(RawCheck::read).collect::<Result<_, _>>()?,
        },
    })
}

fn effect(raw: RawEffect<'_>) -> Result<Effect, String> {
    Ok(match raw {
        RawEffect::Nothing => Effect::Nothing,
        RawEffect::Deleted => Effect::Deleted,
        RawEffect::Made(RawRemote { attrs, private, complete }) => Effect::Made(Remote {
            attrs: value(attrs)?,
            private: self::private(private)?,
            complete,
        }),
    })
}

impl RawKey<'_> {
    fn read(self) -> Result<ObjectKey, String> {
        let deposed = self.deposed.map(|key| DeposedKey(key.into()));
        Ok(ObjectKey { addr: addr(&self.addr)?, deposed })
    }
}

impl RawIntent<'_> {
    fn read(self, names: &mut Names) -> Result<Intent, String> {
        let action = match self.action {
            RawAction::Create { addr, retire } => Intended::Create {
                addr: self::addr(&addr)?,
                retire: retire.map(|key| DeposedKey(key.into())),
            },
            RawAction::Update { addr } => Intended::Update { addr: self::addr(&addr)? },
            RawAction::Delete(key) => Intended::Delete { key: key.read()? },
        };
        Ok(Intent {
            action,
            provider: names.provider(&self.provider)?,
            planned: value(self.planned)?,
            schema_version: self.schema_version,
            needs: names.needs(self.needs)?,
            create_before_destroy: self.create_before_destroy,
        })
    }
}

impl RawObject<'_> {
    fn read(self, names: &mut Names) -> Result<Object, String> {
        Ok(Object {
            attrs: value(self.attrs)?,
            private: private(self.private)?,
            schema_version: self.schema_version,
            provider: names.provider(&self.provider)?,
            needs: names.needs(self.needs)?,
            tainted: self.tainted,
            create_before_destroy: self.create_before_destroy,
            unmanaged: self.unmanaged.map(value).transpose()?,
        })
    }
}

impl RawCheck<'_> {
    fn read(&self) -> Result<CheckResult, String> {
        let kind = KINDS.iter().find(|(name, _)| *name == self.object_kind);
        let objects = self.objects.iter().map(|it| {
            let messages = it.messages.iter().map(|text| text.as_str().into()).collect();
            Ok((it.addr.as_ref().into(), status(&it.status)?, messages))
        });
        Ok(CheckResult {
            object_kind: kind.ok_or_else(|| format!("check kind \"{}\"", self.object_kind))?.0,
            config_addr: self.config_addr.as_ref().into(),
            status: status(&self.status)?,
            objects: objects.collect::<Result<_, String>>()?,
        })
    }
}

impl Names {
    fn provider(&mut self, text: &str) -> Result<Arc<ProviderAddr>, String> {
        if let Some(provider) = self.providers.get(text) {
            return Ok(provider.clone());
        }
        let provider: Arc<ProviderAddr> =
            Arc::new(text.parse().map_err(|error| format!("{error}"))?);
        self.providers.insert(text.into(), provider.clone());
        Ok(provider)
    }

    fn needs(&mut self, json: Option<&RawValue>) -> Result<Arc<[ConfigAddr]>, String> {
        let json = json.map_or("[]", RawValue::get);
        if let Some(needs) = self.needs.get(json) {
            return Ok(needs.clone());
        }
        let list: Vec<Cow<'_, str>> =
            serde_json::from_str(json).map_err(|error| error.to_string())?;
        let needs: Arc<[ConfigAddr]> = (list.iter())
            .map(|it| it.parse().map_err(|error| format!("{error}")))
            .collect::<Result<_, String>>()?;
        self.needs.insert(json.into(), needs.clone());
        Ok(needs)
    }
}

/// A field that may be left out, but whose null is a value.
fn present<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(from).map(Some)
}

fn addr(text: &str) -> Result<Addr, String> {
    text.parse().map_err(|error| format!("{error}"))
}

fn token(text: &str) -> Result<Token, String> {
    Token::parse(text).ok_or_else(|| format!("\"{text}\" is not a token"))
}

fn value(raw: &RawValue) -> Result<Value, String> {
    from_tagged(raw.get()).map_err(|error| error.to_string())
}

fn private(text: Option<Cow<'_, str>>) -> Result<Option<Arc<[u8]>>, String> {
    let decoded = text.map(|text| STANDARD.decode(&*text)).transpose();
    Ok(decoded.map_err(|error| error.to_string())?.map(Into::into))
}

fn status(text: &str) -> Result<CheckStatus, String> {
    match text {
        "pass" => Ok(CheckStatus::Pass),
        "fail" => Ok(CheckStatus::Fail),
        "error" => Ok(CheckStatus::Error),
        "unknown" => Ok(CheckStatus::Unknown),
        text => Err(format!("\"{text}\" is not the outcome of a check")),
    }
}
