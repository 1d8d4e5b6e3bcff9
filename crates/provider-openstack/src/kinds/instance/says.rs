//! What a change means for those who use the server.

use std::sync::Arc;

use plumb_model::value::Value;

use crate::plan::Planned;

/// A sentence for each thing that they notice.
pub(super) fn says(prior: &Value, planned: &Planned) -> Vec<Arc<str>> {
    let changes = |names: &[&str]| names.iter().any(|it| prior.get_attr(it) != planned.get(it));
    let mut says: Vec<&str> = Vec::new();
    if !planned.replace.is_empty() {
        return Vec::new();
    }
    if changes(&["image_id", "image_name"]) {
        says.extend([
            "it is rebuilt from the image and is down meanwhile: what is on its disk is lost",
            "its identifier, ports and addresses stay",
        ]);
    }
    if changes(&["flavor_id", "flavor_name"]) {
        says.extend([
            "it is resized and started again, perhaps on another host: it is down for a moment",
            "its disk, ports and addresses stay",
        ]);
    }
    if changes(&["power_state"]) {
        says.push(match planned.get("power_state").and_then(Value::as_str).unwrap_or_default() {
            "active" => "it runs again",
            "shutoff" => "it is shut down: nobody reaches it; its addresses stay",
            "paused" => "it stands still with its memory kept: nobody reaches it",
            "suspended" => "its memory is written to disk and it stands still: nobody reaches it",
            "shelved_offloaded" => {
                "it is shut down and gives up its host; its disk is kept as an image, its addresses stay"
            }
            "rescued" => "it boots from a rescue image: what it serves is not there meanwhile",
            _ => "its power state changes",
        });
    }
    says.into_iter().map(Arc::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_noticed() {
        let server = |image: &str, flavor: &str, power: &str| {
            Value::object([
                ("image_id", Value::string(image)),
                ("image_name", Value::string(image)),
                ("flavor_id", Value::string(flavor)),
                ("flavor_name", Value::string(flavor)),
                ("power_state", Value::string(power)),
            ])
        };
        let prior = server("a", "s", "active");
        let said = |planned: Value| {
            let attrs = planned.as_map().unwrap().clone();
            let planned =
                Planned { attrs, replace: Vec::new(), delete_first: false, says: Vec::new() };
            says(&prior, &planned).join("; ")
        };
        assert_eq!(said(prior.clone()), "");
        assert!(said(server("b", "s", "active")).starts_with("it is rebuilt"));
        assert!(said(server("a", "m", "active")).starts_with("it is resized"));
        let both = said(server("a", "m", "shutoff"));
        assert!(both.contains("resized") && both.contains("shut down"), "{both}");
    }
}
