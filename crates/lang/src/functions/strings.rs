//! Functions of strings. Length and position count grapheme clusters.

use plumb_model::value::{Type, Value, ValueKind};
use unicode_segmentation::UnicodeSegmentation;

use super::arguments::{int, list_of_strings, number, string, strings, text};
use super::{Function, Kind, Outcome, Param, Returns, blame, fail};

const RESULT: Returns = Returns::Always(Kind::String);
const BOOL: Returns = Returns::Always(Kind::Bool);
const LIST: Returns = Returns::Always(Kind::Strings);

fn ok(text: impl Into<String>) -> Outcome {
    Ok(Value::string(text.into()))
}

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("basename", &[string("path")], None, RESULT, |a| ok(base_name(text(a, 0)))),
    Function::new("dirname", &[string("path")], None, RESULT, |a| ok(dir_name(text(a, 0)))),
    Function::new("chomp", &[string("str")], None, RESULT, |a| {
        ok(text(a, 0).trim_end_matches(['\r', '\n']))
    }),
    Function::new("indent", &[number("spaces"), string("str")], None, RESULT, indent),
    Function::new(
        "join",
        &[string("separator")],
        Some(Param::new("lists", Kind::Strings)),
        RESULT,
        join,
    ),
    Function::new("lower", &[string("str")], None, RESULT, |a| {
        ok(text(a, 0).chars().map(lower).collect::<String>())
    }),
    Function::new("upper", &[string("str")], None, RESULT, |a| {
        ok(text(a, 0).chars().map(upper).collect::<String>())
    }),
    Function::new("title", &[string("str")], None, RESULT, title),
    Function::new("split", &[string("separator"), string("str")], None, LIST, split),
    Function::new(
        "startswith",
        &[string("str").unknown(), string("prefix").unknown()],
        None,
        BOOL,
        |a| Ok(starts_with(&a[0], &a[1])),
    ),
    Function::new("endswith", &[string("str"), string("suffix")], None, BOOL, |a| {
        Ok(Value::bool(text(a, 0).ends_with(text(a, 1))))
    }),
    Function::new("strcontains", &[string("str"), string("substr")], None, BOOL, |a| {
        Ok(Value::bool(text(a, 0).contains(text(a, 1))))
    }),
    Function::new("strrev", &[string("str")], None, RESULT, |a| {
        ok(text(a, 0).graphemes(true).rev().collect::<String>())
    }),
    Function::new(
        "substr",
        &[string("str"), number("offset"), number("length")],
        None,
        RESULT,
        substr,
    ),
    Function::new("trim", &[string("str"), string("cutset")], None, RESULT, |a| {
        ok(text(a, 0).trim_matches(|c| text(a, 1).contains(c)))
    }),
    Function::new("trimprefix", &[string("str"), string("prefix")], None, RESULT, |a| {
        ok(text(a, 0).strip_prefix(text(a, 1)).unwrap_or(text(a, 0)))
    }),
    Function::new("trimsuffix", &[string("str"), string("suffix")], None, RESULT, |a| {
        ok(text(a, 0).strip_suffix(text(a, 1)).unwrap_or(text(a, 0)))
    }),
    Function::new("trimspace", &[string("str")], None, RESULT, |a| ok(text(a, 0).trim())),
    Function::new("sort", &[Param::new("list", Kind::Strings)], None, LIST, sort),
    Function::new("compact", &[Param::new("list", Kind::Strings)], None, LIST, |a| {
        Ok(list_of_strings(strings(&a[0]).flatten().filter(|item| !item.is_empty())))
    }),
];

/// The last element of a slash-separated path.
pub fn base_name(path: &str) -> &str {
    if path.is_empty() {
        return ".";
    }
    let path = path.trim_end_matches('/');
    match path.rsplit_once('/') {
        _ if path.is_empty() => "/",
        Some((_, last)) => last,
        None => path,
    }
}

/// All but the last element of a slash-separated path, cleaned.
pub fn dir_name(path: &str) -> String {
    let dir = path.rfind('/').map_or("", |at| &path[..=at]);
    clean(dir)
}

/// The shortest equal path: no `.`, no `..` that can be resolved, no doubled slashes.
/// How an unknown text begins may be known.
fn starts_with(text: &Value, prefix: &Value) -> Value {
    let unknown = Value::unknown(Type::Bool).refine_not_null();
    let Some(prefix) = prefix.as_str() else { return unknown };
    match text.kind() {
        ValueKind::String(text) => Value::bool(text.starts_with(prefix)),
        _ if prefix.is_empty() => Value::bool(true),
        ValueKind::Unknown(it) => match it.refinements.prefix.as_deref() {
            Some(start) if start.starts_with(prefix) => Value::bool(true),
            Some(start) if !start.is_empty() && start.len() >= prefix.len() => Value::bool(false),
            _ => unknown,
        },
        _ => unknown,
    }
}

fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if rooted => {}
            part => parts.push(part),
        }
    }
    match (rooted, parts.join("/")) {
        (true, joined) => format!("/{joined}"),
        (false, joined) if joined.is_empty() => ".".into(),
        (false, joined) => joined,
    }
}

fn indent(args: &[Value]) -> Outcome {
    let Ok(spaces) = usize::try_from(int(args, 0)?) else {
        return fail("the number of spaces must not be negative");
    };
    if spaces > 100_000 {
        return fail("the number of spaces must not be greater than 100000");
    }
    ok(text(args, 1).replace('\n', &format!("\n{:spaces$}", "")))
}

fn join(args: &[Value]) -> Outcome {
    if args.len() < 2 {
        return fail("at least one list is required");
    }
    let mut items = Vec::new();
    for (i, list) in args.iter().enumerate().skip(1) {
        for (k, item) in strings(list).enumerate() {
            match item {
                Some(item) => items.push(item),
                None => {
                    return blame(
                        i,
                        format!("element {k} is null; cannot concatenate null values"),
                    );
                }
            }
        }
    }
    ok(items.join(text(args, 0)))
}

/// Simple case maps: one character to one character, whatever the full mapping says.
fn upper(c: char) -> char {
    let mut mapped = c.to_uppercase();
    match (mapped.next(), mapped.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

fn lower(c: char) -> char {
    // Every full lower-case mapping begins with the simple one.
    c.to_lowercase().next().unwrap_or(c)
}

fn title_case(c: char) -> char {
    match c {
        'Ǆ' | 'ǅ' | 'ǆ' => 'ǅ',
        'Ǉ' | 'ǈ' | 'ǉ' => 'ǈ',
        'Ǌ' | 'ǋ' | 'ǌ' => 'ǋ',
        'Ǳ' | 'ǲ' | 'ǳ' => 'ǲ',
        'ა'..='ჿ' => c,
        c => upper(c),
    }
}

fn title(args: &[Value]) -> Outcome {
    let mut separated = true;
    ok(text(args, 0)
        .chars()
        .map(|c| {
            let mapped = if separated { title_case(c) } else { c };
            separated = match c {
                '_' => false,
                c if c.is_ascii() => !c.is_ascii_alphanumeric(),
                c if c.is_alphanumeric() => false,
                c => c.is_whitespace(),
            };
            mapped
        })
        .collect::<String>())
}

fn split(args: &[Value]) -> Outcome {
    let (separator, text) = (text(args, 0), text(args, 1));
    if separator.is_empty() {
        return Ok(list_of_strings(text.chars()));
    }
    Ok(list_of_strings(text.split(separator)))
}

fn substr(args: &[Value]) -> Outcome {
    let (offset, length) = (int(args, 1)?, int(args, 2)?);
    let clusters: Vec<&str> = text(args, 0).graphemes(true).collect();
    let count = clusters.len() as i64;
    let start = if offset < 0 { (count + offset.max(-count)).max(0) } else { offset.min(count) };
    let end = if length < 0 { count } else { start.saturating_add(length).min(count) };
    ok(clusters[start as usize..end as usize].concat())
}

fn sort(args: &[Value]) -> Outcome {
    let mut items = Vec::new();
    for (i, item) in strings(&args[0]).enumerate() {
        match item {
            Some(item) => items.push(item),
            None => {
                return fail(format!(
                    "given list element {i} is null; a null string cannot be sorted"
                ));
            }
        }
    }
    items.sort_unstable();
    Ok(list_of_strings(items))
}
