//! Test results as JUnit XML, in the dialect that Jenkins, GitLab and their like read.

use std::fmt::Write;

use crate::escape::xml;

/// Tests that belong together.
pub(crate) struct Suite<'a> {
    pub(crate) name: &'a str,
    /// When, in the form of RFC 3339.
    pub(crate) timestamp: &'a str,
    pub(crate) properties: Vec<(&'static str, String)>,
    pub(crate) cases: Vec<Case>,
}

/// One test.
pub(crate) struct Case {
    pub(crate) class: String,
    pub(crate) name: String,
    pub(crate) outcome: Outcome,
}

/// What came of it.
pub(crate) enum Outcome {
    Passed,
    Skipped(String),
    Failed {
        kind: &'static str,
        message: String,
        text: String,
    },
    /// It could not be tested.
    Errored {
        kind: &'static str,
        message: String,
        text: String,
    },
}

/// The whole document.
pub(crate) fn junit(suites: &[Suite<'_>]) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites");
    let all = || suites.iter().flat_map(|it| &it.cases);
    let total = Counts::of(all());
    let Counts { tests, failures, errors, .. } = total;
    let _ = writeln!(out, " tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\">");
    for suite in suites {
        let Counts { tests, failures, errors, skipped } = Counts::of(suite.cases.iter());
        let _ = writeln!(
            out,
            "  <testsuite name=\"{}\" tests=\"{tests}\" failures=\"{failures}\" \
             errors=\"{errors}\" skipped=\"{skipped}\" timestamp=\"{}\">",
            xml(suite.name),
            xml(suite.timestamp)
        );
        if !suite.properties.is_empty() {
            out.push_str("    <properties>\n");
            for (name, value) in &suite.properties {
                let value = xml(value);
                let _ = writeln!(out, "      <property name=\"{name}\" value=\"{value}\"/>");
            }
            out.push_str("    </properties>\n");
        }
        suite.cases.iter().for_each(|it| write_case(it, &mut out));
        out.push_str("  </testsuite>\n");
    }
    out + "</testsuites>\n"
}

fn write_case(case: &Case, out: &mut String) {
    let (class, name) = (xml(&case.class), xml(&case.name));
    let _ = write!(out, "    <testcase classname=\"{class}\" name=\"{name}\"");
    match &case.outcome {
        Outcome::Passed => out.push_str("/>\n"),
        Outcome::Skipped(why) => {
            let _ = writeln!(out, "><skipped message=\"{}\"/></testcase>", xml(why));
        }
        Outcome::Failed { kind, message, text } => {
            write_problem("failure", kind, message, text, out);
        }
        Outcome::Errored { kind, message, text } => {
            write_problem("error", kind, message, text, out);
        }
    }
}

fn write_problem(element: &str, kind: &str, message: &str, text: &str, out: &mut String) {
    let message = xml(message);
    // In character data line breaks may stand as they are.
    let text = xml(text).replace("&#10;", "\n").replace("&#9;", "\t");
    let _ = writeln!(
        out,
        "><{element} type=\"{kind}\" message=\"{message}\">{text}</{element}></testcase>"
    );
}

#[derive(Default)]
struct Counts {
    tests: usize,
    failures: usize,
    errors: usize,
    skipped: usize,
}

impl Counts {
    fn of<'a>(cases: impl Iterator<Item = &'a Case>) -> Counts {
        let mut res = Counts::default();
        for case in cases {
            res.tests += 1;
            match case.outcome {
                Outcome::Passed => {}
                Outcome::Skipped(_) => res.skipped += 1,
                Outcome::Failed { .. } => res.failures += 1,
                Outcome::Errored { .. } => res.errors += 1,
            }
        }
        res
    }
}
