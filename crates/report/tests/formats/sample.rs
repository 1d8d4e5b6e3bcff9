//! A report with one finding of each kind, and names that try to get out of every format.

use std::sync::{Arc, LazyLock};

use plumb_diag::{Diagnostic, FileId, Sources, Span};
use plumb_drift::{Accepted, Class, DriftReport, Finding, MovedAttribute, Pending, Standing};
use plumb_model::addr::{Addr, Kind, ModulePath, ProviderAddr};
use plumb_model::plan::{Action, ReplaceOrder};
use plumb_model::value::{Type, Value};

/// What must be in no report.
pub(crate) const SECRET: &str = "hunter2";

/// Text that means something to XML, Markdown, HTML, workflow commands, labels and terminals.
pub(crate) const HOSTILE: &str =
    "x\"]]><script>|`@all`\n::error::\u{1b}[31m\u{202e}{{ a }}</details>\u{1}\\";

/// The same ones each time.
pub(crate) fn sources() -> (Sources, Span, Span) {
    static SOURCES: LazyLock<(Sources, Span, Span)> = LazyLock::new(|| {
        let mut sources = Sources::default();
        let main = "# the lab\nresource \"docker_container\" \"web\" {\n  image = \"x\"\n}\n";
        let file = sources.add("main.tf", main);
        let accept = sources.add("sub folder/drift.plumb.hcl", "accept \"a\" {\n}\n");
        (sources, Span::new(file, 10, 43), Span::new(accept, 0, 10))
    });
    SOURCES.clone()
}

pub(crate) fn provider() -> Arc<ProviderAddr> {
    let source = "registry.terraform.io/kreuzwerker/docker".into();
    Arc::new(ProviderAddr { module: ModulePath::default(), source, alias: None })
}

fn finding(class: Class, address: &str) -> Finding {
    let addr = address.parse::<Addr>().ok();
    let kind = addr.as_ref().map_or(Kind::new("docker_container"), |it| it.resource.kind.clone());
    Finding {
        class,
        address: address.into(),
        key: addr.map(|it| it.current()),
        kind,
        provider: provider(),
        id: "4f2a".into(),
        attributes: Vec::new(),
        why: vec!["An apply would make it again.".into()],
        repair: None,
        pending: false,
        first_seen: "2026-11-02T04:10:00Z".into(),
        span: None,
        standing: Standing::Counts,
    }
}

fn moved(path: &str, before: Option<Value>, after: Option<Value>) -> MovedAttribute {
    MovedAttribute { path: path.into(), before, after, sensitive: false }
}

pub(crate) fn report() -> (DriftReport, Sources) {
    let (sources, web, accept) = sources();
    let text = |it: &str| Some(Value::string(it));
    let dns = |it: &[&str]| {
        Some(Value::list(Type::String, it.iter().map(|it| Value::string(*it)).collect()))
    };
    let changed = Finding {
        attributes: vec![
            moved("dns", dns(&["9.9.9.9"]), dns(&["9.9.9.9", "8.8.8.8"])),
            moved("labels[\"tier\"]", text("web"), text("db")),
            moved("motd", text("one\ntwo\n"), text("one\nthree\n")),
            MovedAttribute { sensitive: true, ..moved("password", text(SECRET), text("hunter2+")) },
            moved("restart", None, text("always")),
        ],
        why: vec![
            "An apply would set it back in place.".into(),
            "docker_network.lab leans on it.".into(),
        ],
        repair: Some(Action::Update),
        span: Some(web),
        ..finding(Class::Changed, "docker_container.web")
    };
    let until = |until: Option<&str>, reason: &str| Accepted {
        reason: reason.into(),
        until: until.map(Into::into),
        span: accept,
    };
    let accepted = Finding {
        attributes: vec![moved("memory", Some(Value::from(256)), Some(Value::from(512)))],
        standing: Standing::Accepted(until(Some("2026-12-31"), HOSTILE)),
        ..finding(Class::Changed, "docker_container.db[0]")
    };
    let quiet = Finding {
        attributes: vec![moved("uptime", text("1"), text("2"))],
        standing: Standing::Quiet,
        ..finding(Class::Changed, "docker_container.db[1]")
    };
    let expired = Finding {
        standing: Standing::Expired(until(Some("2026-01-31"), "until the move")),
        repair: Some(Action::Create),
        pending: true,
        ..finding(Class::Deleted, "module.m[\"a b\"].docker_network.lab")
    };
    let foreign = Finding {
        why: vec!["Nobody declared it, and it is attached to our network.".into()],
        ..finding(Class::Foreign, &format!("docker_container:{HOSTILE}"))
    };
    let ignored = Finding {
        standing: Standing::Ignored,
        ..finding(Class::Foreign, "docker_container:ci-17")
    };
    let undeclared = Finding {
        attributes: vec![moved("log_opts", text(HOSTILE), None)],
        span: Some(web),
        ..finding(Class::Undeclared, "docker_container.web")
    };
    let report = DriftReport {
        when: "2026-11-05T12:00:00Z".into(),
        workspace: "prod".into(),
        lineage: "11111111-2222-3333-4444-555555555555".into(),
        serial: 7,
        looked: 9,
        findings: vec![accepted, quiet, changed, expired, ignored, foreign, undeclared],
        pending: vec![
            Pending { address: "docker_image.base".into(), action: Action::Create },
            Pending {
                address: "docker_container.web".into(),
                action: Action::Replace(ReplaceOrder::DeleteFirst),
            },
        ],
        notes: vec![Diagnostic::warning("Accepted drift is not there", HOSTILE).at(accept)],
    };
    (report, sources)
}

/// A report of which nothing counts.
pub(crate) fn nothing() -> (DriftReport, Sources) {
    let (report, sources) = report();
    let report = DriftReport {
        findings: Vec::new(),
        pending: Vec::new(),
        notes: Vec::new(),
        looked: 1,
        ..report
    };
    (report, sources)
}

/// A span of sources that are not ours.
pub(crate) fn stray() -> Span {
    Span::new(FileId::unique(), 3, 4)
}
