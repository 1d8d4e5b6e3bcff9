//! SARIF 2.1.0, as code scanners write it and forges show it beside the code.

use plumb_diag::{Sources, Span};
use plumb_model::value::json::write_string;
use sha2::{Digest, Sha256};

use crate::escape::{lines, uri};
use crate::json::{Object, array, indent_json};
use crate::place::{Place, place};

/// A kind of result.
pub(crate) struct Rule {
    pub(crate) id: String,
    pub(crate) short: String,
    pub(crate) help: String,
    pub(crate) level: &'static str,
}

/// One result.
pub(crate) struct Found {
    /// Index into the rules.
    pub(crate) rule: usize,
    /// `error`, `warning` or `note`.
    pub(crate) level: &'static str,
    pub(crate) message: String,
    pub(crate) span: Option<Span>,
    /// Address of a resource.
    pub(crate) about: Option<String>,
    /// What stays the same as long as it is the same problem.
    pub(crate) same: Vec<String>,
    pub(crate) related: Vec<(Span, String)>,
    /// Why it does not count.
    pub(crate) suppressed: Option<Suppressed>,
    /// When it was first found, in the form of RFC 3339.
    pub(crate) first_seen: Option<String>,
}

/// Why a result does not count.
pub(crate) struct Suppressed {
    /// Where that is said, if it is said in a file.
    pub(crate) span: Option<Span>,
    pub(crate) why: String,
}

/// The whole document: one run.
pub(crate) fn sarif(version: &str, rules: &[Rule], found: &[Found], sources: &Sources) -> String {
    let mut out = String::new();
    let mut json = Object::new(&mut out);
    json.text("$schema", "https://json.schemastore.org/sarif-2.1.0.json");
    json.text("version", "2.1.0");
    array([()], json.key("runs"), |(), out| {
        let mut run = Object::new(out);
        let mut tool = Object::new(run.key("tool"));
        let mut driver = Object::new(tool.key("driver"));
        driver.text("name", "plumb");
        driver.text("version", version);
        array(rules, driver.key("rules"), write_rule);
        driver.end();
        tool.end();
        run.text("columnKind", "unicodeCodePoints");
        array(found, run.key("results"), |it, out| write_result(it, rules, sources, out));
        run.end();
    });
    json.end();
    indent_json(&out) + "\n"
}

fn write_rule(rule: &Rule, out: &mut String) {
    let mut json = Object::new(out);
    json.text("id", &rule.id);
    write_message("shortDescription", &rule.short, &mut json);
    write_message("help", &rule.help, &mut json);
    let mut configuration = Object::new(json.key("defaultConfiguration"));
    configuration.text("level", rule.level);
    configuration.end();
    json.end();
}

fn write_message(key: &str, text: &str, json: &mut Object<'_>) {
    let mut message = Object::new(json.key(key));
    message.text("text", &lines(text));
    message.end();
}

fn write_result(found: &Found, rules: &[Rule], sources: &Sources, out: &mut String) {
    let mut json = Object::new(out);
    if let Some(rule) = rules.get(found.rule) {
        json.text("ruleId", &rule.id);
        json.number("ruleIndex", found.rule);
    }
    json.text("level", found.level);
    write_message("message", &found.message, &mut json);
    array([found], json.key("locations"), |it, out| write_location(it, sources, out));
    if !found.related.is_empty() {
        array(&found.related, json.key("relatedLocations"), |(span, message), out| {
            let mut location = Object::new(out);
            write_physical(place(*span, sources).as_ref(), &mut location);
            write_message("message", message, &mut location);
            location.end();
        });
    }
    let mut prints = Object::new(json.key("partialFingerprints"));
    let print = fingerprint(found);
    // GitHub makes one of the line's text if it finds none under this name; the text says nothing
    // of what drifts.
    prints.text("primaryLocationLineHash", &print);
    prints.text("plumb/v1", &print);
    prints.end();
    if let Some(suppressed) = &found.suppressed {
        array([suppressed], json.key("suppressions"), |it, out| {
            let mut json = Object::new(out);
            json.text("kind", if it.span.is_some() { "inSource" } else { "external" });
            json.text("status", "accepted");
            json.text("justification", &lines(&it.why));
            if let Some(place) = it.span.and_then(|it| place(it, sources)) {
                let mut location = Object::new(json.key("location"));
                write_physical(Some(&place), &mut location);
                location.end();
            }
            json.end();
        });
    } else {
        json.raw("suppressions", "[]");
    }
    if let Some(when) = &found.first_seen {
        let mut provenance = Object::new(json.key("provenance"));
        provenance.text("firstDetectionTimeUtc", when);
        provenance.end();
    }
    json.end();
}

fn write_location(found: &Found, sources: &Sources, out: &mut String) {
    let mut json = Object::new(out);
    let own = found.span.and_then(|it| place(it, sources));
    // Forges refuse a result without a place: what has none is shown at the top of the first file.
    let first = || {
        let (_, file) = sources.files().next()?;
        Some(Place { path: &file.path, line: 1, column: 1, line_end: 1, column_end: 1 })
    };
    write_physical(own.or_else(first).as_ref(), &mut json);
    if let Some(about) = &found.about {
        array([about], json.key("logicalLocations"), |it, out| {
            let mut logical = Object::new(out);
            logical.text("fullyQualifiedName", it);
            logical.text("kind", "resource");
            logical.end();
        });
    }
    json.end();
}

fn write_physical(place: Option<&Place<'_>>, json: &mut Object<'_>) {
    let Some(place) = place else { return };
    let mut physical = Object::new(json.key("physicalLocation"));
    let mut artifact = Object::new(physical.key("artifactLocation"));
    write_string(&uri(place.path.trim_start_matches("./")), artifact.key("uri"));
    artifact.end();
    let mut region = Object::new(physical.key("region"));
    region.number("startLine", place.line);
    region.number("startColumn", place.column);
    region.number("endLine", place.line_end);
    region.number("endColumn", place.column_end);
    region.end();
    physical.end();
}

/// Equal for the same problem in every run, whatever else is found.
fn fingerprint(found: &Found) -> String {
    let mut hash = Sha256::new();
    for part in &found.same {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    hash.finalize().iter().take(16).map(|it| format!("{it:02x}")).collect()
}
