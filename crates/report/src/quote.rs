//! Strings in quotes, and names that may stand without.

use std::fmt::Write;

/// A string in double quotes with escapes, on one line. What cannot be printed is escaped too, so
/// that a terminal never obeys a value.
pub(crate) fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{b}' => out.push_str("\\v"),
            '\u{c}' => out.push_str("\\f"),
            c if is_printable(c) => out.push(c),
            c => {
                let code = u32::from(c);
                let escaped = match code {
                    0..=0x7f => write!(out, "\\x{code:02x}"),
                    0x80..=0xffff => write!(out, "\\u{code:04x}"),
                    _ => write!(out, "\\U{code:08x}"),
                };
                escaped.expect("strings take everything");
            }
        }
    }
    out.push('"');
    out
}

/// A multi-line string for a terminal: line breaks and tabs stay, other controls are escaped, also
/// those that reorder the text around them.
pub(crate) fn printable(text: &str) -> std::borrow::Cow<'_, str> {
    let reorders =
        |c: char| matches!(u32::from(c), 0x200e | 0x200f | 0x202a..=0x202e | 0x2066..=0x2069);
    let bad = |c: char| reorders(c) || c.is_control() && c != '\n' && c != '\t';
    if !text.chars().any(bad) {
        return text.into();
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if bad(c) => out.push_str(quote(c.encode_utf8(&mut [0; 4])).trim_matches('"')),
            c => out.push(c),
        }
    }
    out.into()
}

/// An attribute name as the language would take it: bare where it can be.
pub(crate) fn attribute_name(name: &str) -> String {
    if is_identifier(name) { name.into() } else { quote(name) }
}

/// Whether the language takes `name` as a name.
pub(crate) fn is_identifier(name: &str) -> bool {
    let mut chars = name.chars();
    let starts = chars.next().is_some_and(|c| c.is_alphabetic());
    starts && chars.all(|c| c.is_alphanumeric() || c == '_' || c == '-')
}

pub(crate) fn is_printable(c: char) -> bool {
    let invisible = matches!(u32::from(c),
        0xa0 | 0xad | 0x1680 | 0x2000..=0x200f | 0x2028..=0x202f | 0x205f..=0x206f | 0x3000
        | 0xd800..=0xf8ff | 0xfeff | 0xfff9..=0xfffb | 0xfffe | 0xffff | 0xe0000..=0x10ffff);
    !c.is_control() && !invisible
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoting_escapes_what_a_terminal_would_obey() {
        assert_eq!(
            quote("a\"b\\c\t${x} é \u{7} \u{200b}\u{1b}"),
            r#""a\"b\\c\t${x} é \a \u200b\x1b""#
        );
        assert_eq!(printable("a\n\u{1b}[2J"), "a\n\\x1b[2J");
        assert_eq!(attribute_name("f g"), "\"f g\"");
        assert_eq!(attribute_name("f-g_1"), "f-g_1");
    }
}
