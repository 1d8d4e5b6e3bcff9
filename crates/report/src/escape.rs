//! Text from elsewhere, made harmless for the format that it goes into.

use std::borrow::Cow;
use std::fmt::Write;

use crate::quote::{is_printable, quote};

/// A name on one line: what cannot be printed, or would reorder what stands around it, is escaped.
pub(crate) fn one_line(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_printable) {
        return text.into();
    }
    let quoted = quote(text);
    let inner = quoted.strip_prefix('"').and_then(|it| it.strip_suffix('"')).unwrap_or(&quoted);
    inner.to_owned().into()
}

/// Several lines of text without anything that a reader would obey: line breaks and tabs stay.
pub(crate) fn lines(text: &str) -> Cow<'_, str> {
    if text.chars().all(|it| is_printable(it) || matches!(it, '\n' | '\t')) {
        return text.into();
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\n' | '\t' => out.push(c),
            c if is_printable(c) => out.push(c),
            c => out.push_str(&one_line(c.encode_utf8(&mut [0; 4]))),
        }
    }
    out.into()
}

/// Character data and attribute values of XML. What XML 1.0 cannot hold at all is escaped as in a
/// string of the language; line breaks are character references, so that attributes keep them.
pub(crate) fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            c if is_printable(c) => out.push(c),
            c => out.push_str(&one_line(c.encode_utf8(&mut [0; 4]))),
        }
    }
    out
}

/// Prose of Markdown, on one line: nothing in it is markup, a link, a mention or HTML.
pub(crate) fn markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in one_line(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            // As references, since a forge looks for mentions and issues before it looks for
            // escapes, and a table for pipes before anything else.
            '@' => out.push_str("&#64;"),
            '#' => out.push_str("&#35;"),
            '|' => out.push_str("&#124;"),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '(' | ')' | '!' | '~' | '$' => {
                out.push('\\');
                out.push(c);
            }
            ':' => out.push_str("&#58;"),
            c => out.push(c),
        }
    }
    // A number, a plus or a minus begins a list at the start of a line only.
    if out.starts_with(['+', '-']) {
        out.insert(0, '\\');
    }
    out
}

/// A name as code inside HTML that Markdown lets through, such as a summary or a table cell.
pub(crate) fn html_code(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    out.push_str("<code>");
    for c in one_line(text).chars() {
        match c {
            c if c.is_ascii_alphanumeric() || matches!(c, ' ' | '.' | '-' | '/' | ',' | '=') => {
                out.push(c);
            }
            c if c.is_ascii() => _ = write!(out, "&#{};", u32::from(c)),
            c => out.push(c),
        }
    }
    out + "</code>"
}

/// A code block whose fence no line inside can close.
pub(crate) fn fenced(language: &str, text: &str) -> String {
    let mut longest = 0;
    let mut run = 0;
    for c in text.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    let fence = "`".repeat(3.max(longest + 1));
    let text = lines(text);
    format!("{fence}{language}\n{}\n{fence}\n", text.trim_end_matches('\n'))
}

/// A path as a relative reference of RFC 3986.
pub(crate) fn uri(path: &str) -> String {
    let mut out = String::with_capacity(path.len() + 8);
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' | b'~' => {
                out.push(byte.into());
            }
            byte => _ = write!(out, "%{byte:02X}"),
        }
    }
    out
}

/// The longest beginning of `text` that has at most `bytes_max` bytes.
pub(crate) fn beginning(text: &str, bytes_max: usize) -> &str {
    let mut end = bytes_max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_gets_out_of_its_place() {
        assert_eq!(one_line("a\n::error::\u{202e}b"), r"a\n::error::\u202eb");
        assert_eq!(
            xml("<a b='\"'>\u{1}\u{fffe}&\n"),
            r"&lt;a b=&apos;&quot;&apos;&gt;\x01\ufffe&amp;&#10;"
        );
        assert_eq!(markdown("|`@a` <b>\n[x](y)"), r"&#124;\`&#64;a\` &lt;b&gt;\\n\[x\]\(y\)");
        assert_eq!(html_code("a[\"`|<\"]"), "<code>a&#91;&#34;&#96;&#124;&#60;&#34;&#93;</code>");
        assert_eq!(fenced("diff", "a\n````\nb"), "`````diff\na\n````\nb\n`````\n");
        assert_eq!(uri("mödule 1/main.tf"), "m%C3%B6dule%201/main.tf");
        assert_eq!(beginning("äb", 1), "");
    }
}
