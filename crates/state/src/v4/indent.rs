//! Compact JSON, spread over lines as Terraform does: two spaces each level, empty ones closed at
//! once.

/// Appends `compact`, whose first line is already indented by `depth` levels.
pub(super) fn indent(compact: &str, depth: usize, out: &mut String) {
    let bytes = compact.as_bytes();
    let mut depth = depth;
    let mut copied = 0;
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => {
                at += 1;
                while at < bytes.len() && bytes[at] != b'"' {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
                at += 1;
            }
            open @ (b'{' | b'[') => {
                if bytes.get(at + 1) == Some(&(open + 2)) {
                    at += 2;
                    continue;
                }
                at += 1;
                depth += 1;
                out.push_str(&compact[copied..at]);
                copied = at;
                line(depth, out);
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                out.push_str(&compact[copied..at]);
                copied = at;
                line(depth, out);
                at += 1;
            }
            b',' => {
                at += 1;
                out.push_str(&compact[copied..at]);
                copied = at;
                line(depth, out);
            }
            b':' => {
                at += 1;
                out.push_str(&compact[copied..at]);
                copied = at;
                out.push(' ');
            }
            _ => at += 1,
        }
    }
    out.push_str(&compact[copied..]);
}

/// A new line, indented.
pub(super) fn line(depth: usize, out: &mut String) {
    const SPACES: &str = "                                                                ";
    out.push('\n');
    let mut left = depth * 2;
    while left > 0 {
        let some = left.min(SPACES.len());
        out.push_str(&SPACES[..some]);
        left -= some;
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn like_a_json_encoder_that_indents() {
        for compact in [
            "null",
            "[]",
            "{}",
            r#"{"a":[],"b":{},"c":[1,[2,{"d":"x,{}:[\"\\"}]],"e\"":null}"#,
            r#"["[","\\","]"]"#,
        ] {
            let mut out = String::new();
            super::indent(compact, 0, &mut out);
            let value: serde_json::Value = serde_json::from_str(compact).expect(compact);
            assert_eq!(out, serde_json::to_string_pretty(&value).expect("JSON"));
        }
    }
}
