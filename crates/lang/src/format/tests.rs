//! Layouts as Terraform 1.11.4 gives them; more are in `tests/conformance/fmt`.

use expect_test::{Expect, expect};
use plumb_diag::FileId;
use proptest::prelude::*;

use super::format;
use crate::syntax::{TokenKind, parse};

fn check(text: &str, expected: Expect) {
    let laid_out = format(FileId::default(), text).expect("it can be read");
    expected.assert_eq(&laid_out);
    assert_eq!(format(FileId::default(), &laid_out).as_deref(), Ok(&*laid_out), "a second time");
}

#[test]
fn equals_signs_and_comments_stand_in_columns() {
    check(
        "a = 1 /* x */ # y\nbb = 2 # z\nccc = [ # q\n1, # r\n22, # rr\n] # s\n\n日本=1\nx=2",
        expect![[r#"
            a  = 1 /* x */ # y
            bb = 2         # z
            ccc = [        # q
              1,           # r
              22,          # rr
            ]              # s

            日本 = 1
            x  = 2"#]],
    );
}

#[test]
fn blanks_are_where_they_belong() {
    check(
        "a = ! b\nc = - 1\nd = x- -1\ne = {for k,v in[1]: k => -v...}\nf=p :: q(1 , x ...)[0] .c\ng={}\n",
        expect![[r#"
            a = !b
            c = -1
            d = x- - 1
            e = { for k, v in [1] : k => - v... }
            f = p::q(1, x...)[0].c
            g = {}
        "#]],
    );
    check(
        "a = \"x${ \"y${ {a=1} }\" }${ b }%%{ if x }y%{ if z ~}q%{ endif }\"\n",
        expect![[r#"
            a = "x${"y${ { a = 1 } }"}${b}%%{ if x }y%{if z~}q%{endif}"
        "#]],
    );
}

#[test]
fn brackets_indent_once_a_line() {
    check(
        "a = f([{\nb = 1\n}])\nc = f([\n[\n1\n], {\nd = 1 }\n])\n",
        expect![[r#"
            a = f([{
              b = 1
            }])
            c = f([
              [
                1
                ], {
              d = 1 }
            ])
        "#]],
    );
    // What a heredoc leaves open does not count.
    check(
        "a = <<EOT\n  x ${[\n1\n]} y\n  EOT\n  b = 1\n",
        expect![[r#"
            a = <<EOT
              x ${[
            1
            ]} y
              EOT
            b = 1
        "#]],
    );
}

#[test]
fn spellings_of_long_ago_are_replaced() {
    check(
        "variable x {\n type = \"map\"\n default=\"${ y }\"\n}\nvariable \"z\" { type = list }\n",
        expect![[r#"
            variable "x" {
              type    = map(string)
              default = y
            }
            variable "z" { type = list(any) }
        "#]],
    );
    check(
        "a = \"${\n foo ? 1 :\n 2\n}\"\nb = \"${~ x ~}\"\nc = \"${a}${b}\"\nd = \"${f(\"${a}\")}\"\n",
        expect![[r#"
            a = (foo ? 1 :
            2)
            b = x
            c = "${a}${b}"
            d = f("${a}")
        "#]],
    );
    check(
        "r /* x */ \"a\" /* y */ b /* z */ {\n}\ns /* x */ {\n}\n",
        expect![[r#"
            r "a" "b" /* z */ {
            }
            s /* x */ {
            }
        "#]],
    );
    check(
        "r \"\\u00e9\\n\" {}\n",
        expect![[r#"
        r "é\n" {}
    "#]],
    );
}

#[test]
fn labels_are_never_lost() {
    check(
        "r  \"a$${x}\"  b {}\n",
        expect![[r#"
        r "a$${x}" b {}
    "#]],
    );
}

#[test]
fn what_cannot_be_read_is_left_alone() {
    let diagnostics = format(FileId::default(), "a = [").expect_err("unclosed");
    assert_eq!(diagnostics[0].summary, "Missing expression");
}

const SAMPLE: &str = r#"# A comment
resource "a_b" "c" { # another
  count    = var.n > 0 ? length([for x in var.xs : x if x != null]) : -1
  name     = "${var.a}-${upper("b ${var.c}")}" # why
  long_one = !var.x && (1 + 2) * 3 % 4 == 0    /* because */
  object = {
    a   = 1, "b" : 2
    c   = var.d[0].e["f"].*.g
    fgh = jsonencode({ i = [1, 2, 3] })
  }

  // a block
  nested { x = 1 }
  text = <<-EOT
    as it %{if true}  is ${  1 + 1}%{ endif }
    EOT
}
"#;

proptest! {
    /// However many blanks there were, the result is the same.
    #[test]
    fn blanks_do_not_matter(blanks in prop::collection::vec("[ \t]{1,5}", 30)) {
        let laid_out = format(FileId::default(), SAMPLE).expect("it can be read");
        let parse = parse(FileId::default(), SAMPLE);
        let mut text = String::new();
        for (index, (kind, range)) in parse.tokens.iter().enumerate() {
            let blank = kind == TokenKind::Blank;
            text += if blank { &blanks[index * 7 % blanks.len()] } else { &SAMPLE[range] };
        }
        prop_assert_eq!(format(FileId::default(), &text), Ok(laid_out));
    }

    /// Nothing that has meaning is touched in any text that can be read, and nothing panics.
    #[test]
    fn meaning_stays(text in "([a-c\"${}\\[\\]()=,:.?!+*/#<~% 1\n-]|<<E\n|\nE\n|in|for|if|==|=>|\\$\\{|a = ){0,24}") {
        let code = |text: &str| {
            let parse = parse(FileId::default(), text);
            let kept = parse.tokens.iter().filter(|it| it.0 != TokenKind::Blank);
            kept.map(|(kind, range)| (kind, text[range].to_owned())).collect::<Vec<_>>()
        };
        // Wrapped interpolations and labels are rewritten; their own tests say how.
        prop_assume!(!text.contains("\"${"));
        if let Ok(laid_out) = format(FileId::default(), &text) {
            let has_labels = parse(FileId::default(), &text).body.blocks().any(|it| !it.labels.is_empty());
            if !has_labels {
                prop_assert_eq!(code(&laid_out), code(&text));
            }
            prop_assert_eq!(format(FileId::default(), &laid_out), Ok(laid_out));
        }
    }
}
