//! Reading JSON into values, with or without a type.

use std::fmt;
use std::sync::Arc;

use crate::value::{Number, Type, Value};

/// Nesting beyond this is refused, so that no input overflows the stack.
const DEPTH_MAX: usize = 500;
/// Values may be nested less: written with their types they are more than twice as deep.
const VALUE_DEPTH_MAX: usize = 200;

/// Why text is not the JSON that was expected.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JsonError {
    /// Byte in the text.
    pub offset: usize,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at byte {})", self.message, self.offset)
    }
}

impl std::error::Error for JsonError {}

/// A tree of JSON in which numbers are exact and every part knows where it began.
pub(crate) struct Json {
    pub(crate) offset: usize,
    pub(crate) kind: JsonKind,
}

pub(crate) enum JsonKind {
    Null,
    Bool(bool),
    Number(Number),
    String(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    pub(crate) fn error<T>(&self, message: impl Into<String>) -> Result<T, JsonError> {
        Err(JsonError { offset: self.offset, message: message.into() })
    }
}

/// Reads JSON of a known type; where it is `Dynamic`, `{"value":…,"type":…}` is expected.
pub fn from_json_typed(text: &str, ty: &Type) -> Result<Value, JsonError> {
    typed(parse(text)?, ty)
}

/// Reads JSON of any type: arrays become tuples, objects objects. Of equal names the last wins.
pub fn from_json_implied(text: &str) -> Result<Value, JsonError> {
    parse_within(text, VALUE_DEPTH_MAX).map(implied)
}

/// Reads the JSON form of a type.
pub fn parse_type(text: &str) -> Result<Type, JsonError> {
    type_of(&parse(text)?)
}

fn implied(json: Json) -> Value {
    match json.kind {
        JsonKind::Null => Value::NULL,
        JsonKind::Bool(value) => Value::bool(value),
        JsonKind::Number(number) => Value::number(number),
        JsonKind::String(text) => Value::string(text),
        JsonKind::Array(items) => Value::tuple(items.into_iter().map(implied).collect()),
        JsonKind::Object(items) => {
            Value::object(items.into_iter().map(|(name, item)| (key(&name), implied(item))))
        }
    }
}

/// Keys and names are in normal form C like every string.
fn key(name: &str) -> Arc<str> {
    match Value::string(name).kind() {
        crate::value::ValueKind::String(name) => name.clone(),
        _ => unreachable!("strings make strings"),
    }
}

fn typed(json: Json, ty: &Type) -> Result<Value, JsonError> {
    let offset = json.offset;
    let fail = |message: &str| Err(JsonError { offset, message: message.into() });
    match (json.kind, ty) {
        (JsonKind::Null, ty) => Ok(Value::null(ty.without_optional())),
        (JsonKind::Object(items), Type::Dynamic) => {
            let (mut value, mut ty) = (None, None);
            for (name, item) in items {
                match &*name {
                    "value" => value = Some(item),
                    "type" => ty = Some(type_of(&item)?),
                    _ => return fail("a value of any type needs exactly `value` and `type`"),
                }
            }
            match (value, ty) {
                (Some(_), Some(Type::Dynamic)) => Ok(Value::NULL),
                (Some(value), Some(ty)) => typed(value, &ty),
                _ => fail("a value of any type needs both `value` and `type`"),
            }
        }
        (_, Type::Dynamic) => fail("a value of any type needs both `value` and `type`"),
        (JsonKind::Bool(value), Type::Bool) => Ok(Value::bool(value)),
        (JsonKind::Number(number), Type::Number) => Ok(Value::number(number)),
        (JsonKind::String(text), Type::String) => Ok(Value::string(text)),
        // Numbers are accepted as strings and the other way round, booleans likewise.
        (JsonKind::String(text), Type::Number) => match Number::parse(&text) {
            Some(number) => Ok(Value::number(number)),
            None => fail("a number is required"),
        },
        (JsonKind::String(text), Type::Bool) => match &*text {
            "true" | "1" => Ok(Value::TRUE),
            "false" | "0" => Ok(Value::FALSE),
            _ => fail("a bool is required"),
        },
        (JsonKind::Number(number), Type::String) => Ok(Value::string(number.to_string())),
        (JsonKind::Bool(value), Type::String) => Ok(Value::string(value.to_string())),
        (JsonKind::Array(items), Type::List(elem) | Type::Set(elem)) => {
            let items: Result<Vec<Value>, _> =
                items.into_iter().map(|item| typed(item, elem)).collect();
            let elem = elem.without_optional();
            Ok(match ty {
                Type::List(_) => Value::list(elem, items?),
                _ => Value::set(elem, items?),
            })
        }
        (JsonKind::Array(items), Type::Tuple(elems)) => {
            if items.len() != elems.len() {
                return fail(&format!("{} elements are required", elems.len()));
            }
            let items: Result<Vec<Value>, _> =
                items.into_iter().zip(elems.iter()).map(|(item, elem)| typed(item, elem)).collect();
            Ok(Value::tuple(items?))
        }
        (JsonKind::Object(items), Type::Map(elem)) => {
            let items: Result<Vec<(Arc<str>, Value)>, _> = items
                .into_iter()
                .map(|(name, item)| Ok((key(&name), typed(item, elem)?)))
                .collect();
            Ok(Value::map(elem.without_optional(), items?))
        }
        (JsonKind::Object(items), Type::Object(object)) => {
            let mut attrs: Vec<(Arc<str>, Value)> = Vec::with_capacity(object.attrs.len());
            for (name, item) in items {
                let Some((name, attr)) = object.attrs.get_key_value(&*name) else {
                    return item.error(format!("unsupported attribute {name:?}"));
                };
                attrs.push((name.clone(), typed(item, attr)?));
            }
            let mut value: std::collections::BTreeMap<_, _> = attrs.into_iter().collect();
            for (name, attr) in &object.attrs {
                if !value.contains_key(name) {
                    if !object.optional.contains(name) {
                        return fail(&format!("attribute {name:?} is required"));
                    }
                    value.insert(name.clone(), Value::null(attr.without_optional()));
                }
            }
            Ok(Value::object(value))
        }
        (_, ty) => fail(&format!("{} is required", ty.friendly_name())),
    }
}

/// Reads a type out of parsed JSON.
pub(crate) fn type_of(json: &Json) -> Result<Type, JsonError> {
    match &json.kind {
        JsonKind::String(name) => match &**name {
            "dynamic" => Ok(Type::Dynamic),
            "bool" => Ok(Type::Bool),
            "number" => Ok(Type::Number),
            "string" => Ok(Type::String),
            name => json.error(format!("unknown type {name:?}")),
        },
        JsonKind::Array(parts) => {
            let Some((JsonKind::String(kind), rest)) =
                parts.split_first().map(|(first, rest)| (&first.kind, rest))
            else {
                return json.error("a type is a name, or an array that starts with one");
            };
            match (&**kind, rest) {
                ("list", [elem]) => Ok(Type::list(type_of(elem)?)),
                ("set", [elem]) => Ok(Type::set(type_of(elem)?)),
                ("map", [elem]) => Ok(Type::map(type_of(elem)?)),
                ("tuple", [Json { kind: JsonKind::Array(elems), .. }]) => {
                    let elems: Result<Vec<Type>, _> = elems.iter().map(type_of).collect();
                    Ok(Type::tuple(elems?))
                }
                ("object", [Json { kind: JsonKind::Object(attrs), .. }, optional @ ..])
                    if optional.len() <= 1 =>
                {
                    let attrs: Result<Vec<(Arc<str>, Type)>, _> =
                        attrs.iter().map(|(name, ty)| Ok((key(name), type_of(ty)?))).collect();
                    let mut names = Vec::new();
                    if let Some(optional) = optional.first() {
                        let JsonKind::Array(items) = &optional.kind else {
                            return optional.error("names of optional attributes are an array");
                        };
                        for item in items {
                            match &item.kind {
                                JsonKind::String(name) => names.push(key(name)),
                                _ => return item.error("the name of an attribute is a string"),
                            }
                        }
                    }
                    Ok(Type::object_with_optional(attrs?, names))
                }
                _ => json.error(format!("not a type: {kind:?}")),
            }
        }
        _ => json.error("a type is a name, or an array that starts with one"),
    }
}

/// Parses one JSON document.
pub(crate) fn parse(text: &str) -> Result<Json, JsonError> {
    parse_within(text, DEPTH_MAX)
}

fn parse_within(text: &str, depth_max: usize) -> Result<Json, JsonError> {
    let mut parser = Parser { text, bytes: text.as_bytes(), at: 0, depth_max };
    let json = parser.value(0)?;
    parser.space();
    match parser.peek() {
        None => Ok(json),
        Some(_) => parser.error("extraneous data after JSON object"),
    }
}

struct Parser<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    depth_max: usize,
}

impl Parser<'_> {
    fn error<T>(&self, message: impl Into<String>) -> Result<T, JsonError> {
        Err(JsonError { offset: self.at, message: message.into() })
    }

    fn unexpected<T>(&self, context: &str) -> Result<T, JsonError> {
        match self.text.get(self.at..).and_then(|rest| rest.chars().next()) {
            Some(c) => {
                let c = if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
                let c = if c == "'" { "\\'" } else { &c };
                self.error(format!("invalid character '{c}'{context}"))
            }
            None if context.starts_with(" in ") => self.error("unexpected EOF"),
            None => self.error("EOF"),
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn value(&mut self, depth: usize) -> Result<Json, JsonError> {
        self.space();
        let offset = self.at;
        if depth > self.depth_max {
            return self.error(format!("nested more than {} levels deep", self.depth_max));
        }
        let kind = match self.peek() {
            Some(b'{') => self.object(depth)?,
            Some(b'[') => self.array(depth)?,
            Some(b'"') => JsonKind::String(self.string()?),
            Some(b't') => self.word("true", JsonKind::Bool(true))?,
            Some(b'f') => self.word("false", JsonKind::Bool(false))?,
            Some(b'n') => self.word("null", JsonKind::Null)?,
            Some(b'-' | b'0'..=b'9') => JsonKind::Number(self.number()?),
            _ => return self.unexpected(" looking for beginning of value"),
        };
        Ok(Json { offset, kind })
    }

    fn word(&mut self, word: &str, kind: JsonKind) -> Result<JsonKind, JsonError> {
        for byte in word.bytes() {
            if self.peek() != Some(byte) {
                return self.unexpected(&format!(" in literal {word}"));
            }
            self.at += 1;
        }
        Ok(kind)
    }

    fn array(&mut self, depth: usize) -> Result<JsonKind, JsonError> {
        self.at += 1;
        let mut items = Vec::new();
        self.space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(JsonKind::Array(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => break self.at += 1,
                _ => return self.unexpected(" after array element"),
            }
        }
        Ok(JsonKind::Array(items))
    }

    fn object(&mut self, depth: usize) -> Result<JsonKind, JsonError> {
        self.at += 1;
        let mut items = Vec::new();
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(JsonKind::Object(items));
        }
        loop {
            self.space();
            if self.peek() != Some(b'"') {
                return self.unexpected("");
            }
            let name = self.string()?;
            self.space();
            if self.peek() != Some(b':') {
                return self.unexpected(" after object key");
            }
            self.at += 1;
            items.push((name, self.value(depth + 1)?));
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => break self.at += 1,
                _ => return self.unexpected(" after object key:value pair"),
            }
        }
        Ok(JsonKind::Object(items))
    }

    fn number(&mut self) -> Result<Number, JsonError> {
        let start = self.at;
        let digits = |parser: &mut Self| {
            let from = parser.at;
            while matches!(parser.peek(), Some(b'0'..=b'9')) {
                parser.at += 1;
            }
            parser.at > from
        };
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else if !digits(self) {
            return self.unexpected(" in numeric literal");
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            if !digits(self) {
                return self.unexpected(" after decimal point in numeric literal");
            }
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            if !digits(self) {
                return self.unexpected(" in exponent of numeric literal");
            }
        }
        match Number::parse(&self.text[start..self.at]) {
            Some(number) => Ok(number),
            None => self.error("number out of range"),
        }
    }

    fn string(&mut self) -> Result<String, JsonError> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let start = self.at;
            while !matches!(self.peek(), None | Some(b'"' | b'\\' | 0..=0x1f)) {
                self.at += 1;
            }
            out.push_str(&self.text[start..self.at]);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => {
                    self.at += 1;
                    let escape = self.peek();
                    let plain = match escape {
                        Some(c @ (b'"' | b'\\' | b'/')) => char::from(c),
                        Some(b'b') => '\u{8}',
                        Some(b'f') => '\u{c}',
                        Some(b'n') => '\n',
                        Some(b'r') => '\r',
                        Some(b't') => '\t',
                        Some(b'u') => {
                            self.at += 1;
                            out.push(self.unicode()?);
                            continue;
                        }
                        _ => return self.unexpected(" in string escape code"),
                    };
                    self.at += 1;
                    out.push(plain);
                }
                _ => return self.unexpected(" in string literal"),
            }
        }
    }

    /// After `\u`. Halves of surrogate pairs without the other become the replacement character.
    fn unicode(&mut self) -> Result<char, JsonError> {
        let high = self.hex4()?;
        if (0xd800..0xdc00).contains(&high) && self.bytes[self.at..].starts_with(b"\\u") {
            let back = self.at;
            self.at += 2;
            let low = self.hex4()?;
            if (0xdc00..0xe000).contains(&low) {
                let code = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
                return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.at = back;
        }
        Ok(char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn hex4(&mut self) -> Result<u32, JsonError> {
        let mut code = 0;
        for _ in 0..4 {
            match self.peek().map(char::from).and_then(|c| c.to_digit(16)) {
                Some(digit) => code = code * 16 + digit,
                None => return self.unexpected(" in \\u hexadecimal character escape"),
            }
            self.at += 1;
        }
        Ok(code)
    }
}
