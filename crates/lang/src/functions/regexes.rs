//! Regular expressions in RE2's syntax, which is translated to that of the `regex` crate.

use std::cell::RefCell;
use std::collections::BTreeMap;

use plumb_model::value::{Type, Value};
use regex::{Captures, Regex};
use regex_syntax::ast;

use super::arguments::{string, text};
use super::{Function, Kind, Outcome, Returns, blame, fail};

const PARAMS: &[super::Param] = &[string("pattern"), string("string")];

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("regex", PARAMS, None, Returns::Present(|a| result_type(&a[0])), |a| {
        let (regex, shape) = match compiled(a) {
            Ok(found) => found,
            Err(message) => return blame(0, message),
        };
        match regex.captures(text(a, 1)) {
            Some(captures) => Ok(shape.value(&captures)),
            None => fail("pattern did not match any part of the given string"),
        }
    }),
    Function::new(
        "regexall",
        PARAMS,
        None,
        Returns::Present(|a| Type::list(result_type(&a[0]))),
        |a| {
            let (regex, shape) = match compiled(a) {
                Ok(found) => found,
                Err(message) => return blame(0, message),
            };
            let found = regex.captures_iter(text(a, 1)).map(|c| shape.value(&c)).collect();
            Ok(Value::list(shape.ty(), found))
        },
    ),
    Function::new(
        "replace",
        &[string("str"), string("substr"), string("replace")],
        None,
        Returns::Always(Kind::String),
        replace,
    ),
];

fn replace(args: &[Value]) -> Outcome {
    let (subject, search, with) = (text(args, 0), text(args, 1), text(args, 2));
    let pattern = search.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'));
    let replaced = match pattern {
        Some(pattern) => match compile(pattern) {
            Ok(regex) => regex.replace_all(subject, with).into_owned(),
            Err(message) => return fail(format!("error parsing regexp: {message}")),
        },
        None => subject.replace(search, with),
    };
    Ok(Value::string(replaced))
}

/// What a match becomes.
enum Shape {
    Whole,
    Unnamed(usize),
    Named(Vec<String>),
}

impl Shape {
    fn of(regex: &Regex) -> Result<Shape, String> {
        let names: Vec<Option<&str>> = regex.capture_names().skip(1).collect();
        let named: Vec<String> = names.iter().flatten().map(|name| (*name).to_owned()).collect();
        match (names.len(), named.len()) {
            (0, _) => Ok(Shape::Whole),
            (all, 0) => Ok(Shape::Unnamed(all)),
            (all, some) if all == some => Ok(Shape::Named(named)),
            _ => {
                Err("invalid regexp pattern: cannot mix both named and unnamed capture groups"
                    .into())
            }
        }
    }

    fn ty(&self) -> Type {
        match self {
            Shape::Whole => Type::String,
            Shape::Unnamed(count) => Type::tuple(vec![Type::String; *count]),
            Shape::Named(names) => {
                Type::object(names.iter().map(|name| (name.as_str(), Type::String)))
            }
        }
    }

    fn value(&self, captures: &Captures<'_>) -> Value {
        let group = |found: Option<regex::Match<'_>>| match found {
            Some(found) => Value::string(found.as_str()),
            None => Value::null(Type::String),
        };
        match self {
            Shape::Whole => group(captures.get(0)),
            Shape::Unnamed(count) => {
                Value::tuple((1..=*count).map(|i| group(captures.get(i))).collect())
            }
            Shape::Named(names) => {
                Value::object(names.iter().map(|name| (name.as_str(), group(captures.name(name)))))
            }
        }
    }
}

fn result_type(pattern: &Value) -> Type {
    let shape = pattern.as_str().and_then(|pattern| compile(pattern).ok());
    shape.and_then(|regex| Shape::of(&regex).ok()).map_or(Type::Dynamic, |shape| shape.ty())
}

fn compiled(args: &[Value]) -> Result<(Regex, Shape), String> {
    let regex =
        compile(text(args, 0)).map_err(|message| format!("invalid regexp pattern: {message}"))?;
    let shape = Shape::of(&regex)?;
    Ok((regex, shape))
}

/// Compiles, remembering: one pattern is typically used for every instance of something.
fn compile(pattern: &str) -> Result<Regex, String> {
    const REMEMBERED_MAX: usize = 200;
    thread_local! {
        static COMPILED: RefCell<BTreeMap<String, Regex>> = const { RefCell::new(BTreeMap::new()) };
    }
    COMPILED.with_borrow_mut(|known| {
        if let Some(regex) = known.get(pattern) {
            return Ok(regex.clone());
        }
        let translated = translate(pattern)?;
        if let Err(error) = ast::parse::Parser::new().parse(&translated) {
            return Err(explain(&error, pattern));
        }
        let regex = Regex::new(&translated).map_err(|error| {
            let text = error.to_string();
            text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
        })?;
        if known.len() >= REMEMBERED_MAX {
            known.clear();
        }
        known.insert(pattern.to_owned(), regex.clone());
        Ok(regex)
    })
}

fn explain(error: &ast::Error, pattern: &str) -> String {
    use ast::ErrorKind::*;
    let span = &error.pattern()[error.span().start.offset..error.span().end.offset];
    match error.kind() {
        GroupUnclosed => format!("missing closing ) in {pattern}"),
        GroupUnopened => format!("unexpected ) in {pattern}"),
        ClassUnclosed => {
            format!("missing closing ] in {}", &error.pattern()[error.span().start.offset..])
        }
        ClassRangeInvalid => format!("invalid character class range in {span}"),
        RepetitionMissing => {
            let operator = error.pattern()[error.span().start.offset..].chars().next();
            format!(
                "missing argument to repetition operator in {}",
                operator.map(String::from).unwrap_or_default()
            )
        }
        UnsupportedLookAround | FlagUnrecognized | GroupNameInvalid | FlagUnexpectedEof => {
            format!("invalid or unsupported Perl syntax in {span}")
        }
        GroupNameDuplicate { .. } => format!("duplicate capture group name in {span}"),
        RepetitionCountInvalid => format!("invalid repeat count in {span}"),
        kind => format!("{kind} in {span}"),
    }
}

/// Rewrites what RE2 reads otherwise: Perl classes and `\b` are ASCII, `[`, `&&`, `~~`, `--` mean
/// themselves in a class, `{` that is no repeat means itself, `\Q…\E` quotes.
fn translate(pattern: &str) -> Result<String, String> {
    let chars: Vec<char> = pattern.chars().collect();
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut at = 0;
    // In a class: whether the next character is the first one.
    let mut class: Option<bool> = None;
    while let Some(&c) = chars.get(at) {
        let next = chars.get(at + 1).copied();
        let first = class.is_some_and(|first| first);
        if class.is_some() {
            class = Some(false);
        }
        match c {
            '\\' => {
                let Some(escaped) = next else {
                    return Err("trailing backslash at end of expression".into());
                };
                at += 2;
                let class_of = |set: &str| match (class.is_some(), escaped.is_uppercase()) {
                    (true, false) => set.to_owned(),
                    (_, true) => format!("[^{set}]"),
                    (false, false) => format!("[{set}]"),
                };
                match escaped {
                    'd' | 'D' => out.push_str(&class_of("0-9")),
                    'w' | 'W' => out.push_str(&class_of("0-9A-Za-z_")),
                    's' | 'S' => out.push_str(&class_of("\\t\\n\\f\\r ")),
                    'b' | 'B' if class.is_none() => {
                        out.push_str("(?-u:\\");
                        out.push(escaped);
                        out.push(')');
                    }
                    'Q' => {
                        let rest: String = chars[at..].iter().collect();
                        let quoted = rest.split("\\E").next().unwrap_or_default();
                        out.push_str(&regex_syntax::escape(quoted));
                        at += quoted.chars().count();
                        if rest.len() > quoted.len() {
                            at += 2;
                        }
                    }
                    'A' | 'z' if class.is_none() => out.extend(['\\', escaped]),
                    'p' | 'P' | 'x' if chars.get(at) == Some(&'{') => {
                        // A name or a code in braces, which are no repeat.
                        let len = chars[at..].iter().position(|c| *c == '}');
                        let Some(len) = len.map(|it| it + 1) else {
                            return Err(format!("invalid escape sequence in \\{escaped}"));
                        };
                        out.extend(['\\', escaped]);
                        out.extend(&chars[at..at + len]);
                        at += len;
                    }
                    'p' | 'P' | 'x' | 'a' | 'f' | 'n' | 'r' | 't' | 'v' => {
                        out.extend(['\\', escaped]);
                    }
                    'C' => out.push_str("(?s:.)"),
                    '0'..='7'
                        if escaped == '0'
                            || chars.get(at).is_some_and(|c| ('0'..='7').contains(c)) =>
                    {
                        let mut code = escaped as u32 - '0' as u32;
                        for _ in 0..2 {
                            match chars.get(at).and_then(|c| c.to_digit(8)) {
                                Some(digit) => code = code * 8 + digit,
                                None => break,
                            }
                            at += 1;
                        }
                        out.push_str(&format!("\\x{{{code:x}}}"));
                    }
                    c if c.is_ascii_punctuation() => {
                        out.push_str(&format!("\\x{{{:x}}}", c as u32));
                    }
                    c => return Err(format!("invalid escape sequence in \\{c}")),
                }
                continue;
            }
            '[' if class.is_none() => {
                class = Some(true);
                out.push('[');
                if next == Some('^') {
                    out.push('^');
                    at += 1;
                }
            }
            '[' if next == Some(':') => {
                let name: String = chars[at..].iter().take_while(|c| **c != ']').collect();
                at += name.chars().count();
                out.push_str(&name);
                out.push(']');
            }
            ']' if class.is_some() && !first => {
                class = None;
                out.push(']');
            }
            '[' | ']' | '&' | '~' if class.is_some() => out.extend(['\\', c]),
            '-' if class.is_some() && next == Some('-') => out.push_str("\\-"),
            '{' if class.is_none() => {
                let inside: String = chars[at + 1..].iter().take_while(|c| **c != '}').collect();
                let closed = chars.get(at + 1 + inside.chars().count()) == Some(&'}');
                let (min, max) = inside.split_once(',').unwrap_or((&inside, ""));
                let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
                if closed && !min.is_empty() && digits(min) && digits(max) {
                    let parse = |text: &str, or| {
                        if text.is_empty() { or } else { text.parse::<u32>().unwrap_or(u32::MAX) }
                    };
                    let min = parse(min, 0);
                    if min.max(parse(max, min)) > 1000 || parse(max, min) < min {
                        return Err(format!("invalid repeat count in {{{inside}}}"));
                    }
                    out.push('{');
                } else {
                    out.push_str("\\{");
                }
            }
            '(' if class.is_none() && next == Some('?') => {
                let rest: String = chars[at..].iter().take(4).collect();
                for look in ["(?=", "(?!", "(?<=", "(?<!", "(?>"] {
                    if rest.starts_with(look) {
                        return Err(format!("invalid or unsupported Perl syntax in {look}"));
                    }
                }
                out.push('(');
            }
            c => out.push(c),
        }
        at += 1;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_re2_says() {
        for (pattern, subject, want) in [
            ("\\w+", "é_a b", Some("_a")),
            ("[[a]", "[", Some("[")),
            ("[a&&b]", "&", Some("&")),
            ("\\Qa.b\\E", "a.b", Some("a.b")),
            ("\\Qa.b", "a.b", Some("a.b")),
            ("\\<", "a<b", Some("<")),
            ("a{,5}", "a{,5}", Some("a{,5}")),
            ("a{x}", "a{x}", Some("a{x}")),
            ("a{2}", "aaa", Some("aa")),
            ("[^\\w]", "é a", Some("é")),
            ("[[:alpha:]]+", "1ab", Some("ab")),
            ("[]a]+", "]a", Some("]a")),
            ("\\pL+", "1é", Some("é")),
            ("\\p{Greek}+", "abcδεζ", Some("δεζ")),
            ("[^\\P{Lu}]\\x{3b4}", "aΔδ", Some("Δδ")),
            ("[a-c--x]+", "-x", Some("-x")),
            ("\\x41\\101\\07", "AA\u{7}", Some("AA\u{7}")),
            ("\\bé", "é", None),
            ("(?i)ſ", "s", Some("s")),
        ] {
            let regex = compile(pattern).unwrap_or_else(|e| panic!("{pattern}: {e}"));
            assert_eq!(regex.find(subject).map(|m| m.as_str()), want, "{pattern}");
        }
        for (pattern, want) in [
            ("(", "missing closing ) in ("),
            ("a)", "unexpected ) in a)"),
            ("(?=a)", "invalid or unsupported Perl syntax in (?="),
            ("\\1", "invalid escape sequence in \\1"),
            ("a{1001}", "invalid repeat count in {1001}"),
            ("*", "missing argument to repetition operator in *"),
            ("[a", "missing closing ] in [a"),
            ("a\\", "trailing backslash at end of expression"),
        ] {
            assert_eq!(compile(pattern).err().as_deref(), Some(want), "{pattern}");
        }
    }
}
