//! What is said about text that is wrong. Summaries and places were compared with Terraform's.

use expect_test::expect;

use super::*;

#[test]
fn one_mistake_is_one_diagnostic_and_reading_goes_on() {
    check(
        "locals {\n  a =\n  b = [1 2]\n  c = foo(1\n  d = 2\n}\noutput \"x\" {\n  value = (1\n}\n",
        expect![[r#"
            locals:
              a = INVALID
              b = [1]
              c = foo(1)
            ! 2:6-3:1 Invalid expression
            ! 3:10-3:11 Missing item separator
            ! 5:3-5:4 Missing argument separator
        "#]],
    );
    check(
        "a = 1 2\nb = 1, c = 2\nd\n\"e\" = 1\nf = 1\n",
        expect![[r#"
            a = 1
            b = 1
            ! 1:7-1:8 Missing newline after argument
            ! 2:6-2:7 Unexpected comma after argument
            ! 3:1-3:2 Argument or block definition required
        "#]],
    );
}

#[test]
fn blocks() {
    check(
        "a \"x\" = 1\nb \"x\"\nc 1 {}\nd { e {} }\nf { g = 1, h = 2 }\ni { j = 1\n}\nk { l = 1 m }\n\
         n {} o {}\np \"${q}\" {}\nr \"s\n{}\n",
        expect![[r#"
            a "x":
            b "x":
            d:
            f:
              g = 1
            i:
              j = 1
            k:
              l = 1
            n:
            p "":
            r "s":
            ! 11:5-12:1 Invalid multi-line string
            ! 12:3-13:1 Invalid multi-line string
            ! 1:7-1:8 Invalid block definition
            ! 2:6-3:1 Invalid block definition
            ! 3:1-3:2 Argument or block definition required
            ! 4:5-4:6 Argument definition required
            ! 5:10-5:11 Invalid single-argument block definition
            ! 6:10-7:1 Invalid single-argument block definition
            ! 8:11-8:12 Invalid single-argument block definition
            ! 9:6-9:7 Missing newline after block definition
            ! 10:4-10:6 Invalid string literal
            ! 11:5-12:1 Invalid string literal
        "#]],
    );
    check(
        "a {\n  b {\n    c = 1\n",
        expect![[r#"
            a:
              b:
                c = 1
            ! 2:5-2:6 Unclosed configuration block
        "#]],
    );
    check(
        "a = 1\na = 2\nb {}\na = 3\n",
        expect![[r#"
            a = 1
            b:
            ! 2:1-2:2 Attribute redefined
            ! 4:1-4:2 Attribute redefined
        "#]],
    );
}

#[test]
fn expressions() {
    check_lines(
        "a.
         a.*.b.*
         a.0.1
         a.*.0.1
         a[0
         a[*
         1.2.3
         1..2
         a ? b
         a::b
         a::
         f(1 2)
         f(a... b)
         f(
         [1
         [1 2]
         {a = 1
         {a}
         {a, b}
         {a b}
         {a = 1 b = 2}
         (1
         (1 2)
         1 +
         a && || b
         =
         1 2",
        expect![[r#"
            a
            ! 1:3-1:3 Invalid attribute name
            (a).*(.b)
            ! 1:7-1:8 Nested splat expression not allowed
            a.[0.1]
            ! 1:3-1:6 Invalid legacy index syntax
            (a).*(.[0.1])
            ! 1:3-1:4 Invalid legacy index syntax
            a[0]
            ! 1:4-1:4 Missing close bracket on index
            (a)[*]
            ! 1:4-1:4 Missing close bracket on splat index
            INVALID
            ! 1:1-1:6 Invalid number literal
            INVALID
            ! 1:1-1:5 Invalid number literal
            INVALID
            ! 1:6-1:6 Missing false expression in conditional
            INVALID
            ! 1:5-1:5 Missing open parenthesis
            INVALID
            ! 1:4-1:4 Missing function name
            f(1)
            ! 1:5-1:6 Missing argument separator
            f(a...)
            ! 1:4-1:7 Missing closing parenthesis
            f(INVALID)
            ! 1:3-1:3 Missing expression
            [1]
            ! 1:1-1:2 Unterminated tuple constructor expression
            [1]
            ! 1:4-1:5 Missing item separator
            {a = 1}
            ! 1:1-1:2 Unterminated object constructor expression
            {}
            ! 1:3-1:4 Missing key/value separator
            {}
            ! 1:3-1:4 Missing attribute value
            {}
            ! 1:4-1:5 Missing key/value separator
            {a = 1}
            ! 1:8-1:9 Missing attribute separator
            paren(1)
            ! 1:3-1:3 Unbalanced parentheses
            paren(1)
            ! 1:4-1:5 Unbalanced parentheses
            (1 + INVALID)
            ! 1:4-1:4 Missing expression
            (a && INVALID)
            ! 1:6-1:8 Invalid expression
            INVALID
            ! 1:1-1:2 Invalid expression
            1
            ! 1:3-1:4 Extra characters after expression
        "#]],
    );
}

#[test]
fn characters() {
    check_lines(
        "'a'
         `a`
         a & b
         a | b
         ~a
         a ^ b
         a ; b
         “a”
         €
         a ** b
         <<EOT",
        expect![[r#"
            INVALID
            ! 1:1-1:2 Invalid character
            ! 1:1-1:2 Invalid expression
            INVALID
            ! 1:1-1:2 Invalid character
            ! 1:1-1:2 Invalid expression
            a
            ! 1:3-1:4 Unsupported operator
            ! 1:3-1:4 Extra characters after expression
            a
            ! 1:3-1:4 Unsupported operator
            ! 1:3-1:4 Extra characters after expression
            INVALID
            ! 1:1-1:2 Unsupported operator
            ! 1:1-1:2 Invalid expression
            a
            ! 1:3-1:4 Unsupported operator
            ! 1:3-1:4 Extra characters after expression
            a
            ! 1:3-1:4 Invalid character
            ! 1:3-1:4 Extra characters after expression
            INVALID
            ! 1:1-1:2 Invalid character
            ! 1:3-1:4 Invalid character
            ! 1:1-1:2 Invalid expression
            INVALID
            ! 1:1-1:2 Invalid character
            ! 1:1-1:2 Invalid expression
            (a * INVALID)
            ! 1:4-1:5 Invalid expression
            INVALID
            ! 1:1-1:2 Invalid expression
        "#]],
    );
}

#[test]
fn templates() {
    check_lines(
        r#""${1 2}"
           "${1:2}"
           "${"
           "a
           "\q \u12 \$ \UFFFFFFFF \ud800"
           "%{ if a }x"
           "%{ else }"
           "%{ for x in y }%{ else }%{ endfor }"
           "%{ iff x }"
           "%{ if a }%{ else }%{ else }%{ endif }"
           "%{ for x }"
           "%{ if a b }%{ endif }"
           "%{ 1 }"
           "%{ if a }%{ endfor }"
           "%{ for x in y }%{ endif }"
           "%{ endif }""#,
        expect![[r#"
            wrap(1)
            ! 1:6-1:7 Extra characters after interpolation expression
            wrap(1)
            ! 1:5-1:6 Extra characters after interpolation expression
            wrap("")
            ! 1:5-1:5 Unterminated template string
            "a"
            ! 1:3-1:3 Unterminated template string
            "    "
            ! 1:2-1:4 Invalid escape sequence
            ! 1:5-1:9 Invalid escape sequence
            ! 1:10-1:12 Invalid escape sequence
            ! 1:13-1:23 Invalid escape sequence
            ! 1:24-1:30 Invalid escape sequence
            template(INVALID)
            ! 1:12-1:13 Unexpected end of template
            ""
            ! 1:2-1:11 Unexpected else directive
            template(INVALID)
            ! 1:17-1:26 Unexpected else directive
            ! 1:26-1:37 Unexpected endfor directive
            ""
            ! 1:5-1:8 Invalid template control keyword
            template(INVALID)
            ! 1:20-1:29 Unexpected else directive
            ! 1:29-1:39 Unexpected endif directive
            ""
            ! 1:11-1:12 Invalid 'for' directive
            template(if a {} else {})
            ! 1:10-1:11 Extra characters in if marker
            ""
            ! 1:5-1:6 Invalid template directive
            template(INVALID)
            ! 1:11-1:22 Unexpected endfor directive
            template(INVALID)
            ! 1:17-1:27 Unexpected endif directive
            ""
            ! 1:2-1:12 Unexpected endif directive
        "#]],
    );
    check(
        "a = \"x\nb = 1\nc = 2\n",
        expect![[r#"
            a = "x"
            ! 1:7-2:1 Invalid multi-line string
            ! 2:6-3:1 Invalid multi-line string
            ! 3:6-4:1 Invalid multi-line string
            ! 1:7-2:1 Unterminated template string
        "#]],
    );
    check(
        "a = <<EOT\nx\nEOT",
        expect![[r#"
            a = "x\nEOT"
            ! 3:4-3:4 Unterminated template string
        "#]],
    );
}
