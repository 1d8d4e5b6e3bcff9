//! Which files of a build context `.dockerignore` keeps out.
//!
//! Rules are matched against whole paths from the root of the context; a rule that matches a
//! folder holds for what is in it; the last rule that matches wins.

/// The rules of one file, in their order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ignore {
    rules: Vec<Rule>,
}

#[derive(Clone, Debug)]
struct Rule {
    keeps: bool,
    tokens: Vec<Token>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Char(char),
    /// `?`: one character of a name.
    One,
    /// `*`: any characters of a name.
    Many,
    /// `**` at the end: anything.
    Anything,
    /// `**` before something: nothing, or anything up to a slash.
    Folders,
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

/// A rule that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of .dockerignore: {reason}")]
pub(crate) struct BadRule {
    line: usize,
    reason: &'static str,
}

impl Ignore {
    /// Reads the text of a `.dockerignore` file.
    pub(crate) fn parse(text: &str) -> Result<Ignore, BadRule> {
        let mut rules = Vec::new();
        for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            if line.starts_with('#') {
                continue;
            }
            let line = line.trim();
            let (keeps, pattern) = match line.strip_prefix('!') {
                Some(rest) => (true, rest.trim()),
                None => (false, line),
            };
            let bad = |reason| BadRule { line: index + 1, reason };
            if pattern.is_empty() {
                if keeps {
                    return Err(bad("there is nothing after `!`"));
                }
                continue;
            }
            let pattern = clean(pattern);
            let tokens = tokens(&pattern).ok_or_else(|| bad("`[` without `]`"))?;
            rules.push(Rule { keeps, tokens });
        }
        Ok(Ignore { rules })
    }

    /// Whether the file or folder at `path` (slashes, from the root) stays out.
    pub(crate) fn excludes(&self, path: &str) -> bool {
        let path: Vec<char> = path.chars().collect();
        let mut excluded = false;
        for rule in &self.rules {
            if rule.keeps == excluded && matches_or_parent(&rule.tokens, &path) {
                excluded = !rule.keeps;
            }
        }
        excluded
    }

    /// Whether something below an excluded folder may be kept by a later `!`.
    pub(crate) fn may_keep_below(&self) -> bool {
        self.rules.iter().any(|rule| rule.keeps)
    }
}

/// Removes `.`, `..`, doubled and leading slashes.
fn clean(pattern: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in pattern.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn tokens(pattern: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        tokens.push(match c {
            '*' if chars.peek() == Some(&'*') => {
                while chars.peek() == Some(&'*') {
                    chars.next();
                }
                if chars.peek() == Some(&'/') {
                    chars.next();
                }
                if chars.peek().is_none() { Token::Anything } else { Token::Folders }
            }
            '*' => Token::Many,
            '?' => Token::One,
            '\\' => Token::Char(chars.next().unwrap_or('\\')),
            '[' => class(&mut chars)?,
            c => Token::Char(c),
        });
    }
    Some(tokens)
}

fn class(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<Token> {
    let negated = chars.next_if_eq(&'^').is_some();
    let mut ranges = Vec::new();
    loop {
        let mut low = chars.next()?;
        if low == ']' && !ranges.is_empty() {
            return Some(Token::Class { negated, ranges });
        }
        if low == '\\' {
            low = chars.next()?;
        }
        let mut high = low;
        if chars.peek() == Some(&'-') {
            chars.next();
            high = chars.next()?;
            if high == ']' {
                ranges.extend([(low, low), ('-', '-')]);
                return Some(Token::Class { negated, ranges });
            }
        }
        ranges.push((low, high));
    }
}

/// Follows all ways through the pattern at once, so that no pattern takes exponential time.
fn matches_or_parent(tokens: &[Token], path: &[char]) -> bool {
    let end = tokens.len();
    let mut here = vec![false; end + 1];
    here[0] = true;
    spread(tokens, &mut here, true);
    for (index, &c) in path.iter().enumerate() {
        if here[end] && c == '/' {
            return true;
        }
        let mut next = vec![false; end + 1];
        for at in 0..end {
            if !here[at] {
                continue;
            }
            match &tokens[at] {
                Token::Char(want) => next[at + 1] |= *want == c,
                Token::One => next[at + 1] |= c != '/',
                Token::Many => next[at] |= c != '/',
                Token::Anything | Token::Folders => next[at] = true,
                Token::Class { negated, ranges } => {
                    let within = ranges.iter().any(|(low, high)| (*low..=*high).contains(&c));
                    next[at + 1] |= c != '/' && within != *negated;
                }
            }
        }
        spread(tokens, &mut next, path[index] == '/');
        here = next;
    }
    here[end]
}

/// Adds the places that can be reached without a character.
fn spread(tokens: &[Token], here: &mut [bool], at_start_of_name: bool) {
    for at in 0..tokens.len() {
        if !here[at] {
            continue;
        }
        match &tokens[at] {
            Token::Many | Token::Anything => here[at + 1] = true,
            // Leaving is possible at once, and after any slash; a place inside a name stays.
            Token::Folders if at_start_of_name => here[at + 1] = true,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excluded(rules: &str, paths: &[&str]) -> Vec<String> {
        let ignore = Ignore::parse(rules).unwrap();
        paths.iter().filter(|p| ignore.excludes(p)).map(|p| (*p).to_owned()).collect()
    }

    #[test]
    fn patterns_match_from_the_root() {
        let paths = ["a.log", "sub/a.log", "sub/deep/a.log", "b.txt", "sub/b.txt"];
        assert_eq!(excluded("*.log", &paths), ["a.log"]);
        assert_eq!(excluded("**/*.log", &paths), ["a.log", "sub/a.log", "sub/deep/a.log"]);
        assert_eq!(excluded("*/*.log", &paths), ["sub/a.log"]);
        assert_eq!(excluded("sub", &paths), ["sub/a.log", "sub/deep/a.log", "sub/b.txt"]);
        assert_eq!(excluded("/sub/deep/", &paths), ["sub/deep/a.log"]);
        assert_eq!(excluded("sub/**", &paths), ["sub/a.log", "sub/deep/a.log", "sub/b.txt"]);
        assert_eq!(excluded("sub/**/a.log", &paths), ["sub/a.log", "sub/deep/a.log"]);
        assert_eq!(excluded("?.txt", &paths), ["b.txt"]);
        assert_eq!(excluded("[^b].*", &paths), ["a.log"]);
        assert_eq!(excluded("[a-b].[!-z]*", &paths), ["a.log", "b.txt"]);
        assert_eq!(excluded("# *.log\n\n  b.txt  ", &paths), ["b.txt"]);
    }

    #[test]
    fn the_last_rule_that_matches_wins() {
        let paths = ["README.md", "docs/README.md", "docs/a.md", "x"];
        assert_eq!(excluded("*\n!docs", &paths), ["README.md", "x"]);
        assert_eq!(excluded("**\n!docs/README.md", &paths), ["README.md", "docs/a.md", "x"]);
        assert_eq!(excluded("!docs\n*", &paths), paths);
        assert_eq!(excluded("**/*.md\n!**/README.md", &paths), ["docs/a.md"]);
    }

    #[test]
    fn names_are_not_matched_in_their_middle() {
        assert_eq!(excluded("**/log", &["blog", "a/blog", "log", "a/log"]), ["log", "a/log"]);
        assert_eq!(excluded("doc", &["docs", "doc/x", "a/doc"]), ["doc/x"]);
    }

    #[test]
    fn hard_patterns_take_no_time() {
        let pattern = "*a".repeat(60) + "b";
        assert!(excluded(&pattern, &[&"a".repeat(4000)]).is_empty());
    }

    #[test]
    fn broken_rules_are_named() {
        assert_eq!(
            Ignore::parse("a\n!").unwrap_err().to_string(),
            "line 2 of .dockerignore: there is nothing after `!`"
        );
        assert_eq!(
            Ignore::parse("[a").unwrap_err().to_string(),
            "line 1 of .dockerignore: `[` without `]`"
        );
    }
}
