//! The report to look at, as text: what is in it, and that names are never more than names. What it looks like is seen
//! in a browser, by the tests of the command.

use plumb_diag::{Diagnostic, Sources};
use plumb_model::plan::{OutputChange, Plan};
use plumb_model::schema::Schemas;
use plumb_model::state::{CheckResult, CheckStatus};
use plumb_model::value::Value;
use plumb_report::{
    HtmlDelta, HtmlFinding, HtmlHistory, HtmlPlan, HtmlReport, PlanMode, PlanText, Style,
    html_report,
};
use plumb_topology::{Key, Network, Piece, Sign, Source};

const HOSTILE: &str =
    "</script></style></title></svg><img src=x onerror=alert(1)>\"'&\u{202E}\u{7}\u{200B}";

fn network(name: &str) -> Network {
    let keys = vec![Key::new("network", name)];
    let (name, noun) = (name.to_owned(), "network");
    let segment = Piece::Segment { keys, name, noun, ranges: vec![HOSTILE.into()], outer: true };
    Network::of(&[Source {
        address: HOSTILE.to_owned(),
        block: HOSTILE.to_owned(),
        scope: String::new(),
        sign: Sign::Add,
        given: false,
        before: Vec::new(),
        after: vec![segment],
    }])
}

/// A page on which every text that comes from outside is `text`.
fn everywhere(text: &str) -> String {
    let name = || text.to_owned();
    let mut plan = Plan::default();
    let secret =
        OutputChange { before: None, after: Some(Value::string("hunter2")), sensitive: true };
    plan.outputs.insert(text.into(), secret);
    plan.checks.push(CheckResult {
        object_kind: "check",
        config_addr: text.into(),
        status: CheckStatus::Fail,
        objects: vec![(text.into(), CheckStatus::Fail, vec![text.into()])],
    });
    let notes = [Diagnostic::warning(text, text).hint(text).about(text)];
    let (schemas, sources) = (Schemas::default(), Sources::default());
    let mode = PlanMode::Normal;
    let plan =
        PlanText { plan: &plan, schemas: &schemas, mode, relevant: None, style: Style::PLAIN };
    let delta = HtmlDelta { name: name(), before: name(), after: name() };
    let findings = [HtmlFinding {
        address: name(),
        class: name(),
        why: name(),
        first_seen: Some(name()),
        accepted: Some(name()),
        attributes: vec![delta],
    }];
    let history = [HtmlHistory { when: name(), what: name(), address: name(), detail: name() }];
    let network = network(text);
    html_report(&HtmlReport {
        title: name(),
        facts: vec![(name(), name())],
        plan: Some(HtmlPlan { text: plan, notes: &notes, sources: &sources }),
        network: Some(&network),
        findings: Some(&findings),
        history: &history,
    })
}

#[test]
fn names_are_never_more_than_names() {
    let (plain, hostile) = (everywhere("x"), everywhere(HOSTILE));
    let tags = |page: &str| page.matches('<').count();
    // The picture's range is hostile on both; all else differs in text alone.
    assert_eq!(tags(&plain), tags(&hostile));
    assert!(!hostile.contains("<img") && hostile.contains("&lt;img"));
    assert_eq!(hostile.matches("</script>").count(), 1);
    assert_eq!(hostile.matches("</style>").count(), 1);
    assert!(!hostile.contains(['\u{202E}', '\u{7}', '\u{200B}']));
    assert!(hostile.contains("\\u{202e}"), "what is not seen is spelled out");
}

#[test]
fn secrets_are_not_told() {
    let page = everywhere("x");
    assert!(!page.contains("hunter2") && page.contains("(sensitive value)"));
}

#[test]
fn every_part_has_its_section_and_nothing_else_is_there() {
    let page = everywhere("x");
    for id in ["summary", "topology", "outputs", "checks", "notes", "drift", "history"] {
        assert!(page.contains(&format!("<section id=\"{id}\"")), "{id} is missing");
        assert!(page.contains(&format!("href=\"#{id}\"")), "nothing leads to {id}");
    }
    assert!(!page.contains("<section id=\"changes\""), "there are none");
    let bare = html_report(&HtmlReport { title: "x".into(), ..HtmlReport::default() });
    assert!(!bare.contains("<section"));
    for outside in ["http:", "https:", "url(", "@import", "src="] {
        let bare = bare.replace("http://www.w3.org/2000/svg", "");
        assert!(!bare.contains(outside), "the page asks for {outside}");
    }
}

#[test]
fn nothing_found_is_said() {
    let none = HtmlReport { findings: Some(&[]), ..HtmlReport::default() };
    assert!(html_report(&none).contains("Everything is as it was left."));
}
