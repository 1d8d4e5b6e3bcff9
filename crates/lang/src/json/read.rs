//! JSON to a tree that knows where everything stands.

use std::sync::Arc;

use plumb_diag::{Diagnostic, Diagnostics, FileId, Span};

use crate::syntax::NESTING_MAX;

/// As Terraform spells it.
const MISSING_COMMA: &str = "Missing attribute seperator comma";

/// A value.
#[derive(Debug)]
pub(super) struct Json {
    pub(super) kind: Kind,
    pub(super) span: Span,
}

/// The forms of a value.
#[derive(Debug)]
pub(super) enum Kind {
    Null,
    Bool(bool),
    /// As written.
    Number(Arc<str>),
    /// With escapes resolved.
    String(String),
    Array(Vec<Json>),
    Object(Vec<Property>),
}

/// `"name": value`
#[derive(Debug)]
pub(super) struct Property {
    pub(super) name: String,
    /// With the quotes.
    pub(super) span: Span,
    pub(super) value: Json,
}

/// The value that fills `text`; null where what is left of it is of no use, see `out`. None: it is
/// not even known what it was to be.
pub(super) fn read(file: FileId, text: &str, out: &mut Diagnostics) -> Option<Json> {
    let mut reader = Reader { file, text, at: 0, depth: 0, lost: true, out };
    let Some(value) = reader.value() else {
        let empty = Json { kind: Kind::Array(Vec::new()), span: reader.since(0) };
        return (!reader.lost).then_some(empty);
    };
    reader.blanks();
    if reader.at < text.len() {
        let span = reader.here();
        let detail = "Extra characters appear after the JSON value.";
        reader.out.push(Diagnostic::error("Extraneous data after value", detail).at(span));
    }
    Some(value)
}

struct Reader<'a> {
    file: FileId,
    text: &'a str,
    at: usize,
    depth: usize,
    /// Whether a mistake leaves nothing to go on with.
    lost: bool,
    out: &'a mut Diagnostics,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn here(&self) -> Span {
        let width = self.text[self.at..].chars().next().map_or(0, char::len_utf8);
        Span::new(self.file, self.at, self.at + width)
    }

    fn since(&self, start: usize) -> Span {
        Span::new(self.file, start, self.at)
    }

    fn fail<T>(&mut self, summary: &str, detail: &str, span: Span) -> Option<T> {
        self.out.push(Diagnostic::error(summary, detail).at(span));
        None
    }

    /// A mistake that hides what comes after it, but not what the file is.
    fn slip<T>(&mut self, summary: &str, detail: &str, span: Span) -> Option<T> {
        self.lost = false;
        self.fail(summary, detail, span)
    }

    fn value(&mut self) -> Option<Json> {
        self.blanks();
        let start = self.at;
        if self.depth == NESTING_MAX {
            let detail = format!("At most {NESTING_MAX} objects and arrays can be in each other.");
            return self.fail("Value too deeply nested", &detail, self.here());
        }
        self.depth += 1;
        let kind = match self.peek() {
            None => {
                let span = self.here();
                return self.fail("Missing value", "The JSON data ends prematurely.", span);
            }
            Some(b'{') => self.object()?,
            Some(b'[') => self.array()?,
            Some(b'"') => Kind::String(self.string()?),
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b'a'..=b'z' | b'A'..=b'Z') => self.keyword(),
            Some(_) => {
                let span = self.here();
                return self.fail("Invalid start of value", "There is no JSON value here.", span);
            }
        };
        self.depth -= 1;
        Some(Json { kind, span: self.since(start) })
    }

    fn keyword(&mut self) -> Kind {
        let start = self.at;
        while matches!(self.peek(), Some(b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_')) {
            self.at += 1;
        }
        match &self.text[start..self.at] {
            "true" => Kind::Bool(true),
            "false" => Kind::Bool(false),
            "null" => Kind::Null,
            other => {
                let detail = format!("{other:?} is not a valid JSON keyword.");
                let span = self.since(start);
                let error = Diagnostic::error("Invalid JSON keyword", detail).at(span);
                let near = crate::suggest::suggest(other, ["true", "false", "null"]);
                let hint = |it: Diagnostic, near: &str| it.hint(format!("Did you mean {near:?}?"));
                self.out.push(match near {
                    Some(near) => hint(error, near),
                    None => error,
                });
                Kind::Null
            }
        }
    }

    fn number(&mut self) -> Option<Kind> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')) {
            self.at += 1;
        }
        let text = &self.text[start..self.at];
        // What JSON calls a number, a library knows better than another list of rules.
        if serde_json::from_str::<&serde_json::value::RawValue>(text).is_err() {
            let span = self.since(start);
            return self.slip("Invalid JSON number", "This is not a JSON number.", span);
        }
        Some(Kind::Number(text.into()))
    }

    fn string(&mut self) -> Option<String> {
        let start = self.at;
        self.at += 1;
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => self.at += 2,
                Some(0..=0x1f) | None => {
                    let span = self.since(start);
                    let detail = "There is a syntax error in the given JSON string.";
                    return self.fail("Invalid JSON string", detail, span);
                }
                Some(_) => self.at += 1,
            }
        }
        self.at += 1;
        let literal = self.text.get(start..self.at).unwrap_or("");
        match serde_json::from_str(literal) {
            Ok(text) => Some(text),
            Err(_) => {
                let span = self.since(start);
                let detail = "There is a syntax error in the given JSON string.";
                self.slip("Invalid JSON string", detail, span)
            }
        }
    }

    fn array(&mut self) -> Option<Kind> {
        let open = self.at;
        self.at += 1;
        let mut items = Vec::new();
        loop {
            self.blanks();
            match self.peek() {
                Some(b']') if items.is_empty() => break,
                None => return self.unclosed(open, "array", "bracket"),
                _ => {}
            }
            items.push(self.value()?);
            self.blanks();
            let span = self.here();
            match self.peek() {
                Some(b']') => break,
                Some(b',') => {
                    self.at += 1;
                    self.blanks();
                    if self.peek() == Some(b']') {
                        let detail = "JSON does not permit a trailing comma after the final value \
                                      in an array.";
                        return self.fail("Trailing comma in array", detail, span);
                    }
                }
                None => return self.unclosed(open, "array", "bracket"),
                Some(_) => {
                    let detail = "A comma must appear between each value in an array.";
                    return self.slip(MISSING_COMMA, detail, span);
                }
            }
        }
        self.at += 1;
        Some(Kind::Array(items))
    }

    fn object(&mut self) -> Option<Kind> {
        let open = self.at;
        self.at += 1;
        let mut properties = Vec::new();
        loop {
            self.blanks();
            let span = self.here();
            match self.peek() {
                Some(b'}') if properties.is_empty() => break,
                Some(b'"') => {}
                None => return self.unclosed(open, "object", "brace"),
                Some(_) => {
                    let detail = "A JSON object must have quoted property names.";
                    return self.fail("Invalid object property name", detail, span);
                }
            }
            let start = self.at;
            let name = self.string()?;
            let span = self.since(start);
            self.blanks();
            if self.peek() != Some(b':') {
                let here = self.here();
                let detail = "A colon must appear between a property name and its value.";
                return self.slip("Missing property value colon", detail, here);
            }
            self.at += 1;
            let value = self.value()?;
            properties.push(Property { name, span, value });
            self.blanks();
            let span = self.here();
            match self.peek() {
                Some(b'}') => break,
                Some(b',') => {
                    self.at += 1;
                    self.blanks();
                    if self.peek() == Some(b'}') {
                        let detail = "JSON does not permit a trailing comma after the final \
                                      property in an object.";
                        return self.fail("Trailing comma in object", detail, span);
                    }
                }
                None => return self.unclosed(open, "object", "brace"),
                Some(_) => {
                    let detail =
                        "A comma must appear between each property definition in an object.";
                    return self.slip(MISSING_COMMA, detail, span);
                }
            }
        }
        self.at += 1;
        Some(Kind::Object(properties))
    }

    fn unclosed<T>(&mut self, open: usize, what: &str, sign: &str) -> Option<T> {
        let detail = format!("No closing {sign} was found for this JSON {what}.");
        let span = Span::new(self.file, open, open + 1);
        self.fail(&format!("Unclosed {what}"), &detail, span)
    }
}
