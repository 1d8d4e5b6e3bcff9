//! Which rules are asked: by their names, in the packages that were named.

use std::collections::BTreeSet;

use regorus::Engine;

use crate::verdict::Ruling;
use crate::{Fault, Namespaces, Text};

/// A rule that judges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) ruling: Ruling,
    /// Its package, as it is written behind `package`.
    pub(crate) package: String,
    /// `deny`, `warn_tags`
    pub(crate) name: String,
    /// What is evaluated: `data.main.deny`.
    pub(crate) path: String,
    /// The rule of its package that says which rules do not count, if there is one.
    pub(crate) exception: Option<String>,
    /// The first file that has a part of it.
    pub(crate) file: String,
}

impl Rule {
    /// What stands behind `deny_`.
    pub(crate) fn suffix(&self) -> &str {
        self.name.split_once('_').map_or("", |it| it.1)
    }
}

/// All that judge. There is at least one: policies of which nobody is asked are a mistake.
pub(crate) fn rules(
    engine: &Engine,
    texts: &[Text],
    namespaces: &Namespaces,
) -> Result<Vec<Rule>, Fault> {
    let packages =
        engine.get_policy_package_components().map_err(|it| Fault::said(&it.to_string(), texts))?;
    let mut rules: Vec<Rule> = Vec::new();
    let mut exceptions = BTreeSet::new();
    let mut others = BTreeSet::new();
    for (package, text) in packages.iter().zip(texts) {
        let name = dotted(&package.components);
        let is_asked = match namespaces {
            Namespaces::All => true,
            Namespaces::Named(names) => names.contains(&name),
        };
        if !is_asked {
            others.insert(name);
            continue;
        }
        let names: BTreeSet<&str> = words(&text.text).collect();
        let declared = names.into_iter().filter(|it| {
            // The names come from the text; whether there is a rule of that name the parser knows.
            (*it == "exception" || ruling(it).is_some())
                && engine.has_declared_rule_rooted_at(&text.path, it).unwrap_or(false)
        });
        for rule in declared {
            let Some(ruling) = ruling(rule) else {
                exceptions.insert(name.clone());
                continue;
            };
            if rules.iter().any(|it| it.package == name && it.name == rule) {
                continue;
            }
            rules.push(Rule {
                ruling,
                package: name.clone(),
                name: rule.to_owned(),
                path: format!("data.{name}.{rule}"),
                exception: None,
                file: text.path.clone(),
            });
        }
    }
    for rule in &mut rules {
        let path = || format!("data.{}.exception", rule.package);
        rule.exception = exceptions.contains(&rule.package).then(path);
    }
    rules.sort_by(|a, b| (&a.package, &a.name).cmp(&(&b.package, &b.name)));
    if rules.is_empty() { Err(nobody(namespaces, &others)) } else { Ok(rules) }
}

fn nobody(namespaces: &Namespaces, others: &BTreeSet<String>) -> Fault {
    let names =
        |it: &BTreeSet<String>| it.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    let place = match namespaces {
        Namespaces::All => "any package".to_owned(),
        Namespaces::Named(them) if them.len() == 1 => format!("the package {}", names(them)),
        Namespaces::Named(them) => format!("the packages {}", names(them)),
    };
    let mut message = format!(
        "There is no rule called deny, violation or warn in {place}: nothing would be judged."
    );
    if !others.is_empty() {
        message += &format!(" There are the packages {}.", names(others));
    }
    Fault::new(message)
}

/// What a rule of this name does, if it judges.
fn ruling(name: &str) -> Option<Ruling> {
    let mut parts = name.split('_');
    let ruling = match parts.next()? {
        "deny" | "violation" => Ruling::Refused,
        "warn" => Ruling::Warned,
        _ => return None,
    };
    let is_plain = |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_alphanumeric());
    parts.all(is_plain).then_some(ruling)
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|it| !it.is_empty())
}

/// A package's name as it is written.
fn dotted(parts: &[String]) -> String {
    let mut out = String::new();
    for part in parts {
        let is_name = part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && part.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'_');
        match is_name {
            true if out.is_empty() => out.push_str(part),
            true => out.extend([".", part]),
            false => out += &format!("[{}]", serde_json::Value::from(part.as_str())),
        }
    }
    out
}
