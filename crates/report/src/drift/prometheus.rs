//! Drift as metrics, for the textfile collector of Prometheus' node exporter.

use std::collections::BTreeMap;
use std::fmt::Write;

use chrono::DateTime;
use plumb_drift::{Class, DriftReport};

use crate::escape::one_line;

const STANDINGS: [&str; 5] = ["counts", "expired", "accepted", "ignored", "quiet"];

/// The report in Prometheus' text format. Every class and standing is there, also those of which
/// there is nothing: a rule that waits for a number to return to zero must see the zero.
pub fn drift_prometheus(report: &DriftReport) -> String {
    let mut out = String::new();
    let workspace = label(&report.workspace);
    let mut counts: BTreeMap<(Class, &str), usize> = BTreeMap::new();
    for it in &report.findings {
        *counts.entry((it.class, it.standing.name())).or_default() += 1;
    }
    head("plumb_drift_findings", "Findings of the last look, by class and standing.", &mut out);
    for class in Class::ALL {
        for standing in STANDINGS {
            let count = counts.get(&(class, standing)).copied().unwrap_or_default();
            let class = class.name();
            let _ = writeln!(
                out,
                "plumb_drift_findings{{workspace=\"{workspace}\",class=\"{class}\",\
                 standing=\"{standing}\"}} {count}"
            );
        }
    }
    head("plumb_drift_detected", "Whether something drifted that counts.", &mut out);
    let drift = u8::from(report.has_drift());
    let _ = writeln!(out, "plumb_drift_detected{{workspace=\"{workspace}\"}} {drift}");
    let text = "How many attributes of an object drifted; 1 for an object as a whole.";
    head("plumb_drift_resource", text, &mut out);
    let mut objects: BTreeMap<(&str, Class, &str), usize> = BTreeMap::new();
    for it in &report.findings {
        // Two foreign things may have one name, but a series must be there only once.
        *objects.entry((&it.address, it.class, it.standing.name())).or_default() +=
            it.attributes.len().max(1);
    }
    for ((address, class, standing), count) in objects {
        let (address, class) = (label(address), class.name());
        let _ = writeln!(
            out,
            "plumb_drift_resource{{workspace=\"{workspace}\",address=\"{address}\",\
             class=\"{class}\",standing=\"{standing}\"}} {count}"
        );
    }
    let numbers = [
        ("plumb_drift_looked_objects", "Objects that were looked at.", report.looked as u64),
        (
            "plumb_drift_pending_changes",
            "Changes that the configuration asks for by itself.",
            report.pending.len() as u64,
        ),
        ("plumb_drift_state_serial", "Serial of the state that was compared with.", report.serial),
    ];
    for (name, help, value) in numbers {
        head(name, help, &mut out);
        let _ = writeln!(out, "{name}{{workspace=\"{workspace}\"}} {value}");
    }
    if let Some(seconds) = unix_seconds(&report.when) {
        let name = "plumb_drift_last_look_timestamp_seconds";
        head(name, "When it was looked.", &mut out);
        let _ = writeln!(out, "{name}{{workspace=\"{workspace}\"}} {seconds}");
    }
    let oldest = report.counting().filter_map(|it| unix_seconds(&it.first_seen)).min();
    if let Some(seconds) = oldest {
        let name = "plumb_drift_oldest_finding_timestamp_seconds";
        head(name, "When the oldest finding that counts was first seen.", &mut out);
        let _ = writeln!(out, "{name}{{workspace=\"{workspace}\"}} {seconds}");
    }
    out
}

fn head(name: &str, help: &str, out: &mut String) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} gauge");
}

/// The value of a label.
fn label(text: &str) -> String {
    one_line(text).replace('\\', "\\\\").replace('"', "\\\"")
}

/// A time in the form of RFC 3339 as seconds since 1970. None for anything else.
fn unix_seconds(when: &str) -> Option<i64> {
    DateTime::parse_from_rfc3339(when).ok().map(|it| it.timestamp())
}

#[cfg(test)]
mod tests {
    use super::{label, unix_seconds};

    #[test]
    fn seconds_since_1970() {
        assert_eq!(unix_seconds("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(unix_seconds("2024-02-29T23:59:59.123Z"), Some(1_709_251_199));
        assert_eq!(unix_seconds("2026-11-02T04:10:00Z"), Some(1_793_592_600));
        for wrong in ["", "Z", "2026-11-02", "2026-13-01T00:00:00Z", "TZ", "a-b-cTd:e:fZ"] {
            assert_eq!(unix_seconds(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn labels() {
        assert_eq!(label("a[\"b\"]\n"), r#"a[\\\"b\\\"]\\n"#);
    }
}
