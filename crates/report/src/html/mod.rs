//! A report to look at: one HTML file that needs nothing else.
//!
//! No script is needed to read it; a few lines of it filter and fold. What the page may run and how
//! it may look is pinned by hashes in its own policy, so that nothing in it that came from a
//! configuration could be more than text.

mod changes;
mod escape;
mod of_drift;
mod picture;
mod tables;

use std::fmt::Write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use plumb_diag::{Diagnostic, Sources};
use plumb_topology::Network;
use sha2::{Digest, Sha256};

use crate::plan_text::{Counts, PlanText};
use escape::escaped;
pub use of_drift::html_findings;

/// Everything that a report may tell. What there is none of is left out.
#[derive(Default)]
pub struct HtmlReport<'a> {
    /// Its headline.
    pub title: String,
    /// What it is about: workspace, time, commit; name and value.
    pub facts: Vec<(String, String)>,
    /// A plan.
    pub plan: Option<HtmlPlan<'a>>,
    /// The network before and after.
    pub network: Option<&'a Network>,
    /// What drifted. None: nobody looked.
    pub findings: Option<&'a [HtmlFinding]>,
    /// What drifted, or was done, when; the newest first.
    pub history: &'a [HtmlHistory],
}

/// A plan, and what a person should know besides.
pub struct HtmlPlan<'a> {
    /// The plan; of its style nothing counts.
    pub text: PlanText<'a>,
    /// What was held back, and warnings.
    pub notes: &'a [Diagnostic],
    /// The files that notes point into.
    pub sources: &'a Sources,
}

/// One thing that drifted.
#[derive(Clone, Debug, Default)]
pub struct HtmlFinding {
    /// The address, or how the system calls it.
    pub address: String,
    /// `changed`, `deleted`, `foreign`, `undeclared`.
    pub class: String,
    /// Why it matters.
    pub why: String,
    /// When it was seen first.
    pub first_seen: Option<String>,
    /// The reason with which it was accepted, if it was.
    pub accepted: Option<String>,
    /// What changed.
    pub attributes: Vec<HtmlDelta>,
}

/// One attribute that changed. Secrets are the caller's to leave out.
#[derive(Clone, Debug, Default)]
pub struct HtmlDelta {
    /// Its path.
    pub name: String,
    /// What it was, or should be.
    pub before: String,
    /// What it is.
    pub after: String,
}

/// One line of the history.
#[derive(Clone, Debug, Default)]
pub struct HtmlHistory {
    /// When.
    pub when: String,
    /// What happened: `changed`, `repaired`.
    pub what: String,
    /// To what.
    pub address: String,
    /// More of it.
    pub detail: String,
}

const SCRIPT: &str = include_str!("page.js");
const STYLE: &str = include_str!("page.css");

/// One part of the page: its id, its headline, what is in it.
struct Section {
    id: &'static str,
    title: String,
    body: String,
}

/// The whole file.
pub fn html_report(report: &HtmlReport<'_>) -> String {
    let style = format!("{STYLE}{}", plumb_topology::STYLE);
    let sections = sections(report);
    let size: usize = sections.iter().map(|it| it.body.len()).sum();
    let mut out = String::with_capacity(size + style.len() + SCRIPT.len() + 8192);
    let title = escaped(&report.title);
    let _ = write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
         style-src 'sha256-{}'; script-src 'sha256-{}'; img-src data:; base-uri 'none'; \
         form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta name=\"generator\" content=\"plumb\">\n\
         <link rel=\"icon\" href=\"data:,\">\n<title>{title}</title>\n\
         <style>{style}</style>\n</head>\n<body>\n\
         <a class=\"skip\" href=\"#main\">Skip to the content</a>\n\
         <header class=\"top\">\n<div class=\"head\"><h1>{title}</h1>\n\
         <button type=\"button\" id=\"theme\" class=\"scripted\" hidden>Dark</button></div>\n",
        hash(&style),
        hash(SCRIPT),
    );
    if !report.facts.is_empty() {
        out.push_str("<dl class=\"facts\">\n");
        for (name, value) in &report.facts {
            let (name, value) = (escaped(name), escaped(value));
            let _ = writeln!(out, "<div><dt>{name}</dt><dd>{value}</dd></div>");
        }
        out.push_str("</dl>\n");
    }
    out.push_str("<nav aria-label=\"Sections\"><ul>\n");
    for Section { id, title, .. } in &sections {
        let _ = writeln!(out, "<li><a href=\"#{id}\">{title}</a></li>");
    }
    out.push_str("</ul></nav>\n</header>\n<main id=\"main\" tabindex=\"-1\">\n");
    for Section { id, title, body } in &sections {
        let _ = writeln!(
            out,
            "<section id=\"{id}\" aria-labelledby=\"{id}-title\">\n\
             <h2 id=\"{id}-title\">{title}</h2>\n{body}</section>"
        );
    }
    let _ = write!(
        out,
        "</main>\n<footer><p>Written by plumb. This file needs no network.</p></footer>\n\
         <script>{SCRIPT}</script>\n</body>\n</html>\n"
    );
    out
}

fn sections(report: &HtmlReport<'_>) -> Vec<Section> {
    let mut all = Vec::new();
    let mut add = |id, title: &str, body: String| {
        if !body.is_empty() {
            all.push(Section { id, title: title.to_owned(), body });
        }
    };
    add("summary", "Summary", summary(report));
    if let Some(network) = report.network {
        add("topology", "Topology", picture::section(network));
    }
    if let Some(plan) = &report.plan {
        add("changes", "Changes", changes::section(plan.text));
        add("outside", "Changed outside", changes::outside(plan.text));
        add("outputs", "Outputs", tables::outputs(plan.text.plan));
        add("checks", "Checks", tables::checks(&plan.text.plan.checks));
        add("notes", "Notes", tables::notes(plan.notes, plan.sources));
    }
    if let Some(findings) = report.findings {
        add("drift", "Drift", tables::findings(findings));
    }
    add("history", "History", tables::history(report.history));
    all
}

/// Numbers first: what a person looks for.
fn summary(report: &HtmlReport<'_>) -> String {
    let mut out = String::new();
    let mut tiles: Vec<(&str, usize, &str)> = Vec::new();
    if let Some(HtmlPlan { text, .. }) = &report.plan {
        let counts = Counts::of(text.plan);
        tiles.extend([
            ("add", counts.add, "to add"),
            ("change", counts.change, "to change"),
            ("remove", counts.remove, "to destroy"),
        ]);
        let more = [("import", counts.import, "to import"), ("forget", counts.forget, "to forget")];
        tiles.extend(more.into_iter().filter(|it| it.1 > 0));
        let says = match (changes::count(*text), text.plan.outputs.values().any(|it| !it.is_keep()))
        {
            (0, false) if text.plan.drift.is_empty() => "Nothing is to be done.",
            (0, false) => "Nothing is to be done; objects have changed outside.",
            (0, true) => "No object is changed, only outputs.",
            _ if text.plan.partial => "The plan covers a part only, as was asked for.",
            _ => "",
        };
        if !says.is_empty() {
            let _ = writeln!(out, "<p class=\"says\">{says}</p>");
        }
    }
    if let Some(findings) = report.findings {
        let open = findings.iter().filter(|it| it.accepted.is_none()).count();
        tiles.push(("change", open, "drifted"));
        if findings.len() > open {
            tiles.push(("forget", findings.len() - open, "accepted"));
        }
    }
    if !tiles.is_empty() {
        out.push_str("<ul class=\"tiles\">\n");
        for (class, count, words) in tiles {
            let class = if count == 0 { "none" } else { class };
            let _ =
                writeln!(out, "<li class=\"tile c-{class}\"><strong>{count}</strong> {words}</li>");
        }
        out.push_str("</ul>\n");
    }
    out
}

fn hash(of: &str) -> String {
    STANDARD.encode(Sha256::digest(of.as_bytes()))
}
