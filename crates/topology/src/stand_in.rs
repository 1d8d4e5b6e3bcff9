//! Texts that stand for what is not known yet.
//!
//! The id of an object that is still to be made is unknown, so nothing could refer to it. Whoever
//! asks providers for pieces puts a stand-in there: a text that names the object and the attribute,
//! equal wherever the attribute is referred to, and never shown.

/// Opens and separates; private use, so that nothing real has it.
const MARK: char = '\u{E0F1}';

/// What stands for an attribute of an object.
pub fn stand_in(object: &str, attribute: &str) -> String {
    format!("{MARK}{object}{MARK}{attribute}{MARK}")
}

/// Whether a text is a stand-in, or has one in it.
pub fn is_stand_in(text: &str) -> bool {
    text.contains(MARK)
}

/// A text as it may be shown; none: it is not known yet.
pub fn shown(text: &str) -> Option<&str> {
    (!text.is_empty() && !is_stand_in(text)).then_some(text)
}
