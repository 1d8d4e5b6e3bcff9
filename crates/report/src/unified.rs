//! What changed in a text, line by line, as `diff -u` writes it.

use similar::TextDiff;

/// The difference between two versions of the file `name`; empty if there is none.
pub fn unified_diff(name: &str, old: &str, new: &str) -> String {
    TextDiff::from_lines(old, new)
        .unified_diff()
        .context_radius(3)
        .header(&format!("old/{name}"), &format!("new/{name}"))
        .to_string()
}

/// Lines of a plan or of drift with their sign in the first column, where a `diff` code block looks
/// for it. What changes in place has a `!` instead of the `~`, as such blocks colour that one.
pub(crate) fn signs_first(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for line in text.lines() {
        let bare = line.trim_start_matches(' ');
        let margin = line.len() - bare.len();
        let signs = [("-/+ ", '!'), ("+/- ", '!'), ("+ ", '+'), ("- ", '-'), ("~ ", '!')];
        match signs.iter().find(|it| bare.starts_with(it.0)) {
            Some((sign, shown)) => {
                out.push(*shown);
                // The sign moves; all else stays where it is.
                let columns = margin + sign.len() - 1;
                out.extend(std::iter::repeat_n(' ', columns));
                out.push_str(&bare[sign.len()..]);
            }
            // Nothing else may look like one.
            None if margin == 0 && bare.starts_with(['+', '-', '!', '@']) => {
                out.push(' ');
                out.push_str(bare);
            }
            None => out.push_str(line),
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::unified_diff;

    #[test]
    fn a_hunk_has_three_lines_around_it() {
        let old = "1\n2\n3\n4\n5\na=1\n6\n7\n8\n9";
        let new = old.replace("a=1", "a = 1");
        assert_eq!(
            unified_diff("x.tf", old, &new),
            "--- old/x.tf\n+++ new/x.tf\n@@ -3,7 +3,7 @@\n 3\n 4\n 5\n-a=1\n+a = 1\n 6\n 7\n 8\n"
        );
        assert_eq!(unified_diff("x.tf", old, old), "");
    }
}
