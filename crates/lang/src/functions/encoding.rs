//! JSON, Base64, CSV, URLs, and character encodings.

use std::collections::BTreeSet;
use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use encoding_rs::Encoding;
use plumb_model::value::{Refinements, Type, Value, ValueKind, json};

use super::arguments::{any, string, text};
use super::{Fault, Function, Kind, Outcome, Param, Returns, blame, fail};

const STR: &[Param] = &[string("str")];
const RESULT: Returns = Returns::Always(Kind::String);

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("jsonencode", &[any("val").null().dynamic().unknown()], None, RESULT, |a| {
        if !a[0].is_wholly_known() {
            return Ok(unknown_json(&a[0]));
        }
        if let Some(bad) = infinite(&a[0]) {
            return fail(format!("cannot encode {bad} as JSON"));
        }
        Ok(Value::string(json::to_json(&a[0])))
    }),
    Function::new("jsondecode", STR, None, Returns::From(|_| Type::Dynamic), |a| {
        json::from_json_implied(text(a, 0)).or_else(|error| fail(error.message))
    }),
    Function::new("base64encode", STR, None, RESULT, |a| {
        Ok(Value::string(STANDARD.encode(text(a, 0))))
    }),
    Function::new("base64decode", STR, None, RESULT, base64_decode),
    Function::new("base64gzip", STR, None, RESULT, base64_gzip),
    Function::new(
        "textencodebase64",
        &[string("string"), string("encoding")],
        None,
        RESULT,
        text_encode,
    ),
    Function::new(
        "textdecodebase64",
        &[string("source"), string("encoding")],
        None,
        RESULT,
        text_decode,
    ),
    Function::new("urlencode", STR, None, RESULT, url_encode),
    Function::new("csvdecode", STR, None, Returns::From(|_| Type::Dynamic), csv_decode),
];

fn infinite(value: &Value) -> Option<String> {
    match value.as_number() {
        Some(number) => number.is_infinite().then(|| number.to_string()),
        None => value.values().find_map(infinite),
    }
}

/// What is known of the JSON of a value that is not known wholly: how it begins, unless it is null.
fn unknown_json(value: &Value) -> Value {
    let present = match value.kind() {
        ValueKind::Unknown(it) => it.refinements.not_null,
        _ => true,
    };
    let first = match value.ty() {
        Type::String => "\"",
        Type::List(_) | Type::Set(_) | Type::Tuple(_) => "[",
        Type::Map(_) | Type::Object(_) => "{",
        Type::Bool | Type::Number | Type::Dynamic => "",
    };
    let refinements = match present && !first.is_empty() {
        true => Refinements::prefixed(first),
        false => Refinements::not_null(),
    };
    Value::unknown_refined(Type::String, refinements)
}

fn base64_decode(args: &[Value]) -> Outcome {
    let source = text(args, 0);
    let packed: String = source.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    let Ok(bytes) = STANDARD.decode(packed) else {
        return fail(format!("failed to decode base64 data {source:?}"));
    };
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Value::string(text)),
        Err(_) => fail("the result of decoding the provided string is not valid UTF-8"),
    }
}

fn base64_gzip(args: &[Value]) -> Outcome {
    let mut gzip = flate2::GzBuilder::new()
        .operating_system(255)
        .write(Vec::new(), flate2::Compression::default());
    let written = gzip.write_all(text(args, 0).as_bytes()).and_then(|()| gzip.finish());
    match written {
        Ok(bytes) => Ok(Value::string(STANDARD.encode(bytes))),
        Err(error) => fail(format!("failed to write gzip data: {error}")),
    }
}

/// The encodings that a label names.
enum Charset {
    Utf8,
    Utf16 {
        big_endian: bool,
        mark: bool,
    },
    /// Code points up to the limit are single bytes.
    Bytes {
        max: u32,
    },
    Other(&'static Encoding),
}

fn charset(args: &[Value], arg: usize) -> Result<(Charset, String), Fault> {
    let label = text(args, arg);
    let name = label.to_ascii_lowercase();
    let found = match &*name {
        "utf-8" | "utf8" => (Charset::Utf8, "UTF-8".to_owned()),
        "utf-16" => (Charset::Utf16 { big_endian: true, mark: true }, "UTF-16".to_owned()),
        "utf-16be" => (Charset::Utf16 { big_endian: true, mark: false }, "UTF-16BE".to_owned()),
        "utf-16le" => (Charset::Utf16 { big_endian: false, mark: false }, "UTF-16LE".to_owned()),
        "us-ascii" | "ascii" | "iso-ir-6" | "iso646-us" | "us" | "ibm367" | "cp367" => {
            (Charset::Bytes { max: 0x7f }, "US-ASCII".to_owned())
        }
        "iso-8859-1" | "iso_8859-1" | "latin1" | "l1" | "ibm819" | "cp819" => {
            (Charset::Bytes { max: 0xff }, "ISO-8859-1".to_owned())
        }
        other => match Encoding::for_label(other.as_bytes()) {
            Some(encoding) => (Charset::Other(encoding), encoding.name().to_owned()),
            None => {
                return blame(
                    arg,
                    format!(
                        "{label:?} is not a supported IANA encoding name or alias in this version"
                    ),
                );
            }
        },
    };
    Ok(found)
}

fn text_encode(args: &[Value]) -> Outcome {
    let (charset, name) = charset(args, 1)?;
    let text = text(args, 0);
    let units = |big: bool| {
        text.encode_utf16()
            .flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() })
            .collect::<Vec<u8>>()
    };
    let bytes = match charset {
        Charset::Utf8 => Some(text.as_bytes().to_vec()),
        Charset::Utf16 { big_endian, mark } => {
            let mut bytes = if mark { vec![0xfe, 0xff] } else { Vec::new() };
            bytes.extend(units(big_endian));
            Some(bytes)
        }
        Charset::Bytes { max } => text
            .chars()
            .map(|c| u8::try_from(u32::from(c)).ok().filter(|b| u32::from(*b) <= max))
            .collect(),
        Charset::Other(encoding) => {
            let (bytes, _, replaced) = encoding.encode(text);
            (!replaced).then(|| bytes.into_owned())
        }
    };
    match bytes {
        Some(bytes) => Ok(Value::string(STANDARD.encode(bytes))),
        None => blame(
            0,
            format!("the given string contains characters that cannot be represented in {name}"),
        ),
    }
}

fn text_decode(args: &[Value]) -> Outcome {
    let (charset, name) = charset(args, 1)?;
    let bytes = match STANDARD.decode(text(args, 0)) {
        Ok(bytes) => bytes,
        Err(base64::DecodeError::InvalidByte(offset, _)) => {
            return blame(
                0,
                format!("the given value has an invalid base64 symbol at offset {offset}"),
            );
        }
        Err(error) => return blame(0, format!("the given value is not valid base64: {error}")),
    };
    let decoded = match charset {
        Charset::Utf8 => String::from_utf8(bytes).ok(),
        Charset::Utf16 { mut big_endian, mark } => {
            let mut rest = &bytes[..];
            if mark && rest.starts_with(&[0xff, 0xfe]) {
                (big_endian, rest) = (false, &rest[2..]);
            } else if mark && rest.starts_with(&[0xfe, 0xff]) {
                rest = &rest[2..];
            }
            let units = rest.chunks(2).map(|pair| match pair {
                [a, b] if big_endian => u16::from_be_bytes([*a, *b]),
                [a, b] => u16::from_le_bytes([*a, *b]),
                _ => 0xfffd,
            });
            char::decode_utf16(units).collect::<Result<String, _>>().ok()
        }
        Charset::Bytes { max } => bytes
            .iter()
            .map(|byte| (u32::from(*byte) <= max).then_some(char::from(*byte)))
            .collect(),
        Charset::Other(encoding) => encoding
            .decode_without_bom_handling_and_without_replacement(&bytes)
            .map(std::borrow::Cow::into_owned),
    };
    match decoded {
        Some(text) => Ok(Value::string(text)),
        None => {
            blame(0, format!("the given string contains symbols that are not defined for {name}"))
        }
    }
}

fn url_encode(args: &[Value]) -> Outcome {
    let mut out = String::new();
    for byte in text(args, 0).bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(byte));
            }
            b' ' => out.push('+'),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    Ok(Value::string(out))
}

fn csv_decode(args: &[Value]) -> Outcome {
    let rows = csv_rows(text(args, 0))?;
    let mut rows = rows.into_iter();
    let Some((_, header)) = rows.next() else {
        return fail("missing header line");
    };
    let mut seen = BTreeSet::new();
    for name in &header {
        if !seen.insert(name) {
            return fail(format!("duplicate column name {name:?}"));
        }
    }
    let mut items = Vec::new();
    for (line, row) in rows {
        if row.len() != header.len() {
            return fail(format!("CSV parse error on line {line}: wrong number of fields"));
        }
        let attrs = header.iter().map(String::as_str).zip(row.into_iter().map(Value::string));
        items.push(Value::object(attrs));
    }
    let elem = Type::object(header.iter().map(|name| (name.as_str(), Type::String)));
    Ok(Value::list(elem, items))
}

/// Rows and the lines they begin on; blank lines are none. Quotes must be where quotes belong.
fn csv_rows(text: &str) -> Result<Vec<(usize, Vec<String>)>, Fault> {
    let text = text.replace("\r\n", "\n");
    let mut rows = Vec::new();
    let mut chars = text.chars().peekable();
    let mut line = 1;
    while chars.peek().is_some() {
        let start = line;
        let mut row = Vec::new();
        loop {
            let mut field = String::new();
            if chars.next_if_eq(&'"').is_some() {
                loop {
                    match chars.next() {
                        Some('"') if chars.next_if_eq(&'"').is_some() => field.push('"'),
                        Some('"') => break,
                        Some(c) => {
                            line += usize::from(c == '\n');
                            field.push(c);
                        }
                        None => {
                            return fail(format!(
                                "CSV parse error on line {line}: extraneous or missing \" in quoted-field"
                            ));
                        }
                    }
                }
                if !matches!(chars.peek(), None | Some(',' | '\n')) {
                    return fail(format!(
                        "CSV parse error on line {line}: extraneous or missing \" in quoted-field"
                    ));
                }
            } else {
                while let Some(c) = chars.next_if(|c| !matches!(c, ',' | '\n')) {
                    if c == '"' {
                        return fail(format!(
                            "CSV parse error on line {line}: bare \" in non-quoted-field"
                        ));
                    }
                    field.push(c);
                }
            }
            row.push(field);
            match chars.next() {
                Some(',') => {}
                _ => break line += 1,
            }
        }
        if row.len() > 1 || row.iter().any(|field| !field.is_empty()) {
            rows.push((start, row));
        }
    }
    Ok(rows)
}
