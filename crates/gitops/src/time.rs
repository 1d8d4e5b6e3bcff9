//! Points in time, as the loop counts them.

use chrono::DateTime;

/// Seconds since 1970, UTC.
pub type Time = i64;

/// `2026-11-26 18:30 UTC`
pub fn utc(at: Time) -> String {
    match DateTime::from_timestamp(at, 0) {
        Some(it) => it.format("%Y-%m-%d %H:%M UTC").to_string(),
        None => format!("second {at}"),
    }
}
