//! The name of the call that made an object, at the end of its description: Neutron takes tags only
//! from a second request, and between the two a process can die.

use plumb_model::state::Token;
use serde_json::{Map, Value as Json};

const BEFORE: &str = "[plumb ";
const AFTER: &str = "]";

/// Longer descriptions are refused.
const LENGTH_MAX: usize = 255;

/// A description with the stamp.
pub(crate) fn on(description: Option<&str>, token: Token) -> String {
    let stamp = format!("{BEFORE}{token}{AFTER}");
    match description.filter(|it| !it.is_empty()) {
        Some(text) => {
            let room = LENGTH_MAX - 1 - stamp.len();
            format!("{} {stamp}", text.chars().take(room).collect::<String>())
        }
        None => stamp,
    }
}

/// Whether a description that was stamped has to be told again, because it was cut to make room.
pub(crate) fn cuts(description: &str) -> bool {
    // A token has at most 16 digits, a hyphen and 10 digits.
    description.chars().count() + 1 + BEFORE.len() + 27 + AFTER.len() > LENGTH_MAX
}

/// Stamps a request.
pub(crate) fn put(body: &mut Map<String, Json>, token: Token) {
    let written = body.get("description").and_then(Json::as_str);
    let stamped = on(written, token);
    body.insert("description".to_owned(), stamped.into());
}

/// A description as its owner wrote it.
pub(crate) fn off(description: &str) -> &str {
    let Some(text) = description.strip_suffix(AFTER) else { return description };
    match text.rfind(BEFORE) {
        Some(start) if is_token(&text[start + BEFORE.len()..]) => {
            text[..start].trim_end_matches(' ')
        }
        _ => description,
    }
}

/// Takes the stamp from an answer.
pub(crate) fn hide(json: &mut Json) {
    if let Some(Json::String(text)) = json.get_mut("description") {
        *text = off(text).to_owned();
    }
}

fn is_token(text: &str) -> bool {
    let (run, step) = text.split_once('-').unwrap_or_default();
    run.len() == 16
        && run.bytes().all(|it| it.is_ascii_hexdigit())
        && !step.is_empty()
        && step.bytes().all(|it| it.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_goes_on_and_off() {
        let token = Token { run: 0xabc, step: 7 };
        for text in ["", "a net", "ends in ]", "[plumb x]"] {
            let stamped = on(Some(text), token);
            assert!(stamped.ends_with("[plumb 0000000000000abc-7]"), "{stamped}");
            assert_eq!(off(&stamped), text);
            assert_eq!(off(text), text);
        }
        let long = "ä".repeat(240);
        let stamped = on(Some(&long), token);
        assert_eq!(stamped.chars().count(), LENGTH_MAX);
        assert!(long.starts_with(off(&stamped)) && cuts(&long) && !cuts("short"));
    }
}
