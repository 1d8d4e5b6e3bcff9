//! `format` and `formatlist`.

use std::fmt::Write;

use plumb_model::value::{Number, Type, Value, ValueKind, convert, json};
use unicode_segmentation::UnicodeSegmentation;

use super::arguments::{any, string, text};
use super::{Function, Kind, Outcome, Returns, blame, fail};

/// Padding beyond this is taken for a mistake.
const WIDTH_MAX: usize = 100_000;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(
        "format",
        &[string("format")],
        Some(any("args").null()),
        Returns::Always(Kind::String),
        |args| match render(text(args, 0), &args[1..]) {
            Ok(text) => Ok(Value::string(text)),
            Err(Problem::Excess(message)) => blame(args.len() - 1, message),
            Err(Problem::Other(message)) => fail(message),
        },
    ),
    Function::new(
        "formatlist",
        &[string("format")],
        Some(any("args").null().partial()),
        Returns::Always(Kind::Strings),
        format_list,
    ),
];

enum Problem {
    /// More arguments than verbs.
    Excess(String),
    Other(String),
}

fn format_list(args: &[Value]) -> Outcome {
    let format = text(args, 0);
    let mut length: Option<(usize, usize)> = None;
    for (i, arg) in args.iter().enumerate().skip(1) {
        let Some(len) = arg.as_slice().map(<[Value]>::len) else { continue };
        match length {
            None => length = Some((i, len)),
            Some((first, want)) if want != len => {
                return blame(
                    i,
                    format!(
                        "argument {i} has length {len}, which is inconsistent with argument \
                         {first} of length {want}"
                    ),
                );
            }
            Some(_) => {}
        }
    }
    let rounds = length.map_or(1, |(_, len)| len);
    let mut items = Vec::with_capacity(rounds);
    for round in 0..rounds {
        let row: Vec<Value> = args[1..]
            .iter()
            .map(|arg| match arg.as_slice() {
                Some(items) => items[round].clone(),
                None => arg.clone(),
            })
            .collect();
        if !row.iter().all(Value::is_wholly_known) {
            items.push(Value::unknown(Type::String).refine_not_null());
            continue;
        }
        match render(format, &row) {
            Ok(text) => items.push(Value::string(text)),
            Err(Problem::Excess(message)) => return blame(args.len() - 1, message),
            Err(Problem::Other(message)) => {
                return fail(format!("error on format iteration {round}: {message}"));
            }
        }
    }
    Ok(Value::list(Type::String, items))
}

/// One verb with everything between it and its `%`.
#[derive(Default)]
struct Spec<'a> {
    raw: &'a str,
    plus: bool,
    minus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    width: usize,
    precision: Option<usize>,
}

fn render(format: &str, args: &[Value]) -> Result<String, Problem> {
    let bytes = format.as_bytes();
    let mut out = String::new();
    let (mut at, mut next, mut used) = (0, 0, 0);
    let other = |message: String| Err(Problem::Other(message));
    while let Some(percent) = format[at..].find('%').map(|i| at + i) {
        out.push_str(&format[at..percent]);
        at = percent + 1;
        if bytes.get(at) == Some(&b'%') {
            out.push('%');
            at += 1;
            continue;
        }
        let mut spec = Spec::default();
        loop {
            match bytes.get(at) {
                Some(b'+') => spec.plus = true,
                Some(b'-') => spec.minus = true,
                Some(b'#') => spec.sharp = true,
                Some(b' ') => spec.space = true,
                Some(b'0') => spec.zero = true,
                _ => break,
            }
            at += 1;
        }
        let digits = |at: &mut usize| {
            let start = *at;
            while matches!(bytes.get(*at), Some(b'0'..=b'9')) {
                *at += 1;
            }
            format[start..*at].parse::<usize>().ok()
        };
        spec.width = digits(&mut at).unwrap_or(0);
        if bytes.get(at) == Some(&b'.') {
            at += 1;
            spec.precision = Some(digits(&mut at).unwrap_or(0));
        }
        if spec.width.max(spec.precision.unwrap_or(0)) > WIDTH_MAX {
            return other(format!("width or precision greater than {WIDTH_MAX}"));
        }
        if bytes.get(at) == Some(&b'[') {
            at += 1;
            let index = digits(&mut at);
            match (index, bytes.get(at)) {
                (Some(index), Some(b']')) if index > 0 => next = index - 1,
                _ => return other(format!("invalid format string starting at offset {at}")),
            }
            at += 1;
        }
        let Some(verb) = format[at..].chars().next() else {
            return other(format!("invalid format string starting at offset {at}"));
        };
        if !verb.is_ascii_alphabetic() {
            return other(format!("unrecognized format character '{verb}' at offset {at}"));
        }
        at += 1;
        spec.raw = &format[percent..at];
        if !"vtbdoxXeEfgGsq".contains(verb) {
            let raw = spec.raw;
            return other(format!(
                "unsupported format verb '{verb}' in {raw:?} at offset {percent}"
            ));
        }
        let Some(arg) = args.get(next) else {
            return other(format!(
                "not enough arguments for {:?} at {percent}: need index {} but have {} total",
                spec.raw,
                next + 1,
                args.len()
            ));
        };
        next += 1;
        used = used.max(next);
        if let Err(why) = one(verb, &spec, arg, &mut out) {
            return other(format!("unsupported value for {:?} at {percent}: {why}", spec.raw));
        }
    }
    out.push_str(&format[at..]);
    if used < args.len() {
        return Err(Problem::Excess(match used {
            0 => "too many arguments; no verbs in format string".into(),
            _ => format!("too many arguments; only {used} used by format string"),
        }));
    }
    Ok(out)
}

fn one(verb: char, spec: &Spec<'_>, arg: &Value, out: &mut String) -> Result<(), String> {
    let converted = |ty: Type| {
        if arg.is_null() {
            return Err("null value cannot be formatted".to_owned());
        }
        convert(arg, &ty).map_err(|error| error.message)
    };
    let as_text =
        || Ok::<_, String>(converted(Type::String)?.as_str().unwrap_or_default().to_owned());
    match verb {
        'v' => {
            let content = match arg.kind() {
                _ if spec.sharp => json::to_json(arg),
                ValueKind::String(text) => text.to_string(),
                ValueKind::Number(number) => {
                    pad_number(general(number, None, 'e'), "", spec, out);
                    return Ok(());
                }
                _ => json::to_json(arg),
            };
            pad(&content, spec, out);
        }
        's' => {
            let text = as_text()?;
            match spec.precision {
                Some(max) => pad(&text.graphemes(true).take(max).collect::<String>(), spec, out),
                None => pad(&text, spec, out),
            }
        }
        'q' => {
            let text = as_text()?;
            let text: String = match spec.precision {
                Some(max) => text.graphemes(true).take(max).collect(),
                None => text,
            };
            let mut quoted = String::new();
            json::write_string(&text, &mut quoted);
            pad(&quoted, spec, out);
        }
        't' => {
            let value = converted(Type::Bool)?.as_bool().unwrap_or_default();
            pad(if value { "true" } else { "false" }, spec, out);
        }
        _ => {
            let value = converted(Type::Number)?;
            let Some(number) = value.as_number() else { return Err("a number is required".into()) };
            let radix = |base: u8| number.to_radix(base).ok_or("an integer is required");
            let (text, prefix) = match verb {
                'd' => (radix(10)?, ""),
                'b' => (radix(2)?, "0b"),
                'o' => (radix(8)?, "0"),
                'x' => (radix(16)?, "0x"),
                'X' => (radix(16)?.to_uppercase(), "0X"),
                _ if number.is_infinite() => (number.to_string(), ""),
                'f' => (number.to_fixed(spec.precision.unwrap_or(6)), ""),
                'e' | 'E' => (scientific(number, spec.precision.unwrap_or(6) + 1, verb), ""),
                'g' => (general(number, spec.precision, 'e'), ""),
                _ => (general(number, spec.precision, 'E'), ""),
            };
            pad_number(text, if spec.sharp { prefix } else { "" }, spec, out);
        }
    }
    Ok(())
}

/// Pads text to the width, counted in what people see as characters.
fn pad(text: &str, spec: &Spec<'_>, out: &mut String) {
    let fill = spec.width.saturating_sub(text.graphemes(true).count());
    let (before, after) = if spec.minus { (0, fill) } else { (fill, 0) };
    let with = if spec.zero { '0' } else { ' ' };
    out.extend(std::iter::repeat_n(with, before));
    out.push_str(text);
    out.extend(std::iter::repeat_n(' ', after));
}

/// Pads a number; zeros go between the sign and the digits.
fn pad_number(text: String, prefix: &str, spec: &Spec<'_>, out: &mut String) {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None if spec.plus => ("+", &*text),
        None if spec.space => (" ", &*text),
        None => ("", &*text),
    };
    let fill = spec.width.saturating_sub(sign.len() + prefix.len() + digits.len());
    let (spaces, zeros, after) = match (spec.minus, spec.zero) {
        (true, _) => (0, 0, fill),
        (false, true) => (0, fill, 0),
        (false, false) => (fill, 0, 0),
    };
    let zeros = "0".repeat(zeros);
    let _ = write!(out, "{:spaces$}{sign}{prefix}{zeros}{digits}{:after$}", "", "");
}

/// The digits rounded to a count (half to even) and the place of the point: `0.digits * 10^point`.
fn significant(number: &Number, count: usize) -> (bool, String, i64) {
    let (neg, digits, point) = number.exact_digits();
    if digits.len() <= count {
        return (neg, digits, point);
    }
    let bytes = digits.as_bytes();
    let rest = &bytes[count..];
    let tie = rest[0] == b'5' && rest[1..].iter().all(|d| *d == b'0');
    let odd = count > 0 && (bytes[count - 1] - b'0') % 2 == 1;
    let up = if tie { odd } else { rest[0] >= b'5' };
    let mut kept = bytes[..count].to_vec();
    let mut point = point;
    if up {
        match kept.iter().rposition(|d| *d != b'9') {
            Some(i) => {
                kept[i] += 1;
                kept.truncate(i + 1);
            }
            None => {
                kept = vec![b'1'];
                point += 1;
            }
        }
    }
    (neg, String::from_utf8_lossy(&kept).into_owned(), point)
}

/// `d.ddde±dd` with `count` digits.
fn scientific(number: &Number, count: usize, e: char) -> String {
    let (neg, digits, point) = significant(number, count);
    let digits = format!("{digits:0<count$}");
    exponent_form(neg, &digits, if number.is_zero() { 1 } else { point }, e)
}

fn exponent_form(neg: bool, digits: &str, point: i64, e: char) -> String {
    let sign = if neg { "-" } else { "" };
    let (first, rest) = digits.split_at(1);
    let dot = if rest.is_empty() { "" } else { "." };
    let exp = point - 1;
    let exp_sign = if exp < 0 { '-' } else { '+' };
    format!("{sign}{first}{dot}{rest}{e}{exp_sign}{:02}", exp.abs())
}

/// Plain where that is short, scientific elsewhere.
fn general(number: &Number, precision: Option<usize>, e: char) -> String {
    if number.is_infinite() {
        return number.to_string();
    }
    let (neg, digits, point, limit) = match precision {
        None => {
            let (neg, digits, point) = number.shortest_digits();
            (neg, digits, point, 6)
        }
        Some(precision) => {
            let precision = precision.max(1);
            let (neg, digits, point) = significant(number, precision);
            let len = digits.len() as i64;
            let limit = precision as i64;
            (neg, digits, point, if limit > len && len >= point { len } else { limit })
        }
    };
    let digits = digits.trim_end_matches('0');
    if number.is_zero() {
        return if neg { "-0".into() } else { "0".into() };
    }
    let exp = point - 1;
    if exp < -4 || exp >= limit {
        return exponent_form(neg, digits, point, e);
    }
    let sign = if neg { "-" } else { "" };
    if point <= 0 {
        return format!("{sign}0.{}{digits}", "0".repeat((-point) as usize));
    }
    let point = point as usize;
    if digits.len() <= point {
        return format!("{sign}{digits:0<point$}");
    }
    format!("{sign}{}.{}", &digits[..point], &digits[point..])
}
