//! What a person reads, and what machines do: a line, or an object, for each piece of news.

use std::time::Duration;

use plumb_diag::Sources;
use plumb_drift::{Finding, MovedAttribute};
use plumb_model::addr::ObjectKey;
use plumb_model::value::Value;
use plumb_model::value::json::to_json;
use plumb_report::{finding_json, moved_json};
use plumb_watch::{Fight, Held, News, Status};
use serde_json::{Value as Json, json};

/// How many characters of a value a line shows.
const SHOWN_MAX: usize = 60;

/// What kind of news, as JSON, webhooks and metrics call it.
pub(crate) fn kind(news: &News) -> &'static str {
    match news {
        News::Drifted(_) => "drifted",
        News::Settled(_) => "settled",
        News::Repairing(_) => "repairing",
        News::Repaired(_) => "repaired",
        News::NotRepaired { .. } => "not_repaired",
        News::Held { .. } => "held",
        News::Fighting(_) => "fighting",
        News::Resumed(_) => "resumed",
        News::BudgetSpent(_) => "budget_spent",
        News::BudgetFree => "budget_free",
        News::Waiting(_) => "waiting",
        News::Blind { .. } => "blind",
        News::Sees => "sees",
        News::Status { .. } => "status",
    }
}

/// Whether somebody should look at it.
pub(crate) fn is_warning(news: &News) -> bool {
    match news {
        News::Drifted(_)
        | News::NotRepaired { .. }
        | News::Held { .. }
        | News::Fighting(_)
        | News::BudgetSpent(_)
        | News::Blind { .. } => true,
        News::Settled(_)
        | News::Repairing(_)
        | News::Repaired(_)
        | News::Resumed(_)
        | News::BudgetFree
        | News::Waiting(_)
        | News::Sees
        | News::Status { .. } => false,
    }
}

/// In a sentence or two.
pub(crate) fn text(news: &News) -> String {
    match news {
        News::Drifted(it) => drifted(it),
        News::Settled(it) => format!("{} no longer drifts ({}).", it.address, it.class.name()),
        News::Repairing(them) if them.is_empty() => {
            "What an earlier run left undone is looked into.".to_owned()
        }
        News::Repairing(them) => format!("Repairing {}.", listed(them)),
        News::Repaired(key) => format!("{key} is repaired."),
        News::NotRepaired { key, why, again_ms } => match again_ms {
            Some(ms) => format!("{key} could not be repaired, next try in {}. {why}", span(*ms)),
            None => format!("{key} could not be repaired. {why}"),
        },
        News::Held { key, held } => format!("{key} is not repaired: {}", reason(key, held)),
        News::Fighting(it) => fight(it),
        News::Resumed(key) => format!("{key} is repaired again from now on."),
        News::BudgetSpent(ms) => format!(
            "As many changes were made as -budget allows in an hour. Nothing is repaired for {}; \
             drift is still told.",
            span(*ms)
        ),
        News::BudgetFree => "Repairs go on: changes may be made again.".to_owned(),
        News::Waiting(holder) => format!("The state is in use by {holder}. Waiting."),
        News::Blind { why, again_ms } => {
            format!("The look failed, next try in {}. {why}", span(*again_ms))
        }
        News::Sees => "Looks succeed again.".to_owned(),
        News::Status { from, to } => format!("Status: {}, was {}.", named(*to), named(*from)),
    }
}

/// A status as people say it.
pub(crate) fn named(status: Status) -> &'static str {
    match status {
        Status::Starting => "starting",
        Status::InSync => "in sync",
        Status::Drifted => "drifted",
        Status::Fighting => "fighting",
        Status::Blind => "blind",
    }
}

fn drifted(finding: &Finding) -> String {
    let mut res = format!("{} drifted ({})", finding.address, finding.class.name());
    let moved: Vec<String> = finding.attributes.iter().map(moved).collect();
    if !moved.is_empty() {
        res += &format!(": {}", moved.join(", "));
    }
    res.push('.');
    for it in &finding.why {
        res += &format!(" {it}");
    }
    res
}

fn moved(it: &MovedAttribute) -> String {
    format!("{} {} -> {}", it.path, shown(it, it.before.as_ref()), shown(it, it.after.as_ref()))
}

fn shown(attribute: &MovedAttribute, value: Option<&Value>) -> String {
    match value {
        _ if attribute.sensitive => "(sensitive)".to_owned(),
        None => "(none)".to_owned(),
        Some(it) => {
            let text = to_json(it);
            match text.char_indices().nth(SHOWN_MAX) {
                Some((end, _)) => format!("{}…", &text[..end]),
                None => text,
            }
        }
    }
}

fn fight(it: &Fight) -> String {
    let over = match &it.attribute {
        Some(attribute) => format!(
            "{}: we set it to {}, somebody sets it to {}",
            attribute.path,
            shown(attribute, attribute.before.as_ref()),
            shown(attribute, attribute.after.as_ref())
        ),
        None => "we make it, somebody deletes it".to_owned(),
    };
    format!(
        "Somebody fights with us over {} ({over}; {} times). It is no longer repaired: find out \
         who that is, or declare the other value. A changed configuration or SIGHUP starts repairs \
         again.",
        it.key, it.times
    )
}

fn reason(key: &ObjectKey, held: &Held) -> String {
    match held {
        Held::Destroys(them) if them.iter().eq([key]) => {
            "it would be deleted or replaced, and -allow-destroy was not given.".to_owned()
        }
        Held::Destroys(them) => format!(
            "{} would be deleted or replaced, and -allow-destroy was not given.",
            listed(them)
        ),
        Held::TooMany { needs, budget } => {
            format!("that takes {needs} changes, and -budget allows {budget} in an hour.")
        }
        Held::Pending(them) => format!(
            "the configuration asks for other changes first, at {}. Run plumb apply.",
            listed(them)
        ),
        Held::Failed => {
            "it failed too often. It is tried again in an hour, when the configuration \
                         changes, or on SIGHUP."
                .to_owned()
        }
    }
}

fn listed(them: &[ObjectKey]) -> String {
    let names: Vec<String> = them.iter().take(10).map(ToString::to_string).collect();
    let more = them.len().saturating_sub(10);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", names.join(", "))
}

fn span(ms: u64) -> String {
    match Duration::from_millis(ms) {
        it if it.as_secs() >= 120 => format!("{} min", it.as_secs() / 60),
        it if it.as_secs() >= 1 => format!("{} s", it.as_secs()),
        it => format!("{} ms", it.as_millis()),
    }
}

/// What there is to know of it besides its text. Findings are what `plumb drift -json` says.
fn details(news: &News, sources: &Sources) -> Json {
    let address = |key: &ObjectKey| key.to_string();
    match news {
        News::Drifted(it) => json!({ "finding": written(&finding_json(it, sources)) }),
        // It was found in files that may have changed since: no place is better than a wrong one.
        News::Settled(it) => {
            json!({ "finding": written(&finding_json(it, &Sources::default())) })
        }
        News::Repairing(them) => {
            json!({ "addresses": them.iter().map(address).collect::<Vec<_>>() })
        }
        News::Repaired(key) | News::Resumed(key) => json!({ "address": address(key) }),
        News::NotRepaired { key, why, again_ms } => {
            json!({ "address": address(key), "reason": &**why, "retry_ms": again_ms })
        }
        News::Held { key, held } => {
            json!({ "address": address(key), "reason": reason(key, held) })
        }
        News::Fighting(it) => json!({
            "address": address(&it.key),
            "class": it.class.name(),
            "attribute": it.attribute.as_ref().map(|it| written(&moved_json(it))),
            "times": it.times,
        }),
        News::BudgetSpent(ms) => json!({ "resumes_ms": ms }),
        News::Waiting(holder) => json!({ "holder": &**holder }),
        News::Blind { why, again_ms } => json!({ "reason": &**why, "retry_ms": again_ms }),
        News::Status { from, to } => json!({ "from": from.name(), "to": to.name() }),
        News::BudgetFree | News::Sees => json!({}),
    }
}

/// What the report crate wrote, to stand in a larger document.
fn written(json: &str) -> Json {
    serde_json::from_str(json).unwrap_or(Json::Null)
}

/// The line of one piece of news.
pub(crate) fn line(news: &News, sources: &Sources, now: &str, as_json: bool) -> String {
    if !as_json {
        return said(&text(news), now);
    }
    let level = if is_warning(news) { "warn" } else { "info" };
    let line = json!({
        "@level": level,
        "@message": text(news),
        "@module": "plumb.watch",
        "@timestamp": now,
        "type": format!("watch_{}", kind(news)),
        "watch": details(news, sources),
    });
    format!("{line}\n")
}

/// The line of something that happens to the watch itself.
pub(crate) fn note(text: &str, now: &str, as_json: bool) -> String {
    if !as_json {
        return said(text, now);
    }
    let line = json!({
        "@level": "info",
        "@message": text,
        "@module": "plumb.watch",
        "@timestamp": now,
        "type": "watch_note",
    });
    format!("{line}\n")
}

/// A line for people.
fn said(text: &str, now: &str) -> String {
    // To the second.
    let when = now.get(..19).unwrap_or(now);
    format!("{when}Z {text}\n")
}

/// What a webhook is sent.
pub(crate) fn message(
    news: &News,
    sources: &Sources,
    now: &str,
    workspace: &str,
    status: Status,
) -> String {
    let message = json!({
        "version": 1,
        "event": kind(news),
        "time": now,
        "workspace": workspace,
        "status": status.name(),
        "text": text(news),
        "details": details(news, sources),
    });
    message.to_string()
}
