//! How long a call may take: the resource's `timeouts` block, or a generous default.

use std::time::Duration;

use plumb_model::value::Value;
use plumb_provider::Failure;

/// When nothing else is said.
pub(crate) const DEFAULT: Duration = Duration::from_secs(20 * 60);
/// Clocks end somewhere.
const MAX: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The time for `operation` (`create`, `read`, `update`, `delete`) that the attributes ask for.
pub(crate) fn timeout(attrs: &Value, operation: &str) -> Result<Duration, Failure> {
    let block = attrs.get_attr("timeouts");
    let Some(text) = block.and_then(|it| it.get_attr(operation)).and_then(Value::as_str) else {
        return Ok(DEFAULT);
    };
    duration(text).map(|it| it.min(MAX)).ok_or_else(|| {
        let detail = format!(
            "`timeouts.{operation}` is {text:?}. A duration is written like 90s, 10m or 1h30m."
        );
        Failure::new("Invalid timeout", detail)
    })
}

/// A duration as Go writes it: `1h30m`, `90s`, `1.5h`, `300ms`, `0`.
fn duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total = 0.0f64;
    if rest.is_empty() {
        return None;
    }
    if rest == "0" {
        return Some(Duration::ZERO);
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let end = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        total += number
            * match &rest[..end] {
                "h" => 3600.0,
                "m" => 60.0,
                "s" => 1.0,
                "ms" => 1e-3,
                "us" | "µs" => 1e-6,
                "ns" => 1e-9,
                _ => return None,
            };
        rest = &rest[end..];
    }
    Duration::try_from_secs_f64(total.min(MAX.as_secs_f64())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_writes_them() {
        let good = [("90s", 90.0), ("1h30m", 5400.0), ("1.5h", 5400.0), ("300ms", 0.3), ("0", 0.0)];
        for (text, seconds) in good {
            assert_eq!(duration(text), Some(Duration::from_secs_f64(seconds)), "{text}");
        }
        for text in ["", "5", "s", "1x", "-1s", "1 s", ".", ".s"] {
            assert_eq!(duration(text), None, "{text}");
        }
        assert_eq!(duration(&format!("{}h", "9".repeat(400))), Some(MAX));
    }
}
