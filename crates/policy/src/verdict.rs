//! What a rule gave, as verdicts.

use std::collections::BTreeSet;

use regorus::Value;

use crate::address::address_in;
use crate::rules::Rule;

/// What follows from a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ruling {
    /// It must not be.
    Refused,
    /// A person should look.
    Warned,
}

/// One thing that a policy has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it stops the work.
    pub ruling: Ruling,
    /// The rule, with its package: `main.deny`.
    pub rule: String,
    /// The file that the rule is in.
    pub file: String,
    /// What the rule says.
    pub message: String,
    /// What it is about, if that can be told.
    pub address: Option<String>,
    /// What else the rule gave, if it is plain: `("severity", "high")`.
    pub details: Vec<(String, String)>,
}

/// Fields in which rules put more fields.
const OUTER: [&str; 2] = ["metadata", "details"];
/// Fields in which rules say what it is about, the best first.
const ABOUT: [&str; 4] = ["address", "resource_address", "resource", "resource_name"];

/// Verdicts of the value of a rule, or why it cannot be understood.
pub(crate) fn verdicts(
    rule: &Rule,
    value: &Value,
    addresses: &BTreeSet<String>,
) -> Result<Vec<Verdict>, String> {
    let one = |it: &Value| verdict(rule, it, addresses);
    match value {
        Value::Set(items) => items.iter().map(one).collect(),
        Value::Array(items) => items.iter().map(one).collect(),
        Value::Undefined | Value::Null | Value::Bool(false) => Ok(Vec::new()),
        Value::Bool(true) => {
            let message = Value::from(format!("The rule {} holds.", rule.name));
            one(&message).map(|it| vec![it])
        }
        // `deny[msg] if { … }`: an object of messages that are true.
        Value::Object(fields) if fields.iter().all(|it| *it.1 == Value::Bool(true)) => {
            fields.iter().map(|it| one(it.0)).collect()
        }
        other => one(other).map(|it| vec![it]),
    }
}

fn verdict(rule: &Rule, value: &Value, addresses: &BTreeSet<String>) -> Result<Verdict, String> {
    let message = match value {
        Value::String(text) => Some(text),
        Value::Object(_) => match &value["msg"] {
            Value::String(text) => Some(text),
            _ => None,
        },
        _ => None,
    };
    let Some(message) = message else {
        let shown = value.to_json_str().unwrap_or_default();
        let shown: String = shown.split_whitespace().collect::<Vec<_>>().join(" ");
        let shown: String = shown.chars().take(200).collect();
        return Err(format!(
            "The rule {} gave {shown}. It has to give messages, or objects with a text called msg.",
            rule.name
        ));
    };
    let inside = OUTER.iter().map(|it| &value[*it]);
    let objects: Vec<&Value> = std::iter::once(value).chain(inside).collect();
    let named: Vec<&str> = ABOUT
        .iter()
        .flat_map(|name| objects.iter().map(move |it| &it[*name]))
        .filter_map(|it| text(it).or_else(|| text(&it["address"])))
        .collect();
    let known = named.iter().copied().find(|it| addresses.contains(*it));
    let about = known
        .or_else(|| named.iter().find_map(|it| address_in(it, addresses)))
        .or_else(|| address_in(message, addresses));
    Ok(Verdict {
        ruling: rule.ruling,
        rule: format!("{}.{}", rule.package, rule.name),
        file: rule.file.clone(),
        message: message.trim().to_owned(),
        address: about.map(str::to_owned),
        details: objects.iter().flat_map(|it| details(it)).collect(),
    })
}

fn text(value: &Value) -> Option<&str> {
    value.as_string().ok().map(|it| &**it)
}

fn details(value: &Value) -> Vec<(String, String)> {
    let Ok(fields) = value.as_object() else { return Vec::new() };
    let plain = fields.iter().filter_map(|(name, value)| {
        let name = text(name).filter(|it| *it != "msg" && !ABOUT.contains(it))?;
        let value = match value {
            Value::String(text) => text.to_string(),
            Value::Number(_) | Value::Bool(_) => value.to_json_str().ok()?,
            _ => return None,
        };
        Some((name.to_owned(), value))
    });
    plain.collect()
}
