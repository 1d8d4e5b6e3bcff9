//! Functions of timestamps in RFC 3339. None of them knows what time it is.

use plumb_model::value::Value;

use super::arguments::{string, text};
use super::{Function, Kind, Returns, blame, fail};

const RESULT: Returns = Returns::Always(Kind::String);

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("timeadd", &[string("timestamp"), string("duration")], None, RESULT, |a| {
        let moment = match Moment::parse(text(a, 0)) {
            Ok(moment) => moment,
            Err(message) => return fail(message),
        };
        match duration(text(a, 1)) {
            Ok(nanos) => match moment.plus(nanos) {
                Some(moment) => Ok(Value::string(moment.rfc3339())),
                None => fail("the resulting year is not between 0 and 9999"),
            },
            Err(message) => fail(message),
        }
    }),
    Function::new(
        "timecmp",
        &[string("timestamp_a"), string("timestamp_b")],
        None,
        Returns::Always(Kind::Number),
        |a| {
            let mut nanos = [0, 0];
            for (i, nanos) in nanos.iter_mut().enumerate() {
                match Moment::parse(text(a, i)) {
                    Ok(moment) => *nanos = moment.nanos,
                    Err(message) => return blame(i, message),
                }
            }
            Ok(Value::number(nanos[0].cmp(&nanos[1]) as i8))
        },
    ),
    Function::new("formatdate", &[string("format"), string("time")], None, RESULT, |a| {
        let moment = match Moment::parse(text(a, 1)) {
            Ok(moment) => moment,
            Err(message) => return blame(1, message),
        };
        match format(text(a, 0), &moment) {
            Ok(text) => Ok(Value::string(text)),
            Err(message) => blame(0, message),
        }
    }),
];

const SECOND: i128 = 1_000_000_000;
const DAY_S: i64 = 86_400;

/// A point in time, and the offset it is written with.
struct Moment {
    /// Since 1970, in UTC.
    nanos: i128,
    offset_s: i64,
}

/// What the clock on the wall shows.
struct Wall {
    year: i64,
    month: usize,
    day: i64,
    /// From Sunday.
    weekday: usize,
    hour: i64,
    minute: i64,
    second: i64,
}

impl Moment {
    fn parse(text: &str) -> Result<Moment, String> {
        parse(text).map_err(|why| format!("not a valid RFC3339 timestamp: {why}"))
    }

    fn plus(&self, nanos: i128) -> Option<Moment> {
        let moment = Moment { nanos: self.nanos.checked_add(nanos)?, offset_s: self.offset_s };
        let year = moment.nanos.div_euclid(SECOND * i128::from(DAY_S) * 365);
        ((-2000..9000).contains(&year) && (0..=9999).contains(&moment.wall().year))
            .then_some(moment)
    }

    fn wall(&self) -> Wall {
        let seconds = self.nanos.div_euclid(SECOND) as i64 + self.offset_s;
        let (days, second) = (seconds.div_euclid(DAY_S), seconds.rem_euclid(DAY_S));
        let (year, month, day) = civil(days);
        Wall {
            year,
            month,
            day,
            weekday: (days + 4).rem_euclid(7) as usize,
            hour: second / 3600,
            minute: second / 60 % 60,
            second: second % 60,
        }
    }

    fn offset(&self, colon: bool) -> String {
        let minutes = self.offset_s / 60;
        let sign = if minutes < 0 { '-' } else { '+' };
        let (h, m) = (minutes.abs() / 60, minutes.abs() % 60);
        format!("{sign}{h:02}{}{m:02}", if colon { ":" } else { "" })
    }

    fn rfc3339(&self) -> String {
        let w = self.wall();
        let offset = if self.offset_s == 0 { "Z".into() } else { self.offset(true) };
        format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{offset}",
            w.year, w.month, w.day, w.hour, w.minute, w.second
        )
    }
}

/// A timestamp as `yamldecode` and `timeadd` write it, if the text is one.
pub(super) fn normalized(text: &str) -> Option<String> {
    Moment::parse(text).ok().map(|moment| moment.rfc3339())
}

/// Days since 1970 as year, month, day.
fn civil(days: i64) -> (i64, usize, i64) {
    let z = days + 719_468;
    let (era, doe) = (z.div_euclid(146_097), z.rem_euclid(146_097));
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + i64::from(month <= 2), month as usize, doy - (153 * mp + 2) / 5 + 1)
}

fn days(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let (era, yoe) = (y.div_euclid(400), y.rem_euclid(400));
    let doy = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    era * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719_468
}

/// How many days a month of the Gregorian calendar has.
pub(crate) fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn parse(text: &str) -> Result<Moment, String> {
    let mut rest = text;
    let cannot = |rest: &str, what: &str| match rest {
        "" => format!("end of string before {what}"),
        rest => format!("cannot use {rest:?} as {what}"),
    };
    fn digits(text: &str, count: usize) -> Option<i64> {
        let digits = text.get(..count)?;
        digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
    }
    let mut field = |count: usize, what: &str, before: &str, max: i64| -> Result<i64, String> {
        if !before.is_empty() {
            rest = rest.strip_prefix(before).ok_or_else(|| match (before, rest) {
                ("T", _) => "missing required time introducer 'T'".to_owned(),
                (_, "") => format!("end of string where {before:?} is expected"),
                _ => format!("found {rest:?} where {before:?} is expected"),
            })?;
        }
        let value = digits(rest, count).ok_or_else(|| cannot(rest, what))?;
        let after = &rest[count..];
        if value > max {
            return Err(cannot(after, what));
        }
        rest = after;
        Ok(value)
    };
    let year = field(4, "year", "", 9999)?;
    let month = field(2, "month", "-", 12)?;
    let day = field(2, "day of month", "-", 99)?;
    let hour = field(2, "hour", "T", 23)?;
    let minute = field(2, "minute", ":", 59)?;
    let second = field(2, "second", ":", 59)?;
    if month == 0 {
        return Err("month out of range".into());
    }
    let mut fraction: i128 = 0;
    if let Some(after) = rest.strip_prefix('.') {
        let digits = after.bytes().take_while(u8::is_ascii_digit).count();
        if digits > 0 {
            let kept: String = format!("{:0<9}", &after[..digits]).chars().take(9).collect();
            fraction = kept.parse().unwrap_or(0);
            rest = &after[digits..];
        }
    }
    let offset_s = match rest.strip_prefix('Z') {
        Some("") => 0,
        Some(extra) => return Err(format!("cannot use {extra:?} as timestamp segment")),
        None => {
            let sign = match rest.bytes().next() {
                Some(b'+') => 1,
                Some(b'-') => -1,
                _ => return Err(cannot(rest, "UTC offset")),
            };
            let (h, m) = (digits(&rest[1..], 2), rest.get(4..).and_then(|m| digits(m, 2)));
            match (h, m, rest.get(3..4)) {
                (Some(h), Some(m), Some(":")) if h <= 24 && m < 60 => {
                    if rest.len() > 6 {
                        let extra = &rest[6..];
                        return Err(format!("cannot use {extra:?} as timestamp segment"));
                    }
                    sign * (h * 3600 + m * 60)
                }
                (Some(_), Some(_), Some(":")) => return Err(cannot("", "UTC offset")),
                _ => return Err(cannot(rest, "UTC offset")),
            }
        }
    };
    if day == 0 || day > days_in(year, month) {
        return Err("day out of range".into());
    }
    let seconds = days(year, month, day) * DAY_S + hour * 3600 + minute * 60 + second - offset_s;
    Ok(Moment { nanos: i128::from(seconds) * SECOND + fraction, offset_s })
}

/// Nanoseconds of `1h30m`, `-1.5s`, and the like.
fn duration(text: &str) -> Result<i128, String> {
    let invalid = || format!("time: invalid duration {text:?}");
    let (sign, mut rest) = match text.as_bytes().first() {
        Some(b'-') => (-1, &text[1..]),
        Some(b'+') => (1, &text[1..]),
        _ => (1, text),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        let whole_len = digits(rest);
        let whole = &rest[..whole_len];
        rest = &rest[whole_len..];
        let mut fraction = "";
        if let Some(after) = rest.strip_prefix('.') {
            let len = digits(after);
            fraction = &after[..len];
            rest = &after[len..];
        }
        if whole.len() + fraction.len() == 0 || whole.len() > 18 || fraction.len() > 18 {
            return Err(invalid());
        }
        let unit_len = rest.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(rest.len());
        let unit = &rest[..unit_len];
        rest = &rest[unit_len..];
        let nanos: i128 = match unit {
            "" => return Err(format!("time: missing unit in duration {text:?}")),
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => SECOND,
            "m" => 60 * SECOND,
            "h" => 3600 * SECOND,
            unit => return Err(format!("time: unknown unit {unit:?} in duration {text:?}")),
        };
        let number = |digits: &str| digits.parse::<i128>().unwrap_or(0);
        total += number(whole) * nanos;
        total += number(fraction) * nanos / 10i128.pow(fraction.len() as u32);
    }
    if total > i128::from(i64::MAX) {
        return Err(invalid());
    }
    Ok(sign * total)
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

fn format(format: &str, moment: &Moment) -> Result<String, String> {
    let w = moment.wall();
    let (month, weekday) = (MONTHS[w.month - 1], WEEKDAYS[w.weekday]);
    let hour12 = (w.hour + 11) % 12 + 1;
    let mut out = String::new();
    let mut rest = format;
    while let Some(c) = rest.chars().next() {
        if c == '\'' {
            // Quoted text; a doubled quote inside is one quote.
            let mut chars = rest.char_indices().skip(1).peekable();
            let mut literal = String::new();
            let end = loop {
                match chars.next() {
                    Some((_, '\'')) if chars.next_if(|(_, c)| *c == '\'').is_some() => {
                        literal.push('\'');
                    }
                    Some((at, '\'')) => break at,
                    Some((_, c)) => literal.push(c),
                    None => return Err("unterminated literal '".into()),
                }
            };
            // Nothing in quotes is a quote.
            out.push_str(if end == 1 { "'" } else { &literal });
            rest = &rest[end + 1..];
            continue;
        }
        if !c.is_ascii_alphabetic() {
            out.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        }
        let len = rest.find(|other| other != c).unwrap_or(rest.len());
        let verb = &rest[..len];
        rest = &rest[len..];
        let text = match verb {
            "YY" => format!("{:02}", w.year % 100),
            "YYYY" => format!("{:04}", w.year),
            "M" => w.month.to_string(),
            "MM" => format!("{:02}", w.month),
            "MMM" => month[..3].to_owned(),
            "MMMM" => month.to_owned(),
            "D" => w.day.to_string(),
            "DD" => format!("{:02}", w.day),
            "EEE" => weekday[..3].to_owned(),
            "EEEE" => weekday.to_owned(),
            "h" => w.hour.to_string(),
            "hh" => format!("{:02}", w.hour),
            "H" => hour12.to_string(),
            "HH" => format!("{hour12:02}"),
            "AA" => if w.hour < 12 { "AM" } else { "PM" }.to_owned(),
            "aa" => if w.hour < 12 { "am" } else { "pm" }.to_owned(),
            "m" => w.minute.to_string(),
            "mm" => format!("{:02}", w.minute),
            "s" => w.second.to_string(),
            "ss" => format!("{:02}", w.second),
            "Z" if moment.offset_s == 0 => "Z".to_owned(),
            "ZZZ" if moment.offset_s == 0 => "UTC".to_owned(),
            "ZZZ" | "ZZZZ" => moment.offset(false),
            "Z" | "ZZZZZ" => moment.offset(true),
            _ => {
                let why = match c {
                    'Y' => ": year must either be \"YY\" or \"YYYY\"",
                    'M' => ": month must be \"M\", \"MM\", \"MMM\", or \"MMMM\"",
                    'D' => ": day of month must either be \"D\" or \"DD\"",
                    'E' => ": day of week must either be \"EEE\" or \"EEEE\"",
                    'h' => ": 24-hour must either be \"h\" or \"hh\"",
                    'H' => ": 12-hour must either be \"H\" or \"HH\"",
                    'A' => ": must be \"AA\"",
                    'a' => ": must be \"aa\"",
                    'm' => ": minute must either be \"m\" or \"mm\"",
                    's' => ": second must either be \"s\" or \"ss\"",
                    'Z' => ": timezone must be Z, ZZZZ, or ZZZZZ",
                    _ => "",
                };
                return Err(format!("invalid date format verb {verb:?}{why}"));
            }
        };
        out.push_str(&text);
    }
    Ok(out)
}
