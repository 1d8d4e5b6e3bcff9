//! `yamlencode` and `yamldecode`.
//!
//! Reading follows YAML 1.2 with the booleans of 1.1; writing quotes every string, so that no reader
//! takes one for something else.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use plumb_model::value::{Number, Type, Value, ValueKind};
use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Tag};

use super::arguments::{any, string, text};
use super::{Function, Kind, Returns, fail, time};

/// Nesting beyond this is refused, so that no input overflows the stack.
const DEPTH_MAX: usize = 200;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(
        "yamlencode",
        &[any("value").null().dynamic()],
        None,
        Returns::Always(Kind::String),
        |a| Ok(Value::string(encode(&a[0]))),
    ),
    Function::new("yamldecode", &[string("src")], None, Returns::From(|_| Type::Dynamic), |a| {
        decode(text(a, 0)).or_else(fail)
    }),
];

fn encode(value: &Value) -> String {
    let mut out = String::new();
    write_value(value, 0, true, &mut out);
    if !out.ends_with('\n') {
        out.push('\n');
    }
    if !matches!(value.kind(), ValueKind::String(_)) && value.len().is_none() {
        out.push_str("...\n"); // a bare scalar could go on
    }
    out
}

/// Writes a value after what introduces it (`- `, `"key": `, or nothing). `indent` is where its own
/// lines would begin; `inline`: the first line goes on where we are.
fn write_value(value: &Value, indent: usize, inline: bool, out: &mut String) {
    let newline = |first: bool, out: &mut String| {
        if !(first && inline) {
            if !out.ends_with('\n') {
                out.push('\n');
            }
            out.extend(std::iter::repeat_n(' ', indent));
        }
    };
    match value.kind() {
        ValueKind::Bool(_) | ValueKind::Number(_) | ValueKind::Null(_) | ValueKind::Unknown(_) => {
            plumb_model::value::json::write_json(value, out);
        }
        ValueKind::String(text) => write_string(text, indent, out),
        ValueKind::List(_) | ValueKind::Set(_) | ValueKind::Tuple(_) => {
            if value.is_empty() {
                return out.push_str("[]");
            }
            for (i, item) in value.values().enumerate() {
                newline(i == 0, out);
                out.push_str("- ");
                write_value(item, indent + 2, true, out);
            }
        }
        ValueKind::Map(_) | ValueKind::Object(_) => {
            if value.is_empty() {
                return out.push_str("{}");
            }
            for (i, (key, item)) in value.as_map().into_iter().flatten().enumerate() {
                newline(i == 0, out);
                if key.contains('\n') {
                    out.push_str("? ");
                    write_string(key, indent + 2, out);
                    newline(false, out);
                    out.push(':');
                } else {
                    write_quoted(key, out);
                    out.push(':');
                }
                match item.kind() {
                    ValueKind::Map(_) | ValueKind::Object(_) if !item.is_empty() => {
                        write_value(item, indent + 2, false, out);
                    }
                    // Lists under a key are not indented any further.
                    ValueKind::List(_) | ValueKind::Set(_) | ValueKind::Tuple(_)
                        if !item.is_empty() =>
                    {
                        write_value(item, indent, false, out);
                    }
                    _ => {
                        out.push(' ');
                        write_value(item, indent + 2, true, out);
                    }
                }
            }
        }
    }
}

/// Several lines as a literal block where YAML can, everything else in quotes.
fn write_string(text: &str, indent: usize, out: &mut String) {
    let literal = text.contains('\n')
        && !text.contains('\t')
        && !text.contains(" \n")
        && !text.ends_with(' ')
        && text.chars().all(|c| c == '\n' || is_printable(c));
    if !literal {
        return write_quoted(text, out);
    }
    let indent = indent.max(2);
    out.push('|');
    if text.starts_with([' ', '\n']) {
        out.push('2');
    }
    if !text.ends_with('\n') {
        out.push('-');
    } else if text == "\n" || text.ends_with("\n\n") {
        out.push('+');
    }
    out.push('\n');
    for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
        if !line.is_empty() {
            out.extend(std::iter::repeat_n(' ', indent));
        }
        out.push_str(line);
        out.push('\n');
    }
}

fn is_printable(c: char) -> bool {
    matches!(c, ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}')
        && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}')
}

fn write_quoted(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        let escape = match c {
            '"' => "\\\"",
            '\\' => "\\\\",
            '\0' => "\\0",
            '\u{7}' => "\\a",
            '\u{8}' => "\\b",
            '\t' => "\\t",
            '\n' => "\\n",
            '\u{b}' => "\\v",
            '\u{c}' => "\\f",
            '\r' => "\\r",
            '\u{1b}' => "\\e",
            '\u{85}' => "\\N",
            '\u{2028}' => "\\L",
            '\u{2029}' => "\\P",
            c if is_printable(c) => {
                out.push(c);
                continue;
            }
            c => {
                let code = u32::from(c);
                let _ = match code {
                    0..=0xff => write!(out, "\\x{code:02X}"),
                    0x100..=0xffff => write!(out, "\\u{code:04X}"),
                    _ => write!(out, "\\U{code:08X}"),
                };
                continue;
            }
        };
        out.push_str(escape);
    }
    out.push('"');
}

/// What a mapping or sequence that is being read has so far.
enum Open {
    Sequence {
        anchor: usize,
        items: Vec<Value>,
    },
    Mapping {
        anchor: usize,
        items: BTreeMap<Arc<str>, Value>,
        merged: BTreeMap<Arc<str>, Value>,
        key: Option<Key>,
    },
}

enum Key {
    Name(Arc<str>),
    Merge,
}

fn decode(source: &str) -> Result<Value, String> {
    let problem = |error: ScanError| {
        let mark = error.marker();
        format!("on line {}, column {}: {}", mark.line(), mark.col() + 1, error.info())
    };
    let mut parser = Parser::new_from_str(source);
    let mut anchors: BTreeMap<usize, Value> = BTreeMap::new();
    let mut open: Vec<Open> = Vec::new();
    let mut result: Option<Value> = None;
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(problem)?;
        let here = |message: &str| {
            format!("on line {}, column {}: {message}", span.start.line(), span.start.col() + 1)
        };
        // A merge key is one only where a key is expected, and unquoted.
        let expects_key = matches!(open.last(), Some(Open::Mapping { key: None, .. }));
        let (value, anchor) = match event {
            Event::StreamEnd => break,
            Event::DocumentStart(_) if result.is_some() => {
                return Err(here("unexpected extra content after value"));
            }
            Event::Nothing | Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd => {
                continue;
            }
            Event::Alias(id) => match anchors.get(&id) {
                Some(value) => (value.clone(), 0),
                None => return Err(here("reference to an anchor that is not complete yet")),
            },
            Event::Scalar(text, style, anchor, tag) => {
                if expects_key && style == ScalarStyle::Plain && text == "<<" {
                    if let Some(Open::Mapping { key, .. }) = open.last_mut() {
                        *key = Some(Key::Merge);
                    }
                    continue;
                }
                (scalar(&text, style, tag.as_deref())?, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                check_tag(tag.as_deref(), "seq", "sequence")?;
                open.push(Open::Sequence { anchor, items: Vec::new() });
                continue;
            }
            Event::MappingStart(anchor, tag) => {
                check_tag(tag.as_deref(), "map", "mapping")?;
                open.push(Open::Mapping {
                    anchor,
                    items: BTreeMap::new(),
                    merged: BTreeMap::new(),
                    key: None,
                });
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(Open::Sequence { anchor, items }) => (Value::tuple(items), anchor),
                Some(Open::Mapping { anchor, items, mut merged, .. }) => {
                    merged.extend(items);
                    (Value::object(merged), anchor)
                }
                None => return Err(here("unexpected end of a collection")),
            },
        };
        if open.len() > DEPTH_MAX {
            return Err(here("nested too deeply"));
        }
        if anchor != 0 {
            anchors.insert(anchor, value.clone());
        }
        match open.last_mut() {
            None => result = Some(value),
            Some(Open::Sequence { items, .. }) => items.push(value),
            Some(Open::Mapping { items, merged, key, .. }) => match key.take() {
                Some(Key::Name(name)) => {
                    items.insert(name, value);
                }
                Some(Key::Merge) => match value.as_map() {
                    Some(other) => {
                        for (name, item) in other {
                            merged.entry(name.clone()).or_insert_with(|| item.clone());
                        }
                    }
                    None => {
                        let ty = value.ty().friendly_name();
                        return Err(format!("cannot merge {ty} into mapping"));
                    }
                },
                None => {
                    if value.is_null() {
                        return Err(here("mapping key cannot be null"));
                    }
                    match plumb_model::value::convert(&value, &Type::String) {
                        Ok(name) => {
                            *key = Some(Key::Name(name.as_str().unwrap_or_default().into()));
                        }
                        Err(_) => return Err("only strings are allowed as mapping keys".into()),
                    }
                }
            },
        }
    }
    result.ok_or_else(|| "on line 1, column 1: missing start of document".into())
}

fn check_tag(tag: Option<&Tag>, want: &str, what: &str) -> Result<(), String> {
    match tag {
        None => Ok(()),
        Some(tag) if tag.is_yaml_core_schema() && tag.suffix == want => Ok(()),
        Some(tag) => Err(format!("can't interpret {what} as {}{}", tag.handle, tag.suffix)),
    }
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Value, String> {
    let Some(tag) = tag else {
        return if style == ScalarStyle::Plain { plain(text) } else { Ok(Value::string(text)) };
    };
    if !tag.is_yaml_core_schema() {
        return match (&*tag.handle, &*tag.suffix) {
            ("!", "") | ("", "!") => Ok(Value::string(text)),
            (handle, suffix) => Err(format!("unsupported tag \"{handle}{suffix}\"")),
        };
    }
    let cannot =
        |why: &str| Err(format!("cannot parse {text:?} as tag:yaml.org,2002:{}{why}", tag.suffix));
    let value = plain(text)?;
    match &*tag.suffix {
        "str" => Ok(Value::string(text)),
        "binary" => {
            use base64::Engine;
            let packed: String = text.chars().filter(|c| !c.is_whitespace()).collect();
            match base64::engine::general_purpose::STANDARD.decode(&packed) {
                Ok(_) => Ok(Value::string(packed)),
                Err(_) => cannot(": not valid base64"),
            }
        }
        "int" | "float" if value.as_number().is_some() => Ok(value),
        "bool" if value.as_bool().is_some() => Ok(value),
        "null" if value.is_null() => Ok(value),
        "timestamp" if timestamp(text).is_some() => Ok(value),
        "int" | "float" | "bool" | "null" | "timestamp" => cannot(""),
        suffix => Err(format!("unsupported tag \"tag:yaml.org,2002:{suffix}\"")),
    }
}

/// What an unquoted scalar is by its looks.
fn plain(text: &str) -> Result<Value, String> {
    Ok(match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::NULL,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Value::TRUE
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Value::FALSE
        }
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => number("Inf", text),
        "-.inf" | "-.Inf" | "-.INF" => number("-Inf", text),
        ".nan" | ".NaN" | ".NAN" => return Err("floating point NaN is not supported".into()),
        text => {
            let based = |prefix: &str, base: u32| {
                let digits = text.strip_prefix(prefix)?;
                let plain = digits.bytes().all(|b| b.is_ascii_alphanumeric());
                plain.then(|| Number::parse_int(digits, base)).flatten()
            };
            if let Some(int) = based("0x", 16).or_else(|| based("0o", 8)) {
                return Ok(Value::number(int));
            }
            if text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.'))
                && text.contains(|c: char| c.is_ascii_digit())
                && let Some(number) = Number::parse(text)
            {
                return Ok(Value::number(number));
            }
            Value::string(timestamp(text).unwrap_or_else(|| text.to_owned()))
        }
    })
}

fn number(text: &str, written: &str) -> Value {
    Number::parse(text).map_or_else(|| Value::string(written), Value::number)
}

/// Dates, and times with an offset, in the one form that timestamps have.
fn timestamp(text: &str) -> Option<String> {
    let (date, clock) = match text.find(['T', 't', ' ']) {
        Some(at) => (&text[..at], Some(text[at + 1..].trim_start())),
        None => (text, None),
    };
    let parts: Vec<&str> = date.split('-').collect();
    let [year, month, day] = parts[..] else { return None };
    let padded = |part: &str| (!part.is_empty() && part.len() <= 2).then(|| format!("{part:0>2}"));
    let date = format!("{year}-{}-{}", padded(month)?, padded(day)?);
    time::normalized(&format!("{date}T{}", clock.unwrap_or("00:00:00Z")))
}
