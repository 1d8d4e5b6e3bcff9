//! Findings of a look, as the page shows them.

use plumb_drift::{DriftReport, Standing};
use plumb_model::value::Value;

use super::{HtmlDelta, HtmlFinding};
use crate::state_text::value_text;

/// The findings of a look, but those that are noise. What is sensitive is not in them.
pub fn html_findings(report: &DriftReport) -> Vec<HtmlFinding> {
    let shown = report.findings.iter().filter(|it| it.standing != Standing::Quiet);
    let finding = shown.map(|it| {
        let accepted = match &it.standing {
            Standing::Accepted(accepted) => Some(match &accepted.until {
                Some(until) => format!("{} (until {until})", accepted.reason),
                None => accepted.reason.to_string(),
            }),
            Standing::Ignored => Some("ignored in this run".to_owned()),
            Standing::Counts | Standing::Expired(_) | Standing::Quiet => None,
        };
        let text = |value: Option<&Value>, sensitive: bool| match (value, sensitive) {
            (_, true) => "(sensitive value)".to_owned(),
            (Some(value), false) => value_text(value),
            (None, false) => String::new(),
        };
        let delta = it.attributes.iter().map(|it| HtmlDelta {
            name: it.path.to_string(),
            before: text(it.before.as_ref(), it.sensitive),
            after: text(it.after.as_ref(), it.sensitive),
        });
        HtmlFinding {
            address: it.address.to_string(),
            class: it.class.name().to_owned(),
            why: it.why.join(" "),
            first_seen: Some(it.first_seen.to_string()).filter(|it| !it.is_empty()),
            accepted,
            attributes: delta.collect(),
        }
    });
    finding.collect()
}
