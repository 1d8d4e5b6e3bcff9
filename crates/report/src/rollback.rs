//! What each step of a way back costs, as text and as JSON lines.

use std::fmt::Write;

use plumb_planner::rollback::{Cost, Labelled};
use unicode_width::UnicodeWidthStr;

use crate::json::Object;
use crate::quote::printable;
use crate::style::Style;
use crate::ui::{json_line, write_resource};

/// A line for each step, and how many there are of each cost.
pub fn rollback_text(labels: &[Labelled], style: Style) -> String {
    let mut out = String::new();
    if labels.is_empty() {
        return out;
    }
    let _ = writeln!(out, "\n{}\n", style.bold("What the way back costs:"));
    let names: Vec<String> =
        labels.iter().map(|it| printable(&it.key.to_string()).into()).collect();
    let width = names.iter().map(|it| it.width()).max().unwrap_or(0);
    for (label, name) in labels.iter().zip(&names) {
        let word = format!("{:<10}", label.cost.name());
        let word = match label.cost {
            Cost::Lossless => style.green(&word),
            Cost::Lossy => style.yellow(&word),
            Cost::Impossible => style.red(&word),
        };
        let blanks = " ".repeat(width - name.width());
        let _ = writeln!(out, "  {word}  {name}{blanks}  {}", label.why);
    }
    let _ = writeln!(out, "\n{}", rollback_summary(labels));
    out
}

/// `Rollback: 2 lossless, 1 lossy, 0 impossible.`
pub fn rollback_summary(labels: &[Labelled]) -> String {
    let count = |cost: Cost| labels.iter().filter(|it| it.cost == cost).count();
    format!(
        "Rollback: {} lossless, {} lossy, {} impossible.",
        count(Cost::Lossless),
        count(Cost::Lossy),
        count(Cost::Impossible)
    )
}

/// The same for machines: a line for each step, and one that sums up.
pub fn rollback_lines(labels: &[Labelled], time: &str) -> String {
    let mut out = String::new();
    for label in labels {
        let message = format!("{}: {} ({})", label.key, label.cost.name(), label.why);
        out += &json_line("info", &message, time, "rollback_step", |line| {
            let mut step = Object::new(line.key("step"));
            write_resource(&label.key, step.key("resource"));
            step.text("label", label.cost.name());
            step.text("why", &label.why);
            step.end();
        });
    }
    out + &json_line("info", &rollback_summary(labels), time, "rollback_summary", |line| {
        let mut counts = Object::new(line.key("labels"));
        for cost in [Cost::Lossless, Cost::Lossy, Cost::Impossible] {
            counts.number(cost.name(), labels.iter().filter(|it| it.cost == cost).count());
        }
        counts.end();
    })
}
