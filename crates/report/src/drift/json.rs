//! Drift for machines: one document, described by `docs/schemas/drift-v1.schema.json`.

use std::collections::BTreeMap;
use std::sync::Arc;

use plumb_diag::{Sources, Span};
use plumb_drift::{Accepted, Class, DriftReport, Finding, MovedAttribute, Previous, Standing};
use plumb_model::value::Value;
use plumb_model::value::json::{write_json, write_string};

use crate::action::action_name;
use crate::diagnostic::json::write_diagnostic;
use crate::json::{Object, array, indent_json};
use crate::place::place;

const FORMAT_VERSION: &str = "1.0";

/// The report as one JSON document. Values of sensitive attributes are left out.
pub fn drift_json(report: &DriftReport, sources: &Sources) -> String {
    let mut out = String::new();
    let mut json = Object::new(&mut out);
    json.text("format_version", FORMAT_VERSION);
    json.text("when", &report.when);
    json.text("workspace", &report.workspace);
    json.text("lineage", &report.lineage);
    json.number("serial", report.serial);
    json.number("looked", report.looked);
    json.bool("drift", report.has_drift());
    let counts = report.counts();
    let mut summary = Object::new(json.key("summary"));
    for class in Class::ALL {
        summary.number(class.name(), counts.of(class));
    }
    summary.number("accepted", counts.accepted);
    summary.number("quiet", counts.quiet);
    summary.number("pending", report.pending.len());
    summary.end();
    array(&report.findings, json.key("findings"), |it, out| write_finding(it, sources, out));
    array(&report.pending, json.key("pending"), |it, out| {
        let mut pending = Object::new(out);
        pending.text("address", &it.address);
        pending.text("action", action_name(it.action));
        pending.end();
    });
    array(&report.notes, json.key("notes"), |it, out| write_diagnostic(it, sources, out));
    json.end();
    indent_json(&out) + "\n"
}

/// One finding as it stands in [`drift_json`], for those who tell of each by itself.
pub fn finding_json(finding: &Finding, sources: &Sources) -> String {
    let mut out = String::new();
    write_finding(finding, sources, &mut out);
    out
}

/// One attribute of a finding as it stands in [`drift_json`].
pub fn moved_json(attribute: &MovedAttribute) -> String {
    let mut out = String::new();
    write_attribute(attribute, &mut out);
    out
}

fn write_finding(finding: &Finding, sources: &Sources, out: &mut String) {
    let mut json = Object::new(out);
    json.text("class", finding.class.name());
    json.text("standing", finding.standing.name());
    json.bool("counts", finding.standing.counts());
    json.text("address", &finding.address);
    json.text("type", &finding.kind);
    json.text("provider", &finding.provider.to_string());
    json.text("id", &finding.id);
    array(&finding.attributes, json.key("attributes"), write_attribute);
    array(&finding.why, json.key("why"), |it, out| write_string(it, out));
    match finding.repair {
        Some(action) => json.text("repair", action_name(action)),
        None => json.raw("repair", "null"),
    }
    json.bool("pending", finding.pending);
    json.text("first_seen", &finding.first_seen);
    write_location(finding.span, sources, &mut json);
    if let Standing::Accepted(it) | Standing::Expired(it) = &finding.standing {
        write_accepted(it, sources, json.key("accepted"));
    }
    json.end();
}

fn write_attribute(attribute: &MovedAttribute, out: &mut String) {
    let mut json = Object::new(out);
    json.text("path", &attribute.path);
    json.bool("sensitive", attribute.sensitive);
    if !attribute.sensitive {
        let mut side = |name: &str, value: &Option<Value>| {
            if let Some(value) = value {
                write_json(value, json.key(name));
            }
        };
        side("before", &attribute.before);
        side("after", &attribute.after);
    }
    json.end();
}

fn write_accepted(accepted: &Accepted, sources: &Sources, out: &mut String) {
    let mut json = Object::new(out);
    json.text("reason", &accepted.reason);
    match &accepted.until {
        Some(until) => json.text("until", until),
        None => json.raw("until", "null"),
    }
    write_location(Some(accepted.span), sources, &mut json);
    json.end();
}

fn write_location(span: Option<Span>, sources: &Sources, json: &mut Object<'_>) {
    let Some(place) = span.and_then(|it| place(it, sources)) else { return };
    let mut location = Object::new(json.key("location"));
    location.text("file", place.path);
    location.number("line", place.line);
    location.number("column", place.column);
    location.end();
}

/// When the findings of an earlier [`drift_json`] were first seen. What is wrong with it, else.
pub fn read_previous(json: &str) -> Result<Previous, String> {
    let document: serde_json::Value =
        serde_json::from_str(json).map_err(|it| format!("It is no JSON: {it}."))?;
    let version = document["format_version"].as_str().unwrap_or_default();
    if version.split('.').next() != FORMAT_VERSION.split('.').next() {
        return Err(match version {
            "" => "It is no report of drift: there is no format_version in it.".to_owned(),
            other => format!("Its format_version {other:?} is not known to this version."),
        });
    }
    let findings = document["findings"].as_array().ok_or("There are no findings in it.")?;
    let mut res: BTreeMap<(Class, Arc<str>, Arc<str>), Arc<str>> = BTreeMap::new();
    for (index, finding) in findings.iter().enumerate() {
        let text = |name: &str| {
            let found = finding[name].as_str();
            found.ok_or_else(|| format!("Finding {index} has no text {name:?}."))
        };
        // A class that a later version adds is no concern of this one.
        let Some(class) = Class::parse(text("class")?) else { continue };
        let (address, first): (Arc<str>, Arc<str>) =
            (text("address")?.into(), text("first_seen")?.into());
        let attributes = finding["attributes"].as_array().map_or(&[][..], |it| it.as_slice());
        let mut paths: Vec<&str> = attributes.iter().filter_map(|it| it["path"].as_str()).collect();
        if paths.is_empty() {
            paths.push("");
        }
        for path in paths {
            res.insert((class, address.clone(), path.into()), first.clone());
        }
    }
    Ok(Previous(res))
}
