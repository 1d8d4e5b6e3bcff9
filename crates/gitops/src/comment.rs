//! What a forge is told: one comment, within its limit, without secrets.

/// A comment, before it is made to fit.
#[derive(Clone, Copy, Debug)]
pub struct Comment<'a> {
    /// What it is of, to find it again: the context of the status.
    pub context: &'a str,
    /// One line.
    pub title: &'a str,
    /// What a person has to know, in Markdown.
    pub text: &'a str,
    /// What else there is to see.
    pub details: Details<'a>,
}

/// What stands below.
#[derive(Clone, Copy, Debug, Default)]
pub enum Details<'a> {
    /// Nothing.
    #[default]
    None,
    /// A closed part: what it is called, and the text in it.
    Text(&'a str, &'a str),
    /// Markdown with closed parts of its own, made for the room there is.
    Markdown(&'a str),
}

/// What marks a comment as ours, unseen by readers.
pub fn marker(context: &str) -> String {
    // Whatever would end it early.
    let plain: String = context
        .chars()
        .map(|it| if it.is_ascii_alphanumeric() || "/._ ".contains(it) { it } else { '_' })
        .collect();
    format!("<!-- plumb gitops: {plain} -->")
}

impl Comment<'_> {
    /// The body, of at most so many bytes.
    pub fn body(&self, bytes_max: usize) -> String {
        let head =
            format!("{}\n### {}\n\n{}\n", marker(self.context), self.title, self.text.trim_end());
        let (name, details) = match self.details {
            Details::None => return clipped(&head, bytes_max),
            Details::Text(name, details) => (name, details),
            Details::Markdown(details) => {
                let room = bytes_max.saturating_sub(head.len() + 1);
                return match whole_parts(details, room) {
                    "" => clipped(&head, bytes_max),
                    parts if parts.len() == details.len() => format!("{head}\n{parts}"),
                    parts => format!("{head}\n{parts}{CUT}"),
                };
            }
        };
        let fence = "`".repeat(longest_run(details).max(2) + 1);
        let before = format!("\n<details><summary>{name}</summary>\n\n{fence}\n");
        let after = format!("\n{fence}\n\n</details>\n");
        let room = bytes_max.checked_sub(head.len() + before.len() + after.len());
        match room {
            Some(room) if room >= 200 => {
                let details = clipped(details.trim_matches('\n'), room);
                format!("{head}{before}{details}{after}")
            }
            _ => clipped(&head, bytes_max),
        }
    }
}

/// Said where secrets that were hidden made a plan too long.
const CUT: &str = "\n> **The rest is not shown**: there is no room for it.\n";

/// All of it if there is room, else what ends with a closed part.
fn whole_parts(markdown: &str, bytes_max: usize) -> &str {
    const END: &str = "\n</details>\n";
    if markdown.len() <= bytes_max {
        return markdown;
    }
    let mut room = bytes_max.saturating_sub(CUT.len());
    while !markdown.is_char_boundary(room) {
        room -= 1;
    }
    markdown[..room].rfind(END).map_or("", |it| &markdown[..it + END.len()])
}

/// The beginning of a text, whole lines only, and how much was left out.
pub fn clipped(text: &str, bytes_max: usize) -> String {
    if text.len() <= bytes_max {
        return text.to_owned();
    }
    // The longest that the last line may be.
    let room = bytes_max.saturating_sub("\n… 18446744073709551615 more lines".len());
    let mut end = room;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    // Within the first line there is no end of a line.
    let kept = text[..end].rfind('\n').map_or(&text[..end], |it| &text[..it]);
    let left = text[kept.len()..].trim_start_matches('\n').lines().count();
    format!("{kept}\n… {left} more line{}", if left == 1 { "" } else { "s" })
}

fn longest_run(text: &str) -> usize {
    let (mut longest, mut run) = (0, 0);
    for c in text.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

/// What stands in the place of a secret.
const HIDDEN: &str = "(hidden)";

/// Markdown as its readers see it, and where each byte of that, and its end, comes from.
fn readable(markdown: &str) -> (String, Vec<usize>) {
    let (mut plain, mut places) = (String::with_capacity(markdown.len()), Vec::new());
    let mut rest = markdown;
    while let Some((shown, length)) = shown(rest) {
        let place = markdown.len() - rest.len();
        places.extend(std::iter::repeat_n(place, shown.len_utf8()));
        plain.push(shown);
        rest = &rest[length..];
    }
    places.push(markdown.len());
    (plain, places)
}

/// The first character that a reader sees, and how many bytes stand for it.
fn shown(markdown: &str) -> Option<(char, usize)> {
    let first = markdown.chars().next()?;
    let escaped = markdown[first.len_utf8()..].chars().next();
    match (first, escaped) {
        ('\\', Some(it)) if it.is_ascii_punctuation() => Some((it, 2)),
        ('&', Some(_)) => Some(reference(markdown).unwrap_or((first, 1))),
        _ => Some((first, first.len_utf8())),
    }
}

/// A character reference at the beginning.
fn reference(markdown: &str) -> Option<(char, usize)> {
    const DIGITS_MAX: usize = 7;
    let named = [("&amp;", '&'), ("&lt;", '<'), ("&gt;", '>'), ("&quot;", '"')];
    if let Some((name, it)) = named.into_iter().find(|it| markdown.starts_with(it.0)) {
        return Some((it, name.len()));
    }
    let digits = markdown.strip_prefix("&#")?;
    let end = digits.bytes().take(DIGITS_MAX + 1).position(|it| it == b';')?;
    let number: u32 = digits[..end].parse().ok()?;
    Some((char::from_u32(number)?, "&#;".len() + end))
}

/// Secrets, which nobody may read.
#[derive(Clone, Default)]
pub struct Mask {
    secrets: Vec<String>,
}

/// Shorter ones stand everywhere, and hiding them tells what they are.
const SECRET_CHARS_MIN: usize = 4;

impl Mask {
    /// Hides one more. False: it is too short to be hidden.
    pub fn add(&mut self, secret: &str) -> bool {
        let secret = secret.trim();
        if secret.chars().count() < SECRET_CHARS_MIN {
            return secret.is_empty();
        }
        self.secrets.push(secret.to_owned());
        // As it stands in URLs, and in quoted text.
        self.secrets.extend(percent(secret));
        let quoted = secret.replace('\\', "\\\\").replace('"', "\\\"");
        self.secrets.extend((quoted != secret).then_some(quoted));
        // Texts are shown line by line.
        let lines = secret.lines().map(str::trim).filter(|it| it.len() >= 8 && *it != secret);
        self.secrets.extend(lines.map(str::to_owned));
        // Longer ones first: one may be part of another.
        self.secrets.sort_by(|a, b| b.len().cmp(&a.len()).then(a.cmp(b)));
        self.secrets.dedup();
        true
    }

    /// A text without them.
    pub fn hide(&self, text: &str) -> String {
        self.secrets.iter().fold(text.to_owned(), |text, it| text.replace(it, HIDDEN))
    }

    /// Markdown without them, also where references and backslashes stand for their characters.
    pub fn hide_markdown(&self, text: &str) -> String {
        let mut text = self.hide(text);
        let (mut plain, mut places) = readable(&text);
        for secret in &self.secrets {
            let found: Vec<usize> = plain.match_indices(&**secret).map(|it| it.0).collect();
            for start in found.iter().rev() {
                text.replace_range(places[*start]..places[start + secret.len()], HIDDEN);
            }
            if !found.is_empty() {
                (plain, places) = readable(&text);
            }
        }
        text
    }
}

impl std::fmt::Debug for Mask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Mask({})", self.secrets.len())
    }
}

fn percent(text: &str) -> Option<String> {
    let plain = |it: u8| it.is_ascii_alphanumeric() || b"-._~".contains(&it);
    if text.bytes().all(plain) {
        return None;
    }
    Some(text.bytes().fold(String::new(), |mut out, byte| {
        match plain(byte) {
            true => out.push(char::from(byte)),
            false => out += &format!("%{byte:02X}"),
        }
        out
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_fits() {
        let lines: Vec<String> = (0..5000).map(|it| format!("  + line {it} äöü")).collect();
        let plan = lines.join("\n");
        for max in [300, 1000, 65_536, 1_000_000] {
            let it = Comment {
                context: "plumb",
                title: "Waits",
                text: "Why it waits.",
                details: Details::Text("Plan", &plan),
            };
            let body = it.body(max);
            assert!(body.len() <= max, "{} > {max}", body.len());
            assert!(body.starts_with("<!-- plumb gitops: plumb -->\n### Waits\n\nWhy it waits."));
            if max < plan.len() && body.contains("<details>") {
                let shown = body.matches("  + line").count();
                assert!(body.contains(&format!("… {} more lines", 5000 - shown)), "{max}");
                assert!(body.ends_with("\n```\n\n</details>\n"));
            }
        }
    }

    #[test]
    fn fences_hold() {
        let it =
            Comment { context: "a", title: "", text: "", details: Details::Text("P", "x ```` y") };
        assert!(it.body(1000).contains("\n`````\nx ```` y\n`````\n"));
        assert_eq!(marker("a --> <b>"), "<!-- plumb gitops: a ___ _b_ -->");
    }

    #[test]
    fn markdown_is_never_cut_within_a_part() {
        let part = "<details><summary>ä</summary>\n\n```diff\n+ a\n```\n\n</details>\n\n";
        let plan = format!("### 3 to add\n\n{}", part.repeat(3));
        let it =
            Comment { context: "a", title: "T", text: "Why.", details: Details::Markdown(&plan) };
        let whole = it.body(10_000);
        assert!(whole.ends_with(&format!("Why.\n\n{plan}")), "{whole}");
        for max in 0..whole.len() {
            let body = it.body(max);
            assert!(body.len() <= max.max(40), "{} > {max}", body.len());
            let count = |word: &str| body.matches(word).count();
            assert_eq!(count("<details>"), count("</details>"), "{body}");
            assert_eq!(count("The rest is not shown"), usize::from(count("<details>") > 0));
        }
    }

    #[test]
    fn what_is_left_out_is_counted() {
        assert_eq!(clipped("a\nb", 10), "a\nb");
        let text = "0123456789\n".repeat(20);
        assert_eq!(clipped(&text, 60), "0123456789\n0123456789\n… 18 more lines");
        assert!(clipped(&"ä".repeat(100), 101).len() <= 101);
    }

    #[test]
    fn secrets_are_hidden_however_they_are_written() {
        let mut mask = Mask::default();
        assert!(mask.add("s3cr\"t/x"));
        assert!(mask.add("s3cr"));
        assert!(!mask.add("abc"));
        assert!(mask.add("-----BEGIN KEY-----\nMIIEvQIBADANBg\n-----END KEY-----"));
        let text = "a s3cr\"t/x b s3cr%22t%2Fx c s3cr\\\"t/x d s3cr e MIIEvQIBADANBg";
        assert_eq!(mask.hide(text), "a (hidden) b (hidden) c (hidden) d (hidden) e (hidden)");
        assert!(!format!("{mask:?}").contains("s3cr"));
        assert!(mask.add("p_[1]<&ä>"));
        let text = r"& &#x; &#95; a p&#95;&#91;1&#93;&#60;&#38;ä&#62; b p\_\[1\]&lt;&amp;ä&gt; c p_[1]<&ä> \";
        let hidden = r"& &#x; &#95; a (hidden) b (hidden) c (hidden) \";
        assert_eq!(mask.hide_markdown(text), hidden);
    }
}
