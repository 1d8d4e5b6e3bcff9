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
