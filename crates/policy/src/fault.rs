//! What is wrong with a policy, and where: read from what the interpreter says.

use crate::Text;

/// A policy that cannot be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong.
    pub message: String,
    /// The text at fault, by its path, and the byte of it.
    pub place: Option<(String, usize)>,
}

impl Fault {
    /// A fault of no text, or of several.
    pub(crate) fn new(message: impl Into<String>) -> Fault {
        Fault { message: message.into(), place: None }
    }

    /// A fault of a whole text.
    pub(crate) fn of(path: &str, message: impl Into<String>) -> Fault {
        Fault { message: message.into(), place: Some((path.to_owned(), 0)) }
    }

    /// What the interpreter says:
    ///
    /// ```text
    /// --> lab.rego:3:5
    ///   |
    /// 3 |   x :=
    ///   |     ^
    /// error: what is wrong
    /// ```
    ///
    /// The first of such places counts; others that follow belong to its story.
    pub(crate) fn said<'a>(said: &str, texts: impl IntoIterator<Item = &'a Text>) -> Fault {
        let plain = || Fault::new(said.trim());
        let Some((_, rest)) = said.split_once("--> ") else { return plain() };
        let Some((place, rest)) = rest.split_once('\n') else { return plain() };
        let Some((_, message)) = rest.split_once("error: ") else { return plain() };
        let message = message.split("\n-->").next().unwrap_or_default();
        let message = message.trim().trim_end_matches(':').to_owned();
        let mut parts = place.trim().rsplitn(3, ':');
        let (column, line, path) = (parts.next(), parts.next(), parts.next());
        let number = |it: Option<&str>| it.and_then(|it| it.parse::<usize>().ok());
        let text = texts.into_iter().find(|it| Some(&*it.path) == path);
        let place = match (text, number(line), number(column)) {
            (Some(text), Some(line), Some(column)) => {
                Some((text.path.clone(), byte(&text.text, line, column)))
            }
            _ => None,
        };
        Fault { message, place }
    }
}

/// Lines and columns are counted from 1.
fn byte(text: &str, line: usize, column: usize) -> usize {
    let before: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let line = text[before..].lines().next().unwrap_or_default();
    let inside = line.char_indices().nth(column.saturating_sub(1));
    before + inside.map_or(line.len(), |it| it.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_found() {
        let text = Text { path: "a:b.rego".into(), text: "package ä\nß x\n".into() };
        let said =
            "\n--> a:b.rego:2:3\n  |\n2 | ß x\n  |   ^\nerror: no:\n--> a:b.rego:1:1\nerror: y";
        let want = Fault { message: "no".into(), place: Some(("a:b.rego".into(), 14)) };
        assert_eq!(Fault::said(said, [&text]), want);
        assert_eq!(&text.text[14..], "x\n");
    }

    #[test]
    fn what_has_no_place_is_kept_whole() {
        assert_eq!(Fault::said(" value conflict\n", []), Fault::new("value conflict"));
        assert_eq!(byte("a\nb", 9, 9), 3);
    }
}
