//! Literal text to the value it stands for.

use std::borrow::Cow;

/// What is wrong with an escape: bytes of the text, and what to say.
pub(super) type EscapeError = (std::ops::Range<usize>, String);

/// Resolves the escapes of text in quotes.
pub(super) fn unescape_quoted(text: &str, errors: &mut Vec<EscapeError>) -> Option<String> {
    if !text.bytes().any(|it| matches!(it, b'\\' | b'$' | b'%')) {
        return None;
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['\\', '$', '%']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let start = text.len() - rest.len();
        if let Some(after) = sequence_escape(rest, &mut out) {
            rest = after;
            continue;
        }
        let mut chars = rest.chars();
        let sign = chars.next().unwrap_or_default();
        if sign != '\\' {
            out.push(sign);
            rest = chars.as_str();
            continue;
        }
        let selector = chars.next();
        rest = chars.as_str();
        match selector {
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('t') => out.push('\t'),
            Some('"') => out.push('"'),
            Some('\\') => out.push('\\'),
            Some(selector @ ('u' | 'U')) => {
                let (wanted, word) = if selector == 'u' { (4, "four") } else { (8, "eight") };
                let digits = rest.bytes().take(wanted).take_while(u8::is_ascii_hexdigit).count();
                let (number, after) = rest.split_at(digits);
                rest = after;
                let range = start..start + 2 + digits;
                if digits < wanted {
                    errors.push((
                        range,
                        format!(
                            "The \\{selector} escape sequence must be followed by {word} \
                             hexadecimal digits."
                        ),
                    ));
                    continue;
                }
                match u32::from_str_radix(number, 16).ok().and_then(char::from_u32) {
                    Some(c) => out.push(c),
                    None => {
                        let number = number.to_lowercase();
                        let number = number.trim_start_matches('0');
                        errors
                            .push((range, format!("Cannot encode character U+{number} in UTF-8.")));
                    }
                }
            }
            Some(other) => errors.push((
                start..start + 1 + other.len_utf8(),
                format!("The symbol {other:?} is not a valid escape sequence selector."),
            )),
            None => errors.push((
                start..start + 1,
                "A backslash must be followed by an escape sequence selector.".to_owned(),
            )),
        }
    }
    out.push_str(rest);
    Some(out)
}

/// Resolves the escapes of text in heredocs and bare templates: only those of sequences.
pub(super) fn unescape_template(text: &str) -> Cow<'_, str> {
    if !text.contains("${") && !text.contains("%{") {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['$', '%']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(after) = sequence_escape(rest, &mut out) {
            rest = after;
        } else {
            out.push_str(&rest[..1]);
            rest = &rest[1..];
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// `$${` and `%%{` stand for `${` and `%{`.
fn sequence_escape<'a>(rest: &'a str, out: &mut String) -> Option<&'a str> {
    let after = rest.strip_prefix("$${").or_else(|| rest.strip_prefix("%%{"))?;
    out.push_str(&rest[1..3]);
    Some(after)
}

/// Whether `text`, made of digits, dots and exponents, is a number.
pub(super) fn is_number(text: &str) -> bool {
    if text.bytes().all(|it| it.is_ascii_digit()) {
        return true;
    }
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let exponent_ok = exponent.is_none_or(|it| {
        let digits = it.strip_prefix(['+', '-']).unwrap_or(it);
        !digits.is_empty() && digits.bytes().all(|it| it.is_ascii_digit())
    });
    mantissa.bytes().filter(|it| *it == b'.').count() <= 1 && exponent_ok
}
