//! When changes may be made: windows of the week, and dates on which nothing is touched.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, Timelike};

use crate::time::Time;

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const DAY_MINUTES: i64 = 24 * 60;

/// Hours of some days of the week: `Mon-Fri 08:00-18:00 UTC`, `Sat,Sun 22:00-04:00 +02:00`,
/// `02:00-04:00 UTC`. A window that ends before it begins goes on into the next day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    text: String,
    days: [bool; 7],
    from_minutes: i64,
    length_minutes: i64,
    offset: FixedOffset,
}

impl Window {
    /// Whether it is open.
    pub fn contains(&self, at: Time) -> bool {
        // Yesterday's window may reach into today.
        [0, 1].into_iter().any(|days_back| {
            self.start(at, -days_back)
                .is_some_and(|start| (start..start + self.length_minutes * 60).contains(&at))
        })
    }

    /// When it opens the next time, if it is closed.
    pub fn opens(&self, at: Time) -> Option<Time> {
        (0..=8).find_map(|days| self.start(at, days).filter(|start| *start > at))
    }

    /// When it opens on the day that is `days` after the one of `at`, if it does on that weekday.
    fn start(&self, at: Time, days: i64) -> Option<Time> {
        let there = DateTime::from_timestamp(at, 0)?.with_timezone(&self.offset);
        let midnight = at - i64::from(there.num_seconds_from_midnight());
        let weekday = i64::from(there.weekday().num_days_from_monday()) + days;
        let index = usize::try_from(weekday.rem_euclid(7)).ok()?;
        self.days[index].then_some(midnight + (days * DAY_MINUTES + self.from_minutes) * 60)
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Window {
    type Err = String;

    fn from_str(text: &str) -> Result<Window, String> {
        let parts: Vec<&str> = text.split_whitespace().collect();
        let (days, hours, zone) = match parts[..] {
            [days, hours, zone] => (self::days(days)?, hours, zone),
            [hours, zone] if hours.contains(':') => ([true; 7], hours, zone),
            _ => {
                return Err(format!(
                    "{text:?} is not a window such as \"Mon-Fri 08:00-18:00 UTC\": days, hours \
                     and a zone are needed"
                ));
            }
        };
        let (from, to) = hours
            .split_once('-')
            .ok_or_else(|| format!("{hours:?} are not hours such as \"08:00-18:00\""))?;
        let (from, to) = (minutes(from)?, minutes(to)?);
        let length_minutes = if to > from { to - from } else { to + DAY_MINUTES - from };
        let offset = offset(zone)?;
        Ok(Window { text: text.to_owned(), days, from_minutes: from, length_minutes, offset })
    }
}

/// Whole days on which nothing is changed, both included: `2026-12-20..2027-01-03 UTC`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Freeze {
    text: String,
    first: NaiveDate,
    last: NaiveDate,
    offset: FixedOffset,
}

impl Freeze {
    /// Whether it holds.
    pub fn contains(&self, at: Time) -> bool {
        DateTime::from_timestamp(at, 0).is_some_and(|it| {
            let day = it.with_timezone(&self.offset).date_naive();
            (self.first..=self.last).contains(&day)
        })
    }
}

impl fmt::Display for Freeze {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Freeze {
    type Err = String;

    fn from_str(text: &str) -> Result<Freeze, String> {
        let (range, zone) = text.trim().split_once(' ').unwrap_or((text.trim(), "UTC"));
        let (first, last) = range.split_once("..").unwrap_or((range, range));
        let day = |text: &str| {
            NaiveDate::parse_from_str(text, "%Y-%m-%d")
                .map_err(|_| format!("{text:?} is not a date such as \"2026-12-20\""))
        };
        let (first, last) = (day(first)?, day(last)?);
        if last < first {
            return Err(format!("{text:?} ends before it begins"));
        }
        Ok(Freeze { text: text.to_owned(), first, last, offset: offset(zone.trim())? })
    }
}

fn days(text: &str) -> Result<[bool; 7], String> {
    let lower = text.to_lowercase();
    let mut days = [false; 7];
    if matches!(&*lower, "*" | "daily") {
        return Ok([true; 7]);
    }
    for part in lower.split(',') {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        let day = |name: &str| {
            DAYS.iter()
                .position(|it| *it == name)
                .ok_or_else(|| format!("{text:?} are not days such as \"Mon-Fri\" or \"Sat,Sun\""))
        };
        let (mut at, to) = (day(from)?, day(to)?);
        days[at] = true;
        while at != to {
            at = (at + 1) % 7;
            days[at] = true;
        }
    }
    Ok(days)
}

fn minutes(text: &str) -> Result<i64, String> {
    let wrong = || format!("{text:?} is not a time of day such as \"08:00\"");
    let (hours, minutes) = text.split_once(':').ok_or_else(wrong)?;
    let number = |it: &str| match it.len() {
        2 if it.bytes().all(|it| it.is_ascii_digit()) => it.parse::<i64>().map_err(|_| wrong()),
        _ => Err(wrong()),
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    let total = hours * 60 + minutes;
    if minutes > 59 || total > DAY_MINUTES { Err(wrong()) } else { Ok(total) }
}

/// Only offsets: what a zone's name means changes with the year, and with the machine.
fn offset(text: &str) -> Result<FixedOffset, String> {
    let wrong = || {
        format!(
            "{text:?} is not a zone: \"UTC\" or an offset such as \"+02:00\" is needed, since names \
             of places mean other hours in summer than in winter"
        )
    };
    if matches!(text, "UTC" | "Z" | "utc") {
        return FixedOffset::east_opt(0).ok_or_else(wrong);
    }
    let sign = match text.as_bytes().first() {
        Some(b'+') => 1,
        Some(b'-') => -1,
        _ => return Err(wrong()),
    };
    let minutes = minutes(&text[1..]).map_err(|_| wrong())?;
    i32::try_from(minutes * 60 * sign).ok().and_then(FixedOffset::east_opt).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds of a time in UTC.
    fn at(text: &str) -> Time {
        DateTime::parse_from_rfc3339(text).expect(text).timestamp()
    }

    fn check(window: &str, open: &[&str], closed: &[(&str, &str)]) {
        let window: Window = window.parse().expect(window);
        for time in open {
            assert!(window.contains(at(time)), "{window} is open at {time}");
        }
        for (time, opens) in closed {
            assert!(!window.contains(at(time)), "{window} is closed at {time}");
            assert_eq!(window.opens(at(time)), Some(at(opens)), "{window} after {time}");
        }
    }

    #[test]
    fn windows_open_and_close() {
        // 2026-11-26 is a Thursday.
        check(
            "Mon-Fri 08:00-18:00 UTC",
            &["2026-11-26T08:00:00Z", "2026-11-27T17:59:59Z"],
            &[
                ("2026-11-26T07:59:59Z", "2026-11-26T08:00:00Z"),
                ("2026-11-27T18:00:00Z", "2026-11-30T08:00:00Z"),
                ("2026-11-28T12:00:00Z", "2026-11-30T08:00:00Z"),
            ],
        );
        // Over midnight, and the offset moves it: Saturday 22:00 there is 20:00 UTC.
        check(
            "Sat 22:00-04:00 +02:00",
            &["2026-11-28T20:00:00Z", "2026-11-29T01:59:00Z"],
            &[("2026-11-29T02:00:00Z", "2026-12-05T20:00:00Z")],
        );
        // The day there is another one than in UTC.
        check("Mon 00:00-02:00 +05:30", &["2026-11-29T19:00:00Z"], &[]);
        check("02:00-04:00 UTC", &["2026-11-26T03:00:00Z"], &[]);
        check("Fri-Mon 00:00-24:00 UTC", &["2026-11-29T23:59:59Z"], &[]);
    }

    #[test]
    fn what_is_no_window_is_said() {
        for (text, want) in [
            ("Mon-Fri 08:00-18:00", "a zone are needed"),
            ("Mon-Fri 08:00-18:00 Europe/Berlin", "is not a zone"),
            ("Mon-Fry 08:00-18:00 UTC", "are not days"),
            ("Mon 8-18 UTC", "is not a time of day"),
            ("Mon 08:00-25:00 UTC", "is not a time of day"),
            ("Mon 08:00-18:00 +ä", "is not a zone"),
            ("", "is not a window"),
        ] {
            let error = text.parse::<Window>().expect_err(text);
            assert!(error.contains(want), "{text}: {error}");
        }
    }

    #[test]
    fn freezes_are_whole_days() {
        let freeze: Freeze = "2026-12-20..2027-01-03 +01:00".parse().expect("a freeze");
        assert!(!freeze.contains(at("2026-12-19T22:59:59Z")));
        assert!(freeze.contains(at("2026-12-19T23:00:00Z")));
        assert!(freeze.contains(at("2027-01-03T22:59:59Z")));
        assert!(!freeze.contains(at("2027-01-03T23:00:00Z")));
        let one: Freeze = "2026-12-24".parse().expect("a day");
        assert!(one.contains(at("2026-12-24T12:00:00Z")));
        assert!("2026-12-24..2026-12-01".parse::<Freeze>().is_err());
        assert!("tomorrow".parse::<Freeze>().is_err());
    }
}
