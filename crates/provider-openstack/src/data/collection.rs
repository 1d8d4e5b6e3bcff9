//! Looking one object up in a collection of Neutron, or the identifiers of all that fit.

use plumb_model::value::Value;
use plumb_provider::Failure;
use serde_json::Value as Json;

use crate::cloud::Cloud;
use crate::json::{self, Attrs, str_at};
use crate::neutron::escaped;
use crate::plan::Rules;
use crate::session::Service;
use crate::stamp;
use crate::table::Field;

/// A collection.
pub(crate) struct Collection {
    /// `/networks`.
    pub(crate) path: &'static str,
    /// `networks`.
    pub(crate) many: &'static str,
    /// For messages: `network`.
    pub(crate) noun: &'static str,
}

/// All objects that fit what is written. A row that has a key and may be written is a filter;
/// `more` are others, ready to be sent.
pub(crate) async fn matching<R: Rules>(
    cloud: &Cloud,
    collection: &Collection,
    config: &Value,
    more: Vec<String>,
) -> Result<Vec<Json>, Failure> {
    let mut query = more;
    for field in &R::table().fields {
        if let (Some(key), Some(value)) = (field.key, written(field, config)) {
            // Ours end in a stamp.
            if field.name == "description" {
                continue;
            }
            let several: Vec<String> =
                value.values().map(|it| json::text(&json::to_json(it))).collect();
            let text = match value.as_slice() {
                Some(_) => several.join(","),
                None => json::text(&json::to_json(value)),
            };
            query.push(format!("{key}={}", escaped(&text)));
        }
    }
    let path = format!("{}?{}", collection.path, query.join("&"));
    let found = cloud.session.list(Service::Network, &path, collection.many).await;
    let mut found = found.map_err(|it| it.failure(&format!("look for the {}", collection.noun)))?;
    if let Some(text) = asked(config, "description") {
        found.retain(|it| stamp::off(str_at(it, "description")) == text);
    }
    Ok(found)
}

/// The text that is written for an argument.
pub(crate) fn asked<'a>(config: &'a Value, name: &str) -> Option<&'a str> {
    config.get_attr(name)?.as_str().filter(|it| !it.is_empty())
}

/// What a row asks for.
fn written<'a>(field: &Field, config: &'a Value) -> Option<&'a Value> {
    let value = config.get_attr(field.name).filter(|it| it.is_present())?;
    let nothing = value.as_str() == Some("") || value.as_slice().is_some() && value.is_empty();
    (!nothing && !field.unsent).then_some(value)
}

/// The only one, or why there is none.
pub(crate) fn only<T>(
    mut found: Vec<T>,
    noun: &str,
    name: impl Fn(&T) -> String,
) -> Result<T, Failure> {
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => {
            let detail = "Nothing fits all of the arguments. Change or leave out some.";
            Err(Failure::new(format!("Your query returned no {noun}"), detail))
        }
        many => {
            let names: Vec<String> = found.iter().take(5).map(name).collect();
            let more = if many > names.len() { ", …" } else { "" };
            let detail = format!(
                "{many} fit: {}{more}. Say more, or give the identifier of the one that is meant.",
                names.join(", ")
            );
            Err(Failure::new(format!("Your query returned more than one {noun}"), detail))
        }
    }
}

/// `lab (0b8c…)`.
pub(crate) fn name_and_id(it: &Json) -> String {
    format!("{} ({})", str_at(it, "name"), str_at(it, "id"))
}

/// The attributes of what was found. What was asked for and the service does not tell stays as it
/// was asked for.
pub(crate) fn told<R: Rules>(cloud: &Cloud, mut json: Json, config: &Value) -> Attrs {
    stamp::hide(&mut json);
    let mut attrs = R::table().read(&json);
    for field in &R::table().fields {
        let asked = config.get_attr(field.name).filter(|it| it.is_present());
        if let (None, Some(asked)) = (attrs.get(field.name).filter(|it| it.is_present()), asked) {
            json::set(&mut attrs, field.name, asked.clone());
        }
    }
    json::set(&mut attrs, "region", cloud.region());
    attrs
}
