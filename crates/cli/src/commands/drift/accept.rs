//! `drift -accept`: writes what was found into `drift.plumb.hcl`, and leaves every other byte of it
//! as it is.

use std::fmt::Write;
use std::sync::Arc;

use plumb_diag::{Diagnostic, Diagnostics, Sources};
use plumb_drift::{DriftReport, Finding, matches_address};
use plumb_lang::syntax::{self, Item};

/// The file that holds accepted drift.
pub(crate) const FILE: &str = "drift.plumb.hcl";

/// How long drift is accepted if nobody says until when.
const DAYS: u64 = 30;

/// What a person said of the drift that is accepted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Said<'a> {
    /// Why.
    pub(crate) reason: &'a str,
    /// The last day; none: for good.
    pub(crate) expires: Option<&'a str>,
}

/// The findings that are accepted by these addresses: those that count.
///
/// # Errors
/// If an address names nothing that counts.
pub(crate) fn chosen<'a>(
    report: &'a DriftReport,
    addresses: &[String],
) -> Result<Vec<&'a Finding>, Diagnostics> {
    let mut errors = Diagnostics::new();
    let mut res: Vec<&Finding> = Vec::new();
    for address in addresses {
        let found = report.counting().filter(|it| matches_address(address, &it.address));
        let before = res.len();
        for it in found {
            if !res.iter().any(|known| std::ptr::eq(*known, it)) {
                res.push(it);
            }
        }
        if res.len() == before && !report.findings.iter().any(|it| *it.address == **address) {
            let known: Vec<&str> = report.counting().map(|it| &*it.address).collect();
            let detail = match known.is_empty() {
                true => "There is no drift that counts.".to_owned(),
                false => format!("What moved: {}.", known.join(", ")),
            };
            let summary = format!("There is no drift at {address}");
            errors.push(Diagnostic::error(summary, detail));
        }
    }
    if errors.is_empty() { Ok(res) } else { Err(errors) }
}

/// The last day on which it is accepted, as an option says it.
pub(crate) fn last_day(
    text: Option<&str>,
    today: chrono::NaiveDate,
) -> Result<Option<String>, Diagnostics> {
    match text {
        Some("never") => Ok(None),
        Some(text) => match chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d") {
            Ok(day) if day < today => {
                let detail = format!("{text} is over: the drift would count again at once.");
                Err(vec![Diagnostic::error("Invalid value for -expires", detail)])
            }
            Ok(day) => Ok(Some(day.to_string())),
            Err(_) => {
                let detail = format!("{text:?} is neither a day such as \"2026-12-31\" nor never.");
                Err(vec![Diagnostic::error("Invalid value for -expires", detail)])
            }
        },
        None => Ok(today.checked_add_days(chrono::Days::new(DAYS)).map(|it| it.to_string())),
    }
}

/// The text of the file once these findings are accepted. A block of the same address, classes and
/// attributes is replaced; all others stay as they are.
pub(crate) fn accepted(old: &str, findings: &[&Finding], said: Said<'_>) -> String {
    let mut text = old.to_owned();
    for finding in findings {
        let block = block(finding, said);
        match place_of(&text, finding) {
            Some(range) => text.replace_range(range, &block),
            None => {
                let ending = if text.contains("\r\n") { "\r\n" } else { "\n" };
                if !text.is_empty() {
                    let missing = if text.ends_with('\n') { "" } else { ending };
                    text.push_str(missing);
                    text.push_str(ending);
                }
                text.push_str(&block.replace('\n', ending));
                text.push_str(ending);
            }
        }
    }
    text
}

/// Where the block stands that accepts just this.
fn place_of(text: &str, finding: &Finding) -> Option<std::ops::Range<usize>> {
    let mut sources = Sources::default();
    let file = sources.add(FILE, text);
    let (module, _) = plumb_lang::config::decode_texts([(FILE, file, text)]);
    let same = module.accepts.iter().find(|it| {
        *it.address == *finding.address
            && it.classes.iter().map(|it| &**it).eq([finding.class.name()])
            && it.attributes == paths(finding)
    })?;
    let tree = syntax::parse(file, text).body;
    let block = tree.items.into_iter().find_map(|it| match it {
        Item::Block(block) if block.header_span() == same.span => Some(block),
        _ => None,
    })?;
    Some(block.kind.span.start as usize..block.close_span.end as usize)
}

fn paths(finding: &Finding) -> Vec<Arc<str>> {
    finding.attributes.iter().map(|it| it.path.clone()).collect()
}

/// The block that accepts a finding, formatted, without the line's end.
fn block(finding: &Finding, said: Said<'_>) -> String {
    let mut lines = vec![("classes", format!("[{}]", quoted(finding.class.name())))];
    let paths: Vec<String> = paths(finding).iter().map(|it| quoted(it)).collect();
    if !paths.is_empty() {
        lines.push(("attributes", format!("[{}]", paths.join(", "))));
    }
    lines.push(("reason", quoted(said.reason)));
    lines.extend(said.expires.map(|it| ("expires", quoted(it))));
    let width = lines.iter().map(|it| it.0.len()).max().unwrap_or(0);
    let mut res = format!("accept {} {{\n", quoted(&finding.address));
    for (name, value) in lines {
        let _ = writeln!(res, "  {name:width$} = {value}");
    }
    res.push('}');
    res
}

/// A text as the language writes it.
fn quoted(text: &str) -> String {
    let mut res = String::from("\"");
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' => res.push_str("\\\""),
            '\\' => res.push_str("\\\\"),
            '\n' => res.push_str("\\n"),
            '\r' => res.push_str("\\r"),
            '\t' => res.push_str("\\t"),
            '$' | '%' if chars.peek() == Some(&'{') => res.extend([c, c]),
            c if c.is_control() => _ = write!(res, "\\u{:04X}", u32::from(c)),
            c => res.push(c),
        }
    }
    res.push('"');
    res
}

#[cfg(test)]
mod tests {
    use plumb_drift::{Class, MovedAttribute, Standing};

    use super::*;

    fn finding(address: &str, paths: &[&str]) -> Finding {
        let moved = |path: &&str| MovedAttribute {
            path: (*path).into(),
            before: None,
            after: None,
            sensitive: false,
        };
        Finding {
            class: Class::Changed,
            address: address.into(),
            key: None,
            kind: "a".parse_kind(),
            provider: Arc::new(
                r#"provider["terraform.io/builtin/terraform"]"#.parse().expect("an address"),
            ),
            id: "".into(),
            attributes: paths.iter().map(moved).collect(),
            why: Vec::new(),
            repair: None,
            pending: false,
            first_seen: "".into(),
            span: None,
            standing: Standing::Counts,
        }
    }

    trait ParseKind {
        fn parse_kind(&self) -> plumb_model::addr::Kind;
    }

    impl ParseKind for str {
        fn parse_kind(&self) -> plumb_model::addr::Kind {
            plumb_model::addr::Kind(self.into())
        }
    }

    #[test]
    fn every_other_byte_stays() {
        let old = "# ours\naccept \"a.b\" {   # known\n  reason = \"x\"\n}\n\n\n/* end */";
        let it = finding("c.d[\"${k}\"]", &["labels[\"a.b\"]", "memory"]);
        let said = Said { reason: "Ticket \"7\"\n${x}", expires: Some("2026-12-31") };
        let new = accepted(old, &[&it], said);
        assert!(new.starts_with(old), "{new}");
        let again = Said { reason: "longer", expires: None };
        let twice = accepted(&new, &[&it], again);
        assert!(twice.starts_with(old), "{twice}");
        assert_eq!(twice.matches("accept ").count(), 2, "{twice}");
        assert!(!twice.contains("Ticket"), "{twice}");
        let mut sources = Sources::default();
        let file = sources.add(FILE, &*new);
        let (module, errors) = plumb_lang::config::decode_texts([(FILE, file, &*new)]);
        assert!(errors.is_empty(), "{errors:?}");
        assert_eq!(&*module.accepts[1].reason, "Ticket \"7\"\n${x}");
        assert_eq!(&*module.accepts[1].address, "c.d[\"${k}\"]");
        assert_eq!(module.accepts[1].attributes, paths(&it));
    }

    #[test]
    fn days() {
        let today = chrono::NaiveDate::from_ymd_opt(2026, 11, 26).expect("a day");
        let day = |it| last_day(it, today);
        assert_eq!(day(None), Ok(Some("2026-12-26".into())));
        assert_eq!(day(Some("never")), Ok(None));
        assert_eq!(day(Some("2026-11-26")), Ok(Some("2026-11-26".into())));
        assert!(day(Some("2026-11-25")).is_err());
        assert!(day(Some("soon")).is_err());
    }
}
